// Owns: the functions that libmicrohttpd calls, and the options it is started with.
// Must not touch: anything but the engine it belongs to. Only http/*.cpp may include it: it brings microhttpd.h along.
#pragma once

#include <microhttpd.h>
#include <sys/epoll.h>

#include <span>

#include "http/engine.hpp"

namespace fcgate::http {

struct Engine::Callbacks {
    [[nodiscard]] static MHD_Daemon* start_daemon(Engine& engine);
    [[nodiscard]] static MHD_Daemon* start_daemon(Engine& engine, unsigned more_flags, MHD_OptionItem* more_options);
    [[nodiscard]] static MHD_Daemon* start_tls_daemon(Engine& engine);
    // What TLS handshakes on this thread are given from now on.
    static void present(const tls::Certificate* certificate);

    static void* on_target(void* context, const char* target, MHD_Connection* mhd);
    static MHD_Result on_access(void* context, MHD_Connection* mhd, const char* url, const char* method,
                                const char* version, const char* upload, size_t* upload_size, void** request);
    static void on_completed(void* context, MHD_Connection* mhd, void** request, MHD_RequestTerminationCode code);
    static void on_connection(void* context, MHD_Connection* mhd, void** socket_context,
                              MHD_ConnectionNotificationCode code);
    static ssize_t on_read(void* context, uint64_t position, char* buffer, size_t size);

    [[nodiscard]] static Connection* connection_of(MHD_Connection* mhd);

    // While one of these lives, libmicrohttpd learns of `events`, once, leaves the watching to us, and asks us what mhd_polling_program says.
    class Giving {
      public:
        // `now`: of the turn's clock.
        Giving(std::span<const epoll_event> events, int64_t now);
        ~Giving();
        Giving(const Giving&) = delete;
        Giving& operator=(const Giving&) = delete;
    };

  private:
    static int has_more(void* context);
    static size_t room(void* request, char** bytes);
    static void write_date(int64_t second, char* date);
};

}  // namespace fcgate::http
