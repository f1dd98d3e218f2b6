// Owns: a pool of slots over memory of the arena; which are free; the generation of each.
// Must not touch: the heap; a slot that was never needed, so that its page of the arena costs no memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <type_traits>

#include "base/count.hpp"

namespace fcgate {

inline constexpr uint32_t no_slot = UINT32_MAX;

// Names a slot across callbacks and threads: stale once the slot has been given back.
struct Handle {
    uint32_t slot = no_slot;
    uint32_t generation = 0;

    [[nodiscard]] bool operator==(const Handle&) const = default;
};

// T has the members `uint32_t slot`, `uint32_t generation`, `uint32_t next_free` and `bool live`, which belong to the pool.
// A slot is constructed when it is given out for the first time; what its owner leaves in it is there the next time.
template <typename T>
class SlotPool {
  public:
    // The items need not be constructed yet.
    void init(std::span<T> items) {
        static_assert(std::is_trivially_destructible_v<T>, "nothing in the arena is destroyed");
        items_ = items;
        first_free_ = no_slot;
        used_.set(0);
        live_.set(0);
    }

    // As after init(). None is live, and nobody has a handle.
    void clear() { init(items_); }

    // nullptr when every slot is live.
    [[nodiscard]] T* take() {
        if (full()) {
            return nullptr;
        }
        T* const item = first_free_ != no_slot ? &items_[first_free_] : construct_next();
        first_free_ = item->next_free;
        item->live = true;
        live_.add();
        return item;
    }

    void give_back(T& item) {
        item.live = false;
        ++item.generation;
        item.next_free = first_free_;
        first_free_ = item.slot;
        live_.subtract();
    }

    // nullptr when the handle is stale.
    [[nodiscard]] T* find(Handle handle) {
        if (handle.slot >= used_.get()) {
            return nullptr;
        }
        T& item = items_[handle.slot];
        return item.live && item.generation == handle.generation ? &item : nullptr;
    }
    [[nodiscard]] static Handle handle(const T& item) { return {item.slot, item.generation}; }

    // Every slot that has ever been given out.
    [[nodiscard]] std::span<T> all() const { return items_.first(used_.get()); }
    [[nodiscard]] bool full() const { return first_free_ == no_slot && used_.get() == items_.size(); }
    // Any thread, once init() is done.
    [[nodiscard]] size_t live() const { return live_.get(); }
    [[nodiscard]] size_t most() const { return used_.get(); }  // that ever were live at once
    [[nodiscard]] size_t capacity() const { return items_.size(); }

  private:
    // With none in the free list: the list stays empty behind it.
    [[nodiscard]] T* construct_next() {
        const uint32_t number = used_.get();
        T* const item = new (&items_[number]) T;
        item->slot = number;
        used_.set(number + 1);
        item->generation = 0;
        item->next_free = no_slot;
        return item;
    }

    std::span<T> items_;
    uint32_t first_free_ = no_slot;
    Gauge used_;
    Gauge live_;
};

}  // namespace fcgate
