// Scripts that the program itself calls, without HTTP (fcgate/call.h).
#include <poll.h>
#include <pthread.h>

#include <array>
#include <cstring>
#include <ctime>
#include <string_view>

#include "base/text.hpp"
#include "fcgate/call.h"
#include "scene.hpp"

namespace {

using namespace fcgate::test;

// What the callbacks of one call have told.
struct Told {
    Buffer fields;  // "name: value\n" each
    Buffer output;
    unsigned status = 0;
    long long length = 0;
    int heads = 0;
    int ends = 0;
    int result = 1;
    unsigned last_status = 1;
};

// What the server's threads know of a caller.
struct Hearing {
    Told told;
    fcgate_ticket ticket = 0;
    size_t limit = SIZE_MAX;
    ptrdiff_t refusal = 0;
    bool wakes_itself = false;
    Scene* scene = nullptr;
    Hearing* next = nullptr;
    fcgate_server* server = nullptr;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t news = PTHREAD_COND_INITIALIZER;

    int call(fcgate_server* of, const fcgate_script& script) {
        static constexpr fcgate_caller functions = {&take_head, &take_output, &take_end};
        server = of;
        return fcgate_call(of, &script, &functions, this, &ticket);
    }
    int call(const char* file) {
        fcgate_script script{};
        script.file = file;
        return call(scene->server, script);
    }

  private:
    static void take_head(void* context, const fcgate_answer* answer) {
        auto& self = *static_cast<Hearing*>(context);
        pthread_mutex_lock(&self.mutex);
        ++self.told.heads;
        self.told.status = fcgate_answer_status(answer);
        self.told.length = fcgate_answer_length(answer);
        const char* name = nullptr;
        const char* value = nullptr;
        for (size_t i = 0; fcgate_answer_field(answer, i, &name, &value) == FCGATE_OK; ++i) {
            self.told.fields.append(name).append(": ").append(value).append('\n');
        }
        pthread_mutex_unlock(&self.mutex);
    }
    static ptrdiff_t take_output(void* context, const void* bytes, size_t length) {
        auto& self = *static_cast<Hearing*>(context);
        if (self.refusal != 0) {
            return self.refusal;
        }
        if (self.wakes_itself) {
            (void)fcgate_call_wake(self.server, self.ticket);
        }
        pthread_mutex_lock(&self.mutex);
        const size_t taken = length < self.limit ? length : self.limit;
        self.told.output.append({static_cast<const char*>(bytes), taken});
        pthread_cond_broadcast(&self.news);
        pthread_mutex_unlock(&self.mutex);
        return static_cast<ptrdiff_t>(taken);
    }
    static void take_end(void* context, int result, unsigned status) {
        auto& self = *static_cast<Hearing*>(context);
        const int other = self.next != nullptr ? self.next->call("/srv/t.php") : FCGATE_OK;
        pthread_mutex_lock(&self.mutex);
        ++self.told.ends;
        self.told.result = other == FCGATE_OK ? result : other;
        self.told.last_status = status;
        pthread_cond_broadcast(&self.news);
        pthread_mutex_unlock(&self.mutex);
    }
};

// Who hears of a call. What callbacks write outlives a case that fails: the server gives its last words behind that, and a case is
// left without destructors.
class Caller {
  public:
    Caller() : hearing_(*create<Hearing>()) {}
    Caller(const Caller&) = delete;
    Caller(Caller&&) = delete;
    Caller& operator=(const Caller&) = delete;
    Caller& operator=(Caller&&) = delete;
    ~Caller() { destroy(&hearing_); }

    int call(fcgate_server* server, const fcgate_script& script) { return hearing_.call(server, script); }
    int call(Scene& of, const fcgate_script& script) { return call(of.server, script); }
    int call(Scene& of, const char* file = "/srv/t.php") {
        fcgate_script script{};
        script.file = file;
        return call(of, script);
    }
    // So many bytes are taken until fcgate_call_wake().
    void take_only(size_t bytes) { hearing_.limit = bytes; }
    // This is returned for the first piece.
    void refuse(ptrdiff_t with) { hearing_.refusal = with; }
    // Whenever it is offered something.
    void wake_itself() { hearing_.wakes_itself = true; }
    // The next one is called by the end of this one.
    void is_followed_by(Caller& next, Scene& scene) {
        hearing_.next = &next.hearing_;
        next.hearing_.scene = &scene;
    }

    // Waits for it.
    [[nodiscard]] bool has_ended() {
        return wait_for([](const Told& so_far, size_t) { return so_far.ends > 0; });
    }
    [[nodiscard]] bool has_output(size_t size) {
        return wait_for([](const Told& so_far, size_t wanted) { return so_far.output.view().size() >= wanted; }, size);
    }
    // That was its last word, and there was no other.
    void expect(int result, unsigned status, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        if (!has_ended() || told.ends != 1 || told.result != result || told.last_status != status) {
            print_error("%d ends, result %d with %u\n", told.ends, told.result, told.last_status);
            _fail(file, line);
        }
        assert_int_equal(fcgate_call_wake(hearing_.server, ticket), FCGATE_GONE);
        assert_int_equal(fcgate_call_end(hearing_.server, ticket), FCGATE_GONE);
    }
    void expect_hello(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        expect(FCGATE_OK, 200, file, line);
        expect_same(told.output.view(), "hello", file, line);
    }

  private:
    template <typename Condition>
    [[nodiscard]] bool wait_for(Condition is_met, size_t size = 0) {
        timespec until{};
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += (soon() - fcgate::monotonic_ms()) / 1000 + 1;
        pthread_mutex_lock(&hearing_.mutex);
        bool met = is_met(told, size);
        while (!met && pthread_cond_timedwait(&hearing_.news, &hearing_.mutex, &until) == 0) {
            met = is_met(told, size);
        }
        pthread_mutex_unlock(&hearing_.mutex);
        return met;
    }

    Hearing& hearing_;

  public:
    Told& told = hearing_.told;
    fcgate_ticket& ticket = hearing_.ticket;
};

void start(Scene& scene, unsigned calls = 4, size_t text = 512) {
    assert_int_equal(fcgate_settings_set_calls(scene.settings, calls, text), FCGATE_OK);
    scene.start();
}

void a_script_is_asked_and_answers(Scene& scene) {
    start(scene);
    Caller caller;
    assert_int_equal(caller.call(scene, "/srv/panel/t.php"), FCGATE_OK);
    assert_int_not_equal(caller.ticket, 0);
    PhpConnection& php = scene.take();
    expect_same(php.param("SCRIPT_FILENAME"), "/srv/panel/t.php");
    expect_same(php.param("DOCUMENT_ROOT"), "/srv/panel");
    expect_same(php.param("SCRIPT_NAME"), "/t.php");
    expect_same(php.param("REQUEST_URI"), "/t.php");
    expect_same(php.param("REQUEST_METHOD"), "GET");
    assert_true(php.has_param("QUERY_STRING"));
    expect_same(php.param("QUERY_STRING"), "");
    expect_same(php.param("REDIRECT_STATUS"), "200");
    expect_same(php.param("GATEWAY_INTERFACE"), "CGI/1.1");
    expect_same(php.param("SERVER_PROTOCOL"), "HTTP/1.1");
    expect_same(fcgate::slice(php.param("SERVER_SOFTWARE"), 0, 7), "fcgate/");
    assert_false(php.has_param("CONTENT_LENGTH"));
    assert_false(php.has_param("CONTENT_TYPE"));
    assert_true(php.keeps_connection());
    assert_true(php.answer("Status: 404 Gone away\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello"));
    caller.expect(FCGATE_OK, 404);
    assert_int_equal(caller.told.heads, 1);
    assert_int_equal(caller.told.status, 404);
    assert_int_equal(caller.told.length, 5);
    expect_same(caller.told.fields.view(), "X-A: 1\nx-a: 2\n");
    expect_same(caller.told.output.view(), "hello");
    assert_int_equal(scene.log.count("error: ") + scene.log.count("warning: "), 0);
}

void the_root_may_be_the_folder(Scene& scene) {
    start(scene);
    Caller caller;
    fcgate_script script{};
    script.file = "/t.php";
    script.query = "a=1&b=%20";
    assert_int_equal(caller.call(scene, script), FCGATE_OK);
    PhpConnection& php = scene.take();
    expect_same(php.param("DOCUMENT_ROOT"), "/");
    expect_same(php.param("REQUEST_URI"), "/t.php?a=1&b=%20");
    expect_same(php.param("QUERY_STRING"), "a=1&b=%20");
    assert_true(php.answer("Content-Type: text/plain\r\n\r\n"));
    caller.expect(FCGATE_OK, 200);
    assert_int_equal(caller.told.length, FCGATE_UNKNOWN);
    expect_same(caller.told.output.view(), "");
}

void a_body_of_any_size_reaches_the_script(Scene& scene) {
    start(scene);
    for (const size_t size : {size_t{1}, size_t{70000}, size_t{3000000}}) {
        Buffer body;
        body.append_pattern(size);
        Caller caller;
        fcgate_script script{};
        script.file = "/srv/t.php";
        script.content_type = "application/json";
        script.body = body.view().data();
        script.length = size;
        assert_int_equal(caller.call(scene, script), FCGATE_OK);
        PhpConnection& php = scene.take();
        fcgate::Text<16> length;
        length.append_number(size);
        expect_same(php.param("REQUEST_METHOD"), "POST");
        expect_same(php.param("CONTENT_LENGTH"), length.view());
        expect_same(php.param("CONTENT_TYPE"), "application/json");
        assert_true(php.body() == body.view());
        assert_true(php.answer(hello));
        caller.expect_hello();
    }
}

// As a filter does: nobody waits for anybody.
void a_script_may_answer_while_it_reads(Scene& scene) {
    scene.set("server.response_buffer", "16k");
    start(scene);
    Buffer body;
    body.append_pattern(3000000);
    Caller caller;
    fcgate_script script{};
    script.file = "/srv/t.php";
    script.method = "PUT";
    script.body = body.view().data();
    script.length = body.view().size();
    assert_int_equal(caller.call(scene, script), FCGATE_OK);
    PhpConnection& php = scene.accept();
    assert_true(php.out("X: y\r\n\r\n"));
    constexpr size_t piece = 300000;
    for (size_t read = piece; read <= body.view().size(); read += piece) {
        assert_true(php.read_body(read));
        assert_true(php.out(fcgate::slice(body.view(), read - piece, piece)));
        assert_true(caller.has_output(read));
    }
    assert_true(php.read_request());
    assert_true(php.end());
    caller.expect(FCGATE_OK, 200);
    assert_int_equal(caller.told.heads, 1);
    assert_true(caller.told.output.view() == body.view());
}

void variables_of_the_host_replace_ours(Scene& scene) {
    start(scene);
    static constexpr const char* variables[] = {"REMOTE_USER",   "admin", "SCRIPT_NAME", "/panel/t.php", "EMPTY", "",
                                                "DOCUMENT_ROOT", "/",     nullptr};
    Caller caller;
    fcgate_script script{};
    script.file = "/srv/t.php";
    script.method = "REPORT";
    script.variables = variables;
    assert_int_equal(caller.call(scene, script), FCGATE_OK);
    PhpConnection& php = scene.take();
    expect_same(php.param("REQUEST_METHOD"), "REPORT");
    expect_same(php.param("REMOTE_USER"), "admin");
    expect_same(php.param("SCRIPT_NAME"), "/panel/t.php");
    expect_same(php.param("DOCUMENT_ROOT"), "/");
    assert_true(php.has_param("EMPTY"));
    assert_true(php.answer(hello));
    caller.expect_hello();
}

void what_is_wrong_is_refused_at_once(Scene& scene) {
    Caller caller;
    assert_int_equal(fcgate_settings_set_calls(nullptr, 1, 512), FCGATE_INVALID);
    assert_int_equal(fcgate_settings_set_calls(scene.settings, 257, 512), FCGATE_INVALID);
    assert_int_equal(fcgate_settings_set_calls(scene.settings, 1, 511), FCGATE_INVALID);
    assert_int_equal(fcgate_settings_set_calls(scene.settings, 1, 65537), FCGATE_INVALID);
    assert_int_equal(fcgate_settings_set_calls(scene.settings, 1, 512), FCGATE_OK);
    scene.make();
    assert_int_equal(caller.call(scene), FCGATE_INVALID);  // it does not run yet
    assert_int_equal(fcgate_start(scene.server, nullptr), FCGATE_OK);
    assert_int_equal(caller.call(scene, "t.php"), FCGATE_INVALID);
    assert_int_equal(caller.call(scene, nullptr), FCGATE_INVALID);
    fcgate_script script{};
    script.file = "/srv/t.php";
    script.method = "GET /";
    assert_int_equal(caller.call(scene, script), FCGATE_INVALID);
    script.method = "";
    assert_int_equal(caller.call(scene, script), FCGATE_INVALID);
    script.method = nullptr;
    script.length = 1;
    assert_int_equal(caller.call(scene, script), FCGATE_INVALID);
    script.length = 0;
    for (const char* const name : {"", "A-B", "SCRIPT_FILENAME", "REQUEST_METHOD", "CONTENT_LENGTH"}) {
        const char* const variables[] = {name, "x", nullptr};
        script.variables = variables;
        assert_int_equal(caller.call(scene, script), FCGATE_INVALID);
    }
    static constexpr const char* odd[] = {"NAME", nullptr};
    script.variables = odd;
    assert_int_equal(caller.call(scene, script), FCGATE_INVALID);
    const fcgate_caller deaf = {nullptr, nullptr, nullptr};
    script.variables = nullptr;
    assert_int_equal(fcgate_call(scene.server, &script, &deaf, nullptr, nullptr), FCGATE_INVALID);
    assert_int_equal(fcgate_call(scene.server, &script, nullptr, nullptr, nullptr), FCGATE_INVALID);
    assert_int_equal(fcgate_call_wake(scene.server, 0), FCGATE_GONE);
    assert_int_equal(fcgate_call_end(nullptr, 1), FCGATE_GONE);
    assert_int_equal(caller.told.ends, 0);
}

void without_room_there_are_no_calls(Scene& scene) {
    scene.start();
    Caller caller;
    assert_int_equal(caller.call(scene), FCGATE_INVALID);
}

void texts_that_find_no_room_take_no_slot(Scene& scene) {
    start(scene, 1);
    // Beside "", "GET", "/srv/t.php" and "", each with its NUL, and one byte
    char query[512 - 19 + 2] = {};
    std::memset(query, 'q', sizeof query - 1);
    fcgate_script script{};
    script.file = "/srv/t.php";
    script.query = query;
    Caller caller;
    for (int i = 0; i < 10; ++i) {
        assert_int_equal(caller.call(scene, script), FCGATE_TOO_LARGE);
    }
    query[sizeof query - 2] = '\0';
    assert_int_equal(caller.call(scene, script), FCGATE_OK);
    PhpConnection& php = scene.take();
    expect_same(php.param("QUERY_STRING"), query);
    assert_true(php.answer(hello));
    caller.expect_hello();
}

void all_of_the_room_reaches_php(Scene& scene) {
    scene.set("server.connection_memory", "8k");
    start(scene, 1, 65536);
    Buffer value;
    for (int i = 0; i < 65000; ++i) {
        value.append('v');
    }
    value.append('\0');
    const char* const variables[] = {"MUCH", value.view().data(), nullptr};
    fcgate_script script{};
    script.file = "/srv/t.php";
    script.variables = variables;
    Caller caller;
    assert_int_equal(caller.call(scene, script), FCGATE_OK);
    PhpConnection& php = scene.take();
    assert_int_equal(php.param("MUCH").size(), 65000);
    assert_true(php.answer(hello));
    caller.expect_hello();
}

void output_waits_until_it_is_wanted(Scene& scene) {
    scene.set("server.response_buffer", "16k");
    start(scene);
    Caller caller;
    caller.take_only(10);
    assert_int_equal(caller.call(scene), FCGATE_OK);
    PhpConnection& php = scene.take();
    LongReply reply;
    reply.send_some(php);  // as far as there is room on the way
    assert_true(caller.has_output(10));
    scene.settle();
    reply.send_some(php);
    assert_int_equal(caller.told.output.view().size(), 10);
    for (size_t i = 2; i < 5; ++i) {
        assert_int_equal(fcgate_call_wake(scene.server, caller.ticket), FCGATE_OK);
        assert_true(caller.has_output(10 * i));
        scene.settle();
        assert_int_equal(caller.told.output.view().size(), 10 * i);
    }
    assert_int_equal(fcgate_call_end(scene.server, caller.ticket), FCGATE_OK);
    caller.expect(FCGATE_GONE, 0);
    assert_true(php.is_left());
    scene.expect_served();
}

// Who asks again at once has the next turn, not this one.
void one_that_wakes_itself_leaves_others_their_turn(Scene& scene) {
    start(scene);
    Caller restless;
    restless.take_only(0);
    restless.wake_itself();
    assert_int_equal(restless.call(scene), FCGATE_OK);
    assert_true(scene.take().answer(hello));
    std::array<Caller, 2> others;  // one of them on the same thread
    for (Caller& other : others) {
        assert_int_equal(other.call(scene), FCGATE_OK);
        assert_true(scene.take().answer(hello));
        other.expect_hello();
    }
    assert_int_equal(fcgate_call_end(scene.server, restless.ticket), FCGATE_OK);
    restless.expect(FCGATE_GONE, 0);
}

void all_of_a_long_answer_comes_in_order(Scene& scene) {
    scene.set("server.response_buffer", "16k");
    start(scene);
    Buffer cgi;
    cgi.append("X: y\r\n\r\n").append_pattern(1000000);
    Caller caller;
    assert_int_equal(caller.call(scene), FCGATE_OK);
    assert_true(scene.take().answer(cgi.view()));
    caller.expect(FCGATE_OK, 200);
    assert_true(caller.told.output.view() == fcgate::slice(cgi.view(), 8));
}

void a_call_can_be_ended(Scene& scene) {
    start(scene, 1);
    // Before its answer
    Caller early;
    assert_int_equal(early.call(scene), FCGATE_OK);
    PhpConnection& php = scene.take();
    assert_int_equal(fcgate_call_end(scene.server, early.ticket), FCGATE_OK);
    early.expect(FCGATE_GONE, 0);
    assert_true(php.is_left());
    php.close();
    // By its own callback
    Caller negative;
    negative.refuse(-1);
    assert_int_equal(negative.call(scene), FCGATE_OK);
    PhpConnection& other = scene.take();
    assert_true(other.out("X: y\r\n\r\npart"));
    negative.expect(FCGATE_GONE, 0);
    assert_int_equal(negative.told.heads, 1);
    assert_true(other.is_left());
    other.close();
    scene.expect_served();
    assert_int_equal(scene.log.count("error: ") + scene.log.count("warning: "), 0);
}

void failures_have_a_status(Scene& scene) {
    scene.set("backend.response_timeout", "1500ms");
    start(scene);
    Caller closed;
    assert_int_equal(closed.call(scene), FCGATE_OK);
    PhpConnection& php = scene.take();
    php.close();
    closed.expect(FCGATE_ERROR, 502);
    assert_int_equal(closed.told.heads, 0);
    assert_true(scene.log.has("call of /srv/t.php"));
    Caller cut;
    assert_int_equal(cut.call(scene), FCGATE_OK);
    PhpConnection& second = scene.take();
    assert_true(second.out("Status: 201\r\n\r\npart"));
    assert_true(cut.has_output(4));
    second.close();
    cut.expect(FCGATE_ERROR, 201);
    expect_same(cut.told.output.view(), "part");
    Caller shorter;
    assert_int_equal(shorter.call(scene), FCGATE_OK);
    assert_true(scene.take().answer("Content-Length: 9\r\n\r\nfour"));
    shorter.expect(FCGATE_ERROR, 200);
    Caller silent;
    assert_int_equal(silent.call(scene), FCGATE_OK);
    (void)scene.take();
    silent.expect(FCGATE_ERROR, 504);
}

void a_post_is_never_sent_twice(Scene& scene) {
    start(scene);
    Caller caller;
    fcgate_script script{};
    script.file = "/srv/t.php";
    script.body = "x";
    script.length = 1;
    assert_int_equal(caller.call(scene, script), FCGATE_OK);
    scene.take().close();
    caller.expect(FCGATE_ERROR, 502);
    assert_false(scene.php.has_caller());
}

void backends_have_names(Scene& scene) {
    scene.set("backend:other.address", "unix:/nonexistent/socket");
    start(scene);
    Caller caller;
    fcgate_script script{};
    script.file = "/srv/t.php";
    script.backend = "none";
    assert_int_equal(caller.call(scene, script), FCGATE_OK);
    caller.expect(FCGATE_INVALID, 0);
    assert_true(scene.log.has("error: call of /srv/t.php: there is no [backend none]"));
    Caller absent;
    script.backend = "other";
    assert_int_equal(absent.call(scene, script), FCGATE_OK);
    absent.expect(FCGATE_ERROR, 502);
    assert_true(scene.log.has("backend unix:/nonexistent/socket: "));
}

void calls_wait_at_the_gate_like_requests(Scene& scene) {
    scene.set("backend.workers", "1");
    start(scene, 8);
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    std::array<Caller, 3> callers;
    for (Caller& caller : callers) {
        assert_int_equal(caller.call(scene), FCGATE_OK);
    }
    scene.settle();
    assert_false(scene.php.has_caller());
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    for (Caller& caller : callers) {
        assert_true(scene.take().answer(hello));
        (void)caller;
    }
    for (Caller& caller : callers) {
        caller.expect_hello();
    }
    // One connection was enough for all.
    assert_true(scene.php.connections() <= 2);
}

void the_room_is_for_so_many(Scene& scene) {
    start(scene, 2);
    std::array<Caller, 9> callers;  // of four threads at most
    size_t taken = 0;
    while (taken < callers.size() && callers[taken].call(scene) == FCGATE_OK) {
        ++taken;
    }
    assert_true(taken == 2 || taken == 4);
    assert_int_equal(callers[taken].call(scene), FCGATE_AGAIN);
    for (size_t i = 0; i < taken; ++i) {
        assert_true(scene.take().answer(hello));
    }
    for (size_t i = 0; i < taken; ++i) {
        callers[i].expect_hello();
    }
    assert_int_equal(callers[taken].call(scene), FCGATE_OK);
    assert_true(scene.take().answer(hello));
    callers[taken].expect_hello();
}

// They need no connections of clients.
void exchanges_are_enough(Scene& scene) {
    scene.set("server.max_connections", "2");
    start(scene, 4);
    std::array<Caller, 4> callers;
    for (Caller& caller : callers) {
        assert_int_equal(caller.call(scene), FCGATE_OK);
    }
    for (Caller& caller : callers) {
        assert_true(scene.take().answer(hello));
        (void)caller;
    }
    for (Caller& caller : callers) {
        caller.expect_hello();
    }
}

void one_call_begins_another(Scene& scene) {
    start(scene, 1);
    std::array<Caller, 20> callers;
    for (size_t i = 0; i + 1 < callers.size(); ++i) {
        callers[i].is_followed_by(callers[i + 1], scene);
    }
    assert_int_equal(callers[0].call(scene), FCGATE_OK);
    for (Caller& caller : callers) {
        assert_true(scene.take().answer(hello));
        caller.expect_hello();
    }
}

void a_stop_waits_for_them_and_takes_no_more(Scene& scene) {
    start(scene);
    Caller caller;
    assert_int_equal(caller.call(scene), FCGATE_OK);
    PhpConnection& php = scene.take();
    fcgate_stop(scene.server, 30000);
    Caller late;
    for (int i = 0; i < 4; ++i) {  // whichever worker's turn it is
        assert_int_equal(late.call(scene), FCGATE_GONE);
    }
    assert_int_equal(fcgate_wait(scene.server, 50, nullptr), FCGATE_AGAIN);
    assert_true(php.answer(hello));
    caller.expect_hello();
    assert_int_equal(late.told.ends, 0);
    assert_int_equal(fcgate_wait(scene.server, 30000, nullptr), FCGATE_OK);
}

void the_end_ends_them(Scene& scene) {
    start(scene, 8);
    std::array<Caller, 3> callers;
    assert_int_equal(callers[0].call(scene), FCGATE_OK);
    PhpConnection& php = scene.take();
    assert_true(php.out("X: y\r\n\r\npart"));
    assert_true(callers[0].has_output(4));
    assert_int_equal(callers[1].call(scene), FCGATE_OK);
    (void)scene.take();
    assert_int_equal(callers[2].call(scene), FCGATE_OK);
    scene.end();
    for (const Caller& caller : callers) {
        assert_int_equal(caller.told.ends, 1);
        assert_int_equal(caller.told.result, FCGATE_GONE);
    }
}

void a_loop_of_the_host_that_is_left_ends_them_too(Scene& scene) {
    assert_int_equal(fcgate_settings_set_calls(scene.settings, 2, 512), FCGATE_OK);
    scene.listen_php();
    scene.make();
    assert_true(fcgate_fd(scene.server, nullptr) >= 0);
    Caller caller;
    assert_int_equal(caller.call(scene), FCGATE_OK);
    scene.end();
    assert_int_equal(caller.told.ends, 1);
    assert_int_equal(caller.told.result, FCGATE_GONE);
}

void a_reload_lets_them_end(Scene& scene) {
    start(scene);
    Caller caller;
    assert_int_equal(caller.call(scene), FCGATE_OK);
    PhpConnection& php = scene.take();
    fcgate_settings* const changed = fcgate_settings_create();
    fcgate_error error;
    fcgate::Text<16> listen("fd:");
    listen.append_number(static_cast<unsigned>(scene.listener()));
    assert_int_equal(fcgate_set(changed, "server.listen", listen.c_str(), &error), FCGATE_OK);
    assert_int_equal(fcgate_set(changed, "site.root", scene.tree.path(), &error), FCGATE_OK);
    assert_int_equal(fcgate_set(changed, "site.backend", "new", &error), FCGATE_OK);
    assert_int_equal(fcgate_set(changed, "backend:new.address", scene.php_address.c_str(), &error), FCGATE_OK);
    assert_int_equal(fcgate_set(changed, "backend:new.keep_alive", "no", &error), FCGATE_OK);
    assert_int_equal(scene.reload(changed, error), FCGATE_OK);
    assert_true(php.answer(hello));
    caller.expect_hello();
    Caller without;
    assert_int_equal(without.call(scene), FCGATE_OK);
    without.expect(FCGATE_INVALID, 0);
    Caller with;
    fcgate_script script{};
    script.file = "/srv/t.php";
    script.backend = "new";
    assert_int_equal(with.call(scene, script), FCGATE_OK);
    assert_true(scene.take().answer(hello));
    with.expect_hello();
}

fcgate_settings* with_backend(Scene& scene, const char* name) {
    fcgate_settings* const settings = fcgate_settings_create();
    assert_int_equal(fcgate_set(settings, name, scene.php_address.c_str(), nullptr), FCGATE_OK);
    return settings;
}

void what_is_called_behind_a_reload_has_the_new_settings(Scene& scene) {
    scene.listen_php();
    fcgate_error error;
    fcgate_settings* const settings = with_backend(scene, "backend.address");
    fcgate_settings_set_log(settings, &LogLines::callback, &scene.log);
    assert_int_equal(fcgate_settings_set_calls(settings, 2, 512), FCGATE_OK);
    fcgate_server* const server = fcgate_create(settings, &error);
    assert_non_null(server);
    assert_true(fcgate_fd(server, &error) >= 0);
    // The room for calls is that of the start.
    fcgate_settings* const changed = with_backend(scene, "backend:new.address");
    assert_int_equal(fcgate_reload(server, changed, &error), FCGATE_OK);
    Caller caller;
    fcgate_script script{};
    script.file = "/srv/t.php";
    script.backend = "new";
    assert_int_equal(caller.call(server, script), FCGATE_OK);
    PhpConnection* php = nullptr;
    const int64_t deadline = soon();
    while (caller.told.ends == 0 && fcgate::monotonic_ms() < deadline) {
        assert_int_equal(fcgate_dispatch(server, &error), FCGATE_OK);
        if (php == nullptr && scene.php.has_caller()) {
            php = scene.php.accept();
        }
        if (php != nullptr && php->absorb() && php->is_complete()) {
            assert_true(php->answer(hello));
        }
    }
    caller.expect_hello();
    fcgate_destroy(server);
}

// Nobody could be served any more.
void a_reload_does_not_make_a_server_for_calls_alone(Scene& scene) {
    scene.listen_php();
    scene.make();
    assert_true(fcgate_fd(scene.server, nullptr) >= 0);
    fcgate_error error;
    fcgate_settings* const changed = with_backend(scene, "backend.address");
    assert_int_equal(fcgate_settings_set_calls(changed, 2, 512), FCGATE_OK);
    assert_int_equal(fcgate_reload(scene.server, changed, &error), FCGATE_INVALID);
    expect_same(error.text, "[server] listen: not set; write for example 0.0.0.0:80");
    assert_int_equal(fcgate_check(changed, &error), FCGATE_OK);  // they are as they were
    fcgate_settings_destroy(changed);
}

// A server with neither listener nor site, in the host's own loop.
void no_http_is_needed(Scene& scene) {
    scene.listen_php();
    fcgate_settings* const settings = fcgate_settings_create();
    fcgate_settings_set_log(settings, &LogLines::callback, &scene.log);
    fcgate_error error;
    assert_int_equal(fcgate_set(settings, "backend.address", scene.php_address.c_str(), &error), FCGATE_OK);
    assert_int_equal(fcgate_check(settings, &error), FCGATE_INVALID);  // nothing is there to serve
    assert_int_equal(fcgate_settings_set_calls(settings, 1, 512), FCGATE_OK);
    assert_int_equal(fcgate_set(settings, "server.listen", "127.0.0.1:1", &error), FCGATE_OK);
    assert_int_equal(fcgate_check(settings, &error), FCGATE_INVALID);  // clients would find no site
    assert_int_equal(fcgate_set(settings, "server.listen", nullptr, &error), FCGATE_OK);
    assert_int_equal(fcgate_check(settings, &error), FCGATE_OK);
    char budget[FCGATE_BUDGET_MAX];
    assert_int_equal(fcgate_budget(settings, FCGATE_BUDGET_TABLE, budget, sizeof budget), FCGATE_OK);
    assert_non_null(strstr(budget, "calls by the host"));
    fcgate_server* const server = fcgate_create(settings, &error);
    assert_non_null(server);
    const int fd = fcgate_fd(server, &error);
    assert_true(fd >= 0);
    Caller caller;
    fcgate_script script{};
    script.file = "/srv/t.php";
    PhpConnection* php = nullptr;
    for (int i = 0; i < 3; ++i) {
        caller.told.ends = 0;
        caller.told.output.clear();
        assert_int_equal(caller.call(server, script), FCGATE_OK);
        const int64_t deadline = soon();
        while (caller.told.ends == 0 && fcgate::monotonic_ms() < deadline) {
            (void)wait_for(fd, POLLIN, fcgate::monotonic_ms() + 20);
            assert_int_equal(fcgate_dispatch(server, &error), FCGATE_OK);
            if (php == nullptr && scene.php.has_caller()) {
                php = scene.php.accept();
            }
            if (php != nullptr && php->absorb() && php->is_complete()) {
                assert_true(php->answer(hello));
            }
        }
        caller.expect_hello();
    }
    assert_int_equal(scene.php.connections(), 1);
    fcgate_stop(server, 0);
    while (fcgate_dispatch(server, &error) == FCGATE_OK) {}
    fcgate_destroy(server);
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(a_script_is_asked_and_answers),
        FCGATE_CASE(the_root_may_be_the_folder),
        FCGATE_CASE(a_body_of_any_size_reaches_the_script),
        FCGATE_CASE(a_script_may_answer_while_it_reads),
        FCGATE_CASE(variables_of_the_host_replace_ours),
        FCGATE_CASE(what_is_wrong_is_refused_at_once),
        FCGATE_CASE(without_room_there_are_no_calls),
        FCGATE_CASE(texts_that_find_no_room_take_no_slot),
        FCGATE_CASE(all_of_the_room_reaches_php),
        FCGATE_CASE(output_waits_until_it_is_wanted),
        FCGATE_CASE(one_that_wakes_itself_leaves_others_their_turn),
        FCGATE_CASE(all_of_a_long_answer_comes_in_order),
        FCGATE_CASE(a_call_can_be_ended),
        FCGATE_CASE(failures_have_a_status),
        FCGATE_CASE(a_post_is_never_sent_twice),
        FCGATE_CASE(backends_have_names),
        FCGATE_CASE(calls_wait_at_the_gate_like_requests),
        FCGATE_CASE(the_room_is_for_so_many),
        FCGATE_CASE(exchanges_are_enough),
        FCGATE_CASE(one_call_begins_another),
        FCGATE_CASE(a_stop_waits_for_them_and_takes_no_more),
        FCGATE_CASE(the_end_ends_them),
        FCGATE_CASE(a_reload_lets_them_end),
    };
    static constexpr Variant variants[] = {
        {.name = "unix"},
        {.name = "TCP", .php_over_tcp = true},
        {.name = "2 threads", .threads = "2"},
    };
    static constexpr Case loop_cases[] = {
        FCGATE_CASE(a_loop_of_the_host_that_is_left_ends_them_too),
        FCGATE_CASE(no_http_is_needed),
        FCGATE_CASE(what_is_called_behind_a_reload_has_the_new_settings),
        FCGATE_CASE(a_reload_does_not_make_a_server_for_calls_alone),
    };
    static constexpr Variant loop[] = {{.name = "unix"}};
    return play("calls", cases, variants) + play("calls in a loop", loop_cases, loop);
}
