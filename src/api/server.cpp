// Owns: the C ABI of servers: the order in which things may be called.
// Borrows: nothing beyond a call.
// Must not touch: signals, other processes, standard output.
#include "api/objects.hpp"
#include "api/report.hpp"
#include "base/clock.hpp"
#include "base/features.hpp"
#include "http/listener.hpp"
#include "spawn/plan.hpp"

using fcgate::ConfigError;
using fcgate::LogLevel;
using fcgate::Settings;
using fcgate::Status;
using fcgate::TextBuffer;
using fcgate::operator""_p;  // NOLINT(misc-unused-using-decls): clang-tidy 14 does not see who uses it
using fcgate::api::check;
using fcgate::api::create;
using fcgate::api::destroy;
using fcgate::api::finish;
using fcgate::api::misuse;
using fcgate::api::report;
using fcgate::server::ServerError;

namespace {

// The host's callback speaks C's levels; the numbers are the same.
void pass_on(void* context, LogLevel level, const char* message) {
    const auto* const server = static_cast<const fcgate_server*>(context);
    server->log(server->log_context, static_cast<fcgate_log_level>(level), message);
}

[[nodiscard]] Status check_whole(Settings& settings, ConfigError& error, const Settings* in_force = nullptr) {
    const Status found = fcgate::spawn::resolve_automatic(settings, error, in_force);
    return found == Status::ok ? check(settings, error) : found;
}

// Settings under which nothing runs any more.
void free_unused(fcgate_server& server) {
    const Settings* const unused = server.server.take_unused();
    for (fcgate_settings*& settings : server.settings) {
        if (settings != nullptr && &settings->values == unused) {
            fcgate_settings_destroy(settings);
            settings = nullptr;
        }
    }
}

// The last step before serving: opens the roots and makes the workers, once.
[[nodiscard]] int prepare(fcgate_server* server, fcgate_server::Mode mode, fcgate_error* error) {
    if (server->mode != fcgate_server::Mode::created) {
        return misuse(error, "this server has been started already, or has failed to start"_p);
    }
    // A second try would find the half of the first.
    server->mode = fcgate_server::Mode::failed;
    ServerError why;
    const Status status = server->server.prepare(why);
    if (status != Status::ok) {
        return report(error, status, why);
    }
    server->mode = mode;
    return FCGATE_OK;
}

[[nodiscard]] fcgate_server* make_server(fcgate_settings* settings, fcgate_error* error) {
    ConfigError wrong;
    const Status checked = check_whole(settings->values, wrong);
    if (checked != Status::ok) {
        (void)report(error, checked, wrong);
        return nullptr;
    }
    auto* const server = create<fcgate_server>();
    if (server == nullptr) {
        (void)report(error, FCGATE_NO_MEMORY, "not enough memory for a server"_p);
        return nullptr;
    }
    server->log = settings->log;
    server->log_context = settings->log_context;
    server->threads = settings->values.server.threads;
    ServerError why;
    const Status status =
        server->server.init(settings->values, settings->log != nullptr ? &pass_on : nullptr, server, why);
    if (status != Status::ok) {
        (void)report(error, status, why);
        server->server.give_back_inherited();
        server->server.finish();
        destroy(server);
        return nullptr;
    }
    server->settings[0] = settings;
    return server;
}

[[nodiscard]] int reload(fcgate_server& server, fcgate_settings& settings, fcgate_error* error) {
    ConfigError wrong;
    // Room for the host is made at the start only: neither what it takes changes, nor whether HTTP is needed.
    const fcgate::StartSettings& start = server.server.settings().server;
    settings.values.server.host_room = start.host_room;
    settings.values.server.host_calls = start.host_calls;
    const Status checked = check_whole(settings.values, wrong, &server.server.settings());
    if (checked != Status::ok) {
        return report(error, checked, wrong);
    }
    free_unused(server);
    ServerError why;
    const Status status = server.server.reload(settings.values, why);
    return status == Status::ok ? FCGATE_OK : report(error, status, why);
}

}  // namespace

fcgate_server* fcgate_create(fcgate_settings* settings, fcgate_error* error) {
    if (settings == nullptr) {
        (void)misuse(error, "fcgate_create: settings may not be NULL"_p);
        return nullptr;
    }
    const Settings::Original original(settings->values);
    fcgate_server* const server = make_server(settings, error);
    if (server == nullptr) {
        settings->values.put_back(original);
    }
    return server;
}

void fcgate_destroy(fcgate_server* server) {
    if (server == nullptr) {
        return;
    }
    server->server.finish();
    for (fcgate_settings* const settings : server->settings) {
        fcgate_settings_destroy(settings);
    }
    destroy(server);
}

int fcgate_start(fcgate_server* server, fcgate_error* error) {
    if (server == nullptr) {
        return misuse(error, "fcgate_start: server may not be NULL"_p);
    }
    const int prepared = prepare(server, fcgate_server::Mode::threads, error);
    if (prepared != FCGATE_OK) {
        return prepared;
    }
    ServerError why;
    const Status status = server->server.start_threads(0, why);
    if (status != Status::ok) {
        server->mode = fcgate_server::Mode::failed;
        return report(error, status, why);
    }
    return FCGATE_OK;
}

int fcgate_run(fcgate_server* server, fcgate_error* error) {
    if (server == nullptr) {
        return misuse(error, "fcgate_run: server may not be NULL"_p);
    }
    const int prepared = prepare(server, fcgate_server::Mode::borrowed, error);
    if (prepared != FCGATE_OK) {
        return prepared;
    }
    ServerError why;
    const Status started = server->server.start_threads(1, why);
    if (started != Status::ok) {
        server->mode = fcgate_server::Mode::failed;
        return report(error, started, why);
    }
    const Status status = server->server.run_worker(0);
    if (status != Status::gone) {
        server->server.stop(0);
    }
    // They may still have requests, until the deadline.
    server->server.join_threads();
    if (status != Status::gone || server->server.is_broken()) {
        return report(error, FCGATE_ERROR, "the event loop could not go on; the log says why"_p);
    }
    return FCGATE_OK;
}

int fcgate_fd(fcgate_server* server, fcgate_error* error) {
    if (server == nullptr) {
        return misuse(error, "fcgate_fd: server may not be NULL"_p);
    }
    if (server->mode != fcgate_server::Mode::loop) {
        if (server->threads != 1) {
            return misuse(error, "server.threads must be 1 in an event loop of the host's"_p);
        }
        const int prepared = prepare(server, fcgate_server::Mode::loop, error);
        if (prepared != FCGATE_OK) {
            return prepared;
        }
    }
    return server->server.worker(0).epoll_fd();
}

int fcgate_timeout_ms(const fcgate_server* server) {
    if (server == nullptr || server->mode != fcgate_server::Mode::loop) {
        return -1;
    }
    return server->server.worker(0).timeout_ms();
}

int fcgate_dispatch(fcgate_server* server, fcgate_error* error) {
    if (server == nullptr || server->mode != fcgate_server::Mode::loop) {
        return misuse(error, "fcgate_dispatch: call fcgate_fd() first"_p);
    }
    const Status status = server->server.worker(0).turn(0);
    if (status == Status::ok) {
        return FCGATE_OK;
    }
    return status == Status::gone ? report(error, FCGATE_GONE, "the server has stopped"_p)
                                  : report(error, FCGATE_ERROR, "the event loop could not go on; the log says why"_p);
}

void fcgate_stop(fcgate_server* server, int deadline_ms) {
    if (server == nullptr) {
        return;
    }
    const int64_t wait = deadline_ms >= 0 ? deadline_ms : server->server.stop_timeout_ms();
    server->server.stop(fcgate::monotonic_ms() + wait);
}

int fcgate_wait(fcgate_server* server, int timeout_ms, fcgate_error* error) {
    if (server == nullptr || server->mode != fcgate_server::Mode::threads) {
        return misuse(error, "fcgate_wait: the server was not started by fcgate_start()"_p);
    }
    const Status status = server->server.wait(timeout_ms);
    if (status == Status::gone) {
        return FCGATE_OK;
    }
    return status == Status::again ? report(error, FCGATE_AGAIN, "still running"_p)
                                   : report(error, FCGATE_ERROR, "a thread could not go on; the log says why"_p);
}

int fcgate_ended_fd(const fcgate_server* server) {
    if (server == nullptr || server->mode != fcgate_server::Mode::threads) {
        return FCGATE_INVALID;
    }
    return server->server.ended_fd();
}

int fcgate_listener(const fcgate_server* server, size_t index, char* buffer, size_t size) {
    if (server == nullptr || buffer == nullptr || size == 0) {
        return FCGATE_INVALID;
    }
    *buffer = '\0';
    const fcgate::server::Listeners& listeners = server->server.listeners();
    if (index >= listeners.count) {
        return FCGATE_GONE;
    }
    const fcgate::ListenSettings& listen = (*listeners.settings)[index];
    const fcgate::Endpoint address = fcgate::http::address_of(listeners.fds[index]);
    if (address.kind() == fcgate::Endpoint::Kind::none) {
        return FCGATE_GONE;
    }
    TextBuffer out({buffer, size});
    if (listen.kind == fcgate::ListenSettings::Kind::local) {
        out.append("unix:"_p).append(listen.path);
    } else {
        address.print(out);
    }
    return finish(out, buffer);
}

int fcgate_reload(fcgate_server* server, fcgate_settings* settings, fcgate_error* error) {
    if (server == nullptr || settings == nullptr) {
        return misuse(error, "fcgate_reload: server and settings may not be NULL"_p);
    }
    if (server->mode == fcgate_server::Mode::created || server->mode == fcgate_server::Mode::failed) {
        return misuse(error, "fcgate_reload: the server does not run"_p);
    }
    const Settings::Original original(settings->values);
    const int result = reload(*server, *settings, error);
    if (result != FCGATE_OK) {
        settings->values.put_back(original);
        return result;
    }
    server->settings[server->settings[0] == nullptr ? 0 : 1] = settings;
    return FCGATE_OK;
}

void fcgate_log(fcgate_server* server, enum fcgate_log_level level, const char* message) {
    if (server != nullptr && message != nullptr) {
        fcgate::LogLine(server->server.log(), static_cast<LogLevel>(level)).add_escaped(message).send();
    }
}

static_assert(FCGATE_STATUS_MAX > fcgate::limits::status_page(fcgate::limits::backends));

int fcgate_status(fcgate_server* server, enum fcgate_status_form form, char* buffer, size_t size) {
    if (server == nullptr || buffer == nullptr || size == 0) {
        return FCGATE_INVALID;
    }
    *buffer = '\0';
    if (!fcgate::features::status || form < FCGATE_STATUS_HTML || form > FCGATE_STATUS_PROMETHEUS) {
        return FCGATE_INVALID;
    }
    TextBuffer out({buffer, size});
    server->server.write_status(static_cast<fcgate::server::StatusForm>(form), out);
    return finish(out, buffer);
}

void fcgate_reopen_logs(fcgate_server* server) {
    if (server != nullptr) {
        server->server.reopen_logs();
    }
}
