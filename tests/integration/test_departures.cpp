// What PHP notices of a client that has left (`on_abort = close`), and how long its place is held.
#include <poll.h>

#include <algorithm>

#include "scene.hpp"

namespace {

using namespace fcgate::test;

// The first sign of it: an FCGI_ABORT_REQUEST, the end, or a reset.
[[nodiscard]] bool is_told(const PhpConnection& php) {
    return wait_for(php.fd(), POLLIN, soon());
}

PhpConnection& begin_reply(Scene& scene, Client*& client) {
    client = &scene.client_with(get_script);
    PhpConnection& php = scene.take();
    assert_true(php.out("X: y\r\n\r\npart"));
    assert_true(client->read_head() && client->read_body(4));
    return php;
}

void the_next_write_fails(Scene& scene) {
    scene.start();
    int64_t fastest = INT64_MAX;
    for (int i = 0; i < 5; ++i) {
        Client* client = nullptr;
        PhpConnection& php = begin_reply(scene, client);
        const int64_t begun = fcgate::monotonic_ms();
        client->close();
        assert_true(is_told(php));
        fastest = std::min(fastest, fcgate::monotonic_ms() - begun);
        assert_false(php.out("more"));
        php.close();
    }
    assert_true(fastest < 50);
    scene.expect_served();
}

void a_reset_tells_it_as_well(Scene& scene) {
    scene.start();
    Client* client = nullptr;
    PhpConnection& php = begin_reply(scene, client);
    client->reset();
    assert_true(is_told(php));
    assert_false(php.out("more"));
}

void a_script_that_is_stuck_in_its_write_is_told(Scene& scene) {
    scene.start();
    Client& client = scene.client({}, 4096);
    assert_true(client.send(get_script));
    PhpConnection& php = scene.take();
    assert_true(php.out("X: y\r\n\r\n"));
    assert_true(client.read_head());
    Buffer much;
    append_record(much, fcgi_stdout, Buffer().append_pattern(60000).view());
    while (send_bytes(php.fd(), much.view(), fcgate::monotonic_ms() + 200) == much.size()) {}
    client.reset();
    assert_true(is_told(php));
    assert_int_equal(send_bytes(php.fd(), much.view(), soon()), 0);
    php.close();
    scene.expect_served();
}

void silence_after_the_request_is_told_too(Scene& scene) {
    scene.set("backend.response_timeout", "300ms");
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    expect_status(client, 504);
    assert_true(is_told(php));
    assert_false(php.out("X: y\r\n\r\n"));
}

// PHP is not free before its script looks up; for how long that is waited, response_timeout says.
void the_place_of_a_script_that_hangs_is_free_in_the_end(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.set("backend.response_timeout", "500ms");
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    const int64_t begun = fcgate::monotonic_ms();
    client.close();
    Client& next = scene.client_with(get_script);
    scene.settle();
    assert_false(scene.php.has_caller());
    PhpConnection& other = scene.accept();
    assert_true(fcgate::monotonic_ms() - begun >= 490);
    assert_true(other.read_request() && other.answer(hello));
    expect_reply(next, 200, "hello");
    assert_true(php.is_left());
    assert_int_equal(scene.log.count("error: ") + scene.log.count("warning: "), 0);
}

void the_place_is_free_as_soon_as_php_lets_go(Scene& scene) {
    scene.set("backend.workers", "1");
    scene.start();
    Client& client = scene.client_with(get_script);
    PhpConnection& php = scene.take();
    client.close();
    Client& next = scene.client_with(get_script);
    scene.settle();
    assert_false(scene.php.has_caller());
    php.close();
    assert_true(scene.take().answer(hello));
    expect_reply(next, 200, "hello");
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(the_next_write_fails),
        FCGATE_CASE(a_reset_tells_it_as_well),
        FCGATE_CASE(a_script_that_is_stuck_in_its_write_is_told),
        FCGATE_CASE(silence_after_the_request_is_told_too),
    };
    // Over TCP nobody can see when PHP lets go.
    static constexpr Case local_cases[] = {
        FCGATE_CASE(the_place_of_a_script_that_hangs_is_free_in_the_end),
        FCGATE_CASE(the_place_is_free_as_soon_as_php_lets_go),
    };
    static constexpr Variant variants[] = {
        {.name = "unix"},
        {.name = "TCP", .php_over_tcp = true},
        {.name = "TCP, 2 threads", .threads = "2", .php_over_tcp = true},
    };
    static constexpr Variant local[] = {{.name = "unix"}};
    return play("departures", cases, variants) + play("departures and places", local_cases, local);
}
