// Owns: the raw targets of the requests under way. Every connection has room for a short one; the few long ones share a number of
// large places.
// Borrows: memory of the arena.
// Must not touch: microhttpd.h; what a target means.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/count.hpp"
#include "base/slots.hpp"
#include "base/status.hpp"

namespace fcgate::http {

// A target where it is kept.
struct KeptTarget {
    std::string_view text;       // with a NUL behind it
    uint32_t place = no_slot;    // of a long one
    Status status = Status::ok;  // too_large: longer than a place; exhausted: all places are taken
};

class Targets {
  public:
    // `short_texts`: short_size for each connection. `long_texts`: long_size for each place. `places`: one for each of them.
    struct Setup {
        std::span<uint32_t> places;
        std::span<char> short_texts;
        size_t short_size = 0;
        std::span<char> long_texts;
        size_t long_size = 0;
    };
    void init(const Setup& setup);

    // Copies the target of connection number `connection`, whose last one has been dropped. Where it cannot be kept its text is its start, for the log.
    [[nodiscard]] KeptTarget keep(size_t connection, std::string_view target);
    void drop(KeptTarget& kept);

    [[nodiscard]] size_t places_left() const { return free_count_.get(); }
    // Of long ones. Any thread, once init() is done.
    [[nodiscard]] size_t live() const { return capacity() - places_left(); }
    [[nodiscard]] size_t most() const { return used_.get(); }
    [[nodiscard]] size_t capacity() const { return setup_.places.size(); }

  private:
    [[nodiscard]] static std::string_view copy(std::string_view target, std::span<char> room);

    Setup setup_;
    Gauge used_;             // places that were ever taken
    size_t given_back_ = 0;  // of them, those in setup_.places
    Gauge free_count_;
};

}  // namespace fcgate::http
