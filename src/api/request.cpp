// Owns: the C ABI's view of a request that a handler of the host's has.
// Borrows: the request, until the handler returns.
// Must not touch: the server's life cycle.
#include <cstring>

#include "base/text.hpp"
#include "fcgate/fcgate.h"
#include "http/message.hpp"
#include "server/endpoints.hpp"

using fcgate::Result;
using fcgate::Status;
using fcgate::server::HostRequest;

namespace {

[[nodiscard]] HostRequest& request_of(fcgate_request* request) {
    return *reinterpret_cast<HostRequest*>(request);
}

[[nodiscard]] const HostRequest& request_of(const fcgate_request* request) {
    return *reinterpret_cast<const HostRequest*>(request);
}

// What frames the message is not the handler's.
[[nodiscard]] bool is_framing(std::string_view name) {
    return fcgate::is_hop_by_hop(name) || fcgate::equals_ignore_case(name, "Content-Length") ||
           fcgate::equals_ignore_case(name, "Content-Type");
}

// RFC 9110 section 5.5; the space around it is not part of a value, and may not come from the handler either.
[[nodiscard]] bool is_field_value(std::string_view value) {
    return !fcgate::trim(value).empty() && !fcgate::has_control(value);
}

}  // namespace

const char* fcgate_request_method(const fcgate_request* request) {
    return request_of(request).head.method.data();
}

const char* fcgate_request_path(const fcgate_request* request) {
    return request_of(request).path.data();
}

const char* fcgate_request_query(const fcgate_request* request) {
    return request_of(request).query;
}

const char* fcgate_request_header(const fcgate_request* request, const char* name) {
    for (const fcgate::Field& field : request_of(request).head.fields) {
        if (fcgate::equals_ignore_case(field.name, name)) {
            return field.value.data();
        }
    }
    return nullptr;
}

const char* fcgate_request_client(const fcgate_request* request) {
    return request_of(request).client;
}

int fcgate_reply_header(fcgate_request* request, const char* name, const char* value) {
    HostRequest& host = request_of(request);
    if (host.has_replied) {
        return FCGATE_GONE;
    }
    if (name == nullptr || value == nullptr || !fcgate::is_token(name) || is_framing(name) || !is_field_value(value)) {
        return FCGATE_INVALID;
    }
    const Result<std::string_view> kept_name = host.keep(name);
    const Result<std::string_view> kept_value = host.keep(fcgate::trim(value));
    const bool added = kept_name.ok() && kept_value.ok() && host.reply.add_field(kept_name.value(), kept_value.value());
    return added ? FCGATE_OK : FCGATE_TOO_LARGE;
}

int fcgate_reply(fcgate_request* request, unsigned status, const char* content_type, const void* body, size_t length) {
    HostRequest& host = request_of(request);
    if (host.has_replied) {
        return FCGATE_GONE;
    }
    const bool is_wrong = status < 200 || status > 599 || (body == nullptr && length > 0) ||
                          (content_type != nullptr && !is_field_value(content_type));
    if (is_wrong) {
        return FCGATE_INVALID;
    }
    const std::string_view type = content_type != nullptr ? fcgate::trim(content_type) : std::string_view();
    const Status given = host.give(static_cast<uint16_t>(status), type, {static_cast<const char*>(body), length});
    if (given == Status::too_large) {
        return FCGATE_TOO_LARGE;
    }
    return given == Status::ok ? FCGATE_OK : FCGATE_NO_MEMORY;
}
