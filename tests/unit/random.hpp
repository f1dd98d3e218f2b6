// Owns: numbers that look random and are the same in every run, so that a failure comes again.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fcgate::test {

// xorshift64* (Marsaglia, Vigna).
class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15U + 1) {}

    uint64_t next() {
        state_ ^= state_ >> 12U;
        state_ ^= state_ << 25U;
        state_ ^= state_ >> 27U;
        return state_ * 0x2545f4914f6cdd1dU;
    }
    // From 0 up to, not including, `bound`.
    uint32_t below(size_t bound) { return static_cast<uint32_t>((next() >> 32U) % bound); }
    bool one_in(uint32_t count) { return below(count) == 0; }

  private:
    uint64_t state_;
};

}  // namespace fcgate::test
