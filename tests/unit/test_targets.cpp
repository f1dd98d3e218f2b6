#include <array>

#include "http/targets.hpp"
#include "test_support.hpp"

using fcgate::no_slot;
using fcgate::Status;
using fcgate::http::KeptTarget;
using fcgate::http::Targets;
using fcgate::test::check_status;

namespace {

constexpr size_t short_size = 8;
constexpr size_t long_size = 16;
constexpr size_t connections = 3;
constexpr size_t long_places = 2;

struct World {
    std::array<char, connections * short_size> short_texts{};
    std::array<char, long_places * long_size> long_texts{};
    std::array<uint32_t, long_places> places{};
    Targets targets;

    World() {
        targets.init({.places = places,
                      .short_texts = short_texts,
                      .short_size = short_size,
                      .long_texts = long_texts,
                      .long_size = long_size});
    }
};

void a_short_target_always_has_its_room(void** /*state*/) {
    World world;
    KeptTarget kept[connections];
    constexpr std::string_view texts[connections] = {"/a", "", "/234567"};
    for (size_t i = 0; i < connections; ++i) {
        kept[i] = world.targets.keep(i, texts[i]);
        check_status(kept[i].status, Status::ok);
        assert_int_equal(kept[i].place, no_slot);
    }
    for (size_t i = 0; i < connections; ++i) {
        assert_true(kept[i].text == texts[i]);
        assert_int_equal(kept[i].text.data()[texts[i].size()], '\0');
    }
    assert_int_equal(world.targets.places_left(), long_places);
}

void long_targets_share_their_places(void** /*state*/) {
    World world;
    KeptTarget first = world.targets.keep(0, "/2345678");
    KeptTarget second = world.targets.keep(1, "/23456789012345");
    assert_true(first.text == "/2345678");
    assert_true(second.text == "/23456789012345");
    assert_int_equal(second.text.data()[15], '\0');
    assert_int_equal(world.targets.places_left(), 0);
    const KeptTarget refused = world.targets.keep(2, "/another one");
    check_status(refused.status, Status::exhausted);
    assert_true(refused.text == "/anothe");
    check_status(world.targets.keep(2, "/short").status, Status::ok);

    world.targets.drop(first);
    assert_true(first.text.empty());
    world.targets.drop(first);
    assert_int_equal(world.targets.places_left(), 1);
    const KeptTarget third = world.targets.keep(2, "/another one");
    check_status(third.status, Status::ok);
    assert_true(third.text == "/another one");
    assert_true(second.text == "/23456789012345");
}

void a_target_that_fits_nowhere_is_too_large(void** /*state*/) {
    World world;
    const KeptTarget kept = world.targets.keep(0, "/234567890123456");
    check_status(kept.status, Status::too_large);
    assert_true(kept.text == "/234567");
    assert_int_equal(world.targets.places_left(), long_places);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_short_target_always_has_its_room),
        cmocka_unit_test(long_targets_share_their_places),
        cmocka_unit_test(a_target_that_fits_nowhere_is_too_large),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
