// Owns: the notation of single values: sizes, times, names, addresses, in both directions.
// Borrows: the text given to it; results point into that text.
// Must not touch: files, sockets, name resolution.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/log_level.hpp"
#include "base/status.hpp"
#include "base/text.hpp"
#include "config/settings.hpp"

namespace fcgate::config {

// Bytes: "512", "20k", "8m". malformed or, past 64 bits, too_large.
[[nodiscard]] Result<uint64_t> parse_size(std::string_view text);
void print_size(uint64_t size, TextBuffer& out);

// Milliseconds: "500ms", "10s", "5m", "12h", "30d"; a unit is needed but for "0". malformed or, past any range, too_large.
[[nodiscard]] Result<uint64_t> parse_time(std::string_view text);
void print_time(uint64_t time_ms, TextBuffer& out);

[[nodiscard]] Result<LogLevel> parse_log_level(std::string_view text);

// "ADDR:PORT", "[ADDR6%scope]:PORT", ":PORT", "unix:/path", "unix:/path MODE", "fd:N", "fd:NAME", perhaps with "tls" as the last word.
// not_found: the scope names no interface. too_large: the path does not fit into a socket address. `out` is filled only on success.
[[nodiscard]] Status parse_listen(std::string_view text, ListenSettings& out);

// "spawn", "auto", "unix:/path", "ADDR:PORT". As parse_listen(); changes kind, address, path and endpoint.
[[nodiscard]] Status parse_backend_address(std::string_view text, BackendAddress& out);

// What a section, a host, an index file, ... may be called.
[[nodiscard]] bool is_section_name(std::string_view text);
[[nodiscard]] bool is_user_name(std::string_view text);     // empty: the default
[[nodiscard]] bool is_host_pattern(std::string_view text);  // "router.lan", "*.local", "*"
[[nodiscard]] bool is_index_name(std::string_view text);
[[nodiscard]] bool is_script_suffix(std::string_view text);
[[nodiscard]] bool is_front_controller(std::string_view text);  // empty: none
// A decoded path, as requests are compared with it: "/uploads", "/a/b/"; no empty, "." or ".." segment. "/" is all.
[[nodiscard]] bool is_url_path(std::string_view text);
// 400 to 599.
[[nodiscard]] bool is_error_status(std::string_view text);
// Perhaps further statuses, then the path of a file.
[[nodiscard]] bool is_error_page(std::string_view text);
[[nodiscard]] bool is_unknown_host(std::string_view text);
[[nodiscard]] bool is_status_path(std::string_view text);  // a whole decoded path, or "off"
[[nodiscard]] bool is_log_target(std::string_view text);
[[nodiscard]] bool is_access_log(std::string_view text);  // the same, or off
[[nodiscard]] bool is_access_format(std::string_view text);
[[nodiscard]] bool is_syslog_format(std::string_view text);
[[nodiscard]] bool is_file_path(std::string_view text);
// A folder or file by its whole path, without "." and "..".
[[nodiscard]] bool is_absolute_path(std::string_view text);
// Absolute, short enough that a socket's path below it fits into its address, and of characters that mean nothing else in php-fpm's configuration.
// Empty: none.
[[nodiscard]] bool is_runtime_dir(std::string_view text);
// Absolute. Empty: none.
[[nodiscard]] bool is_pid_file(std::string_view text);
[[nodiscard]] bool is_spool_folder(std::string_view text);  // absolute; empty: none
[[nodiscard]] bool is_expiry(std::string_view text);        // a time of at most ten years
[[nodiscard]] bool is_release(std::string_view text);       // empty: the system's
[[nodiscard]] bool is_param_name(std::string_view text);
[[nodiscard]] bool is_header_name(std::string_view text);  // of those a configuration may add
[[nodiscard]] bool is_php_key(std::string_view text);

}  // namespace fcgate::config
