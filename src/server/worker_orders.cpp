// The part of Worker that does what it is told by other threads: another configuration, the end, logs to be opened again.
#include <cerrno>

#include "base/clock.hpp"
#include "server/worker.hpp"

namespace fcgate::server {

// A configuration has come into force: what begins from now on is answered under it.
void Worker::change_over() {
    Configuration* const next = common_->configuration.load();
    if (next == configuration_ || stopping_) {
        return;
    }
    before_ = configuration_;
    change_listeners(*next);
    dispatcher_.use(*next);
    engine_.use(*next->settings, next->presented());
    upstream_.keep_backends(next->gate_mask());
    upstream_.forget_counts(next->gate_mask() & ~before_->gate_mask());
    for (size_t i = 0; number_ == 0 && i < next->settings->backends.size(); ++i) {
        const BackendSettings& backend = next->settings->backends[i];
        common_->gates[next->gates[i]].resize(backend.workers, backend.queue);
        upstream_.grant_free(next->gates[i]);
    }
    let_go();
}

// Of the configuration before, once its last request is done.
void Worker::let_go() {
    if (before_ != nullptr && dispatcher_.users_of(*before_) == 0 && !upstream_.has_ending()) {
        Configuration& unused = *before_;
        before_ = nullptr;
        if (unused.holders.fetch_sub(1) == 1) {
            common_->release(unused);
        }
    }
}

void Worker::follow_orders(int64_t now) {
    if (number_ == 0 && common_->reopen_logs.exchange(false)) {
        reopen_logs();
    }
    const int64_t deadline = common_->deadline.get();
    if (deadline == never || deadline >= stop_deadline_) {
        return;
    }
    stop_deadline_ = deadline;
    if (!stopping_) {
        stopping_ = true;
        is_draining_ = true;
        if (call_ops_ != nullptr) {
            // Before it is known that we accept nobody any more: then the others see all that there will be.
            call_ops_->stop(calls_, false);
        }
        leave_listeners();
        upstream_.end_streams();
        if (const HostOps* const host = common_->endpoints.ops(); host != nullptr) {
            host->on_stop(dispatcher_);
        }
        engine_.begin_stop(now);
    }
    if (deadline <= now) {
        abort();
    } else {
        timers_.set(stop_timer_, deadline);
    }
}

// What cannot be opened again goes on in the old file.
void Worker::reopen_logs() {
    const StartSettings& server = configuration_->settings->server;
    if (common_->log.reopen() != Status::ok) {
        common_->log.write<"error_log: cannot open %: %">(LogLevel::error, server.error_log, SystemError{errno});
    }
    if constexpr (features::access_log) {
        if (common_->access_log.reopen() != Status::ok) {
            common_->log.write<"access_log: cannot open %: %">(LogLevel::error, server.access_log, SystemError{errno});
        }
    }
}

void Worker::abort() {
    clear_waiting();
    if (is_draining_) {
        end_draining();
    }
    if (call_ops_ != nullptr) {
        call_ops_->stop(calls_, true);
    }
    engine_.abort_all();
}

}  // namespace fcgate::server
