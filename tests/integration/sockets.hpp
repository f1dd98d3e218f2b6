// Owns: waiting with a deadline, and the few things that both ends of a test do with sockets. Nothing here fails a test: it
// may be called from any thread.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string_view>

#include "base/clock.hpp"
#include "buffer.hpp"

namespace fcgate::test {

// How long something may take that should happen at once: far more than it ever needs, also on a busy machine.
inline constexpr int64_t patience_ms = 8000;

[[nodiscard]] inline int64_t soon() {
    return monotonic_ms() + patience_ms;
}

// True once one of `events` (of poll(2)) is there, or the other end has gone.
[[nodiscard]] bool wait_for(int fd, short events, int64_t deadline);
[[nodiscard]] bool is_readable(int fd);  // now

enum class Receipt : uint8_t {
    bytes,
    end,    // the other end has closed in good order
    reset,  // ... or has reset the connection
    late,   // nothing came before the deadline
};

// Appends what comes next.
[[nodiscard]] Receipt receive(int fd, Buffer& into, int64_t deadline);

// Sends all of it; how many bytes have gone when the other end did not take them.
[[nodiscard]] size_t send_bytes(int fd, std::string_view bytes, int64_t deadline);

// Closes so that the other end gets a reset instead of an end. On a unix socket that takes unread bytes at our side.
void reset_connection(int fd);

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;

    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    [[nodiscard]] unsigned port() const;
    [[nodiscard]] bool is_local() const { return storage.ss_family == AF_UNIX; }
};

[[nodiscard]] Address local_address(std::string_view path);
[[nodiscard]] Address tcp_address(std::string_view ip, unsigned port);
// A listening socket, or -1. With port 0 the system chooses one: ask bound_address().
[[nodiscard]] int listen_on(const Address& address, int backlog);
[[nodiscard]] Address bound_address(int fd);

}  // namespace fcgate::test
