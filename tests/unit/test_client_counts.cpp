// Connections counted by client, in a table that is as full as it may become.
#include <array>

#include "random.hpp"
#include "server/client_counts.hpp"
#include "test_support.hpp"

namespace fcgate::server {
namespace {

struct Table {
    Table() { counts.init(entries); }
    ~Table() { counts.finish(); }
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;

    std::array<ClientCounts::Entry, 16> entries;
    ClientCounts counts;
};

void a_client_has_no_more_than_its_cap(void**) {
    Table table;
    for (int i = 0; i < 3; ++i) {
        assert_true(table.counts.enter(7, 3));
    }
    assert_false(table.counts.enter(7, 3));
    assert_true(table.counts.enter(8, 3));
    table.counts.leave(7);
    assert_true(table.counts.enter(7, 3));
    assert_false(table.counts.enter(7, 3));
    // Who has never come has nothing to leave.
    table.counts.leave(9);
    assert_true(table.counts.enter(9, 1));
}

// Clients come and go as they like; a second, plain way of counting says the same at any time.
void clients_that_share_a_place_are_counted_apart(void**) {
    Table table;
    std::array<uint32_t, 12> expected{};
    test::Random random(1);
    size_t live = 0;
    for (int step = 0; step < 20'000; ++step) {
        const size_t client = random.below(expected.size());
        const uint64_t key = client * 0x1000193U;
        if (random.below(2) == 0 && (expected[client] > 0 || live < table.entries.size() / 2)) {
            const bool fits = table.counts.enter(key, 3);
            assert_true(fits == (expected[client] < 3));
            live += fits && expected[client] == 0 ? 1U : 0U;
            expected[client] += fits ? 1U : 0U;
        } else {
            table.counts.leave(key);
            live -= expected[client] == 1 ? 1U : 0U;
            expected[client] -= expected[client] > 0 ? 1U : 0U;
        }
        size_t used = 0;
        for (const ClientCounts::Entry& entry : table.entries) {
            used += entry.count > 0 ? 1U : 0U;
        }
        assert_int_equal(used, live);
    }
}

}  // namespace
}  // namespace fcgate::server

int main() {
    using namespace fcgate::server;
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_client_has_no_more_than_its_cap),
        cmocka_unit_test(clients_that_share_a_place_are_counted_apart),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
