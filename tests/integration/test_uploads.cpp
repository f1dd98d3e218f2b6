// What counts as an upload, and what it may hold: a body that is all here waits for no client.
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/clock.hpp"
#include "base/features.hpp"
#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr size_t spooled_size = 100000;  // more than is put by for PHP
constexpr size_t upload_size = 2000000;
constexpr size_t long_upload_size = 12000000;  // more than all buffers on the way take

// What finds room of a body, so much of which has been sent; false: none did.
bool send_some(const Client& client, std::string_view body, size_t& sent) {
    const ssize_t count = send(client.fd(), body.data() + sent, body.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    sent += static_cast<size_t>(std::max<ssize_t>(count, 0));
    return count > 0;
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
    (void)begin_upload(scene, upload_size);
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

// Nor does one that came whole with its head.
void a_body_that_is_here_waits_for_no_upload(Scene& scene) {
    scene.set("backend.workers", "2");
    scene.start();
    (void)begin_upload(scene, upload_size);
    PhpConnection& uploaded = scene.accept();
    assert_true(uploaded.read_body(66000));
    Client& client = scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
    PhpConnection& php = scene.accept();
    assert_true(php.read_request());
    check_text(php.body(), "hello");
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
    assert_int_equal(scene.log.count("[request-timeout]"), 0);
}

// Nor does a form, when uploads that PHP does not read have gathered here: they leave pages for it.
void a_form_waits_for_no_upload_that_php_lets_wait(Scene& scene) {
    scene.set("server.connection_memory", "8k");
    // Four pages beside those that exchanges are guaranteed: as much as is read of a body at once.
    scene.set("server.exchanges", "12");
    scene.set("server.response_memory", "64k");
    scene.set("site.max_body", "12m");
    scene.set("backend.workers", "2");
    scene.start();
    Buffer body;
    body.append_pattern(long_upload_size);
    Client& upload = begin_upload(scene, long_upload_size);
    PhpConnection& uploaded = scene.accept();
    assert_true(uploaded.read_body(66000));
    size_t sent = 66000;
    for (int round = 0; round < 2; ++round) {
        while (send_some(upload, body.view(), sent)) {
            scene.settle();
        }
        scene.settle();
        Client& client = scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
        PhpConnection& php = scene.take();
        // Nor does the upload make way for it.
        assert_int_equal(scene.log.count("[request-timeout]"), 0);
        check_text(php.body(), "hello");
        assert_true(php.answer(hello));
        expect_reply(client, 200, "hello");
        client.close();
        assert_true(uploaded.absorb());
    }
    assert_true(sent < long_upload_size);
}

// Who leaves before his body is there leaves the room for it.
void uploads_that_leave_give_their_room_back(Scene& scene) {
    constexpr std::string_view begun = "POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhello";
    scene.set("server.exchanges", "4");
    scene.start();
    for (int i = 0; i < 8; ++i) {
        Client& leaves = scene.client_with(begun);
        scene.settle();
        leaves.close();
        scene.settle();
    }
    Client& client = scene.client_with(begun);
    assert_true(client.send(" you"));
    PhpConnection& php = scene.take();
    check_text(php.body(), "hello you");
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
}

// It loses more by a refusal.
void an_upload_waits_longer_than_a_page(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.set("backend.queue_timeout", "300ms");
    scene.start();
    Client& first = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    Client& upload = begin_upload(scene, 66000 + 5);
    scene.settle();
    // It has waited for longer than this one.
    Client& page = scene.client_with(get_script);
    expect_status(page, 503);
    assert_true(upload.send("hello"));
    assert_true(php.answer(hello));
    expect_reply(first, 200, "hello");
    PhpConnection& uploaded = scene.accept();
    assert_true(uploaded.read_request());
    assert_int_equal(uploaded.body().size(), 66000 + 5);
    assert_true(uploaded.answer(hello));
    expect_reply(upload, 200, "hello");
    assert_int_equal(scene.log.count("[queue-timeout]"), 1);
}

// PHP stops reading in the midst of a body, until nothing finds room on the way to it any more, and goes on.
void an_upload_that_has_had_to_wait_is_whole(Scene& scene) {
    scene.set("server.connection_memory", "20k");
    scene.set("site.max_body", "12m");
    scene.start();
    Buffer body;
    body.append_pattern(long_upload_size);
    Client& client = begin_upload(scene, long_upload_size);
    PhpConnection& php = scene.accept();
    assert_true(php.read_body(66000));
    php.longest_body_record = 0;
    size_t sent = 66000;
    while (send_some(client, body.view(), sent)) {
        scene.settle();
    }
    assert_true(sent < long_upload_size);
    while (sent < long_upload_size) {
        (void)send_some(client, body.view(), sent);
        assert_true(php.absorb());
    }
    assert_true(php.read_request());
    expect_same(php.body(), body.view());
    assert_false(php.is_malformed());
#ifdef FCGATE_MHD_TAKES_EVENTS
    // What had gathered was read in larger pieces than the connection's memory takes.
    assert_true(php.longest_body_record > size_t{20} * 1024);
#endif
    assert_true(php.answer(hello));
    expect_reply(client, 200, "hello");
}

// Whose client dawdles owes us nothing: it is another script that is silent.
void a_script_that_waits_for_its_body_is_not_silent(Scene& scene) {
    scene.set("backend.response_timeout", "300ms");
    scene.start();
    Client& upload = begin_upload(scene, 66000 + 5);
    PhpConnection& uploaded = scene.accept();
    assert_true(uploaded.read_body(66000));
    scene.settle();
    Client& other = scene.client_with(get_script);
    PhpConnection& silent = scene.take();
    expect_status(other, 504);
    assert_true(silent.is_left());
    assert_true(upload.send("hello"));
    assert_true(uploaded.read_request());
    assert_true(uploaded.answer(hello));
    expect_reply(upload, 200, "hello");
    assert_int_equal(scene.log.count("[backend-silent]"), 1);
}

// A reader of a page has a place that an upload could not have, which waits for another one.
void a_slow_reader_is_not_in_the_way_of_an_upload(Scene& scene) {
    scene.set("backend.workers", "2");
    scene.set("server.body_timeout", "60s");
    scene.set("server.send_timeout", "3s");
    scene.start();
    LongReply reply;  // takes a while to make, under a sanitizer as long as the upload has
    Client& upload = begin_upload(scene, upload_size);
    PhpConnection& uploaded = scene.accept();
    assert_true(uploaded.read_body(66000));
    Client& reader = scene.client({}, 4096);
    assert_true(reader.send(get_script));
    PhpConnection& php = scene.take();
    (void)begin_upload(scene, upload_size);
    Buffer more;
    more.append_pattern(2000);
    constexpr int64_t pace = 48;  // bytes a millisecond: three times what is asked of it
    int64_t sent = 0;
    int64_t elapsed = 0;
    for (const int64_t begun = fcgate::monotonic_ms(); elapsed < 5000; elapsed = fcgate::monotonic_ms() - begun) {
        // The upload keeps the pace that it must while another waits, however late this loop is; the reader does not, and keeps that of all readers.
        for (; sent <= elapsed * pace; sent += static_cast<int64_t>(more.view().size())) {
            assert_true(upload.send(more.view()) && uploaded.absorb());
        }
        reply.send_some(php);
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
        FCGATE_CASE(a_body_that_is_here_waits_for_no_upload),
        FCGATE_CASE(a_form_waits_for_no_upload_that_php_lets_wait),
        FCGATE_CASE(an_upload_waits_longer_than_a_page),
        FCGATE_CASE(uploads_that_leave_give_their_room_back),
        FCGATE_CASE(a_script_that_waits_for_its_body_is_not_silent),
        FCGATE_CASE(a_slow_reader_is_not_in_the_way_of_an_upload),
        FCGATE_CASE(an_upload_that_has_had_to_wait_is_whole),
    };
    static constexpr Variant variants[] = {{.name = "TCP"}};
    const int spooled = fcgate::features::spool ? play("uploads in the spool", spooled_cases, variants) : 0;
    return play("uploads", cases, variants) + spooled;
}
