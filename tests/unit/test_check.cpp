#include "base/features.hpp"
#include "config/settings.hpp"
#include "test_support.hpp"

using namespace fcgate;

namespace {

void must_set(Settings& settings, std::string_view name, std::string_view value, const char* file = __builtin_FILE(),
              int line = __builtin_LINE()) {
    ConfigError error;
    const Status status = settings.set(name, value, error);
    if (status != Status::ok) {
        print_error("%s\n", error.text.c_str());
        _fail(file, line);
    }
}

void must_get(const Settings& settings, std::string_view name, std::string_view expected,
              const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    Text<512> out;
    test::check_status(settings.get(name, out), Status::ok, file, line);
    test::check_text(out.view(), expected, file, line);
}

// The least that can be served.
void make_servable(Settings& settings) {
    must_set(settings, "server.listen", ":80");
    must_set(settings, "site.root", "/www");
    must_set(settings, "backend.address", "unix:/run/php.sock");
}

void must_not_pass(Settings& settings, Status expected, std::string_view text, const char* file = __builtin_FILE(),
                   int line = __builtin_LINE()) {
    ConfigError error;
    test::check_status(settings.check(error), expected, file, line);
    test::check_text(error.text.view(), text, file, line);
}

void spawned_php_is_understood(void** /*state*/) {
    if (!features::spawn) {
        _skip(__FILE__, __LINE__);
    }
    constexpr struct {
        const char* name;
        const char* value;
        const char* shown;
    } all[] = {
        {"backend.address", "spawn", "spawn"},
        {"backend.address", "auto", "auto"},
        {"backend.command", "/usr/sbin/php-fpm -n", "/usr/sbin/php-fpm -n"},
        {"backend.idle_stop", "60s", "1m"},
        {"backend.php", "memory_limit 32M", "memory_limit 32M"},
        {"server.runtime_dir", "/run/fcgate", "/run/fcgate"},
    };
    for (const auto& each : all) {
        Settings settings;
        ConfigError error;
        make_servable(settings);
        if (std::string_view(each.name) == "backend.address") {
            must_set(settings, each.name, "");
        }
        must_set(settings, each.name, each.value);
        must_get(settings, each.name, each.shown);
        test::check_status(settings.check(error), Status::ok);
    }
}

void a_servable_configuration_passes(void** /*state*/) {
    Settings settings;
    make_servable(settings);
    must_set(settings, "backend:slow.address", "127.0.0.1:9000");
    must_set(settings, "site:b.root", "/b");
    must_set(settings, "site:b.host", "b.lan");
    must_set(settings, "site:b.backend", "slow");
    ConfigError error;
    test::check_status(settings.check(error), Status::ok);
    assert_true(settings.sites[0].has_backend && settings.sites[1].has_backend);
    assert_int_equal(settings.sites[0].backend_number, 0);
    assert_int_equal(settings.sites[1].backend_number, 1);
}

// Whoever changes one value of settings that were good finds the others as they were set.
void a_check_changes_no_value(void** /*state*/) {
    Settings settings;
    ConfigError error;
    make_servable(settings);
    must_set(settings, "server.max_connections_per_client", "50");
    must_set(settings, "server.reserved_connections", "7");
    must_set(settings, "server.max_connections", "1");
    Text<4096> before;
    Text<4096> after;
    test::check_status(settings.print(before), Status::ok);
    test::check_status(settings.check(error), Status::ok);
    test::check_status(settings.print(after), Status::ok);
    test::check_text(after.view(), before.view());
    must_get(settings, "server.max_connections_per_client", "50");
}

void a_site_can_do_without_php(void** /*state*/) {
    Settings settings;
    must_set(settings, "server.listen", ":80");
    must_set(settings, "site.root", "www");
    must_set(settings, "site.front_controller", "/index.php");
    ConfigError error;
    test::check_status(settings.check(error), Status::ok);
    assert_false(settings.sites[0].has_backend);
}

void what_is_missing_is_named(void** /*state*/) {
    Settings settings;
    must_not_pass(settings, Status::malformed, "[server] listen: not set; write for example 0.0.0.0:80");
    must_set(settings, "server.listen", ":80");
    must_not_pass(settings, Status::malformed, "there is no [site]; set at least its root, the folder that is served");
    must_set(settings, "site.max_body", "0");
    must_not_pass(settings, Status::malformed,
                  "[site] root: not set; write the folder that is served, for example /www");
    must_set(settings, "site.root", "/www");
    must_set(settings, "site:b.root", "/b");
    must_not_pass(settings, Status::malformed, "[site b] host: not set; only the first site is found without one");
    must_set(settings, "site.host", "X.lan");
    must_set(settings, "site:b.host", "b.lan x.LAN");
    must_not_pass(settings, Status::malformed, "[site b] host: \"x.LAN\" belongs to an earlier site already");
    must_set(settings, "site:b.host", "");
    must_set(settings, "site:b.host", "b.lan");
    must_set(settings, "site:b.backend", "fpm");
    must_not_pass(settings, Status::malformed, "[site b] backend: there is no [backend fpm]");
    must_set(settings, "backend:fpm.workers", "2");
    must_not_pass(settings, Status::malformed,
                  "[backend fpm] address: not set; write for example unix:/run/php/php-fpm.sock");
    must_set(settings, "backend:fpm.address", "127.0.0.1:9000");
    ConfigError error;
    test::check_status(settings.check(error), Status::ok);
}

void capacities_must_fit_together(void** /*state*/) {
    Settings settings;
    make_servable(settings);
    must_set(settings, "server.threads", "4");
    must_set(settings, "server.max_connections", "3");
    must_not_pass(settings, Status::malformed,
                  "[server] threads: more than max_connections (3); every thread needs one");
    must_set(settings, "server.max_connections", "4");
    must_set(settings, "server.exchanges", "3");
    must_not_pass(settings, Status::malformed, "[server] exchanges: fewer than threads (4); every thread needs one");
    must_set(settings, "server.exchanges", "256");
    must_set(settings, "server.response_memory", "1m");
    must_not_pass(settings, Status::malformed,
                  "[server] response_memory: too little for 256 exchanges; write at least 1028k");
    must_set(settings, "server.response_memory", "1028k");
    must_set(settings, "server.response_buffer", "2m");
    must_not_pass(settings, Status::malformed,
                  "[server] response_buffer: one exchange cannot have more than all response_memory");
    must_set(settings, "server.response_buffer", "64k");
    ConfigError error;
    test::check_status(settings.check(error), Status::ok);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(spawned_php_is_understood), cmocka_unit_test(a_servable_configuration_passes),
        cmocka_unit_test(a_check_changes_no_value),  cmocka_unit_test(a_site_can_do_without_php),
        cmocka_unit_test(what_is_missing_is_named),  cmocka_unit_test(capacities_must_fit_together),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
