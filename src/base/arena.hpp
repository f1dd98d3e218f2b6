// Owns: one anonymous mapping, from which everything that lives as long as a server is carved at start.
// Must not touch: malloc. Pages cost memory only once they are written, so generous capacities are cheap until used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "base/status.hpp"

namespace fcgate {

class Arena {
  public:
    Arena() = default;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    ~Arena() { finish(); }

    // exhausted when the machine refuses.
    [[nodiscard]] Status init(size_t bytes);
    void finish();

    // Zeroed bytes, or empty when the arena was measured too small (a fault of ours, answered all the same).
    [[nodiscard]] std::span<uint8_t> take(size_t bytes, size_t alignment);

    // Items that are not constructed: all of their bytes are zero, and none is touched before whoever uses them does.
    template <typename T>
    [[nodiscard]] std::span<T> take_array(size_t count) {
        static_assert(std::is_trivially_destructible_v<T>, "nothing in the arena is destroyed");
        const std::span<uint8_t> bytes = take(count * sizeof(T), alignof(T));
        if (bytes.size() < count * sizeof(T)) {
            return {};
        }
        return {reinterpret_cast<T*>(bytes.data()), count};
    }
    // Bytes that are to stay untouched until used.
    [[nodiscard]] std::span<char> take_text(size_t count, size_t alignment = 1) {
        const std::span<uint8_t> bytes = take(count, alignment);
        return {reinterpret_cast<char*>(bytes.data()), bytes.size()};
    }

    [[nodiscard]] size_t size() const { return size_; }
    [[nodiscard]] size_t used() const { return used_; }

  private:
    uint8_t* base_ = nullptr;
    size_t size_ = 0;
    size_t used_ = 0;
};

}  // namespace fcgate
