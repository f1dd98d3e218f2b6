// Owns: a deadline that any thread and any signal handler may bring forward, and that every worker reads.
// Must not touch: locks. 32-bit MIPS and ARMv5 have no atomics wider than 32 bits without one, and a signal handler cannot wait: so it is
// kept in steps of 32 ms, which reach for four years of running; afterwards any deadline has passed.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/clock.hpp"

namespace fcgate::server {

class SharedDeadline {
  public:
    static constexpr int64_t step_ms = 32;

    // Only ever to an earlier one. What is kept is the end of the step that `deadline` lies in; 0 has always passed.
    void bring_forward(int64_t deadline) {
        const int64_t step = std::clamp<int64_t>(deadline, 0, latest) / step_ms + (deadline > 0 ? 1 : 0);
        const uint32_t wanted = deadline == never ? none : static_cast<uint32_t>(step);
        uint32_t before = step_.load();
        while (wanted < before && !step_.compare_exchange_weak(before, wanted)) {}
    }
    // Monotonic time, or never.
    [[nodiscard]] int64_t get() const {
        const uint32_t step = step_.load();
        return step == none ? never : step * step_ms;
    }

  private:
    static constexpr uint32_t none = UINT32_MAX;
    static constexpr int64_t latest = int64_t{none - 2} * step_ms;

    // Not is_always_lock_free: for ARMv5 GCC promises nothing, and calls what libgcc has for it, which the kernel makes whole without a lock.
    static_assert(ATOMIC_INT_LOCK_FREE != 0);
    std::atomic<uint32_t> step_{none};
};

}  // namespace fcgate::server
