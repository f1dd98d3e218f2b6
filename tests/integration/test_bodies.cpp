// How a request's body flows to the script, and what happens to one that is not wanted.
#include "base/features.hpp"
#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr size_t mib = size_t{1024} * 1024;

// The head of a POST with a body of so many bytes.
void append_post(Buffer& to, size_t length, std::string_view fields = {}) {
    fcgate::Text<24> number;
    number.append_number(length);
    to.append("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: ").append(number.view()).append("\r\n");
    to.append(fields).append("\r\n");
}

void echo(const PhpConnection& request, Buffer& cgi) {
    cgi.append("X-Length: ").append(request.param("CONTENT_LENGTH")).append("\r\n\r\n").append(request.body());
}

// libmicrohttpd 0.9.x is not trusted with what is there.
bool ends_behind_chunks() {
    return fcgate::slice(fcgate_libmicrohttpd_version(), 0, 2) == "0.";
}

// The next request on this connection is served; returns what served it, closed.
PhpConnection& expect_canary(Scene& scene, Client& client) {
    assert_true(client.send("GET /t.php?canary HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    PhpConnection& php = scene.take();
    check_text(php.param("QUERY_STRING"), "canary");
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    php.close();
    return php;
}

// ---- all of it arrives ----------------------------------------------------------------------------------------------

void bodies_of_every_size_arrive_as_they_were_sent(Scene& scene) {
    constexpr size_t sizes[] = {0,     1,     2,     4095,  4096,  4097,   8191,   8192,   8193,    65527,  65528,
                                65529, 65535, 65536, 65537, 98304, 131071, 131072, 131073, 1 * mib, 8 * mib};
    scene.start();
    scene.responder.start(scene.php, &echo);
    Client& client = scene.client();
    for (const size_t size : sizes) {
        Buffer request;
        append_post(request, size);
        const size_t head = request.size();
        request.append_pattern(size);
        assert_true(client.send(request.view()));
        assert_true(client.read());
        assert_int_equal(client.reply().status, 200);
        expect_same(client.reply().body.view(), fcgate::slice(request.view(), head));
    }
    scene.responder.stop();
    assert_false(scene.responder.saw_malformed());
}

void a_body_that_comes_in_small_pieces_arrives(Scene& scene) {
    constexpr size_t size = 70001;
    scene.start();
    scene.responder.start(scene.php, &echo);
    Buffer request;
    append_post(request, size);
    const size_t head = request.size();
    request.append_pattern(size);
    Client& client = scene.client();
    size_t sent = 0;
    for (size_t piece = 1; sent < request.size(); piece = piece % 1999 + 7) {
        const std::string_view part = fcgate::slice(request.view(), sent, piece);
        assert_true(client.send(part));
        sent += part.size();
    }
    assert_true(client.read());
    expect_same(client.reply().body.view(), fcgate::slice(request.view(), head));
    scene.responder.stop();
}

// `coding`: in one chunk each.
void expect_told_apart(Scene& scene, bool coding) {
    struct Size {
        size_t bytes;
        std::string_view in_hex;
    };
    constexpr Size sizes[] = {{10, "a"}, {1280, "500"}, {5120, "1400"}, {6, "6"}, {5120, "1400"}, {10, "a"}};
    scene.start();
    scene.responder.start(scene.php, &echo);
    Buffer requests;
    Buffer body;
    body.append_pattern(5120);
    for (const Size& size : sizes) {
        if (coding) {
            requests.append("POST /t.php HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
            requests.append(size.in_hex).append("\r\n");
        } else {
            append_post(requests, size.bytes);
        }
        requests.append(fcgate::slice(body.view(), 0, size.bytes)).append(coding ? "\r\n0\r\n\r\n" : "");
    }
    Client& client = scene.client_with(requests.view());
    for (const Size& size : sizes) {
        expect_reply(client, 200, fcgate::slice(body.view(), 0, size.bytes));
        if (coding && ends_behind_chunks()) {
            assert_true(client.reply().closes() && client.read_to_end());
            break;
        }
    }
    scene.responder.stop();
    assert_false(scene.responder.saw_malformed());
}

void pipelined_bodies_are_told_apart(Scene& scene) {
    expect_told_apart(scene, false);
}
void pipelined_chunks_are_told_apart(Scene& scene) {
    if (fcgate::features::spool) {
        expect_told_apart(scene, true);
    } else {
        scene.start();
    }
}

// ---- when PHP is asked for ------------------------------------------------------------------------------------------

void php_is_asked_for_when_the_body_is_complete(Scene& scene) {
    scene.start();
    Buffer head;
    append_post(head, 100);
    Client& client = scene.client_with(head.view());
    assert_true(client.send("0123456789"));
    scene.settle();
    assert_false(scene.php.has_caller());
    Buffer rest;
    assert_true(client.send(rest.append_pattern(90).view()));
    PhpConnection& php = scene.take();
    assert_int_equal(php.body().size(), 100);
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
}

void php_is_asked_for_when_64_kib_are_there(Scene& scene) {
    scene.start();
    Buffer request;
    append_post(request, 200000);
    const size_t head = request.size();
    request.append_pattern(200000);
    Client& client = scene.client_with(fcgate::slice(request.view(), 0, head + 60000));
    scene.settle();
    assert_false(scene.php.has_caller());
    assert_true(client.send(fcgate::slice(request.view(), head + 60000, 6000)));
    PhpConnection& php = scene.accept();
    assert_true(php.read_body(66000));
    assert_true(client.send(fcgate::slice(request.view(), head + 66000)));
    assert_true(php.read_request());
    expect_same(php.body(), fcgate::slice(request.view(), head));
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
}

void what_comes_behind_64_kib_goes_on_as_it_comes(Scene& scene) {
    scene.start();
    Buffer request;
    append_post(request, 100000);
    const size_t head = request.size();
    request.append_pattern(100000);
    Client& client = scene.client_with(fcgate::slice(request.view(), 0, head + 66000));
    PhpConnection& php = scene.accept();
    assert_true(php.read_body(66000));
    for (size_t sent = 66000; sent < 100000; sent += 8500) {
        assert_true(client.send(fcgate::slice(request.view(), head + sent, 8500)));
        assert_true(php.read_body(sent + 8500));
    }
    assert_true(php.read_request());
    expect_same(php.body(), fcgate::slice(request.view(), head));
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
}

void a_script_that_reads_slowly_holds_back_the_client(Scene& scene) {
    scene.listen_php();
    // The kernel may keep many megabytes for whoever takes its time.
    const int receive_buffer = 65536;
    for (const int listener : {scene.listener(), scene.php.listener()}) {
        (void)setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    scene.start();
    Buffer request;
    append_post(request, 8 * mib);
    const size_t head = request.size();
    request.append_pattern(8 * mib);
    Client& client = scene.client();
    const int send_buffer = 65536;
    assert_int_equal(setsockopt(client.fd(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer), 0);
    size_t sent = 0;
    for (int rounds_without = 0; rounds_without < 3;) {
        const size_t count = send_bytes(client.fd(), fcgate::slice(request.view(), sent), 0);
        sent += count;
        rounds_without = count == 0 ? rounds_without + 1 : 0;
        scene.settle();
    }
    assert_true(sent > 65536 && sent < 7 * mib);
    PhpConnection& php = scene.accept();
    while (sent < request.size()) {
        const size_t count = send_bytes(client.fd(), fcgate::slice(request.view(), sent), 0);
        sent += count;
        if (count == 0) {
            assert_true(php.read_body(php.body().size() + 1));
        }
    }
    assert_true(php.read_request());
    expect_same(php.body(), fcgate::slice(request.view(), head));
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    (void)expect_canary(scene, client);
}

// ---- an answer before the body is read ------------------------------------------------------------------------------

void a_script_may_answer_without_reading_the_body(Scene& scene) {
    scene.start();
    Buffer request;
    append_post(request, 4 * mib);
    const size_t head = request.size();
    request.append_pattern(4 * mib);
    for (const bool closes : {false, true}) {
        // More than is put by before PHP is asked for, and less than the sockets between take on any kernel.
        Client& client = scene.client_with(fcgate::slice(request.view(), 0, head + 100000));
        PhpConnection& php = scene.accept();
        assert_true(php.read_head());
        assert_true(php.answer("Status: 403\r\n\r\nno"));
        if (closes) {
            php.close();
        }
        assert_true(client.send(fcgate::slice(request.view(), head + 100000)));
        expect_reply(client, 403, "no");
        // The rest of the body must not come before another request, on either side.
        assert_true(&expect_canary(scene, client) != &php);
    }
}

void a_long_answer_before_the_body_is_read_arrives(Scene& scene) {
    scene.set("backend.response_timeout", "3s");
    scene.start();
    Buffer request;
    append_post(request, 2 * mib);
    const size_t head = request.size();
    request.append_pattern(2 * mib);
    Buffer cgi;
    cgi.append("Status: 403\r\n\r\n").append_pattern(1 * mib);
    const std::string_view page = fcgate::slice(cgi.view(), 15);
    Buffer records;
    append_output(records, cgi.view());
    append_end(records);
    // The client sends all of its body, the script writes all of its page, and neither reads before it is done.
    size_t sent = head + 100000;
    size_t written = 0;
    Client& client = scene.client_with(fcgate::slice(request.view(), 0, sent));
    PhpConnection& php = scene.accept();
    assert_true(php.read_head());
    const int64_t deadline = soon();
    while (sent < request.size() && fcgate::monotonic_ms() < deadline) {
        sent += send_bytes(client.fd(), fcgate::slice(request.view(), sent), fcgate::monotonic_ms() + 5);
        written += send_bytes(php.fd(), fcgate::slice(records.view(), written), fcgate::monotonic_ms() + 5);
    }
    assert_int_equal(sent, request.size());
    assert_true(client.read_head());
    while (written < records.size() && fcgate::monotonic_ms() < deadline) {
        written += send_bytes(php.fd(), fcgate::slice(records.view(), written), fcgate::monotonic_ms() + 5);
        (void)client.read_body(client.reply().body.size() + 1, fcgate::monotonic_ms() + 5);
    }
    assert_true(client.read());
    assert_int_equal(client.reply().status, 403);
    expect_same(client.reply().body.view(), page);
    // By now the whole request may lie in its socket: it is not the next one.
    php.close();
    scene.expect_served();
}

// One that wants to read on after it has written more than is kept of it waits in vain: the log says for what.
void a_script_that_answers_while_it_reads_is_told_of(Scene& scene) {
    scene.set("backend.response_timeout", "700ms");
    scene.listen_php();
    // The kernel may keep many megabytes for whoever takes its time.
    const int receive_buffer = 65536;
    (void)setsockopt(scene.php.listener(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    scene.start();
    Buffer request;
    append_post(request, 8 * mib);
    const size_t head = request.size();
    request.append_pattern(8 * mib);
    Buffer records;
    Buffer cgi;
    append_output(records, cgi.append("Status: 200\r\n\r\n").append_pattern(1 * mib).view());
    Client& client = scene.client_with(fcgate::slice(request.view(), 0, head + 100000));
    PhpConnection& php = scene.accept();
    assert_true(php.read_head());
    size_t sent = head + 100000;
    size_t written = 0;
    const int64_t deadline = soon();
    while (scene.log.count("it may wait for the rest of its request, which was given up") == 0) {
        assert_true(fcgate::monotonic_ms() < deadline);
        sent += send_bytes(client.fd(), fcgate::slice(request.view(), sent), fcgate::monotonic_ms() + 5);
        written += send_bytes(php.fd(), fcgate::slice(records.view(), written), fcgate::monotonic_ms() + 5);
        (void)client.read_body(client.reply().body.size() + 1, fcgate::monotonic_ms() + 5);
    }
    assert_int_equal(written, records.size());
    php.close();
    scene.expect_served();
}

// ---- bodies that are refused ----------------------------------------------------------------------------------------

void too_large_a_body_is_refused_unread_and_the_client_hears_it(Scene& scene) {
    scene.set("site.max_body", "1m");
    scene.start();
    Buffer request;
    append_post(request, 4 * mib);
    request.append_pattern(4 * mib);
    for (int i = 0; i < 80; ++i) {
        Client& client = scene.client();
        // All of it, as far as the server lets it: only then the answer is looked for.
        (void)client.send(request.view());
        expect_status(client, 413);
        client.close();
    }
    assert_int_equal(scene.php.connections(), 0);
    assert_false(scene.php.has_caller());
    assert_int_equal(scene.log.count("POST /t.php: 413: the body is larger than `max_body`"), 80);
    scene.expect_served();
}

// Its length shows only as it comes; what is on its way then is not looked at any more.
void too_large_a_chunked_body_is_refused_once(Scene& scene) {
    if (!fcgate::features::spool) {
        return;
    }
    scene.set("site.max_body", "1k");
    scene.start();
    Buffer chunk;
    chunk.append("800\r\n").append_pattern(2048).append("\r\n");
    Client& client = scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_true(client.send(chunk.view()));
    expect_status(client, 413);
    scene.expect_lingering(client, chunk.view());
    assert_int_equal(scene.log.count("413: the body is larger than `max_body`"), 1);
    assert_false(scene.php.has_caller());
}

void after_413_the_connection_lingers_and_ends(Scene& scene) {
    scene.set("site.max_body", "1m");
    scene.start();
    Buffer head;
    append_post(head, mib + 1);
    Client& client = scene.client_with(head.view());
    expect_status(client, 413);
    assert_true(client.is_closed());
    Buffer part;
    part.append_pattern(16384);
    scene.expect_lingering(client, part.view());
    // ... but not for ever.
    int rounds = 0;
    while (send_bytes(client.fd(), part.view(), soon()) == part.size()) {
        assert_true(++rounds < 8000);
    }
    scene.expect_served();
}

void a_body_of_max_body_is_taken(Scene& scene) {
    scene.set("site.max_body", "100k");
    scene.start();
    scene.responder.start(scene.php, &echo);
    Buffer request;
    append_post(request, 102400);
    const size_t head = request.size();
    Client& client = scene.client_with(request.append_pattern(102400).view());
    expect_reply(client, 200, fcgate::slice(request.view(), head));
    scene.responder.stop();
}

constexpr std::string_view chunked_and_another =
    "POST /t.php HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n0\r\n\r\nGET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

void a_chunked_body_reaches_php_whole(Scene& scene) {
    scene.start();
    if (!fcgate::features::spool) {
        return;
    }
    scene.responder.start(scene.php, &echo);
    Client& client = scene.client_with(chunked_and_another);
    expect_reply(client, 200, "hello");
    if (ends_behind_chunks()) {
        assert_true(client.reply().closes() && client.read_to_end());
    } else {
        expect_reply(client, 200, "static");
    }
    scene.responder.stop();
}

void a_chunked_body_without_a_spool_is_411(Scene& scene) {
    if (fcgate::features::spool) {
        scene.set("site.spool", "");
    }
    scene.start();
    Client& client = scene.client_with(chunked_and_another);
    expect_status(client, 411);
    // What stands behind is either answered once, as the request it is, or not at all.
    if (client.reply().closes()) {
        assert_true(client.is_closed());
    } else {
        expect_reply(client, 200, "static");
    }
    assert_false(scene.php.has_caller());
}

void a_client_that_expects_100_gets_it(Scene& scene) {
    scene.start();
    Buffer head;
    append_post(head, 5, "Expect: 100-continue\r\n");
    Client& client = scene.client_with(head.view());
    Buffer interim;
    while (interim.view().find("\r\n\r\n") == std::string_view::npos) {
        assert_true(receive(client.fd(), interim, soon()) == Receipt::bytes);
    }
    check_text(fcgate::slice(interim.view(), 0, 13), "HTTP/1.1 100 ");
    assert_true(client.send("hello"));
    PhpConnection& php = scene.take();
    check_text(php.body(), "hello");
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    (void)expect_canary(scene, client);
}

void a_client_that_expects_100_hears_a_refusal_instead(Scene& scene) {
    scene.start();
    Buffer head;
    append_post(head, 9 * mib, "Expect: 100-continue\r\n");
    Client& client = scene.client_with(head.view());
    expect_status(client, 413);
    assert_int_equal(client.reply().interim, 0);
    assert_true(client.is_closed());
    Buffer other;
    append_post(other, 5, "Expect: 200-ok\r\n");
    Client& second = scene.client_with(other.view());
    expect_status(second, 417);
    assert_true(second.is_closed());
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(bodies_of_every_size_arrive_as_they_were_sent),
        FCGATE_CASE(a_body_that_comes_in_small_pieces_arrives),
        FCGATE_CASE(pipelined_bodies_are_told_apart),
        FCGATE_CASE(pipelined_chunks_are_told_apart),
        FCGATE_CASE(php_is_asked_for_when_the_body_is_complete),
        FCGATE_CASE(php_is_asked_for_when_64_kib_are_there),
        FCGATE_CASE(what_comes_behind_64_kib_goes_on_as_it_comes),
        FCGATE_CASE(a_script_that_reads_slowly_holds_back_the_client),
        FCGATE_CASE(a_script_may_answer_without_reading_the_body),
        FCGATE_CASE(a_long_answer_before_the_body_is_read_arrives),
        FCGATE_CASE(a_script_that_answers_while_it_reads_is_told_of),
        FCGATE_CASE(too_large_a_body_is_refused_unread_and_the_client_hears_it),
        FCGATE_CASE(too_large_a_chunked_body_is_refused_once),
        FCGATE_CASE(after_413_the_connection_lingers_and_ends),
        FCGATE_CASE(a_body_of_max_body_is_taken),
        FCGATE_CASE(a_chunked_body_reaches_php_whole),
        FCGATE_CASE(a_chunked_body_without_a_spool_is_411),
        FCGATE_CASE(a_client_that_expects_100_gets_it),
        FCGATE_CASE(a_client_that_expects_100_hears_a_refusal_instead),
    };
    static constexpr Variant variants[] = {
        {.name = "unix"},
        {.name = "TCP", .php_over_tcp = true},
        {.name = "unix front", .front_is_local = true},
    };
    return play("bodies", cases, variants);
}
