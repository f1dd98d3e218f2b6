#include "supervisor.hpp"

#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/text.hpp"
#include "report.hpp"

namespace fcgate::daemon {

namespace {

constexpr size_t state_size = 512;

uint64_t monotonic_us() {
    constexpr uint64_t us_per_second = 1'000'000;
    constexpr unsigned long ns_per_us = 1000;
    timespec now{};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * us_per_second + static_cast<unsigned long>(now.tv_nsec) / ns_per_us;
}

}  // namespace

Supervisor::~Supervisor() {
    if (socket_ >= 0) {
        close(socket_);
    }
}

void Supervisor::open() {
    const char* const path = getenv("NOTIFY_SOCKET");
    if (path == nullptr) {
        return;
    }
    const size_t length = strlen(path);
    if ((path[0] == '/' || path[0] == '@') && length > 1 && length < sizeof address_.sun_path) {
        address_.sun_family = AF_UNIX;
        memcpy(address_.sun_path, path, length);
        length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
        if (path[0] == '@') {
            address_.sun_path[0] = '\0';  // the abstract namespace of Linux
        }
        socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    if (socket_ < 0) {
        say<"warning: NOTIFY_SOCKET: % cannot be used; the service manager will hear nothing">(path);
    }
    unsetenv("NOTIFY_SOCKET");
}

// The address goes with every message: a service manager that has started anew has another socket there.
void Supervisor::send(std::string_view state) const {
    if (socket_ < 0) {
        return;
    }
    const auto* const address = reinterpret_cast<const sockaddr*>(&address_);
    if (sendto(socket_, state.data(), state.size(), MSG_NOSIGNAL, address, length_) < 0) {
        say<"warning: the service manager cannot be told: %">(SystemError{errno});
    }
}

void Supervisor::ready(const char* status) const {
    Text<state_size> state;
    state.append<"READY=1\nSTATUS=%">(status);
    send(state.view());
}

// With its time, systemd can tell this reload from an earlier one (Type=notify-reload).
void Supervisor::reloading() const {
    Text<state_size> state;
    state.append<"RELOADING=1\nMONOTONIC_USEC=%">(monotonic_us());
    send(state.view());
}

void Supervisor::stopping(const char* status) const {
    Text<state_size> state;
    state.append<"STOPPING=1\nSTATUS=%">(status);
    send(state.view());
}

}  // namespace fcgate::daemon
