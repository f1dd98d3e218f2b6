// Owns: how a listening socket is made, and how connections are taken from it.
// Must not touch: libmicrohttpd: fcgate accepts itself, so that one table of connections serves all listeners.
#pragma once

#include "base/endpoint.hpp"
#include "base/status.hpp"
#include "base/text.hpp"
#include "config/settings.hpp"

namespace fcgate::http {

// Returns a non-blocking listening descriptor, the caller's to close. On failure `why` says what is wrong and what to do, and
// the status is denied or io; errno tells.
[[nodiscard]] Result<int> open_listener(const ListenSettings& listen, TextBuffer& why);

// Removes the path of a unix socket that we made.
void remove_socket_path(const ListenSettings& listen);

// The address that a socket has on this machine, with the port that the kernel chose for it; none when the socket is closed.
[[nodiscard]] Endpoint address_of(int socket);

// True when somebody waits to be accepted.
[[nodiscard]] bool has_waiting_client(int listener);

// A client that has been accepted, on its way to a place.
struct Newcomer {
    int fd = -1;
    Endpoint client;
    Endpoint local;
    bool is_counted = false;   // among the connections of its client
    bool is_operator = false;  // may have a place that is reserved
    bool is_tls = false;       // came to a listener that speaks TLS
    int64_t due = 0;           // when it has waited for long enough
    int64_t since = 0;         // when it was accepted; 0: now
};

// Fills in the descriptor and both addresses. again: nobody waits. exhausted: no descriptor or memory is left for one who does. Other failures
// concern that client alone and are passed over.
[[nodiscard]] Status accept_client(int listener, Newcomer& out);

}  // namespace fcgate::http
