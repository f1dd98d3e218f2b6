#include "server/budget.hpp"

#include <algorithm>

#include "base/features.hpp"
#include "http/footprint.hpp"
#include "server/pools.hpp"
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

void append_name(TextBuffer& out, std::string_view name, size_t width) {
    out.append(name);
    for (size_t i = name.size(); i < width; ++i) {
        out.append(' ');
    }
}

constexpr size_t name_width = 32;
constexpr size_t size_width = 10;
constexpr size_t count_width = 8;
constexpr size_t bytes_width = 12;

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
    add_arena(settings);
    add_libmicrohttpd(settings);
    add_process(settings);
}

void Budget::add(const char* group, std::string_view name, size_t size, size_t count) {
    if (size > 0 && count > 0) {
        // There are fewer lines than there is room for.
        (void)lines_.push_back({group, name, size, count});
    }
}

void Budget::add_arena(const Settings& settings) {
    const Pools pools(settings);
    for (const Pool& pool : pools) {
        add("arena", pool.name, pool.size, pool.count * pool.times);
    }
    add("arena", "alignment", pools.slack(), 1);
}

void Budget::add_libmicrohttpd(const Settings& settings) {
    constexpr const char* group = "libmicrohttpd";
    const size_t threads = settings.server.threads;
    const Pools pools(settings);
    const size_t connections = pools[PoolKind::connections].count * threads;
    add(group, "daemons", http::daemon_footprint, threads);
    add(group, "connections", http::connection_footprint(settings.server), connections);
    add(group, "replies", http::reply_footprint, connections);
    add(group, "fields of replies", http::guaranteed_fields(settings), connections);
    add(group, "fields of large replies", http::shared_fields(settings), threads);
    add(group, "copied lists of folders, status", http::shared_lists(settings), threads);
    if (features::tls && settings.server.wants_tls()) {
        add(group, "daemons for TLS", http::daemon_footprint, threads);
        add(group, "TLS (as measured)", http::tls_session_footprint, connections);
        add(group, "GnuTLS (as measured)", http::tls_library_footprint, 1);
    }
    // Blocks of many sizes come and go: some room lies between them.
    uint64_t allocated = 0;
    for (const BudgetLine& line : lines_) {
        allocated += line.group == group ? line.bytes() : 0;
    }
    add(group, "gaps of the heap", static_cast<size_t>(allocated / limits::heap_gaps), 1);
}

void Budget::add_process(const Settings& settings) {
    constexpr const char* group = "process";
    add(group, "configurations (two for reload)", settings.used_size(), 2);
    add(group, "server", sizeof(Server), 1);
    add(group, "stacks of threads", limits::thread_stack, settings.server.threads);
    add(group, "main stack", limits::main_stack, 1);
    add(group, "data of program and C library", limits::process_data, 1);
    if (features::spawn && may_spawn(settings)) {
        add(group, "plan for PHP", sizeof(spawn::Plan), 1);
        add("spawner", "process that starts PHP", limits::spawner_memory, 1);
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
    append_name(out, "pool", name_width);
    out.append("      size   count       bytes\n");
    for (const BudgetLine& line : lines_) {
        if (std::string_view(group) != line.group) {
            group = line.group;
            out.append(group).append('\n');
        }
        out.append("  ");
        append_name(out, line.name, name_width - 2);
        append_column(out, line.size, size_width);
        append_column(out, line.count, count_width);
        append_column(out, line.bytes(), bytes_width);
        out.append('\n');
    }
    append_name(out, "sum", name_width + size_width + count_width);
    append_column(out, sum(), bytes_width);
    out.append("  (").append_number((sum() + kib - 1) / kib).append(" KiB)\n");
    if (spool_ != 0) {
        append_name(out, "not in it: spool_total, on tmpfs", name_width + size_width + count_width);
        append_column(out, spool_, bytes_width);
        out.append('\n');
    }
    if (ceiling_ != 0) {
        append_name(out, "memory_ceiling", name_width + size_width + count_width);
        append_column(out, ceiling_, bytes_width);
        out.append("  (").append_number(ceiling_ / kib).append(" KiB)\n");
    }
}

void Budget::print_json(TextBuffer& out) const {
    out.append("{\"pools\":[");
    bool is_first = true;
    for (const BudgetLine& line : lines_) {
        out.append(is_first ? "\n" : ",\n").append("{\"group\":\"").append(line.group).append("\",\"name\":\"");
        out.append(line.name).append("\",\"size\":").append_number(line.size);
        out.append(",\"count\":").append_number(line.count).append(",\"bytes\":").append_number(line.bytes());
        out.append('}');
        is_first = false;
    }
    out.append("\n],\n\"sum\":")
        .append_number(sum())
        .append(",\n\"spool\":")
        .append_number(spool_)
        .append(",\n\"memory_ceiling\":");
    if (ceiling_ == 0) {
        out.append("null");
    } else {
        out.append_number(ceiling_);
    }
    out.append("}\n");
}

Status check_ceiling(const Settings& settings, ConfigError& error) {
    const Budget budget(settings);
    error.text.clear();
    if (budget.fits()) {
        return Status::ok;
    }
    error.line = 0;
    error.text.append("[server] memory_ceiling: all pools together can take ");
    error.text.append_number((budget.sum() + kib - 1) / kib).append("k, and ");
    error.text.append_number(settings.server.memory_ceiling / kib);
    error.text.append("k are allowed; `fcgate --budget` shows what takes how much");
    return Status::too_large;
}

}  // namespace fcgate::server
