// Owns: every pool that a server carves from its arena: how large an item is, how many there are. The server carves by these numbers
// and the budget prints them, so neither can differ from the other.
// Borrows: the settings, while it works them out; they have passed check(). The arena, while it carves.
// Must not touch: what it has carved.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/arena.hpp"
#include "config/settings.hpp"

namespace fcgate::server {

// In the order in which they are carved: what an idle server touches lies together.
enum class PoolKind : uint8_t {
    clients,     // counts by client
    queues,      // of all gates
    parkings,    // of all gates
    roots,       // paths of the sites
    mime_types,  // of the file that is named
    access_log,  // lines on their way, of all workers
    passwords,   // that are checked, if a site asks for them
    workers,     // up to here the server's
    timers,      // from here on one of each worker: heap of deadlines
    grants,      // under way to the worker: in its list and in its mailbox
    worklist,    // of exchanges
    fields,      // of the request whose head is looked at
    links,       // connections to PHP
    exchanges,   // requests in PHP or waiting for it
    connections,
    deliveries,      // of replies to connections, and to calls
    bodies,          // that are spooled, one for each connection
    kept,            // requests that the host keeps
    kept_buffers,    // of each
    params,          // variables of PHP that the host sets, for each connection
    calls,           // of scripts by the host
    call_texts,      // of each
    path,            // scratch of the route
    text,            // scratch of a reply that fcgate makes
    scratch,         // of the FastCGI side, and for a reply's fields on their way
    listing_page,    // where a site lists its folders
    listing_memory,  // names of files
    backend_counts,  // for each gate
    history,         // if there is a status page
    target_places,   // free ones, of long targets
    targets,         // of requests
    long_targets,
    heads,         // of PHP's replies
    pages,         // of PHP's output, and of request bodies
    cached_files,  // what is known of them
    file_cache,    // their bytes
    count,
};

struct Pool {
    size_t size;  // of an item
    size_t count;
    uint8_t* memory;  // of the last that was carved: so many bytes
    size_t carved;
    size_t times;  // one for each worker, or one
    size_t alignment;

    [[nodiscard]] size_t bytes() const { return size * count; }  // of one of `times`
};

// What is read of a backend at once; there is room for it in the scratch memory.
[[nodiscard]] size_t read_chunk_of(const Settings& settings);

// Lines of an access log are asked for.
[[nodiscard]] bool has_access_log(const Settings& settings);

class Pools {
  public:
    explicit Pools(const Settings& settings);

    [[nodiscard]] const Pool& operator[](PoolKind kind) const { return pools_[static_cast<size_t>(kind)]; }
    [[nodiscard]] static Packed name(size_t number);
    // Takes memory for the pools from `first` to `end`, without it: for the server, or for another worker. All of its bytes are zero. exhausted:
    // the arena was measured too small (a fault of ours, answered all the same).
    [[nodiscard]] Status carve(Arena& arena, PoolKind first, PoolKind end);
    // What was carved last. T is the type of the pool's items, which are not constructed.
    template <typename T>
    [[nodiscard]] std::span<T> items(PoolKind kind) const {
        return {reinterpret_cast<T*>((*this)[kind].memory), (*this)[kind].count};
    }
    [[nodiscard]] std::span<char> bytes(PoolKind kind) const {
        return {reinterpret_cast<char*>((*this)[kind].memory), (*this)[kind].carved};
    }

    [[nodiscard]] const Pool* begin() const { return pools_.data(); }
    [[nodiscard]] const Pool* end() const { return pools_.data() + pools_.size(); }

    // What alignment may cost, at most.
    [[nodiscard]] size_t slack() const;
    // Of everything, with the slack.
    [[nodiscard]] size_t arena_size() const;

    [[nodiscard]] size_t places() const { return places_; }  // of all backends, with those that end after a reload
    [[nodiscard]] size_t gates() const { return gates_; }    // that can be in use, after any reload
    [[nodiscard]] size_t most_waiting() const { return most_waiting_; }  // at one gate, after any reload

  private:
    [[nodiscard]] size_t& count(PoolKind kind) { return pools_[static_cast<size_t>(kind)].count; }
    [[nodiscard]] size_t& size(PoolKind kind) { return pools_[static_cast<size_t>(kind)].size; }
    void count_workers(const Settings& settings);

    std::array<Pool, static_cast<size_t>(PoolKind::count)> pools_{};
    size_t places_ = 0;
    size_t gates_ = 0;
    size_t most_waiting_ = 0;
};

}  // namespace fcgate::server
