// Owns: the table of all that a snapshot tells to machines: name, meaning, type and place in the snapshot of each number. The JSON and
// the Prometheus form are both written from it.
// Must not touch: the server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/status.hpp"

namespace fcgate::server {

struct Metric {
    enum class Scope : uint8_t { server, backend, pool };
    enum class Type : uint8_t { gauge, counter, milliseconds, histogram };
    enum class Labels : uint8_t { none, state, status_class, opened, status, reason, wait };

    struct Place {
        uint8_t number;  // in Totals, Backend or Pool
        Scope scope;
        Type type;
        Labels labels;
    };

    Packed name;
    Packed help;
    Place place;
};

[[nodiscard]] size_t metric_count();
[[nodiscard]] Metric metric_at(size_t number);

// How many numbers a metric has, and what each is called.
[[nodiscard]] size_t label_count(Metric::Labels labels);
[[nodiscard]] Packed label_name(Metric::Labels labels);
void append_label(TextBuffer& out, Metric::Labels labels, size_t number);
// Of many that are nearly always 0 only those are told that are not.
[[nodiscard]] bool leaves_out_zero(Metric::Labels labels);

// Its numbers, of backend or pool number `item`.
[[nodiscard]] const uint64_t* numbers_of(const Snapshot& snapshot, const Metric& metric, size_t item);
[[nodiscard]] std::string_view pool_name(size_t number);

// A text in double quotes, after the rules of JSON and of Prometheus at once: what is no printable ASCII becomes '?'.
void append_quoted(TextBuffer& out, std::string_view text);

}  // namespace fcgate::server
