// Owns: the holding of a mutex for the length of a block.
// Must not touch: the mutex beyond that.
#pragma once

#include <pthread.h>

namespace fcgate {

class Lock {
  public:
    // nullptr: nothing is to be locked, for there is one thread.
    explicit Lock(pthread_mutex_t* mutex) : mutex_(mutex) {
        if (mutex_ != nullptr) {
            pthread_mutex_lock(mutex_);
        }
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() {
        if (mutex_ != nullptr) {
            pthread_mutex_unlock(mutex_);
        }
    }

  private:
    pthread_mutex_t* mutex_;
};

}  // namespace fcgate
