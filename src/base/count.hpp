// Owns: numbers that one thread writes and any thread may read: counts since the start, and what there is now.
// Must not touch: anything. Nothing is ordered by them, and a reader may be a moment behind.
#pragma once

#include <atomic>
#include <cstdint>

namespace fcgate {

// What there is now. Its one writer may change at times, as that of everything behind a mutex does.
class Gauge {
  public:
    [[nodiscard]] uint32_t get() const { return value_.load(std::memory_order_relaxed); }
    // No later load comes before it.
    [[nodiscard]] uint32_t get_in_order() const { return value_.load(std::memory_order_acquire); }
    void set(uint32_t value) { value_.store(value, std::memory_order_relaxed); }
    void add(uint32_t count = 1) { set(get() + count); }
    void subtract(uint32_t count = 1) { set(get() - count); }

  private:
    std::atomic<uint32_t> value_{0};
};

// What has been so far, up to 2^56. Not every machine has atomics of 64 bits, so it is kept in two words that share eight bits: however the
// reader meets them in between, those tell it which of the low words belongs to the high one.
class Count {
  public:
    void add(uint64_t count = 1) {
        const uint32_t low = low_.get();
        const uint64_t steps = ((low & (step - 1)) + count) / step;
        if (steps != 0) {
            high_.add(static_cast<uint32_t>(steps));
        }
        low_.set(low + static_cast<uint32_t>(count));
    }
    void clear() {
        low_.set(0);
        high_.set(0);
    }
    [[nodiscard]] uint64_t get() const {
        // Again when a step was passed meanwhile: a reader that was interrupted for long would meet a low word of many steps later.
        uint32_t high = 0;
        uint32_t low = 0;
        do {
            high = high_.get_in_order();
            low = low_.get_in_order();
        } while (high_.get() != high);
        const uint64_t near = uint64_t{high} * step;
        const auto ahead = static_cast<int32_t>(low - static_cast<uint32_t>(near));
        return near + static_cast<uint64_t>(int64_t{ahead});
    }

  private:
    static constexpr uint32_t step = uint32_t{1} << 24U;

    Gauge low_;   // modulo 2^32
    Gauge high_;  // how often a step was passed
};

}  // namespace fcgate
