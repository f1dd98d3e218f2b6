// Owns: one request's way through a backend: where it stands, its streams, its place at the gate.
// Borrows: its owner's context until Upstream::close(); pages and head storage of the worker.
// Must not touch: MHD. Only Upstream changes an exchange; the HTTP side asks and feeds through Upstream.
#pragma once

#include <cstdint>

#include "base/slots.hpp"
#include "base/timers.hpp"
#include "fastcgi/gate.hpp"
#include "fastcgi/params.hpp"
#include "fastcgi/request_stream.hpp"
#include "fastcgi/response_stream.hpp"
#include "http/finished.hpp"

namespace fcgate::fastcgi {

// What the HTTP side of a request does for us; `handler` is of the worker, `context` of the request.
struct OwnerCalls {
    // Something has changed: the reply can be made, output can be read, body can be fed, or the exchange has failed.
    void (*wake)(void* context);
    // Writes the CGI environment. May be called again for a second try or after a short write, with the same outcome.
    // False when the request leads to no script any more.
    bool (*write_params)(void* handler, void* context, ParamsWriter& out);
    // For the log: "GET /path".
    void (*describe)(void* handler, void* context, TextBuffer& out);
    // For the log: the script's file, as PHP is told.
    void (*name_script)(void* handler, void* context, TextBuffer& out);
};

struct ExchangeOwner {
    const OwnerCalls* calls;
    void* handler;
    void* context;
};

struct ExchangeStart {
    uint32_t backend;
    uint32_t connection;  // of the client: number of its Delivery
    BackendTrace* trace;  // of the request, as long as the owner is there
    ExchangeOwner owner;
    uint32_t site;         // for the owner
    uint32_t script_memo;  // for the owner
    uint64_t client_key;
    uint64_t body_length;
    bool body_is_here;  // all of it: the owner has it, and waits for no client
    bool is_safe;       // of the method (RFC 9110 section 9.2.1): may be sent again
    bool is_head;
    bool wants_stream;  // Accept: text/event-stream
    bool takes_early;   // the owner takes output while it still has some of the body
};

class Upstream;
struct Link;

// Where an exchange stands: all zero when it begins.
struct Progress {
    enum class Phase : uint8_t {
        collecting,  // the request body is neither there nor more than can be kept, PHP is not asked for
        queued,      // at the gate
        starting,    // holds a place; PHP is being started
        retrying,    // holds a place; the backend's backlog is full
        opening,     // holds a place; connect() is under way
        active,      // holds a place and a connection
        ended,       // END_REQUEST has come, place and connection are given back
        failed,
    };

    Phase phase;
    bool is_stream;         // counted as an event stream at the gate
    bool is_upload;         // its body is still coming from its client; with a place: counted as an upload there
    uint8_t server;         // of the backend: the one that is asked
    uint8_t tried;          // a bit for each that could not be connected to
    bool met_full_backlog;  // at one of those
    uint8_t tries;          // that were made again
    bool reply_begun;       // the client has got the head: too late for an error of ours
    bool read_blocked;      // output was full: bytes may wait in the backend's socket
    bool write_blocked;     // the backend's socket was full
    bool body_refused;      // the backend takes no more of the request: the rest is dropped
    bool is_doubted;        // PHP may be busy behind its last reply on this connection
    bool is_orphan;         // the client has all it is due; the script runs on to its end
    bool is_abandoned;      // an orphan whose client left before it had everything
    bool in_worklist;
    bool script_noted;          // the log has said why PHP does not run the script
    uint16_t failure_status;    // failed: 502, 503, 504; 200: with the answer as far as it came
    uint32_t error_lines;       // of FCGI_STDERR, in error_second
    uint32_t error_lines_lost;  // left out since the last line that went to the log
    size_t error_line_size;
    int64_t starting_deadline;  // 0: PHP has not been waited for
    int64_t queued_at;          // 0: it has not been
};

// What is used most comes first: there it is reached by the shortest instructions.
struct Exchange : Progress {
    // The pool's
    uint32_t slot;
    uint32_t generation;
    uint32_t next_free;
    bool live;

    [[nodiscard]] bool is_timed() const { return start.trace != nullptr && start.trace->is_timed; }
    // The client has sent all of the body.
    [[nodiscard]] bool has_whole_body() const { return start.body_is_here || request.has_whole_body(); }
    [[nodiscard]] Use use() const { return is_stream ? Use::stream : (is_upload ? Use::upload : Use::page); }
    [[nodiscard]] bool holds_place() const { return phase >= Phase::starting && phase <= Phase::active; }
    // It needs neither place nor connection any more.
    [[nodiscard]] bool is_over() const { return phase >= Phase::ended; }

    Link* link;          // while opening and active
    Upstream* upstream;  // whose it is
    ExchangeStart start;
    Timer timer;
    RequestStream request;
    ResponseStream response;
    Handle ticket;  // while queued
    int64_t opening_deadline;
    int64_t first_try;     // when the first of `tries` was made
    int64_t error_second;  // in which lines of FCGI_STDERR are counted
    uint32_t number;       // who came later has a higher one
    std::array<char, limits::stderr_line> error_line;
};

}  // namespace fcgate::fastcgi
