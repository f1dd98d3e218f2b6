// Requests that are none, or not quite: every one is refused, nothing behind it is taken for a request of its own, PHP never hears of
// it, and one line in the log says so. And those at the edge that are good.
#include <initializer_list>

#include "scene.hpp"

namespace {

using namespace fcgate::test;
using std::string_view_literals::operator""sv;

struct Vector {
    std::string_view name;
    std::string_view bytes;
    std::initializer_list<unsigned> statuses;  // any of them; 0: the connection ends without a word
};

constexpr std::string_view host = "Host: localhost\r\n";
// Behind every vector: it must not be answered once that was refused.
constexpr std::string_view canary = "GET /t.php?canary HTTP/1.1\r\nHost: localhost\r\n\r\n";

#define FCGATE_POST(fields, body) "POST /t.php HTTP/1.1\r\nHost: localhost\r\n" fields "\r\n" body ""sv
#define FCGATE_GET(fields) "GET /t.php HTTP/1.1\r\nHost: localhost\r\n" fields "\r\n"sv

constexpr Vector refused[] = {
    // Two opinions about where the body ends are two requests for somebody.
    {"length and chunked", FCGATE_POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), {400}},
    {"chunked and length", FCGATE_POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), {400}},
    {"two lengths", FCGATE_POST("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), {400}},
    {"the same length twice", FCGATE_POST("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), {400}},
    {"a list of lengths", FCGATE_POST("Content-Length: 5, 5\r\n", "hello"), {400}},
    {"a signed length", FCGATE_POST("Content-Length: +5\r\n", "hello"), {400}},
    {"a negative length", FCGATE_POST("Content-Length: -5\r\n", "hello"), {400}},
    {"a length with more behind", FCGATE_POST("Content-Length: 5x\r\n", "hello"), {400}},
    {"a length in hexadecimal", FCGATE_POST("Content-Length: 0x5\r\n", "hello"), {400}},
    {"an empty length", FCGATE_POST("Content-Length:\r\n", "hello"), {400}},
    {"a length of 2^64", FCGATE_POST("Content-Length: 18446744073709551616\r\n", "hello"), {400, 413}},
    {"a length of 2^63", FCGATE_POST("Content-Length: 9223372036854775808\r\n", "hello"), {400, 413}},
    {"another coding", FCGATE_POST("Transfer-Encoding: gzip\r\n", "hello"), {400, 501}},
    {"two codings", FCGATE_POST("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), {400, 501}},
    {"chunked twice", FCGATE_POST("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), {400, 501}},
    {"two fields of coding",
     FCGATE_POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "0\r\n\r\n"),
     {400, 501}},
    {"a quoted coding", FCGATE_POST("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), {400, 501}},
    {"chunked in HTTP/1.0", "POST /t.php HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"sv, {400}},
    // Lines
    {"a space before the colon", FCGATE_POST("Content-Length : 5\r\n", "hello"), {400}},
    {"a folded line", FCGATE_GET("X: a\r\n b\r\n"), {400}},
    {"a length in a folded line", FCGATE_GET("X: a\r\n Content-Length: 5\r\n"), {400}},
    {"a folded name", FCGATE_POST("Content-\r\n Length: 5\r\n", "hello"), {400}},
    {"a fold at the first line", "GET /t.php HTTP/1.1\r\n X: a\r\nHost: localhost\r\n\r\n"sv, {400}},
    {"lines that end in LF", "GET /t.php HTTP/1.1\nHost: localhost\n\n"sv, {400}},
    {"one line that ends in LF", FCGATE_GET("X: a\nContent-Length: 5\r\n"), {400}},
    {"a bare CR", FCGATE_GET("X: a\rContent-Length: 5\r\n"), {400}},
    {"a NUL in a value", FCGATE_GET("X: a\0b\r\n"), {400}},
    {"a NUL in a name", FCGATE_GET("X\0Y: a\r\n"), {400}},
    {"a control byte in a value", FCGATE_GET("X: a\1b\r\n"), {400}},
    {"a DEL in a value", FCGATE_GET("X: a\x7f\r\n"), {400}},
    {"a line without a colon", FCGATE_GET("nothing\r\n"), {400}},
    {"a field without a name", FCGATE_GET(": a\r\n"), {400}},
    {"a name that is no token", FCGATE_GET("X(Y): a\r\n"), {400}},
    {"a name with a space", FCGATE_GET("X Y: a\r\n"), {400}},
    // Hosts
    {"two hosts", FCGATE_GET("Host: localhost\r\n"), {400}},
    {"no host", "GET /t.php HTTP/1.1\r\nX: a\r\n\r\n"sv, {400}},
    {"a host with a space", "GET /t.php HTTP/1.1\r\nHost: local host\r\n\r\n"sv, {400}},
    {"a host with a path", "GET /t.php HTTP/1.1\r\nHost: localhost/x\r\n\r\n"sv, {400}},
    {"a host with a user", "GET /t.php HTTP/1.1\r\nHost: x@localhost\r\n\r\n"sv, {400}},
    {"a host with a port that is none", "GET /t.php HTTP/1.1\r\nHost: localhost:8x\r\n\r\n"sv, {400}},
    {"another host in the target", "GET http://other/t.php HTTP/1.1\r\nHost: localhost\r\n\r\n"sv, {400}},
    // Request lines
    {"HTTP/1.2", "GET /t.php HTTP/1.2\r\nHost: localhost\r\n\r\n"sv, {400, 505}},
    {"HTTP/2.0", "GET /t.php HTTP/2.0\r\nHost: localhost\r\n\r\n"sv, {400, 505}},
    {"HTTP/0.9 by name", "GET /t.php HTTP/0.9\r\nHost: localhost\r\n\r\n"sv, {400, 505}},
    {"HTTP/1.10", "GET /t.php HTTP/1.10\r\nHost: localhost\r\n\r\n"sv, {400, 505}},
    {"a protocol in small letters", "GET /t.php http/1.1\r\nHost: localhost\r\n\r\n"sv, {400, 505}},
    {"no protocol", "GET /t.php\r\nHost: localhost\r\n\r\n"sv, {400, 505}},
    {"a method that is no token", "GE(T /t.php HTTP/1.1\r\nHost: localhost\r\n\r\n"sv, {400}},
    {"no method", " /t.php HTTP/1.1\r\nHost: localhost\r\n\r\n"sv, {0, 400}},
    {"two spaces in the line", "GET  /t.php HTTP/1.1\r\nHost: localhost\r\n\r\n"sv, {400}},
    {"a space in the target", "GET /t.php x HTTP/1.1\r\nHost: localhost\r\n\r\n"sv, {0, 400}},
    {"a tab in the line", "GET\t/t.php\tHTTP/1.1\r\nHost: localhost\r\n\r\n"sv, {0, 400}},
    {"a NUL in the target", "GET /t.php\0x HTTP/1.1\r\nHost: localhost\r\n\r\n"sv, {0, 400}},
    {"a control byte in the target", "GET /t.php\1 HTTP/1.1\r\nHost: localhost\r\n\r\n"sv, {400}},
    {"a target without a slash", "GET t.php HTTP/1.1\r\nHost: localhost\r\n\r\n"sv, {400}},
    {"a fragment in the target", "GET /t.php#x HTTP/1.1\r\nHost: localhost\r\n\r\n"sv, {400}},
    {"an escaped NUL", "GET /t.php%00 HTTP/1.1\r\nHost: localhost\r\n\r\n"sv, {400}},
    {"an escaped slash", "GET /x%2ft.php HTTP/1.1\r\nHost: localhost\r\n\r\n"sv, {400}},
    {"a broken escape", "GET /t.php%4 HTTP/1.1\r\nHost: localhost\r\n\r\n"sv, {400}},
    {"a path out of the root", "GET /../t.php HTTP/1.1\r\nHost: localhost\r\n\r\n"sv, {400}},
    {"an unknown expectation", FCGATE_POST("Expect: x\r\nContent-Length: 5\r\n", "hello"), {417}},
};

[[nodiscard]] bool contains(std::initializer_list<unsigned> list, unsigned wanted) {
    for (const unsigned one : list) {
        if (one == wanted) {
            return true;
        }
    }
    return false;
}

// The reply says so and ends the connection.
void expect_refusal(Client& client, std::initializer_list<unsigned> statuses) {
    const bool whole = client.read();
    const HttpReply& reply = client.reply();
    if (whole != (reply.status != 0) || !contains(statuses, reply.status) || (whole && !reply.closes())) {
        print_error("status %u, with head:\n%.*s\n", reply.status, static_cast<int>(reply.head.size()),
                    reply.head.view().data());
        _fail(__FILE__, __LINE__);
    }
}

// ... without answering what stands behind. libmicrohttpd 0.9.x sends the head of some of its refusals twice: then as much
// is left over as a head is long.
void expect_silence(Client& client) {
    assert_true(client.read_to_end());
    const bool is_old = fcgate::slice(fcgate_libmicrohttpd_version(), 0, 2) == "0.";
    if (!is_old || client.rest().size() != client.reply().head.size()) {
        check_text(client.rest(), "");
    }
}

// Refused, with what stands behind unheard.
void expect_refused(Scene& scene, std::string_view bytes, std::initializer_list<unsigned> statuses) {
    Buffer request;
    request.append(bytes).append(canary);
    Client& client = scene.client_with(request.view());
    expect_refusal(client, statuses);
    expect_silence(client);
    client.close();
    assert_false(scene.php.has_caller());
}

void broken_heads_are_refused(Scene& scene) {
    scene.start();
    for (const Vector& vector : refused) {
        scene.about = vector.name.data();
        const size_t lines = scene.log.count("");
        expect_refused(scene, vector.bytes, vector.statuses);
        // One line says why. What libmicrohttpd refuses is told when the connection has gone, which the client may see first.
        assert_true(scene.log.grows_to(lines + 1));
        scene.settle();
        assert_int_equal(scene.log.count(""), lines + 1);
    }
    assert_int_equal(scene.php.connections(), 0);
    scene.expect_served();
}

// The same byte by byte: no cut may make a difference.
void broken_heads_in_pieces_are_refused(Scene& scene) {
    scene.start();
    for (const Vector& vector : refused) {
        scene.about = vector.name.data();
        Client& client = scene.client();
        Buffer request;
        request.append(vector.bytes).append(canary);
        for (size_t i = 0; i < request.size(); ++i) {
            if (!client.send(fcgate::slice(request.view(), i, 1))) {
                break;
            }
        }
        expect_refusal(client, vector.statuses);
        expect_silence(client);
        client.close();
    }
    assert_false(scene.php.has_caller());
    scene.expect_served();
}

// A head is not looked at byte by byte: nothing may hide among bytes that are passed over.
constexpr size_t letters = 19;

void expect_each_refused(Scene& scene, std::string_view before, std::string_view bytes, std::string_view behind) {
    scene.start();
    for (const char bad : bytes) {
        for (size_t at = 0; at < letters; ++at) {
            Buffer request;
            request.append("GET /t.php HTTP/1.1\r\n").append(host).append(before);
            request.append_letters(at).append(bad).append_letters(letters - 1 - at);
            request.append(behind).append("\r\n\r\n");
            Client& client = scene.client_with(request.view());
            expect_refusal(client, {400});
            client.close();
        }
    }
    assert_false(scene.php.has_caller());
}

void a_byte_is_seen_wherever_it_stands_in_a_name(Scene& scene) {
    expect_each_refused(scene, "", "\0\1\r\n\t (/@[{\x7f\x80"sv, ": x");
}

void a_byte_is_seen_wherever_it_stands_in_a_value(Scene& scene) {
    expect_each_refused(scene, "X: ", "\0\1\r\n\x1f\x7f"sv, "");
}

void a_byte_of_a_value_arrives_wherever_it_stands(Scene& scene) {
    scene.start();
    Client* client = &scene.client();
    for (const char good : "\t !:~\x80\xff"sv) {
        for (size_t at = 1; at < letters - 1; ++at) {
            Buffer value;
            value.append_letters(at).append(good).append_letters(letters - 1 - at);
            Buffer request;
            request.append("GET /t.php HTTP/1.1\r\n")
                .append(host)
                .append("X: ")
                .append(value.view())
                .append("\r\n\r\n");
            assert_true(client->send(request.view()));
            PhpConnection& php = scene.take();
            check_text(php.param("HTTP_X"), value.view());
            assert_true(php.answer(hello));
            expect_reply(*client, 200, "hello");
        }
    }
}

void too_long_a_target_is_414(Scene& scene) {
    scene.start();
    for (const unsigned size : {8190U, 8200U, 30000U}) {
        Buffer request;
        request.append("GET /t.php?").append_letters(size).append(" HTTP/1.1\r\n").append(host).append("\r\n");
        expect_refused(scene, request.view(), {414});
    }
    Buffer good;
    good.append("GET /t.php?").append_letters(8000).append(" HTTP/1.1\r\n").append(host).append("\r\n");
    Client& client = scene.client_with(good.view());
    PhpConnection& php = scene.take();
    assert_int_equal(php.param("QUERY_STRING").size(), 8000);
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
}

void too_large_a_head_is_431(Scene& scene) {
    scene.start();
    for (const unsigned size : {11000U, 19000U, 40000U}) {
        Buffer request;
        request.append("GET /t.php HTTP/1.1\r\n").append(host).append("X: ").append_letters(size).append("\r\n\r\n");
        expect_refused(scene, request.view(), {431});
    }
    Buffer good;
    good.append("GET /t.php HTTP/1.1\r\n").append(host).append("X: ").append_letters(8000).append("\r\n\r\n");
    Client& client = scene.client_with(good.view());
    PhpConnection& php = scene.take();
    assert_int_equal(php.param("HTTP_X").size(), 8000);
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
}

// A reply's head has to fit into the same memory; the client is not left without a word.
void too_large_a_head_of_a_reply_is_502(Scene& scene) {
    scene.set("server.connection_memory", "8k");
    for (const std::string_view name : {"X-One ", "X-Two "}) {
        Buffer header;
        header.append(name).append_letters(2000);
        scene.set("site.header", header.c_str());
    }
    scene.start();
    Client& client = scene.client_with("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect_status(client, 502);
    assert_true(scene.log.has("502: the reply's head of "));
    assert_true(scene.log.has("bytes is larger than half of `connection_memory`"));
    assert_true(client.reply().body.view().find("static") == std::string_view::npos);
    // The file is closed, and the connection in step.
    assert_true(client.send("HEAD /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_true(client.read(true));
    assert_int_equal(client.reply().status, 502);
}

// What lies behind a request shares its memory: a body that is refused, or further requests.
void much_that_is_sent_ahead_leaves_room_for_a_reply(Scene& scene) {
#ifdef FCGATE_MHD_TAKES_EVENTS
    scene.set("server.connection_memory", "8k");
    for (const std::string_view name : {"X-One ", "X-Two "}) {
        Buffer header;
        header.append(name).append_letters(1700);
        scene.set("site.header", header.c_str());
    }
    scene.start();
    for (const bool has_body : {true, false}) {
        Buffer request;
        request.append(has_body ? "POST" : "GET").append(" /static.txt HTTP/1.1\r\n").append(host);
        for (size_t i = 0; i < 30; ++i) {
            request.append("X: y\r\n");
        }
        request.append(has_body ? "Content-Length: 20000\r\n\r\n" : "\r\n");
        Buffer ahead;
        for (size_t i = 0; i < 100; ++i) {
            ahead.append("GET /static.txt HTTP/1.1\r\n").append(host).append("\r\n");
        }
        Client& client = scene.client_with(request.append(ahead.view()).view());
        expect_status(client, has_body ? 405 : 200);
        assert_int_equal(client.reply().field("X-Two").size(), 1700);
        assert_true(client.reply().whole);
        assert_true(client.reply().closes());
        assert_true(client.is_closed());
    }
#else
    static_cast<void>(scene);  // only the bundled library lets what was sent ahead be dropped
#endif
}

// White space around a value is no part of it, in it it is (RFC 9112 section 5.1), wherever what has come at first ends.
void white_space_around_values(Scene& scene) {
    static constexpr struct {
        std::string_view sent, value;
    } fields[] = {
        {"a b", "a b"},
        {"  a  b  ", "a  b"},
        {"Sun, 29 Nov 2026 10:00:00 GMT \t", "Sun, 29 Nov 2026 10:00:00 GMT"},
        {"\ta \t b\t \t", "a \t b"},
        {"a         b         ", "a         b"},
        {"                  ", ""},
        {"seven77 seven77 \xc3\xa4 ", "seven77 seven77 \xc3\xa4"},
    };
    scene.start();
    for (const auto& field : fields) {
        for (size_t cut = 0; cut <= field.sent.size(); ++cut) {
            Buffer request;
            request.append("GET /t.php HTTP/1.1\r\n")
                .append(host)
                .append("X-Spaced:")
                .append(fcgate::slice(field.sent, 0, cut));
            Client& client = scene.client_with(request.view());
            scene.settle();
            request.clear();
            request.append(fcgate::slice(field.sent, cut)).append("\r\n\r\n");
            assert_true(client.send(request.view()));
            PhpConnection& php = scene.take();
            expect_same(php.param("HTTP_X_SPACED"), field.value);
            assert_true(php.answer(hello));
            expect_reply(client, 200, "hello");
            client.close();
        }
    }
#ifdef FCGATE_MHD_TAKES_EVENTS
    // One that libmicrohttpd reads itself; 0.9.x refuses it.
    Client& client = scene.client_with(FCGATE_POST("Content-Length:  5      \r\n", "hello"));
    PhpConnection& php = scene.take();
    expect_same(php.body(), "hello");
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
#endif
}

void too_many_fields_are_431(Scene& scene) {
    scene.start();
    for (const unsigned count : {98U, 101U, 300U}) {
        Buffer request;
        request.append("GET /t.php HTTP/1.1\r\n").append(host);
        for (size_t i = 0; i < count; ++i) {
            request.append("X: y\r\n");
        }
        request.append("\r\n");
        if (count > 100) {
            expect_refused(scene, request.view(), {431});
            assert_true(scene.log.has("431: the request has more than 100 header fields"));
            continue;
        }
        Client& client = scene.client_with(request.view());
        PhpConnection& php = scene.take();
        assert_int_equal(php.param("HTTP_X").size(), 3 * count - 2);
        assert_true(php.answer(hello));
        expect_reply(client, 200, "hello");
    }
}

// ---- refused, but requests: the connection goes on ------------------------------------------------------------------

void methods_that_are_not_for_php(Scene& scene) {
    scene.start();
    for (const std::string_view request : {"TRACE /t.php HTTP/1.1\r\nHost: localhost\r\n\r\n"sv,
                                           "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n"sv}) {
        Client& client = scene.client_with(request);
        expect_status(client, request.front() == 'T' ? 405 : 501);
        if (!client.reply().closes()) {
            assert_true(client.send("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            expect_reply(client, 200, "static");
        }
    }
    assert_false(scene.php.has_caller());
}

void an_unknown_host_is_421(Scene& scene) {
    scene.set("site.host", "router.lan");
    scene.set("site.host", "*.home");
    scene.start();
    for (const std::string_view name : {"evil.example", "router.lan.evil.example", "home", "xrouter.lan"}) {
        Buffer request;
        request.append("GET /static.txt HTTP/1.1\r\nHost: ").append(name).append("\r\n\r\n");
        Client& client = scene.client_with(request.view());
        expect_status(client, 421);
        assert_true(client.send("GET /static.txt HTTP/1.1\r\nHost: router.lan\r\n\r\n"));
        expect_reply(client, 200, "static");
    }
    assert_int_equal(scene.log.count("421: no site is known under this Host (see `host`) [unknown-host]"), 4);
    for (const std::string_view name :
         {"router.lan", "ROUTER.lan:8080", "a.home", "127.0.0.1", "[::1]:80", "localhost"}) {
        Buffer request;
        request.append("GET /static.txt HTTP/1.1\r\nHost: ").append(name).append("\r\n\r\n");
        Client& client = scene.client_with(request.view());
        expect_reply(client, 200, "static");
    }
}

// Where the Host before has led to is nothing to go by.
void an_unknown_host_is_421_each_time_and_by_all_of_its_name(Scene& scene) {
    constexpr std::string_view long_name = "a234567890123456789012345678901234567890123456789012345678901.b.home";
    scene.set("site.host", "*.home");
    scene.start();
    const auto ask = [&scene](std::string_view name, unsigned status) {
        Buffer request;
        request.append("GET /static.txt HTTP/1.1\r\nHost: ").append(name).append("\r\n\r\n");
        expect_status(scene.client_with(request.view()), status);
    };
    ask("a.home", 200);
    for (int i = 0; i < 2; ++i) {
        ask("evil.example", 421);
    }
    for (int i = 0; i < 2; ++i) {
        ask("b..home", 400);
    }
    ask(long_name, 200);
    for (size_t size = long_name.size() - 5; size > 60; --size) {
        ask(fcgate::slice(long_name, 0, size), 421);
        ask(long_name, 200);
    }
}

// Its connection stays open, and has been given what it asked for.
void a_long_target_takes_no_place_behind_its_reply(Scene& scene) {
    scene.start();
    Buffer request;
    request.append("GET /static.txt?").append_letters(3000).append(" HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for (int i = 0; i < 40; ++i) {
        expect_reply(scene.client_with(request.view()), 200, "static");
    }
}

void what_is_odd_but_right_is_served(Scene& scene) {
    scene.start();
    for (const std::string_view request :
         {"GET http://localhost/t.php HTTP/1.1\r\nHost: localhost\r\n\r\n"sv, FCGATE_GET("X:\r\n"),
          FCGATE_GET("X:  a \t\r\n"), FCGATE_GET("Content-Length: 0\r\n"),
          "GET /%74.php HTTP/1.1\r\nhOST:localhost\r\n\r\n"sv,
          "GET /./a/../t.php HTTP/1.1\r\nHost: localhost\r\n\r\n"sv,
          "OPTIONS /t.php HTTP/1.1\r\nHost: localhost\r\n\r\n"sv}) {
        scene.about = request.data();
        Client& client = scene.client_with(request);
        assert_true(scene.take().answer(hello));
        expect_reply(client, 200, "hello");
        assert_true(client.send(canary));
        assert_true(scene.take().answer(hello));
        expect_reply(client, 200, "hello");
        client.close();
    }
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(broken_heads_are_refused),
        FCGATE_CASE(broken_heads_in_pieces_are_refused),
        FCGATE_CASE(a_byte_is_seen_wherever_it_stands_in_a_name),
        FCGATE_CASE(a_byte_is_seen_wherever_it_stands_in_a_value),
        FCGATE_CASE(a_byte_of_a_value_arrives_wherever_it_stands),
        FCGATE_CASE(too_long_a_target_is_414),
        FCGATE_CASE(too_large_a_head_is_431),
        FCGATE_CASE(too_many_fields_are_431),
        FCGATE_CASE(white_space_around_values),
        FCGATE_CASE(methods_that_are_not_for_php),
        FCGATE_CASE(too_large_a_head_of_a_reply_is_502),
        FCGATE_CASE(much_that_is_sent_ahead_leaves_room_for_a_reply),
        FCGATE_CASE(a_long_target_takes_no_place_behind_its_reply),
        FCGATE_CASE(an_unknown_host_is_421),
        FCGATE_CASE(an_unknown_host_is_421_each_time_and_by_all_of_its_name),
        FCGATE_CASE(what_is_odd_but_right_is_served),
    };
    static constexpr Variant variants[] = {{.name = "TCP"}, {.name = "unix front", .front_is_local = true}};
    return play("heads", cases, variants);
}
