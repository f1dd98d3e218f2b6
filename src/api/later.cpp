// Owns: the C ABI of kept requests, for any thread; and what all replies of the host must be.
// Borrows: nothing beyond a call.
// Must not touch: connections.
#include <sys/stat.h>

#include "api/objects.hpp"
#include "api/report.hpp"
#include "server/kept_requests.hpp"

using fcgate::api::result_of;
using fcgate::server::KeptReply;
using fcgate::server::KeptRequests;

namespace fcgate::api {

namespace {

// RFC 9110 section 5.5; the space around it is not part of a value, and may not come from the host either.
[[nodiscard]] bool is_field_value(std::string_view value) {
    return !trim(value).empty() && !has_control(value);
}

}  // namespace

bool is_own_field(const char* name, const char* value) {
    return name != nullptr && value != nullptr && is_token(name) && !is_hop_by_hop(name) &&
           !equals_ignore_case(name, "Content-Length") && !equals_ignore_case(name, "Content-Type") &&
           is_field_value(value);
}

bool is_reply(unsigned status, const char* content_type) {
    return status >= 200 && status <= 599 && (content_type == nullptr || is_field_value(content_type));
}

bool is_variable(std::string_view name) {
    for (const char c : name) {
        const char lower = static_cast<char>(c | 0x20);
        if (!is_digit(c) && (lower < 'a' || lower > 'z') && c != '_') {
            return false;
        }
    }
    return !name.empty() && name != "CONTENT_LENGTH";
}

bool is_part(int fd, long long offset, long long length) {
    struct stat file;
    return offset >= 0 && length >= 0 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && offset <= file.st_size &&
           length <= file.st_size - offset;
}

}  // namespace fcgate::api

namespace {

[[nodiscard]] KeptRequests* kept_of(const fcgate_server* server, fcgate_ticket ticket) {
    fcgate::server::Worker* const holder = server != nullptr ? server->server.holder_of(ticket) : nullptr;
    return holder != nullptr ? &holder->kept() : nullptr;
}

[[nodiscard]] int give(const fcgate_server* server, fcgate_ticket ticket, const KeptReply& reply,
                       const char* content_type, std::span<const char> body) {
    if (!fcgate::api::is_reply(reply.status, content_type)) {
        return FCGATE_INVALID;
    }
    KeptRequests* const kept = kept_of(server, ticket);
    const bool has_type = content_type != nullptr;
    const fcgate::Field type = {"Content-Type", has_type ? fcgate::trim(content_type) : std::string_view()};
    const std::span<const fcgate::Field> fields(&type, has_type ? 1 : 0);
    return kept == nullptr ? FCGATE_GONE : result_of(kept->give(ticket, reply, fields, body));
}

[[nodiscard]] uint16_t status_of(unsigned status) {
    return static_cast<uint16_t>(status > 599 ? 0 : status);
}

}  // namespace

int fcgate_later_header(fcgate_server* server, fcgate_ticket ticket, const char* name, const char* value) {
    KeptRequests* const kept = kept_of(server, ticket);
    if (!fcgate::api::is_own_field(name, value)) {
        return FCGATE_INVALID;
    }
    return kept == nullptr ? FCGATE_GONE : result_of(kept->add_field(ticket, name, fcgate::trim(value)));
}

int fcgate_later_reply(fcgate_server* server, fcgate_ticket ticket, unsigned status, const char* content_type,
                       const void* body, size_t length) {
    if (body == nullptr && length > 0) {
        return FCGATE_INVALID;
    }
    KeptReply reply;
    reply.form = KeptReply::Form::whole;
    reply.status = status_of(status);
    reply.length = length;
    reply.length_known = true;
    return give(server, ticket, reply, content_type, {static_cast<const char*>(body), length});
}

int fcgate_later_file(fcgate_server* server, fcgate_ticket ticket, unsigned status, const char* content_type, int fd,
                      long long offset, long long length) {
    if (!fcgate::api::is_part(fd, offset, length)) {
        return FCGATE_INVALID;
    }
    KeptReply reply;
    reply.form = KeptReply::Form::file;
    reply.status = status_of(status);
    reply.fd = fd;
    reply.offset = static_cast<uint64_t>(offset);
    reply.length = static_cast<uint64_t>(length);
    reply.length_known = true;
    return give(server, ticket, reply, content_type, {});
}

int fcgate_later_begin(fcgate_server* server, fcgate_ticket ticket, unsigned status, const char* content_type,
                       long long length) {
    if (length < FCGATE_UNKNOWN) {
        return FCGATE_INVALID;
    }
    KeptReply reply;
    reply.form = KeptReply::Form::pushed;
    reply.status = status_of(status);
    reply.length_known = length >= 0;
    reply.length = reply.length_known ? static_cast<uint64_t>(length) : 0;
    return give(server, ticket, reply, content_type, {});
}

ptrdiff_t fcgate_later_write(fcgate_server* server, fcgate_ticket ticket, const void* bytes, size_t length) {
    KeptRequests* const kept = kept_of(server, ticket);
    if (kept == nullptr) {
        return FCGATE_GONE;
    }
    if (bytes == nullptr && length > 0) {
        return FCGATE_INVALID;
    }
    const fcgate::Result<size_t> taken = kept->write(ticket, {static_cast<const char*>(bytes), length});
    return taken.ok() ? static_cast<ptrdiff_t>(taken.value()) : result_of(taken.status());
}

int fcgate_later_end(fcgate_server* server, fcgate_ticket ticket) {
    KeptRequests* const kept = kept_of(server, ticket);
    return kept == nullptr ? FCGATE_GONE : result_of(kept->end(ticket));
}

int fcgate_wake(fcgate_server* server, fcgate_ticket ticket) {
    KeptRequests* const kept = kept_of(server, ticket);
    return kept == nullptr ? FCGATE_GONE : result_of(kept->wake(ticket));
}
