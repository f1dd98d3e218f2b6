// Owns: what is asked of a backend by somebody who waits for the answer, before there is a server.
// Borrows: the backend's settings, during the call.
// Must not touch: the event loop, gates, exchanges.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/descriptor.hpp"
#include "base/status.hpp"
#include "config/settings.hpp"

namespace fcgate::fastcgi {

// Connects, at the latest by `deadline`. As open_link(); timed_out. `path` is the socket of a unix-domain backend.
[[nodiscard]] Status connect_by(const BackendAddress& backend, std::string_view path, int64_t deadline, Descriptor& fd);

// Waits for bytes or the end. timed_out.
[[nodiscard]] Status wait_for_input(int fd, int64_t deadline);

// FCGI_GET_VALUES (FastCGI 1.0 section 4.1), which runs nothing: whoever takes requests answers it. As connect_by(); gone: it has hung up;
// malformed: it speaks, but not FastCGI.
[[nodiscard]] Status ask_values(const BackendAddress& backend, std::string_view path, int64_t deadline);

}  // namespace fcgate::fastcgi
