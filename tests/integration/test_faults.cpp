// Every system call of a serving server fails once, at every place, with every error that it may have: no crash, no leak of memory or
// descriptors, no place that stays taken, no busy loop, and the next client is served. The wall clock may jump as it likes.
#include <cerrno>
#include <ctime>
#include <initializer_list>

#include "base/clock.hpp"
#include "base/features.hpp"
#include "inject.hpp"
#include "scene.hpp"
#include "support/world.hpp"

namespace {

using fcgate::test::open_descriptors;
using fcgate::test::promise;
using fcgate::test::World;
using fcgate::test::inject::Fault;
namespace inject = fcgate::test::inject;
using std::string_view_literals::operator""sv;

constexpr Fault faults[] = {
    {"accept4", EMFILE},
    {"accept4", ENFILE},
    {"accept4", ENOMEM},
    {"accept4", EINTR},
    {"accept4", EAGAIN},
    {"accept4", ECONNABORTED},
    {"recv", EINTR},
    {"recv", EAGAIN},
    {"recv", ECONNRESET},
    {"recv", ENOMEM},
    {"recv", 0},
    {"send", EINTR},
    {"send", EAGAIN},
    {"send", ECONNRESET},
    {"send", ENOMEM},
    {"send", EPIPE},
    {"send", 0},
    {"sendmsg", EINTR},
    {"sendmsg", EAGAIN},
    {"sendmsg", ECONNRESET},
    {"sendmsg", ENOMEM},
    {"sendmsg", 0},
    {"read", EINTR},
    {"read", EAGAIN},
    {"read", EIO},
    {"sendfile64", EINTR},
    {"sendfile64", EAGAIN},
    {"sendfile64", EIO},
    {"sendfile64", ENOMEM},
    {"sendfile64", EINVAL},
    {"sendfile64", 0},
    {"epoll_ctl", ENOMEM},
    {"epoll_ctl", ENOSPC},
    {"epoll_wait", EINTR},
    {"socket", EMFILE},
    {"socket", ENFILE},
    {"socket", ENOMEM},
    {"connect", EAGAIN},
    {"connect", ENOMEM},
    {"connect", ECONNREFUSED},
    {"connect", ENOENT},
    {"connect", EACCES},
    {"connect", EINTR},
    {"shutdown", ENOTCONN},
    {"setsockopt", ENOMEM},
    {"getsockopt", ENOMEM},
    {"getsockname", ENOMEM},
    {"fstat64", EIO},
    {"fstatat64", EIO},
    {"fstatat64", ENOMEM},
    {"fstatat64", EACCES},
    {"openat64", EMFILE},
    {"openat64", EINTR},
    {"openat64", ENOMEM},
    {"syscall", EMFILE},
    {"syscall", ENOSYS},
    {"syscall", EAGAIN},
    {"syscall", EINTR},
    {"syscall", ENOMEM},
    {"readlink", ENOMEM},
    {"fcntl64", EMFILE},
    {"open64", EMFILE},
    {"open64", ENOSPC},
    {"open64", EACCES},
    {"open64", EOPNOTSUPP},
    {"pwrite64", ENOSPC},
    {"pwrite64", EINTR},
    {"pwrite64", EIO},
    {"pwrite64", 0},
    {"pread64", EINTR},
    {"pread64", EIO},
    {"pread64", 0},
    {"ioctl", EIO},
    {"malloc", ENOMEM},
};

#define FCGATE_HEAD " HTTP/1.1\r\nHost: x\r\n"
struct Play {
    const char* name;
    std::string_view client;
    std::string_view php;
};
constexpr Play plays[] = {
    {"a file", "GET /a.txt" FCGATE_HEAD "\r\n", {}},
    {"a part of a file", "GET /a.txt" FCGATE_HEAD "Range: bytes=1-3\r\n\r\n", {}},
    {"a compressed file", "GET /b.txt" FCGATE_HEAD "Accept-Encoding: gzip\r\n\r\n", {}},
    {"a file that a script names", "GET /t.php" FCGATE_HEAD "\r\n",
     "\1\6\0\1\0\x1c\0\0X-Accel-Redirect: /a.txt\r\n\r\n\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"sv},
    {"a folder", "GET /dir" FCGATE_HEAD "\r\nGET /dir/" FCGATE_HEAD "\r\n", {}},
    {"a script", "GET /t.php" FCGATE_HEAD "\r\n", World::hello},
    {"scripts and files in one go",
     "GET /t.php" FCGATE_HEAD "\r\nGET /a.txt" FCGATE_HEAD "\r\nHEAD /t.php" FCGATE_HEAD "\r\n", World::hello},
    {"a form", "POST /t.php" FCGATE_HEAD "Content-Length: 5\r\n\r\nhello", World::hello},
    {"a body in chunks", "POST /t.php" FCGATE_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
     World::hello},
    {"a body that is refused", "POST /t.php" FCGATE_HEAD "Content-Length: 100000\r\n\r\nhello", World::hello},
    {"a head that is refused", "GET /t.php" FCGATE_HEAD "Content-Length: x\r\n\r\n", World::hello},
    {"a script that fails", "GET /t.php" FCGATE_HEAD "\r\n", "nonsense"sv},
    {"a script that is silent", "GET /t.php" FCGATE_HEAD "\r\n", ""sv},
    {"a script that is cut off", "GET /t.php" FCGATE_HEAD "\r\n", "\1\6\0\1\0\x13\0\0X: y\r\n\r\nhello world"sv},
};

// What there is when nothing is going on.
struct Rest {
    size_t descriptors = 0;
    size_t blocks = 0;
};

// Puts the server to rest and looks what is left over.
[[nodiscard]] Rest rest_of(World& world) {
    world.check_canary();
    promise(world.comes_to_rest(), "a server at rest does not spin");
    return {open_descriptors(), inject::blocks()};
}

// How often the call is made in the play.
[[nodiscard]] size_t count_calls(World& world, const Play& play, const Fault& fault) {
    inject::arm(fault, 0);
    world.play(play.client, play.php);
    return inject::calls();
}

void expect_no_harm(World& world, const Play& play, const Fault& fault, size_t n, const Rest& before) {
    inject::arm(fault, n);
    world.play(play.client, play.php);
    inject::arm(fault, 0);
    const Rest after = rest_of(world);
    if (after.descriptors != before.descriptors || after.blocks != before.blocks) {
        print_error("%s, call %zu of %s fails (%s): %zu descriptors and %zu blocks have become %zu and %zu\n",
                    play.name, n, fault.call, strerror(fault.error), before.descriptors, before.blocks,
                    after.descriptors, after.blocks);
        _fail(__FILE__, __LINE__);
    }
}

// Something was refused with each of them.
void expect_codes(const World& world, std::initializer_list<const char*> codes) {
    for (const char* const code : codes) {
        if (!world.has_logged(code)) {
            print_error("nothing was refused with %s\n", code);
            _fail(__FILE__, __LINE__);
        }
    }
}

// Plays until the file is old enough to be kept. From then on the heap has one reply that is kept for the next request, never two: the world's
// cache has room for one file. (With libmicrohttpd 0.9.x none is kept.)
void keep_a_reply(World& world) {
    const size_t blocks = rest_of(world).blocks;
    const int64_t deadline = fcgate::monotonic_ms() + 3500;
    do {
        world.play(plays[0].client, plays[0].php);
    } while (rest_of(world).blocks == blocks && fcgate::monotonic_ms() < deadline);
}

void every_call_may_fail_once(void** /*state*/) {
    constexpr size_t most = 120;
    World world(&inject::begin, &inject::end);
    keep_a_reply(world);
    size_t injected = 0;
    size_t heap_faults = 0;
    for (const Play& play : plays) {
        world.play(play.client, play.php);
        const Rest before = rest_of(world);
        for (const Fault& fault : faults) {
            const size_t count = count_calls(world, play, fault);
            heap_faults += fault.call == std::string_view("malloc") ? count : 0;
            for (size_t n = 1; n <= count && n <= most; ++n) {
                expect_no_harm(world, play, fault, n, before);
                ++injected;
            }
        }
    }
    print_message("%zu faults\n", injected);
    // The table is no longer about this server when hardly any of its calls are made.
    assert_true(injected > 1000);
    // What takes a failing system to be refused. Where a sanitizer has the heap malloc() does not fail.
    expect_codes(world, {"[backend-io]", "[internal-error]"});
    if (fcgate::features::spool) {
        expect_codes(world, {"[body-lost]", "[no-room]"});
    }
    if (heap_faults > 0) {
        expect_codes(world, {"[no-memory]", "[refused]"});
    }
}

// A client that says nothing ends after header_timeout by the monotonic clock, whatever the wall clock does meanwhile.
void the_wall_clock_changes_no_deadline(void** /*state*/) {
    constexpr long year = 366L * 24 * 60 * 60;
    World world(&inject::begin, &inject::end);
    for (const long jump : {year, -year, 10 * year}) {
        world.check_canary();
        world.enter();
        world.say("GET /a.txt HTT", {});
        inject::set_clock(jump);
        const int64_t begun = fcgate::monotonic_ms();
        while (!world.finished() && fcgate::monotonic_ms() - begun < 8000) {
            world.wait(50);
            world.run_until_quiet({});
        }
        const int64_t took = fcgate::monotonic_ms() - begun;
        promise(world.finished() && took >= 900, "the deadline came when it was due");
        world.leave({});
        world.check_canary();
        inject::set_clock(0);
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(every_call_may_fail_once),
        cmocka_unit_test(the_wall_clock_changes_no_deadline),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
