#include "config/values.hpp"

#include "base/features.hpp"
#include "base/log.hpp"
#include "http/message.hpp"

namespace fcgate::config {

namespace {

// How many bytes or milliseconds a letter behind a number stands for.
struct Unit {
    char letter;
    uint32_t factor;
};
constexpr uint32_t minute_ms = 60'000;
constexpr uint32_t hour_ms = 60 * minute_ms;
constexpr uint32_t day_ms = 24 * hour_ms;
// The first two are those that values are printed in; the others are only read.
using Units = Unit[4];
constexpr size_t printed_units = 2;
constexpr uint32_t kib = 1024;
constexpr Units sizes = {{'m', 1024 * kib}, {'k', kib}, {'M', 1024 * kib}, {'K', kib}};
constexpr Units times = {{'m', minute_ms}, {'s', 1000}, {'h', hour_ms}, {'d', day_ms}};

constexpr bool is_letter(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// Letters, digits and `others`, at least one.
bool consists_of(std::string_view text, std::string_view others) {
    for (const char c : text) {
        if (!is_letter(c) && !is_digit(c) && others.find(c) == std::string_view::npos) {
            return false;
        }
    }
    return !text.empty();
}

bool is_url_path_of_file(std::string_view text) {
    return is_url_path(text) && text.size() > 1 && !text.ends_with('/');
}

// A number with the letter of a unit behind it, or with nothing: not_found then.
Result<uint64_t> parse_scaled(std::string_view text, const Units& units) {
    for (const Unit& unit : units) {
        if (!text.ends_with(unit.letter)) {
            continue;
        }
        text.remove_suffix(1);
        const Result<uint64_t> number = parse_decimal(text);
        if (number.ok() && number.value() > UINT64_MAX / unit.factor) {
            return Status::too_large;
        }
        return number.ok() ? number.value() * unit.factor : number;
    }
    return Status::not_found;
}

// In the first unit of which it is a whole number; false when there is none.
bool print_scaled(uint64_t value, const Units& units, TextBuffer& out) {
    for (size_t i = 0; value != 0 && i < printed_units; ++i) {
        if (value % units[i].factor == 0) {
            out.append_number(value / units[i].factor).append(units[i].letter);
            return true;
        }
    }
    out.append_number(value);
    return false;
}

}  // namespace

Result<uint64_t> parse_size(std::string_view text) {
    const Result<uint64_t> scaled = parse_scaled(text, sizes);
    return scaled.status() == Status::not_found ? parse_decimal(text) : scaled;
}

void print_size(uint64_t size, TextBuffer& out) {
    (void)print_scaled(size, sizes, out);
}

Result<uint64_t> parse_time(std::string_view text) {
    if (text == "0") {
        return uint64_t{0};
    }
    if (ends_with(text, "ms")) {
        return parse_decimal(slice(text, 0, text.size() - 2));
    }
    const Result<uint64_t> scaled = parse_scaled(text, times);
    return scaled.status() == Status::not_found ? Status::malformed : scaled;  // 10 could mean anything
}

void print_time(uint64_t time_ms, TextBuffer& out) {
    if (!print_scaled(time_ms, times, out) && time_ms != 0) {
        out.append("ms"_p);
    }
}

Result<LogLevel> parse_log_level(std::string_view text) {
    if (text == "warn") {
        return LogLevel::warning;
    }
    for (const LogLevel level : {LogLevel::error, LogLevel::warning, LogLevel::info, LogLevel::debug}) {
        if (text == log_level_name(level)) {
            return level;
        }
    }
    return Status::malformed;
}

bool is_section_name(std::string_view text) {
    return consists_of(text, "-_.") && text.size() <= limits::section_name;
}

bool is_user_name(std::string_view text) {
    return text.empty() || (consists_of(text, "-_.") && text.front() != '-');
}

bool is_host_pattern(std::string_view text) {
    if (text == "*") {
        return true;
    }
    if (starts_with(text, "*.")) {
        text.remove_prefix(2);
    }
    return consists_of(text, "-_.") && text.front() != '.' && text.back() != '.' &&
           text.find("..") == std::string_view::npos;
}

bool is_index_name(std::string_view text) {
    // A file below the folder asked for, and none that would be hidden there.
    return !text.empty() && text.front() != '.' && text.find('/') == std::string_view::npos;
}

bool is_script_suffix(std::string_view text) {
    // An empty one would make every file a script or, worse, none: PHP's source would be served.
    return text.size() >= 2 && text.front() == '.' && text.find('/') == std::string_view::npos && text != "..";
}

bool is_front_controller(std::string_view text) {
    return text.empty() || is_url_path_of_file(text);
}

bool is_url_path(std::string_view text) {
    if (!text.starts_with('/')) {
        return false;
    }
    std::string_view rest = slice(text, 1);
    while (!rest.empty()) {
        const std::string_view segment = split_first(rest, '/', rest);
        if (segment.empty() || segment == "." || segment == "..") {
            return false;
        }
    }
    return true;
}

bool is_error_status(std::string_view text) {
    const Result<uint64_t> number = parse_decimal(text);
    return number.ok() && text.size() == 3 && number.value() >= 400 && number.value() <= 599;
}

bool is_error_page(std::string_view text) {
    std::string_view word = next_word(text);
    while (is_error_status(word)) {
        word = next_word(text);
    }
    return is_url_path_of_file(word) && next_word(text).empty();
}

bool is_unknown_host(std::string_view text) {
    if (text == "refuse") {
        return true;
    }
    const std::string_view word = next_word(text);
    text = trim(text);
    for (const char c : text) {
        // It goes into a header field as it is.
        if (c < '!' || c > '~') {
            return false;
        }
    }
    return word == "redirect" && scheme_size(text) > 0 && !ends_with(text, "//");
}

bool is_status_path(std::string_view text) {
    return text == "off" || is_url_path_of_file(text);
}

bool is_log_target(std::string_view text) {
    if (features::syslog && starts_with(text, "syslog:/")) {
        constexpr size_t longest = 107;  // of an address of a unix socket
        return text.size() - (sizeof "syslog:" - 1) <= longest;
    }
    return text == "stderr" || text == "syslog" || (text.starts_with('/') && is_file_path(text));
}

bool is_access_log(std::string_view text) {
    return text == "off" || is_log_target(text);
}

bool is_access_format(std::string_view text) {
    return text == "common" || text == "combined" || text == "json";
}

bool is_syslog_format(std::string_view text) {
    return text == "rfc5424" || text == "local";
}

bool is_runtime_dir(std::string_view text) {
    constexpr size_t longest = 64;
    return text.empty() ||
           (text.front() == '/' && text.back() != '/' && text.size() <= longest && consists_of(text, "/._-@+"));
}

bool is_pid_file(std::string_view text) {
    constexpr size_t longest = 255;
    return text.empty() || (text.front() == '/' && text.size() <= longest);
}

bool is_spool_folder(std::string_view text) {
    constexpr size_t name_size = 16;  // of a file in it
    return text.empty() || (text.front() == '/' && text.size() + name_size < limits::path);
}

bool is_file_path(std::string_view text) {
    return !text.empty() && text.size() < limits::path;
}

bool is_absolute_path(std::string_view text) {
    return is_file_path(text) && is_url_path(text);
}

bool is_expiry(std::string_view text) {
    constexpr uint64_t most = uint64_t{3650} * day_ms;
    const Result<uint64_t> time = parse_time(text);
    return time.ok() && time.value() <= most;
}

bool is_release(std::string_view text) {
    constexpr size_t longest = 32;
    return text.empty() || (consists_of(text, "-_.") && text.size() <= longest);
}

bool is_param_name(std::string_view text) {
    for (const char c : text) {
        if (!(c >= 'A' && c <= 'Z') && !is_digit(c) && c != '_') {
            return false;
        }
    }
    return !text.empty() && !is_digit(text.front());
}

bool is_header_name(std::string_view text) {
    for (const std::string_view framing : {"Content-Length", "Transfer-Encoding", "Connection"}) {
        if (equals_ignore_case(text, framing)) {
            return false;  // how a message ends is not for a configuration to say
        }
    }
    return is_token(text);
}

bool is_php_key(std::string_view text) {
    return consists_of(text, "_.");
}

}  // namespace fcgate::config
