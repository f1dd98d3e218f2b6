// Owns: what one worker counts of its requests to one backend.
// Must not touch: anything; Upstream counts, whoever shows it reads, on any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/count.hpp"
#include "fastcgi/fault.hpp"

namespace fcgate::fastcgi {

struct BackendCounts {
    // Of the waits for a place, upper ends in milliseconds; those that take longer come last.
    static constexpr std::array<uint32_t, 8> wait_ends = {0, 5, 20, 100, 500, 1000, 5000, 10'000};

    std::array<Count, wait_ends.size() + 1> waits;  // that ended with a place, by how long they took
    Count waited_ms;                                // by all of them
    Count fresh;                                    // connections opened
    Count kept;                                     // used again
    std::array<Count, fault_count> faults;

    void clear() {
        for (Count& count : waits) {
            count.clear();
        }
        for (Count& count : faults) {
            count.clear();
        }
        waited_ms.clear();
        fresh.clear();
        kept.clear();
    }
    void note_wait(uint32_t wait_ms) {
        size_t number = 0;
        while (number < wait_ends.size() && wait_ms > wait_ends[number]) {
            ++number;
        }
        waits[number].add();
        waited_ms.add(wait_ms);
    }
};

}  // namespace fcgate::fastcgi
