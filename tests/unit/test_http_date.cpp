#include <ctime>

#include "base/http_date.hpp"
#include "test_support.hpp"

namespace fcgate {
namespace {

using test::check_status;
using test::check_text;
using test::GuardedBytes;

constexpr int64_t example = 784'111'777;  // of RFC 9110 section 5.6.7
constexpr int64_t year_2026 = 1'767'225'600;

void check_date(std::string_view text, int64_t expected, int64_t now = year_2026, const char* file = __builtin_FILE(),
                int line = __builtin_LINE()) {
    GuardedBytes input(text);
    const Result<int64_t> date = parse_http_date(input.view(), now);
    check_status(date.status(), Status::ok, file, line);
    if (date.value() != expected) {
        print_error("%lld is not %lld\n", static_cast<long long>(date.value()), static_cast<long long>(expected));
        _fail(file, line);
    }
}

void the_three_forms_are_read(void**) {
    check_date("Sun, 06 Nov 1994 08:49:37 GMT", example);
    check_date("Sunday, 06-Nov-94 08:49:37 GMT", example);
    check_date("Sun Nov  6 08:49:37 1994", example);
    check_date("Wed Nov 16 08:49:37 1994", example + 10 * 86'400);
}

void the_ends_of_years_and_centuries_are_right(void**) {
    check_date("Thu, 01 Jan 1970 00:00:00 GMT", 0);
    check_date("Wed, 31 Dec 1969 23:59:59 GMT", -1);
    check_date("Tue, 29 Feb 2000 12:00:00 GMT", 951'825'600);
    check_date("Tue, 19 Jan 2038 03:14:08 GMT", 2'147'483'648);
    check_date("Sun, 07 Feb 2106 06:28:16 GMT", 4'294'967'296);
    check_date("Fri, 31 Dec 9999 23:59:59 GMT", 253'402'300'799);
    check_date("Fri, 31 Dec 9999 23:59:60 GMT", 253'402'300'799);
    check_date("Mon, 01 Jan 0001 00:00:00 GMT", -62'135'596'800);
    check_date("Sat, 31 Dec 2016 23:59:60 GMT", 1'483'228'800);  // the leap second is the next day's first
}

void two_digits_of_a_year_are_at_most_fifty_years_ahead(void**) {
    check_date("Wednesday, 01-Jan-76 00:00:00 GMT", 3'345'062'400);  // 2076
    check_date("Saturday, 01-Jan-77 00:00:00 GMT", 220'924'800);     // 1977
    check_date("Thursday, 01-Jan-26 00:00:00 GMT", year_2026);
    check_date("Saturday, 01-Jan-00 00:00:00 GMT", 946'684'800);
    check_date("Thursday, 01-Jan-70 00:00:00 GMT", 0, 0);  // a device without a clock
    check_date("Saturday, 01-Jan-00 00:00:00 GMT", 946'684'800, 0);
    check_date("Friday, 01-Jan-21 00:00:00 GMT", -1'546'300'800, 0);  // 1921
}

void anything_else_is_malformed(void**) {
    for (const std::string_view text : {"",
                                        "0",
                                        "784111777",
                                        "Sun",
                                        "Sun, 06 Nov 1994 08:49:37",
                                        "Sun, 06 Nov 1994 08:49:37 UTC",
                                        "Sun, 06 Nov 1994 08:49:37 +0000",
                                        "Sun, 06 Nov 1994 08:49:37 GMT ",
                                        " Sun, 06 Nov 1994 08:49:37 GMT",
                                        "sun, 06 nov 1994 08:49:37 gmt",
                                        "Sun 06 Nov 1994 08:49:37 GMT",
                                        "Sun, 6 Nov 1994 08:49:37 GMT",
                                        "Sun, 06 Nov 94 08:49:37 GMT",
                                        "Sun, 06-Nov-1994 08:49:37 GMT",
                                        "Sun, 06 Nov 1994 8:49:37 GMT",
                                        "Sun, 00 Nov 1994 08:49:37 GMT",
                                        "Sun, 31 Nov 1994 08:49:37 GMT",
                                        "Sun, 29 Feb 1900 08:49:37 GMT",
                                        "Sun, 29 Feb 2023 08:49:37 GMT",
                                        "Sun, 06 Nov 0000 08:49:37 GMT",
                                        "Sun, 06 Nov 1994 24:00:00 GMT",
                                        "Sun, 06 Nov 1994 08:60:37 GMT",
                                        "Sun, 06 Nov 1994 08:49:61 GMT",
                                        "Sun, 06 Nov +994 08:49:37 GMT",
                                        "Sun, 06 Nov 1994 -8:49:37 GMT",
                                        "Foo, 06 Nov 1994 08:49:37 GMT",
                                        "Sun, 06 Foo 1994 08:49:37 GMT",
                                        "Sun, 06-Nov-94 08:49:37 GMT",
                                        "Sunday, 06 Nov 1994 08:49:37 GMT",
                                        "Sunday, 06-Nov-94 08:49:37",
                                        "Sun Nov 6 08:49:37 1994",
                                        "Sun Nov  6 08:49:37 94",
                                        "Sun Nov  6 08:49:37 1994 GMT",
                                        "Sun Nov   6 08:49:37 1994",
                                        "Sun Nov  6 08:49:37 19945",
                                        "2024-01-01T00:00:00Z",
                                        "Sun, 06 Nov 1994 08:49:37 GMT, "}) {
        GuardedBytes input(text);
        if (parse_http_date(input.view(), year_2026).status() != Status::malformed) {
            print_error("accepted: %.*s\n", static_cast<int>(text.size()), text.data());
            _fail(__FILE__, __LINE__);
        }
    }
}

void every_prefix_of_a_date_is_malformed(void**) {
    for (const std::string_view text :
         {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
        for (size_t size = 0; size < text.size(); ++size) {
            GuardedBytes input(slice(text, 0, size));
            check_status(parse_http_date(input.view(), year_2026).status(), Status::malformed);
        }
    }
}

void check_printed(int64_t time, std::string_view expected, const char* file = __builtin_FILE(),
                   int line = __builtin_LINE()) {
    Text<32> out;
    append_http_date(out, time);
    check_text(out.view(), expected, file, line);
}

void dates_are_printed_as_imf_fixdate(void**) {
    check_printed(example, "Sun, 06 Nov 1994 08:49:37 GMT");
    check_printed(0, "Thu, 01 Jan 1970 00:00:00 GMT");
    check_printed(-1, "Wed, 31 Dec 1969 23:59:59 GMT");
    check_printed(951'825'600, "Tue, 29 Feb 2000 12:00:00 GMT");
    check_printed(4'294'967'296, "Sun, 07 Feb 2106 06:28:16 GMT");
    check_printed(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
    check_printed(INT64_MIN, "Mon, 01 Jan 0001 00:00:00 GMT");
}

void the_calendar_is_that_of_the_c_library(void**) {
    // A step prime to the day, so that every time of day and every day of the leap cycles comes by.
    for (int64_t time = -62'135'596'800; time < 253'402'300'799; time += 7'654'321) {
        const auto c_time = static_cast<time_t>(time);
        tm fields{};
        char expected[64];
        gmtime_r(&c_time, &fields);
        strftime(expected, sizeof expected, "%a, %d %b ", &fields);
        Text<64> whole(expected);
        whole.append_padded(static_cast<uint64_t>(fields.tm_year + 1900), 4);
        strftime(expected, sizeof expected, " %H:%M:%S GMT", &fields);
        whole.append(expected);
        check_printed(time, whole.view());
        check_date(whole.view(), time);
    }
}

void the_wall_clock_is_the_systems(void**) {
    const int64_t before = time(nullptr);
    const int64_t now = wall_clock();
    assert_true(now >= before && now <= before + 60);
}

}  // namespace
}  // namespace fcgate

int main() {
    using namespace fcgate;
    const CMUnitTest tests[] = {
        cmocka_unit_test(the_three_forms_are_read),
        cmocka_unit_test(the_ends_of_years_and_centuries_are_right),
        cmocka_unit_test(two_digits_of_a_year_are_at_most_fifty_years_ahead),
        cmocka_unit_test(anything_else_is_malformed),
        cmocka_unit_test(every_prefix_of_a_date_is_malformed),
        cmocka_unit_test(dates_are_printed_as_imf_fixdate),
        cmocka_unit_test(the_calendar_is_that_of_the_c_library),
        cmocka_unit_test(the_wall_clock_is_the_systems),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
