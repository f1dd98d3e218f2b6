// Scripts whose clients leave, with `on_abort = finish`: they run on to their end, and half a connection is enough for a reply.
#include <fcgate/fcgate.h>
#include <poll.h>

#include "base/features.hpp"
#include "scene.hpp"

namespace {

using namespace fcgate::test;

void start(Scene& scene, const char* workers = "1") {
    scene.set("backend.on_abort", "finish");
    scene.set("backend.workers", workers);
    scene.start();
}

// The script goes on: what it writes is taken, and its connection stays until it has ended. Then its place is another's.
void expect_runs_to_its_end(Scene& scene, PhpConnection& php) {
    Client& next = scene.client_with("GET /t.php?next HTTP/1.1\r\nHost: localhost\r\n\r\n");
    scene.settle();
    Buffer much;
    much.append_pattern(size_t{1024} * 1024);
    assert_true(php.out(much.view()));
    assert_false(scene.php.has_caller());
    assert_false(is_readable(php.fd()));
    assert_true(php.end());
    // It is the only worker, and its connection is as good as before.
    assert_true(php.read_request());
    check_text(php.param("QUERY_STRING"), "next");
    assert_true(php.answer(hello));
    expect_reply(next, 200, "hello");
    assert_int_equal(scene.log.count("error: ") + scene.log.count("warning: "), 0);
}

void who_leaves_before_the_reply_lets_the_script_finish(Scene& scene) {
    start(scene);
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    client.close();
    scene.settle();
    assert_true(php.out("X: y\r\n\r\n"));
    expect_runs_to_its_end(scene, php);
}

void who_resets_during_the_reply_lets_the_script_finish(Scene& scene) {
    start(scene);
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.out("X: y\r\n\r\npart"));
    assert_true(client.read_head() && client.read_body(4));
    client.reset();
    scene.settle();
    expect_runs_to_its_end(scene, php);
}

void a_post_is_given_to_php_whole_before_it_runs_on(Scene& scene) {
    start(scene);
    constexpr size_t size = 60000;  // waits in pages, and is more than PHP's socket may take at once
    Buffer request;
    request.append("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n").append_pattern(size);
    Client& client = scene.client_with(request.view());
    PhpConnection& php = scene.accept();
    scene.settle();
    client.reset();
    scene.settle();
    assert_true(php.read_request());
    assert_int_equal(php.body().size(), size);
    assert_true(php.out("X: y\r\n\r\n"));
    expect_runs_to_its_end(scene, php);
}

// libmicrohttpd 0.9.x may read the end of the client's side before it sends the reply, and then closes: there the script runs on, and nothing more
// is promised.
[[nodiscard]] bool replies_to_half_a_connection() {
    return fcgate::slice(fcgate_libmicrohttpd_version(), 0, 2) != "0.";
}

void half_a_connection_is_enough_for_a_reply(Scene& scene) {
    start(scene, "2");
    if (!replies_to_half_a_connection()) {
        Client& alone = scene.client_with(get_script);
        PhpConnection& first = scene.take();
        alone.half_close();
        scene.settle();
        assert_true(first.out("X: y\r\n\r\n"));
        Buffer much;
        much.append_pattern(size_t{1024} * 1024);
        assert_true(first.out(much.view()) && first.end());
        scene.expect_served();
        return;
    }
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    client.half_close();
    scene.settle();
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    assert_true(client.is_closed());
    // In pieces, with the end of the client's side in between.
    Client& other = scene.client_with(get_script);
    PhpConnection& second = scene.take();
    assert_true(second.out("X: y\r\n\r\nfirst "));
    assert_true(other.read_head() && other.read_body(6));
    other.half_close();
    scene.settle();
    assert_true(second.out("second"));
    assert_true(other.read_body(12));
    assert_true(second.end());
    assert_true(other.read());
    check_text(other.reply().body.view(), "first second");
    assert_true(other.is_closed());
    // All at once.
    Client& quick = scene.client_with(get_script);
    quick.half_close();
    assert_true(scene.take().answer(hello));
    expect_reply(quick, 200, "hello");
    assert_true(quick.is_closed());
}

// Longer than the clock that looks after replies takes between two looks.
void half_a_connection_lasts_as_long_as_the_script(Scene& scene) {
    if (!replies_to_half_a_connection()) {
        return;
    }
    start(scene);
    Client& client = scene.client_with(get_script);
    client.half_close();
    PhpConnection& php = scene.take();
    assert_true(php.out("X: y\r\n\r\nfirst "));
    assert_true(client.read_head() && client.read_body(6));
    assert_false(wait_for(client.fd(), POLLIN, fcgate::monotonic_ms() + 1500));
    assert_true(php.out("second") && php.end());
    assert_true(client.read());
    check_text(client.reply().body.view(), "first second");
    assert_true(client.is_closed());
}

void who_waits_for_php_may_half_close_but_not_leave(Scene& scene) {
    if (!replies_to_half_a_connection()) {
        return;
    }
    start(scene);
    Client& first = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Client& leaves = scene.client_with("GET /t.php?leaves HTTP/1.1\r\nHost: localhost\r\n\r\n");
    Client& half = scene.client_with("GET /t.php?half HTTP/1.1\r\nHost: localhost\r\n\r\n");
    scene.settle();
    half.half_close();
    leaves.reset();
    scene.settle();
    assert_true(php.answer(hello));
    expect_reply(first, 200, "hello");
    PhpConnection& next = scene.take();
    check_text(next.param("QUERY_STRING"), "half");
    assert_true(next.answer(hello));
    expect_reply(half, 200, "hello");
}

// More than is put by for PHP; what is left of it lies in the spool.
void a_spooled_body_needs_no_more_than_half_a_connection(Scene& scene) {
    if (!fcgate::features::spool || !replies_to_half_a_connection()) {
        return;
    }
    start(scene);
    constexpr size_t size = 300000;
    Buffer request;
    request.append("POST /t.php HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n");
    Client& first = scene.client_with(get_script);
    PhpConnection& busy = scene.take();
    Client& client = scene.client_with(request.append_pattern(size).append("\r\n0\r\n\r\n").view());
    client.half_close();
    scene.settle();
    assert_true(busy.answer(hello));
    expect_reply(first, 200, "hello");
    PhpConnection& php = scene.accept();
    scene.settle();
    assert_true(php.read_request());
    assert_int_equal(php.body().size(), size);
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    assert_true(client.is_closed());
}

void an_upload_that_is_not_whole_ends_with_its_client(Scene& scene) {
    start(scene);
    Buffer request;
    request.append("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n").append_pattern(70000);
    Client& client = scene.client_with(request.view());
    PhpConnection& php = scene.accept();
    assert_true(php.read_body(70000));
    client.close();
    assert_true(php.is_left());
    scene.expect_served();
}

void an_event_stream_ends_with_its_client(Scene& scene) {
    start(scene, "3");
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.out("Content-Type: text/event-stream\r\n\r\ndata: x\n\n"));
    assert_true(client.read_head() && client.read_body(9));
    client.close();
    assert_true(php.is_left());
    scene.expect_served();
}

void a_stop_does_not_wait_for_it(Scene& scene) {
    start(scene);
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    client.reset();
    scene.settle();
    scene.end();
    assert_true(php.is_left());
}

void a_script_that_dies_alone_is_told_in_the_log(Scene& scene) {
    start(scene, "2");
    Client& client = scene.client_with(get_script);
    PhpConnection& kept = scene.take();
    assert_true(kept.answer(hello));
    expect_reply(client, 200, "hello");
    // On a kept connection, where a client that waits would have its request sent once more.
    assert_true(client.send(get_script));
    assert_true(kept.read_request());
    client.reset();
    scene.settle();
    kept.close();
    assert_true(scene.log.has("error: a script that runs on behind its reply: cut off: backend "));
    assert_false(scene.php.has_caller());
    scene.expect_served();
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(who_leaves_before_the_reply_lets_the_script_finish),
        FCGATE_CASE(who_resets_during_the_reply_lets_the_script_finish),
        FCGATE_CASE(a_post_is_given_to_php_whole_before_it_runs_on),
        FCGATE_CASE(half_a_connection_is_enough_for_a_reply),
        FCGATE_CASE(half_a_connection_lasts_as_long_as_the_script),
        FCGATE_CASE(who_waits_for_php_may_half_close_but_not_leave),
        FCGATE_CASE(a_spooled_body_needs_no_more_than_half_a_connection),
        FCGATE_CASE(an_upload_that_is_not_whole_ends_with_its_client),
        FCGATE_CASE(an_event_stream_ends_with_its_client),
        FCGATE_CASE(a_stop_does_not_wait_for_it),
        FCGATE_CASE(a_script_that_dies_alone_is_told_in_the_log),
    };
    static constexpr Variant variants[] = {
        {.name = "unix"},
        {.name = "TCP", .php_over_tcp = true},
    };
    return play("abort", cases, variants);
}
