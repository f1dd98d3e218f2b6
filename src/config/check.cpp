// What only the whole configuration can tell.
#include <algorithm>

#include "base/features.hpp"
#include "config/keys.hpp"
#include "config/settings.hpp"

namespace fcgate {

namespace {

using config::SectionKind;

// "[site NAME] " and what is wrong there.
template <packing::Literal Pattern, typename... Values>
Status wrong(ConfigError& error, SectionKind kind, std::string_view name, Values... values) {
    config::print_heading(kind, name, error.text);
    error.text.append(' ').template append<Pattern>(values...);
    return Status::malformed;
}

Status check_capacities(const ServerSettings& server, ConfigError& error) {
    if (server.threads > server.max_connections) {
        return wrong<"threads: more than max_connections (%); every thread needs one">(error, SectionKind::server, "",
                                                                                       server.max_connections);
    }
    if (server.exchanges < server.threads) {
        return wrong<"exchanges: fewer than threads (%); every thread needs one">(error, SectionKind::server, "",
                                                                                  server.threads);
    }
    // Every exchange must be able to hold a page, and one more keeps the fullest of them moving.
    const uint64_t least = (uint64_t{server.exchanges} + 1) * limits::page;
    if (server.response_memory < least) {
        return wrong<"response_memory: too little for % exchanges; write at least %k">(
            error, SectionKind::server, "", server.exchanges, (least + 1023) / 1024);
    }
    if (server.response_buffer > server.response_memory) {
        return wrong<"response_buffer: one exchange cannot have more than all response_memory">(
            error, SectionKind::server, "");
    }
    return Status::ok;
}

Status resolve_backend(const Settings& settings, SiteSettings& site, ConfigError& error) {
    site.backend_number = 0;
    site.has_backend = !settings.backends.empty();
    if (site.backend.empty()) {
        return Status::ok;
    }
    site.backend_number = settings.find_backend(site.backend);
    if (site.backend_number < settings.backends.size()) {
        return Status::ok;
    }
    return wrong<"backend: there is no [backend %]">(error, SectionKind::site, site.name, site.backend);
}

Status check_site(const SiteSettings& site, bool is_first, ConfigError& error) {
    if (site.root.empty()) {
        return wrong<"root: not set; write the folder that is served, for example /www">(error, SectionKind::site,
                                                                                         site.name);
    }
    if (!is_first && site.hosts.empty()) {
        return wrong<"host: not set; only the first site is found without one">(error, SectionKind::site, site.name);
    }
    return Status::ok;
}

[[maybe_unused]] Status check_tls(const ServerSettings& server, ConfigError& error) {
    const bool has_files = !server.tls_certificate.empty() && !server.tls_key.empty();
    if ((server.wants_tls() || server.tls_self_signed) && !has_files) {
        return wrong<"%: not set; write where the file is, or is to be made with tls_self_signed = yes">(
            error, SectionKind::server, "", server.tls_certificate.empty() ? "tls_certificate" : "tls_key");
    }
    return Status::ok;
}

// A browser that has seen it would refuse a certificate that nobody vouches for, without a way around.
[[maybe_unused]] Status check_promises(const Settings& settings, ConfigError& error) {
    for (const SiteSettings& site : settings.sites) {
        for (const Pair& header : site.headers) {
            if (settings.server.tls_self_signed && equals_ignore_case(header.name, "Strict-Transport-Security")) {
                return wrong<"header: Strict-Transport-Security would lock browsers out with tls_self_signed">(
                    error, SectionKind::site, site.name);
            }
        }
    }
    return Status::ok;
}

// Two sites with one name: the second would never be found.
Status check_hosts(const Settings& settings, ConfigError& error) {
    for (const SiteSettings& site : settings.sites) {
        for (const std::string_view host : site.hosts) {
            for (const SiteSettings* other = settings.sites.begin(); other != &site; ++other) {
                for (const std::string_view taken : other->hosts) {
                    if (equals_ignore_case(host, taken)) {
                        return wrong<"host: \"%\" belongs to an earlier site already">(error, SectionKind::site,
                                                                                       site.name, Escaped{host, 60});
                    }
                }
            }
        }
    }
    return Status::ok;
}

}  // namespace

size_t Settings::find_backend(std::string_view name) const {
    size_t number = 0;
    while (number < backends.size() && backends[number].name != name) {
        ++number;
    }
    return number;
}

Status Settings::check(ConfigError& error) {
    error.line = 0;
    error.text.clear();
    const bool needs_http = server.host_calls.calls == 0;
    if (server.listen.empty() && needs_http) {
        return wrong<"listen: not set; write for example 0.0.0.0:80">(error, SectionKind::server, "");
    }
    Status status = check_capacities(server, error);
    if constexpr (features::tls) {
        status = status == Status::ok ? check_tls(server, error) : status;
    }
    if (status != Status::ok) {
        return status;
    }
    for (BackendSettings& backend : backends) {
        backend.largest_body = 0;
        if (backend.kind == BackendSettings::Kind::unset) {
            return wrong<"address: not set; write for example unix:/run/php/php-fpm.sock">(error, SectionKind::backend,
                                                                                           backend.name);
        }
    }
    if (sites.empty() && (needs_http || !server.listen.empty())) {
        error.text.append("there is no [site]; set at least its root, the folder that is served"_p);
        return Status::malformed;
    }
    for (SiteSettings& site : sites) {
        status = check_site(site, &site == sites.begin(), error);
        if (status == Status::ok) {
            status = resolve_backend(*this, site, error);
        }
        if (status != Status::ok) {
            return status;
        }
        if (site.has_backend) {
            uint64_t& largest = backends[site.backend_number].largest_body;
            largest = std::max(largest, site.max_body);
        }
    }
    status = check_hosts(*this, error);
    if constexpr (features::tls) {
        status = status == Status::ok ? check_promises(*this, error) : status;
    }
    return status;
}

}  // namespace fcgate
