// Owns: how many requests of a backend may hold a connection, and who is next.
// Borrows: nothing; workers and exchanges are named by number and handle.
// Must not touch: sockets, exchanges. It is the one thing of the request path that worker threads share; every public
// function takes its lock, which is left out when there is one worker. The servers behind it go without.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/count.hpp"
#include "base/slots.hpp"
#include "base/status.hpp"
#include "fastcgi/servers.hpp"

namespace fcgate::fastcgi {

// What a place is held for. Streams may hold all places but one, uploads beside the first what streams leave of these: for how long is up to their
// clients.
enum class Use : uint8_t {
    page,
    stream,
    upload,  // a request whose body is still coming from its client
};

// Who waits, and where it is to be woken.
struct Waiter {
    Handle exchange;
    uint32_t worker = 0;
    Use use = Use::page;
};

// php-fpm gives one connection to one PHP worker, and a kept connection pins that worker. So a request holds a *place* as long as it
// holds a connection; a parked connection holds one too, but yields it to whoever comes. Waiters are served in turns: the
// first of every client, then the second of every client, so that one client cannot take the queue from the others. An upload for which there is
// no place lets those behind it go first.
class Gate {
  public:
    enum class Entry : uint8_t {
        granted,         // a place is held; open a fresh connection
        granted_parked,  // a place is held, together with a connection parked by this worker
        queued,          // on_grant comes later, or cancel()
        full,            // the queue is full: 503
        no_stream,       // an event stream would take the last place: 503
    };

    struct Place {
        Place* next;
        Place* previous;
        uint64_t turn;
        uint64_t client_key;
        Waiter waiter;
        uint32_t slot;
        uint32_t generation;
        uint32_t next_free;
        bool live;
        uint8_t passed_over;  // how often another one of its client went first
    };

    // Of one worker: its parked connections, and how many of them it has been asked to give up.
    struct Parking {
        Gauge count;
        uint32_t asked = 0;
    };

    // `queue` are the places of those who wait, `parking` one entry for each worker.
    void init(uint32_t workers, std::span<Place> queue, std::span<Parking> parking);
    // From now on so many places, and so many who wait for one, which is at most the size of the queue. Places that are taken away are given up
    // as their holders leave; for those that come, grant_free() is to be called. With one worker, on its thread.
    void resize(uint32_t workers, size_t waiting);
    void finish();
    // For another backend. Nobody may use it.
    void clear();

    // Asks for a place. `evicted` names a waiter that had to leave a full queue for this one, because its client holds more of it;
    // its exchange is to be answered 503. For `queued`, `ticket` serves cancel(). `yield_worker` names a worker whose parked
    // connection should be given up for the waiters, or no_slot.
    struct Answer {
        Entry entry;
        Handle ticket;
        Waiter evicted;
        uint32_t yield_worker = no_slot;
    };
    [[nodiscard]] Answer enter(const Waiter& waiter, uint64_t client_key);

    // Leaves the queue. False when the place has been granted meanwhile: it is on its way and must be given back.
    [[nodiscard]] bool cancel(Handle ticket);

    // A place is given back. When somebody waits it passes on: `next` is to be woken with it. Otherwise, if `may_park`, the caller
    // may keep its connection (`parked` says so); else it closes it.
    struct Released {
        bool passed_on = false;
        bool parked = false;
        Waiter next;
    };
    [[nodiscard]] Released leave(uint32_t worker, Use use, bool may_park);
    // The body of an upload that holds a place is there: from now on it is a page. The next upload may have a free place.
    [[nodiscard]] Released finish_upload(uint32_t worker);
    // A place that is free although somebody waits, after resize(), passes on.
    [[nodiscard]] Released grant_free();

    // The worker has closed one of its parked connections: by time, or because it was `asked` to yield.
    // The freed place goes to a waiter.
    [[nodiscard]] Released unpark(uint32_t worker, bool asked);
    // It was asked to give one up and has none any more.
    void nothing_to_yield(uint32_t worker);

    // Somebody waits who could have the place of one who leaves now. Any thread; it is a glance.
    [[nodiscard]] bool is_wanted(Use of_holder) const;

    // A request turned out to be an event stream: false when the limit is reached, then it must not go on.
    [[nodiscard]] bool become_stream();

    [[nodiscard]] Servers& servers() { return servers_; }
    [[nodiscard]] const Servers& servers() const { return servers_; }

    struct Counts {
        uint32_t capacity;
        uint32_t in_use;
        uint32_t parked;
        uint32_t streams;
        uint32_t waiting;
        uint64_t served;  // places given out since the start
    };
    [[nodiscard]] Counts counts();
    // The same, for whoever only looks: any thread, and it need not fit together to the last one.
    [[nodiscard]] Counts glance() const;
    [[nodiscard]] uint32_t most_waiting() const {
        return static_cast<uint32_t>(queue_.most());
    }  // that ever did at once

  private:
    class Hold;

    [[nodiscard]] uint32_t parked_total() const;
    [[nodiscard]] uint32_t ask_to_yield();
    [[nodiscard]] Place* last_of_largest(uint64_t client_key, bool of_uploads);
    [[nodiscard]] size_t held_by(uint64_t client_key, bool of_uploads) const;
    [[nodiscard]] bool has_free() const;
    [[nodiscard]] bool stream_fits() const;
    [[nodiscard]] bool fits(Use use) const;
    [[nodiscard]] Place* next_in_turn() const;
    void count(const Waiter& granted);
    [[nodiscard]] Place* enqueue(const Waiter& waiter, uint64_t client_key);
    [[nodiscard]] bool make_room(uint64_t client_key, bool of_uploads, Waiter& evicted);
    void put_behind(Place& place, Place* before);
    void take_out(const Place& place);
    void unlink(Place& place);
    void drop(Place& place);
    [[nodiscard]] bool grant_next(uint32_t worker, Waiter& next);
    [[nodiscard]] Released release(uint32_t worker);

    // What is used most comes first: there it is reached by the shortest instructions.
    SlotPool<Place> queue_;
    Place* first_ = nullptr;
    Place* last_ = nullptr;
    std::span<Parking> parking_;
    Gauge capacity_;
    Gauge in_use_;
    Gauge streams_;
    Gauge uploads_;
    Gauge waiting_uploads_;  // half of those who wait at most, for they may wait for long
    size_t most_waiting_ = 0;
    Count served_;
    uint64_t turn_ = 0;  // of the waiter served last
    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    Servers servers_;
};

}  // namespace fcgate::fastcgi
