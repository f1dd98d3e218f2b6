#include "server/client_counts.hpp"

namespace fcgate::server {

size_t ClientCounts::size_for(size_t connections) {
    size_t size = 16;
    while (size < 2 * connections) {
        size *= 2;
    }
    return size;
}

// Client keys of IPv6 networks share their first bytes: every bit must count.
size_t ClientCounts::home(uint64_t client_key) const {
    constexpr uint64_t multiplier = 0x9e3779b97f4a7c15U;
    constexpr unsigned half = 32;
    return static_cast<size_t>((client_key * multiplier) >> half) & (entries_.size() - 1);
}

// The entry of that client, or the empty one where it would stand.
size_t ClientCounts::find(uint64_t client_key) const {
    size_t at = home(client_key);
    while (entries_[at].count > 0 && entries_[at].key != client_key) {
        at = (at + 1) & (entries_.size() - 1);
    }
    return at;
}

bool ClientCounts::enter(uint64_t client_key, uint32_t cap) {
    pthread_mutex_lock(&mutex_);
    Entry& entry = entries_[find(client_key)];
    const bool fits = entry.count < cap;
    if (fits) {
        entry.key = client_key;
        ++entry.count;
    }
    pthread_mutex_unlock(&mutex_);
    return fits;
}

void ClientCounts::leave(uint64_t client_key) {
    pthread_mutex_lock(&mutex_);
    const size_t at = find(client_key);
    if (entries_[at].count > 0 && --entries_[at].count == 0) {
        close_gap(at);
    }
    pthread_mutex_unlock(&mutex_);
}

// What stands behind a gap and belongs before it moves up, so that every entry is found from its home without one.
void ClientCounts::close_gap(size_t gap) {
    const size_t mask = entries_.size() - 1;
    for (size_t at = (gap + 1) & mask; entries_[at].count > 0; at = (at + 1) & mask) {
        const size_t distance_home = (at - home(entries_[at].key)) & mask;
        const size_t distance_gap = (at - gap) & mask;
        if (distance_home >= distance_gap) {
            entries_[gap] = entries_[at];
            entries_[at].count = 0;
            gap = at;
        }
    }
}

}  // namespace fcgate::server
