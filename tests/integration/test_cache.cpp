// Files that are kept in memory: found there for a second, and not longer.
#include <unistd.h>

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

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(a_kept_file_is_sent_for_a_second),
        FCGATE_CASE(without_a_cache_a_file_is_gone_at_once),
    };
    static constexpr Variant variants[] = {{.name = "one thread"}};
    return play("cache", cases, variants);
}
