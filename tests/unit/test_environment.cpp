#include "environment_request.hpp"

using fcgate::Endpoint;
using fcgate::Field;
using fcgate::Pair;
using fcgate::Status;
using fcgate::fastcgi::ParamsWriter;
namespace cgi = fcgate::fastcgi::cgi;
using fcgate::test::check_status;
using fcgate::test::check_text;
using fcgate::test::DecodedParams;
using fcgate::test::EnvironmentRequest;
using fcgate::test::GuardedBytes;

namespace {

void has_the_variables_of_cgi(void** /*state*/) {
    EnvironmentRequest request;
    const DecodedParams env = request.environment();
    check_text(env.get("GATEWAY_INTERFACE"), "CGI/1.1");
    check_text(env.get("SERVER_PROTOCOL"), "HTTP/1.1");
    check_text(env.get("SERVER_SOFTWARE"), "fcgate/1.2.3");
    check_text(env.get("SERVER_NAME"), "router.lan");
    check_text(env.get("SERVER_ADDR"), "192.0.2.1");
    check_text(env.get("SERVER_PORT"), "8080");
    check_text(env.get("REMOTE_ADDR"), "192.0.2.7");
    check_text(env.get("REMOTE_PORT"), "51234");
    check_text(env.get("REQUEST_METHOD"), "GET");
    check_text(env.get("REQUEST_URI"), "/index.php?a=b");
    check_text(env.get("QUERY_STRING"), "a=b");
    check_text(env.get("DOCUMENT_ROOT"), "/www");
    check_text(env.get("DOCUMENT_URI"), "/index.php");
    check_text(env.get("SCRIPT_NAME"), "/index.php");
    check_text(env.get("SCRIPT_FILENAME"), "/www/index.php");
    check_text(env.get("REDIRECT_STATUS"), "200");
    check_text(env.get("REQUEST_SCHEME"), "http");
    assert_int_equal(env.count(), 17);
}

void http_1_0_and_an_empty_query_are_told(void** /*state*/) {
    EnvironmentRequest request;
    request.head.is_http_1_0 = true;
    request.head.target = "/";
    request.cgi.texts[cgi::query] = "";
    const DecodedParams env = request.environment();
    check_text(env.get("SERVER_PROTOCOL"), "HTTP/1.0");
    check_text(env.get("QUERY_STRING"), "");
    check_text(env.get("REQUEST_URI"), "/");
}

void https_is_told_only_with_tls(void** /*state*/) {
    EnvironmentRequest request;
    request.head.is_tls = true;
    const DecodedParams env = request.environment();
    check_text(env.get("HTTPS"), "on");
    check_text(env.get("REQUEST_SCHEME"), "https");
}

void behind_a_trusted_proxy_the_port_is_what_its_client_sees(void** /*state*/) {
    EnvironmentRequest request;
    request.head.is_proxied = true;
    check_text(request.environment().get("SERVER_PORT"), "80");
    request.head.is_tls = true;
    check_text(request.environment().get("SERVER_PORT"), "443");
    request.cgi.texts[cgi::host_port] = "8443";
    check_text(request.environment().get("SERVER_PORT"), "8443");
    request.head.is_proxied = false;
    check_text(request.environment().get("SERVER_PORT"), "8080");
}

void path_info_brings_its_translation(void** /*state*/) {
    EnvironmentRequest request;
    request.head.target = "/index.php/a%20b";
    request.cgi.texts[cgi::path_info] = "/a b";
    const DecodedParams env = request.environment();
    check_text(env.get("PATH_INFO"), "/a b");
    check_text(env.get("PATH_TRANSLATED"), "/www/a b");
    check_text(env.get("DOCUMENT_URI"), "/index.php/a b");
    check_text(env.get("SCRIPT_FILENAME"), "/www/index.php");
    check_text(env.get("REQUEST_URI"), "/index.php/a%20b");
}

void the_file_systems_root_may_be_the_document_root(void** /*state*/) {
    EnvironmentRequest request;
    request.cgi.texts[cgi::document_root] = "";
    const DecodedParams env = request.environment();
    check_text(env.get("DOCUMENT_ROOT"), "/");
    check_text(env.get("SCRIPT_FILENAME"), "/index.php");
}

void the_uri_of_an_absolute_target_is_its_path_and_query(void** /*state*/) {
    static constexpr struct {
        const char* target;
        const char* uri;
    } cases[] = {
        {"http://router.lan/a?b", "/a?b"},    {"HTTPS://router.lan:443/a/http://x/", "/a/http://x/"},
        {"http://router.lan", "/"},           {"http://router.lan?b=/c", "/?b=/c"},
        {"http://[2001:db8::1]:80/", "/"},    {"/http://router.lan/a", "/http://router.lan/a"},
        {"//router.lan/a", "//router.lan/a"}, {"*", "*"},
    };
    for (const auto& one : cases) {
        EnvironmentRequest request;
        request.head.target = one.target;
        check_text(request.environment().get("REQUEST_URI"), one.uri);
    }
}

void the_server_name_falls_back_to_the_local_address(void** /*state*/) {
    EnvironmentRequest request;
    request.cgi.texts[cgi::host_name] = "";
    check_text(request.environment().get("SERVER_NAME"), "192.0.2.1");
    request.head.local = Endpoint::parse_ip("2001:db8::1", 80).value();
    check_text(request.environment().get("SERVER_NAME"), "[2001:db8::1]");
    check_text(request.environment().get("SERVER_ADDR"), "2001:db8::1");
    request.cgi.texts[cgi::host_name] = "2001:db8::2";
    check_text(request.environment().get("SERVER_NAME"), "[2001:db8::2]");
    request.cgi.texts[cgi::host_name] = "[2001:db8::3]";
    check_text(request.environment().get("SERVER_NAME"), "[2001:db8::3]");
}

void a_unix_socket_has_the_port_of_its_scheme(void** /*state*/) {
    sockaddr_storage address{};
    address.ss_family = AF_UNIX;
    EnvironmentRequest request;
    request.head.local = Endpoint(address, sizeof(sa_family_t));
    request.head.client = Endpoint(address, sizeof(sa_family_t));
    request.cgi.texts[cgi::host_name] = "";
    check_text(request.environment().get("SERVER_NAME"), "localhost");
    check_text(request.environment().get("SERVER_PORT"), "80");
    check_text(request.environment().get("REMOTE_ADDR"), "unix");
    assert_false(request.environment().has("REMOTE_PORT"));
    request.head.is_tls = true;
    check_text(request.environment().get("SERVER_PORT"), "443");
}

void a_body_brings_its_length_and_type(void** /*state*/) {
    const Field fields[] = {{"content-type", "application/json"}, {"Content-Length", "17"}};
    EnvironmentRequest request;
    request.head.fields = fields;
    request.head.has_content_length = true;
    request.cgi.body_length = 18446744073709551615U;  // as spooled; what the client said does not matter
    const DecodedParams env = request.environment();
    check_text(env.get("CONTENT_LENGTH"), "18446744073709551615");
    check_text(env.get("CONTENT_TYPE"), "application/json");
    assert_false(env.has("HTTP_CONTENT_LENGTH"));
    assert_false(env.has("HTTP_CONTENT_TYPE"));
}

void an_empty_body_has_a_length(void** /*state*/) {
    EnvironmentRequest request;
    request.head.has_content_length = true;
    check_text(request.environment().get("CONTENT_LENGTH"), "0");
    request.head.has_content_length = false;
    request.head.is_chunked = true;
    check_text(request.environment().get("CONTENT_LENGTH"), "0");
}

void without_a_body_there_is_no_length(void** /*state*/) {
    const Field fields[] = {{"Content-Length", "17"}};
    const Pair params[] = {{"CONTENT_LENGTH", "5"}};
    EnvironmentRequest request;
    request.head.fields = fields;
    request.cgi.params = params;
    const DecodedParams env = request.environment();
    assert_false(env.has("CONTENT_LENGTH"));
    assert_false(env.has("CONTENT_TYPE"));
}

void configured_params_replace_and_add(void** /*state*/) {
    const Field fields[] = {{"X-Role", "admin"}, {"Accept", "a"}, {"x-role", "root"}, {"X-Role-2", "kept"}};
    const Pair params[] = {{"HTTPS", "on"},          {"SERVER_NAME", "first"}, {"HTTP_X_ROLE", "guest"},
                           {"SERVER_NAME", "panel"}, {"APP_ENV", "device"},    {"REMOTE_PORT", ""}};
    EnvironmentRequest request;
    request.head.fields = fields;
    request.cgi.params = params;
    const DecodedParams env = request.environment();
    check_text(env.get("HTTPS"), "on");
    check_text(env.get("SERVER_NAME"), "panel");
    check_text(env.get("HTTP_X_ROLE"), "guest");
    check_text(env.get("HTTP_X_ROLE_2"), "kept");
    check_text(env.get("APP_ENV"), "device");
    check_text(env.get("REMOTE_PORT"), "");
    check_text(env.get("HTTP_ACCEPT"), "a");
}

void a_configured_content_length_cannot_break_the_framing(void** /*state*/) {
    const Pair params[] = {{"CONTENT_LENGTH", "5"}};
    EnvironmentRequest request;
    request.cgi.params = params;
    request.head.is_chunked = true;
    request.cgi.body_length = 3;
    check_text(request.environment().get("CONTENT_LENGTH"), "3");
}

void a_storage_too_small_is_told(void** /*state*/) {
    const Field fields[] = {{"Cookie", "a=1"}, {"Cookie", "b=2"}};
    EnvironmentRequest request;
    request.head.fields = fields;
    GuardedBytes memory(2048);
    ParamsWriter measured(memory.bytes(2048), true);
    write_environment(request.cgi, measured);
    const size_t needed = measured.finish().value().size();
    for (size_t size = 0; size <= needed; ++size) {
        ParamsWriter writer(memory.bytes(size), true);
        write_environment(request.cgi, writer);
        check_status(writer.finish().status(), size == needed ? Status::ok : Status::too_large);
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(has_the_variables_of_cgi),
        cmocka_unit_test(http_1_0_and_an_empty_query_are_told),
        cmocka_unit_test(https_is_told_only_with_tls),
        cmocka_unit_test(behind_a_trusted_proxy_the_port_is_what_its_client_sees),
        cmocka_unit_test(path_info_brings_its_translation),
        cmocka_unit_test(the_file_systems_root_may_be_the_document_root),
        cmocka_unit_test(the_uri_of_an_absolute_target_is_its_path_and_query),
        cmocka_unit_test(the_server_name_falls_back_to_the_local_address),
        cmocka_unit_test(a_unix_socket_has_the_port_of_its_scheme),
        cmocka_unit_test(a_body_brings_its_length_and_type),
        cmocka_unit_test(an_empty_body_has_a_length),
        cmocka_unit_test(without_a_body_there_is_no_length),
        cmocka_unit_test(configured_params_replace_and_add),
        cmocka_unit_test(a_configured_content_length_cannot_break_the_framing),
        cmocka_unit_test(a_storage_too_small_is_told),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
