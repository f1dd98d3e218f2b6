// Owns: one connection to a backend: its descriptor and whether it is opening, carries an exchange, or is parked.
// Must not touch: records, gates, the event loop (who opens it registers it).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/slots.hpp"
#include "base/status.hpp"
#include "base/timers.hpp"
#include "config/settings.hpp"

namespace fcgate::fastcgi {

struct Exchange;

struct Link {
    // The pool's
    uint32_t slot;
    uint32_t generation;
    uint32_t next_free;
    bool live;

    // Whoever takes or opens it sets these.
    bool opening;       // connect() is under way
    bool reused;        // has carried an exchange before: PHP may have closed it unnoticed
    bool hung_up;       // the other side has closed; read on to the end
    bool watches_room;  // told when it can be written again
    bool was_filled;    // by the last read all that there was room for: more may be there
    // Reads without taking out of the socket what it reads; not now, because the last answer was long.
    enum class Looking : uint8_t { unknown, impossible, yes, no } looking;
    int fd;
    uint32_t seen;  // bytes that were read and are still in the socket
    uint32_t backend;
    uint8_t server;      // of the backend
    Exchange* exchange;  // that it carries; none while parked
    Link* next_parked;
    int64_t parked_at;
    Timer timer;  // of a parked link
};

// Starts to connect without blocking. ok: connected; again: under way, writable when done; exhausted: the backlog of a unix
// socket is full, there will be no event: try later; denied, not_found, refused, io: errno tells.
// `path` is the socket of a unix-domain backend.
[[nodiscard]] Status open_link(const BackendAddress& backend, std::string_view path, Link& link);

// What became of a connect() that was under way; errno tells.
[[nodiscard]] Status finish_open(Link& link);

// False when a parked connection has been closed by PHP, or has bytes nobody asked for.
[[nodiscard]] bool is_alive(const Link& link);

// True when the other side has read all that was sent (unix sockets).
[[nodiscard]] bool is_taken(const Link& link);

// True when more is unread than these bytes, which were sent in one piece (unix sockets).
[[nodiscard]] bool has_more_unread(const Link& link, std::span<const uint8_t> last);

struct ReadResult {
    ssize_t count;  // as of recv()
    bool is_short;  // fewer than were asked for: nothing more is there now (epoll(7), edge-triggered)
};
// Reads what PHP has sent and nobody has read yet; `room` is not to be empty. What was read may be left in the socket.
[[nodiscard]] ReadResult read_link(Link& link, std::span<char> room);
// An answer of so many bytes has come to its end.
void note_answer(Link& link, uint64_t size);
// Behind a request that was sent: takes out what was left of answers, when it has become much. `scratch` is written over.
void tidy_link(Link& link, std::span<char> scratch);
// ... whatever it is. False when it cannot be had: then the connection is of no more use.
[[nodiscard]] bool empty_link(Link& link, std::span<char> scratch);

// Before it carries a second request.
void reuse_link(Link& link, BackendSettings::Kind kind);
// One that another worker has opened, and emptied.
void adopt_link(Link& link, int fd);

void close_link(Link& link);
// ... in the middle of a request. Over TCP PHP's next write would still be taken, for it crosses with our end; a reset it hears of at once.
void reset_link(Link& link);

}  // namespace fcgate::fastcgi
