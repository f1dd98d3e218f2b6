// Owns: how many connections each client has, over all workers.
// Must not touch: connections; workers tell it of every one that comes and goes.
#pragma once

#include <pthread.h>

#include <cstdint>
#include <span>

namespace fcgate::server {

// A hash table with open addressing, over storage with at least twice as many entries as there can be connections.
class ClientCounts {
  public:
    struct Entry {
        uint64_t key = 0;
        uint32_t count = 0;
    };

    // The size of `storage` is a power of two.
    void init(std::span<Entry> storage) { entries_ = storage; }
    void finish() { pthread_mutex_destroy(&mutex_); }
    [[nodiscard]] static size_t size_for(size_t connections);

    // Counts one more, unless there are `cap` already.
    [[nodiscard]] bool enter(uint64_t client_key, uint32_t cap);
    void leave(uint64_t client_key);

  private:
    [[nodiscard]] size_t find(uint64_t client_key) const;
    void close_gap(size_t gap);
    [[nodiscard]] size_t home(uint64_t client_key) const;

    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    std::span<Entry> entries_;
};

}  // namespace fcgate::server
