// Owns: a list of at most N values in place.
// Must not touch: the heap.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace fcgate {

template <typename T, size_t N>
class FixedList {
  public:
    [[nodiscard]] bool push_back(const T& value) {
        if (count_ == N) {
            return false;
        }
        items_[count_++] = value;
        return true;
    }
    void pop_back() { --count_; }  // not of an empty list
    void clear() { count_ = 0; }

    [[nodiscard]] size_t size() const { return count_; }
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] static constexpr size_t capacity() { return N; }

    [[nodiscard]] T& operator[](size_t index) { return items_[index]; }
    [[nodiscard]] const T& operator[](size_t index) const { return items_[index]; }
    [[nodiscard]] T* begin() { return items_.data(); }
    [[nodiscard]] T* end() { return items_.data() + count_; }
    [[nodiscard]] const T* begin() const { return items_.data(); }
    [[nodiscard]] const T* end() const { return items_.data() + count_; }

  private:
    std::array<T, N> items_{};
    size_t count_ = 0;
};

}  // namespace fcgate
