#include "server/server.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/features.hpp"
#include "http/library.hpp"
#include "http/listener.hpp"
#include "server/sandbox.hpp"

namespace fcgate::server {

namespace {

// What to type into a browser: for all addresses the machine's name, and the port that there is for 0. Sockets have none.
void add_url(LogLine& line, const ListenSettings& listen, int fd, std::string_view machine) {
    const std::span<const uint8_t> bytes = listen.endpoint.bytes();
    const bool is_any = std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
    if (listen.kind != ListenSettings::Kind::any && listen.kind != ListenSettings::Kind::tcp) {
        return;
    }
    line.add<": %://%:%/">(listen.tls ? "https"_p : "http"_p,
                           is_any ? machine : slice(listen.text, 0, listen.text.rfind(':')),
                           http::address_of(fd).port());
}

// Paths are appended to a root, so that of "/" is empty.
std::string_view root_of(const Site& served) {
    return served.document_root.empty() ? "/" : served.document_root;
}

// Whoever opens "/" first should not wonder.
void warn_of_first_page(const Log& log, const Site& served) {
    const SiteSettings& site = *served.root.settings;
    const auto is_there = [root = served.root.fd](std::string_view name) {
        struct stat status {};
        return fstatat(root, Text<limits::path>(name).c_str(), &status, 0) == 0 && S_ISREG(status.st_mode);
    };
    if (!site.front_controller.empty()) {
        if (!is_there(slice(site.front_controller, 1))) {
            log.write<"front_controller = %: there is no such file below %">(LogLevel::warning, site.front_controller,
                                                                             root_of(served));
        }
    } else if (!site.listing && std::ranges::none_of(site.index, is_there)) {
        log.write<"there is no index file in %, so / is answered 404 (see index, listing, front_controller)">(
            LogLevel::info, root_of(served));
    }
}

}  // namespace

[[gnu::noinline]] Status Server::init(const Settings& settings, LogSink sink, void* sink_context, ServerError& error) {
    settings_ = &settings;
    started_at_ = monotonic_ms();
    common_.log.set_level(settings.server.log_level);
    common_.log.set_sink(sink, sink_context);
    ended_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!ended_.valid()) {
        return explain<"eventfd: %">(error, Status::exhausted, SystemError{errno});
    }
    error.clear();
    Status status = http::check_libmicrohttpd(error);
    if (status == Status::ok) {
        status = open_logs(error);
    }
    if (status == Status::ok) {
        status = start_spawner(error);
    }
    Configuration& first = common_.configurations[0];
    for (uint8_t number = 0; number < Configuration::count; ++number) {
        common_.configurations[number].number = number;
    }
    first.begin(settings);
    first.is_used = true;
    common_.configuration = &first;
    common_.stop_timeout_ms = static_cast<uint32_t>(settings.server.stop_timeout_ms);
    if (status == Status::ok) {
        status = first.listeners.open(settings.server.listen, nullptr, error);
    }
    if constexpr (features::tls) {
        if (status == Status::ok) {
            status = first.open_certificate(common_.log, nullptr, error);
        }
    }
    return status;
}

Status Server::start_spawner(ServerError& error) {
    error.clear();
    if constexpr (!features::spawn) {
        return Status::ok;  // no setting asks for it
    }
    if (!spawn::needs_plan(*settings_)) {
        return Status::ok;
    }
    if (plan_memory_.init(sizeof(spawn::Plan)) != Status::ok) {
        return explain<"not enough memory: %">(error, Status::exhausted, SystemError{errno});
    }
    plan_ = new (plan_memory_.take(sizeof(spawn::Plan), alignof(spawn::Plan)).data()) spawn::Plan;
    const Status planned = spawn::make_plan(*settings_, *plan_, error);
    if (planned != Status::ok) {
        return planned;
    }
    const Status started = spawner_.start(*plan_, *settings_);
    return started == Status::ok ? started
                                 : explain<"the spawner cannot be started: %">(error, started, SystemError{errno});
}

void Server::init_supervisor() {
    spawn::Supervisor::Setup setup;
    setup.backends = &common_.backends;
    setup.log = &common_.log;
    setup.gates = common_.gates_in_use();
    setup.plan = plan_;
    setup.spawner = &spawner_;
    setup.context = this;
    setup.ring = [](void* context) { static_cast<Server*>(context)->common_.workers[0].mailbox().ring(); };
    setup.news = [](void* context, uint32_t backend) {
        for (Worker& worker : static_cast<Server*>(context)->common_.workers) {
            worker.mailbox().post_news(Mailbox::php_news(backend));
        }
    };
    common_.supervisor.init(setup);
}

Status Server::open_logs(ServerError& error) {
    const ServerSettings& server = settings_->server;
    const SyslogForm form = server.syslog_format == "local" ? SyslogForm::local : SyslogForm::rfc5424;
    Status status = common_.log.open(server.error_log, form);
    if (status != Status::ok) {
        return explain<"error_log: cannot open %: %">(error, status, server.error_log, SystemError{errno});
    }
    if constexpr (features::access_log) {
        if (has_access_log(*settings_)) {
            status = common_.access_log.open(server.access_log, access_form(server.access_log_format), form);
        }
    }
    return status == Status::ok
               ? status
               : explain<"access_log: cannot open %: %">(error, status, server.access_log, SystemError{errno});
}

void Server::begin_access_log(const Pools& pools) {
    if constexpr (features::access_log) {
        if (has_access_log(*settings_)) {
            common_.access_log.begin(pools.bytes(PoolKind::access_log), common_.log);
            // There is room: the host has one at most.
            (void)common_.finished.add(
                {[](void* log, const Finished& finished) { static_cast<AccessLog*>(log)->add(finished); },
                 &common_.access_log});
        }
    }
}

Status Server::read_mime_types(const Pools& pools, ServerError& error) {
    if (settings_->server.mime_types.empty()) {
        return Status::ok;
    }
    const Text<limits::path> path(settings_->server.mime_types);
    Text<256> why;
    const Status status = common_.mime.read(path.c_str(), pools.bytes(PoolKind::mime_types), why);
    return status == Status::ok ? status : explain<"mime_types: %">(error, status, why.view());
}

[[gnu::noinline]] Status Server::prepare(ServerError& error) {
    Pools pools(*settings_);
    if (arena_.init(pools.arena_size()) != Status::ok ||
        pools.carve(arena_, PoolKind::clients, PoolKind::timers) != Status::ok) {
        return explain<"not enough memory for the configured capacities: %">(error, Status::exhausted,
                                                                             SystemError{errno});
    }
    common_.clients.init(pools.items<ClientCounts::Entry>(PoolKind::clients));
    common_.waiting.init(settings_->server.threads > 1);
    make_gates(pools);
    for (Configuration& configuration : common_.configurations) {
        const size_t size = pools[PoolKind::roots].size;
        configuration.text = pools.bytes(PoolKind::roots).subspan(configuration.number * size, size);
    }
    if (const Status types = read_mime_types(pools, error); types != Status::ok) {
        return types;
    }
    begin_access_log(pools);
    can_list_ = pools[PoolKind::listing_page].count > 0;
    const Status roots = common_.configurations[0].open_roots(error);
    if (roots != Status::ok) {
        return roots;
    }
    if constexpr (features::spawn) {
        if (plan_ != nullptr) {
            init_supervisor();
        }
    }
    const Settings& settings = *settings_;
    if constexpr (features::auth) {
        if (settings.wants_auth()) {
            common_.verifier = auth::Verifier::make(pools.bytes(PoolKind::passwords));
        }
    }
    Status status = make_workers(pools, error);
    if constexpr (features::sandbox) {
        bool is_on = false;
        if (status == Status::ok && settings.server.sandbox) {
            status = enter_sandbox(settings, common_.log, is_on, error);
            sandboxed_ = is_on ? sandboxed_folders(settings) : 0;
        }
    }
    if constexpr (features::auth) {
        if (status == Status::ok && common_.verifier != nullptr) {
            status = start_verifier(error);
        }
    }
    return status;
}

void Server::make_gates(const Pools& pools) {
    const size_t threads = settings_->server.threads;
    most_waiting_ = pools.most_waiting();
    most_places_ = pools.places();
    for (; common_.gate_count < pools.gates(); ++common_.gate_count) {
        const size_t number = common_.gate_count;
        common_.gates[number].init(
            0, pools.items<fastcgi::Gate::Place>(PoolKind::queues).subspan(number * most_waiting_, most_waiting_),
            pools.items<fastcgi::Gate::Parking>(PoolKind::parkings).subspan(number * threads, threads));
    }
    for (uint32_t number = 0; number < settings_->backends.size(); ++number) {
        const BackendSettings& backend = settings_->backends[number];
        common_.configurations[0].gates[number] = number;
        common_.backends.set(number, &backend);
        common_.gates[number].resize(backend.workers, backend.queue);
    }
}

Status Server::make_workers(Pools& pools, ServerError& error) {
    const std::span<Worker> workers = pools.items<Worker>(PoolKind::workers);
    const auto count = static_cast<uint32_t>(workers.size());
    common_.accepting = count;
    common_.configurations[0].holders = count;
    common_.status = {this, [](void* server, StatusForm form, TextBuffer& out) {
                          static_cast<Server*>(server)->write_status(form, out);
                      }};
    for (uint32_t number = 0; number < count; ++number) {
        auto* const worker = new (&workers[number]) Worker;  // where all is zero
        common_.workers = workers.first(number + 1);
        const Status status = worker->init(common_, number, pools, arena_);
        if (status != Status::ok) {
            return explain<"a worker cannot be made (descriptors or memory are used up): %">(error, status,
                                                                                             SystemError{errno});
        }
    }
    announce(common_.configurations[0]);
    prepared_ = true;
    // The order may have come a moment ago.
    common_.workers[0].mailbox().ring();
    return Status::ok;
}

void Server::announce(const Configuration& configuration) const {
    const Listeners& listeners = configuration.listeners;
    for (size_t i = 0; i < listeners.count; ++i) {
        const ListenSettings& listen = (*listeners.settings)[i];
        LogLine line(common_.log, LogLevel::info);
        line.add<"listening on %">(listen.text);
        add_url(line, listen, listeners.fds[i], configuration.machine_name.view());
        line.send();
    }
    for (const Site& served : configuration.sites) {
        const SiteSettings& site = *served.root.settings;
        LogLine line(common_.log, LogLevel::info);
        line.add<"site %: %">(site.name.empty() ? std::string_view("(default)") : site.name, root_of(served));
        if (site.has_backend) {
            const BackendSettings& backend = configuration.settings->backends[site.backend_number];
            if (backend.kind == BackendSettings::Kind::spawn) {
                line.add<", PHP by % on demand">(plan_->php[configuration.gates[site.backend_number]].program.view());
            } else {
                for (size_t number = 0; number < backend.server_count(); ++number) {
                    line.add<"%%">(number == 0 ? ", PHP at "_p : ", "_p, backend.server(number).address);
                }
            }
        }
        line.send();
        warn_of_first_page(common_.log, served);
        if constexpr (features::auth) {
            warn_of_users(site.auth);
        }
    }
}

void Server::finish() {
    stop(0);
    join_threads();
    if constexpr (features::auth) {
        if (common_.verifier != nullptr) {
            common_.verifier->finish();
        }
    }
    for (Worker& worker : common_.workers) {
        worker.finish();
        worker.~Worker();
    }
    if constexpr (features::access_log) {
        common_.access_log.flush();
    }
    if constexpr (features::spawn) {
        spawner_.finish();
    }
    common_.clients.finish();
    common_.waiting.finish();
    for (size_t i = 0; i < common_.gate_count; ++i) {
        common_.gates[i].finish();
    }
    for (Configuration& configuration : common_.configurations) {
        configuration.close_roots();
        configuration.listeners.close_own();
    }
    pthread_mutex_destroy(&status_mutex_);
    arena_.finish();
    plan_memory_.finish();
}

}  // namespace fcgate::server
