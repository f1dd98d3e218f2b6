#include "fastcgi/fault.hpp"

#include <array>

#include "base/packed_table.hpp"

namespace fcgate::fastcgi {

namespace {

struct Entry {
    Fault fault;
    std::string_view code;
    uint16_t status;
    std::string_view words;
};

// In the order of the enumeration. Words that end in a space or in nothing are completed by whoever reports the fault.
constexpr std::array<Entry, fault_count> entries = {{
    {Fault::backend_absent, "backend-absent", 502, "connect (is php-fpm running, and is this its `listen`?)"},
    {Fault::backend_denied, "backend-denied", 502, ""},
    {Fault::backend_refused, "backend-refused", 502, "connect (nothing listens there: is php-fpm running?)"},
    {Fault::backend_unreachable, "backend-unreachable", 502, "connect (see `address`)"},
    {Fault::backlog_full, "backlog-full", 503,
     "connect: the backlog of its socket is full (are its workers stuck, or fewer than `workers`? see "
     "listen.backlog)"},
    {Fault::connect_timeout, "connect-timeout", 504, "connect: no answer in time (see `connect_timeout`)"},
    {Fault::connect_shortage, "connect-shortage", 503, "connect (fcgate is short of descriptors or memory)"},

    {Fault::queue_timeout, "queue-timeout", 503, "no PHP worker became free in time (see `queue_timeout`)"},
    {Fault::queue_full, "queue-full", 503,
     "all PHP workers are busy and the queue is full (see `workers` and `queue`)"},
    {Fault::queue_evicted, "queue-evicted", 503,
     "made room in the full queue for a client that holds less of it (see `queue`)"},
    {Fault::exchanges_full, "exchanges-full", 503, "too many requests wait for PHP (see `exchanges`)"},
    {Fault::exchange_evicted, "exchange-evicted", 503,
     "made room for a client that has fewer requests under way (see `exchanges`)"},
    {Fault::streams_full, "streams-full", 503, "event streams may hold all PHP workers but one (see `workers`)"},
    {Fault::stopping, "stopping", 503, "the server stops"},

    {Fault::php_broken, "php-broken", 502, "PHP cannot be started; the log has said why"},
    {Fault::php_start_timeout, "php-start-timeout", 503, "PHP did not start in time (see `response_timeout`)"},

    {Fault::params_too_large, "params-too-large", 431, "the CGI variables do not fit (see `connection_memory`)"},
    {Fault::script_changed, "script-changed", 502, "the script has changed or gone since the request came"},

    {Fault::body_lost, "body-lost", 500, "its body cannot be read back (see `spool`)"},

    {Fault::backend_closed, "backend-closed", 502,
     "it closed the connection in the middle of the request (PHP crashed, was killed or restarted, or ran into "
     "request_terminate_timeout: see its log)"},
    {Fault::backend_io, "backend-io", 502, "its connection cannot be used: "},
    {Fault::backend_silent, "backend-silent", 504, "the script was silent for too long (see `response_timeout`)"},
    {Fault::backend_overloaded, "backend-overloaded", 503,
     "it says that it is overloaded (has it as many workers as `workers` says?)"},
    {Fault::backend_rejected, "backend-rejected", 502,
     "it refused the request (is it a FastCGI responder?): protocol status "},
    {Fault::records_malformed, "records-malformed", 502,
     "what it sends is no FastCGI (is `address` that of php-fpm?): "},
    {Fault::chatter, "chatter", 502,
     "it sent more than 1 MiB of error output or empty records without a byte of an answer"},
    {Fault::head_malformed, "head-malformed", 502, "the script's response head is malformed: "},
    {Fault::head_too_large, "head-too-large", 502, "its response head has "},
    {Fault::head_missing, "head-missing", 502,
     "the script ended without a response head (did it crash? see PHP's log)"},
    {Fault::body_short, "body-short", 200, "its body is shorter than its Content-Length"},

    {Fault::app_status, "app-status", 200, "the script ended with application status "},
    {Fault::script_unknown, "script-unknown", 404, ""},
    {Fault::script_unreadable, "script-unreadable", 404, ""},
    {Fault::script_refused, "script-refused", 403, ""},
}};

constexpr bool is_in_order() {
    for (size_t i = 0; i < entries.size(); ++i) {
        if (static_cast<size_t>(entries[i].fault) != i) {
            return false;
        }
    }
    return true;
}
static_assert(is_in_order());

constexpr auto texts = pack_tightly<entries, &Entry::code, &Entry::words>();
constexpr auto statuses = pack_column<entries, &Entry::status>();

}  // namespace

FaultText text_of(Fault fault) {
    const auto number = static_cast<size_t>(fault);
    return {texts[2 * number], statuses[number], texts[2 * number + 1]};
}

}  // namespace fcgate::fastcgi
