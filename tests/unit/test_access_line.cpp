#include <cstdlib>

#include "base/features.hpp"
#include "base/limits.hpp"
#include "server/access_line.hpp"
#include "test_support.hpp"

using fcgate::Endpoint;
using fcgate::Finished;
using fcgate::operator""_p;
using fcgate::server::access_form;
using fcgate::server::AccessForm;
using fcgate::test::check_text;
using Line = fcgate::Text<fcgate::limits::access_line>;

namespace {

constexpr AccessForm forms[] = {AccessForm::common, AccessForm::combined, AccessForm::json};
constexpr timespec noon = {1'790'000'000, 7'000'000};  // 2026-09-21 14:13:20 UTC

Finished an_answer(const Endpoint& client) {
    Finished finished{.client = client, .asker = client};
    finished.method = "GET";
    finished.target = "/a.php?x=1";
    finished.version = "HTTP/1.1";
    finished.status = 200;
    finished.bytes = 1234;
    finished.request_ms = 1305;
    finished.backend_ms = 300;
    finished.queue_ms = 0;
    finished.backend = "unix:/run/php.sock";
    return finished;
}

Endpoint address(const char* text) {
    return Endpoint::parse_ip(text, 1).value();
}

void lines_are_what_the_manual_says(void** /*state*/) {
    const Endpoint client = address("192.0.2.7");
    const Endpoint proxy = address("::1");
    Finished finished = an_answer(client);
    Line common;
    append_access_line(common, AccessForm::common, finished, noon);
    check_text(common.view(),
               "192.0.2.7 - - [21/Sep/2026:14:13:20 +0000] \"GET /a.php?x=1 HTTP/1.1\" 200 1234"
               " rt=1.305 bt=0.300 qt=0.000 backend=unix:/run/php.sock cause=-\n");
    finished.user_agent = "curl/8 \"x\"";
    finished.backend_ms = finished.queue_ms = -1;
    finished.backend = {};
    finished.status = 404;
    finished.cause = "not-found"_p;
    Line combined;
    append_access_line(combined, AccessForm::combined, finished, noon);
    check_text(combined.view(),
               "192.0.2.7 - - [21/Sep/2026:14:13:20 +0000] \"GET /a.php?x=1 HTTP/1.1\" 404 1234"
               " \"-\" \"curl/8 \\x22x\\x22\" rt=1.305 bt=- qt=- backend=- cause=not-found\n");
    Finished behind{.client = proxy, .asker = client};
    behind.status = 499;
    behind.is_whole = false;
    behind.site = "panel";
    behind.target = "/\xff\n";
    Line json;
    append_access_line(json, AccessForm::json, behind, noon);
    Line expected;
    expected.append("{\"time\":\"2026-09-21T14:13:20.007Z\",\"client\":\"192.0.2.7\",\"proxy\":\"::1\",");
    expected.append(fcgate::features::auth ? "\"user\":null," : "");
    expected.append(
        "\"site\":\"panel\","
        "\"method\":null,\"target\":\"/\\u00ff\\u000a\",\"protocol\":null,\"status\":499,\"bytes\":0,"
        "\"request_ms\":0,\"backend_ms\":null,\"queue_ms\":null,\"backend\":null,\"cause\":null,"
        "\"referer\":null,\"user_agent\":null,\"whole\":false}\n");
    check_text(json.view(), expected.view());
    Line none;
    Finished turned_away{.client = client, .asker = client};
    turned_away.status = 503;
    append_access_line(none, AccessForm::common, turned_away, noon);
    check_text(none.view(),
               "192.0.2.7 - - [21/Sep/2026:14:13:20 +0000] \"-\" 503 0 rt=0.000 bt=- qt=- backend=- cause=-\n");
}

// Whatever a client puts where: one line, printable, and its quotes are fcgate's own.
void every_byte_is_escaped(void** /*state*/) {
    constexpr size_t in_json = fcgate::features::auth ? 52 : 50;
    const Endpoint client = address("192.0.2.7");
    for (const AccessForm form : forms) {
        Line plain;
        append_access_line(plain, form, an_answer(client), noon);
        for (unsigned byte = 0; byte < 256; ++byte) {
            const char one = static_cast<char>(byte);
            Finished finished = an_answer(client);
            finished.method = finished.target = finished.referer = finished.user_agent = {&one, 1};
            Line line;
            append_access_line(line, form, finished, noon);
            assert_true(line.ok());
            size_t quotes = 0;
            for (size_t i = 0; i + 1 < line.size(); ++i) {
                const char c = line.view()[i];
                assert_true(c >= 0x20 && c < 0x7f);
                quotes += c == '"' ? 1U : 0U;
                if (c == '\\' && form == AccessForm::json) {
                    assert_true(fcgate::starts_with(fcgate::slice(line.view(), i), "\\u00"));
                    assert_true(fcgate::hex_value(line.view()[i + 4]) >= 0 &&
                                fcgate::hex_value(line.view()[i + 5]) >= 0);
                }
            }
            assert_true(line.view().back() == '\n');
            const size_t expected = form == AccessForm::common ? 2 : (form == AccessForm::combined ? 6 : in_json);
            assert_int_equal(quotes, expected);
        }
    }
}

void the_longest_line_fits(void** /*state*/) {
    static char junk[9000];
    memset(junk, 0x80, sizeof junk);
    const Endpoint client = address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    const Endpoint proxy = address("eeee:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    Finished finished{.client = proxy, .asker = client};
    finished.site = finished.method = finished.target = finished.version = finished.user_agent = finished.referer =
        finished.backend = {junk, sizeof junk};
    finished.status = UINT16_MAX;
    finished.bytes = INT64_MAX;
    finished.request_ms = finished.backend_ms = finished.queue_ms = INT64_MAX;
    for (const AccessForm form : forms) {
        Line line;
        append_access_line(line, form, finished, noon);
        assert_true(line.ok());
        assert_true(line.view().back() == '\n');
        assert_true(line.view().find("...") != std::string_view::npos);
    }
}

void forms_have_names(void** /*state*/) {
    assert_true(access_form("common") == AccessForm::common);
    assert_true(access_form("combined") == AccessForm::combined);
    assert_true(access_form("json") == AccessForm::json);
}

}  // namespace

int main() {
    setenv("TZ", "UTC", 1);
    const CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_what_the_manual_says),
        cmocka_unit_test(every_byte_is_escaped),
        cmocka_unit_test(the_longest_line_fits),
        cmocka_unit_test(forms_have_names),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
