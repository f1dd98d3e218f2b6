// The part of Dispatcher that answers errors with files of the site: `error_page` and `intercept_errors`.
#include "files/static_file.hpp"
#include "http/reason.hpp"
#include "http/status_page.hpp"
#include "route/source_guard.hpp"
#include "server/dispatcher.hpp"

namespace fcgate::server {

namespace {

constexpr std::string_view content_type = "Content-Type";

[[nodiscard]] bool is_status(std::string_view word, uint16_t status) {
    const Result<uint64_t> number = parse_decimal(word);
    return number.ok() && number.value() == status;
}

// The path of the site's page for a status; empty when it has none. The first line that names the status counts.
[[nodiscard]] std::string_view find_error_page(const SiteSettings& site, uint16_t status) {
    for (const Pair& page : site.error_pages) {
        bool is_meant = is_status(page.name, status);
        std::string_view rest = page.value;
        std::string_view word = next_word(rest);
        while (!word.starts_with('/')) {
            is_meant = is_meant || is_status(word, status);
            word = next_word(rest);
        }
        if (is_meant) {
            return word;
        }
    }
    return {};
}

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
    add_site_fields(site, reply);
    if (reply.body == Reply::Body::page && reply.status >= 400) {
        const std::string_view path = find_error_page(site, reply.status);
        if (!path.empty()) {
            send_error_page(connection, path, reply);
        }
    }
    return outcome;
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
        LogLine line(setup_.common->log, LogLevel::warning);
        describe(connection, line.text());
        line.add<": %: the page % cannot be sent (see `error_page`)">(reply.status, Escaped{path, 128});
        line.add_reason(http::reason_code("error-page")).send();
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
    if (!site.intercept_errors || status < 400 || find_error_page(site, status).empty()) {
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
