// The part of Dispatcher that answers without a script: files, folders, refusals.
#include "base/clock.hpp"
#include "base/features.hpp"
#include "base/http_date.hpp"
#include "files/listing.hpp"
#include "files/static_file.hpp"
#include "http/listener.hpp"
#include "http/reason.hpp"
#include "http/status_page.hpp"
#include "server/dispatcher.hpp"

namespace fcgate::server {

// A file that was looked at a moment ago need not be found again. Not under a configuration that is on its way out: the cache is the new one's.
bool Dispatcher::find_cached(const http::Connection& connection, const RequestHead& head) {
    const bool may_be = connection.configuration == current_;
    route_.cached =
        may_be ? setup_.files->find({route_.site, route_.target.path, &head}, setup_.clock->now()) : nullptr;
    if (route_.cached == nullptr || (route_.cached->is_large() && !is_still_open(*route_.cached, head))) {
        route_.cached = nullptr;
        return false;
    }
    route_.decision.begin(route_.target);
    route_.decision.kind = route::Decision::Kind::file;
    route_.decision.path = route_.cached->path;
    return true;
}

// A large file is sent again from where it is open, as long as nothing has changed about it.
bool Dispatcher::is_still_open(const files::FileCache::Entry& file, const RequestHead& head) const {
    const int fd = setup_.engine->ready_file(files::name_of(file, head, files::select_cached(file, head)));
    return fd >= 0 && file.is_open_as(fd);
}

// As it was sent before.
bool Dispatcher::send_ready(http::Connection& connection, const RequestHead& head, const files::Selection& selection,
                            Reply& reply) {
    const files::FileCache::Entry& file = *route_.cached;
    reply.ready_name = files::name_of(file, head, selection);
    if (reply.ready_name == 0 || !setup_.engine->has_ready(reply.ready_name)) {
        return false;
    }
    reply.body = Reply::Body::ready;
    reply.length_known = true;
    reply.length = file.size;
    reply.status = 304;
    if (selection.kind == files::Selection::Kind::whole) {
        reply.status = 200;
        reply.file = {file.size, nanoseconds(file.modified)};
        if (!file.is_large()) {
            connection.cached_file = setup_.files->hold(file);
        }
    }
    return true;
}

void Dispatcher::serve_file(http::Connection& connection, const RequestHead& head, Reply& reply) {
    TextBuffer text(setup_.text_scratch);
    const files::FileCache::Entry* cached = route_.cached;
    if (cached != nullptr) {
        const files::Selection selection = files::select_cached(*cached, head);
        if (send_ready(connection, head, selection, reply)) {
            return;
        }
        files::serve_cached(*route_.root, *cached, head, selection, setup_.common->mime, text, reply);
    } else {
        const bool may_be = connection.configuration == current_;
        cached = files::serve(*route_.root, route_.decision.path, head, setup_.common->mime, text, reply, wall_clock(),
                              may_be ? setup_.files : nullptr, {route_.site, route_.target.path, &head});
    }
    if (cached != nullptr && reply.body == Reply::Body::memory) {
        connection.cached_file = setup_.files->hold(*cached);
    }
    if (reply.status == 403 || reply.status == 503) {
        refuse(connection, reply, reply.status,
               reply.status == 403
                   ? "the file may not be read, or a link leads to it out of the root (see `links_to`)"_p
                   : "no descriptor is left to open the file"_p);
    } else if (reply.status >= 400) {
        Reply page;
        http::reply_with_status(page, reply.status);
        page.add_fields(reply);
        reply = page;
        const bool is_method = reply.status == 405;
        log_refusal(connection, is_method ? LogLevel::info : LogLevel::debug, reply.status,
                    is_method ? "files take GET and HEAD only"_p : "the file is not as the request wants it"_p,
                    http::code_of(reply.status));
    }
}

void Dispatcher::list_folder(http::Connection& connection, const RequestHead& head, Reply& reply) {
    if constexpr (!features::listing) {
        return;  // nothing is decided so
    }
    if (!is_read(head.method)) {
        answer_method(connection, head, reply, "a folder's list is only to be read"_p);
        return;
    }
    // There is memory for it: a reload that brings the first list is refused (Server::reload).
    TextBuffer page(setup_.listing_page);
    const Status status = files::list_folder(*route_.root, route_.decision.path, setup_.listing_memory, page);
    if (status != Status::ok || !send_page(page, "text/html; charset=utf-8", reply)) {
        const bool is_gone = status == Status::not_found || status == Status::denied;
        refuse(connection, reply, is_gone ? 404 : 503, "the folder cannot be listed"_p);
        return;
    }
    // The second field: there is room.
    (void)reply.add_field("Cache-Control", "no-cache");
}

// A page that was made for this request. False when there is no room for it.
bool Dispatcher::send_page(const TextBuffer& page, std::string_view type, Reply& reply) {
    if (!page.ok() || !setup_.engine->copy_body(page.view(), true)) {
        return false;
    }
    reply.status = 200;
    reply.body = Reply::Body::copied;
    reply.length_known = true;
    reply.length = page.size();
    (void)reply.add_field("Content-Type", type);
    return true;
}

void Dispatcher::redirect(http::Connection& connection, Reply& reply) {
    TextBuffer location(setup_.text_scratch);
    route::append_encoded_path(location, route_.decision.path);
    location.append('/');
    if (route_.decision.has_query) {
        location.append('?').append(route_.decision.query);
    }
    reply.status = 308;
    if (!location.ok() || !reply.add_field("Location", location.view())) {
        refuse(connection, reply, 414, "the target is too long to be redirected"_p);
    }
}

// To the first secure listener with a port, under the name that was asked for.
void Dispatcher::redirect_to_https(http::Connection& connection, Reply& reply) {
    constexpr uint16_t usual = 443;
    if (route_.host.name.empty()) {
        refuse(connection, reply, 400, "no Host to redirect to (see `redirect_https`)"_p);
        return;
    }
    const bool is_literal = route_.host.name.find(':') != std::string_view::npos;
    TextBuffer location(setup_.text_scratch);
    location.append("https://").append(is_literal ? "[" : "").append(route_.host.name).append(is_literal ? "]" : "");
    // As set: those that are open may be closed by another thread meanwhile.
    const Configuration& configuration = configuration_of(connection);
    for (size_t i = 0; i < configuration.settings->server.listen.size(); ++i) {
        const ListenSettings& listen = configuration.settings->server.listen[i];
        if (listen.tls && (listen.kind == ListenSettings::Kind::tcp || listen.kind == ListenSettings::Kind::any)) {
            const uint16_t set = listen.endpoint.port();
            const uint16_t port = set != 0 ? set : http::address_of(configuration.listeners.fds[i]).port();
            if (port != usual) {
                location.append(':').append_number(port);
            }
            break;
        }
    }
    const route::Target& target = route_.target;
    location.append(target.path);
    if (target.has_query) {
        location.append('?').append(target.query);
    }
    reply.status = 308;
    if (!location.ok() || !reply.add_field("Location", location.view())) {
        refuse(connection, reply, 414, "the target is too long to be redirected"_p);
    }
}

// OPTIONS, and methods that what is only read does not have.
void Dispatcher::answer_method(http::Connection& connection, const RequestHead& head, Reply& reply, Packed words) {
    if (head.method == "OPTIONS") {
        reply.status = 204;
        (void)reply.add_field("Allow", files::allowed_methods);
    } else {
        refuse(connection, reply, 405, words);
    }
}

void Dispatcher::refuse(http::Connection& connection, Reply& reply, uint16_t status, Packed words) {
    refuse(connection, reply, status, words, http::code_of(status));
}

void Dispatcher::refuse(http::Connection& connection, Reply& reply, uint16_t status, Packed words, Packed code) {
    http::reply_with_status(reply, status);
    // After a head that breaks the rules nothing on this connection can be trusted.
    reply.close = status == 400;
    if (status == 405) {
        (void)reply.add_field("Allow", files::allowed_methods);
    }
    log_refusal(connection, status == 404 ? LogLevel::debug : LogLevel::info, status, words, code);
}

void Dispatcher::log_refusal(http::Connection& connection, LogLevel level, uint16_t status, Packed words, Packed code) {
    connection.trace.cause = code;
    LogLine line(setup_.common->log, level);
    connection.asker.print_address(line.text());
    line.add(": "_p);
    describe(connection, line.text());
    line.add<": %: %">(status, words).add_reason(code).send();
}

// A captive portal leads whoever asks for some other name to its own.
void Dispatcher::refuse_host(http::Connection& connection, const RequestHead& head, Reply& reply) {
    std::string_view url = configuration_of(connection).settings->server.unknown_host;
    const bool redirects = next_word(url) == "redirect";
    if (!redirects || !is_read(head.method)) {
        refuse(connection, reply, 421, "no site is known under this Host (see `host`)"_p);
        return;
    }
    reply.status = 302;
    // Two fields: there is room. The name's own site is not to be shadowed for longer than this request.
    (void)reply.add_field("Location", trim(url));
    (void)reply.add_field("Cache-Control", "no-store");
}

// What the configuration adds, unless whoever made the reply has said otherwise.
void Dispatcher::add_site_fields(const SiteSettings& site, Reply& reply) {
    // Not of the configuration's own, of which several may have one name: Link, Set-Cookie.
    const FieldCursor said = reply.all_fields();
    for (const Pair& header : site.headers) {
        if (find_field(said, header.name).data() == nullptr) {
            (void)reply.add_field(header.name, header.value);
        }
    }
}

void Dispatcher::describe(const http::Connection& connection, TextBuffer& out) const {
    // Short enough to leave room for the reason, whatever the client has put into it.
    out.append_escaped(connection.method, 16).append(' ').append_escaped(connection.target(), 128);
}

}  // namespace fcgate::server
