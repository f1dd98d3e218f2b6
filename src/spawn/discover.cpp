// Finds a php-fpm that runs already.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/descriptor.hpp"
#include "config/values.hpp"
#include "fastcgi/link.hpp"
#include "fastcgi/record.hpp"
#include "spawn/plan.hpp"
#include "spawn/versions.hpp"

namespace fcgate::spawn {

namespace {

constexpr VersionedName usual_sockets[] = {
    {"/run/php/", "php", "-fpm.sock"},
    {"/run/", "php", "-fpm.sock"},
    {"/run/php-fpm/", "www", ".sock"},
    {"/var/run/", "php", "-fpm.sock"},
};
constexpr const char* usual_address = "127.0.0.1:9000";
constexpr int answer_ms = 300;

// FCGI_GET_VALUES (FastCGI 1.0 section 4.1): whatever listens there must answer in FastCGI, not merely accept.
[[nodiscard]] bool answers(const BackendSettings& backend) {
    fastcgi::Link link{};
    if (fastcgi::open_link(backend, backend.path, link) != Status::ok && link.fd < 0) {
        return false;
    }
    const Descriptor fd(link.fd);
    pollfd ready{fd.get(), POLLOUT, 0};
    if (poll(&ready, 1, answer_ms) != 1 || fastcgi::finish_open(link) != Status::ok) {
        return false;
    }
    uint8_t question[fastcgi::header_size];
    fastcgi::encode_header(question, fastcgi::RecordType::get_values, 0);
    question[3] = 0;  // a management record belongs to no request
    ready.events = POLLIN;
    uint8_t answer[fastcgi::header_size];
    return send(fd.get(), question, sizeof question, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof question) &&
           poll(&ready, 1, answer_ms) == 1 && recv(fd.get(), answer, sizeof answer, 0) >= 2 &&
           answer[0] == fastcgi::version_1 && answer[1] == static_cast<uint8_t>(fastcgi::RecordType::get_values_result);
}

[[nodiscard]] bool answers_at(std::string_view address) {
    BackendSettings candidate;
    return config::parse_backend_address(address, candidate) == Status::ok && answers(candidate);
}

[[nodiscard]] bool answers_in(const char* path) {
    Text<limits::path + 8> address("unix:");
    address.append(path);
    return address.ok() && answers_at(address.view());
}

[[nodiscard]] bool find_address(TextBuffer& out) {
    Text<limits::path> path;
    for (const VersionedName& name : usual_sockets) {
        if (find_newest(name, &answers_in, path)) {
            out.append("unix:").append(path.view());
            return out.ok();
        }
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
            address.append("spawn");
        }
        Text<limits::section_name + 16> section("backend");
        if (!backend.name.empty()) {
            section.append(' ').append(backend.name);
        }
        const Status status = settings.set(section.view(), "address", address.view(), error);
        if (status != Status::ok) {
            return status;
        }
    }
    return Status::ok;
}

}  // namespace fcgate::spawn
