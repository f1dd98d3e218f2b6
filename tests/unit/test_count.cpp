#include <pthread.h>

#include <atomic>

#include "base/count.hpp"
#include "test_support.hpp"

using fcgate::Count;
using fcgate::Gauge;

namespace {

void a_gauge_goes_up_and_down(void** /*state*/) {
    Gauge gauge;
    assert_int_equal(gauge.get(), 0);
    gauge.add(3);
    gauge.subtract();
    assert_int_equal(gauge.get(), 2);
    gauge.set(7);
    assert_int_equal(gauge.get(), 7);
}

void a_count_goes_beyond_its_words(void** /*state*/) {
    constexpr uint64_t pieces[] = {1,          (1U << 24U) - 1, 1U << 24U, (1U << 24U) + 1,    UINT32_MAX,
                                   UINT32_MAX, 1'000'000'007,   0,         uint64_t{5} << 32U, 4096};
    Count count;
    uint64_t sum = 0;
    for (unsigned round = 0; round < 1000; ++round) {
        for (const uint64_t piece : pieces) {
            count.add(piece);
            sum += piece;
            assert_true(count.get() == sum);
        }
    }
    assert_true(sum > uint64_t{1} << 44U);
    count.clear();
    assert_true(count.get() == 0);
}

struct Race {
    static constexpr uint64_t step = 1'000'003;  // many of them pass the borders of both words
    static constexpr uint64_t steps = 200'000;
    Count count;
    std::atomic<bool> done{false};
};

void* write_all(void* argument) {
    auto* const race = static_cast<Race*>(argument);
    for (uint64_t i = 0; i < Race::steps; ++i) {
        race->count.add(Race::step);
    }
    race->done = true;
    return nullptr;
}

// A reader meets the two words in every state that there is; it must never see a number that goes back or was not there.
void a_reader_never_sees_half_of_a_change(void** /*state*/) {
    Race race;
    pthread_t writer{};
    assert_int_equal(pthread_create(&writer, nullptr, &write_all, &race), 0);
    uint64_t before = 0;
    bool is_whole = true;
    while (!race.done) {
        const uint64_t now = race.count.get();
        is_whole = is_whole && now >= before && now % Race::step == 0 && now <= Race::step * Race::steps;
        before = now;
    }
    pthread_join(writer, nullptr);
    assert_true(is_whole);
    assert_true(race.count.get() == Race::step * Race::steps);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_gauge_goes_up_and_down),
        cmocka_unit_test(a_count_goes_beyond_its_words),
        cmocka_unit_test(a_reader_never_sees_half_of_a_change),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
