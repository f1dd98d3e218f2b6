#include <sys/mman.h>

#include "base/arena.hpp"
#include "test_support.hpp"

using fcgate::Arena;
using fcgate::Status;
using fcgate::test::check_status;

namespace {

constexpr size_t page = 4096;

struct Item {
    uint64_t number;
    char letter;
};

void gives_zeroed_pieces_that_do_not_overlap(void** /*state*/) {
    Arena arena;
    check_status(arena.init(page), Status::ok);
    const uint8_t* end = nullptr;
    for (const size_t size : {size_t{1}, size_t{7}, size_t{64}, size_t{3}}) {
        const std::span<uint8_t> piece = arena.take(size, 1);
        assert_int_equal(piece.size(), size);
        assert_true(end == nullptr || piece.data() >= end);
        for (uint8_t& byte : piece) {
            assert_int_equal(byte, 0);
            byte = 0xff;
        }
        end = piece.data() + piece.size();
    }
    assert_int_equal(arena.used(), 1 + 7 + 64 + 3);
    assert_int_equal(arena.size(), page);
}

void keeps_the_alignment_asked_for(void** /*state*/) {
    Arena arena;
    check_status(arena.init(page), Status::ok);
    for (const size_t alignment : {size_t{1}, size_t{2}, size_t{8}, size_t{16}, size_t{64}, size_t{512}}) {
        assert_int_equal(arena.take(1, 1).size(), 1);
        const std::span<uint8_t> piece = arena.take(3, alignment);
        assert_int_equal(piece.size(), 3);
        assert_int_equal(reinterpret_cast<uintptr_t>(piece.data()) % alignment, 0);
    }
}

void a_piece_that_does_not_fit_is_empty_and_costs_nothing(void** /*state*/) {
    Arena arena;
    check_status(arena.init(page), Status::ok);
    assert_int_equal(arena.take(page - 8, 1).size(), page - 8);
    assert_true(arena.take(9, 1).empty());
    assert_true(arena.take(1, page + 1).empty());
    assert_true(arena.take(SIZE_MAX, 1).empty());
    assert_true(arena.take_array<Item>(1).empty());
    assert_true(arena.take_text(9).empty());
    assert_int_equal(arena.used(), page - 8);
    assert_int_equal(arena.take(8, 1).size(), 8);
    assert_true(arena.take(1, 1).empty());
}

void aligns_the_items_of_an_array_and_leaves_them_zero(void** /*state*/) {
    Arena arena;
    check_status(arena.init(page), Status::ok);
    assert_int_equal(arena.take(1, 1).size(), 1);
    const std::span<Item> items = arena.take_array<Item>(5);
    assert_int_equal(items.size(), 5);
    assert_int_equal(reinterpret_cast<uintptr_t>(items.data()) % alignof(Item), 0);
    for (const Item& item : items) {
        assert_int_equal(item.number, 0);
        assert_int_equal(item.letter, '\0');
    }
}

void leaves_memory_untouched_until_it_is_used(void** /*state*/) {
    constexpr size_t pages = 64;
    Arena arena;
    check_status(arena.init(pages * page), Status::ok);
    const std::span<char> text = arena.take_text(pages * page);
    text[5 * page] = 'x';
    unsigned char resident[pages] = {};
    if (sysconf(_SC_PAGESIZE) != page || mincore(text.data(), text.size(), resident) != 0) {
        return;  // the machine cannot tell
    }
    for (size_t i = 0; i < pages; ++i) {
        assert_int_equal(resident[i] & 1U, i == 5 ? 1 : 0);
    }
}

void says_exhausted_when_the_machine_refuses(void** /*state*/) {
    Arena arena;
    check_status(arena.init(SIZE_MAX - 0xffff), Status::exhausted);
    assert_true(arena.take(1, 1).empty());
    arena.finish();
}

void starts_afresh_after_its_end(void** /*state*/) {
    Arena arena;
    check_status(arena.init(page), Status::ok);
    arena.take(page, 1)[0] = 0xff;
    arena.finish();
    arena.finish();
    assert_int_equal(arena.size(), 0);
    assert_true(arena.take(1, 1).empty());
    check_status(arena.init(page), Status::ok);
    assert_int_equal(arena.take(page, 1)[0], 0);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_pieces_that_do_not_overlap),
        cmocka_unit_test(keeps_the_alignment_asked_for),
        cmocka_unit_test(a_piece_that_does_not_fit_is_empty_and_costs_nothing),
        cmocka_unit_test(aligns_the_items_of_an_array_and_leaves_them_zero),
        cmocka_unit_test(leaves_memory_untouched_until_it_is_used),
        cmocka_unit_test(says_exhausted_when_the_machine_refuses),
        cmocka_unit_test(starts_afresh_after_its_end),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
