// The part of Engine that ends connections: those whose clients have left, and all of them when the server stops.
#include <sys/epoll.h>
#include <sys/socket.h>

#include "http/engine.hpp"
#include "http/progress.hpp"

namespace fcgate::http {

namespace {

// How long a connection that has not asked anything yet may take to do so while the server stops.
constexpr int64_t stop_grace_ms = 500;

}  // namespace

// Works on idle, slow and suspended connections alike; closing the descriptor is libmicrohttpd's business.
void Engine::kill(Connection& connection) {
    connection.hung_up = connection.gone = true;
    (void)shutdown(connection.fd, SHUT_RDWR);
    // The event will come as well, but not before the loop waits again.
    show(connection, EPOLLHUP);
}

// A client that has shut its side may still read, but that is rare, and leaving looks the same: it counts as gone unless the handler wants its
// request to go on.
bool Engine::is_left(const Connection& connection) const {
    return connection.hung_up &&
           (connection.gone || !connection.begun || !setup_.handler.goes_on(setup_.handler.context, connection));
}

// When the last bytes and the end of a connection come in one event, libmicrohttpd (edge-triggered, one read) sees the bytes and
// never the end. What it has not made a request of by now will never be one.
void Engine::end_departed() {
    departures_ = false;
    for (Connection& connection : connections_.all()) {
        const bool is_incomplete = connection.stage != Connection::Stage::waiting &&
                                   connection.stage != Connection::Stage::replying && !connection.is_all_here;
        if (!connection.live || !connection.hung_up || connection.suspended || !is_incomplete) {
            continue;
        }
        if (has_unread(connection.fd)) {
            departures_ = true;
        } else {
            kill(connection);
        }
    }
}

void Engine::begin_stop(int64_t now) {
    stopping_ = true;
    for (Connection& connection : connections_.all()) {
        if (connection.live && connection.stage == Connection::Stage::idle) {
            shut_idle(connection, now);
        }
    }
}

// A request that is on its way is still served: one whose bytes are here already, or the first of a connection just accepted.
void Engine::shut_idle(Connection& connection, int64_t now) {
    if (has_unread(connection.fd)) {
        return;
    }
    if (connection.served) {
        kill(connection);
    } else {
        arm(connection, now + stop_grace_ms);
    }
}

void Engine::abort_all() {
    stopping_ = aborting_ = true;
    for (Connection& connection : connections_.all()) {
        if (connection.live) {
            kill(connection);
        }
    }
}

}  // namespace fcgate::http
