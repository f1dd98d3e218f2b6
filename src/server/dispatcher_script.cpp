// The part of Dispatcher that leads a request to a script and its answer back.
#include "base/features.hpp"
#include "fastcgi/environment.hpp"
#include "http/reason.hpp"
#include "http/status_page.hpp"
#include "server/dispatcher.hpp"

namespace fcgate::server {

namespace {

constexpr std::string_view server_software = "fcgate/" FCGATE_BUILD_VERSION;

}  // namespace

http::Outcome Dispatcher::begin_script(http::Connection& connection, const RequestHead& head, Reply& reply) {
    const SiteSettings& site = site_settings();
    if (!site.has_backend) {
        refuse(connection, reply, 503, "a script, but no backend is configured"_p, http::reason_code("no-backend"));
        return http::Outcome::reply;
    }
    if (!may_run(connection, reply)) {
        return http::Outcome::reply;
    }
    if (head.is_chunked) {
        if constexpr (has_spool) {
            if (!site.spool.empty()) {
                return begin_spooling(connection, reply);
            }
        }
        refuse(connection, reply, 411, "a chunked body (see `spool`)"_p);
        return http::Outcome::reply;
    }
    if (head.content_length > site.max_body) {
        refuse(connection, reply, 413, "the body is larger than `max_body`"_p);
        return http::Outcome::reply;
    }
    return open_exchange(connection, head, head.content_length, memo_of_route(), reply);
}

bool Dispatcher::may_run(http::Connection& connection, Reply& reply) {
    if (route_.is_known) {
        return true;
    }
    const route::Decision& decision = route_.decision;
    const Status status = known_files_.check(*route_.root, decision.script_name, decision.script_file);
    if (status == Status::ok) {
        known_scripts_.keep(*route_.root, route_.target.path, decision, setup_.clock->now());
    } else if (status == Status::denied) {
        refuse(connection, reply, 403, "a link leads to the script out of the root (see `links_to`)"_p);
    } else if (status == Status::not_found) {
        refuse(connection, reply, 404, "the script is gone since it was found"_p);
    } else if (status != Status::ok) {
        refuse(connection, reply, 503, "no descriptor or memory is left to look for the script"_p);
    }
    return status == Status::ok;
}

http::Outcome Dispatcher::open_exchange(http::Connection& connection, const RequestHead& head, uint64_t body_length,
                                        const route::ScriptMemo& memo, Reply& reply) {
    const SiteSettings& site = site_settings();
    static constexpr fastcgi::OwnerCalls calls{
        .wake =
            [](void* context) {
                auto* const woken = static_cast<http::Connection*>(context);
                woken->engine->wake(*woken);
            },
        .write_params =
            [](void* handler, void* context, fastcgi::ParamsWriter& out) {
                return static_cast<Dispatcher*>(handler)->write_params(*static_cast<http::Connection*>(context), out);
            },
        .describe =
            [](void* handler, void* context, TextBuffer& out) {
                static_cast<const Dispatcher*>(handler)->describe(*static_cast<const http::Connection*>(context), out);
            },
        .name_script =
            [](void* handler, void* context, TextBuffer& out) {
                static_cast<Dispatcher*>(handler)->name_script(*static_cast<http::Connection*>(context), out);
            }};
    if (setup_.engine->is_listened_to()) {
        const BackendSettings& backend = configuration_of(connection).settings->backends[site.backend_number];
        connection.trace.backend.name = backend.name.empty() ? backend.address : backend.name;
        connection.trace.backend.is_timed = true;
    }
    const fastcgi::ExchangeStart start{
        .backend = configuration_of(connection).gates[site.backend_number],
        .connection = connection.slot,
        .trace = &connection.trace.backend,
        .owner = {&calls, this, &connection},
        .site = static_cast<uint32_t>(route_.site),
        .script_memo = memo.pack(),
        .client_key = head.client.client_key(),
        .body_length = body_length,
        .body_is_here = head.is_chunked,  // in the spool
        .is_safe = is_safe(head.method),
        .is_head = connection.is_head,
        .wants_stream = starts_with_ignore_case(head.field("Accept"), "text/event-stream"),
        .takes_early = false};
    fastcgi::Exchange* const exchange = setup_.upstream->open(start);
    if (exchange == nullptr) {
        const fastcgi::FaultText fault = fastcgi::text_of(fastcgi::Fault::exchanges_full);
        setup_.upstream->count(start.backend, fastcgi::Fault::exchanges_full);
        refuse(connection, reply, fault.status, fault.words, fault.code);
        return http::Outcome::reply;
    }
    connection.exchange = SlotPool<fastcgi::Exchange>::handle(*exchange);
    setup_.upstream->begin(*exchange);
    return poll(connection, reply);
}

// The exchange may be gone afterwards; what its fields point to stays as it is until another one is opened.
void Dispatcher::reply_from(fastcgi::Exchange& exchange, Reply& reply) {
    const fastcgi::ResponseStream& response = exchange.response;
    const fastcgi::ResponseHead& head = response.head();
    reply.status = head.status();
    reply.packed_fields = head.packed_fields();
    reply.length_known = head.has_content_length() || (response.ended() && !exchange.start.is_head);
    reply.length = head.has_content_length() ? head.content_length() : response.output_size();
    const bool is_whole = response.is_whole() && response.output_size() == reply.length;
    reply.body = is_whole ? Reply::Body::memory : Reply::Body::stream;
    reply.memory = response.whole();
    // Pages do not move, whoever holds them.
    fastcgi::Delivery& delivery = exchange.upstream->deliver(exchange);
    if (reply.body == Reply::Body::stream && reply.length_known &&
        exchange.upstream->may_send_whole(delivery, reply.length)) {
        reply.body = Reply::Body::pieces;
    }
    reply.reader.context = &delivery;
    reply.reader.pieces = [](void* context, std::span<std::span<const char>> out) {
        return static_cast<fastcgi::Delivery*>(context)->output.pieces(out);
    };
    reply.reader.read = [](void* context, std::span<char> room) {
        auto* const from = static_cast<fastcgi::Delivery*>(context);
        return from->upstream->read(*from, room);
    };
    reply.reader.has_more = [](void* context) {
        const auto* const from = static_cast<const fastcgi::Delivery*>(context);
        return from->upstream->has_output(*from);
    };
}

bool Dispatcher::write_params(http::Connection& connection, fastcgi::ParamsWriter& out) {
    const RequestHead& head = setup_.engine->head(connection);
    const fastcgi::Exchange* const exchange = setup_.upstream->find(connection.exchange);
    if (exchange == nullptr || (routed_for_ != &connection && !recall(connection, head))) {
        return false;
    }
    std::span<const Pair> params{site_settings().params.begin(), site_settings().params.size()};
    std::array<Pair, limits::pairs_per_site + limits::host_params> room;
    if (const HostOps* const host = setup_.common->endpoints.ops(); host != nullptr) {
        params = host->params(*this, connection, params, room);
    }
    namespace cgi = fastcgi::cgi;
    fastcgi::CgiRequest request{
        .head = head,
        .params = params,
        .body_length = exchange->start.body_length,
        .drops_forwarded = !head.is_proxied && !site_settings().trusted_proxies.empty(),
    };
    Text<8> error;
    if (error_of(*exchange) != 0) {
        error.append_number(error_of(*exchange));
        request.texts[cgi::redirect_status] = error.view();
    }
    request.texts[cgi::document_root] = site_of(connection, route_.site).document_root;
    request.texts[cgi::script_name] = route_.decision.script_name;
    request.texts[cgi::path_info] = route_.decision.path_info;
    request.texts[cgi::query] = route_.decision.query;
    request.texts[cgi::host_name] = route_.host.name;
    request.texts[cgi::host_port] = route_.host.port;
    request.texts[cgi::server_software] = server_software;
    Text<limits::user + 1> user;
    if constexpr (features::auth) {
        if (connection.has_user) {
            name_user(head, user);
            request.texts[cgi::remote_user] = user.view();
            request.texts[cgi::auth_type] = "Basic";
        }
    }
    fastcgi::write_environment(request, out);
    return true;
}

void Dispatcher::name_script(http::Connection& connection, TextBuffer& out) {
    if (routed_for_ == &connection || recall(connection, setup_.engine->head(connection))) {
        out.append(site_of(connection, route_.site).document_root).append(route_.decision.script_name);
    }
}

// The route of a request that has waited: worked out from what was kept of it.
bool Dispatcher::recall(const http::Connection& connection, const RequestHead& head) {
    const fastcgi::Exchange* const exchange = setup_.upstream->find(connection.exchange);
    return exchange != nullptr &&
           recall(connection, head, exchange->start.site, route::ScriptMemo::unpack(exchange->start.script_memo));
}

bool Dispatcher::recall(const http::Connection& connection, const RequestHead& head, uint32_t site,
                        const route::ScriptMemo& memo) {
    route::Target target;
    routed_for_ = nullptr;
    if (route::split_target(head.target, target) != Status::ok) {
        return false;
    }
    route_ = Route();
    route_.site = site;
    route_.root = &site_of(connection, route_.site).root;
    if (!head.host.empty() && route::parse_host(head.host, route_.host) != Status::ok) {
        return false;
    }
    if (route::recall(site_settings(), memo, target, setup_.path_scratch, route_.decision) != Status::ok) {
        return false;
    }
    routed_for_ = &connection;
    return true;
}

}  // namespace fcgate::server
