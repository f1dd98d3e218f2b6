#include "server/shared_deadline.hpp"
#include "test_support.hpp"

using fcgate::never;
using fcgate::server::SharedDeadline;

namespace {

void there_is_none_at_first(void** /*state*/) {
    const SharedDeadline deadline;
    assert_true(deadline.get() == never);
}

void it_is_a_step_too_late_at_most(void** /*state*/) {
    for (const int64_t asked :
         {int64_t{1}, int64_t{31}, int64_t{32}, int64_t{100000001}, int64_t{1000} * 3600 * 24 * 365 * 4}) {
        SharedDeadline deadline;
        deadline.bring_forward(asked);
        assert_true(deadline.get() >= asked && deadline.get() - asked <= SharedDeadline::step_ms);
    }
}

void it_is_only_brought_forward(void** /*state*/) {
    SharedDeadline deadline;
    deadline.bring_forward(64000);
    const int64_t first = deadline.get();
    deadline.bring_forward(128000);
    assert_int_equal(deadline.get(), first);
    deadline.bring_forward(0);
    assert_int_equal(deadline.get(), 0);
    deadline.bring_forward(64000);
    assert_int_equal(deadline.get(), 0);
}

void what_is_beyond_its_reach_has_passed(void** /*state*/) {
    SharedDeadline deadline;
    deadline.bring_forward(never);
    assert_true(deadline.get() == never);
    const int64_t years = int64_t{UINT32_MAX} * SharedDeadline::step_ms;
    for (const int64_t asked : {never - 1, years * 2, years}) {
        deadline.bring_forward(asked);
        assert_true(deadline.get() < years);
    }
    deadline.bring_forward(-5);
    assert_int_equal(deadline.get(), 0);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(there_is_none_at_first),
        cmocka_unit_test(it_is_a_step_too_late_at_most),
        cmocka_unit_test(it_is_only_brought_forward),
        cmocka_unit_test(what_is_beyond_its_reach_has_passed),
    };
    return cmocka_run_group_tests_name("shared_deadline", tests, nullptr, nullptr);
}
