// The part of Dispatcher for the host's handlers. Nothing else leads here but HostOps, so a program without handlers links none of it.
#include <algorithm>
#include <cstring>

#include "http/reason.hpp"
#include "http/status_page.hpp"
#include "server/dispatcher.hpp"

namespace fcgate::server {

const HostOps& Dispatcher::host_ops() {
    static constexpr HostOps ops = {
        .begin = [](Dispatcher& self, http::Connection& connection, const RequestHead& head, Reply& reply,
                    http::Outcome& outcome) { return self.begin_host(connection, head, reply, outcome); },
        .body = [](Dispatcher& self, http::Connection& connection,
                   std::span<const char> bytes) { return self.host_body(connection, bytes); },
        .poll = [](Dispatcher& self, http::Connection& connection,
                   Reply& reply) { return self.poll_host(connection, reply); },
        .done =
            [](Dispatcher& self, http::Connection& connection) {
                KeptRequest* const call = self.kept().find(connection.kept);
                connection.kept = Handle();
                if (call != nullptr) {
                    const bool is_sent = connection.sent_all && !connection.is_replaced;
                    self.kept().give_back(*call, is_sent ? KeptNews::sent : KeptNews::lost);
                }
            },
        .params = [](const Dispatcher& self, const http::Connection& connection, std::span<const Pair> configured,
                     std::span<Pair> room) { return self.host_params(connection, configured, room); },
        .on_news = [](Dispatcher& self) { self.kept().wake_those_with_news(); },
        .on_stop = [](Dispatcher& self) { self.kept().tell_of_stop(); },
    };
    return ops;
}

// The hook, then the handler of the path. False: the request passes.
bool Dispatcher::begin_host(http::Connection& connection, const RequestHead& head, Reply& reply,
                            http::Outcome& outcome) {
    const std::span<char> room = setup_.path_scratch.first(setup_.path_scratch.size() - 1);
    const Result<std::string_view> path = route::normalise_path(route_.target.path, room);
    if (!path.ok()) {
        return false;  // decide() says why
    }
    setup_.path_scratch[path.value().size()] = '\0';
    if (!params_of(connection).empty()) {
        params_of(connection).front() = '\0';
    }
    const HostHandler* const handler = setup_.common->endpoints.find(path.value());
    bool is_taken = false;
    if (const HostHandler* const hook = setup_.common->endpoints.hook(); hook != nullptr) {
        is_taken = call_host(connection, head, *hook, path.value(), nullptr, reply);
    }
    if (!is_taken && handler != nullptr) {
        if (head.content_length > site_settings().max_body) {
            refuse(connection, reply, 413, "the body is larger than `max_body`"_p);
            return true;
        }
        is_taken = call_host(connection, head, *handler, path.value(), nullptr, reply);
    }
    if (!is_taken) {
        return false;
    }
    setup_.kept->tell_of_stop_behind(connection.kept);
    if (reply.status == 0) {
        outcome = poll_host(connection, reply);
    }
    // What refuses the request need not read its body.
    reply.after_body = reply.status < 400 && (head.content_length > 0 || head.is_chunked);
    return true;
}

// True when it has answered or kept the request: then `reply` is made, or its status is 0. False when it passes. `call`: it is kept already,
// and whole.
bool Dispatcher::call_host(http::Connection& connection, const RequestHead& head, const HostHandler& handler,
                           std::string_view path, KeptRequest* call, Reply& reply) {
    const bool is_hook = &handler == setup_.common->endpoints.hook();
    TextBuffer text(setup_.text_scratch);
    Text<64> client;
    head.client.print_address(client);
    const std::string_view query = route_.target.query.empty() ? "" : route_.target.query;
    HostRequest request{.connection = connection,
                        .head = head,
                        .reply = reply,
                        .engine = *setup_.engine,
                        .kept = *setup_.kept,
                        .mime = setup_.common->mime,
                        .root = site_of(connection, route_.site).root,
                        .site = static_cast<uint32_t>(route_.site),
                        .params = params_of(connection),
                        .text = text,
                        .path = path,
                        .query = route_.target.has_query ? query.data() : nullptr,
                        .client = client.c_str(),
                        .is_whole = call != nullptr,
                        .call = call};
    handler.call(handler.function, handler.context, request);
    if (request.has_replied) {
        return true;
    }
    reply.clear();
    if (request.call != nullptr) {
        return true;
    }
    if (request.is_passed || (is_hook && !request.lacks_room)) {
        return false;
    }
    refuse(connection, reply, request.lacks_room ? 503 : 500,
           request.lacks_room ? "no more requests can be kept"_p : "the host's handler gave no reply"_p);
    return true;
}

size_t Dispatcher::host_body(http::Connection& connection, std::span<const char> bytes) {
    constexpr int least = 400;
    constexpr int most = 599;
    KeptRequest* const call = setup_.kept->find(connection.kept);
    if (call == nullptr || call->receive == nullptr || setup_.kept->look(*call).form != KeptReply::Form::none) {
        return bytes.size();
    }
    ptrdiff_t result = 0;
    if (bytes.size() > settings_of(connection, call->site).max_body - connection.body_seen) {
        result = -413;
    } else {
        result = call->receive(call->context, bytes.data(), bytes.size());
    }
    if (result >= 0) {
        return std::min(static_cast<size_t>(result), bytes.size());
    }
    const auto status = static_cast<uint16_t>(-result >= least && -result <= most ? -result : 500);
    log_refusal(connection, LogLevel::info, status, "its body was refused by the host"_p, http::code_of(status));
    setup_.engine->refuse_rest(connection, status);
    return bytes.size();
}

// Of a request that is kept: is there a reply?
http::Outcome Dispatcher::poll_host(http::Connection& connection, Reply& reply) {
    KeptRequest* const call = setup_.kept->find(connection.kept);
    if (call == nullptr) {
        http::reply_with_status(reply, 500);
        return http::Outcome::reply;
    }
    const bool is_whole = connection.stage != http::Connection::Stage::body;
    if (is_whole && call->then.call != nullptr && setup_.kept->look(*call).form == KeptReply::Form::none) {
        const HostHandler then = call->then;
        call->then = HostHandler();
        const RequestHead& head = setup_.engine->head(connection);
        routed_for_ = nullptr;
        route_.site = call->site;
        route_.target = route::Target();
        // Both were right when the head came.
        (void)route::split_target(head.target, route_.target);
        const std::span<char> room = setup_.path_scratch.first(setup_.path_scratch.size() - 1);
        const Result<std::string_view> path = route::normalise_path(route_.target.path, room);
        setup_.path_scratch[path.ok() ? path.value().size() : 0] = '\0';
        (void)call_host(connection, head, then, path.ok() ? path.value() : "", call, reply);
        if (reply.status != 0) {
            return http::Outcome::reply;
        }
    }
    return reply_kept(*call, reply);
}

http::Outcome Dispatcher::reply_kept(KeptRequest& call, Reply& reply) {
    const KeptReply given = call.kept->look(call);
    if (given.form == KeptReply::Form::none || given.form == KeptReply::Form::given) {
        return http::Outcome::wait;
    }
    call.kept->fill(call, reply);
    reply.status = given.status;
    reply.length = given.length;
    reply.length_known = given.length_known;
    switch (given.form) {
        case KeptReply::Form::file:
            reply.body = Reply::Body::file;
            reply.fd = given.fd;
            reply.offset = given.offset;
            call.reply.fd = -1;  // the reply's now
            break;
        case KeptReply::Form::pushed:
            reply.body = Reply::Body::stream;
            reply.reader.context = &call;
            reply.reader.read = [](void* context, std::span<char> room) {
                auto* const pushed = static_cast<KeptRequest*>(context);
                return pushed->kept->read(*pushed, room);
            };
            break;
        case KeptReply::Form::none:
        case KeptReply::Form::given:
        case KeptReply::Form::whole:
            reply.body = Reply::Body::memory;
            break;
    }
    return http::Outcome::reply;
}

std::span<const Pair> Dispatcher::host_params(const http::Connection& connection, std::span<const Pair> configured,
                                              std::span<Pair> room) const {
    const std::span<const char> text = params_of(connection);
    size_t count = configured.size();
    std::copy(configured.begin(), configured.end(), room.begin());
    for (const char* at = text.data(); !text.empty() && *at != '\0' && count < room.size(); ++count) {
        const std::string_view name = at;
        const std::string_view value = name.data() + name.size() + 1;
        room[count] = {name, value};
        at = value.data() + value.size() + 1;
    }
    return room.first(count);
}

}  // namespace fcgate::server
