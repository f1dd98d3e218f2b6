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
    // The PHP of that backend has come or gone.
    [[nodiscard]] static constexpr uint32_t php_news(uint32_t backend) { return 1U << backend; }
    // Somebody waits at the listeners whom a full worker cannot take.
    static constexpr uint32_t newcomers = 1U << 31U;
    // Passwords of its requests have been checked.
    static constexpr uint32_t verdicts = 1U << 30U;
    static_assert(limits::backends < 30);

    // `grants` has room for `places` grants, as many as can be under way, and for some notices of eviction besides.
    [[nodiscard]] Status init(std::span<fastcgi::Grant> grants, size_t places);
    void finish();

    [[nodiscard]] int fd() const { return event_.get(); }

    // ---- any thread ----

    // False when the worker has ended: the place is the sender's again. A notice that finds no room is lost; its waiter then leaves
    // the queue by its own clock.
    [[nodiscard]] bool post(const fastcgi::Grant& grant);
    void post_yield(uint32_t backend);
    // Bits: php_news(), newcomers, verdicts.
    void post_news(uint32_t news);
    // Only wakes the worker, to look at what is shared otherwise. Async-signal-safe.
    void ring();

    // ---- the worker ----

    // Clears the eventfd; to be called before the rest is taken.
    void acknowledge();
    // Nothing is taken any more; what was taken is still there.
    void close();
    [[nodiscard]] bool take(fastcgi::Grant& out);
    [[nodiscard]] uint32_t take_yields(uint32_t backend) {
        return yields_[backend].exchange(0, std::memory_order_relaxed);
    }
    [[nodiscard]] uint32_t take_news() { return news_.exchange(0, std::memory_order_relaxed); }

  private:
    Descriptor event_;
    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    std::span<fastcgi::Grant> grants_;
    size_t first_ = 0;
    size_t count_ = 0;
    size_t places_ = 0;
    bool closed_ = false;
    std::atomic<bool> rung_{false};
    std::atomic<uint32_t> news_{0};
    std::array<std::atomic<uint32_t>, limits::backends> yields_{};
};

}  // namespace fcgate::server
