// Clients that hold their places with as little as they can: whoever keeps pace is served all the same.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ctime>

#include "http/progress.hpp"
#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view get_static = "GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr size_t places = 6;

void rest(int64_t ms) {
    const timespec time{0, static_cast<long>(ms) * 1'000'000};
    (void)nanosleep(&time, nullptr);
}

// A server whose places are soon taken, and whose patience for a body or a reply is far longer than the test.
void start(Scene& scene) {
    scene.set("server.max_connections", "6");
    scene.set("server.header_timeout", "1s");
    scene.set("server.body_timeout", "60s");
    scene.set("server.send_timeout", "60s");
    scene.start();
}

// Who behaves well is served within header_timeout and a second; the clock of a busy machine is given more.
void expect_served_in_time(Scene& scene) {
    const int64_t begun = fcgate::monotonic_ms();
    Client& good = scene.client_with(get_static);
    expect_reply(good, 200, "static");
    assert_true(fcgate::monotonic_ms() - begun < 6000);
}

void slow_heads_hold_no_place_for_long(Scene& scene) {
    start(scene);
    for (size_t i = 0; i < places; ++i) {
        (void)scene.client_with("GET /static.txt HTTP/1.1\r\nX: ");
    }
    expect_served_in_time(scene);
}

// Who takes nothing of a reply keeps its script waiting, not us: it is another that is silent.
void a_script_that_waits_for_its_reader_is_not_silent(Scene& scene) {
    scene.set("backend.response_timeout", "300ms");
    start(scene);
    LongReply reply;
    Client& reader = scene.client({}, 4096);
    assert_true(reader.send(get_script));
    PhpConnection& php = scene.take();
    for (int i = 0; i < 50; ++i) {
        reply.send_some(php);
        scene.settle();
    }
    Client& other = scene.client_with(get_script);
    PhpConnection& silent = scene.take();
    expect_status(other, 504);
    assert_true(silent.is_left());
    assert_int_equal(scene.log.count("[backend-silent]"), 1);
    assert_true(reader.read_head());
    assert_true(reader.read_body(100000));
}

// The end of a part lies behind its begin: that it is gone is seen though the file is longer than the part, and of the same age.
void a_part_whose_end_is_cut_off_ends(Scene& scene) {
    constexpr off_t mib = off_t{1024} * 1024;
    Buffer content;
    scene.tree.file("large.bin", content.append_pattern(24 * mib).view());
    scene.tree.modified("large.bin", 1'600'000'000);
    start(scene);
    Client& reader = scene.client({}, 4096);
    assert_true(reader.send("GET /large.bin HTTP/1.1\r\nHost: localhost\r\nRange: bytes=12582912-\r\n\r\n"));
    assert_true(reader.read_head());
    assert_int_equal(reader.reply().status, 206);
    const int fd = openat(scene.tree.fd(), "large.bin", O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 20 * mib), 0);
    close(fd);
    scene.tree.modified("large.bin", 1'600'000'000);
    assert_true(scene.log.has("was changed while it was sent [file-changed]"));
    assert_false(reader.read());
}

void slow_bodies_make_room(Scene& scene) {
    Buffer content;
    scene.tree.file("large.bin", content.append_pattern(size_t{24} * 1024 * 1024).view());
    start(scene);
    // One place is none for a body: there are no more exchanges than places, and bodies leave some to others.
    Client& reader = scene.client({}, 4096);
    assert_true(reader.send("GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_true(reader.read_head());
    Client* slow[places - 1];
    for (Client*& client : slow) {
        client = &scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nx");
    }
    Client& good = scene.client_with(get_static);
    const int64_t begun = fcgate::monotonic_ms();
    while (!wait_for(good.fd(), POLLIN, fcgate::monotonic_ms() + 100)) {
        assert_true(fcgate::monotonic_ms() - begun < 6000);
        for (Client* const client : slow) {
            (void)client->send("x");
        }
    }
    expect_reply(good, 200, "static");
    assert_true(scene.log.has("the table is full, and this is the slowest client: it makes room"));
    // One place was wanted, and one was taken.
    assert_int_equal(scene.log.count("it makes room"), 1);
}

void slow_readers_make_room(Scene& scene) {
    Buffer content;
    scene.tree.file("large.bin", content.append_pattern(size_t{24} * 1024 * 1024).view());
    start(scene);
    for (size_t i = 0; i < places; ++i) {
        Client& slow = scene.client({}, 4096);
        assert_true(slow.send("GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_true(slow.read_head());
    }
    expect_served_in_time(scene);
    assert_true(scene.log.has("it makes room"));
}

void who_keeps_pace_is_not_in_the_way(Scene& scene) {
    start(scene);
    scene.responder.start(scene.php, [](const PhpConnection& /*request*/, Buffer& cgi) { cgi.append(hello); });
    Client& steady = scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n");
    for (size_t i = 1; i < places; ++i) {
        (void)scene.client_with("POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nx");
    }
    Client& good = scene.client_with(get_static);
    Buffer part;
    part.append_pattern(1000);
    for (int i = 0; i < 60; ++i) {
        assert_true(steady.send(part.view()));
        rest(50);
    }
    expect_reply(good, 200, "static");
    expect_reply(steady, 200, "hello");
    scene.responder.stop();
}

void who_takes_a_trickle_is_let_go(Scene& scene) {
    Buffer content;
    scene.tree.file("large.bin", content.append_pattern(size_t{24} * 1024 * 1024).view());
    scene.set("server.send_timeout", "1500ms");
    scene.start();
    Client& client = scene.client({}, 4096);
    assert_true(client.send("GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    const int64_t begun = fcgate::monotonic_ms();
    // Every byte is progress, all of them are not enough.
    while (scene.log.count("the client takes no more of its reply (see `send_timeout`)") == 0) {
        char byte = 0;
        (void)recv(client.fd(), &byte, 1, MSG_DONTWAIT);
        rest(30);
        assert_true(fcgate::monotonic_ms() - begun < patience_ms);
    }
    scene.expect_served();
}

void who_takes_it_slowly_but_steadily_gets_all(Scene& scene) {
    scene.set("server.send_timeout", "700ms");
    Buffer content;
    scene.tree.file("some.bin", content.append_pattern(size_t{6} * 1024 * 1024).view());
    scene.start();
    Client& client = scene.client({}, 4096);
    assert_true(client.send("GET /some.bin HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_true(client.read_head());
    for (int i = 1; i <= 30; ++i) {
        assert_true(client.read_body(static_cast<size_t>(i) * 16384));
        rest(100);
    }
    expect_same((client.read(), client.reply().body.view()), content.view());
}

void a_file_that_has_less_than_it_says_is_not_waited_for(Scene& scene) {
    // How much a client has taken has to be told, as qemu's user mode does not.
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_told = fcgate::http::send_progress(fd).is_count;
    close(fd);
    if (!is_told || access("/sys/kernel/uevent_seqnum", R_OK) != 0) {
        return;
    }
    scene.tree.link("/sys/kernel/uevent_seqnum", "less.txt");
    scene.set("site.links_to", "/sys");
    scene.set("server.send_timeout", "700ms");
    scene.start();
    Client& client = scene.client_with("GET /less.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_true(client.read_to_end());
    assert_int_equal(scene.log.count("its file has less than it said, or was changed while it was sent [file-changed]"),
                     1);
    scene.expect_served();
}

// ---- PHP that waits for slow clients while others wait for PHP -----------------------------------------------------------

constexpr std::string_view get_script = "GET /t.php HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr size_t upload_size = 200000;

void uploads_leave_a_worker_to_pages(Scene& scene) {
    scene.set("backend.workers", "2");
    scene.start();
    Client& first = begin_upload(scene, upload_size);
    PhpConnection& php = scene.accept();
    assert_true(php.read_body(66000));
    Client& second = begin_upload(scene, upload_size);
    scene.settle();
    assert_false(scene.php.has_caller());
    for (int i = 0; i < 3; ++i) {
        Client& page = scene.client_with(get_script);
        assert_true(scene.take().answer(hello));
        expect_reply(page, 200, "hello");
    }
    Buffer rest_of_it;
    rest_of_it.append_pattern(upload_size - 66000);
    // The body of the first is there, so the second may begin though the first still runs.
    assert_true(first.send(rest_of_it.view()) && php.read_request());
    PhpConnection& other = scene.accept();
    assert_true(other.read_body(66000));
    assert_true(second.send(rest_of_it.view()) && other.read_request());
    assert_true(other.answer(hello) && php.answer(hello));
    expect_reply(second, 200, "hello");
    expect_reply(first, 200, "hello");
}

void bodies_leave_exchanges_to_pages(Scene& scene) {
    scene.set("server.exchanges", "4");
    scene.set("server.body_timeout", "1500ms");
    scene.start();
    constexpr std::string_view begun = "POST /t.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\nx";
    for (int i = 0; i < 3; ++i) {
        (void)scene.client_with(begun);
    }
    scene.settle();
    Client& fourth = scene.client_with(begun);
    expect_status(fourth, 503);
    for (int i = 0; i < 3; ++i) {
        Client& page = scene.client_with(get_script);
        assert_true(scene.take().answer(hello));
        expect_reply(page, 200, "hello");
    }
}

// A pace that is enough as long as nobody is in need of the worker.
void trickle(Client& client) {
    Buffer some;
    (void)client.send(some.append_pattern(100).view());
    rest(50);
}

void an_upload_that_trickles_makes_way_for_a_page(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.set("server.body_timeout", "1500ms");
    scene.start();
    Client& slow = begin_upload(scene, upload_size);
    PhpConnection& php = scene.accept();
    assert_true(php.read_body(66000));
    for (const int64_t begun = fcgate::monotonic_ms(); fcgate::monotonic_ms() - begun < 3000;) {
        trickle(slow);
    }
    assert_true(php.absorb());
    Client& page = scene.client_with(get_script);
    const int64_t begun = fcgate::monotonic_ms();
    while (!is_readable(slow.fd())) {
        assert_true(fcgate::monotonic_ms() - begun < patience_ms);
        trickle(slow);
    }
    expect_status(slow, 408);
    assert_true(php.is_left());
    assert_true(scene.take().answer(hello));
    expect_reply(page, 200, "hello");
    assert_true(scene.log.has("its body comes too slowly for PHP, and others wait"));
}

void a_reader_that_trickles_makes_way_for_a_page(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.set("server.send_timeout", "60s");
    scene.start();
    Client& slow = scene.client({}, 4096);
    assert_true(slow.send(get_script));
    PhpConnection& php = scene.take();
    LongReply reply;
    const auto play = [&] {
        reply.send_some(php);
        // So little that it shows also where the kernel does not tell how much it is, as under qemu.
        char byte = 0;
        (void)recv(slow.fd(), &byte, 1, MSG_DONTWAIT);
        rest(30);
    };
    for (const int64_t begun = fcgate::monotonic_ms(); fcgate::monotonic_ms() - begun < 3000;) {
        play();
    }
    assert_int_equal(scene.log.count("too slowly"), 0);
    Client& page = scene.client_with(get_script);
    const int64_t begun = fcgate::monotonic_ms();
    while (scene.log.count("the client takes its reply from PHP too slowly, and others wait") == 0) {
        assert_true(fcgate::monotonic_ms() - begun < patience_ms);
        play();
    }
    assert_true(scene.take().answer(hello));
    expect_reply(page, 200, "hello");
}

// ---- bodies in chunks ---------------------------------------------------------------------------------------------------

// A handler of the host's reads bodies in chunks.
void start_with_handler(Scene& scene) {
    scene.set("server.body_timeout", "1s");
    scene.make();
    const auto answer = [](void* /*context*/, fcgate_request* request) {
        (void)fcgate_reply(request, 200, "text/plain", "taken", 5);
    };
    assert_int_equal(fcgate_handle(scene.server, "/api", answer, nullptr), FCGATE_OK);
    fcgate_error error{};
    assert_int_equal(fcgate_start(scene.server, &error), FCGATE_OK);
}

[[nodiscard]] int64_t processor_ms() {
    timespec used{};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * 1000 + used.tv_nsec / 1'000'000;
}

// What is no body yet, and never will be: libmicrohttpd 0.9.75 looks at it again and again.
void what_surrounds_chunks_has_an_end(Scene& scene) {
    start_with_handler(scene);
    Buffer extension;
    extension.append("5;").append_letters(60000);
    Buffer trailer;
    trailer.append("5\r\nhello\r\n0\r\nX: ").append_letters(60000);
    Buffer zeros;
    zeros.append("5\r\nhello\r\n");
    for (int i = 0; i < 60000; ++i) {
        zeros.append('0');
    }
    for (const Buffer* const body : {&extension, &trailer, &zeros}) {
        Client& client =
            scene.client_with("POST /api HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
        (void)client.send(body->view());
        assert_true(client.read_to_end());
        client.close();
        scene.settle();
    }
    const int64_t before = processor_ms();
    rest(500);
    // Nobody is there any more, so nothing is to be done.
    assert_true(processor_ms() - before < 250);
    scene.expect_served();
}

void chunks_in_good_order_are_taken(Scene& scene) {
    start_with_handler(scene);
    Client& client = scene.client_with(
        "POST /api HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    expect_reply(client, 200, "taken");
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(a_script_that_waits_for_its_reader_is_not_silent),
        FCGATE_CASE(a_part_whose_end_is_cut_off_ends),
        FCGATE_CASE(slow_heads_hold_no_place_for_long),
        FCGATE_CASE(slow_bodies_make_room),
        FCGATE_CASE(slow_readers_make_room),
        FCGATE_CASE(who_keeps_pace_is_not_in_the_way),
        FCGATE_CASE(uploads_leave_a_worker_to_pages),
        FCGATE_CASE(bodies_leave_exchanges_to_pages),
        FCGATE_CASE(an_upload_that_trickles_makes_way_for_a_page),
        FCGATE_CASE(a_reader_that_trickles_makes_way_for_a_page),
        FCGATE_CASE(what_surrounds_chunks_has_an_end),
        FCGATE_CASE(chunks_in_good_order_are_taken),
        FCGATE_CASE(who_takes_a_trickle_is_let_go),
        FCGATE_CASE(who_takes_it_slowly_but_steadily_gets_all),
        FCGATE_CASE(a_file_that_has_less_than_it_says_is_not_waited_for),
    };
    static constexpr Variant variants[] = {{.name = "TCP"}};
    return play("slow clients", cases, variants);
}
