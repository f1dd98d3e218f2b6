#include "server/dispatcher.hpp"

#include <algorithm>

#include "auth/verifier.hpp"
#include "base/features.hpp"
#include "http/reason.hpp"
#include "http/status_page.hpp"
#include "route/client.hpp"
#include "route/origin.hpp"

namespace fcgate::server {

http::RequestHandler Dispatcher::handler() {
    http::RequestHandler handler;
    handler.context = this;
    handler.begin = [](void* context, http::Connection& connection, RequestHead& head, Reply& reply) {
        return static_cast<Dispatcher*>(context)->dressed(
            connection, static_cast<Dispatcher*>(context)->begin(connection, head, reply), reply);
    };
    handler.body = [](void* context, http::Connection& connection, std::span<const char> bytes) {
        return static_cast<Dispatcher*>(context)->body(connection, bytes);
    };
    handler.room = [](void* context, const http::Connection& connection) {
        const Setup& setup = static_cast<Dispatcher*>(context)->setup_;
        fastcgi::Exchange* const exchange = setup.upstream->find(connection.exchange);
        return setup.text_scratch.first(
            exchange != nullptr ? std::min(setup.text_scratch.size(), setup.upstream->room_for_body(*exchange)) : 0);
    };
    handler.poll = [](void* context, http::Connection& connection, Reply& reply) {
        return static_cast<Dispatcher*>(context)->dressed(
            connection, static_cast<Dispatcher*>(context)->poll(connection, reply), reply);
    };
    handler.goes_on = [](void* context, const http::Connection& connection) {
        return static_cast<Dispatcher*>(context)->setup_.upstream->goes_on(connection.exchange, connection.is_all_here);
    };
    handler.keeps_others_waiting = [](void* context, const http::Connection& connection) {
        return static_cast<Dispatcher*>(context)->setup_.upstream->keeps_others_waiting(connection.exchange);
    };
    handler.done = [](void* context, http::Connection& connection) {
        static_cast<Dispatcher*>(context)->done(connection);
    };
    return handler;
}

http::Outcome Dispatcher::begin(http::Connection& connection, RequestHead& head, Reply& reply) {
    connection.configuration = current_;
    connection.site = http::Connection::no_site;
    ++users_[current_];
    if (!find_site(connection, head, reply) || !count_asker(connection, reply)) {
        return http::Outcome::reply;
    }
    if constexpr (features::auth) {
        if (!site_settings().auth.empty()) {
            return begin_with_password(connection, head, reply);
        }
    }
    return begin_let_in(connection, head, reply);
}

// Who asks may. find_site() has been here a moment ago.
http::Outcome Dispatcher::begin_let_in(http::Connection& connection, RequestHead& head, Reply& reply) {
    if constexpr (features::status) {
        if (is_status_path(connection, route_.target)) {
            show_status(connection, head, route_.target, reply);
            return http::Outcome::reply;
        }
    }
    if (const HostOps* const host = setup_.common->endpoints.ops(); host != nullptr) {
        http::Outcome outcome = http::Outcome::reply;
        if (host->begin(*this, connection, head, reply, outcome)) {
            return outcome;
        }
    }
    decide(connection, head);
    const route::Decision& decision = route_.decision;
    switch (decision.kind) {
        case route::Decision::Kind::script:
            return begin_script(connection, head, reply);
        case route::Decision::Kind::file:
            serve_file(connection, head, reply);
            break;
        case route::Decision::Kind::listing:
            list_folder(connection, head, reply);
            break;
        case route::Decision::Kind::redirect:
            redirect(connection, reply);
            break;
        case route::Decision::Kind::refuse:
            refuse(connection, reply, decision.status, decision.reason);
            break;
    }
    return http::Outcome::reply;
}

[[gnu::noinline]] const Site& Dispatcher::site_of(const http::Connection& connection, size_t number) const {
    return configuration_of(connection).sites[number];
}

// Finds the site, and who asks. False when the reply is a refusal.
bool Dispatcher::find_site(http::Connection& connection, RequestHead& head, Reply& reply) {
    routed_for_ = nullptr;
    if (route::refuses_method(head.method, route_.decision)) {
        refuse(connection, reply, route_.decision.status, route_.decision.reason);
        return false;
    }
    route::Target& target = route_.target = route::Target();
    if (route::split_target(head.target, target) != Status::ok) {
        refuse(connection, reply, 400, "the request target is malformed"_p);
        return false;
    }
    if (!target.authority.empty() && !equals_ignore_case(target.authority, head.host)) {
        refuse(connection, reply, 400, "Host differs from the authority of the target"_p);
        return false;
    }
    const Configuration& configuration = configuration_of(connection);
    const Status found = find_host(configuration, head.host);
    if (found == Status::malformed) {
        refuse(connection, reply, 400, "Host is malformed"_p);
        return false;
    }
    if (found != Status::ok) {
        refuse_host(connection, head, reply);
        return false;
    }
    connection.site = static_cast<uint8_t>(route_.site);
    route_.root = &site_of(connection, route_.site).root;
    connection.trace.site = site_settings().name;
    identify(connection, head);
    if (!route::may_ask(site_settings(), head.client)) {
        refuse(connection, reply, 403, "this address is not let in (see `allow` and `deny`)"_p);
        return false;
    }
    if (site_settings().origin_check && route::is_foreign(head)) {
        refuse(connection, reply, 403, "sent by a page of another site (see `origin_check`)"_p);
        return false;
    }
    if constexpr (features::tls) {
        if (site_settings().redirect_https && !head.is_tls && !target.is_asterisk) {
            redirect_to_https(connection, reply);
            return false;
        }
    }
    return true;
}

// Which site answers to a Host. Most requests have the same as the one before.
Status Dispatcher::find_host(const Configuration& configuration, std::string_view value) {
    KnownHost& known = known_host_;
    if (known.configuration == &configuration && known.value() == value) {
        route_.host = known.host;
        route_.site = known.site;
        return Status::ok;
    }
    known.configuration = nullptr;
    known.size = static_cast<uint8_t>(std::min(value.size(), known.text.size()));
    std::copy_n(value.data(), known.size, known.text.data());
    const bool is_kept = known.size == value.size();
    route_.host = route::HostPort();
    if (!value.empty() && route::parse_host(is_kept ? known.value() : value, route_.host) != Status::ok) {
        return Status::malformed;
    }
    const Result<size_t> site =
        route::find_site(*configuration.settings, route_.host, configuration.machine_name.view());
    if (!site.ok()) {
        return site.status();
    }
    route_.site = site.value();
    known.host = route_.host;
    known.site = route_.site;
    known.configuration = is_kept ? &configuration : nullptr;
    return Status::ok;
}

// A script that was found a moment ago need not be looked for again. PHP says itself when it is gone.
bool Dispatcher::find_known_script() {
    const route::ScriptMemo* const memo = known_scripts_.find(*route_.root, route_.target.path, setup_.clock->now());
    return memo != nullptr &&
           route::recall(site_settings(), *memo, route_.target, setup_.path_scratch, route_.decision) == Status::ok;
}

void Dispatcher::decide(const http::Connection& connection, const RequestHead& head) {
    const bool is_cached = find_cached(connection, head);
    route_.is_known = !is_cached && find_known_script();
    if (!is_cached && !route_.is_known) {
        route::decide(*route_.root, head.method, route_.target, setup_.path_scratch, route_.decision);
    }
    routed_for_ = &connection;
}

// A proxy's connections are many clients': what one of those has are requests under way. False when they are too many.
bool Dispatcher::count_asker(http::Connection& connection, Reply& reply) {
    const Endpoint& asker = connection.asker;
    const uint64_t key = asker.client_key();
    if (!connection.is_proxied || asker.is_loopback() || key == connection.client_key) {
        return true;
    }
    const uint32_t cap = configuration_of(connection).settings->server.max_connections_per_client;
    if (!setup_.common->clients.enter(key, cap)) {
        refuse(connection, reply, 503, "too many requests through a proxy (see `max_connections_per_client`)"_p,
               http::reason_code("client-full"));
        return false;
    }
    connection.asker_key = key;
    connection.is_asker_counted = true;
    return true;
}

// Kept in the connection: the head may be collected again.
void Dispatcher::identify(http::Connection& connection, RequestHead& head) const {
    const route::Asker asker = route::find_asker(site_settings(), connection.client, connection.is_tls, head.fields);
    head.client = connection.asker = asker.address;
    head.is_tls = connection.is_https = asker.is_https;
    head.is_proxied = connection.is_proxied = asker.is_proxied;
}

size_t Dispatcher::body(http::Connection& connection, std::span<const char> bytes) {
    if constexpr (has_spool) {
        if (SpooledBody* const kept = spooled(connection); kept != nullptr) {
            spool(connection, *kept, bytes);
            return bytes.size();
        }
    }
    fastcgi::Exchange* const exchange = setup_.upstream->find(connection.exchange);
    if (exchange != nullptr) {
        const size_t taken = setup_.upstream->feed(*exchange, bytes);
        // All that lies in our own memory is taken: there is room for it.
        const bool is_ours = bytes.data() == setup_.text_scratch.data();
        return is_ours ? taken + fastcgi::Upstream::put_by(*exchange, bytes.subspan(taken)) : taken;
    }
    return is_kept(connection) ? setup_.common->endpoints.ops()->body(*this, connection, bytes) : bytes.size();
}

http::Outcome Dispatcher::poll(http::Connection& connection, Reply& reply) {
    if constexpr (features::auth) {
        if (connection.question != http::Connection::no_question) {
            return poll_password(connection, reply);
        }
    }
    fastcgi::Exchange* const exchange = setup_.upstream->find(connection.exchange);
    const bool is_evicted = exchange == nullptr && connection.exchange.slot != no_slot;
    if (is_evicted) {
        http::reply_with_status(reply, 503);
        return http::Outcome::reply;
    }
    if constexpr (has_spool) {
        if (SpooledBody* const kept = spooled(connection); kept != nullptr) {
            if (exchange == nullptr) {
                return begin_spooled(connection, *kept, reply);
            }
            if (!feed_spooled(*kept, *exchange)) {
                return http::Outcome::wait;
            }
        }
    }
    if (exchange == nullptr && is_kept(connection)) {
        return setup_.common->endpoints.ops()->poll(*this, connection, reply);
    }
    if (exchange == nullptr) {
        // Nobody else waits without an exchange.
        http::reply_with_status(reply, 500);
        return http::Outcome::reply;
    }
    // A body that is only shorter than promised goes out as far as there is one, and the connection ends, as with the peers.
    const uint16_t error = error_of(*exchange);
    if (exchange->phase == fastcgi::Exchange::Phase::failed && exchange->failure_status >= 400) {
        http::reply_with_status(reply, error != 0 ? error : exchange->failure_status);
    } else if (exchange->response.head_done()) {
        if (!intercept(connection, *exchange, reply) && !send_named_file(connection, *exchange, reply)) {
            reply_from(*exchange, reply);
        }
        reply.status = error != 0 ? error : reply.status;
    } else {
        return http::Outcome::wait;
    }
    return http::Outcome::reply;
}

void Dispatcher::done(http::Connection& connection) {
    fastcgi::Exchange* const exchange = setup_.upstream->find(connection.exchange);
    if (exchange != nullptr) {
        setup_.upstream->close(*exchange);
    }
    setup_.upstream->finish_delivery(connection.slot);
    if (is_kept(connection)) {
        setup_.common->endpoints.ops()->done(*this, connection);
    }
    connection.exchange = Handle();
    if (connection.cached_file != no_slot) {
        setup_.files->release(connection.cached_file);
        connection.cached_file = no_slot;
    }
    if (connection.is_asker_counted) {
        connection.is_asker_counted = false;
        setup_.common->clients.leave(connection.asker_key);
    }
    if constexpr (has_spool) {
        if (SpooledBody* const kept = spooled(connection); kept != nullptr) {
            setup_.spool->close(*kept);
        }
    }
    if constexpr (features::auth) {
        give_back_question(connection);
    }
    --users_[connection.configuration];
}

}  // namespace fcgate::server
