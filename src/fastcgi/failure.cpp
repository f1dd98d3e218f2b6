// The part of Upstream that decides what a failure means to the client, and says it in the log.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fastcgi/upstream.hpp"

namespace fcgate::fastcgi {

void Upstream::fail(Exchange& exchange, uint16_t status, std::string_view what, int error_number) {
    flush_error_line(exchange);
    log_failure(exchange, status, what, error_number);
    detach(exchange, false);
    exchange.phase = Exchange::Phase::failed;
    exchange.failure_status = status;
    if (exchange.is_orphan) {
        release(exchange);
    } else {
        wake(exchange);
    }
}

void Upstream::describe(const Exchange& exchange, TextBuffer& out) {
    if (exchange.is_orphan) {
        out.append("a script that runs on behind its reply");
    } else {
        exchange.start.owner.describe(exchange.start.owner.handler, exchange.start.owner.context, out);
    }
}

// One line that says which request, which backend, what happened and what to do.
void Upstream::log_failure(const Exchange& exchange, uint16_t status, std::string_view what, int error_number) {
    const bool ours = status == 503 || status == 431;
    LogLine line(*setup_.log, ours ? LogLevel::warning : LogLevel::error);
    describe(exchange, line.text());
    if (exchange.is_orphan) {
        line.add(": cut off");
    } else if (exchange.reply_begun) {
        line.add(": reply cut off");
    } else {
        line.add(": ").add_number(status);
    }
    line.add(": backend ").add(backend_of(exchange).address).add(": ").add(what);
    if (error_number != 0) {
        line.add_error(error_number);
    }
    line.send();
}

void Upstream::fail_opening(Exchange& exchange, Status status, int error_number) {
    std::string_view what = "connect";
    if (status == Status::not_found) {
        what = "connect (is php-fpm running, and is this its `listen`?)";
    } else if (status == Status::denied) {
        what =
            "connect (may fcgate's user write to the socket? see listen.owner, listen.group and listen.mode of "
            "php-fpm)";
    } else if (status == Status::refused) {
        what = "connect (nothing listens there: is php-fpm running?)";
    }
    const bool is_shortage =
        status == Status::exhausted || error_number == EMFILE || error_number == ENFILE || error_number == ENOMEM;
    const uint16_t reply = is_shortage ? 503 : 502;
    fail(exchange, reply, what, error_number);
}

// php-fpm sends what scripts write to their error log in pieces and without a final newline; the log gets it line by line.
void Upstream::write_error_output(Exchange& exchange, std::string_view text) {
    for (const char c : text) {
        if (c == '\n') {
            flush_error_line(exchange);
            continue;
        }
        exchange.error_line[exchange.error_line_size++] = c;
        if (exchange.error_line_size == exchange.error_line.size()) {
            flush_error_line(exchange);
        }
    }
}

void Upstream::flush_error_line(Exchange& exchange) {
    if (exchange.error_line_size == 0) {
        return;
    }
    LogLine line(*setup_.log, LogLevel::warning);
    describe(exchange, line.text());
    line.add(": PHP: ");
    line.text().append_escaped({exchange.error_line.data(), exchange.error_line_size}, limits::log_line / 2);
    line.send();
    exchange.error_line_size = 0;
}

}  // namespace fcgate::fastcgi
