// Owns: one request's way through a backend: where it stands, its streams, its place at the gate.
// Borrows: its owner's context until Upstream::close(); pages and head storage of the worker.
// Must not touch: MHD. Only Upstream changes an exchange; the HTTP side asks and feeds through Upstream.
#pragma once

#include <cstdint>

#include "base/slots.hpp"
#include "base/timers.hpp"
#include "fastcgi/params.hpp"
#include "fastcgi/request_stream.hpp"
#include "fastcgi/response_stream.hpp"
#include "http/finished.hpp"

namespace fcgate::fastcgi {

// The HTTP side of a request, seen from here.
struct ExchangeOwner {
    void* handler = nullptr;  // of the worker
    void* context = nullptr;  // of the request
    // Something has changed: the reply can be made, output can be read, body can be fed, or the exchange has failed.
    void (*wake)(void* context) = nullptr;
    // Writes the CGI environment. May be called again for a second try or after a short write, with the same outcome.
    // False when the request leads to no script any more.
    bool (*write_params)(void* handler, void* context, ParamsWriter& out) = nullptr;
    // For the log: "GET /path".
    void (*describe)(void* handler, void* context, TextBuffer& out) = nullptr;
    // For the log: the script's file, as PHP is told.
    void (*name_script)(void* handler, void* context, TextBuffer& out) = nullptr;
};

struct ExchangeStart {
    ExchangeOwner owner;
    BackendTrace* trace = nullptr;  // of the request, as long as the owner is there
    uint32_t connection = 0;        // of the client: number of its Delivery
    uint32_t site = 0;              // for the owner
    uint32_t script_memo = 0;       // for the owner
    uint32_t backend = 0;
    uint64_t client_key = 0;
    uint64_t body_length = 0;
    bool is_safe = false;  // of the method (RFC 9110 section 9.2.1): may be sent again
    bool is_head = false;
    bool wants_stream = false;  // Accept: text/event-stream
};

class Upstream;

struct Exchange {
    enum class Phase : uint8_t {
        collecting,  // the request body is not there yet, PHP is not asked for
        queued,      // at the gate
        starting,    // holds a place; PHP is being started
        retrying,    // holds a place; the backend's backlog is full
        opening,     // holds a place; connect() is under way
        active,      // holds a place and a connection
        ended,       // END_REQUEST has come, place and connection are given back
        failed,
    };

    // The pool's
    uint32_t slot;
    uint32_t generation;
    uint32_t next_free;
    bool live;

    [[nodiscard]] bool is_timed() const { return start.trace != nullptr && start.trace->is_timed; }

    Phase phase = Phase::collecting;
    Upstream* upstream = nullptr;  // whose it is
    ExchangeStart start;
    RequestStream request;
    ResponseStream response;
    Timer timer;
    int64_t opening_deadline = 0;
    int64_t starting_deadline = 0;  // 0: PHP has not been waited for
    Handle ticket;                  // while queued
    int64_t queued_at = 0;          // 0: it has not been
    uint32_t link = no_slot;        // while opening and active
    uint64_t number = 0;            // who came later has a higher one
    uint16_t failure_status = 0;    // failed: 502, 503, 504; 200: with the answer as far as it came
    bool is_stream = false;         // counted as an event stream at the gate
    uint8_t server = 0;             // of the backend: the one that is asked
    uint8_t tried = 0;              // a bit for each that could not be connected to
    bool met_full_backlog = false;  // at one of those
    uint8_t tries = 0;              // that were made again
    int64_t first_try = 0;          // when
    bool reply_begun = false;       // the client has got the head: too late for an error of ours
    bool read_blocked = false;      // output was full: bytes may wait in the backend's socket
    bool write_blocked = false;     // the backend's socket was full
    bool body_refused = false;      // the backend takes no more of the request: the rest is dropped
    bool is_doubted = false;        // PHP may be busy behind its last reply on this connection
    bool is_orphan = false;         // the client has all it is due; the script runs on to its end
    bool is_abandoned = false;      // an orphan whose client left before it had everything
    bool in_worklist = false;
    bool script_noted = false;      // the log has said why PHP does not run the script
    int64_t error_second = 0;       // in which lines of FCGI_STDERR are counted
    uint32_t error_lines = 0;       // in it
    uint32_t error_lines_lost = 0;  // left out since the last line that went to the log
    size_t error_line_size = 0;     // of FCGI_STDERR
    std::array<char, limits::stderr_line> error_line;
};

}  // namespace fcgate::fastcgi
