// What the doctor asks PHP, whatever comes back; and what it reads of php-fpm's own configuration.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.hpp"
#include "config/values.hpp"
#include "doctor/ask.hpp"
#include "doctor/pool.hpp"
#include "fastcgi/inquiry.hpp"
#include "temp_tree.hpp"

namespace fcgate::doctor {
namespace {

using std::string_view_literals::operator""sv;

// Somebody who listens at a unix socket and says this to the first who comes, and nothing more.
struct Php {
    explicit Php(std::string_view says, bool stays = false) {
        address.append("unix:").append(tree.path()).append("/php.sock");
        test::check_status(config::parse_backend_address(address.view(), backend), Status::ok);
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        TextBuffer(name.sun_path).append(backend.path);
        const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(listener, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
        assert_int_equal(listen(listener, 1), 0);
        child = fork();
        if (child == 0) {
            act(listener, says, stays);
        }
        close(listener);
    }
    ~Php() {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, nullptr, 0);
    }
    Php(const Php&) = delete;
    Php& operator=(const Php&) = delete;

    [[noreturn]] static void act(int listener, std::string_view says, bool stays) {
        (void)alarm(30);  // also when its test has failed
        const int fd = accept(listener, nullptr, nullptr);
        char question[4096];
        pollfd waiting{fd, POLLIN, 0};
        (void)poll(&waiting, 1, 10'000);
        (void)!recv(fd, question, sizeof question, 0);
        // In two pieces, wherever that cuts.
        (void)!send(fd, says.data(), says.size() / 2, MSG_NOSIGNAL);
        (void)usleep(2000);
        (void)!send(fd, says.data() + says.size() / 2, says.size() - says.size() / 2, MSG_NOSIGNAL);
        if (!stays) {
            // What is left of the question would make a reset of the end.
            (void)shutdown(fd, SHUT_WR);
            while (recv(fd, question, sizeof question, 0) > 0) {}
            _exit(0);
        }
        (void)shutdown(listener, SHUT_RDWR);
        (void)poll(nullptr, 0, 20'000);
        _exit(0);
    }
    [[nodiscard]] Status ask(int patience_ms = 5000) {
        return doctor::ask({backend, backend.path, "/www/index.php", "/www", monotonic_ms() + patience_ms}, answer);
    }

    test::TempTree tree;
    Text<96> address;
    BackendSettings backend;
    Answer answer;
    pid_t child = -1;
};

void an_answer_is_taken_apart(void**) {
    Php php(
        "\1\7\0\1\0\4\0\0oops"
        "\1\6\0\1\0\x17\1\0Status: 404 None\r\nX: y\r\nx"
        "\1\6\0\1\0\x0a\0\0\r\nthe body"
        "\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"sv);
    const Status status = php.ask();
    test::check_status(status, Status::malformed);  // a line of a head without its colon
    Php good(
        "\1\7\0\1\0\4\0\0oops"
        "\1\6\0\1\0\x16\0\0Status: 404 None\r\nX: y"
        "\1\6\0\1\0\x0c\0\0\r\n\r\nthe body"
        "\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"sv);
    test::check_status(good.ask(), Status::ok);
    assert_int_equal(good.answer.status, 404);
    test::check_text(good.answer.body.view(), "the body");
    test::check_text(good.answer.errors.view(), "oops");
}

void what_is_no_answer_is_told_apart(void**) {
    constexpr struct {
        std::string_view says;
        Status status;
    } all[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", Status::malformed},
        {"\1\6\0\1\0\5\0\0a b\r\n"sv, Status::malformed},
        {"\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"sv, Status::malformed},
        {"\1\6\0\1\0\6\0\0X: y\r\n\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"sv, Status::malformed},
        {"\1\6\0\1\0\x0a\0\0X: y\r\n\r\nb"sv, Status::gone},
        {"", Status::gone},
    };
    for (const auto& one : all) {
        Php php(one.says);
        const Status status = php.ask();
        if (status != one.status) {
            print_error("\"%.20s\"\n", one.says.data());
        }
        test::check_status(status, one.status);
    }
    Php silent("\1\6\0\1\0\x0a\0\0X: y\r\n\r\nb"sv, true);
    test::check_status(silent.ask(100), Status::timed_out);
    // The backlog of one that has stopped listening is nobody's.
    Php nobody("");
    assert_int_equal(unlink(Text<96>(nobody.backend.path).c_str()), 0);
    test::check_status(nobody.ask(), Status::not_found);
}

void who_never_stops_is_heard_until_the_deadline(void**) {
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(send(ends[0], "x", 1, 0), 1);
    test::check_status(fastcgi::wait_for_input(ends[1], monotonic_ms() + 5000), Status::ok);
    test::check_status(fastcgi::wait_for_input(ends[1], monotonic_ms() - 1), Status::timed_out);
    close(ends[0]);
    close(ends[1]);
}

void a_question_that_does_not_fit_is_not_asked(void**) {
    Php php("");
    static char name[4 * limits::path];
    memset(name, 'x', sizeof name);
    const Question question{php.backend, php.backend.path, {name, sizeof name}, "/www", monotonic_ms() + 1000};
    test::check_status(ask(question, php.answer), Status::gone);
}

// A process by the title that php-fpm gives itself.
struct Master {
    explicit Master(const test::TempTree& tree) {
        Text<128> title("php-fpm: master process (");
        title.append(tree.path()).append("/fpm.conf)");
        child = fork();
        if (child == 0) {
            (void)alarm(30);
            (void)execl("/bin/sleep", title.c_str(), "20", nullptr);
            _exit(127);
        }
        Text<64> path("/proc/");
        path.append_number(static_cast<uint64_t>(child)).append("/cmdline");
        char line[16] = "";
        for (int tries = 0; tries < 5000 && std::string_view(line) != "php-fpm:"; ++tries) {
            (void)usleep(1000);
            const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
            (void)!read(fd, line, 8);
            close(fd);
        }
    }
    ~Master() {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, nullptr, 0);
    }
    Master(const Master&) = delete;
    Master& operator=(const Master&) = delete;

    pid_t child;
};

struct Found {
    explicit Found(std::string_view address) {
        BackendSettings backend;
        test::check_status(config::parse_backend_address(address, backend), Status::ok);
        find_pool(backend, pool);
    }
    Pool pool;
};

void a_pool_is_found_by_where_it_listens(void**) {
    test::TempTree tree;
    tree.folder("pool.d");
    Text<512> text("; ours\n[global]\npid = /run/x.pid\ninclude = nowhere.conf\ninclude = ");
    text.append(tree.path()).append("/pool.d/*.conf\n");
    tree.file("fpm.conf", text.view());
    tree.file("pool.d/.hidden.conf", "[hidden]\nlisten = /fcgate-test/hidden.sock\n");
    tree.file("pool.d/no-pool.txt", "[text]\nlisten = /fcgate-test/text.sock\n");
    tree.file("pool.d/a.conf",
              "[www]\nlisten = /fcgate-test/$pool.sock ; by its name\npm.max_children = 5\nchroot = \"/srv/www\"\n"
              "[tcp]\nlisten = 59123\npm.max_children = many\ninclude = /etc/passwd\n");
    tree.file("pool.d/b.conf", "[other]\nlisten = \"127.0.0.1:59124\"\npm.max_children = 7\nlisten.owner = x\n");
    const Master master(tree);
    const Found www("unix:/fcgate-test/www.sock");
    assert_true(www.pool.is_found);
    assert_int_equal(www.pool.children, 5);
    test::check_text(www.pool.chroot.view(), "/srv/www");
    Text<64> file(tree.path());
    file.append("/pool.d/a.conf");
    test::check_text(www.pool.file.view(), file.view());
    const Found tcp("127.0.0.1:59123");
    assert_true(tcp.pool.is_found && tcp.pool.children == 0 && tcp.pool.chroot.size() == 0);
    const Found other("127.0.0.1:59124");
    assert_true(other.pool.is_found && other.pool.children == 7);
    for (const std::string_view address :
         {"unix:/fcgate-test/hidden.sock", "unix:/fcgate-test/text.sock", "127.0.0.1:59125"}) {
        const Found none(address);
        assert_false(none.pool.is_found);
        assert_true(none.pool.another.size() > 0);
    }
}

void a_pool_may_stand_in_the_main_file(void**) {
    test::TempTree tree;
    tree.file("fpm.conf", "[main]\nlisten=/fcgate-test/main.sock\npm.max_children = 3");
    const Master master(tree);
    const Found main("unix:/fcgate-test/main.sock");
    assert_true(main.pool.is_found && main.pool.children == 3);
}

void a_file_without_an_end_is_left(void**) {
    test::TempTree tree;
    tree.file("fpm.conf", "include = /dev/zero\n[main]\nlisten = /fcgate-test/behind.sock\npm.max_children = 3\n");
    const Master master(tree);
    const Found behind("unix:/fcgate-test/behind.sock");
    assert_true(behind.pool.is_found && behind.pool.children == 3);
}

// Its socket is nobody else's, and has another name after the next start.
void what_another_fcgate_has_started_is_not_recommended(void**) {
    test::TempTree tree;
    tree.file("fpm.conf", "[spawned-by-fcgate]\nlisten = /fcgate-test/private.sock\npm.max_children = 4\n");
    const Master master(tree);
    const Found elsewhere("unix:/fcgate-test/none.sock");
    assert_false(elsewhere.pool.is_found);
    assert_true(elsewhere.pool.another.view() != "/fcgate-test/private.sock");
}

}  // namespace
}  // namespace fcgate::doctor

int main() {
    using namespace fcgate::doctor;
    const CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_taken_apart),
        cmocka_unit_test(what_is_no_answer_is_told_apart),
        cmocka_unit_test(who_never_stops_is_heard_until_the_deadline),
        cmocka_unit_test(a_question_that_does_not_fit_is_not_asked),
        cmocka_unit_test(a_pool_is_found_by_where_it_listens),
        cmocka_unit_test(a_pool_may_stand_in_the_main_file),
        cmocka_unit_test(a_file_without_an_end_is_left),
        cmocka_unit_test(what_another_fcgate_has_started_is_not_recommended),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
