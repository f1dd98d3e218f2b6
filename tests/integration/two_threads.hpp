// Owns: a server of two threads, of which the first is the host's (fcgate_run), and which client is served by which.
// Borrows: the scene, which has made the server and not started it; it is stopped before the scene ends.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "scene.hpp"
#include "support/world.hpp"

namespace fcgate::test {

class TwoThreads {
  public:
    // Before the server is made: two connections for each thread.
    static void set(Scene& scene) {
        scene.set("server.threads", "2");
        scene.set("server.max_connections", "4");
        scene.set("server.reserved_connections", "0");
    }

    explicit TwoThreads(Scene& scene) : scene_(scene) {
        assert_int_equal(fcgate_on_request(scene.server, &TwoThreads::hook, this), FCGATE_OK);
        assert_int_equal(pthread_create(&thread_, nullptr, &TwoThreads::run, this), 0);
        for (int i = 0; i < 4; ++i) {
            Client& client = scene.client_with("GET /thread HTTP/1.1\r\nHost: localhost\r\n\r\n");
            assert_true(client.read());
            clients_[client.reply().body.view() == "first" ? 0 : 1] = &client;
        }
        assert_true(clients_[0] != nullptr && clients_[1] != nullptr);
    }

    [[nodiscard]] Client& of_first() { return *clients_[0]; }
    [[nodiscard]] Client& of_second() { return *clients_[1]; }

    // The first thread does nothing until it is let go.
    void hold_first() {
        assert_true(of_first().send("GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        for (const int64_t deadline = soon(); !is_held_;) {
            assert_true(monotonic_ms() < deadline);
            (void)usleep(1000);
        }
    }
    void let_go() {
        is_held_ = false;
        assert_true(of_first().read());
    }

    void stop(int deadline_ms) { fcgate_stop(scene_.server, deadline_ms); }
    void join() { assert_int_equal(pthread_join(thread_, nullptr), 0); }

  private:
    static void* run(void* self) {
        sigset_t pipes;
        sigemptyset(&pipes);
        sigaddset(&pipes, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipes, nullptr);
        fcgate_error error{};
        (void)fcgate_run(static_cast<TwoThreads*>(self)->scene_.server, &error);
        return nullptr;
    }

    static void hook(void* opaque, fcgate_request* request) {
        auto& self = *static_cast<TwoThreads*>(opaque);
        const std::string_view path = fcgate_request_path(request);
        if (path == "/hold") {
            for (self.is_held_ = true; self.is_held_;) {
                (void)usleep(1000);
            }
        }
        if (path == "/hold" || path == "/thread") {
            const std::string_view name = pthread_equal(pthread_self(), self.thread_) != 0 ? "first" : "second";
            (void)fcgate_reply(request, 200, "text/plain", name.data(), name.size());
        }
    }

    Scene& scene_;
    pthread_t thread_{};
    std::atomic<bool> is_held_{false};
    std::array<Client*, 2> clients_{};
};

}  // namespace fcgate::test
