// Owns: a set of numbers below `count`, a bit for each.
// Must not touch: what the numbers mean.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace fcgate {

template <size_t count>
class SmallSet {
  public:
    [[nodiscard]] constexpr bool has(size_t number) const { return (bits_[number / 32] >> number % 32 & 1U) != 0; }
    constexpr void add(size_t number) { bits_[number / 32] |= uint32_t{1} << number % 32; }

  private:
    std::array<uint32_t, (count + 31) / 32> bits_{};
};

}  // namespace fcgate
