#include "fastcgi/servers.hpp"
#include "test_support.hpp"

using fcgate::fastcgi::Servers;

namespace {

constexpr int64_t start = 0xFFFF'FF00;  // the low bits of the clock are about to begin anew

void equals_take_turns(void** /*state*/) {
    Servers servers;
    unsigned counts[3] = {};
    for (int i = 0; i < 9; ++i) {
        const Servers::Choice choice = servers.choose(3, 0, start);
        assert_false(choice.is_probe);
        ++counts[choice.number];
    }
    for (const unsigned count : counts) {
        assert_int_equal(count, 3);
    }
}

void the_one_with_the_fewest_connections_comes_first(void** /*state*/) {
    Servers servers;
    servers.opened(0);
    servers.opened(0);
    servers.opened(1);
    servers.opened(2);
    servers.opened(2);
    for (int i = 0; i < 4; ++i) {
        assert_int_equal(servers.choose(3, 0, start).number, 1);
    }
    servers.closed(2);
    servers.closed(2);
    assert_int_equal(servers.choose(3, 0, start).number, 2);
    assert_int_equal(servers.connections(0), 2);
}

void who_was_tried_is_not_chosen(void** /*state*/) {
    Servers servers;
    for (int i = 0; i < 4; ++i) {
        assert_int_equal(servers.choose(4, 0b1011, start).number, 2);
    }
}

void one_that_is_down_is_left_alone_and_then_tried_by_one(void** /*state*/) {
    Servers servers;
    assert_true(servers.failed(0, start));
    assert_false(servers.is_up(0));
    // Told once.
    assert_false(servers.failed(0, start + 1));
    int64_t now = start;
    for (const int64_t pause : {500, 1000, 2000, 4000, 8000, 8000}) {
        for (int i = 0; i < 4; ++i) {
            assert_int_equal(servers.choose(2, 0, now + pause - 2).number, 1);
        }
        assert_false(servers.has_due(now + pause - 2));
        assert_true(servers.has_due(now + pause + 2));
        now += pause + 2;
        const Servers::Choice probe = servers.choose(2, 0, now);
        assert_int_equal(probe.number, 0);
        assert_true(probe.is_probe);
        assert_false(servers.failed(0, now));
    }
    assert_true(servers.answered(0));
    assert_false(servers.answered(0));
    assert_true(servers.is_up(0));
    assert_false(servers.has_due(now + 10'000));
    // The next time it begins anew.
    assert_true(servers.failed(0, now));
    assert_true(servers.choose(2, 0, now + 502).is_probe);
}

// A device on which nobody asked anything for weeks.
void one_that_is_down_is_due_however_long_that_was(void** /*state*/) {
    Servers servers;
    assert_true(servers.failed(0, start));
    constexpr int64_t day = 86'400'000;
    for (const int64_t days : {1, 24, 25, 40, 49, 50, 75, 100}) {
        assert_true(servers.has_due(start + days * day));
    }
}

void when_all_are_down_they_are_tried_all_the_same(void** /*state*/) {
    Servers servers;
    assert_true(servers.failed(0, start) && servers.failed(1, start));
    const Servers::Choice first = servers.choose(2, 0, start + 1);
    const Servers::Choice second = servers.choose(2, 1U << first.number, start + 1);
    assert_true(first.is_probe && second.is_probe);
    assert_int_equal(first.number + second.number, 1);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(equals_take_turns),
        cmocka_unit_test(the_one_with_the_fewest_connections_comes_first),
        cmocka_unit_test(who_was_tried_is_not_chosen),
        cmocka_unit_test(one_that_is_down_is_left_alone_and_then_tried_by_one),
        cmocka_unit_test(one_that_is_down_is_due_however_long_that_was),
        cmocka_unit_test(when_all_are_down_they_are_tried_all_the_same),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
