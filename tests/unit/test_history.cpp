#include "server/history.hpp"
#include "test_support.hpp"

using fcgate::server::History;

namespace {

constexpr int64_t step = History::step_ms;
constexpr size_t last = History::steps - 1;
constexpr int64_t start = 1000 * step;

struct World {
    World() { history.init(slots); }

    void look(int64_t now) {
        steps = {};
        history.add_to(now, steps);
    }
    void look(int64_t now, size_t number, uint32_t requests, uint32_t places) {
        look(now);
        assert_int_equal(steps[number].requests, requests);
        assert_int_equal(steps[number].places, places);
    }

    std::array<History::Slot, History::slots> slots{};
    std::array<History::Step, History::steps> steps{};
    History history;
};

void requests_stand_in_the_step_in_which_they_ended(void** /*state*/) {
    World world;
    world.history.note(start, 3, 0, 0);
    world.history.note(start + step - 1, 5, 0, 0);
    world.history.note(start + step, 6, 0, 0);
    // The step that is not over is not shown.
    world.look(start + step, last, 5, 0);
    world.look(start + 2 * step, last - 1, 5, 0);
    world.look(start + 2 * step, last, 1, 0);
    world.look(start + 60 * step, 0, 5, 0);
    world.look(start + 61 * step, 0, 1, 0);
    world.look(start + 62 * step);
    for (const History::Step& one : world.steps) {
        assert_int_equal(one.requests, 0);
    }
}

void a_place_is_held_until_it_is_given_back(void** /*state*/) {
    World world;
    world.history.note(start, 0, 1, 1);
    world.history.note(start + 4 * step, 1, 3, 0);
    world.look(start + 6 * step);
    constexpr uint32_t places[] = {0, 1, 1, 1, 1, 3, 0};
    for (size_t i = 0; i < std::size(places); ++i) {
        assert_int_equal(world.steps[last + 1 - std::size(places) + i].places, places[i]);
    }
}

void places_held_before_anything_known_are_seen(void** /*state*/) {
    World world;
    world.history.note(start, 0, 2, 2);
    // Longer ago than is shown.
    world.look(start + 100 * step, 0, 0, 2);
    world.look(start + 100 * step, last, 0, 2);
    world.history.note(start + 100 * step, 1, 2, 1);
    world.look(start + 103 * step, 0, 0, 2);
    world.look(start + 103 * step, last - 1, 0, 1);
    world.look(start + 103 * step, last - 2, 1, 2);
}

void many_places_and_a_count_that_wraps_are_borne(void** /*state*/) {
    World world;
    world.history.note(start - step, UINT32_MAX, 0, 0);
    world.history.note(start, 4, 5000, 5000);
    world.look(start + step, last, 5, 1023);
    // Soon after the machine's start there are fewer steps than are shown.
    World young;
    young.history.note(10, 7, 1, 0);
    young.look(step + 10, last, 7, 1);
    young.look(10, last, 0, 0);
}

void workers_are_added_up(void** /*state*/) {
    World world;
    World other;
    world.history.note(start, 2, 1, 1);
    other.history.note(start, 3, 2, 0);
    world.look(start + step);
    other.history.add_to(start + step, world.steps);
    assert_int_equal(world.steps[last].requests, 5);
    assert_int_equal(world.steps[last].places, 3);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(requests_stand_in_the_step_in_which_they_ended),
        cmocka_unit_test(a_place_is_held_until_it_is_given_back),
        cmocka_unit_test(places_held_before_anything_known_are_seen),
        cmocka_unit_test(many_places_and_a_count_that_wraps_are_borne),
        cmocka_unit_test(workers_are_added_up),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
