// How a script's output flows: at once, in any cut, in any amount, and one request behind the other.
#include <algorithm>

#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view get_again = "GET /t.php?again HTTP/1.1\r\nHost: localhost\r\n\r\n";

// ---- time -----------------------------------------------------------------------------------------------------------

[[nodiscard]] int64_t microseconds() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

void each_flushed_piece_reaches_the_client_at_once(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.out("Content-Type: text/plain\r\n\r\n"));
    assert_true(client.read_head());
    std::array<int64_t, 31> times{};
    size_t size = 0;
    for (int64_t& time : times) {
        const int64_t before = microseconds();
        assert_true(php.out("piece of output\n"));
        size += 16;
        assert_true(client.read_body(size));
        time = microseconds() - before;
    }
    std::sort(times.begin(), times.end());
    // The median: a busy machine delays one piece or another, Nagle's algorithm or a timer would delay most of them.
    const int64_t median = times[times.size() / 2];
    if (median >= 20'000) {
        print_error("the median of %zu pieces took %ld us\n", times.size(), static_cast<long>(median));
        _fail(__FILE__, __LINE__);
    }
    assert_true(php.end());
    assert_true(client.read());
    assert_int_equal(client.reply().body.size(), size);
}

void the_head_comes_before_the_first_output(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.out("X-Early: 1\r\nContent-Length: 4\r\n\r\n"));
    assert_true(client.read_head());
    check_text(client.reply().field("X-Early"), "1");
    assert_true(php.out("late") && php.end());
    assert_true(client.read());
    check_text(client.reply().body.view(), "late");
}

// A client that asks for the head alone has it; the rest would hold a worker for nobody.
void a_head_request_does_not_hold_an_event_stream(Scene& scene) {
    scene.start();
    Client& client = scene.client_with("HEAD /t.php HTTP/1.1\r\nHost: localhost\r\n\r\n");
    PhpConnection& php = scene.take();
    assert_true(php.out("Content-Type: text/event-stream\r\n\r\ndata: 1\n\n"));
    assert_true(client.read(true));
    assert_int_equal(client.reply().status, 200);
    assert_true(php.is_left());
}

// ---- records --------------------------------------------------------------------------------------------------------

void records_may_be_cut_anywhere(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Buffer records;
    append_record(records, fcgi_stdout, "X-A: 1\r\n", 3);
    append_record(records, fcgi_stdout, "X-B: 2\r", 255);
    append_record(records, fcgi_stdout, "\n\r");
    append_record(records, fcgi_stderr, "words", 1);
    append_record(records, fcgi_stdout, "\nbo", 7);
    append_record(records, fcgi_stdout, "dy", 8);
    append_record(records, fcgi_stdout, "");
    append_end(records);
    const std::string_view bytes = records.view();
    for (size_t i = 0; i < bytes.size(); ++i) {
        assert_true(php.raw(fcgate::slice(bytes, i, 1)));
        // Every now and then the server has read all that there is.
        if (i % 16 == 0) {
            scene.settle();
        }
    }
    expect_reply(client, 200, "body");
    check_text(client.reply().field("X-A"), "1");
    check_text(client.reply().field("X-B"), "2");
    assert_true(scene.log.has("PHP: words"));
}

void large_records_with_padding(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Buffer body;
    body.append_pattern(3 * 65535);
    Buffer records;
    append_record(records, fcgi_stdout, "X: y\r\n\r\n", 5);
    for (size_t at = 0; at < body.size(); at += 65535) {
        append_record(records, fcgi_stdout, fcgate::slice(body.view(), at, 65535), 255);
    }
    append_end(records);
    // More than the buffers hold: a part goes out while the client reads.
    size_t sent = 0;
    size_t wanted = 0;
    while (sent < records.size()) {
        const std::string_view part = fcgate::slice(records.view(), sent, 32768);
        assert_true(php.raw(part));
        sent += part.size();
        wanted = sent > 40000 ? sent - 40000 : 0;
        if (sent == part.size()) {
            assert_true(client.read_head());
        }
        assert_true(client.read_body(std::min(wanted, body.size())));
    }
    assert_true(client.read());
    expect_same(client.reply().body.view(), body.view());
}

void error_output_is_logged_and_kept_apart(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.err("PHP message: first") && php.out("X: y\r\n\r\nbo") && php.err(" half\nPHP message: sec"));
    assert_true(php.out("dy") && php.err("ond\x1b[31m\n") && php.end());
    expect_reply(client, 200, "body");
    assert_true(scene.log.has("GET /t.php: PHP: PHP message: first half"));
    assert_true(scene.log.has("PHP: PHP message: second\\x1b[31m"));
    assert_int_equal(scene.log.count("PHP: "), 2);
}

void much_error_output_comes_before_the_head(Scene& scene) {
    constexpr size_t much_to_say = 9216;
    scene.start();
    for (const std::string_view end : {"", "\n"}) {
        Client& client = scene.client_with(get_script);
        PhpConnection& php = scene.take();
        Buffer words;
        assert_true(php.err(words.append_letters(much_to_say).append(end).view()) && php.answer(hello));
        expect_reply(client, 200, "hello");
        assert_true(scene.log.has("GET /t.php: PHP: aaaa"));
    }
}

// ---- amount ---------------------------------------------------------------------------------------------------------

constexpr size_t much = size_t{10} * 1024 * 1024;

void write_much(const PhpConnection& /*request*/, Buffer& cgi) {
    cgi.append("Content-Type: application/octet-stream\r\n\r\n").append_pattern(much);
}

void ten_megabytes_arrive_whole_at_a_slow_client(Scene& scene) {
    scene.start();
    scene.responder.start(scene.php, &write_much);
    Client& client = scene.client({}, 4096);
    assert_true(client.send(get_script));
    Buffer expected;
    expected.append_pattern(much);
    assert_true(client.read_head());
    // The client stops now and then, until the server can do nothing more for it.
    for (size_t size = 1000; size < much / 4; size *= 4) {
        assert_true(client.read_body(size));
        scene.settle();
    }
    assert_true(client.read());
    expect_same(client.reply().body.view(), expected.view());
    assert_true(client.send(get_again));
    assert_true(client.read());
    expect_same(client.reply().body.view(), expected.view());
    scene.responder.stop();
    assert_int_equal(scene.responder.requests(), 2);
    assert_false(scene.responder.saw_malformed());
}

void a_slow_client_holds_back_the_script_but_nobody_else(Scene& scene) {
    scene.start();
    Client& client = scene.client({}, 4096);
    assert_true(client.send(get_script));
    PhpConnection& php = scene.take();
    const int send_buffer = 65536;
    assert_int_equal(setsockopt(php.fd(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer), 0);
    Buffer records;
    Buffer content;
    append_output(records, content.append("X: y\r\n\r\n").append_pattern(much).view());
    // Until the server takes no more: its buffer and those of the sockets are bounded.
    size_t sent = 0;
    for (int rounds_without = 0; rounds_without < 3;) {
        const size_t count = send_bytes(php.fd(), fcgate::slice(records.view(), sent), 0);
        sent += count;
        rounds_without = count == 0 ? rounds_without + 1 : 0;
        scene.settle();
    }
    assert_true(sent > 60000 && sent < much);
    scene.expect_served();
    // A client that leaves ends the script, too.
    client.reset();
    while (send_bytes(php.fd(), "x", soon()) > 0) {}
    scene.expect_served();
}

// ---- one behind the other -------------------------------------------------------------------------------------------

void pipelined_requests_are_answered_in_order(Scene& scene) {
    scene.start();
    Buffer requests;
    requests.append("GET /t.php?1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    requests.append("POST /t.php?2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
    requests.append("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    requests.append("GET /t.php?4 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    Client& client = scene.client_with(requests.view());
    PhpConnection& first = scene.take();
    check_text(first.param("QUERY_STRING"), "1");
    assert_true(first.answer("\n"));
    expect_status(client, 502);
    PhpConnection& second = scene.take();
    check_text(second.param("QUERY_STRING"), "2");
    check_text(second.body(), "abc");
    assert_true(second.answer("A: b\n\nsecond"));
    expect_reply(client, 200, "second");
    expect_reply(client, 200, "static");
    PhpConnection& fourth = scene.take();
    check_text(fourth.param("QUERY_STRING"), "4");
    assert_true(fourth.answer(hello));
    expect_reply(client, 200, "hello");
    assert_true(client.is_closed());
}

void a_request_that_comes_during_the_reply_waits_for_its_end(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.out("X: y\r\n\r\nfirst"));
    assert_true(client.read_head() && client.read_body(5));
    assert_true(client.send(get_again));
    assert_true(php.out(" part") && php.end());
    assert_true(client.read());
    check_text(client.reply().body.view(), "first part");
    assert_true(scene.take().answer(hello));
    expect_reply(client, 200, "hello");
}

void two_hundred_requests_on_one_connection(Scene& scene) {
    scene.start();
    scene.responder.start(scene.php, [](const PhpConnection& request, Buffer& cgi) {
        cgi.append("X: y\r\n\r\n").append(request.param("QUERY_STRING"));
    });
    Client& client = scene.client();
    for (unsigned i = 0; i < 200; ++i) {
        fcgate::Text<64> number;
        number.append_number(i);
        Buffer request;
        request.append("GET /t.php?").append(number.view()).append(" HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_true(client.send(request.view()));
        expect_reply(client, 200, number.view());
    }
    scene.responder.stop();
    assert_int_equal(scene.responder.requests(), 200);
    // It is one connection to PHP that serves them all.
    assert_int_equal(scene.responder.connections(), 1);
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(each_flushed_piece_reaches_the_client_at_once),
        FCGATE_CASE(the_head_comes_before_the_first_output),
        FCGATE_CASE(a_head_request_does_not_hold_an_event_stream),
        FCGATE_CASE(records_may_be_cut_anywhere),
        FCGATE_CASE(large_records_with_padding),
        FCGATE_CASE(error_output_is_logged_and_kept_apart),
        FCGATE_CASE(much_error_output_comes_before_the_head),
        FCGATE_CASE(ten_megabytes_arrive_whole_at_a_slow_client),
        FCGATE_CASE(a_slow_client_holds_back_the_script_but_nobody_else),
        FCGATE_CASE(pipelined_requests_are_answered_in_order),
        FCGATE_CASE(a_request_that_comes_during_the_reply_waits_for_its_end),
        FCGATE_CASE(two_hundred_requests_on_one_connection),
    };
    static constexpr Variant variants[] = {
        {.name = "unix"},
        {.name = "TCP", .php_over_tcp = true},
        {.name = "unix front, 2 threads", .threads = "2", .front_is_local = true},
    };
    return play("stream", cases, variants);
}
