// Owns: the reading of the monotonic clock. Deadlines never follow the wall clock: devices boot in 1970 and jump. And what times of files tell.
#pragma once

#include <cstdint>
#include <ctime>

namespace fcgate {

// A device outlives 2038.
static_assert(sizeof(time_t) == 8, "this C library has a 32-bit time_t: glibc before 2.34 and musl before 1.2 do");

inline constexpr int64_t never = INT64_MAX;

// Milliseconds since some fixed point in the past.
[[nodiscard]] inline int64_t monotonic_ms() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// The time of a loop's present turn: what happens in one turn happens at one time, and the clock is read once for it.
class TurnClock {
  public:
    void begin_turn() { now_ = monotonic_ms(); }
    [[nodiscard]] int64_t now() const { return now_; }

  private:
    int64_t now_ = 0;
};

// Of a file's time. Times before 1970 wrap, and differ.
[[nodiscard]] inline uint64_t nanoseconds(const timespec& time) {
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(time.tv_nsec);
}

// Times of files tick in milliseconds: what has changed just now may change once more and look the same. In seconds of the wall clock, which may
// stand anywhere.
[[nodiscard]] inline bool may_change_unseen(int64_t changed_s, int64_t wall_s) {
    const int64_t age = wall_s - changed_s;
    return age >= -1 && age < 2;
}

}  // namespace fcgate
