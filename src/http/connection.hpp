// Owns: what we know of one client connection beside libmicrohttpd: where it stands, its clock, its raw request target.
// Borrows: target storage of the worker. The descriptor belongs to libmicrohttpd: it may be shut down, never closed.
// Must not touch: microhttpd.h, the rooms that make replies.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/endpoint.hpp"
#include "base/slots.hpp"
#include "base/timers.hpp"
#include "http/finished.hpp"
#include "http/listener.hpp"
#include "http/message.hpp"
#include "http/targets.hpp"

struct MHD_Connection;
struct MHD_Response;

namespace fcgate::http {

class Engine;

// What begins anew with each client that has the place.
struct ConnectionState {
    enum class Stage : uint8_t {
        idle,      // between requests, or none yet
        head,      // bytes of a request's head have come, or are due
        body,      // the head is there and the body comes
        waiting,   // the request is there and its reply is not
        replying,  // the reply is queued
    };
    static constexpr uint8_t no_site = 0xff;
    static constexpr uint8_t no_question = 0xff;

    ConnectionState();  // not in line: it is long

    // Near the start, where a short instruction reaches them.
    Stage stage = Stage::idle;
    bool suspended = false;
    bool more_came = false;    // bytes came while a request was under way: another may be behind it
    bool active = false;       // libmicrohttpd may have something to do for it now
    bool woken = false;        // a wake came while it was not suspended: look again before suspending
    bool hung_up = false;      // the client has closed, or half-closed
    bool gone = false;         // ... both ways, or we have: nobody hears a reply
    bool is_all_here = false;  // the body is, though some of it may still lie with libmicrohttpd
    bool begun = false;        // the request has been handed on
    bool refused = false;      // a reply was given before the body was read: linger on close
    bool is_counted = false;   // among its client's
    bool is_operator = false;  // may have a place that is reserved
    bool served = false;       // a request has been completed on it
    bool sent_all = false;     // of the request that is completed: its whole reply
    bool is_head = false;      // of the present request
    bool is_http_1_0 = false;
    bool is_tls = false;      // the connection itself
    bool is_https = false;    // of the present request: the connection, or as a trusted proxy says
    bool is_proxied = false;  // a trusted proxy has brought the present request
    bool is_asker_counted = false;
    bool is_slow = false;            // pace_since is longer ago than a head may take
    bool was_unread = false;         // at the last look bytes of the body waited to be read
    bool is_answered = false;        // of the present request: it has been given an answer
    bool has_refusal = false;        // ... which is a refusal of fcgate's own
    bool is_replaced = false;        // ... in place of a reply that could not be sent
    bool is_undecided = false;       // its body is not asked for yet
    bool has_user = false;           // its Authorization was found to be right
    uint8_t question = no_question;  // about that; meaning is that of whoever makes the reply
    uint8_t site = no_site;          // that the present request is for, once it is known
    uint8_t configuration = 0;       // under which the present request is answered; meaning is theirs as well
    uint16_t held_status = 0;        // of `held`
    MHD_Connection* mhd = nullptr;
    Engine* engine = nullptr;      // whose it is
    std::string_view method;       // of the present request, in libmicrohttpd's memory
    MHD_Response* held = nullptr;  // the reply, while the body that it does not need is read
    BodyReader reader;             // of the reply being sent
    uint32_t fields_beyond = 0;    // of the memory that replies share, taken by this one's fields and copied body
    KeptTarget kept_target;
    int fd = -1;
    int file_fd = -1;                // the response's, of a reply that is a file; to be looked at only
    uint32_t cached_file = no_slot;  // of whoever makes the reply; meaning is theirs
    Handle exchange;                 // ... the same
    Handle spooled;                  // ... the same
    Handle kept;                     // ... the same
    uint64_t file_end = 0;           // how large it has to be for that reply
    FileState file;                  // what it was when the reply began
    int64_t idle_since = 0;
    uint64_t body_expected = 0;
    uint64_t body_seen = 0;
    uint64_t body_then = 0;  // body_seen at the last look
    uint64_t pace_mark = 0;  // bytes of the body, or taken of the reply, when it was fast enough last
    int64_t pace_since = 0;  // when that was
    uint64_t client_key = 0;
    uint64_t asker_key = 0;  // whom the present request was counted for
    Trace trace;             // of the present request
    Endpoint client;
    Endpoint local;
    Endpoint asker;  // who the present request comes from: the client, or whom a trusted proxy names

    [[nodiscard]] std::string_view target() const { return kept_target.text; }
};

struct Connection : ConnectionState {
    // The pool's
    uint32_t slot;
    uint32_t generation;
    uint32_t next_free;
    bool live;

    Timer timer;  // the heap may hold it for longer than a client has the place
};

}  // namespace fcgate::http
