// Clients that leave, dawdle or come in numbers: what they hold is given back, and the others are served.
#include <poll.h>

#include <algorithm>

#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view get_static = "GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

// The server lets this connection go soon, and on most occasions at once: a busy machine may delay one or another.
template <typename Play>
void expect_left_at_once(Play play) {
    std::array<int64_t, 7> times{};
    for (int64_t& time : times) {
        Client* client = nullptr;
        PhpConnection& php = play(client);
        const int64_t begun = fcgate::monotonic_ms();
        client->close();
        assert_true(php.is_left());
        time = fcgate::monotonic_ms() - begun;
        php.close();
    }
    std::sort(times.begin(), times.end());
    assert_true(times[times.size() / 2] < 50);
}

// ---- who leaves -----------------------------------------------------------------------------------------------------

void who_leaves_while_php_works_ends_its_work(Scene& scene) {
    scene.start();
    expect_left_at_once([&scene](Client*& client) -> PhpConnection& {
        client = &scene.client_with(get_script);
        return scene.take();
    });
    assert_int_equal(scene.log.count("error: "), 0);
    scene.expect_served();
}

void who_leaves_during_the_reply_ends_the_script(Scene& scene) {
    scene.start();
    expect_left_at_once([&scene](Client*& client) -> PhpConnection& {
        client = &scene.client_with(get_script);
        PhpConnection& php = scene.take();
        assert_true(php.out("X: y\r\n\r\npart"));
        assert_true(client->read_head() && client->read_body(4));
        return php;
    });
    scene.expect_served();
}

void who_leaves_during_the_upload_ends_the_script(Scene& scene) {
    scene.start();
    Buffer request;
    request.append("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n").append_pattern(70000);
    expect_left_at_once([&scene, &request](Client*& client) -> PhpConnection& {
        client = &scene.client_with(request.view());
        PhpConnection& php = scene.accept();
        assert_true(php.read_body(70000));
        return php;
    });
    // Who leaves earlier never gets to PHP.
    Client& early = scene.client_with(fcgate::slice(request.view(), 0, 1000));
    scene.settle();
    early.close();
    scene.settle();
    const size_t before = scene.php.connections();
    scene.expect_served();
    assert_int_equal(scene.php.connections(), before + 1);
}

void a_reset_and_a_half_close_are_the_same(Scene& scene) {
    scene.start();
    Client& reset = scene.client_with(get_script);
    PhpConnection& first = scene.take();
    reset.reset();
    assert_true(first.is_left());
    Client& half = scene.client_with(get_script);
    PhpConnection& second = scene.take();
    half.half_close();
    assert_true(second.is_left());
    assert_true(half.is_closed());
    scene.expect_served();
}

void who_half_closes_behind_many_requests_has_the_end_behind_the_last_reply(Scene& scene) {
    constexpr size_t count = 20;
    scene.set("server.keepalive_timeout", "60s");
    scene.start();
    Buffer requests;
    for (size_t i = 0; i < count; ++i) {
        requests.append(get_static);
    }
    Client& client = scene.client();
    assert_true(client.send(requests.view()));
    client.half_close();
    for (size_t i = 0; i < count; ++i) {
        expect_reply(client, 200, "static");
    }
    assert_true(client.is_closed());
}

// ---- who dawdles ----------------------------------------------------------------------------------------------------

void a_connection_without_a_request_ends(Scene& scene) {
    scene.set("server.header_timeout", "300ms");
    scene.start();
    const int64_t begun = fcgate::monotonic_ms();
    Client& client = scene.client();
    assert_true(client.is_closed());
    const int64_t took = fcgate::monotonic_ms() - begun;
    assert_true(took >= 290 && took < 3000);
}

void a_head_that_trickles_in_ends(Scene& scene) {
    scene.set("server.header_timeout", "400ms");
    scene.start();
    Client& client = scene.client();
    const int64_t begun = fcgate::monotonic_ms();
    assert_true(client.send("GET /static.txt HTTP/1.1\r\nHost: localhost\r\nX: "));
    // Each byte in time, the whole not.
    while (!wait_for(client.fd(), POLLIN, fcgate::monotonic_ms() + 50)) {
        (void)client.send("y");
        assert_true(fcgate::monotonic_ms() - begun < 3000);
    }
    assert_true(fcgate::monotonic_ms() - begun >= 390);
    expect_status(client, 408);
    assert_true(client.reply().closes());
    assert_int_equal(client.reply().count("Date"), 1);
    assert_true(client.is_closed());
    assert_true(scene.log.has("408: its head did not come in time (see `header_timeout`)"));
}

void a_second_head_that_stops_ends(Scene& scene) {
    scene.set("server.header_timeout", "300ms");
    scene.start();
    Client& client = scene.client_with("HEAD /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_true(client.read(true));
    assert_true(client.send("GET /static.txt HTT"));
    expect_status(client, 408);
    assert_true(client.is_closed());
}

// Of what comes with the request before it no event tells.
void a_second_head_that_came_ahead_and_stops_ends(Scene& scene) {
#ifdef FCGATE_MHD_TAKES_EVENTS
    scene.set("server.header_timeout", "300ms");
    scene.start();
    Client& client = scene.client_with("HEAD /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\nGET /static.txt HTT");
    assert_true(client.read(true));
    expect_status(client, 408);
    assert_true(client.is_closed());
    assert_true(scene.log.has("408: its head did not come in time (see `header_timeout`)"));
    Client& other = scene.client_with("HEAD /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\nGET  / HTTP/1.1\r\n");
    assert_true(other.read(true));
    expect_status(other, 400);
    assert_true(other.is_closed());
    assert_true(scene.log.has("refused by the HTTP parser"));
#else
    static_cast<void>(scene);  // only the bundled library tells what it has read ahead
#endif
}

void a_refusal_of_head_has_no_body_when_it_comes_late_either(Scene& scene) {
    scene.set("server.body_timeout", "400ms");
    scene.start();
    Client& client =
        scene.client_with("HEAD /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\nsome of it");
    assert_true(client.read(true));
    assert_int_equal(client.reply().status, 408);
    assert_true(client.reply().length > 0);
    assert_true(client.is_closed());
}

void an_idle_connection_ends(Scene& scene) {
    scene.set("server.keepalive_timeout", "300ms");
    scene.start();
    Client& client = scene.client_with(get_static);
    expect_reply(client, 200, "static");
    const int64_t begun = fcgate::monotonic_ms();
    assert_true(client.is_closed());
    const int64_t took = fcgate::monotonic_ms() - begun;
    assert_true(took >= 250 && took < 3000);
}

// Sends a part of a body, and then bytes too few and far between.
void expect_slow_body_ends(Scene& scene, size_t part, bool with_php) {
    scene.set("server.body_timeout", "400ms");
    scene.start();
    Buffer request;
    request.append("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n").append_pattern(part);
    Client& client = scene.client_with(request.view());
    PhpConnection* const php = with_php ? &scene.accept() : nullptr;
    if (with_php) {
        assert_true(php->read_body(part));
    }
    const int64_t begun = fcgate::monotonic_ms();
    while (!wait_for(client.fd(), POLLIN, fcgate::monotonic_ms() + 50)) {
        (void)client.send("y");
        assert_true(fcgate::monotonic_ms() - begun < 4000);
    }
    expect_status(client, 408);
    assert_true(client.is_closed());
#ifdef FCGATE_MHD_TAKES_EVENTS
    // What is on its way does not take the answer back.
    scene.expect_lingering(client, "more");
#endif
    assert_true(scene.log.has("POST /t.php: 408: its body came too slowly (see `body_timeout`)"));
    if (with_php) {
        assert_false(php->read_request());
        assert_true(php->is_left());
    }
    scene.expect_served();
}

void a_body_that_trickles_in_ends(Scene& scene) {
    expect_slow_body_ends(scene, 100, false);
}
void a_body_that_trickles_on_ends_the_script(Scene& scene) {
    expect_slow_body_ends(scene, 70000, true);
}

void a_body_at_a_modest_rate_is_taken(Scene& scene) {
    scene.set("server.body_timeout", "1s");
    scene.start();
    scene.responder.start(scene.php, [](const PhpConnection& request, Buffer& cgi) {
        fcgate::Text<24> size;
        size.append_number(request.body().size());
        cgi.append("X: y\r\n\r\n").append(size.view());
    });
    Client& client = scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12000\r\n\r\n");
    Buffer part;
    part.append_pattern(200);
    for (int i = 0; i < 60; ++i) {
        // Three times the timeout in all.
        assert_false(wait_for(client.fd(), POLLIN, fcgate::monotonic_ms() + 45));
        assert_true(client.send(part.view()));
    }
    expect_reply(client, 200, "12000");
    scene.responder.stop();
}

// The client takes nothing of a reply that no buffer can hold.
void expect_stuck_client_ends(Scene& scene, std::string_view request) {
    scene.set("server.send_timeout", "500ms");
    scene.start();
    Client& client = scene.client({}, 4096);
    assert_true(client.send(request));
    assert_true(scene.log.has("the client takes no more of its reply (see `send_timeout`) [slow-reader]"));
    // What was on its way still arrives, and then the end.
    assert_false(client.read());
    assert_int_equal(client.reply().status, 200);
    client.close();
}

void who_takes_nothing_of_a_script_is_let_go(Scene& scene) {
    scene.listen_php();
    scene.responder.start(scene.php, [](const PhpConnection& /*request*/, Buffer& cgi) {
        cgi.append("X: y\r\n\r\n").append_letters(size_t{24} * 1024 * 1024);
    });
    expect_stuck_client_ends(scene, get_script);
    scene.responder.stop();
    scene.expect_served();
}

void who_takes_nothing_of_a_file_is_let_go(Scene& scene) {
    Buffer content;
    scene.tree.file("large.bin", content.append_letters(size_t{24} * 1024 * 1024).view());
    expect_stuck_client_ends(scene, "GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
    scene.expect_served();
}

void a_slow_script_is_not_taken_for_a_slow_client(Scene& scene) {
    scene.set("server.send_timeout", "300ms");
    scene.set("server.keepalive_timeout", "300ms");
    scene.set("server.header_timeout", "300ms");
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(client.next(fcgate::monotonic_ms() + 700) == Receipt::late);
    assert_true(php.out("X: y\r\n\r\npart"));
    assert_true(client.read_head() && client.read_body(4));
    // Longer than the timeout and the tick that looks for it.
    assert_false(wait_for(client.fd(), POLLIN, fcgate::monotonic_ms() + 1500));
    assert_true(php.out(" rest") && php.end());
    assert_true(client.read());
    check_text(client.reply().body.view(), "part rest");
}

// ---- who comes in numbers -------------------------------------------------------------------------------------------

// The server tells the time in milliseconds.
void let_a_millisecond_pass() {
    const int64_t now = fcgate::monotonic_ms();
    while (fcgate::monotonic_ms() <= now + 1) {}
}

void the_longest_idle_makes_room(Scene& scene) {
    scene.set("server.max_connections", "4");
    scene.set("server.reserved_connections", "0");
    scene.start();
    Client* clients[4];
    for (Client*& client : clients) {
        client = &scene.client_with(get_static);
        expect_reply(*client, 200, "static");
        let_a_millisecond_pass();
    }
    // The second has been used since, so the first is the longest idle, then the third.
    assert_true(clients[1]->send(get_static));
    expect_reply(*clients[1], 200, "static");
    Client& fifth = scene.client_with(get_static);
    expect_reply(fifth, 200, "static");
    assert_true(clients[0]->is_closed());
    Client& sixth = scene.client_with(get_static);
    expect_reply(sixth, 200, "static");
    assert_true(clients[2]->is_closed());
    for (Client* const client : {clients[1], clients[3], &fifth, &sixth}) {
        assert_true(client->send(get_static));
        expect_reply(*client, 200, "static");
    }
}

// Whichever thread hears of a newcomer: the one idle connection may be another's, and each of them is the idle one once.
void the_idle_of_another_thread_makes_room(Scene& scene) {
    scene.set("server.threads", "2");
    scene.set("server.max_connections", "4");
    scene.set("server.reserved_connections", "0");
    scene.set("server.keepalive_timeout", "60s");
    scene.start();
    Client* clients[4];
    PhpConnection* php[4];
    for (size_t i = 0; i < 4; ++i) {
        clients[i] = &scene.client_with(get_script);
        php[i] = &scene.take();
    }
    for (size_t i = 0; i < 4; ++i) {
        assert_true(php[i]->answer(hello));
        expect_reply(*clients[i], 200, "hello");
        Client& newcomer = scene.client_with(get_script);
        php[i] = &scene.take();
        assert_true(clients[i]->is_closed());
        clients[i] = &newcomer;
    }
    for (size_t i = 0; i < 4; ++i) {
        assert_true(php[i]->answer(hello));
        expect_reply(*clients[i], 200, "hello");
    }
}

void when_all_are_busy_who_comes_waits(Scene& scene) {
    scene.set("server.max_connections", "3");
    scene.set("server.reserved_connections", "0");
    scene.start();
    Client* clients[3];
    PhpConnection* php[3];
    for (size_t i = 0; i < 3; ++i) {
        clients[i] = &scene.client_with(get_script);
        php[i] = &scene.take();
    }
    Client& late = scene.client_with(get_static);
    // The busy ones go on, and nobody is cut off for the one who waits.
    assert_true(php[1]->out("X: y\r\n\r\npart"));
    assert_true(clients[1]->read_head() && clients[1]->read_body(4));
    assert_false(is_readable(late.fd()));
    assert_true(php[0]->answer(hello));
    expect_reply(*clients[0], 200, "hello");
    expect_reply(late, 200, "static");
    assert_true(php[1]->end() && php[2]->answer(hello));
    assert_true(clients[1]->read());
    expect_reply(*clients[2], 200, "hello");
}

void many_more_than_fit_are_all_served(Scene& scene) {
    scene.set("server.max_connections", "8");
    scene.set("server.reserved_connections", "0");
    scene.start();
    Client* clients[64];
    for (Client*& client : clients) {
        client = &scene.client_with("GET /static.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    }
    for (Client* const client : clients) {
        expect_reply(*client, 200, "static");
        assert_true(client->is_closed());
    }
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(who_leaves_while_php_works_ends_its_work),
        FCGATE_CASE(who_leaves_during_the_reply_ends_the_script),
        FCGATE_CASE(who_leaves_during_the_upload_ends_the_script),
        FCGATE_CASE(a_reset_and_a_half_close_are_the_same),
        FCGATE_CASE(who_takes_nothing_of_a_script_is_let_go),
        FCGATE_CASE(who_takes_nothing_of_a_file_is_let_go),
        FCGATE_CASE(who_half_closes_behind_many_requests_has_the_end_behind_the_last_reply),
        FCGATE_CASE(the_longest_idle_makes_room),
        FCGATE_CASE(the_idle_of_another_thread_makes_room),
        FCGATE_CASE(when_all_are_busy_who_comes_waits),
        FCGATE_CASE(many_more_than_fit_are_all_served),
    };
    // They wait for the clock, which does not depend on the transport.
    static constexpr Case slow_cases[] = {
        FCGATE_CASE(a_connection_without_a_request_ends),
        FCGATE_CASE(a_head_that_trickles_in_ends),
        FCGATE_CASE(a_second_head_that_stops_ends),
        FCGATE_CASE(a_second_head_that_came_ahead_and_stops_ends),
        FCGATE_CASE(a_refusal_of_head_has_no_body_when_it_comes_late_either),
        FCGATE_CASE(an_idle_connection_ends),
        FCGATE_CASE(a_body_that_trickles_in_ends),
        FCGATE_CASE(a_body_that_trickles_on_ends_the_script),
        FCGATE_CASE(a_body_at_a_modest_rate_is_taken),
        FCGATE_CASE(a_slow_script_is_not_taken_for_a_slow_client),
    };
    static constexpr Variant one[] = {{.name = "TCP"}};
    static constexpr Variant variants[] = {{.name = "TCP"}, {.name = "unix front", .front_is_local = true}};
    return play("clients", cases, variants) + play("clients and the clock", slow_cases, one);
}
