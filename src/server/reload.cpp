// The part of Server that puts another configuration in force while requests run.
#include <algorithm>

#include "base/features.hpp"
#include "base/lock.hpp"
#include "server/sandbox.hpp"
#include "server/server.hpp"

namespace fcgate::server {

namespace {

[[nodiscard]] bool is_same_place(const BackendSettings& a, const BackendSettings& b) {
    bool same = a.kind == b.kind && a.name == b.name && a.server_count() == b.server_count();
    for (size_t i = 0; same && i < a.server_count(); ++i) {
        same = a.server(i).address == b.server(i).address;
    }
    return same;
}

[[nodiscard]] bool wants_lists(const Settings& settings) {
    for (const SiteSettings& site : settings.sites) {
        if (site.listing) {
            return true;
        }
    }
    return false;
}

// What the spawner was told when it was forked.
[[nodiscard]] bool starts_the_same(const BackendSettings& a, const BackendSettings& b) {
    bool same = a.command == b.command && a.workers == b.workers && a.php.size() == b.php.size();
    for (size_t i = 0; same && i < a.php.size(); ++i) {
        same = a.php[i].name == b.php[i].name && a.php[i].value == b.php[i].value;
    }
    return same;
}

[[nodiscard]] Status needs_restart(ServerError& error, Packed what) {
    return explain<"%: that needs a restart">(error, Status::refused, what);
}

// Counted with the workers: a stop that comes meanwhile leaves the listeners open until it is known whose they are.
class Accepting {
  public:
    explicit Accepting(Common& common) : common_(common) { common_.accepting.fetch_add(1); }
    Accepting(const Accepting&) = delete;
    Accepting& operator=(const Accepting&) = delete;
    ~Accepting() { common_.leave_listeners(); }

  private:
    Common& common_;
};

}  // namespace

Status Server::reload(Settings& next, ServerError& error) {
    const Accepting accepting(common_);
    if (is_stopping()) {
        return explain(error, Status::gone, "the server is being stopped"_p);
    }
    Configuration& before = *common_.configuration.load();
    Configuration& after = common_.configurations[(before.number + 1U) % Configuration::count];
    if (after.is_used.load() || after.settings != nullptr) {
        return explain(error, Status::again, "requests still run under the configuration before this one"_p);
    }
    ConfigError wrong;
    Text<256> kept;
    const Status fixed = next.keep_start_keys(*before.settings, kept, wrong);
    if (fixed != Status::ok) {
        return explain<"%">(error, fixed, wrong.text.view());
    }
    after.begin(next);
    Status status = can_list_ || !wants_lists(next) ? match_backends(after, next, error)
                                                    : needs_restart(error, "listing = yes where no site had it"_p);
    if constexpr (features::auth) {
        if (status == Status::ok && common_.verifier == nullptr && next.wants_auth()) {
            status = needs_restart(error, "auth where no site had it"_p);
        }
    }
    if constexpr (features::sandbox) {
        if (status == Status::ok && sandboxed_ != 0 && sandboxed_folders(next) != sandboxed_) {
            status = needs_restart(error, "another root, sendfile_root, links_to, spool or auth with sandbox = yes"_p);
        }
    }
    if (status == Status::ok) {
        status = after.open_roots(error);
    }
    if (status == Status::ok) {
        status = after.listeners.open(next.server.listen, &before.listeners, error);
    }
    if constexpr (features::tls) {
        if (status == Status::ok) {
            status = after.open_certificate(common_.log, &before, error);
        }
    }
    if (status != Status::ok) {
        after.close_roots();
        after.listeners.give_back_inherited();
        after.listeners.close_own();
        after.settings = nullptr;
        return status;
    }
    if (kept.size() > 0) {
        common_.log.write<"these change with a restart only: %">(LogLevel::warning, kept.view());
    }
    put_in_force(after);
    return Status::ok;
}

// A backend that stays where it was keeps its gate, and with it its places and those who wait for them.
Status Server::match_backends(Configuration& after, Settings& next, ServerError& error) {
    uint32_t taken = common_.configurations[(after.number + 1U) % Configuration::count].gate_mask();
    const Configuration& before = *common_.configuration.load();
    // Those that end pass places on until the last of their requests is done, beside the new ones. One that stays never has more than the larger of
    // its two numbers.
    size_t places = 0;
    for (const BackendSettings& backend : before.settings->backends) {
        places += backend.workers;
    }
    for (size_t number = 0; number < next.backends.size(); ++number) {
        BackendSettings& backend = next.backends[number];
        auto gate = static_cast<uint32_t>(common_.gate_count);
        uint32_t had = 0;  // workers
        for (size_t old = 0; old < before.settings->backends.size(); ++old) {
            if (is_same_place(before.settings->backends[old], backend)) {
                gate = before.gates[old];
                keep_spawned(before.settings->backends[old], backend);
                had = before.settings->backends[old].workers;
            }
        }
        if (gate == common_.gate_count && backend.kind == BackendSettings::Kind::spawn) {
            return needs_restart(error, "address = spawn where it was not"_p);
        }
        for (uint32_t free = 0; free < common_.gate_count && gate == common_.gate_count; ++free) {
            if ((taken >> free & 1U) == 0) {
                gate = free;
                common_.gates[free].clear();
            }
        }
        if (gate == common_.gate_count) {
            return needs_restart(error, "too many backends, with those that end"_p);
        }
        taken |= 1U << gate;
        after.gates[number] = gate;
        places += backend.workers - std::min(backend.workers, had);
        if (backend.queue > most_waiting_) {
            return needs_restart(error, "queue: larger than any was at the start"_p);
        }
    }
    return places <= most_places_
               ? Status::ok
               : needs_restart(error, "workers: more in all, with those that end, than there is room for"_p);
}

// PHP that fcgate starts is started as the spawner was told, which has its own copy of what was configured then. The limit of bodies alone is said
// at each start; one that runs is not ended for it, with what it works at.
void Server::keep_spawned(const BackendSettings& before, BackendSettings& after) const {
    if (before.kind != BackendSettings::Kind::spawn) {
        return;
    }
    if (after.largest_body > before.largest_body) {
        common_.log.write(
            LogLevel::warning,
            "`max_body` has grown: a PHP that runs takes no larger bodies than before until fcgate starts it "
            "again, after `idle_stop` or a restart"_p);
    }
    if (starts_the_same(before, after)) {
        return;
    }
    after.workers = before.workers;
    common_.log.write(LogLevel::warning,
                      "`command`, `php` and `workers` of PHP that fcgate starts change with a restart only"_p);
}

void Server::put_in_force(Configuration& after) {
    Configuration& before = *common_.configuration.load();
    before.listeners.hand_on(after.listeners);
    for (uint32_t number = 0; number < after.settings->backends.size(); ++number) {
        const BackendSettings& backend = after.settings->backends[number];
        const uint32_t gate = after.gates[number];
        common_.backends.set(gate, &backend);
        if ((before.gate_mask() >> gate & 1U) == 0) {
            // Nobody uses it yet. The others are resized by the first worker, which may be the last to hear of this.
            common_.gates[gate].resize(backend.workers, backend.queue);
        }
    }
    common_.stop_timeout_ms = static_cast<uint32_t>(after.settings->server.stop_timeout_ms);
    common_.log.set_level(after.settings->server.log_level);
    const auto workers = static_cast<uint32_t>(common_.workers.size());
    after.holders = workers;
    after.newcomers = workers;
    after.is_used = true;
    common_.configuration = &after;
    for (Worker& worker : common_.workers) {
        worker.mailbox().ring();
    }
    common_.log.write(LogLevel::info, "a new configuration is in force"_p);
}

void Common::release(Configuration& unused) {
    unused.close_roots();
    const uint32_t in_force = configuration.load()->gate_mask();
    for (uint32_t gate = 0; gate < gate_count; ++gate) {
        if ((in_force >> gate & 1U) == 0) {
            backends.set(gate, nullptr);
        }
    }
    workers[0].mailbox().ring();  // PHP that no backend names any more is to be stopped
    unused.is_used = false;
}

// A worker that has heard of a stop does not change over any more: there may be some to be closed in both.
void Common::leave_listeners() {
    if (accepting.fetch_sub(1) == 1) {
        for (Configuration& one : configurations) {
            one.listeners.close_own();
        }
        workers[0].mailbox().ring();  // it may have waited for that
    }
}

const Settings* Server::take_unused() {
    const Lock lock(&status_mutex_);
    for (Configuration& configuration : common_.configurations) {
        if (!configuration.is_used.load() && configuration.settings != nullptr) {
            const Settings* const unused = configuration.settings;
            configuration.settings = nullptr;
            return unused;
        }
    }
    return nullptr;
}

}  // namespace fcgate::server
