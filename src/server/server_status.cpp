// The part of Server that tells how it is, on any thread.
#include <fcntl.h>
#include <unistd.h>

#include "base/features.hpp"
#include "base/lock.hpp"
#include "server/budget.hpp"
#include "server/server.hpp"

namespace fcgate::server {

namespace {

// What the process has in memory that no file is behind, as far as the kernel tells; else 0.
[[nodiscard]] uint64_t anonymous_memory() {
    const Descriptor file(open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
    char text[128];
    const ssize_t size = file.valid() ? read(file.get(), text, sizeof text) : 0;
    std::string_view rest(text, size > 0 ? static_cast<size_t>(size) : 0);
    std::array<uint64_t, 3> numbers{};  // size, resident, shared: pages
    for (uint64_t& number : numbers) {
        const Result<uint64_t> parsed = parse_decimal(split_first(rest, ' ', rest));
        number = parsed.ok() ? parsed.value() : 0;
    }
    const int page = getpagesize();
    return numbers[1] > numbers[2] ? (numbers[1] - numbers[2]) * static_cast<uint64_t>(page) : 0;
}

void add(uint64_t& number, const Count& count) {
    number += count.get();
}

template <size_t N>
void add_all(std::array<uint64_t, N>& numbers, const std::array<Count, N>& counts) {
    for (size_t i = 0; i < N; ++i) {
        add(numbers[i], counts[i]);
    }
}

void add_pool(Snapshot::Pool& pool, size_t count, size_t in_use, size_t most) {
    pool.count += count;
    pool.in_use += in_use;
    pool.most += most;
}

template <typename Counted>
void add_pool(Snapshot::Pool& pool, const Counted& counted) {
    add_pool(pool, counted.capacity(), counted.live(), counted.most());
}

void look_at_servers(Snapshot::BackendName& name, const fastcgi::Servers& servers) {
    const size_t count = name.settings->server_count();
    name.server_count = count > 1 ? count : 0;
    for (uint32_t i = 0; i < name.server_count; ++i) {
        name.servers[i] = {servers.is_up(i), servers.connections(i)};
    }
}

// Why a request got no place.
constexpr fastcgi::Fault refusals[] = {fastcgi::Fault::queue_timeout,    fastcgi::Fault::queue_full,
                                       fastcgi::Fault::queue_evicted,    fastcgi::Fault::exchanges_full,
                                       fastcgi::Fault::exchange_evicted, fastcgi::Fault::streams_full};

}  // namespace

void Server::write_status(StatusForm form, TextBuffer& out) {
    if constexpr (features::status) {
        Snapshot snapshot{};
        // The settings in force stay while names point into them.
        const Lock lock(&status_mutex_);
        look(snapshot);
        server::write_status(snapshot, form, out);
    }
}

void Server::look(Snapshot& snapshot) {
    const Configuration& configuration = *common_.configuration.load();
    const Settings& settings = *configuration.settings;
    const int64_t now = monotonic_ms();
    Snapshot::Totals& totals = snapshot.totals;
    totals.uptime_ms = static_cast<uint64_t>(now - started_at_);
    totals.memory = anonymous_memory();
    totals.most_memory = Budget(settings).sum();
    totals.ceiling = settings.server.memory_ceiling;
    totals.log_lines_lost = common_.log.lost();
    totals.spooled = uint64_t{common_.spooled_kib.load()} * 1024;
    snapshot.backend_count = settings.backends.size();
    for (size_t i = 0; i < snapshot.backend_count; ++i) {
        snapshot.names[i].settings = &settings.backends[i];
        snapshot.backends[i].queue = settings.backends[i].queue;
    }
    if (!prepared_) {
        return;
    }
    look_at_pools(snapshot, settings);
    for (const Worker& worker : common_.workers) {
        worker.add_to(snapshot, configuration, now);
    }
    for (size_t i = 0; i < snapshot.backend_count; ++i) {
        look_at_backend(snapshot, i, configuration.gates[i]);
    }
}

void Server::look_at_pools(Snapshot& snapshot, const Settings& settings) const {
    const Pools pools(settings);
    constexpr PoolKind kinds[] = {PoolKind::connections, PoolKind::exchanges, PoolKind::links, PoolKind::pages,
                                  PoolKind::long_targets};
    for (size_t i = 0; i < snapshot.pools.size(); ++i) {
        snapshot.pools[i].size = pools[kinds[i]].size;
    }
}

void Server::look_at_backend(Snapshot& snapshot, size_t number, uint32_t gate) {
    look_at_servers(snapshot.names[number], common_.gates[gate].servers());
    const fastcgi::Gate::Counts counts = common_.gates[gate].glance();
    Snapshot::Backend& backend = snapshot.backends[number];
    backend.places = counts.capacity;
    backend.in_use = counts.in_use;
    backend.parked = counts.parked;
    backend.streams = counts.streams;
    backend.waiting = counts.waiting;
    backend.most_waiting = common_.gates[gate].most_waiting();
    for (const fastcgi::Fault fault : refusals) {
        backend.refused += backend.faults[static_cast<size_t>(fault)];
    }
    if constexpr (features::spawn) {
        if (plan_ != nullptr && snapshot.names[number].settings->kind == BackendSettings::Kind::spawn) {
            const spawn::Supervisor::Life life = common_.supervisor.look(gate);
            snapshot.names[number].php = life.phase;
            backend.php_running = life.is_running ? 1 : 0;
            backend.php_starts = life.starts;
            backend.php_deaths = life.deaths;
        }
    }
}

// Everything that was counted for requests, connections and pools; on any thread.
[[gnu::noinline]] void Worker::add_to(Snapshot& snapshot, const Configuration& configuration, int64_t now) const {
    Snapshot::Totals& totals = snapshot.totals;
    for (size_t i = 0; i < totals.connections.size(); ++i) {
        totals.connections[i] += counts_.connections[i].get();
    }
    add_all(totals.answers, counts_.answers);
    add_all(totals.pages, counts_.pages);
    add(totals.accepted, counts_.accepted);
    add(totals.turned_away, counts_.turned_away);
    add(totals.parser_refusals, counts_.parser_refusals);
    add(totals.received, counts_.received);
    add(totals.sent, counts_.sent);
    totals.newcomers = common_->waiting.size();  // of all workers
    add_pool(snapshot.pools[Snapshot::connections], engine_.connections());
    add_pool(snapshot.pools[Snapshot::exchanges], upstream_.exchanges());
    add_pool(snapshot.pools[Snapshot::links], upstream_.links());
    add_pool(snapshot.pools[Snapshot::pages], pages_);
    add_pool(snapshot.pools[Snapshot::long_targets], engine_.targets());
    for (size_t i = 0; i < snapshot.backend_count; ++i) {
        const fastcgi::BackendCounts& counts = upstream_.counts()[configuration.gates[i]];
        Snapshot::Backend& backend = snapshot.backends[i];
        add_all(backend.waits, counts.waits);
        add_all(backend.faults, counts.faults);
        add(backend.waited_ms, counts.waited_ms);
        add(backend.opened[0], counts.kept);
        add(backend.opened[1], counts.fresh);
    }
    history_.add_to(now, snapshot.history);
}

}  // namespace fcgate::server
