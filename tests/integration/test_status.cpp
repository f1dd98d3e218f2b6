// The status page: its figures under a known load, who may see it, and that it answers when nothing else does.
#include <poll.h>
#include <pthread.h>
#include <time.h>

#include <atomic>

#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view get_static = "GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

void ask(Client& client, std::string_view target, std::string_view fields = {}, std::string_view method = "GET") {
    Buffer request;
    request.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\n");
    request.append(fields).append("\r\n");
    assert_true(client.send(request.view()));
}

// The status shows each of these, by now or soon: a reply is there before it is counted.
void expect_shown(Scene& scene, std::initializer_list<std::string_view> parts, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
    static char text[FCGATE_STATUS_MAX];
    const int64_t deadline = soon();
    for (const std::string_view part : parts) {
        do {
            assert_int_equal(fcgate_status(scene.server, FCGATE_STATUS_JSON, text, sizeof text), FCGATE_OK);
        } while (std::string_view(text).find(part) == std::string_view::npos && fcgate::monotonic_ms() < deadline &&
                 poll(nullptr, 0, 1) == 0);
        if (std::string_view(text).find(part) == std::string_view::npos) {
            print_error("%s\nis not shown: %.*s\n", text, static_cast<int>(part.size()), part.data());
            _fail(file, line);
        }
    }
}

// ---- figures --------------------------------------------------------------------------------------------------------

void answers_are_counted(Scene& scene) {
    scene.set("site.max_body", "10");
    scene.start();
    Client& client = scene.client();
    for (unsigned i = 0; i < 5; ++i) {
        assert_true(client.send(get_static));
        expect_reply(client, 200, "static");
    }
    for (unsigned i = 0; i < 3; ++i) {
        ask(client, "/nothing");
        expect_status(client, 404);
    }
    ask(client, "/static.txt", "If-None-Match: *\r\n");
    expect_status(client, 304);
    ask(client, "/static.txt", {}, "PUT");
    expect_status(client, 405);
    Client& sender = scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n");
    expect_status(sender, 413);
    Client& stranger = scene.client_with("GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    expect_status(stranger, 400);
    expect_shown(scene, {"\"2xx\":5,", "\"3xx\":1,", "\"4xx\":6,", "\"5xx\":0",
                         "\"refusals\":{\"400\":1,\"404\":3,\"405\":1,\"413\":1}", "\"accepted\":3,"});
}

// Whose page it is does not matter; an error of a script remains one of the script.
void refusals_with_pages_of_the_site_are_counted(Scene& scene) {
    scene.tree.file("page.html", "<p>sorry</p>\n");
    scene.set("site.error_page", "404 405 502 503 /page.html");
    scene.set("site.intercept_errors", "yes");
    scene.start();
    Client& client = scene.client();
    for (const std::string_view method : {"GET", "HEAD"}) {
        ask(client, "/nothing", {}, method);
        assert_true(client.read(method == "HEAD"));
        assert_int_equal(client.reply().status, 404);
    }
    ask(client, "/static.txt", {}, "PUT");
    expect_reply(client, 405, "<p>sorry</p>\n");
    for (const std::string_view answer : {"Status: 503 Busy\r\n\r\nbusy", "nonsense\r\n\r\n"}) {
        Client& other = scene.client();
        ask(other, "/t.php");
        assert_true(scene.take().answer(answer));
        expect_status(other, fcgate::starts_with(answer, "nonsense") ? 502 : 503);
    }
    expect_shown(scene, {"\"4xx\":3,", "\"5xx\":2", "\"refusals\":{\"404\":2,\"405\":1,\"502\":1}"});
}

void bytes_are_counted(Scene& scene) {
    scene.start();
    Client& client = scene.client();
    assert_true(client.send(get_static));
    expect_reply(client, 200, "static");
    fcgate::Text<64> received("\"received_bytes\":");
    received.append_number(get_static.size()).append(",\"sent_bytes\":6,");
    expect_shown(scene, {received.view()});
    // Of PHP's output what has been taken, of a body what has come.
    static constexpr std::string_view post = "POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
    Buffer body;
    body.append_pattern(1000);
    assert_true(client.send(post) && client.send(body.view()));
    PhpConnection& php = scene.take();
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    received.clear();
    received.append("\"received_bytes\":").append_number(get_static.size() + post.size() + 1000);
    received.append(",\"sent_bytes\":11,");
    expect_shown(scene, {received.view()});
}

void connections_are_counted_by_what_they_do(Scene& scene) {
    scene.start();
    Client& idle = scene.client_with(get_static);
    expect_reply(idle, 200, "static");
    (void)scene.client_with("GET /stat");
    (void)scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nxx");
    (void)scene.client_with(get_script);
    PhpConnection& php = scene.take();
    expect_shown(scene, {"{\"idle\":1,\"head\":1,\"body\":1,\"waiting\":1,\"replying\":0}"});
    assert_true(php.out("X: y\r\n\r\npart"));
    expect_shown(scene, {"{\"idle\":1,\"head\":1,\"body\":1,\"waiting\":0,\"replying\":1}"});
    idle.close();
    expect_shown(scene, {"{\"idle\":0,"});
    assert_true(php.end());
    expect_shown(scene, {"{\"idle\":1,\"head\":1,\"body\":1,\"waiting\":0,\"replying\":0}"});
}

void the_gate_is_told(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.set("backend.queue", "1");
    scene.start();
    Client& first = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Client& second = scene.client_with(get_script);
    expect_shown(scene, {"\"waiting\":1,\"waiting_most\":1,\"queue\":1,"});
    Client& third = scene.client_with(get_script);
    expect_status(third, 503);
    expect_shown(scene, {"\"places\":1,\"in_use\":1,\"streams\":0,\"parked\":0,\"waiting\":1,", "\"refused\":1,",
                         "\"failures\":{\"queue-full\":1}", "\"kept\":0,\"fresh\":1}", "\"0.000\":1,"});
    // A wait ends with a place, and then it has a length.
    const timespec pause{0, 30'000'000};
    assert_int_equal(nanosleep(&pause, nullptr), 0);
    assert_true(php.answer(hello));
    expect_reply(first, 200, "hello");
    PhpConnection& next = scene.take();
    expect_shown(scene, {"\"waiting\":0,\"waiting_most\":1,", "\"0.000\":1,\"0.005\":0,\"0.020\":0,",
                         "\"kept\":1,\"fresh\":1}"});
    assert_true(next.answer(hello));
    expect_reply(second, 200, "hello");
    expect_shown(scene, {"\"in_use\":0,"});
}

void the_most_that_was_in_use_is_kept(Scene& scene) {
    scene.start();
    Client* clients[3];
    PhpConnection* php[3];
    for (size_t i = 0; i < 3; ++i) {
        clients[i] = &scene.client_with(get_script);
        php[i] = &scene.take();
    }
    for (size_t i = 0; i < 3; ++i) {
        assert_true(php[i]->answer(hello));
        expect_reply(*clients[i], 200, "hello");
        clients[i]->close();
    }
    expect_shown(scene, {"\"connections\":{\"item_bytes\":", "\"items\":64,\"in_use\":0,\"in_use_most\":3}",
                         "\"items\":32,\"in_use\":0,\"in_use_most\":3}", "\"parked\":3,"});
}

// ---- who may see it -------------------------------------------------------------------------------------------------

void expect_page(Scene& scene, unsigned status, std::string_view fields = {}, const char* file = __builtin_FILE(),
                 int line = __builtin_LINE()) {
    Client& client = scene.client({}, 0, file, line);
    ask(client, "/status", fields);
    expect_status(client, status, file, line);
    const bool shows = client.reply().body.view().find("fcgate_uptime_seconds ") != std::string_view::npos;
    assert_int_equal(shows, status == 200);
    client.close();
}

void this_machine_may_see_it(Scene& scene) {
    scene.set("server.status_path", "/status");
    scene.start();
    expect_page(scene, 200);
    Client& client = scene.client();
    ask(client, "/status?json", "Accept: text/html\r\n");
    expect_status(client, 200);
    check_text(client.reply().field("Content-Type"), "application/json");
    check_text(client.reply().field("Cache-Control"), "no-store");
    ask(client, "/status", "Accept: text/html\r\n");
    expect_status(client, 200);
    check_text(client.reply().field("Content-Type"), "text/html; charset=utf-8");
    assert_true(client.reply().field("Content-Security-Policy").find("default-src 'none'; style-src 'sha256-") == 0);
    ask(client, "/status", {}, "HEAD");
    assert_true(client.read(true));
    assert_int_equal(client.reply().status, 200);
    check_text(client.reply().field("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_true(client.reply().length > 1000);
    ask(client, "/status", {}, "OPTIONS");
    expect_status(client, 204);
    check_text(client.reply().field("Allow"), "GET, HEAD, OPTIONS");
    ask(client, "/status", {}, "DELETE");
    expect_status(client, 405);
    ask(client, "/status/", {});
    expect_status(client, 404);
}

void who_comes_through_a_proxy_is_looked_at(Scene& scene) {
    scene.set("server.status_path", "/status");
    scene.set("server.status_allow", "10.0.0.0/8");
    scene.set("site.trusted_proxy", "127.0.0.1");
    scene.start();
    expect_page(scene, 200, "X-Forwarded-For: 10.1.2.3\r\n");
    expect_page(scene, 404, "X-Forwarded-For: 192.0.2.1\r\n");
    expect_page(scene, 404, "X-Forwarded-For: 10.1.2.3, 192.0.2.1\r\n");
    // A proxy that names nobody, or this machine, speaks for the world.
    expect_page(scene, 404);
    expect_page(scene, 404, "X-Forwarded-For: 127.0.0.1\r\n");
    // Whoever may not see it learns nothing from other methods either.
    Client& client = scene.client();
    ask(client, "/status", {}, "DELETE");
    expect_status(client, 404);
}

void a_unix_socket_is_not_this_machine(Scene& scene) {
    scene.set("server.status_path", "/status");
    scene.start();
    expect_page(scene, 404);
}

void a_unix_socket_may_be_allowed(Scene& scene) {
    scene.set("server.status_path", "/status");
    scene.set("server.status_allow", "unix");
    scene.start();
    expect_page(scene, 200);
}

void the_page_is_off_unless_it_is_set(Scene& scene) {
    scene.start();
    expect_page(scene, 404);
}

void host_handler(void* /*context*/, fcgate_request* request) {
    (void)fcgate_reply(request, 200, nullptr, "host", 4);
}

void the_page_comes_before_files_and_endpoints(Scene& scene) {
    scene.tree.file("status", "file");
    scene.set("server.status_path", "/status");
    scene.set("site.front_controller", "/t.php");
    scene.set("site.host", "router.lan");
    scene.make();
    assert_int_equal(fcgate_handle(scene.server, "/status", &host_handler, nullptr), FCGATE_OK);
    fcgate_error error{};
    assert_int_equal(fcgate_start(scene.server, &error), FCGATE_OK);
    expect_page(scene, 200);
    Client& client = scene.client_with("GET /status HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    expect_status(client, 421);
}

// ---- when nothing else answers --------------------------------------------------------------------------------------

void dead_php_does_not_matter(Scene& scene) {
    scene.set("server.status_path", "/status");
    scene.start();
    scene.php.stop_listening();
    Client& client = scene.client_with(get_script);
    expect_status(client, 502);
    expect_page(scene, 200);
    expect_shown(scene, {"\"failures\":{\"backend-refused\":1}", "\"5xx\":1"});
}

void taken_places_do_not_matter(Scene& scene) {
    scene.set("server.status_path", "/status");
    scene.set("backend.workers", "2");
    scene.start();
    for (unsigned i = 0; i < 2; ++i) {
        (void)scene.client_with(get_script);
        (void)scene.take();
    }
    (void)scene.client_with(get_script);
    expect_shown(scene, {"\"in_use\":2,", "\"waiting\":1,\"waiting_most\":1,"});
    expect_page(scene, 200);
}

// ---- the library ----------------------------------------------------------------------------------------------------

void wrong_arguments_are_told(Scene& scene) {
    char text[64] = "x";
    assert_int_equal(fcgate_status(nullptr, FCGATE_STATUS_HTML, text, sizeof text), FCGATE_INVALID);
    scene.make();
    assert_int_equal(fcgate_status(scene.server, FCGATE_STATUS_HTML, nullptr, 5), FCGATE_INVALID);
    assert_int_equal(fcgate_status(scene.server, FCGATE_STATUS_HTML, text, 0), FCGATE_INVALID);
    assert_int_equal(fcgate_status(scene.server, static_cast<fcgate_status_form>(3), text, sizeof text),
                     FCGATE_INVALID);
    assert_int_equal(fcgate_status(scene.server, FCGATE_STATUS_JSON, text, sizeof text), FCGATE_TOO_LARGE);
    check_text(text, "");
    // Before it serves there is not much to tell, but it is told.
    expect_shown(scene, {"{\"fcgate\":\"", "\"accepted\":0,", "\"in_use_most\":0}"});
}

struct Askers {
    Scene& scene;
    std::atomic<bool> stop{false};
    std::atomic<unsigned> failures{0};
    std::atomic<unsigned> asked{0};
    std::atomic<unsigned> count{0};
};

void* ask_on_and_on(void* argument) {
    auto* const askers = static_cast<Askers*>(argument);
    // Each its own; not thread_local, for that would be taken of the stacks of all threads.
    static char texts[2][FCGATE_STATUS_MAX];
    char* const text = texts[askers->count++ % 2];
    for (unsigned i = 0; !askers->stop; ++i) {
        const auto form = static_cast<fcgate_status_form>(i % 3);
        const bool good = fcgate_status(askers->scene.server, form, text, FCGATE_STATUS_MAX) == FCGATE_OK;
        askers->failures += good ? 0 : 1;
        ++askers->asked;
    }
    return nullptr;
}

// While requests are served and configurations come and go.
void any_thread_may_ask(Scene& scene) {
    scene.start();
    Askers askers{scene};
    pthread_t threads[2];
    for (pthread_t& thread : threads) {
        assert_int_equal(pthread_create(&thread, nullptr, &ask_on_and_on, &askers), 0);
    }
    bool good = true;
    unsigned reloads = 0;
    const int64_t deadline = soon();
    for (unsigned i = 0; (reloads < 5 || askers.asked <= 10) && fcgate::monotonic_ms() < deadline; ++i) {
        scene.expect_served();
        fcgate_error error{};
        fcgate_settings* const next = fcgate_settings_create();
        fcgate::Text<48> name;
        name.append("backend:b").append_number(i).append(".address");
        fcgate::Text<64> listen;
        listen.append("fd:").append_number(static_cast<unsigned>(scene.listener()));
        good = good && fcgate_set(next, "server.listen", listen.c_str(), &error) == FCGATE_OK;
        good = good && fcgate_set(next, "site.root", scene.tree.path(), &error) == FCGATE_OK;
        good = good && fcgate_set(next, name.c_str(), scene.php_address.c_str(), &error) == FCGATE_OK;
        const int status = fcgate_reload(scene.server, next, &error);
        reloads += status == FCGATE_OK ? 1U : 0U;
        if (status != FCGATE_OK) {
            good = good && status == FCGATE_AGAIN;
            fcgate_settings_destroy(next);
        }
    }
    askers.stop = true;
    for (const pthread_t thread : threads) {
        pthread_join(thread, nullptr);
    }
    assert_true(good);
    assert_true(reloads >= 5 && askers.asked > 10);
    assert_int_equal(askers.failures, 0);
}

}  // namespace

int main() {
    static constexpr Case figures[] = {
        FCGATE_CASE(answers_are_counted), FCGATE_CASE(refusals_with_pages_of_the_site_are_counted),
        FCGATE_CASE(bytes_are_counted),   FCGATE_CASE(connections_are_counted_by_what_they_do),
        FCGATE_CASE(the_gate_is_told),
    };
    static constexpr Case cases[] = {
        FCGATE_CASE(the_most_that_was_in_use_is_kept),
        FCGATE_CASE(this_machine_may_see_it),
        FCGATE_CASE(who_comes_through_a_proxy_is_looked_at),
        FCGATE_CASE(the_page_is_off_unless_it_is_set),
        FCGATE_CASE(the_page_comes_before_files_and_endpoints),
        FCGATE_CASE(dead_php_does_not_matter),
        FCGATE_CASE(taken_places_do_not_matter),
        FCGATE_CASE(wrong_arguments_are_told),
    };
    static constexpr Case locals[] = {
        FCGATE_CASE(a_unix_socket_is_not_this_machine),
        FCGATE_CASE(a_unix_socket_may_be_allowed),
    };
    static constexpr Case threads[] = {FCGATE_CASE(any_thread_may_ask)};
    static constexpr Variant both[] = {{.name = "1 thread"}, {.name = "3 threads", .threads = "3"}};
    static constexpr Variant one[] = {{.name = ""}};
    static constexpr Variant local[] = {{.name = "unix socket", .front_is_local = true}};
    return play("status: figures", figures, both) + play("status", cases, one) + play("status: unix", locals, local) +
           play("status: threads", threads, both);
}
