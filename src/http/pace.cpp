// The part of Engine that looks whether clients keep pace with what they send and fetch, and that makes room for others when the table
// is full.
#include <sys/stat.h>

#include <algorithm>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "http/engine.hpp"
#include "http/progress.hpp"
#include "http/reason.hpp"

namespace fcgate::http {

namespace {

constexpr int64_t tick_ms = 500;
constexpr int64_t idle_tick_ms = 1000;  // while PHP or the clients are silent, and there is room for more of them
constexpr int64_t short_timeout_ms = 4000;
constexpr uint64_t not_measured = UINT64_MAX;

// On average, whatever bytes trickle.
[[nodiscard]] uint64_t wanted_in(int64_t elapsed_ms, uint64_t bytes_per_second) {
    return std::max<uint64_t>(1, bytes_per_second * static_cast<uint64_t>(elapsed_ms) / 1000);
}

[[nodiscard]] bool is_moving(const Connection& connection) {
    return connection.stage == Connection::Stage::body || connection.stage == Connection::Stage::replying;
}

}  // namespace

// The clock of a body that comes, or a reply that goes. What a reply's socket had sent before is known at the first look.
void Engine::start_pace(Connection& connection, int64_t now) {
    connection.pace_mark = connection.stage == Connection::Stage::body ? connection.body_seen : not_measured;
    connection.pace_since = now;
    connection.is_slow = connection.was_unread = false;
    if (pace_timer_.due == never) {
        setup_.timers->set(pace_timer_, now + tick_ms);
    }
}

void Engine::on_pace_timer(int64_t now) {
    ready_.close_files();
    // Only for whose sake a second more or less matters.
    const ServerSettings& server = setup_.settings->server;
    const bool is_urgent = connections_.live() * 2 > connections_.capacity() ||
                           std::min(server.send_timeout_ms, server.body_timeout_ms) < short_timeout_ms;
    bool any = false;
    bool any_moves = false;
    for (Connection& connection : connections_.all()) {
        if (!connection.live || !is_moving(connection)) {
            continue;
        }
        any = true;
        if (is_left(connection)) {
            // It should have ended with that; libmicrohttpd 0.9.75 may not read any more, and miss the end of what it could read.
            kill(connection);
        } else if (connection.suspended && connection.stage == Connection::Stage::body) {
            // While we hold a client back its pace says nothing.
            start_pace(connection, now);
        } else if (has_changed(connection)) {
            end_changed(connection);
        } else if (is_stuck(connection)) {
            log_refusal(connection, 413, "what surrounds the chunks of its body is too large"_p);
            end_with(connection, 413);
        } else {
            judge_pace(connection, now);
        }
        any_moves = any_moves || (!connection.suspended && (is_urgent || connection.was_unread));
    }
    if (any) {
        setup_.timers->set(pace_timer_, now + (any_moves ? tick_ms : idle_tick_ms));
    }
}

// libmicrohttpd 0.9.75 never gives up a chunk's extension or a trailer that fills its memory: it reads no more, and takes all the processor
// there is. So bytes of a body that wait from one look to the next, with nothing of it taken in between, are the end of it.
bool Engine::is_stuck(Connection& connection) {
    const bool was_unread = connection.was_unread && connection.body_seen == connection.body_then;
    connection.was_unread = connection.stage == Connection::Stage::body && has_unread(connection.fd);
    connection.body_then = connection.body_seen;
    return was_unread && connection.was_unread;
}

// What is not there any more will not be sent, and libmicrohttpd would wait for it: sendfile() writes nothing, and that is no error.
bool Engine::has_changed(const Connection& connection) {
    struct stat status {};
    if (connection.stage != Connection::Stage::replying || connection.file_fd < 0 ||
        fstat(connection.file_fd, &status) != 0) {
        return false;
    }
    const auto size = static_cast<uint64_t>(status.st_size);
    const FileState& file = connection.file;
    // One that grows is a log that is written on: what was promised of it is still there.
    const bool is_rewritten = file.modified != 0 && file.modified != nanoseconds(status.st_mtim) && size <= file.size;
    return size < connection.file_end || is_rewritten;
}

// What the client has sent or taken; `keeps_pace` when that is as much as wanted more than at the mark.
uint64_t Engine::measure(const Connection& connection, uint64_t wanted, bool& keeps_pace) {
    if (connection.stage == Connection::Stage::body) {
        keeps_pace = connection.body_seen - connection.pace_mark >= wanted;
        return connection.body_seen;
    }
    const SendProgress progress = send_progress(connection.fd);
    const uint64_t mark = connection.pace_mark;
    keeps_pace = mark != not_measured && (progress.is_count ? progress.bytes - mark >= wanted : progress.bytes != mark);
    // Who has taken all it was given is waited for by nobody. But a file gives at once what it has: one of sysfs has less than it says.
    const bool is_owed = connection.file_fd >= 0 && progress.is_count;
    keeps_pace = keeps_pace || (!is_owed && !has_unsent(connection.fd));
    return progress.bytes;
}

// A new mark is made only when the pace was kept: a burst buys no more time than its bytes are worth.
void Engine::judge_pace(Connection& connection, int64_t now) {
    const ServerSettings& server = setup_.settings->server;
    const int64_t elapsed = now - connection.pace_since;
    const bool is_body = connection.stage == Connection::Stage::body;
    const bool is_first_look = connection.pace_mark == not_measured;
    // Of a reply of which PHP gives no more for now anything taken will do, but not nothing: a machine asleep or out of reach says no word, and
    // would hold its worker until TCP gives up, a quarter of an hour later.
    const bool is_dry = connection.suspended;
    // A worker of PHP that waits for this client is missed by others.
    const bool presses = !is_dry && setup_.handler.keeps_others_waiting(setup_.handler.context, connection);
    const uint64_t wanted = is_dry ? 1 : wanted_in(elapsed, presses ? limits::pressing_pace : limits::least_pace);
    bool keeps_pace = false;
    const uint64_t progress = measure(connection, wanted, keeps_pace);
    if (keeps_pace || is_first_look) {
        connection.pace_mark = progress;
    }
    if (keeps_pace) {
        connection.pace_since = now;
        connection.is_slow = false;
    }
    if (keeps_pace || is_first_look) {
        return;
    }
    const int64_t patience = is_body ? server.body_timeout_ms : server.send_timeout_ms;
    if (elapsed >= (presses ? std::min(limits::pressing_ms, patience) : patience)) {
        if (!is_body && connection.file_fd >= 0 && !has_unsent(connection.fd)) {
            end_changed(connection);
        } else {
            end_slow(connection, presses);
        }
        return;
    }
    // Who comes new is given no more patience than this for a head; who is here has no right to more while others wait.
    connection.is_slow = elapsed >= server.header_timeout_ms;
    may_evict_ = may_evict_ || connection.is_slow;
}

void Engine::end_slow(Connection& connection, bool presses) {
    if (connection.stage == Connection::Stage::body) {
        log_refusal(connection, 408,
                    presses ? "its body comes too slowly for PHP, and others wait (see `body_timeout`)"_p
                            : "its body came too slowly (see `body_timeout`)"_p);
        end_with(connection, 408);
    } else {
        log_end(connection,
                presses ? "the client takes its reply from PHP too slowly, and others wait (see `send_timeout`)"_p
                        : "the client takes no more of its reply (see `send_timeout`)"_p,
                reason_code("slow-reader"));
        kill(connection);
    }
}

void Engine::end_changed(Connection& connection) {
    log_end(connection, "its file has less than it said, or was changed while it was sent"_p,
            reason_code("file-changed"));
    kill(connection);
}

bool Engine::make_room(bool spares_operators) {
    Connection* idle = nullptr;  // for longest
    Connection* slow = nullptr;  // for longest
    for (Connection& connection : connections_.all()) {
        if (!connection.live || connection.hung_up || (spares_operators && connection.is_operator)) {
            continue;
        }
        if (connection.stage == Connection::Stage::idle) {
            // One whose next request lies in its socket already is not idle.
            if (connection.served && (idle == nullptr || connection.idle_since < idle->idle_since) &&
                !has_unread(connection.fd)) {
                idle = &connection;
            }
        } else if (is_moving(connection) && connection.is_slow && !connection.suspended &&
                   (slow == nullptr || connection.pace_since < slow->pace_since)) {
            slow = &connection;
        }
    }
    if (idle != nullptr) {
        kill(*idle);
    } else if (slow != nullptr) {
        log_end(*slow, "the table is full, and this is the slowest client: it makes room"_p,
                reason_code("connections-full"));
        end_slow(*slow, false);
    } else {
        // Somebody spared may make room for an operator yet.
        may_evict_ = may_evict_ && spares_operators;
        return false;
    }
    run(true);
    return !connections_.full();
}

}  // namespace fcgate::http
