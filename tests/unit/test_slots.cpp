#include <array>
#include <cstring>

#include "base/slots.hpp"
#include "random.hpp"
#include "test_support.hpp"

using fcgate::Handle;
using fcgate::SlotPool;
using fcgate::test::Random;

namespace {

struct Item {
    uint32_t slot;
    uint32_t generation;
    uint32_t next_free;
    bool live;
    uint64_t owner;
};

constexpr size_t capacity = 9;
using Pool = SlotPool<Item>;

void every_slot_is_given_out_once(void** /*state*/) {
    std::array<Item, capacity> items{};
    Pool pool;
    pool.init(items);
    std::array<bool, capacity> seen{};
    for (size_t i = 0; i < capacity; ++i) {
        assert_false(pool.full());
        Item* const item = pool.take();
        assert_non_null(item);
        assert_true(item->live);
        assert_false(seen[item->slot]);
        seen[item->slot] = true;
        assert_int_equal(pool.live(), i + 1);
    }
    assert_true(pool.full());
    assert_null(pool.take());
    assert_int_equal(pool.capacity(), capacity);
}

void a_handle_is_stale_once_its_slot_was_given_back(void** /*state*/) {
    std::array<Item, capacity> items{};
    Pool pool;
    pool.init(items);
    Item* const first = pool.take();
    const Handle handle = Pool::handle(*first);
    assert_ptr_equal(pool.find(handle), first);
    pool.give_back(*first);
    assert_null(pool.find(handle));
    Item* const second = pool.take();
    assert_ptr_equal(second, first);
    assert_null(pool.find(handle));
    assert_ptr_equal(pool.find(Pool::handle(*second)), second);
    assert_true(handle != Pool::handle(*second));
}

void a_handle_of_nothing_finds_nothing(void** /*state*/) {
    std::array<Item, capacity> items{};
    Pool pool;
    assert_null(pool.find(Handle()));
    assert_null(pool.take());
    pool.init(items);
    assert_null(pool.find(Handle()));
    assert_null(pool.find({0, 0}));
    assert_null(pool.find({capacity, 0}));
    pool.init({});
    assert_true(pool.full());
    assert_null(pool.take());
}

struct Garden {
    uint32_t slot;
    uint32_t generation;
    uint32_t next_free;
    bool live;
    uint64_t colour = 7;
};

void a_slot_is_made_when_it_is_needed_and_not_touched_before(void** /*state*/) {
    std::array<Garden, capacity> items{};
    memset(static_cast<void*>(items.data()), 0xee, sizeof items);
    SlotPool<Garden> pool;
    pool.init(items);
    assert_true(pool.all().empty());
    Garden* const first = pool.take();
    assert_ptr_equal(first, &items[0]);
    assert_int_equal(first->colour, 7);
    assert_int_equal(pool.all().size(), 1);
    assert_null(pool.find({1, 0xeeeeeeee}));
    first->colour = 8;
    pool.give_back(*first);
    // What lies free is used again before another is made, and is as it was left.
    assert_ptr_equal(pool.take(), first);
    assert_int_equal(first->colour, 8);
    assert_int_equal(pool.take()->slot, 1);
    for (size_t i = 2; i < capacity; ++i) {
        const auto* const bytes = reinterpret_cast<const unsigned char*>(&items[i]);
        for (size_t at = 0; at < sizeof items[i]; ++at) {
            assert_int_equal(bytes[at], 0xee);
        }
    }
}

void random_use_agrees_with_a_list(void** /*state*/) {
    struct Known {
        Handle handle;
        bool live;
    };
    static std::array<Known, 4096> known;
    size_t known_count = 0;
    std::array<Item, capacity> items{};
    Pool pool;
    pool.init(items);
    Random random(1);
    size_t live = 0;
    while (known_count < known.size()) {
        if (random.one_in(2)) {
            Item* const item = pool.take();
            assert_int_equal(item == nullptr, live == capacity);
            if (item != nullptr) {
                item->owner = known_count;
                known[known_count++] = {Pool::handle(*item), true};
                ++live;
            }
        } else if (live > 0) {
            Known* one = nullptr;
            do {
                one = &known[random.below(known_count)];
            } while (!one->live);
            pool.give_back(*pool.find(one->handle));
            one->live = false;
            --live;
        }
        assert_int_equal(pool.live(), live);
        assert_int_equal(pool.full(), live == capacity);
    }
    for (size_t i = 0; i < known_count; ++i) {
        const Item* const item = pool.find(known[i].handle);
        assert_int_equal(item != nullptr, known[i].live);
        assert_true(item == nullptr || item->owner == i);
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(every_slot_is_given_out_once),
        cmocka_unit_test(a_handle_is_stale_once_its_slot_was_given_back),
        cmocka_unit_test(a_handle_of_nothing_finds_nothing),
        cmocka_unit_test(a_slot_is_made_when_it_is_needed_and_not_touched_before),
        cmocka_unit_test(random_use_agrees_with_a_list),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
