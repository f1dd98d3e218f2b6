#include "base/log.hpp"

#include <cstring>
#include <ctime>

#include "base/features.hpp"
#include "base/wall_time.hpp"

namespace fcgate {

namespace {

void append_time(TextBuffer& out) {
    const time_t now = time(nullptr);
    tm parts{};
    localtime_r(&now, &parts);
    append_date(out, parts);
    out.append(' ');
    append_clock(out, parts);
    out.append(' ');
}

}  // namespace

std::string_view log_level_name(LogLevel level) {
    switch (level) {
        case LogLevel::error:
            return "error";
        case LogLevel::warning:
            return "warning";
        case LogLevel::info:
            return "info";
        case LogLevel::debug:
            return "debug";
    }
    return "?";
}

void Log::write(LogLevel level, const TextBuffer& message) const {
    write(level, message.view());
}

// One line of the second's share. When a second has had more, the first line of a later one is preceded by their number.
bool Log::admit() const {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto second = static_cast<uint32_t>(now.tv_sec);
    uint32_t before = second_.load();
    if (before != second && second_.compare_exchange_strong(before, second)) {
        const uint32_t lines = lines_.exchange(0);
        if (lines > limits::log_lines_per_second) {
            Text<64> note;
            note.append_number(lines - limits::log_lines_per_second)
                .append(" further lines in one second were left out"_p);
            put(LogLevel::warning, note.view());
        }
    }
    if (lines_.fetch_add(1) < limits::log_lines_per_second) {
        return true;
    }
    lost_.fetch_add(1);
    return false;
}

void Log::write(LogLevel level, std::string_view message) const {
    if (wants(level) && (level == LogLevel::debug || admit())) {
        put(level, message);
    }
}

void Log::write(LogLevel level, Packed message) const {
    LogLine(*this, level).add(message).send();
}

void Log::write_packed(LogLevel level, Packed pattern, ...) const {
    LogLine line(*this, level);
    va_list values;
    va_start(values, pattern);
    line.add_list(pattern, values);
    va_end(values);
    line.send();
}

void Log::put(LogLevel level, std::string_view message) const {
    message = slice(message, 0, limits::log_line);
    if (const uint32_t lost = unwritten_.exchange(0); lost > 0) {
        Text<96> note;
        note.append_number(lost).append(" lines were lost: the log could not take them"_p);
        if (!emit(LogLevel::warning, note.view())) {
            unwritten_ += lost + 1;
            ++lost_;
            return;
        }
    }
    if (!emit(level, message)) {
        ++unwritten_;
        ++lost_;
    }
}

bool Log::emit(LogLevel level, std::string_view message) const {
    Text<limits::log_line + 64> line;
    if (sink_ != nullptr) {
        line.append(message);
        sink_(context_, level, line.c_str());
        return true;
    }
    const bool is_syslog = features::syslog && output_.is_syslog();
    if (!is_syslog) {
        append_time(line);
    }
    line.append(log_level_name(level)).append(": "_p).append(message);
    if (is_syslog) {
        static constexpr int severities[] = {3, 4, 6, 7};
        return output_.send({.severity = severities[static_cast<size_t>(level)], .kind = "log", .text = line.view()}) !=
               Status::again;
    }
    line.append('\n');
    return output_.write(line.view()) == line.size();
}

LogLine::LogLine(const Log& log, LogLevel level) : log_(log), level_(level) {
    // Composing a line that nobody wants would be much of what a refused request costs.
    if (!log.wants(level)) {
        text_.close();
    }
}

LogLine& LogLine::add(std::string_view text) {
    // A line that is too long loses its end, not its last piece, nor the reason.
    const size_t room = text_.room();
    text_.append(slice(text, 0, room > reason_room ? room - reason_room : 0));
    return *this;
}

LogLine& LogLine::add(Packed text) {
    Unpacking rest(text);
    for (size_t room = text_.room(); room > reason_room; --room) {
        const char c = rest.next();
        if (c == '\0') {
            break;
        }
        text_.append(c);
    }
    return *this;
}

void LogLine::add_list(Packed pattern, va_list values) {
    text_.append_list(pattern, values, reason_room);
}

LogLine& LogLine::add_packed(Packed pattern, ...) {
    va_list values;
    va_start(values, pattern);
    add_list(pattern, values);
    va_end(values);
    return *this;
}

LogLine& LogLine::add_reason(Packed code) {
    text_.append(" ["_p).append(code).append(']');
    return *this;
}

}  // namespace fcgate
