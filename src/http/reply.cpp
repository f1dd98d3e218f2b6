// The part of Engine that turns a reply into a response of libmicrohttpd.
#include <microhttpd.h>
#ifdef FCGATE_MHD_TAKES_EVENTS
#include <mhd_polling.h>
#endif
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "http/callbacks.hpp"
#include "http/footprint.hpp"
#include "http/progress.hpp"
#include "http/reason.hpp"
#include "http/status_page.hpp"

namespace fcgate::http {

namespace {

// Status line, Date, Content-Length, Transfer-Encoding, Connection.
constexpr size_t automatic_fields = 256;

ssize_t read_nothing(void* /*context*/, uint64_t /*position*/, char* /*buffer*/, size_t /*size*/) {
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

// A head that tells the length of a body which is not sent; but a 304 need not (RFC 9110 section 15.4.5), and some clients would then
// wait for the body. 0.9.x cannot leave it out.
[[nodiscard]] MHD_Response* make_bodiless(const Reply& reply) {
    constexpr uint16_t not_modified = 304;
    const bool keeps_silent = MHD_VERSION >= 0x01000000 && reply.status == not_modified;
    if (reply.length_known && !keeps_silent) {
        return MHD_create_response_from_callback(reply.length, 1, &read_nothing, nullptr, nullptr);
    }
#if MHD_VERSION >= 0x01000000
    MHD_Response* const response = MHD_create_response_from_buffer(0, nullptr, MHD_RESPMEM_PERSISTENT);
    if (response != nullptr) {
        (void)MHD_set_response_options(response, MHD_RF_HEAD_ONLY_RESPONSE, MHD_RO_END);
    }
    return response;
#else
    // Else it would say that the body is chunked, and send the end of one.
    MHD_Response* const response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1, &read_nothing, nullptr, nullptr);
    if (response != nullptr) {
        (void)MHD_set_response_options(response, MHD_RF_HTTP_VERSION_1_0_ONLY, MHD_RO_END);
    }
    return response;
#endif
}

#ifdef FCGATE_MHD_TAKES_EVENTS
// Fields as they will stand in the head.
class Joined {
  public:
    explicit Joined(std::span<char> room) : room_(room) {}
    [[nodiscard]] bool add(const Field& field) {
        const size_t needed = field.name.size() + field.value.size() + 4;
        if (needed > room_.size() - size_) {
            return false;
        }
        name_size_ = size_ == 0 ? field.name.size() : name_size_;
        put(field.name);
        put(": ");
        put(field.value);
        put("\r\n");
        return true;
    }
    [[nodiscard]] std::span<char> rest() const { return room_.subspan(size_); }
    [[nodiscard]] bool give(MHD_Response* response, bool is_heeded = false) const {
        const auto add = is_heeded ? mhd_polling_add_heeded : mhd_polling_add_fields;
        return size_ == 0 || add(response, room_.data(), name_size_, size_) == MHD_YES;
    }

  private:
    void put(std::string_view text) {
        memcpy(room_.data() + size_, text.data(), text.size());
        size_ += text.size();
    }

    std::span<char> room_;
    size_t size_ = 0;
    size_t name_size_ = 0;  // of the first
};
#endif

// libmicrohttpd copies the list, not what it points to.
[[nodiscard]] MHD_Response* make_page(uint16_t status) {
    const PagePieces pieces = status_page(status);
    std::array<MHD_IoVec, pieces.size()> parts{};
    for (size_t i = 0; i < pieces.size(); ++i) {
        parts[i] = {pieces[i].data(), pieces[i].size()};
    }
    return MHD_create_response_from_iovec(parts.data(), parts.size(), nullptr, nullptr);
}

[[nodiscard]] MHD_Response* make_pieces(const Reply& reply) {
    std::array<std::span<const char>, limits::reply_pieces> pieces;
    std::array<MHD_IoVec, limits::reply_pieces> parts;
    const size_t count = reply.reader.pieces(reply.reader.context, pieces);
    for (size_t i = 0; i < count; ++i) {
        parts[i] = {pieces[i].data(), pieces[i].size()};
    }
    return MHD_create_response_from_iovec(parts.data(), static_cast<unsigned>(count), nullptr, nullptr);
}

// 0.9.x takes LF alone for the end of a line around chunks: who has read the request before may have found another end of it, and another
// request behind that.
[[nodiscard]] bool is_read_loosely(const Connection& connection) {
    return MHD_VERSION < 0x01000000 &&
           MHD_lookup_connection_value(connection.mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING) != nullptr;
}

}  // namespace

bool Engine::copy_body(std::span<const char> body, bool is_counted) {
    if (copied_ != nullptr) {
        MHD_destroy_response(copied_);
    }
    // Copied by libmicrohttpd: whoever made it may lose it before the reply is queued.
    copied_ = MHD_create_response_from_buffer(body.size(), const_cast<char*>(body.data()), MHD_RESPMEM_MUST_COPY);
    copied_size_ = copied_ != nullptr && is_counted ? heap_block(body.size()) : 0;
    return copied_ != nullptr;
}

MHD_Response* Engine::make_response(const Reply& reply, Connection& connection) {
    switch (reply.body) {
        case Reply::Body::none:
            break;
        case Reply::Body::ready:
            return ready_.find(reply.ready_name);
        case Reply::Body::page:
            return make_page(reply.status);
        case Reply::Body::memory:
            return MHD_create_response_from_buffer(reply.memory.size(), const_cast<char*>(reply.memory.data()),
                                                   MHD_RESPMEM_PERSISTENT);
        case Reply::Body::copied:
            copied_size_ = 0;
            return std::exchange(copied_, nullptr);
        case Reply::Body::pieces:
            return make_pieces(reply);
        case Reply::Body::file:
            return MHD_create_response_from_fd_at_offset64(reply.length, reply.fd, reply.offset);
        case Reply::Body::stream:
            // Chunks are read into the connection's own memory, and nothing into the response's. HTTP/1.0 knows no chunks.
            return MHD_create_response_from_callback(
                reply.length_known ? reply.length : MHD_SIZE_UNKNOWN,
                reply.length_known || connection.is_http_1_0 ? limits::stream_block : 1, &Callbacks::on_read,
                &connection, nullptr);
    }
    return MHD_create_response_from_buffer(0, nullptr, MHD_RESPMEM_PERSISTENT);
}

// What a reply that is not sent as it is would leave behind.
void Engine::drop_body(Reply& reply) {
    if (reply.fd >= 0) {
        close(reply.fd);
        reply.fd = -1;
    }
    if (copied_ != nullptr) {
        MHD_destroy_response(copied_);
        copied_ = nullptr;
        copied_size_ = 0;
    }
}

// The memory that libmicrohttpd takes for the reply's fields and copied body, as far as it is more than every reply may take. False when the
// others have left too little.
bool Engine::take_fields(Connection& connection, size_t fields) {
    const size_t beyond = (fields > guaranteed_fields_ ? fields - guaranteed_fields_ : 0) + copied_size_;
    if (beyond > shared_left_) {
        return false;
    }
    shared_left_ -= beyond;
    connection.fields_beyond = static_cast<uint32_t>(beyond);
    return true;
}

void Engine::give_back_fields(Connection& connection) {
    shared_left_ += connection.fields_beyond;
    connection.fields_beyond = 0;
}

// Under its name it must not say anything of this connection alone. Only the bundled library keeps the fields in one block.
bool Engine::may_keep(const Reply& reply, const FieldsSize& fields) const {
    return takes_events && reply.ready_name != 0 && !stopping_ && !reply.close && fields.text <= limits::ready_fields;
}

bool Engine::queue(Connection& connection, Reply& reply) {
    const bool is_ready = reply.body == Reply::Body::ready;  // then it has its fields
    const FieldsSize fields = size_of(reply.all_fields());
    uint16_t instead = 0;
    if (const size_t size = automatic_fields + fields.text; size > setup_.settings->server.connection_memory / 2) {
        // libmicrohttpd would close the connection without a word.
        instead = 502;
        log_as(connection, instead, code_of(instead),
               pattern::packed<"the reply's head of % bytes is larger than half of `connection_memory`", size_t>(),
               pattern::passed(size));
    } else if (!take_fields(connection, fields.memory)) {
        instead = 503;
        log_refusal(connection, instead, "too many replies with large heads, or lists of folders, are under way"_p);
    }
    connection.is_replaced = instead != 0;
    if (connection.is_replaced) {
        drop_body(reply);
        reply_with_status(reply, instead);
    }
    const bool bodiless = connection.is_head || reply.status == 304;
    if (bodiless) {
        drop_body(reply);
    }
    const bool unknown = bodiless && !reply.length_known;
    MHD_Response* response = bodiless && !is_ready ? make_bodiless(reply) : make_response(reply, connection);
    if (response == nullptr) {
        log_end(connection, "no memory for its reply"_p, reason_code("no-memory"));
        drop_body(reply);
        return false;
    }
    // 0.9.x tells the end of a body of unknown length by closing, also of one that is not sent.
    const bool must_close =
        !is_ready && (reply.close || stopping_ || (unknown && MHD_VERSION < 0x01000000) || is_read_loosely(connection));
    const bool good = (!must_close || add_field(response, {"Connection", "close"}, setup_.field_scratch)) &&
                      add_fields(response, reply.all_fields());
    connection.reader = reply.body == Reply::Body::stream ? reply.reader : BodyReader();
    note_reply(connection, reply, bodiless || status_has_no_body(reply.status));
    connection.has_refusal = reply.is_refusal;
    const bool is_file = !bodiless && reply.body == Reply::Body::file;
    const int file_fd = is_ready ? ready_.file_of(reply.ready_name) : is_file ? reply.fd : -1;
    connection.file_fd = good ? file_fd : -1;
    connection.file_end = reply.offset + reply.length;
    connection.file = reply.file;
    if (good && connection.stage == Connection::Stage::body && reply.after_body) {
        connection.held = response;
        connection.held_status = reply.status;
        return true;
    }
    // In front of a body it is refused.
    connection.refused = connection.refused || connection.stage == Connection::Stage::body;
    if (!good) {
        MHD_destroy_response(std::exchange(response, nullptr));
    }
    const bool is_kept = good && (is_ready || (!connection.is_head && may_keep(reply, fields)));
    if (is_kept && !is_ready) {
        ready_.keep(reply.ready_name, response, file_fd);
    }
    return send(connection, reply.status, response, is_kept);
}

// For Finished. What comes through a reader is counted there.
void Engine::note_reply(Connection& connection, const Reply& reply, bool is_bodiless) {
    Trace& trace = connection.trace;
    if (reply.body == Reply::Body::page && trace.cause.empty() && trace.backend.code.empty()) {
        // Nothing that fcgate refuses is without a line and a code.
        log_refusal(connection, reply.status, "answered with a page of its own"_p);
    }
    const bool is_stream = reply.body == Reply::Body::stream;
    trace.length = is_bodiless || is_stream ? 0 : reply.length;
    // What a socket takes at once needs no measuring.
    constexpr uint64_t least_measured = 16384;
    if (trace.length > least_measured && is_listened_to()) {
        const SendProgress progress = send_progress(connection.fd);
        trace.is_measured = progress.is_count;
        trace.socket_sent = progress.bytes;
    }
}

// libmicrohttpd does not tell how much of a reply it has sent. Of one that was cut off it is what the client's side has taken of the
// connection meanwhile, as far as that is known.
uint64_t Engine::sent_bytes(const Connection& connection) {
    const Trace& trace = connection.trace;
    if (trace.length == 0 || connection.sent_all) {
        return trace.length + trace.sent;
    }
    const SendProgress progress = trace.is_measured ? send_progress(connection.fd) : SendProgress();
    return progress.is_count && progress.bytes > trace.socket_sent
               ? std::min(trace.length, progress.bytes - trace.socket_sent)
               : 0;
}

// Takes the response unless it is kept. nullptr: it could not be made.
bool Engine::send(Connection& connection, uint16_t status, MHD_Response* response, bool is_kept) {
    enter(connection, Connection::Stage::replying);
    connection.trace.status = status;
#ifdef FCGATE_MHD_TAKES_EVENTS
    // Its client may have sent more behind what is dropped then: it shall read the reply all the same.
    connection.refused =
        (response != nullptr && mhd_polling_make_room(connection.mhd, response) != 0) || connection.refused;
#endif
    const bool good = response != nullptr && MHD_queue_response(connection.mhd, status, response) == MHD_YES;
    if (response != nullptr && !is_kept) {
        MHD_destroy_response(response);
    }
    if (!good) {
        log_end(connection, "libmicrohttpd refused its reply"_p, reason_code("refused"));
        return false;
    }
    note_answer(connection, status, connection.has_refusal);
    start_pace(connection, setup_.clock->now());
    return true;
}

bool Engine::send_held(Connection& connection) {
    return send(connection, connection.held_status, std::exchange(connection.held, nullptr));
}

void Engine::drop_held(Connection& connection) {
    if (connection.held != nullptr) {
        MHD_destroy_response(std::exchange(connection.held, nullptr));
    }
}

#ifdef FCGATE_MHD_TAKES_EVENTS

bool Engine::add_field(MHD_Response* response, const Field& field, std::span<char> room) {
    Joined joined(room);
    return joined.add(field) && joined.give(response, true);
}

// Those that mean nothing to libmicrohttpd in one piece: it would take them as they are, and do no more with them than send them. Of the others there
// are "Connection: close" of our own and Date: is_hop_by_hop() and the rules for those who add fields leave no more.
bool Engine::add_fields(MHD_Response* response, FieldCursor fields) {
    static constexpr std::string_view unknown[] = {"Content-Length", "Transfer-Encoding"};
    static constexpr std::string_view heeded[] = {"Connection", "Date"};
    Joined joined(setup_.field_scratch);
    for (Field field; fields.next(field);) {
        const bool is_good = is_token(field.name) && !field.value.empty() && !has_control(field.value) &&
                             !is_one_of(field.name, unknown);
        if (!is_good ||
            !(is_one_of(field.name, heeded) ? add_field(response, field, joined.rest()) : joined.add(field))) {
            return false;
        }
    }
    return joined.give(response);
}

#else

bool Engine::add_field(MHD_Response* response, const Field& field, std::span<char> room) {
    const size_t needed = field.name.size() + field.value.size() + 2;
    if (needed > room.size()) {
        return false;
    }
    char* const name = room.data();
    char* const value = name + field.name.size() + 1;
    memcpy(name, field.name.data(), field.name.size());
    name[field.name.size()] = '\0';
    memcpy(value, field.value.data(), field.value.size());
    value[field.value.size()] = '\0';
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

bool Engine::add_fields(MHD_Response* response, FieldCursor fields) {
    for (Field field; fields.next(field);) {
        if (!add_field(response, field, setup_.field_scratch)) {
            return false;
        }
    }
    return true;
}

#endif

ptrdiff_t Engine::read_body(Connection& connection, std::span<char> room) {
    if (aborting_) {
        return BodyReader::failed;
    }
    for (;;) {
        connection.woken = false;
        const ptrdiff_t count = connection.reader.read(connection.reader.context, room);
        connection.trace.sent += count > 0 ? static_cast<uint64_t>(count) : 0;
        if (count != 0 || is_left(connection)) {
            setup_.counts->sent.add(count > 0 ? static_cast<uint64_t>(count) : 0);
            return count != 0 ? count : BodyReader::failed;
        }
        if (!connection.woken) {
            // A reader that returns nothing without suspending would spin.
            suspend(connection);
            return 0;
        }
    }
}

}  // namespace fcgate::http
