// Files that are kept in memory: found there for a second, and not longer.
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.hpp"
#include "scene.hpp"

namespace {

using namespace fcgate::test;
using fcgate::Text;

constexpr std::string_view get_old = "GET /old.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

// A file that has not changed lately lies among the sources only; it is smaller than limits::cached_file.
void link_old_file(Scene& scene) {
    scene.tree.link(FCGATE_CASES "/requests.txt", "old.txt");
    scene.set("site.links_to", FCGATE_CASES);
}

[[nodiscard]] unsigned ask(Client& client, Buffer& body) {
    assert_true(client.send(get_old));
    assert_true(client.read());
    body.clear();
    body.append(client.reply().body.view());
    return client.reply().status;
}

void a_kept_file_is_sent_for_a_second(Scene& scene) {
    link_old_file(scene);
    scene.start();
    Client& client = scene.client();
    Buffer first;
    Buffer second;
    assert_int_equal(ask(client, first), 200);
    assert_true(first.size() > 100);
    const int64_t kept_at = fcgate::monotonic_ms();
    assert_int_equal(unlinkat(scene.tree.fd(), "old.txt", 0), 0);
    const unsigned status = ask(client, second);
    // A machine that stood still for a second has shown nothing.
    if (fcgate::monotonic_ms() - kept_at < 900) {
        assert_int_equal(status, 200);
        expect_same(second.view(), first.view());
    }
    const int64_t deadline = soon();
    while (ask(client, second) == 200 && fcgate::monotonic_ms() < deadline) {
        assert_true(fcgate::monotonic_ms() - kept_at < 1500);
        (void)usleep(20'000);
    }
    assert_int_equal(client.reply().status, 404);
}

void without_a_cache_a_file_is_gone_at_once(Scene& scene) {
    link_old_file(scene);
    scene.set("server.file_cache", "0");
    scene.start();
    Client& client = scene.client();
    Buffer body;
    assert_int_equal(ask(client, body), 200);
    assert_int_equal(unlinkat(scene.tree.fd(), "old.txt", 0), 0);
    assert_int_equal(ask(client, body), 404);
}

// Whoever sends a body with such a request may do so for a while: his answer could be lost.
void a_ready_reply_before_a_body_lingers(Scene& scene) {
    link_old_file(scene);
    scene.start();
    Buffer body;
    Client& first = scene.client();
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(ask(first, body), 200);
    }
    Client& client = scene.client_with("GET /old.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
    assert_true(client.read());
    assert_int_equal(client.reply().status, 200);
    expect_same(client.reply().body.view(), body.view());
    assert_true(client.is_closed());
    Buffer part;
    part.append_pattern(16384);
    scene.expect_lingering(client, part.view());
    scene.expect_served();
}

// The next reply, without its Date.
void ask_for(Client& client, std::string_view head, Buffer& out) {
    assert_true(client.send(head));
    assert_true(client.read(head.find("HEAD") == 0));
    const std::string_view fields = client.reply().head.view();
    const size_t date = fields.find("Date: ");
    assert_true(date < fields.size());
    out.clear();
    out.append(fcgate::slice(fields, 0, date))
        .append(fcgate::slice(fields, fields.find("\r\n", date)))
        .append(client.reply().body.view());
}

// Replies that stand ready in memory are those that were composed, whoever asks and whatever came between.
void what_is_sent_again_is_the_same(Scene& scene) {
    link_old_file(scene);
    scene.set("site.header", "X-Set by the site");
    scene.start();
    static constexpr std::string_view heads[] = {
        get_old,
        "GET /old.txt HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: *\r\n\r\n",
        "HEAD /old.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /old.txt HTTP/1.1\r\nHost: localhost\r\nRange: bytes=10-19\r\n\r\n",
    };
    constexpr size_t count = std::size(heads);
    Buffer first[count];
    for (size_t i = 0; i < count; ++i) {
        ask_for(scene.client(), heads[i], first[i]);
        assert_true(first[i].view().find("X-Set: by the site\r\n") < first[i].size());
    }
    assert_true(first[0].view().find("HTTP/1.1 200 ") == 0);
    assert_true(first[1].view().find("HTTP/1.1 304 ") == 0);
    Client& one = scene.client();
    Client& other = scene.client();
    // For longer than a reply is taken to be what it was.
    const int64_t end = fcgate::monotonic_ms() + 2 * fcgate::limits::file_cache_ms + 200;
    size_t asked = 0;
    for (Buffer again; asked < 40 || fcgate::monotonic_ms() < end; ++asked) {
        ask_for(asked % 3 == 0 ? other : one, heads[asked % count], again);
        expect_same(again.view(), first[asked % count].view());
    }
    // Those of HTTP/1.0, and whoever wants to end, get the same file.
    for (const std::string_view last : {"GET /old.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                                        "GET /old.txt HTTP/1.0\r\nHost: localhost\r\n\r\n"}) {
        Client& client = scene.client();
        Buffer again;
        ask_for(client, last, again);
        assert_true(first[0].view().ends_with(client.reply().body.view()) && client.reply().body.size() > 100);
        assert_true(client.is_closed());
    }
}

// Names for files that have not changed lately: "same0" and so on for one of them, "other0" and so on for another.
void link_old_files(Scene& scene, size_t same, size_t others) {
    scene.set("site.links_to", FCGATE_CASES);
    scene.set("server.file_cache", "64k");  // two of them
    for (size_t i = 0; i < same + others; ++i) {
        Text<16> name;
        name.append(i < same ? "same" : "other").append_number(i < same ? i : i - same);
        scene.tree.link(i < same ? FCGATE_CASES "/requests.txt" : FCGATE_CASES "/suites.txt", name.c_str());
    }
}

void append_request(Buffer& to, std::string_view name, size_t number) {
    Text<16> digits;
    to.append("GET /").append(name).append(digits.append_number(number).view());
    to.append(" HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

void ask_for_others(Client& client, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        Buffer request;
        append_request(request, "other", i);
        assert_true(client.send(request.view()));
        expect_status(client, 200);
    }
}

// Whoever has not taken all of a file yet gets it as it is, though others are in want of its memory.
void expect_kept_while_it_is_sent(Scene& scene, size_t names) {
    constexpr size_t replies = 12;
    constexpr size_t others = 6;
    constexpr int small = 8192;
    link_old_files(scene, names, others);
    assert_int_equal(setsockopt(scene.listener(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    scene.start();
    Buffer request;
    append_request(request, "same", 0);
    Client& other = scene.client();
    for (int i = 0; i < 2; ++i) {
        assert_true(other.send(request.view()));
        assert_true(other.read());
    }
    Buffer content;
    content.append(other.reply().body.view());
    Buffer more;
    for (size_t i = 1; i <= replies; ++i) {
        append_request(more, "same", i % names);
    }
    Client& slow = scene.client({}, 4096);
    assert_true(slow.send(more.view()));
    scene.settle();
    ask_for_others(other, others);
    for (size_t i = 0; i < replies; ++i) {
        assert_true(slow.read());
        assert_int_equal(slow.reply().status, 200);
        expect_same(slow.reply().body.view(), content.view());
    }
}

void a_file_under_way_keeps_its_memory(Scene& scene) {
    expect_kept_while_it_is_sent(scene, 13);
}
void a_ready_reply_under_way_keeps_it_as_well(Scene& scene) {
    expect_kept_while_it_is_sent(scene, 1);
}

// Those that were sent leave their memory to others, whatever comes behind them on their connections.
void files_that_were_sent_make_room(Scene& scene) {
    constexpr size_t others = 6;
    scene.tree.link(FCGATE_CASES "/requests.txt", "old.txt");
    link_old_files(scene, 0, others);
    scene.start();
    Client& client = scene.client();
    for (size_t i = 0; i < others; ++i) {
        ask_for_others(client, i + 1);
        assert_true(client.send("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        expect_reply(client, 200, "static");
    }
    Buffer body;
    const int64_t begun = fcgate::monotonic_ms();
    assert_int_equal(ask(client, body), 200);
    assert_int_equal(unlinkat(scene.tree.fd(), "old.txt", 0), 0);
    const unsigned status = ask(client, body);
    // As above.
    if (fcgate::monotonic_ms() - begun < 900) {
        assert_int_equal(status, 200);
    }
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(a_file_under_way_keeps_its_memory),      FCGATE_CASE(a_ready_reply_under_way_keeps_it_as_well),
        FCGATE_CASE(files_that_were_sent_make_room),         FCGATE_CASE(a_kept_file_is_sent_for_a_second),
        FCGATE_CASE(a_ready_reply_before_a_body_lingers),    FCGATE_CASE(what_is_sent_again_is_the_same),
        FCGATE_CASE(without_a_cache_a_file_is_gone_at_once),
    };
    static constexpr Variant variants[] = {{.name = "one thread"}};
    return play("cache", cases, variants);
}
