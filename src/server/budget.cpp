#include "server/budget.hpp"

#include <algorithm>

#include "base/features.hpp"
#include "http/footprint.hpp"
#include "server/server.hpp"

namespace fcgate::server {

namespace {

constexpr uint64_t kib = 1024;

// Right-aligned in a column.
void append_column(TextBuffer& out, uint64_t value, size_t width) {
    Text<24> number;
    number.append_number(value);
    for (size_t i = number.size(); i < width; ++i) {
        out.append(' ');
    }
    out.append(number.view());
}

void append_name(TextBuffer& out, Packed name, size_t width) {
    const size_t end = out.size() + width;
    out.append(name);
    while (out.ok() && out.size() < end) {
        out.append(' ');
    }
}

constexpr size_t name_width = 32;
constexpr size_t size_width = 10;
constexpr size_t count_width = 8;
constexpr size_t bytes_width = 12;

void append_total(TextBuffer& out, Packed name, uint64_t bytes) {
    append_name(out, name, name_width + size_width + count_width);
    append_column(out, bytes, bytes_width);
}

[[nodiscard]] bool may_spawn(const Settings& settings) {
    for (const BackendSettings& backend : settings.backends) {
        if (backend.kind == BackendSettings::Kind::spawn || backend.kind == BackendSettings::Kind::automatic) {
            return true;
        }
    }
    return false;
}

}  // namespace

Budget::Budget(const Settings& settings) : ceiling_(settings.server.memory_ceiling) {
    const bool is_spooling = std::ranges::any_of(
        settings.sites, [](const SiteSettings& site) { return site.has_backend && !site.spool.empty(); });
    spool_ = features::spool && is_spooling ? settings.server.spool_total : 0;
    const Pools pools(settings);
    add_arena(pools);
    add_libmicrohttpd(settings, pools);
    add_process(settings);
}

void Budget::add(Packed name, size_t size, size_t count) {
    if (size > 0 && count > 0) {
        // There are fewer lines than there is room for.
        (void)lines_.push_back({group_, name, size, count});
    }
}

void Budget::add_arena(const Pools& pools) {
    group_ = "arena";
    size_t number = 0;
    for (const Pool& pool : pools) {
        add(Pools::name(number++), pool.size, pool.count * pool.times);
    }
    add("alignment"_p, pools.slack(), 1);
}

void Budget::add_libmicrohttpd(const Settings& settings, const Pools& pools) {
    group_ = "libmicrohttpd";
    const size_t threads = settings.server.threads;
    const size_t connections = pools[PoolKind::connections].count * threads;
    add("daemons"_p, http::daemon_footprint, threads);
    add("connections"_p, http::connection_footprint(settings.server), connections);
    const size_t kept = pools[PoolKind::cached_files].count;
    const size_t kept_open = std::min(limits::ready_files, kept) * threads;
    add("replies"_p, http::reply_footprint, connections + kept_open);
    add("replies kept for files"_p, http::ready_footprint,
        std::min(limits::ready_replies, 2 * kept) * threads + kept_open);
    add("fields of replies"_p, http::guaranteed_fields(settings), connections);
    add("fields of large replies"_p, http::shared_fields(settings), threads);
    add("copied lists of folders, status"_p, http::shared_lists(settings), threads);
    if (features::tls && settings.server.wants_tls()) {
        add("daemons for TLS"_p, http::daemon_footprint, threads);
        add("TLS (as measured)"_p, http::tls_session_footprint, connections);
        add("GnuTLS (as measured)"_p, http::tls_library_footprint, 1);
    }
    // Blocks of many sizes come and go: some room lies between them.
    uint64_t allocated = 0;
    for (const BudgetLine& line : lines_) {
        allocated += line.group == group_ ? line.bytes() : 0;
    }
    add("gaps of the heap"_p, static_cast<size_t>(allocated / limits::heap_gaps), 1);
}

void Budget::add_process(const Settings& settings) {
    group_ = "process";
    add("configurations (two for reload)"_p, settings.used_size(), 2);
    add("server"_p, sizeof(Server), 1);
    add("stacks of threads"_p, limits::thread_stack,
        settings.server.threads + (features::auth && settings.wants_auth() ? 1U : 0U));
    add("main stack"_p, limits::main_stack, 1);
    add("data of program and C library"_p, limits::process_data, 1);
    if (features::spawn && may_spawn(settings)) {
        add("plan for PHP"_p, sizeof(spawn::Plan), 1);
        group_ = "spawner";
        add("process that starts PHP"_p, limits::spawner_memory, 1);
    }
}

uint64_t Budget::sum() const {
    uint64_t total = 0;
    for (const BudgetLine& line : lines_) {
        total += line.bytes();
    }
    return total;
}

void Budget::print_table(TextBuffer& out) const {
    const char* group = "";
    append_name(out, "pool"_p, name_width);
    out.append("      size   count       bytes\n"_p);
    for (const BudgetLine& line : lines_) {
        if (std::string_view(group) != line.group) {
            group = line.group;
            out.append(group).append('\n');
        }
        out.append("  "_p);
        append_name(out, line.name, name_width - 2);
        append_column(out, line.size, size_width);
        append_column(out, line.count, count_width);
        append_column(out, line.bytes(), bytes_width);
        out.append('\n');
    }
    append_total(out, "sum"_p, sum());
    out.append<"  (% KiB)\n">((sum() + kib - 1) / kib);
    if (spool_ != 0) {
        append_total(out, "not in it: spool_total, on tmpfs"_p, spool_);
        out.append('\n');
    }
    if (ceiling_ != 0) {
        append_total(out, "memory_ceiling"_p, ceiling_);
        out.append<"  (% KiB)\n">(ceiling_ / kib);
    }
}

void Budget::print_json(TextBuffer& out) const {
    out.append("{\"pools\":["_p);
    bool is_first = true;
    for (const BudgetLine& line : lines_) {
        out.append<"%\n{\"group\":\"%\",\"name\":\"%\",\"size\":%,\"count\":%,\"bytes\":%}">(
            is_first ? ""_p : ","_p, line.group, line.name, line.size, line.count, line.bytes());
        is_first = false;
    }
    out.append<"\n],\n\"sum\":%,\n\"spool\":%,\n\"memory_ceiling\":">(sum(), spool_);
    if (ceiling_ == 0) {
        out.append("null}\n"_p);
    } else {
        out.append<"%}\n">(ceiling_);
    }
}

Status check_ceiling(const Settings& settings, ConfigError& error) {
    const Budget budget(settings);
    error.text.clear();
    if (budget.fits()) {
        return Status::ok;
    }
    error.line = 0;
    error.text.append<
        "[server] memory_ceiling: all pools together can take %k, and %k are allowed; `fcgate --budget` shows what "
        "takes how much">((budget.sum() + kib - 1) / kib, settings.server.memory_ceiling / kib);
    return Status::too_large;
}

}  // namespace fcgate::server
