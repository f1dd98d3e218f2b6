#include "fastcgi/response_head.hpp"

#include <cstring>

#include "base/text.hpp"

namespace fcgate::fastcgi {

namespace {

constexpr uint16_t lowest_status = 200;  // the HTTP library would send a 1xx as the final answer
constexpr uint16_t reset_content = 205;

// Instead of the first byte of a packed name: what a FieldCursor passes over.
constexpr char dropped = ' ';
constexpr char connection = '\x01';

// Without the line end, be it CRLF or LF.
std::string_view without_end(std::string_view line) {
    line.remove_suffix(1);
    if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
    }
    return line;
}

// Of a line or a piece of one, wherever it was cut.
bool has_text(std::string_view part) {
    return part.find_first_not_of("\r\n") != std::string_view::npos;
}

bool is_event_stream_type(std::string_view content_type) {
    std::string_view parameters;
    return equals_ignore_case(trim(split_first(content_type, ';', parameters)), "text/event-stream");
}

}  // namespace

Status ResponseHead::feed(std::string_view& input) {
    while (outcome_ == Status::again && !input.empty()) {
        const size_t end = input.find('\n');
        const std::string_view part = slice(input, 0, end == std::string_view::npos ? end : end + 1);
        if (!is_oversized_ && part.size() > storage_.size() - size_) {
            is_oversized_ = true;
            error_ = "response head larger than its buffer"_p;
            line_has_text_ = has_text({storage_.data() + packed_, line_size_});
        }
        size_ += part.size();
        input.remove_prefix(part.size());
        if (is_oversized_) {
            count(part);
            continue;
        }
        memcpy(storage_.data() + packed_ + line_size_, part.data(), part.size());
        line_size_ += part.size();
        if (end != std::string_view::npos) {
            const std::string_view line = without_end({storage_.data() + packed_, line_size_});
            outcome_ = line.empty() ? complete() : take_line(line);
            line_size_ = 0;
        }
    }
    return outcome_;
}

// Nothing is kept of what is too large, but whoever has to make room wants to know how much.
void ResponseHead::count(std::string_view part) {
    line_has_text_ = line_has_text_ || has_text(part);
    if (part.back() == '\n') {
        // What is malformed in other ways does not matter any more.
        field_count_ += line_has_text_ ? 1 : 0;
        outcome_ = line_has_text_ ? Status::again : Status::too_large;
        line_has_text_ = false;
    }
    if (size_ > storage_.size() + limits::chatter) {
        outcome_ = Status::too_large;
    }
}

Status ResponseHead::take_line(std::string_view line) {
    if (line.front() == ' ' || line.front() == '\t') {
        return fail("folded header field"_p);
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
        return fail(line_size_ == size_ && starts_with(line, "HTTP/") ? "HTTP status line instead of a CGI head"_p
                                                                      : "header field without a colon"_p);
    }
    const std::string_view name = slice(line, 0, colon);
    const std::string_view value = trim(slice(line, colon + 1));
    if (!is_token(name)) {
        return fail("header field name with a forbidden character"_p);
    }
    if (has_control(value)) {
        return fail("header field value with a control character"_p);
    }
    if (equals_ignore_case(name, "Status")) {
        return take_status(value);
    }
    if (equals_ignore_case(name, "Content-Length")) {
        return take_content_length(value);
    }
    if (is_hop_by_hop(name)) {
        if (equals_ignore_case(name, "Connection")) {
            has_connection_ = true;
            pack(name, value, connection);
        }
        return Status::again;
    }
    if (value.empty()) {
        return Status::again;
    }
    has_location_ = has_location_ || equals_ignore_case(name, "Location");
    if (equals_ignore_case(name, "Content-Type")) {
        is_event_stream_ = is_event_stream_type(value);
    }
    may_name_file_ =
        may_name_file_ || equals_ignore_case(name, "X-Sendfile") || equals_ignore_case(name, "X-Accel-Redirect");
    pack(name, value, name.front());
    return Status::again;
}

// The line that they come from is longer than both with their NULs.
void ResponseHead::pack(std::string_view name, std::string_view value, char first) {
    if (field_count_++ == most_fields()) {
        is_oversized_ = true;
        error_ = "too many header fields"_p;
        return;
    }
    char* const at = storage_.data() + packed_;
    memmove(at, name.data(), name.size());
    at[0] = first;
    at[name.size()] = '\0';
    if (!value.empty()) {
        memmove(at + name.size() + 1, value.data(), value.size());
    }
    at[name.size() + 1 + value.size()] = '\0';
    packed_ += name.size() + value.size() + 2;
}

// RFC 3875 section 6.3.3: three digits, and a reason that may be missing.
Status ResponseHead::take_status(std::string_view value) {
    const Result<uint64_t> code = parse_decimal(slice(value, 0, 3));
    if (value.size() < 3 || !code.ok() || code.value() < lowest_status || (value.size() > 3 && value[3] != ' ')) {
        return fail("Status is no code from 200 to 999"_p);
    }
    const auto status = static_cast<uint16_t>(code.value());
    if (status_ != 0 && status_ != status) {
        return fail("two different Status fields"_p);
    }
    status_ = status;
    return Status::again;
}

Status ResponseHead::take_content_length(std::string_view value) {
    const Result<uint64_t> length = parse_decimal(value);
    if (!length.ok()) {
        return fail("Content-Length is no number"_p);
    }
    if (has_content_length_ && content_length_ != length.value()) {
        return fail("two different Content-Length fields"_p);
    }
    has_content_length_ = true;
    content_length_ = length.value();
    return Status::again;
}

Status ResponseHead::complete() {
    if (line_size_ == size_) {
        return fail("response without header fields"_p);
    }
    if (has_connection_) {
        drop_named_by_connection();
    }
    if (status_ == 0) {
        status_ = has_location_ ? 302 : 200;
    }
    if (status_ == reset_content) {
        has_content_length_ = true;
        content_length_ = 0;
    }
    return Status::ok;
}

// What Connection names may stand before it, and there may be several. As no field is dropped yet, those that a cursor would pass over are these.
void ResponseHead::drop_named_by_connection() {
    std::string_view rest = packed_fields();
    while (!rest.empty()) {
        const std::string_view name = split_first(rest, '\0', rest);
        std::string_view others = packed_fields();
        const std::string_view value = split_first(rest, '\0', rest);
        while (name.front() == connection && !others.empty()) {
            const std::string_view other = split_first(others, '\0', others);
            (void)split_first(others, '\0', others);
            if (list_has(value, other)) {
                storage_[static_cast<size_t>(other.data() - storage_.data())] = dropped;
            }
        }
    }
}

void ResponseHead::drop_fields(bool (*is_unwanted)(std::string_view name)) {
    FieldCursor cursor = fields();
    for (Field field; cursor.next(field);) {
        if (is_unwanted(field.name)) {
            storage_[static_cast<size_t>(field.name.data() - storage_.data())] = dropped;
        }
    }
}

Status ResponseHead::fail(Packed why) {
    error_ = why;
    return Status::malformed;
}

}  // namespace fcgate::fastcgi
