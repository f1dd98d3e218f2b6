// The gate before PHP: never more connections than workers, in order and in fair shares, kept connections and event streams.
#include <algorithm>

#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr size_t crowd = 50;

void append_get(Buffer& to, std::string_view query, std::string_view fields = {}) {
    to.append("GET /t.php?").append(query).append(" HTTP/1.1\r\nHost: localhost\r\n").append(fields).append("\r\n");
}

Client& ask(Scene& scene, std::string_view query, std::string_view source = {}, std::string_view fields = {}) {
    Buffer request;
    append_get(request, query, fields);
    Client& client = scene.client(source);
    assert_true(client.send(request.view()));
    return client;
}

void set_workers(Scene& scene, const char* workers) {
    scene.set("backend.workers", workers);
    scene.set("backend.queue", "64");
    scene.set("server.exchanges", "128");
    scene.set("server.max_connections", "160");
}

void repeat_query(const PhpConnection& request, Buffer& cgi) {
    cgi.append("X: y\r\n\r\n").append(request.param("QUERY_STRING"));
}

// ---- places ---------------------------------------------------------------------------------------------------------

void expect_a_crowd_is_served(Scene& scene, const char* workers, size_t places) {
    set_workers(scene, workers);
    scene.start();
    scene.responder.start(scene.php, &repeat_query);
    Client* clients[crowd];
    for (Client*& client : clients) {
        client = &scene.client();
    }
    for (unsigned round = 0; round < 4; ++round) {
        fcgate::Text<24> queries[crowd];
        for (size_t i = 0; i < crowd; ++i) {
            queries[i].append_number(round * crowd + i);
            Buffer request;
            append_get(request, queries[i].view());
            assert_true(clients[i]->send(request.view()));
        }
        for (size_t i = 0; i < crowd; ++i) {
            expect_reply(*clients[i], 200, queries[i].view());
        }
    }
    scene.responder.stop();
    assert_int_equal(scene.responder.requests(), 4 * crowd);
    assert_false(scene.responder.saw_malformed());
    // Never more, and none left unused.
    assert_int_equal(scene.responder.most_open(), places);
}

void one_worker_gets_one_connection(Scene& scene) {
    expect_a_crowd_is_served(scene, "1", 1);
}
void two_workers_get_two_connections(Scene& scene) {
    expect_a_crowd_is_served(scene, "2", 2);
}
void four_workers_get_four_connections(Scene& scene) {
    expect_a_crowd_is_served(scene, "4", 4);
}

void a_connection_a_request_without_keep_alive(Scene& scene) {
    scene.set("backend.keep_alive", "no");
    set_workers(scene, "2");
    scene.start();
    scene.responder.start(scene.php, &repeat_query);
    Client* clients[crowd];
    for (Client*& client : clients) {
        client = &ask(scene, "x");
    }
    for (Client* client : clients) {
        expect_reply(*client, 200, "x");
    }
    scene.responder.stop();
    assert_int_equal(scene.responder.connections(), crowd);
    assert_true(scene.responder.most_open() <= 2);
}

// ---- order ----------------------------------------------------------------------------------------------------------

void who_came_first_is_served_first(Scene& scene) {
    set_workers(scene, "1");
    scene.start();
    constexpr std::string_view names[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    Client* clients[8];
    for (size_t i = 0; i < 8; ++i) {
        clients[i] = &ask(scene, names[i]);
        scene.settle();
    }
    for (size_t i = 0; i < 8; ++i) {
        PhpConnection& php = scene.take();
        check_text(php.param("QUERY_STRING"), names[i]);
        assert_false(scene.php.has_caller());
        assert_true(php.answer(hello));
        expect_reply(*clients[i], 200, "hello");
    }
    // Handed on from one to the next.
    assert_int_equal(scene.php.connections(), 1);
}

void a_client_with_many_requests_takes_turns_with_the_others(Scene& scene) {
    set_workers(scene, "1");
    scene.start();
    constexpr std::string_view greedy[] = {"a0", "a1", "a2", "a3", "a4", "a5"};
    constexpr std::string_view modest[] = {"b0", "b1"};
    for (const std::string_view name : greedy) {
        (void)ask(scene, name, "127.0.0.1");
        scene.settle();
    }
    for (const std::string_view name : modest) {
        (void)ask(scene, name, "127.0.0.2");
        scene.settle();
    }
    // a0 is served, a1 to a5 wait; then the others' first waits with a1, their second with a2.
    constexpr std::string_view order[] = {"a0", "a1", "b0", "a2", "b1", "a3", "a4", "a5"};
    for (const std::string_view name : order) {
        PhpConnection& php = scene.take();
        check_text(php.param("QUERY_STRING"), name);
        assert_true(php.answer(hello));
    }
}

void a_full_queue_makes_room_for_a_client_that_holds_less(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.set("backend.queue", "3");
    scene.start();
    Client& served = ask(scene, "a0", "127.0.0.1");
    scene.settle();
    Client& first = ask(scene, "a1", "127.0.0.1");
    scene.settle();
    Client& second = ask(scene, "a2", "127.0.0.1");
    scene.settle();
    Client& third = ask(scene, "a3", "127.0.0.1");
    scene.settle();
    Client& refused = ask(scene, "a4", "127.0.0.1");
    expect_status(refused, 503);
    Client& other = ask(scene, "b0", "127.0.0.2");
    expect_status(third, 503);
    assert_int_equal(third.reply().count("Retry-After"), 1);
    assert_true(scene.log.has("GET /t.php?a3: 503: backend"));
    assert_int_equal(
        scene.log.count("made room in the full queue for a client that holds less of it (see `queue`) [queue-evicted]"),
        1);
    Client* const order[] = {&served, &first, &other, &second};
    for (Client* const client : order) {
        assert_true(scene.take().answer(hello));
        expect_reply(*client, 200, "hello");
    }
}

// Many requests that wait for three places; then one of somebody else.
void expect_one_client(Scene& scene, const char* const* addresses, const char* other) {
    scene.set("site.trusted_proxy", "127.0.0.0/8");
    scene.set("backend.workers", "1");
    scene.set("backend.queue", "3");
    scene.start();
    Client* clients[4];
    for (size_t i = 0; i < 4; ++i) {
        Buffer fields;
        fields.append("X-Forwarded-For: ").append(addresses[i]).append("\r\n");
        clients[i] = &ask(scene, "many", {}, fields.view());
        scene.settle();
    }
    Buffer fields;
    fields.append("X-Forwarded-For: ").append(other).append("\r\n");
    Client& newcomer = ask(scene, "other", {}, fields.view());
    expect_status(*clients[3], 503);
    // Behind the one that is served and the first that waits.
    for (const std::string_view query : {"many", "many", "other", "many"}) {
        PhpConnection& php = scene.take();
        check_text(php.param("QUERY_STRING"), query);
        assert_true(php.answer(hello));
    }
    expect_reply(newcomer, 200, "hello");
}

void behind_a_proxy_it_is_the_forwarded_address_that_counts(Scene& scene) {
    constexpr const char* one[] = {"198.51.100.1", "198.51.100.1", "198.51.100.1", "198.51.100.1"};
    expect_one_client(scene, one, "198.51.100.2");
}
void a_network_of_ipv6_is_one_client(Scene& scene) {
    constexpr const char* one[] = {"2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:3::", "2001:db8:1:2:ffff::1"};
    expect_one_client(scene, one, "2001:db8:1:3::1");
}
void each_local_address_of_ipv6_is_a_client(Scene& scene) {
    constexpr const char* one[] = {"fd00::1", "fd00::1", "fd00::1", "fd00::1"};
    expect_one_client(scene, one, "fd00::2");
}
void each_link_local_address_is_a_client(Scene& scene) {
    constexpr const char* one[] = {"fe80::1", "fe80::1", "fe80::1", "fe80::1"};
    expect_one_client(scene, one, "fe80::2");
}

// ---- the queue's limits ---------------------------------------------------------------------------------------------

void a_full_queue_is_503(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.set("backend.queue", "2");
    scene.start();
    Client& served = ask(scene, "1");
    PhpConnection& php = scene.take();
    Client& first = ask(scene, "2");
    Client& second = ask(scene, "3");
    scene.settle();
    Client& refused = ask(scene, "4");
    expect_status(refused, 503);
    check_text(refused.reply().field("Retry-After"), "2");
    assert_true(scene.log.has("warning: GET /t.php?4: 503: backend"));
    assert_true(
        scene.log.has("all PHP workers are busy and the queue is full (see `workers` and `queue`) [queue-full]"));
    assert_true(php.answer(hello));
    expect_reply(served, 200, "hello");
    for (Client* const client : {&first, &second}) {
        assert_true(scene.take().answer(hello));
        expect_reply(*client, 200, "hello");
    }
    scene.expect_served();
}

void a_queue_of_none_is_allowed(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.set("backend.queue", "0");
    scene.start();
    Client& served = ask(scene, "1");
    PhpConnection& php = scene.take();
    Client& refused = ask(scene, "2");
    expect_status(refused, 503);
    assert_true(php.answer(hello));
    expect_reply(served, 200, "hello");
    scene.expect_served();
}

void waiting_has_an_end(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.set("backend.queue_timeout", "300ms");
    scene.start();
    Client& served = ask(scene, "1");
    PhpConnection& php = scene.take();
    // A busy machine may delay one or another.
    int64_t shortest = INT64_MAX;
    for (int i = 0; i < 3; ++i) {
        const int64_t begun = fcgate::monotonic_ms();
        Client& late = ask(scene, "2");
        expect_status(late, 503);
        check_text(late.reply().field("Retry-After"), "2");
        shortest = std::min(shortest, fcgate::monotonic_ms() - begun);
    }
    assert_true(shortest >= 299 && shortest < 500);
    assert_true(scene.log.has("warning: GET /t.php?2: 503: backend"));
    assert_true(scene.log.has("no PHP worker became free in time (see `queue_timeout`) [queue-timeout]"));
    // Its place in the queue went with it.
    assert_true(php.answer(hello));
    expect_reply(served, 200, "hello");
    scene.expect_served();
}

void who_leaves_while_waiting_leaves_the_queue(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.set("backend.queue", "2");
    scene.start();
    Client& served = ask(scene, "1");
    PhpConnection& php = scene.take();
    Client& first = ask(scene, "2");
    Client& second = ask(scene, "3");
    scene.settle();
    first.close();
    second.reset();
    scene.settle();
    // The queue has room again, and neither of the two reaches PHP.
    Client& third = ask(scene, "4");
    scene.settle();
    assert_true(php.answer(hello));
    expect_reply(served, 200, "hello");
    PhpConnection& next = scene.take();
    check_text(next.param("QUERY_STRING"), "4");
    assert_true(next.answer(hello));
    expect_reply(third, 200, "hello");
}

void too_many_exchanges_are_503(Scene& scene) {
    scene.set("server.exchanges", "2");
    scene.start();
    Client& first = ask(scene, "1");
    Client& second = ask(scene, "2");
    scene.settle();
    Client& third = ask(scene, "3");
    expect_status(third, 503);
    assert_true(scene.log.has("GET /t.php?3: 503: too many requests wait for PHP (see `exchanges`) [exchanges-full]"));
    for (Client* const client : {&first, &second}) {
        assert_true(scene.take().answer(hello));
        expect_reply(*client, 200, "hello");
    }
}

}  // namespace

int main() {
    // What depends on the order of arrival is played with one thread.
    static constexpr Case cases[] = {
        FCGATE_CASE(who_came_first_is_served_first),
        FCGATE_CASE(a_client_with_many_requests_takes_turns_with_the_others),
        FCGATE_CASE(a_full_queue_makes_room_for_a_client_that_holds_less),
        FCGATE_CASE(behind_a_proxy_it_is_the_forwarded_address_that_counts),
        FCGATE_CASE(a_network_of_ipv6_is_one_client),
        FCGATE_CASE(each_local_address_of_ipv6_is_a_client),
        FCGATE_CASE(each_link_local_address_is_a_client),
        FCGATE_CASE(a_full_queue_is_503),
        FCGATE_CASE(a_queue_of_none_is_allowed),
        FCGATE_CASE(waiting_has_an_end),
        FCGATE_CASE(who_leaves_while_waiting_leaves_the_queue),
        FCGATE_CASE(too_many_exchanges_are_503),
    };
    static constexpr Case crowds[] = {
        FCGATE_CASE(one_worker_gets_one_connection),
        FCGATE_CASE(two_workers_get_two_connections),
        FCGATE_CASE(four_workers_get_four_connections),
        FCGATE_CASE(a_connection_a_request_without_keep_alive),
    };
    static constexpr Variant one[] = {{.name = "unix"}};
    static constexpr Variant variants[] = {
        {.name = "unix"},
        {.name = "TCP, 2 threads", .threads = "2", .php_over_tcp = true},
        {.name = "unix, 3 threads", .threads = "3"},
    };
    return play("gate", cases, one) + play("gate under a crowd", crowds, variants);
}
