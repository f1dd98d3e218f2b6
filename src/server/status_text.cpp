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

// "name": of the next member.
void append_key(TextBuffer& out, Packed name) {
    out.append<"%\"%\":">(ends_with(out.view(), "{") ? ""_p : ","_p, name);
}

void append_text(TextBuffer& out, Packed name, std::string_view text) {
    append_key(out, name);
    append_quoted(out, text);
}

void append_json(TextBuffer& out, const Metric& metric, const uint64_t* numbers) {
    append_key(out, metric.name);
    if (metric.place.labels == Labels::none) {
        append_value(out, metric.place.type, *numbers);
        return;
    }
    out.append('{');
    for (size_t i = 0; i < label_count(metric.place.labels); ++i) {
        if (numbers[i] != 0 || !leaves_out_zero(metric.place.labels)) {
            out.append(ends_with(out.view(), "{") ? "\"" : ",\"");
            append_label(out, metric.place.labels, i);
            out.append<"\":%">(numbers[i]);
        }
    }
    out.append('}');
}

void append_json(TextBuffer& out, const Snapshot& snapshot, Scope scope, size_t item) {
    for (size_t i = 0; i < metric_count(); ++i) {
        const Metric metric = metric_at(i);
        if (metric.place.scope == scope) {
            append_json(out, metric, numbers_of(snapshot, metric, item));
        }
    }
}

void append_backend(TextBuffer& out, const Snapshot& snapshot, size_t number) {
    const Snapshot::BackendName& name = snapshot.names[number];
    out.append(number == 0 ? '[' : ',').append('{');
    append_text(out, "name"_p, name.settings->name);
    append_text(out, "address"_p, name.settings->address);
    if (name.php != nullptr) {
        append_text(out, "php"_p, name.php);
    }
    append_json(out, snapshot, Scope::backend, number);
    append_key(out, "waited_seconds"_p);
    append_seconds(out, snapshot.backends[number].waited_ms);
    for (size_t i = 0; i < name.server_count; ++i) {
        out.append(i == 0 ? ",\"servers\":[{"_p : ",{"_p);
        append_text(out, "address"_p, name.settings->server(i).address);
        out.append<",\"up\":%,\"connections\":%}">(name.servers[i].is_up ? 1 : 0, name.servers[i].connections);
    }
    out.append(name.server_count > 0 ? "]}"_p : "}"_p);
}

// ---- Prometheus ----

std::string_view name_of(const Snapshot& snapshot, size_t backend) {
    const std::string_view name = snapshot.names[backend].settings->name;
    return name.empty() ? "(default)" : name;
}

// {name= of the first label, ,name= of another
void append_key_of_label(TextBuffer& out, Packed name) {
    out.append<"%%=">(ends_with(out.view(), "\"") ? ',' : '{', name);
}

void append_label(TextBuffer& out, Packed name, std::string_view value) {
    append_key_of_label(out, name);
    append_quoted(out, value);
}

void end_labels(TextBuffer& out) {
    out.append(ends_with(out.view(), "\"") ? "} " : " ");
}

void append_name(TextBuffer& out, const Metric& metric, Packed suffix) {
    out.append("fcgate_"_p);
    if (metric.place.scope != Scope::server) {
        out.append(metric.place.scope == Scope::backend ? "backend_"_p : "pool_"_p);
    }
    out.append(metric.name).append(suffix);
}

void append_sample(TextBuffer& out, const Snapshot& snapshot, const Metric& metric, size_t item, size_t number,
                   Packed suffix) {
    append_name(out, metric, suffix);
    if (metric.place.scope == Scope::backend) {
        append_label(out, "backend"_p, name_of(snapshot, item));
    } else if (metric.place.scope == Scope::pool) {
        append_label(out, "pool"_p, pool_name(item));
    }
    if (metric.place.labels != Labels::none && number < label_count(metric.place.labels)) {
        append_key_of_label(out, label_name(metric.place.labels));
        out.append('"');
        append_label(out, metric.place.labels, number);
        out.append('"');
    }
    end_labels(out);
}

// Its buckets hold what those before them hold as well.
void append_histogram(TextBuffer& out, const Snapshot& snapshot, const Metric& metric, size_t item) {
    const uint64_t* const numbers = numbers_of(snapshot, metric, item);
    const size_t count = label_count(metric.place.labels);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; ++i) {
        sum += numbers[i];
        append_sample(out, snapshot, metric, item, i, "_bucket"_p);
        out.append_number(sum).append('\n');
    }
    append_sample(out, snapshot, metric, item, count, "_sum"_p);
    append_seconds(out, snapshot.backends[item].waited_ms);
    out.append('\n');
    append_sample(out, snapshot, metric, item, count, "_count"_p);
    out.append_number(sum).append('\n');
}

void append_metric(TextBuffer& out, const Snapshot& snapshot, const Metric& metric) {
    const Metric::Place& place = metric.place;
    const Packed suffix = place.type == Type::counter ? "_total"_p : ""_p;
    const Packed type = place.type == Type::counter     ? "counter"_p
                        : place.type == Type::histogram ? "histogram"_p
                                                        : "gauge"_p;
    out.append("# HELP "_p);
    append_name(out, metric, suffix);
    out.append<" %\n# TYPE ">(metric.help);
    append_name(out, metric, suffix);
    out.append<" %\n">(type);
    const size_t counts[] = {1, snapshot.backend_count, Snapshot::pool_count};
    for (size_t item = 0; item < counts[static_cast<size_t>(place.scope)]; ++item) {
        if (place.type == Type::histogram) {
            append_histogram(out, snapshot, metric, item);
            continue;
        }
        const uint64_t* const numbers = numbers_of(snapshot, metric, item);
        for (size_t i = 0; i < label_count(place.labels); ++i) {
            if (numbers[i] != 0 || !leaves_out_zero(place.labels)) {
                append_sample(out, snapshot, metric, item, i, suffix);
                append_value(out, place.type, numbers[i]);
                out.append('\n');
            }
        }
    }
}

void append_servers(TextBuffer& out, const Snapshot& snapshot) {
    bool is_first = true;
    for (size_t backend = 0; backend < snapshot.backend_count; ++backend) {
        const Snapshot::BackendName& name = snapshot.names[backend];
        for (size_t i = 0; i < name.server_count; ++i) {
            if (is_first) {
                out.append(
                    "# HELP fcgate_backend_server_up 0: it cannot be connected to\n# TYPE fcgate_backend_server_up gauge\n"_p);
            }
            is_first = false;
            out.append("fcgate_backend_server_up"_p);
            append_label(out, "backend"_p, name_of(snapshot, backend));
            append_label(out, "server"_p, name.settings->server(i).address);
            end_labels(out);
            out.append(name.servers[i].is_up ? "1\n" : "0\n");
        }
    }
}

}  // namespace

void write_json(const Snapshot& snapshot, TextBuffer& out) {
    out.append("{\"fcgate\":\"" FCGATE_BUILD_VERSION "\""_p);
    append_text(out, "libmicrohttpd"_p, http::libmicrohttpd_version());
    append_json(out, snapshot, Scope::server, 0);
    for (size_t i = 0; i < Snapshot::pool_count; ++i) {
        out.append<"%\"%\":{">(i == 0 ? ",\"pools\":{"_p : ","_p, pool_name(i));
        append_json(out, snapshot, Scope::pool, i);
        out.append('}');
    }
    out.append("},\"backends\":"_p);
    for (size_t i = 0; i < snapshot.backend_count; ++i) {
        append_backend(out, snapshot, i);
    }
    out.append(snapshot.backend_count > 0 ? "]}\n"_p : "[]}\n"_p);
}

void write_prometheus(const Snapshot& snapshot, TextBuffer& out) {
    out.append("# HELP fcgate_info versions\n# TYPE fcgate_info gauge\nfcgate_info"_p);
    append_label(out, "version"_p, FCGATE_BUILD_VERSION);
    append_label(out, "libmicrohttpd"_p, http::libmicrohttpd_version());
    end_labels(out);
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
