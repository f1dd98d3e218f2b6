// Owns: how times are written in logs.
// Must not touch: a clock.
#pragma once

#include <ctime>

#include "base/text.hpp"

namespace fcgate {

void append_date(TextBuffer& out, const tm& parts);   // 2026-01-31
void append_clock(TextBuffer& out, const tm& parts);  // 12:00:00
[[nodiscard]] std::string_view month_name(const tm& parts);
// 2026-01-31T12:00:00.123Z
void append_utc(TextBuffer& out, const timespec& now);
void append_seconds(TextBuffer& out, uint64_t time_ms);  // 1.234

}  // namespace fcgate
