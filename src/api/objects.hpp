// Owns: what the opaque types of the C ABI are, and what all of its functions need.
// Must not touch: anything but the server and its settings.
#pragma once

#include "config/settings.hpp"
#include "fcgate/fcgate.h"
#include "server/server.hpp"

struct fcgate_settings {
    fcgate::Settings values;
    fcgate_log_callback log = nullptr;
    void* log_context = nullptr;
};

struct fcgate_server {
    enum class Mode : unsigned char { created, threads, borrowed, loop, failed };

    fcgate::server::Server server;
    fcgate_settings* settings[2] = {};  // in force, and until its requests are done the one before; NULL: none
    fcgate_log_callback log = nullptr;
    void* log_context = nullptr;
    fcgate_finished_callback finished = nullptr;
    void* finished_context = nullptr;
    unsigned threads = 1;
    Mode mode = Mode::created;
};

namespace fcgate::api {

[[nodiscard]] int result_of(Status status);

// A field that the host may add to a reply: what frames the message is not the host's.
[[nodiscard]] bool is_own_field(const char* name, const char* value);
[[nodiscard]] bool is_reply(unsigned status, const char* content_type);
[[nodiscard]] std::string_view type_of(const char* content_type);

}  // namespace fcgate::api
