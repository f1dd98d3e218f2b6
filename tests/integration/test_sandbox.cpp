// With `sandbox = yes` the kernel refuses to open what the server does not need, whoever in the process asks; what is served is served. Without
// Landlock that is said, and nothing else changes. Each case is a process of its own, for there is no way out of a sandbox.
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "fcgate/fcgate.h"
#include "http_client.hpp"
#include "inject.hpp"
#include "scene.hpp"
#include "support/world.hpp"
#include "unit/temp_tree.hpp"

namespace {

using fcgate::Text;
using fcgate::test::Client;
using fcgate::test::LogLines;
using fcgate::test::promise;
using fcgate::test::TempTree;
namespace inject = fcgate::test::inject;

[[nodiscard]] long landlock_version() {
    return syscall(444L, nullptr, size_t{0}, 1U);
}

struct Place {
    Place() {
        tree.folder("root");
        tree.file("root/a.txt", "hello");
        tree.folder("spool", 0777);
        tree.file("secret", "not for anybody");
        tree.folder("run");
        front.append(tree.path()).append("/run/front.sock");
    }
    // Valid until the next call.
    [[nodiscard]] const char* path(const char* name) const {
        path_.clear();
        path_.append(tree.path()).append(name);
        return path_.c_str();
    }
    [[nodiscard]] fcgate_settings* settings(LogLines& log, const char* root = "/root") const {
        fcgate_settings* const made = fcgate_settings_create();
        const Text<96> root_path(path(root));
        const Text<96> spool_path(path("/spool"));
        Text<96> listen("unix:");
        listen.append(front.view());
        const struct {
            const char* name;
            const char* value;
        } keys[] = {
            {"server.listen", listen.c_str()}, {"site.root", root_path.c_str()}, {"site.spool", spool_path.c_str()},
            {"server.sandbox", "yes"},         {"server.threads", "2"},
        };
        for (const auto& key : keys) {
            fcgate_error error{};
            promise(fcgate_set(made, key.name, key.value, &error) == FCGATE_OK, error.text);
        }
        fcgate_settings_set_log(made, &LogLines::callback, &log);
        return made;
    }
    TempTree tree;
    Text<96> front;

  private:
    mutable Text<96> path_;
};

[[nodiscard]] bool can_open(const Place& place, const char* name, int flags) {
    const int fd = open(place.path(name), flags | O_CLOEXEC, 0600);
    const int number = errno;
    promise(fd >= 0 || number == EACCES, "refused for want of a right, if at all");
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

[[nodiscard]] bool can_execute() {
    const pid_t child = fork();
    if (child == 0) {
        (void)execl("/bin/true", "true", nullptr);
        _exit(1);
    }
    int status = 1;
    promise(child > 0 && waitpid(child, &status, 0) == child, "a process");
    return status == 0;
}

// What somebody could do who has got into the process; 'o' for what he is allowed, '-' for what not.
void try_all(const Place& place, char (&out)[8]) {
    const bool allowed[] = {
        can_open(place, "/root/a.txt", O_RDONLY),     can_open(place, "/spool/x", O_RDWR | O_CREAT),
        can_open(place, "/secret", O_RDONLY),         can_open(place, "/root/a.txt", O_WRONLY),
        can_open(place, "/made", O_WRONLY | O_CREAT), can_execute(),
        unlink(place.path("/root/a.txt")) == 0,
    };
    for (size_t i = 0; i < sizeof allowed; ++i) {
        out[i] = allowed[i] ? 'o' : '-';
    }
    out[sizeof allowed] = '\0';
}
constexpr std::string_view confined = "oo-----";

void probe(void* context, fcgate_request* request) {
    char told[8] = "";
    try_all(*static_cast<const Place*>(context), told);
    (void)fcgate_reply(request, 200, "text/plain", told, strlen(told));
}

void expect(const Place& place, std::string_view target, std::string_view body) {
    Client client;
    promise(client.connect(fcgate::test::local_address(place.front.view())), "somebody listens");
    Text<96> request("GET ");
    request.append(target).append(" HTTP/1.1\r\nHost: localhost\r\n\r\n");
    promise(client.send(request.view()) && client.read() && client.reply().status == 200, "it is served");
    Text<64> text("it says ");
    text.append(client.reply().body.view());
    promise(client.reply().body.view() == body, text.c_str());
}

fcgate_server* begin(Place& place, LogLines& log) {
    fcgate_error error{};
    fcgate_server* const server = fcgate_create(place.settings(log), &error);
    promise(server != nullptr && fcgate_handle(server, "/probe", probe, &place) == FCGATE_OK, error.text);
    promise(fcgate_start(server, &error) == FCGATE_OK, error.text);
    return server;
}

void confines(Place& place) {
    LogLines log;
    fcgate_server* const server = begin(place, log);
    promise(log.has("sandbox: on, Landlock "), "the log says that it is on");
    expect(place, "/a.txt", "hello");
    expect(place, "/probe", confined);
    char told[8] = "";
    try_all(place, told);
    promise(told == confined, "the thread that has started it is confined");
    fcgate_error error{};
    promise(fcgate_reload(server, place.settings(log), &error) == FCGATE_OK, error.text);
    int result = FCGATE_AGAIN;
    fcgate_settings* const other = place.settings(log, "");
    for (int tries = 0; tries < 4000 && result == FCGATE_AGAIN; ++tries) {
        result = fcgate_reload(server, other, &error);
        (void)usleep(1000);
    }
    promise(result != FCGATE_OK && std::string_view(error.text).find("restart") != std::string_view::npos,
            "what cannot be reached is refused");
    fcgate_settings_destroy(other);
    expect(place, "/a.txt", "hello");
    fcgate_destroy(server);
}

void does_without(Place& place) {
    LogLines log;
    inject::begin();
    inject::arm({"landlock", ENOSYS}, 1);
    fcgate_server* const server = begin(place, log);
    inject::end();
    promise(inject::has_failed() && log.has("sandbox: unsupported: "), "the log says that there is none");
    expect(place, "/a.txt", "hello");
    promise(can_open(place, "/secret", O_RDONLY), "nothing is confined");
    fcgate_destroy(server);
}

// A kernel that has it and fails: that is no start.
void fails(Place& place) {
    inject::begin();
    size_t n = 2;
    for (bool has_failed = true; has_failed; ++n) {
        LogLines log;
        inject::arm({"landlock", ENOMEM}, n);
        fcgate_error error{};
        fcgate_server* const server = fcgate_create(place.settings(log), &error);
        promise(server != nullptr, error.text);
        const int result = fcgate_start(server, &error);
        has_failed = inject::has_failed();
        promise((result == FCGATE_OK) != has_failed, "it starts confined, or not at all");
        promise(!has_failed || std::string_view(error.text).find("sandbox") != std::string_view::npos, error.text);
        fcgate_destroy(server);
    }
    promise(n > 5, "the calls were made");
}

// In a process of its own; what is in its place cannot be removed from inside.
void play(void (*act)(Place&)) {
    Place place;
    const pid_t child = fork();
    if (child == 0) {
        act(place);
        _exit(0);
    }
    int status = 0;
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_int_equal(status, 0);
}

void the_kernel_refuses_what_is_not_needed(void** /*state*/) {
    if (landlock_version() < 3) {
        _skip(__FILE__, __LINE__);
    }
    play(&confines);
}
void a_kernel_without_it_is_told_of(void** /*state*/) {
    play(&does_without);
}
void a_sandbox_that_cannot_be_made_is_no_start(void** /*state*/) {
    if (landlock_version() < 1) {
        _skip(__FILE__, __LINE__);
    }
    play(&fails);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_refuses_what_is_not_needed),
        cmocka_unit_test(a_kernel_without_it_is_told_of),
        cmocka_unit_test(a_sandbox_that_cannot_be_made_is_no_start),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
