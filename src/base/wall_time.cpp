#include "base/wall_time.hpp"

namespace fcgate {

namespace {

void append_three(TextBuffer& out, char between, int first, unsigned digits, int second, int third) {
    out.append_padded(static_cast<uint64_t>(first), digits).append(between);
    out.append_padded(static_cast<uint64_t>(second), 2).append(between);
    out.append_padded(static_cast<uint64_t>(third), 2);
}

}  // namespace

void append_date(TextBuffer& out, const tm& parts) {
    append_three(out, '-', parts.tm_year + 1900, 4, parts.tm_mon + 1, parts.tm_mday);
}

void append_clock(TextBuffer& out, const tm& parts) {
    append_three(out, ':', parts.tm_hour, 2, parts.tm_min, parts.tm_sec);
}

std::string_view month_name(const tm& parts) {
    return slice("JanFebMarAprMayJunJulAugSepOctNovDec", static_cast<size_t>(parts.tm_mon) * 3, 3);
}

void append_utc(TextBuffer& out, const timespec& now) {
    tm parts{};
    gmtime_r(&now.tv_sec, &parts);
    append_date(out, parts);
    out.append('T');
    append_clock(out, parts);
    out.append('.').append_padded(static_cast<uint64_t>(now.tv_nsec) / 1'000'000, 3).append('Z');
}

void append_seconds(TextBuffer& out, uint64_t time_ms) {
    constexpr uint64_t second = 1000;
    out.append_number(time_ms / second).append('.').append_padded(time_ms % second, 3);
}

}  // namespace fcgate
