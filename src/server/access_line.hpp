// Owns: the forms of a line of the access log.
// Must not touch: files, sockets, a clock. Whatever bytes a client has sent, a line is printable ASCII, and JSON where it says so.
#pragma once

#include <cstdint>
#include <ctime>

#include "base/text.hpp"
#include "http/finished.hpp"

namespace fcgate::server {

enum class AccessForm : uint8_t { common, combined, json };

// common, combined or json; another one is taken for combined.
[[nodiscard]] AccessForm access_form(std::string_view name);

// One line with its end, of at most limits::access_line bytes.
void append_access_line(TextBuffer& out, AccessForm form, const Finished& finished, const timespec& now);

}  // namespace fcgate::server
