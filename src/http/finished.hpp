// Owns: what is told of a request that is over, the notes for it that are made on its way, and to whom it is told.
// Borrows: everything that Finished points to, until the sink returns.
// Must not touch: microhttpd.h, the heap. Like message.hpp it is vocabulary: rooms below http/ write into Trace.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/endpoint.hpp"
#include "base/packed.hpp"

namespace fcgate {

// What the backend's side notes of one request; times only if somebody listens.
struct BackendTrace {
    std::string_view name;  // of the backend; empty: none was asked
    Packed code;            // of the fault there, if there was one
    bool is_timed = false;
    int64_t queued_since = 0;  // 0: it has not waited
    int64_t placed_since = 0;  // 0: it has had no place
    int64_t queue_ms = -1;     // waited at the gate
    int64_t backend_ms = -1;   // from its place to PHP's end, or ours

    void queue(int64_t now) { queued_since = now; }
    void place(int64_t now) {
        if (placed_since == 0) {
            placed_since = now;
            queue_ms = queued_since != 0 ? now - queued_since : 0;
        }
    }
    void end(int64_t now) {
        if (placed_since == 0 && queued_since != 0 && queue_ms < 0) {
            queue_ms = now - queued_since;
        }
        if (placed_since != 0 && backend_ms < 0) {
            backend_ms = now - placed_since;
        }
    }
};

// Notes in a connection about its present request.
struct Trace {
    int64_t since = 0;         // the first byte of its head
    uint64_t sent = 0;         // bytes of the reply's body, as far as they are known to have gone to libmicrohttpd
    uint64_t length = 0;       // of that body, if it does not come through a reader
    uint64_t socket_sent = 0;  // what the client had taken before, if that is known
    std::string_view site;     // its name; empty for [site], and when none was found
    Packed cause;              // the last code that the log has said
    uint16_t status = 0;       // 0: no reply was begun
    bool is_measured = false;  // socket_sent is known
    bool is_sent = false;      // the whole reply, past libmicrohttpd
    BackendTrace backend;
};

struct Finished {
    static constexpr uint16_t client_left = 499;  // instead of a status, when the client left before there was one

    const Endpoint& client;       // the other end of the connection
    const Endpoint& asker;        // who asks: the client, or whom a trusted proxy names
    std::string_view site;        // name of its section; empty for [site]
    std::string_view method;      // as it came, with a NUL behind it; empty when the head was not read whole
    std::string_view target;      // as it came: any byte; with a NUL behind it
    std::string_view version;     // "HTTP/1.1"
    std::string_view user_agent;  // as they came
    std::string_view referer;
    std::string_view authorization;  // the same, if it was found to be right
    uint16_t status = 0;
    bool is_answered = false;  // by fcgate, with that status
    bool is_whole = true;      // the reply went out to its end
    uint64_t bytes = 0;        // of the body that were sent
    int64_t request_ms = 0;    // from the first byte of the head to the end of the reply
    int64_t backend_ms = -1;   // of it, in PHP; -1: it never had a place there
    int64_t queue_ms = -1;     // of it, waiting at the gate; -1: it was never there
    int64_t now = 0;           // monotonic
    std::string_view backend;  // name or address; empty: none was asked
    Packed cause;              // code of docs/errors.md; empty: nothing went wrong
};

// Called on the worker's thread that had the request; several workers may call at once.
struct FinishedSink {
    void (*call)(void* context, const Finished& finished) = nullptr;
    void* context = nullptr;
};

// All who listen. Changed only while no worker runs. When there is none nothing is noted, and no clock is read.
class FinishedSinks {
  public:
    static constexpr size_t capacity = 2;  // the access log, the host

    // False when there is no room.
    [[nodiscard]] bool add(const FinishedSink& sink) {
        if (count_ == capacity) {
            return false;
        }
        sinks_[count_++] = sink;
        return true;
    }
    [[nodiscard]] bool any() const { return count_ > 0; }
    void tell(const Finished& finished) const {
        for (size_t i = 0; i < count_; ++i) {
            sinks_[i].call(sinks_[i].context, finished);
        }
    }

  private:
    std::array<FinishedSink, capacity> sinks_{};
    size_t count_ = 0;
};

}  // namespace fcgate
