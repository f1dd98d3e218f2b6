// Owns: the C ABI of handlers: setting them, and a request while one has it.
// Borrows: the request, until the handler returns.
// Must not touch: the server's life cycle.
#include "api/objects.hpp"
#include "api/report.hpp"
#include "server/kept_requests.hpp"

using fcgate::Reply;
using fcgate::Status;
using fcgate::api::is_own_field;
using fcgate::api::is_part;
using fcgate::api::is_reply;
using fcgate::api::is_variable;
using fcgate::api::result_of;
using fcgate::server::Dispatcher;
using fcgate::server::HostHandler;
using fcgate::server::HostRequest;

namespace {

[[nodiscard]] HostRequest& request_of(fcgate_request* request) {
    return *reinterpret_cast<HostRequest*>(request);
}

[[nodiscard]] const HostRequest& request_of(const fcgate_request* request) {
    return *reinterpret_cast<const HostRequest*>(request);
}

// The handler in the ABI's own type.
[[nodiscard]] HostHandler host_handler(fcgate_handler handler, void* context) {
    HostHandler host;
    host.call = [](void (*function)(), void* handler_context, HostRequest& request) {
        const auto typed = reinterpret_cast<fcgate_handler>(function);
        typed(handler_context, reinterpret_cast<fcgate_request*>(&request));
    };
    host.function = reinterpret_cast<void (*)()>(handler);
    host.context = context;
    return host;
}

[[nodiscard]] int give(HostRequest& request, unsigned status, const char* content_type, Reply& reply) {
    reply.status = static_cast<uint16_t>(status);
    if (content_type != nullptr) {
        (void)reply.add_field("Content-Type", fcgate::trim(content_type));
    }
    return result_of(request.give(reply));
}

[[nodiscard]] bool may_set(const fcgate_server* server, fcgate_handler handler) {
    return server != nullptr && handler != nullptr && server->mode == fcgate_server::Mode::created;
}

}  // namespace

int fcgate_handle(fcgate_server* server, const char* prefix, fcgate_handler handler, void* context) {
    if (prefix == nullptr || !may_set(server, handler)) {
        return FCGATE_INVALID;
    }
    return result_of(server->server.endpoints().add(prefix, host_handler(handler, context), Dispatcher::host_ops()));
}

int fcgate_on_request(fcgate_server* server, fcgate_handler hook, void* context) {
    if (!may_set(server, hook)) {
        return FCGATE_INVALID;
    }
    return result_of(server->server.endpoints().set_hook(host_handler(hook, context), Dispatcher::host_ops()));
}

int fcgate_on_finished(fcgate_server* server, fcgate_finished_callback callback, void* context) {
    if (server == nullptr || callback == nullptr || server->mode != fcgate_server::Mode::created ||
        server->finished != nullptr) {
        return FCGATE_INVALID;
    }
    server->finished = callback;
    server->finished_context = context;
    fcgate::FinishedSink sink;
    sink.context = server;
    sink.call = [](void* own, const fcgate::Finished& request) {
        const auto* const told = static_cast<const fcgate_server*>(own);
        if (!request.is_answered) {
            return;
        }
        fcgate::Text<64> client;
        request.asker.print_address(client);
        const fcgate_finished finished = {client.c_str(),    request.method.data(),    request.target.data(),
                                          request.status,    request.is_whole ? 1 : 0, request.bytes,
                                          request.request_ms};
        told->finished(told->finished_context, &finished);
    };
    return server->server.finished().add(sink) ? FCGATE_OK : FCGATE_INVALID;
}

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

int fcgate_request_field(const fcgate_request* request, size_t index, const char** name, const char** value) {
    const std::span<const fcgate::Field> fields = request_of(request).head.fields;
    if (index >= fields.size()) {
        return FCGATE_GONE;
    }
    *name = fields[index].name.data();
    *value = fields[index].value.data();
    return FCGATE_OK;
}

const char* fcgate_request_client(const fcgate_request* request) {
    return request_of(request).client;
}

long long fcgate_request_length(const fcgate_request* request) {
    const fcgate::RequestHead& head = request_of(request).head;
    return head.is_chunked ? FCGATE_UNKNOWN : static_cast<long long>(head.content_length);
}

int fcgate_request_param(fcgate_request* request, const char* name, const char* value) {
    if (name == nullptr || value == nullptr || !is_variable(name)) {
        return FCGATE_INVALID;
    }
    return result_of(request_of(request).add_param(name, value));
}

int fcgate_reply_header(fcgate_request* request, const char* name, const char* value) {
    if (!is_own_field(name, value)) {
        return request_of(request).has_replied ? FCGATE_GONE : FCGATE_INVALID;
    }
    return result_of(request_of(request).add_field(name, fcgate::trim(value)));
}

int fcgate_reply(fcgate_request* request, unsigned status, const char* content_type, const void* body, size_t length) {
    HostRequest& host = request_of(request);
    if (host.is_settled()) {
        return FCGATE_GONE;
    }
    if (!is_reply(status, content_type) || (body == nullptr && length > 0)) {
        return FCGATE_INVALID;
    }
    if (!host.engine.copy_body({static_cast<const char*>(body), length}, false)) {
        return FCGATE_NO_MEMORY;
    }
    Reply reply;
    reply.body = Reply::Body::copied;
    reply.length = length;
    reply.length_known = true;
    return give(host, status, content_type, reply);
}

int fcgate_reply_static(fcgate_request* request, unsigned status, const char* content_type, const void* body,
                        size_t length) {
    HostRequest& host = request_of(request);
    if (host.is_settled()) {
        return FCGATE_GONE;
    }
    if (!is_reply(status, content_type) || (body == nullptr && length > 0)) {
        return FCGATE_INVALID;
    }
    Reply reply;
    reply.body = Reply::Body::memory;
    reply.memory = {static_cast<const char*>(body), length};
    reply.length = length;
    reply.length_known = true;
    return give(host, status, content_type, reply);
}

int fcgate_reply_file(fcgate_request* request, unsigned status, const char* content_type, int fd, long long offset,
                      long long length) {
    HostRequest& host = request_of(request);
    if (host.is_settled()) {
        return FCGATE_GONE;
    }
    if (!is_reply(status, content_type) || !is_part(fd, offset, length)) {
        return FCGATE_INVALID;
    }
    Reply reply;
    reply.body = Reply::Body::file;
    reply.fd = fd;
    reply.offset = static_cast<uint64_t>(offset);
    reply.length = static_cast<uint64_t>(length);
    reply.length_known = true;
    return give(host, status, content_type, reply);
}

int fcgate_reply_path(fcgate_request* request, const char* path) {
    HostRequest& host = request_of(request);
    if (host.is_settled()) {
        return FCGATE_GONE;
    }
    return path == nullptr ? FCGATE_INVALID : result_of(host.give_path(path));
}

int fcgate_reply_pull(fcgate_request* request, unsigned status, const char* content_type, long long length,
                      fcgate_puller puller) {
    HostRequest& host = request_of(request);
    if (!is_reply(status, content_type) || length < FCGATE_UNKNOWN || puller == nullptr || host.call == nullptr) {
        return host.is_settled() ? FCGATE_GONE : FCGATE_INVALID;
    }
    Reply reply;
    reply.length_known = length >= 0;
    reply.length = reply.length_known ? static_cast<uint64_t>(length) : 0;
    const int result = give(host, status, content_type, reply);
    if (result == FCGATE_OK) {
        host.stream(puller);
    }
    return result;
}

int fcgate_pass(fcgate_request* request) {
    HostRequest& host = request_of(request);
    if (!host.is_open() || host.is_whole) {
        return FCGATE_GONE;
    }
    host.is_passed = true;
    return FCGATE_OK;
}

int fcgate_keep(fcgate_request* request, fcgate_notice notice, void* context, fcgate_ticket* ticket) {
    HostRequest& host = request_of(request);
    const Status status = host.keep();
    if (status != Status::ok) {
        return result_of(status);
    }
    host.call->notice = notice;
    host.call->context = context;
    if (ticket != nullptr) {
        *ticket = host.kept.ticket_of(*host.call);
    }
    return FCGATE_OK;
}

int fcgate_receive(fcgate_request* request, fcgate_receiver receiver, fcgate_handler then) {
    const HostRequest& host = request_of(request);
    if (host.has_replied) {
        return FCGATE_GONE;
    }
    if (host.call == nullptr || host.is_whole || host.call->receive != nullptr || receiver == nullptr ||
        then == nullptr) {
        return FCGATE_INVALID;
    }
    host.call->receive = receiver;
    host.call->then = host_handler(then, host.call->context);
    return FCGATE_OK;
}
