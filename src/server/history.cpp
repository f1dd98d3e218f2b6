#include "server/history.hpp"

#include <algorithm>

namespace fcgate::server {

namespace {

constexpr unsigned bits = 10;
constexpr uint32_t most_places = (1U << bits) - 1;

[[nodiscard]] uint32_t pack(uint32_t before, uint32_t most, uint32_t after) {
    return before << (2 * bits) | most << bits | after;
}

[[nodiscard]] uint32_t before_in(uint32_t packed) {
    return packed >> (2 * bits);
}

[[nodiscard]] uint32_t most_in(uint32_t packed) {
    return packed >> bits & most_places;
}

[[nodiscard]] uint32_t after_in(uint32_t packed) {
    return packed & most_places;
}

}  // namespace

// number_of(), but divides once in a step: that is dear on a machine of 32 bits. Time goes forward here.
uint32_t History::present(int64_t now) {
    if (now >= end_) {
        number_ = number_of(now);
        end_ = int64_t{number_} * step_ms;
    }
    return number_;
}

void History::note(int64_t now, uint32_t requests, size_t most, size_t places) {
    const auto after = static_cast<uint32_t>(std::min<size_t>(places, most_places));
    auto highest = static_cast<uint32_t>(std::min<size_t>(most, most_places));
    const uint32_t before = places_.get();
    if (requests == requests_ && after == before && highest <= before) {
        return;
    }
    const uint32_t number = present(now);
    Slot& step = slot(number);
    const bool is_new = step.number.get() != number;
    const uint32_t packed = is_new ? pack(before, before, before) : step.places.get();
    highest = std::max(highest, most_in(packed));
    // What is read in between is the step of five minutes ago, or this one without its last turn.
    step.places.set(pack(before_in(packed), highest, after));
    step.requests.set((is_new ? 0 : step.requests.get()) + (requests - requests_));
    step.number.set(number);
    requests_ = requests;
    places_.set(after);
}

void History::add_to(int64_t now, std::span<Step, steps> out) const {
    const uint32_t end = number_of(now);
    const uint32_t begin = end > steps ? end - static_cast<uint32_t>(steps) : 1;
    const size_t offset = steps - (end - begin);
    // Between two steps that are known as many places were held as at the end of the first.
    uint32_t level = places_.get();
    for (uint32_t number = end; number >= begin; --number) {
        const Slot& step = slot(number);
        level = step.number.get() == number ? before_in(step.places.get()) : level;
    }
    for (uint32_t number = begin; number < end; ++number) {
        const Slot& step = slot(number);
        const bool is_known = step.number.get() == number;
        const uint32_t packed = is_known ? step.places.get() : pack(level, level, level);
        Step& sum = out[offset + number - begin];
        sum.requests += is_known ? step.requests.get() : 0;
        sum.places += most_in(packed);
        level = after_in(packed);
    }
}

}  // namespace fcgate::server
