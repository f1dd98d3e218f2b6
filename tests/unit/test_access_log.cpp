#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>

#include "base/clock.hpp"
#include "base/features.hpp"
#include "server/access_log.hpp"
#include "temp_tree.hpp"
#include "test_support.hpp"

using fcgate::Endpoint;
using fcgate::Finished;
using fcgate::Log;
using fcgate::LogLevel;
using fcgate::Status;
using fcgate::SyslogForm;
using fcgate::Text;
using fcgate::server::AccessForm;
using fcgate::server::AccessLog;
using fcgate::test::check_status;
using fcgate::test::check_text;

namespace {

struct Fixture {
    explicit Fixture(const char* prefix = "") {
        target.append(prefix).append(tree.path()).append("/log");
        path = target.c_str() + strlen(prefix);
        log.set_sink([](void* context, LogLevel /*level*/,
                        const char* message) { static_cast<Text<512>*>(context)->append(message).append('\n'); },
                     &errors);
    }
    void begin(AccessForm form = AccessForm::common, SyslogForm syslog = SyslogForm::rfc5424) {
        check_status(access.open(target.view(), form, syslog), Status::ok);
        access.begin(buffer, log);
    }
    void add(std::string_view name, int64_t now = 1000) {
        const Endpoint client = Endpoint::parse_ip("192.0.2.1", 1).value();
        Finished finished{.client = client, .asker = client};
        finished.target = name;
        finished.now = now;
        access.add(finished);
    }
    // What is there to be read of a file, a pipe or a socket.
    std::string_view read(int fd) {
        const ssize_t size = ::read(fd, content, sizeof content);
        return {content, size > 0 ? static_cast<size_t>(size) : 0};
    }
    std::string_view read_file(const char* name) {
        const int fd = openat(tree.fd(), name, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        const std::string_view text = read(fd);
        close(fd);
        return text;
    }
    int listen_as_syslog() const {
        const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        strncpy(address.sun_path, path, sizeof address.sun_path - 1);
        assert_int_equal(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        return fd;
    }

    fcgate::test::TempTree tree;
    Text<256> target;
    const char* path = nullptr;
    Text<512> errors;
    Log log;
    AccessLog access;
    char buffer[fcgate::limits::access_buffer];
    char content[128 * 1024];
};

size_t count(std::string_view text, std::string_view word) {
    size_t found = 0;
    for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
        ++found;
    }
    return found;
}

void lines_wait_for_each_other(void** /*state*/) {
    Fixture fixture;
    fixture.begin();
    assert_false(fixture.access.is_pending());
    fixture.add("/one");
    fixture.add("/two", 1999);
    assert_true(fixture.access.is_pending());
    assert_int_equal(fixture.read_file("log").size(), 0);
    // The first has waited for a second.
    fixture.add("/three", 2001);
    assert_int_equal(count(fixture.read_file("log"), "\n"), 2);
    // An idle loop waits for nothing.
    fixture.access.look(true);
    assert_false(fixture.access.is_pending());
    const std::string_view all = fixture.read_file("log");
    assert_true(all.find("/one") < all.find("/two") && all.find("/two") < all.find("/three"));
    assert_int_equal(count(all, "\n"), 3);
}

// After 24.8 and 49.7 days of milliseconds.
void the_low_bits_of_the_clock_may_wrap(void** /*state*/) {
    for (const int64_t wrap : {int64_t{1} << 31, int64_t{1} << 32}) {
        Fixture fixture;
        fixture.begin();
        fixture.add("/one", wrap - 500);
        fixture.add("/two", wrap - 400);
        fixture.add("/three", wrap + 499);
        assert_int_equal(fixture.read_file("log").size(), 0);
        fixture.add("/four", wrap + 501);
        assert_int_equal(count(fixture.read_file("log"), "\n"), 3);
    }
}

void a_busy_loop_writes_in_time(void** /*state*/) {
    Fixture fixture;
    fixture.begin();
    fixture.add("/late", fcgate::monotonic_ms() - AccessLog::patience_ms - 1);
    fixture.add("/new", fcgate::monotonic_ms());
    assert_int_equal(count(fixture.read_file("log"), "/late"), 1);
    fixture.access.look(false);
    assert_int_equal(count(fixture.read_file("log"), "/new"), 0);
}

void a_full_buffer_is_written_whole(void** /*state*/) {
    Fixture fixture;
    fixture.begin();
    for (int i = 0; i < 1000; ++i) {
        fixture.add("/x");
    }
    fixture.access.flush();
    assert_int_equal(count(fixture.read_file("log"), "/x"), 1000);
    assert_int_equal(fixture.errors.size(), 0);
}

void rotation_loses_nothing(void** /*state*/) {
    Fixture fixture;
    fixture.begin();
    fixture.add("/before");
    assert_int_equal(renameat(fixture.tree.fd(), "log", fixture.tree.fd(), "log.1"), 0);
    check_status(fixture.access.reopen(), Status::ok);
    fixture.add("/behind");
    fixture.access.flush();
    assert_int_equal(count(fixture.read_file("log.1"), "/before"), 1);
    const std::string_view fresh = fixture.read_file("log");
    assert_int_equal(count(fresh, "\n"), 1);
    assert_int_equal(count(fresh, "/behind"), 1);
}

// Others may write to a pipe too: it gets whole lines.
void a_pipe_in_the_place_of_a_file_is_written_to_as_one(void** /*state*/) {
    Fixture fixture;
    fixture.begin();
    assert_int_equal(unlink(fixture.path), 0);
    assert_int_equal(mkfifo(fixture.path, 0600), 0);
    const int reader = open(fixture.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_true(fcntl(reader, F_SETPIPE_SZ, 4096) >= 0);
    check_status(fixture.access.reopen(), Status::ok);
    for (int i = 0; i < 400; ++i) {
        fixture.add("/z");
    }
    fixture.access.flush();
    const std::string_view text = fixture.read(reader);
    assert_true(text.ends_with('\n'));
    close(reader);
}

// Nobody reads: lines are kept as far as there is room, then counted; once somebody does, the rest comes, and their number is told.
void a_full_pipe_costs_lines_not_time(void** /*state*/) {
    Fixture fixture;
    assert_int_equal(mkfifo(fixture.path, 0600), 0);
    const int reader = open(fixture.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    (void)fcntl(reader, F_SETPIPE_SZ, 4096);
    fixture.begin();
    const int64_t begun = fcgate::monotonic_ms();
    constexpr size_t lines = 2000;
    for (size_t i = 0; i < lines; ++i) {
        fixture.add("/y");
    }
    assert_true(fcgate::monotonic_ms() - begun < 5000);
    assert_int_equal(fixture.access.wait_ms(), AccessLog::patience_ms);
    assert_int_equal(fixture.errors.size(), 0);
    size_t seen = 0;
    for (int round = 0; round < 20; ++round) {
        const std::string_view text = fixture.read(reader);
        seen += count(text, "/y");
        assert_true(text.empty() || text.back() == '\n');
        fixture.access.flush();
    }
    seen += count(fixture.read(reader), "/y");
    assert_true(seen > 100 && seen < lines);
    Text<128> expected;
    expected.append("access_log: ")
        .append_number(lines - seen)
        .append(" lines were lost: they could not be written in time\n");
    check_text(fixture.errors.view(), expected.view());
    assert_false(fixture.access.is_pending());
    close(reader);
}

void syslog_gets_datagrams(void** /*state*/) {
    if (!fcgate::features::syslog) {
        _skip(__FILE__, __LINE__);
    }
    Fixture fixture("syslog:");
    int server = fixture.listen_as_syslog();
    fixture.begin();
    fixture.add("/one");
    fixture.add("/two");
    fixture.access.flush();
    const std::string_view first = fixture.read(server);
    // <30>1 2026-01-31T12:00:00.123Z HOST fcgate PID access - ADDRESS - - ...
    assert_true(fcgate::starts_with(first, "<30>1 2"));
    char host[64] = "";
    (void)gethostname(host, sizeof host - 1);
    Text<256> middle;
    middle.append("Z ")
        .append(host)
        .append(" fcgate ")
        .append_number(static_cast<uint64_t>(getpid()))
        .append(" access - 192.0.2.1 - - [");
    assert_int_equal(first.find(middle.view()), sizeof "<30>1 2026-01-31T12:00:00.123" - 1);
    assert_true(count(first, "/one") == 1 && count(first, "\n") == 0);
    assert_int_equal(count(fixture.read(server), "/two"), 1);

    // It goes, lines wait, and another one gets them.
    close(server);
    assert_int_equal(unlink(fixture.path), 0);
    fixture.add("/three");
    fixture.access.flush();
    assert_true(fixture.access.is_pending());
    server = fixture.listen_as_syslog();
    fixture.access.flush();
    assert_int_equal(count(fixture.read(server), "/three"), 1);
    assert_false(fixture.access.is_pending());

    // It is stuck: nobody waits for it.
    const int64_t begun = fcgate::monotonic_ms();
    for (int i = 0; i < 3000; ++i) {
        fixture.add("/z");
    }
    assert_true(fcgate::monotonic_ms() - begun < 5000);
    size_t seen = 0;
    for (int round = 0; round < 1000; ++round) {
        seen += count(fixture.read(server), "/z");
        fixture.access.flush();
    }
    seen += count(fixture.read(server), "/z");
    assert_true(seen > 100 && seen < 3000);
    Text<128> expected;
    expected.append("access_log: ")
        .append_number(3000 - seen)
        .append(" lines were lost: they could not be written in time\n");
    check_text(fixture.errors.view(), expected.view());
    close(server);
}

void the_error_log_may_go_to_syslog(void** /*state*/) {
    if (!fcgate::features::syslog) {
        _skip(__FILE__, __LINE__);
    }
    Fixture fixture("syslog:");
    Log log;
    check_status(log.open(fixture.target.view(), SyslogForm::local), Status::ok);
    // Nobody is there yet.
    log.write(LogLevel::error, "lost");
    log.write(LogLevel::error, "lost too");
    const int server = fixture.listen_as_syslog();
    log.write(LogLevel::error, "broken");
    const std::string_view note = fixture.read(server);
    assert_true(fcgate::starts_with(note, "<28>"));
    assert_true(fcgate::ends_with(note, ": warning: 2 lines were lost: the log could not take them"));
    const std::string_view line = fixture.read(server);
    assert_true(fcgate::starts_with(line, "<27>"));
    Text<64> end;
    end.append(" fcgate[").append_number(static_cast<uint64_t>(getpid())).append("]: error: broken");
    assert_true(fcgate::ends_with(line, end.view()));
    assert_int_equal(line.size(), sizeof "<27>Jan  2 03:04:05" - 1 + end.size());
    close(server);
}

}  // namespace

int main() {
    setenv("TZ", "UTC", 1);
    const CMUnitTest tests[] = {
        cmocka_unit_test(lines_wait_for_each_other),
        cmocka_unit_test(a_busy_loop_writes_in_time),
        cmocka_unit_test(a_full_buffer_is_written_whole),
        cmocka_unit_test(rotation_loses_nothing),
        cmocka_unit_test(a_pipe_in_the_place_of_a_file_is_written_to_as_one),
        cmocka_unit_test(a_full_pipe_costs_lines_not_time),
        cmocka_unit_test(syslog_gets_datagrams),
        cmocka_unit_test(the_error_log_may_go_to_syslog),
        cmocka_unit_test(the_low_bits_of_the_clock_may_wrap),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
