// Owns: the spawner process: forked at start, it keeps the right to start PHP as its own user while the server gives up its own.
// Borrows: plan and settings.
// Must not touch: HTTP, requests, the server's descriptors: it has one socket to the server, and ends when that ends.
#pragma once

#include <sys/types.h>

#include "base/descriptor.hpp"
#include "base/status.hpp"
#include "config/settings.hpp"
#include "spawn/messages.hpp"
#include "spawn/plan.hpp"

namespace fcgate::spawn {

// The child's whole life. `server` is its end of the socket.
[[noreturn]] void spawner_main(const Plan& plan, const Settings& settings, int server);

// The server's end.
class SpawnerLink {
  public:
    // Forks. The host hears no SIGCHLD of it, nor does its wait(-1) find it.
    [[nodiscard]] Status start(const Plan& plan, const Settings& settings);
    // Ends the spawner and all PHP of its, and waits for that: three seconds at most.
    void finish();

    [[nodiscard]] int fd() const { return socket_.get(); }
    // again: not now, for the kernel has no memory or the spawner much to do; gone: the spawner has ended.
    [[nodiscard]] Status send(const Order& order) const;
    // again: no report now; gone: the spawner has ended.
    [[nodiscard]] Status receive(Report& report) const;

  private:
    Descriptor socket_;
    pid_t pid_ = -1;
};

}  // namespace fcgate::spawn
