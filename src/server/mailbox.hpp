// Owns: what other threads have for a worker: granted places, requests to yield a parked connection, the word to stop.
// Must not touch: anything of the worker but this; the worker empties it on its own thread when its eventfd says so.
#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "base/descriptor.hpp"
#include "base/limits.hpp"
#include "base/status.hpp"
#include "fastcgi/upstream.hpp"

namespace fcgate::server {

class Mailbox {
  public:
    // `grants` has two places for each exchange of the worker: one for a granted place, one for a notice of eviction, and no
    // exchange ever has more under way.
    [[nodiscard]] Status init(std::span<fastcgi::Grant> grants);
    void finish();

    [[nodiscard]] int fd() const { return event_.get(); }

    // ---- any thread ----

    void post(const fastcgi::Grant& grant);
    void post_yield(uint32_t backend);
    // Only wakes the worker, to look at what is shared otherwise. Async-signal-safe.
    void ring() const;

    // ---- the worker ----

    // Clears the eventfd; to be called before the rest is taken.
    void acknowledge() const;
    [[nodiscard]] bool take(fastcgi::Grant& out);
    [[nodiscard]] uint32_t take_yields(uint32_t backend) { return yields_[backend].exchange(0); }

  private:
    Descriptor event_;
    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    std::span<fastcgi::Grant> grants_;
    size_t first_ = 0;
    size_t count_ = 0;
    std::array<std::atomic<uint32_t>, limits::backends> yields_{};
};

}  // namespace fcgate::server
