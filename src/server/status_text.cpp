// The forms of the status page that machines read.
#include "base/wall_time.hpp"
#include "http/library.hpp"
#include "server/metrics.hpp"

namespace fcgate::server {

namespace {

using Scope = Metric::Scope;
using Type = Metric::Type;
using Labels = Metric::Labels;

void append_value(TextBuffer& out, Type type, uint64_t value) {
    if (type == Type::milliseconds) {
        append_seconds(out, value);
    } else {
        out.append_number(value);
    }
}

// ---- JSON ----

// "name":
void append_key(TextBuffer& out, bool& is_first, std::string_view name) {
    out.append(is_first ? "" : ",");
    append_quoted(out, name);
    out.append(':');
    is_first = false;
}

void append_json(TextBuffer& out, const Metric& metric, const uint64_t* numbers) {
    if (metric.place.labels == Labels::none) {
        append_value(out, metric.place.type, *numbers);
        return;
    }
    bool is_first = true;
    out.append('{');
    for (size_t i = 0; i < label_count(metric.place.labels); ++i) {
        if (numbers[i] != 0 || !leaves_out_zero(metric.place.labels)) {
            Text<32> label;
            append_label(label, metric.place.labels, i);
            append_key(out, is_first, label.view());
            out.append_number(numbers[i]);
        }
    }
    out.append('}');
}

void append_json(TextBuffer& out, bool& is_first, const Snapshot& snapshot, Scope scope, size_t item) {
    for (size_t i = 0; i < metric_count(); ++i) {
        const Metric metric = metric_at(i);
        if (metric.place.scope == scope) {
            append_key(out, is_first, metric.name);
            append_json(out, metric, numbers_of(snapshot, metric, item));
        }
    }
}

void append_text(TextBuffer& out, bool& is_first, std::string_view name, std::string_view text) {
    append_key(out, is_first, name);
    append_quoted(out, text);
}

void append_servers(TextBuffer& out, bool& is_first, const Snapshot::BackendName& name) {
    for (size_t i = 0; i < name.server_count; ++i) {
        if (i == 0) {
            append_key(out, is_first, "servers");
        }
        bool is_first_text = true;
        out.append(i == 0 ? "[{" : ",{");
        append_text(out, is_first_text, "address", name.servers[i].address);
        out.append(name.servers[i].is_up ? ",\"up\":1" : ",\"up\":0");
        out.append(",\"connections\":"_p).append_number(name.servers[i].connections).append('}');
    }
    out.append(name.server_count > 0 ? "]" : "");
}

// ---- Prometheus ----

constexpr std::string_view prefix[] = {"fcgate_", "fcgate_backend_", "fcgate_pool_"};

std::string_view name_of(const Snapshot& snapshot, size_t backend) {
    const std::string_view name = snapshot.names[backend].name;
    return name.empty() ? "(default)" : name;
}

struct Labeller {
    TextBuffer& out;
    bool is_first = true;

    void add(std::string_view name, std::string_view value) {
        out.append(is_first ? "{" : ",").append(name).append('=');
        append_quoted(out, value);
        is_first = false;
    }
    void end() { out.append(is_first ? " " : "} "); }
};

void append_sample(TextBuffer& out, const Snapshot& snapshot, const Metric& metric, size_t item, size_t number,
                   std::string_view suffix) {
    out.append(prefix[static_cast<size_t>(metric.place.scope)]).append(metric.name).append(suffix);
    Labeller labels{out};
    if (metric.place.scope == Scope::backend) {
        labels.add("backend", name_of(snapshot, item));
    } else if (metric.place.scope == Scope::pool) {
        labels.add("pool", pool_name(item));
    }
    if (metric.place.labels != Labels::none && number < label_count(metric.place.labels)) {
        Text<32> label;
        append_label(label, metric.place.labels, number);
        labels.add(label_name(metric.place.labels), label.view());
    }
    labels.end();
}

// Its buckets hold what those before them hold as well.
void append_histogram(TextBuffer& out, const Snapshot& snapshot, const Metric& metric, size_t item) {
    const uint64_t* const numbers = numbers_of(snapshot, metric, item);
    const size_t count = label_count(metric.place.labels);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; ++i) {
        sum += numbers[i];
        append_sample(out, snapshot, metric, item, i, "_bucket");
        out.append_number(sum).append('\n');
    }
    append_sample(out, snapshot, metric, item, count, "_sum");
    append_seconds(out, snapshot.backends[item].waited_ms);
    out.append('\n');
    append_sample(out, snapshot, metric, item, count, "_count");
    out.append_number(sum).append('\n');
}

void append_metric(TextBuffer& out, const Snapshot& snapshot, const Metric& metric) {
    const std::string_view suffix = metric.place.type == Type::counter ? "_total" : "";
    const std::string_view name = prefix[static_cast<size_t>(metric.place.scope)];
    const std::string_view type = metric.place.type == Type::counter     ? "counter"
                                  : metric.place.type == Type::histogram ? "histogram"
                                                                         : "gauge";
    out.append("# HELP "_p).append(name).append(metric.name).append(suffix).append(' ').append(metric.help);
    out.append("\n# TYPE "_p).append(name).append(metric.name).append(suffix).append(' ').append(type).append('\n');
    const size_t counts[] = {1, snapshot.backend_count, Snapshot::pool_count};
    for (size_t item = 0; item < counts[static_cast<size_t>(metric.place.scope)]; ++item) {
        if (metric.place.type == Type::histogram) {
            append_histogram(out, snapshot, metric, item);
            continue;
        }
        const uint64_t* const numbers = numbers_of(snapshot, metric, item);
        for (size_t i = 0; i < label_count(metric.place.labels); ++i) {
            if (numbers[i] != 0 || !leaves_out_zero(metric.place.labels)) {
                append_sample(out, snapshot, metric, item, i, suffix);
                append_value(out, metric.place.type, numbers[i]);
                out.append('\n');
            }
        }
    }
}

void append_servers(TextBuffer& out, const Snapshot& snapshot) {
    constexpr std::string_view name = "fcgate_backend_server_up";
    bool is_first = true;
    for (size_t backend = 0; backend < snapshot.backend_count; ++backend) {
        for (size_t i = 0; i < snapshot.names[backend].server_count; ++i) {
            const Snapshot::Server& server = snapshot.names[backend].servers[i];
            if (is_first) {
                out.append("# HELP "_p).append(name).append(" 0: it cannot be connected to\n# TYPE "_p);
                out.append(name).append(" gauge\n"_p);
            }
            is_first = false;
            out.append(name);
            Labeller labels{out};
            labels.add("backend", name_of(snapshot, backend));
            labels.add("server", server.address);
            labels.end();
            out.append(server.is_up ? "1\n" : "0\n");
        }
    }
}

}  // namespace

void write_json(const Snapshot& snapshot, TextBuffer& out) {
    bool is_first = true;
    out.append('{');
    append_text(out, is_first, "fcgate", FCGATE_BUILD_VERSION);
    append_text(out, is_first, "libmicrohttpd", http::libmicrohttpd_version());
    append_json(out, is_first, snapshot, Scope::server, 0);
    append_key(out, is_first, "pools");
    char separator = '{';
    for (size_t i = 0; i < Snapshot::pool_count; ++i, separator = ',') {
        out.append(separator);
        append_quoted(out, pool_name(i));
        out.append(":{"_p);
        bool is_first_number = true;
        append_json(out, is_first_number, snapshot, Scope::pool, i);
        out.append('}');
    }
    out.append("},\"backends\":["_p);
    for (size_t i = 0; i < snapshot.backend_count; ++i) {
        const Snapshot::BackendName& name = snapshot.names[i];
        bool is_first_number = true;
        out.append(i == 0 ? "{" : ",{");
        append_text(out, is_first_number, "name", name.name);
        append_text(out, is_first_number, "address", name.address);
        if (!name.php.empty()) {
            append_text(out, is_first_number, "php", name.php);
        }
        append_json(out, is_first_number, snapshot, Scope::backend, i);
        append_key(out, is_first_number, "waited_seconds");
        append_seconds(out, snapshot.backends[i].waited_ms);
        append_servers(out, is_first_number, name);
        out.append('}');
    }
    out.append("]}\n"_p);
}

void write_prometheus(const Snapshot& snapshot, TextBuffer& out) {
    out.append("# HELP fcgate_info versions\n# TYPE fcgate_info gauge\nfcgate_info"_p);
    Labeller labels{out};
    labels.add("version", FCGATE_BUILD_VERSION);
    labels.add("libmicrohttpd", http::libmicrohttpd_version());
    labels.end();
    out.append("1\n"_p);
    for (size_t i = 0; i < metric_count(); ++i) {
        append_metric(out, snapshot, metric_at(i));
    }
    append_servers(out, snapshot);
}

void write_status(const Snapshot& snapshot, StatusForm form, TextBuffer& out) {
    switch (form) {
        case StatusForm::html:
            write_html(snapshot, out);
            break;
        case StatusForm::json:
            write_json(snapshot, out);
            break;
        case StatusForm::prometheus:
            write_prometheus(snapshot, out);
            break;
    }
}

std::string_view status_type(StatusForm form) {
    constexpr std::string_view types[] = {"text/html; charset=utf-8", "application/json",
                                          "text/plain; version=0.0.4; charset=utf-8"};
    return types[static_cast<size_t>(form)];
}

StatusForm choose_form(std::string_view query, std::string_view accept) {
    struct Choice {
        std::string_view query;
        std::string_view type;
        StatusForm form;
    };
    constexpr Choice choices[] = {{"html", "text/html", StatusForm::html},
                                  {"json", "application/json", StatusForm::json}};
    for (const Choice& choice : choices) {
        if (query == choice.query) {
            return choice.form;
        }
    }
    for (const Choice& choice : choices) {
        if (query.empty() && accept.find(choice.type) != std::string_view::npos) {
            return choice.form;
        }
    }
    // Also for whoever takes anything: it reads well in a terminal.
    return StatusForm::prometheus;
}

}  // namespace fcgate::server
