// Owns: a list of at most N values in place.
// Must not touch: the heap; the room of values that are not there, so that a long list with few values costs few pages.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>

namespace fcgate {

template <typename T, size_t N>
class FixedList {
    static_assert(std::is_trivially_destructible_v<T>, "values are not destroyed");

  public:
    FixedList() {}  // by default it would be zeroed where an object around it is value-initialised
    FixedList(const FixedList& other) { copy(other); }
    FixedList& operator=(const FixedList& other) {
        if (this != &other) {
            copy(other);
        }
        return *this;
    }
    ~FixedList() = default;

    [[nodiscard]] bool push_back(const T& value) {
        if (count_ == N) {
            return false;
        }
        new (begin() + count_) T(value);
        ++count_;
        return true;
    }
    // A new value at the end, made where it stays; nullptr when there is no room.
    [[nodiscard]] T* add() { return count_ == N ? nullptr : new (begin() + count_++) T; }
    void pop_back() { --count_; }  // not of an empty list
    void clear() { count_ = 0; }

    [[nodiscard]] size_t size() const { return count_; }
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] static constexpr size_t capacity() { return N; }

    [[nodiscard]] T& operator[](size_t index) { return begin()[index]; }
    [[nodiscard]] const T& operator[](size_t index) const { return begin()[index]; }
    [[nodiscard]] T* begin() { return reinterpret_cast<T*>(room_); }
    [[nodiscard]] T* end() { return begin() + count_; }
    [[nodiscard]] const T* begin() const { return reinterpret_cast<const T*>(room_); }
    [[nodiscard]] const T* end() const { return begin() + count_; }

  private:
    void copy(const FixedList& other) {
        if constexpr (std::is_trivially_copyable_v<T>) {
            count_ = other.count_;
            memcpy(room_, other.room_, count_ * sizeof(T));
        } else {
            count_ = 0;
            for (const T& value : other) {
                (void)push_back(value);
            }
        }
    }

    size_t count_ = 0;
    alignas(T) unsigned char room_[N * sizeof(T)];
};

}  // namespace fcgate
