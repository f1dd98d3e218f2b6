// Owns: the requests of one worker that the host keeps beyond a call: slots, buffers, and what its threads have done with them.
// Borrows: memory of the arena; the mailbox, to ring.
// Must not touch: connections, replies under way: other threads come no further than to the members below the mutex.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/slots.hpp"
#include "base/status.hpp"
#include "http/connection.hpp"
#include "server/endpoints.hpp"
#include "server/mailbox.hpp"
#include "server/ticket.hpp"

namespace fcgate::server {

// What the host is told; the numbers are those of enum fcgate_news.
enum class KeptNews : uint8_t { sent, lost, room, stopping };

// What the host's threads say of a reply; all forms but the first are said once.
struct KeptReply {
    enum class Form : uint8_t {
        none,
        given,   // at once, on the worker's thread
        whole,   // the body is in the buffer
        file,    // `fd`, from `offset` on
        pushed,  // the body comes through the buffer
    };

    Form form = Form::none;
    uint16_t status = 0;
    bool length_known = false;
    uint64_t length = 0;
    int fd = -1;
    uint64_t offset = 0;
};

struct KeptRequest {
    // The pool's
    uint32_t slot;
    uint32_t generation;
    uint32_t next_free;
    bool live;

    // The worker's alone
    http::Connection* connection;
    class KeptRequests* kept;  // whose it is
    uint32_t site;
    void* context;
    void (*notice)(void* context, Ticket ticket, int news);
    ptrdiff_t (*receive)(void* context, const void* bytes, size_t length);
    ptrdiff_t (*pull)(void* context, char* bytes, size_t size);
    uint64_t pull_left;  // when the length is known
    HostHandler then;    // when the body is there

    // Below the mutex
    KeptReply reply;
    uint32_t fields_size;  // names and values, each with a NUL, at the begin of the buffer
    uint32_t begin;        // of the bytes to be sent, behind the fields, where they go round
    uint32_t size;
    uint64_t written;  // of the body, in all
    bool has_ended;    // nothing more is written
    bool wants_room;   // the host waits for room
    bool has_news;     // the worker is to look at it
};

class KeptRequests {
  public:
    void init(std::span<KeptRequest> requests, std::span<char> buffers, size_t buffer_size, Mailbox& mailbox,
              uint32_t worker) {
        pool_.init(requests);
        buffers_ = buffers;
        buffer_size_ = buffer_size;
        mailbox_ = &mailbox;
        worker_ = worker;
    }
    void finish() { pthread_mutex_destroy(&mutex_); }

    // ---- any thread; gone: there is no such request any more ----

    [[nodiscard]] Status add_field(Ticket ticket, std::string_view name, std::string_view value);
    // malformed: given already. too_large: no room for its fields, the body of `whole`, or a byte of `pushed`.
    [[nodiscard]] Status give(Ticket ticket, const KeptReply& reply, std::span<const Field> fields,
                              std::span<const char> body);
    // How many bytes were taken; again: none.
    [[nodiscard]] Result<size_t> write(Ticket ticket, std::span<const char> bytes);
    [[nodiscard]] Status end(Ticket ticket);
    [[nodiscard]] Status wake(Ticket ticket);

    // ---- the worker ----

    // nullptr when as many are kept as may be.
    [[nodiscard]] KeptRequest* take(http::Connection& connection);
    // It has ended. The host is told.
    void give_back(KeptRequest& request, KeptNews news);
    [[nodiscard]] KeptRequest* find(Handle handle) { return pool_.find(handle); }
    [[nodiscard]] Ticket ticket_of(const KeptRequest& request) const;
    // Fields and reply, as they are now.
    [[nodiscard]] KeptReply look(KeptRequest& request);
    void fill(KeptRequest& request, Reply& reply);
    // Bytes that are there, into `room`; tells the host of room. BodyReader's results.
    [[nodiscard]] ptrdiff_t read(KeptRequest& request, std::span<char> room);

    [[nodiscard]] bool take_news() { return news_.exchange(false); }
    void wake_those_with_news();
    // The server is being stopped: all are told, and each that is kept from now on when its handler has returned.
    void tell_of_stop();
    void tell_of_stop_behind(Handle kept);

  private:
    [[nodiscard]] KeptRequest* find(Ticket ticket);
    [[nodiscard]] Status append_field(KeptRequest& request, std::string_view name, std::string_view value) const;
    [[nodiscard]] std::span<char> buffer_of(const KeptRequest& request) const {
        return buffers_.subspan(request.slot * buffer_size_, buffer_size_);
    }
    void announce(KeptRequest& request);
    void tell(const KeptRequest& request, KeptNews news) const;

    SlotPool<KeptRequest> pool_;
    std::span<char> buffers_;
    size_t buffer_size_ = 0;
    Mailbox* mailbox_ = nullptr;
    uint32_t worker_ = 0;
    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    std::atomic<bool> news_{false};
    bool is_stopping_ = false;
};

}  // namespace fcgate::server
