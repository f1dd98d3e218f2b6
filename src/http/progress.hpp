// Owns: the question whether the other end of a socket still takes bytes.
// Must not touch: anything but the socket's statistics.
#pragma once

#include <cstdint>

namespace fcgate::http {

struct SendProgress {
    uint64_t bytes = 0;
    bool is_count = false;  // else a number that changes when the client has taken something, and tells no more
};

// What the client has taken: bytes acknowledged for TCP; for unix sockets, and on kernels before 4.1, only what is still queued.
// libmicrohttpd reports no progress of file and memory replies, and resets its own timeout with every byte.
[[nodiscard]] SendProgress send_progress(int fd);

// True when the kernel holds bytes that the client has not taken.
[[nodiscard]] bool has_unsent(int fd);

// True when the client has sent something that nobody has read yet.
[[nodiscard]] bool has_unread(int fd);

}  // namespace fcgate::http
