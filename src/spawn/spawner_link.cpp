#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/clock.hpp"
#include "spawn/spawner.hpp"

namespace fcgate::spawn {

namespace {

// More than PHP gets to end in. One that takes longer hangs, or was stopped.
constexpr int64_t longest_end_ms = 3000;
constexpr int moment_ms = 5;

// A child whose end raises no signal: the host's SIGCHLD handler and its wait(-1) are not for us. Emulators may not know it.
[[nodiscard]] pid_t fork_silently() {
    const auto pid = static_cast<pid_t>(syscall(SYS_clone, 0UL, 0UL, 0UL, 0UL, 0UL));
    return pid < 0 ? fork() : pid;
}

// Without memory for a packet the spawner is there still.
[[nodiscard]] Status status_of(int number) {
    const bool passes = number == EAGAIN || number == EINTR || number == ENOMEM || number == ENOBUFS;
    return passes ? Status::again : Status::gone;
}

}  // namespace

Status SpawnerLink::start(const Plan& plan, const Settings& settings) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return Status::exhausted;
    }
    socket_.reset(ends[0]);
    const Descriptor other(ends[1]);
    pid_ = fork_silently();
    if (pid_ < 0) {
        return Status::exhausted;
    }
    if (pid_ == 0) {
        close(ends[0]);
        spawner_main(plan, settings, ends[1]);
    }
    return Status::ok;
}

void SpawnerLink::finish() {
    // Children that the host has forked have copies of it: closing ours would tell the spawner nothing while one of them lives.
    (void)shutdown(socket_.get(), SHUT_RDWR);
    socket_.reset();
    const int64_t overdue = monotonic_ms() + longest_end_ms;
    while (pid_ > 0 && waitpid(pid_, nullptr, __WALL | WNOHANG) == 0) {
        // The kernel ends its PHP then. Whoever has given up root may not: it is left to hear of the end when it goes on.
        if (monotonic_ms() >= overdue && kill(pid_, SIGKILL) != 0) {
            break;
        }
        (void)poll(nullptr, 0, moment_ms);
    }
    pid_ = -1;
}

Status SpawnerLink::send(const Order& order) const {
    const ssize_t count = ::send(socket_.get(), &order, sizeof order, MSG_NOSIGNAL | MSG_DONTWAIT);
    return count < 0 ? status_of(errno) : Status::ok;
}

Status SpawnerLink::receive(Report& report) const {
    const ssize_t count = recv(socket_.get(), &report, sizeof report, MSG_DONTWAIT);
    if (count < 0) {
        return status_of(errno);
    }
    return count == static_cast<ssize_t>(sizeof report) ? Status::ok : Status::gone;
}

}  // namespace fcgate::spawn
