// The part of Dispatcher that answers errors with files of the site: `error_page` and `intercept_errors`.
#include "files/static_file.hpp"
#include "http/reason.hpp"
#include "http/status_page.hpp"
#include "route/error_page.hpp"
#include "route/source_guard.hpp"
#include "server/dispatcher.hpp"

namespace fcgate::server {

namespace {

constexpr std::string_view content_type = "Content-Type";

[[nodiscard]] bool is_about_content(std::string_view name) {
    return is_about_body(name) || starts_with_ignore_case(name, "Content-");
}

}  // namespace

// Every reply goes through here on its way out.
http::Outcome Dispatcher::dressed(http::Connection& connection, http::Outcome outcome, Reply& reply) {
    // One that is ready has its fields.
    if (outcome != http::Outcome::reply || reply.body == Reply::Body::ready ||
        connection.site == http::Connection::no_site) {
        return outcome;
    }
    const SiteSettings& site = settings_of(connection, connection.site);
    const bool is_error = reply.body == Reply::Body::page && reply.status >= 400;
    const std::string_view path = is_error ? route::find_error_page(site, reply.status) : std::string_view();
    if (!path.empty() && ask_error_page(connection, path, reply, outcome) && outcome != http::Outcome::reply) {
        return outcome;
    }
    add_site_fields(site, reply);
    if (!path.empty() && reply.body == Reply::Body::page) {
        send_error_page(connection, path, reply);
    }
    return outcome;
}

// The status that a script makes the page for; 0: it does not.
uint16_t Dispatcher::error_of(const fastcgi::Exchange& exchange) {
    const route::ScriptMemo memo = route::ScriptMemo::unpack(exchange.start.script_memo);
    return memo.kind == route::ScriptMemo::Kind::error ? memo.number : 0;
}

// True when a script has been asked to make the page: `outcome` and `reply` are its own then. Not for who was not let in, nor where PHP may
// be what fails, nor in front of a body that would have to be read first.
bool Dispatcher::ask_error_page(http::Connection& connection, std::string_view path, Reply& reply,
                                http::Outcome& outcome) {
    const SiteSettings& site = settings_of(connection, connection.site);
    const RequestHead& head = setup_.engine->head(connection);
    const bool is_routed = routed_for_ == &connection || !reply.is_refusal;
    if (!is_routed || reply.status >= 500 || connection.exchange.slot != no_slot || !site.has_backend ||
        !route::is_script(site, path) || !is_read(head.method) || head.content_length > 0 || head.is_chunked) {
        return false;
    }
    const route::ScriptMemo memo{route::ScriptMemo::Kind::error, reply.status};
    if (!recall(connection, head, connection.site, memo)) {
        return false;
    }
    if (known_files_.check(*route_.root, path, {}) != Status::ok) {
        log_error_page(connection, path, reply.status);
        return false;
    }
    reply.clear();
    outcome = open_exchange(connection, head, 0, memo, reply);
    return true;
}

void Dispatcher::log_error_page(http::Connection& connection, std::string_view path, uint16_t status) {
    LogLine line(setup_.common->log, LogLevel::warning);
    describe(connection, line.text());
    line.add<": %: the page % cannot be sent (see `error_page`)">(status, Escaped{path, 128});
    line.add_reason(http::reason_code("error-page")).send();
}

// Whole, whatever the request's conditions and ranges: they are about what was asked for. If it cannot be sent, the built-in page is.
void Dispatcher::send_error_page(http::Connection& connection, std::string_view path, Reply& reply) {
    const route::SiteRoot& root = site_of(connection, connection.site).root;
    const bool may_be_sent = !route::has_hidden_segment(path) && !route::is_script(*root.settings, path) &&
                             !route::shows_source(*root.settings, path);
    RequestHead plain;
    plain.method = connection.is_head ? "HEAD" : "GET";
    // The reply's own fields may lie in the worker's scratch.
    TextBuffer text(page_text_);
    Reply file;
    if (may_be_sent) {
        (void)files::serve(root, path, plain, setup_.common->mime, text, file);
    }
    if (file.status != 200) {
        // A script has been asked, or is not for this request.
        if (reply.status >= 500 || !route::is_script(*root.settings, path)) {
            log_error_page(connection, path, reply.status);
        }
        reply.body = reply.length == 0 ? Reply::Body::none : reply.body;
        return;
    }
    // All fields but what is about the body: the built-in page's type, the file's dates and tag.
    const std::string_view type = find_field(file.all_fields(), content_type);
    reply.drop_field(content_type);
    file.clear_fields();
    file.packed_fields = reply.packed_fields;
    file.add_fields(reply);
    (void)file.add_field(content_type, type);
    file.status = reply.status;
    file.close = reply.close;
    file.is_refusal = reply.is_refusal;
    reply = file;
}

// True when the script's error is answered with the site's page; its script ends by itself.
bool Dispatcher::intercept(http::Connection& connection, fastcgi::Exchange& exchange, Reply& reply) {
    const uint16_t status = exchange.response.head().status();
    const SiteSettings& site = settings_of(connection, exchange.start.site);
    if (!site.intercept_errors || status < 400 || error_of(exchange) != 0 ||
        route::find_error_page(site, status).empty()) {
        return false;
    }
    http::reply_with_status(reply, status);
    reply.body = Reply::Body::page;  // which statuses without a page of ours are not
    reply.is_refusal = false;
    exchange.response.drop_fields(&is_about_content);
    leave_out_said(exchange.response.head().fields(), reply);
    reply.packed_fields = exchange.response.head().packed_fields();
    // What the fields point to stays until another exchange is opened; the reply is queued before.
    setup_.upstream->let_finish(exchange);
    connection.exchange = Handle();
    return true;
}

}  // namespace fcgate::server
