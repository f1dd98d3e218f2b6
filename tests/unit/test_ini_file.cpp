#include <stdlib.h>
#include <sys/stat.h>

#include "base/features.hpp"
#include "config/settings.hpp"
#include "test_support.hpp"

using namespace fcgate;

namespace {

// A file with the given bytes, gone with the object.
class File {
  public:
    explicit File(std::string_view content) {
        const int fd = mkstemp(path_);
        if (fd < 0 || write(fd, content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
            _fail(__FILE__, __LINE__);
        }
        close(fd);
    }
    ~File() { unlink(path_); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    [[nodiscard]] const char* path() const { return path_; }

  private:
    char path_[32] = "/tmp/fcgate-test-XXXXXX";
};

void must_load(Settings& settings, std::string_view content, const char* file = __builtin_FILE(),
               int line = __builtin_LINE()) {
    const File source(content);
    ConfigError error;
    const Status status = settings.load(source.path(), error);
    if (status != Status::ok) {
        print_error("%s\n", error.text.c_str());
        _fail(file, line);
    }
}

// `text` is what follows "PATH:LINE: ".
void must_refuse(std::string_view content, unsigned line_number, std::string_view text,
                 Status expected = Status::malformed, const char* file = __builtin_FILE(),
                 int line = __builtin_LINE()) {
    const File source(content);
    Settings settings;
    ConfigError error;
    test::check_status(settings.load(source.path(), error), expected, file, line);
    Text<512> whole(source.path());
    whole.append(':').append_number(line_number).append(": ").append(text);
    test::check_text(error.text.view(), whole.view(), file, line);
    assert_int_equal(error.line, line_number);
}

void must_get(const Settings& settings, std::string_view name, std::string_view expected,
              const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    Text<4096> out;
    test::check_status(settings.get(name, out), Status::ok, file, line);
    test::check_text(out.view(), expected, file, line);
}

void keys_go_to_the_section_above_them(void** /*state*/) {
    Settings settings;
    must_load(settings,
              "[server]\nlisten = :80\nlisten = unix:/run/x\nthreads=2\n"
              "[backend]\naddress = 127.0.0.1:9000\n"
              "[site]\nroot = /a\n"
              "[site b]\nroot = /b\nhost = b.lan\n"
              "[server]\nexchanges = 8\n");
    must_get(settings, "server.listen", ":80\nunix:/run/x");
    must_get(settings, "server.threads", "2");
    must_get(settings, "server.exchanges", "8");
    must_get(settings, "site.root", "/a");
    must_get(settings, "site:b.root", "/b");
    assert_int_equal(settings.sites.size(), 2);
}

void comments_and_space_around_everything_are_ignored(void** /*state*/) {
    Settings settings;
    must_load(settings,
              "; first\n# second\n\n   \t\n  [ site   b ]  ; behind\n  root  =  /w;w  ; the rest\n\t; indented\n"
              "   # indented\nfront_controller =\nscript_suffix = .php ; = x\n");
    must_get(settings, "site:b.root", "/w;w");
    must_get(settings, "site:b.front_controller", "");
    must_get(settings, "site:b.script_suffix", ".php");
}

void an_indented_line_is_not_more_of_the_line_above(void** /*state*/) {
    Settings settings;
    must_load(settings, "[site]\nhost = a.lan\n  root = /www\n\tindex = x\n");
    must_get(settings, "site.host", "a.lan");
    must_get(settings, "site.root", "/www");
    must_get(settings, "site.index", "x");
    must_refuse("[site]\nhost = a.lan\n   b.lan\n", 3,
                "a line is KEY = VALUE, [SECTION], or begins with ; as a comment");
}

void line_ends_and_a_byte_order_mark_are_taken(void** /*state*/) {
    Settings settings;
    must_load(settings, "\xef\xbb\xbf[site]\r\nroot = /www\r\n\r\nmax_body = 1m");
    must_get(settings, "site.root", "/www");
    must_get(settings, "site.max_body", "1m");
}

void an_empty_file_changes_nothing(void** /*state*/) {
    Settings settings;
    must_load(settings, "");
    must_load(settings, "\n");
    must_load(settings, "; only this");
    assert_true(settings.sites.empty());
}

void a_section_without_keys_exists(void** /*state*/) {
    Settings settings;
    must_load(settings, "[backend]\n[site a]\n[site b]");
    assert_int_equal(settings.backends.size(), 1);
    assert_int_equal(settings.sites.size(), 2);
}

void errors_name_file_and_line(void** /*state*/) {
    must_refuse("[server]\n\nlistn = :80\n", 3, "unknown key \"listn\" in [server]; did you mean \"listen\"?");
    must_refuse("[server]\nthreads = 99\n", 2, "[server] threads: \"99\" is out of range; write a number from 1 to 16");
    must_refuse("; x\n[sever]\n", 2, "unknown section [sever]; did you mean [server]?");
    must_refuse("threads = 2\n[server]\n", 1, "a key stands before the first section; begin with [server]");
    must_refuse("[server]\nthreads = 2\nthreads\n", 3,
                "a line is KEY = VALUE, [SECTION], or begins with ; as a comment");
    must_refuse("[server\n", 1, "the ] of the section is missing");
    must_refuse("[site] root = /www\n", 1, "nothing may follow the ] of a section; write keys on lines of their own");
    must_refuse("[site]\nroot = ; nothing\n", 2,
                "[site] root: \"\" is not right; write the folder that is served, for example /www");
}

void the_first_of_several_errors_is_told(void** /*state*/) {
    must_refuse("[server]\nthreads\nlistn = x\n[nothing]\n", 2,
                "a line is KEY = VALUE, [SECTION], or begins with ; as a comment");
    must_refuse("[server]\nlistn = x\nthreads\n", 2, "unknown key \"listn\" in [server]; did you mean \"listen\"?");
    must_refuse("[server]\nthreads\n\x01\n", 2, "a line is KEY = VALUE, [SECTION], or begins with ; as a comment");
}

void what_stood_before_an_error_is_set(void** /*state*/) {
    Settings settings;
    ConfigError error;
    const File source("[server]\nthreads = 3\nthreads = x\nthreads = 4\n");
    test::check_status(settings.load(source.path(), error), Status::malformed);
    must_get(settings, "server.threads", "3");
}

void control_bytes_are_errors(void** /*state*/) {
    constexpr std::string_view text = "the line contains a control character";
    must_refuse(std::string_view("[site]\nroot = /a\0b\n", 19), 2, text);
    must_refuse(std::string_view("[site]\n\0root = /ab\n", 19), 2, text);
    must_refuse("[site]\nroot = /a\x1b[0m\n", 2, text);
    must_refuse("[site]\nroot = /a\rindex = b\n", 2, text);
    must_refuse("[site]\n; \x7f\n", 2, text);
}

void a_line_that_is_too_long_is_an_error_and_never_cut(void** /*state*/) {
    Text<8192> content("[site]\nroot = /");
    const size_t before = content.size() - std::string_view("root = /").size();
    while (content.size() < before + 3000) {
        content.append('x');
    }
    content.append("\nindex = a\n");
    const File source(content.view());
    Settings settings;
    ConfigError error;
    test::check_status(settings.load(source.path(), error), Status::malformed);
    assert_int_equal(error.line, 2);
    assert_non_null(strstr(error.text.c_str(), ":2: the line is longer than "));
    assert_true(settings.sites[0].root.empty());
}

void every_length_up_to_the_longest_line_is_read_whole(void** /*state*/) {
    for (size_t size = 170; size < limits::config_line + 10; ++size) {
        Text<4096> content("[site]\nroot = /");
        while (content.size() < std::string_view("[site]\n").size() + size) {
            content.append('x');
        }
        content.append("\nmax_body = 5\n");
        const File source(content.view());
        Settings settings;
        ConfigError error;
        if (settings.load(source.path(), error) == Status::ok) {
            assert_int_equal(settings.sites[0].root.size(), size - std::string_view("root = ").size());
            assert_int_equal(settings.sites[0].max_body, 5);
        } else {
            assert_int_equal(error.line, 2);
            assert_true(settings.sites[0].root.empty());
        }
    }
}

void section_names_are_not_cut_either(void** /*state*/) {
    Settings settings;
    must_load(settings, "[backend 12345678901234567890123456789012]\nworkers = 2\n");
    must_get(settings, "backend:12345678901234567890123456789012.workers", "2");
    must_refuse("[backend 123456789012345678901234567890123]\n", 1,
                "\"123456789012345678901234567890123\" cannot name a section; write at most 32 letters, digits, dots, "
                "dashes and underscores");
    must_refuse("[site                                                  x]\n", 1,
                "the name of the section is too long");
}

void a_file_that_cannot_be_read_says_why(void** /*state*/) {
    Settings settings;
    ConfigError error;
    test::check_status(settings.load("/nonexistent/fcgate.conf", error), Status::not_found);
    test::check_text(error.text.view(), "/nonexistent/fcgate.conf: No such file or directory");
    assert_int_equal(error.line, 0);
    test::check_status(settings.load("/", error), Status::malformed);
    test::check_text(error.text.view(), "/: this is a folder");
    if (geteuid() != 0) {
        const File source("[server]\n");
        assert_int_equal(chmod(source.path(), 0), 0);
        test::check_status(settings.load(source.path(), error), Status::denied);
    }
}

void a_line_is_not_waited_for_when_it_is_looked_for_again(void**) {
    const File source("[site]\nroot = /a\n");
    Settings settings;
    ConfigError error;
    test::check_status(settings.load(source.path(), error), Status::ok);
    error.text.clear();
    error.text.append("[site] root: wrong");
    settings.locate(error);
    assert_int_equal(error.line, 2);
    // As the shell's <(...) and whoever writes to a FIFO give it: once.
    assert_int_equal(unlink(source.path()), 0);
    assert_int_equal(mkfifo(source.path(), 0600), 0);
    error.text.clear();
    error.text.append("[site] root: wrong");
    settings.locate(error);
    assert_int_equal(error.line, 0);
    assert_true(error.text.view().ends_with(": [site] root: wrong"));
}

void a_long_path_leaves_room_for_the_message(void** /*state*/) {
    Text<600> path("/nonexistent/");
    while (path.size() < 500) {
        path.append("\xff");
    }
    Settings settings;
    ConfigError error;
    test::check_status(settings.load(path.append("end").c_str(), error), Status::not_found);
    assert_true(error.text.ok());
    assert_true(fcgate::ends_with(error.text.view(), "end: No such file or directory"));
}

void what_print_shows_can_be_loaded_again(void** /*state*/) {
    if (!features::spawn) {
        _skip(__FILE__, __LINE__);
    }
    static Settings settings;
    static Settings again;
    static Text<65536> first;
    static Text<65536> second;
    must_load(settings,
              "[server]\nlisten = :80\nlisten = [::1]:8080\nuser = nobody\nthreads = 2\nkeepalive_timeout = 1500ms\n"
              "error_log = /var/log/fcgate.log\nlog_level = debug\nconnection_memory = 9000\n"
              "[backend php]\naddress = spawn\ncommand = /usr/sbin/php-fpm -F\nidle_stop = 0\n"
              "php = memory_limit 32M\nphp = opcache.enable 1\nkeep_alive = no\n"
              "[backend fpm]\naddress = 127.0.0.1:9000\nqueue = 0\n"
              "[site]\nroot = ./www\nindex =\nmax_body = 0\n"
              "[site b.c-d]\nhost = b.lan *.b.lan *\nroot = /srv/a b\nindex = x y\nfront_controller = /i.php\n"
              "backend = php\nparam = APP_ENV a;b  \"c\"\nparam = B =\n"
              "header = Content-Security-Policy default-src 'self'; img-src *\n");
    test::check_status(settings.print(first), Status::ok);
    must_load(again, first.view());
    test::check_status(again.print(second), Status::ok);
    test::check_text(second.view(), first.view());
    must_get(again, "site:b.c-d.param", "APP_ENV a;b  \"c\"\nB =");
    must_get(again, "site:b.c-d.header", "Content-Security-Policy default-src 'self'; img-src *");
    must_get(again, "site.index", "");
    must_get(again, "backend:php.idle_stop", "0");
    assert_int_equal(again.server.connection_memory, 9000);
}

void the_fullest_configuration_can_be_printed(void** /*state*/) {
    if (!features::spawn) {
        _skip(__FILE__, __LINE__);
    }
    static Settings settings;
    static Text<65536> printed;
    ConfigError error;
    Text<64> name;
    for (size_t site = 0; site < limits::sites; ++site) {
        name.clear();
        name.append("site s").append_number(site);
        for (size_t i = 0; i < limits::pairs_per_site; ++i) {
            test::check_status(settings.set(name.view(), "param", "A b", error), Status::ok);
            test::check_status(settings.set(name.view(), "header", "A b", error), Status::ok);
            test::check_status(settings.set(name.view(), "host", "a", error), Status::ok);
        }
        test::check_status(settings.set(name.view(), "index", "a b c d e f g h", error), Status::ok);
    }
    for (size_t backend = 0; backend < limits::backends; ++backend) {
        name.clear();
        name.append("backend b").append_number(backend);
        for (size_t i = 0; i < limits::pairs_per_site; ++i) {
            test::check_status(settings.set(name.view(), "php", "a b", error), Status::ok);
        }
    }
    Text<1024> root("/");
    while (root.size() < 1000) {
        root.append('r');
    }
    while (settings.set("site s0", "command", root.view(), error) == Status::ok ||
           settings.set("site s1", "root", root.view(), error) == Status::ok) {}
    test::check_status(settings.print(printed), Status::ok);
    assert_true(printed.size() + limits::settings_text < 65536);
}

// The words of defaults count in neither: they are set when what was printed is read.
void what_is_printed_can_be_read_however_full_it_is(void** /*state*/) {
    static char printed[65536];
    static char again[sizeof printed];
    static Settings settings;
    static Settings copy;
    ConfigError error;
    Text<32> name;
    for (size_t site = 0; site < limits::sites; ++site) {
        name.clear();
        name.append("site s").append_number(site);
        test::check_status(settings.set(name.view(), "root", "/www", error), Status::ok);
    }
    constexpr size_t longest = 180;  // a line of which inih takes on any system
    Text<1024> value("A ");
    while (value.size() < longest) {
        value.append('b');
    }
    // To the last byte.
    for (size_t size = longest; size > 2; size = size == longest ? 40 : size - 1) {
        for (size_t site = 0; site < limits::sites; ++site) {
            name.clear();
            name.append("site s").append_number(site);
            const auto some = slice(value.view(), 0, size);
            while (settings.set(name.view(), size == longest ? "param" : "header", some, error) == Status::ok) {}
        }
    }
    test::check_text(error.text.view(), "[site s15] header: the configuration is too large: more than 32768 bytes");
    TextBuffer out(printed);
    test::check_status(settings.print(out), Status::ok);
    const File file(out.view());
    const Status loaded = copy.load(file.path(), error);
    test::check_text(loaded == Status::ok ? "" : error.text.view(), "");
    TextBuffer out_again(again);
    test::check_status(copy.print(out_again), Status::ok);
    test::check_text(out_again.view(), out.view());
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(keys_go_to_the_section_above_them),
        cmocka_unit_test(comments_and_space_around_everything_are_ignored),
        cmocka_unit_test(an_indented_line_is_not_more_of_the_line_above),
        cmocka_unit_test(line_ends_and_a_byte_order_mark_are_taken),
        cmocka_unit_test(an_empty_file_changes_nothing),
        cmocka_unit_test(a_section_without_keys_exists),
        cmocka_unit_test(errors_name_file_and_line),
        cmocka_unit_test(the_first_of_several_errors_is_told),
        cmocka_unit_test(what_stood_before_an_error_is_set),
        cmocka_unit_test(control_bytes_are_errors),
        cmocka_unit_test(a_line_that_is_too_long_is_an_error_and_never_cut),
        cmocka_unit_test(every_length_up_to_the_longest_line_is_read_whole),
        cmocka_unit_test(section_names_are_not_cut_either),
        cmocka_unit_test(a_file_that_cannot_be_read_says_why),
        cmocka_unit_test(a_line_is_not_waited_for_when_it_is_looked_for_again),
        cmocka_unit_test(a_long_path_leaves_room_for_the_message),
        cmocka_unit_test(what_print_shows_can_be_loaded_again),
        cmocka_unit_test(the_fullest_configuration_can_be_printed),
        cmocka_unit_test(what_is_printed_can_be_read_however_full_it_is),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
