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
#include "config/settings.hpp"
#include "server/common.hpp"
#include "server/worker.hpp"

namespace fcgate::server {

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
    [[nodiscard]] Endpoints& endpoints() { return common_.endpoints; }
    // Who hears of requests that are over; the same holds for them.
    [[nodiscard]] FinishedSinks& finished() { return common_.finished; }
    // None before they run. Any thread.
    [[nodiscard]] std::span<Worker> workers() const { return prepared_ ? common_.workers : std::span<Worker>(); }
    // Who has what the ticket names, or nullptr. Any thread.
    [[nodiscard]] Worker* holder_of(Ticket ticket) const {
        const uint32_t number = worker_of(ticket);
        return number < workers().size() ? &workers()[number] : nullptr;
    }
    // Opens the roots and makes the workers: what is to be done by the user who serves.
    [[nodiscard]] Status prepare(ServerError& error);
    // From any one thread, while the server runs: what is asked from now on is answered under `next`, which has passed check() and now belongs to
    // the server; what has begun ends under the settings before. Keys that hold from the start only are set back to what they are, and named in the
    // log. gone: it is being stopped; again: requests still run under the settings before those in force. On failure everything is as it was.
    [[nodiscard]] Status reload(Settings& next, ServerError& error);
    // Settings that nothing runs under any more and that the caller may have back, once; nullptr: none.
    [[nodiscard]] const Settings* take_unused();
    // How it is now. Any thread, as long as the server lives.
    void write_status(StatusForm form, TextBuffer& out);
    // After a failed init(): inherited listeners stay the host's.
    void give_back_inherited() { common_.configurations[0].listeners.give_back_inherited(); }
    // Ends everything at once and waits for the threads.
    void finish();

    // server_threads.cpp, up to wait().
    // Runs workers `first` and above on threads of their own.
    [[nodiscard]] Status start_threads(uint32_t first, ServerError& error);
    // Runs one worker on this thread until it has stopped. gone: as ordered.
    [[nodiscard]] Status run_worker(uint32_t number);
    [[nodiscard]] Worker& worker(uint32_t number) { return common_.workers[number]; }
    [[nodiscard]] const Worker& worker(uint32_t number) const { return common_.workers[number]; }

    void join_threads();
    [[nodiscard]] bool is_broken() const { return broken_; }  // a worker could not go on
    // Any thread, also signal handlers.
    void stop(int64_t deadline);
    [[nodiscard]] bool is_stopping() const { return common_.deadline.get() != never; }
    void reopen_logs();

    // Readable once every worker that has a thread has ended.
    [[nodiscard]] int ended_fd() const { return ended_.get(); }
    // Waits for that; again when it takes longer. gone: as ordered; io: a worker could not go on.
    [[nodiscard]] Status wait(int timeout_ms) const;

    // Those in force. The thread that reloads.
    [[nodiscard]] const Settings& settings() const { return *common_.configuration.load()->settings; }
    [[nodiscard]] const Listeners& listeners() const { return common_.configuration.load()->listeners; }
    // Of the configuration in force. Any thread.
    [[nodiscard]] int64_t stop_timeout_ms() const { return common_.stop_timeout_ms.load(); }
    [[nodiscard]] const Log& log() const { return common_.log; }
    [[nodiscard]] const Arena& arena() const { return arena_; }

  private:
    [[nodiscard]] Status open_logs(ServerError& error);
    void begin_access_log(const Pools& pools);
    [[nodiscard]] Status start_spawner(ServerError& error);
    [[nodiscard]] Status read_mime_types(const Pools& pools, ServerError& error);
    void init_supervisor();
    void make_gates(const Pools& pools);
    // reload.cpp
    [[nodiscard]] Status match_backends(Configuration& after, Settings& next, ServerError& error);
    void keep_spawned(const BackendSettings& before, BackendSettings& after) const;
    void put_in_force(Configuration& after);
    [[nodiscard]] Status make_workers(Pools& pools, ServerError& error);
    // server_auth.cpp
    [[nodiscard]] Status start_verifier(ServerError& error);
    void warn_of_users(std::string_view file) const;
    // server_status.cpp
    void look(Snapshot& snapshot);
    void look_at_pools(Snapshot& snapshot, const Settings& settings) const;
    void look_at_backend(Snapshot& snapshot, size_t number, uint32_t gate);
    void announce(const Configuration& configuration) const;
    static void* thread_main(void* argument);
    void thread_ended();

    const Settings* settings_ = nullptr;  // those of the start, until there are workers
    Arena arena_;
    size_t most_places_ = 0;   // of all gates together
    size_t most_waiting_ = 0;  // of one gate
    bool can_list_ = false;    // there is memory for lists of folders
    uint32_t sandboxed_ = 0;   // sandboxed_folders() of the start; 0: there is no sandbox
    Arena plan_memory_;
    spawn::Plan* plan_ = nullptr;  // none when no PHP is spawned
    spawn::SpawnerLink spawner_;
    std::array<pthread_t, limits::threads> threads_{};
    std::array<ThreadStart, limits::threads> starts_{};
    size_t thread_count_ = 0;
    std::atomic<uint32_t> running_{0};
    std::atomic<bool> broken_{false};
    std::atomic<bool> prepared_{false};  // the workers can be rung
    Descriptor ended_;
    pthread_mutex_t status_mutex_ = PTHREAD_MUTEX_INITIALIZER;  // settings are not given back while it is held
    int64_t started_at_ = 0;
    Common common_;  // the largest
};

}  // namespace fcgate::server
