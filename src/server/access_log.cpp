#include "server/access_log.hpp"

#include <cstring>

#include "base/clock.hpp"
#include "base/features.hpp"
#include "base/limits.hpp"

namespace fcgate::server {

namespace {

// Never 0, and one late at most.
[[nodiscard]] uint32_t stamp(int64_t when) {
    return static_cast<uint32_t>(when) | 1U;
}

[[nodiscard]] bool is_reached(uint32_t due, int64_t now) {
    return static_cast<int32_t>(static_cast<uint32_t>(now) - due) >= 0;
}

}  // namespace

void AccessLog::add(const Finished& finished) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    pthread_mutex_lock(&mutex_);
    const bool is_room_tight = buffer_.size() - size_ <= limits::access_line;
    const bool is_late = is_pending() && is_reached(due_.load(), finished.now);
    // While nothing can be written it is tried again only now and then.
    if (is_late || (is_room_tight && !is_stuck_)) {
        flush_locked(finished.now);
    }
    if (buffer_.size() - size_ <= limits::access_line) {
        ++lost_;
    } else {
        TextBuffer line(buffer_.subspan(size_));
        append_access_line(line, form_, finished, now);
        size_ += line.size();
        if (!is_pending()) {
            due_ = stamp(finished.now + patience_ms);
        }
    }
    pthread_mutex_unlock(&mutex_);
}

void AccessLog::look(bool is_idle) {
    const int64_t now = is_idle && !is_stuck_ ? 0 : monotonic_ms();
    if (now == 0 || is_reached(due_.load(), now)) {
        flush();
    }
}

Status AccessLog::reopen() {
    pthread_mutex_lock(&mutex_);
    flush_locked(monotonic_ms());
    const Status status = output_.reopen();
    is_stuck_ = false;
    pthread_mutex_unlock(&mutex_);
    return status;
}

void AccessLog::flush() {
    pthread_mutex_lock(&mutex_);
    flush_locked(monotonic_ms());
    pthread_mutex_unlock(&mutex_);
}

void AccessLog::flush_locked(int64_t now) {
    if (size_ == 0) {
        return;
    }
    const size_t done = write(pending());
    size_ -= done;
    memmove(buffer_.data(), buffer_.data() + done, size_);
    is_stuck_ = size_ > 0;
    due_ = size_ > 0 ? stamp(now + retry_ms) : 0;
    if (lost_ > 0 && done > 0) {
        log_->write<"access_log: % lines were lost: they could not be written in time">(LogLevel::warning, lost_);
        lost_ = 0;
    }
}

// Bytes that need not be kept.
size_t AccessLog::write(std::string_view lines) {
    if (!features::syslog || !output_.is_syslog()) {
        return output_.write(lines);
    }
    size_t done = 0;
    for (size_t end = lines.find('\n'); end != std::string_view::npos; end = lines.find('\n', done)) {
        const Status status = output_.send({.kind = "access", .text = slice(lines, done, end - done)});
        if (status == Status::again) {
            break;
        }
        lost_ += status != Status::ok ? 1U : 0U;
        done = end + 1;
    }
    return done;
}

}  // namespace fcgate::server
