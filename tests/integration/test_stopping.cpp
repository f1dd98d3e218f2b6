// How a server stops: what has begun is finished, what waits is served, what takes too long is cut off, and nobody is lost silently.
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view get_static = "GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

void expect_ended(Scene& scene, int64_t within_ms) {
    fcgate_error error{};
    const int64_t begun = fcgate::monotonic_ms();
    assert_int_equal(fcgate_wait(scene.server, static_cast<int>(within_ms), &error), FCGATE_OK);
    assert_true(fcgate::monotonic_ms() - begun <= within_ms);
    assert_true(is_readable(fcgate_ended_fd(scene.server)));
}

// True once nobody can connect any more.
[[nodiscard]] bool is_shut(Scene& scene) {
    const int64_t deadline = soon();
    while (fcgate::monotonic_ms() < deadline) {
        Client late;
        if (!late.connect(scene.front)) {
            return true;
        }
        // Whom the server finds in its backlog it serves, and it may find a new one each time if they come without a pause.
        (void)(late.send(get_static) && late.read(false, deadline));
    }
    return false;
}

void a_request_under_way_is_finished(Scene& scene) {
    scene.start();
    Client& idle = scene.client_with(get_static);
    expect_reply(idle, 200, "static");
    Client& waiting = scene.client_with(get_script);
    PhpConnection& first = scene.take();
    Client& streaming = scene.client_with(get_script);
    PhpConnection& second = scene.take();
    assert_true(second.out("X: y\r\n\r\npart"));
    assert_true(streaming.read_head() && streaming.read_body(4));
    fcgate_error error{};
    assert_int_equal(fcgate_wait(scene.server, 0, &error), FCGATE_AGAIN);
    assert_false(is_readable(fcgate_ended_fd(scene.server)));

    fcgate_stop(scene.server, 8000);
    // Who does nothing is sent home at once, and nobody new is let in.
    assert_true(idle.is_closed());
    assert_true(is_shut(scene));
    assert_int_equal(fcgate_wait(scene.server, 0, &error), FCGATE_AGAIN);
    assert_true(first.answer(hello));
    expect_reply(waiting, 200, "hello");
    assert_true(waiting.reply().closes());
    assert_true(waiting.is_closed());
    assert_true(second.out(" rest") && second.end());
    assert_true(streaming.read());
    check_text(streaming.reply().body.view(), "part rest");
    assert_true(streaming.is_closed());
    expect_ended(scene, 2000);
    assert_int_equal(fcgate_wait(scene.server, 0, &error), FCGATE_OK);
    assert_true(first.is_left() && second.is_left());
}

void an_upload_under_way_is_finished(Scene& scene) {
    scene.start();
    Client& client = scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello");
    scene.settle();
    fcgate_stop(scene.server, 8000);
    assert_true(is_shut(scene));
    assert_true(client.send("world"));
    PhpConnection& php = scene.take();
    check_text(php.body(), "helloworld");
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    expect_ended(scene, 2000);
}

void who_waits_for_a_worker_is_served(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.start();
    Client* clients[5];
    for (Client*& client : clients) {
        client = &scene.client_with(get_script);
    }
    PhpConnection* php = &scene.take();
    scene.settle();
    fcgate_stop(scene.server, 8000);
    assert_true(is_shut(scene));
    for (size_t i = 0; i < 5; ++i) {
        assert_true(php->answer(hello));
        if (i < 4) {
            php = &scene.take();
        }
    }
    for (Client* const client : clients) {
        expect_reply(*client, 200, "hello");
    }
    expect_ended(scene, 2000);
}

// One turn of a loop of the host's, which waits for `most_ms` at most.
[[nodiscard]] int turn(Scene& scene, int fd, int most_ms) {
    pollfd watched{fd, POLLIN, 0};
    const int due_ms = fcgate_timeout_ms(scene.server);
    (void)poll(&watched, 1, due_ms < 0 ? most_ms : std::min(due_ms, most_ms));
    fcgate_error error{};
    return fcgate_dispatch(scene.server, &error);
}

void turn_until_gone(Scene& scene, int fd) {
    int result = FCGATE_OK;
    for (const int64_t deadline = soon(); result == FCGATE_OK && fcgate::monotonic_ms() < deadline;) {
        result = turn(scene, fd, 100);
    }
    assert_int_equal(result, FCGATE_GONE);
}

// They have connected and sent their requests, and the server has not accepted them yet: it is not running.
void who_waits_in_the_backlog_is_served(Scene& scene) {
    constexpr size_t count = 20;
    scene.set("server.threads", "1");
    scene.make();
    fcgate_error error{};
    const int fd = fcgate_fd(scene.server, &error);
    assert_true(fd >= 0);
    Client* clients[count];
    for (Client*& client : clients) {
        client = &scene.client_with(get_static);
    }
    fcgate_stop(scene.server, 8000);
    turn_until_gone(scene, fd);
    for (Client* const client : clients) {
        expect_reply(*client, 200, "static");
        assert_true(client->reply().closes());
    }
}

void who_waits_for_a_free_connection_is_served(Scene& scene) {
    scene.set("server.max_connections", "2");
    scene.start();
    Client* busy[2];
    PhpConnection* php[2];
    for (size_t i = 0; i < 2; ++i) {
        busy[i] = &scene.client_with(get_script);
        php[i] = &scene.take();
    }
    Client* waiting[3];
    for (Client*& client : waiting) {
        client = &scene.client_with(get_static);
    }
    fcgate_stop(scene.server, 8000);
    assert_true(php[0]->answer(hello) && php[1]->answer(hello));
    expect_reply(*busy[0], 200, "hello");
    expect_reply(*busy[1], 200, "hello");
    for (Client* const client : waiting) {
        expect_reply(*client, 200, "static");
    }
    expect_ended(scene, 3000);
}

// The stop finds more in the backlog than there are places: they wait, and nobody is woken for them all the time.
void who_finds_no_place_during_the_stop_costs_nothing(Scene& scene) {
    scene.set("server.threads", "1");
    scene.set("server.max_connections", "2");
    scene.set("server.reserved_connections", "0");
    scene.make();
    fcgate_error error{};
    const int fd = fcgate_fd(scene.server, &error);
    assert_true(fd >= 0);
    fcgate_stop(scene.server, 60000);
    Client* clients[4];
    for (Client*& client : clients) {
        client = &scene.client_with(get_script);
    }
    // Two of them wait for PHP, which is silent.
    int turns = 0;
    for (const int64_t end = fcgate::monotonic_ms() + 1000; fcgate::monotonic_ms() < end; ++turns) {
        assert_int_equal(turn(scene, fd, static_cast<int>(end - fcgate::monotonic_ms())), FCGATE_OK);
    }
    assert_in_range(turns, 1, 50);
    scene.responder.start(scene.php, [](const PhpConnection& /*request*/, Buffer& cgi) { cgi.append(hello); });
    turn_until_gone(scene, fd);
    scene.responder.stop();
    for (Client* const client : clients) {
        expect_reply(*client, 200, "hello");
    }
}

// Over and over, with requests at every point of their way: each is answered, or its connection was never taken.
void no_stop_loses_a_request(Scene& /*scene*/) {
    static constexpr Variant variants[] = {{.threads = "1"}, {.threads = "2"}};
    for (int round = 0; round < 30; ++round) {
        Scene* const other = create<Scene>(&variants[round % 2]);
        other->start();
        other->responder.start(other->php, [](const PhpConnection& /*request*/, Buffer& cgi) { cgi.append(hello); });
        Client* clients[12];
        for (size_t i = 0; i < 12; ++i) {
            clients[i] = &other->client_with(get_script);
            if (i == static_cast<size_t>(round) % 12) {
                expect_reply(*clients[0], 200, "hello");
                assert_true(clients[0]->send(get_script));
            }
        }
        fcgate_stop(other->server, 8000);
        for (Client* const client : clients) {
            expect_reply(*client, 200, "hello");
        }
        expect_ended(*other, 3000);
        destroy(other);
    }
}

void event_streams_end_right_away(Scene& scene) {
    scene.start();
    Client& client = scene.client_with("GET /t.php HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
    PhpConnection& php = scene.take();
    assert_true(php.out("Content-Type: text/event-stream\r\n\r\ndata: x\n\n"));
    assert_true(client.read_head() && client.read_body(9));
    fcgate_stop(scene.server, 8000);
    assert_true(php.is_left());
    assert_true(client.is_closed() || !client.read());
    expect_ended(scene, 2000);
}

constexpr std::string_view get_stream = "GET /t.php HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";

// It would last as long as the stop may take.
void no_event_stream_begins_during_the_stop(Scene& scene) {
    scene.set("server.threads", "1");
    scene.make();
    fcgate_error error{};
    const int fd = fcgate_fd(scene.server, &error);
    assert_true(fd >= 0);
    Client& page = scene.client_with(get_script);
    while (!scene.php.has_caller()) {
        assert_int_equal(turn(scene, fd, 100), FCGATE_OK);
    }
    PhpConnection& php = scene.accept();
    while (!php.is_complete()) {
        assert_int_equal(turn(scene, fd, 20), FCGATE_OK);
        assert_true(php.absorb());
    }
    // One asks for a stream and one is answered by one, and the server knows of neither yet.
    Client& stream = scene.client_with(get_stream);
    fcgate_stop(scene.server, 60000);
    assert_int_equal(turn(scene, fd, 100), FCGATE_OK);
    assert_true(php.out("Content-Type: text/event-stream\r\n\r\ndata: x\n\n"));
    turn_until_gone(scene, fd);
    expect_status(stream, 503);
    expect_status(page, 503);
    assert_true(php.is_left());
    assert_false(scene.php.has_caller());
}

void what_takes_too_long_is_cut_off(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    const int64_t begun = fcgate::monotonic_ms();
    fcgate_stop(scene.server, 400);
    expect_ended(scene, 3000);
    assert_true(fcgate::monotonic_ms() - begun >= 390);
    assert_true(client.is_closed());
    assert_true(php.is_left());
    assert_true(scene.log.has("stop_timeout is over, connections cut off: 1"));
}

void the_configured_time_is_taken_when_none_is_given(Scene& scene) {
    scene.set("server.stop_timeout", "400ms");
    scene.start();
    Client& client = scene.client_with(get_script);
    (void)scene.take();
    const int64_t begun = fcgate::monotonic_ms();
    fcgate_stop(scene.server, -1);
    expect_ended(scene, 3000);
    assert_true(fcgate::monotonic_ms() - begun >= 390);
    assert_true(client.is_closed());
}

void a_second_stop_brings_the_end_forward(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    fcgate_stop(scene.server, 60000);
    assert_true(is_shut(scene));
    // Never back.
    fcgate_stop(scene.server, 90000);
    fcgate_error error{};
    assert_int_equal(fcgate_wait(scene.server, 50, &error), FCGATE_AGAIN);
    fcgate_stop(scene.server, 0);
    expect_ended(scene, 2000);
    assert_true(client.is_closed());
    assert_true(php.is_left());
}

void a_stop_before_the_start_keeps_it_from_running(Scene& scene) {
    scene.make();
    fcgate_stop(scene.server, 0);
    fcgate_error error{};
    assert_int_equal(fcgate_start(scene.server, &error), FCGATE_OK);
    expect_ended(scene, 2000);
}

void the_end_of_a_server_in_full_work_is_prompt(Scene& scene) {
    scene.set("backend.workers", "2");
    scene.start();
    for (int i = 0; i < 20; ++i) {
        (void)scene.client_with(get_script);
        (void)scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nhello");
    }
    (void)scene.take();
    // The fixture sees that it takes no time and leaves no descriptor.
    scene.end();
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(a_request_under_way_is_finished),
        FCGATE_CASE(an_upload_under_way_is_finished),
        FCGATE_CASE(who_waits_for_a_worker_is_served),
        FCGATE_CASE(who_waits_in_the_backlog_is_served),
        FCGATE_CASE(who_waits_for_a_free_connection_is_served),
        FCGATE_CASE(who_finds_no_place_during_the_stop_costs_nothing),
        FCGATE_CASE(no_stop_loses_a_request),
        FCGATE_CASE(event_streams_end_right_away),
        FCGATE_CASE(no_event_stream_begins_during_the_stop),
        FCGATE_CASE(what_takes_too_long_is_cut_off),
        FCGATE_CASE(the_configured_time_is_taken_when_none_is_given),
        FCGATE_CASE(a_second_stop_brings_the_end_forward),
        FCGATE_CASE(a_stop_before_the_start_keeps_it_from_running),
        FCGATE_CASE(the_end_of_a_server_in_full_work_is_prompt),
    };
    static constexpr Variant variants[] = {
        {.name = "TCP"},
        {.name = "unix front, 2 threads", .threads = "2", .front_is_local = true},
    };
    return play("stopping", cases, variants);
}
