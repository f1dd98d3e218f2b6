#include "route/path.hpp"

#include <cstddef>

#include "http/message.hpp"

namespace fcgate::route {

namespace {

// What a decoded path has nowhere: control bytes and the backslash.
constexpr bool is_refused(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || c == '\\';
}

// RFC 3986 section 3.3: what a path may show unencoded. '\'' and a few more are legal too, but encoded they are safe in
// every place a Location may be copied to.
constexpr bool is_plain_in_path(char c) {
    const bool alphanumeric = is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
    return alphanumeric || std::string_view("-._~/!$&()*+,;=:@").find(c) != std::string_view::npos;
}

// Splits "authority/path?query" as it stands behind "http://".
Status split_absolute(std::string_view text, Target& out) {
    const size_t end = text.find_first_of("/?");
    out.authority = slice(text, 0, end);
    // RFC 9110 section 4.2.4: userinfo in a request is an error, and a trap for whoever reads the log.
    if (out.authority.empty() || out.authority.find('@') != std::string_view::npos) {
        return Status::malformed;
    }
    out.path = slice(text, end);
    return Status::ok;
}

// A path under construction: `size` bytes of `out`, the last segment open.
struct Builder {
    std::span<char> out;
    size_t size = 0;
    size_t segment = 0;  // where the open segment starts, behind a slash

    [[nodiscard]] Status append(char c) {
        if (size == out.size()) {
            return Status::too_large;
        }
        out[size++] = c;
        return Status::ok;
    }

    // Ends the open segment. A slash follows only if the segment stays: "." and "" leave the slash before them
    // standing.
    [[nodiscard]] Status close_segment(bool with_slash) {
        const std::string_view name(out.data() + segment, size - segment);
        if (name == "..") {
            if (segment == 1) {
                return Status::refused;
            }
            size = segment - 1;
            while (out[size - 1] != '/') {
                --size;
            }
        } else if (name.empty() || name == ".") {
            size = segment;
        } else if (with_slash) {
            if (const Status status = append('/'); status != Status::ok) {
                return status;
            }
        }
        segment = size;
        return Status::ok;
    }
};

// Decodes the byte at `at` and moves `at` behind it.
Status decode_byte(std::string_view encoded, size_t& at, char& out) {
    out = encoded[at++];
    if (out == '%') {
        const int high = at < encoded.size() ? hex_value(encoded[at]) : -1;
        const int low = at + 1 < encoded.size() ? hex_value(encoded[at + 1]) : -1;
        if (high < 0 || low < 0) {
            return Status::malformed;
        }
        at += 2;
        out = static_cast<char>(high * 16 + low);
        if (out == '/') {
            return Status::refused;
        }
    }
    return is_refused(out) ? Status::malformed : Status::ok;
}

// Behind what VFAT leaves out at the end of a name.
size_t skip_trailing_garbage(std::string_view path, size_t at) {
    while (at < path.size() && (path[at] == '.' || path[at] == ' ')) {
        ++at;
    }
    return at;
}

bool is_below_one(std::string_view path, std::string_view folder) {
    size_t at = 0;
    for (const char c : folder) {
        at = c == '/' ? skip_trailing_garbage(path, at) : at;
        if (at == path.size() || to_lower(path[at]) != to_lower(c)) {
            return false;
        }
        ++at;
    }
    at = skip_trailing_garbage(path, at);
    return at == path.size() || path[at] == '/';
}

// How many characters of UTF-8, or bytes of another set: not more than those.
size_t count_characters(std::string_view text) {
    size_t count = 0;
    for (const char c : text) {
        count += (static_cast<unsigned char>(c) & 0xc0U) != 0x80 ? 1U : 0U;
    }
    return count;
}

// "~" and one to six digits at the end of at most eight characters, and at most three behind the only dot: by such names VFAT finds files that
// are called otherwise. It leaves out dots and spaces at the end.
bool is_short_name(std::string_view segment) {
    constexpr size_t most_digits = 6;
    while (segment.ends_with('.') || segment.ends_with(' ')) {
        segment.remove_suffix(1);
    }
    std::string_view ending;
    const std::string_view base = split_first(segment, '.', ending);
    const size_t tilde = base.rfind('~');
    if (tilde == std::string_view::npos || count_characters(base) > 8 || count_characters(ending) > 3) {
        return false;
    }
    const std::string_view number = slice(base, tilde + 1);
    return !number.empty() && number.size() <= most_digits &&
           number.find_first_not_of("0123456789") == std::string_view::npos &&
           ending.find('.') == std::string_view::npos;
}

bool has_short_name(std::string_view path) {
    if (path.find('~') == std::string_view::npos) {
        return false;
    }
    for (std::string_view rest = path; !rest.empty();) {
        if (is_short_name(split_first(rest, '/', rest))) {
            return true;
        }
    }
    return false;
}

}  // namespace

Status split_target(std::string_view target, Target& out) {
    out = Target();
    for (const char c : target) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte > 0x7e || c == '#') {
            return Status::malformed;
        }
    }
    if (target == "*") {
        out.path = target;
        out.is_asterisk = true;
        return Status::ok;
    }
    out.path = target;
    if (const size_t scheme = scheme_size(target); scheme > 0) {
        if (const Status status = split_absolute(slice(target, scheme), out); status != Status::ok) {
            return status;
        }
    }
    const size_t size = out.path.size();
    out.path = split_first(out.path, '?', out.query);
    out.has_query = out.path.size() < size;
    if (out.path.empty() && !out.authority.empty()) {
        out.path = "/";  // RFC 9110 section 4.2.3: "http://host" and "http://host/" name the same
    }
    return out.path.starts_with('/') ? Status::ok : Status::malformed;
}

Result<std::string_view> normalise_path(std::string_view encoded, std::span<char> out) {
    if (!encoded.starts_with('/')) {
        return Status::malformed;
    }
    Builder path{.out = out};
    if (const Status status = path.append('/'); status != Status::ok) {
        return status;
    }
    path.segment = 1;
    size_t at = 1;
    while (at < encoded.size()) {
        Status status = Status::ok;
        if (encoded[at] == '/') {
            ++at;
            status = path.close_segment(true);
        } else {
            char c = '\0';
            status = decode_byte(encoded, at, c);
            if (status == Status::ok) {
                status = path.append(c);
            }
        }
        if (status != Status::ok) {
            return status;
        }
    }
    if (const Status status = path.close_segment(false); status != Status::ok) {
        return status;
    }
    return std::string_view(out.data(), path.size);
}

bool has_refused_byte(std::string_view path) {
    for (const char c : path) {
        if (is_refused(c)) {
            return true;
        }
    }
    return false;
}

bool has_hidden_segment(std::string_view path) {
    for (size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
        const std::string_view rest = slice(path, slash + 1);
        if (!rest.starts_with('.')) {
            continue;
        }
        const bool is_well_known = slash == 0 && slice(rest, 0, rest.find('/')) == ".well-known";
        if (!is_well_known) {
            return true;
        }
    }
    return has_short_name(path);
}

void append_encoded_path(TextBuffer& out, std::string_view path) {
    for (const char c : path) {
        if (is_plain_in_path(c)) {
            out.append(c);
        } else {
            const auto byte = static_cast<unsigned char>(c);
            const char escaped[] = {'%', upper_hex_digits[byte >> 4U], upper_hex_digits[byte & 0x0fU]};
            out.append(std::string_view(escaped, sizeof escaped));
        }
    }
}

bool is_below(std::string_view path, std::span<const std::string_view> folders) {
    for (const std::string_view folder : folders) {
        if (is_below_one(path, folder.ends_with('/') ? slice(folder, 0, folder.size() - 1) : folder)) {
            return true;
        }
    }
    return false;
}

}  // namespace fcgate::route
