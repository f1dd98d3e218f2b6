#include "base/network.hpp"
#include "test_support.hpp"

using namespace fcgate;

namespace {

Endpoint address(std::string_view text) {
    const Result<Endpoint> parsed = Endpoint::parse_ip(text, 1);
    assert_true(parsed.ok());
    return parsed.value();
}

bool holds(std::string_view network, std::string_view member) {
    const Result<Network> parsed = Network::parse(network);
    test::check_status(parsed.status(), Status::ok);
    test::check_text(parsed.value().text(), network);
    return parsed.value().contains(address(member));
}

void a_prefix_holds_what_shares_its_bits(void** /*state*/) {
    assert_true(holds("192.168.1.0/24", "192.168.1.0"));
    assert_true(holds("192.168.1.0/24", "192.168.1.255"));
    assert_false(holds("192.168.1.0/24", "192.168.2.0"));
    assert_true(holds("172.16.0.0/12", "172.31.255.255"));
    assert_false(holds("172.16.0.0/12", "172.32.0.0"));
    assert_true(holds("10.1.2.4/31", "10.1.2.5"));
    assert_false(holds("10.1.2.4/31", "10.1.2.6"));
    assert_true(holds("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(holds("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(holds("2001:db8::1/128", "2001:db8::1"));
    assert_false(holds("2001:db8::1/128", "2001:db8::2"));
}

void a_prefix_of_zero_holds_its_family(void** /*state*/) {
    assert_true(holds("0.0.0.0/0", "203.0.113.9"));
    assert_false(holds("0.0.0.0/0", "2001:db8::1"));
    assert_true(holds("::/0", "2001:db8::1"));
    assert_false(holds("::/0", "203.0.113.9"));
}

void an_address_alone_holds_itself(void** /*state*/) {
    assert_true(holds("127.0.0.1", "127.0.0.1"));
    assert_false(holds("127.0.0.1", "127.0.0.2"));
    assert_true(holds("::1", "::1"));
    assert_false(holds("::1", "::2"));
}

void bits_behind_the_prefix_are_ignored(void** /*state*/) {
    assert_true(holds("192.168.1.77/24", "192.168.1.5"));
    assert_true(holds("fe80::1234/10", "febf::1"));
    assert_false(holds("fe80::1234/10", "fec0::1"));
}

void mapped_addresses_are_ipv4(void** /*state*/) {
    assert_true(holds("::ffff:10.0.0.0/104", "10.200.0.1"));
    assert_true(holds("10.0.0.0/8", "::ffff:10.1.1.1"));
    assert_false(Network::parse("::ffff:10.0.0.0/95").ok());
}

void private_is_what_no_stranger_has(void** /*state*/) {
    for (const std::string_view member : {"10.0.0.1", "172.16.0.1", "172.31.0.1", "192.168.0.1", "127.0.0.1",
                                          "169.254.7.7", "fc00::1", "fdff::1", "fe80::1", "febf::1", "::1"}) {
        assert_true(holds("private", member));
    }
    for (const std::string_view stranger :
         {"9.255.255.255", "11.0.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "192.167.0.1", "169.253.0.1",
          "128.0.0.1", "fe00::1", "fec0::1", "2001:db8::1", "::2", "::"}) {
        assert_false(holds("private", stranger));
    }
}

void unix_sockets_have_a_word_of_their_own(void** /*state*/) {
    sockaddr_storage storage{};
    storage.ss_family = AF_UNIX;
    const Endpoint local(storage, sizeof storage.ss_family);
    assert_true(Network::parse("unix").value().contains(local));
    assert_false(Network::parse("unix").value().contains(address("127.0.0.1")));
    assert_true(Network::parse("all").value().contains(local));
    for (const std::string_view network : {"private", "0.0.0.0/0", "::/0", "127.0.0.1"}) {
        assert_false(Network::parse(network).value().contains(local));
    }
}

void all_holds_everybody_and_none_nobody(void** /*state*/) {
    assert_true(holds("all", "203.0.113.9"));
    assert_true(holds("all", "2001:db8::1"));
    assert_false(Network().contains(address("127.0.0.1")));
}

void anything_else_is_malformed(void** /*state*/) {
    for (const std::string_view text :
         {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0/8", "10",
          "::/129", "fe80::1%lo/64", "fe80::1%1", "router.lan", "Private", "ALL", "10.0.0.0/8 ",
          "10.0.0.0/99999999999999999999", "10.0.0.0/255.0.0.0"}) {
        test::check_status(Network::parse(text).status(), Status::malformed);
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_holds_what_shares_its_bits),
        cmocka_unit_test(a_prefix_of_zero_holds_its_family),
        cmocka_unit_test(an_address_alone_holds_itself),
        cmocka_unit_test(bits_behind_the_prefix_are_ignored),
        cmocka_unit_test(mapped_addresses_are_ipv4),
        cmocka_unit_test(private_is_what_no_stranger_has),
        cmocka_unit_test(unix_sockets_have_a_word_of_their_own),
        cmocka_unit_test(all_holds_everybody_and_none_nobody),
        cmocka_unit_test(anything_else_is_malformed),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
