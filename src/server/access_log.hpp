// Owns: the access log of a server: lines of all workers in one buffer of fixed size, until one write takes many of them.
// Borrows: memory of the arena; the error log, which is told of lines that were lost.
// Must not touch: the heap. It waits for nobody: what cannot be written stays in the buffer, and what has no room there is counted.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <span>

#include "base/log.hpp"
#include "base/output.hpp"
#include "http/finished.hpp"
#include "server/access_line.hpp"

namespace fcgate::server {

class AccessLog {
  public:
    // How long lines wait for others to be written with, at most; and how long an idle loop leaves what could not be written.
    static constexpr int64_t patience_ms = 1000;
    static constexpr int64_t retry_ms = 100;  // ... and a busy one
    // A worker that has nothing to do for so long writes them.
    static constexpr int idle_ms = 50;

    [[nodiscard]] Status open(std::string_view target, AccessForm form, SyslogForm syslog) {
        form_ = form;
        return output_.open(target, syslog);
    }
    // From here on lines are taken. At least two of limits::access_line.
    void begin(std::span<char> buffer, const Log& log) {
        buffer_ = buffer;
        log_ = &log;
    }

    void add(const Finished& finished);

    // ---- the loops of the workers ----

    // Lines wait to be written.
    [[nodiscard]] bool is_pending() const { return due_.load(std::memory_order_relaxed) != 0; }
    // How long a loop may wait for events before it should write them.
    [[nodiscard]] int wait_ms() const {
        return is_stuck_.load(std::memory_order_relaxed) ? static_cast<int>(patience_ms) : idle_ms;
    }
    // They are pending: writes them if the loop is idle, or if they have waited long enough.
    void look(bool is_idle);

    // What is pending goes to the old file.
    [[nodiscard]] Status reopen();
    void flush();

  private:
    void flush_locked(int64_t now);
    [[nodiscard]] size_t write(std::string_view lines);
    [[nodiscard]] std::string_view pending() const { return {buffer_.data(), size_}; }

    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    Output output_;
    AccessForm form_ = AccessForm::combined;
    const Log* log_ = nullptr;
    std::span<char> buffer_;
    size_t size_ = 0;
    uint64_t lost_ = 0;                  // lines that were not taken
    std::atomic<uint32_t> due_{0};       // low bits of the time when they are to be written; 0: there are none
    std::atomic<bool> is_stuck_{false};  // the last attempt could not write all
};

}  // namespace fcgate::server
