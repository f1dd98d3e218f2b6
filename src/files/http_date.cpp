#include "files/http_date.hpp"

#include <algorithm>
#include <climits>
#include <ctime>

namespace fcgate::files {

namespace {

constexpr std::string_view day_names = "SunMonTueWedThuFriSat";
constexpr std::string_view long_day_names = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday";
constexpr std::string_view month_names = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr size_t name_size = 3;

constexpr int seconds_a_day = 86'400;
constexpr int days_in_400_years = 146'097;
constexpr int days_before_1970 = 719'162;  // from the first of January of the year 1

constexpr bool is_leap_year(int year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

constexpr uint8_t days_of_months[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

constexpr int days_in_month(int year, int month) {
    return days_of_months[month - 1] + (month == 2 && is_leap_year(year) ? 1 : 0);
}

// Days from the first of January of the year 1 to that of `year` (proleptic Gregorian calendar).
constexpr int days_before_year(int year) {
    const int past = year - 1;
    return past * 365 + past / 4 - past / 100 + past / 400;
}
static_assert(days_before_year(1970) == days_before_1970);

struct Date {
    int year = 1;
    int month = 1;  // 1 to 12
    int day = 1;
    int hour = 0;
    int minute = 0;
    int second = 0;

    [[nodiscard]] bool is_valid() const {
        return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month) && hour <= 23 &&
               minute <= 59 && second <= 60;  // 60: a leap second
    }
    [[nodiscard]] constexpr int64_t seconds() const {
        int days = days_before_year(year) - days_before_1970 + day - 1;
        for (int m = 1; m < month; ++m) {
            days += days_in_month(year, m);
        }
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

bool take_long_day(std::string_view& text) {
    std::string_view names = long_day_names;
    for (std::string_view name = next_word(names); !name.empty(); name = next_word(names)) {
        if (starts_with(text, name)) {
            text.remove_prefix(name.size());
            return true;
        }
    }
    return false;
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
        } else if (c == 'w' || c == 'm') {
            // Nothing but a name begins with a capital.
            const std::string_view name = slice(text, 0, name_size);
            const size_t place = (c == 'w' ? day_names : month_names).find(name);
            if (name.size() < name_size || place == std::string_view::npos || place % name_size != 0) {
                return false;
            }
            text.remove_prefix(name_size);
            if (c == 'm') {
                date.month = static_cast<int>(place / name_size) + 1;
            }
        } else if (c == 'W') {
            if (!take_long_day(text)) {
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

// Floors, also before 1970.
void to_date(int64_t time, Date& date, size_t& weekday) {
    time = std::clamp(time, first_time, last_time) - first_time;
    int days = static_cast<int>(time / seconds_a_day);
    const int second = static_cast<int>(time % seconds_a_day);
    date.hour = second / 3600;
    date.minute = second / 60 % 60;
    date.second = second % 60;
    weekday = static_cast<size_t>(days + 1) % 7;  // the first of January of the year 1 was a Monday
    date.year = days * 400 / days_in_400_years + 1;
    static_assert((last_time - first_time) / seconds_a_day * 400 < INT_MAX);
    // The mean year's length is off by less than a year.
    while (days_before_year(date.year) > days) {
        --date.year;
    }
    while (days_before_year(date.year + 1) <= days) {
        ++date.year;
    }
    days -= days_before_year(date.year);
    for (date.month = 1; days >= days_in_month(date.year, date.month); ++date.month) {
        days -= days_in_month(date.year, date.month);
    }
    date.day = days + 1;
}

// RFC 9110 section 5.6.7: what seems more than 50 years ahead is of the past.
int full_year(int two_digits, int64_t now) {
    Date today;
    size_t weekday = 0;
    to_date(now, today, weekday);
    int year = today.year - today.year % 100 + 100 + two_digits;
    while (year > today.year + 50) {
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
    Date date;
    size_t weekday = 0;
    to_date(time, date, weekday);
    const auto put = [&out](int number, char behind) {
        out.append_padded(static_cast<uint64_t>(number), 2).append(behind);
    };
    out.append(slice(day_names, weekday * name_size, name_size)).append(", ");
    put(date.day, ' ');
    out.append(slice(month_names, static_cast<size_t>(date.month - 1) * name_size, name_size)).append(' ');
    out.append_padded(static_cast<uint64_t>(date.year), 4).append(' ');
    put(date.hour, ':');
    put(date.minute, ':');
    put(date.second, ' ');
    out.append("GMT");
}

}  // namespace fcgate::files
