// Owns: dates as HTTP writes them (RFC 9110 section 5.6.7), in seconds since 1970, 64 bits on every machine.
// Must not touch: time zones, the locale. Only wall_clock() asks the system.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.hpp"
#include "base/text.hpp"

namespace fcgate {

// For dates in replies only; deadlines are measured by the monotonic clock.
[[nodiscard]] int64_t wall_clock();

// Takes IMF-fixdate and the two obsolete forms. `now` settles the century of the two-digit year of RFC 850's form.
// malformed for anything else.
[[nodiscard]] Result<int64_t> parse_http_date(std::string_view text, int64_t now);

// "Sun, 06 Nov 1994 08:49:37 GMT". Years outside 1 to 9999 cannot be written: the nearest date that can is.
void append_http_date(TextBuffer& out, int64_t time);

}  // namespace fcgate
