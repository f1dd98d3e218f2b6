// The part of Dispatcher that answers with the status page.
#include <algorithm>

#include "base/features.hpp"
#include "base/text_table.hpp"
#include "http/status_page.hpp"
#include "server/dispatcher.hpp"

namespace fcgate::server {

namespace {

// The first one only of the page for people.
constexpr std::string_view page_field_rows[] = {
    "Referrer-Policy",        "no-referrer", "Cache-Control", "no-store", "Vary", "Accept",
    "X-Content-Type-Options", "nosniff"};
constexpr auto page_fields = pack_texts<page_field_rows>();

}  // namespace

// Before endpoints, files and scripts are looked for: while PHP is dead nothing but this may answer.
bool Dispatcher::is_status_path(const http::Connection& connection, const route::Target& target) {
    const std::string_view wanted = configuration_of(connection).settings->server.status_path;
    if (wanted == "off") {
        return false;
    }
    const Result<std::string_view> path = route::normalise_path(target.path, setup_.path_scratch);
    return path.ok() && path.value() == wanted;
}

// This machine, and the networks listed. Whom a proxy has brought is in those or is nobody: behind one is the world, wherever it runs.
bool Dispatcher::may_see_status(const http::Connection& connection) const {
    const auto& networks = configuration_of(connection).settings->server.status_allow;
    const Endpoint& asker = connection.asker;
    return (asker.is_loopback() && !connection.is_proxied) ||
           std::ranges::any_of(networks, [&asker](const Network& network) { return network.contains(asker); });
}

void Dispatcher::show_status(http::Connection& connection, const RequestHead& head, const route::Target& target,
                             Reply& reply) {
    if (!may_see_status(connection)) {
        refuse(connection, reply, 404, "the status page is not for this address (see `status_allow`)"_p);
        return;
    }
    if (!is_read(head.method)) {
        answer_method(connection, head, reply, "the status page is only to be read"_p);
        return;
    }
    const StatusForm form = choose_form(target.query, head.field("Accept"));
    TextBuffer page(setup_.status_page);
    setup_.common->status.write(setup_.common->status.context, form, page);
    if (!send_page(page, status_type(form), reply)) {
        refuse(connection, reply, 503, "there is no room for the status page"_p);
        return;
    }
    // Seven fields in all: there is room.
    if (form == StatusForm::html) {
        (void)reply.add_field("Content-Security-Policy", status_policy());
        // Whoever asks for ?html has it stand still.
        if (target.query.empty()) {
            (void)reply.add_field("Refresh", "5");
        }
    }
    for (size_t i = form == StatusForm::html ? 0 : 2; i < std::size(page_field_rows); i += 2) {
        (void)reply.add_field(page_fields[i], page_fields[i + 1]);
    }
}

}  // namespace fcgate::server
