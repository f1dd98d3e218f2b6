// What counts as an upload, and what it may hold: a body that is all here waits for no client.
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/clock.hpp"
#include "base/features.hpp"
#include "base/text.hpp"
#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr size_t spooled_size = 100000;  // more than is put by for PHP

// More of a large body than is put by: PHP waits for the rest.
Client& begin_upload(Scene& scene) {
    Buffer request;
    request.append("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n");
    return scene.client_with(request.append_pattern(66000).view());
}

Client& send_chunked(Scene& scene) {
    Buffer request;
    request.append("POST /t.php HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n");
    request.append_pattern(spooled_size).append("\r\n0\r\n\r\n");
    return scene.client_with(request.view());
}

void expect_chunked_is_served(Scene& scene) {
    Client& client = send_chunked(scene);
    PhpConnection& php = scene.accept();
    assert_true(php.read_request());
    Buffer body;
    expect_same(php.body(), body.append_pattern(spooled_size).view());
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
}

void a_body_that_is_spooled_waits_for_no_upload(Scene& scene) {
    scene.set("backend.workers", "2");
    scene.start();
    (void)begin_upload(scene);
    PhpConnection& php = scene.accept();
    assert_true(php.read_body(66000));
    expect_chunked_is_served(scene);
    // Nor does any make way for it.
    assert_int_equal(scene.log.count("[request-timeout]"), 0);
}

void a_body_that_is_spooled_needs_no_room_for_bodies(Scene& scene) {
    scene.set("server.exchanges", "4");
    scene.start();
    for (int i = 0; i < 3; ++i) {
        (void)scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\nx");
    }
    scene.settle();
    expect_chunked_is_served(scene);
}

// A reader of a page has a place that an upload could not have, which waits for another one.
void a_slow_reader_is_not_in_the_way_of_an_upload(Scene& scene) {
    scene.set("backend.workers", "2");
    scene.set("server.body_timeout", "60s");
    scene.set("server.send_timeout", "3s");
    scene.start();
    Client& upload = begin_upload(scene);
    PhpConnection& uploaded = scene.accept();
    assert_true(uploaded.read_body(66000));
    Client& reader = scene.client({}, 4096);
    assert_true(reader.send(get_script));
    PhpConnection& php = scene.take();
    // More than the buffers between take.
    Buffer much;
    much.append("Content-Type: text/plain\r\n\r\n").append_pattern(size_t{24} * 1024 * 1024);
    Buffer records;
    append_output(records, much.view());
    (void)begin_upload(scene);
    Buffer more;
    more.append_pattern(2000);
    size_t written = 0;
    for (const int64_t begun = fcgate::monotonic_ms(); fcgate::monotonic_ms() - begun < 5000;) {
        // The upload keeps the pace that it must while another waits; the reader does not, and keeps that of all readers.
        assert_true(upload.send(more.view()) && uploaded.absorb());
        written += send_bytes(php.fd(), fcgate::slice(records.view(), written), fcgate::monotonic_ms() + 5);
        char taken[250];
        assert_true(recv(reader.fd(), taken, sizeof taken, MSG_DONTWAIT) > 0 || errno == EAGAIN);
        (void)poll(nullptr, 0, 40);
    }
    assert_false(scene.php.has_caller());
    assert_int_equal(scene.log.count("[slow-reader]") + scene.log.count("[request-timeout]"), 0);
}

}  // namespace

int main() {
    static constexpr Case spooled_cases[] = {
        FCGATE_CASE(a_body_that_is_spooled_waits_for_no_upload),
        FCGATE_CASE(a_body_that_is_spooled_needs_no_room_for_bodies),
    };
    static constexpr Case cases[] = {
        FCGATE_CASE(a_slow_reader_is_not_in_the_way_of_an_upload),
    };
    static constexpr Variant variants[] = {{.name = "TCP"}};
    const int spooled = fcgate::features::spool ? play("uploads in the spool", spooled_cases, variants) : 0;
    return play("uploads", cases, variants) + spooled;
}
