// fcgate.hpp: the same library for C++. Linked by the C linker: nothing of a C++ library is needed.
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <atomic>
#include <fcgate/fcgate.hpp>

extern "C" {
#include "scene.h"
}

namespace {

// Asked for everything that has a method.
struct Device {
    fcgate::Server* server = nullptr;
    fcgate_ticket ticket = 0;
    size_t received = 0;
    size_t left = 0;
    int finished = 0;
    int ended = 0;

    void guard(fcgate::Request request) {
        if (request.path() == "/secret") {
            request.reply_header("X-Why", "no");
            request.reply(403, nullptr, "no");
        }
    }
    void hello(fcgate::Request request) {
        const bool is_right = request.method() == "GET" && request.query() == "q" && request.client() == "127.0.0.1" &&
                              request.header("Host") == "localhost" && request.header("X-None").data() == nullptr;
        request.reply(200, "text/plain", is_right ? "hello" : "wrong");
    }
    void constant(fcgate::Request request) { request.reply_static(200, nullptr, "constant"); }
    void files(fcgate::Request request) { request.pass(); }
    void later(fcgate::Request request) {
        if (request.keep<&Device::news>(*this, &ticket) == FCGATE_OK) {
            server->ticket(ticket).reply(200, nullptr, "later");
        }
    }
    void push(fcgate::Request request) {
        if (request.keep<&Device::news>(*this, &ticket) == FCGATE_OK) {
            const fcgate::Ticket pushed = server->ticket(ticket);
            pushed.begin(200, nullptr, 6);
            pushed.write("push");
            pushed.write("ed");
            pushed.end();
        }
    }
    void pull(fcgate::Request request) {
        left = 10000;
        if (request.keep<&Device::news>(*this) == FCGATE_OK) {
            request.reply_pull<Device, &Device::make>(200, nullptr, 10000);
        }
    }
    void upload(fcgate::Request request) {
        received = 0;
        if (request.keep<&Device::news>(*this) == FCGATE_OK) {
            request.receive<Device, &Device::take, &Device::thank>();
        }
    }
    ptrdiff_t make(char* bytes, size_t size) {
        const size_t count = left < size ? left : size;
        memset(bytes, 'p', count);
        left -= count;
        return static_cast<ptrdiff_t>(count);
    }
    ptrdiff_t take(std::string_view bytes) {
        received += bytes.size();
        return static_cast<ptrdiff_t>(bytes.size());
    }
    void thank(fcgate::Request request) { request.reply(200, nullptr, received == 5 ? "five" : "not five"); }
    void news(fcgate_ticket /*number*/, int news) { ended += news == FCGATE_SENT ? 1 : 0; }
    void count(const fcgate_finished& request) { finished += request.is_whole; }
};

void methods_are_handlers(void** /*state*/) {
    scene scene;
    open_scene(&scene);
    Device device;
    fcgate::Error error;
    fcgate::Settings settings;
    char listen[32];
    const int fd = listen_on_loopback(&scene.port);
    (void)snprintf(listen, sizeof listen, "fd:%d", fd);
    assert_true(static_cast<bool>(settings));
    assert_false(settings.set("site.nothing", "x", &error));
    assert_true(error.message().find("nothing") != std::string_view::npos);
    assert_true(settings.set("site.root", scene.root, &error) && settings.set("server.listen", listen, &error));
    assert_true(settings.room(2, 512, 0) && settings.check(&error));
    fcgate::Server server(std::move(settings), &error);
    assert_true(static_cast<bool>(server));
    device.server = &server;
    assert_int_equal(server.on_request<&Device::guard>(device), FCGATE_OK);
    assert_int_equal(server.on_finished<&Device::count>(device), FCGATE_OK);
    assert_int_equal(server.handle<&Device::hello>("/hello", device), FCGATE_OK);
    assert_int_equal(server.handle<&Device::constant>("/constant", device), FCGATE_OK);
    assert_int_equal(server.handle<&Device::files>("/file.txt", device), FCGATE_OK);
    assert_int_equal(server.handle<&Device::later>("/later", device), FCGATE_OK);
    assert_int_equal(server.handle<&Device::push>("/push", device), FCGATE_OK);
    assert_int_equal(server.handle<&Device::pull>("/pull", device), FCGATE_OK);
    assert_int_equal(server.handle<&Device::upload>("/upload", device), FCGATE_OK);
    assert_int_equal(server.start(&error), FCGATE_OK);
    expect_reply(scene.port, "GET", "/secret", 403, "no");
    expect_reply(scene.port, "GET", "/hello?q", 200, "hello");
    expect_reply(scene.port, "GET", "/constant", 200, "constant");
    expect_reply(scene.port, "GET", "/file.txt", 200, "a file\n");
    expect_reply(scene.port, "GET", "/later", 200, "later");
    expect_reply(scene.port, "GET", "/push", 200, "pushed");
    reply pulled = get(scene.port, "/pull");
    assert_int_equal(pulled.body_size, 10000);
    forget(&pulled);
    reply thanked = ask(
        scene.port, "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    assert_string_equal(thanked.body, "five");
    forget(&thanked);
    server.stop(5000);
    assert_int_equal(server.wait(20000, &error), FCGATE_OK);
    assert_int_equal(device.finished, 8);
    assert_int_equal(device.ended, 4);
    assert_int_equal(server.ticket(device.ticket).wake(), FCGATE_GONE);
    // What is moved has one owner.
    fcgate::Server other(std::move(server));
    assert_false(static_cast<bool>(server));
    assert_true(static_cast<bool>(other));
    close_scene(&scene);
}

// Hears of a script that nobody can run.
struct Reader {
    void head(fcgate::Answer answer) { heads += answer.status() == 200 && answer.header("X").empty() ? 1 : 2; }
    ptrdiff_t output(std::string_view bytes) { return static_cast<ptrdiff_t>(bytes.size()); }
    void ended(int result, unsigned status) { got = result == FCGATE_ERROR ? status : 1; }

    int heads = 0;
    std::atomic<unsigned> got{0};
};

void methods_hear_of_calls(void** /*state*/) {
    fcgate::Error error;
    fcgate::Settings settings;
    assert_true(settings.set("backend.address", "unix:/nonexistent/socket", &error));
    assert_false(settings.calls(1, 1));
    assert_true(settings.calls(1, 512));
    fcgate::Server server(std::move(settings), &error);
    assert_int_equal(server.start(&error), FCGATE_OK);
    Reader reader;
    fcgate_script script{};
    script.file = "/x.php";
    fcgate_ticket number = 0;
    assert_int_equal(server.call(script, reader, &number), FCGATE_OK);
    while (reader.got == 0) {
        (void)poll(nullptr, 0, 1);
    }
    assert_int_equal(reader.got, 502);
    assert_int_equal(reader.heads, 0);
    assert_int_equal(fcgate_call_end(server.get(), number), FCGATE_GONE);
}

void what_cannot_be_made_leaves_its_settings(void** /*state*/) {
    fcgate::Error error;
    fcgate::Settings settings;
    fcgate::Server server(std::move(settings), &error);
    assert_false(static_cast<bool>(server));
    assert_true(static_cast<bool>(settings));
    assert_false(error.message().empty());
    fcgate::Settings moved(std::move(settings));
    assert_false(static_cast<bool>(settings));
    settings = std::move(moved);
    assert_true(static_cast<bool>(settings));
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(methods_are_handlers),
        cmocka_unit_test(methods_hear_of_calls),
        cmocka_unit_test(what_cannot_be_made_leaves_its_settings),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
