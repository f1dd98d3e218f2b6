// The form of the status page that people read: one page without scripts. That it is asked for again is for the reply to say.
#include <algorithm>
#include <span>

#include "base/html.hpp"
#include "http/library.hpp"
#include "server/metrics.hpp"

namespace fcgate::server {

namespace {

// status_policy() has its SHA-256: whoever changes it changes both. tests/e2e compares them.
constexpr Packed style =
    ":root{color-scheme:light dark;--p:#fff;--l:#8884;--m:#667;--a:#0a6dc2}"
    "@media(prefers-color-scheme:dark){:root{--p:#1b1f24;--m:#9aa4b2;--a:#5ab0ff}}"
    "body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:60rem;background:#8881;"
    "overflow-wrap:anywhere}"
    "h1{font-size:1.3rem;margin:0}h2{font-size:1rem;margin:0 0 .5rem}p,small,th{color:var(--m);margin:0}"
    "div{display:grid;gap:.75rem;margin:.75rem 0;grid-template-columns:repeat(auto-fit,minmax(min(19rem,100%),1fr))}"
    "main{columns:3 18rem;gap:.75rem;margin:0 0 .5rem}section{background:var(--p);border:1px solid var(--l);"
    "border-radius:.6rem;padding:.8rem 1rem;break-inside:avoid}main section{margin-bottom:.75rem}"
    "b{font-size:1.9rem;font-weight:600;line-height:1.2}small{display:flex;justify-content:space-between}"
    "svg{display:block;width:100%;height:5rem;margin:.5rem 0 .2rem;border-bottom:1px solid var(--l)}path{fill:var(--a)}"
    "table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:400}"
    "td,th+th{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}th,td{padding:.15rem 0 .15rem "
    ".7rem}th:first-child{padding-left:0}"
    "tr+tr>*{border-top:1px solid var(--l)}meter{width:100%;height:.9rem}a{color:var(--a);padding:.4rem 0}"_p;
constexpr std::string_view policy =
    "default-src 'none'; style-src 'sha256-EUF8PsiDhnxajiWZX6C6CK3l8AuwyzzT7avjeJ8Hzbw='; img-src data:; base-uri "
    "'none'; form-action 'none'; frame-ancestors "
    "'none'";

// Three digits: "4.2 MiB".
void append_bytes(TextBuffer& out, uint64_t bytes) {
    constexpr size_t unit_size = 4;
    const unsigned power = append_scaled(out, bytes);
    out.append(power == 0 ? " bytes" : slice(" KiB MiB GiB TiB", (power - 1) * unit_size, unit_size));
}

// Its two largest parts: "3 d 4 h".
void append_time(TextBuffer& out, uint64_t seconds) {
    struct Unit {
        std::string_view name;
        uint64_t seconds;
    };
    constexpr Unit units[] = {{" d", 86400}, {" h", 3600}, {" min", 60}, {" s", 1}};
    size_t first = 0;
    while (first + 1 < std::size(units) && seconds < units[first].seconds) {
        ++first;
    }
    out.append_number(seconds / units[first].seconds).append(units[first].name);
    if (first + 1 < std::size(units)) {
        const Unit& next = units[first + 1];
        out.append(' ').append_number(seconds % units[first].seconds / next.seconds).append(next.name);
    }
}

// The pattern with numbers in it, as they follow each other: '#' as they are, '~' as bytes, '@' as a time in seconds.
// NOLINTBEGIN(clang-analyzer-core.CallAndMessage): clang-tidy 14 does not see how many numbers a pattern asks for.
void fill(TextBuffer& out, Packed pattern, const uint64_t* numbers) {
    Unpacking rest(pattern);
    while (const char c = rest.next()) {
        switch (c) {
            case '#':
                out.append_number(*numbers++);
                break;
            case '~':
                append_bytes(out, *numbers++);
                break;
            case '@':
                append_time(out, *numbers++);
                break;
            default:
                out.append(c);
        }
    }
}
// NOLINTEND(clang-analyzer-core.CallAndMessage)

// A line of a table for what is nearly always 0; then there is none.
template <typename Name>
void append_count(TextBuffer& out, Name name, uint64_t count) {
    if (count != 0) {
        out.append<"<tr><th>%<td>%">(name, count);
    }
}

struct Sums {
    uint64_t in_use = 0;
    uint64_t places = 0;
    uint64_t waiting = 0;
};

[[nodiscard]] Sums sums_of(const Snapshot& snapshot) {
    Sums sums;
    for (size_t i = 0; i < snapshot.backend_count; ++i) {
        sums.places += snapshot.backends[i].places;
        sums.in_use += snapshot.backends[i].in_use;
        sums.waiting += snapshot.backends[i].waiting;
    }
    return sums;
}

// Behind "<svg" and its name: a bar for each step; what is highest fills the height, unless `full` says what would.
void draw(TextBuffer& out, const Snapshot& snapshot, uint32_t History::Step::*what, uint32_t full) {
    constexpr uint32_t height = 60;
    uint32_t highest = std::max<uint32_t>(full, 1);
    for (const History::Step& step : snapshot.history) {
        highest = std::max(highest, step.*what);
    }
    out.append(" viewBox=\"0 0 239 60\" preserveAspectRatio=\"none\" role=\"img\"><path d=\""_p);
    uint32_t at = 0;
    for (const History::Step& step : snapshot.history) {
        if (const uint32_t value = step.*what; value > 0) {
            // One that is there is seen.
            const uint64_t bar = 1 + uint64_t{value} * (height - 1) / highest;
            const uint64_t numbers[] = {at, bar, bar};
            fill(out, "M# 60v-#h3v#z"_p, numbers);
        }
        at += 4;
    }
    out.append("\"/></svg><small><span>5 minutes ago</span><span>"_p);
}

void write_requests(TextBuffer& out, const Snapshot& snapshot) {
    constexpr size_t minute = 12;  // steps
    uint32_t requests = 0;
    uint32_t highest = 1;
    for (size_t i = 0; i < History::steps; ++i) {
        const uint32_t value = snapshot.history[i].requests;
        requests += i >= History::steps - minute ? value : 0;
        highest = std::max(highest, value);
    }
    // The server may be younger.
    const auto seconds = static_cast<uint32_t>(std::clamp<uint64_t>(snapshot.totals.uptime_ms / 1000, 1, 60));
    const uint64_t numbers[] = {requests / seconds, requests % seconds * 10 / seconds, highest / 5,
                                uint64_t{highest % 5} * 2};
    fill(out,
         "<section><h2>Requests</h2><b>#.#</b> a second in the last minute"
         "<svg aria-label=\"Requests in the last five minutes\""_p,
         numbers);
    draw(out, snapshot, &History::Step::requests, 0);
    fill(out, "at most #.# a second</span><span>now</span></small></section>"_p, numbers + 2);
}

void write_places(TextBuffer& out, const Snapshot& snapshot, const Sums& sums) {
    fill(out,
         "<section><h2>PHP places</h2><b>#</b> of # in use; waiting: #"
         "<svg aria-label=\"Places in use in the last five minutes\""_p,
         &sums.in_use);
    draw(out, snapshot, &History::Step::places, static_cast<uint32_t>(sums.places));
    fill(out, "the most in use, of #</span><span>now</span></small></section>"_p, &sums.places);
}

// Behind "<meter" and its name: how much of the number behind it `value` is.
void append_meter(TextBuffer& out, const uint64_t& value) {
    const uint64_t most = *(&value + 1);
    // Its colour changes when little is left.
    const uint64_t numbers[] = {value, most, most * 9 / 10};
    fill(out, " value=\"#\" max=\"#\" high=\"#\"></meter>"_p, numbers);
}

void write_backend(TextBuffer& out, const Snapshot& snapshot, size_t number) {
    const Snapshot::Backend& backend = snapshot.backends[number];
    const Snapshot::BackendName& name = snapshot.names[number];
    out.append("<section><h2>Backend "_p);
    append_html(out, name.settings->name);
    out.append("</h2><p>"_p);
    append_html(out, name.settings->address);
    out.append("</p><meter aria-label=\"Places in use\""_p);
    append_meter(out, backend.in_use);
    fill(out,
         "<table><tr><th>Places in use<td># of #<tr><th>by event streams<td>#<tr><th>Waiting<td># of #"
         "<tr><th>most that ever did<td>#<tr><th>Refused for want of a place<td>#<tr><th>Kept connections used<td>#"
         "<tr><th>Fresh ones<td>#<tr><th>Parked now<td>#"_p,
         &backend.in_use);
    for (size_t i = 0; i < name.server_count; ++i) {
        out.append("<tr><th>"_p);
        append_html(out, name.settings->server(i).address);
        fill(out, name.servers[i].is_up ? "<td>up, #"_p : "<td>down, #"_p, &name.servers[i].connections);
    }
    if (name.php != nullptr) {
        out.append("<tr><th>PHP, started by fcgate<td>"_p);
        append_html(out, name.php);
        fill(out, "<tr><th>Starts<td>#<tr><th>Deaths<td>#"_p, &backend.php_starts);
    }
    constexpr auto& ends = fastcgi::BackendCounts::wait_ends;
    for (size_t i = 0; i <= ends.size(); ++i) {
        const uint64_t numbers[] = {ends[std::min(i, ends.size() - 1)], backend.waits[i]};
        if (numbers[1] != 0) {
            fill(out,
                 i == 0            ? "<tr><th>Waited not at all<td>#"_p
                 : i < ends.size() ? "<tr><th>Waited up to # ms<td>#"_p
                                   : "<tr><th>Waited longer than # ms<td>#"_p,
                 i == 0 ? numbers + 1 : numbers);
        }
    }
    for (size_t i = 0; i < fastcgi::fault_count; ++i) {
        append_count(out, fastcgi::text_of(static_cast<fastcgi::Fault>(i)).code, backend.faults[i]);
    }
    out.append("</table></section>"_p);
}

void write_answers(TextBuffer& out, const Snapshot::Totals& totals) {
    out.append("<section><h2>Answers</h2><table>"_p);
    char name[] = "0xx";
    for (const uint64_t& count : std::span(totals.answers).subspan(1)) {
        ++name[0];
        append_count(out, name, count);
    }
    append_count(out, "No answer of ours"_p, totals.answers[0]);
    fill(out, "<tr><th>Received<td>~<tr><th>Sent<td>~</table></section><section><h2>Refused by fcgate</h2><table>"_p,
         &totals.received);
    for (size_t i = 0; i < totals.pages.size(); ++i) {
        Text<48> words;
        words.append<"% %">(http::page_status(i), http::reason_phrase(http::page_status(i)));
        append_count(out, words.view(), totals.pages[i]);
    }
    fill(out, "<tr><th>No valid HTTP<td>#<tr><th>Connections turned away<td>#</table></section>"_p,
         &totals.parser_refusals);
}

void write_connections(TextBuffer& out, const Snapshot& snapshot) {
    const Snapshot::Totals& totals = snapshot.totals;
    const auto& states = totals.connections;
    const uint64_t sending = states[1] + states[2];
    fill(out, "<section><h2>Connections</h2><table><tr><th>Idle<td>#"_p, &states[0]);
    fill(out, "<tr><th>Sending a request<td>#"_p, &sending);
    fill(out, "<tr><th>Waiting for an answer<td>#<tr><th>Fetching an answer<td>#"_p, &states[3]);
    fill(out, "<tr><th>At most so far<td># of #"_p, &snapshot.pools[Snapshot::connections].most);
    fill(out, "<tr><th>Waiting for a place<td>#<tr><th>Accepted<td>#</table></section>"_p, &totals.newcomers);
}

void write_memory(TextBuffer& out, const Snapshot& snapshot) {
    const Snapshot::Totals& totals = snapshot.totals;
    out.append("<section><h2>Memory</h2><meter aria-label=\"Memory used\""_p);
    append_meter(out, totals.memory);
    fill(out, "<table><tr><th>Used<td>~<tr><th>Can be at most<td>~<tr><th>Ceiling<td>"_p, &totals.memory);
    fill(out, totals.ceiling == 0 ? "none"_p : "~"_p, &totals.ceiling);
    fill(out,
         "<tr><th>Bodies in files<td>~<tr><th>Log lines left out<td>#</table></section><section><h2>Pools</h2><table>"
         "<tr><th>of<th>now<th>most<th>size"_p,
         &totals.spooled);
    for (size_t i = 0; i < snapshot.pools.size(); ++i) {
        out.append("<tr><th>"_p);
        for (const char c : pool_name(i)) {
            out.append(c == '_' ? ' ' : c);
        }
        fill(out, "<td>#<td>#<td>#"_p, &snapshot.pools[i].in_use);
    }
    out.append("</table></section>"_p);
}

}  // namespace

std::string_view status_policy() {
    return policy;
}

void write_html(const Snapshot& snapshot, TextBuffer& out) {
    const Sums sums = sums_of(snapshot);
    out.append(html_start);
    fill(out, "fcgate: # of # PHP places in use</title><style>"_p, &sums.in_use);
    out.append(style).append("</style><h1>fcgate</h1><p>" FCGATE_BUILD_VERSION ", libmicrohttpd "_p);
    append_html(out, http::libmicrohttpd_version());
    const uint64_t seconds = snapshot.totals.uptime_ms / 1000;
    // First of all links: who needs more than 5 s comes to it within them.
    fill(out,
         ", up for @</p><p>Renew this page <a href=\"?\">every 5 s</a> or <a href=\"?html\">not at all</a></p><div>"_p,
         &seconds);
    write_requests(out, snapshot);
    write_places(out, snapshot, sums);
    out.append("</div><main>"_p);
    for (size_t i = 0; i < snapshot.backend_count; ++i) {
        write_backend(out, snapshot, i);
    }
    write_answers(out, snapshot.totals);
    write_connections(out, snapshot);
    write_memory(out, snapshot);
    out.append(
        "</main><p>Also as <a href=\"?json\">JSON</a> and for <a href=\"?prometheus\">Prometheus</a>.</p></html>\n"_p);
}

}  // namespace fcgate::server
