// Owns: one thread's share of the server: an epoll set, timers, pages, an HTTP engine, an upstream, a mailbox; and the loop over them.
// Borrows: configuration, gates, listeners and log of the server, as long as it lives.
// Must not touch: other workers, but through their mailboxes.
#pragma once

#include <sys/epoll.h>

#include <cstdint>

#include "base/arena.hpp"
#include "base/descriptor.hpp"
#include "base/features.hpp"
#include "base/pages.hpp"
#include "base/timers.hpp"
#include "fastcgi/upstream.hpp"
#include "files/file_cache.hpp"
#include "http/engine.hpp"
#include "server/calls.hpp"
#include "server/common.hpp"
#include "server/dispatcher.hpp"
#include "server/history.hpp"
#include "server/kept_requests.hpp"
#include "server/mailbox.hpp"
#include "server/pools.hpp"

namespace fcgate::server {

class Worker {
  public:
    [[nodiscard]] Status init(Common& common, uint32_t number, Pools& pools, Arena& arena);
    void finish();

    [[nodiscard]] int epoll_fd() const { return epoll_.get(); }
    [[nodiscard]] Mailbox& mailbox() { return mailbox_; }
    [[nodiscard]] KeptRequests& kept() { return kept_; }
    [[nodiscard]] Calls& calls() { return calls_; }
    // For settings of a host that calls.
    [[nodiscard]] static const CallOps& call_ops();

    // Waits for events for at most `wait_ms` (negative: as long as nothing is due) and handles them. ok: go on; gone: it has stopped as
    // ordered; io: it cannot go on.
    [[nodiscard]] Status turn(int wait_ms);
    // How long turn() may wait until something is due; negative: for ever.
    [[nodiscard]] int timeout_ms() const;

    // Any thread, once init() is done; server_status.cpp.
    void add_to(Snapshot& snapshot, const Configuration& configuration, int64_t now) const;

  private:
    [[nodiscard]] Status make_parts(const Pools& pools);
    [[nodiscard]] bool watch(int fd, EventTag tag, uint32_t events = EPOLLIN, int operation = EPOLL_CTL_ADD);
    void handle(uint64_t packed, uint32_t events);
    void handle_timers(int64_t now);
    [[nodiscard]] bool has_lines() const { return features::access_log && common_->access_log.is_pending(); }
    void handle_mailbox();
    void run_parts();
    [[nodiscard]] bool runs_supervisor() const {
        return features::spawn && common_->supervisor.is_used() && number_ == 0;
    }
    [[nodiscard]] bool starts_php_for_others() const;
    [[nodiscard]] fastcgi::Post post();
    [[nodiscard]] fastcgi::Starter starter();
    void count_connections();
    void note_history(int64_t now);

    // worker_orders.cpp
    void change_over();
    void let_go();
    void follow_orders(int64_t now);
    void reopen_logs();
    void abort();

    // worker_listeners.cpp
    void arm_listeners(bool armed);
    void change_listeners(Configuration& next);
    [[nodiscard]] bool accept_from_all();
    void accept_from(size_t listener_number);
    void leave_listeners();
    void end_draining();

    // worker_admission.cpp
    [[nodiscard]] size_t reserved() const;
    [[nodiscard]] bool is_full_for_most() const;
    [[nodiscard]] bool is_everyone_full() const;
    [[nodiscard]] bool is_open() const;
    [[nodiscard]] bool is_operator(const Endpoint& client) const;
    void admit(Newcomer& newcomer);
    void wait_for_place(Newcomer& newcomer);
    void tell_others();
    void seat_waiting();
    void turn_away_packed(const Newcomer& newcomer, Packed code, Packed pattern, ...);
    // turn_away<"it has % connections">(newcomer, code, count): see base/pattern.hpp.
    template <packing::Literal Pattern, typename... Values>
    void turn_away(const Newcomer& newcomer, Packed code, Values... values) {
        turn_away_packed(newcomer, code, pattern::packed<Pattern, Values...>(), pattern::passed(values)...);
    }
    void on_waiting_timer(int64_t now);
    void clear_waiting();

    // What is used most comes first, where the shortest instructions reach it.
    Common* common_ = nullptr;
    Configuration* configuration_ = nullptr;  // for requests that begin now
    Configuration* before_ = nullptr;         // while requests under it may still run
    uint32_t number_ = 0;
    Descriptor epoll_;
    bool mhd_ready_ = false;
    bool listening_ = false;
    bool accepting_paused_ = false;  // the machine has no descriptors left: try again in a while
    bool cannot_accept_ = false;     // ... since the last client who came in: it has been logged
    bool stopping_ = false;
    bool is_draining_ = false;  // stopping, and somebody may still wait in a backlog
    uint32_t counted_ = 0;      // connections of ours that the others know of
    int64_t stop_deadline_ = never;
    TurnClock clock_;
    Timers timers_;
    Timer accept_timer_;
    Timer stop_timer_;
    Timer waiting_timer_;
    PagePool pages_;
    History history_;
    Spool spool_;
    files::FileCache files_;
    KeptRequests kept_;
    fastcgi::Upstream upstream_;
    Dispatcher dispatcher_;
    Mailbox mailbox_;
    http::Counts counts_;
    http::Engine engine_;
    const CallOps* call_ops_ = nullptr;  // if the host calls scripts
    Calls calls_;
};

}  // namespace fcgate::server
