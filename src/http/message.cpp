#include "http/message.hpp"

#include <new>

namespace fcgate {

namespace {

// RFC 9110 section 7.6.1 and what precedes it: Keep-Alive and Proxy-Connection are of HTTP/1.0, HTTP2-Settings of RFC 7540.
constexpr std::string_view hop_by_hop_names[] = {
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authentication-Info",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "HTTP2-Settings",
};
constexpr NameSet hop_by_hop(hop_by_hop_names);

}  // namespace

bool is_read(std::string_view method) {
    return method == "GET" || method == "HEAD";
}

bool is_safe(std::string_view method) {
    return is_read(method) || method == "OPTIONS";
}

size_t scheme_size(std::string_view url) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (starts_with_ignore_case(url, scheme)) {
            return scheme.size();
        }
    }
    return 0;
}

bool is_hop_by_hop(std::string_view name) {
    return hop_by_hop.has(name);
}

bool list_has(std::string_view value, std::string_view element) {
    while (!value.empty()) {
        if (equals_ignore_case(trim(split_first(value, ',', value)), element)) {
            return true;
        }
    }
    return false;
}

bool FieldCursor::next(Field& field) {
    if (!listed_.empty()) {
        field = listed_.front();
        listed_ = listed_.subspan(1);
        return true;
    }
    while (!packed_.empty()) {
        field.name = split_first(packed_, '\0', packed_);
        field.value = split_first(packed_, '\0', packed_);
        if (field.name.front() > ' ') {
            return true;
        }
    }
    return false;
}

std::string_view find_field(FieldCursor fields, std::string_view name) {
    for (Field field; fields.next(field);) {
        if (equals_ignore_case(field.name, name)) {
            return field.value;
        }
    }
    return {};
}

Reply::Reply() = default;
Reply::Reply(const Reply& other) = default;
Reply& Reply::operator=(const Reply& other) = default;

void Reply::clear() {
    new (this) Reply;
}

void Reply::begin(uint16_t new_status) {
    clear();
    status = new_status;
    length_known = true;
}

bool Reply::add_field(std::string_view name, std::string_view value) {
    return fields_.push_back({name, value});
}

void Reply::add_fields(const Reply& from) {
    for (const Field& field : from.fields_) {
        (void)fields_.push_back(field);
    }
}

void Reply::drop_field(std::string_view name) {
    Field* end = fields_.begin();
    for (const Field& field : fields_) {
        if (!equals_ignore_case(field.name, name)) {
            *end++ = field;
        }
    }
    while (fields_.end() != end) {
        fields_.pop_back();
    }
}

}  // namespace fcgate
