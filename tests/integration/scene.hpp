// Owns: everything that one test case uses: a server behind the public interface, its log, its files, a fake backend, clients.
// It ends with the case, however the case ends, and then no descriptor may be left.
#pragma once

#include <pthread.h>

#include <array>
#include <span>
#include <string_view>

#include "fake_backend.hpp"
#include "fcgate/fcgate.h"
#include "http_client.hpp"
#include "unit/temp_tree.hpp"

namespace fcgate::test {

// What the server has logged, as "error: ...", "warning: ...", "info: ...", "debug: ...", a line each.
class LogLines {
  public:
    static void callback(void* self, fcgate_log_level level, const char* message);

    // Lines with `text` in them, and with `end` as their end; it has the line feed.
    [[nodiscard]] size_t count(std::string_view text, std::string_view end = {});
    void clear();
    // True once there is such a line.
    [[nodiscard]] bool has(std::string_view text, int64_t deadline = soon());
    // True once there are so many lines.
    [[nodiscard]] bool grows_to(size_t lines, int64_t deadline = soon());
    void print();

  private:
    template <typename Condition>
    [[nodiscard]] bool wait_for(Condition is_met, int64_t deadline);

    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t news_ = PTHREAD_COND_INITIALIZER;
    Buffer lines_;
};

// How the same case is played.
struct Variant {
    const char* name = "";
    const char* threads = "1";
    bool php_over_tcp = false;
    bool front_is_local = false;  // clients come over a unix socket
};

class Scene {
  public:
    explicit Scene(const Variant* variant);
    ~Scene();
    Scene(const Scene&) = delete;
    Scene& operator=(const Scene&) = delete;

    // ---- before it starts; a failure ends the test ----

    // The server has a root with t.php and static.txt, a listener, and 4 PHP workers behind `php`; this changes it.
    void set(const char* name, const char* value, const char* file = __builtin_FILE(), int line = __builtin_LINE());
    void listen_php(int backlog = 512);                                            // else start() does
    void make(const char* file = __builtin_FILE(), int line = __builtin_LINE());   // fcgate_create() only
    void start(const char* file = __builtin_FILE(), int line = __builtin_LINE());  // with threads of its own
    void end();                                                                    // fcgate_destroy()

    // ---- while it runs; a failure ends the test ----

    // Another client, connected. `source` is an address of 127.0.0.0/8.
    Client& client(std::string_view source = {}, int receive_buffer = 0, const char* file = __builtin_FILE(),
                   int line = __builtin_LINE());
    // A client that has sent this.
    Client& client_with(std::string_view request, const char* file = __builtin_FILE(), int line = __builtin_LINE());
    // A new connection from the server, with nothing read.
    PhpConnection& accept(const char* file = __builtin_FILE(), int line = __builtin_LINE());
    // The next request, read whole, on a new connection or one that the server has kept.
    PhpConnection& take(const char* file = __builtin_FILE(), int line = __builtin_LINE());
    // Returns when the server (of one thread) has handled what was sent before: two static files have come after it.
    void settle(const char* file = __builtin_FILE(), int line = __builtin_LINE());
    // Whoever still sends behind his answer is not reset for a while: it could be lost.
    void expect_lingering(Client& client, std::string_view part);
    // Takes `changed` over, as soon as nobody uses the configuration before; when it is refused it is destroyed.
    [[nodiscard]] int reload(fcgate_settings* changed, fcgate_error& error);
    // A request through PHP on connections of its own is served: nothing is left over from what came before.
    void expect_served(const char* file = __builtin_FILE(), int line = __builtin_LINE());

    [[nodiscard]] int listener() const { return front_listener_; }  // -1: it is a unix socket
    // Listens at nothing: after a failed fcgate_create() an inherited listener is still the host's.
    void listen_nowhere();

    TempTree tree;
    LogLines log;
    FakeBackend php;
    Responder responder;
    fcgate_settings* settings = nullptr;
    fcgate_server* server = nullptr;
    Address front;
    Buffer php_address;           // as configured
    Buffer php_path;              // its file, for a unix socket
    const char* about = nullptr;  // which of many: told when the case fails
    bool passed = false;

  private:
    void listen_front();

    const Variant& variant_;
    std::array<Client*, 256> clients_{};
    size_t client_count_ = 0;
    int front_listener_ = -1;
};

// "GET /t.php HTTP/1.1" and the shortest head that goes with it.
inline constexpr std::string_view get_script = "GET /t.php HTTP/1.1\r\nHost: localhost\r\n\r\n";
// A CGI response, for FakeBackend.
inline constexpr std::string_view hello = "Content-Type: text/plain\r\n\r\nhello";

// Of a body of `size` bytes more than is put by: PHP waits for the rest.
Client& begin_upload(Scene& scene, size_t size);

// Asks for a script while no descriptor can be had, and is refused.
void ask_without_descriptors(Client& client);

// The reply that the client reads now has this status and this body, whole.
void expect_reply(Client& client, unsigned status, std::string_view body, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE());
void expect_status(Client& client, unsigned status, const char* file = __builtin_FILE(), int line = __builtin_LINE());
void expect_same(std::string_view actual, std::string_view expected, const char* file = __builtin_FILE(),
                 int line = __builtin_LINE());

[[nodiscard]] size_t open_descriptors();

struct Case {
    const char* name;
    void (*play)(Scene& scene);
};
#define FCGATE_CASE(function)  \
    fcgate::test::Case {       \
#function, &(function) \
    }

// Plays every case in every variant. Returns main()'s result.
[[nodiscard]] int play(const char* group, std::span<const Case> cases, std::span<const Variant> variants);

}  // namespace fcgate::test
