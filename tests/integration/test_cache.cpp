// Files that are kept in memory: found there for a second, and not longer.
#include <unistd.h>

#include "base/limits.hpp"
#include "scene.hpp"

namespace {

using namespace fcgate::test;

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

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(a_kept_file_is_sent_for_a_second),
        FCGATE_CASE(a_ready_reply_before_a_body_lingers),
        FCGATE_CASE(what_is_sent_again_is_the_same),
        FCGATE_CASE(without_a_cache_a_file_is_gone_at_once),
    };
    static constexpr Variant variants[] = {{.name = "one thread"}};
    return play("cache", cases, variants);
}
