#include "base/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace fcgate {

namespace {

void append_time(TextBuffer& out) {
    const time_t now = time(nullptr);
    tm parts{};
    localtime_r(&now, &parts);
    out.append_padded(static_cast<uint64_t>(parts.tm_year) + 1900, 4).append('-');
    out.append_padded(static_cast<uint64_t>(parts.tm_mon) + 1, 2).append('-');
    out.append_padded(static_cast<uint64_t>(parts.tm_mday), 2).append(' ');
    out.append_padded(static_cast<uint64_t>(parts.tm_hour), 2).append(':');
    out.append_padded(static_cast<uint64_t>(parts.tm_min), 2).append(':');
    out.append_padded(static_cast<uint64_t>(parts.tm_sec), 2).append(' ');
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

Status Log::open(const char* path) {
    path_ = path;
    return reopen();
}

Status Log::reopen() {
    if (path_ == nullptr) {
        return Status::ok;
    }
    Descriptor fresh(::open(path_, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640));
    if (!fresh.valid()) {
        return errno == EACCES || errno == EPERM ? Status::denied : Status::io;
    }
    if (!file_.valid()) {
        file_ = static_cast<Descriptor&&>(fresh);
        return Status::ok;
    }
    // The number stays, so that no thread ever writes to one that is closed.
    return dup3(fresh.get(), file_.get(), O_CLOEXEC) >= 0 ? Status::ok : Status::io;
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
                .append(" further lines in one second were left out");
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

void Log::put(LogLevel level, std::string_view message) const {
    Text<limits::log_line + 64> line;
    message = slice(message, 0, limits::log_line);
    if (sink_ != nullptr) {
        line.append(message);
        sink_(context_, level, line.c_str());
        return;
    }
    append_time(line);
    line.append(log_level_name(level)).append(": ").append(message).append('\n');
    const int fd = file_.valid() ? file_.get() : STDERR_FILENO;
    // A log that cannot be written has nowhere to say so, and must not stop the server.
    (void)!::write(fd, line.c_str(), line.size());
}

std::string_view describe_error(int error_number, std::span<char> words) {
    // The GNU strerror_r may return a static text instead of filling the buffer; musl's returns int.
#if defined(__GLIBC__)
    return strerror_r(error_number, words.data(), words.size());
#else
    return strerror_r(error_number, words.data(), words.size()) == 0 ? std::string_view(words.data())
                                                                     : std::string_view();
#endif
}

LogLine& LogLine::add_error(int error_number) {
    char words[96] = "";
    text_.append(": ").append(describe_error(error_number, words));
    return *this;
}

}  // namespace fcgate
