#include <initializer_list>

#include "base/features.hpp"
#include "base/log.hpp"
#include "config/values.hpp"
#include "test_support.hpp"

using namespace fcgate;
using namespace fcgate::config;

namespace {

struct Quantity {
    const char* text;
    uint64_t value;
};

struct Wrong {
    const char* text;
    Status status;
};

void sizes_take_k_and_m(void** /*state*/) {
    constexpr Quantity right[] = {
        {"0", 0},
        {"1", 1},
        {"512", 512},
        {"20k", 20480},
        {"20K", 20480},
        {"8m", 8388608},
        {"1M", 1048576},
        {"4096m", 4294967296},
        {"007k", 7168},
        {"18446744073709551615", UINT64_MAX},
        {"17592186044415m", 18446744073708503040U},
    };
    for (const Quantity& each : right) {
        const Result<uint64_t> size = parse_size(each.text);
        assert_true(size.ok());
        assert_true(size.value() == each.value);
    }
    constexpr Wrong wrong[] = {
        {"", Status::malformed},
        {"k", Status::malformed},
        {"8x", Status::malformed},
        {"8mb", Status::malformed},
        {"8 m", Status::malformed},
        {"-1", Status::malformed},
        {"+1", Status::malformed},
        {"1.5m", Status::malformed},
        {"0x10", Status::malformed},
        {"8g", Status::malformed},
        {"18446744073709551616", Status::too_large},
        {"17592186044416m", Status::too_large},
    };
    for (const Wrong& each : wrong) {
        assert_true(parse_size(each.text).status() == each.status);
    }
}

void times_need_a_unit(void** /*state*/) {
    constexpr Quantity right[] = {
        {"0", 0},       {"0s", 0},        {"1ms", 1},        {"500ms", 500},      {"10s", 10000},
        {"5m", 300000}, {"60m", 3600000}, {"12h", 43200000}, {"30d", 2592000000},
    };
    for (const Quantity& each : right) {
        const Result<uint64_t> time = parse_time(each.text);
        assert_true(time.ok());
        assert_true(time.value() == each.value);
    }
    constexpr Wrong wrong[] = {
        {"", Status::malformed},
        {"10", Status::malformed},
        {"s", Status::malformed},
        {"ms", Status::malformed},
        {"1w", Status::malformed},
        {"h", Status::malformed},
        {"1D", Status::malformed},
        {"-1s", Status::malformed},
        {"1 s", Status::malformed},
        {"1.5s", Status::malformed},
        {"1S", Status::malformed},
        {"99999999999999999999s", Status::too_large},
        {"18446744073709551615m", Status::too_large},
    };
    for (const Wrong& each : wrong) {
        assert_true(parse_time(each.text).status() == each.status);
    }
}

void quantities_are_printed_in_the_largest_unit_that_is_exact(void** /*state*/) {
    constexpr struct {
        uint64_t value;
        const char* size;
        const char* time;
    } all[] = {
        {0, "0", "0"},
        {1, "1", "1ms"},
        {1000, "1000", "1s"},
        {1024, "1k", "1024ms"},
        {1500, "1500", "1500ms"},
        {60000, "60000", "1m"},
        {90000, "90000", "90s"},
        {1048576, "1m", "1048576ms"},
        {1536000, "1500k", "1536s"},
    };
    for (const auto& each : all) {
        Text<32> out;
        print_size(each.value, out);
        test::check_text(out.view(), each.size);
        out.clear();
        print_time(each.value, out);
        test::check_text(out.view(), each.time);
        assert_true(parse_time(each.time).value() == each.value);
        assert_true(parse_size(each.size).value() == each.value);
    }
}

void log_levels_have_names(void** /*state*/) {
    for (const char* name : {"error", "warning", "info", "debug"}) {
        assert_true(parse_log_level(name).ok());
        test::check_text(log_level_name(parse_log_level(name).value()), name);
    }
    assert_true(parse_log_level("warn").value() == LogLevel::warning);
    assert_false(parse_log_level("").ok());
    assert_false(parse_log_level("loud").ok());
}

void a_listener_is_an_address_and_a_port(void** /*state*/) {
    constexpr struct {
        const char* text;
        ListenSettings::Kind kind;
        const char* endpoint;
    } all[] = {
        {"0.0.0.0:80", ListenSettings::Kind::tcp, "0.0.0.0:80"},
        {"127.0.0.1:0", ListenSettings::Kind::tcp, "127.0.0.1:0"},
        {"localhost:8080", ListenSettings::Kind::tcp, "127.0.0.1:8080"},
        {"[::1]:8080", ListenSettings::Kind::tcp, "[::1]:8080"},
        {"[::]:65535", ListenSettings::Kind::tcp, "[::]:65535"},
        {"[fe80::1%lo]:80", ListenSettings::Kind::tcp, nullptr},
        {":80", ListenSettings::Kind::any, "[::]:80"},
    };
    for (const auto& each : all) {
        ListenSettings listener;
        test::check_status(parse_listen(each.text, listener), Status::ok);
        assert_true(listener.kind == each.kind);
        assert_false(listener.tls);
        test::check_text(listener.text, each.text);
        if (each.endpoint != nullptr) {
            Text<64> out;
            listener.endpoint.print(out);
            test::check_text(out.view(), each.endpoint);
        }
    }
}

void a_listener_is_a_socket_path_or_an_inherited_descriptor(void** /*state*/) {
    ListenSettings listener;
    test::check_status(parse_listen("unix:/run/fcgate.sock", listener), Status::ok);
    assert_true(listener.kind == ListenSettings::Kind::local);
    test::check_text(listener.path, "/run/fcgate.sock");
    assert_int_equal(listener.mode, 0);
    test::check_status(parse_listen("unix:/run/fcgate.sock  0660", listener), Status::ok);
    test::check_text(listener.path, "/run/fcgate.sock");
    assert_int_equal(listener.mode, 0660);
    assert_false(listener.tls);
    test::check_status(parse_listen("unix:/run/fcgate.sock 777 tls", listener), Status::ok);
    assert_int_equal(listener.mode, 0777);
    assert_true(listener.tls);
    test::check_status(parse_listen("fd:3", listener), Status::ok);
    assert_true(listener.kind == ListenSettings::Kind::descriptor);
    assert_int_equal(listener.descriptor, 3);
    test::check_status(parse_listen("fd:fcgate.socket", listener), Status::ok);
    assert_true(listener.kind == ListenSettings::Kind::descriptor);
    assert_int_equal(listener.descriptor, -1);
    test::check_text(listener.text, "fd:fcgate.socket");
    test::check_status(parse_listen("\t[::1]:443   tls ", listener), Status::ok);
    assert_true(listener.tls);
    test::check_text(listener.text, "[::1]:443   tls");
}

void wrong_listeners_change_nothing(void** /*state*/) {
    constexpr Wrong wrong[] = {
        {"", Status::malformed},
        {"80", Status::malformed},
        {"*:80", Status::malformed},
        {"router.lan:80", Status::malformed},
        {"0.0.0.0", Status::malformed},
        {"0.0.0.0:", Status::malformed},
        {"0.0.0.0:65536", Status::refused},
        {"0.0.0.0:-1", Status::malformed},
        {"0.0.0.0:http", Status::malformed},
        {"1.2.3:80", Status::malformed},
        {"::1:80", Status::malformed},
        {"[]:80", Status::malformed},
        {"[::1]", Status::malformed},
        {"[::1]80", Status::malformed},
        {"[::1:80", Status::malformed},
        {"[127.0.0.1]:80", Status::malformed},
        {"[fe80::1%no-such-one]:80", Status::not_found},
        {"unix:", Status::malformed},
        {"unix:run/x", Status::malformed},
        {"unix:/run/", Status::malformed},
        {"fd:", Status::malformed},
        {"fd:-1", Status::malformed},
        {"fd:3x", Status::malformed},
        {"fd:.x", Status::malformed},
        {"fd:x:y", Status::malformed},
        {"fd:70000", Status::malformed},
        {":80 ssl", Status::malformed},
        {":80 tls tls", Status::malformed},
        {":80 0666", Status::malformed},
        {"fd:3 0666", Status::malformed},
        {"unix:/x 66", Status::malformed},
        {"unix:/x 000", Status::malformed},
        {"unix:/x 0668", Status::malformed},
        {"unix:/x 8066", Status::malformed},
        {"unix:/x 1777", Status::malformed},
        {"unix:/x 00666", Status::malformed},
        {"unix:/x 0666 0666", Status::malformed},
        {"unix:/x tls 0666", Status::malformed},
        {"tls", Status::malformed},
    };
    for (const Wrong& each : wrong) {
        ListenSettings listener;
        listener.descriptor = 77;
        test::check_status(parse_listen(each.text, listener), each.status);
        assert_int_equal(listener.descriptor, 77);
    }
}

void a_socket_path_must_fit_into_its_address(void** /*state*/) {
    Text<256> text("unix:/");
    while (text.size() < 5 + 107) {
        text.append('x');
    }
    ListenSettings listener;
    test::check_status(parse_listen(text.view(), listener), Status::ok);
    text.append('x');
    test::check_status(parse_listen(text.view(), listener), Status::too_large);
    BackendSettings backend;
    test::check_status(parse_backend_address(text.view(), backend), Status::too_large);
}

void a_backend_is_a_socket_an_address_or_spawned(void** /*state*/) {
    BackendSettings backend;
    test::check_status(parse_backend_address("unix:/run/php/php-fpm.sock", backend), Status::ok);
    assert_true(backend.kind == BackendSettings::Kind::local);
    test::check_text(backend.path, "/run/php/php-fpm.sock");
    test::check_status(parse_backend_address("[::1]:9000", backend), Status::ok);
    assert_true(backend.kind == BackendSettings::Kind::tcp);
    assert_int_equal(backend.endpoint.port(), 9000);
    test::check_text(backend.path, "");
    test::check_status(parse_backend_address("spawn", backend), Status::ok);
    assert_true(backend.kind == BackendSettings::Kind::spawn);
    test::check_status(parse_backend_address("auto", backend), Status::ok);
    assert_true(backend.kind == BackendSettings::Kind::automatic);
    test::check_text(backend.address, "auto");
    for (const char* wrong : {"", ":9000", "127.0.0.1:0", "127.0.0.1", "fpm", "unix:x", "php.lan:9000", "auto x"}) {
        test::check_status(parse_backend_address(wrong, backend), Status::malformed);
        test::check_text(backend.address, "auto");
    }
}

void check_names(bool (*accepts)(std::string_view), std::initializer_list<const char*> right,
                 std::initializer_list<const char*> wrong) {
    for (const char* name : right) {
        if (!accepts(name)) {
            print_error("\"%s\" is refused\n", name);
        }
        assert_true(accepts(name));
    }
    for (const char* name : wrong) {
        if (accepts(name)) {
            print_error("\"%s\" is taken\n", name);
        }
        assert_false(accepts(name));
    }
}

void names_consist_of_what_their_use_allows(void** /*state*/) {
    check_names(is_section_name, {"panel", "a.b-c_D9", "12345678901234567890123456789012"},
                {"", "a b", "a:b", "[", "123456789012345678901234567890123"});
    check_names(is_user_name, {"", "root", "www-data", "1000", "_x"}, {"-x", "a b", "a/b", "a:b"});
    check_names(
        is_host_pattern, {"*", "*.local", "router.lan", "192.168.1.1", "a_b"},
        {"", "*.", "*x", "a*", "x.*", ".lan", "router.lan.", "a..b", "router.lan:80", "http://router.lan", "[::1]"});
    check_names(is_index_name, {"index.php", "a b"}, {"", ".htaccess", "..", "a/b", "/index.php"});
    check_names(is_script_suffix, {".php", ".p", ".php7"}, {"", ".", "..", "php", "./x"});
    check_names(is_front_controller, {"", "/index.php", "/a/b.php"},
                {"/", "index.php", "/a/", "/../out.php", "/sub/../a.php", "/./a.php", "//a.php"});
    check_names(is_unknown_host, {"refuse", "redirect http://192.168.1.1/", "redirect  https://router.lan/x?y"},
                {"", "redirect", "redirect /x", "redirect ftp://x/", "redirect http://", "redirect http://x/ y",
                 "redirect http://x/\x01", "other http://x/"});
    check_names(is_log_target, {"stderr", "syslog", "/var/log/x"},
                {"", "off", "stdout", "x.log", "./x", "syslog:", "syslog:x"});
    check_names(is_access_log, {"off", "stderr", "syslog", "/var/log/x"}, {"", "on", "x.log"});
    check_names(is_access_format, {"common", "combined", "json"}, {"", "nginx"});
    check_names(is_syslog_format, {"rfc5424", "local"}, {"", "rfc3164"});
    check_names(is_runtime_dir, {"", "/run/php-8.2_a@b+c"},
                {"run", "/", "/run/", "/run/a b", "/run/a;b", "/run/a(b", "/run/a\"b", "/run/a=b", "/run/a:b",
                 "/run/a!b", "/run/\xc3\xbc"});
    check_names(is_status_path, {"off", "/status", "/a/b.c"},
                {"", "on", "/", "/status/", "status", "/a/../b", "/a//b"});
    check_names(is_param_name, {"APP_ENV", "_X", "A1"}, {"", "app", "A-B", "A=B", "1A"});
    check_names(is_header_name, {"X-Frame-Options", "x"},
                {"", "X Y", "X:", "connection", "Content-Length", "transfer-encoding"});
    check_names(is_error_page, {"404 /e.html", "404 410 500 /errors/e.html", "/e.html", "599 /e"},
                {"", "404", "/e.html x", "404 e.html", "404 /", "404 /e/", "404 /a//b", "404 /../e", "399 /e", "600 /e",
                 "0404 /e", "404 /e 500", "4o4 /e"});
    check_names(is_expiry, {"0", "1h", "3650d"}, {"", "1", "3651d", "-1h", "never"});
    check_names(is_release, {"", "1.0-rc_2"}, {"a b", "a/b", "123456789012345678901234567890123"});
    check_names(is_absolute_path, {"/", "/a/b"}, {"", "a", "/a/../b", "/a//b", "/./a"});
    check_names(is_php_key, {"memory_limit", "opcache.enable"}, {"", "a b", "a=b", "a[b]"});
}

void a_file_path_fits_into_what_the_system_takes(void** /*state*/) {
    Text<8192> text;
    assert_false(is_file_path(text.view()));
    while (text.size() < limits::path - 1) {
        text.append('x');
    }
    assert_true(is_file_path(text.view()));
    assert_false(is_file_path(text.append('x').view()));
}

// What a socket, a path of the service manager's and a file made beside must have room for.
void paths_of_a_use_are_shorter(void** /*state*/) {
    constexpr struct {
        bool (*accepts)(std::string_view);
        size_t most;
        bool may_be_empty = true;
    } all[] = {
        {&is_runtime_dir, 64},
        {&is_pid_file, 255},
        {&is_spool_folder, limits::path - 17},
        {&is_log_target, features::syslog ? sizeof "syslog:" - 1 + 107 : limits::path - 1, false},
    };
    for (const auto& one : all) {
        Text<8192> text(one.accepts == &is_log_target && features::syslog ? "syslog:/x" : "/x");
        assert_true(one.accepts("") == one.may_be_empty);
        assert_false(one.accepts("tmp"));
        while (text.size() < one.most) {
            assert_true(one.accepts(text.view()));
            text.append('x');
        }
        assert_true(one.accepts(text.view()));
        assert_false(one.accepts(text.append('x').view()));
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(sizes_take_k_and_m),
        cmocka_unit_test(times_need_a_unit),
        cmocka_unit_test(quantities_are_printed_in_the_largest_unit_that_is_exact),
        cmocka_unit_test(log_levels_have_names),
        cmocka_unit_test(a_listener_is_an_address_and_a_port),
        cmocka_unit_test(a_listener_is_a_socket_path_or_an_inherited_descriptor),
        cmocka_unit_test(wrong_listeners_change_nothing),
        cmocka_unit_test(a_socket_path_must_fit_into_its_address),
        cmocka_unit_test(a_backend_is_a_socket_an_address_or_spawned),
        cmocka_unit_test(names_consist_of_what_their_use_allows),
        cmocka_unit_test(a_file_path_fits_into_what_the_system_takes),
        cmocka_unit_test(paths_of_a_use_are_shorter),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
