// Every system call of a start and of a reload fails once, with every error that it may have: the call succeeds all the same, or says
// why not, and then nothing is left over; the next one succeeds. A server that a reload fails for goes on as it was.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "base/features.hpp"
#include "fcgate/fcgate.h"
#include "inject.hpp"
#include "scene.hpp"
#include "support/world.hpp"
#include "unit/temp_tree.hpp"

namespace {

using fcgate::Text;
using fcgate::TextBuffer;
using fcgate::test::open_descriptors;
using fcgate::test::promise;
using fcgate::test::TempTree;
using fcgate::test::inject::Fault;
namespace inject = fcgate::test::inject;

constexpr Fault faults[] = {
    {"malloc", ENOMEM},        {"mmap64", ENOMEM},        {"socket", EMFILE},         {"socket", ENFILE},
    {"socket", EAFNOSUPPORT},  {"bind", EADDRINUSE},      {"bind", EACCES},           {"bind", EROFS},
    {"bind", ENOSPC},          {"listen", EADDRINUSE},    {"setsockopt", ENOMEM},     {"fcntl64", EINVAL},
    {"epoll_create1", EMFILE}, {"epoll_create1", ENOMEM}, {"epoll_ctl", ENOMEM},      {"epoll_ctl", ENOSPC},
    {"eventfd", EMFILE},       {"eventfd", ENOMEM},       {"open64", EMFILE},         {"open64", EACCES},
    {"open64", ENOENT},        {"openat64", EMFILE},      {"openat64", ENOMEM},       {"fstat64", EIO},
    {"fstatat64", EIO},        {"realpath", EACCES},      {"realpath", ENOENT},       {"read", EIO},
    {"socketpair", EMFILE},    {"mkdir", EROFS},          {"mkdir", ENOSPC},          {"syscall", EAGAIN},
    {"syscall", ENOSYS},       {"fork", EAGAIN},          {"pthread_create", EAGAIN}, {"write", ENOSPC},
};

// Sockets, files and folders of one server.
class Place {
  public:
    Place() {
        tree_.file("a.txt", "hello");
        tree_.folder("downloads");
        tree_.folder("run");
    }

    // With two listeners and threads, a log, PHP that would be started, and a second site; `other`: with one listener more.
    [[nodiscard]] fcgate_settings* settings(bool other = false) const {
        fcgate_settings* const made = fcgate_settings_create();
        if (made == nullptr) {
            return nullptr;
        }
        const struct {
            const char* name;
            const char* before;
            const char* path;
        } keys[] = {
            {"server.listen", "unix:", "/front.sock"},
            {"server.listen", ":0", nullptr},
            {"server.error_log", "", "/log"},
            {fcgate::features::spawn ? "server.runtime_dir" : nullptr, "", "/run"},
            {"server.threads", "2", nullptr},
            {fcgate::features::spawn ? "backend.address" : nullptr, "spawn", nullptr},
            {fcgate::features::spawn ? "backend.command" : nullptr, "/bin/false", nullptr},
            {"site.root", "", ""},
            {"site.sendfile_root", "", "/downloads"},
            {"site:other.root", "", "/downloads"},
            {"site:other.host", "other.test", nullptr},
            {"site.host", "localhost", nullptr},
            {other ? "server.listen" : nullptr, "unix:", "/other.sock"},
        };
        for (const auto& key : keys) {
            Text<128> text(key.before != nullptr ? key.before : "");
            if (key.path != nullptr) {
                text.append(tree_.path()).append(key.path);
            }
            if (key.name != nullptr && fcgate_set(made, key.name, text.c_str(), nullptr) != FCGATE_OK) {
                fcgate_settings_destroy(made);
                return nullptr;
            }
        }
        return made;
    }

    // Whoever listens there answers the client.
    void check_served() const {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        TextBuffer(address.sun_path).append(tree_.path()).append("/front.sock");
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        constexpr std::string_view request = "GET /a.txt HTTP/1.0\r\nHost: localhost\r\n\r\n";
        promise(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                    send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()),
                "somebody listens");
        char reply[1024];
        size_t size = 0;
        for (ssize_t count = 1; count > 0 && size < sizeof reply; size += static_cast<size_t>(count > 0 ? count : 0)) {
            count = recv(fd, reply + size, sizeof reply - size, 0);
        }
        close(fd);
        const std::string_view text(reply, size);
        promise(fcgate::starts_with(text, "HTTP/1.1 200 ") && fcgate::ends_with(text, "hello"), "the file is served");
    }

  private:
    TempTree tree_;
};

struct Rest {
    size_t descriptors = open_descriptors();
    size_t blocks = inject::blocks();
};

void expect_nothing_left(const Rest& before, const Fault& fault, size_t n) {
    const Rest after;
    if (after.descriptors != before.descriptors || after.blocks != before.blocks) {
        print_error("call %zu of %s fails (%s): %zu descriptors and %zu blocks have become %zu and %zu\n", n,
                    fault.call, strerror(fault.error), before.descriptors, before.blocks, after.descriptors,
                    after.blocks);
        _fail(__FILE__, __LINE__);
    }
}

void check_words(const fcgate_error& error, const Fault& fault, size_t n) {
    if (error.code >= 0 || error.text[0] == '\0') {
        print_error("call %zu of %s fails (%s): nothing is said: %d\n", n, fault.call, strerror(fault.error),
                    error.code);
        _fail(__FILE__, __LINE__);
    }
}

// One whole life. True when it began.
bool live(const Place& place, const Fault& fault, size_t n, bool serves = false) {
    fcgate_error error{};
    fcgate_settings* const settings = place.settings();
    if (settings == nullptr) {
        return false;
    }
    fcgate_server* const server = fcgate_create(settings, &error);
    if (server == nullptr) {
        check_words(error, fault, n);
        fcgate_settings_destroy(settings);
        return false;
    }
    const bool started = fcgate_start(server, &error) == FCGATE_OK;
    if (!started) {
        check_words(error, fault, n);
    } else if (serves) {
        place.check_served();
    }
    fcgate_destroy(server);
    return started;
}

void every_call_of_a_start_may_fail(void** /*state*/) {
    const Place place;
    size_t injected = 0;
    inject::begin();
    assert_true(live(place, {}, 0));
    const Rest before;
    for (const Fault& fault : faults) {
        inject::arm(fault, 0);
        assert_true(live(place, fault, 0));
        const size_t count = inject::calls();
        for (size_t n = 1; n <= count; ++n) {
            inject::arm(fault, n);
            (void)live(place, fault, n);
            inject::arm(fault, 0);
            expect_nothing_left(before, fault, n);
            ++injected;
        }
    }
    inject::end();
    assert_true(live(place, {}, 0, true));
    print_message("%zu faults\n", injected);
    assert_true(injected > 60);
}

// In force at once, or as soon as nobody uses the configuration before.
void reload(fcgate_server* server, const Place& place, bool other) {
    fcgate_settings* const settings = place.settings(other);
    int result = FCGATE_AGAIN;
    for (int tries = 0; tries < 4000 && result == FCGATE_AGAIN; ++tries) {
        result = fcgate_reload(server, settings, nullptr);
        (void)usleep(result == FCGATE_AGAIN ? 1000 : 0);
    }
    promise(result == FCGATE_OK, "a reload without a fault");
}

void try_reload(fcgate_server* server, const Place& place, const Fault& fault, size_t n) {
    fcgate_error error{};
    fcgate_settings* const settings = place.settings(true);
    int result = FCGATE_AGAIN;
    // Somebody may still use the configuration before.
    for (int tries = 0; tries < 4000 && result == FCGATE_AGAIN; ++tries) {
        (void)usleep(tries > 0 ? 1000 : 0);
        inject::begin();
        inject::arm(fault, n);
        result = fcgate_reload(server, settings, &error);
        inject::end();
    }
    if (result != FCGATE_OK) {
        check_words(error, fault, n);
        fcgate_settings_destroy(settings);
        return;
    }
    reload(server, place, false);
}

// Workers close what is no longer used.
void expect_descriptors(size_t before, const Fault& fault, size_t n) {
    for (int tries = 0; tries < 4000 && open_descriptors() != before; ++tries) {
        (void)usleep(1000);
    }
    expect_nothing_left({before, inject::blocks()}, fault, n);
}

void every_call_of_a_reload_may_fail(void** /*state*/) {
    const Place place;
    fcgate_server* const server = fcgate_create(place.settings(), nullptr);
    promise(server != nullptr && fcgate_start(server, nullptr) == FCGATE_OK, "a start without a fault");
    size_t injected = 0;
    const size_t before = open_descriptors();
    for (const Fault& fault : faults) {
        try_reload(server, place, fault, 0);
        const size_t count = inject::calls();
        expect_descriptors(before, fault, 0);
        for (size_t n = 1; n <= count; ++n) {
            try_reload(server, place, fault, n);
            expect_descriptors(before, fault, n);
            place.check_served();
            ++injected;
        }
    }
    fcgate_destroy(server);
    print_message("%zu faults\n", injected);
    assert_true(injected > 20);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(every_call_of_a_start_may_fail),
        cmocka_unit_test(every_call_of_a_reload_may_fail),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
