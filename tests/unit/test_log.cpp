#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

#include "base/log.hpp"
#include "temp_tree.hpp"
#include "test_support.hpp"

using fcgate::Log;
using fcgate::LogLevel;
using fcgate::LogLine;
using fcgate::Status;
using fcgate::Text;
using fcgate::test::check_status;
using fcgate::test::check_text;

namespace {

constexpr LogLevel levels[] = {LogLevel::error, LogLevel::warning, LogLevel::info, LogLevel::debug};

// What a host's callback has got.
struct Host {
    size_t calls = 0;
    LogLevel level = LogLevel::debug;
    Text<8192> message;

    static void take(void* context, LogLevel level, const char* message) {
        auto* const host = static_cast<Host*>(context);
        ++host->calls;
        host->level = level;
        host->message.clear();
        host->message.append(message);
    }
};

// A log file in a folder of its own.
struct LogFile {
    LogFile() {
        path.append(tree.path()).append("/log");
        check_status(log.open(path.c_str()), Status::ok);
    }
    // All that stands in a file of the folder.
    std::string_view read(const char* name) {
        const int fd = openat(tree.fd(), name, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        const ssize_t size = ::read(fd, content, sizeof content);
        close(fd);
        assert_true(size >= 0);
        return {content, static_cast<size_t>(size)};
    }

    fcgate::test::TempTree tree;
    Text<256> path;
    Log log;
    char content[16 * 1024];
};

// "2026-01-31 12:00:00 " in front of the level.
constexpr std::string_view stamp_form = "dddd-dd-dd dd:dd:dd ";

std::string_view without_stamp(std::string_view line) {
    assert_true(line.size() >= stamp_form.size());
    for (size_t i = 0; i < stamp_form.size(); ++i) {
        assert_true(stamp_form[i] == 'd' ? fcgate::is_digit(line[i]) : line[i] == stamp_form[i]);
    }
    return fcgate::slice(line, stamp_form.size());
}

void what_is_below_the_level_is_dropped(void** /*state*/) {
    for (const LogLevel threshold : levels) {
        Host host;
        Log log;
        log.set_sink(&Host::take, &host);
        log.set_level(threshold);
        size_t expected = 0;
        for (const LogLevel level : levels) {
            expected += level <= threshold ? 1 : 0;
            assert_int_equal(log.wants(level), level <= threshold);
            log.write(level, "x");
            assert_int_equal(host.calls, expected);
        }
    }
}

void the_hosts_callback_gets_the_bare_message(void** /*state*/) {
    Host host;
    Log log;
    log.set_sink(&Host::take, &host);
    LogLine(log, LogLevel::warning).add("port ").add_number(80).add<": %">(fcgate::SystemError{ENOENT}).send();
    assert_int_equal(host.calls, 1);
    assert_true(host.level == LogLevel::warning);
    check_text(host.message.view(), "port 80: No such file or directory");
    log.write(LogLevel::error, Text<16>("as a buffer"));
    check_text(host.message.view(), "as a buffer");
}

void a_line_in_a_file_has_time_level_and_message(void** /*state*/) {
    LogFile file;
    file.log.write(LogLevel::error, "first");
    file.log.write(LogLevel::debug, "not wanted");
    file.log.write(LogLevel::info, "second");
    std::string_view rest = file.read("log");
    check_text(without_stamp(fcgate::split_first(rest, '\n', rest)), "error: first");
    check_text(without_stamp(fcgate::split_first(rest, '\n', rest)), "info: second");
    check_text(rest, "");
}

void a_file_that_is_there_is_added_to(void** /*state*/) {
    LogFile file;
    file.tree.file("old", "kept\n");
    Text<256> path;
    path.append(file.tree.path()).append("/old");
    check_status(file.log.open(path.c_str()), Status::ok);
    file.log.write(LogLevel::info, "new");
    std::string_view rest = file.read("old");
    check_text(fcgate::split_first(rest, '\n', rest), "kept");
    check_text(without_stamp(rest), "info: new\n");
    check_text(file.read("log"), "");
}

void after_a_rename_it_is_opened_again_by_name(void** /*state*/) {
    LogFile file;
    file.log.write(LogLevel::info, "one");
    assert_int_equal(renameat(file.tree.fd(), "log", file.tree.fd(), "log.1"), 0);
    file.log.write(LogLevel::info, "two");
    check_status(file.log.reopen(), Status::ok);
    file.log.write(LogLevel::info, "three");
    std::string_view rest = file.read("log.1");
    check_text(without_stamp(fcgate::split_first(rest, '\n', rest)), "info: one");
    check_text(without_stamp(rest), "info: two\n");
    check_text(without_stamp(file.read("log")), "info: three\n");
}

void reopening_many_times_leaks_no_descriptor(void** /*state*/) {
    LogFile file;
    const int before = dup(STDERR_FILENO);
    close(before);
    for (int i = 0; i < 20; ++i) {
        check_status(file.log.reopen(), Status::ok);
    }
    const int after = dup(STDERR_FILENO);
    close(after);
    assert_int_equal(after, before);
}

void a_folder_that_has_gone_leaves_the_old_file_in_use(void** /*state*/) {
    LogFile file;
    const int fd = openat(file.tree.fd(), "log", O_RDONLY | O_CLOEXEC);
    assert_int_equal(renameat(file.tree.fd(), "log", file.tree.fd(), "kept"), 0);
    file.tree.folder("log");
    check_status(file.log.reopen(), Status::not_found);
    file.log.write(LogLevel::info, "still here");
    struct stat status {};
    assert_int_equal(fstat(fd, &status), 0);
    assert_true(status.st_size > 0);
    close(fd);
    Log other;
    check_status(other.open("/nonexistent/folder/log"), Status::not_found);
}

void no_line_is_over_long_and_each_has_its_end(void** /*state*/) {
    static char filler[4000];
    memset(filler, 'x', sizeof filler);
    LogFile file;
    for (size_t size = fcgate::limits::log_line - 100; size < fcgate::limits::log_line + 200; size += 4) {
        LogLine(file.log, LogLevel::info).add("a").add({filler, size}).send();
        file.log.write(LogLevel::info, std::string_view(filler, size));
        std::string_view rest = file.read("log");
        assert_true(rest.ends_with('\n'));
        while (!rest.empty()) {
            assert_true(without_stamp(fcgate::split_first(rest, '\n', rest)).size() <= fcgate::limits::log_line + 16);
        }
        assert_int_equal(truncate(file.path.c_str(), 0), 0);
    }
}

void an_over_long_message_is_cut_not_lost(void** /*state*/) {
    static char filler[4000];
    memset(filler, 'x', sizeof filler);
    Host host;
    Log log;
    log.set_sink(&Host::take, &host);
    log.write(LogLevel::error, std::string_view(filler, sizeof filler));
    assert_true(host.message.size() >= fcgate::limits::log_line / 2);
    LogLine line(log, LogLevel::error);
    for (int i = 0; i < 5; ++i) {
        line.add({filler, 300});
    }
    line.send();
    assert_true(host.message.size() >= fcgate::limits::log_line / 2);
}

void escaped_text_cannot_begin_a_line_of_its_own(void** /*state*/) {
    LogFile file;
    char all[255];
    for (size_t i = 0; i < sizeof all; ++i) {
        all[i] = static_cast<char>(i + 1);
    }
    LogLine(file.log, LogLevel::info).add_escaped({all, 128}).send();
    LogLine(file.log, LogLevel::info).add_escaped({all + 128, sizeof all - 128}).send();
    LogLine(file.log, LogLevel::info).add_escaped({"a\0\r\n\x1b[2J\x7f\xff", 9}).send();
    std::string_view rest = file.read("log");
    for (int i = 0; i < 2; ++i) {
        for (const char c : fcgate::split_first(rest, '\n', rest)) {
            assert_true(c >= 0x20 && c < 0x7f);
        }
    }
    check_text(without_stamp(rest), "info: a\\x00\\x0d\\x0a\\x1b[2J\\x7f\n");
}

void every_level_has_a_name_of_its_own(void** /*state*/) {
    for (const LogLevel one : levels) {
        for (const LogLevel other : levels) {
            assert_int_equal(fcgate::log_level_name(one) == fcgate::log_level_name(other), one == other);
        }
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(what_is_below_the_level_is_dropped),
        cmocka_unit_test(the_hosts_callback_gets_the_bare_message),
        cmocka_unit_test(a_line_in_a_file_has_time_level_and_message),
        cmocka_unit_test(a_file_that_is_there_is_added_to),
        cmocka_unit_test(after_a_rename_it_is_opened_again_by_name),
        cmocka_unit_test(reopening_many_times_leaks_no_descriptor),
        cmocka_unit_test(a_folder_that_has_gone_leaves_the_old_file_in_use),
        cmocka_unit_test(no_line_is_over_long_and_each_has_its_end),
        cmocka_unit_test(an_over_long_message_is_cut_not_lost),
        cmocka_unit_test(escaped_text_cannot_begin_a_line_of_its_own),
        cmocka_unit_test(every_level_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
