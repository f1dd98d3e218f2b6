#include "http/callbacks.hpp"

#ifdef FCGATE_MHD_TAKES_EVENTS
#include <mhd_polling.h>
#endif
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "base/features.hpp"
#include "base/http_date.hpp"
#if FCGATE_WITH_TLS
#include "tls/parts.hpp"
#endif

namespace fcgate::http {

namespace {

// Far beyond all deadlines of ours: should one of them ever be missed, the connection still ends.
constexpr unsigned backstop_seconds = 3600;
// Our own cap comes first; the room above it is for connections libmicrohttpd has closed but not cleaned up yet.
constexpr unsigned spare_connections = 16;

// What fcgate forwards is the raw target: nothing is to be decoded behind its back.
size_t keep_escaped(void* /*context*/, MHD_Connection* /*mhd*/, char* text) {
    return strlen(text);
}

#ifndef FCGATE_MHD_SILENT
void log_message(void* context, const char* format, va_list arguments) __attribute__((format(printf, 2, 0)));

void log_message(void* context, const char* format, va_list arguments) {
    const auto* const log = static_cast<const Log*>(context);
    if (!log->wants(LogLevel::debug)) {
        return;
    }
    char message[256];
    (void)vsnprintf(message, sizeof message, format, arguments);
    LogLine(*log, LogLevel::debug).add("libmicrohttpd: "_p).add_escaped(trim(message)).send();
}
#endif

#if FCGATE_WITH_TLS
// libmicrohttpd tells its callback nothing of the daemon it is called for.
thread_local const tls::Certificate* presented = nullptr;

// gnutls_certificate_retrieve_function2: chain and key stay ours.
int give_certificate(gnutls_session_t /*session*/, const gnutls_datum_t* /*authorities*/, int /*authority_count*/,
                     const gnutls_pk_algorithm_t* /*algorithms*/, int /*algorithm_count*/, gnutls_pcert_st** chain,
                     unsigned* count, gnutls_privkey_t* key) {
    const tls::Certificate::Parts* const parts = presented != nullptr ? presented->parts() : nullptr;
    if (parts == nullptr) {
        return -1;
    }
    *chain = const_cast<gnutls_pcert_st*>(parts->chain);
    *count = parts->count;
    *key = parts->key;
    return 0;
}

// A client that comes again brings its session back in a ticket (RFC 8446 section 2.2, RFC 5077): no signature, which is most of the work of a
// handshake, and with TLS 1.2 one round trip less. Nothing is kept here. Where it fails the next handshake is a whole one.
void offer_ticket(MHD_Connection* mhd, const tls::Certificate* certificate) {
    const tls::Certificate::Parts* const parts = certificate != nullptr ? certificate->parts() : nullptr;
    const MHD_ConnectionInfo* const info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info != nullptr && info->tls_session != nullptr && parts != nullptr && parts->ticket_key.data != nullptr) {
        (void)gnutls_session_ticket_enable_server(static_cast<gnutls_session_t>(info->tls_session), &parts->ticket_key);
    }
}
#endif

}  // namespace

void Engine::Callbacks::present([[maybe_unused]] const tls::Certificate* certificate) {
#if FCGATE_WITH_TLS
    presented = certificate;
#endif
}

MHD_Daemon* Engine::Callbacks::start_daemon(Engine& engine) {
    MHD_OptionItem none = {MHD_OPTION_END, 0, nullptr};
    return start_daemon(engine, 0, &none);
}

MHD_Daemon* Engine::Callbacks::start_tls_daemon([[maybe_unused]] Engine& engine) {
#if FCGATE_WITH_TLS
    static char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
    MHD_OptionItem options[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, priorities},
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, reinterpret_cast<void*>(&give_certificate)},
        {MHD_OPTION_END, 0, nullptr},
    };
    return start_daemon(engine, MHD_USE_TLS, options);
#else
    return nullptr;
#endif
}

MHD_Daemon* Engine::Callbacks::start_daemon(Engine& engine, unsigned more_flags,
                                            [[maybe_unused]] MHD_OptionItem* more_options) {
    unsigned flags =
        more_flags | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;
#if MHD_VERSION >= 0x01000000
    // One thread alone uses a daemon; with it connections are taken in at once, as 0.9.x does without threads of its own.
    flags |= MHD_USE_NO_THREAD_SAFETY;
#endif
    const ServerSettings& server = engine.setup_.settings->server;
#ifndef FCGATE_MHD_SILENT
    void* const log = const_cast<Log*>(engine.setup_.log);
#endif
    return MHD_start_daemon(flags, 0, nullptr, nullptr, &on_access, &engine,  //
#ifndef FCGATE_MHD_SILENT
                            MHD_OPTION_EXTERNAL_LOGGER, &log_message, log,  //
#endif
                            MHD_OPTION_NOTIFY_CONNECTION, &on_connection, &engine,                              //
                            MHD_OPTION_NOTIFY_COMPLETED, &on_completed, &engine,                                //
                            MHD_OPTION_URI_LOG_CALLBACK, &on_target, &engine,                                   //
                            MHD_OPTION_UNESCAPE_CALLBACK, &keep_escaped, nullptr,                               //
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, static_cast<size_t>(server.connection_memory),  //
                            MHD_OPTION_CONNECTION_LIMIT,
                            static_cast<unsigned>(engine.connections_.capacity()) + spare_connections,  //
                            MHD_OPTION_CONNECTION_TIMEOUT, backstop_seconds,                            //
                            MHD_OPTION_STRICT_FOR_CLIENT, 1,                                            //
                            MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,                                       //
#if FCGATE_WITH_TLS
                            MHD_OPTION_ARRAY, more_options,  //
#endif
                            MHD_OPTION_END);
}

Connection* Engine::Callbacks::connection_of(MHD_Connection* mhd) {
    const MHD_ConnectionInfo* const info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != nullptr ? static_cast<Connection*>(info->socket_context) : nullptr;
}

// Called before libmicrohttpd takes the target apart in place: the only sight of it as it came.
void* Engine::Callbacks::on_target(void* context, const char* target, MHD_Connection* mhd) {
    auto* const engine = static_cast<Engine*>(context);
    Connection* const connection = connection_of(mhd);
    if (connection == nullptr) {
        return nullptr;
    }
    engine->targets_.drop(connection->kept_target);
    connection->kept_target = engine->targets_.keep(connection->slot, target);
    if (connection->stage == Connection::Stage::idle) {
        // The request came with the one before it: no event has told.
        engine->begin_head(*connection);
        engine->set_active(*connection, true);
    }
    return connection;
}

MHD_Result Engine::Callbacks::on_access(void* context, MHD_Connection* /*mhd*/, const char* /*url*/, const char* method,
                                        const char* version, const char* upload, size_t* upload_size, void** request) {
    auto* const engine = static_cast<Engine*>(context);
    auto* const connection = static_cast<Connection*>(*request);
    if (connection == nullptr || engine->aborting_) {
        return MHD_NO;
    }
    if (connection->stage == Connection::Stage::idle || connection->stage == Connection::Stage::head) {
        return engine->receive_head(*connection, method, version) ? MHD_YES : MHD_NO;
    }
    if constexpr (features::auth) {
        if (connection->is_undecided) {
            return engine->begin_with_body(*connection) ? MHD_YES : MHD_NO;
        }
    }
    if (*upload_size > 0) {
        size_t taken = 0;
        const bool go_on = engine->receive_body(*connection, {upload, *upload_size}, taken);
        *upload_size -= taken;
        return go_on ? MHD_YES : MHD_NO;
    }
    return engine->finish_request(*connection) ? MHD_YES : MHD_NO;
}

void Engine::Callbacks::on_completed(void* context, MHD_Connection* /*mhd*/, void** request,
                                     MHD_RequestTerminationCode code) {
    auto* const connection = static_cast<Connection*>(*request);
    if (connection != nullptr) {
        connection->sent_all = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
        static_cast<Engine*>(context)->complete(*connection, code == MHD_REQUEST_TERMINATED_WITH_ERROR);
    }
}

void Engine::Callbacks::on_connection(void* context, MHD_Connection* mhd, void** socket_context,
                                      MHD_ConnectionNotificationCode code) {
    auto* const engine = static_cast<Engine*>(context);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = engine->adding_;
        engine->adding_->mhd = mhd;
#if FCGATE_WITH_TLS
        if (engine->adding_->is_tls) {
            offer_ticket(mhd, engine->setup_.certificate);
        }
#endif
        return;
    }
    auto* const connection = static_cast<Connection*>(*socket_context);
    *socket_context = nullptr;
    if (connection != nullptr) {
        engine->closed(*connection);
    }
}

ssize_t Engine::Callbacks::on_read(void* context, uint64_t /*position*/, char* buffer, size_t size) {
    auto* const connection = static_cast<Connection*>(context);
    const ptrdiff_t count = connection->engine->read_body(*connection, {buffer, size});
    if (count == BodyReader::end) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    return count == BodyReader::failed ? MHD_CONTENT_READER_END_WITH_ERROR : count;
}

// ---- what the bundled libmicrohttpd asks beside that ----------------------------------------------------------------

int Engine::Callbacks::has_more(void* context) {
    const BodyReader& reader = static_cast<Connection*>(context)->reader;
    return reader.has_more != nullptr && reader.has_more(reader.context) ? 1 : 0;
}

size_t Engine::Callbacks::room(void* request, char** bytes) {
    const auto* const connection = static_cast<Connection*>(request);
    if (connection == nullptr || connection->stage != Connection::Stage::body || connection->refused) {
        return 0;
    }
    const RequestHandler& handler = connection->engine->setup_.handler;
    const std::span<char> room = handler.room(handler.context, *connection);
    *bytes = room.data();
    return room.size();
}

void Engine::Callbacks::write_date(int64_t second, char* date) {
    Text<32> text;
    append_http_date(text, second);
    memcpy(date, text.view().data(), text.view().size());
}

#ifdef FCGATE_MHD_TAKES_EVENTS
Engine::Callbacks::Giving::Giving(std::span<const epoll_event> events, int64_t now) {
    static constexpr mhd_polling_program program = {&has_more, &room, &write_date};
    mhd_polling_give(events.data(), static_cast<int>(events.size()), static_cast<uint64_t>(now), &program);
}

Engine::Callbacks::Giving::~Giving() {
    mhd_polling_give(nullptr, 0, 0, nullptr);
}
#else
Engine::Callbacks::Giving::Giving(std::span<const epoll_event> /*events*/, int64_t /*now*/) {}

Engine::Callbacks::Giving::~Giving() {}
#endif

}  // namespace fcgate::http
