#include "base/event.hpp"
#include "random.hpp"
#include "test_support.hpp"

using fcgate::EventKind;
using fcgate::EventTag;
using fcgate::test::Random;

namespace {

constexpr EventKind kinds[] = {EventKind::mailbox, EventKind::http, EventKind::listener,
                               EventKind::client,  EventKind::link, EventKind::linger};
constexpr uint32_t largest_slot = 0xffffff;

void check_round_trip(const EventTag& tag) {
    const EventTag back = EventTag::unpack(tag.pack());
    assert_true(back.kind == tag.kind);
    assert_int_equal(back.handle.slot, tag.handle.slot);
    assert_int_equal(back.handle.generation, tag.handle.generation);
}

void what_is_packed_comes_back(void** /*state*/) {
    for (const EventKind kind : kinds) {
        check_round_trip({kind, {0, 0}});
        check_round_trip({kind, {largest_slot, UINT32_MAX}});
        check_round_trip({kind, {largest_slot, 0}});
        check_round_trip({kind, {0, UINT32_MAX}});
    }
    Random random(2);
    for (int i = 0; i < 1000; ++i) {
        const auto generation = static_cast<uint32_t>(random.next());
        check_round_trip({kinds[random.below(std::size(kinds))], {random.below(largest_slot + 1), generation}});
    }
}

void tags_that_differ_in_one_part_differ_packed(void** /*state*/) {
    const uint64_t one = EventTag{EventKind::client, {5, 6}}.pack();
    assert_true(one != (EventTag{EventKind::link, {5, 6}}.pack()));
    assert_true(one != (EventTag{EventKind::client, {6, 6}}.pack()));
    assert_true(one != (EventTag{EventKind::client, {5, 7}}.pack()));
}

void a_slot_beyond_its_bits_touches_no_other_part(void** /*state*/) {
    const EventTag back = EventTag::unpack(EventTag{EventKind::http, {fcgate::no_slot, 9}}.pack());
    assert_true(back.kind == EventKind::http);
    assert_int_equal(back.handle.slot, largest_slot);
    assert_int_equal(back.handle.generation, 9);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_back),
        cmocka_unit_test(tags_that_differ_in_one_part_differ_packed),
        cmocka_unit_test(a_slot_beyond_its_bits_touches_no_other_part),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
