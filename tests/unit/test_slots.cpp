#include <array>

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
        cmocka_unit_test(random_use_agrees_with_a_list),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
