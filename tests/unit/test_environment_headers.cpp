#include "environment_request.hpp"

using fcgate::Field;
using fcgate::Status;
using fcgate::test::check_text;
using fcgate::test::DecodedParams;
using fcgate::test::EnvironmentRequest;

namespace {

void header_fields_become_variables(void** /*state*/) {
    const Field fields[] = {{"User-Agent", "curl/8"}, {"accept", "*/*"}, {"X-9", ""}, {"Authorization", "Basic eA=="}};
    EnvironmentRequest request;
    request.head.fields = fields;
    const DecodedParams env = request.environment();
    check_text(env.get("HTTP_USER_AGENT"), "curl/8");
    check_text(env.get("HTTP_ACCEPT"), "*/*");
    check_text(env.get("HTTP_X_9"), "");
    check_text(env.get("HTTP_AUTHORIZATION"), "Basic eA==");
}

// Scripts answer 304 themselves.
void conditions_are_for_the_script(void** /*state*/) {
    const Field fields[] = {
        {"If-Modified-Since", "today"}, {"If-Unmodified-Since", "never"}, {"If-None-Match", "\"x\""}};
    EnvironmentRequest request;
    request.head.fields = fields;
    const DecodedParams env = request.environment();
    check_text(env.get("HTTP_IF_MODIFIED_SINCE"), "today");
    check_text(env.get("HTTP_IF_UNMODIFIED_SINCE"), "never");
    check_text(env.get("HTTP_IF_NONE_MATCH"), "\"x\"");
}

void host_is_the_authority_of_the_request(void** /*state*/) {
    const Field fields[] = {{"Host", "other.lan"}};
    EnvironmentRequest request;
    request.head.fields = fields;
    request.head.host = "router.lan:8080";  // of an absolute target
    check_text(request.environment().get("HTTP_HOST"), "router.lan:8080");
    request.head.host = "";
    assert_false(request.environment().has("HTTP_HOST"));
}

void names_that_php_would_fold_onto_others_are_dropped(void** /*state*/) {
    const Field fields[] = {{"X_Real_IP", "1"}, {"X.Real.IP", "2"}, {"X-Real-IP", "3"}, {"X~Y", "4"},
                            {"", "5"},          {"X[Y", "6"},       {"X Y", "7"},       {"X-Y\xc3", "8"}};
    EnvironmentRequest request;
    request.head.fields = fields;
    const DecodedParams env = request.environment();
    check_text(env.get("HTTP_X_REAL_IP"), "3");
    assert_int_equal(env.count(), 17 + 1);
}

void a_client_cannot_set_variables_without_the_prefix(void** /*state*/) {
    const Field fields[] = {
        {"PHP_VALUE", "auto_prepend_file=/etc/passwd"},
        {"PHP-VALUE", "x"},
        {"PHP_ADMIN_VALUE", "x"},
        {"PHP-ADMIN-VALUE", "x"},
        {"SCRIPT-FILENAME", "x"},
        {"SCRIPT_FILENAME", "/etc/passwd"},
        {"DOCUMENT-ROOT", "/"},
        {"HTTPS", "on"},
        {"REMOTE-ADDR", "127.0.0.1"},
        {"REMOTE-USER", "root"},
        {"HTTP_HOST", "x"},
        {"FCGI-ROLE", "AUTHORIZER"},
    };
    EnvironmentRequest request;
    request.head.fields = fields;
    const DecodedParams env = request.environment();
    for (const char* name :
         {"PHP_VALUE", "PHP_ADMIN_VALUE", "HTTPS", "REMOTE_USER", "FCGI_ROLE", "HTTP_HOST", "HTTP_HTTP_HOST"}) {
        assert_false(env.has(name));
    }
    check_text(env.get("SCRIPT_FILENAME"), "/www/index.php");
    check_text(env.get("DOCUMENT_ROOT"), "/www");
    check_text(env.get("REMOTE_ADDR"), "192.0.2.7");
    check_text(env.get("HTTP_PHP_VALUE"), "x");
    check_text(env.get("HTTP_HTTPS"), "on");
}

void lengths_in_a_value_do_not_smuggle_a_variable(void** /*state*/) {
    const Field fields[] = {{"X", {"\x09\x01PHP_VALUE1", 12}}};
    EnvironmentRequest request;
    request.head.fields = fields;
    const DecodedParams env = request.environment();
    assert_false(env.has("PHP_VALUE"));
    check_text(env.get("HTTP_X"), {"\x09\x01PHP_VALUE1", 12});
}

void dangerous_fields_are_dropped(void** /*state*/) {
    const Field fields[] = {
        {"Proxy", "http://evil/"}, {"PROXY", "x"}, {"Redirect-Status", "200"}, {"Proxy-Status", "kept"}};
    EnvironmentRequest request;
    request.head.fields = fields;
    const DecodedParams env = request.environment();
    assert_false(env.has("HTTP_PROXY"));
    assert_false(env.has("HTTP_REDIRECT_STATUS"));
    check_text(env.get("HTTP_PROXY_STATUS"), "kept");
}

void hop_by_hop_fields_are_dropped_and_connection_has_no_power_over_others(void** /*state*/) {
    const Field fields[] = {
        {"Connection", "close, X-Real-IP, Cookie, Host, Authorization, X-Forwarded-For, Content-Type, Origin"},
        {"Keep-Alive", "5"},
        {"TE", "trailers"},
        {"Trailer", "X"},
        {"Transfer-Encoding", "chunked"},
        {"Upgrade", "websocket"},
        {"HTTP2-Settings", "AAMAAABk"},
        {"Proxy-Authorization", "Basic eA=="},
        {"Proxy-Connection", "close"},
        {"X-Real-IP", "192.0.2.9"},
        {"Cookie", "a=1"},
        {"Authorization", "Bearer t"},
        {"X-Forwarded-For", "192.0.2.9"},
        {"Content-Type", "text/plain"},
        {"Origin", "http://router.lan"},
    };
    EnvironmentRequest request;
    request.head.fields = fields;
    request.head.host = "router.lan";
    const DecodedParams env = request.environment();
    for (const char* name :
         {"HTTP_CONNECTION", "HTTP_KEEP_ALIVE", "HTTP_TE", "HTTP_TRAILER", "HTTP_TRANSFER_ENCODING", "HTTP_UPGRADE",
          "HTTP_HTTP2_SETTINGS", "HTTP_PROXY_AUTHORIZATION", "HTTP_PROXY_CONNECTION"}) {
        assert_false(env.has(name));
    }
    check_text(env.get("HTTP_HOST"), "router.lan");
    check_text(env.get("HTTP_X_REAL_IP"), "192.0.2.9");
    check_text(env.get("HTTP_COOKIE"), "a=1");
    check_text(env.get("HTTP_AUTHORIZATION"), "Bearer t");
    check_text(env.get("HTTP_X_FORWARDED_FOR"), "192.0.2.9");
    check_text(env.get("HTTP_ORIGIN"), "http://router.lan");
    check_text(env.get("CONTENT_TYPE"), "text/plain");
}

void repeated_fields_are_joined_in_order(void** /*state*/) {
    const Field fields[] = {{"Accept", "a"}, {"Cookie", "x=1"}, {"X-One", "1"},   {"ACCEPT", "b"},
                            {"cookie", ""},  {"accept", "c"},   {"Cookie", "y=2"}};
    EnvironmentRequest request;
    request.head.fields = fields;
    const DecodedParams env = request.environment();
    check_text(env.get("HTTP_ACCEPT"), "a, b, c");
    check_text(env.get("HTTP_COOKIE"), "x=1; ; y=2");
    check_text(env.get("HTTP_X_ONE"), "1");
}

void what_only_proxies_may_say_is_dropped_from_others(void** /*state*/) {
    const Field fields[] = {{"X-Forwarded-For", "1.2.3.4"},
                            {"X-FORWARDED-HOST", "a"},
                            {"Forwarded", "for=1"},
                            {"X-Real-IP", "1.2.3.4"},
                            {"X-Forward", "kept"}};
    EnvironmentRequest request;
    request.head.fields = fields;
    check_text(request.environment().get("HTTP_X_FORWARDED_FOR"), "1.2.3.4");
    request.cgi.drops_forwarded = true;
    const DecodedParams env = request.environment();
    assert_false(env.has("HTTP_X_FORWARDED_FOR"));
    assert_false(env.has("HTTP_X_FORWARDED_HOST"));
    assert_false(env.has("HTTP_FORWARDED"));
    assert_false(env.has("HTTP_X_REAL_IP"));
    check_text(env.get("HTTP_X_FORWARD"), "kept");
}

void as_many_fields_as_a_request_takes_are_told_apart(void** /*state*/) {
    // Two-letter names: many share the bit by which repeats are looked for.
    static char names[fcgate::limits::request_fields][2];
    static Field fields[fcgate::limits::request_fields];
    for (size_t i = 0; i < fcgate::limits::request_fields; ++i) {
        names[i][0] = static_cast<char>('A' + i % 10);
        names[i][1] = static_cast<char>('A' + i / 10 % 5);
        fields[i] = {{names[i], 2}, i < 50 ? "first" : "second"};
    }
    EnvironmentRequest request;
    request.head.fields = fields;
    const DecodedParams env = request.environment();
    size_t joined = 0;
    for (size_t i = 0; i < env.count(); ++i) {
        joined += env.value(i) == "first, second" ? 1U : 0U;
    }
    assert_int_equal(joined, 50);
}

// Names are looked at several characters at a time: each character counts, wherever it stands in a name of any length.
void every_character_of_a_name_is_looked_at(void** /*state*/) {
    for (size_t length = 1; length <= 20; ++length) {
        for (size_t at = 0; at < length; ++at) {
            for (int c = 0x21; c < 0x100; ++c) {
                char name[20];
                memset(name, 'x', sizeof name);
                name[at] = static_cast<char>(c);
                const bool is_plain =
                    fcgate::is_digit(name[at]) || c == '-' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
                const Field fields[] = {{{name, length}, "1"}};
                EnvironmentRequest request;
                request.head.fields = fields;
                const DecodedParams env = request.environment();
                assert_int_equal(env.count(), 17 + (is_plain ? 1 : 0));
                fcgate::Text<32> variable("HTTP_");
                for (const char character : std::string_view(name, length)) {
                    variable.append(fcgate::fastcgi::header_variable_character(character));
                }
                assert_int_equal(env.has(variable.view()), is_plain);
            }
        }
    }
}

void names_of_any_length_are_joined_whatever_their_case(void** /*state*/) {
    for (size_t length = 1; length <= 20; ++length) {
        char lower[20];
        char upper[20];
        memset(lower, 'x', sizeof lower);
        memset(upper, 'X', sizeof upper);
        const Field fields[] = {{{lower, length}, "1"}, {{upper, length}, "2"}};
        EnvironmentRequest request;
        request.head.fields = fields;
        const DecodedParams env = request.environment();
        assert_int_equal(env.count(), 17 + 1);
        fcgate::Text<32> variable("HTTP_");
        variable.append({upper, length});
        check_text(env.get(variable.view()), "1, 2");
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(header_fields_become_variables),
        cmocka_unit_test(conditions_are_for_the_script),
        cmocka_unit_test(host_is_the_authority_of_the_request),
        cmocka_unit_test(names_that_php_would_fold_onto_others_are_dropped),
        cmocka_unit_test(a_client_cannot_set_variables_without_the_prefix),
        cmocka_unit_test(lengths_in_a_value_do_not_smuggle_a_variable),
        cmocka_unit_test(dangerous_fields_are_dropped),
        cmocka_unit_test(hop_by_hop_fields_are_dropped_and_connection_has_no_power_over_others),
        cmocka_unit_test(repeated_fields_are_joined_in_order),
        cmocka_unit_test(every_character_of_a_name_is_looked_at),
        cmocka_unit_test(names_of_any_length_are_joined_whatever_their_case),
        cmocka_unit_test(what_only_proxies_may_say_is_dropped_from_others),
        cmocka_unit_test(as_many_fields_as_a_request_takes_are_told_apart),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
