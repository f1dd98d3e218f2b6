#include "server/kept_requests.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/lock.hpp"

namespace fcgate::server {

namespace {

using Form = KeptReply::Form;

}  // namespace

Ticket KeptRequests::ticket_of(const KeptRequest& request) const {
    return make_ticket(worker_, TicketKind::request, SlotPool<KeptRequest>::handle(request));
}

KeptRequest* KeptRequests::find(Ticket ticket) {
    return pool_.find(handle_of(ticket, TicketKind::request));
}

// The worker is to look at it.
void KeptRequests::announce(KeptRequest& request) {
    request.has_news = true;
    news_ = true;
    mailbox_->ring();
}

Status KeptRequests::append_field(KeptRequest& request, std::string_view name, std::string_view value) const {
    const std::span<char> room = buffer_of(request).subspan(request.fields_size);
    if (room.size() < name.size() + value.size() + 2) {
        return Status::too_large;
    }
    char* at = room.data();
    for (const std::string_view text : {name, value}) {
        memcpy(at, text.data(), text.size());
        at += text.size();
        *at++ = '\0';
    }
    request.fields_size += static_cast<uint32_t>(at - room.data());
    return Status::ok;
}

Status KeptRequests::add_field(Ticket ticket, std::string_view name, std::string_view value) {
    const Lock lock(&mutex_);
    KeptRequest* const request = find(ticket);
    if (request == nullptr || request->reply.form != Form::none) {
        return Status::gone;
    }
    return append_field(*request, name, value);
}

Status KeptRequests::give(Ticket ticket, const KeptReply& reply, std::span<const Field> fields,
                          std::span<const char> body) {
    const Lock lock(&mutex_);
    KeptRequest* const request = find(ticket);
    if (request == nullptr) {
        return Status::gone;
    }
    if (request->reply.form != Form::none) {
        return Status::malformed;
    }
    const uint32_t before = request->fields_size;
    Status status = Status::ok;
    for (const Field& field : fields) {
        status = status == Status::ok ? append_field(*request, field.name, field.value) : status;
    }
    const std::span<char> room = buffer_of(*request).subspan(request->fields_size);
    const size_t least = reply.form == Form::pushed ? 1 : body.size();
    if (status != Status::ok || least > room.size()) {
        request->fields_size = before;
        return Status::too_large;
    }
    std::copy(body.begin(), body.end(), room.begin());
    request->size = static_cast<uint32_t>(body.size());
    request->reply = reply;
    if (reply.form != Form::given) {
        announce(*request);
    }
    return Status::ok;
}

Result<size_t> KeptRequests::write(Ticket ticket, std::span<const char> bytes) {
    const Lock lock(&mutex_);
    KeptRequest* const request = find(ticket);
    if (request == nullptr) {
        return Status::gone;
    }
    const KeptReply& reply = request->reply;
    if (reply.form != Form::pushed || request->has_ended ||
        (reply.length_known && bytes.size() > reply.length - request->written)) {
        return Status::malformed;
    }
    const std::span<char> ring = buffer_of(*request).subspan(request->fields_size);
    const size_t count = std::min(bytes.size(), ring.size() - request->size);
    for (size_t done = 0; done < count;) {
        const size_t at = (request->begin + request->size) % ring.size();
        const size_t piece = std::min(count - done, ring.size() - at);
        memcpy(ring.data() + at, bytes.data() + done, piece);
        request->size += static_cast<uint32_t>(piece);
        done += piece;
    }
    request->written += count;
    request->wants_room = request->wants_room || count < bytes.size();
    if (count == 0 && !bytes.empty()) {
        return Status::again;
    }
    announce(*request);
    return count;
}

Status KeptRequests::end(Ticket ticket) {
    const Lock lock(&mutex_);
    KeptRequest* const request = find(ticket);
    if (request == nullptr) {
        return Status::gone;
    }
    if (request->reply.form != Form::pushed || request->has_ended) {
        return Status::malformed;
    }
    request->has_ended = true;
    announce(*request);
    return Status::ok;
}

Status KeptRequests::wake(Ticket ticket) {
    const Lock lock(&mutex_);
    KeptRequest* const request = find(ticket);
    if (request == nullptr) {
        return Status::gone;
    }
    announce(*request);
    return Status::ok;
}

KeptRequest* KeptRequests::take(http::Connection& connection) {
    const Lock lock(&mutex_);
    KeptRequest* const request = pool_.take();
    if (request == nullptr) {
        return nullptr;
    }
    request->connection = &connection;
    request->kept = this;
    request->context = nullptr;
    request->notice = nullptr;
    request->receive = nullptr;
    request->pull = nullptr;
    request->then = HostHandler();
    request->reply = KeptReply();
    request->fields_size = request->begin = request->size = 0;
    request->written = 0;
    request->has_ended = request->wants_room = request->has_news = false;
    return request;
}

void KeptRequests::give_back(KeptRequest& request, KeptNews news) {
    KeptRequest ended;
    {
        // A reply may be given just now: its descriptor is seen here, or its giver is told that the request is gone.
        const Lock lock(&mutex_);
        ended = request;
        pool_.give_back(request);
    }
    if (ended.reply.fd >= 0) {
        close(ended.reply.fd);
    }
    tell(ended, news);
}

KeptReply KeptRequests::look(KeptRequest& request) {
    const Lock lock(&mutex_);
    return request.reply;
}

// Once a reply is given, nobody changes its fields or a whole body; one that is pushed may be written on meanwhile.
void KeptRequests::fill(KeptRequest& request, Reply& reply) {
    const Lock lock(&mutex_);
    const char* const fields = buffer_of(request).data();
    reply.packed_fields = {fields, request.fields_size};
    reply.memory = {fields + request.fields_size, request.size};
}

ptrdiff_t KeptRequests::read(KeptRequest& request, std::span<char> room) {
    size_t count = 0;
    bool has_room = false;
    bool is_over = false;
    bool is_cut = false;
    {
        const Lock lock(&mutex_);
        const std::span<char> ring = buffer_of(request).subspan(request.fields_size);
        while (count < room.size() && request.size > 0) {
            const size_t piece = std::min({room.size() - count, size_t{request.size}, ring.size() - request.begin});
            memcpy(room.data() + count, ring.data() + request.begin, piece);
            request.begin = static_cast<uint32_t>((request.begin + piece) % ring.size());
            request.size -= static_cast<uint32_t>(piece);
            count += piece;
        }
        is_over = request.has_ended && request.size == 0;
        is_cut = request.reply.length_known && request.written < request.reply.length;
        has_room = request.wants_room && request.size <= ring.size() / 2;
        request.wants_room = request.wants_room && !has_room;
    }
    if (has_room) {
        tell(request, KeptNews::room);
    }
    if (count > 0) {
        return static_cast<ptrdiff_t>(count);
    }
    if (!is_over) {
        return 0;
    }
    return is_cut ? BodyReader::failed : BodyReader::end;
}

void KeptRequests::wake_those_with_news() {
    const Lock lock(&mutex_);
    for (KeptRequest& request : pool_.all()) {
        if (request.live && request.has_news) {
            request.has_news = false;
            request.connection->engine->wake(*request.connection);
        }
    }
}

void KeptRequests::tell_of_stop() {
    is_stopping_ = true;
    for (const KeptRequest& request : pool_.all()) {
        if (request.live) {
            tell(request, KeptNews::stopping);
        }
    }
}

void KeptRequests::tell_of_stop_behind(Handle kept) {
    if (!is_stopping_) {
        return;
    }
    if (const KeptRequest* const request = find(kept); request != nullptr) {
        tell(*request, KeptNews::stopping);
    }
}

void KeptRequests::tell(const KeptRequest& request, KeptNews news) const {
    if (request.notice != nullptr) {
        request.notice(request.context, ticket_of(request), static_cast<int>(news));
    }
}

}  // namespace fcgate::server
