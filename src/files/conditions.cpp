#include "files/conditions.hpp"

#include <limits>

#include "files/http_date.hpp"

namespace fcgate::files {

namespace {

// How often a field stands in the request; `value` becomes the first's.
size_t count_fields(const RequestHead& head, std::string_view name, std::string_view& value) {
    size_t count = 0;
    for (const Field& field : head.fields) {
        if (equals_ignore_case(field.name, name)) {
            if (count == 0) {
                value = trim(field.value);
            }
            ++count;
        }
    }
    return count;
}

// RFC 9110 section 8.8.3: what may stand between the quotes of an entity tag.
constexpr bool is_etag_character(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x21 || (byte >= 0x23 && byte != 0x7f);
}

struct EntityTag {
    std::string_view opaque;  // with its quotes
    bool is_weak = false;
};

// Takes an entity tag off the front of `text`.
bool take_entity_tag(std::string_view& text, EntityTag& tag) {
    tag.is_weak = starts_with(text, "W/");
    if (tag.is_weak) {
        text.remove_prefix(2);
    }
    if (!text.starts_with('"')) {
        return false;
    }
    size_t end = 1;
    while (end < text.size() && is_etag_character(text[end])) {
        ++end;
    }
    if (end == text.size() || text[end] != '"') {
        return false;
    }
    tag.opaque = slice(text, 0, end + 1);
    text.remove_prefix(end + 1);
    return true;
}

bool matches(std::string_view list, std::string_view etag, bool weak_too) {
    list = trim(list);
    if (list == "*") {
        return true;
    }
    while (!list.empty()) {
        EntityTag tag;
        if (take_entity_tag(list, tag)) {
            list = trim(list);
            const bool is_element = list.empty() || list.front() == ',';
            if (is_element && tag.opaque == etag && (weak_too || !tag.is_weak)) {
                return true;
            }
        }
        // A comma inside the quotes is no separator, but a broken element has no inside.
        const size_t comma = list.find(',');
        list = comma == std::string_view::npos ? std::string_view() : trim(slice(list, comma + 1));
    }
    return false;
}

// A list may come as several fields (RFC 9110 section 5.3): each is asked.
bool any_field_matches(const RequestHead& head, std::string_view name, std::string_view etag, bool weak_too) {
    for (const Field& field : head.fields) {
        if (equals_ignore_case(field.name, name) && matches(field.value, etag, weak_too)) {
            return true;
        }
    }
    return false;
}

// A date that is missing, repeated or malformed is not there (RFC 9110 sections 13.1.3 and 13.1.4).
Result<int64_t> date_field(const RequestHead& head, std::string_view name, const Validators& validators, int64_t now) {
    std::string_view value;
    if (count_fields(head, name, value) != 1) {
        return Status::not_found;
    }
    // What clients send back is most often what they were told.
    if (!value.empty() && value == validators.last_modified) {
        return validators.modified;
    }
    return parse_http_date(value, now);
}

// RFC 9110 section 13.1.5. A date must be the very one, and old enough that the second it names is over.
bool if_range_holds(std::string_view value, const Validators& validators, int64_t now) {
    if (value.starts_with('"') || starts_with(value, "W/")) {
        EntityTag tag;
        return take_entity_tag(value, tag) && value.empty() && !tag.is_weak && tag.opaque == validators.etag;
    }
    const Result<int64_t> date = parse_http_date(value, now);
    return date.ok() && date.value() == validators.modified && validators.modified < now;
}

// Digits alone; what exceeds 64 bits is beyond every file.
bool parse_position(std::string_view text, uint64_t& position) {
    const Result<uint64_t> number = parse_decimal(text);
    if (number.ok()) {
        position = number.value();
        return true;
    }
    position = std::numeric_limits<uint64_t>::max();
    return number.status() == Status::too_large && text.find_first_not_of("0123456789") == std::string_view::npos;
}

void append_hex(TextBuffer& out, uint64_t value) {
    static constexpr char digits[] = "0123456789abcdef";
    unsigned shift = 60;
    while (shift > 0 && (value >> shift) == 0) {
        shift -= 4;
    }
    for (;; shift -= 4) {
        out.append(digits[(value >> shift) & 0x0fU]);
        if (shift == 0) {
            return;
        }
    }
}

Selection last_bytes(uint64_t count, uint64_t size) {
    if (count == 0) {
        return {.kind = Selection::Kind::unsatisfiable};
    }
    if (size == 0) {
        return {};  // whole: satisfiable by section 14.1.2, but Content-Range cannot say "no bytes"
    }
    const uint64_t length = count < size ? count : size;
    return {.kind = Selection::Kind::part, .offset = size - length, .length = length};
}

}  // namespace

void append_etag(TextBuffer& out, uint64_t size, int64_t seconds, uint32_t nanoseconds, std::string_view release) {
    out.append('"');
    append_hex(out, size);
    out.append('-');
    append_hex(out,
               static_cast<uint64_t>(seconds) * 1'000'000'000U + nanoseconds);  // times before 1970 wrap, and differ
    if (!release.empty()) {
        out.append('-').append(release);
    }
    out.append('"');
}

bool matches_strong(std::string_view list, std::string_view etag) {
    return matches(list, etag, false);
}

bool matches_weak(std::string_view list, std::string_view etag) {
    return matches(list, etag, true);
}

Selection select_range(std::string_view value, uint64_t size) {
    const Selection whole{.kind = Selection::Kind::whole, .offset = 0, .length = size};
    constexpr std::string_view unit = "bytes=";
    if (!starts_with_ignore_case(value, unit)) {
        return whole;
    }
    const std::string_view range = trim(slice(value, unit.size()));
    const size_t dash = range.find('-');
    if (dash == std::string_view::npos) {
        return whole;
    }
    const std::string_view first_text = slice(range, 0, dash);
    const std::string_view last_text = slice(range, dash + 1);
    uint64_t first = 0;
    uint64_t last = std::numeric_limits<uint64_t>::max();
    if (!last_text.empty() && !parse_position(last_text, last)) {
        return whole;
    }
    if (first_text.empty()) {
        return last_text.empty() ? whole : last_bytes(last, size);
    }
    if (!parse_position(first_text, first) || first > last) {
        return whole;
    }
    if (first >= size) {
        return {.kind = Selection::Kind::unsatisfiable};
    }
    const uint64_t end = last < size ? last + 1 : size;
    return {.kind = Selection::Kind::part, .offset = first, .length = end - first};
}

Selection select(const RequestHead& head, const Validators& validators, uint64_t size, int64_t now) {
    const bool is_get = head.method == "GET";
    const bool is_read = is_get || head.method == "HEAD";
    std::string_view value;
    if (count_fields(head, "If-Match", value) > 0) {
        if (!any_field_matches(head, "If-Match", validators.etag, false)) {
            return {.kind = Selection::Kind::failed};
        }
    } else if (const auto date = date_field(head, "If-Unmodified-Since", validators, now); date.ok()) {
        if (validators.modified > date.value()) {
            return {.kind = Selection::Kind::failed};
        }
    }
    if (count_fields(head, "If-None-Match", value) > 0) {
        if (any_field_matches(head, "If-None-Match", validators.etag, true)) {
            return {.kind = is_read ? Selection::Kind::not_modified : Selection::Kind::failed};
        }
    } else if (const auto date = date_field(head, "If-Modified-Since", validators, now); is_read && date.ok()) {
        if (validators.modified <= date.value()) {
            return {.kind = Selection::Kind::not_modified};
        }
    }
    const Selection whole{.kind = Selection::Kind::whole, .offset = 0, .length = size};
    std::string_view range;
    if (!is_get || count_fields(head, "Range", range) != 1) {
        return whole;  // section 14.2: only GET has ranges
    }
    const size_t conditions = count_fields(head, "If-Range", value);
    if (conditions > 1 || (conditions == 1 && !if_range_holds(value, validators, now))) {
        return whole;
    }
    return select_range(range, size);
}

}  // namespace fcgate::files
