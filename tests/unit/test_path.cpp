#include <array>

#include "base/limits.hpp"
#include "route/path.hpp"
#include "test_support.hpp"

namespace fcgate::route {
namespace {

using test::check_result;
using test::check_status;
using test::check_text;
using test::GuardedBytes;

// Input and output both end at an inaccessible page, and the output has room for the promise alone.
void check_path(std::string_view encoded, Status status, std::string_view expected = {},
                const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    GuardedBytes input(encoded);
    GuardedBytes output(encoded.size());
    const Result<std::string_view> result = normalise_path(input.view(), output.room(encoded.size()));
    if (status == Status::ok) {
        check_result(result, expected, file, line);
    } else {
        check_status(result.status(), status, file, line);
    }
}

void check_target(std::string_view text, std::string_view authority, std::string_view path, std::string_view query,
                  bool has_query, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    GuardedBytes input(text);
    Target target;
    check_status(split_target(input.view(), target), Status::ok, file, line);
    check_text(target.authority, authority, file, line);
    check_text(target.path, path, file, line);
    check_text(target.query, query, file, line);
    if (target.has_query != has_query || target.is_asterisk != (text == "*")) {
        print_error("has_query or is_asterisk\n");
        _fail(file, line);
    }
}

void origin_form_is_split_at_the_first_question_mark(void**) {
    check_target("/", "", "/", "", false);
    check_target("/a/b.php", "", "/a/b.php", "", false);
    check_target("/a?", "", "/a", "", true);
    check_target("/a?b=c", "", "/a", "b=c", true);
    check_target("/a?b?c=/../%00\\", "", "/a", "b?c=/../%00\\", true);
    check_target("/?", "", "/", "", true);
    check_target("//host/a", "", "//host/a", "", false);
    check_target("/http://host/a", "", "/http://host/a", "", false);
    check_target("/a:b@c", "", "/a:b@c", "", false);
}

void absolute_form_gives_the_authority(void**) {
    check_target("http://host/a?b", "host", "/a", "b", true);
    check_target("HTTPS://host:8443/", "host:8443", "/", "", false);
    check_target("http://[2001:db8::1]:80/a", "[2001:db8::1]:80", "/a", "", false);
    check_target("http://host", "host", "/", "", false);
    check_target("http://host?q", "host", "/", "q", true);
    check_target("http://host/a@b", "host", "/a@b", "", false);
    check_target("http://host?a@b/c", "host", "/", "a@b/c", true);
}

void the_asterisk_stands_for_itself(void**) {
    check_target("*", "", "*", "", false);
}

void other_targets_are_malformed(void**) {
    for (const std::string_view text : {"",
                                        "a",
                                        "a/b",
                                        "?",
                                        "?a",
                                        "**",
                                        "*?",
                                        "*/",
                                        "host:443",
                                        "http:",
                                        "http:/",
                                        "http:/host/",
                                        "http://",
                                        "http:///a",
                                        "http://?a",
                                        "http://user@host/",
                                        "http://user:pass@host/a",
                                        "http://@host/",
                                        "ftp://host/a",
                                        "/a#b",
                                        "#",
                                        "http://host/#a",
                                        "/a b",
                                        " /a",
                                        "/a ",
                                        "/a\tb",
                                        "/a\rb",
                                        "/a\nb",
                                        "/a\x7f",
                                        "/\x80",
                                        "/\xc3\xa4",
                                        "/a?\xff",
                                        "javascript:alert(1)"}) {
        GuardedBytes input(text);
        Target target;
        if (split_target(input.view(), target) != Status::malformed) {
            print_error("accepted: %.*s\n", static_cast<int>(text.size()), text.data());
            _fail(__FILE__, __LINE__);
        }
    }
}

void a_nul_in_the_target_is_malformed(void**) {
    using namespace std::string_view_literals;
    Target target;
    check_status(split_target("/a\0b"sv, target), Status::malformed);
    check_status(split_target("\0"sv, target), Status::malformed);
}

void plain_paths_stay_as_they_are(void**) {
    check_path("/", Status::ok, "/");
    check_path("/a", Status::ok, "/a");
    check_path("/a/", Status::ok, "/a/");
    check_path("/a/b.php/c", Status::ok, "/a/b.php/c");
    check_path("/a;v=1/b,c&d=e+f~!$'()*:@", Status::ok, "/a;v=1/b,c&d=e+f~!$'()*:@");
    check_path("/...", Status::ok, "/...");
    check_path("/.a/..b/c./d..", Status::ok, "/.a/..b/c./d..");
}

void escapes_are_decoded_once(void**) {
    using namespace std::string_view_literals;
    check_path("/%61%2Eb", Status::ok, "/a.b");
    check_path("/%7e%7E", Status::ok, "/~~");
    check_path("/a%20b", Status::ok, "/a b");
    check_path("/%25", Status::ok, "/%");
    check_path("/%2561", Status::ok, "/%61");
    check_path("/%252e%252e/a", Status::ok, "/%2e%2e/a");
    check_path("/%252f", Status::ok, "/%2f");
    check_path("/a%3Fb%23c", Status::ok, "/a?b#c");
    check_path("/%c3%a4", Status::ok, "/\xc3\xa4");
}

void bytes_that_are_no_utf8_stay_bytes(void**) {
    check_path("/%c0%ae%c0%ae/a", Status::ok, "/\xc0\xae\xc0\xae/a");
    check_path("/%ff%80", Status::ok, "/\xff\x80");
    check_path("/%c0%af", Status::ok, "/\xc0\xaf");
}

void broken_escapes_are_malformed(void**) {
    for (const std::string_view path :
         {"/%", "/%a", "/a%2", "/%zz", "/%2g", "/%g2", "/%%41", "/% 1", "/%-1", "/%0x41", "/%/a", "/a/%", "/%u002e"}) {
        check_path(path, Status::malformed);
    }
}

void control_bytes_and_backslashes_are_malformed(void**) {
    using namespace std::string_view_literals;
    for (const std::string_view path :
         {"/%00"sv, "/a.php%00.jpg"sv, "/%01"sv, "/%0a"sv, "/%0D%0A"sv, "/%09"sv, "/%1f"sv, "/%7f"sv, "/%7F"sv,
          "/a\\b"sv, "/%5c"sv, "/..%5C.."sv, "/a\0b"sv, "/a\nb"sv, "/\x7f"sv}) {
        check_path(path, Status::malformed);
    }
}

void an_encoded_slash_is_refused(void**) {
    for (const std::string_view path :
         {"/%2f", "/%2F", "/a%2fb", "/..%2f", "/..%2f..%2fetc/passwd", "/%2f%2f", "/a/%2e%2e%2fb"}) {
        check_path(path, Status::refused);
    }
}

void dot_segments_are_removed_wherever_they_stand(void**) {
    check_path("/.", Status::ok, "/");
    check_path("/./", Status::ok, "/");
    check_path("/./a", Status::ok, "/a");
    check_path("/a/.", Status::ok, "/a/");
    check_path("/a/./", Status::ok, "/a/");
    check_path("/a/./b", Status::ok, "/a/b");
    check_path("/a/..", Status::ok, "/");
    check_path("/a/../", Status::ok, "/");
    check_path("/a/../b", Status::ok, "/b");
    check_path("/a/b/..", Status::ok, "/a/");
    check_path("/a/b/../c/", Status::ok, "/a/c/");
    check_path("/a/b/../../c", Status::ok, "/c");
    check_path("/a/%2e%2E/b", Status::ok, "/b");
    check_path("/a/.%2e/b", Status::ok, "/b");
    check_path("/%2e/a", Status::ok, "/a");
    check_path("/a/./../b/./.././c", Status::ok, "/c");
}

void leaving_the_root_is_refused(void**) {
    for (const std::string_view path :
         {"/..", "/../", "/../a", "/a/../../b", "/a/b/../../../c", "/./..", "//..", "/%2e%2e", "/%2e./a",
          "/.%2E/etc/passwd", "/a/../..", "/../../../../etc/passwd"}) {
        check_path(path, Status::refused);
    }
}

void doubled_slashes_are_one(void**) {
    check_path("//", Status::ok, "/");
    check_path("////", Status::ok, "/");
    check_path("//a", Status::ok, "/a");
    check_path("/a//b///c//", Status::ok, "/a/b/c/");
    check_path("/a//../b", Status::ok, "/b");
    check_path("/a/b//..//c", Status::ok, "/a/c");
    check_path("//evil.example/%2e", Status::ok, "/evil.example/");
}

void what_does_not_start_with_a_slash_is_malformed(void**) {
    for (const std::string_view path : {"", "*", "a", "a/b", "%2fa", ".", ".."}) {
        check_path(path, Status::malformed);
    }
}

void a_buffer_too_small_is_told(void**) {
    std::array<char, 4> room{};
    check_status(normalise_path("/abcd", room).status(), Status::too_large);
    check_status(normalise_path("/abc/", room).status(), Status::too_large);
    check_result(normalise_path("/abc", room), "/abc");
    check_result(normalise_path("/.//./%61bc", room), "/abc");
    check_status(normalise_path("/", std::span<char>()).status(), Status::too_large);
}

void the_longest_target_is_taken(void**) {
    GuardedBytes input(limits::request_target);
    GuardedBytes output(limits::request_target);
    const std::span<char> bytes = input.room(limits::request_target);
    for (size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = i % 2 == 0 ? '/' : 'a';
    }
    const Result<std::string_view> path = normalise_path(input.view(), output.room(bytes.size()));
    check_status(path.status(), Status::ok);
    check_text(path.value(), input.view());
    for (size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = "/a/.."[i % 5];
    }
    check_result(normalise_path(slice(input.view(), 0, bytes.size() / 5 * 5), output.room(5)), "/");
}

void what_was_normalised_stays_so(void**) {
    for (const std::string_view path : {"/a//./b/../%41/", "/%7e/%20", "/x/y/../../z", "/.well-known//a"}) {
        std::array<char, 64> first{};
        std::array<char, 64> second{};
        const Result<std::string_view> once = normalise_path(path, first);
        check_status(once.status(), Status::ok);
        check_result(normalise_path(once.value(), second), once.value());
    }
}

void segments_with_a_leading_dot_are_hidden(void**) {
    for (const std::string_view path :
         {"/.htaccess", "/.git/config", "/a/.b", "/a/.b/c", "/...", "/a/.well-known/b", "/.well-known/.a",
          "/.well-knownx", "/.well-known.bak", "/.", "/.WELL-KNOWN/a"}) {
        GuardedBytes input(path);
        assert_true(has_hidden_segment(input.view()));
    }
    for (const std::string_view path :
         {"/", "/a", "/a.b/c.", "/.well-known", "/.well-known/", "/.well-known/a.b/c", "/a..b", "/ .a"}) {
        GuardedBytes input(path);
        assert_false(has_hidden_segment(input.view()));
    }
}

void short_names_of_vfat_are_hidden(void**) {
    for (const std::string_view path : {"/ENV~1", "/CONFIG~1.BAK", "/UPLOAD~1/evil.php", "/a/b/indexp~1.php",
                                        "/GIT~1/config", "/a~123456", "/A~1.", "/A~1. .", "/A~1.B. ./x", "/~1",
                                        "/\xc3\x9c"
                                        "BERGR~1.T\xc3\x84T",
                                        "/x~/a~2/", "/a~b~3.c"}) {
        GuardedBytes input(path);
        assert_true(has_hidden_segment(input.view()));
    }
    for (const std::string_view path :
         {"/a~", "/~user", "/~", "/a~1b", "/a~1.html", "/longname~1", "/a~1.b.c", "/a~1234567", "/a~x.txt", "/a/~b/1",
          "/a.b~1", "/index.php~1~", "/.well-known/a~"}) {
        GuardedBytes input(path);
        assert_false(has_hidden_segment(input.view()));
    }
}

void a_path_is_encoded_for_a_location(void**) {
    using namespace std::string_view_literals;
    Text<256> out;
    append_encoded_path(out, "/a b/\xc3\xa4?c#d%e\"<>'`{|}^[]\r/-._~!$&()*+,;=:@"sv);
    check_text(out.view(), "/a%20b/%C3%A4%3Fc%23d%25e%22%3C%3E%27%60%7B%7C%7D%5E%5B%5D%0D/-._~!$&()*+,;=:@");
}

void an_encoded_path_normalises_back(void**) {
    const std::string_view path = "/a b/%41/\xff\x80/?#;/";
    Text<256> encoded;
    append_encoded_path(encoded, path);
    std::array<char, 64> room{};
    check_result(normalise_path(encoded.view(), room), path);
}

}  // namespace
}  // namespace fcgate::route

int main() {
    using namespace fcgate::route;
    const CMUnitTest tests[] = {
        cmocka_unit_test(origin_form_is_split_at_the_first_question_mark),
        cmocka_unit_test(absolute_form_gives_the_authority),
        cmocka_unit_test(the_asterisk_stands_for_itself),
        cmocka_unit_test(other_targets_are_malformed),
        cmocka_unit_test(a_nul_in_the_target_is_malformed),
        cmocka_unit_test(plain_paths_stay_as_they_are),
        cmocka_unit_test(escapes_are_decoded_once),
        cmocka_unit_test(bytes_that_are_no_utf8_stay_bytes),
        cmocka_unit_test(broken_escapes_are_malformed),
        cmocka_unit_test(control_bytes_and_backslashes_are_malformed),
        cmocka_unit_test(an_encoded_slash_is_refused),
        cmocka_unit_test(dot_segments_are_removed_wherever_they_stand),
        cmocka_unit_test(leaving_the_root_is_refused),
        cmocka_unit_test(doubled_slashes_are_one),
        cmocka_unit_test(what_does_not_start_with_a_slash_is_malformed),
        cmocka_unit_test(a_buffer_too_small_is_told),
        cmocka_unit_test(the_longest_target_is_taken),
        cmocka_unit_test(what_was_normalised_stays_so),
        cmocka_unit_test(segments_with_a_leading_dot_are_hidden),
        cmocka_unit_test(short_names_of_vfat_are_hidden),
        cmocka_unit_test(a_path_is_encoded_for_a_location),
        cmocka_unit_test(an_encoded_path_normalises_back),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
