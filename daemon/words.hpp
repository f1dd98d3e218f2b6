// Owns: the few things that the daemon does with text: what printf() and strtoul() would bring along is larger than all the rest of it.
// Must not touch: stdio, which keeps what is written; here it is written at once.
#pragma once

#include <cstdarg>
#include <cstddef>

namespace fcgate::daemon {

// As snprintf(), of which there are %s, %u and %llu. False when not all of it fits: then its end is missing.
[[gnu::format(printf, 3, 4)]] bool compose(char* out, size_t size, const char* format, ...);
[[gnu::format(printf, 3, 0)]] bool compose_list(char* out, size_t size, const char* format, va_list arguments);

// Writes all of it; false when that fails.
[[nodiscard]] bool print(int fd, const char* text);

// A whole number of digits alone. False for anything else, and for 2^32 - 1 and more.
[[nodiscard]] bool parse_number(const char* text, unsigned& number);

}  // namespace fcgate::daemon
