// What goes wrong between the server and PHP: the status the client gets, the one line in the log, and that the next request works.
#include <poll.h>
#include <sys/fsuid.h>

#include "scene.hpp"

namespace {

using namespace fcgate::test;

// One line about the request, with `words` in it, and the backend's address where it helps.
void expect_line(Scene& scene, std::string_view level, std::string_view outcome, std::string_view words) {
    Buffer line;
    line.append(level).append(": GET /t.php: ").append(outcome).append(": backend ").append(scene.php_address.view());
    line.append(": ").append(words);
    if (!scene.log.has(line.view())) {
        print_error("no line \"%s\"\n", line.c_str());
        _fail(__FILE__, __LINE__);
    }
    assert_int_equal(scene.log.count("GET /t.php"), 1);
}

// The reply is a page of the server's own, the log says why, and all is well again.
void expect_failure(Scene& scene, Client& client, unsigned status, std::string_view words) {
    expect_status(client, status);
    check_text(client.reply().field("Content-Type"), "text/html; charset=utf-8");
    assert_int_equal(client.reply().count("Retry-After"), status == 503 ? 1 : 0);
    fcgate::Text<8> number;
    number.append_number(status);
    expect_line(scene, status == 503 || status == 431 ? "warning" : "error", number.view(), words);
    // The client's connection is as good as before.
    assert_true(client.send("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    expect_reply(client, 200, "static");
    scene.expect_served();
}

// ---- no connection --------------------------------------------------------------------------------------------------

void nothing_listens(Scene& scene) {
    scene.listen_php();
    scene.start();
    scene.php.stop_listening();
    Client& client = scene.client_with(get_script);
    expect_status(client, 502);
    expect_line(scene, "error", "502", "connect (nothing listens there: is php-fpm running?): Connection refused");
    (void)unlink(scene.php_path.c_str());
    assert_true(scene.php.listen(scene.php.address()));
    scene.expect_served();
}

void the_socket_is_not_there(Scene& scene) {
    scene.listen_php();
    scene.set("backend.address", "unix:/nonexistent/php.sock");
    scene.php_address.clear();
    scene.php_address.append("unix:/nonexistent/php.sock");
    scene.start();
    Client& client = scene.client_with(get_script);
    expect_status(client, 502);
    expect_line(scene, "error", "502",
                "connect (is php-fpm running, and is this its `listen`?): No such file or directory");
    assert_true(client.send(get_script));
    expect_status(client, 502);
    scene.settle();
}

void the_socket_may_not_be_written_to(Scene& scene) {
    scene.listen_php();
    if (scene.php.address().is_local()) {
        assert_int_equal(chmod(scene.php_path.c_str(), 0600), 0);
    }
    // The threads of the server take the rights over from the one that starts them. Files are asked for by this identity.
    constexpr unsigned nobody = 65534;
    const bool is_root = geteuid() == 0;
    if (!is_root) {
        assert_int_equal(chmod(scene.php_path.c_str(), 0), 0);
    } else {
        (void)setfsuid(nobody);
    }
    scene.start();
    if (is_root) {
        (void)setfsuid(0);
    }
    Client& client = scene.client_with(get_script);
    expect_status(client, 502);
    expect_line(scene, "error", "502", "connect (may fcgate's user write to the socket?");
    assert_int_equal(chmod(scene.php_path.c_str(), 0666), 0);
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
    assert_int_equal(scene.log.count("connect: the backlog of its socket is full"), 1);
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
                   "ran into request_terminate_timeout): Connection reset by peer");
}

void closed_before_anything(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    scene.take().close();
    expect_failure(scene, client, 502, "it closed the connection in the middle of the request (PHP crashed");
}

void closed_in_the_head(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.out("X-Begun: 1\r\nX-"));
    php.close();
    expect_failure(scene, client, 502, "it closed the connection in the middle of the request");
}

// The client has got a part, and must see that it is one; `ends` ends it.
void expect_cut(Scene& scene, std::string_view fields, void (*ends)(PhpConnection& php), std::string_view words) {
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
    expect_line(scene, "error", "reply cut off", words);
    scene.expect_served();
}

void closed_in_the_body(Scene& scene) {
    scene.start();
    expect_cut(
        scene, "X: y\r\n", [](PhpConnection& php) { php.close(); }, "it closed the connection in the middle");
}

void closed_in_a_body_of_known_length(Scene& scene) {
    scene.start();
    expect_cut(
        scene, "Content-Length: 5\r\n", [](PhpConnection& php) { php.close(); }, "it closed the connection");
}

void closed_between_body_and_end(Scene& scene) {
    scene.start();
    expect_cut(
        scene, "X: y\r\n",
        [](PhpConnection& php) {
            (void)php.raw({"\1\6\0\1\0\0\0\0", 8});  // the end of STDOUT is not the end of the request
            php.close();
        },
        "it closed the connection in the middle of the request");
}

void malformed_in_the_body(Scene& scene) {
    scene.start();
    expect_cut(
        scene, "X: y\r\n", [](PhpConnection& php) { (void)php.raw("HTTP/1.1 200 OK\r\n\r\n"); },
        "record of an unknown FastCGI version");
}

void silent_in_the_body(Scene& scene) {
    scene.set("backend.response_timeout", "300ms");
    scene.start();
    expect_cut(
        scene, "X: y\r\n", [](PhpConnection& php) { assert_true(php.is_left()); },
        "the script was silent for too long (see `response_timeout`)");
}

void overloaded_in_the_body(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.out("X: y\r\n\r\npart"));
    assert_true(client.read_head() && client.read_body(4));
    assert_true(php.end(fcgi_overloaded));
    assert_false(client.read());
    expect_line(scene, "warning", "reply cut off", "it says that it is overloaded");
    scene.expect_served();
}

// ---- silence --------------------------------------------------------------------------------------------------------

void silent_before_the_head(Scene& scene) {
    scene.set("backend.response_timeout", "300ms");
    scene.start();
    const int64_t begun = fcgate::monotonic_ms();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    expect_failure(scene, client, 504, "the script was silent for too long (see `response_timeout`)");
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

// ---- after the end --------------------------------------------------------------------------------------------------

void bytes_behind_the_end_make_a_connection_worthless(Scene& scene) {
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
        FCGATE_CASE(closed_in_a_body_of_known_length),
        FCGATE_CASE(closed_between_body_and_end),
        FCGATE_CASE(malformed_in_the_body),
        FCGATE_CASE(overloaded_in_the_body),
        FCGATE_CASE(silent_before_the_head),
        FCGATE_CASE(silent_in_the_body),
        FCGATE_CASE(words_now_and_then_are_no_silence),
        FCGATE_CASE(bytes_behind_the_end_make_a_connection_worthless),
    };
    static constexpr Case local_cases[] = {
        FCGATE_CASE(the_socket_is_not_there),
        FCGATE_CASE(the_socket_may_not_be_written_to),
        FCGATE_CASE(the_backlog_is_full),
    };
    static constexpr Variant variants[] = {
        {.name = "unix"},
        {.name = "TCP", .php_over_tcp = true},
        {.name = "TCP, 2 threads", .threads = "2", .php_over_tcp = true},
    };
    static constexpr Variant local[] = {{.name = "unix"}};
    return play("failures", cases, variants) + play("failures over unix sockets", local_cases, local);
}
