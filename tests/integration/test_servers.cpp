// Several servers of one backend: which is asked, what happens when one cannot be reached, and when it comes back.
#include <poll.h>

#include <array>

#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view post = "POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";

// The second server, beside scene.php.
struct Second {
    FakeBackend php;
    Buffer address;
    Buffer path;

    explicit Second(Scene& scene, int backlog = 512, int first_backlog = 512) {
        scene.listen_php(first_backlog);
        if (fcgate::starts_with(scene.php_address.view(), "unix:")) {
            path.append(scene.tree.path()).append("/second.sock");
            assert_true(php.listen(local_address(path.view()), backlog));
            address.append("unix:").append(path.view());
        } else {
            assert_true(php.listen(tcp_address("127.0.0.1", 0), backlog));
            fcgate::Text<8> port;
            port.append_number(php.address().port());
            address.append("127.0.0.1:").append(port.view());
        }
        scene.set("backend.address", address.c_str());
        scene.set("backend.keep_alive", "no");
    }
    Second(const Second&) = delete;
    Second& operator=(const Second&) = delete;
};

void come_back(FakeBackend& php, Buffer& path) {
    (void)unlink(path.c_str());
    assert_true(php.listen(php.address()));
}

void expect_served_by(Scene& scene, FakeBackend& php, std::string_view request = get_script) {
    Client& client = scene.client_with(request);
    PhpConnection* const connection = php.next_request();
    assert_non_null(connection);
    assert_true(connection->answer(hello));
    expect_reply(client, 200, "hello");
    client.close();
}

[[nodiscard]] size_t lines(Scene& scene, const Buffer& address, std::string_view words) {
    Buffer line;
    line.append("backend ").append(address.view()).append(words);
    return scene.log.count(line.view());
}

// ---- all are well ---------------------------------------------------------------------------------------------------

void requests_are_shared_among_them(Scene& scene) {
    Second second(scene);
    scene.start();
    Client* clients[4];
    for (Client*& client : clients) {
        client = &scene.client_with(get_script);
    }
    PhpConnection* calls[4];
    for (size_t i = 0; i < 4; ++i) {
        FakeBackend& php = i < 2 ? scene.php : second.php;
        calls[i] = php.next_request();
        assert_non_null(calls[i]);
    }
    // All places are taken: `workers` is of both together.
    Client& waits = scene.client_with(get_script);
    scene.settle();
    assert_false(scene.php.has_caller() || second.php.has_caller());
    for (PhpConnection* const call : calls) {
        assert_true(call->answer(hello));
    }
    for (Client* const client : clients) {
        expect_reply(*client, 200, "hello");
    }
    waits.close();
}

void the_one_with_less_to_do_gets_the_next(Scene& scene) {
    Second second(scene);
    scene.start();
    Client& slow = scene.client_with(get_script);
    PhpConnection& busy = scene.take();
    for (int i = 0; i < 3; ++i) {
        expect_served_by(scene, second.php);
    }
    assert_true(busy.answer(hello));
    expect_reply(slow, 200, "hello");
}

// ---- one is not -----------------------------------------------------------------------------------------------------

void one_that_is_gone_is_not_missed(Scene& scene) {
    Second second(scene);
    scene.start();
    scene.php.stop_listening();
    for (const std::string_view request : {get_script, post, get_script}) {
        expect_served_by(scene, second.php, request);
    }
    assert_int_equal(lines(scene, scene.php_address, " is down: connect ("), 1);
    assert_int_equal(scene.log.count(": 502: "), 0);
}

void expect_back(Scene& scene, const char* keep_alive) {
    Second second(scene);
    scene.set("backend.keep_alive", keep_alive);
    scene.start();
    scene.php.stop_listening();
    const auto greet = [](const PhpConnection& /*request*/, Buffer& cgi) { cgi.append(hello); };
    Responder other;
    other.start(second.php, greet);
    Client& client = scene.client();
    for (int i = 0; i < 3; ++i) {
        assert_true(client.send(get_script));
        expect_reply(client, 200, "hello");
    }
    come_back(scene.php, scene.php_path);
    scene.responder.start(scene.php, greet);
    const int64_t deadline = soon();
    while (lines(scene, scene.php_address, " is up again") == 0) {
        assert_true(fcgate::monotonic_ms() < deadline);
        assert_true(client.send(get_script));
        expect_reply(client, 200, "hello");
    }
    scene.responder.stop();
    other.stop();
    assert_true(scene.responder.requests() > 0);
    assert_int_equal(lines(scene, scene.php_address, " is down: "), 1);
}

void one_that_comes_back_is_used_again(Scene& scene) {
    expect_back(scene, "no");
}
void it_is_though_connections_to_the_other_are_kept(Scene& scene) {
    expect_back(scene, "yes");
}

void without_any_it_is_502_until_one_is_there(Scene& scene) {
    Second second(scene);
    scene.start();
    scene.php.stop_listening();
    second.php.stop_listening();
    Client& client = scene.client_with(get_script);
    expect_status(client, 502);
    assert_true(scene.log.has("error: GET /t.php: 502: backend "));
    assert_int_equal(scene.log.count(" is down: "), 2);
    come_back(second.php, second.path);
    // No pause stands between.
    expect_served_by(scene, second.php);
    assert_int_equal(lines(scene, second.address, " is up again"), 1);
}

void a_get_that_one_drops_goes_to_the_other(Scene& scene) {
    Second second(scene);
    scene.start();
    Client& client = scene.client_with(get_script);
    scene.take().close();
    PhpConnection* const again = second.php.next_request();
    assert_non_null(again);
    assert_true(again->answer(hello));
    expect_reply(client, 200, "hello");
    // It took the connection: it is not down. What may have run is not sent again.
    Client& sender = scene.client_with(post);
    PhpConnection& dropped = scene.take();
    check_text(dropped.body(), "hello");
    dropped.close();
    expect_status(sender, 502);
    assert_false(second.php.has_caller());
    assert_int_equal(scene.log.count(" is down: "), 0);
}

// However safe it is: there is nothing left to send.
void a_get_whose_body_is_gone_goes_nowhere_else(Scene& scene) {
    Second second(scene);
    scene.start();
    Client& client = scene.client_with("GET /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
    PhpConnection& dropped = scene.take();
    check_text(dropped.body(), "hello");
    dropped.close();
    expect_status(client, 502);
    assert_false(second.php.has_caller());
}

void a_kept_connection_whose_server_has_gone_is_replaced(Scene& scene) {
    Second second(scene);
    scene.set("backend.keep_alive", "yes");
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& kept = scene.take();
    assert_true(kept.answer(hello));
    expect_reply(client, 200, "hello");
    scene.php.stop_listening();
    assert_true(client.send(get_script));
    assert_true(kept.read_request());
    kept.close();
    PhpConnection* const again = second.php.next_request();
    assert_non_null(again);
    assert_true(again->answer(hello));
    expect_reply(client, 200, "hello");
}

// It says nothing about any of them.
void no_descriptor_of_ours_is_no_failure_of_theirs(Scene& scene) {
    const Second second(scene);
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection* const connection = scene.php.next_request();
    assert_non_null(connection);
    assert_true(connection->answer(hello));
    expect_reply(client, 200, "hello");
    ask_without_descriptors(client);
    assert_int_equal(scene.log.count(" is down: "), 0);
}

// ---- one is full ----------------------------------------------------------------------------------------------------

void a_full_backlog_is_no_failure(Scene& scene) {
    Second second(scene, 0);
    scene.start();
    // The only place in its backlog.
    const int caller = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(caller, second.php.address().get(), second.php.address().length), 0);
    for (int i = 0; i < 4; ++i) {
        expect_served_by(scene, scene.php);
    }
    assert_int_equal(scene.log.count(" is down: "), 0);
    close(caller);
}

void a_backlog_that_was_full_is_no_reason_to_ask_the_one_that_has_dropped_it_once_more(Scene& scene) {
    Second second(scene, 0);
    scene.start();
    expect_served_by(scene, scene.php);
    const int caller = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(caller, second.php.address().get(), second.php.address().length), 0);
    Client& client = scene.client_with(get_script);
    PhpConnection& dropped = scene.take();
    second.php.stop_listening();
    dropped.close();
    expect_status(client, 502);
    scene.settle();
    assert_false(scene.php.has_caller());
    close(caller);
}

// All of them are: it is tried anew at each until there is room.
void a_request_waits_for_room_in_any_backlog(Scene& scene) {
    Second second(scene, 0, 0);
    scene.start();
    int callers[2];
    FakeBackend* const servers[] = {&scene.php, &second.php};
    for (size_t i = 0; i < 2; ++i) {
        callers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(callers[i], servers[i]->address().get(), servers[i]->address().length), 0);
    }
    Client& client = scene.client_with(get_script);
    assert_false(wait_for(client.fd(), POLLIN, fcgate::monotonic_ms() + 50));
    close(callers[1]);
    PhpConnection* const connection = second.php.next_request();
    assert_non_null(connection);
    assert_true(connection->answer(hello));
    expect_reply(client, 200, "hello");
    close(callers[0]);
}

void one_that_does_not_answer_leaves_time_for_the_other(Scene& scene) {
    scene.set("backend.connect_timeout", "600ms");
    Second second(scene, 0);
    std::array<int, 16> callers{};
    size_t count = 0;
    do {
        callers[count] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(callers[count], second.php.address().get(), second.php.address().length);
    } while (wait_for(callers[count++], POLLOUT, fcgate::monotonic_ms() + 300) && count < callers.size());
    scene.start();
    for (int i = 0; i < 4; ++i) {
        expect_served_by(scene, scene.php);
    }
    assert_int_equal(lines(scene, second.address, " is down: connect: no answer in time"), 1);
    while (count > 0) {
        close(callers[--count]);
    }
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(requests_are_shared_among_them),
        FCGATE_CASE(the_one_with_less_to_do_gets_the_next),
        FCGATE_CASE(one_that_is_gone_is_not_missed),
        FCGATE_CASE(one_that_comes_back_is_used_again),
        FCGATE_CASE(it_is_though_connections_to_the_other_are_kept),
        FCGATE_CASE(without_any_it_is_502_until_one_is_there),
        FCGATE_CASE(a_get_that_one_drops_goes_to_the_other),
        FCGATE_CASE(a_kept_connection_whose_server_has_gone_is_replaced),
        FCGATE_CASE(a_get_whose_body_is_gone_goes_nowhere_else),
        FCGATE_CASE(no_descriptor_of_ours_is_no_failure_of_theirs),
    };
    // Where two threads may choose at the same moment, who is asked is not known beforehand.
    static constexpr Case threaded_cases[] = {
        FCGATE_CASE(one_that_is_gone_is_not_missed),
        FCGATE_CASE(one_that_comes_back_is_used_again),
        FCGATE_CASE(it_is_though_connections_to_the_other_are_kept),
        FCGATE_CASE(without_any_it_is_502_until_one_is_there),
    };
    static constexpr Variant threaded[] = {{.name = "TCP, 2 threads", .threads = "2", .php_over_tcp = true}};
    static constexpr Case local_cases[] = {
        FCGATE_CASE(a_full_backlog_is_no_failure),
        FCGATE_CASE(a_backlog_that_was_full_is_no_reason_to_ask_the_one_that_has_dropped_it_once_more),
        FCGATE_CASE(a_request_waits_for_room_in_any_backlog),
    };
    static constexpr Case remote_cases[] = {FCGATE_CASE(one_that_does_not_answer_leaves_time_for_the_other)};
    static constexpr Variant variants[] = {
        {.name = "unix"},
        {.name = "TCP", .php_over_tcp = true},
    };
    static constexpr Variant local[] = {{.name = "unix"}};
    static constexpr Variant remote[] = {{.name = "TCP", .php_over_tcp = true}};
    return play("servers", cases, variants) + play("servers over unix sockets", local_cases, local) +
           play("servers over TCP", remote_cases, remote) + play("servers and threads", threaded_cases, threaded);
}
