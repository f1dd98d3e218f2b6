// Owns: everything that lives as long as the server: memory, listeners, site roots, gates, workers and their threads.
// Borrows: nothing; it has taken the settings over.
// Must not touch: signals, other processes, the heap after init().
#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "base/arena.hpp"
#include "base/log.hpp"
#include "config/settings.hpp"
#include "fastcgi/gate.hpp"
#include "files/mime.hpp"
#include "server/dispatcher.hpp"
#include "server/worker.hpp"

namespace fcgate::server {

// What went wrong, for whoever started the server.
using ServerError = Text<384>;

class Server;

struct ThreadStart {
    Server* server;
    uint32_t number;
};

class Server {
  public:
    Server() = default;
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Opens the log, forks the spawner and binds the listeners: what may need privileges. `settings` have passed check() and outlive the server.
    [[nodiscard]] Status init(const Settings& settings, LogSink sink, void* sink_context, ServerError& error);
    // Before prepare(): afterwards the workers read them.
    [[nodiscard]] Endpoints& endpoints() { return endpoints_; }
    // Opens the roots and makes the workers: what is to be done by the user who serves.
    [[nodiscard]] Status prepare(ServerError& error);
    // After a failed init(): inherited listeners stay the host's.
    void give_back_inherited();
    // Ends everything at once and waits for the threads.
    void finish();

    // Runs workers `first` and above on threads of their own.
    [[nodiscard]] Status start_threads(uint32_t first, ServerError& error);
    // Runs one worker on this thread until it has stopped. gone: as ordered.
    [[nodiscard]] Status run_worker(uint32_t number);
    [[nodiscard]] Worker& worker(uint32_t number) { return workers_[number]; }
    [[nodiscard]] const Worker& worker(uint32_t number) const { return workers_[number]; }

    void join_threads();
    [[nodiscard]] bool is_broken() const { return broken_; }  // a worker could not go on
    // Any thread, also signal handlers.
    void stop(int64_t deadline);
    void reopen_logs();

    // Readable once every worker that has a thread has ended.
    [[nodiscard]] int ended_fd() const { return ended_.get(); }
    // Waits for that; again when it takes longer. gone: as ordered; io: a worker could not go on.
    [[nodiscard]] Status wait(int timeout_ms) const;

    [[nodiscard]] const Settings& settings() const { return *settings_; }
    [[nodiscard]] const Log& log() const { return log_; }
    [[nodiscard]] const Arena& arena() const { return arena_; }

  private:
    [[nodiscard]] Status open_log(ServerError& error);
    [[nodiscard]] Status open_listeners(ServerError& error);
    [[nodiscard]] Status start_spawner(ServerError& error);
    void init_supervisor();
    [[nodiscard]] Status open_roots(ServerError& error);
    [[nodiscard]] Status make_gates();
    [[nodiscard]] Status make_workers(const Pools& pools, ServerError& error);
    void announce() const;
    static void* thread_main(void* argument);
    void thread_ended();
    [[nodiscard]] fastcgi::Post post();
    static void offer_newcomers(void* context, uint32_t worker);

    const Settings* settings_ = nullptr;
    Log log_;
    Arena arena_;
    Common common_;
    ClientCounts clients_;
    files::MimeTable mime_;
    Endpoints endpoints_;
    Listeners listeners_;
    std::array<Site, limits::sites> sites_{};
    std::array<fastcgi::Gate, limits::backends> gates_{};
    Arena plan_memory_;
    spawn::Plan* plan_ = nullptr;  // none when no PHP is spawned
    spawn::SpawnerLink spawner_;
    spawn::Supervisor supervisor_;
    size_t site_count_ = 0;
    size_t gate_count_ = 0;
    std::span<Worker> workers_;
    std::array<pthread_t, limits::threads> threads_{};
    std::array<ThreadStart, limits::threads> starts_{};
    size_t thread_count_ = 0;
    std::atomic<uint32_t> running_{0};
    std::atomic<bool> broken_{false};
    std::atomic<bool> prepared_{false};  // the workers can be rung
    Descriptor ended_;
    Text<256> machine_name_;
    Text<limits::path> log_path_;
};

}  // namespace fcgate::server
