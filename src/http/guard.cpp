#include "http/guard.hpp"

#include "base/text.hpp"

namespace fcgate::http {

namespace {

constexpr std::string_view framing_names[] = {"Host", "Content-Length", "Transfer-Encoding", "Expect"};
constexpr NameSet framing(framing_names);

[[nodiscard]] Refusal check_fields(RequestHead& head, size_t& hosts, size_t& codings) {
    for (const Field& field : head.fields) {
        if (!is_token(field.name)) {
            return {400, "a field name is no token"_p};
        }
        if (has_control(field.value)) {
            return {400, "a control byte in a field value"_p};
        }
        if (!framing.has(field.name)) {
            continue;
        }
        const std::string_view value = trim(field.value);
        if (equals_ignore_case(field.name, "Host")) {
            ++hosts;
            head.host = value;
        } else if (equals_ignore_case(field.name, "Content-Length")) {
            const Result<uint64_t> length = parse_decimal(value);
            if (!length.ok() || head.has_content_length) {
                return {400, "Content-Length is not one plain number"_p};
            }
            head.has_content_length = true;
            head.content_length = length.value();
        } else if (equals_ignore_case(field.name, "Transfer-Encoding")) {
            ++codings;
            if (!equals_ignore_case(value, "chunked")) {
                return {501, "a transfer coding other than chunked"_p};
            }
            head.is_chunked = true;
        } else if (!equals_ignore_case(value, "100-continue")) {
            return {417, "an expectation other than 100-continue"_p};
        }
    }
    return {};
}

}  // namespace

Refusal check_head(RequestHead& head, std::string_view version) {
    if (version != "HTTP/1.1" && version != "HTTP/1.0") {
        return {505, "neither HTTP/1.0 nor HTTP/1.1"_p};
    }
    head.is_http_1_0 = version == "HTTP/1.0";
    if (!is_token(head.method)) {
        return {400, "the method is no token"_p};
    }
    size_t hosts = 0;
    size_t codings = 0;
    const Refusal refusal = check_fields(head, hosts, codings);
    if (refusal.status != 0) {
        return refusal;
    }
    if (hosts > 1 || (hosts == 0 && !head.is_http_1_0)) {
        return {400, "not exactly one Host"_p};
    }
    // An http target always has an authority (RFC 9110 section 4.2.1), so no client has reason to send none.
    if (hosts == 1 && head.host.empty()) {
        return {400, "an empty Host"_p};
    }
    if (hosts == 0) {
        // An absolute target has the authority then (RFC 9112 section 3.2.2).
        const size_t scheme = scheme_size(head.target);
        const std::string_view rest = slice(head.target, scheme);
        head.host = slice(rest, 0, scheme > 0 ? rest.find_first_of("/?") : 0);
    }
    if (codings > 1 || (head.is_chunked && head.has_content_length)) {
        return {400, "two ways to tell the body's length"_p};
    }
    if (head.is_chunked && head.is_http_1_0) {
        return {400, "Transfer-Encoding in HTTP/1.0"_p};
    }
    return {};
}

}  // namespace fcgate::http
