// The part of Engine that answers by itself, past libmicrohttpd: who finds no place, a head that does not come, a body that cannot be taken.
#include <sys/socket.h>
#include <unistd.h>

#include "base/http_date.hpp"
#include "http/engine.hpp"
#include "http/reason.hpp"
#include "http/status_page.hpp"

namespace fcgate::http {

void Engine::turn_away(const Newcomer& newcomer, Packed code) {
    static constexpr std::string_view answer =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    constexpr uint16_t status = 503;
    if (!newcomer.is_tls) {
        (void)::send(newcomer.fd, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    lingering_.take(newcomer.fd);
    close(newcomer.fd);
    if (is_listened_to()) {
        Finished finished{.client = newcomer.client, .asker = newcomer.client};
        finished.status = status;
        finished.now = setup_.clock->now();
        finished.request_ms = newcomer.since != 0 ? finished.now - newcomer.since : 0;
        finished.cause = code;
        setup_.finished->tell(finished);
    }
    setup_.counts->turned_away.add();
}

// An answer for when libmicrohttpd cannot give one: in the middle of a body, or before the head is whole.
void Engine::send_at_once(Connection& connection, uint16_t status) {
    Reply page;
    reply_with_status(page, status);
    Text<2048> text;
    text.append<"HTTP/1.1 % %">(status, reason_phrase(status));
    for (const Field& field : page.fields()) {
        text.append("\r\n").append<"%: %">(field.name, field.value);
    }
    text.append("\r\n").append<"Content-Length: %">(page.length).append("\r\nConnection: close\r\nDate: ");
    append_http_date(text, wall_clock());
    text.append("\r\n\r\n");
    for (const std::string_view piece : status_page(status)) {
        text.append(connection.is_head ? std::string_view() : piece);
    }
    // Nothing of a reply has been sent on this connection, so the socket's buffer takes it whole. A secure one only libmicrohttpd could answer: it
    // just ends.
    if (!connection.is_tls) {
        const ssize_t count = ::send(connection.fd, text.c_str(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        connection.trace.is_sent = count == static_cast<ssize_t>(text.size());
    }
    note_answer(connection, status, true);
    connection.refused = true;
    connection.hung_up = connection.gone = true;
    connection.trace.status = status;
    connection.trace.sent = connection.is_head || connection.is_tls ? 0 : page.length;
}

// libmicrohttpd closes when it is told that the body is not wanted; what the client still sends is drained.
void Engine::refuse_rest(Connection& connection, uint16_t status) {
    send_at_once(connection, status);
}

// The write side stays open for the client to read the answer; libmicrohttpd is told of an error, closes, and the connection lingers. Where it
// cannot be told it has to see the end of the read side, and what the client still sends then resets the connection.
void Engine::end_with(Connection& connection, uint16_t status) {
    send_at_once(connection, status);
    const bool can_be_told =
        takes_events && !connection.suspended && drive_of(connection.is_tls).given_count < most_given;
    if (!can_be_told) {
        (void)shutdown(connection.fd, SHUT_RD);
    }
    show(connection, can_be_told ? EPOLLERR : EPOLLIN);
}

void Engine::on_connection_timer(uint32_t slot) {
    Connection& connection = connections_.all()[slot];
    if (!connection.live) {
        return;
    }
    switch (connection.stage) {
        case Connection::Stage::idle:
            kill(connection);
            break;
        case Connection::Stage::head:
            if (connection.is_tls && connection.target().empty()) {
                // There may have been a handshake alone: browsers open connections in advance.
                kill(connection);
            } else {
                log_refusal(connection, 408, "its head did not come in time (see `header_timeout`)"_p);
                end_with(connection, 408);
            }
            break;
        case Connection::Stage::body:
        case Connection::Stage::waiting:
        case Connection::Stage::replying:
            break;
    }
}

}  // namespace fcgate::http
