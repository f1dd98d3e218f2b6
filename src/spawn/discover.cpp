// Finds a php-fpm that runs already.
#include <cerrno>

#include "base/clock.hpp"
#include "base/descriptor.hpp"
#include "base/features.hpp"
#include "config/keys.hpp"
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

// Somebody listens, however busy.
[[nodiscard]] bool is_still_there(const BackendSettings& backend) {
    Descriptor fd;
    // A backlog may be full.
    return fastcgi::connect_by(backend, backend.path, monotonic_ms() + answer_ms, fd) == Status::ok ||
           errno == EAGAIN || errno == ETIMEDOUT;
}

// Empty: nothing was found for a backend of this name, or it is gone.
[[nodiscard]] std::string_view found_before(const Settings* in_force, std::string_view name) {
    if (in_force != nullptr) {
        for (const BackendSettings& backend : in_force->backends) {
            if (backend.was_automatic && backend.name == name && backend.kind != BackendSettings::Kind::spawn &&
                is_still_there(backend)) {
                return backend.address;
            }
        }
    }
    return {};
}

}  // namespace

Status resolve_automatic(Settings& settings, ConfigError& error, const Settings* in_force) {
    for (BackendSettings& backend : settings.backends) {
        if (backend.kind != BackendSettings::Kind::automatic) {
            continue;
        }
        backend.was_automatic = true;
        Text<limits::path> address(found_before(in_force, backend.name));
        if (address.size() == 0 && !find_address(address)) {
            if constexpr (!features::spawn) {
                // The error of set() would be about `spawn`, which nobody has written.
                error.text.clear();
                config::print_heading(config::SectionKind::backend, backend.name, error.text);
                error.text.append(
                    " address = auto: no php-fpm was found, and this fcgate was built without spawn (-Dspawn=disabled)"_p);
                return Status::refused;
            }
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
