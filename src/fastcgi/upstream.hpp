// Owns: one worker's exchanges and its connections to backends: opening, handing on, parking, closing; what happens when a backend fails.
// Borrows: the gates (shared by all workers), timers, pages, scratch memory and log of the worker, as long as it lives.
// Must not touch: MHD; HTTP is on the other side of ExchangeOwner.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/event.hpp"
#include "base/log.hpp"
#include "base/pages.hpp"
#include "base/slots.hpp"
#include "base/timers.hpp"
#include "config/settings.hpp"
#include "fastcgi/backend_table.hpp"
#include "fastcgi/counts.hpp"
#include "fastcgi/delivery.hpp"
#include "fastcgi/exchange.hpp"
#include "fastcgi/fault.hpp"
#include "fastcgi/gate.hpp"
#include "fastcgi/link.hpp"

namespace fcgate::fastcgi {

// A place that passes from one exchange to the next, with its connection if that can go on.
struct Grant {
    Waiter waiter;
    uint32_t backend = 0;
    int fd = -1;           // from another worker
    uint8_t server = 0;    // ... of the backend
    Link* link = nullptr;  // of this worker

    // Not a grant: the waiter had to leave a full queue.
    [[nodiscard]] bool is_notice() const { return backend == no_slot; }
};

// What an exchange learns when it wants a connection to PHP that fcgate starts itself.
enum class Readiness : uint8_t {
    ready,     // connect
    starting,  // wait for the news
    broken,    // it cannot be started; the log says why
};

// Whoever starts PHP.
struct Starter {
    void* context = nullptr;
    // Starts it when it is stopped; `path` becomes its socket when it is ready.
    Readiness (*want)(void* context, uint32_t backend, TextBuffer& path) = nullptr;
    // Nobody answers there, though it is said to run.
    void (*lost)(void* context, uint32_t backend) = nullptr;
    // A request has run into response_timeout; or one has been answered to its end, and PHP is well.
    void (*silent)(void* context, uint32_t backend) = nullptr;
    void (*answered)(void* context, uint32_t backend) = nullptr;
};

// How a worker reaches the others.
struct Post {
    void* context = nullptr;
    // To grant.waiter.worker; false when that one has ended.
    bool (*grant)(void* context, const Grant& grant) = nullptr;
    void (*yield)(void* context, uint32_t worker, uint32_t backend) = nullptr;
};

class Upstream {
  public:
    struct Setup {
        const BackendTable* backends = nullptr;
        std::span<Gate> gates;  // a backend is named by the number of its gate
        Timers* timers = nullptr;
        const TurnClock* clock = nullptr;
        const Log* log = nullptr;
        std::span<BackendCounts> counts;  // one for each gate
        uint32_t worker = 0;
        int epoll_fd = -1;
        std::span<Delivery> deliveries;  // one for each client connection
        std::span<Grant> grants;         // one for each place of all backends
        std::span<Exchange*> worklist;   // one for each exchange
        std::span<char> read_scratch;
        std::span<uint8_t> params_scratch;
        PagePool* pages = nullptr;
        size_t response_buffer = 0;  // bytes of output, for one exchange
        std::span<Exchange> exchanges;
        std::span<Link> links;         // more than exchanges: the rest may be parked
        std::span<char> head_storage;  // head_size for each exchange
        size_t head_size = 0;
        Post post;
        Starter starter;
    };
    void init(const Setup& setup);

    // ---- for the HTTP side ----

    // nullptr: every slot is in use, and no client has more of those that wait than this one: to be answered 503.
    // A waiter may have had to leave for it: then its handle is stale, and its owner, who is woken, answers 503.
    [[nodiscard]] Exchange* open(const ExchangeStart& start);
    // ... and counted as this.
    void count(uint32_t backend, Fault fault) { setup_.counts[backend].faults[static_cast<size_t>(fault)].add(); }
    // To be called once the owner can be woken; asks for PHP at once when there is no body to wait for, else when it is there or the buffer for it is full.
    void begin(Exchange& exchange);
    // Takes bytes of the request body; what is not taken is to be offered again after a wake.
    [[nodiscard]] size_t feed(Exchange& exchange, std::span<const char> bytes);
    // So many bytes feed() and put_by() take together, while PHP takes what comes. Half of all pages are left to others: a form that finds none
    // would be no body that is here, and would wait for a worker as long as an upload.
    [[nodiscard]] size_t room_for_body(const Exchange& exchange) const {
        const bool goes_on =
            exchange.phase == Exchange::Phase::active && !exchange.write_blocked && !exchange.body_refused;
        const size_t pages = setup_.pages->shared_left();
        const size_t kept = setup_.pages->capacity() / 2;
        return goes_on && pages > kept ? std::min(exchange.request.room(), (pages - kept) * sizeof(Page::bytes)) : 0;
    }
    // Takes what feed() has left, until PHP is ready for it.
    [[nodiscard]] static size_t put_by(Exchange& exchange, std::span<const char> bytes) {
        return exchange.is_over() || exchange.body_refused ? bytes.size() : exchange.request.put_by(bytes);
    }
    // The client has shut its side of the connection: `on_abort` says that its script is to run on all the same. `body_is_here`: what has not been
    // fed yet, for want of pages, can be.
    [[nodiscard]] bool goes_on(Handle handle, bool body_is_here);
    // The rest of the body is not to be had: the exchange fails.
    void lose_body(Exchange& exchange) { fail(exchange, Fault::body_lost); }
    // The owner is done with it: whatever it holds is given back, a running script is cut off unless `on_abort` says otherwise.
    void close(Exchange& exchange);

    // The owner wants nothing more of it: its script runs on to its end.
    void let_finish(Exchange& exchange) {
        exchange.response.drop_rest();
        close(exchange);
    }

    // The reply begins, made from the exchange's head: from now on its body is to be had from the delivery. When PHP has ended, the
    // exchange may be gone afterwards.
    [[nodiscard]] Delivery& deliver(Exchange& exchange);
    // All `length` bytes of the body are there, in at most limits::reply_pieces, and so many pages are free that these may be in use until the
    // client has taken the last of them.
    [[nodiscard]] bool may_send_whole(const Delivery& delivery, uint64_t length);
    // BodyReader::read of the reply's body.
    [[nodiscard]] ptrdiff_t read(Delivery& delivery, std::span<char> room);
    // The same without copying: the first piece, of which the client then has taken so many bytes. Behind the last one read() says how it ends.
    [[nodiscard]] std::span<const char> front(const Delivery& delivery);
    void took(Delivery& delivery, size_t count);
    // Others wait for PHP, or are refused, while it waits for this one's client: to send the rest of a request, or to take what there is of a reply.
    [[nodiscard]] bool keeps_others_waiting(Handle handle);
    // BodyReader::has_more.
    [[nodiscard]] bool has_output(const Delivery& delivery);
    // The connection needs no more of it; to be called behind close().
    void finish_delivery(uint32_t connection) { setup_.deliveries[connection].output.clear(); }

    // ---- for the worker ----

    void on_link(Handle handle, uint32_t events);
    void on_exchange_timer(uint32_t slot, int64_t now);
    void on_link_timer(uint32_t slot);
    void on_grant(const Grant& grant);
    void on_yield(uint32_t backend);
    // PHP has been started, or could not be: whoever waits for it looks again.
    void on_php_news(uint32_t backend);
    // From now on there are no event streams; those under way are cut off: they would hold a stop until its deadline, and browsers come back by themselves.
    void end_streams();
    // After a reload: backends whose bit is set in `mask` go on, the others end with the requests they have. Is anything of those still there?
    void keep_backends(uint32_t mask);
    [[nodiscard]] bool has_ending() const;
    // Backends whose bit is set in `mask` are new: nothing has been counted for them.
    void forget_counts(uint32_t mask);
    // The gate has been resized.
    void grant_free(uint32_t backend);
    // Closes every connection; no exchange is live any more.
    void finish();
    // Does what was put off to keep call chains flat, once. True when there was something.
    bool run_worklist();
    [[nodiscard]] bool has_work() const { return grant_count_ + work_count_ > 0; }
    // The worker ends: its parked places go to the others.
    void retire();

    // Any thread, once init() is done.
    [[nodiscard]] const SlotPool<Exchange>& exchanges() const { return exchanges_; }
    [[nodiscard]] const SlotPool<Link>& links() const { return links_; }
    [[nodiscard]] std::span<const BackendCounts> counts() const { return setup_.counts; }
    [[nodiscard]] size_t places() const { return places_.get(); }  // of all gates, held by exchanges

    // The most places that were held at once since the last call.
    [[nodiscard]] size_t take_most_places();

    [[nodiscard]] size_t live() const { return exchanges_.live(); }
    [[nodiscard]] Exchange* find(Handle handle) { return exchanges_.find(handle); }

  private:
    // upstream.cpp: exchanges
    void release(Exchange& exchange);
    [[nodiscard]] bool abandon(Exchange& exchange);
    [[nodiscard]] bool may_finish(const Exchange& exchange) const;
    void end(Exchange& exchange);
    void conclude(Exchange& exchange, Exchange::Phase phase, bool keep_link);
    void detach(Exchange& exchange, bool keep_link);
    void drop(Exchange& exchange);
    void end_trace(const Exchange& exchange) const;
    void put_on_worklist(Exchange& exchange);
    void remove_work(size_t at);
    [[nodiscard]] BackendCounts& counts_of(const Exchange& exchange) const {
        return setup_.counts[exchange.start.backend];
    }
    [[nodiscard]] const BackendSettings& backend_of(const Exchange& exchange) const;
    [[nodiscard]] const BackendAddress& address_of(const Link& link) const;
    // The one that is asked, or was asked last.
    [[nodiscard]] const BackendAddress& server_of(const Exchange& exchange) const;
    [[nodiscard, gnu::noinline]] Servers& servers_of(uint32_t backend) const { return setup_.gates[backend].servers(); }
    [[nodiscard]] int64_t now() const { return setup_.clock->now(); }
    [[nodiscard]] int32_t since(int64_t time) const { return static_cast<int32_t>(now() - time); }  // in milliseconds
    // Its timer ends in so many milliseconds.
    void wait(Exchange& exchange, int32_t for_ms);
    static void wake(const Exchange& exchange);
    static void describe(const Exchange& exchange, TextBuffer& out);

    // places.cpp: the gate, and room for newcomers
    void ask_for_place(Exchange& exchange);
    [[nodiscard]] int32_t queue_patience(const Exchange& exchange) const;
    void evict(const Waiter& waiter);
    [[nodiscard]] Exchange* make_room(uint64_t client_key, bool of_uploads);
    // Bodies that come take their time: they leave a quarter of the slots to requests without.
    [[nodiscard]] bool has_room_for_body() const {
        return uploads_ < exchanges_.capacity() - exchanges_.capacity() / 4;
    }
    [[nodiscard]] size_t held_by(uint64_t client_key) const;
    void take_place(Exchange& exchange, Link* link);
    void use_place(Exchange& exchange, Link* link);
    void finish_upload(Exchange& exchange);
    void end_upload(Exchange& exchange);
    void give_up_place(Exchange& exchange, bool keep_link);
    void pass_on(const Gate::Released& released, uint32_t backend, Link* link);
    [[nodiscard]] bool may_park(const Link* link) const;

    // delivery.cpp: from the exchange to the client
    void hand_over(Exchange& exchange);
    void go_on_reading(Exchange& exchange, size_t taken);

    // opening.cpp: connections that are not there yet
    void open_connection(Exchange& exchange);
    [[nodiscard]] bool try_to_open(Exchange& exchange);
    [[nodiscard]] bool cannot_open(Exchange& exchange, Status status, int error_number);
    [[nodiscard]] int32_t choose_server(Exchange& exchange);
    [[nodiscard]] bool fail_over(Exchange& exchange, Fault fault, const char* detail = "");
    void wait_for_php(Exchange& exchange);
    [[nodiscard]] bool find_socket(Exchange& exchange, TextBuffer& path);

    // links.cpp: those that are
    void tell_starter(const Exchange& exchange, void (*Starter::*what)(void* context, uint32_t backend)) const;
    void connected(Exchange& exchange, Link& link);
    [[nodiscard]] Link* take_parked(uint32_t backend);
    void park(Link& link);
    void unpark(Link& link, bool asked);
    void doubt(Exchange& exchange, const Link& link);
    void settle_doubt(Exchange& exchange);
    [[nodiscard]] bool is_back(const Link& link) const;
    [[nodiscard]] bool is_usable(const Link& link) const;
    [[nodiscard]] bool is_busy_behind(const Link& link) const;
    [[nodiscard]] static bool carries(const Link& link, Handle handle, const Exchange& exchange);
    [[nodiscard]] Status watch(Link& link, bool is_new);
    void watch_room(Link& link, bool watches);
    [[nodiscard]] Link* take_link();
    [[nodiscard]] Link* adopt(const Grant& grant);
    void drop_link(Link& link, bool at_once = false);
    void forget(const Link& link);

    // transfer.cpp: bytes
    [[nodiscard]] size_t send(Exchange& exchange, std::span<const char> direct);
    void receive(Exchange& exchange);
    [[nodiscard]] bool take(Exchange& exchange, std::span<const char> bytes);
    void fail_head_too_large(Exchange& exchange);
    void finish_answer(Exchange& exchange);
    [[nodiscard]] Result<std::span<const uint8_t>> encode_head(Exchange& exchange);
    void write_failed(Exchange& exchange, int error_number);
    void restart_clock(Exchange& exchange);
    void broken(Exchange& exchange, Packed where, int error_number);
    [[nodiscard]] bool try_again(Exchange& exchange);

    // failure.cpp: statuses and words; `detail` stands behind those of the fault
    void fail(Exchange& exchange, Fault fault, const char* detail);
    void fail(Exchange& exchange, Fault fault);
    [[nodiscard]] bool fail_opening(Exchange& exchange, Status status, int error_number);
    void explain_denial(const Exchange& exchange, TextBuffer& out) const;
    static void append_error(int number, TextBuffer& out);
    void log_fault(const Exchange& exchange, Fault fault, const char* detail = "") const;
    void explain(const Exchange& exchange, Fault fault, const char* detail, Packed state, LogLine& line) const;
    void note_outcome(Exchange& exchange);
    void note_script(Exchange& exchange, Fault fault, std::string_view text, Packed advice);
    void write_error_output(Exchange& exchange, std::string_view text);
    void flush_error_line(Exchange& exchange);
    void finish_error_output(Exchange& exchange);
    [[nodiscard]] bool admit_error_line(Exchange& exchange) const;
    void tell_lost_lines(Exchange& exchange) const;

    // What is used most comes first: there it is reached by the shortest instructions.
    SlotPool<Exchange> exchanges_;
    SlotPool<Link> links_;
    size_t grant_count_ = 0;
    size_t work_count_ = 0;
    size_t parked_ = 0;
    size_t uploads_ = 0;  // exchanges that are
    uint32_t kept_backends_ = UINT32_MAX;
    Setup setup_;
    Gauge places_;
    size_t most_places_ = 0;  // since take_most_places()
    bool stopping_ = false;
    uint32_t exchanges_opened_ = 0;
    std::array<Link*, limits::backends> first_parked_{};
    std::array<int64_t, limits::backends> doubted_until_{};  // a script works on behind its replies
};

}  // namespace fcgate::fastcgi
