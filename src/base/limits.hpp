// Owns: every compile-time capacity. What a user may set stands in config/settings.hpp, with its default.
// Must not touch: anything; this header includes nothing of ours.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fcgate::limits {

// HTTP
inline constexpr size_t request_fields = 100;  // header fields of one request
inline constexpr size_t reply_fields = 64;     // header fields of one reply that is not a script's
// ... of a script's, as the room for its head is; libmicrohttpd needs memory for each.
[[nodiscard]] constexpr size_t script_fields(size_t head_room) {
    constexpr size_t most = 512;
    const size_t count = head_room / 64;
    return count < reply_fields ? reply_fields : count < most ? count : most;
}
inline constexpr size_t request_target = 8192;            // bytes; RFC 9112 section 3 asks for at least 8000
inline constexpr size_t short_target = 1024;              // bytes of a target that every connection has room for
inline constexpr size_t stream_block = 4096;              // of a file or a stream of known length, read at once
inline constexpr size_t cached_file = size_t{32} * 1024;  // bytes of a file that is kept in memory, at most
inline constexpr int64_t file_cache_ms = 1000;            // as long it is taken to be what it was
inline constexpr size_t known_scripts = 8;                // targets that led to a script a moment ago
inline constexpr size_t known_target = 104;               // bytes of one of them
inline constexpr int64_t known_script_ms = 1000;          // such a moment
inline constexpr size_t ready_replies = 32;               // to files, kept whole for the next request
inline constexpr size_t ready_fields = 512;               // bytes of the fields of one of them
inline constexpr size_t ready_files = 4;                  // of those to larger files, which stay open for a moment
inline constexpr size_t known_large_files = 8;            // of which it is known for a moment what is said of them
inline constexpr size_t reply_pieces = 32;                // of a body that is there as a whole
inline constexpr size_t reply_fields_memory = 2048;  // of the heap, for one reply's fields, whatever the others take
inline constexpr size_t large_reply_heads = 4;       // of the largest size, for which there is room beyond that
inline constexpr size_t waiting_newcomers = 32;      // accepted while all places are taken
inline constexpr size_t lingering_connections = 16;  // closed by us, still draining what the client sends
inline constexpr size_t linger_bytes = size_t{64} * 1024 * 1024;
inline constexpr int64_t linger_ms = 2000;         // without a byte, and nothing left unconfirmed
inline constexpr int64_t linger_most_ms = 10'000;  // in all

// The host program's own handlers
inline constexpr size_t host_params = 16;         // variables of PHP that it sets for one request
inline constexpr uint32_t kept_requests = 4096;   // in one thread
inline constexpr size_t kept_buffer_least = 512;  // of one of them
inline constexpr size_t kept_buffer_most = size_t{1024} * 1024;
inline constexpr uint32_t calls = 256;          // of the host, in one thread
inline constexpr size_t call_text_least = 512;  // of one of them
inline constexpr size_t call_text_most = size_t{64} * 1024;
inline constexpr size_t params_most = 8192;  // bytes of those variables, for one connection

// Configuration
inline constexpr size_t listeners = 16;
inline constexpr size_t sites = 16;
inline constexpr size_t backends = 8;
inline constexpr size_t servers = 4;         // of a backend
inline constexpr size_t words_per_key = 16;  // of `host`, `links_to`, `no_scripts`, `internal`, each
inline constexpr size_t index_names = 8;
inline constexpr size_t pairs_per_site = 16;  // of `param`, of `header`, of `error_page`, each
inline constexpr size_t networks = 32;        // of `trusted_proxy`, of `allow` and `deny` together
inline constexpr size_t settings_text = size_t{32} * 1024;
inline constexpr size_t config_line = 2552;  // bytes of a line of the configuration file, without its end
inline constexpr size_t config_value =
    2500;  // a Content-Security-Policy of 2 KiB fits; leaves room for the key on that line
inline constexpr size_t section_name = 32;       // inih silently cuts a section header of 50 bytes
inline constexpr size_t listing_entries = 1000;  // of a folder that is shown
// Room for the page: an entry has its name twice, in the worst case with every byte escaped.
inline constexpr size_t listing_page = listing_entries * 384;
// Room for the status page in its largest form, with so many backends and everything that can go wrong gone wrong.
[[nodiscard]] constexpr size_t status_page(size_t backends_shown) {
    return size_t{1024} * (10 + 7 * backends_shown);
}
inline constexpr size_t threads = 16;
inline constexpr size_t path = 4096;  // file system paths, with the final NUL

inline constexpr size_t mime_types = size_t{80} * 1024;  // of the file `mime_types`, as far as it names extensions

// Passwords (`auth`)
inline constexpr size_t user = 64;                          // bytes of a name
inline constexpr size_t password = 128;                     // bytes of what is typed
inline constexpr size_t password_hash = 160;                // bytes of a hash, with a NUL; $6$ with its rounds has 123
inline constexpr size_t password_file = size_t{64} * 1024;  // bytes of a file of users
inline constexpr uint64_t bcrypt_cost = 12;                 // of $2y$: a slow device takes seconds for it
inline constexpr uint64_t sha_rounds = 200'000;             // of $5$ and $6$: the same
inline constexpr size_t password_questions = 32;            // that wait, one at a time is answered
inline constexpr size_t password_questions_per_client = 8;  // of them; a browser has six connections
inline constexpr int64_t password_wait_ms = 10'000;         // for its turn
inline constexpr size_t passwords_known = 32;               // that were right lately
inline constexpr int64_t passwords_known_ms = 1000;         // as long the file is taken to be what it was

// TLS
inline constexpr size_t certificates = 8;                       // of a chain
inline constexpr size_t certificate_file = size_t{256} * 1024;  // bytes of a file of them, or of a key
inline constexpr size_t certificate_names = 16;                 // in a certificate that a device makes for itself
inline constexpr size_t certificate_addresses = 32;             // the same

// Process. Each with what was seen on x86-64.
inline constexpr size_t thread_stack = size_t{88} * 1024;  // of a worker: 28 KiB
inline constexpr size_t main_stack = size_t{40} * 1024;    // of the thread that starts everything: 24 KiB
inline constexpr size_t process_data =
    size_t{128} * 1024;  // relocated and static data of program and C library: 112 KiB
inline constexpr size_t spawner_memory = size_t{144} * 1024;  // of the process that starts PHP, its own alone: 128 KiB
inline constexpr size_t heap_gaps = 16;                       // of the heap at most one part in so many lies unused

// Clients
inline constexpr uint64_t least_pace = 256;  // bytes a second in which a body must come, and a reply be taken
// ... while PHP waits for it and others wait for PHP, and how long a client may fall behind that.
inline constexpr uint64_t pressing_pace = 16384;
inline constexpr int64_t pressing_ms = 5000;

// FastCGI
inline constexpr size_t page = 4096;                      // of response pages
inline constexpr size_t read_chunk = size_t{64} * 1024;   // most that is read from a backend at once
inline constexpr size_t body_buffer = size_t{64} * 1024;  // of a request body before PHP is asked for
// Of a backend without a byte of an answer: error output, empty records.
inline constexpr size_t chatter = size_t{1024} * 1024;
inline constexpr uint32_t stderr_lines_per_second = 50;  // of one request
inline constexpr size_t stderr_line = 1024;              // of one FCGI_STDERR line in the log

// PHP
inline constexpr size_t program = 512;  // bytes of the path of a program, with the final NUL

// Log
inline constexpr size_t log_line = 1024;
inline constexpr size_t access_line = 2688;                 // at most
inline constexpr size_t access_buffer = size_t{16} * 1024;  // of lines that wait to be written together
inline constexpr uint32_t log_lines_per_second = 200;       // a flood of requests must not fill a device's flash

}  // namespace fcgate::limits
