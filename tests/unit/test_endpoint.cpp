#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/endpoint.hpp"
#include "test_support.hpp"

namespace fcgate {
namespace {

using test::check_status;
using test::check_text;
using test::GuardedBytes;

Endpoint parsed(std::string_view text, uint16_t port = 80) {
    GuardedBytes input(text);
    const Result<Endpoint> result = Endpoint::parse_ip(input.view(), port);
    check_status(result.status(), Status::ok);
    return result.value();
}

void check_print(const Endpoint& endpoint, std::string_view address, std::string_view whole) {
    Text<96> out;
    endpoint.print_address(out);
    check_text(out.view(), address);
    out.clear();
    endpoint.print(out);
    check_text(out.view(), whole);
}

Endpoint from_ipv6(const char* text, uint16_t port, uint32_t scope) {
    sockaddr_storage storage{};
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    address.sin6_scope_id = scope;
    assert_int_equal(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
    memcpy(&storage, &address, sizeof address);
    return Endpoint(storage, sizeof address);
}

void nothing_is_no_endpoint(void**) {
    const Endpoint endpoint;
    assert_true(endpoint.kind() == Endpoint::Kind::none);
    assert_false(endpoint.is_ip());
    assert_false(endpoint.is_loopback());
    assert_true(endpoint.bytes().empty());
    check_print(endpoint, "", "");
}

void ipv4_is_parsed_and_printed(void**) {
    const Endpoint endpoint = parsed("192.168.1.20", 8080);
    assert_true(endpoint.kind() == Endpoint::Kind::ipv4);
    assert_int_equal(endpoint.port(), 8080);
    assert_int_equal(endpoint.bytes().size(), 4);
    assert_int_equal(endpoint.bytes()[3], 20);
    check_print(endpoint, "192.168.1.20", "192.168.1.20:8080");
}

void ipv6_is_parsed_and_printed(void**) {
    const Endpoint endpoint = parsed("2001:DB8:0:0::1", 65535);
    assert_true(endpoint.kind() == Endpoint::Kind::ipv6);
    assert_int_equal(endpoint.bytes().size(), 16);
    check_print(endpoint, "2001:db8::1", "[2001:db8::1]:65535");
    check_print(parsed("::", 0), "::", "[::]:0");
    check_print(parsed("0102:0304:0506:0708:090a:0b0c:13.14.15.16"), "102:304:506:708:90a:b0c:d0e:f10",
                "[102:304:506:708:90a:b0c:d0e:f10]:80");
}

// RFC 5952 section 4.2: what is left out is the first of the longest runs of zeros, and never one zero alone.
void ipv6_is_printed_in_its_one_form(void**) {
    for (const char* const text :
         {"::1", "1::", "1:2:3:4:5:6:7:0", "0:2:3:4:5:6:7:8", "1:0:3:0:5:0:7:0", "1:0:0:4::", "1::4:5:0:0:8",
          "1:0:0:4:5::", "0:0:3::", "::3:4:5:6:7:8", "1:2:3:4:5:6::", "2001:db8:0:1:1:1:1:1",
          "fe80::a00:27ff:fe4e:66a1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "1000:100:10:1::1000"}) {
        in6_addr bytes{};
        char expected[INET6_ADDRSTRLEN];
        assert_int_equal(inet_pton(AF_INET6, text, &bytes), 1);
        assert_non_null(inet_ntop(AF_INET6, &bytes, expected, sizeof expected));
        Text<48> out;
        parsed(text).print_address(out);
        check_text(out.view(), expected);
    }
}

void mapped_addresses_become_ipv4(void**) {
    check_print(parsed("::ffff:10.1.2.3"), "10.1.2.3", "10.1.2.3:80");
    const Endpoint endpoint = from_ipv6("::ffff:10.1.2.3", 4000, 0);
    assert_true(endpoint.kind() == Endpoint::Kind::ipv4);
    assert_int_equal(endpoint.bytes().size(), 4);
    check_print(endpoint, "10.1.2.3", "10.1.2.3:4000");
    assert_true(from_ipv6("::ffff:127.0.0.1", 1, 0).is_loopback());
    assert_true(endpoint.client_key() == parsed("10.1.2.3").client_key());
}

void a_scope_is_a_number_or_an_interface(void**) {
    const Endpoint endpoint = parsed("fe80::1%7");
    assert_int_equal(endpoint.scope(), 7);
    check_print(endpoint, "fe80::1", "[fe80::1%7]:80");
    check_status(Endpoint::parse_ip("fe80::1%no-such-if", 80).status(), Status::not_found);
    const unsigned loopback = if_nametoindex("lo");
    if (loopback != 0) {
        assert_int_equal(parsed("fe80::1%lo").scope(), loopback);
    }
    assert_int_equal(from_ipv6("fe80::1", 1, 3).scope(), 3);
}

void what_is_no_address_is_malformed(void**) {
    using namespace std::string_view_literals;
    for (const std::string_view text : {""sv,
                                        " "sv,
                                        "1"sv,
                                        "1.2.3"sv,
                                        "1.2.3.4.5"sv,
                                        "1.2.3.256"sv,
                                        "01.2.3.4"sv,
                                        "1.2.3.4 "sv,
                                        " 1.2.3.4"sv,
                                        "1.2.3.4%1"sv,
                                        "1.2.3.4:80"sv,
                                        "localhost"sv,
                                        "::1::"sv,
                                        ":::"sv,
                                        "1:2:3:4:5:6:7"sv,
                                        "1:2:3:4:5:6:7:8:9"sv,
                                        "12345::"sv,
                                        "[::1]"sv,
                                        "fe80::1%"sv,
                                        "fe80::1%0"sv,
                                        "fe80::1%4294967296"sv,
                                        "fe80::1%aninterfacenametoolong"sv,
                                        "%lo"sv,
                                        "::ffff:1.2.3.4%1"sv,
                                        "::1\0"sv,
                                        "1.2.3.4\0"sv,
                                        "fe80::1%\0"sv,
                                        "0000:0000:0000:0000:0000:0000:255.255.255.255.255.255"sv}) {
        GuardedBytes input(text);
        if (Endpoint::parse_ip(input.view(), 80).status() != Status::malformed) {
            print_error("accepted: %.*s\n", static_cast<int>(text.size()), text.data());
            _fail(__FILE__, __LINE__);
        }
    }
}

void socket_addresses_are_taken_with_their_length(void**) {
    sockaddr_storage storage{};
    storage.ss_family = AF_INET6;
    assert_true(Endpoint(storage, sizeof(sockaddr_in)).kind() == Endpoint::Kind::none);
    storage.ss_family = AF_INET;
    assert_true(Endpoint(storage, 2).kind() == Endpoint::Kind::none);
    assert_true(Endpoint(storage, sizeof(sockaddr_in)).kind() == Endpoint::Kind::ipv4);
    storage.ss_family = AF_UNIX;
    const Endpoint local(storage, sizeof(sa_family_t));  // what accept() tells of an unnamed peer
    assert_true(local.kind() == Endpoint::Kind::local);
    assert_false(local.is_ip());
    assert_false(local.is_loopback());
    check_print(local, "unix", "unix");
}

void loopback_is_known(void**) {
    for (const std::string_view text : {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"}) {
        assert_true(parsed(text).is_loopback());
    }
    for (const std::string_view text : {"126.0.0.1", "128.0.0.1", "::2", "::", "1::1", "fe80::1", "::127.0.0.1"}) {
        assert_false(parsed(text).is_loopback());
    }
}

void clients_are_told_apart(void**) {
    const auto same = [](std::string_view a, std::string_view b) {
        return parsed(a, 1).client_key() == parsed(b, 2).client_key();
    };
    assert_true(same("192.168.1.1", "192.168.1.1"));
    assert_false(same("192.168.1.1", "192.168.1.2"));
    assert_true(same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_false(same("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert_false(same("fe80::1%1", "fe80::2%1"));
    assert_false(same("fe80::1%1", "fe80::1%2"));
    assert_false(same("febf::1", "febf::2"));
    assert_true(same("fec0::1", "fec0::2"));
    assert_false(same("fd00::1", "fd00::2"));
    assert_false(same("fd00::1", "fd00:0:0:1::1"));
    assert_false(same("fc00::1", "fe80::1"));
    sockaddr_storage storage{};
    storage.ss_family = AF_UNIX;
    const uint64_t local = Endpoint(storage, sizeof(sa_family_t)).client_key();
    assert_false(local == parsed("0.0.0.0").client_key());
    assert_false(local == parsed("ff00::").client_key());
}

}  // namespace
}  // namespace fcgate

int main() {
    using namespace fcgate;
    const CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_no_endpoint),
        cmocka_unit_test(ipv4_is_parsed_and_printed),
        cmocka_unit_test(ipv6_is_parsed_and_printed),
        cmocka_unit_test(ipv6_is_printed_in_its_one_form),
        cmocka_unit_test(mapped_addresses_become_ipv4),
        cmocka_unit_test(a_scope_is_a_number_or_an_interface),
        cmocka_unit_test(what_is_no_address_is_malformed),
        cmocka_unit_test(socket_addresses_are_taken_with_their_length),
        cmocka_unit_test(loopback_is_known),
        cmocka_unit_test(clients_are_told_apart),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
