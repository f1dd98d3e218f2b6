// Connections to PHP that are kept: used again, handed on, parked for a while, found dead; and event streams, which hold theirs long.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.hpp"

namespace {

using namespace fcgate::test;
using fcgate::Text;

// A client that a script has answered, over this connection.
struct Served {
    Client& client;
    PhpConnection& php;
};

Served answer_one(Scene& scene, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    Client& client = scene.client_with(get_script, file, line);
    PhpConnection& php = scene.take(file, line);
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello", file, line);
    return {client, php};
}

constexpr std::string_view post = "POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
constexpr std::string_view ask_stream =
    "GET /t.php?stream HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
constexpr std::string_view stream_head = "Content-Type: text/event-stream; charset=utf-8\r\n\r\ndata: x\n\n";

// ---- kept and parked ------------------------------------------------------------------------------------------------

void a_kept_connection_serves_the_next_request(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.keeps_connection());
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    for (int i = 0; i < 10; ++i) {
        assert_true(client.send(get_script));
        assert_true(php.read_request());
        assert_true(php.answer(hello));
        expect_reply(client, 200, "hello");
    }
    assert_int_equal(scene.php.connections(), 1);
    assert_false(scene.php.has_caller());
}

// What the script says to HEAD is read to its end, and dropped.
void a_head_leaves_its_connection_to_the_next(Scene& scene) {
    scene.start();
    Client& first = scene.client_with("HEAD /t.php HTTP/1.1\r\nHost: localhost\r\n\r\n");
    PhpConnection& php = scene.take();
    Buffer page;
    assert_true(php.answer(page.append("X: y\r\n\r\n").append_letters(100000).view()));
    assert_true(first.read(true));
    // The client may be back before the rest has been read: then its request goes elsewhere, and on a busy machine many do.
    PhpConnection* used = nullptr;
    for (const int64_t deadline = soon(); used != &php && fcgate::monotonic_ms() < deadline;) {
        if (used != nullptr) {
            used->close();
            (void)poll(nullptr, 0, 1);
        }
        Client second;
        assert_true(second.connect(scene.front, {}, 0) && second.send(get_script));
        used = &scene.take();
        assert_true(used->answer(hello));
        expect_reply(second, 200, "hello");
        second.close();
    }
    assert_ptr_equal(used, &php);
}

// It may be closed by PHP in the moment in which it is used: then nobody could tell whether the request has run.
void a_post_does_not_go_on_a_kept_connection(Scene& scene) {
    scene.set("backend.workers", "2");
    scene.start();
    const auto [client, kept] = answer_one(scene);
    constexpr std::string_view bodiless = "DELETE /t.php HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (const std::string_view request : {post, post, bodiless}) {
        assert_true(client.send(request));
        PhpConnection& fresh = scene.accept();
        assert_true(fresh.read_request());
        check_text(fresh.body(), request == post ? "hello" : "");
        assert_true(fresh.answer(hello));
        expect_reply(client, 200, "hello");
    }
    scene.expect_served();
}

// Its body is not there for a second time.
void a_get_with_a_body_does_not_either(Scene& scene) {
    scene.start();
    const auto [client, kept] = answer_one(scene);
    assert_true(client.send("GET /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"));
    PhpConnection& fresh = scene.accept();
    assert_true(fresh.read_request());
    check_text(fresh.body(), "hello");
    assert_true(fresh.answer(hello));
    expect_reply(client, 200, "hello");
}

void without_keep_alive_php_is_told_so(Scene& scene) {
    scene.set("backend.keep_alive", "no");
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_false(php.keeps_connection());
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    assert_true(php.is_left());
}

// However many there are of them, every request finds room for one of its own.
void parked_connections_leave_room_for_requests(Scene& scene) {
    constexpr size_t pools = 7;
    constexpr size_t at_once = 4;
    scene.set("server.exchanges", "4");
    scene.listen_php();
    Text<128> requests[pools];
    for (size_t i = 0; i < pools; ++i) {
        const auto set = [&scene, i](const char* kind, const char* key, const char* value) {
            Text<64> name;
            name.append(kind).append(":p").append_number(i).append(key);
            scene.set(name.c_str(), value);
        };
        Text<8> pool;
        pool.append('p').append_number(i);
        set("backend", ".address", scene.php_address.c_str());
        set("backend", ".workers", "8");
        set("site", ".host", pool.c_str());
        set("site", ".root", scene.tree.path());
        set("site", ".backend", pool.c_str());
        requests[i].append("GET /t.php HTTP/1.1\r\nHost: ").append(pool.view()).append("\r\n\r\n");
    }
    scene.start();
    for (const auto& request : requests) {
        Client* clients[at_once];
        PhpConnection* php[at_once];
        for (size_t i = 0; i < at_once; ++i) {
            clients[i] = &scene.client_with(request.view());
            php[i] = &scene.take();
        }
        for (size_t i = 0; i < at_once; ++i) {
            assert_true(php[i]->answer(hello));
            expect_reply(*clients[i], 200, "hello");
        }
    }
}

void a_parked_connection_is_given_up_after_two_seconds(Scene& scene) {
    scene.start();
    const auto [client, php] = answer_one(scene);
    const int64_t begun = fcgate::monotonic_ms();
    assert_true(php.is_left());
    const int64_t took = fcgate::monotonic_ms() - begun;
    assert_true(took > 1000 && took < 5000);
    scene.expect_served();
}

void the_time_it_is_parked_can_be_set(Scene& scene) {
    scene.set("backend.park_timeout", "300ms");
    scene.start();
    const auto [client, php] = answer_one(scene);
    const int64_t begun = fcgate::monotonic_ms();
    assert_true(php.is_left());
    const int64_t took = fcgate::monotonic_ms() - begun;
    // Two seconds is what it would be otherwise.
    assert_true(took > 150 && took < 1900);
    scene.expect_served();
}

// It has a copy of all that is open, as long as it executes no other program.
void a_child_of_the_host_holds_no_worker_of_php(Scene& scene) {
    scene.set("backend.park_timeout", "300ms");
    scene.start();
    const auto [client, php] = answer_one(scene);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(30);
        (void)pause();
        _exit(0);
    }
    const bool is_left = php.is_left();
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, nullptr, 0), child);
    assert_true(is_left);
    scene.expect_served();
}

void without_a_time_none_is_parked_but_waiters_get_it(Scene& scene) {
    scene.set("backend.park_timeout", "0");
    scene.set("backend.workers", "2");
    scene.start();
    Client* clients[3];
    clients[0] = &scene.client_with(get_script);
    PhpConnection& first = scene.take();
    clients[1] = &scene.client_with(get_script);
    PhpConnection& second = scene.take();
    clients[2] = &scene.client_with(get_script);
    scene.settle();
    assert_true(first.answer(hello));
    expect_reply(*clients[0], 200, "hello");
    // Who waits goes on the connection that has become free.
    assert_true(first.read_request() && first.answer(hello));
    expect_reply(*clients[2], 200, "hello");
    assert_true(first.is_left(fcgate::monotonic_ms() + 1500));
    assert_true(second.answer(hello));
    expect_reply(*clients[1], 200, "hello");
    assert_true(second.is_left(fcgate::monotonic_ms() + 1500));
}

void all_but_one_of_the_workers_may_be_parked(Scene& scene) {
    scene.set("backend.workers", "3");
    scene.start();
    PhpConnection* php[3];
    Client* clients[3];
    for (size_t i = 0; i < 3; ++i) {
        clients[i] = &scene.client_with(get_script);
        php[i] = &scene.take();
    }
    for (size_t i = 0; i < 3; ++i) {
        assert_true(php[i]->answer(hello));
        expect_reply(*clients[i], 200, "hello");
    }
    // The last to finish is closed at once, the others stay.
    assert_true(php[2]->is_left(fcgate::monotonic_ms() + 1000));
    assert_false(is_readable(php[0]->fd()));
    assert_false(is_readable(php[1]->fd()));
}

void a_single_worker_is_never_parked(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    const int64_t begun = fcgate::monotonic_ms();
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    assert_true(php.is_left());
    assert_true(fcgate::monotonic_ms() - begun < 1500);
}

void parked_connections_yield_to_whoever_needs_the_place(Scene& scene) {
    scene.set("backend.workers", "2");
    scene.start();
    scene.responder.start(scene.php, [](const PhpConnection& request, Buffer& cgi) {
        cgi.append("X: y\r\n\r\n").append(request.param("QUERY_STRING"));
    });
    // With several threads the place is parked with one of them, and wanted by another. Nobody waits for the two seconds.
    const int64_t begun = fcgate::monotonic_ms();
    for (int i = 0; i < 40; ++i) {
        Client& client = scene.client_with(get_script);
        Client& other = scene.client_with(get_script);
        expect_reply(client, 200, "");
        expect_reply(other, 200, "");
        client.close();
        other.close();
    }
    assert_true(fcgate::monotonic_ms() - begun < 4000);
    scene.responder.stop();
    assert_true(scene.responder.most_open() <= 2);
}

// ---- found dead -----------------------------------------------------------------------------------------------------

void a_parked_connection_that_php_closes_is_forgotten(Scene& scene) {
    scene.start();
    for (const std::string_view request : {get_script, post}) {
        Client& client = scene.client_with(get_script);
        PhpConnection& php = scene.take();
        assert_true(php.answer(hello));
        expect_reply(client, 200, "hello");
        php.close();
        assert_true(client.send(request));
        PhpConnection& fresh = scene.accept();
        assert_true(fresh.read_request());
        assert_true(fresh.answer(hello));
        expect_reply(client, 200, "hello");
        fresh.close();
    }
    assert_int_equal(scene.log.count(": 502: "), 0);
}

// The kept connection takes the request and is closed without a byte of answer.
PhpConnection& take_on_kept_and_close(Scene& scene, Client& client, std::string_view request) {
    assert_true(client.send(get_script));
    PhpConnection& php = scene.take();
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    assert_true(client.send(request));
    assert_true(php.read_request());
    php.close();
    return php;
}

// Wherever what is read at once ends: on a kept connection that is behind 2048 bytes.
void what_is_behind_an_answer_is_no_answer_to_the_next(Scene& scene) {
    scene.start();
    const auto [client, php] = answer_one(scene);
    assert_true(client.send(get_script));
    assert_true(php.read_request());
    constexpr std::string_view head = "X: y\r\n\r\n";
    constexpr size_t body_size = 2048 - 2 * 8 - 8 - head.size();  // without what STDOUT and END_REQUEST take
    Buffer cgi;
    cgi.append(head).append_letters(body_size);
    Buffer records;
    append_record(records, fcgi_stdout, cgi.view());
    append_end(records);
    assert_int_equal(records.size(), 2048);
    append_output(records, "X: y\r\n\r\nnobody has asked for this");
    append_end(records);
    assert_true(php.raw(records.view()));
    assert_true(client.read());
    assert_int_equal(client.reply().body.size(), body_size);
    assert_true(client.send(get_script));
    PhpConnection& fresh = scene.accept();
    assert_true(fresh.read_request());
    assert_true(fresh.answer(hello));
    expect_reply(client, 200, "hello");
}

// Nor when it comes behind the end, while nobody uses the connection.
void what_comes_behind_an_answer_is_no_answer_to_the_next(Scene& scene) {
    scene.start();
    Buffer records;
    append_output(records, "X: y\r\n\r\nnobody has asked for this");
    append_end(records);
    // As soon as the connection is parked, and in pieces.
    for (const size_t size : {records.size(), size_t{1}, size_t{8}, size_t{20}}) {
        const auto [client, php] = answer_one(scene);
        assert_true(php.raw(fcgate::slice(records.view(), 0, size)));
        assert_true(client.send(get_script));
        PhpConnection& fresh = scene.accept();
        assert_true(fresh.read_request());
        assert_true(fresh.answer(hello));
        expect_reply(client, 200, "hello");
        assert_true(php.is_left());
        fresh.close();
    }
    assert_int_equal(scene.log.count(": 502: "), 0);
    scene.expect_served();
}

void a_get_on_a_dead_connection_is_sent_once_more(Scene& scene) {
    scene.start();
    Client& client = scene.client();
    (void)take_on_kept_and_close(scene, client, "GET /t.php?twice HTTP/1.1\r\nHost: localhost\r\n\r\n");
    PhpConnection& fresh = scene.accept();
    assert_true(fresh.read_request());
    check_text(fresh.param("QUERY_STRING"), "twice");
    assert_true(fresh.answer(hello));
    expect_reply(client, 200, "hello");
    assert_int_equal(scene.log.count(": 502: "), 0);
}

void a_get_is_not_sent_a_third_time(Scene& scene) {
    scene.start();
    Client& client = scene.client();
    (void)take_on_kept_and_close(scene, client, get_script);
    PhpConnection& fresh = scene.accept();
    assert_true(fresh.read_request());
    fresh.close();
    expect_status(client, 502);
    assert_false(scene.php.has_caller());
    scene.expect_served();
}

void a_post_never_runs_twice(Scene& scene) {
    scene.start();
    const auto [client, kept] = answer_one(scene);
    assert_true(client.send(post));
    PhpConnection& php = scene.accept();
    assert_true(php.read_request());
    php.close();
    expect_status(client, 502);
    scene.settle();
    assert_false(scene.php.has_caller());
    assert_true(!is_readable(kept.fd()) || kept.is_left());
    scene.expect_served();
}

void a_get_is_not_sent_again_once_an_answer_has_begun(Scene& scene) {
    scene.start();
    const auto [client, php] = answer_one(scene);
    assert_true(client.send(get_script));
    assert_true(php.read_request());
    assert_true(php.raw({"\1\6\0", 3}));
    php.close();
    expect_status(client, 502);
    assert_false(scene.php.has_caller());
}

// ---- busy behind the reply --------------------------------------------------------------------------------------------

// As PHP in fastcgi_finish_request(): the reply is there, and what else has come is not read.
PhpConnection& answer_and_work_on(Scene& scene, Client& client) {
    PhpConnection& php = scene.accept();
    Buffer records;
    append_output(records, hello);
    append_end(records);
    assert_true(wait_for(php.fd(), POLLIN, soon()) && php.raw(records.view()));
    expect_reply(client, 200, "hello");
    return php;
}

void a_request_does_not_wait_for_work_behind_the_reply_before(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = answer_and_work_on(scene, client);
    assert_true(client.send(get_script));
    PhpConnection& fresh = scene.accept();
    assert_true(fresh.read_request() && fresh.answer(hello));
    expect_reply(client, 200, "hello");
    php.close();
    assert_int_equal(scene.log.count("error: ") + scene.log.count("warning: "), 0);
}

void a_parked_connection_whose_worker_is_busy_is_not_used(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = answer_and_work_on(scene, client);
    assert_false(wait_for(client.fd(), POLLIN, fcgate::monotonic_ms() + 30));
    assert_true(client.send(get_script));
    PhpConnection& fresh = scene.accept();
    assert_true(fresh.read_request() && fresh.answer(hello));
    expect_reply(client, 200, "hello");
    // Nothing was sent to it.
    assert_true(php.read_request());
    assert_true(php.is_left());
}

void once_that_was_seen_who_waits_gets_no_connection_of_a_busy_worker(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.start();
    Client* clients[3];
    for (Client*& client : clients) {
        client = &scene.client_with(get_script);
        scene.settle();
    }
    (void)answer_and_work_on(scene, *clients[0]);
    // The second was handed the connection, and goes again.
    PhpConnection& second = answer_and_work_on(scene, *clients[1]);
    // The third was not.
    PhpConnection& third = scene.accept();
    assert_true(third.read_request() && third.answer(hello));
    expect_reply(*clients[2], 200, "hello");
    assert_true(second.read_request());
    assert_true(second.is_left());
    // A worker that is seen to be back keeps its connection.
    assert_true(clients[2]->send(get_script));
    PhpConnection& fourth = scene.accept();
    Client& last = scene.client_with(get_script);
    scene.settle();
    assert_true(fourth.read_request() && fourth.answer(hello));
    expect_reply(*clients[2], 200, "hello");
    assert_true(fourth.read_request() && fourth.answer(hello));
    expect_reply(last, 200, "hello");
}

// ---- event streams --------------------------------------------------------------------------------------------------

// The stream's place is free a moment after PHP sees its connection closed, and another thread may ask in between.
PhpConnection& take_stream(Scene& scene, Client*& client) {
    const int64_t deadline = soon();
    for (;;) {
        client = &scene.client_with(ask_stream);
        PhpConnection* const php = scene.php.next_request(fcgate::monotonic_ms() + 300);
        if (php != nullptr) {
            return *php;
        }
        expect_status(*client, 503);
        assert_true(fcgate::monotonic_ms() < deadline);
    }
}

void event_streams_leave_a_worker_to_the_others(Scene& scene) {
    scene.set("backend.workers", "3");
    scene.start();
    Client* clients[2];
    PhpConnection* php[2];
    for (size_t i = 0; i < 2; ++i) {
        clients[i] = &scene.client_with(ask_stream);
        php[i] = &scene.take();
        assert_true(php[i]->out(stream_head));
        assert_true(clients[i]->read_head() && clients[i]->read_body(9));
    }
    Client& refused = scene.client_with(ask_stream);
    expect_status(refused, 503);
    assert_int_equal(refused.reply().count("Retry-After"), 1);
    assert_true(scene.log.has("GET /t.php?stream: 503: backend"));
    assert_int_equal(scene.log.count("event streams may hold all PHP workers but one (see `workers`) [streams-full]"),
                     1);
    scene.expect_served();
    // A stream that ends makes room for another.
    assert_true(php[0]->end());
    assert_true(clients[0]->read());
    Client& next = scene.client_with(ask_stream);
    PhpConnection& third = scene.take();
    assert_true(third.out(stream_head));
    assert_true(next.read_head() && next.read_body(9));
    clients[1]->close();
    assert_true(php[1]->is_left());
    Client* last = nullptr;
    assert_true(take_stream(scene, last).out(stream_head));
    assert_true(last->read_head());
}

void a_stream_is_known_by_its_content_type_as_well(Scene& scene) {
    scene.set("backend.workers", "2");
    scene.start();
    Client& first = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.out(stream_head));
    assert_true(first.read_head() && first.read_body(9));
    Client& second = scene.client_with(get_script);
    PhpConnection& refused = scene.take();
    assert_true(refused.out(stream_head));
    expect_status(second, 503);
    assert_true(refused.is_left());
    Client& third = scene.client_with(ask_stream);
    expect_status(third, 503);
    scene.expect_served();
    // What only asks for a stream and answers otherwise holds no stream's place any longer than it runs.
    first.close();
    assert_true(php.is_left());
    for (int i = 0; i < 3; ++i) {
        Client* page = nullptr;
        assert_true(take_stream(scene, page).answer(hello));
        expect_reply(*page, 200, "hello");
    }
}

void a_single_worker_has_no_streams(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.start();
    Client& client = scene.client_with(ask_stream);
    expect_status(client, 503);
    assert_false(scene.php.has_caller());
    scene.expect_served();
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(a_kept_connection_serves_the_next_request),
        FCGATE_CASE(a_head_leaves_its_connection_to_the_next),
        FCGATE_CASE(a_post_does_not_go_on_a_kept_connection),
        FCGATE_CASE(a_get_with_a_body_does_not_either),
        FCGATE_CASE(without_keep_alive_php_is_told_so),
        FCGATE_CASE(parked_connections_leave_room_for_requests),
        FCGATE_CASE(a_parked_connection_is_given_up_after_two_seconds),
        FCGATE_CASE(the_time_it_is_parked_can_be_set),
        FCGATE_CASE(a_child_of_the_host_holds_no_worker_of_php),
        FCGATE_CASE(a_single_worker_is_never_parked),
        FCGATE_CASE(all_but_one_of_the_workers_may_be_parked),
        FCGATE_CASE(parked_connections_yield_to_whoever_needs_the_place),
        FCGATE_CASE(a_parked_connection_that_php_closes_is_forgotten),
        FCGATE_CASE(a_get_on_a_dead_connection_is_sent_once_more),
        FCGATE_CASE(a_get_is_not_sent_a_third_time),
        FCGATE_CASE(a_post_never_runs_twice),
        FCGATE_CASE(a_get_is_not_sent_again_once_an_answer_has_begun),
        FCGATE_CASE(event_streams_leave_a_worker_to_the_others),
        FCGATE_CASE(a_stream_is_known_by_its_content_type_as_well),
        FCGATE_CASE(a_single_worker_has_no_streams),
    };
    // What depends on the order of arrival is played with one thread.
    static constexpr Case ordered_cases[] = {
        FCGATE_CASE(without_a_time_none_is_parked_but_waiters_get_it),
        FCGATE_CASE(what_is_behind_an_answer_is_no_answer_to_the_next),
        FCGATE_CASE(what_comes_behind_an_answer_is_no_answer_to_the_next),
        FCGATE_CASE(a_request_does_not_wait_for_work_behind_the_reply_before),
        FCGATE_CASE(a_parked_connection_whose_worker_is_busy_is_not_used),
        FCGATE_CASE(once_that_was_seen_who_waits_gets_no_connection_of_a_busy_worker),
    };
    static constexpr Variant one[] = {{.name = "unix"}};
    static constexpr Variant variants[] = {
        {.name = "unix"},
        {.name = "TCP, 2 threads", .threads = "2", .php_over_tcp = true},
    };
    return play("links", cases, variants) + play("links in order", ordered_cases, one);
}
