#include "config/keys.hpp"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "base/features.hpp"
#include "base/packed_table.hpp"
#include "config/key_rows.hpp"
#include "config/profile.hpp"
#include "config/settings.hpp"
#include "config/values.hpp"

namespace fcgate::config {

namespace {

using namespace written;

constexpr uint64_t kib = 1024;
constexpr uint64_t mib = 1024 * kib;
constexpr uint64_t day_ms = 24 * hour_ms;

constexpr std::string_view log_hint = "stderr, syslog, or a path such as /var/log/fcgate.log";

bool is_backend_name(std::string_view name) {
    return name.empty() || is_section_name(name);
}

bool is_anything(std::string_view /*text*/) {
    return true;
}

// Checks by number. Functions are told apart as template arguments: their addresses cannot be compared at compile time by a compiler that
// instruments pointers.
template <bool (*... Functions)(std::string_view)>
struct CheckList {
    static constexpr bool (*functions[])(std::string_view) = {Functions...};

    template <bool (*Function)(std::string_view)>
    static constexpr uint8_t number_of() {
        static_assert((std::is_same_v<Is<Functions>, Is<Function>> || ...), "this check is not in the list");
        constexpr bool is_it[] = {std::is_same_v<Is<Functions>, Is<Function>>...};
        const auto* const found = std::find(std::begin(is_it), std::end(is_it), true);
        return static_cast<uint8_t>(found - std::begin(is_it));
    }

  private:
    template <bool (*)(std::string_view)>
    struct Is {};
};
using Checks = CheckList<is_anything, is_absolute_path, is_access_format, is_access_log, is_backend_name, is_error_page,
                         is_error_status, is_expiry, is_file_path, is_front_controller, is_header_name, is_host_pattern,
                         is_index_name, is_log_target, is_param_name, is_php_key, is_pid_file, is_profile_name,
                         is_release, is_runtime_dir, is_script_suffix, is_spool_folder, is_status_path,
                         is_syslog_format, is_unknown_host, is_url_path, is_user_name>;

template <bool (*Function)(std::string_view)>
constexpr Key::Check check = {Checks::number_of<Function>()};

constexpr Row server_keys[] = {
    with_word_of(features::tls, "tls",
                 row(Type::listen, FCGATE_AT(ServerSettings, listen), "listen",
                     features::tls ? "for example 0.0.0.0:80, [::1]:8080, :80 for all addresses, 0.0.0.0:443 tls, "
                                     "unix:/run/fcgate.sock 0666 or fd:3"
                                   : "for example 0.0.0.0:80, [::1]:8080, :80 for all addresses, "
                                     "unix:/run/fcgate.sock 0666 or fd:3")),
    at_start(text(FCGATE_AT(ServerSettings, profile), "profile", check<is_profile_name>, "tiny, small or full")),
    at_start(size(FCGATE_AT(ServerSettings, memory_ceiling), "memory_ceiling", 0, 4096 * mib)),
    at_start(number(FCGATE_AT(ServerSettings, threads), "threads", 1, limits::threads)),
    at_start(
        text(FCGATE_AT(ServerSettings, user), "user", check<is_user_name>, "the name of a user, for example www-data")),
    at_start(text(FCGATE_AT(ServerSettings, group), "group", check<is_user_name>,
                  "the name of a group, for example www-data")),
    of_spawn(at_start(text(FCGATE_AT(ServerSettings, runtime_dir), "runtime_dir", check<is_runtime_dir>,
                           "an absolute path of at most 64 letters, digits and ._-@+, for example /run/fcgate"))),
    at_start(text(FCGATE_AT(ServerSettings, pid_file), "pid_file", check<is_pid_file>,
                  "an absolute path of at most 255 bytes, for example /run/fcgate.pid")),
    at_start(number(FCGATE_AT(ServerSettings, max_connections), "max_connections", 1, 4096)),
    number(FCGATE_AT(ServerSettings, max_connections_per_client), "max_connections_per_client", 1, 4096),
    number(FCGATE_AT(ServerSettings, reserved_connections), "reserved_connections", 0, 64),
    networks(FCGATE_AT(ServerSettings, reserved_for), "reserved_for"),
    at_start(size(FCGATE_AT(ServerSettings, connection_memory), "connection_memory", 8 * kib, mib)),
    at_start(number(FCGATE_AT(ServerSettings, exchanges), "exchanges", 1, 1024)),
    at_start(size(FCGATE_AT(ServerSettings, response_memory), "response_memory", 64 * kib, 256 * mib)),
    at_start(size(FCGATE_AT(ServerSettings, response_buffer), "response_buffer", limits::page, 256 * mib)),
    at_start(size(FCGATE_AT(ServerSettings, file_cache), "file_cache", 0, 64 * mib)),
    text(FCGATE_AT(ServerSettings, unknown_host), "unknown_host", check<is_unknown_host>,
         "refuse, or redirect http://192.168.1.1/"),
    text(FCGATE_AT(ServerSettings, release), "release", check<is_release>,
         "at most 32 letters, digits, dots, dashes and underscores"),
    part_of(features::spool, "spool",
            at_start(size(FCGATE_AT(ServerSettings, spool_total), "spool_total", 0, 4096 * mib))),
    time(FCGATE_AT(ServerSettings, header_timeout_ms), "header_timeout"),
    time(FCGATE_AT(ServerSettings, body_timeout_ms), "body_timeout"),
    time(FCGATE_AT(ServerSettings, send_timeout_ms), "send_timeout"),
    time(FCGATE_AT(ServerSettings, keepalive_timeout_ms), "keepalive_timeout"),
    time(FCGATE_AT(ServerSettings, stop_timeout_ms), "stop_timeout"),
    at_start(of_syslog(text(FCGATE_AT(ServerSettings, error_log), "error_log", check<is_log_target>, log_hint))),
    row(Type::log_level, FCGATE_AT(ServerSettings, log_level), "log_level", "error, warning, info or debug"),
    part_of(
        features::access_log, "access_log",
        at_start(of_syslog(text(FCGATE_AT(ServerSettings, access_log), "access_log", check<is_access_log>, log_hint)))),
    part_of(features::access_log, "access_log",
            at_start(text(FCGATE_AT(ServerSettings, access_log_format), "access_log_format", check<is_access_format>,
                          "common, combined or json"))),
    part_of(features::syslog, "syslog",
            at_start(text(FCGATE_AT(ServerSettings, syslog_format), "syslog_format", check<is_syslog_format>,
                          "rfc5424 or local"))),
    part_of(features::status, "status",
            text(FCGATE_AT(ServerSettings, status_path), "status_path", check<is_status_path>,
                 "off, or a path such as /fcgate-status")),
    part_of(features::status, "status", networks(FCGATE_AT(ServerSettings, status_allow), "status_allow")),
    at_start(text(FCGATE_AT(ServerSettings, mime_types), "mime_types", check<is_spool_folder>,
                  "an absolute path, for example /etc/mime.types")),
    of_tls(text(FCGATE_AT(ServerSettings, tls_certificate), "tls_certificate", check<is_spool_folder>,
                "an absolute path, for example /etc/fcgate/tls.crt")),
    of_tls(text(FCGATE_AT(ServerSettings, tls_key), "tls_key", check<is_spool_folder>,
                "an absolute path, for example /etc/fcgate/tls.key")),
    of_tls(flag(FCGATE_AT(ServerSettings, tls_self_signed), "tls_self_signed")),
    part_of(features::sandbox, "sandbox", at_start(flag(FCGATE_AT(ServerSettings, sandbox), "sandbox"))),
};

constexpr Row backend_keys[] = {
    row(Type::address, Place<BackendSettings>{0}, "address",
        "for example unix:/run/php/php-fpm.sock or 127.0.0.1:9000"),
    number(FCGATE_AT(BackendSettings, workers), "workers", 1, 1000),
    flag(FCGATE_AT(BackendSettings, keep_alive), "keep_alive"),
    number(FCGATE_AT(BackendSettings, queue), "queue", 0, 512),
    time(FCGATE_AT(BackendSettings, queue_timeout_ms), "queue_timeout"),
    time(FCGATE_AT(BackendSettings, connect_timeout_ms), "connect_timeout"),
    time(FCGATE_AT(BackendSettings, park_timeout_ms), "park_timeout", 0),
    time(FCGATE_AT(BackendSettings, response_timeout_ms), "response_timeout"),
    flag(FCGATE_AT(BackendSettings, finish_on_abort), "on_abort", "finish or close"),
    of_spawn(text(FCGATE_AT(BackendSettings, command), "command", {}, "")),
    of_spawn(time(FCGATE_AT(BackendSettings, idle_stop_ms), "idle_stop", 0, day_ms)),
    of_spawn(
        pairs(FCGATE_AT(BackendSettings, php), "php", check<is_php_key>, "KEY VALUE, for example memory_limit 32M")),
};

constexpr Row site_keys[] = {
    words(FCGATE_AT(SiteSettings, hosts), "host", check<is_host_pattern>,
          "names without a port, for example router.lan *.local"),
    text(FCGATE_AT(SiteSettings, root), "root", check<is_file_path>, "the folder that is served, for example /www"),
    row(Type::index, Place<SiteSettings>{0}, "index", "names of files, for example index.php index.html",
        check<is_index_name>),
    text(FCGATE_AT(SiteSettings, front_controller), "front_controller", check<is_front_controller>,
         "a path below root, for example /index.php"),
    text(FCGATE_AT(SiteSettings, script_suffix), "script_suffix", check<is_script_suffix>,
         "the end of PHP's file names, for example .php"),
    words(FCGATE_AT(SiteSettings, links_to), "links_to", check<is_absolute_path>,
          "absolute paths of folders, for example /var/lib/wiki"),
    words(FCGATE_AT(SiteSettings, no_scripts), "no_scripts", check<is_url_path>,
          "paths of folders, for example /uploads"),
    part_of(features::listing, "listing", flag(FCGATE_AT(SiteSettings, listing), "listing")),
    text(FCGATE_AT(SiteSettings, backend), "backend", check<is_backend_name>, "the NAME of a [backend NAME]"),
    size(FCGATE_AT(SiteSettings, max_body), "max_body", 0, 4096 * mib),
    part_of(
        features::spool, "spool",
        text(FCGATE_AT(SiteSettings, spool), "spool", check<is_spool_folder>, "an absolute path, for example /tmp")),
    access("allow", true),
    access("deny", false),
    of_auth(text(FCGATE_AT(SiteSettings, auth), "auth", check<is_spool_folder>,
                 "an absolute path, for example /etc/fcgate/users")),
    networks(FCGATE_AT(SiteSettings, trusted_proxies), "trusted_proxy"),
    flag(FCGATE_AT(SiteSettings, origin_check), "origin_check"),
    of_tls(flag(FCGATE_AT(SiteSettings, redirect_https), "redirect_https")),
    flag(FCGATE_AT(SiteSettings, precompressed), "precompressed"),
    with_values(
        pairs(FCGATE_AT(SiteSettings, expires), "expires", check<is_url_path>, "PATH TIME, for example /assets/ 30d"),
        check<is_expiry>),
    pairs(FCGATE_AT(SiteSettings, params), "param", check<is_param_name>, "NAME VALUE, for example APP_ENV production"),
    pairs(FCGATE_AT(SiteSettings, headers), "header", check<is_header_name>,
          "NAME VALUE, for example X-Frame-Options DENY"),
    with_values(pairs(FCGATE_AT(SiteSettings, error_pages), "error_page", check<is_error_status>,
                      "STATUS... PATH, for example 404 /404.html"),
                check<is_error_page>),
    flag(FCGATE_AT(SiteSettings, intercept_errors), "intercept_errors"),
    text(FCGATE_AT(SiteSettings, sendfile_root), "sendfile_root", check<is_spool_folder>,
         "an absolute path, for example /srv/downloads"),
    words(FCGATE_AT(SiteSettings, internal), "internal", check<is_url_path>,
          "paths of folders, for example /protected"),
};

constexpr size_t row_count = std::size(server_keys) + std::size(backend_keys) + std::size(site_keys);
constexpr auto rows = [] {
    std::array<Row, row_count> all{};
    auto* next = all.begin();
    next = std::copy(std::begin(server_keys), std::end(server_keys), next);
    next = std::copy(std::begin(backend_keys), std::end(backend_keys), next);
    std::copy(std::begin(site_keys), std::end(site_keys), next);
    return all;
}();

// What is left of the rows in the program: their texts, the ranges that there are, and which of these and of the checks each row has.
constexpr auto texts = pack_texts<rows, &Row::name, &Row::option>();
constexpr auto hints = pack_tightly<rows, &Row::hint>();

// Lines of a key there can be in one section, as print() shows them.
constexpr size_t most_lines(const Row& key) {
    switch (key.type) {
        case Type::listen:
            return limits::listeners;
        case Type::address:
            return limits::servers;
        case Type::words:
            return limits::words_per_key;
        case Type::index:
            return limits::index_names;
        case Type::pairs:
            return limits::pairs_per_site;
        case Type::networks:
        case Type::access:
            return limits::networks;
        case Type::number:
        case Type::size:
        case Type::time:
        case Type::flag:
        case Type::log_level:
        case Type::text:
        case Type::unbuilt:
            return 1;
    }
    return 0;
}

// ... and what stands there beside text that was set: keys, signs, numbers, words of defaults.
constexpr size_t printed_beside_text(std::span<const Row> keys) {
    constexpr size_t longest_default = sizeof "index.php" + sizeof "index.html";  // no number is longer
    size_t size = sizeof "\n[backend ]\n";
    for (const Row& key : keys) {
        size += most_lines(key) * (key.name.size() + sizeof " = ") + longest_default;
    }
    return size;
}
static_assert(limits::settings_text + printed_beside_text(server_keys) +
                  limits::backends * printed_beside_text(backend_keys) +
                  limits::sites * printed_beside_text(site_keys) <
              printed_most);

// As many of them as differ.
constexpr auto found_ranges = [] {
    std::pair<std::array<Key::Range, row_count>, size_t> all{};
    for (const Row& key : rows) {
        auto* const end = all.first.begin() + all.second;
        if (std::find(all.first.begin(), end, key.range) == end) {
            all.first[all.second++] = key.range;
        }
    }
    return all;
}();
constexpr auto ranges = [] {
    std::array<Key::Range, found_ranges.second> kept{};
    std::copy_n(found_ranges.first.begin(), kept.size(), kept.begin());
    return kept;
}();
constexpr uint8_t number_of(const Key::Range& range) {
    return static_cast<uint8_t>(std::find(ranges.begin(), ranges.end(), range) - ranges.begin());
}

struct Packed {
    uint16_t place;
    Type type : 6;
    bool allows : 1;
    bool at_start : 1;
    uint8_t range;
    Key::Check accepts;
    Key::Check accepts_value;
};
constexpr auto packed_rows = [] {
    std::array<Packed, row_count> all{};
    for (size_t i = 0; i < row_count; ++i) {
        const Row& key = rows[i];
        Packed& packed = all[i];
        packed.place = key.place;
        packed.type = key.type;
        packed.allows = key.allows;
        packed.at_start = key.at_start;
        packed.range = number_of(key.range);
        packed.accepts = key.accepts;
        packed.accepts_value = key.accepts_value;
    }
    return all;
}();

}  // namespace

bool Key::Check::operator()(std::string_view text) const {
    return Checks::functions[number](text);
}

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

void print_heading(SectionKind kind, std::string_view name, TextBuffer& out) {
    out.append<"[%%%]">(kind_name(kind), name.empty() ? "" : " ", name);
}

KeyNumbers keys_of(SectionKind kind) {
    constexpr uint8_t ends[] = {0, std::size(server_keys), std::size(server_keys) + std::size(backend_keys), row_count};
    const auto number = static_cast<size_t>(kind);
    return {ends[number], ends[number + 1]};
}

Key key_at(size_t number) {
    const Packed& row = packed_rows[number];
    return {.name = texts[2 * number],
            .hint = hints[number],
            .option = texts[2 * number + 1],
            .range = ranges[row.range],
            .type = row.type,
            .allows = row.allows,
            .at_start = row.at_start,
            .place = row.place,
            .accepts = row.accepts,
            .accepts_value = row.accepts_value};
}

bool find_key(SectionKind kind, std::string_view name, Key& key) {
    const KeyNumbers numbers = keys_of(kind);
    for (size_t i = numbers.first; i < numbers.end; ++i) {
        if (texts[2 * i] == name) {
            key = key_at(i);
            return true;
        }
    }
    return false;
}

}  // namespace fcgate::config
