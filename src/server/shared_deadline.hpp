// Owns: a deadline that any thread and any signal handler may bring forward, and that every worker reads.
// Must not touch: locks. 32-bit MIPS and ARMv5 have no atomics wider than 32 bits without one, and a signal handler cannot wait: so it is
// kept in steps of 64 ms, which are enough for eight years of running.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.hpp"

namespace fcgate::server {

class SharedDeadline {
  public:
    static constexpr int64_t step_ms = 64;

    // Only ever to an earlier one, by up to a step earlier than asked for.
    void bring_forward(int64_t deadline) {
        const int64_t step = deadline <= 0 ? 0 : deadline / step_ms;
        const uint32_t wanted = step < none ? static_cast<uint32_t>(step) : none;
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

    static_assert(std::atomic<uint32_t>::is_always_lock_free);
    std::atomic<uint32_t> step_{none};
};

}  // namespace fcgate::server
