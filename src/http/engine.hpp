// Owns: one worker's libmicrohttpd daemon and its table of connections: taking them in, suspending and resuming, queueing
// replies, and the deadlines of the HTTP side.
// Borrows: timers, log and settings of the worker; a handler that makes the replies.
// Must not touch: routes, files, FastCGI. It and its neighbours in http/ are the only ones that include microhttpd.h.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/event.hpp"
#include "base/features.hpp"
#include "base/log.hpp"
#include "base/slots.hpp"
#include "base/timers.hpp"
#include "config/settings.hpp"
#include "http/connection.hpp"
#include "http/counts.hpp"
#include "http/finished.hpp"
#include "http/footprint.hpp"
#include "http/linger.hpp"
#include "http/message.hpp"
#include "http/ready.hpp"
#include "tls/certificate.hpp"

struct MHD_Daemon;
struct MHD_Response;

namespace fcgate::http {

enum class Outcome : uint8_t {
    reply,      // the reply is filled in
    wait,       // it comes later: Engine::wake() when there is something to look at
    undecided,  // the same, and until then not even the body is asked for
};

// Who makes the replies. All calls come from the worker's own thread.
struct RequestHandler {
    void* context = nullptr;
    // A head has come. With a body announced, a reply now refuses it unread.
    Outcome (*begin)(void* context, Connection& connection, RequestHead& head, Reply& reply) = nullptr;
    // Bytes of the body; returns how many were taken. What was not is offered again after a wake.
    size_t (*body)(void* context, Connection& connection, std::span<const char> bytes) = nullptr;
    // Where the next bytes of the body may lie: body() will take all of so many, from there. Empty: they come from where they like.
    std::span<char> (*room)(void* context, const Connection& connection) = nullptr;
    // The whole request is there: is the reply ready?
    Outcome (*poll)(void* context, Connection& connection, Reply& reply) = nullptr;
    // The client has shut its side of the connection: is the request to go on all the same?
    bool (*goes_on)(void* context, const Connection& connection) = nullptr;
    // Do others wait for what the request holds, while it waits for its client?
    bool (*keeps_others_waiting)(void* context, const Connection& connection) = nullptr;
    // The request is over, answered or not; whatever was held for it can go. Comes once for each begin().
    void (*done)(void* context, Connection& connection) = nullptr;
};

// Who counts connections.
struct ConnectionWatcher {
    void* context = nullptr;
    void (*closed)(void* context, const Connection& connection) = nullptr;  // only for those that are counted
};

class Engine {
  public:
    struct Setup {
        const Settings* settings = nullptr;
        const Log* log = nullptr;
        Timers* timers = nullptr;
        const TurnClock* clock = nullptr;
        int epoll_fd = -1;
        RequestHandler handler;
        ConnectionWatcher watcher;
        const FinishedSinks* finished = nullptr;
        Counts* counts = nullptr;
        std::span<Connection> connections;
        Targets::Setup targets;
        std::span<Field> fields;                        // limits::request_fields
        std::span<char> field_scratch;                  // for a reply's fields on their way: connection_memory
        const tls::Certificate* certificate = nullptr;  // with it connections may be secure
    };
    // exhausted or io when libmicrohttpd cannot be started.
    [[nodiscard]] Status init(const Setup& setup);
    // What may change while it runs comes from here from now on.
    void use(const Settings& settings, const tls::Certificate* certificate) {
        setup_.settings = &settings;
        setup_.certificate = certificate;
    }
    // Ends every connection at once; nothing of it is used afterwards.
    void finish();

    // Libmicrohttpd's own epoll sets, to be watched; -1: none, for it learns of events from on_client_event() alone, or no connection is secure.
    [[nodiscard]] int epoll_fd() const { return takes_events ? -1 : drives_.front().epoll_fd; }
    [[nodiscard]] int tls_epoll_fd() const { return takes_events || !features::tls ? -1 : drives_.back().epoll_fd; }

    // ---- connections ----

    // Takes a fresh socket over, which is closed in any case of failure.
    void add(const Newcomer& newcomer);
    // Answers 503 to a fresh socket and closes it, behind what it has sent meanwhile.
    void turn_away(const Newcomer& newcomer, Packed code);
    // Somebody wants to hear of requests that are over.
    [[nodiscard]] bool is_listened_to() const { return setup_.finished->any(); }
    [[nodiscard]] bool is_full() const { return connections_.full(); }
    // A connection may be idle or too slow, whose place a newcomer could have.
    [[nodiscard]] bool may_evict() const { return may_evict_; }
    [[nodiscard]] size_t capacity() const { return connections_.capacity(); }
    [[nodiscard]] size_t live() const { return connections_.live(); }
    [[nodiscard]] size_t operators() const { return operators_; }  // of them
    // Any thread, once init() is done.
    [[nodiscard]] const SlotPool<Connection>& connections() const { return connections_; }
    [[nodiscard]] const Targets& targets() const { return targets_; }
    // Ends the connection that has been idle for longest; when none is, one that has kept no pace for as long as a head may take. False
    // when there is neither.
    [[nodiscard]] bool make_room(bool spares_operators);

    // ---- requests ----

    // The head of the connection's present request, collected again if another was meanwhile.
    [[nodiscard]] RequestHead& head(Connection& connection);
    void wake(Connection& connection);
    // Copies the body of the reply that is being made, which says Reply::Body::copied. False when there is no memory. `is_counted`: its memory
    // counts among what replies share; else it is a host's, who bounds it.
    [[nodiscard]] bool copy_body(std::span<const char> body, bool is_counted);
    // The reply of that name is still here: Reply::Body::ready says that it shall be sent.
    [[nodiscard]] bool has_ready(uint64_t name) const { return !stopping_ && ready_.find(name) != nullptr; }
    // The file that it sends, still open: to be looked at only. -1: it sends none, or is not here.
    [[nodiscard]] int ready_file(uint64_t name) const { return stopping_ ? -1 : ready_.file_of(name); }
    // In the middle of a body: answers and ends the connection. Whoever calls it from within body() takes all bytes.
    void refuse_rest(Connection& connection, uint16_t status);

    // ---- the worker's loop ----

    void on_client_event(Handle handle, uint32_t events);
    void on_linger_event(Handle handle) { lingering_.on_event(handle); }
    void on_linger_timer(uint32_t slot) { lingering_.on_timer(slot); }
    void on_connection_timer(uint32_t slot);
    void on_pace_timer(int64_t now);
    // Lets libmicrohttpd work as long as it has something to do. `ready`: its epoll set has events.
    void run(bool ready);
    // How long the loop may wait on libmicrohttpd's behalf, in milliseconds; negative: for ever.
    [[nodiscard]] int timeout_ms() const;

    // ---- stopping ----

    // No request is begun on idle connections any more; those under way get their replies with Connection: close.
    void begin_stop(int64_t now);
    // Cuts everything off.
    void abort_all();

  private:
#ifdef FCGATE_MHD_TAKES_EVENTS
    static constexpr bool takes_events = true;  // the bundled libmicrohttpd is told what our epoll set has seen
#else
    static constexpr bool takes_events = false;
#endif
    static constexpr size_t most_given = 64;

    // A daemon of libmicrohttpd.
    struct Drive {
        MHD_Daemon* mhd = nullptr;
        int epoll_fd = -1;
        size_t given_count = 0;
        std::array<epoll_event, most_given> given;  // for it, of its connections
    };

    struct Callbacks;  // what libmicrohttpd calls; see callbacks.cpp
    friend struct Callbacks;

    // engine.cpp
    void arm(Connection& connection, int64_t due) {
        setup_.timers->set(connection.timer, due);
    }
    void enter(Connection& connection, Connection::Stage stage);
    void begin_head(Connection& connection);
    void suspend(Connection& connection);
    void set_active(Connection& connection, bool active);
    void show(Connection& connection, uint32_t events);
    void give(const Connection& connection, uint32_t events);
    void forget(const MHD_Connection* mhd);
    [[nodiscard]] static Status look_at(Drive& drive);
    [[nodiscard]] Drive& drive_of(bool is_tls) {
        return drives_[features::tls && is_tls ? 1 : 0];
    }
    void run_once();
    void give_back(Connection& connection);

    // engine_refusals.cpp
    void send_at_once(Connection& connection, uint16_t status);
    void end_with(Connection& connection, uint16_t status);

    // engine_endings.cpp
    void kill(Connection& connection);
    [[nodiscard]] bool is_left(const Connection& connection) const;
    void end_departed();
    void shut_idle(Connection& connection, int64_t now);

    // pace.cpp
    void start_pace(Connection& connection, int64_t now);
    [[nodiscard]] static uint64_t measure(const Connection& connection, uint64_t wanted, bool& keeps_pace);
    [[nodiscard]] static bool has_changed(const Connection& connection);
    [[nodiscard]] static bool is_stuck(Connection& connection);
    void judge_pace(Connection& connection, int64_t now);
    void end_slow(Connection& connection, bool presses);
    void end_changed(Connection& connection);

    // request.cpp: what happens to a request
    [[nodiscard]] bool receive_head(Connection& connection, std::string_view method, std::string_view version);
    void collect_head(Connection& connection);
    [[nodiscard]] bool receive_body(Connection& connection, std::span<const char> bytes, size_t& taken);
    [[nodiscard]] bool finish_request(Connection& connection);
    [[nodiscard]] bool begin_with_body(Connection& connection);
    [[nodiscard]] Outcome ask(Connection& connection);
    void complete(Connection& connection, bool is_refused);
    void note_answer(Connection& connection, uint16_t status, bool is_refusal);
    void closed(Connection& connection);
    [[nodiscard]] bool refuse(Connection& connection, uint16_t status, Packed reason);
    void log_refusal(Connection& connection, uint16_t status, Packed words);  // with the code of the status
    // What ends without a status of its own. `code`: of http/reason.hpp.
    void log_end(Connection& connection, Packed words, Packed code) {
        log_as(connection, 0, code, words);
    }
    // `words` may be a pattern, with its values.
    void log_as(Connection& connection, uint16_t status, Packed code, Packed words, ...);
    void tell_finished(const Connection& connection, int64_t now) const;

    // reply.cpp
    [[nodiscard]] bool queue(Connection& connection, Reply& reply);
    [[nodiscard]] bool may_keep(const Reply& reply, const FieldsSize& fields) const;
    [[nodiscard]] bool send(Connection& connection, uint16_t status, MHD_Response* response, bool is_kept = false);
    [[nodiscard]] bool send_held(Connection& connection);
    static void drop_held(Connection& connection);
    void note_reply(Connection& connection, const Reply& reply, bool is_bodiless);
    [[nodiscard]] static uint64_t sent_bytes(const Connection& connection);
    [[nodiscard]] bool take_fields(Connection& connection, size_t fields);
    void give_back_fields(Connection& connection);
    [[nodiscard]] MHD_Response* make_response(const Reply& reply, Connection& connection);
    void drop_body(Reply& reply);
    [[nodiscard]] bool add_fields(MHD_Response* response, FieldCursor fields);
    [[nodiscard]] static bool add_field(MHD_Response* response, const Field& field, std::span<char> room);
    [[nodiscard]] ptrdiff_t read_body(Connection& connection, std::span<char> room);

    // What is used most comes first, where short instructions reach it.
    bool run_needed_ = false;
    bool departures_ = false;  // a client has gone that libmicrohttpd may not notice
    bool may_evict_ = false;   // a connection has become idle or slow since none was found
    bool stopping_ = false;
    bool aborting_ = false;
    bool head_overflow_ = false;       // there were more fields than we take
    bool head_torn_ = false;           // a value lay before its name
    size_t active_ = 0;                // connections for which libmicrohttpd may have something to do
    size_t operators_ = 0;             // connections that may have reserved places
    Connection* adding_ = nullptr;     // being handed to libmicrohttpd
    Connection* collected_ = nullptr;  // whose head is in head_
    SlotPool<Connection> connections_;
    MHD_Response* copied_ = nullptr;  // holds a body copied for reply_
    size_t copied_size_ = 0;          // of copied_, as far as it counts
    size_t shared_left_ = 0;          // of what replies share beyond what is guaranteed
    size_t guaranteed_fields_ = 0;    // of the heap, for the fields of each reply
    Setup setup_;
    size_t parts_size_ = 0;  // of the fields, as libmicrohttpd told them
    RequestHead head_;
    Reply reply_;
    Targets targets_;
    ReadyReplies ready_;
    Timer pace_timer_;
    Lingering lingering_;
    std::array<Drive, features::tls ? 2 : 1> drives_;  // the second one for secure connections
};

}  // namespace fcgate::http
