// Owns: clients that were accepted while every place open to them was taken: they wait here, in the order in which they came, for one of any
// worker.
// Must not touch: connections with a place. Whoever takes a newcomer out, closes the socket or gives it a place.
#pragma once

#include <pthread.h>

#include <algorithm>
#include <cstddef>

#include "base/clock.hpp"
#include "base/count.hpp"
#include "base/fixed_list.hpp"
#include "base/limits.hpp"
#include "base/lock.hpp"
#include "http/connection.hpp"

namespace fcgate::server {

using http::Newcomer;

class WaitingRoom {
  public:
    void init(bool is_shared) { lock_ = is_shared ? &mutex_ : nullptr; }
    void finish() { pthread_mutex_destroy(&mutex_); }

    // ---- any worker ----

    [[nodiscard]] size_t size() const { return size_.get(); }
    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] bool is_full() const { return size() == limits::waiting_newcomers; }

    // False when it is full.
    [[nodiscard]] bool push(const Newcomer& newcomer) {
        const Lock lock(lock_);
        const bool fits = newcomers_.push_back(newcomer);
        size_.set(static_cast<uint32_t>(newcomers_.size()));
        return fits;
    }
    // Takes out who has waited for longest, if he is due at `time`. False when there is nobody.
    [[nodiscard]] bool pop(Newcomer& newcomer, int64_t time = never) {
        const Lock lock(lock_);
        if (newcomers_.empty() || newcomers_[0].due > time) {
            return false;
        }
        newcomer = newcomers_[0];
        std::copy(newcomers_.begin() + 1, newcomers_.end(), newcomers_.begin());
        newcomers_.pop_back();
        size_.set(static_cast<uint32_t>(newcomers_.size()));
        return true;
    }
    // When the next one is; never: nobody waits.
    [[nodiscard]] int64_t due() {
        const Lock lock(lock_);
        return newcomers_.empty() ? never : newcomers_[0].due;
    }

  private:
    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_t* lock_ = nullptr;
    Gauge size_;
    FixedList<Newcomer, limits::waiting_newcomers> newcomers_;
};

}  // namespace fcgate::server
