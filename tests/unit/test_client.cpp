#include <array>

#include "route/client.hpp"
#include "test_support.hpp"

namespace fcgate::route {
namespace {

using test::check_text;

Endpoint address(std::string_view text) {
    const Result<Endpoint> parsed = Endpoint::parse_ip(text, 4711);
    assert_true(parsed.ok());
    return parsed.value();
}

void must_set(Settings& settings, std::string_view name, std::string_view value) {
    ConfigError error;
    test::check_status(settings.set(name, value, error), Status::ok);
}

// A site behind two proxies, 127.0.0.1 and 10.0.0.0/8.
struct BehindProxies {
    BehindProxies() { must_set(settings, "site.trusted_proxy", "127.0.0.1 10.0.0.0/8"); }

    Asker ask(std::string_view client, std::span<const Field> fields) {
        return find_asker(settings.sites[0], address(client), false, fields);
    }
    // Through the proxy on this machine, with one X-Forwarded-For.
    void names(std::string_view forwarded_for, std::string_view expected) {
        const Field field{"x-forwarded-for", forwarded_for};
        Text<64> shown;
        ask("127.0.0.1", {&field, 1}).address.print_address(shown);
        check_text(shown.view(), expected);
    }

    Settings settings;
};

void only_a_trusted_proxy_is_believed(void** /*state*/) {
    BehindProxies site;
    const Field fields[] = {{"X-Forwarded-For", "203.0.113.9"}, {"X-Forwarded-Proto", "https"}};
    const Asker stranger = site.ask("192.0.2.7", fields);
    Text<64> shown;
    stranger.address.print(shown);
    check_text(shown.view(), "192.0.2.7:4711");
    assert_false(stranger.is_https);
    assert_false(stranger.is_proxied);

    const Asker proxied = site.ask("127.0.0.1", fields);
    shown.clear();
    proxied.address.print(shown);
    check_text(shown.view(), "203.0.113.9:0");
    assert_true(proxied.is_https);
    assert_true(proxied.is_proxied);
}

void the_search_goes_from_the_end_past_trusted_proxies(void** /*state*/) {
    BehindProxies site;
    site.names("203.0.113.9", "203.0.113.9");
    site.names("6.6.6.6, 203.0.113.9", "203.0.113.9");
    site.names("6.6.6.6, 203.0.113.9, 10.1.1.1,10.2.2.2", "203.0.113.9");
    site.names("10.1.1.1", "10.1.1.1");
    site.names("2001:db8::1", "2001:db8::1");
}

void addresses_may_have_ports_and_brackets(void** /*state*/) {
    BehindProxies site;
    site.names("203.0.113.9:8080", "203.0.113.9");
    site.names("[2001:db8::1]:443", "2001:db8::1");
    site.names("[2001:db8::1]", "2001:db8::1");
    site.names("::ffff:203.0.113.9", "203.0.113.9");
}

void what_is_no_address_ends_the_search(void** /*state*/) {
    BehindProxies site;
    for (const std::string_view text : {"", " ", "unknown", "203.0.113.9, unknown", "203.0.113.9,", "[2001:db8::1",
                                        "[2001:db8::1]x", "fe80::1%lo", "203.0.113.9, 1.2.3", "_hidden", "localhost"}) {
        site.names(text, "127.0.0.1");
    }
    site.names("203.0.113.9, bad, 10.1.1.1", "10.1.1.1");
}

void several_fields_are_one_list(void** /*state*/) {
    BehindProxies site;
    const Field fields[] = {{"X-Forwarded-For", "6.6.6.6, 203.0.113.9"},
                            {"X-Forwarded-Proto", "http"},
                            {"X-Forwarded-For", "10.1.1.1"},
                            {"X-Forwarded-Proto", "http, HTTPS"}};
    const Asker asker = site.ask("127.0.0.1", fields);
    Text<64> shown;
    asker.address.print_address(shown);
    check_text(shown.view(), "203.0.113.9");
    assert_true(asker.is_https);
}

void a_proxy_that_says_nothing_changes_nothing(void** /*state*/) {
    BehindProxies site;
    const Asker asker = site.ask("10.3.3.3", {});
    Text<64> shown;
    asker.address.print(shown);
    check_text(shown.view(), "10.3.3.3:4711");
    assert_false(asker.is_https);
    assert_true(asker.is_proxied);
    assert_true(find_asker(site.settings.sites[0], address("10.3.3.3"), true, {}).is_https);
}

void proxies_of_any_site_are_known(void** /*state*/) {
    BehindProxies site;
    must_set(site.settings, "site:b.trusted_proxy", "192.0.2.0/24");
    assert_true(is_trusted_proxy(site.settings, address("10.0.0.1")));
    assert_true(is_trusted_proxy(site.settings, address("192.0.2.1")));
    assert_false(is_trusted_proxy(site.settings, address("192.0.3.1")));
}

struct Rules {
    explicit Rules(std::initializer_list<Pair> rules) {
        must_set(settings, "site.root", "/www");
        for (const Pair& rule : rules) {
            Text<32> name("site.");
            must_set(settings, name.append(rule.name).view(), rule.value);
        }
    }
    bool let_in(std::string_view client) { return may_ask(settings.sites[0], address(client)); }

    Settings settings;
};

void without_rules_everybody_may_ask(void** /*state*/) {
    assert_true(Rules({}).let_in("203.0.113.9"));
}

void the_first_match_in_order_decides(void** /*state*/) {
    Rules rules({{"deny", "192.168.1.7"}, {"allow", "192.168.1.0/24 2001:db8::/32"}, {"deny", "all"}});
    assert_false(rules.let_in("192.168.1.7"));
    assert_true(rules.let_in("192.168.1.8"));
    assert_true(rules.let_in("2001:db8::9"));
    assert_false(rules.let_in("192.168.2.8"));

    Rules reversed({{"allow", "192.168.1.0/24"}, {"deny", "192.168.1.7"}});
    assert_true(reversed.let_in("192.168.1.7"));
}

void any_allow_implies_a_last_deny(void** /*state*/) {
    Rules rules({{"allow", "private"}});
    assert_true(rules.let_in("10.1.1.1"));
    assert_true(rules.let_in("::1"));
    assert_false(rules.let_in("203.0.113.9"));
    Rules only_denies({{"deny", "10.0.0.0/8"}});
    assert_false(only_denies.let_in("10.1.1.1"));
    assert_true(only_denies.let_in("203.0.113.9"));
}

}  // namespace
}  // namespace fcgate::route

int main() {
    using namespace fcgate::route;
    const CMUnitTest tests[] = {
        cmocka_unit_test(only_a_trusted_proxy_is_believed),
        cmocka_unit_test(the_search_goes_from_the_end_past_trusted_proxies),
        cmocka_unit_test(addresses_may_have_ports_and_brackets),
        cmocka_unit_test(what_is_no_address_ends_the_search),
        cmocka_unit_test(several_fields_are_one_list),
        cmocka_unit_test(a_proxy_that_says_nothing_changes_nothing),
        cmocka_unit_test(proxies_of_any_site_are_known),
        cmocka_unit_test(without_rules_everybody_may_ask),
        cmocka_unit_test(the_first_match_in_order_decides),
        cmocka_unit_test(any_allow_implies_a_last_deny),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
