// Owns: responses of libmicrohttpd that were sent once and will be the same the next time, each with a reference of its own.
// Borrows: the bytes that they send: whoever asks for one by its name holds those.
// Must not touch: which reply a name stands for. A new one takes the place of another; what is on its way is sent all the same.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/limits.hpp"

struct MHD_Response;

namespace fcgate::http {

class ReadyReplies {
  public:
    // For at most so many.
    void init(size_t count) { count_ = std::min(count, slots_.size()); }
    // nullptr: there is none of that name (never 0).
    [[nodiscard]] MHD_Response* find(uint64_t name) const {
        const Slot& slot = slots_[place_of(name)];
        return slot.name == name ? slot.response : nullptr;
    }
    // Takes the caller's reference. False when there is no room at all.
    [[nodiscard]] bool keep(uint64_t name, MHD_Response* response);
    void clear();

  private:
    struct Slot {
        uint64_t name = 0;
        MHD_Response* response = nullptr;
    };
    [[nodiscard]] size_t place_of(uint64_t name) const { return count_ > 0 ? static_cast<size_t>(name % count_) : 0; }

    std::array<Slot, limits::ready_replies> slots_;
    size_t count_ = 0;
};

}  // namespace fcgate::http
