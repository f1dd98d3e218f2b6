// What one client cannot do, however much it asks for: keep another's first request out. In every capacity there is room for that one.
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.hpp"
#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view greedy = "127.0.0.1";
constexpr std::string_view modest = "127.0.0.2";
constexpr std::string_view another = "127.0.0.3";

Client& ask(Scene& scene, std::string_view query, std::string_view source = {}) {
    Buffer request;
    request.append("GET /t.php?").append(query).append(" HTTP/1.1\r\nHost: localhost\r\n\r\n");
    Client& client = scene.client(source);
    assert_true(client.send(request.view()));
    return client;
}

// ... and waits until the server has it.
Client& ask_and_settle(Scene& scene, std::string_view query, std::string_view source = {}) {
    Client& client = ask(scene, query, source);
    scene.settle();
    return client;
}

void expect_503(Scene& scene, Client& client, std::string_view query, std::string_view end) {
    expect_status(client, 503);
    assert_int_equal(client.reply().count("Retry-After"), 1);
    Buffer begin;
    begin.append("warning: GET /t.php?").append(query).append(": 503: backend ");
    assert_true(scene.log.has(begin.view()));
    assert_int_equal(scene.log.count(begin.view(), end), 1);
}

// Answers the requests in the order in which they must come.
void expect_order(Scene& scene, std::span<const std::string_view> queries) {
    for (const std::string_view query : queries) {
        PhpConnection& php = scene.take();
        check_text(php.param("QUERY_STRING"), query);
        assert_true(php.answer(hello));
    }
}

// ---- exchanges ------------------------------------------------------------------------------------------------------

void waiters_of_the_greediest_make_room(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.set("server.exchanges", "4");
    scene.start();
    (void)ask_and_settle(scene, "a0", greedy);
    (void)ask_and_settle(scene, "a1", greedy);
    Client& third = ask_and_settle(scene, "a2", greedy);
    Client& fourth = ask_and_settle(scene, "a3", greedy);
    // Its own requests do not make room for each other.
    Client& fifth = ask(scene, "a4", greedy);
    expect_status(fifth, 503);
    assert_true(scene.log.has("GET /t.php?a4: 503: "));
    // The last that came leaves first.
    (void)ask_and_settle(scene, "b0", modest);
    expect_503(scene, fourth, "a3", " [exchange-evicted]\n");
    (void)ask_and_settle(scene, "c0", another);
    expect_503(scene, third, "a2", " [exchange-evicted]\n");
    // Two against one and one: nobody has two more than a newcomer would have.
    Client& second = ask(scene, "b1", modest);
    expect_status(second, 503);
    constexpr std::string_view order[] = {"a0", "a1", "b0", "c0"};
    expect_order(scene, order);
    // Who had to leave may come again on its connection.
    assert_true(fourth.send("GET /t.php?again HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_true(scene.take().answer(hello));
    expect_reply(fourth, 200, "hello");
}

void whoever_has_begun_is_not_cut_off(Scene& scene) {
    scene.set("backend.workers", "3");
    scene.set("server.exchanges", "3");
    scene.start();
    Client* clients[3];
    PhpConnection* php[3];
    for (size_t i = 0; i < 3; ++i) {
        clients[i] = &ask(scene, "a", greedy);
        php[i] = &scene.take();
    }
    Client& other = ask(scene, "b", modest);
    expect_status(other, 503);
    assert_true(scene.log.has("too many requests wait for PHP (see `exchanges`)"));
    for (size_t i = 0; i < 3; ++i) {
        assert_true(php[i]->answer(hello));
        expect_reply(*clients[i], 200, "hello");
    }
    scene.expect_served();
}

// They have not asked for PHP yet, and hold an exchange all the same.
void slow_uploads_of_the_greediest_make_room(Scene& scene) {
    scene.set("server.exchanges", "3");
    scene.start();
    constexpr std::string_view begin = "POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello";
    Client* uploads[3];
    for (Client*& upload : uploads) {
        upload = &scene.client(greedy);
        assert_true(upload->send(begin));
        scene.settle();
    }
    Client& other = ask(scene, "b", modest);
    PhpConnection& php = scene.take();
    check_text(php.param("QUERY_STRING"), "b");
    assert_true(php.answer(hello));
    expect_reply(other, 200, "hello");
    // The last of them hears it behind its body, as always; the connection is as good as before.
    assert_true(uploads[2]->send("world"));
    expect_status(*uploads[2], 503);
    assert_true(scene.log.has("POST /t.php: 503: backend "));
    assert_int_equal(scene.log.count("POST /t.php: 503: backend ", " [exchange-evicted]\n"), 1);
    for (size_t i = 0; i < 2; ++i) {
        assert_true(uploads[i]->send("world"));
        PhpConnection& upload = scene.take();
        check_text(upload.body(), "helloworld");
        assert_true(upload.answer(hello));
        expect_reply(*uploads[i], 200, "hello");
    }
    assert_true(uploads[2]->send(get_script));
    assert_true(scene.take().answer(hello));
    expect_reply(*uploads[2], 200, "hello");
}

// A quarter of the exchanges is for requests without a body that is still coming.
void uploads_make_room_for_each_other_alone(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.set("server.exchanges", "8");
    scene.start();
    constexpr std::string_view begin = "POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello";
    Client& first = ask_and_settle(scene, "a0", greedy);
    Client& second = ask_and_settle(scene, "a1", greedy);
    constexpr std::string_view sources[] = {modest,      another,     "127.0.0.4", "127.0.0.5",
                                            "127.0.0.6", "127.0.0.7", "127.0.0.8"};
    Client* last = nullptr;
    for (const std::string_view source : sources) {
        last = &scene.client(source);
        assert_true(last->send(begin));
        scene.settle();
    }
    assert_true(last->send("world"));
    expect_status(*last, 503);
    assert_true(scene.log.has("too many requests wait for PHP (see `exchanges`)"));
    constexpr std::string_view order[] = {"a0", "a1"};
    expect_order(scene, order);
    expect_reply(first, 200, "hello");
    expect_reply(second, 200, "hello");
}

// ---- the queue ------------------------------------------------------------------------------------------------------

void with_the_defaults_a_newcomer_is_the_next_but_one(Scene& scene) {
    scene.start();
    Client* clients[40];
    for (Client*& client : clients) {
        client = &ask(scene, "a", greedy);
    }
    scene.settle();
    Client& other = ask_and_settle(scene, "b", modest);
    size_t before = 0;
    for (bool served = false; !served; ++before) {
        PhpConnection& php = scene.take();
        served = php.param("QUERY_STRING") == "b";
        assert_true(php.answer(hello));
    }
    expect_reply(other, 200, "hello");
    // Four were in PHP already, and it is the second of those behind them; the order in which PHP's workers are looked at here is not theirs.
    assert_true(before <= 8);
    size_t served = before - 1;
    for (; served < 31; ++served) {
        assert_true(scene.take().answer(hello));
    }
    size_t refused = 0;
    for (Client* const client : clients) {
        assert_true(client->read());
        refused += client->reply().status == 503 ? 1U : 0U;
        assert_true(client->reply().status == 503 || client->reply().status == 200);
    }
    assert_int_equal(refused, 40 - 31);
}

// ---- slow readers ---------------------------------------------------------------------------------------------------

constexpr size_t much = size_t{400} * 1024;

void write_much(const PhpConnection& request, Buffer& cgi) {
    cgi.append("X: y\r\n\r\n");
    if (request.param("QUERY_STRING") == "much") {
        cgi.append_pattern(much);
    } else {
        cgi.append("little");
    }
}

void expect_much(Client& client) {
    assert_true(client.read());
    Buffer whole;
    expect_same(client.reply().body.view(), whole.append_pattern(much).view());
}

// What they have not read takes pages, no exchange and no worker, as long as there are pages.
void slow_readers_hold_nothing_but_pages(Scene& scene) {
    scene.set("backend.workers", "2");
    scene.set("server.exchanges", "2");
    scene.set("server.response_memory", "8m");
    scene.set("server.response_buffer", "512k");
    scene.start();
    scene.responder.start(scene.php, &write_much);
    Client* slow[12];
    for (Client*& client : slow) {
        client = &ask(scene, "much");
        assert_true(client->read_head());
        scene.settle();
    }
    for (int i = 0; i < 20; ++i) {
        Client& quick = ask(scene, "little");
        expect_reply(quick, 200, "little");
        quick.close();
    }
    for (Client* const client : slow) {
        expect_much(*client);
    }
    scene.responder.stop();
    assert_int_equal(scene.log.count(": 503: "), 0);
    scene.expect_served();
}

void slow_readers_that_leave_give_their_pages_back(Scene& scene) {
    scene.set("backend.workers", "2");
    scene.set("server.exchanges", "2");
    scene.set("server.response_memory", "1m");
    scene.set("server.response_buffer", "512k");
    scene.start();
    scene.responder.start(scene.php, &write_much);
    // Many more in all than there are pages.
    for (int i = 0; i < 40; ++i) {
        Client& slow = ask(scene, "much");
        assert_true(slow.read_head());
        scene.settle();
        slow.close();
    }
    Client& client = ask(scene, "much");
    expect_much(client);
    scene.responder.stop();
    scene.expect_served();
}

// Without a page to wait in a body would go to PHP before it is there.
void uploads_that_leave_give_their_pages_back(Scene& scene) {
    scene.set("server.response_memory", "512k");
    scene.start();
    Buffer request;
    request.append("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n").append_pattern(50000);
    for (int i = 0; i < 15; ++i) {
        Client& client = scene.client_with(request.view());
        scene.settle();
        client.close();
        scene.settle();
    }
    assert_false(scene.php.has_caller());
}

// PHP that writes until nobody takes more.
void pour(const PhpConnection& php) {
    Buffer cgi;
    Buffer records;
    append_output(records, cgi.append("X: y\r\n\r\n").append_pattern(2 * much).view());
    std::string_view left = records.view();
    // It is full when it stays full: fcgate takes on for as long as it has pages.
    while (wait_for(php.fd(), POLLOUT, fcgate::monotonic_ms() + 200)) {
        const ssize_t count = send(php.fd(), left.data(), left.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        assert_true(count > 0 && static_cast<size_t>(count) < left.size());
        left.remove_prefix(static_cast<size_t>(count));
    }
}

// Without a page to spare they hold back PHP, and the others' replies go through the page that each of them has.
void used_up_pages_slow_the_others_and_refuse_nobody(Scene& scene) {
    scene.set("backend.workers", "8");
    scene.set("server.exchanges", "8");
    scene.set("server.response_memory", "64k");
    scene.set("server.response_buffer", "64k");
    scene.start();
    Client* slow[6];
    PhpConnection* php[6];
    for (size_t i = 0; i < 6; ++i) {
        slow[i] = &ask(scene, "much");
        php[i] = &scene.take();
        pour(*php[i]);
    }
    scene.responder.start(scene.php, &write_much);
    for (int i = 0; i < 3; ++i) {
        Client& quick = ask(scene, "much");
        expect_much(quick);
        // A body finds no page to wait in, and goes to PHP as it comes.
        assert_true(quick.send("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\n"));
        Buffer body;
        assert_true(quick.send(body.append_pattern(300000).view()));
        expect_reply(quick, 200, "little");
        quick.close();
    }
    scene.responder.stop();
    for (size_t i = 0; i < 6; ++i) {
        slow[i]->close();
        assert_true(php[i]->is_left());
    }
    scene.expect_served();
    assert_int_equal(scene.log.count(": 503: "), 0);
}

// Then a body stays with libmicrohttpd. Its client has sent all of it, and may shut his side (`on_abort = finish`).
void a_body_that_finds_no_page_needs_no_more_than_half_a_connection(Scene& scene) {
    if (fcgate::slice(fcgate_libmicrohttpd_version(), 0, 2) == "0.") {
        return;  // it reads the end of the client's side before it offers the body again
    }
    scene.set("backend.on_abort", "finish");
    scene.set("backend.workers", "2");
    scene.set("server.exchanges", "8");
    scene.set("server.response_memory", "64k");
    scene.set("server.response_buffer", "64k");
    scene.start();
    Client& slow = ask(scene, "much");
    PhpConnection& much_of_it = scene.take();
    pour(much_of_it);
    Buffer request;
    request.append("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000\r\n\r\n").append_pattern(3000);
    // Not the first on its connection: each is counted from its own begin.
    Client& client = scene.client_with(request.view());
    PhpConnection& before = scene.take();
    assert_true(before.answer(hello));
    expect_reply(client, 200, "hello");
    Client& first = ask(scene, "first");
    PhpConnection& busy = scene.take();
    assert_true(client.send(request.view()));
    // Behind it only a part of a request, which ends with him.
    assert_true(client.send("GET /t.php"));
    client.half_close();
    scene.settle();
    assert_true(busy.answer(hello));
    expect_reply(first, 200, "hello");
    PhpConnection& php = scene.take();
    Buffer body;
    expect_same(php.body(), body.append_pattern(3000).view());
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    assert_true(client.is_closed());
    slow.reset();
}

// ---- lingering ------------------------------------------------------------------------------------------------------

// Whoever was refused in the middle of his body may read the answer; there are places for some, and the one who has had his for longest
// makes room.
void whoever_lingers_longest_gives_way(Scene& scene) {
    constexpr size_t places = fcgate::limits::lingering_connections;
    scene.set("site.max_body", "1k");
    scene.set("server.max_connections_per_client", "40");
    scene.start();
    Client* clients[places + 1];
    const int64_t begun = fcgate::monotonic_ms();
    for (Client*& client : clients) {
        client =
            &scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nsome of it");
        expect_status(*client, 413);
        assert_true(client->reply().closes());
    }
    // A write to who has given way is answered with a reset; the others take what is sent.
    const int64_t deadline = soon();
    while (send(clients[0]->fd(), "x", 1, MSG_NOSIGNAL) == 1 && fcgate::monotonic_ms() < deadline) {
        (void)poll(nullptr, 0, 5);
    }
    const bool was_at_once = fcgate::monotonic_ms() - begun < fcgate::limits::linger_ms / 2;
    for (size_t i = 1; was_at_once && i <= places; ++i) {
        for (int again = 0; again < 3; ++again) {
            assert_int_equal(send(clients[i]->fd(), "x", 1, MSG_NOSIGNAL), 1);
        }
    }
    scene.expect_served();
}

// So may whoever was refused by his head alone.
void whoever_is_refused_at_once_may_send_on(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(
        "POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\nExpect: the-unexpected\r\n\r\n");
    expect_status(client, 417);
    assert_true(client.reply().closes());
    scene.expect_lingering(client, "some of it");
}

// A client who knocks while no descriptor is left, and comes in when there are some again.
void knock_without_descriptors(Scene& scene) {
    const int fd = socket(scene.front.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    rlimit before{};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{1, before.rlim_max};  // poll() would not look at a descriptor with 0
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const bool knocks = connect(fd, scene.front.get(), scene.front.length) == 0 &&
                        send_bytes(fd, "GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n", soon()) > 0;
    // Long enough for several tries.
    const bool is_heard = wait_for(fd, POLLIN, fcgate::monotonic_ms() + 900);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(knocks);
    assert_false(is_heard);
    assert_true(wait_for(fd, POLLIN, soon()));
    close(fd);
    scene.expect_served();
}

void that_nobody_can_come_in_is_said_once(Scene& scene) {
    scene.start();
    scene.expect_served();
    for (size_t times = 1; times <= 2; ++times) {
        knock_without_descriptors(scene);
        assert_int_equal(scene.log.count("error: no connection can be accepted: "), times);
    }
}

// ---- large heads ----------------------------------------------------------------------------------------------------

// A reply with a head nearly as large as there may be, of which more is to come.
struct Begun {
    Client& client;
    PhpConnection& php;
};

Begun begin_large_head(Scene& scene, unsigned status) {
    Client& client = ask(scene, "large");
    PhpConnection& php = scene.take();
    Buffer head;
    for (int i = 0; i < 140; ++i) {
        head.append("X-Large: ").append_letters(55).append("\r\n");
    }
    assert_true(php.out(head.append("\r\npart").view()));
    assert_true(client.read_head());
    assert_int_equal(client.reply().status, status);
    return {client, php};
}

void large_heads_share_their_memory_and_give_it_back_once(Scene& scene) {
    scene.set("server.exchanges", "4");
    scene.start();
    for (int i = 1; i < 4; ++i) {
        const Begun one = begin_large_head(scene, 200);
        begin_large_head(scene, 503).php.close();
        assert_int_equal(scene.log.count("GET /t.php?large: 503: too many replies with large heads"), i);
        assert_true(one.php.end() && one.client.read());
        one.php.close();
        // The next reply on its connection has room of its own.
        assert_true(one.client.send("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        expect_reply(one.client, 200, "static");
        // Who leaves without a reply has nothing to give back.
        assert_true(one.client.send("GET /t.php?small HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        PhpConnection& php = scene.take();
        one.client.close();
        scene.settle();
        php.close();
    }
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(waiters_of_the_greediest_make_room),
        FCGATE_CASE(whoever_has_begun_is_not_cut_off),
        FCGATE_CASE(slow_uploads_of_the_greediest_make_room),
        FCGATE_CASE(uploads_make_room_for_each_other_alone),
        FCGATE_CASE(with_the_defaults_a_newcomer_is_the_next_but_one),
        FCGATE_CASE(whoever_lingers_longest_gives_way),
        FCGATE_CASE(whoever_is_refused_at_once_may_send_on),
        FCGATE_CASE(that_nobody_can_come_in_is_said_once),
        FCGATE_CASE(large_heads_share_their_memory_and_give_it_back_once),
    };
    static constexpr Variant one[] = {{.name = "unix"}};
    // A unix socket to the client takes a known amount, TCP on loopback nearly any.
    static constexpr Case slow_cases[] = {
        FCGATE_CASE(slow_readers_hold_nothing_but_pages),
        FCGATE_CASE(slow_readers_that_leave_give_their_pages_back),
        FCGATE_CASE(uploads_that_leave_give_their_pages_back),
        FCGATE_CASE(used_up_pages_slow_the_others_and_refuse_nobody),
        FCGATE_CASE(a_body_that_finds_no_page_needs_no_more_than_half_a_connection),
    };
    static constexpr Variant local[] = {{.name = "unix front", .front_is_local = true}};
    return play("room", cases, one) + play("room beside slow readers", slow_cases, local);
}
