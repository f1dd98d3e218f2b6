// Owns: the whole configuration as plain values, and the text they point to.
// Borrows: nothing; it may be read from every thread once check() has passed, and is not changed then.
// Must not touch: sockets, the event loop, the files a setting names (load() opens the configuration file only).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/endpoint.hpp"
#include "base/fixed_list.hpp"
#include "base/limits.hpp"
#include "base/log_level.hpp"
#include "base/network.hpp"
#include "base/status.hpp"
#include "base/text.hpp"

namespace fcgate {

// One sentence for the user: what is wrong and what would be right.
struct ConfigError {
    static constexpr size_t capacity = 384;

    unsigned line = 0;  // in the configuration file; 0: not from a file
    Text<capacity> text;
};

struct Pair {
    std::string_view name;
    std::string_view value;
};

struct AccessRule {
    Network network;
    bool allows = false;
};

struct ListenSettings {
    enum class Kind : uint8_t { tcp, any, local, descriptor };  // any: `:PORT`, dual-stack

    Kind kind = Kind::tcp;
    bool tls = false;
    Endpoint endpoint;      // tcp; for any its port
    std::string_view path;  // local
    uint16_t mode = 0;      // of the file at path; 0: what the umask leaves
    int descriptor = -1;    // inherited, already listening; -1: only its name is known
    std::string_view text;  // as configured, for messages
};

struct BackendAddress {
    enum class Kind : uint8_t { unset, spawn, automatic, local, tcp };

    [[nodiscard]] bool is_alone() const { return kind == Kind::spawn || kind == Kind::automatic; }

    Kind kind = Kind::unset;
    std::string_view address;  // as configured, for messages
    std::string_view path;     // local
    Endpoint endpoint;         // tcp
};

// What a server that takes the settings over puts something else in place of. The address is that of the first server.
struct ReplacedBackend : BackendAddress {
    bool was_automatic = false;  // the address was `auto`, and has become what was found
    uint32_t workers = 4;        // of all servers together
};

struct BackendSettings : ReplacedBackend {
    static constexpr int64_t default_idle_stop_ms = 300'000;

    [[nodiscard]] size_t server_count() const { return 1 + other_servers.size(); }
    [[nodiscard]] const BackendAddress& server(size_t number) const {
        return number == 0 ? *this : other_servers[number - 1];
    }

    FixedList<BackendAddress, limits::servers - 1> other_servers;
    std::string_view name;  // empty for [backend]
    bool keep_alive = true;
    uint32_t queue = 32;
    int64_t queue_timeout_ms = 10'000;
    int64_t connect_timeout_ms = 2'000;
    int64_t park_timeout_ms = 2'000;  // of a kept connection that nobody uses; 0: none is kept idle
    int64_t response_timeout_ms = 60'000;
    bool finish_on_abort = false;  // on_abort: a script whose client leaves runs on to its end
    std::string_view command;
    int64_t idle_stop_ms = default_idle_stop_ms;  // 0: never
    uint64_t largest_body = 0;                    // max_body of the sites that use it; filled in by check()
    FixedList<Pair, limits::pairs_per_site> php;
};

struct SiteSettings {
    std::string_view name;  // empty for [site]
    FixedList<std::string_view, limits::words_per_key> hosts;
    std::string_view root;
    FixedList<std::string_view, limits::index_names> index;  // of a section made by name: index.php index.html
    std::string_view front_controller;
    std::string_view script_suffix = ".php";
    FixedList<std::string_view, limits::words_per_key> no_scripts;  // paths below which nothing is run
    FixedList<std::string_view, limits::words_per_key> internal;    // paths that only X-Accel-Redirect reaches
    FixedList<Pair, limits::pairs_per_site> expires;
    std::string_view auth;                                        // file of those who may ask; empty: whoever is let in
    std::string_view sendfile_root;                               // X-Sendfile may also point below it
    FixedList<std::string_view, limits::words_per_key> links_to;  // folders outside the root that links may lead to
    std::string_view backend;                                     // name; empty: the first
    size_t backend_number = 0;                                    // filled in by check()
    uint64_t max_body = uint64_t{8} * 1024 * 1024;
    std::string_view spool = "/tmp";                 // folder for chunked bodies; empty: they are refused
    FixedList<AccessRule, limits::networks> access;  // `allow` and `deny` in the order in which they were set
    FixedList<Network, limits::networks> trusted_proxies;
    FixedList<Pair, limits::pairs_per_site> params;
    FixedList<Pair, limits::pairs_per_site> headers;
    bool index_is_default = false;  // the first value set replaces them
    bool precompressed = true;
    bool listing = false;
    bool has_backend = false;                             // false when there is no [backend] at all: static files only
    FixedList<Pair, limits::pairs_per_site> error_pages;  // a status, and perhaps more of them before the path
    bool intercept_errors = false;
    bool origin_check = false;
    bool redirect_https = false;
};

// For the host's own handlers, in each thread; no key of the configuration.
struct HostRoom {
    uint32_t requests = 0;  // that are kept
    uint32_t buffer = 0;    // bytes, of each of them
    uint32_t params = 0;    // bytes, of each connection
};

namespace server {
struct CallOps;
}

// For scripts that the host calls, in each thread; no key either.
struct HostCalls {
    uint32_t calls = 0;                    // under way at a time
    uint32_t text = 0;                     // bytes, of each of them
    const server::CallOps* ops = nullptr;  // who carries them out
};

// What holds from the start of a server: memory is carved by it, or privileges are needed.
struct StartSettings {
    // Of pages for PHP's output, unless response_memory says it.
    static constexpr uint64_t response_memory_of_exchange = uint64_t{20} * 1024;

    std::string_view profile;     // empty: none
    uint64_t memory_ceiling = 0;  // of all memory together; 0: none
    uint32_t threads = 1;
    std::string_view user;
    std::string_view group;
    std::string_view runtime_dir;  // of spawned PHP; empty: /run/fcgate as root, else a private temporary folder
    std::string_view pid_file;     // written by the daemon, not by the library
    uint32_t max_connections = 64;
    uint64_t connection_memory = uint64_t{20} * 1024;
    uint32_t exchanges = 32;  // requests in PHP or waiting for it, at most, in one thread
    uint64_t response_memory = 32 * response_memory_of_exchange;  // pages shared by all exchanges
    uint64_t response_buffer = uint64_t{64} * 1024;               // of them, for one exchange
    uint64_t file_cache = uint64_t{96} * 1024;          // of small files, in all threads together; 0: none is kept
    uint64_t spool_total = uint64_t{16} * 1024 * 1024;  // of all bodies in `spool`
    std::string_view error_log = "stderr";
    std::string_view access_log = "off";  // or as error_log
    std::string_view access_log_format = "combined";
    std::string_view syslog_format = "rfc5424";  // of both
    std::string_view mime_types;
    bool sandbox = false;  // the process opens no other files than it needs
    HostRoom host_room;
    HostCalls host_calls;
};

struct ServerSettings : StartSettings {
    FixedList<ListenSettings, limits::listeners> listen;
    // Some listener is to speak TLS, whether this build does or not.
    [[nodiscard]] bool wants_tls() const {
        return std::ranges::any_of(listen, [](const ListenSettings& one) { return one.tls; });
    }

    uint32_t max_connections_per_client = 16;
    uint32_t reserved_connections = 2;                  // of max_connections, for operators
    FixedList<Network, limits::networks> reserved_for;  // who are operators, besides this machine
    std::string_view unknown_host = "refuse";           // or "redirect URL"
    std::string_view release;                           // in entity tags; empty: the build id of os-release
    int64_t header_timeout_ms = 10'000;
    int64_t body_timeout_ms = 30'000;
    int64_t send_timeout_ms = 30'000;
    int64_t keepalive_timeout_ms = 15'000;
    int64_t stop_timeout_ms = 4'000;
    std::string_view status_path = "off";
    FixedList<Network, limits::networks> status_allow;  // who may see it, besides this machine
    LogLevel log_level = LogLevel::info;
    std::string_view tls_certificate;  // paths of PEM files
    std::string_view tls_key;
    bool tls_self_signed = false;
};

class Settings {
  public:
    Settings() {}  // by default it would be zeroed where it is value-initialised: text that is not there costs no page
    Settings(const Settings&) = delete;  // the views point into text_
    Settings& operator=(const Settings&) = delete;

    // Sets one key. `section` is "server", "backend", "backend NAME", "site" or "site NAME"; a section that was not
    // there is made. Keys that may be repeated are added to; an empty value takes all their values away. On failure
    // nothing has changed and `error` says what would be right: malformed (unknown name, wrong value), refused (not
    // supported yet), too_large (a capacity).
    [[nodiscard]] Status set(std::string_view section, std::string_view key, std::string_view value,
                             ConfigError& error);
    // The same with the name used on the command line and in the library: "site.root", "site:NAME.root".
    [[nodiscard]] Status set(std::string_view name, std::string_view value, ConfigError& error);
    // What set() takes for no value at all, as clear() has it, or for no key.
    static constexpr char nothing = '\0';
    static constexpr std::string_view none{&nothing, 0};  // NOLINT(bugprone-string-constructor): known by its place
    // Takes all values of a key that may be repeated away, so that the command line can replace those of the file.
    // malformed for other keys.
    [[nodiscard]] Status clear(std::string_view name, ConfigError& error) { return set(name, none, error); }
    // Makes a section known even if no key follows.
    [[nodiscard]] Status open_section(std::string_view section, ConfigError& error);

    // Reads an INI file. not_found / denied / io when it cannot be read, else as set(); the text of `error` begins with
    // the path and the line. What stood before a wrong line has been set.
    [[nodiscard]] Status load(const char* path, ConfigError& error);

    // What only the whole can tell: a root in every site, known backend names, capacities that fit together. Resolves
    // the names, and changes no value. To be called once everything is set.
    [[nodiscard]] Status check(ConfigError& error);

    // The number of the backend with this name; backends.size() when there is none.
    [[nodiscard]] size_t find_backend(std::string_view name) const;

    // Some site asks for passwords.
    [[nodiscard]] bool wants_auth() const {
        return std::ranges::any_of(sites, [](const SiteSettings& site) { return !site.auth.empty(); });
    }

    // Puts the file before what check() has found wrong, and the line if the key stands there.
    void locate(ConfigError& error);

    // Before a reload: keys that hold from the start only are set to what they are in `running`; `changed` names those that differed, as far as
    // there is room. Fails as set().
    [[nodiscard]] Status keep_start_keys(const Settings& running, TextBuffer& changed, ConfigError& error);

    // What a server replaces when it takes the settings over, to be put back when it does not.
    struct Original {
        explicit Original(const Settings& settings);
        StartSettings server;
        uint32_t chosen;
        size_t text_size;
        FixedList<ReplacedBackend, limits::backends> backends;
    };
    void put_back(const Original& original);

    // The effective configuration as a file that could be read again.
    [[nodiscard]] Status print(TextBuffer& out) const;
    // One value as print() shows it, e.g. "server.user"; not_found for an unknown name.
    [[nodiscard]] Status get(std::string_view name, TextBuffer& out) const;

    // Bytes of this object that hold something, in whole pages of memory: the rest has not been touched.
    [[nodiscard]] size_t used_size() const;

    std::string_view file;  // the last that was loaded; empty: none
    ServerSettings server;
    FixedList<BackendSettings, limits::backends> backends;
    FixedList<SiteSettings, limits::sites> sites;

  private:
    struct Section;
    struct Mark;

    [[nodiscard]] Result<std::string_view> keep(std::string_view text, ConfigError& error);
    [[nodiscard]] Status open(std::string_view text, Section& section, ConfigError& error);
    [[nodiscard]] Status try_set(std::string_view section, std::string_view key, std::string_view value,
                                 ConfigError& error);
    [[nodiscard]] Mark mark() const;
    void go_back(const Mark& mark);

    uint32_t chosen_ = 0;  // keys that profiles preset and that are set
    size_t text_size_ = 0;
    std::array<char, limits::settings_text> text_;
};

}  // namespace fcgate
