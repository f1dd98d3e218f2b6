// The part of Upstream that moves bytes between an exchange and its connection.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "fastcgi/upstream.hpp"

namespace fcgate::fastcgi {

namespace {

// How often a request goes to spawned PHP again, and after which pause from the second time on; each is four times the one before.
constexpr uint8_t most_tries_of_spawned = 4;
constexpr int again_ms = 10;
// As long may PHP take to die; one that goes on failing is broken.
constexpr int dying_ms = 300;

// Then others have their turn: output that is dropped or taken at once would never fill a buffer.
constexpr size_t receive_at_once = size_t{256} * 1024;

[[nodiscard]] size_t total_size(const RequestStream::Pieces& pieces) {
    size_t total = 0;
    for (const iovec& piece : pieces) {
        total += piece.iov_len;
    }
    return total;
}

// sendmsg rather than writev: a backend that has gone must not raise SIGPIPE in a host that did not expect it.
[[nodiscard]] ssize_t send_pieces(int fd, RequestStream::Pieces& pieces) {
    msghdr message{};
    message.msg_iov = pieces.begin();
    // size_t in glibc, int in POSIX and musl.
    message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(pieces.size());
    ssize_t count = 0;
    do {
        count = sendmsg(fd, &message, MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    return count;
}

// The Content-Length of such an answer may be the file's.
[[nodiscard]] bool names_file(const ResponseHead& head) {
    return head.may_name_file() &&
           (!find_field(head.fields(), "X-Sendfile").empty() || !find_field(head.fields(), "X-Accel-Redirect").empty());
}

}  // namespace

Result<std::span<const uint8_t>> Upstream::encode_head(Exchange& exchange) {
    const ExchangeOwner& owner = exchange.start.owner;
    ParamsWriter params(setup_.params_scratch, backend_of(exchange).keep_alive);
    if (!owner.calls->write_params(owner.handler, owner.context, params)) {
        fail(exchange, Fault::script_changed);
        return Status::gone;
    }
    const Result<std::span<const uint8_t>> head = params.finish();
    if (!head.ok()) {
        fail(exchange, Fault::params_too_large);
    } else if (!exchange.request.accepts_head(head.value().size())) {
        fail(exchange, Fault::script_changed);
        return Status::gone;
    }
    return head;
}

// Writes until the request is through, the client has nothing more, or the socket is full. Returns how many of the direct body
// bytes have gone.
size_t Upstream::send(Exchange& exchange, std::span<const char> direct) {
    size_t consumed = 0;
    while (!exchange.write_blocked && !exchange.body_refused && !exchange.request.is_finished()) {
        std::span<const uint8_t> head;
        if (!exchange.request.head_sent()) {
            const Result<std::span<const uint8_t>> encoded = encode_head(exchange);
            if (!encoded.ok()) {
                return consumed;
            }
            head = encoded.value();
        }
        const std::span<const char> rest = direct.subspan(consumed);
        RequestStream::Pieces pieces;
        exchange.request.gather(head, rest, pieces);
        if (pieces.empty()) {
            break;
        }
        const ssize_t count = send_pieces(exchange.link->fd, pieces);
        if (count < 0 && errno != EAGAIN) {
            write_failed(exchange, errno);
            return consumed;
        }
        const size_t written = count < 0 ? 0 : static_cast<size_t>(count);
        exchange.write_blocked = written < total_size(pieces);
        if (exchange.write_blocked) {
            watch_room(*exchange.link, true);
        }
        consumed += exchange.request.advance(written, head.size(), rest.size());
    }
    tidy_link(*exchange.link, setup_.read_scratch);
    restart_clock(exchange);
    if (exchange.is_upload && exchange.request.has_whole_body()) {
        finish_upload(exchange);
    }
    return consumed;
}

// PHP may have answered without reading the whole request, and closed: then the answer is what counts.
void Upstream::write_failed(Exchange& exchange, int error_number) {
    if (exchange.request.nothing_sent()) {
        broken(exchange, "write"_p, error_number);
        return;
    }
    exchange.body_refused = true;
    exchange.link->hung_up = true;
    receive(exchange);
}

void Upstream::receive(Exchange& exchange) {
    Link& link = *exchange.link;
    exchange.read_blocked = false;
    size_t budget = receive_at_once;
    for (;;) {
        if (budget == 0) {
            put_on_worklist(exchange);
            break;
        }
        const size_t wanted = std::min(exchange.response.room(), setup_.read_scratch.size());
        if (wanted == 0) {
            // The client is slow and the buffer is full: PHP waits in its write(), as it would without us.
            exchange.read_blocked = true;
            // A script that answers at length without reading its request would wait for us, we for the client, and the client for its reply: the
            // rest of the body is given up, as the peers do.
            exchange.body_refused =
                exchange.body_refused || !(exchange.start.takes_early || exchange.request.has_whole_body());
            break;
        }
        const auto [count, is_short] = read_link(link, setup_.read_scratch.first(wanted));
        if (count < 0 && errno == EAGAIN) {
            break;
        }
        if (count <= 0) {
            broken(exchange, "read"_p, count == 0 ? 0 : errno);
            return;
        }
        if (!take(exchange, setup_.read_scratch.first(static_cast<size_t>(count)))) {
            return;
        }
        // Only a whole answer is left in the socket: in the middle of one PHP may wait for room.
        if (!empty_link(link, setup_.read_scratch)) {
            broken(exchange, "read"_p, errno);
            return;
        }
        budget -= std::min(budget, static_cast<size_t>(count));
        // Behind a short read there is nothing, unless it is the end.
        if (is_short && !link.hung_up) {
            break;
        }
    }
    restart_clock(exchange);
    if (exchange.response.head_done()) {
        wake(exchange);
    }
}

// False when the exchange is over, one way or the other.
bool Upstream::take(Exchange& exchange, std::span<const char> bytes) {
    const ErrorSink sink{&exchange, [](void* opaque, std::string_view text) {
                             auto& from = *static_cast<Exchange*>(opaque);
                             from.upstream->write_error_output(from, text);
                         }};
    ResponseStream& response = exchange.response;
    const bool had_head = response.head_done();
    const Status status = response.feed(bytes, sink);
    if (response.head().is_oversized() && (status != Status::ok || response.ended())) {
        fail_head_too_large(exchange);
        return false;
    }
    if (status != Status::ok) {
        const Fault fault = response.is_record_malformed() ? Fault::records_malformed : Fault::head_malformed;
        const Text<96> why(response.error());
        fail(exchange, response.is_chatter() ? Fault::chatter : fault, why.c_str());
        return false;
    }
    if (!had_head && response.head_done() && response.head().is_event_stream() && !exchange.is_stream &&
        !response.ended()) {
        finish_upload(exchange);
        if (stopping_ || !setup_.gates[exchange.start.backend].become_stream()) {
            fail(exchange, Fault::streams_full);
            return false;
        }
        exchange.is_stream = true;
    }
    if (!response.ended()) {
        return true;
    }
    finish_answer(exchange);
    return false;
}

void Upstream::fail_head_too_large(Exchange& exchange) {
    const ResponseHead& head = exchange.response.head();
    Text<128> sizes;
    sizes.append<"% bytes in % fields; there is room for % in % (see `connection_memory`)">(
        head.size(), head.field_count(), setup_.head_size, head.most_fields());
    fail(exchange, Fault::head_too_large, sizes.c_str());
}

// END_REQUEST has come.
void Upstream::finish_answer(Exchange& exchange) {
    tell_starter(exchange, &Starter::answered);
    const ResponseStream& response = exchange.response;
    note_answer(*exchange.link, response.received());
    Text<48> detail;
    if (response.protocol_status() == static_cast<uint8_t>(ProtocolStatus::overloaded)) {
        fail(exchange, Fault::backend_overloaded);
    } else if (response.protocol_status() != static_cast<uint8_t>(ProtocolStatus::request_complete)) {
        detail.append_number(response.protocol_status());
        fail(exchange, Fault::backend_rejected, detail.c_str());
    } else if (!response.head_done()) {
        if (response.app_status() != 0) {
            detail.append<", application status %">(response.app_status());
        }
        fail(exchange, Fault::head_missing, detail.c_str());
    } else if (response.is_cut_short() && !names_file(response.head())) {
        fail(exchange, Fault::body_short);
    } else {
        note_outcome(exchange);
        end(exchange);
    }
}

// The clock runs while PHP has all that we can give and owes us bytes: a slow client must not look like a slow script.
void Upstream::restart_clock(Exchange& exchange) {
    if (exchange.phase != Exchange::Phase::active) {
        return;
    }
    exchange.is_doubted = false;
    const bool owes_us = exchange.request.is_finished() || exchange.write_blocked || exchange.body_refused;
    if (owes_us && !exchange.read_blocked) {
        wait(exchange, static_cast<int32_t>(backend_of(exchange).response_timeout_ms));
    } else {
        Timers::cancel(exchange.timer);
    }
}

// A kept connection may have been closed by PHP a moment before we wrote: then the request goes once more, on a fresh one, if it
// cannot have run: nothing was sent, or the method is safe. A POST never runs twice.
bool Upstream::try_again(Exchange& exchange) {
    Link& link = *exchange.link;
    const bool replayable =
        exchange.request.nothing_sent() || (exchange.start.is_safe && exchange.request.can_rewind());
    // Spawned PHP that dies is started again, and the request is for the new one; but while its processes die one after the other, a fresh connection
    // may still reach the last of them.
    const BackendSettings& backend = backend_of(exchange);
    const bool is_spawned = backend.kind == BackendSettings::Kind::spawn;
    const bool has_others = backend.server_count() > 1;
    const uint8_t most = is_spawned ? most_tries_of_spawned : 1;
    if (exchange.is_orphan || (!link.reused && !is_spawned && !has_others) || exchange.tries >= most ||
        !exchange.response.nothing_received() || !replayable) {
        return false;
    }
    if (exchange.tries == 0) {
        exchange.first_try = now();
    } else if (since(exchange.first_try) > dying_ms) {
        return false;
    }
    exchange.body_refused = false;  // by the connection that is given up
    // Where there are several servers, rather at another; a kept connection says nothing about its own.
    exchange.tried = static_cast<uint8_t>(has_others && !link.reused ? 1U << link.server : 0);
    exchange.met_full_backlog = false;
    ++exchange.tries;
    exchange.link = nullptr;
    drop_link(link);
    exchange.request.rewind();
    exchange.phase = Exchange::Phase::retrying;
    exchange.opening_deadline = now() + backend.connect_timeout_ms;
    if (exchange.tries == 1) {
        Timers::cancel(exchange.timer);
        put_on_worklist(exchange);
    } else {
        wait(exchange, again_ms << 2 * (exchange.tries - 2));
    }
    return true;
}

void Upstream::broken(Exchange& exchange, Packed where, int error_number) {
    if (try_again(exchange)) {
        return;
    }
    // Whether the kernel calls it an end or a reset depends on what PHP had not read yet.
    const bool is_end = error_number == 0 || error_number == ECONNRESET || error_number == EPIPE;
    Text<128> detail;
    if (!is_end) {
        detail.append(where);
    }
    append_error(error_number, detail);
    fail(exchange, is_end ? Fault::backend_closed : Fault::backend_io, detail.c_str());
}

}  // namespace fcgate::fastcgi
