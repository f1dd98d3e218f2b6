#include "config/keys.hpp"

#include <algorithm>
#include <array>
#include <type_traits>

#include "base/features.hpp"
#include "config/profile.hpp"
#include "config/settings.hpp"
#include "config/values.hpp"

namespace fcgate::config {

namespace {

using Type = Key::Type;
using Pairs = FixedList<Pair, limits::pairs_per_site>;

constexpr uint64_t kib = 1024;
constexpr uint64_t mib = 1024 * kib;
constexpr uint64_t hour_ms = uint64_t{60} * 60 * 1000;
constexpr uint64_t day_ms = 24 * hour_ms;

template <auto Member>
struct MemberOf;

template <typename Section, typename Value, Value Section::*Member>
struct MemberOf<Member> {
    using Type = Value;
    static void* at(void* section) { return &(static_cast<Section*>(section)->*Member); }
};

template <auto Member, typename Value>
constexpr void expect() {
    static_assert(std::is_same_v<typename MemberOf<Member>::Type, Value>,
                  "the member does not hold this type of value");
}

template <auto Member>
constexpr Key number(std::string_view name, uint64_t least, uint64_t most) {
    expect<Member, uint32_t>();
    return {.name = name, .type = Type::number, .at = MemberOf<Member>::at, .least = least, .most = most};
}

template <auto Member>
constexpr Key size(std::string_view name, uint64_t least, uint64_t most) {
    expect<Member, uint64_t>();
    return {.name = name, .type = Type::size, .at = MemberOf<Member>::at, .least = least, .most = most};
}

template <auto Member>
constexpr Key time(std::string_view name, uint64_t least = 1, uint64_t most = hour_ms) {
    expect<Member, int64_t>();
    return {.name = name, .type = Type::time, .at = MemberOf<Member>::at, .least = least, .most = most};
}

template <auto Member>
constexpr Key flag(std::string_view name) {
    expect<Member, bool>();
    return {.name = name, .type = Type::flag, .at = MemberOf<Member>::at, .hint = "yes or no"};
}

template <auto Member>
constexpr Key text(std::string_view name, bool (*accepts)(std::string_view), const char* hint) {
    expect<Member, std::string_view>();
    return {.name = name, .type = Type::text, .at = MemberOf<Member>::at, .accepts = accepts, .hint = hint};
}

template <auto Member>
constexpr Key pairs(std::string_view name, bool (*accepts)(std::string_view), const char* hint) {
    expect<Member, Pairs>();
    return {.name = name, .type = Type::pairs, .at = MemberOf<Member>::at, .accepts = accepts, .hint = hint};
}

constexpr Key with_values(Key key, bool (*accepts_value)(std::string_view)) {
    key.accepts_value = accepts_value;
    return key;
}

template <auto Member>
constexpr Key words(std::string_view name, bool (*accepts)(std::string_view), const char* hint) {
    expect<Member, FixedList<std::string_view, limits::words_per_key>>();
    return {.name = name, .type = Type::words, .at = MemberOf<Member>::at, .accepts = accepts, .hint = hint};
}

constexpr const char* network_hint = "networks, for example 192.168.1.0/24 2001:db8::/32, or private, unix, all";

constexpr Key access(std::string_view name, bool allows) {
    expect<&SiteSettings::access, FixedList<AccessRule, limits::networks>>();
    return {.name = name,
            .type = Type::access,
            .allows = allows,
            .at = MemberOf<&SiteSettings::access>::at,
            .hint = network_hint};
}

constexpr Choice close_or_finish{.off = "close", .on = "finish"};

// A flag whose two values have names of their own.
template <auto Member>
constexpr Key choice(std::string_view name, const Choice& values, const char* hint) {
    Key key = flag<Member>(name);
    key.choice = &values;
    key.hint = hint;
    return key;
}

constexpr Key log_level_key() {
    expect<&ServerSettings::log_level, LogLevel>();
    return {.name = "log_level",
            .type = Type::log_level,
            .at = MemberOf<&ServerSettings::log_level>::at,
            .hint = "error, warning, info or debug"};
}

constexpr Key without(Key key, const char* not_yet) {
    key.not_yet = not_yet;
    return key;
}

constexpr Key at_start(Key key) {
    key.at_start = true;
    return key;
}

// The row of a key that belongs to a feature: a build without it knows the key, and refuses it.
constexpr Key part_of(bool feature, const char* option, Key key) {
    if (!feature) {
        return {.name = key.name, .type = Type::unbuilt, .option = option};
    }
    return key;
}

constexpr Key of_spawn(Key key) {
    return part_of(features::spawn, "spawn", key);
}

constexpr Key of_tls(Key key) {
    return part_of(features::tls, "tls", key);
}

constexpr Key listen_key() {
    Key key{.name = "listen",
            .type = Type::listen,
            .at = MemberOf<&ServerSettings::listen>::at,
            .hint = "for example 0.0.0.0:80, [::1]:8080, :80 for all addresses, unix:/run/fcgate.sock or fd:3"};
    if (!features::tls) {
        key.not_yet = key.option = "tls";
    }
    return key;
}

constexpr const char* log_hint = "stderr, syslog, or a path such as /var/log/fcgate.log";

constexpr Key of_syslog(Key key) {
    return features::syslog ? key : without(key, "syslog");
}

constexpr Key server_keys[] = {
    listen_key(),
    at_start(text<&ServerSettings::profile>("profile", is_profile_name, "tiny, small or full")),
    at_start(size<&ServerSettings::memory_ceiling>("memory_ceiling", 0, 4096 * mib)),
    at_start(number<&ServerSettings::threads>("threads", 1, limits::threads)),
    at_start(text<&ServerSettings::user>("user", is_user_name, "the name of a user, for example www-data")),
    at_start(text<&ServerSettings::group>("group", is_user_name, "the name of a group, for example www-data")),
    at_start(text<&ServerSettings::runtime_dir>("runtime_dir", is_runtime_dir,
                                                "an absolute path of at most 64 bytes, for example /run/fcgate")),
    at_start(text<&ServerSettings::pid_file>("pid_file", is_pid_file,
                                             "an absolute path of at most 255 bytes, for example /run/fcgate.pid")),
    at_start(number<&ServerSettings::max_connections>("max_connections", 1, 4096)),
    number<&ServerSettings::max_connections_per_client>("max_connections_per_client", 1, 4096),
    number<&ServerSettings::reserved_connections>("reserved_connections", 0, 64),
    {.name = "reserved_for",
     .type = Type::networks,
     .at = MemberOf<&ServerSettings::reserved_for>::at,
     .hint = network_hint},
    at_start(size<&ServerSettings::connection_memory>("connection_memory", 8 * kib, mib)),
    at_start(number<&ServerSettings::exchanges>("exchanges", 1, 1024)),
    at_start(size<&ServerSettings::response_memory>("response_memory", 64 * kib, 256 * mib)),
    at_start(size<&ServerSettings::response_buffer>("response_buffer", limits::page, 256 * mib)),
    at_start(size<&ServerSettings::file_cache>("file_cache", 0, 64 * mib)),
    text<&ServerSettings::unknown_host>("unknown_host", is_unknown_host, "refuse, or redirect http://192.168.1.1/"),
    text<&ServerSettings::release>("release", is_release, "at most 32 letters, digits, dots, dashes and underscores"),
    at_start(size<&ServerSettings::spool_total>("spool_total", 0, 4096 * mib)),
    time<&ServerSettings::header_timeout_ms>("header_timeout"),
    time<&ServerSettings::body_timeout_ms>("body_timeout"),
    time<&ServerSettings::send_timeout_ms>("send_timeout"),
    time<&ServerSettings::keepalive_timeout_ms>("keepalive_timeout"),
    time<&ServerSettings::stop_timeout_ms>("stop_timeout"),
    at_start(of_syslog(text<&ServerSettings::error_log>("error_log", is_log_target, log_hint))),
    log_level_key(),
    part_of(features::access_log, "access_log",
            at_start(of_syslog(text<&ServerSettings::access_log>("access_log", is_access_log, log_hint)))),
    part_of(features::access_log, "access_log",
            at_start(text<&ServerSettings::access_log_format>("access_log_format", is_access_format,
                                                              "common, combined or json"))),
    part_of(features::syslog, "syslog",
            at_start(text<&ServerSettings::syslog_format>("syslog_format", is_syslog_format, "rfc5424 or local"))),
    part_of(features::status, "status",
            text<&ServerSettings::status_path>("status_path", is_status_path, "off, or a path such as /fcgate-status")),
    part_of(features::status, "status",
            {.name = "status_allow",
             .type = Type::networks,
             .at = MemberOf<&ServerSettings::status_allow>::at,
             .hint = network_hint}),
    at_start(text<&ServerSettings::mime_types>("mime_types", is_spool_folder,
                                               "an absolute path, for example /etc/mime.types")),
    of_tls(text<&ServerSettings::tls_certificate>("tls_certificate", is_spool_folder,
                                                  "an absolute path, for example /etc/fcgate/tls.crt")),
    of_tls(text<&ServerSettings::tls_key>("tls_key", is_spool_folder,
                                          "an absolute path, for example /etc/fcgate/tls.key")),
    of_tls(flag<&ServerSettings::tls_self_signed>("tls_self_signed")),
    part_of(features::sandbox, "sandbox", at_start(flag<&ServerSettings::sandbox>("sandbox"))),
};

constexpr Key backend_keys[] = {
    {.name = "address",
     .type = Type::address,
     .at = [](void* section) { return section; },
     .hint = "for example unix:/run/php/php-fpm.sock or 127.0.0.1:9000"},
    number<&BackendSettings::workers>("workers", 1, 1000),
    flag<&BackendSettings::keep_alive>("keep_alive"),
    number<&BackendSettings::queue>("queue", 0, 512),
    time<&BackendSettings::queue_timeout_ms>("queue_timeout"),
    time<&BackendSettings::connect_timeout_ms>("connect_timeout"),
    time<&BackendSettings::park_timeout_ms>("park_timeout", 0),
    time<&BackendSettings::response_timeout_ms>("response_timeout"),
    choice<&BackendSettings::finish_on_abort>("on_abort", close_or_finish, "close or finish"),
    of_spawn(text<&BackendSettings::command>("command", nullptr, "")),
    of_spawn(time<&BackendSettings::idle_stop_ms>("idle_stop", 0, day_ms)),
    of_spawn(pairs<&BackendSettings::php>("php", is_php_key, "KEY VALUE, for example memory_limit 32M")),
};

constexpr Key site_keys[] = {
    words<&SiteSettings::hosts>("host", is_host_pattern, "names without a port, for example router.lan *.local"),
    text<&SiteSettings::root>("root", is_file_path, "the folder that is served, for example /www"),
    {.name = "index",
     .type = Type::index,
     .at = [](void* section) { return section; },
     .accepts = is_index_name,
     .hint = "names of files, for example index.php index.html"},
    text<&SiteSettings::front_controller>("front_controller", is_front_controller,
                                          "a path below root, for example /index.php"),
    text<&SiteSettings::script_suffix>("script_suffix", is_script_suffix,
                                       "the end of PHP's file names, for example .php"),
    words<&SiteSettings::links_to>("links_to", is_absolute_path,
                                   "absolute paths of folders, for example /var/lib/wiki"),
    words<&SiteSettings::no_scripts>("no_scripts", is_url_path, "paths of folders, for example /uploads"),
    part_of(features::listing, "listing", flag<&SiteSettings::listing>("listing")),
    text<&SiteSettings::backend>(
        "backend", [](std::string_view name) { return name.empty() || is_section_name(name); },
        "the NAME of a [backend NAME]"),
    size<&SiteSettings::max_body>("max_body", 0, 4096 * mib),
    part_of(features::spool, "spool",
            text<&SiteSettings::spool>("spool", is_spool_folder, "an absolute path, for example /tmp")),
    access("allow", true),
    access("deny", false),
    {.name = "trusted_proxy",
     .type = Type::networks,
     .at = MemberOf<&SiteSettings::trusted_proxies>::at,
     .hint = network_hint},
    flag<&SiteSettings::origin_check>("origin_check"),
    of_tls(flag<&SiteSettings::redirect_https>("redirect_https")),
    flag<&SiteSettings::precompressed>("precompressed"),
    with_values(pairs<&SiteSettings::expires>("expires", is_url_path, "PATH TIME, for example /assets/ 30d"),
                is_expiry),
    pairs<&SiteSettings::params>("param", is_param_name, "NAME VALUE, for example APP_ENV production"),
    pairs<&SiteSettings::headers>("header", is_header_name, "NAME VALUE, for example X-Frame-Options DENY"),
    with_values(
        pairs<&SiteSettings::error_pages>("error_page", is_error_status, "STATUS... PATH, for example 404 /404.html"),
        is_error_page),
    flag<&SiteSettings::intercept_errors>("intercept_errors"),
    text<&SiteSettings::sendfile_root>("sendfile_root", is_spool_folder,
                                       "an absolute path, for example /srv/downloads"),
    words<&SiteSettings::internal>("internal", is_url_path, "paths of folders, for example /protected"),
};

constexpr SectionKind all_kinds[] = {SectionKind::server, SectionKind::backend, SectionKind::site};

// How many single-character changes part two names (Levenshtein), `most` and more alike.
size_t distance(std::string_view a, std::string_view b, size_t most) {
    constexpr size_t longest = 40;
    if (a.size() > longest || b.size() > longest) {
        return most;
    }
    std::array<size_t, longest + 1> row{};
    for (size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min(replaced, std::min(row[j], row[j - 1]) + 1);
        }
    }
    return std::min(row[b.size()], most);
}

// The distance from which a suggestion would be a guess.
size_t too_far(std::string_view name) {
    return name.size() < 4 ? 2 : 4;
}

}  // namespace

std::string_view kind_name(SectionKind kind) {
    switch (kind) {
        case SectionKind::server:
            return "server";
        case SectionKind::backend:
            return "backend";
        case SectionKind::site:
            return "site";
    }
    return {};
}

std::span<const Key> keys_of(SectionKind kind) {
    switch (kind) {
        case SectionKind::server:
            return server_keys;
        case SectionKind::backend:
            return backend_keys;
        case SectionKind::site:
            return site_keys;
    }
    return {};
}

const Key* find_key(SectionKind kind, std::string_view name) {
    for (const Key& key : keys_of(kind)) {
        if (key.name == name) {
            return &key;
        }
    }
    return nullptr;
}

void suggest_key(SectionKind kind, std::string_view name, TextBuffer& message) {
    for (const SectionKind other : all_kinds) {
        if (find_key(other, name) != nullptr) {
            message.append("; it belongs to [").append(kind_name(other)).append(']');
            return;
        }
    }
    size_t nearest = too_far(name);
    const Key* best = nullptr;
    for (const Key& key : keys_of(kind)) {
        const size_t apart = distance(name, key.name, nearest);
        if (apart < nearest) {
            nearest = apart;
            best = &key;
        }
    }
    if (best != nullptr) {
        message.append("; did you mean \"").append(best->name).append("\"?");
    }
}

void suggest_kind(std::string_view name, TextBuffer& message) {
    for (const SectionKind kind : all_kinds) {
        if (distance(name, kind_name(kind), too_far(name)) < too_far(name)) {
            message.append("; did you mean [").append(kind_name(kind)).append("]?");
            return;
        }
    }
    message.append("; there are [server], [backend], [backend NAME], [site] and [site NAME]");
}

}  // namespace fcgate::config
