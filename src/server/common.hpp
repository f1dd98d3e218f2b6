// Owns: what all workers of a server use: orders to them, configurations, gates, tables, logs, counts.
// Borrows: the workers, which the server has made; whoever writes the status.
// Must not touch: anything of a worker but its mailbox and its counts.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "auth/verifier.hpp"
#include "base/log.hpp"
#include "fastcgi/backend_table.hpp"
#include "fastcgi/gate.hpp"
#include "files/mime.hpp"
#include "http/finished.hpp"
#include "server/access_log.hpp"
#include "server/client_counts.hpp"
#include "server/configuration.hpp"
#include "server/endpoints.hpp"
#include "server/shared_deadline.hpp"
#include "server/status.hpp"
#include "server/waiting_room.hpp"
#include "spawn/supervisor.hpp"

namespace fcgate::server {

class Worker;

// Who tells how the server is.
struct StatusWriter {
    void* context = nullptr;
    void (*write)(void* context, StatusForm form, TextBuffer& out) = nullptr;
};

struct Common {
    // By the last worker that has let go of it.
    void release(Configuration& unused);
    // By one of `accepting`, which it then is no more.
    void leave_listeners();
    [[nodiscard]] std::span<fastcgi::Gate> gates_in_use() { return {gates.data(), gate_count}; }

    // Written by any thread, some also from signal handlers.
    std::atomic<Configuration*> configuration{nullptr};  // in force
    std::atomic<uint32_t> stop_timeout_ms{0};            // of it
    SharedDeadline deadline;                             // never: go on serving
    std::atomic<bool> reopen_logs{false};
    std::atomic<uint32_t> connections{0};
    std::atomic<uint32_t> spooled_kib{0};
    std::atomic<uint32_t> accepting{0};  // workers that still do, and a reload; the last one closes the listeners

    // Not changed while a worker runs, but by what they are themselves. The largest come last.
    std::span<Worker> workers;
    StatusWriter status;
    auth::Verifier* verifier = nullptr;  // if a site asked for passwords at the start
    ClientCounts clients;
    FinishedSinks finished;
    files::MimeTable mime;
    size_t gate_count = 0;
    fastcgi::BackendTable backends;
    spawn::Supervisor supervisor;  // used if PHP is spawned
    std::array<fastcgi::Gate, limits::backends> gates{};
    std::array<Configuration, Configuration::count> configurations;
    WaitingRoom waiting;
    Endpoints endpoints;
    Log log;
    AccessLog access_log;  // begun if there is one
};

}  // namespace fcgate::server
