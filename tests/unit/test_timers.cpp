#include <algorithm>
#include <array>

#include "base/timers.hpp"
#include "random.hpp"
#include "test_support.hpp"

using fcgate::never;
using fcgate::Timer;
using fcgate::Timers;
using fcgate::test::Random;

namespace {

constexpr uint32_t count = 40;

// Timers under test, beside the deadlines they should have.
struct Clockwork {
    Clockwork() {
        timers.init(storage);
        for (uint32_t i = 0; i < count; ++i) {
            timer[i].owner = i;
            due[i] = never;
        }
    }
    void set(uint32_t number, int64_t when) {
        timers.set(timer[number], when);
        due[number] = when;
    }
    void cancel(uint32_t number) {
        Timers::cancel(timer[number]);
        due[number] = never;
    }
    [[nodiscard]] int64_t earliest() const { return *std::min_element(due.begin(), due.end()); }

    // Takes out what is due, which must be exactly what the list says. Returns how many there were.
    size_t expire(int64_t now) {
        size_t expired = 0;
        for (const Timer* out = timers.pop(now); out != nullptr; out = timers.pop(now)) {
            assert_true(out->due == never);
            assert_true(due[out->owner] <= now);
            due[out->owner] = never;
            ++expired;
        }
        assert_true(earliest() > now);
        return expired;
    }

    std::array<Timer*, count> storage{};
    std::array<Timer, count> timer{};
    std::array<int64_t, count> due{};
    Timers timers;
};

void an_empty_set_is_never_due(void** /*state*/) {
    Clockwork clockwork;
    assert_true(clockwork.timers.next() == never);
    assert_null(clockwork.timers.pop(INT64_MAX - 1));
}

void timers_come_in_the_order_of_their_deadlines(void** /*state*/) {
    Clockwork clockwork;
    Random random(3);
    for (int round = 0; round < 50; ++round) {
        for (uint32_t i = 0; i < count; ++i) {
            clockwork.set(i, random.below(100));
        }
        int64_t last = 0;
        for (uint32_t i = 0; i < count; ++i) {
            const Timer* const out = clockwork.timers.pop(100);
            assert_non_null(out);
            assert_true(clockwork.due[out->owner] >= last);
            last = clockwork.due[out->owner];
            clockwork.due[out->owner] = never;
        }
        assert_null(clockwork.timers.pop(100));
        assert_true(clockwork.timers.next() == never);
    }
}

void a_timer_is_due_at_its_time_and_not_before(void** /*state*/) {
    Clockwork clockwork;
    clockwork.set(0, 10);
    assert_true(clockwork.timers.next() == 10);
    assert_null(clockwork.timers.pop(9));
    assert_ptr_equal(clockwork.timers.pop(10), &clockwork.timer[0]);
    assert_null(clockwork.timers.pop(10));
}

void a_deadline_moved_later_is_kept_though_the_heap_learns_of_it_late(void** /*state*/) {
    Clockwork clockwork;
    clockwork.set(0, 10);
    clockwork.set(0, 30);
    clockwork.set(1, 20);
    assert_true(clockwork.timers.next() <= 20);
    assert_null(clockwork.timers.pop(15));
    assert_true(clockwork.timers.next() == 20);
    assert_ptr_equal(clockwork.timers.pop(20), &clockwork.timer[1]);
    assert_null(clockwork.timers.pop(29));
    assert_ptr_equal(clockwork.timers.pop(30), &clockwork.timer[0]);
}

void a_deadline_moved_earlier_counts_at_once(void** /*state*/) {
    Clockwork clockwork;
    clockwork.set(0, 50);
    clockwork.set(1, 40);
    clockwork.set(0, 5);
    assert_true(clockwork.timers.next() == 5);
    assert_ptr_equal(clockwork.timers.pop(5), &clockwork.timer[0]);
    // Later, then earlier than that, but later than what the heap knows.
    clockwork.set(1, 100);
    clockwork.set(1, 60);
    assert_null(clockwork.timers.pop(59));
    assert_ptr_equal(clockwork.timers.pop(60), &clockwork.timer[1]);
}

void a_cancelled_timer_does_not_come_and_can_be_set_again(void** /*state*/) {
    Clockwork clockwork;
    clockwork.cancel(0);
    clockwork.set(0, 10);
    clockwork.cancel(0);
    assert_null(clockwork.timers.pop(1000));
    clockwork.set(0, 20);
    clockwork.cancel(0);
    clockwork.set(0, 30);
    assert_null(clockwork.timers.pop(29));
    assert_ptr_equal(clockwork.timers.pop(30), &clockwork.timer[0]);
    clockwork.set(0, never);
    assert_true(clockwork.timers.next() == never);
}

void random_use_agrees_with_a_list(void** /*state*/) {
    Clockwork clockwork;
    Random random(4);
    int64_t now = 0;
    size_t expired = 0;
    for (int step = 0; step < 100'000; ++step) {
        const uint32_t number = random.below(count);
        switch (random.below(5)) {
            case 0:
                clockwork.cancel(number);
                break;
            case 1:
                now += random.below(8);
                expired += clockwork.expire(now);
                break;
            default:
                clockwork.set(number, now + 1 + random.below(random.one_in(3) ? 10 : 300));
                break;
        }
        // Early is allowed, late is not.
        assert_true(clockwork.timers.next() <= clockwork.earliest());
    }
    assert_true(expired > 1000);
    clockwork.expire(now + 1000);
    assert_true(clockwork.timers.next() == never);
}

// The worker sleeps until next() and asks then: every deadline must be met to the millisecond, in order.
void who_sleeps_until_next_misses_nothing(void** /*state*/) {
    Clockwork clockwork;
    Random random(5);
    int64_t now = 0;
    for (int step = 0; step < 20'000; ++step) {
        for (uint32_t sets = random.below(4); sets > 0; --sets) {
            clockwork.set(random.below(count), now + random.below(200));
        }
        const int64_t earliest = clockwork.earliest();
        const int64_t wake = clockwork.timers.next();
        assert_true(wake <= earliest);
        if (wake == never) {
            continue;
        }
        assert_true(wake >= now || step == 0);
        now = std::max(now, wake);
        assert_int_equal(clockwork.expire(now) > 0, earliest <= now);
    }
}

void a_timer_beyond_the_storage_is_left_out_without_harm(void** /*state*/) {
    std::array<Timer*, 1> storage{};
    Timers timers;
    timers.init(storage);
    Timer first;
    Timer second;
    timers.set(first, 10);
    timers.set(second, 5);
    assert_ptr_equal(timers.pop(10), &first);
    assert_null(timers.pop(10));
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_set_is_never_due),
        cmocka_unit_test(timers_come_in_the_order_of_their_deadlines),
        cmocka_unit_test(a_timer_is_due_at_its_time_and_not_before),
        cmocka_unit_test(a_deadline_moved_later_is_kept_though_the_heap_learns_of_it_late),
        cmocka_unit_test(a_deadline_moved_earlier_counts_at_once),
        cmocka_unit_test(a_cancelled_timer_does_not_come_and_can_be_set_again),
        cmocka_unit_test(random_use_agrees_with_a_list),
        cmocka_unit_test(who_sleeps_until_next_misses_nothing),
        cmocka_unit_test(a_timer_beyond_the_storage_is_left_out_without_harm),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
