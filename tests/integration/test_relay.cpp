// What a client sees of a script's answer: status, fields and body, and what follows on the same connection.
#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view get_and_close = "GET /t.php HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
constexpr std::string_view get_1_0 = "GET /t.php HTTP/1.0\r\n\r\n";
constexpr std::string_view canary = "GET /t.php?canary HTTP/1.1\r\nHost: localhost\r\n\r\n";

// The connection still works, and nothing of the reply before stands between.
void expect_canary(Scene& scene, Client& client) {
    assert_true(client.send(canary));
    PhpConnection& php = scene.take();
    check_text(php.param("QUERY_STRING"), "canary");
    assert_true(php.answer("Content-Type: text/plain\r\n\r\n"));
    expect_reply(client, 200, "");
}

void get_reaches_the_script_with_its_variables(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(
        "GET /t.php/info?a=%20b HTTP/1.1\r\nHost: localhost:81\r\nX-Test: one\r\nX-Test: two\r\nProxy: evil\r\n\r\n");
    PhpConnection& php = scene.take();
    check_text(php.param("REQUEST_METHOD"), "GET");
    check_text(php.param("REQUEST_URI"), "/t.php/info?a=%20b");
    check_text(php.param("QUERY_STRING"), "a=%20b");
    check_text(php.param("SCRIPT_NAME"), "/t.php");
    check_text(php.param("PATH_INFO"), "/info");
    check_text(php.param("HTTP_HOST"), "localhost:81");
    check_text(php.param("HTTP_X_TEST"), "one, two");
    check_text(php.param("SERVER_PROTOCOL"), "HTTP/1.1");
    check_text(php.param("REMOTE_ADDR"), scene.front.is_local() ? "unix" : "127.0.0.1");
    assert_false(php.has_param("HTTP_PROXY"));
    assert_false(php.has_param("CONTENT_LENGTH"));
    check_text(php.body(), "");
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    check_text(client.reply().field("Content-Type"), "text/plain");
    expect_canary(scene, client);
}

void post_reaches_the_script_with_its_body(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(
        "POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/x\r\nContent-Length: 5\r\n\r\nab\r\n\n");
    PhpConnection& php = scene.take();
    check_text(php.param("REQUEST_METHOD"), "POST");
    check_text(php.param("CONTENT_LENGTH"), "5");
    check_text(php.param("CONTENT_TYPE"), "text/x");
    check_text(php.body(), "ab\r\n\n");
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    expect_canary(scene, client);
}

void head_has_no_body_whatever_the_script_sends(Scene& scene) {
    scene.start();
    struct Sent {
        std::string_view length;
        std::string_view body;
    };
    // Also one that does not come, comes in part, or goes on.
    for (const auto& [length, body] : {Sent{"", "hello"}, {"5", "hello"}, {"5", ""}, {"50", "hello"}, {"4", "hello"}}) {
        Client& client = scene.client();
        assert_true(client.send("HEAD /t.php HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        PhpConnection& php = scene.take();
        check_text(php.param("REQUEST_METHOD"), "HEAD");
        Buffer cgi;
        cgi.append("X-Is: head\r\n");
        if (!length.empty()) {
            cgi.append("Content-Length: ").append(length).append("\r\n");
        }
        assert_true(php.answer(cgi.append("\r\n").append(body).view()));
        assert_true(client.read(true));
        assert_int_equal(client.reply().status, 200);
        assert_int_equal(client.reply().count("Transfer-Encoding"), 0);
        check_text(client.reply().field("X-Is"), "head");
        check_text(client.reply().field("Content-Length"), length);
        if (client.reply().closes()) {
            assert_true(client.read_to_end());
            check_text(client.rest(), "");
        } else {
            expect_canary(scene, client);
        }
    }
}

void status_and_fields_are_the_scripts_own(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    assert_true(
        scene.take().answer("Status: 418 I am a teapot\r\nSet-Cookie: a=1\r\nset-cookie: b=2; Path=/\r\n"
                            "X-Empty:\r\nX-Twice: 1\r\nX-Twice: 1\r\nLocation: /x\r\n\r\nshort and stout"));
    expect_reply(client, 418, "short and stout");
    const HttpReply& reply = client.reply();
    assert_int_equal(reply.count("Set-Cookie"), 2);
    check_text(reply.field("Set-Cookie", 0), "a=1");
    check_text(reply.field("Set-Cookie", 1), "b=2; Path=/");
    assert_int_equal(reply.count("X-Twice"), 2);
    check_text(reply.field("Location"), "/x");
    assert_int_equal(reply.count("Status"), 0);
    assert_int_equal(reply.count("Date"), 1);
    expect_canary(scene, client);
}

void fields_of_the_site_may_share_a_name(Scene& scene) {
    for (const char* const header : {"Link </a.css>", "Link </b.css>", "link </c.css>", "X-Twice 0", "X-Twice 0"}) {
        scene.set("site.header", header);
    }
    scene.start();
    Client& client = scene.client_with(get_script);
    assert_true(scene.take().answer("X-Twice: 1\r\n\r\n"));
    expect_reply(client, 200, "");
    const HttpReply& reply = client.reply();
    assert_int_equal(reply.count("Link"), 3);
    check_text(reply.field("Link", 1), "</b.css>");
    assert_int_equal(reply.count("X-Twice"), 1);
    check_text(reply.field("X-Twice"), "1");
}

void location_alone_makes_it_302(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    assert_true(scene.take().answer("Location: http://elsewhere/\r\n\r\n"));
    expect_reply(client, 302, "");
    check_text(client.reply().field("Location"), "http://elsewhere/");
    expect_canary(scene, client);
}

// That of the server, in the one form that RFC 9110 section 5.6.7 lets it be made in.
void every_reply_has_a_date(Scene& scene) {
    scene.start();
    Client& client = scene.client();
    for (const std::string_view target : {"/static.txt", "/none.txt", "/t.php"}) {
        Buffer request;
        assert_true(
            client.send(request.append("GET ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\n\r\n").view()));
        if (target == "/t.php") {
            assert_true(scene.take().answer(hello));
        }
        assert_true(client.read());
        assert_int_equal(client.reply().count("Date"), 1);
        Buffer date;
        date.append(client.reply().field("Date")).append('\0');
        struct tm told {};
        const char* const end = strptime(date.view().data(), "%a, %d %b %Y %H:%M:%S GMT", &told);
        assert_int_equal(date.size(), sizeof "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_non_null(end);
        assert_int_equal(*end, '\0');
        assert_in_range(timegm(&told), time(nullptr) - 60, time(nullptr));
    }
}

void hop_by_hop_fields_end_here(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(
        "GET /t.php HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n"
        "TE: trailers\r\nUpgrade: websocket\r\nX-Other: 1\r\n\r\n");
    PhpConnection& php = scene.take();
    for (const std::string_view name : {"HTTP_CONNECTION", "HTTP_KEEP_ALIVE", "HTTP_TE", "HTTP_UPGRADE"}) {
        assert_false(php.has_param(name));
    }
    check_text(php.param("HTTP_X_OTHER"), "1");
    assert_true(
        php.answer("Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=99\r\nUpgrade: h2c\r\n"
                   "Transfer-Encoding: gzip\r\nTrailer: X\r\nX-End: 1\r\n\r\nbody"));
    expect_reply(client, 200, "body");
    const HttpReply& reply = client.reply();
    for (const std::string_view name : {"Connection", "X-Hop", "Keep-Alive", "Upgrade", "Trailer"}) {
        assert_int_equal(reply.count(name), 0);
    }
    check_text(reply.field("X-End"), "1");
    expect_canary(scene, client);
}

void a_length_is_told_when_it_is_known(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& first = scene.take();
    assert_true(first.answer("Content-Length: 4\r\n\r\nbody"));
    expect_reply(client, 200, "body");
    assert_true(client.reply().framing == HttpReply::Framing::length);

    // The end comes later than the head: only chunks can tell it.
    assert_true(client.send(get_script));
    PhpConnection& second = scene.take();
    assert_true(second.out("X: y\r\n\r\npart"));
    assert_true(client.read_head());
    assert_true(second.out(" and rest") && second.end());
    assert_true(client.read());
    check_text(client.reply().body.view(), "part and rest");
    assert_true(client.reply().framing == HttpReply::Framing::chunked);
    expect_canary(scene, client);
}

void http_1_0_gets_a_body_that_ends_with_the_connection(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_1_0);
    PhpConnection& php = scene.take();
    check_text(php.param("SERVER_PROTOCOL"), "HTTP/1.0");
    assert_true(php.out("X: y\r\n\r\npart"));
    assert_true(client.read_head());
    assert_true(php.out(" and rest") && php.end());
    assert_true(client.read());
    check_text(client.reply().body.view(), "part and rest");
    assert_true(client.reply().framing == HttpReply::Framing::close);
}

void connection_close_is_kept(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_and_close);
    assert_true(scene.take().answer(hello));
    expect_reply(client, 200, "hello");
    assert_true(client.reply().closes());
    assert_true(client.is_closed());
}

void a_body_longer_than_its_length_is_cut(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    assert_true(scene.take().answer("Content-Length: 4\r\n\r\nbody and more"));
    expect_reply(client, 200, "body");
    expect_canary(scene, client);
    assert_true(client.send(get_script));
    assert_true(scene.take().answer("Content-Length: 0\r\n\r\nmore"));
    expect_reply(client, 200, "");
    expect_canary(scene, client);
}

// Whether the head has gone out before is a matter of time, and makes no difference.
void a_body_shorter_than_its_length_is_sent_and_ends_the_connection(Scene& scene) {
    scene.start();
    for (const std::string_view body : {"body", ""}) {
        Client& client = scene.client_with(get_script);
        Buffer cgi;
        assert_true(scene.take().answer(cgi.append("Content-Length: 40\r\n\r\n").append(body).view()));
        assert_false(client.read());
        assert_int_equal(client.reply().status, 200);
        assert_int_equal(client.reply().length, 40);
        check_text(client.reply().body.view(), body);
        assert_true(client.is_closed());
    }
    assert_int_equal(
        scene.log.count("GET /t.php: reply cut off: ", ": its body is shorter than its Content-Length [body-short]\n"),
        2);
    scene.expect_served();
}

void a_body_that_turns_out_shorter_ends_the_connection(Scene& scene) {
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.out("Content-Length: 40\r\n\r\nbody"));
    assert_true(client.read_head() && client.read_body(4));
    assert_true(php.end());
    assert_false(client.read());
    assert_int_equal(client.reply().status, 200);
    assert_int_equal(client.reply().length, 40);
    check_text(client.reply().body.view(), "body");
    assert_true(client.is_closed());
    assert_true(scene.log.has("reply cut off: backend "));
    scene.expect_served();
}

void statuses_without_a_body_have_none(Scene& scene) {
    scene.start();
    for (const std::string_view status : {"204", "304"}) {
        for (const std::string_view fields : {"", "Content-Length: 7\r\n"}) {
            Client& client = scene.client_with(get_script);
            Buffer cgi;
            cgi.append("Status: ").append(status).append("\r\nETag: \"x\"\r\n").append(fields);
            cgi.append("\r\nignored");
            assert_true(scene.take().answer(cgi.view()));
            assert_true(client.read());
            assert_int_equal(client.reply().status, status == "204" ? 204 : 304);
            assert_true(status != "204" || client.reply().count("Content-Length") == 0);
            check_text(client.reply().field("ETag"), "\"x\"");
            assert_int_equal(client.reply().count("Transfer-Encoding"), 0);
            if (client.reply().closes()) {
                assert_true(client.is_closed());
            } else {
                expect_canary(scene, client);
            }
            client.close();
        }
    }
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(get_reaches_the_script_with_its_variables),
        FCGATE_CASE(post_reaches_the_script_with_its_body),
        FCGATE_CASE(head_has_no_body_whatever_the_script_sends),
        FCGATE_CASE(status_and_fields_are_the_scripts_own),
        FCGATE_CASE(fields_of_the_site_may_share_a_name),
        FCGATE_CASE(location_alone_makes_it_302),
        FCGATE_CASE(every_reply_has_a_date),
        FCGATE_CASE(hop_by_hop_fields_end_here),
        FCGATE_CASE(a_length_is_told_when_it_is_known),
        FCGATE_CASE(http_1_0_gets_a_body_that_ends_with_the_connection),
        FCGATE_CASE(connection_close_is_kept),
        FCGATE_CASE(a_body_longer_than_its_length_is_cut),
        FCGATE_CASE(a_body_shorter_than_its_length_is_sent_and_ends_the_connection),
        FCGATE_CASE(a_body_that_turns_out_shorter_ends_the_connection),
        FCGATE_CASE(statuses_without_a_body_have_none),
    };
    static constexpr Variant variants[] = {
        {.name = "unix"},
        {.name = "TCP", .php_over_tcp = true},
        {.name = "2 threads", .threads = "2"},
        {.name = "unix front, 2 threads, TCP", .threads = "2", .php_over_tcp = true, .front_is_local = true},
    };
    return play("relay", cases, variants);
}
