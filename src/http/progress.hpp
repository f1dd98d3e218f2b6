// Owns: the question whether the other end of a socket still takes bytes.
// Must not touch: anything but the socket's statistics.
#pragma once

#include <cstdint>

namespace fcgate::http {

// A number that changes whenever the client has taken bytes: those acknowledged for TCP, those still queued for unix sockets.
// libmicrohttpd reports no progress of file and memory replies, and resets its own timeout with every byte.
[[nodiscard]] uint64_t send_progress(int fd);

// True when the client has sent something that nobody has read yet.
[[nodiscard]] bool has_unread(int fd);

}  // namespace fcgate::http
