#include "supervisor.hpp"

#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "report.hpp"
#include "words.hpp"

namespace fcgate::daemon {

namespace {

constexpr size_t state_size = 512;

unsigned long long monotonic_us() {
    constexpr unsigned long long us_per_second = 1'000'000;
    constexpr unsigned long ns_per_us = 1000;
    timespec now{};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<unsigned long long>(now.tv_sec) * us_per_second +
           static_cast<unsigned long>(now.tv_nsec) / ns_per_us;
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
        say<"warning: NOTIFY_SOCKET: %s cannot be used; the service manager will hear nothing">(path);
    }
    unsetenv("NOTIFY_SOCKET");
}

// The address goes with every message: a service manager that has started anew has another socket there.
void Supervisor::send(const char* state) const {
    if (socket_ < 0) {
        return;
    }
    const auto* const address = reinterpret_cast<const sockaddr*>(&address_);
    if (sendto(socket_, state, strlen(state), MSG_NOSIGNAL, address, length_) < 0) {
        say<"warning: the service manager cannot be told: %s">(strerror(errno));
    }
}

void Supervisor::ready(const char* status) const {
    char state[state_size];
    (void)compose<"READY=1\nSTATUS=%s">(state, sizeof state, status);
    send(state);
}

// With its time, systemd can tell this reload from an earlier one (Type=notify-reload).
void Supervisor::reloading() const {
    char state[state_size];
    (void)compose<"RELOADING=1\nMONOTONIC_USEC=%llu">(state, sizeof state, monotonic_us());
    send(state);
}

void Supervisor::stopping(const char* status) const {
    char state[state_size];
    (void)compose<"STOPPING=1\nSTATUS=%s">(state, sizeof state, status);
    send(state);
}

}  // namespace fcgate::daemon
