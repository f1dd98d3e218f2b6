// Owns: what there is to know of a running server at one moment, as plain numbers, and the three forms in which it is told.
// Borrows: the settings of the backends, while it is written.
// Must not touch: the server; Server::look() fills a snapshot in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/fixed_list.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "config/settings.hpp"
#include "fastcgi/counts.hpp"
#include "http/counts.hpp"
#include "server/history.hpp"

namespace fcgate::server {

struct Snapshot {
    // Numbers alone, so that the table of metrics can point at them; in the order in which people see them.
    struct Backend {
        uint64_t in_use;
        uint64_t places;
        uint64_t streams;
        uint64_t waiting;
        uint64_t queue;
        uint64_t most_waiting;
        uint64_t refused;                // of the faults: no place, or none in time
        std::array<uint64_t, 2> opened;  // kept, fresh
        uint64_t parked;
        std::array<uint64_t, fastcgi::BackendCounts::wait_ends.size() + 1> waits;
        uint64_t waited_ms;
        std::array<uint64_t, fastcgi::fault_count> faults;
        uint64_t php_running;
        uint64_t php_starts;
        uint64_t php_deaths;
    };
    struct Pool {
        uint64_t in_use;
        uint64_t most;
        uint64_t count;
        uint64_t size;  // of an item, in bytes
    };
    struct Totals {
        uint64_t uptime_ms;
        std::array<uint64_t, http::Counts::stages> connections;
        uint64_t newcomers;
        uint64_t accepted;
        std::array<uint64_t, http::Counts::classes> answers;
        std::array<uint64_t, http::page_count> pages;
        uint64_t parser_refusals;
        uint64_t turned_away;
        uint64_t received;
        uint64_t sent;
        uint64_t spooled;
        uint64_t log_lines_lost;
        uint64_t memory;       // of the process, that no file is behind; 0: not known
        uint64_t most_memory;  // that all pools together can take
        uint64_t ceiling;      // 0: none
    };
    struct Server {
        bool is_up;
        uint64_t connections;
    };
    struct BackendName {
        const BackendSettings* settings;
        const char* php;      // its phase; nullptr: fcgate does not start it
        size_t server_count;  // 0 where there is only one
        std::array<Server, limits::servers> servers;
    };
    enum PoolNumber : uint8_t { connections, exchanges, links, pages, long_targets, pool_count };

    // Begins as zeros, all at once: Snapshot snapshot{};
    Totals totals;
    std::array<Backend, limits::backends> backends;
    std::array<BackendName, limits::backends> names;
    size_t backend_count;
    std::array<Pool, pool_count> pools;
    std::array<History::Step, History::steps> history;
};

enum class StatusForm : uint8_t { html, json, prometheus };

void write_html(const Snapshot& snapshot, TextBuffer& out);
void write_json(const Snapshot& snapshot, TextBuffer& out);
void write_prometheus(const Snapshot& snapshot, TextBuffer& out);
void write_status(const Snapshot& snapshot, StatusForm form, TextBuffer& out);

[[nodiscard]] std::string_view status_type(StatusForm form);  // Content-Type
// What may the page load and do? Nothing, but for its own style.
[[nodiscard]] std::string_view status_policy();
// What a request asks for: by its query, else by its Accept.
[[nodiscard]] StatusForm choose_form(std::string_view query, std::string_view accept);

}  // namespace fcgate::server
