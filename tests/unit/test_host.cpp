#include "route/host.hpp"
#include "test_support.hpp"

namespace fcgate::route {
namespace {

using test::check_status;
using test::check_text;
using test::GuardedBytes;

constexpr size_t nowhere = SIZE_MAX;

void check_host(std::string_view value, std::string_view name, std::string_view port, bool is_ip,
                const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    GuardedBytes input(value);
    HostPort host;
    check_status(parse_host(input.view(), host), Status::ok, file, line);
    check_text(host.name, name, file, line);
    check_text(host.port, port, file, line);
    if (host.is_ip != is_ip) {
        print_error("is_ip\n");
        _fail(file, line);
    }
}

void names_are_taken_apart(void**) {
    check_host("a", "a", "", false);
    check_host("Router.LAN", "Router.LAN", "", false);
    check_host("my_panel-1.local:8080", "my_panel-1.local", "8080", false);
    check_host("router.", "router", "", false);
    check_host("router.lan.:80", "router.lan", "80", false);
    check_host("xn--mnchen-3ya.de", "xn--mnchen-3ya.de", "", false);
}

void ports_are_checked(void**) {
    check_host("a:0", "a", "0", false);
    check_host("a:65535", "a", "65535", false);
    check_host("a:", "a", "", false);
    check_host("a:00080", "a", "00080", false);
    for (const std::string_view value :
         {"a:65536", "a:99999", "a:100000", "a:-1", "a:+1", "a: 80", "a:80 ", "a:8o", "a:80:80", "a::80", "a:000080",
          "a:18446744073709551696", "[::1]:65536", "[::1]80", "[::1]a", "[::1]:x"}) {
        HostPort host;
        check_status(parse_host(value, host), Status::malformed);
    }
}

void addresses_are_known_as_such(void**) {
    check_host("192.168.1.1", "192.168.1.1", "", true);
    check_host("192.168.1.1:8080", "192.168.1.1", "8080", true);
    check_host("127.0.0.1.", "127.0.0.1", "", true);
    check_host("[::1]", "::1", "", true);
    check_host("[2001:DB8::1]:443", "2001:DB8::1", "443", true);
    check_host("[::ffff:10.0.0.1]:", "::ffff:10.0.0.1", "", true);
    // Names to us: browsers write addresses in full, whatever was typed.
    check_host("127.1", "127.1", "", false);
    check_host("0x7f.0.0.1", "0x7f.0.0.1", "", false);
    check_host("010.0.0.1", "010.0.0.1", "", false);
    check_host("1.2.3.256", "1.2.3.256", "", false);
    check_host("1.2.3.4.5", "1.2.3.4.5", "", false);
}

void anything_else_is_malformed(void**) {
    using namespace std::string_view_literals;
    for (const std::string_view value :
         {""sv,         "."sv,         ".."sv,     "a.."sv,     "a..b"sv,       ".a"sv,           " a"sv,
          "a "sv,       "a b"sv,       "a,b"sv,    "a, b"sv,    "a/b"sv,        "a?b"sv,          "a#b"sv,
          "a@b"sv,      "a\\b"sv,      "a%41"sv,   "a\0"sv,     "\0"sv,         "a\tb"sv,         "a\r\nb"sv,
          "\xc3\xa4"sv, "*"sv,         "*.a"sv,    "a;b"sv,     "<a>"sv,        "::1"sv,          ":80"sv,
          ":"sv,        "["sv,         "]"sv,      "[]"sv,      "[::1"sv,       "::1]"sv,         "[::1]]"sv,
          "[[::1]]"sv,  "[1.2.3.4]"sv, "[a]"sv,    "[:::1]"sv,  "[::1%eth0]"sv, "[::1%25eth0]"sv, "[fe80::1%1]"sv,
          "[v1.a:b]"sv, "[::1 ]"sv,    "a[::1]"sv, "http://a"sv}) {
        GuardedBytes input(value);
        HostPort host;
        if (parse_host(input.view(), host) != Status::malformed) {
            print_error("accepted: %.*s\n", static_cast<int>(value.size()), value.data());
            _fail(__FILE__, __LINE__);
        }
    }
}

void a_name_has_an_end(void**) {
    char bytes[300];
    memset(bytes, 'a', sizeof bytes);
    HostPort host;
    check_status(parse_host({bytes, 255}, host), Status::ok);
    check_status(parse_host({bytes, 256}, host), Status::malformed);
}

// One configuration, as large as it is.
Settings settings;

SiteSettings& add_site() {
    assert_true(settings.sites.push_back(SiteSettings()));
    return settings.sites[settings.sites.size() - 1];
}

void check_site(std::string_view value, size_t expected, std::string_view machine_name = "box",
                const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    HostPort host;
    if (!value.empty()) {
        check_status(parse_host(value, host), Status::ok, file, line);
    }
    const Result<size_t> site = find_site(settings, host, machine_name);
    check_status(site.status(), expected == nowhere ? Status::not_found : Status::ok, file, line);
    if (site.ok() && site.value() != expected) {
        print_error("site %zu is not %zu\n", site.value(), expected);
        _fail(file, line);
    }
}

int forget_sites(void**) {
    settings.sites.clear();
    return 0;
}

void a_single_site_without_hosts_takes_any(void**) {
    add_site();
    check_site("rebound.example", 0);
    check_site("10.0.0.1", 0);
    check_site("", 0);
}

void listed_hosts_keep_strangers_out(void**) {
    assert_true(add_site().hosts.push_back("Router.Lan"));
    check_site("router.lan", 0);
    check_site("ROUTER.LAN:8080", 0);
    check_site("router.lan.", 0);
    check_site("router.lan.evil.example", nowhere);
    check_site("evil-router.lan", nowhere);
    check_site("router", nowhere);
    check_site("rebound.example", nowhere);
    check_site("", nowhere);
}

void addresses_and_own_names_reach_the_default_site(void**) {
    assert_true(add_site().hosts.push_back("router.lan"));
    assert_true(add_site().hosts.push_back("other.lan"));
    for (const std::string_view value : {"192.168.1.1", "[fe80::1]", "203.0.113.9:8080", "localhost", "LocalHost:80",
                                         "box", "BOX.local", "box.lan", "box."}) {
        check_site(value, 0);
    }
    for (const std::string_view value :
         {"box.example", "box.local.example", "boxx", "xbox", "bo", "a.box", "a.localhost", "box.lann", "127.1"}) {
        check_site(value, nowhere);
    }
    check_site("other.lan", 1);
}

void the_machine_may_have_a_full_name_or_none(void**) {
    assert_true(add_site().hosts.push_back("router.lan"));
    check_site("gate.home.example", 0, "gate.home.example");
    check_site("gate", 0, "Gate.home.example");
    check_site("gate.local", 0, "gate.home.example");
    check_site("gate.home", nowhere, "gate.home.example");
    check_site("gate", nowhere, "");
    check_site("", nowhere, "");
    check_site("lan", nowhere, "");
}

void several_sites_without_hosts_take_no_strangers(void**) {
    add_site();
    add_site();
    check_site("rebound.example", nowhere);
    check_site("10.0.0.1", 0);
}

void a_wildcard_takes_every_name_below_it(void**) {
    assert_true(add_site().hosts.push_back("router.lan"));
    assert_true(add_site().hosts.push_back("*.Local"));
    check_site("a.local", 1);
    check_site("A.B.LOCAL", 1);
    check_site("local", nowhere);
    check_site("alocal", nowhere);
    check_site("a.local.example", nowhere);
    check_site("box.local", 1);  // listed, so before the machine's own names
}

void the_closest_entry_wins(void**) {
    assert_true(add_site().hosts.push_back("*"));
    assert_true(add_site().hosts.push_back("*.lan"));
    assert_true(add_site().hosts.push_back("*.home.lan"));
    assert_true(add_site().hosts.push_back("a.home.lan"));
    assert_true(add_site().hosts.push_back("a.home.lan"));
    check_site("a.home.lan", 3);
    check_site("b.home.lan", 2);
    check_site("home.lan", 1);
    check_site("x.example", 0);
    check_site("10.0.0.1", 0);
    check_site("", 0);
}

void addresses_can_be_listed(void**) {
    assert_true(add_site().hosts.push_back("router.lan"));
    SiteSettings& site = add_site();
    assert_true(site.hosts.push_back("10.0.0.1"));
    assert_true(site.hosts.push_back("*.2"));
    check_site("10.0.0.1:81", 1);
    check_site("10.0.0.2", 0);
}

void no_site_is_no_site(void**) {
    check_site("10.0.0.1", nowhere);
}

}  // namespace
}  // namespace fcgate::route

int main() {
    using namespace fcgate::route;
    const CMUnitTest tests[] = {
        cmocka_unit_test(names_are_taken_apart),
        cmocka_unit_test(ports_are_checked),
        cmocka_unit_test(addresses_are_known_as_such),
        cmocka_unit_test(anything_else_is_malformed),
        cmocka_unit_test(a_name_has_an_end),
        cmocka_unit_test_setup(a_single_site_without_hosts_takes_any, forget_sites),
        cmocka_unit_test_setup(listed_hosts_keep_strangers_out, forget_sites),
        cmocka_unit_test_setup(addresses_and_own_names_reach_the_default_site, forget_sites),
        cmocka_unit_test_setup(the_machine_may_have_a_full_name_or_none, forget_sites),
        cmocka_unit_test_setup(several_sites_without_hosts_take_no_strangers, forget_sites),
        cmocka_unit_test_setup(a_wildcard_takes_every_name_below_it, forget_sites),
        cmocka_unit_test_setup(the_closest_entry_wins, forget_sites),
        cmocka_unit_test_setup(addresses_can_be_listed, forget_sites),
        cmocka_unit_test_setup(no_site_is_no_site, forget_sites),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
