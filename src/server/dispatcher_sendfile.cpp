// The part of Dispatcher that sends the file a script names instead of the script's own body: X-Sendfile and X-Accel-Redirect.
#include "files/static_file.hpp"
#include "http/reason.hpp"
#include "http/status_page.hpp"
#include "route/source_guard.hpp"
#include "server/dispatcher.hpp"

namespace fcgate::server {

namespace {

// The part of `path` below `folder`, with its slash; empty when it is not below.
[[nodiscard]] std::string_view below(std::string_view path, std::string_view folder) {
    if (folder.ends_with('/')) {
        folder.remove_suffix(1);
    }
    const bool is_below = starts_with(path, folder) && slice(path, folder.size()).starts_with('/');
    return is_below ? slice(path, folder.size()) : std::string_view();
}

// What a path of the file system must be before it is opened below a folder: no "." or ".." segment, no empty one.
[[nodiscard]] bool is_plain(std::string_view path) {
    std::string_view rest = slice(path, 1);
    while (!rest.empty()) {
        const std::string_view segment = split_first(rest, '/', rest);
        if (segment.empty() || segment == "." || segment == "..") {
            return false;
        }
    }
    return !path.empty() && !path.ends_with('/');
}

[[nodiscard]] bool is_about_file(std::string_view name) {
    return is_about_body(name) || equals_ignore_case(name, "Content-Range");
}

[[nodiscard]] bool is_type_or_about_file(std::string_view name) {
    return is_about_file(name) || equals_ignore_case(name, "Content-Type");
}

}  // namespace

void leave_out_said(FieldCursor said, Reply& reply) {
    for (Field field; said.next(field);) {
        if (!equals_ignore_case(field.name, "Vary") && !equals_ignore_case(field.name, "Content-Encoding")) {
            reply.drop_field(field.name);
        }
    }
}

bool is_about_body(std::string_view name) {
    for (const std::string_view own : {"ETag", "Last-Modified", "Accept-Ranges", "X-Sendfile"}) {
        if (equals_ignore_case(name, own)) {
            return true;
        }
    }
    return starts_with_ignore_case(name, "X-Accel-");
}

// Which file the script names; nothing when it names none. `file.path` is empty when it may not be sent.
bool Dispatcher::find_named_file(const Site& site, FieldCursor fields, NamedFile& file) {
    const SiteSettings& settings = *site.root.settings;
    const std::string_view target = find_field(fields, "X-Accel-Redirect");
    file.name = target.empty() ? find_field(fields, "X-Sendfile") : target;
    file.root = site.root;
    if (file.name.empty()) {
        return false;
    }
    // The scratch held the route, which is over.
    routed_for_ = nullptr;
    if (!target.empty()) {
        const Result<std::string_view> path =
            route::normalise_path(slice(target, 0, target.find('?')), setup_.path_scratch);
        file.path = path.ok() ? path.value() : std::string_view();
    } else if (const std::string_view path = below(file.name, settings.sendfile_root);
               !settings.sendfile_root.empty() && !path.empty()) {
        file.root.fd = site.sendfile_fd;
        file.path = is_plain(path) ? path : std::string_view();
        return true;
    } else {
        // Scripts know it by its real name, and by the configured one.
        std::string_view in_root = below(file.name, site.document_root);
        in_root = in_root.empty() ? below(file.name, settings.root) : in_root;
        file.path = is_plain(in_root) ? in_root : std::string_view();
    }
    // What a client could not have asked for as a file is no file for a script either.
    if (file.path.ends_with('/') || route::has_hidden_segment(file.path) || route::is_script(settings, file.path) ||
        route::shows_source(settings, file.path)) {
        file.path = {};
    }
    return true;
}

// True when the script's answer is a file: then the reply is made, and PHP is free.
bool Dispatcher::send_named_file(http::Connection& connection, fastcgi::Exchange& exchange, Reply& reply) {
    const FieldCursor fields = exchange.response.head().fields();
    const Site& site = site_of(connection, exchange.start.site);
    NamedFile file;
    if (!exchange.response.head().may_name_file() || !find_named_file(site, fields, file)) {
        return false;
    }
    const uint16_t status = exchange.response.head().status();
    const bool is_success = status < 300;
    RequestHead head = setup_.engine->head(connection);
    // Conditions and ranges are about what a GET succeeds with (RFC 9110 sections 13.2.1 and 14.2): else the whole is sent, uncoded.
    if (!is_success || !is_read(head.method)) {
        head.fields = {};
    }
    head.method = connection.is_head ? "HEAD" : "GET";
    Reply sent;
    TextBuffer text(setup_.text_scratch);
    if (file.path.empty()) {
        sent.status = 403;
    } else {
        (void)files::serve(file.root, file.path, head, setup_.common->mime, text, sent);
        if (file.root.fd != site.root.fd) {
            sent.drop_field("Cache-Control");  // `expires` has paths of the site, and this is none
        }
    }
    if (sent.status >= 400 && sent.status != 412 && sent.status != 416) {
        log_named_file(connection, file, sent.status);
        http::reply_with_status(reply, sent.status);
    } else {
        if (sent.status >= 400) {
            connection.trace.cause = http::code_of(sent.status);
        }
        reply = sent;
        reply.status = is_success ? sent.status : status;
        exchange.response.drop_fields(sent.status < 300 ? &is_about_file : &is_type_or_about_file);
        leave_out_said(exchange.response.head().fields(), reply);
        reply.packed_fields = exchange.response.head().packed_fields();
    }
    // What the fields point to stays until another exchange is opened; the reply is queued before.
    setup_.upstream->let_finish(exchange);
    connection.exchange = Handle();
    return true;
}

void Dispatcher::log_named_file(http::Connection& connection, const NamedFile& file, uint16_t status) {
    connection.trace.cause = http::reason_code("file-not-sent");
    LogLine line(setup_.common->log, LogLevel::error);
    describe(connection, line.text());
    line.add<": %: the script's file % %">(
        status, Escaped{file.name},
        file.path.empty() ? "may not be sent (see `sendfile_root` and `internal`)"_p : "cannot be sent"_p);
    line.add_reason(connection.trace.cause).send();
}

}  // namespace fcgate::server
