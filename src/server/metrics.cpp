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

constexpr uint8_t number_at(size_t offset) {
    return static_cast<uint8_t>(offset / sizeof(uint64_t));
}

constexpr Row of_server(std::string_view name, Type type, size_t offset, std::string_view help,
                        Labels labels = Labels::none) {
    return {name, help, {number_at(offset), Scope::server, type, labels}};
}

constexpr Row of_backend(std::string_view name, Type type, size_t offset, std::string_view help,
                         Labels labels = Labels::none) {
    return {name, help, {number_at(offset), Scope::backend, type, labels}};
}

constexpr Row of_pool(std::string_view name, size_t offset, std::string_view help) {
    return {name, help, {number_at(offset), Scope::pool, Type::gauge, Labels::none}};
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

constexpr auto texts = pack_tightly<table, &Row::name, &Row::help>();
constexpr auto places = pack_column<table, &Row::place>();

constexpr std::string_view pool_rows[] = {"connections", "exchanges", "php_connections", "pages", "long_targets"};
constexpr auto pool_names = pack_texts<pool_rows>();
static_assert(std::size(pool_rows) == Snapshot::pool_count);

// Of the kinds of labels whose texts are fixed, one behind the other.
constexpr std::string_view label_rows[] = {"idle", "head", "body", "waiting", "replying", "none", "1xx",
                                           "2xx",  "3xx",  "4xx",  "5xx",     "kept",     "fresh"};
constexpr auto label_texts = pack_texts<label_rows>();

struct LabelKind {
    std::string_view name;
    uint8_t count;
    uint8_t first = 0;  // of its texts
};

// In the order of the enumeration.
constexpr LabelKind kinds[] = {
    {"", 1},
    {"state", http::Counts::stages, 0},
    {"class", http::Counts::classes, http::Counts::stages},
    {"kind", 2, http::Counts::stages + http::Counts::classes},
    {"status", http::page_count},
    {"reason", fastcgi::fault_count},
    {"le", fastcgi::BackendCounts::wait_ends.size() + 1},
};
static_assert(std::size(label_rows) == http::Counts::stages + http::Counts::classes + 2);
constexpr auto kind_names = pack_tightly<kinds, &LabelKind::name>();
constexpr auto kind_counts = pack_column<kinds, &LabelKind::count>();
constexpr auto kind_firsts = pack_column<kinds, &LabelKind::first>();

}  // namespace

size_t metric_count() {
    return std::size(table);
}

Metric metric_at(size_t number) {
    return {texts[2 * number], texts[2 * number + 1], places[number]};
}

size_t label_count(Labels labels) {
    return kind_counts[static_cast<size_t>(labels)];
}

Packed label_name(Labels labels) {
    return kind_names[static_cast<size_t>(labels)];
}

void append_label(TextBuffer& out, Labels labels, size_t number) {
    constexpr auto& ends = fastcgi::BackendCounts::wait_ends;
    switch (labels) {
        case Labels::status:
            out.append_number(http::page_status(number));
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
        case Labels::none:
            break;
        case Labels::state:
        case Labels::status_class:
        case Labels::opened:
            out.append(label_texts[kind_firsts[static_cast<size_t>(labels)] + number]);
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
    return static_cast<const uint64_t*>(base) + metric.place.number;
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
