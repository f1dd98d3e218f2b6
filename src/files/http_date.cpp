#include "files/http_date.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <span>

namespace fcgate::files {

namespace {

constexpr std::array<std::string_view, 7> day_names = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> long_day_names = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                            "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> month_names = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

constexpr int64_t seconds_a_day = 86'400;
constexpr int64_t days_in_400_years = 146'097;
constexpr int64_t days_before_1970 = 719'162;  // from the first of January of the year 1

constexpr bool is_leap_year(int64_t year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

constexpr int64_t days_in_month(int64_t year, int64_t month) {
    constexpr std::array<int64_t, 12> days = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[static_cast<size_t>(month - 1)] + (month == 2 && is_leap_year(year) ? 1 : 0);
}

// Days from the first of January of the year 1 to that of `year` (proleptic Gregorian calendar).
constexpr int64_t days_before_year(int64_t year) {
    const int64_t past = year - 1;
    return past * 365 + past / 4 - past / 100 + past / 400;
}
static_assert(days_before_year(1970) == days_before_1970);

struct Date {
    int64_t year = 1;
    int64_t month = 1;  // 1 to 12
    int64_t day = 1;
    int64_t hour = 0;
    int64_t minute = 0;
    int64_t second = 0;

    [[nodiscard]] bool is_valid() const {
        return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month) && hour <= 23 &&
               minute <= 59 && second <= 60;  // 60: a leap second
    }
    [[nodiscard]] constexpr int64_t seconds() const {
        int64_t days = days_before_year(year) - days_before_1970 + day - 1;
        for (int64_t m = 1; m < month; ++m) {
            days += days_in_month(year, m);
        }
        return days * seconds_a_day + hour * 3600 + minute * 60 + second;
    }
};

constexpr int64_t first_time = Date{.year = 1}.seconds();
constexpr int64_t last_time =
    Date{.year = 9999, .month = 12, .day = 31, .hour = 23, .minute = 59, .second = 59}.seconds();

// Reads a date from left to right; after the first thing that does not fit it stays failed.
class Reader {
  public:
    explicit Reader(std::string_view text) : rest_(text) {}

    void literal(std::string_view text) {
        ok_ = ok_ && starts_with(rest_, text);
        rest_ = slice(rest_, text.size());
    }
    // Exactly `digits` of them.
    int64_t number(size_t digits) {
        const Result<uint64_t> value = parse_decimal(slice(rest_, 0, digits));
        ok_ = ok_ && rest_.size() >= digits && value.ok();
        rest_ = slice(rest_, digits);
        return ok_ ? static_cast<int64_t>(value.value()) : 0;
    }
    // Two places, the first may be a space (asctime).
    int64_t padded_number() {
        if (rest_.starts_with(' ')) {
            rest_.remove_prefix(1);
            return number(1);
        }
        return number(2);
    }
    // Its place in the list, counted from 1; 0 when none stands there.
    int64_t name(std::span<const std::string_view> names) {
        for (size_t i = 0; i < names.size(); ++i) {
            if (starts_with(rest_, names[i])) {
                rest_.remove_prefix(names[i].size());
                return static_cast<int64_t>(i + 1);
            }
        }
        ok_ = false;
        return 0;
    }
    void time(Date& date) {
        date.hour = number(2);
        literal(":");
        date.minute = number(2);
        literal(":");
        date.second = number(2);
    }
    [[nodiscard]] bool at_end() const { return ok_ && rest_.empty(); }

  private:
    std::string_view rest_;
    bool ok_ = true;
};

// "Sun, 06 Nov 1994 08:49:37 GMT"
bool parse_imf_fixdate(std::string_view text, Date& date) {
    Reader reader(text);
    reader.name(day_names);
    reader.literal(", ");
    date.day = reader.number(2);
    reader.literal(" ");
    date.month = reader.name(month_names);
    reader.literal(" ");
    date.year = reader.number(4);
    reader.literal(" ");
    reader.time(date);
    reader.literal(" GMT");
    return reader.at_end();
}

// "Sunday, 06-Nov-94 08:49:37 GMT"; the year becomes 0 to 99.
bool parse_rfc850_date(std::string_view text, Date& date) {
    Reader reader(text);
    reader.name(long_day_names);
    reader.literal(", ");
    date.day = reader.number(2);
    reader.literal("-");
    date.month = reader.name(month_names);
    reader.literal("-");
    date.year = reader.number(2);
    reader.literal(" ");
    reader.time(date);
    reader.literal(" GMT");
    return reader.at_end();
}

// "Sun Nov  6 08:49:37 1994"
bool parse_asctime_date(std::string_view text, Date& date) {
    Reader reader(text);
    reader.name(day_names);
    reader.literal(" ");
    date.month = reader.name(month_names);
    reader.literal(" ");
    date.day = reader.padded_number();
    reader.literal(" ");
    reader.time(date);
    reader.literal(" ");
    date.year = reader.number(4);
    return reader.at_end();
}

// Floors, also before 1970.
void to_date(int64_t time, Date& date, int64_t& weekday) {
    time = std::clamp(time, first_time, last_time) - first_time;
    int64_t days = time / seconds_a_day;
    const int64_t second = time % seconds_a_day;
    date.hour = second / 3600;
    date.minute = second / 60 % 60;
    date.second = second % 60;
    weekday = (days + 1) % 7;  // the first of January of the year 1 was a Monday
    date.year = days * 400 / days_in_400_years + 1;
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
int64_t full_year(int64_t two_digits, int64_t now) {
    Date today;
    int64_t weekday = 0;
    to_date(now, today, weekday);
    int64_t year = today.year - today.year % 100 + 100 + two_digits;
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
    if (parse_rfc850_date(text, date)) {
        date.year = full_year(date.year, now);
    } else if (!parse_imf_fixdate(text, date) && !parse_asctime_date(text, date)) {
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
    int64_t weekday = 0;
    to_date(time, date, weekday);
    const auto put = [&out](int64_t number, unsigned digits) {
        out.append_padded(static_cast<uint64_t>(number), digits);
    };
    out.append(day_names[static_cast<size_t>(weekday)]).append(", ");
    put(date.day, 2);
    out.append(' ').append(month_names[static_cast<size_t>(date.month - 1)]).append(' ');
    put(date.year, 4);
    out.append(' ');
    put(date.hour, 2);
    out.append(':');
    put(date.minute, 2);
    out.append(':');
    put(date.second, 2);
    out.append(" GMT");
}

}  // namespace fcgate::files
