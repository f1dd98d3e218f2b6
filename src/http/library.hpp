// Owns: which libmicrohttpd is in use, and whether it may be.
// Must not touch: anything but what the library tells of itself.
#pragma once

#include <string_view>

#include "base/status.hpp"
#include "base/text.hpp"

namespace fcgate::http {

// As the library in use tells it: "1.0.10".
[[nodiscard]] const char* libmicrohttpd_version();

// Whether it can take secure connections.
[[nodiscard]] bool speaks_tls();

// The build has refused faulty versions, but a shared library can be another one by now. refused, and why, for 1.0.0 to 1.0.9 (but one accepted
// when fcgate was built), for what is older than 0.9.75, and for another generation than fcgate was compiled for.
[[nodiscard]] Status check_libmicrohttpd(TextBuffer& why);
// The same for any version; `accepted`: the one that was accepted, "" for none.
[[nodiscard]] Status check_version(std::string_view text, std::string_view accepted, TextBuffer& why);

}  // namespace fcgate::http
