#include "files/conditions.hpp"

#include <array>
#include <limits>

#include "base/http_date.hpp"
#include "base/text_table.hpp"

namespace fcgate::files {

namespace {

enum Name : uint8_t { if_match, if_none_match, if_unmodified_since, if_modified_since, if_range, range };

constexpr std::string_view name_rows[] = {
    "If-Match", "If-None-Match", "If-Unmodified-Since", "If-Modified-Since", "If-Range", "Range",
};
constexpr auto names = pack_texts<name_rows>();

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
        (void)split_first(list, ',', list);
        list = trim(list);
    }
    return false;
}

// What the request says under one of the names.
struct Said {
    size_t count;
    std::string_view value;  // of the first field
    bool matches;  // one of them names the representation: a list may come as several fields (RFC 9110 section 5.3)
};
using AllSaid = std::array<Said, std::size(name_rows)>;

void collect(const RequestHead& head, std::string_view etag, AllSaid& all) {
    for (const Field& field : head.fields) {
        for (size_t name = 0; name < std::size(name_rows); ++name) {
            if (!equals_ignore_case(field.name, names[name])) {
                continue;
            }
            Said& said = all[name];
            if (said.count++ == 0) {
                said.value = trim(field.value);
            }
            said.matches = said.matches || (name <= if_none_match && matches(field.value, etag, name == if_none_match));
        }
    }
}

// A date that is missing, repeated or malformed is not there (RFC 9110 sections 13.1.3 and 13.1.4).
Result<int64_t> date_of(const Said& said, const Validators& validators, int64_t now) {
    if (said.count != 1) {
        return Status::not_found;
    }
    // What clients send back is most often what they were told.
    if (!said.value.empty() && said.value == validators.last_modified) {
        return validators.modified;
    }
    return parse_http_date(said.value, now);
}

// RFC 9110 section 13.1.5. A date must be the very one, and old enough that the second it names is over.
bool if_range_holds(std::string_view value, const Validators& validators, int64_t now) {
    EntityTag tag;
    if (std::string_view rest = value; take_entity_tag(rest, tag)) {
        return rest.empty() && !tag.is_weak && tag.opaque == validators.etag;
    }
    const Result<int64_t> date = parse_http_date(value, now);
    return date.ok() && date.value() == validators.modified && validators.modified < now;
}

// Digits alone; what exceeds 64 bits is beyond every file.
bool parse_position(std::string_view text, uint64_t& position) {
    for (const char c : text) {
        if (!is_digit(c)) {
            return false;
        }
    }
    const Result<uint64_t> number = parse_decimal(text);
    position = number.ok() ? number.value() : std::numeric_limits<uint64_t>::max();
    return !text.empty();
}

// What the conditions leave, in the order of RFC 9110 section 13.2.2.
Selection::Kind judge(const AllSaid& all, const Validators& validators, bool is_read, int64_t now) {
    if (all[if_match].count > 0) {
        if (!all[if_match].matches) {
            return Selection::Kind::failed;
        }
    } else if (const auto date = date_of(all[if_unmodified_since], validators, now);
               date.ok() && validators.modified > date.value()) {
        return Selection::Kind::failed;
    }
    if (all[if_none_match].count > 0) {
        if (all[if_none_match].matches) {
            return is_read ? Selection::Kind::not_modified : Selection::Kind::failed;
        }
    } else if (const auto date = date_of(all[if_modified_since], validators, now);
               is_read && date.ok() && validators.modified <= date.value()) {
        return Selection::Kind::not_modified;
    }
    return Selection::Kind::whole;
}

}  // namespace

void append_etag(TextBuffer& out, uint64_t size, int64_t seconds, uint32_t nanoseconds, std::string_view release) {
    out.append('"');
    out.append_hex(size);
    out.append('-');
    // Times before 1970 wrap, and differ.
    out.append_hex(static_cast<uint64_t>(seconds) * 1'000'000'000U + nanoseconds);
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
    Selection selection{.length = size};
    if (!starts_with_ignore_case(value, "bytes=")) {
        return selection;
    }
    value.remove_prefix(sizeof "bytes");
    std::string_view last_text;
    const std::string_view range = trim(value);
    const std::string_view first_text = split_first(range, '-', last_text);
    uint64_t first = 0;
    uint64_t last = std::numeric_limits<uint64_t>::max();
    const bool has_dash = first_text.size() < range.size();
    const bool has_first = !first_text.empty();
    if (!has_dash || (has_first && !parse_position(first_text, first)) ||
        ((!has_first || !last_text.empty()) && !parse_position(last_text, last))) {
        return selection;
    }
    if (!has_first) {
        // So many last bytes. Of none the whole is sent: that is satisfiable by section 14.1.2, but Content-Range cannot say "no bytes".
        if (last > 0 && size == 0) {
            return selection;
        }
        first = last < size ? size - last : 0;
        last = size;
    } else if (first > last) {
        return selection;
    }
    if (first >= size) {
        return {.kind = Selection::Kind::unsatisfiable};
    }
    selection.kind = Selection::Kind::part;
    selection.offset = first;
    selection.length = (last < size ? last + 1 : size) - first;
    return selection;
}

Selection select(const RequestHead& head, const Validators& validators, uint64_t size, int64_t now) {
    const bool is_get = head.method == "GET";
    AllSaid all{};
    collect(head, validators.etag, all);
    const Selection::Kind kind = judge(all, validators, is_read(head.method), now);
    if (kind != Selection::Kind::whole) {
        return {.kind = kind};
    }
    // Section 14.2: only GET has ranges.
    const bool has_range = is_get && all[range].count == 1 &&
                           (all[if_range].count == 0 ||
                            (all[if_range].count == 1 && if_range_holds(all[if_range].value, validators, now)));
    return select_range(has_range ? all[range].value : std::string_view(), size);
}

}  // namespace fcgate::files
