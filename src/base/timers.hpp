// Owns: the order of deadlines of one worker: a binary heap over storage of the arena.
// Borrows: the Timer members of connections, exchanges and others; their slots outlive the heap's use of them.
// Must not touch: the clock; the caller passes the time in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/clock.hpp"

namespace fcgate {

// A deadline of some object. Moving it later costs nothing: the heap notices when the old time comes.
struct Timer {
    int64_t due = never;  // the deadline in force
    int64_t key = 0;      // the time under which the heap holds it; never later than due
    uint32_t position = UINT32_MAX;
    uint32_t owner = 0;  // slot of whoever it belongs to
    uint8_t kind = 0;    // meaning is the worker's
};

class Timers {
  public:
    // `storage` has one place for every Timer that will ever be set.
    void init(std::span<Timer*> storage) {
        heap_ = storage;
        count_ = 0;
    }

    void set(Timer& timer, int64_t due);
    static void cancel(Timer& timer) { timer.due = never; }

    // The next timer that is due at `now`, now cancelled; nullptr when there is none.
    [[nodiscard]] Timer* pop(int64_t now);
    // When pop() should be called next, or never. It may be early, not late.
    [[nodiscard]] int64_t next() const { return count_ == 0 ? never : heap_[0]->key; }

  private:
    void place(size_t position, Timer* timer);
    void sift_up(size_t position);
    void sift_down(size_t position);

    std::span<Timer*> heap_;
    size_t count_ = 0;
};

}  // namespace fcgate
