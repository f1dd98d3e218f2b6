// Owns: the few things that the daemon does with text: what printf() and strtoul() would bring along is larger than all the rest of it.
// Must not touch: stdio, which keeps what is written; here it is written at once.
#pragma once

namespace fcgate::daemon {

// Writes all of it; false when that fails.
[[nodiscard]] bool print(int fd, const char* text);

// A whole number of digits alone. False for anything else, and for 2^32 - 1 and more.
[[nodiscard]] bool parse_number(const char* text, unsigned& number);

}  // namespace fcgate::daemon
