#include "server/pools.hpp"

#include <algorithm>

#include "files/file_cache.hpp"
#include "files/listing.hpp"
#include "server/client_counts.hpp"
#include "server/worker.hpp"

namespace fcgate::server {

namespace {

// Parked connections beyond one for each exchange.
constexpr size_t spare_links = 16;
// Beside those of connections, exchanges, links and lingering: pace, accept, waiting, stop, and PHP's.
constexpr size_t other_timers = 7;
// Of PHP workers: so a reload can add some.
constexpr size_t least_places = 64;

[[nodiscard]] size_t share(uint64_t total, size_t threads) {
    return static_cast<size_t>((total + threads - 1) / threads);
}

// Of a target, with a NUL behind it: a longer one is not taken, for it would be more than half of the connection's memory.
[[nodiscard]] size_t target_size(const Settings& settings) {
    return std::min(limits::request_target, static_cast<size_t>(settings.server.connection_memory) / 2) + 1;
}

// The largest of what is never needed at the same time: the CGI variables of a request, on their way out; what comes from PHP; the fields of
// a reply. Every field grows by a few bytes on its way into a variable, and the target appears in up to five of them.
[[nodiscard]] size_t scratch_size(const Settings& settings) {
    constexpr size_t field_growth = 16;
    constexpr size_t fixed_variables = 2048;
    const auto connection_memory = static_cast<size_t>(settings.server.connection_memory);
    size_t configured = 0;
    for (const SiteSettings& site : settings.sites) {
        size_t size = 0;
        for (const Pair& param : site.params) {
            size += param.name.size() + param.value.size() + field_growth;
        }
        configured = std::max(configured, size);
    }
    const size_t variables = connection_memory / 2 + limits::request_fields * field_growth + 5 * target_size(settings) +
                             2 * limits::path + fixed_variables + configured;
    return std::max({variables, read_chunk_of(settings), connection_memory,
                     limits::status_page(std::min(2 * settings.backends.size(), limits::backends))});
}

}  // namespace

size_t read_chunk_of(const Settings& settings) {
    // More than an exchange may keep need not be read at once.
    return std::min(limits::read_chunk, static_cast<size_t>(settings.server.response_buffer));
}

bool has_access_log(const Settings& settings) {
    return features::access_log && settings.server.access_log != "off";
}

Pools::Pools(const Settings& settings) {
    const ServerSettings& server = settings.server;
    most_waiting_ = BackendSettings().queue;
    for (const BackendSettings& backend : settings.backends) {
        most_waiting_ = std::max<size_t>(most_waiting_, backend.queue);
        // Every grant under way holds a place, whoever it is for.
        places_ += backend.workers;
    }
    places_ = std::max(places_, least_places);
    // A reload may bring as many new ones as there are.
    gates_ = std::clamp<size_t>(2 * settings.backends.size(), 1, limits::backends);
    // Shares of workers are rounded up, and each lets some wait.
    const size_t connections = server.max_connections + server.threads * (1 + limits::waiting_newcomers);
    add<ClientCounts::Entry>(PoolKind::clients, "counts by client", ClientCounts::size_for(connections));
    add<fastcgi::Gate::Place>(PoolKind::queues, "places in the queues", gates_ * most_waiting_);
    add<fastcgi::Gate::Parking>(PoolKind::parkings, "parked connections, counts", gates_ * server.threads);
    // One more than there are, for a reload.
    add_bytes(PoolKind::roots, "paths of the roots", (settings.sites.size() + 1) * limits::path, Configuration::count,
              1);
    add_bytes(PoolKind::mime_types, "types of `mime_types`", limits::mime_types, server.mime_types.empty() ? 0 : 1, 1);
    add_bytes(PoolKind::access_log, "lines of the access log", limits::access_buffer, has_access_log(settings) ? 1 : 0,
              1);
    add_workers(settings);
}

void Pools::add_workers(const Settings& settings) {
    const ServerSettings& server = settings.server;
    const size_t threads = server.threads;
    const auto connection_memory = static_cast<size_t>(server.connection_memory);
    const size_t connections = share(server.max_connections, threads);
    // Connections fall to threads as they happen to wake up: divided as well, exchanges would run out in one thread while
    // others have some left.
    const size_t exchanges = std::min<size_t>(server.exchanges, connections);
    const size_t links = exchanges + spare_links;
    const size_t timers = connections + exchanges + links + http::Lingering::timer_count() + other_timers;
    const size_t pages = std::max(share(server.response_memory / sizeof(Page), threads), exchanges + 1);
    add<Worker>(PoolKind::workers, "workers", 1, threads);
    add<Timer*>(PoolKind::timers, "timers", timers, threads);
    add<fastcgi::Grant>(PoolKind::grants, "grants", 2 * places_ + exchanges, threads);
    add<fastcgi::Exchange*>(PoolKind::worklist, "worklist", exchanges, threads);
    add<Field>(PoolKind::fields, "fields of a request", limits::request_fields, threads);
    add<fastcgi::Link>(PoolKind::links, "connections to PHP", links, threads);
    add<fastcgi::Exchange>(PoolKind::exchanges, "exchanges with PHP", exchanges, threads);
    add<http::Connection>(PoolKind::connections, "connections of clients", connections, threads);
    add<fastcgi::Delivery>(PoolKind::deliveries, "replies under way", connections, threads);
    add<SpooledBody>(PoolKind::bodies, "spooled bodies", has_spool ? connections : 0, threads);
    add<KeptRequest>(PoolKind::kept, "requests kept by the host", settings.host_room.requests, threads);
    add_bytes(PoolKind::kept_buffers, "buffers of kept requests", settings.host_room.buffer,
              settings.host_room.requests, threads);
    add_bytes(PoolKind::params, "variables by the host", settings.host_room.params, connections, threads);
    add_bytes(PoolKind::path, "scratch for a path", Dispatcher::path_scratch_size, 1, threads);
    add_bytes(PoolKind::text, "scratch for a reply", 4 * target_size(settings), 1, threads);
    add_bytes(PoolKind::scratch, "scratch for CGI variables", scratch_size(settings), 1, threads, 16);
    const bool has_lists = std::any_of(settings.sites.begin(), settings.sites.end(),
                                       [](const SiteSettings& site) { return site.listing; });
    add_bytes(PoolKind::listing_page, "list of a folder", files::listing_page, has_lists ? 1 : 0, threads);
    add_bytes(PoolKind::listing_memory, "names in a folder", files::listing_memory, has_lists ? 1 : 0, threads,
              alignof(uint64_t));
    add<fastcgi::BackendCounts>(PoolKind::backend_counts, "counts of requests to PHP", gates_, threads);
    add<History::Slot>(PoolKind::history, "last minutes for the status page", features::status ? History::slots : 0,
                       threads);
    // One client alone cannot take all places of long targets.
    const size_t target_places = std::min<size_t>(size_t{server.max_connections_per_client} + 1, connections);
    add<uint32_t>(PoolKind::target_places, "places of long targets", target_places, threads);
    add_bytes(PoolKind::targets, "request targets", limits::short_target, connections, threads);
    add_bytes(PoolKind::long_targets, "long request targets", target_size(settings), target_places, threads);
    add_bytes(PoolKind::heads, "heads of PHP's replies", connection_memory / 2, exchanges, threads);
    const size_t cache = share(server.file_cache, threads);
    add<files::FileCache::Entry>(PoolKind::cached_files, "files in memory", files::FileCache::entries_for(cache),
                                 threads);
    add_bytes(PoolKind::file_cache, "bytes of such files", cache, 1, threads);
    // Whole pages of the machine, so that a buffer page in use does not touch its neighbour.
    add_bytes(PoolKind::pages, "pages of PHP's output", sizeof(Page), pages, threads, limits::page);
}

template <typename T>
void Pools::add(PoolKind kind, const char* name, size_t count, size_t times) {
    add_bytes(kind, name, sizeof(T), count, times, alignof(T));
}

void Pools::add_bytes(PoolKind kind, const char* name, size_t size, size_t count, size_t times, size_t alignment) {
    pools_[static_cast<size_t>(kind)] = {name, size, count, times, alignment};
}

size_t Pools::slack() const {
    size_t total = 0;
    for (const Pool& pool : *this) {
        total += (pool.alignment - 1) * pool.times;
    }
    return total;
}

size_t Pools::arena_size() const {
    size_t total = slack();
    for (const Pool& pool : *this) {
        total += pool.bytes() * pool.times;
    }
    return total;
}

}  // namespace fcgate::server
