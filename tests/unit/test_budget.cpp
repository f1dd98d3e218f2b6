#include <fcgate/fcgate.h>

#include "base/features.hpp"
#include "config/settings.hpp"
#include "server/budget.hpp"
#include "server/pools.hpp"
#include "server/server.hpp"
#include "temp_tree.hpp"
#include "test_support.hpp"

using fcgate::ConfigError;
using fcgate::Settings;
using fcgate::Status;
using fcgate::Text;
using fcgate::server::Budget;
using fcgate::server::BudgetLine;
using fcgate::server::check_ceiling;
using fcgate::server::PoolKind;
using fcgate::server::Pools;
using fcgate::server::Server;
using fcgate::server::ServerError;
using fcgate::test::check_status;

namespace {

constexpr uint64_t kib = 1024;
constexpr uint64_t mib = 1024 * kib;

void must_set(Settings& settings, std::string_view name, std::string_view value) {
    ConfigError error;
    check_status(settings.set(name, value, error), Status::ok);
}

void make(Settings& settings, std::string_view backend, std::string_view profile = {}) {
    must_set(settings, "server.listen", ":80");
    must_set(settings, "site.root", "/www");
    must_set(settings, "backend.address", backend);
    must_set(settings, "server.profile", profile);
    ConfigError error;
    check_status(settings.check(error), Status::ok);
}

void the_default_fits_into_four_mebibytes(void** /*state*/) {
    for (const std::string_view backend : {"unix:/run/php.sock", "spawn", "auto"}) {
        Settings settings;
        make(settings, backend);
        assert_int_equal(settings.server.max_connections, 64);
        assert_in_range(Budget(settings).sum(), 3 * mib, 4 * mib);
    }
}

void every_profile_fits_into_its_ceiling(void** /*state*/) {
    constexpr struct {
        std::string_view name;
        uint32_t connections;
        uint64_t ceiling;
    } profiles[] = {{"tiny", 16, mib}, {"small", 64, 4 * mib}, {"full", 256, 32 * mib}};
    for (const auto& profile : profiles) {
        for (const std::string_view backend : {"unix:/run/php.sock", "spawn", "auto"}) {
            Settings settings;
            make(settings, backend, profile.name);
            assert_int_equal(settings.server.max_connections, profile.connections);
            assert_int_equal(settings.server.memory_ceiling, profile.ceiling);
            assert_true(Budget(settings).sum() < profile.ceiling);
            ConfigError error;
            check_status(check_ceiling(settings, error), Status::ok);
        }
    }
}

// What users add to a small device first.
void small_has_room_for_a_status_page_and_an_access_log(void** /*state*/) {
    for (const std::string_view backend : {"unix:/run/php.sock", "spawn", "auto"}) {
        Settings settings;
        ConfigError error;
        make(settings, backend, "small");
        if (fcgate::features::status) {
            must_set(settings, "server.status_path", "/status");
        }
        if (fcgate::features::access_log) {
            must_set(settings, "server.access_log", "/var/log/access");
        }
        check_status(check_ceiling(settings, error), Status::ok);
    }
}

void what_is_above_the_ceiling_is_refused(void** /*state*/) {
    Settings settings;
    make(settings, "unix:/run/php.sock");
    const uint64_t sum = Budget(settings).sum();
    ConfigError error;
    settings.server.memory_ceiling = sum;
    check_status(check_ceiling(settings, error), Status::ok);
    settings.server.memory_ceiling = sum - 1;
    check_status(check_ceiling(settings, error), Status::too_large);
    assert_non_null(strstr(error.text.c_str(), "[server] memory_ceiling: all pools together can take "));
    settings.server.memory_ceiling = 0;
    check_status(check_ceiling(settings, error), Status::ok);
}

void every_capacity_counts(void** /*state*/) {
    constexpr struct {
        std::string_view name;
        std::string_view value;
        uint64_t least;  // bytes more
    } larger[] = {
        {"server.max_connections", "65", 21 * kib},
        {"server.connection_memory", "21k", 64 * kib},
        {"server.exchanges", "33", 30 * kib},
        {"server.response_memory", "641k", 0},
        {"server.response_memory", "740k", 100 * kib},
        {"server.threads", "2", 200 * kib},
        {"server.max_connections_per_client", "17", 8192},
        {"backend.queue", "132", 5 * kib},
        {"backend.workers", "104", 5 * kib},
        {"site.listing", "yes", 700 * kib},
        {"site.header", "X-Long aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 64 * 128},
        {"site:b.root", "/", 4 * kib},
    };
    Settings settings;
    make(settings, "unix:/run/php.sock");
    const uint64_t sum = Budget(settings).sum();
    for (const auto& one : larger) {
        Settings more;
        make(more, "unix:/run/php.sock");
        must_set(more, "site:b.host", "b");
        must_set(more, one.name, one.value);
        if (one.name != "site:b.root") {
            must_set(more, "site:b.root", "/");
        }
        ConfigError error;
        check_status(more.check(error), Status::ok);
        print_message("%s = %s\n", one.name.data(), one.value.data());
        assert_true(Budget(more).sum() >= sum + one.least);
    }
}

void the_sum_is_that_of_the_lines(void** /*state*/) {
    Settings settings;
    make(settings, "spawn");
    const Budget budget(settings);
    uint64_t sum = 0;
    size_t count = 0;
    for (const BudgetLine& line : budget) {
        sum += line.bytes();
        ++count;
    }
    assert_int_equal(sum, budget.sum());
    assert_in_range(count, 25, 47);
}

void the_largest_budget_fits_into_its_buffer(void** /*state*/) {
    Settings settings;
    must_set(settings, "server.max_connections", "4096");
    must_set(settings, "server.max_connections_per_client", "4096");
    must_set(settings, "server.connection_memory", "1m");
    must_set(settings, "server.exchanges", "1024");
    must_set(settings, "server.response_memory", "256m");
    must_set(settings, "server.threads", "16");
    must_set(settings, "server.memory_ceiling", "4096m");
    must_set(settings, "site.listing", "yes");
    make(settings, "spawn");
    Text<FCGATE_BUDGET_MAX> out;
    Budget(settings).print_table(out);
    check_status(out.status(), Status::ok);
    out.clear();
    Budget(settings).print_json(out);
    check_status(out.status(), Status::ok);
}

// The table cannot tell other numbers than those by which the arena is carved: it is used up but for the slack and short paths.
void the_arena_is_what_the_pools_say(void** /*state*/) {
    for (const std::string_view threads : {"1", "3"}) {
        const fcgate::test::TempTree tree;
        Text<256> listen("unix:");
        listen.append(tree.path()).append("/fcgate.sock");
        Settings settings;
        must_set(settings, "server.listen", listen.view());
        must_set(settings, "server.threads", threads);
        must_set(settings, "site.root", tree.path());
        must_set(settings, "site.listing", "yes");
        must_set(settings, "backend.address", "unix:/nowhere.sock");
        ConfigError wrong;
        check_status(settings.check(wrong), Status::ok);
        Server server;
        ServerError error;
        check_status(server.init(settings, nullptr, nullptr, error), Status::ok);
        check_status(server.prepare(error), Status::ok);
        const Pools pools(settings);
        assert_int_equal(server.arena().size(), pools.arena_size());
        const size_t unused = server.arena().size() - server.arena().used();
        assert_true(unused <= pools.slack() + pools[PoolKind::roots].bytes());
        server.finish();
    }
}

}  // namespace

int main() {
    // Half of the configurations spawn PHP, spool or list: 77 tells Meson that nothing was tested.
    if (!fcgate::features::all) {
        return 77;
    }
    const CMUnitTest tests[] = {
        cmocka_unit_test(the_default_fits_into_four_mebibytes),
        cmocka_unit_test(every_profile_fits_into_its_ceiling),
        cmocka_unit_test(small_has_room_for_a_status_page_and_an_access_log),
        cmocka_unit_test(what_is_above_the_ceiling_is_refused),
        cmocka_unit_test(every_capacity_counts),
        cmocka_unit_test(the_sum_is_that_of_the_lines),
        cmocka_unit_test(the_largest_budget_fits_into_its_buffer),
        cmocka_unit_test(the_arena_is_what_the_pools_say),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
