#include "base/http_date.hpp"

#include <algorithm>
#include <ctime>

#include "base/wall_time.hpp"

namespace fcgate {

namespace {

constexpr std::string_view day_names = "SunMonTueWedThuFriSat";
constexpr std::string_view ends_of_days = "day day sday nesday rsday day urday";  // of their names in full
constexpr std::string_view month_names = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr size_t name_size = 3;

// Days from 0000-03-01, where years begin whose last day is the one that is added, to 1970-01-01.
constexpr int days_before_1970 = 719'468;

// To the first of a month (proleptic Gregorian calendar); the 13th is the next January.
constexpr int days_to(int year, int month) {
    if (month < 3) {
        month += 12;
        --year;
    }
    return 365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5;
}
static_assert(days_to(1970, 1) == days_before_1970);

struct Date {
    int year = 1;
    int month = 1;  // 1 to 12
    int day = 1;
    int hour = 0;
    int minute = 0;
    int second = 0;

    [[nodiscard]] bool is_valid() const {
        return year >= 1 && month >= 1 && month <= 12 && day >= 1 &&
               day <= days_to(year, month + 1) - days_to(year, month) && hour <= 23 && minute <= 59 &&
               second <= 60;  // 60: a leap second
    }
    [[nodiscard]] constexpr int64_t seconds() const {
        constexpr int seconds_a_day = 86'400;
        const int days = days_to(year, month) - days_before_1970 + day - 1;
        const int second_of_day = (hour * 60 + minute) * 60 + second;
        return int64_t{days} * seconds_a_day + second_of_day;
    }
};

constexpr int64_t first_time = Date{.year = 1}.seconds();
constexpr int64_t last_time =
    Date{.year = 9999, .month = 12, .day = 31, .hour = 23, .minute = 59, .second = 59}.seconds();

// Takes as many digits from the front of `text`.
bool take_number(std::string_view& text, size_t digits, int& number) {
    number = 0;
    for (; digits > 0; --digits) {
        if (text.empty() || !is_digit(text.front())) {
            return false;
        }
        number = number * 10 + (text.front() - '0');
        text.remove_prefix(1);
    }
    return true;
}

// Takes one of the names from the front of `text`, in full if its end is one of `ends`.
bool take_name(std::string_view& text, std::string_view names, std::string_view ends, int& number) {
    // Nothing but a name begins with a capital.
    const size_t place = names.find(slice(text, 0, name_size));
    if (text.size() < name_size || place == std::string_view::npos || place % name_size != 0) {
        return false;
    }
    text.remove_prefix(name_size);
    number = static_cast<int>(place / name_size) + 1;
    std::string_view end;
    for (int i = 0; i < number; ++i) {
        end = next_word(ends);
    }
    const bool is_full = starts_with(text, end);
    text.remove_prefix(is_full ? end.size() : 0);
    return is_full;
}

// In the pattern stand w for the name of a day, W for it in full, m for that of a month; d, h, i and s for a day, hour, minute and second in two
// digits, e for a day of which the first may be a space, y and Y for a year in two digits and in four. All else stands for itself.
bool parse(std::string_view text, std::string_view pattern, Date& date) {
    int* const places[] = {&date.day, &date.hour, &date.minute, &date.second, &date.day, &date.year, &date.year};
    for (const char c : pattern) {
        const size_t number = std::string_view("dhiseyY").find(c);
        if (number != std::string_view::npos) {
            const bool has_space = c == 'e' && starts_with(text, " ");
            text.remove_prefix(has_space ? 1 : 0);
            if (!take_number(text, has_space ? 1 : c == 'Y' ? 4 : 2, *places[number])) {
                return false;
            }
        } else if (c == 'w' || c == 'W' || c == 'm') {
            int weekday = 0;
            if (!take_name(text, c == 'm' ? month_names : day_names, c == 'W' ? ends_of_days : std::string_view(),
                           c == 'm' ? date.month : weekday)) {
                return false;
            }
        } else {
            if (text.empty() || text.front() != c) {
                return false;
            }
            text.remove_prefix(1);
        }
    }
    return text.empty();
}

// Of the first or the last second that can be written, if the time is beyond.
tm to_date(int64_t time) {
    const auto second = static_cast<time_t>(std::clamp(time, first_time, last_time));
    tm date{};
    gmtime_r(&second, &date);
    return date;
}

// RFC 9110 section 5.6.7: what seems more than 50 years ahead is of the past.
int full_year(int two_digits, int64_t now) {
    const int this_year = to_date(now).tm_year + 1900;
    int year = this_year - this_year % 100 + 100 + two_digits;
    while (year > this_year + 50) {
        year -= 100;
    }
    return year;
}

}  // namespace

int64_t wall_clock() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return int64_t{now.tv_sec};
}

Result<int64_t> parse_http_date(std::string_view text, int64_t now) {
    Date date;
    // RFC 850, with a year of two digits; IMF-fixdate; asctime().
    if (parse(text, "W, d-m-y h:i:s GMT", date)) {
        date.year = full_year(date.year, now);
    } else if (!parse(text, "w, d m Y h:i:s GMT", date) && !parse(text, "w m e h:i:s Y", date)) {
        return Status::malformed;
    }
    if (!date.is_valid()) {
        return Status::malformed;
    }
    // The leap second of the last year would be a time that cannot be written.
    return std::min(date.seconds(), last_time);
}

void append_http_date(TextBuffer& out, int64_t time) {
    const tm date = to_date(time);
    const auto number = [&out](int value, unsigned digits) -> TextBuffer& {
        return out.append(' ').append_padded(static_cast<uint64_t>(value), digits);
    };
    out.append(slice(day_names, static_cast<size_t>(date.tm_wday) * name_size, name_size)).append(',');
    number(date.tm_mday, 2).append(' ').append(month_name(date));
    number(date.tm_year + 1900, 4).append(' ');
    append_clock(out, date);
    out.append(" GMT");
}

}  // namespace fcgate
