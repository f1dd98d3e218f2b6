#include <array>

#include "files/conditions.hpp"
#include "test_support.hpp"

namespace fcgate::files {
namespace {

using test::check_text;
using test::GuardedBytes;
using Kind = Selection::Kind;

constexpr int64_t modified = 784'111'777;
constexpr int64_t now = modified + 1000;
constexpr uint64_t size = 1000;
constexpr std::string_view etag = "\"abc\"";
constexpr std::string_view same_date = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr std::string_view before = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr std::string_view after = "Sun, 06 Nov 1994 08:49:38 GMT";

Kind ask(std::string_view method, std::span<const Field> fields, int64_t at = now) {
    RequestHead head;
    head.method = method;
    head.fields = fields;
    const Kind kind = select(head, {.etag = etag, .modified = modified}, size, at).kind;
    // That the text of the date is known saves work, no more.
    assert_true(select(head, {.etag = etag, .modified = modified, .last_modified = same_date}, size, at).kind == kind);
    return kind;
}

Kind get(std::string_view name, std::string_view value) {
    const std::array fields = {Field{name, value}};
    return ask("GET", fields);
}

Kind get(std::string_view name, std::string_view value, std::string_view name_2, std::string_view value_2) {
    const std::array fields = {Field{name, value}, Field{name_2, value_2}};
    return ask("GET", fields);
}

void a_plain_request_gets_the_whole(void**) {
    assert_true(ask("GET", {}) == Kind::whole);
    assert_true(ask("HEAD", {}) == Kind::whole);
    assert_true(get("Accept", "*/*") == Kind::whole);
    assert_int_equal(select({.method = "GET"}, {.etag = etag}, size, now).length, size);
}

void if_none_match_compares_weakly(void**) {
    assert_true(get("If-None-Match", etag) == Kind::not_modified);
    assert_true(get("if-none-match", "W/\"abc\"") == Kind::not_modified);
    assert_true(get("If-None-Match", "*") == Kind::not_modified);
    assert_true(get("If-None-Match", " \"x\" , \"abc\"") == Kind::not_modified);
    assert_true(get("If-None-Match", "\"x\"", "If-None-Match", etag) == Kind::not_modified);
    assert_true(get("If-None-Match", "\"x\"") == Kind::whole);
    assert_true(get("If-None-Match", "\"ABC\"") == Kind::whole);
    assert_true(get("If-None-Match", "abc") == Kind::whole);
    assert_true(get("If-None-Match", "") == Kind::whole);
    const std::array fields = {Field{"If-None-Match", etag}};
    assert_true(ask("HEAD", fields) == Kind::not_modified);
    assert_true(ask("PUT", fields) == Kind::failed);
}

void if_match_compares_strongly(void**) {
    assert_true(get("If-Match", etag) == Kind::whole);
    assert_true(get("If-Match", "*") == Kind::whole);
    assert_true(get("If-Match", "\"x\", \"abc\"") == Kind::whole);
    assert_true(get("If-Match", "\"x\"", "If-Match", etag) == Kind::whole);
    assert_true(get("If-Match", "W/\"abc\"") == Kind::failed);
    assert_true(get("If-Match", "\"x\"") == Kind::failed);
    assert_true(get("If-Match", "") == Kind::failed);
    assert_true(get("If-Match", "abc") == Kind::failed);
}

void if_modified_since_compares_dates(void**) {
    assert_true(get("If-Modified-Since", same_date) == Kind::not_modified);
    assert_true(get("If-Modified-Since", after) == Kind::not_modified);
    assert_true(get("If-Modified-Since", before) == Kind::whole);
    assert_true(get("If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT") == Kind::not_modified);
    assert_true(get("If-Modified-Since", "Sun Nov  6 08:49:37 1994") == Kind::not_modified);
    assert_true(get("If-Modified-Since", "yesterday") == Kind::whole);
    assert_true(get("If-Modified-Since", same_date, "If-Modified-Since", same_date) == Kind::whole);
    const std::array fields = {Field{"If-Modified-Since", same_date}};
    assert_true(ask("HEAD", fields) == Kind::not_modified);
    assert_true(ask("PUT", fields) == Kind::whole);
}

void if_unmodified_since_compares_dates(void**) {
    assert_true(get("If-Unmodified-Since", same_date) == Kind::whole);
    assert_true(get("If-Unmodified-Since", after) == Kind::whole);
    assert_true(get("If-Unmodified-Since", before) == Kind::failed);
    assert_true(get("If-Unmodified-Since", "yesterday") == Kind::whole);
    assert_true(get("If-Unmodified-Since", before, "If-Unmodified-Since", before) == Kind::whole);
}

void conditions_go_in_the_order_of_the_specification(void**) {
    assert_true(get("If-Match", etag, "If-Unmodified-Since", before) == Kind::whole);
    assert_true(get("If-Unmodified-Since", after, "If-Match", "\"x\"") == Kind::failed);
    assert_true(get("If-None-Match", "\"x\"", "If-Modified-Since", after) == Kind::whole);
    assert_true(get("If-Modified-Since", before, "If-None-Match", etag) == Kind::not_modified);
    assert_true(get("If-Match", "\"x\"", "If-None-Match", etag) == Kind::failed);
    assert_true(get("If-Match", etag, "If-None-Match", etag) == Kind::not_modified);
    assert_true(get("If-Unmodified-Since", before, "If-None-Match", etag) == Kind::failed);
    assert_true(get("If-None-Match", etag, "Range", "bytes=0-1") == Kind::not_modified);
    assert_true(get("If-Match", "\"x\"", "Range", "bytes=9999-") == Kind::failed);
    assert_true(get("If-None-Match", "\"x\"", "Range", "bytes=9999-") == Kind::unsatisfiable);
}

void lists_of_entity_tags_are_read_with_care(void**) {
    for (const std::string_view list : {"\"abc\"", ",\"abc\"", "\"abc\",", " , ,\"abc\" , ", "\"x\",W/\"y\",\"abc\"",
                                        "\"a,b\",\"abc\"", "junk, \"abc\"", "\"x\" junk, \"abc\"", "*"}) {
        GuardedBytes input(list);
        assert_true(matches_weak(input.view(), etag));
        assert_true(matches_strong(input.view(), etag));
    }
    for (const std::string_view list :
         {"",      ",",           "abc",        "\"abc",    "abc\"",           "\"",          "\"\"",     "W/",
          "W/abc", "W",           "w/\"abc\"",  "\"abc\"x", "\"abc\" \"abc\"", "\"x,\"abc\"", "\"abcd\"", "*x",
          "*,*",   "\"a\\\"bc\"", "W /\"abc\"", "\"a c\""}) {
        GuardedBytes input(list);
        assert_false(matches_weak(input.view(), etag));
    }
    assert_true(matches_weak("W/\"abc\"", etag));
    assert_false(matches_strong("W/\"abc\"", etag));
}

void a_quoted_comma_parts_nothing(void**) {
    assert_false(matches_weak("\"x,\"abc\",y\"", etag));
    assert_true(matches_weak("\"a,b\"", "\"a,b\""));
}

void if_range_holds_for_the_very_same_file(void**) {
    assert_true(get("If-Range", etag, "Range", "bytes=0-1") == Kind::part);
    assert_true(get("If-Range", "\"x\"", "Range", "bytes=0-1") == Kind::whole);
    assert_true(get("If-Range", "W/\"abc\"", "Range", "bytes=0-1") == Kind::whole);
    assert_true(get("If-Range", "\"abc\", \"x\"", "Range", "bytes=0-1") == Kind::whole);
    assert_true(get("If-Range", "*", "Range", "bytes=0-1") == Kind::whole);
    assert_true(get("If-Range", "", "Range", "bytes=0-1") == Kind::whole);
    assert_true(get("If-Range", same_date, "Range", "bytes=0-1") == Kind::part);
    assert_true(get("If-Range", before, "Range", "bytes=0-1") == Kind::whole);
    assert_true(get("If-Range", after, "Range", "bytes=0-1") == Kind::whole);
    assert_true(get("If-Range", "\"x\"", "Range", "bytes=9999-") == Kind::whole);
    assert_true(get("If-Range", etag) == Kind::whole);
    const std::array twice = {Field{"If-Range", etag}, Field{"If-Range", etag}, Field{"Range", "bytes=0-1"}};
    assert_true(ask("GET", twice) == Kind::whole);
}

void a_date_of_this_second_is_too_weak_for_if_range(void**) {
    const std::array fields = {Field{"If-Range", same_date}, Field{"Range", "bytes=0-1"}};
    assert_true(ask("GET", fields, modified) == Kind::whole);
    assert_true(ask("GET", fields, modified + 1) == Kind::part);
}

void ranges_are_for_get_alone_and_come_once(void**) {
    const std::array fields = {Field{"Range", "bytes=0-1"}};
    assert_true(ask("GET", fields) == Kind::part);
    assert_true(ask("HEAD", fields) == Kind::whole);
    assert_true(ask("POST", fields) == Kind::whole);
    assert_true(get("Range", "bytes=0-1", "Range", "bytes=0-1") == Kind::whole);
}

void check_range(std::string_view value, uint64_t of_size, Kind kind, uint64_t offset = 0, uint64_t length = 0,
                 const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    GuardedBytes input(value);
    const Selection selection = select_range(input.view(), of_size);
    if (selection.kind != kind || selection.offset != offset || selection.length != length) {
        print_error("%.*s: kind %d, %llu bytes from %llu\n", static_cast<int>(value.size()), value.data(),
                    static_cast<int>(selection.kind), static_cast<unsigned long long>(selection.length),
                    static_cast<unsigned long long>(selection.offset));
        _fail(file, line);
    }
}

void one_range_is_cut_out(void**) {
    check_range("bytes=0-0", 1000, Kind::part, 0, 1);
    check_range("bytes=0-999", 1000, Kind::part, 0, 1000);
    check_range("bytes=999-999", 1000, Kind::part, 999, 1);
    check_range("bytes=500-", 1000, Kind::part, 500, 500);
    check_range("bytes=0-", 1000, Kind::part, 0, 1000);
    check_range("bytes=-1", 1000, Kind::part, 999, 1);
    check_range("bytes=-1000", 1000, Kind::part, 0, 1000);
    check_range("BYTES=1-2", 1000, Kind::part, 1, 2);
    check_range("bytes= 1-2 ", 1000, Kind::part, 1, 2);
}

void what_exceeds_the_file_is_cut_off(void**) {
    check_range("bytes=990-1000", 1000, Kind::part, 990, 10);
    check_range("bytes=990-99999999999999999999999", 1000, Kind::part, 990, 10);
    check_range("bytes=-1001", 1000, Kind::part, 0, 1000);
    check_range("bytes=-99999999999999999999999", 1000, Kind::part, 0, 1000);
    check_range("bytes=0-18446744073709551615", 1000, Kind::part, 0, 1000);
}

void what_lies_behind_the_file_is_unsatisfiable(void**) {
    check_range("bytes=1000-", 1000, Kind::unsatisfiable);
    check_range("bytes=1000-1000", 1000, Kind::unsatisfiable);
    check_range("bytes=18446744073709551615-", 1000, Kind::unsatisfiable);
    check_range("bytes=99999999999999999999999-", 1000, Kind::unsatisfiable);
    check_range("bytes=-0", 1000, Kind::unsatisfiable);
    check_range("bytes=0-", 0, Kind::unsatisfiable);
    check_range("bytes=0-0", 0, Kind::unsatisfiable);
    check_range("bytes=-0", 0, Kind::unsatisfiable);
}

void the_last_bytes_of_nothing_are_the_whole(void**) {
    check_range("bytes=-5", 0, Kind::whole, 0, 0);
}

void files_past_four_gigabytes_are_no_trouble(void**) {
    constexpr uint64_t large = uint64_t{10} << 30U;
    check_range("bytes=5000000000-5000000001", large, Kind::part, 5'000'000'000, 2);
    check_range("bytes=-1", large, Kind::part, large - 1, 1);
    check_range("bytes=4294967296-", large, Kind::part, uint64_t{1} << 32U, large - (uint64_t{1} << 32U));
}

void several_or_broken_ranges_get_the_whole(void**) {
    for (const std::string_view value : {"",
                                         "bytes",
                                         "bytes=",
                                         "bytes=-",
                                         "bytes=--1",
                                         "bytes=1",
                                         "bytes=2-1",
                                         "bytes=0-1,2-3",
                                         "bytes=0-1,",
                                         "bytes=,0-1",
                                         "bytes=0-1;",
                                         "bytes=a-b",
                                         "bytes=0-b",
                                         "bytes=0x0-1",
                                         "bytes=+0-1",
                                         "bytes=0 - 1",
                                         "bytes=0-1 2",
                                         "bytes 0-1",
                                         "bytes:0-1",
                                         "octets=0-1",
                                         "items=0-1",
                                         "bytes =0-1",
                                         "bytes=0--1",
                                         "bytes=-1-",
                                         "bytes=1.0-2",
                                         "bytes=99999999999999999999999x-",
                                         "bytes=0-99999999999999999999999x",
                                         "bytes=0-,0-,0-,0-,0-"}) {
        check_range(value, 1000, Kind::whole, 0, 1000);
    }
}

void check_etag(uint64_t of_size, int64_t seconds, uint32_t nanoseconds, std::string_view release,
                std::string_view expected) {
    Text<96> out;
    append_etag(out, of_size, seconds, nanoseconds, release);
    check_text(out.view(), expected);
}

void an_etag_names_size_and_time(void**) {
    check_etag(0, 0, 0, "", "\"0-0\"");
    check_etag(255, 1, 2, "", "\"ff-3b9aca02\"");
    check_etag(UINT64_MAX, 0, 16, "", "\"ffffffffffffffff-10\"");
    check_etag(255, 1, 2, "v1.2", "\"ff-3b9aca02-v1.2\"");
    check_etag(1, -1, 0, "", "\"1-ffffffffc4653600\"");
    check_etag(1, 4'294'967'296, 0, "", "\"1-3b9aca0000000000\"");
}

}  // namespace
}  // namespace fcgate::files

int main() {
    using namespace fcgate::files;
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_request_gets_the_whole),
        cmocka_unit_test(if_none_match_compares_weakly),
        cmocka_unit_test(if_match_compares_strongly),
        cmocka_unit_test(if_modified_since_compares_dates),
        cmocka_unit_test(if_unmodified_since_compares_dates),
        cmocka_unit_test(conditions_go_in_the_order_of_the_specification),
        cmocka_unit_test(lists_of_entity_tags_are_read_with_care),
        cmocka_unit_test(a_quoted_comma_parts_nothing),
        cmocka_unit_test(if_range_holds_for_the_very_same_file),
        cmocka_unit_test(a_date_of_this_second_is_too_weak_for_if_range),
        cmocka_unit_test(ranges_are_for_get_alone_and_come_once),
        cmocka_unit_test(one_range_is_cut_out),
        cmocka_unit_test(what_exceeds_the_file_is_cut_off),
        cmocka_unit_test(what_lies_behind_the_file_is_unsatisfiable),
        cmocka_unit_test(the_last_bytes_of_nothing_are_the_whole),
        cmocka_unit_test(files_past_four_gigabytes_are_no_trouble),
        cmocka_unit_test(several_or_broken_ranges_get_the_whole),
        cmocka_unit_test(an_etag_names_size_and_time),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
