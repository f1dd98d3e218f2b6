#include <algorithm>
#include <array>

#include "base/pages.hpp"
#include "random.hpp"
#include "test_support.hpp"

using fcgate::Page;
using fcgate::PageChain;
using fcgate::PagePool;
using fcgate::test::Random;

namespace {

constexpr size_t page_bytes = sizeof(Page::bytes);
constexpr size_t pages_in_pool = 12;

struct Pool {
    explicit Pool(size_t reserved) { pool.init(pages, reserved); }

    // How many pages can be had without a guarantee; they are put back.
    [[nodiscard]] size_t count_shared() {
        std::array<Page*, pages_in_pool> taken{};
        size_t count = 0;
        while (Page* const page = pool.take(false)) {
            taken[count++] = page;
        }
        for (size_t i = 0; i < count; ++i) {
            pool.give_back(taken[i], false);
        }
        return count;
    }

    std::array<Page, pages_in_pool> pages{};
    PagePool pool;
};

// The byte of a chain's stream at an offset: a lost, doubled or swapped piece shows.
char byte_at(size_t chain, uint64_t offset) {
    return static_cast<char>((offset * 31 + (offset >> 8U) * 7 + chain * 101) & 0xffU);
}

// A chain, and how much of its stream has gone in and come out.
struct Stream {
    PageChain chain;
    size_t number = 0;
    uint64_t in = 0;
    uint64_t out = 0;

    size_t append(size_t size) {
        static std::array<char, (pages_in_pool + 1) * page_bytes> bytes;
        size = std::min(size, bytes.size());
        for (size_t i = 0; i < size; ++i) {
            bytes[i] = byte_at(number, in + i);
        }
        const size_t taken = chain.append({bytes.data(), size});
        in += taken;
        return taken;
    }
    void check(std::span<const char> bytes, uint64_t from) const {
        for (size_t i = 0; i < bytes.size(); ++i) {
            if (bytes[i] != byte_at(number, from + i)) {
                print_error("byte %zu of chain %zu\n", static_cast<size_t>(from) + i, number);
                _fail(__FILE__, __LINE__);
            }
        }
    }
    void read(size_t size) {
        static std::array<char, 3 * page_bytes> bytes;
        const size_t wanted = std::min(size, bytes.size());
        const size_t count = chain.read({bytes.data(), wanted});
        assert_int_equal(count, std::min<uint64_t>(wanted, in - out));
        check({bytes.data(), count}, out);
        out += count;
    }
    void drop(size_t size) {
        const size_t count = std::min(size, static_cast<size_t>(in - out));
        chain.drop(count);
        out += count;
    }
    // What can be looked at is what stands next.
    void look() const {
        assert_int_equal(chain.size(), in - out);
        assert_int_equal(chain.empty(), in == out);
        assert_int_equal(chain.front().empty(), in == out);
        check(chain.front(), out);
        std::array<std::span<const char>, 4> pieces;
        const size_t count = chain.pieces(pieces);
        uint64_t at = out;
        for (size_t i = 0; i < count; ++i) {
            assert_false(pieces[i].empty());
            check(pieces[i], at);
            at += pieces[i].size();
        }
        assert_true(at == in || count == pieces.size());
    }
};

void bytes_come_out_in_the_order_they_went_in(void** /*state*/) {
    Pool pool(0);
    Stream stream;
    stream.chain.init(pool.pool, false, pages_in_pool * page_bytes);
    Random random(6);
    for (int step = 0; step < 1000; ++step) {
        stream.append(random.below(random.one_in(4) ? 3 * page_bytes : 200));
        stream.look();
        random.one_in(2) ? stream.read(random.below(page_bytes)) : stream.drop(random.below(2 * page_bytes));
        stream.look();
    }
    stream.chain.clear();
    assert_int_equal(pool.count_shared(), pages_in_pool);
}

void every_exchange_gets_its_page_when_the_pool_is_used_up(void** /*state*/) {
    constexpr size_t exchanges = 5;
    Pool pool(exchanges);
    assert_int_equal(pool.count_shared(), pages_in_pool - exchanges);

    PageChain greedy;
    greedy.init(pool.pool, false, SIZE_MAX / 2);
    static const std::array<char, (pages_in_pool + 1) * page_bytes> bytes{};
    assert_int_equal(greedy.append(bytes), (pages_in_pool - exchanges) * page_bytes);
    assert_int_equal(greedy.room(), 0);
    assert_int_equal(greedy.append({bytes.data(), 1}), 0);

    std::array<PageChain, exchanges> chains;
    for (PageChain& chain : chains) {
        chain.init(pool.pool, true, SIZE_MAX / 2);
        assert_int_equal(chain.room(), page_bytes);
        assert_int_equal(chain.append(bytes), page_bytes);
        assert_int_equal(chain.room(), 0);
    }
    // Emptied, each gets it again, and nobody else does meanwhile.
    for (PageChain& chain : chains) {
        chain.drop(page_bytes);
        assert_int_equal(greedy.append({bytes.data(), 1}), 0);
        assert_int_equal(chain.append(bytes), page_bytes);
    }
    for (PageChain& chain : chains) {
        chain.clear();
    }
    greedy.clear();
    assert_int_equal(pool.count_shared(), pages_in_pool - exchanges);
}

void a_guarantee_is_given_back_with_the_last_page_only(void** /*state*/) {
    Pool pool(1);
    PageChain chain;
    chain.init(pool.pool, true, SIZE_MAX / 2);
    static const std::array<char, 3 * page_bytes> bytes{};
    assert_int_equal(chain.append(bytes), bytes.size());
    assert_int_equal(pool.count_shared(), pages_in_pool - 3);
    chain.drop(page_bytes);
    assert_int_equal(pool.count_shared(), pages_in_pool - 2);
    chain.drop(page_bytes);
    assert_int_equal(pool.count_shared(), pages_in_pool - 1);
    chain.drop(page_bytes);
    assert_int_equal(pool.count_shared(), pages_in_pool - 1);
}

void what_is_moved_leaves_its_guarantee_to_the_next(void** /*state*/) {
    Pool pool(1);
    static const std::array<char, 2 * page_bytes> bytes{};
    PageChain chain;
    PageChain kept;
    chain.init(pool.pool, true, SIZE_MAX / 2);
    assert_int_equal(chain.append(bytes), bytes.size());
    const char* const first = chain.front().data();
    assert_true(chain.move_to(kept));
    assert_true(kept.size() == bytes.size() && kept.front().data() == first);
    assert_true(chain.empty());
    // Two pages are out, and one is guaranteed again.
    assert_int_equal(pool.count_shared(), pages_in_pool - 3);
    chain.init(pool.pool, true, SIZE_MAX / 2);
    PageChain greedy;
    greedy.init(pool.pool, false, SIZE_MAX / 2);
    while (greedy.append(bytes) > 0) {}
    assert_int_equal(chain.append(bytes), page_bytes);
    // With no page to spare the guarantee cannot be had back: it stays where it is.
    PageChain refused;
    assert_false(chain.move_to(refused));
    assert_true(refused.empty());
    assert_int_equal(chain.size(), page_bytes);
    kept.drop(page_bytes);
    assert_true(chain.move_to(refused));
    for (PageChain* const one : {&kept, &refused, &greedy}) {
        one->clear();
    }
    assert_int_equal(pool.count_shared(), pages_in_pool - 1);
}

void a_chain_keeps_to_its_limit(void** /*state*/) {
    Pool pool(0);
    PageChain chain;
    chain.init(pool.pool, false, 2 * page_bytes);
    static const std::array<char, pages_in_pool * page_bytes> bytes{};
    const size_t room = chain.room();
    assert_true(room >= 2 * page_bytes && room <= 3 * page_bytes);
    assert_int_equal(chain.append(bytes), room);
    assert_int_equal(chain.room(), 0);
    assert_int_equal(chain.append({bytes.data(), 1}), 0);
    chain.clear();
    assert_int_equal(chain.room(), room);
}

void room_is_exactly_what_append_takes(void** /*state*/) {
    constexpr size_t exchanges = 4;
    Random random(7);
    for (int round = 0; round < 10; ++round) {
        Pool pool(exchanges);
        std::array<Stream, 2 * exchanges> streams;
        for (size_t i = 0; i < streams.size(); ++i) {
            streams[i].number = i;
            // Half of them are exchanges with their guarantee, half request bodies without.
            streams[i].chain.init(pool.pool, i < exchanges, (1 + random.below(6)) * page_bytes);
        }
        for (int step = 0; step < 500; ++step) {
            Stream& stream = streams[random.below(streams.size())];
            const size_t size = random.below(random.one_in(5) ? 12 * page_bytes : 2 * page_bytes);
            if (random.one_in(2)) {
                const size_t room = stream.chain.room();
                assert_int_equal(stream.append(size), std::min(size, room));
                const bool is_full = stream.chain.room() == 0;
                assert_int_equal(stream.append(1), is_full ? 0 : 1);
            } else {
                stream.read(size);
            }
            stream.look();
            assert_true(stream.number >= exchanges || !stream.chain.empty() || stream.chain.room() >= page_bytes);
        }
        for (Stream& stream : streams) {
            stream.chain.clear();
            assert_true(stream.chain.empty());
        }
        assert_int_equal(pool.count_shared(), pages_in_pool - exchanges);
    }
}

void pages_are_handed_out_once_each(void** /*state*/) {
    Pool pool(0);
    std::array<Page*, pages_in_pool> taken{};
    for (int round = 0; round < 3; ++round) {
        for (size_t i = 0; i < taken.size(); ++i) {
            taken[i] = pool.pool.take(false);
            assert_non_null(taken[i]);
            assert_true(taken[i] >= pool.pages.data() && taken[i] < pool.pages.data() + pool.pages.size());
            assert_true(std::find(taken.begin(), taken.begin() + i, taken[i]) == taken.begin() + i);
        }
        assert_null(pool.pool.take(false));
        assert_null(pool.pool.take(true));
        assert_int_equal(pool.pool.shared_left(), 0);
        for (Page* const page : taken) {
            pool.pool.give_back(page, false);
        }
        assert_int_equal(pool.pool.shared_left(), pages_in_pool);
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_in_the_order_they_went_in),
        cmocka_unit_test(every_exchange_gets_its_page_when_the_pool_is_used_up),
        cmocka_unit_test(a_guarantee_is_given_back_with_the_last_page_only),
        cmocka_unit_test(what_is_moved_leaves_its_guarantee_to_the_next),
        cmocka_unit_test(a_chain_keeps_to_its_limit),
        cmocka_unit_test(room_is_exactly_what_append_takes),
        cmocka_unit_test(pages_are_handed_out_once_each),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
