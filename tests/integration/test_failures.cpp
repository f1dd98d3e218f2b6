// What goes wrong between the server and PHP: the status the client gets, the one line in the log, and that the next request works.
#include <poll.h>
#include <sys/fsuid.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/account.hpp"
#include "scene.hpp"

namespace {

using namespace fcgate::test;

// What the C library says of the error, which is not the same words in each.
struct WithReason : fcgate::Text<128> {
    WithReason(std::string_view words, int error) : Text(words) { append(strerror(error)); }
};

// One line about the request, with `words` in it, the backend's address where it helps, and last the fault's code.
void expect_line(Scene& scene, std::string_view level, std::string_view outcome, std::string_view words,
                 std::string_view code, const char* file = __builtin_FILE(), int at = __builtin_LINE()) {
    Buffer line;
    line.append(level).append(": GET /t.php: ").append(outcome).append(": backend ").append(scene.php_address.view());
    line.append(": ").append(words);
    Buffer end;
    end.append(" [").append(code).append("]\n");
    if (!scene.log.has(line.view()) || scene.log.count(line.view(), end.view()) != 1) {
        print_error("no line \"%s\" with \"%s\" at its end\n", line.c_str(), end.c_str());
        _fail(file, at);
    }
    if (scene.log.count("GET /t.php") != 1) {
        print_error("more than one line\n");
        _fail(file, at);
    }
}

// The reply is a page of the server's own, the log says why, and all is well again.
void expect_failure(Scene& scene, Client& client, unsigned status, std::string_view words, std::string_view code) {
    expect_status(client, status);
    check_text(client.reply().field("Content-Type"), "text/html; charset=utf-8");
    assert_int_equal(client.reply().count("Retry-After"), status == 503 ? 1 : 0);
    fcgate::Text<8> number;
    number.append_number(status);
    expect_line(scene, status == 503 || status == 431 ? "warning" : "error", number.view(), words, code);
    // The client's connection is as good as before.
    assert_true(client.send("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    expect_reply(client, 200, "static");
    scene.expect_served();
}

// ---- no connection --------------------------------------------------------------------------------------------------

// qemu's user mode leaves the host's number in SO_ERROR, and MIPS counts otherwise.
[[nodiscard]] bool is_so_error_right() {
    const int listener = listen_on(tcp_address("127.0.0.1", 0), 1);
    const Address nobody = bound_address(listener);
    close(listener);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)connect(fd, nobody.get(), nobody.length);
    (void)wait_for(fd, POLLOUT, soon());
    int error = 0;
    socklen_t size = sizeof error;
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    close(fd);
    return error == ECONNREFUSED;
}

void nothing_listens(Scene& scene) {
    if (!is_so_error_right()) {
        return;
    }
    scene.listen_php();
    scene.start();
    scene.php.stop_listening();
    Client& client = scene.client_with(get_script);
    expect_status(client, 502);
    expect_line(scene, "error", "502", "connect (nothing listens there: is php-fpm running?): Connection refused",
                "backend-refused");
    (void)unlink(scene.php_path.c_str());
    assert_true(scene.php.listen(scene.php.address()));
    scene.expect_served();
}

void the_socket_is_not_there(Scene& scene) {
    scene.listen_php();
    scene.set("backend.address", "");
    scene.set("backend.address", "unix:/nonexistent/php.sock");
    scene.php_address.clear();
    scene.php_address.append("unix:/nonexistent/php.sock");
    scene.start();
    Client& client = scene.client_with(get_script);
    expect_status(client, 502);
    expect_line(scene, "error", "502",
                "connect (is php-fpm running, and is this its `listen`?): No such file or directory", "backend-absent");
    assert_true(client.send(get_script));
    expect_status(client, 502);
    scene.settle();
}

constexpr unsigned nobody = 65534;
constexpr unsigned strange_group = 54321;  // of nobody here, and without a name

// The threads of the server take the rights over from the one that starts them. Files are asked for by this identity.
void start_without_rights(Scene& scene) {
    (void)setfsuid(nobody);
    scene.start();
    (void)setfsuid(0);
}

// ... of root, who needs none, they have to be taken away.
void expect_denied(Scene& scene, std::string_view words) {
    Client& client = scene.client_with(get_script);
    expect_status(client, 502);
    Buffer denial;
    denial.append("permission denied on ").append(scene.php_path.view()).append(words);
    expect_line(scene, "error", "502", denial.view(), "backend-denied");
    scene.log.clear();
}

void the_socket_may_not_be_written_to(Scene& scene) {
    scene.listen_php();
    const bool is_root = geteuid() == 0;
    assert_int_equal(chmod(scene.php_path.c_str(), is_root ? 0600 : 0), 0);
    start_without_rights(scene);
    fcgate::Text<80> user;
    fcgate::Text<80> group;
    fcgate::append_user_name(geteuid(), user);
    fcgate::append_group_name(getegid(), group);
    Buffer words;
    words.append(": user ").append(user.view()).append(" is in group ").append(group.view());
    expect_denied(scene, words.append(", but that may not write to it (see listen.mode of php-fpm)").view());
    if (is_root) {
        assert_int_equal(chown(scene.php_path.c_str(), 0, strange_group), 0);
        expect_denied(scene,
                      ": is user root in group 54321? (see listen.group, listen.mode and listen.owner of php-fpm)");
    }
    assert_int_equal(chmod(scene.php_path.c_str(), 0666), 0);
    scene.expect_served();
}

void the_folder_of_the_socket_may_not_be_searched(Scene& scene) {
    scene.tree.folder("closed", 0755);
    scene.php_path.append(scene.tree.path()).append("/closed/php.sock");
    assert_true(scene.php.listen(local_address(scene.php_path.view())));
    scene.php_address.append("unix:").append(scene.php_path.view());
    scene.set("backend.address", scene.php_address.c_str());
    Buffer folder;
    folder.append(scene.tree.path()).append("/closed");
    assert_int_equal(chmod(folder.c_str(), geteuid() == 0 ? 0700 : 0), 0);
    start_without_rights(scene);
    fcgate::Text<80> user;
    fcgate::append_user_name(geteuid(), user);
    Buffer words;
    expect_denied(scene,
                  words.append(": may user ").append(user.view()).append(" search the folders above it?").view());
    assert_int_equal(chmod(folder.c_str(), 0755), 0);
    assert_int_equal(chmod(scene.php_path.c_str(), 0666), 0);
    scene.expect_served();
}

void the_address_cannot_be_reached(Scene& scene) {
    scene.listen_php();
    scene.set("backend.address", "");
    scene.set("backend.address", "255.255.255.255:9000");
    scene.php_address.clear();
    scene.php_address.append("255.255.255.255:9000");
    scene.start();
    Client& client = scene.client_with(get_script);
    expect_status(client, 502);
    expect_line(scene, "error", "502", WithReason("connect (see `address`): ", ENETUNREACH).view(),
                "backend-unreachable");
    scene.settle();
}

// Takes what room there is in the backlog; the next to come hears nothing.
size_t fill_backlog(const Address& address, std::span<int> callers) {
    for (size_t count = 0; count < callers.size(); ++count) {
        callers[count] = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(callers[count] >= 0);
        (void)connect(callers[count], address.get(), address.length);
        if (!wait_for(callers[count], POLLOUT, fcgate::monotonic_ms() + 300)) {
            return count + 1;
        }
    }
    return callers.size();
}

void nobody_answers_the_call(Scene& scene) {
    scene.set("backend.connect_timeout", "300ms");
    scene.listen_php(0);
    std::array<int, 16> callers{};
    const size_t count = fill_backlog(scene.php.address(), callers);
    assert_true(count < callers.size());
    scene.start();
    const int64_t begun = fcgate::monotonic_ms();
    Client& client = scene.client_with(get_script);
    expect_status(client, 504);
    assert_true(fcgate::monotonic_ms() - begun >= 290);
    expect_line(scene, "error", "504", "connect: no answer in time (see `connect_timeout`)", "connect-timeout");
    for (size_t i = 0; i < count; ++i) {
        close(callers[i]);
    }
}

void no_descriptor_is_left_for_a_connection(Scene& scene) {
    scene.set("backend.keep_alive", "no");
    scene.start();
    Client& client = scene.client_with(get_script);
    assert_true(scene.take().answer(hello));
    expect_reply(client, 200, "hello");
    ask_without_descriptors(client);
    expect_line(scene, "warning", "503",
                WithReason("connect (fcgate is short of descriptors or memory): ", EMFILE).view(), "connect-shortage");
    scene.expect_served();
}

void no_descriptor_is_left_to_look_for_a_script(Scene& scene) {
    scene.start();
    Client& client = scene.client_with("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect_reply(client, 200, "static");
    ask_without_descriptors(client);
    assert_true(scene.log.has("GET /t.php: 503: no descriptor or memory is left to look for the script [busy]"));
    assert_false(scene.php.has_caller());
    scene.expect_served();
}

void the_backlog_is_full(Scene& scene) {
    scene.set("backend.connect_timeout", "300ms");
    scene.listen_php(0);
    scene.start();
    // One place there is, even in a backlog of none.
    Client& first = scene.client_with(get_script);
    assert_true(wait_for(scene.php.listener(), POLLIN, soon()));
    const int64_t begun = fcgate::monotonic_ms();
    Client& second = scene.client_with("GET /t.php?second HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect_status(second, 503);
    assert_int_equal(second.reply().count("Retry-After"), 1);
    assert_true(fcgate::monotonic_ms() - begun >= 290);
    assert_true(scene.log.has("warning: GET /t.php?second: 503: backend "));
    assert_int_equal(scene.log.count("connect: the backlog of its socket is full", " [backlog-full]\n"), 1);
    // Who still waits for the backlog gets in when there is room.
    Client& third = scene.client_with("GET /t.php?third HTTP/1.1\r\nHost: localhost\r\n\r\n");
    scene.settle();
    assert_true(scene.take().answer(hello));
    expect_reply(first, 200, "hello");
    PhpConnection& php = scene.take();
    check_text(php.param("QUERY_STRING"), "third");
    assert_true(php.answer(hello));
    expect_reply(third, 200, "hello");
}

// ---- an end too early -----------------------------------------------------------------------------------------------

void reset_before_anything(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.accept();
    assert_true(wait_for(php.fd(), POLLIN, soon()));  // a unix socket is reset when bytes are left unread
    php.reset();
    expect_failure(scene, client, 502,
                   "it closed the connection in the middle of the request (PHP crashed, was killed or restarted, or "
                   "ran into request_terminate_timeout: see its log): Connection reset by peer",
                   "backend-closed");
}

void closed_before_anything(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    scene.take().close();
    expect_failure(scene, client, 502, "it closed the connection in the middle of the request (PHP crashed",
                   "backend-closed");
}

void closed_in_the_head(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.out("X-Begun: 1\r\nX-"));
    php.close();
    expect_failure(scene, client, 502, "it closed the connection in the middle of the request", "backend-closed");
}

// The client has got a part, and must see that it is one; `ends` ends it.
void expect_cut(Scene& scene, std::string_view fields, void (*ends)(PhpConnection& php), std::string_view words,
                std::string_view code) {
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Buffer cgi;
    assert_true(php.out(cgi.append(fields).append("\r\npart").view()));
    assert_true(client.read_head());
    assert_true(client.read_body(4));
    ends(php);
    assert_false(client.read());
    assert_int_equal(client.reply().status, 200);
    check_text(client.reply().body.view(), "part");
    assert_true(client.is_closed());
    expect_line(scene, "error", "reply cut off", words, code);
    scene.expect_served();
}

void closed_in_the_body(Scene& scene) {
    scene.start();
    expect_cut(
        scene, "X: y\r\n", [](PhpConnection& php) { php.close(); }, "it closed the connection in the middle",
        "backend-closed");
}

void reset_in_the_body(Scene& scene) {
    scene.start();
    expect_cut(
        scene, "X: y\r\n", [](PhpConnection& php) { php.reset(); }, "it closed the connection in the middle",
        "backend-closed");
}

void closed_in_a_body_of_known_length(Scene& scene) {
    scene.start();
    expect_cut(
        scene, "Content-Length: 5\r\n", [](PhpConnection& php) { php.close(); }, "it closed the connection",
        "backend-closed");
}

void closed_between_body_and_end(Scene& scene) {
    scene.start();
    expect_cut(
        scene, "X: y\r\n",
        [](PhpConnection& php) {
            (void)php.raw({"\1\6\0\1\0\0\0\0", 8});  // the end of STDOUT is not the end of the request
            php.close();
        },
        "it closed the connection in the middle of the request", "backend-closed");
}

void malformed_in_the_body(Scene& scene) {
    scene.start();
    expect_cut(
        scene, "X: y\r\n", [](PhpConnection& php) { (void)php.raw("HTTP/1.1 200 OK\r\n\r\n"); },
        "what it sends is no FastCGI (is `address` that of php-fpm?): record of an unknown FastCGI version",
        "records-malformed");
}

void silent_in_the_body(Scene& scene) {
    scene.set("backend.response_timeout", "300ms");
    scene.start();
    expect_cut(
        scene, "X: y\r\n", [](PhpConnection& php) { assert_true(php.is_left()); },
        "the script was silent for too long (see `response_timeout`)", "backend-silent");
}

void overloaded_in_the_body(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.out("X: y\r\n\r\npart"));
    assert_true(client.read_head() && client.read_body(4));
    assert_true(php.end(fcgi_overloaded));
    assert_false(client.read());
    expect_line(scene, "warning", "reply cut off", "it says that it is overloaded", "backend-overloaded");
    scene.expect_served();
}

// ---- silence --------------------------------------------------------------------------------------------------------

void silent_before_the_head(Scene& scene) {
    scene.set("backend.response_timeout", "300ms");
    scene.start();
    const int64_t begun = fcgate::monotonic_ms();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    expect_failure(scene, client, 504, "the script was silent for too long (see `response_timeout`)", "backend-silent");
    assert_true(fcgate::monotonic_ms() - begun >= 290);
    assert_true(php.is_left());
}

void words_now_and_then_are_no_silence(Scene& scene) {
    scene.set("backend.response_timeout", "600ms");
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    const int64_t begun = fcgate::monotonic_ms();
    assert_true(php.out("X: y\r\n\r\n"));
    assert_true(client.read_head());
    size_t size = 0;
    while (fcgate::monotonic_ms() - begun < 900) {
        // Time itself is what is waited for here: less than the timeout at once, more in all.
        assert_false(wait_for(php.fd(), POLLIN, fcgate::monotonic_ms() + 50));
        assert_true(php.out("."));
        assert_true(client.read_body(++size));
    }
    assert_true(php.end());
    assert_true(client.read());
    assert_int_equal(client.reply().body.size(), size);
}

// ---- what PHP says beside its answer ---------------------------------------------------------------------------------

// What it sends reaches the client as it is, and the log says what is behind it.
void expect_noted(Scene& scene, std::string_view errors, unsigned status, std::string_view body) {
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Buffer records;
    if (!errors.empty()) {
        append_record(records, fcgi_stderr, errors);
    }
    Buffer cgi;
    fcgate::Text<8> number;
    number.append_number(status);
    append_output(records, cgi.append("Status: ").append(number.view()).append("\r\nX: y\r\n\r\n").append(body).view());
    append_end(records);
    assert_true(php.raw(records.view()));
    expect_reply(client, status, body);
}

void expect_script_unknown(Scene& scene, std::string_view begin) {
    Buffer words;
    words.append(begin).append(": php-fpm cannot see ").append(scene.tree.path());
    words.append("/t.php: removed? chroot or open_basedir? may its user search the folders?");
    expect_line(scene, "error", "404", words.view(), "script-unknown");
    scene.expect_served();
}

void php_does_not_see_the_script(Scene& scene) {
    scene.start();
    expect_noted(scene, "Primary script unknown", 404, "File not found.\n");
    expect_script_unknown(scene, "Primary script unknown");
}

void php_does_not_see_the_script_and_logs_nothing(Scene& scene) {
    scene.start();
    expect_noted(scene, "", 404, "File not found.\n");
    expect_script_unknown(scene, "File not found");
}

void a_page_that_is_not_found_is_no_fault(Scene& scene) {
    scene.start();
    expect_noted(scene, "", 404, "File not found. Try another.\n");
    expect_noted(scene, "", 200, "File not found.\n");
    scene.settle();
    assert_int_equal(scene.log.count("GET /t.php"), 0);
}

void php_may_not_open_the_script(Scene& scene) {
    scene.start();
    expect_noted(scene, "Unable to open primary script: /t.php (Permission denied)", 403, "Access denied.\n");
    expect_line(scene, "error", "403",
                "Unable to open primary script: /t.php (Permission denied): may PHP's user read it, and is it inside "
                "open_basedir?",
                "script-unreadable");
}

void php_may_not_run_the_script(Scene& scene) {
    scene.start();
    expect_noted(scene, "Access to the script '/t.php' has been denied (see security.limit_extensions)", 403,
                 "Access denied.\n");
    expect_line(scene, "error", "403", "Access to the script '/t.php' has been denied (see security.limit_extensions)",
                "script-refused");
}

// A script may have them from a client that it tells of in its log.
void words_of_php_are_believed_once(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Buffer records;
    for (int i = 0; i < 200; ++i) {
        append_record(records, fcgi_stderr, "Primary script unknown\n");
    }
    append_output(records, hello);
    append_end(records);
    assert_true(php.raw(records.view()));
    expect_reply(client, 200, "hello");
    scene.settle();
    assert_int_equal(scene.log.count("GET /t.php", "[script-unknown]\n"), 1);
    assert_true(scene.log.has(" further lines were left out"));
}

void an_application_status_is_told(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Buffer records;
    append_output(records, hello);
    append_record(records, fcgi_end_request, {"\0\0\1\2\0\0\0\0", 8});
    assert_true(php.raw(records.view()));
    expect_reply(client, 200, "hello");
    expect_line(scene, "warning", "200", "the script ended with application status 258", "app-status");
    // Without a head it is a part of the story.
    scene.log.clear();
    assert_true(client.send(get_script));
    Buffer end;
    append_record(end, fcgi_end_request, {"\0\0\0\1\0\0\0\0", 8});
    assert_true(scene.take().raw(end.view()));
    expect_status(client, 502);
    expect_line(scene, "error", "502",
                "the script ended without a response head (did it crash? see PHP's log), "
                "application status 1",
                "head-missing");
}

void error_output_without_end_is_cut_off(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Buffer records;
    Buffer line;
    line.append("PHP message: ").append_letters(2000).append("\n");
    for (int i = 0; i < 20; ++i) {
        append_record(records, fcgi_stderr, line.view());
    }
    const int64_t deadline = soon();
    while (php.raw(records.view())) {
        assert_true(fcgate::monotonic_ms() < deadline);
    }
    expect_status(client, 502);
    assert_true(
        scene.log.has("more than 1 MiB of error output or empty records without a byte of an answer [chatter]"));
    // It does not fill the log, whose lines of one second are for all.
    assert_true(scene.log.has(" further lines were left out"));
    assert_true(scene.log.count("GET /t.php: PHP: ") < 200);
    assert_true(php.is_left());
    scene.expect_served();
}

void empty_records_without_end_are_cut_off(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Buffer records;
    for (int i = 0; i < 5000; ++i) {
        append_record(records, fcgi_stdout, "");
    }
    const int64_t deadline = soon();
    while (php.raw(records.view())) {
        assert_true(fcgate::monotonic_ms() < deadline);
    }
    expect_failure(scene, client, 502, "it sent more than 1 MiB of error output or empty records", "chatter");
    assert_true(php.is_left());
}

// ---- after the end --------------------------------------------------------------------------------------------------

void bytes_behind_the_end_make_a_connection_worthless(Scene& scene) {
    scene.set("backend.park_timeout", "60s");  // it would be given up by then, too
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Buffer records;
    append_output(records, hello);
    append_end(records);
    append_record(records, fcgi_stdout, "Status: 500\r\n\r\nof another request");
    assert_true(php.raw(records.view()));
    expect_reply(client, 200, "hello");
    assert_true(php.is_left());
    assert_true(client.send(get_script));
    PhpConnection& other = scene.take();
    assert_true(&other != &php);
    assert_true(other.answer(hello));
    expect_reply(client, 200, "hello");
    // The same, but the bytes come while the connection is parked.
    append_record(records, fcgi_stdout, "");
    assert_true(other.raw("x"));
    assert_true(other.is_left());
    scene.expect_served();
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(nothing_listens),
        FCGATE_CASE(reset_before_anything),
        FCGATE_CASE(closed_before_anything),
        FCGATE_CASE(closed_in_the_head),
        FCGATE_CASE(closed_in_the_body),
        FCGATE_CASE(reset_in_the_body),
        FCGATE_CASE(closed_in_a_body_of_known_length),
        FCGATE_CASE(closed_between_body_and_end),
        FCGATE_CASE(malformed_in_the_body),
        FCGATE_CASE(overloaded_in_the_body),
        FCGATE_CASE(no_descriptor_is_left_for_a_connection),
        FCGATE_CASE(no_descriptor_is_left_to_look_for_a_script),
        FCGATE_CASE(php_does_not_see_the_script),
        FCGATE_CASE(php_does_not_see_the_script_and_logs_nothing),
        FCGATE_CASE(php_may_not_open_the_script),
        FCGATE_CASE(php_may_not_run_the_script),
        FCGATE_CASE(words_of_php_are_believed_once),
        FCGATE_CASE(an_application_status_is_told),
        FCGATE_CASE(error_output_without_end_is_cut_off),
        FCGATE_CASE(empty_records_without_end_are_cut_off),
        FCGATE_CASE(silent_before_the_head),
        FCGATE_CASE(silent_in_the_body),
        FCGATE_CASE(words_now_and_then_are_no_silence),
        FCGATE_CASE(bytes_behind_the_end_make_a_connection_worthless),
    };
    static constexpr Case local_cases[] = {
        FCGATE_CASE(the_socket_is_not_there),
        FCGATE_CASE(the_socket_may_not_be_written_to),
        FCGATE_CASE(the_folder_of_the_socket_may_not_be_searched),
        FCGATE_CASE(the_backlog_is_full),
        FCGATE_CASE(a_page_that_is_not_found_is_no_fault),
    };
    static constexpr Case remote_cases[] = {
        FCGATE_CASE(the_address_cannot_be_reached),
        FCGATE_CASE(nobody_answers_the_call),
    };
    static constexpr Variant variants[] = {
        {.name = "unix"},
        {.name = "TCP", .php_over_tcp = true},
        {.name = "TCP, 2 threads", .threads = "2", .php_over_tcp = true},
    };
    static constexpr Variant local[] = {{.name = "unix"}};
    static constexpr Variant remote[] = {{.name = "TCP", .php_over_tcp = true}};
    return play("failures", cases, variants) + play("failures over unix sockets", local_cases, local) +
           play("failures over TCP", remote_cases, remote);
}
