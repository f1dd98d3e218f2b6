// Owns: a pool of slots over an array of the arena; which are free; the generation of each.
// Must not touch: the heap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace fcgate {

inline constexpr uint32_t no_slot = UINT32_MAX;

// Names a slot across callbacks and threads: stale once the slot has been given back.
struct Handle {
    uint32_t slot = no_slot;
    uint32_t generation = 0;

    [[nodiscard]] bool operator==(const Handle&) const = default;
};

// T has the members `uint32_t slot`, `uint32_t generation`, `uint32_t next_free` and `bool live`, which belong to the pool.
template <typename T>
class SlotPool {
  public:
    void init(std::span<T> items) {
        items_ = items;
        first_free_ = no_slot;
        live_ = 0;
        for (size_t i = items.size(); i-- > 0;) {
            items[i].slot = static_cast<uint32_t>(i);
            items[i].next_free = first_free_;
            first_free_ = items[i].slot;
        }
    }

    // nullptr when every slot is live.
    [[nodiscard]] T* take() {
        if (first_free_ == no_slot) {
            return nullptr;
        }
        T& item = items_[first_free_];
        first_free_ = item.next_free;
        item.live = true;
        ++live_;
        return &item;
    }

    void give_back(T& item) {
        item.live = false;
        ++item.generation;
        item.next_free = first_free_;
        first_free_ = item.slot;
        --live_;
    }

    // nullptr when the handle is stale.
    [[nodiscard]] T* find(Handle handle) {
        if (handle.slot >= items_.size()) {
            return nullptr;
        }
        T& item = items_[handle.slot];
        return item.live && item.generation == handle.generation ? &item : nullptr;
    }
    [[nodiscard]] static Handle handle(const T& item) { return {item.slot, item.generation}; }

    [[nodiscard]] std::span<T> all() const { return items_; }
    [[nodiscard]] size_t live() const { return live_; }
    [[nodiscard]] size_t capacity() const { return items_.size(); }
    [[nodiscard]] bool full() const { return first_free_ == no_slot; }

  private:
    std::span<T> items_;
    uint32_t first_free_ = no_slot;
    size_t live_ = 0;
};

}  // namespace fcgate
