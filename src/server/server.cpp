#include "server/server.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/features.hpp"
#include "http/library.hpp"
#include "http/listener.hpp"
#include "server/sandbox.hpp"

namespace fcgate::server {

namespace {

// What to type into a browser: for all addresses the machine's name. Sockets have none.
void add_url(LogLine& line, const ListenSettings& listen, std::string_view machine) {
    const std::span<const uint8_t> bytes = listen.endpoint.bytes();
    const bool is_any = std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
    if (listen.kind != ListenSettings::Kind::any && listen.kind != ListenSettings::Kind::tcp) {
        return;
    }
    const std::string_view address = slice(listen.text, 0, listen.text.find_first_of(" \t"));  // "tls" may follow
    line.add(listen.tls ? ": https://" : ": http://").add(is_any ? machine : std::string_view());
    line.add(is_any ? slice(address, address.rfind(':')) : address).add("/");
}

// Whoever opens "/" first should not wonder.
void warn_of_first_page(const Log& log, const Site& served) {
    const SiteSettings& site = *served.root.settings;
    const auto is_there = [root = served.root.fd](std::string_view name) {
        struct stat status {};
        return fstatat(root, Text<limits::path>(name).c_str(), &status, 0) == 0;
    };
    if (!site.front_controller.empty()) {
        if (!is_there(slice(site.front_controller, 1))) {
            LogLine(log, LogLevel::warning)
                .add("front_controller = "_p)
                .add(site.front_controller)
                .add(": there is no such file below "_p)
                .add(served.document_root)
                .send();
        }
    } else if (!site.listing && std::ranges::none_of(site.index, is_there)) {
        LogLine(log, LogLevel::info)
            .add("there is no index file in "_p)
            .add(served.document_root)
            .add(", so / is answered 404 (see index, listing, front_controller)"_p)
            .send();
    }
}

}  // namespace

Status Server::init(const Settings& settings, LogSink sink, void* sink_context, ServerError& error) {
    settings_ = &settings;
    started_at_ = monotonic_ms();
    log_.set_level(settings.server.log_level);
    log_.set_sink(sink, sink_context);
    char name[128] = "";
    (void)gethostname(name, sizeof name - 1);
    machine_name_.append(name);
    ended_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!ended_.valid()) {
        return explain(error, Status::exhausted, "eventfd"_p, "", errno);
    }
    error.clear();
    Status status = http::check_libmicrohttpd(error);
    if (status == Status::ok) {
        status = open_logs(error);
    }
    if (status == Status::ok) {
        status = start_spawner(error);
    }
    Configuration& first = configurations_[0];
    for (uint8_t number = 0; number < Configuration::count; ++number) {
        configurations_[number].number = number;
    }
    first.settings = settings_;
    first.is_used = true;
    common_.configuration = &first;
    common_.stop_timeout_ms = static_cast<uint32_t>(settings.server.stop_timeout_ms);
    if (status == Status::ok) {
        status = first.listeners.open(settings.server.listen, nullptr, error);
    }
    if constexpr (features::tls) {
        if (status == Status::ok) {
            status = first.open_certificate(machine_name_.view(), log_, nullptr, error);
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
        return explain(error, Status::exhausted, "not enough memory"_p, "", errno);
    }
    plan_ = new (plan_memory_.take(sizeof(spawn::Plan), alignof(spawn::Plan)).data()) spawn::Plan;
    const Status planned = spawn::make_plan(*settings_, *plan_, error);
    if (planned != Status::ok) {
        return planned;
    }
    const Status started = spawner_.start(*plan_, *settings_);
    return started == Status::ok ? started : explain(error, started, "the spawner cannot be started"_p, "", errno);
}

void Server::init_supervisor() {
    spawn::Supervisor::Setup setup;
    setup.backends = &backends_;
    setup.log = &log_;
    setup.gates = {gates_.data(), gate_count_};
    setup.plan = plan_;
    setup.spawner = &spawner_;
    setup.context = this;
    setup.ring = [](void* context) { static_cast<Server*>(context)->workers_[0].mailbox().ring(); };
    setup.news = [](void* context, uint32_t backend) {
        for (Worker& worker : static_cast<Server*>(context)->workers_) {
            worker.mailbox().post_php_news(backend);
        }
    };
    supervisor_.init(setup);
}

Status Server::open_logs(ServerError& error) {
    const ServerSettings& server = settings_->server;
    const SyslogForm form = server.syslog_format == "local" ? SyslogForm::local : SyslogForm::rfc5424;
    Status status = log_.open(server.error_log, form);
    if (status != Status::ok) {
        return explain(error, status, "error_log: cannot open "_p, server.error_log, errno);
    }
    if constexpr (features::access_log) {
        if (has_access_log(*settings_)) {
            status = access_log_.open(server.access_log, access_form(server.access_log_format), form);
        }
    }
    return status == Status::ok ? status
                                : explain(error, status, "access_log: cannot open "_p, server.access_log, errno);
}

// False when there is no room.
bool Server::begin_access_log(const Pools& pools) {
    if constexpr (features::access_log) {
        if (has_access_log(*settings_)) {
            const std::span<char> buffer = arena_.take_text(pools[PoolKind::access_log].size);
            access_log_.begin(buffer, log_);
            return !buffer.empty() && finished_.add({[](void* log, const Finished& finished) {
                                                         static_cast<AccessLog*>(log)->add(finished);
                                                     },
                                                     &access_log_});
        }
    }
    return true;
}

Status Server::read_mime_types(const Pools& pools, ServerError& error) {
    if (settings_->server.mime_types.empty()) {
        return Status::ok;
    }
    const std::span<char> storage = arena_.take_text(pools[PoolKind::mime_types].size);
    const Text<limits::path> path(settings_->server.mime_types);
    Text<256> why;
    const Status status = storage.empty() ? Status::exhausted : mime_.read(path.c_str(), storage, why);
    return status == Status::ok ? status : explain(error, status, "mime_types: "_p, why.view(), 0);
}

Status Server::prepare(ServerError& error) {
    const Pools pools(*settings_);
    if (arena_.init(pools.arena_size()) != Status::ok) {
        return explain(error, Status::exhausted, "not enough memory for the configured capacities"_p, "", errno);
    }
    const std::span<ClientCounts::Entry> clients =
        arena_.take_array<ClientCounts::Entry>(pools[PoolKind::clients].count);
    clients_.init(clients);
    if (clients.empty() || make_gates(pools) != Status::ok) {
        return explain(error, Status::exhausted, "the arena is too small"_p, "", 0);
    }
    for (Configuration& configuration : configurations_) {
        configuration.text = arena_.take_text(pools[PoolKind::roots].size);
    }
    if (const Status types = read_mime_types(pools, error); types != Status::ok) {
        return types;
    }
    if (!begin_access_log(pools)) {
        return explain(error, Status::exhausted, "the arena is too small"_p, "", 0);
    }
    can_list_ = pools[PoolKind::listing_page].count > 0;
    const Status roots = configurations_[0].open_roots(error);
    if (roots != Status::ok) {
        return roots;
    }
    if constexpr (features::spawn) {
        if (plan_ != nullptr) {
            init_supervisor();
        }
    }
    const Settings& settings = *settings_;
    const Status workers = make_workers(pools, error);
    if constexpr (features::sandbox) {
        bool is_on = false;
        if (workers == Status::ok && settings.server.sandbox) {
            const Status status = enter_sandbox(settings, log_, is_on, error);
            sandboxed_ = is_on ? sandboxed_folders(settings) : 0;
            return status;
        }
    }
    return workers;
}

Status Server::make_gates(const Pools& pools) {
    most_waiting_ = pools.most_waiting();
    most_places_ = pools.places();
    for (; gate_count_ < pools.gates(); ++gate_count_) {
        const std::span<fastcgi::Gate::Place> queue = arena_.take_array<fastcgi::Gate::Place>(most_waiting_);
        const std::span<fastcgi::Gate::Parking> parking =
            arena_.take_array<fastcgi::Gate::Parking>(settings_->server.threads);
        if (parking.empty()) {
            return Status::exhausted;
        }
        gates_[gate_count_].init(0, queue, parking);
    }
    for (uint32_t number = 0; number < settings_->backends.size(); ++number) {
        const BackendSettings& backend = settings_->backends[number];
        configurations_[0].gates[number] = number;
        backends_.set(number, &backend);
        gates_[number].resize(backend.workers, backend.queue);
    }
    return Status::ok;
}

Status Server::make_workers(const Pools& pools, ServerError& error) {
    const uint32_t count = settings_->server.threads;
    common_.accepting = count;
    configurations_[0].holders = count;
    const std::span<uint8_t> storage = arena_.take(count * pools[PoolKind::workers].size, alignof(Worker));
    if (storage.empty()) {
        return explain(error, Status::exhausted, "the arena is too small"_p, "", 0);
    }
    auto* const workers = reinterpret_cast<Worker*>(storage.data());
    for (uint32_t number = 0; number < count; ++number) {
        new (workers + number) Worker();
        workers_ = {workers, number + 1};
        const Worker::Setup setup{
            .log = &log_,
            .gates = {gates_.data(), gate_count_},
            .backends = &backends_,
            .configurations = configurations_,
            .mime = &mime_,
            .endpoints = &endpoints_,
            .finished = &finished_,
            .status = {this, [](void* server, StatusForm form,
                                TextBuffer& out) { static_cast<Server*>(server)->write_status(form, out); }},
            .access_log = has_access_log(*settings_) ? &access_log_ : nullptr,
            .machine_name = machine_name_.view(),
            .common = &common_,
            .clients = &clients_,
            .post = post(),
            .offer_newcomers = &Server::offer_newcomers,
            .release = [](void* server, Configuration& unused) { static_cast<Server*>(server)->release(unused); },
            .supervisor = plan_ != nullptr ? &supervisor_ : nullptr,
            .number = number,
            .count = count};
        const Status status = workers[number].init(setup, pools, arena_);
        if (status != Status::ok) {
            return explain(error, status, "a worker cannot be made (descriptors or memory are used up)"_p, "", errno);
        }
    }
    announce(configurations_[0]);
    prepared_ = true;
    // The order may have come a moment ago.
    workers_[0].mailbox().ring();
    return Status::ok;
}

fastcgi::Post Server::post() {
    fastcgi::Post post;
    post.context = this;
    post.grant = [](void* context, const fastcgi::Grant& grant) {
        return static_cast<Server*>(context)->workers_[grant.waiter.worker].mailbox().post(grant);
    };
    post.yield = [](void* context, uint32_t worker, uint32_t backend) {
        static_cast<Server*>(context)->workers_[worker].mailbox().post_yield(backend);
    };
    return post;
}

void Server::offer_newcomers(void* context, uint32_t worker) {
    const std::span<Worker> workers = static_cast<Server*>(context)->workers_;
    for (uint32_t number = 0; number < workers.size(); ++number) {
        if (number != worker) {
            workers[number].mailbox().post_newcomers();
        }
    }
}

void Server::announce(const Configuration& configuration) const {
    for (const ListenSettings& listen : configuration.settings->server.listen) {
        LogLine line(log_, LogLevel::info);
        line.add("listening on "_p).add(listen.text);
        add_url(line, listen, machine_name_.view());
        line.send();
    }
    for (size_t i = 0; i < configuration.site_count; ++i) {
        const SiteSettings& site = configuration.settings->sites[i];
        LogLine line(log_, LogLevel::info);
        line.add("site "_p).add(site.name.empty() ? "(default)" : site.name).add(": "_p);
        line.add(configuration.sites[i].document_root);
        if (site.has_backend) {
            const BackendSettings& backend = configuration.settings->backends[site.backend_number];
            if (backend.kind == BackendSettings::Kind::spawn) {
                line.add(", PHP by "_p);
                line.add(plan_->php[configuration.gates[site.backend_number]].program.view()).add(" on demand"_p);
            } else {
                for (size_t number = 0; number < backend.server_count(); ++number) {
                    line.add(number == 0 ? ", PHP at " : ", ").add(backend.server(number).address);
                }
            }
        }
        line.send();
        warn_of_first_page(log_, configuration.sites[i]);
    }
}

Status Server::run_worker(uint32_t number) {
    Status status = Status::ok;
    while (status == Status::ok) {
        status = workers_[number].turn(-1);
    }
    return status;
}

Status Server::start_threads(uint32_t first, ServerError& error) {
    // Threads inherit the mask: no signal of the host is to be handled by one of ours.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, limits::thread_stack);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = 0;
    // One count of our own: nobody is told of the end before all have begun.
    running_.fetch_add(1);
    for (uint32_t number = first; number < workers_.size() && failure == 0; ++number) {
        starts_[number] = {this, number};
        running_.fetch_add(1);
        failure = pthread_create(&threads_[thread_count_], &attributes, &Server::thread_main, &starts_[number]);
        if (failure == 0) {
            ++thread_count_;
        } else {
            running_.fetch_sub(1);
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    if (failure != 0) {
        stop(0);
        join_threads();
        return explain(error, Status::exhausted, "a thread cannot be started"_p, "", failure);
    }
    thread_ended();
    return Status::ok;
}

void* Server::thread_main(void* argument) {
    const auto* const start = static_cast<const ThreadStart*>(argument);
    Server& server = *start->server;
    if (server.run_worker(start->number) != Status::gone) {
        server.broken_ = true;
        server.stop(0);
    }
    server.thread_ended();
    return nullptr;
}

void Server::thread_ended() {
    if (running_.fetch_sub(1) == 1) {
        const uint64_t one = 1;
        (void)!write(ended_.get(), &one, sizeof one);
    }
}

void Server::stop(int64_t deadline) {
    common_.deadline.bring_forward(deadline);
    // Before that they look at the order when they begin.
    if (prepared_) {
        for (Worker& worker : workers_) {
            worker.mailbox().ring();
        }
    }
}

void Server::reopen_logs() {
    common_.reopen_logs = true;
    if (prepared_) {
        workers_[0].mailbox().ring();
    }
}

Status Server::wait(int timeout_ms) const {
    pollfd ended{ended_.get(), POLLIN, 0};
    const int64_t deadline = timeout_ms < 0 ? never : monotonic_ms() + timeout_ms;
    int count = 0;
    do {
        // A signal of the host's does not make it longer.
        const int64_t left = deadline == never ? -1 : std::max<int64_t>(deadline - monotonic_ms(), 0);
        count = poll(&ended, 1, static_cast<int>(left));
    } while (count < 0 && errno == EINTR);
    if (count == 0) {
        return Status::again;
    }
    return broken_ ? Status::io : Status::gone;
}

void Server::join_threads() {
    for (size_t i = 0; i < thread_count_; ++i) {
        pthread_join(threads_[i], nullptr);
    }
    thread_count_ = 0;
}

void Server::finish() {
    stop(0);
    join_threads();
    for (Worker& worker : workers_) {
        worker.finish();
        worker.~Worker();
    }
    if constexpr (features::access_log) {
        access_log_.flush();
    }
    if constexpr (features::spawn) {
        spawner_.finish();
    }
    clients_.finish();
    for (size_t i = 0; i < gate_count_; ++i) {
        gates_[i].finish();
    }
    for (Configuration& configuration : configurations_) {
        configuration.close_roots();
        configuration.listeners.close_own();
    }
    pthread_mutex_destroy(&status_mutex_);
    arena_.finish();
    plan_memory_.finish();
}

}  // namespace fcgate::server
