// The last places are kept for operators: this machine, and networks that are listed. The world comes over a unix socket here.
#include <poll.h>

#include "base/text.hpp"
#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view get_static = "GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

// A server that listens for operators on TCP and for the world on a unix socket, with four places, two of which are kept.
class Door {
  public:
    explicit Door(Scene& scene) : scene_(scene) {
        fcgate::Text<96> path;
        path.append(scene.tree.path()).append("/world.sock");
        fcgate::Text<104> listen;
        listen.append("unix:").append(path.view());
        world_ = local_address(path.view());
        scene.set("server.max_connections", "4");
        scene.set("server.listen", listen.c_str());
    }
    Client& world(std::string_view request) {
        const Address operators = scene_.front;
        scene_.front = world_;
        Client& client = scene_.client();
        scene_.front = operators;
        // Who is turned away may be so before it has asked.
        (void)client.send(request);
        return client;
    }
    // Takes the places that the world can have with requests that PHP is busy with.
    void fill() {
        for (size_t i = 0; i < 2; ++i) {
            busy_[i] = &world(get_script);
            php_[i] = &scene_.take();
        }
    }
    void finish_one(size_t number) {
        assert_true(php_[number]->answer(hello));
        expect_reply(*busy_[number], 200, "hello");
    }

  private:
    Scene& scene_;
    Address world_;
    Client* busy_[2] = {};
    PhpConnection* php_[2] = {};
};

void operators_get_in_while_the_world_waits(Scene& scene) {
    Door door(scene);
    scene.start();
    door.fill();
    Client& waiting = door.world(get_static);
    Client& next = door.world(get_static);
    scene.settle();  // an operator, twice
    Client& operator_at_work = scene.client_with(get_static);
    expect_reply(operator_at_work, 200, "static");
    assert_false(is_readable(waiting.fd()));
    // Whoever came first comes first, and then the longest idle makes room.
    door.finish_one(0);
    expect_reply(waiting, 200, "static");
    expect_reply(next, 200, "static");
    door.finish_one(1);
    assert_true(operator_at_work.send(get_static));
    expect_reply(operator_at_work, 200, "static");
}

void the_world_never_takes_the_last_places(Scene& scene) {
    Door door(scene);
    scene.start();
    door.fill();
    for (int i = 0; i < 32; ++i) {
        (void)door.world(get_static);
    }
    // As many wait as can: who comes now is told so at once.
    Client& late = door.world(get_static);
    expect_status(late, 503);
    check_text(late.reply().field("Retry-After"), "2");
    assert_true(late.is_closed());
    assert_true(
        scene.log.has("unix: refused: all places are taken, and so are those of who waits (see `max_connections`) "
                      "[connections-full]"));
    for (int i = 0; i < 2; ++i) {
        Client& busy_operator = scene.client_with(get_script);
        PhpConnection& php = scene.take();
        assert_true(php.answer(hello));
        expect_reply(busy_operator, 200, "hello");
    }
}

void who_waits_in_vain_is_told(Scene& scene) {
    Door door(scene);
    scene.set("server.header_timeout", "400ms");
    scene.start();
    door.fill();
    const int64_t begun = fcgate::monotonic_ms();
    Client& waiting = door.world(get_static);
    expect_status(waiting, 503);
    assert_true(fcgate::monotonic_ms() - begun >= 390);
    assert_true(scene.log.has("refused: no place became free in time (see `max_connections`)"));
    door.finish_one(0);
    Client& later = door.world(get_static);
    expect_reply(later, 200, "static");
}

void who_waits_when_the_server_stops_is_served(Scene& scene) {
    Door door(scene);
    scene.start();
    door.fill();
    Client& waiting = door.world(get_static);
    scene.settle();
    fcgate_stop(scene.server, 5000);
    assert_true(scene.log.count("refused") == 0);
    door.finish_one(0);
    expect_reply(waiting, 200, "static");
    assert_true(waiting.is_closed());
    door.finish_one(1);
    fcgate_error error{};
    assert_int_equal(fcgate_wait(scene.server, 5000, &error), FCGATE_OK);
}

void who_waits_when_the_server_ends_is_let_go(Scene& scene) {
    Door door(scene);
    scene.start();
    door.fill();
    Client& waiting = door.world(get_static);
    scene.settle();
    fcgate_stop(scene.server, 0);
    fcgate_error error{};
    assert_int_equal(fcgate_wait(scene.server, 5000, &error), FCGATE_OK);
    (void)waiting.read_to_end();
}

void who_has_left_takes_no_place(Scene& scene) {
    Door door(scene);
    scene.start();
    door.fill();
    for (int i = 0; i < 8; ++i) {
        door.world(get_static).close();
    }
    Client& last = door.world(get_static);
    scene.settle();
    door.finish_one(0);
    expect_reply(last, 200, "static");
    door.finish_one(1);
}

void networks_that_are_listed_are_operators(Scene& scene) {
    Door door(scene);
    scene.set("server.reserved_for", "192.168.7.0/24 unix");
    scene.start();
    Client* clients[4];
    PhpConnection* php[4];
    for (size_t i = 0; i < 4; ++i) {
        clients[i] = &door.world(get_script);
        php[i] = &scene.take();
    }
    for (size_t i = 0; i < 4; ++i) {
        assert_true(php[i]->answer(hello));
        expect_reply(*clients[i], 200, "hello");
    }
}

void a_trusted_proxy_is_the_world(Scene& scene) {
    scene.set("server.max_connections", "4");
    scene.set("server.header_timeout", "400ms");
    scene.set("site.trusted_proxy", "127.0.0.1");
    scene.start();
    PhpConnection* php[2];
    for (PhpConnection*& one : php) {
        (void)scene.client_with(get_script);
        one = &scene.take();
    }
    Client& third = scene.client_with(get_static);
    expect_status(third, 503);
    assert_true(php[0]->answer(hello) && php[1]->answer(hello));
}

// Six clients of the world, which is all it may have on two threads, busy with PHP.
void fill_two_threads(Scene& scene, std::span<Client*> clients, std::span<PhpConnection*> php) {
    scene.set("server.threads", "2");
    scene.set("server.max_connections", "8");
    scene.set("server.keepalive_timeout", "60s");
    scene.set("server.header_timeout", "60s");
    scene.set("backend.workers", "8");
    scene.set("site.trusted_proxy", "127.0.0.1");
    scene.start();
    for (size_t i = 0; i < clients.size(); ++i) {
        clients[i] = &scene.client_with(get_script);
        php[i] = &scene.take();
    }
}

// Whichever thread has accepted him, and whosever the place is that becomes free.
void who_waits_has_a_place_of_any_thread(Scene& scene) {
    Client* clients[6];
    PhpConnection* php[6];
    fill_two_threads(scene, clients, php);
    for (size_t i = 0; i < 6; ++i) {
        Client& waiting = scene.client_with(get_script);
        assert_true(php[i]->answer(hello));
        expect_reply(*clients[i], 200, "hello");
        clients[i]->close();
        php[i] = &scene.take();
        clients[i] = &waiting;
    }
    for (size_t i = 0; i < 6; ++i) {
        assert_true(php[i]->answer(hello));
        expect_reply(*clients[i], 200, "hello");
    }
}

void the_idle_of_any_thread_makes_room_for_who_waits(Scene& scene) {
    Client* clients[6];
    PhpConnection* php[6];
    fill_two_threads(scene, clients, php);
    for (size_t i = 0; i < 6; ++i) {
        assert_true(php[i]->answer(hello));
        expect_reply(*clients[i], 200, "hello");
        Client& newcomer = scene.client_with(get_script);
        php[i] = &scene.take();
        assert_true(clients[i]->is_closed());
        clients[i] = &newcomer;
    }
    // One more waits when the server stops, and every thread ends when he has been served.
    Client& last = scene.client_with(get_static);
    fcgate_stop(scene.server, 30000);
    for (size_t i = 0; i < 6; ++i) {
        assert_true(php[i]->answer(hello));
        expect_reply(*clients[i], 200, "hello");
    }
    expect_reply(last, 200, "static");
    fcgate_error error{};
    assert_int_equal(fcgate_wait(scene.server, 5000, &error), FCGATE_OK);
}

// Every thread keeps its part of the reserved places, rounded up: together they may keep more than were asked for.
void with_many_threads_the_idle_make_room_for_all(Scene& scene) {
    scene.set("server.threads", "4");
    scene.set("server.max_connections", "16");
    scene.set("server.keepalive_timeout", "60s");
    scene.set("site.trusted_proxy", "127.0.0.1");
    scene.start();
    for (int i = 0; i < 20; ++i) {
        Client& idle = scene.client_with(get_static);
        expect_reply(idle, 200, "static");
    }
    Client& at_home = scene.client("127.0.0.2");
    assert_true(at_home.send(get_static));
    expect_reply(at_home, 200, "static");
}

}  // namespace

int main() {
    static constexpr Case cases[] = {
        FCGATE_CASE(operators_get_in_while_the_world_waits),
        FCGATE_CASE(the_world_never_takes_the_last_places),
        FCGATE_CASE(who_waits_in_vain_is_told),
        FCGATE_CASE(who_waits_when_the_server_stops_is_served),
        FCGATE_CASE(who_waits_when_the_server_ends_is_let_go),
        FCGATE_CASE(who_has_left_takes_no_place),
        FCGATE_CASE(networks_that_are_listed_are_operators),
        FCGATE_CASE(a_trusted_proxy_is_the_world),
        FCGATE_CASE(who_waits_has_a_place_of_any_thread),
        FCGATE_CASE(the_idle_of_any_thread_makes_room_for_who_waits),
        FCGATE_CASE(with_many_threads_the_idle_make_room_for_all),
    };
    static constexpr Variant variants[] = {{.name = "TCP"}};
    return play("operators", cases, variants);
}
