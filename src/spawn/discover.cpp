// Finds a php-fpm that runs already.
#include "base/clock.hpp"
#include "config/values.hpp"
#include "fastcgi/inquiry.hpp"
#include "spawn/plan.hpp"
#include "spawn/versions.hpp"

namespace fcgate::spawn {

namespace {

constexpr const char* usual_address = "127.0.0.1:9000";
constexpr int answer_ms = 300;

[[nodiscard]] bool answers_at(std::string_view address) {
    BackendSettings candidate;
    // Whatever listens there must answer in FastCGI, not merely accept.
    return config::parse_backend_address(address, candidate) == Status::ok &&
           fastcgi::ask_values(candidate, candidate.path, monotonic_ms() + answer_ms) == Status::ok;
}

[[nodiscard]] bool answers_in(const char* path) {
    Text<limits::path + 8> address("unix:");
    address.append(path);
    return address.ok() && answers_at(address.view());
}

[[nodiscard]] bool find_address(TextBuffer& out) {
    const Text<128> usual("/run/php/php*-fpm.sock /run/php*-fpm.sock /run/php-fpm/www*.sock /var/run/php*-fpm.sock"_p);
    Text<limits::path> path;
    if (find_newest(usual.view(), &answers_in, path)) {
        out.append<"unix:%">(path.c_str());
        return out.ok();
    }
    out.append(usual_address);
    return answers_at(out.view());
}

}  // namespace

Status resolve_automatic(Settings& settings, ConfigError& error) {
    for (const BackendSettings& backend : settings.backends) {
        if (backend.kind != BackendSettings::Kind::automatic) {
            continue;
        }
        Text<limits::path> address;
        if (!find_address(address)) {
            address.clear();
            address.append("spawn"_p);
        }
        Text<limits::section_name + 16> section("backend");
        if (!backend.name.empty()) {
            section.append(' ').append(backend.name);
        }
        Status status = settings.set(section.view(), "address", {}, error);
        if (status == Status::ok) {
            status = settings.set(section.view(), "address", address.view(), error);
        }
        if (status != Status::ok) {
            return status;
        }
    }
    return Status::ok;
}

}  // namespace fcgate::spawn
