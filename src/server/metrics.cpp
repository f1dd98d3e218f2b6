#include "server/metrics.hpp"

#include "base/packed_table.hpp"
#include "base/wall_time.hpp"

namespace fcgate::server {

namespace {

using Scope = Metric::Scope;
using Type = Metric::Type;
using Labels = Metric::Labels;

struct Row {
    std::string_view name;
    std::string_view help;
    Metric::Place place;
};

constexpr Row of_server(std::string_view name, Type type, size_t offset, std::string_view help,
                        Labels labels = Labels::none) {
    return {name, help, {static_cast<uint16_t>(offset), Scope::server, type, labels}};
}

constexpr Row of_backend(std::string_view name, Type type, size_t offset, std::string_view help,
                         Labels labels = Labels::none) {
    return {name, help, {static_cast<uint16_t>(offset), Scope::backend, type, labels}};
}

constexpr Row of_pool(std::string_view name, size_t offset, std::string_view help) {
    return {name, help, {static_cast<uint16_t>(offset), Scope::pool, Type::gauge, Labels::none}};
}

using Totals = Snapshot::Totals;
using Backend = Snapshot::Backend;
using Pool = Snapshot::Pool;

constexpr Row table[] = {
    of_server("uptime_seconds", Type::milliseconds, offsetof(Totals, uptime_ms), "since the start of the server"),
    of_server("connections", Type::gauge, offsetof(Totals, connections), "of clients, by what they do", Labels::state),
    of_server("newcomers", Type::gauge, offsetof(Totals, newcomers), "clients that wait for a connection's place"),
    of_server("accepted", Type::counter, offsetof(Totals, accepted), "connections that had a place"),
    of_server("turned_away", Type::counter, offsetof(Totals, turned_away), "connections that had none"),
    of_server("responses", Type::counter, offsetof(Totals, answers),
              "by class; none: the client left, or libmicrohttpd"
              " answered",
              Labels::status_class),
    of_server("refusals", Type::counter, offsetof(Totals, pages), "responses made by fcgate itself", Labels::status),
    of_server("parser_refusals", Type::counter, offsetof(Totals, parser_refusals), "answered by libmicrohttpd"),
    of_server("received_bytes", Type::counter, offsetof(Totals, received), "heads and bodies of requests"),
    of_server("sent_bytes", Type::counter, offsetof(Totals, sent), "bodies of responses"),
    of_server("spooled_bytes", Type::gauge, offsetof(Totals, spooled), "request bodies in files"),
    of_server("log_lines_lost", Type::counter, offsetof(Totals, log_lines_lost), "left out of the log"),
    of_server("memory_bytes", Type::gauge, offsetof(Totals, memory), "anonymous memory of the process; 0: unknown"),
    of_server("memory_most_bytes", Type::gauge, offsetof(Totals, most_memory), "that it can take"),
    of_server("memory_ceiling_bytes", Type::gauge, offsetof(Totals, ceiling), "memory_ceiling; 0: none"),
    of_pool("item_bytes", offsetof(Pool, size), "size of one"),
    of_pool("items", offsetof(Pool, count), "how many there are"),
    of_pool("in_use", offsetof(Pool, in_use), "now"),
    of_pool("in_use_most", offsetof(Pool, most), "at once so far"),
    of_backend("places", Type::gauge, offsetof(Backend, places), "requests that PHP works on at once, at most"),
    of_backend("in_use", Type::gauge, offsetof(Backend, in_use), "places that requests hold"),
    of_backend("streams", Type::gauge, offsetof(Backend, streams), "of them, event streams; waiting ones count"),
    of_backend("parked", Type::gauge, offsetof(Backend, parked), "idle connections to PHP"),
    of_backend("waiting", Type::gauge, offsetof(Backend, waiting), "requests that wait for a place"),
    of_backend("waiting_most", Type::gauge, offsetof(Backend, most_waiting), "at once so far"),
    of_backend("queue", Type::gauge, offsetof(Backend, queue), "how many may wait"),
    of_backend("refused", Type::counter, offsetof(Backend, refused), "requests that got no place"),
    of_backend("connections", Type::counter, offsetof(Backend, opened), "used by requests: kept or fresh ones",
               Labels::opened),
    of_backend("wait_seconds", Type::histogram, offsetof(Backend, waits), "waits that ended with a place",
               Labels::wait),
    of_backend("failures", Type::counter, offsetof(Backend, faults), "by the code in the log", Labels::reason),
    of_backend("php_running", Type::gauge, offsetof(Backend, php_running), "1: started by fcgate, and running"),
    of_backend("php_starts", Type::counter, offsetof(Backend, php_starts), "by fcgate"),
    of_backend("php_deaths", Type::counter, offsetof(Backend, php_deaths), "ends that fcgate did not ask for"),
};

constexpr auto names = pack_texts<table, &Row::name>();
constexpr auto helps = pack_tightly<table, &Row::help>();
constexpr auto places = pack_column<table, &Row::place>();

constexpr std::string_view states[] = {"idle", "head", "body", "waiting", "replying"};
constexpr std::string_view classes[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
constexpr std::string_view openings[] = {"kept", "fresh"};
constexpr std::string_view pool_names[] = {"connections", "exchanges", "php_connections", "pages", "long_targets"};
static_assert(sizeof states / sizeof states[0] == http::Counts::stages);
static_assert(sizeof classes / sizeof classes[0] == http::Counts::classes);
static_assert(sizeof pool_names / sizeof pool_names[0] == Snapshot::pool_count);

struct LabelKind {
    std::string_view name;
    size_t count;
};

// In the order of the enumeration.
constexpr LabelKind kinds[] = {
    {"", 1},
    {"state", http::Counts::stages},
    {"class", http::Counts::classes},
    {"status", http::page_count},
    {"kind", 2},
    {"reason", fastcgi::fault_count},
    {"le", fastcgi::BackendCounts::wait_ends.size() + 1},
};

}  // namespace

size_t metric_count() {
    return std::size(table);
}

Metric metric_at(size_t number) {
    return {names[number], helps[number], places[number]};
}

size_t label_count(Labels labels) {
    return kinds[static_cast<size_t>(labels)].count;
}

std::string_view label_name(Labels labels) {
    return kinds[static_cast<size_t>(labels)].name;
}

void append_label(TextBuffer& out, Labels labels, size_t number) {
    constexpr auto& ends = fastcgi::BackendCounts::wait_ends;
    switch (labels) {
        case Labels::none:
            break;
        case Labels::state:
            out.append(states[number]);
            break;
        case Labels::status_class:
            out.append(classes[number]);
            break;
        case Labels::status:
            out.append_number(http::page_status(number));
            break;
        case Labels::opened:
            out.append(openings[number]);
            break;
        case Labels::reason:
            out.append(fastcgi::text_of(static_cast<fastcgi::Fault>(number)).code);
            break;
        case Labels::wait:
            if (number < ends.size()) {
                append_seconds(out, ends[number]);
            } else {
                out.append("+Inf"_p);
            }
            break;
    }
}

bool leaves_out_zero(Labels labels) {
    return labels == Labels::status || labels == Labels::reason;
}

const uint64_t* numbers_of(const Snapshot& snapshot, const Metric& metric, size_t item) {
    const void* base = &snapshot.totals;
    if (metric.place.scope == Scope::backend) {
        base = &snapshot.backends[item];
    } else if (metric.place.scope == Scope::pool) {
        base = &snapshot.pools[item];
    }
    return static_cast<const uint64_t*>(base) + metric.place.offset / sizeof(uint64_t);
}

std::string_view pool_name(size_t number) {
    return pool_names[number];
}

void append_quoted(TextBuffer& out, std::string_view text) {
    out.append('"');
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out.append('\\');
        }
        out.append(c >= ' ' && c < '\x7f' ? c : '?');
    }
    out.append('"');
}

}  // namespace fcgate::server
