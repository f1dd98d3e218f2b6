#include "route/origin.hpp"

#include "base/text.hpp"

namespace fcgate::route {

namespace {

// Without the port that the scheme has anyway. A Host tells no scheme; browsers leave out the port that fits theirs.
[[nodiscard]] std::string_view without_port(std::string_view authority, std::string_view port) {
    return ends_with(authority, port) ? slice(authority, 0, authority.size() - port.size()) : authority;
}

// "http://router.lan:8080" (RFC 6454 section 7); "null" stands for a page that must not tell.
[[nodiscard]] bool is_own(std::string_view origin, std::string_view host) {
    const size_t scheme = scheme_size(origin);
    const std::string_view port = scheme == sizeof "https://" - 1 ? ":443" : ":80";
    const std::string_view authority = slice(origin, scheme);
    return scheme > 0 && !authority.empty() &&
           equals_ignore_case(without_port(authority, port), without_port(host, port));
}

}  // namespace

bool is_foreign(const RequestHead& head) {
    if (is_safe(head.method)) {
        return false;
    }
    bool has_site = false;
    bool is_own_origin = true;
    for (const Field& field : head.fields) {
        if (equals_ignore_case(field.name, "Sec-Fetch-Site")) {
            // none: the user himself, from the address bar or a bookmark.
            if (!equals_ignore_case(field.value, "same-origin") && !equals_ignore_case(field.value, "none")) {
                return true;
            }
            has_site = true;
        } else if (equals_ignore_case(field.name, "Origin")) {
            is_own_origin = is_own_origin && is_own(field.value, head.host);
        }
    }
    return !has_site && !is_own_origin;
}

}  // namespace fcgate::route
