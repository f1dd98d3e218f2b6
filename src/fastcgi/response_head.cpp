#include "fastcgi/response_head.hpp"

#include <cstring>

#include "base/text.hpp"

namespace fcgate::fastcgi {

namespace {

constexpr uint16_t lowest_status = 200;  // the HTTP library would send a 1xx as the final answer

// Without the line end, be it CRLF or LF.
std::string_view without_end(std::string_view line) {
    line.remove_suffix(1);
    if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
    }
    return line;
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
        if (part.size() > storage_.size() - size_) {
            error_ = "response head larger than its buffer";
            is_oversized_ = true;
            outcome_ = Status::too_large;
            break;
        }
        memcpy(storage_.data() + size_, part.data(), part.size());
        size_ += part.size();
        input.remove_prefix(part.size());
        if (end == std::string_view::npos) {
            break;
        }
        const std::string_view line = without_end({storage_.data() + line_start_, size_ - line_start_});
        outcome_ = line.empty() ? complete() : take_line(line);
        line_start_ = size_;
    }
    return outcome_;
}

Status ResponseHead::take_line(std::string_view line) {
    if (line.front() == ' ' || line.front() == '\t') {
        return fail("folded header field");
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
        return fail(line_start_ == 0 && starts_with(line, "HTTP/") ? "HTTP status line instead of a CGI head"
                                                                   : "header field without a colon");
    }
    const std::string_view name = slice(line, 0, colon);
    const std::string_view value = trim(slice(line, colon + 1));
    if (!is_token(name)) {
        return fail("header field name with a forbidden character");
    }
    if (has_control(value)) {
        return fail("header field value with a control character");
    }
    if (equals_ignore_case(name, "Status")) {
        return take_status(value);
    }
    if (equals_ignore_case(name, "Content-Length")) {
        return take_content_length(value);
    }
    if (is_hop_by_hop(name)) {
        has_connection_ = has_connection_ || equals_ignore_case(name, "Connection");
        return Status::again;
    }
    if (value.empty()) {
        return Status::again;
    }
    if (!fields_.push_back({name, value})) {
        error_ = "too many header fields";
        return Status::too_large;
    }
    has_location_ = has_location_ || equals_ignore_case(name, "Location");
    if (equals_ignore_case(name, "Content-Type")) {
        is_event_stream_ = is_event_stream_type(value);
    }
    return Status::again;
}

// RFC 3875 section 6.3.3: three digits, and a reason that may be missing.
Status ResponseHead::take_status(std::string_view value) {
    const Result<uint64_t> code = parse_decimal(slice(value, 0, 3));
    if (value.size() < 3 || !code.ok() || code.value() < lowest_status || (value.size() > 3 && value[3] != ' ')) {
        return fail("Status is no code from 200 to 999");
    }
    const auto status = static_cast<uint16_t>(code.value());
    if (status_ != 0 && status_ != status) {
        return fail("two different Status fields");
    }
    status_ = status;
    return Status::again;
}

Status ResponseHead::take_content_length(std::string_view value) {
    const Result<uint64_t> length = parse_decimal(value);
    if (!length.ok()) {
        return fail("Content-Length is no number");
    }
    if (has_content_length_ && content_length_ != length.value()) {
        return fail("two different Content-Length fields");
    }
    has_content_length_ = true;
    content_length_ = length.value();
    return Status::again;
}

Status ResponseHead::complete() {
    if (line_start_ == 0) {
        return fail("response without header fields");
    }
    if (has_connection_) {
        drop_named_by_connection();
    }
    if (status_ == 0) {
        status_ = has_location_ ? 302 : 200;
    }
    return Status::ok;
}

// What Connection names may stand before it, and there may be several: the head is read again, which few scripts cause.
void ResponseHead::drop_named_by_connection() {
    std::string_view rest(storage_.data(), size_);
    while (!rest.empty()) {
        std::string_view value;
        const std::string_view name = split_first(split_first(rest, '\n', rest), ':', value);
        if (!equals_ignore_case(name, "Connection")) {
            continue;
        }
        if (value.ends_with('\r')) {
            value.remove_suffix(1);
        }
        FixedList<Field, limits::reply_fields> kept;
        for (const Field& field : fields_) {
            if (!list_has(value, field.name)) {
                (void)kept.push_back(field);
            }
        }
        fields_ = kept;
    }
}

Status ResponseHead::fail(const char* why) {
    error_ = why;
    return Status::malformed;
}

}  // namespace fcgate::fastcgi
