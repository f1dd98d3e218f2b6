#include "base/features.hpp"
#include "config/settings.hpp"
#include "test_support.hpp"

using namespace fcgate;

namespace {

void must_set(Settings& settings, std::string_view name, std::string_view value, const char* file = __builtin_FILE(),
              int line = __builtin_LINE()) {
    ConfigError error;
    const Status status = settings.set(name, value, error);
    if (status != Status::ok) {
        print_error("%s\n", error.text.c_str());
        _fail(file, line);
    }
}

// The text after a failed set().
void must_refuse(Settings& settings, std::string_view name, std::string_view value, Status expected,
                 std::string_view text, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    ConfigError error;
    test::check_status(settings.set(name, value, error), expected, file, line);
    test::check_text(error.text.view(), text, file, line);
    assert_int_equal(error.line, 0);
}

void must_get(const Settings& settings, std::string_view name, std::string_view expected,
              const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    Text<512> out;
    test::check_status(settings.get(name, out), Status::ok, file, line);
    test::check_text(out.view(), expected, file, line);
}

// The least that can be served.
void make_servable(Settings& settings) {
    must_set(settings, "server.listen", ":80");
    must_set(settings, "site.root", "/www");
    must_set(settings, "backend.address", "unix:/run/php.sock");
}

void defaults_stand_before_anything_is_set(void** /*state*/) {
    const Settings settings;
    constexpr struct {
        const char* name;
        const char* value;
    } all[] = {
        {"server.listen", ""},
        {"server.profile", ""},
        {"server.memory_ceiling", "0"},
        {"server.threads", "1"},
        {"server.user", ""},
        {"server.max_connections", "64"},
        {"server.max_connections_per_client", "16"},
        {"server.reserved_connections", "2"},
        {"server.reserved_for", ""},
        {"server.connection_memory", "20k"},
        {"server.exchanges", "32"},
        {"server.response_memory", "640k"},
        {"server.response_buffer", "64k"},
        {"server.file_cache", "96k"},
        {"server.unknown_host", "refuse"},
        {"server.header_timeout", "10s"},
        {"server.stop_timeout", "4s"},
        {"server.error_log", "stderr"},
        {"server.log_level", "info"},
        {"server.access_log", features::access_log ? "off" : ""},
        {"server.status_path", features::status ? "off" : ""},
        {"server.mime_types", ""},
    };
    for (const auto& each : all) {
        must_get(settings, each.name, each.value);
    }
}

void values_are_set_by_name(void** /*state*/) {
    Settings settings;
    must_set(settings, "server.threads", " 4\t");
    must_set(settings, "server.connection_memory", "32k");
    must_set(settings, "server.header_timeout", "1500ms");
    must_set(settings, "server.log_level", "warn");
    must_set(settings, "backend.keep_alive", "no");
    must_set(settings, "backend.on_abort", "finish");
    must_set(settings, "backend:slow.response_timeout", "5m");
    must_set(settings, "site:panel.lan.root", "/www/panel");
    assert_int_equal(settings.server.threads, 4);
    assert_int_equal(settings.server.connection_memory, 32768);
    assert_int_equal(settings.server.header_timeout_ms, 1500);
    assert_true(settings.server.log_level == LogLevel::warning);
    assert_int_equal(settings.backends.size(), 2);
    assert_false(settings.backends[0].keep_alive);
    assert_true(settings.backends[0].finish_on_abort);
    test::check_text(settings.backends[1].name, "slow");
    assert_int_equal(settings.backends[1].response_timeout_ms, 300000);
    test::check_text(settings.sites[0].name, "panel.lan");
    test::check_text(settings.sites[0].root, "/www/panel");
    must_get(settings, "server.log_level", "warning");
    must_get(settings, "site:panel.lan.root", "/www/panel");
}

void a_value_does_not_depend_on_the_text_it_came_from(void** /*state*/) {
    Settings settings;
    char text[] = "/www";
    must_set(settings, "site.root", text);
    text[1] = 'X';
    test::check_text(settings.sites[0].root, "/www");
}

void repeated_keys_add_and_an_empty_value_clears(void** /*state*/) {
    Settings settings;
    must_set(settings, "server.listen", ":80");
    must_set(settings, "server.listen", "unix:/run/x");
    must_get(settings, "server.listen", ":80\nunix:/run/x");
    must_set(settings, "site.host", "router.lan *.local");
    must_set(settings, "site.host", "192.168.1.1");
    must_get(settings, "site.host", "router.lan\n*.local\n192.168.1.1");
    must_set(settings, "site.param", "APP_ENV   production mode");
    must_get(settings, "site.param", "APP_ENV production mode");
    must_set(settings, "site.header", "X-Frame-Options DENY");
    ConfigError error;
    test::check_status(settings.clear("server.listen", error), Status::ok);
    assert_true(settings.server.listen.empty());
    must_set(settings, "site.host", "");
    assert_true(settings.sites[0].hosts.empty());
    test::check_status(settings.clear("site.param", error), Status::ok);
    test::check_status(settings.clear("site.header", error), Status::ok);
    assert_true(settings.sites[0].params.empty() && settings.sites[0].headers.empty());
}

void allow_and_deny_are_one_list(void** /*state*/) {
    Settings settings;
    make_servable(settings);
    must_set(settings, "site.deny", "192.168.1.7");
    must_set(settings, "site.allow", "private 2001:db8::/32");
    must_set(settings, "site.deny", "all");
    must_set(settings, "site.trusted_proxy", "127.0.0.1/32 unix");
    must_get(settings, "site.allow", "private\n2001:db8::/32");
    must_get(settings, "site.deny", "192.168.1.7\nall");
    Text<4096> out;
    test::check_status(settings.print(out), Status::ok);
    // Between them a build may have `auth`.
    assert_true(out.view().find("\ndeny = 192.168.1.7\nallow = private\nallow = 2001:db8::/32\ndeny = all\n") !=
                std::string_view::npos);
    assert_true(out.view().find("\ntrusted_proxy = 127.0.0.1/32\ntrusted_proxy = unix\n") != std::string_view::npos);
    ConfigError error;
    test::check_status(settings.clear("site.deny", error), Status::ok);
    must_get(settings, "site.deny", "");
    must_get(settings, "site.allow", "private\n2001:db8::/32");
    test::check_status(settings.clear("site.trusted_proxy", error), Status::ok);
    assert_true(settings.sites[0].trusted_proxies.empty());
}

void a_wrong_network_changes_nothing(void** /*state*/) {
    Settings settings;
    must_refuse(settings, "site.allow", "10.0.0.0/8 router.lan", Status::malformed,
                "[site] allow: \"router.lan\" is no network; write networks, for example 192.168.1.0/24 2001:db8::/32, "
                "or private, unix, all");
    must_set(settings, "site.root", "/www");
    assert_true(settings.sites[0].access.empty());
    for (size_t i = 0; i < limits::networks; ++i) {
        must_set(settings, "site.trusted_proxy", "10.0.0.0/8");
    }
    must_refuse(settings, "site.trusted_proxy", "::1", Status::too_large, "[site] trusted_proxy: more than 32 values");
}

void only_repeatable_keys_can_be_cleared(void** /*state*/) {
    Settings settings;
    ConfigError error;
    test::check_status(settings.clear("server.threads", error), Status::malformed);
    test::check_text(error.text.view(), "[server] threads: it has one value, which can only be replaced");
    test::check_status(settings.clear("server.nothing", error), Status::malformed);
    test::check_text(error.text.view(), "unknown key \"nothing\" in [server]");
}

void the_first_index_replaces_the_default(void** /*state*/) {
    Settings settings;
    ConfigError error;
    test::check_status(settings.open_section("site", error), Status::ok);
    must_get(settings, "site.index", "index.php\nindex.html");
    must_set(settings, "site.index", "home.php home.html");
    must_set(settings, "site.index", "index.txt");
    must_get(settings, "site.index", "home.php\nhome.html\nindex.txt");
    must_set(settings, "site.index", "");
    must_get(settings, "site.index", "");
    must_set(settings, "site.index", "a");
    must_get(settings, "site.index", "a");
}

void a_wrong_name_is_answered_with_the_nearest_one(void** /*state*/) {
    Settings settings;
    constexpr struct {
        const char* name;
        const char* text;
    } all[] = {
        {"server.listn", "unknown key \"listn\" in [server]; did you mean \"listen\"?"},
        {"server.thread", "unknown key \"thread\" in [server]; did you mean \"threads\"?"},
        {"site.oops", "unknown key \"oops\" in [site]"},
        {"server.maxconnections", "unknown key \"maxconnections\" in [server]; did you mean \"max_connections\"?"},
        {"server.root", "unknown key \"root\" in [server]; it belongs to [site]"},
        {"site:a.workers", "unknown key \"workers\" in [site a]; it belongs to [backend]"},
        {"server.zzz", "unknown key \"zzz\" in [server]"},
        {"server.", "unknown key \"\" in [server]"},
        {"sever.listen", "unknown section [sever]; did you mean [server]?"},
        {"server:x.listen",
         "unknown section [server x]; there are [server], [backend], [backend NAME], [site] and [site NAME]"},
        {"proxy.listen",
         "unknown section [proxy]; there are [server], [backend], [backend NAME], [site] and [site NAME]"},
        {"site:a b c.root",
         "unknown section [site a b c]; there are [server], [backend], [backend NAME], [site] and [site NAME]"},
        {"site:a/b.root",
         "\"a/b\" cannot name a section; write at most 32 letters, digits, dots, dashes and underscores"},
        {"root",
         "unknown name \"root\"; write SECTION.KEY or SECTION:NAME.KEY, for example site.root; it belongs to [site]"},
        {"colour", "unknown name \"colour\"; write SECTION.KEY or SECTION:NAME.KEY, for example site.root"},
    };
    for (const auto& each : all) {
        must_refuse(settings, each.name, "1", Status::malformed, each.text);
    }
    // As -o has it, in a file.
    ConfigError error;
    test::check_status(settings.set("server", "site.max_body", "8m", error), Status::malformed);
    test::check_text(error.text.view(), "unknown key \"site.max_body\" in [server]; it belongs to [site]");
    assert_true(settings.sites.empty() && settings.backends.empty());
}

// A site takes the first backend, or one by its name.
void a_backend_without_a_name_comes_first(void** /*state*/) {
    Settings settings;
    must_set(settings, "backend.address", "127.0.0.1:9000");
    must_set(settings, "backend:b.address", "127.0.0.1:9001");
    must_set(settings, "backend.workers", "2");
    Settings named;
    must_set(named, "backend:b.address", "127.0.0.1:9001");
    must_refuse(named, "backend.address", "127.0.0.1:9000", Status::malformed,
                "behind [backend b] no site would use a [backend] without a name; write [backend NAME], or "
                "backend:NAME.KEY on the command line");
    assert_int_equal(named.backends.size(), 1);
}

void a_wrong_value_is_answered_with_a_right_one(void** /*state*/) {
    Settings settings;
    constexpr struct {
        const char* name;
        const char* value;
        const char* text;
    } all[] = {
        {"server.threads", "many", "[server] threads: \"many\" is not a whole number; write one from 1 to 16"},
        {"server.threads", "17", "[server] threads: \"17\" is out of range; write a number from 1 to 16"},
        {"server.threads", "0", "[server] threads: \"0\" is out of range; write a number from 1 to 16"},
        {"server.threads", "99999999999999999999999",
         "[server] threads: \"99999999999999999999999\" is out of range; write a number from 1 to 16"},
        {"server.connection_memory", "4k",
         "[server] connection_memory: \"4k\" is out of range; write a size from 8k to 1m"},
        {"server.connection_memory", "big",
         "[server] connection_memory: \"big\" is not a size; write bytes, or k or m behind the number, from 8k to 1m"},
        {"server.stop_timeout", "10",
         "[server] stop_timeout: \"10\" is not a time; write ms, s, m, h or d behind the number, from 1ms to 60m"},
        {"server.stop_timeout", "0", "[server] stop_timeout: \"0\" is out of range; write a time from 1ms to 60m"},
        {"server.listen", "80", "[server] listen: \"80\" is not an address; write :80"},
        {"server.listen", "/run/http.sock",
         "[server] listen: \"/run/http.sock\" is not an address; write unix:/run/http.sock"},
        {"backend.address", "9000", "[backend] address: \"9000\" is not an address; write 127.0.0.1:9000"},
        {"backend.address", "[::1]:65536",
         "[backend] address: \"[::1]:65536\" has a port above 65535; write for example unix:/run/php/php-fpm.sock or "
         "127.0.0.1:9000"},
        {"backend.address", "/run/php.sock",
         "[backend] address: \"/run/php.sock\" is not an address; write unix:/run/php.sock"},
        {"server.listen", "0.0.0.0",
         features::tls ? "[server] listen: \"0.0.0.0\" is not an address; write for example 0.0.0.0:80, [::1]:8080, "
                         ":80 for all addresses, 0.0.0.0:443 tls, unix:/run/fcgate.sock 0666 or fd:3"
                       : "[server] listen: \"0.0.0.0\" is not an address; write for example 0.0.0.0:80, [::1]:8080, "
                         ":80 for all addresses, unix:/run/fcgate.sock 0666 or fd:3"},
        {"server.log_level", "loud", "[server] log_level: \"loud\" is neither; write error, warning, info or debug"},
        {"backend.keep_alive", "on", "[backend] keep_alive: \"on\" is neither; write yes or no"},
        {"backend.on_abort", "yes", "[backend] on_abort: \"yes\" is neither; write finish or close"},
        {"backend:b.address", "fpm",
         "[backend b] address: \"fpm\" is not an address; write for example unix:/run/php/php-fpm.sock or "
         "127.0.0.1:9000"},
        {"site.front_controller", "index.php",
         "[site] front_controller: \"index.php\" is not right; write a path below root, for example /index.php"},
        {"site.host", "a.lan b.lan:80",
         "[site] host: \"b.lan:80\" is not right; write names without a port, for example router.lan *.local"},
        {"site.param", "app_env x",
         "[site] param: \"app_env\" cannot be set; write NAME VALUE, for example APP_ENV production"},
        {"site.param", "APP_ENV",
         "[site] param: \"APP_ENV\" has no value; write NAME VALUE, for example APP_ENV production"},
        {"site.header", "Content-Length 3",
         "[site] header: \"Content-Length\" cannot be set; write NAME VALUE, for example X-Frame-Options DENY"},
        {"site.root", "", "[site] root: \"\" is not right; write the folder that is served, for example /www"},
        {"site.root", "/w\x01w", "[site] root: the value contains a control character"},
        {"site.root", "/www ;x", "[site] root: a semicolon behind a space begins a comment; leave the space out"},
    };
    for (const auto& each : all) {
        must_refuse(settings, each.name, each.value, Status::malformed, each.text);
    }
    assert_true(settings.sites.empty() && settings.backends.empty() && settings.server.listen.empty());
}

void a_nul_byte_is_a_control_character(void** /*state*/) {
    Settings settings;
    must_refuse(settings, "site.root", std::string_view("/www\0x", 6), Status::malformed,
                "[site] root: the value contains a control character");
}

void full_lists_refuse_more_and_lose_nothing(void** /*state*/) {
    Settings settings;
    Text<64> name;
    for (size_t i = 0; i < limits::sites; ++i) {
        name.clear();
        name.append("site:s").append_number(i).append(".root");
        must_set(settings, name.view(), "/www");
    }
    must_refuse(settings, "site:more.root", "/www", Status::too_large, "more than 16 sections [site]");
    assert_int_equal(settings.sites.size(), limits::sites);
    for (size_t i = 0; i < limits::listeners; ++i) {
        name.clear();
        name.append(':').append_number(8000 + i);
        must_set(settings, "server.listen", name.view());
    }
    must_refuse(settings, "server.listen", ":9", Status::too_large, "[server] listen: more than 16 values");
    must_refuse(settings, "server.listen", ":8001", Status::malformed, "[server] listen: \":8001\" is listed twice");
    must_set(settings, "site:s3.index", "a b c d e f");
    must_refuse(settings, "site:s3.index", "g h i", Status::too_large, "[site s3] index: more than 8 values");
    must_get(settings, "site:s3.index", "a\nb\nc\nd\ne\nf");
    must_set(settings, "site:s3.index", "g h");
    test::check_text(settings.sites[15].root, "/www");
    test::check_text(settings.sites[15].name, "s15");
}

void a_full_text_pool_is_an_error_and_loses_nothing(void** /*state*/) {
    Settings settings;
    Text<1024> root("/");
    while (root.size() < 1000) {
        root.append('r');
    }
    ConfigError error;
    Status status = Status::ok;
    int count = 0;
    while (status == Status::ok && count < 1000) {
        must_get(settings, "server.threads", "1");
        status = settings.set("site.root", root.view(), error);
        ++count;
    }
    test::check_status(status, Status::too_large);
    assert_int_equal(count, 33);
    test::check_text(error.text.view(), "[site] root: the configuration is too large: more than 32768 bytes");
    test::check_text(settings.sites[0].root, root.view());
    must_set(settings, "server.threads", "2");
    must_set(settings, "server.listen", ":80");
}

void what_was_put_in_place_of_values_can_be_taken_back(void** /*state*/) {
    Settings settings;
    make_servable(settings);
    must_set(settings, "server.profile", "tiny");
    Text<1024> name("/");
    while (name.size() < 1000) {
        name.append('l');
    }
    // Often enough to fill all room for text, if it were kept.
    for (int i = 0; i < 100; ++i) {
        const Settings::Original original(settings);
        must_set(settings, "server.error_log", name.view());
        must_set(settings, "server.exchanges", "7");
        must_set(settings, "backend.address", "");
        must_set(settings, "backend.address", "unix:/other.sock");
        must_set(settings, "backend.workers", "9");
        settings.put_back(original);
        ConfigError error;
        test::check_status(settings.check(error), Status::ok);
        must_get(settings, "server.error_log", "stderr");
        must_get(settings, "server.exchanges", "6");
        must_get(settings, "backend.address", "unix:/run/php.sock");
        must_get(settings, "backend.workers", "4");
    }
}

void numbers_take_no_room_in_the_text_pool(void** /*state*/) {
    Settings settings;
    for (int i = 0; i < 20000; ++i) {
        must_set(settings, "server.threads", "12");
    }
}

void an_over_long_value_is_refused(void** /*state*/) {
    Settings settings;
    Text<4096> value("/");
    while (value.size() <= limits::config_value) {
        value.append('x');
    }
    must_refuse(settings, "site.root", value.view(), Status::too_large,
                "[site] root: the value is longer than 2500 bytes");
}

void unknown_names_have_no_value(void** /*state*/) {
    const Settings settings;
    Text<64> out;
    for (const char* name : {"", ".", "server", "server.", "server.x", "site.root", "backend:x.workers", "x.y"}) {
        test::check_status(settings.get(name, out), Status::not_found);
    }
}

void get_says_when_the_room_is_too_small(void** /*state*/) {
    Settings settings;
    must_set(settings, "site.root", "/www");
    Text<4> out;
    test::check_status(settings.get("site.root", out), Status::too_large);
}

void print_shows_every_key_with_its_value(void** /*state*/) {
    if (!features::all || features::tls || features::auth) {
        _skip(__FILE__, __LINE__);  // the text below is that of the usual build
    }
    Settings settings;
    make_servable(settings);
    must_set(settings, "site.param", "A b c");
    Text<4096> out;
    test::check_status(settings.print(out), Status::ok);
    test::check_text(out.view(), R"([server]
listen = :80
profile =
memory_ceiling = 0
threads = 1
user =
group =
runtime_dir =
pid_file =
max_connections = 64
max_connections_per_client = 16
reserved_connections = 2
reserved_for =
connection_memory = 20k
exchanges = 32
response_memory = 640k
response_buffer = 64k
file_cache = 96k
unknown_host = refuse
release =
spool_total = 16m
header_timeout = 10s
body_timeout = 30s
send_timeout = 30s
keepalive_timeout = 15s
stop_timeout = 4s
error_log = stderr
log_level = info
access_log = off
access_log_format = combined
syslog_format = rfc5424
status_path = off
status_allow =
mime_types =
sandbox = no

[backend]
address = unix:/run/php.sock
workers = 4
keep_alive = yes
queue = 32
queue_timeout = 10s
connect_timeout = 2s
park_timeout = 2s
response_timeout = 1m
on_abort = close
command =
idle_stop = 5m
php =

[site]
host =
root = /www
index = index.php
index = index.html
front_controller =
script_suffix = .php
links_to =
no_scripts =
listing = no
backend =
max_body = 8m
spool = /tmp
allow =
deny =
trusted_proxy =
origin_check = no
precompressed = yes
expires =
param = A b c
header =
error_page =
intercept_errors = no
sendfile_root =
internal =
)");
}

// A build with the feature takes the value.
void check_part_of(bool feature, const char* section, const char* key, const char* value, const char* option) {
    Settings settings;
    ConfigError error;
    test::check_status(settings.set(section, key, value, error), feature ? Status::ok : Status::refused);
    if (!feature) {
        assert_non_null(strstr(error.text.c_str(), option));
    }
}

void a_backend_may_have_several_servers(void** /*state*/) {
    Settings settings;
    ConfigError error;
    must_set(settings, "backend.address", "unix:/run/a.sock");
    must_set(settings, "backend.address", "127.0.0.1:9000");
    const fcgate::BackendSettings& backend = *settings.backends.begin();
    assert_int_equal(backend.server_count(), 2);
    test::check_text(backend.server(0).path, "/run/a.sock");
    assert_int_equal(backend.server(1).endpoint.port(), 9000);
    Text<64> both;
    test::check_status(settings.get("backend.address", both), Status::ok);
    test::check_text(both.view(), "unix:/run/a.sock\n127.0.0.1:9000");
    test::check_status(settings.set("backend.address", "127.0.0.1:9000", error), Status::malformed);
    test::check_text(error.text.view(), "[backend] address: \"127.0.0.1:9000\" is listed twice");
    test::check_status(settings.set("backend.address", "auto", error), Status::malformed);
    test::check_text(error.text.view(), "[backend] address: a backend has either auto or other addresses");
    must_set(settings, "backend.address", "[::1]:9000");
    must_set(settings, "backend.address", "[::1]:9001");
    test::check_status(settings.set("backend.address", "[::1]:9002", error), Status::too_large);
    must_set(settings, "backend.address", "");
    must_set(settings, "backend.address", "auto");
    test::check_status(settings.set("backend.address", "[::1]:9000", error), Status::malformed);
    assert_int_equal(backend.server_count(), 1);
}

void a_key_that_the_build_left_out_says_which_option_did_it(void** /*state*/) {
    check_part_of(features::spawn, "backend", "address", "spawn", "-Dspawn=disabled");
    check_part_of(features::spawn, "backend", "command", "/usr/bin/php-cgi", "-Dspawn=disabled");
    check_part_of(features::spawn, "backend", "idle_stop", "1m", "-Dspawn=disabled");
    check_part_of(features::spawn, "backend", "php", "memory_limit 32M", "-Dspawn=disabled");
    check_part_of(features::spawn, "server", "runtime_dir", "/run/fcgate", "-Dspawn=disabled");
    check_part_of(features::spool, "site", "spool", "/tmp", "-Dspool=disabled");
    check_part_of(features::spool, "server", "spool_total", "1m", "-Dspool=disabled");
    check_part_of(features::access_log, "server", "access_log", "/var/log/access.log", "-Daccess_log=disabled");
    check_part_of(features::access_log, "server", "access_log_format", "json", "-Daccess_log=disabled");
    check_part_of(features::syslog, "server", "syslog_format", "local", "-Dsyslog=disabled");
    check_part_of(features::syslog, "server", "error_log", "syslog", "-Dsyslog=disabled");
    check_part_of(features::syslog, "server", "error_log", "syslog:/dev/log", "-Dsyslog=disabled");
    check_part_of(features::status, "server", "status_path", "/status", "-Dstatus=disabled");
    check_part_of(features::status, "server", "status_allow", "private", "-Dstatus=disabled");
    check_part_of(features::listing, "site", "listing", "yes", "-Dlisting=disabled");
    check_part_of(features::auth, "site", "auth", "/etc/users", "-Dauth=disabled");
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(defaults_stand_before_anything_is_set),
        cmocka_unit_test(values_are_set_by_name),
        cmocka_unit_test(a_value_does_not_depend_on_the_text_it_came_from),
        cmocka_unit_test(repeated_keys_add_and_an_empty_value_clears),
        cmocka_unit_test(allow_and_deny_are_one_list),
        cmocka_unit_test(a_wrong_network_changes_nothing),
        cmocka_unit_test(only_repeatable_keys_can_be_cleared),
        cmocka_unit_test(the_first_index_replaces_the_default),
        cmocka_unit_test(a_wrong_name_is_answered_with_the_nearest_one),
        cmocka_unit_test(a_backend_without_a_name_comes_first),
        cmocka_unit_test(a_wrong_value_is_answered_with_a_right_one),
        cmocka_unit_test(a_nul_byte_is_a_control_character),
        cmocka_unit_test(full_lists_refuse_more_and_lose_nothing),
        cmocka_unit_test(a_full_text_pool_is_an_error_and_loses_nothing),
        cmocka_unit_test(what_was_put_in_place_of_values_can_be_taken_back),
        cmocka_unit_test(numbers_take_no_room_in_the_text_pool),
        cmocka_unit_test(an_over_long_value_is_refused),
        cmocka_unit_test(unknown_names_have_no_value),
        cmocka_unit_test(get_says_when_the_room_is_too_small),
        cmocka_unit_test(print_shows_every_key_with_its_value),
        cmocka_unit_test(a_backend_may_have_several_servers),
        cmocka_unit_test(a_key_that_the_build_left_out_says_which_option_did_it),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
