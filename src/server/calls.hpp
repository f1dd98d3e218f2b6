// Owns: the calls of one worker: scripts that the host program runs without HTTP (fcgate/call.h). Slots, what PHP is given, how far each is.
// Borrows: memory of the arena; the worker's upstream; bodies and callbacks of the host, until its last word on a call.
// Must not touch: HTTP. Other threads come no further than to the members below the mutex.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/slots.hpp"
#include "base/status.hpp"
#include "fastcgi/upstream.hpp"
#include "server/configuration.hpp"
#include "server/mailbox.hpp"
#include "server/ticket.hpp"

namespace fcgate::server {

// Who hears of a call. `functions` are the host's, in the ABI's own type, with its context.
struct CallEvents {
    void (*head)(const CallEvents& self, const fastcgi::ResponseHead& head);
    ptrdiff_t (*output)(const CallEvents& self, std::span<const char> bytes);
    // gone: the host or the server's end has ended it; malformed: no such backend; io: `status` says why, or that of the head.
    void (*ended)(const CallEvents& self, Status result, uint16_t status);
    const void* functions;
    void* context;
};

struct CallTexts {
    std::string_view backend;
    std::string_view method;
    std::string_view file;
    std::string_view query;
    std::string_view content_type;
};

// What is to be run: texts are copied, the body stays the host's.
struct CallStart {
    CallTexts texts;
    std::span<const char> body;
    const char* const* variables;  // name, value, ..., nullptr; or nullptr
    CallEvents events;
};

struct Call {
    // The pool's
    uint32_t slot;
    uint32_t generation;
    uint32_t next_free;
    bool live;

    // Set before the worker knows of it
    class Calls* calls;  // whose it is
    CallEvents events;
    std::span<const char> body;
    uint32_t text_size;  // each text with its NUL: those of CallTexts, then names and values of variables

    // The worker's alone
    Handle exchange;
    fastcgi::Delivery* delivery;  // once the head is there
    size_t fed;                   // of the body
    uint16_t status;              // of the head; 0: it is not there
    bool is_paused;               // the host has left output behind
    bool is_woken;                // and so in the list of those
    Call* next_woken;

    // Below the mutex
    bool is_new;
    bool has_news;
    bool is_ended;  // by the host
};

class Worker;
class Pools;
struct Common;

class Calls {
  public:
    struct Setup {
        std::span<Call> calls;
        std::span<char> texts;  // `text_size` for each
        size_t text_size = 0;
        uint32_t first_delivery = 0;  // those of the calls stand behind those of the connections
        uint32_t worker = 0;
        fastcgi::Upstream* upstream = nullptr;
        Mailbox* mailbox = nullptr;
        // In force, now: a reload that came before a call is not missed.
        const Configuration& (*configuration)(Worker& worker) = nullptr;
        Worker* owner = nullptr;
        const Log* log = nullptr;
    };
    void init(const Setup& setup);
    void finish() { pthread_mutex_destroy(&mutex_); }

    // ---- any thread ----

    // malformed: there is no room for any; again: as many are under way as may be; gone: the worker takes none any more; too_large: no room for the variables.
    [[nodiscard]] Status begin(const CallStart& start, Ticket* ticket);
    // gone: the call has ended.
    [[nodiscard]] Status wake(Ticket ticket);
    [[nodiscard]] Status end(Ticket ticket);
    [[nodiscard]] size_t live() const { return pool_.live(); }

    // ---- the worker ----

    [[nodiscard]] bool take_news() { return news_.exchange(false); }
    // Looks at those that other threads have begun, woken or ended.
    void look();
    // Those that have been woken go on, once.
    void run();
    [[nodiscard]] bool has_work() const { return woken_ != nullptr; }
    // None is taken any more; `at_once`: and all end.
    void stop(bool at_once);

  private:
    [[nodiscard]] bool keep_texts(Call& call, const CallStart& start) const;
    // Also where the variables begin.
    [[nodiscard]] CallTexts texts_of(const Call& call, std::string_view& variables) const;
    [[nodiscard]] CallTexts texts_of(const Call& call) const;
    [[nodiscard]] bool write_params(const Call& call, fastcgi::ParamsWriter& out) const;
    [[nodiscard]] Status announce(Ticket ticket, bool ends);
    [[nodiscard]] Call* take_news_of(size_t slot, bool& is_new, bool& is_ended);
    void open(Call& call);
    void go_on(Call& call);
    void give_output(Call& call);
    [[nodiscard]] bool is_ended(const Call& call);
    [[nodiscard]] Call* any();
    void conclude(Call& call, Status result, uint16_t status);
    void put_on_list(Call& call);
    void take_off_list(Call& call);

    Setup setup_;
    SlotPool<Call> pool_;
    Call* woken_ = nullptr;
    std::atomic<bool> news_{false};
    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    bool closed_ = false;
};

// What is there only for hosts that call: a daemon links nothing of it.
struct CallOps {
    void (*init)(Worker& worker, const Pools& pools);
    void (*finish)(Calls& calls);
    void (*look)(Calls& calls);
    void (*run)(Calls& calls);
    void (*stop)(Calls& calls, bool at_once);
    // In any worker.
    bool (*are_under_way)(const Common& common);
};

}  // namespace fcgate::server
