// Sites that ask for a user and a password.
#include "base/features.hpp"
#include "base/limits.hpp"
#include "scene.hpp"
#include "support/basic_auth.hpp"

namespace {

using namespace fcgate::test;
using fcgate::Text;
namespace limits = fcgate::limits;

constexpr std::string_view challenge = "Basic realm=\"fcgate\", charset=\"UTF-8\"";
constexpr std::string_view ann = "ann:Hello world!";
constexpr std::string_view slow = "slow:x";  // takes a while, and is wrong

void set(Scene& scene) {
    scene.tree.file("users", users);
    Text<256> path(scene.tree.path());
    path.append("/users");
    scene.set("site.auth", path.c_str());
}

void start(Scene& scene) {
    set(scene);
    scene.start();
}

void append_request(Buffer& out, std::string_view line, std::string_view both, std::string_view fields = {}) {
    Text<512> value;
    append_basic(value, both);
    out.append(line).append(" HTTP/1.1\r\nHost: localhost\r\nAuthorization: ").append(value.view()).append("\r\n");
    out.append(fields).append("\r\n");
}

Client& ask(Scene& scene, std::string_view line, std::string_view both, std::string_view fields = {},
            std::string_view body = {}) {
    Buffer request;
    append_request(request, line, both, fields);
    return scene.client_with(request.append(body).view());
}

void expect_challenge(Client& client, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    expect_status(client, 401, file, line);
    check_text(client.reply().field("WWW-Authenticate"), challenge, file, line);
    check_text(client.reply().field("Cache-Control"), "no-store", file, line);
}

void nothing_is_told_without_a_password(Scene& scene) {
    if (fcgate::features::status) {
        scene.set("server.status_path", "/status");
    }
    start(scene);
    for (const std::string_view path : {"/static.txt", "/t.php", "/nothing", "/", "/.hidden", "/status"}) {
        Buffer request;
        request.append("GET ").append(path).append(" HTTP/1.1\r\nHost: localhost\r\n\r\n");
        expect_challenge(scene.client_with(request.view()));
    }
    for (const std::string_view wrong : {"Basic", "Basic !", "Bearer YW5uOngK", "Digest username=ann", "YW5uOng="}) {
        Buffer request;
        request.append("GET /static.txt HTTP/1.1\r\nHost: localhost\r\nAuthorization: ").append(wrong);
        expect_challenge(scene.client_with(request.append("\r\n\r\n").view()));
    }
    // Of two fields one would be checked, and a script might go by the other.
    expect_challenge(ask(scene, "GET /static.txt", ann, "authorization: Basic Ym9iOlUqVQ==\r\n"));
    expect_challenge(ask(scene, "GET /static.txt", ann, "Authorization:\r\n"));
    // A body that nobody has asked for yet is not read, and none is asked for.
    Client& client = scene.client_with(
        "POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n");
    expect_challenge(client);
    assert_int_equal(client.reply().interim, 0);
    assert_true(client.reply().closes());
    assert_int_equal(scene.log.count("[unauthorized]"), 0);
}

void who_has_the_right_one_is_served(Scene& scene) {
    start(scene);
    expect_reply(ask(scene, "GET /static.txt", ann), 200, "static");
    expect_reply(ask(scene, "GET /static.txt", "bob:U*U"), 200, "static");
    expect_status(ask(scene, "GET /nothing", ann), 404);
    Client& client = ask(scene, "GET /t.php", ann, "Remote-User: bob\r\n");
    PhpConnection& php = scene.take();
    check_text(php.param("REMOTE_USER"), "ann");
    check_text(php.param("AUTH_TYPE"), "Basic");
    check_text(php.param("HTTP_AUTHORIZATION"), "Basic YW5uOkhlbGxvIHdvcmxkIQ==");
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    // The same connection, and each request by itself.
    assert_true(client.send("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    expect_challenge(client);
    Buffer again;
    append_request(again, "GET /static.txt", ann);
    append_request(again, "GET /static.txt", "ann:Hello");
    append_request(again, "GET /static.txt", ann);
    assert_true(client.send(again.view()));
    expect_reply(client, 200, "static");
    expect_challenge(client);
    expect_reply(client, 200, "static");
}

void wrong_ones_are_told_of(Scene& scene) {
    start(scene);
    expect_challenge(ask(scene, "GET /static.txt", "ann:hello world!"));
    assert_true(scene.log.has("GET /static.txt: 401: wrong user or password, for ann [unauthorized]"));
    expect_challenge(ask(scene, "GET /static.txt", "carl\xff:x"));
    assert_true(scene.log.has("401: wrong user or password, for carl\\xff [unauthorized]"));
    expect_challenge(ask(scene, "GET /static.txt", "plain:secret"));
    assert_true(scene.log.has("the hash of plain in "));
    assert_int_equal(scene.log.count("error: ", "[auth-file]\n"), 1);
    assert_int_equal(unlinkat(scene.tree.fd(), "users", 0), 0);
    expect_status(ask(scene, "GET /static.txt", ann), 500);
    assert_true(scene.log.has("/users cannot be read (see `auth`): No such file or directory [auth-file]"));
}

void a_body_waits_for_the_password(Scene& scene) {
    start(scene);
    // With Expect it is asked for when the password was right, and not before.
    Client& client = ask(scene, "POST /t.php", ann, "Content-Length: 5\r\nExpect: 100-continue\r\n");
    PhpConnection* php = nullptr;
    assert_true(client.next() == Receipt::bytes);
    check_text(client.rest(), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_true(client.send("12345"));
    php = &scene.take();
    check_text(php->body(), "12345");
    assert_true(php->answer(hello));
    expect_reply(client, 200, "hello");
    Client& denied = ask(scene, "POST /t.php", "ann:x", "Content-Length: 5\r\nExpect: 100-continue\r\n");
    expect_challenge(denied);
    assert_int_equal(denied.reply().interim, 0);
    // What has come with the head already, more than libmicrohttpd reads at once.
    Buffer body;
    body.append_pattern(200'000);
    Client& upload = ask(scene, "POST /t.php", ann, "Content-Length: 200000\r\n", body.view());
    php = &scene.take();
    assert_true(php->body() == body.view());
    assert_true(php->answer(hello));
    expect_reply(upload, 200, "hello");
    Client& refused = ask(scene, "POST /t.php", slow, "Content-Length: 200000\r\n", body.view());
    expect_challenge(refused);
    assert_true(refused.reply().closes());
}

void a_chunked_body_waits_as_well(Scene& scene) {
    if (!fcgate::features::spool) {
        return;
    }
    scene.set("site.spool", scene.tree.path());
    start(scene);
    constexpr std::string_view chunked = "Transfer-Encoding: chunked\r\n";
    constexpr std::string_view body = "5\r\n12345\r\n0\r\n\r\n";
    Client& client = ask(scene, "POST /t.php", ann, chunked, body);
    PhpConnection& php = scene.take();
    check_text(php.param("REMOTE_USER"), "ann");
    check_text(php.body(), "12345");
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    expect_challenge(ask(scene, "POST /t.php", slow, chunked, body));
}

void clients_may_leave_at_any_time(Scene& scene) {
    start(scene);
    for (int i = 0; i < 8; ++i) {
        Client& reset = ask(scene, "GET /static.txt", slow);
        Client& half = ask(scene, "POST /t.php", slow, "Content-Length: 5\r\n", "123");
        half.half_close();
        (void)usleep(static_cast<useconds_t>(i) * 2000);
        reset.reset();
        half.close();
    }
    expect_reply(ask(scene, "GET /static.txt", ann), 200, "static");
    expect_reply(ask(scene, "GET /static.txt", "bob:U*U"), 200, "static");
}

void too_many_at_once_are_refused(Scene& scene) {
    start(scene);
    std::array<Client*, limits::password_questions_per_client + 2> clients{};
    for (Client*& client : clients) {
        client = &ask(scene, "GET /static.txt", slow);
    }
    size_t refused = 0;
    for (Client* const client : clients) {
        assert_true(client->read());
        const unsigned status = client->reply().status;
        assert_true(status == 401 || status == 503);
        refused += status == 503 ? 1 : 0;
    }
    // The first may have been told before the last have asked.
    assert_int_equal(scene.log.count("503: too many passwords wait to be checked [auth-busy]"), refused);
    expect_reply(ask(scene, "GET /static.txt", ann), 200, "static");
}

void a_stop_ends_those_who_wait(Scene& scene) {
    start(scene);
    std::array<Client*, 6> clients{};
    for (Client*& client : clients) {
        client = &ask(scene, "GET /static.txt", slow);
    }
    fcgate_stop(scene.server, 0);
    fcgate_error error{};
    assert_int_equal(fcgate_wait(scene.server, 20'000, &error), FCGATE_OK);
}

void the_pages_of_the_site_are_for_401_too(Scene& scene) {
    scene.tree.file("login.html", "<p>who?</p>");
    scene.set("site.error_page", "401 /login.html");
    start(scene);
    Client& client = scene.client_with("GET /t.php HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect_reply(client, 401, "<p>who?</p>");
    check_text(client.reply().field("WWW-Authenticate"), challenge);
}

void a_file_that_is_not_there_is_told_of_at_the_start(Scene& scene) {
    scene.set("site.auth", "/no/such/users");
    fcgate_error error{};
    scene.make();
    assert_int_equal(fcgate_start(scene.server, &error), FCGATE_INVALID);
    check_text(error.text, "auth: /no/such/users: No such file or directory");
    fcgate_destroy(scene.server);
    scene.server = nullptr;
}

void users_who_cannot_log_in_are_told_of_at_the_start(Scene& scene) {
    start(scene);
    assert_true(scene.log.has(
        "/users: line 5: its hash is of no kind that is taken: make it with `openssl passwd -6` (see `auth`)"));
    assert_false(scene.log.has("nobody can log in"));
}

void a_file_without_users_is_told_of_at_the_start(Scene& scene) {
    scene.tree.file("nobody", "# none yet\nann:$6$rounds=900000000$salt$x\n");
    Text<256> path(scene.tree.path());
    path.append("/nobody");
    scene.set("site.auth", path.c_str());
    scene.start();
    assert_true(
        scene.log.has("/nobody: line 2: its hash takes too long: make it with `openssl passwd -6` (see `auth`)"));
    assert_true(scene.log.has("/nobody: nobody can log in (see `auth`)"));
    expect_challenge(ask(scene, "GET /static.txt", ann));
}

void a_reload_keeps_to_it(Scene& scene) {
    start(scene);
    expect_reply(ask(scene, "GET /static.txt", ann), 200, "static");
    Text<256> path(scene.tree.path());
    path.append("/others");
    scene.tree.file("others", "bob:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n");
    fcgate_settings* const changed = fcgate_settings_create();
    fcgate_error error{};
    Text<16> listen("fd:");
    listen.append_number(static_cast<unsigned>(scene.listener()));
    assert_int_equal(fcgate_set(changed, "server.listen", listen.c_str(), &error), FCGATE_OK);
    assert_int_equal(fcgate_set(changed, "site.root", scene.tree.path(), &error), FCGATE_OK);
    assert_int_equal(fcgate_set(changed, "site.auth", path.c_str(), &error), FCGATE_OK);
    assert_int_equal(scene.reload(changed, error), FCGATE_OK);
    expect_challenge(ask(scene, "GET /static.txt", ann));
    expect_reply(ask(scene, "GET /static.txt", "bob:U*U"), 200, "static");
}

}  // namespace

int main() {
    constexpr Case cases[] = {
        FCGATE_CASE(nothing_is_told_without_a_password),
        FCGATE_CASE(who_has_the_right_one_is_served),
        FCGATE_CASE(wrong_ones_are_told_of),
        FCGATE_CASE(a_body_waits_for_the_password),
        FCGATE_CASE(a_chunked_body_waits_as_well),
        FCGATE_CASE(clients_may_leave_at_any_time),
        FCGATE_CASE(too_many_at_once_are_refused),
        FCGATE_CASE(a_stop_ends_those_who_wait),
        FCGATE_CASE(the_pages_of_the_site_are_for_401_too),
        FCGATE_CASE(a_file_that_is_not_there_is_told_of_at_the_start),
        FCGATE_CASE(users_who_cannot_log_in_are_told_of_at_the_start),
        FCGATE_CASE(a_file_without_users_is_told_of_at_the_start),
        FCGATE_CASE(a_reload_keeps_to_it),
    };
    constexpr Variant variants[] = {
        {.name = "one thread"},
        {.name = "two threads", .threads = "2"},
    };
    return play("passwords", cases, variants);
}
