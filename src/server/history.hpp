// Owns: what one worker has done in the last minutes, in steps of some seconds: requests, and PHP places held. For the drawings of the
// status page.
// Borrows: its steps, from the arena. A step that nothing happened in is not written, so an idle worker is not woken for it.
// Must not touch: clocks; it is told the time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/count.hpp"

namespace fcgate::server {

class History {
  public:
    static constexpr size_t steps = 60;  // that are shown; the one that is not over is none of them
    static constexpr int64_t step_ms = 5000;
    static constexpr size_t slots = 64;

    struct Slot {
        Gauge number;  // of the step, from 1 on; another one's: nothing is known of this step
        Gauge requests;
        Gauge places;  // held before, at most, and at the end, ten bits each
    };
    struct Step {
        uint32_t requests;
        uint32_t places;  // at most
    };

    // `slots`, all zero.
    void init(std::span<Slot> room) { slots_ = room; }

    // ---- the worker: at the end of a turn ----

    // `requests`: ended so far, modulo 2^32. `most` places were held since the last turn, `places` are now.
    void note(int64_t now, uint32_t requests, size_t most, size_t places);

    // ---- any thread ----

    // Adds those of the last steps, the oldest first.
    void add_to(int64_t now, std::span<Step, steps> out) const;

  private:
    [[nodiscard]] static uint32_t number_of(int64_t now) { return static_cast<uint32_t>(now / step_ms) + 1; }
    [[nodiscard]] uint32_t present(int64_t now);
    [[nodiscard]] Slot& slot(uint32_t number) const { return slots_[number % slots]; }

    std::span<Slot> slots_;
    uint32_t requests_ = 0;
    uint32_t number_ = 0;  // of the step that ends at end_
    int64_t end_ = 0;
    Gauge places_;
};

}  // namespace fcgate::server
