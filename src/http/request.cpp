// The part of Engine that follows a request from its head to its end.
#include <microhttpd.h>
#ifdef FCGATE_MHD_TAKES_EVENTS
#include <mhd_polling.h>
#endif
#include <sys/epoll.h>

#include <cstring>
#include <new>

#include "http/engine.hpp"
#include "http/guard.hpp"
#include "http/progress.hpp"
#include "http/reason.hpp"
#include "http/status_page.hpp"

namespace fcgate::http {

namespace {

// What libmicrohttpd keeps of each field in the connection's memory beside its bytes.
constexpr size_t field_overhead = 64;

struct Collector {
    std::span<Field> fields;
    size_t count = 0;
    size_t size = 0;
    bool overflow = false;
    bool torn = false;
};

MHD_Result collect_field(void* context, MHD_ValueKind /*kind*/, const char* name, size_t name_size, const char* value,
                         size_t value_size) {
    auto* const collector = static_cast<Collector*>(context);
    if (collector->count == collector->fields.size()) {
        collector->overflow = true;
        return MHD_NO;
    }
    const std::string_view value_text = value != nullptr ? trim({value, value_size}) : std::string_view();
    collector->fields[collector->count++] = {{name, name_size}, value_text};
#if MHD_VERSION < 0x01000000
    // 0.9.x leaves the white space behind a value (RFC 9112 section 5.1: no part of it). Its end is marked in the head, where that version
    // itself ends names and values.
    if (value != nullptr && value_text.size() < value_size) {
        const_cast<char*>(value_text.data())[value_text.size()] = '\0';
    }
#endif
    // Name and value lie in the head as it came: between them are the colon and white space.
    const ptrdiff_t gap = value != nullptr ? value - (name + name_size) : 1;
    collector->torn = collector->torn || gap < 1;
    collector->size += name_size + static_cast<size_t>(gap > 0 ? gap : 0) + value_size + 2;
    return MHD_YES;
}

}  // namespace

RequestHead& Engine::head(Connection& connection) {
    if (collected_ != &connection) {
        collect_head(connection);
        // It was checked when it came; this only fills in the framing again.
        (void)check_head(head_, connection.is_http_1_0 ? "HTTP/1.0" : "HTTP/1.1");
    }
    return head_;
}

void Engine::collect_head(Connection& connection) {
    Collector collector{setup_.fields};
    (void)MHD_get_connection_values_n(connection.mhd, MHD_HEADER_KIND, &collect_field, &collector);
    head_ = RequestHead();
    head_.method = connection.method;
    head_.target = connection.target();
    head_.fields = setup_.fields.first(collector.count);
    head_.client = connection.asker;
    head_.is_tls = connection.is_https;
    head_.is_proxied = connection.is_proxied;
    head_.local = connection.local;
    collected_ = &connection;
    parts_size_ = collector.size;
    head_overflow_ = collector.overflow;
    head_torn_ = collector.torn;
}

// The first call for a request: its head is there, its body is not.
bool Engine::receive_head(Connection& connection, std::string_view method, std::string_view version) {
    Timers::cancel(connection.timer);
    enter(connection, Connection::Stage::waiting);
    connection.method = method;
    connection.is_head = method == "HEAD";
    connection.is_http_1_0 = version == "HTTP/1.0";
    if constexpr (features::auth) {
        connection.is_undecided = connection.has_user = false;
    }
    connection.body_expected = connection.body_seen = 0;
    if (connection.kept_target.status == Status::too_large) {
        return refuse(connection, 414,
                      "the request target is longer than 8192 bytes, or half of `connection_memory`"_p);
    }
    if (connection.kept_target.status == Status::exhausted) {
        return refuse(connection, 503, "too many requests with a long target are under way"_p);
    }
    collect_head(connection);
    const MHD_ConnectionInfo* const info =
        MHD_get_connection_info(connection.mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const size_t size = info != nullptr ? info->header_size : 0;
    setup_.counts->received.add(size);
    static_assert(limits::request_fields == 100);
    if (head_overflow_) {
        return refuse(connection, 431, "the request has more than 100 header fields"_p);
    }
    // The reply's head must fit into what the request leaves of the connection's memory.
    if (size + head_.fields.size() * field_overhead > setup_.settings->server.connection_memory / 2) {
        return refuse(connection, 431, "the request head is too large (see `connection_memory`)"_p);
    }
    const Refusal refusal = check_head(head_, version);
    if (refusal.status != 0) {
        return refuse(connection, refusal.status, refusal.reason);
    }
#if MHD_VERSION < 0x01000000
    // 0.9.x joins continued lines, skips fields with a space before the colon and takes bare CR, LF and NUL: bytes
    // that vanish between what came and what it tells are bytes another server may read otherwise.
    // Two spaces and CRLF in the request line, and the CRLF that ends the head.
    constexpr size_t head_overhead = 6;
    const size_t seen = parts_size_ + method.size() + connection.target().size() + version.size() + head_overhead;
    if (head_torn_ || size != seen) {
        return refuse(connection, 400, "the head holds bytes that are no part of it"_p);
    }
#endif
    const bool has_body = head_.is_chunked || head_.content_length > 0;
    if (!has_body) {
        // The reply is queued at the second call, which follows at once: after one at the first the connection would end.
        return true;
    }
    enter(connection, Connection::Stage::body);
    connection.body_expected = head_.content_length;
    return begin_with_body(connection);
}

// The head of a request whose body is still to come.
bool Engine::begin_with_body(Connection& connection) {
    const Outcome outcome = ask(connection);
    if constexpr (features::auth) {
        connection.is_undecided = outcome == Outcome::undecided;
        if (connection.is_undecided) {
            if (is_left(connection)) {
                return false;
            }
            suspend(connection);
            return true;
        }
    }
    if (outcome == Outcome::reply) {
        const bool is_queued = queue(connection, reply_);
        if (connection.held == nullptr) {
            return is_queued;
        }
    }
    start_pace(connection, setup_.clock->now());
    return true;
}

// What the handler has to say now.
Outcome Engine::ask(Connection& connection) {
    reply_.clear();
    connection.woken = false;
    if (connection.begun) {
        return setup_.handler.poll(setup_.handler.context, connection, reply_);
    }
    connection.begun = true;
    return setup_.handler.begin(setup_.handler.context, connection, head(connection), reply_);
}

bool Engine::receive_body(Connection& connection, std::span<const char> bytes, size_t& taken) {
    while (taken < bytes.size()) {
        connection.woken = false;
        const size_t count = setup_.handler.body(setup_.handler.context, connection, bytes.subspan(taken));
        taken += count;
        connection.body_seen += count;
        setup_.counts->received.add(count);
        if (connection.refused) {
            return false;
        }
        if (taken < bytes.size() && !connection.woken) {
            connection.is_all_here = connection.body_seen + (bytes.size() - taken) == connection.body_expected;
            if (is_left(connection)) {
                return false;
            }
            // The bytes stay with libmicrohttpd, and through it in the client's send buffer.
            suspend(connection);
            break;
        }
    }
    return true;
}

// The whole request is there. Also called again after every wake until there is a reply.
bool Engine::finish_request(Connection& connection) {
    if (connection.stage == Connection::Stage::body) {
        enter(connection, Connection::Stage::waiting);
        Timers::cancel(connection.timer);
    }
    if (connection.held != nullptr) {
        return send_held(connection);
    }
    do {
        if (ask(connection) == Outcome::reply) {
            return queue(connection, reply_);
        }
        if (is_left(connection)) {
            return false;
        }
    } while (connection.woken);
    suspend(connection);
    return true;
}

bool Engine::refuse(Connection& connection, uint16_t status, Packed reason) {
    log_refusal(connection, status, reason);
    reply_with_status(reply_, status);
    reply_.close = true;
    connection.refused = true;
    return queue(connection, reply_);
}

void Engine::note_answer(Connection& connection, uint16_t status, bool is_refusal) {
    Counts& counts = *setup_.counts;
    connection.is_answered = true;
    counts.answers[status / 100 % Counts::classes].add();
    const size_t page = is_refusal ? page_number(status) : page_count;
    if (page < page_count) {
        counts.pages[page].add();
    }
}

// `is_refused`: by libmicrohttpd itself.
void Engine::complete(Connection& connection, bool is_refused) {
    if (connection.sent_all) {
        // What was streamed has been counted as it went.
        setup_.counts->sent.add(connection.trace.length);
    } else if (!connection.is_answered) {
        setup_.counts->answers[0].add();
    }
    connection.is_answered = false;
    setup_.counts->requests.add();
    if (connection.begun) {
        setup_.handler.done(setup_.handler.context, connection);
    }
    if (collected_ == &connection) {
        collected_ = nullptr;
    }
    if (connection.stage == Connection::Stage::head && !connection.hung_up && !aborting_) {
        log_as(connection, 0, reason_code("parser-refused"),
               pattern::packed<"%: refused by the HTTP parser", Escaped>(),
               pattern::passed(Escaped{connection.target(), 128}));
        setup_.counts->parser_refusals.add();
    }
    if (is_refused && connection.stage == Connection::Stage::body && !connection.hung_up && !aborting_) {
        log_end(connection, "its body was refused by the HTTP parser"_p, reason_code("parser-refused"));
        setup_.counts->parser_refusals.add();
    }
    drop_held(connection);
    const int64_t now = setup_.clock->now();
    if (is_listened_to()) {
        tell_finished(connection, now);
    }
    new (&connection.trace) Trace;  // in place: it is large
    connection.method = {};
    connection.begun = connection.is_head = connection.is_all_here = false;
    connection.file_fd = -1;
    connection.served = true;
    enter(connection, Connection::Stage::idle);
    connection.idle_since = now;
    connection.asker = connection.client;
    connection.reader = BodyReader();
    targets_.drop(connection.kept_target);
    give_back_fields(connection);
    set_active(connection, connection.more_came);
    may_evict_ = true;
    // He may have sent what is behind this request before he shut his side.
    departures_ = departures_ || connection.hung_up;
    arm(connection, now + setup_.settings->server.keepalive_timeout_ms);
    if (stopping_) {
        shut_idle(connection, now);
        return;
    }
#ifdef FCGATE_MHD_TAKES_EVENTS
    if (mhd_polling_is_ahead(connection.mhd) != 0) {
        begin_head(connection);
        set_active(connection, true);
    }
#endif
}

void Engine::closed(Connection& connection) {
    // libmicrohttpd may refuse a head before it lets its target be seen.
    // Of a secure connection it may have read the end of TLS, or a handshake that failed.
    if (connection.stage == Connection::Stage::head && !connection.hung_up && !aborting_ && !connection.is_tls) {
        log_end(connection, "refused by the HTTP parser"_p, reason_code("parser-refused"));
        setup_.counts->parser_refusals.add();
    }
    // What had no target yet is not completed.
    const bool is_told = connection.stage == Connection::Stage::head && !connection.trace.cause.empty();
    if (is_told && is_listened_to()) {
        tell_finished(connection, setup_.clock->now());
    }
    // libmicrohttpd answers what it refuses itself, and closes over whatever the client still sends.
    const bool is_unread = connection.refused || (!connection.hung_up && has_unread(connection.fd));
    if (is_unread && !aborting_) {
        // The duplicate keeps the socket alive, and with it our registration under the old number.
        (void)epoll_ctl(setup_.epoll_fd, EPOLL_CTL_DEL, connection.fd, nullptr);
        lingering_.take(connection.fd);
    }
    give_back(connection);
}

// Views of what libmicrohttpd holds of the request's head, which is there until it is told that the request is over.
void Engine::tell_finished(const Connection& connection, int64_t now) const {
    const auto field = [&connection](const char* name, size_t size) {
        const char* value = nullptr;
        size_t length = 0;
        const bool has_head = !connection.method.empty();
        return has_head &&
                       MHD_lookup_connection_value_n(connection.mhd, MHD_HEADER_KIND, name, size, &value, &length) ==
                           MHD_YES &&
                       value != nullptr
                   // 0.9.x puts a NUL where a space was behind the value, and counts it.
                   ? trim({value, strnlen(value, length)})
                   : std::string_view();
    };
    const Trace& trace = connection.trace;
    const bool is_refused_unseen = trace.status == 0 && trace.cause.bytes() == reason_code("parser-refused").bytes();
    Finished finished{.client = connection.client, .asker = connection.asker};
    finished.site = trace.site;
    finished.method = connection.method.empty() ? "" : connection.method;
    finished.target = connection.target().empty() ? "" : connection.target();
    if (!connection.method.empty()) {
        finished.version = connection.is_http_1_0 ? "HTTP/1.0" : "HTTP/1.1";
    }
    finished.user_agent = field("User-Agent", 10);
    finished.referer = field("Referer", 7);
    if constexpr (features::auth) {
        finished.authorization = connection.has_user ? field("Authorization", 13) : std::string_view();
    }
    // libmicrohttpd does not tell with which status it refuses a request; most often it is this one.
    finished.status = trace.status != 0 ? trace.status : (is_refused_unseen ? uint16_t{400} : Finished::client_left);
    finished.is_answered = trace.status != 0;
    finished.is_whole = (connection.sent_all || trace.is_sent) && trace.status != 0;
    finished.bytes = sent_bytes(connection);
    finished.now = now;
    finished.request_ms = now - trace.since;
    finished.backend_ms = trace.backend.backend_ms;
    finished.queue_ms = trace.backend.queue_ms;
    finished.backend = trace.backend.name;
    finished.cause = !trace.cause.empty() ? trace.cause : trace.backend.code;
    if (!finished.is_whole && finished.cause.empty()) {
        finished.cause = aborting_ ? reason_code("stopping") : reason_code("client-left");
    }
    setup_.finished->tell(finished);
}

void Engine::log_refusal(Connection& connection, uint16_t status, Packed words) {
    log_as(connection, status, code_of(status), words);
}

void Engine::log_as(Connection& connection, uint16_t status, Packed code, Packed words, ...) {
    connection.trace.cause = code;
    LogLine line(*setup_.log, LogLevel::info);
    connection.asker.print_address(line.text());
    line.add(": "_p);
    if (connection.stage != Connection::Stage::idle && connection.stage != Connection::Stage::head) {
        // Short enough to leave room for the reason.
        line.add<"% %: ">(Escaped{connection.method, 16}, Escaped{connection.target(), 128});
    }
    if (status != 0) {
        line.add<"%: ">(status);
    }
    va_list values;
    va_start(values, words);
    line.add_list(words, values);
    va_end(values);
    line.add_reason(code).send();
}

}  // namespace fcgate::http
