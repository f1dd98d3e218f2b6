// Owns: what the opaque types of the C ABI are, and what all of its functions need.
// Must not touch: anything but the server and its settings.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <new>
#include <string_view>

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
    std::atomic<unsigned> next_call{0};  // which worker gets it
    unsigned threads = 1;
    std::atomic<Mode> mode{Mode::created};  // a host's thread may reload while another one begins to run
};

namespace fcgate::api {

// A mapping of its own: these objects have room for far more than most of them hold, and pages that nobody writes cost nothing. So they
// are not value-initialised either, which would clear the room.
template <typename T>
[[nodiscard]] T* create() {
    void* const memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED ? new (memory) T : nullptr;
}

template <typename T>
void destroy(T* object) {
    if (object != nullptr) {
        object->~T();
        munmap(object, sizeof(T));
    }
}

// The settings as they stand, and whether they stay below the ceiling.
[[nodiscard]] Status check(Settings& settings, ConfigError& error);

// A field that the host may add to a reply: what frames the message is not the host's.
[[nodiscard]] bool is_own_field(const char* name, const char* value);
[[nodiscard]] bool is_reply(unsigned status, const char* content_type);
// The name of a variable that the host may give PHP: CONTENT_LENGTH frames what follows.
[[nodiscard]] bool is_variable(std::string_view name);
// A part of a regular file that is there now.
[[nodiscard]] bool is_part(int fd, long long offset, long long length);

}  // namespace fcgate::api
