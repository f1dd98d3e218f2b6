#include "route/client.hpp"

#include "base/text.hpp"

namespace fcgate::route {

namespace {

bool is_trusted(const SiteSettings& site, const Endpoint& address) {
    for (const Network& network : site.trusted_proxies) {
        if (network.contains(address)) {
            return true;
        }
    }
    return false;
}

// The element behind the last comma; removes it.
std::string_view take_last(std::string_view& list) {
    const size_t comma = list.rfind(',');
    const std::string_view last = slice(list, comma + 1);  // npos + 1 is the start
    list = slice(list, 0, comma == std::string_view::npos ? 0 : comma);
    return trim(last);
}

// An address, as proxies write it: perhaps with a port, IPv6 perhaps in brackets.
Result<Endpoint> parse_element(std::string_view text) {
    if (text.starts_with('[')) {
        const size_t end = text.find(']');
        const std::string_view port = slice(text, end == std::string_view::npos ? end : end + 1);
        if (end == std::string_view::npos || (!port.empty() && port.front() != ':')) {
            return Status::malformed;
        }
        text = slice(text, 1, end - 1);
    } else if (const size_t colon = text.find(':'); colon != std::string_view::npos && text.rfind(':') == colon) {
        text = slice(text, 0, colon);
    }
    // A scope means something on the proxy's machine alone.
    return text.find('%') == std::string_view::npos ? Endpoint::parse_ip(text, 0) : Result<Endpoint>(Status::malformed);
}

// Goes on towards the client through one field's list. False when the search is over.
bool follow(const SiteSettings& site, std::string_view list, Endpoint& address) {
    while (!list.empty()) {
        const Result<Endpoint> next = parse_element(take_last(list));
        if (!next.ok()) {
            return false;
        }
        address = next.value();
        if (!is_trusted(site, address)) {
            return false;
        }
    }
    return true;
}

}  // namespace

Asker find_asker(const SiteSettings& site, const Endpoint& client, bool is_tls, std::span<const Field> fields) {
    Asker asker{.address = client, .is_proxied = false, .is_https = is_tls};
    if (!is_trusted(site, client)) {
        return asker;
    }
    asker.is_proxied = true;
    bool goes_on = true;
    std::string_view scheme;
    for (size_t i = fields.size(); i > 0; --i) {
        const Field& field = fields[i - 1];
        if (goes_on && equals_ignore_case(field.name, "X-Forwarded-For")) {
            goes_on = follow(site, field.value, asker.address);
        } else if (scheme.empty() && equals_ignore_case(field.name, "X-Forwarded-Proto")) {
            std::string_view list = field.value;
            scheme = take_last(list);
        }
    }
    if (!scheme.empty()) {
        asker.is_https = equals_ignore_case(scheme, "https");
    }
    return asker;
}

bool is_trusted_proxy(const Settings& settings, const Endpoint& address) {
    for (const SiteSettings& site : settings.sites) {
        if (is_trusted(site, address)) {
            return true;
        }
    }
    return false;
}

bool may_ask(const SiteSettings& site, const Endpoint& address) {
    bool any_allows = false;
    for (const AccessRule& rule : site.access) {
        if (rule.network.contains(address)) {
            return rule.allows;
        }
        any_allows = any_allows || rule.allows;
    }
    return !any_allows;
}

}  // namespace fcgate::route
