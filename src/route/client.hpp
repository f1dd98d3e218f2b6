// Owns: who asks: whom a trusted proxy names, and who may ask at all.
// Borrows: the request's head and the site's settings, for the call.
// Must not touch: sockets, name resolution. Pure.
#pragma once

#include <span>

#include "base/endpoint.hpp"
#include "config/settings.hpp"
#include "http/message.hpp"

namespace fcgate::route {

struct Asker {
    Endpoint address;  // without a port when a proxy names it
    bool is_proxied = false;
    bool is_https = false;
};

// Who asks on the connection of `client`. X-Forwarded-For and X-Forwarded-Proto are believed from the site's `trusted_proxy` networks alone. X-Forwarded-For is read from its
// end, where the nearest proxy has written: the first address that is no trusted proxy's is the client's; what is
// written before it may be anybody's invention. An element that is no address ends the search: the last proxy known is the asker.
[[nodiscard]] Asker find_asker(const SiteSettings& site, const Endpoint& client, bool is_tls,
                               std::span<const Field> fields);

// Any site's: its connections are those of many clients.
[[nodiscard]] bool is_trusted_proxy(const Settings& settings, const Endpoint& address);

// `allow` and `deny`: the first rule that names the address decides. Nobody else is let in where there is an `allow`.
[[nodiscard]] bool may_ask(const SiteSettings& site, const Endpoint& address);

}  // namespace fcgate::route
