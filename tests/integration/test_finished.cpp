// What is told of requests that are over: of each once, refused and cut off ones as well, with times that can be.
#include <pthread.h>
#include <unistd.h>

#include "api/objects.hpp"
#include "base/features.hpp"
#include "scene.hpp"

namespace {

using namespace fcgate::test;
using fcgate::Finished;

// The last requests that were told of, as "METHOD TARGET STATUS BYTES whole|cut BACKEND CAUSE", and how often.
class Told {
  public:
    void begin(Scene& scene) {
        count_ = seen_ = 0;
        scene.make();
        assert_true(scene.server->server.finished().add({&Told::take, this}));
    }
    void expect(std::string_view line, const char* file = __builtin_FILE(), int at = __builtin_LINE()) {
        const int64_t deadline = soon();
        for (;;) {
            pthread_mutex_lock(&mutex_);
            const bool is_there = count_ > seen_;
            pthread_mutex_unlock(&mutex_);
            if (is_there || fcgate::monotonic_ms() >= deadline) {
                break;
            }
            (void)usleep(1000);
        }
        pthread_mutex_lock(&mutex_);
        const size_t count = count_;
        fcgate::Text<512> last(last_.view());
        pthread_mutex_unlock(&mutex_);
        expect_same(last.view(), line, file, at);
        assert_int_equal(count, ++seen_);
    }
    int64_t request_ms = 0;
    int64_t backend_ms = 0;
    int64_t queue_ms = 0;

  private:
    static void take(void* context, const Finished& finished) {
        auto* const self = static_cast<Told*>(context);
        pthread_mutex_lock(&self->mutex_);
        fcgate::Text<512>& text = self->last_;
        text.clear();
        text.append(finished.method).append(' ').append(finished.target).append(' ');
        text.append_number(finished.status).append(' ');
        // How long our pages are is no matter of this test.
        text.append_number(finished.status < 400 ? finished.bytes : 0);
        text.append(finished.is_whole ? " whole" : " cut").append(finished.backend.empty() ? " -" : " php");
        text.append(finished.cause.empty() ? " -" : " ").append(finished.cause);
        text.append(finished.user_agent.empty() ? "" : " ").append(finished.user_agent);
        self->request_ms = finished.request_ms;
        self->backend_ms = finished.backend_ms;
        self->queue_ms = finished.queue_ms;
        ++self->count_;
        pthread_mutex_unlock(&self->mutex_);
    }

    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    size_t count_ = 0;
    size_t seen_ = 0;
    fcgate::Text<512> last_;
};

Told told;  // until the server has ended, behind the case

void answers_are_told(Scene& scene) {
    told.begin(scene);
    scene.start();
    Client& client = scene.client_with("GET /static.txt?a HTTP/1.1\r\nHost: localhost\r\nUser-Agent: one \r\n\r\n");
    expect_reply(client, 200, "static");
    told.expect("GET /static.txt?a 200 6 whole - - one");
    assert_int_equal(told.queue_ms, -1);
    assert_int_equal(told.backend_ms, -1);
    assert_true(client.send("HEAD /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n") && client.read(true));
    told.expect("HEAD /static.txt 200 0 whole - -");
    assert_true(client.send(get_script));
    assert_true(scene.take().answer(hello));
    expect_reply(client, 200, "hello");
    told.expect("GET /t.php 200 5 whole php -");
    assert_int_equal(told.queue_ms, 0);
    assert_true(told.backend_ms >= 0 && told.backend_ms <= told.request_ms);
}

void waiting_is_told_apart(Scene& scene) {
    scene.set("backend.workers", "1");
    told.begin(scene);
    scene.start();
    Client& first = scene.client_with(get_script);
    PhpConnection* php = &scene.take();
    Client& second = scene.client_with(get_script);
    scene.client("127.0.0.2");
    (void)usleep(60'000);
    assert_true(php->answer(hello));
    expect_reply(first, 200, "hello");
    told.expect("GET /t.php 200 5 whole php -");
    assert_true(told.backend_ms >= 50 && told.queue_ms == 0);
    php = &scene.take();
    assert_true(php->answer(hello));
    expect_reply(second, 200, "hello");
    told.expect("GET /t.php 200 5 whole php -");
    assert_true(told.queue_ms >= 40);
    assert_true(told.request_ms >= told.queue_ms + told.backend_ms);
}

void refusals_have_their_codes(Scene& scene) {
    told.begin(scene);
    scene.start();
    expect_status(scene.client_with("GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n"), 404);
    told.expect("GET /none 404 0 whole - not-found");
    expect_status(scene.client_with("GET /static.txt HTTP/1.1\r\nHost: localhost\r\nRange: bytes=90-\r\n\r\n"), 416);
    told.expect("GET /static.txt 416 0 whole - range-not-satisfiable");
    expect_status(scene.client_with("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400);
    told.expect("GET / 400 0 whole - bad-request");
    expect_status(scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"),
                  413);
    told.expect("POST /t.php 413 0 whole - body-too-large");
    // libmicrohttpd's own.
    expect_status(scene.client_with("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
    // 0.9.x leaves it to our guard.
    const bool is_old = fcgate::slice(fcgate_libmicrohttpd_version(), 0, 2) == "0.";
    told.expect(is_old ? "GET / 400 0 whole - bad-request" : " / 400 0 cut - parser-refused");
}

void faults_have_their_codes(Scene& scene) {
    told.begin(scene);
    scene.start();
    Client& client = scene.client_with(get_script);
    scene.take().close();
    expect_status(client, 502);
    told.expect("GET /t.php 502 0 whole php backend-closed");
    Client& cut = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.out("X: y\r\n\r\npart"));
    assert_true(cut.read_head() && cut.read_body(4));
    php.reset();
    assert_false(cut.read());
    told.expect("GET /t.php 200 4 cut php backend-closed");
}

void who_leaves_is_told(Scene& scene) {
    told.begin(scene);
    scene.start();
    Client& client = scene.client_with(get_script);
    (void)scene.take();
    client.close();
    told.expect("GET /t.php 499 0 cut php client-left");
}

// Its script runs on, and dies while the connection has another request.
void what_befalls_a_script_behind_its_reply_is_not_told_of_the_next(Scene& scene) {
    told.begin(scene);
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.out("Content-Length: 5\r\n\r\nhello"));
    expect_reply(client, 200, "hello");
    told.expect("GET /t.php 200 5 whole php -");
    assert_true(client.send(get_script));
    PhpConnection& next = scene.take();
    php.close();
    assert_true(scene.log.has("error: a script that runs on behind its reply: cut off: backend "));
    assert_true(next.answer(hello));
    expect_reply(client, 200, "hello");
    told.expect("GET /t.php 200 5 whole php -");
}

void a_turned_away_client_is_told(Scene& scene) {
    scene.set("server.header_timeout", "50ms");
    told.begin(scene);
    scene.start();
    Client& slow = scene.client_with("GET /slo");
    expect_status(slow, 408);
    told.expect("  408 0 whole - request-timeout");
}

void a_body_that_is_refused_midway_is_told(Scene& scene) {
    if (!fcgate::features::spool) {
        return;
    }
    scene.set("site.max_body", "10");
    scene.set("site.spool", scene.tree.path());
    told.begin(scene);
    scene.start();
    Client& client = scene.client_with(
        "POST /t.php HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n");
    expect_status(client, 413);
    client.close();
    told.expect("POST /t.php 413 0 whole - body-too-large");
}

}  // namespace

int main() {
    static constexpr Variant variants[] = {{.name = "one thread"}, {.name = "two threads", .threads = "2"}};
    static constexpr Case cases[] = {
        FCGATE_CASE(answers_are_told),
        FCGATE_CASE(waiting_is_told_apart),
        FCGATE_CASE(refusals_have_their_codes),
        FCGATE_CASE(faults_have_their_codes),
        FCGATE_CASE(who_leaves_is_told),
        FCGATE_CASE(what_befalls_a_script_behind_its_reply_is_not_told_of_the_next),
        FCGATE_CASE(a_turned_away_client_is_told),
        FCGATE_CASE(a_body_that_is_refused_midway_is_told),
    };
    return play("finished", cases, variants);
}
