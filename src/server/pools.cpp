#include "server/pools.hpp"

#include <algorithm>
#include <cstddef>

#include "auth/verifier.hpp"
#include "base/features.hpp"
#include "base/packed_table.hpp"
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

[[nodiscard]] size_t share(size_t total, size_t threads) {
    return (total + threads - 1) / threads;
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
    // A call's file stands in three variables, its query in two.
    const HostCalls& calls = settings.server.host_calls;
    const size_t call = calls.calls > 0 ? size_t{3} * calls.text + fixed_variables : 0;
    return std::max({variables, call, read_chunk_of(settings), connection_memory,
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

namespace {

// What is known of each pool beforehand. Items without a type have a size that the settings say, in bytes; 0 here.
struct Shape {
    std::string_view name;
    PoolKind kind;
    uint16_t size;
    uint16_t alignment;
};

template <typename T>
constexpr Shape of(PoolKind kind, std::string_view name) {
    static_assert(sizeof(T) <= UINT16_MAX);
    return {name, kind, sizeof(T), alignof(T)};
}

constexpr Shape bytes(PoolKind kind, std::string_view name, uint16_t size = 0, uint16_t alignment = 1) {
    return {name, kind, size, alignment};
}

constexpr Shape shapes[] = {
    of<ClientCounts::Entry>(PoolKind::clients, "counts by client"),
    of<fastcgi::Gate::Place>(PoolKind::queues, "places in the queues"),
    of<fastcgi::Gate::Parking>(PoolKind::parkings, "parked connections, counts"),
    bytes(PoolKind::roots, "paths of the roots"),
    bytes(PoolKind::mime_types, "types of `mime_types`"),
    bytes(PoolKind::access_log, "lines of the access log", limits::access_buffer),
    bytes(PoolKind::passwords, "passwords being checked", 0, alignof(max_align_t)),
    of<Worker>(PoolKind::workers, "workers"),
    of<Timer*>(PoolKind::timers, "timers"),
    of<fastcgi::Grant>(PoolKind::grants, "grants"),
    of<fastcgi::Exchange*>(PoolKind::worklist, "worklist"),
    of<Field>(PoolKind::fields, "fields of a request"),
    of<fastcgi::Link>(PoolKind::links, "connections to PHP"),
    of<fastcgi::Exchange>(PoolKind::exchanges, "exchanges with PHP"),
    of<http::Connection>(PoolKind::connections, "connections of clients"),
    of<fastcgi::Delivery>(PoolKind::deliveries, "replies under way"),
    of<SpooledBody>(PoolKind::bodies, "spooled bodies"),
    of<KeptRequest>(PoolKind::kept, "requests kept by the host"),
    bytes(PoolKind::kept_buffers, "buffers of kept requests"),
    bytes(PoolKind::params, "variables by the host"),
    of<Call>(PoolKind::calls, "calls by the host"),
    bytes(PoolKind::call_texts, "texts of calls"),
    bytes(PoolKind::path, "scratch for a path", Dispatcher::path_scratch_size),
    bytes(PoolKind::text, "scratch for a reply"),
    bytes(PoolKind::scratch, "scratch for CGI variables", 0, 16),
    bytes(PoolKind::listing_page, "list of a folder"),
    bytes(PoolKind::listing_memory, "names in a folder", 0, alignof(uint64_t)),
    of<fastcgi::BackendCounts>(PoolKind::backend_counts, "counts of requests to PHP"),
    of<History::Slot>(PoolKind::history, "last minutes for the status page"),
    of<uint32_t>(PoolKind::target_places, "places of long targets"),
    bytes(PoolKind::targets, "request targets", limits::short_target),
    bytes(PoolKind::long_targets, "long request targets"),
    bytes(PoolKind::heads, "heads of PHP's replies"),
    // Whole pages of the machine, so that a buffer page in use does not touch its neighbour.
    bytes(PoolKind::pages, "pages of PHP's output", sizeof(Page), limits::page),
    of<files::FileCache::Entry>(PoolKind::cached_files, "files in memory"),
    bytes(PoolKind::file_cache, "bytes of such files"),
};

constexpr bool is_in_order() {
    for (size_t i = 0; i < std::size(shapes); ++i) {
        if (static_cast<size_t>(shapes[i].kind) != i) {
            return false;
        }
    }
    return std::size(shapes) == static_cast<size_t>(PoolKind::count);
}
static_assert(is_in_order());

constexpr auto names = pack_tightly<shapes, &Shape::name>();
constexpr auto sizes = pack_column<shapes, &Shape::size>();
constexpr auto alignments = pack_column<shapes, &Shape::alignment>();

}  // namespace

Pools::Pools(const Settings& settings) {
    const ServerSettings& server = settings.server;
    for (size_t i = 0; i < pools_.size(); ++i) {
        pools_[i].size = sizes[i];
        pools_[i].alignment = alignments[i];
        pools_[i].times = i > static_cast<size_t>(PoolKind::workers) ? server.threads : 1;
    }
    most_waiting_ = BackendSettings().queue;
    for (const BackendSettings& backend : settings.backends) {
        most_waiting_ = std::max<size_t>(most_waiting_, backend.queue);
        // Every grant under way holds a place, whoever it is for.
        places_ += size_t{2} * backend.workers;  // a reload may put as many elsewhere
    }
    places_ = std::max(places_, least_places);
    // A reload may bring as many new ones as there are.
    gates_ = std::clamp<size_t>(2 * settings.backends.size(), 1, limits::backends);
    // Shares of workers are rounded up, and some wait.
    const size_t connections = server.max_connections + server.threads + limits::waiting_newcomers;
    count(PoolKind::clients) = ClientCounts::size_for(connections);
    count(PoolKind::queues) = gates_ * most_waiting_;
    count(PoolKind::parkings) = gates_ * server.threads;
    // One more than there are, for a reload.
    size(PoolKind::roots) = (settings.sites.size() + 1) * limits::path;
    count(PoolKind::roots) = Configuration::count;
    size(PoolKind::mime_types) = limits::mime_types;
    count(PoolKind::mime_types) = server.mime_types.empty() ? 0 : 1;
    count(PoolKind::access_log) = has_access_log(settings) ? 1 : 0;
    if constexpr (features::auth) {
        size(PoolKind::passwords) = auth::Verifier::memory_size();
        count(PoolKind::passwords) = settings.wants_auth() ? 1 : 0;
    }
    count(PoolKind::workers) = server.threads;
    count_workers(settings);
}

Packed Pools::name(size_t number) {
    return names[number];
}

Status Pools::carve(Arena& arena, PoolKind first, PoolKind end) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(end); ++i) {
        Pool& pool = pools_[i];
        pool.carved = pool.bytes();
        pool.memory = arena.take(pool.carved, pool.alignment).data();
        if (pool.memory == nullptr) {
            return Status::exhausted;
        }
    }
    return Status::ok;
}

void Pools::count_workers(const Settings& settings) {
    const ServerSettings& server = settings.server;
    const size_t threads = server.threads;
    const size_t connections = share(server.max_connections, threads);
    // Connections fall to threads as they happen to wake up: divided as well, exchanges would run out in one thread while
    // others have some left.
    const size_t exchanges = std::min<size_t>(server.exchanges, connections + server.host_calls.calls);
    const size_t links = exchanges + spare_links;
    count(PoolKind::timers) = connections + exchanges + links + http::Lingering::timer_count() + other_timers;
    count(PoolKind::grants) = 2 * places_ + exchanges;
    count(PoolKind::worklist) = exchanges;
    count(PoolKind::fields) = limits::request_fields;
    count(PoolKind::links) = links;
    count(PoolKind::exchanges) = exchanges;
    count(PoolKind::connections) = connections;
    count(PoolKind::deliveries) = connections + server.host_calls.calls;
    count(PoolKind::bodies) = has_spool ? connections : 0;
    count(PoolKind::kept) = server.host_room.requests;
    count(PoolKind::kept_buffers) = server.host_room.requests;
    size(PoolKind::kept_buffers) = server.host_room.buffer;
    count(PoolKind::params) = connections;
    size(PoolKind::params) = server.host_room.params;
    count(PoolKind::calls) = server.host_calls.calls;
    count(PoolKind::call_texts) = server.host_calls.calls;
    size(PoolKind::call_texts) = server.host_calls.text;
    count(PoolKind::path) = 1;
    count(PoolKind::text) = 1;
    size(PoolKind::text) = 4 * target_size(settings);
    count(PoolKind::scratch) = 1;
    size(PoolKind::scratch) = scratch_size(settings);
    const bool has_lists = std::ranges::any_of(settings.sites, [](const SiteSettings& site) { return site.listing; });
    count(PoolKind::listing_page) = has_lists ? 1 : 0;
    size(PoolKind::listing_page) = files::listing_page;
    count(PoolKind::listing_memory) = has_lists ? 1 : 0;
    size(PoolKind::listing_memory) = files::listing_memory;
    count(PoolKind::backend_counts) = gates_;
    count(PoolKind::history) = features::status ? History::slots : 0;
    // One client alone cannot take all places of long targets.
    const size_t target_places = std::min<size_t>(size_t{server.max_connections_per_client} + 1, connections);
    count(PoolKind::target_places) = target_places;
    count(PoolKind::targets) = connections;
    count(PoolKind::long_targets) = target_places;
    size(PoolKind::long_targets) = target_size(settings);
    count(PoolKind::heads) = exchanges;
    size(PoolKind::heads) = static_cast<size_t>(server.connection_memory) / 2;
    const size_t cache = share(static_cast<size_t>(server.file_cache), threads);
    count(PoolKind::cached_files) = files::FileCache::entries_for(cache);
    count(PoolKind::file_cache) = 1;
    size(PoolKind::file_cache) = cache;
    count(PoolKind::pages) =
        std::max(share(static_cast<size_t>(server.response_memory) / sizeof(Page), threads), exchanges + 1);
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
