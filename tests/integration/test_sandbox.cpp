// With `sandbox = yes` the kernel refuses to open what the server does not need, whoever in the process asks; what is served is served. Without
// Landlock that is said, and nothing else changes. Each case is a process of its own, for there is no way out of a sandbox.
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/features.hpp"
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
            {"server.listen", listen.c_str()},
            {"site.root", root_path.c_str()},
            {fcgate::features::spool ? "site.spool" : nullptr, spool_path.c_str()},
            {"server.sandbox", "yes"},
            {"server.threads", "2"},
        };
        for (const auto& key : keys) {
            fcgate_error error{};
            promise(key.name == nullptr || fcgate_set(made, key.name, key.value, &error) == FCGATE_OK, error.text);
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
constexpr std::string_view confined = fcgate::features::spool ? "oo-----" : "o------";

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

constexpr uint64_t write_file = 1U << 1U;
constexpr uint64_t read_file = 1U << 2U;
constexpr uint64_t read_folder = 1U << 3U;
constexpr uint64_t remove_file = 1U << 5U;
constexpr uint64_t make_file = 1U << 8U;
constexpr uint64_t make_socket = 1U << 9U;
constexpr uint64_t truncate_file = 1U << 14U;

// All that is allowed below a folder of the place, or below another path; 0: nothing is.
[[nodiscard]] uint64_t allowed_below(const Place& place, const char* name) {
    const char* const path = *name == '@' ? place.path(name + 1) : name;
    uint64_t rights = 0;
    for (const inject::LandlockRule& rule : inject::landlock().rules) {
        rights |= std::string_view(rule.path) == path ? rule.rights : 0;
    }
    return rights;
}

// What the kernel is told, whether it has Landlock or not: nothing is allowed but what is needed.
void allows_what_is_needed(Place& place) {
    for (const char* const folder : {"downloads", "linked", "logs", "access", "pid"}) {
        place.tree.folder(folder);
    }
    LogLines log;
    fcgate_settings* const settings = place.settings(log);
    constexpr struct {
        const char* name;
        const char* path;
    } keys[] = {
        {"site.sendfile_root", "/downloads"},
        {"site.links_to", "/linked"},
        {"server.error_log", "/logs/error"},
        {fcgate::features::access_log ? "server.access_log" : nullptr, "/access/log"},
        {"server.pid_file", "/pid/fcgate.pid"},
    };
    fcgate_error error{};
    for (const auto& key : keys) {
        promise(key.name == nullptr || fcgate_set(settings, key.name, place.path(key.path), &error) == FCGATE_OK,
                error.text);
    }
    inject::pretend_landlock(4);
    fcgate_server* const server = fcgate_create(settings, &error);
    promise(server != nullptr && fcgate_start(server, &error) == FCGATE_OK, error.text);
    promise(inject::landlock().entered && inject::landlock().handled == (1U << 15U) - 1,
            "all that it knows is handled");
    constexpr uint64_t read = read_file | read_folder;
    constexpr struct {
        const char* path;
        uint64_t rights;
    } all[] = {
        {"@/root", read},
        {"@/downloads", read},
        {"@/linked", read},
        {"@/spool", fcgate::features::spool ? read | write_file | make_file | remove_file | truncate_file : 0},
        {"@/logs", write_file | make_file},
        {"@/pid", write_file | remove_file},
        {"@/run", make_socket | remove_file},
        {"@", 0},
        {"/", 0},
        {"/tmp", 0},
    };
    for (const auto& one : all) {
        promise(allowed_below(place, one.path) == one.rights, one.path);
    }
    expect(place, "/a.txt", "hello");
    fcgate_destroy(server);
}

// What an older one does not know cannot be asked of it.
void is_partly_on(Place& place) {
    LogLines log;
    inject::pretend_landlock(1);
    fcgate_server* const server = begin(place, log);
    promise(inject::landlock().handled == (1U << 13U) - 1, "what it does not know is left out");
    for (const inject::LandlockRule& rule : inject::landlock().rules) {
        promise((rule.rights & ~inject::landlock().handled) == 0, "no rule gives more than is handled");
    }
    promise(log.has("warning: sandbox: partly on: files can still be cut short (Linux 6.2 prevents it), Landlock 1"),
            "the log says so");
    expect(place, "/a.txt", "hello");
    fcgate_destroy(server);
}

void reloads_only_what_can_be_reached(Place& place) {
    LogLines log;
    fcgate_error error{};
    inject::pretend_landlock(5);
    fcgate_server* const server = begin(place, log);
    promise(log.has("info: sandbox: on, Landlock 5"), "the log says that it is on");
    fcgate_settings* const other = place.settings(log, "");
    promise(fcgate_reload(server, other, &error) != FCGATE_OK, "another root is refused");
    promise(std::string_view(error.text).find("with sandbox = yes: that needs a restart") != std::string_view::npos,
            error.text);
    fcgate_settings_destroy(other);
    promise(fcgate_reload(server, place.settings(log), &error) == FCGATE_OK, error.text);
    expect(place, "/a.txt", "hello");
    fcgate_destroy(server);
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

void the_rules_allow_what_is_needed_and_no_more(void** /*state*/) {
    play(&allows_what_is_needed);
}
void an_older_kernel_is_partly_enough(void** /*state*/) {
    play(&is_partly_on);
}
void a_reload_keeps_to_what_can_be_reached(void** /*state*/) {
    play(&reloads_only_what_can_be_reached);
}
void any_kernel_may_fail(void** /*state*/) {
    play([](Place& place) {
        inject::pretend_landlock(3);
        fails(place);
    });
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_refuses_what_is_not_needed),
        cmocka_unit_test(a_kernel_without_it_is_told_of),
        cmocka_unit_test(a_sandbox_that_cannot_be_made_is_no_start),
        cmocka_unit_test(the_rules_allow_what_is_needed_and_no_more),
        cmocka_unit_test(an_older_kernel_is_partly_enough),
        cmocka_unit_test(a_reload_keeps_to_what_can_be_reached),
        cmocka_unit_test(any_kernel_may_fail),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
