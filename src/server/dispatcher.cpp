#include "server/dispatcher.hpp"

#include "fastcgi/environment.hpp"
#include "files/static_file.hpp"
#include "http/status_page.hpp"
#include "route/client.hpp"

namespace fcgate::server {

namespace {

constexpr std::string_view server_software = "fcgate/" FCGATE_BUILD_VERSION;

// RFC 9110 section 9.2.1.
[[nodiscard]] bool is_safe(std::string_view method) {
    return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

[[nodiscard]] bool has_field(std::span<const Field> fields, std::string_view name) {
    for (const Field& field : fields) {
        if (equals_ignore_case(field.name, name)) {
            return true;
        }
    }
    return false;
}

}  // namespace

http::RequestHandler Dispatcher::handler() {
    http::RequestHandler handler;
    handler.context = this;
    handler.begin = [](void* context, http::Connection& connection, RequestHead& head, Reply& reply) {
        return static_cast<Dispatcher*>(context)->begin(connection, head, reply);
    };
    handler.body = [](void* context, http::Connection& connection, std::span<const char> bytes) {
        return static_cast<Dispatcher*>(context)->body(connection, bytes);
    };
    handler.poll = [](void* context, http::Connection& connection, Reply& reply) {
        return static_cast<Dispatcher*>(context)->poll(connection, reply);
    };
    handler.done = [](void* context, http::Connection& connection) {
        static_cast<Dispatcher*>(context)->done(connection);
    };
    return handler;
}

http::Outcome Dispatcher::begin(http::Connection& connection, RequestHead& head, Reply& reply) {
    if (!route(connection, head, reply)) {
        return http::Outcome::reply;
    }
    if (route_.host_handler != nullptr) {
        return begin_host_handler(connection, head, reply);
    }
    const route::Decision& decision = route_.decision;
    switch (decision.kind) {
        case route::Decision::Kind::script:
            return begin_script(connection, head, reply);
        case route::Decision::Kind::file: {
            TextBuffer text(setup_.text_scratch);
            files::serve(setup_.sites[route_.site].root, decision.path, head, *setup_.mime, text, reply);
            if (reply.status >= 400) {
                Reply page;
                http::reply_with_status(page, reply.status);
                for (const Field& field : reply.fields()) {
                    (void)page.add_field(field.name, field.value);
                }
                reply = page;
            }
            break;
        }
        case route::Decision::Kind::redirect:
            redirect(reply);
            break;
        case route::Decision::Kind::refuse:
            refuse(connection, reply, decision.status, decision.reason);
            break;
    }
    add_site_fields(route_.site, reply);
    return http::Outcome::reply;
}

// Finds the site and decides. False when the reply is a refusal.
bool Dispatcher::route(http::Connection& connection, RequestHead& head, Reply& reply) {
    routed_for_ = nullptr;
    if (route::refuses_method(head.method, route_.decision)) {
        refuse(connection, reply, route_.decision.status, route_.decision.reason);
        return false;
    }
    route::Target target;
    if (route::split_target(head.target, target) != Status::ok) {
        refuse(connection, reply, 400, "the request target is malformed");
        return false;
    }
    if (!target.authority.empty() && !equals_ignore_case(target.authority, head.host)) {
        refuse(connection, reply, 400, "Host differs from the authority of the target");
        return false;
    }
    route_.host = route::HostPort();
    if (!head.host.empty() && route::parse_host(head.host, route_.host) != Status::ok) {
        refuse(connection, reply, 400, "Host is malformed");
        return false;
    }
    const Result<size_t> site = route::find_site(*setup_.settings, route_.host, setup_.machine_name);
    if (!site.ok()) {
        refuse(connection, reply, 421, "no site is known under this Host (see `host`)");
        return false;
    }
    route_.site = site.value();
    identify(connection, head);
    if (!route::may_ask(site_settings(), head.client)) {
        refuse(connection, reply, 403, "this address is not let in (see `allow` and `deny`)");
        return false;
    }
    route_.host_handler = setup_.endpoints->empty() ? nullptr : find_host_handler(target);
    if (route_.host_handler != nullptr) {
        routed_for_ = &connection;
        return true;
    }
    route_.decision = route::decide(setup_.sites[route_.site].root, head.method, target, setup_.path_scratch);
    routed_for_ = &connection;
    return true;
}

// Kept in the connection: the head may be collected again.
void Dispatcher::identify(http::Connection& connection, RequestHead& head) const {
    const route::Asker asker = route::find_asker(site_settings(), connection.client, connection.is_tls, head.fields);
    head.client = connection.asker = asker.address;
    head.is_tls = connection.is_https = asker.is_https;
    head.is_proxied = connection.is_proxied = asker.is_proxied;
}

// Leaves the path, with a NUL behind it, in the decision, as decide() would.
const HostHandler* Dispatcher::find_host_handler(const route::Target& target) {
    const std::span<char> room = setup_.path_scratch.first(setup_.path_scratch.size() - 1);
    const Result<std::string_view> path = route::normalise_path(target.path, room);
    if (!path.ok()) {
        return nullptr;  // decide() says why
    }
    setup_.path_scratch[path.value().size()] = '\0';
    route_.decision.path = path.value();
    route_.decision.query = target.query;
    route_.decision.has_query = target.has_query;
    return setup_.endpoints->find(path.value());
}

// The host answers when the whole request is there.
http::Outcome Dispatcher::begin_host_handler(http::Connection& connection, const RequestHead& head, Reply& reply) {
    if (head.content_length > site_settings().max_body) {
        refuse(connection, reply, 413, "the body is larger than `max_body`");
        return http::Outcome::reply;
    }
    if (head.content_length > 0 || head.is_chunked) {
        return http::Outcome::wait;
    }
    call_host_handler(head, reply);
    return http::Outcome::reply;
}

void Dispatcher::call_host_handler(const RequestHead& head, Reply& reply) {
    const HostHandler& handler = *route_.host_handler;
    TextBuffer text(setup_.text_scratch);
    Text<64> client;
    head.client.print_address(client);
    const std::string_view text_of_query = route_.decision.query.empty() ? "" : route_.decision.query;
    const char* const query = route_.decision.has_query ? text_of_query.data() : nullptr;
    HostRequest request{.head = head,
                        .path = route_.decision.path,
                        .query = query,
                        .reply = reply,
                        .engine = *setup_.engine,
                        .text = text,
                        .client = client.c_str()};
    handler.call(handler.function, handler.context, request);
    if (!request.has_replied) {
        http::reply_with_status(reply, 500);
    }
    add_site_fields(route_.site, reply);
}

http::Outcome Dispatcher::begin_script(http::Connection& connection, const RequestHead& head, Reply& reply) {
    const SiteSettings& site = site_settings();
    if (!site.has_backend) {
        refuse(connection, reply, 503, "a script, but no backend is configured");
        return http::Outcome::reply;
    }
    if (head.is_chunked) {
        // php-fpm ignores a body without CONTENT_LENGTH.
        refuse(connection, reply, 411, "a chunked body");
        return http::Outcome::reply;
    }
    if (head.content_length > site.max_body) {
        refuse(connection, reply, 413, "the body is larger than `max_body`");
        return http::Outcome::reply;
    }
    fastcgi::ExchangeStart start;
    start.owner.context = &connection;
    start.owner.wake = [](void* context) {
        auto* const woken = static_cast<http::Connection*>(context);
        woken->engine->wake(*woken);
    };
    start.owner.handler = this;
    start.owner.write_params = [](void* handler, void* context, fastcgi::ParamsWriter& out) {
        return static_cast<Dispatcher*>(handler)->write_params(*static_cast<http::Connection*>(context), out);
    };
    start.owner.describe = [](void* handler, void* context, TextBuffer& out) {
        static_cast<const Dispatcher*>(handler)->describe(*static_cast<const http::Connection*>(context), out);
    };
    start.site = static_cast<uint32_t>(route_.site);
    start.script_memo = route::remember(site, route_.decision).pack();
    start.backend = static_cast<uint32_t>(site.backend_number);
    start.client_key = head.client.client_key();
    start.body_length = head.content_length;
    start.is_safe = is_safe(head.method);
    start.is_head = connection.is_head;
    start.wants_stream = starts_with_ignore_case(head.field("Accept"), "text/event-stream");
    fastcgi::Exchange* const exchange = setup_.upstream->open(start);
    if (exchange == nullptr) {
        refuse(connection, reply, 503, "too many requests wait for PHP (see `exchanges`)");
        return http::Outcome::reply;
    }
    connection.exchange = SlotPool<fastcgi::Exchange>::handle(*exchange);
    setup_.upstream->begin(*exchange);
    return poll(connection, reply);
}

size_t Dispatcher::body(http::Connection& connection, std::span<const char> bytes) {
    fastcgi::Exchange* const exchange = setup_.upstream->find(connection.exchange);
    return exchange != nullptr ? setup_.upstream->feed(*exchange, bytes) : bytes.size();
}

http::Outcome Dispatcher::poll(http::Connection& connection, Reply& reply) {
    fastcgi::Exchange* const exchange = setup_.upstream->find(connection.exchange);
    if (exchange == nullptr) {
        // Only the host's handlers wait for a body without an exchange.
        RequestHead& head = setup_.engine->head(connection);
        const bool is_routed = routed_for_ == &connection || route(connection, head, reply);
        if (is_routed && route_.host_handler != nullptr) {
            call_host_handler(head, reply);
        } else if (is_routed) {
            http::reply_with_status(reply, 500);
        }
        return http::Outcome::reply;
    }
    if (exchange->phase == fastcgi::Exchange::Phase::failed) {
        http::reply_with_status(reply, exchange->failure_status);
    } else if (exchange->response.head_done()) {
        reply_from(*exchange, reply);
        add_site_fields(exchange->start.site, reply);
    } else {
        return http::Outcome::wait;
    }
    return http::Outcome::reply;
}

void Dispatcher::reply_from(fastcgi::Exchange& exchange, Reply& reply) {
    const fastcgi::ResponseStream& response = exchange.response;
    const fastcgi::ResponseHead& head = response.head();
    exchange.reply_begun = true;
    reply.status = head.status();
    for (const Field& field : head.fields()) {
        // The head holds no more fields than a reply has room for.
        (void)reply.add_field(field.name, field.value);
    }
    reply.length_known = head.has_content_length() || (response.ended() && !exchange.start.is_head);
    reply.length = head.has_content_length() ? head.content_length() : response.output_size();
    if (response.is_whole() && response.output_size() == reply.length) {
        reply.body = Reply::Body::memory;
        reply.memory = response.whole();
        return;
    }
    reply.body = Reply::Body::stream;
    reply.reader.context = &exchange;
    reply.reader.read = [](void* context, std::span<char> room) {
        auto* const from = static_cast<fastcgi::Exchange*>(context);
        return from->upstream->read(*from, room);
    };
}

void Dispatcher::done(http::Connection& connection) {
    fastcgi::Exchange* const exchange = setup_.upstream->find(connection.exchange);
    if (exchange != nullptr) {
        setup_.upstream->close(*exchange);
    }
    connection.exchange = Handle();
    if (routed_for_ == &connection) {
        routed_for_ = nullptr;
    }
}

bool Dispatcher::write_params(http::Connection& connection, fastcgi::ParamsWriter& out) {
    const RequestHead& head = setup_.engine->head(connection);
    if (routed_for_ != &connection && !recall(connection, head)) {
        return false;
    }
    const fastcgi::CgiRequest request{
        .head = head,
        .document_root = setup_.sites[route_.site].document_root,
        .script_name = route_.decision.script_name,
        .path_info = route_.decision.path_info,
        .query = route_.decision.query,
        .server_name = route_.host.name,
        .server_port = route_.host.port,
        .server_software = server_software,
        .params = {site_settings().params.begin(), site_settings().params.size()},
        .has_body = head.content_length > 0,
        .body_length = head.content_length,
        .drops_forwarded = !head.is_proxied && !site_settings().trusted_proxies.empty(),
    };
    fastcgi::write_environment(request, out);
    return true;
}

// The route of a request that has waited: worked out from what was kept of it.
bool Dispatcher::recall(const http::Connection& connection, const RequestHead& head) {
    const fastcgi::Exchange* const exchange = setup_.upstream->find(connection.exchange);
    route::Target target;
    routed_for_ = nullptr;
    if (exchange == nullptr || route::split_target(head.target, target) != Status::ok) {
        return false;
    }
    route_ = Route();
    route_.site = exchange->start.site;
    if (!head.host.empty() && route::parse_host(head.host, route_.host) != Status::ok) {
        return false;
    }
    if (route::recall(site_settings(), route::ScriptMemo::unpack(exchange->start.script_memo), target,
                      setup_.path_scratch, route_.decision) != Status::ok) {
        return false;
    }
    routed_for_ = &connection;
    return true;
}

void Dispatcher::refuse(const http::Connection& connection, Reply& reply, uint16_t status, std::string_view reason) {
    http::reply_with_status(reply, status);
    // After a head that breaks the rules nothing on this connection can be trusted.
    reply.close = status == 400;
    if (status == 405) {
        (void)reply.add_field("Allow", "GET, HEAD, OPTIONS");
    }
    LogLine line(*setup_.log, status == 404 ? LogLevel::debug : LogLevel::info);
    connection.asker.print_address(line.text());
    line.add(": ");
    describe(connection, line.text());
    line.add(": ").add_number(status).add(": ").add(reason).send();
}

void Dispatcher::redirect(Reply& reply) {
    TextBuffer location(setup_.text_scratch);
    route::append_encoded_path(location, route_.decision.path);
    location.append('/');
    if (route_.decision.has_query) {
        location.append('?').append(route_.decision.query);
    }
    reply.status = 308;
    if (!location.ok() || !reply.add_field("Location", location.view())) {
        http::reply_with_status(reply, 414);
    }
}

// What the configuration adds, unless whoever made the reply has said otherwise.
void Dispatcher::add_site_fields(size_t site, Reply& reply) {
    for (const Pair& header : setup_.settings->sites[site].headers) {
        if (!has_field(reply.fields(), header.name)) {
            (void)reply.add_field(header.name, header.value);
        }
    }
}

void Dispatcher::describe(const http::Connection& connection, TextBuffer& out) const {
    // Short enough to leave room for the reason, whatever the client has put into it.
    out.append_escaped(connection.method, 16).append(' ').append_escaped(connection.target(), 128);
}

}  // namespace fcgate::server
