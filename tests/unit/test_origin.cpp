#include "route/origin.hpp"
#include "test_support.hpp"

using fcgate::Field;
using fcgate::RequestHead;

namespace {

struct Case {
    bool is_foreign;
    std::string_view method;
    std::string_view host;
    std::string_view fetch_site;  // empty: the field is not there
    std::string_view origin;
};

constexpr Case cases[] = {
    // No browser, or an old one: curl, scripts, the panel's own tools.
    {false, "POST", "router.lan", "", ""},
    // What changes nothing may come from anywhere: links lead here.
    {false, "GET", "router.lan", "cross-site", "http://evil.example"},
    {false, "HEAD", "router.lan", "cross-site", ""},
    {false, "OPTIONS", "router.lan", "cross-site", "http://evil.example"},
    // Sec-Fetch-Site decides where it is.
    {false, "POST", "router.lan", "same-origin", ""},
    {false, "POST", "router.lan", "none", ""},
    {false, "POST", "router.lan", "Same-Origin", ""},
    {true, "POST", "router.lan", "cross-site", ""},
    {true, "POST", "router.lan", "same-site", ""},
    {true, "POST", "router.lan", "nonsense", ""},
    {true, "PUT", "router.lan", "cross-site", "http://router.lan"},
    {true, "DELETE", "router.lan", "cross-site", ""},
    {true, "BREW", "router.lan", "cross-site", ""},
    {true, "get", "router.lan", "cross-site", ""},  // methods are told apart by case
    {false, "POST", "192.168.1.1", "same-origin", "null"},
    // Origin where it is not.
    {false, "POST", "router.lan", "", "http://router.lan"},
    {false, "POST", "Router.LAN", "", "http://router.lan"},
    {false, "POST", "router.lan:8080", "", "http://router.lan:8080"},
    {false, "POST", "router.lan:80", "", "http://router.lan"},
    {false, "POST", "router.lan", "", "https://router.lan:443"},
    {false, "POST", "[::1]:8080", "", "http://[::1]:8080"},
    {true, "POST", "router.lan", "", "http://evil.example"},
    {true, "POST", "router.lan", "", "http://router.lan.evil.example"},
    {true, "POST", "router.lan", "", "http://evil.example/router.lan"},
    {true, "POST", "router.lan", "", "http://router.lan:8080"},
    {true, "POST", "router.lan:8080", "", "http://router.lan"},
    {true, "POST", "router.lan", "", "https://router.lan:80"},
    {true, "POST", "router.lan", "", "null"},
    {true, "POST", "router.lan", "", "http://"},
    {true, "POST", "", "", "http://"},
    {true, "POST", "router.lan", "", "router.lan"},
    {true, "POST", "router.lan", "", "ftp://router.lan"},
    {true, "POST", "router.lan", "", "http://x@router.lan"},
    {true, "POST", "", "", "http://router.lan"},
};

void foreign_is_who_comes_from_elsewhere(void** /*state*/) {
    for (const Case& one : cases) {
        Field fields[2];
        size_t count = 0;
        if (!one.fetch_site.empty()) {
            fields[count++] = {"sec-fetch-site", one.fetch_site};
        }
        if (!one.origin.empty()) {
            fields[count++] = {"Origin", one.origin};
        }
        RequestHead head;
        head.method = one.method;
        head.host = one.host;
        head.fields = {fields, count};
        if (fcgate::route::is_foreign(head) != one.is_foreign) {
            print_error("%.*s to %.*s from %.*s%.*s\n", static_cast<int>(one.method.size()), one.method.data(),
                        static_cast<int>(one.host.size()), one.host.data(), static_cast<int>(one.fetch_site.size()),
                        one.fetch_site.data(), static_cast<int>(one.origin.size()), one.origin.data());
            _fail(__FILE__, __LINE__);
        }
    }
}

void every_field_of_a_name_counts(void** /*state*/) {
    const Field sites[] = {{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "cross-site"}};
    const Field origins[] = {{"Origin", "http://router.lan"}, {"Origin", "http://evil.example"}};
    RequestHead head;
    head.method = "POST";
    head.host = "router.lan";
    head.fields = sites;
    assert_true(fcgate::route::is_foreign(head));
    head.fields = origins;
    assert_true(fcgate::route::is_foreign(head));
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(foreign_is_who_comes_from_elsewhere),
        cmocka_unit_test(every_field_of_a_name_counts),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
