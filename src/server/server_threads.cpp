// The part of Server that runs its workers: their threads, the word to stop, the end of the last one.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/thread.hpp"
#include "server/server.hpp"

namespace fcgate::server {

Status Server::run_worker(uint32_t number) {
    Status status = Status::ok;
    while (status == Status::ok) {
        status = common_.workers[number].turn(-1);
    }
    return status;
}

[[gnu::noinline]] Status Server::start_threads(uint32_t first, ServerError& error) {
    int failure = 0;
    // One count of our own: nobody is told of the end before all have begun.
    running_.fetch_add(1);
    for (uint32_t number = first; number < common_.workers.size() && failure == 0; ++number) {
        starts_[number] = {this, number};
        running_.fetch_add(1);
        failure = start_thread(threads_[thread_count_], &Server::thread_main, &starts_[number]);
        if (failure == 0) {
            ++thread_count_;
        } else {
            running_.fetch_sub(1);
        }
    }
    if (failure != 0) {
        stop(0);
        join_threads();
        return explain<"a thread cannot be started: %">(error, Status::exhausted, SystemError{failure});
    }
    thread_ended();
    return Status::ok;
}

void* Server::thread_main(void* argument) {
    const auto* const start = static_cast<const ThreadStart*>(argument);
    Server& server = *start->server;
    if (server.run_worker(start->number) != Status::gone) {
        server.broken_ = true;
        server.stop(0);
    }
    server.thread_ended();
    return nullptr;
}

void Server::thread_ended() {
    if (running_.fetch_sub(1) == 1) {
        const uint64_t one = 1;
        (void)!write(ended_.get(), &one, sizeof one);
    }
}

void Server::stop(int64_t deadline) {
    common_.deadline.bring_forward(deadline);
    // Before that they look at the order when they begin.
    if (prepared_) {
        for (Worker& worker : common_.workers) {
            worker.mailbox().ring();
        }
    }
}

void Server::reopen_logs() {
    common_.reopen_logs = true;
    if (prepared_) {
        common_.workers[0].mailbox().ring();
    }
}

Status Server::wait(int timeout_ms) const {
    pollfd ended{ended_.get(), POLLIN, 0};
    const int64_t deadline = timeout_ms < 0 ? never : monotonic_ms() + timeout_ms;
    int count = 0;
    do {
        // A signal of the host's does not make it longer.
        const int64_t left = deadline == never ? -1 : std::max<int64_t>(deadline - monotonic_ms(), 0);
        count = poll(&ended, 1, static_cast<int>(left));
    } while (count < 0 && errno == EINTR);
    if (count <= 0) {
        return Status::again;  // also when there is no asking: a host may leave itself no descriptors
    }
    return broken_ ? Status::io : Status::gone;
}

void Server::join_threads() {
    for (size_t i = 0; i < thread_count_; ++i) {
        pthread_join(threads_[i], nullptr);
    }
    thread_count_ = 0;
}

}  // namespace fcgate::server
