// How many connections one client may have. Those of this machine are not counted, so the clients come from addresses that are no loopback
// ones: in a network of their own, which only this process sees.
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "scene.hpp"

namespace {

using namespace fcgate::test;

constexpr std::string_view get_static = "GET /static.txt HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n";
constexpr int skipped = 77;  // for Meson

[[nodiscard]] bool add_address(int fd, const char* interface, const char* ip) {
    ifreq request{};
    fcgate::TextBuffer name(request.ifr_name);
    name.append(interface);
    const Address address = tcp_address(ip, 0);
    memcpy(&request.ifr_addr, address.get(), sizeof request.ifr_addr);
    if (ioctl(fd, SIOCSIFADDR, &request) != 0) {
        return false;
    }
    request.ifr_flags = IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

// A network with nothing but the loopback interface, which has two more addresses.
[[nodiscard]] bool enter_network() {
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return false;
    }
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool done = add_address(fd, "lo", "127.0.0.1") && add_address(fd, "lo:1", "192.0.2.1") &&
                      add_address(fd, "lo:2", "192.0.2.2");
    close(fd);
    return done;
}

// Listens where those clients can come.
void start(Scene& scene) {
    const int fd = listen_on(tcp_address("192.0.2.1", 0), 512);
    assert_true(fd >= 0);
    scene.front = bound_address(fd);
    fcgate::Text<32> listen;
    listen.append("fd:").append_number(static_cast<unsigned>(fd));
    scene.set("server.listen", listen.c_str());
    scene.start();
}

void one_client_gets_its_share(Scene& scene) {
    scene.set("server.max_connections_per_client", "3");
    start(scene);
    Client* clients[3];
    for (Client*& client : clients) {
        client = &scene.client("192.0.2.1");
        assert_true(client->send(get_static));
        expect_reply(*client, 200, "static");
    }
    Client& fourth = scene.client("192.0.2.1");
    expect_status(fourth, 503);
    assert_int_equal(fourth.reply().count("Retry-After"), 1);
    assert_true(fourth.is_closed());
    assert_true(scene.log.has(
        "192.0.2.1: refused: it has 3 connections already (see `max_connections_per_client`) [client-full]"));
    // Others have theirs.
    Client& other = scene.client("192.0.2.2");
    assert_true(other.send(get_static));
    expect_reply(other, 200, "static");
    // Who gives one back may have another.
    clients[1]->close();
    const int64_t deadline = soon();
    for (bool served = false; !served;) {
        Client& again = scene.client("192.0.2.1");
        served = again.send(get_static) && again.read() && again.reply().status == 200;
        assert_true(fcgate::monotonic_ms() < deadline);
    }
    for (Client* const client : {clients[0], clients[2]}) {
        assert_true(client->send(get_static));
        expect_reply(*client, 200, "static");
    }
}

void a_refused_client_hears_why_though_it_has_sent(Scene& scene) {
    scene.set("server.max_connections_per_client", "1");
    start(scene);
    Client& first = scene.client("192.0.2.1");
    assert_true(first.send(get_static));
    expect_reply(first, 200, "static");
    for (int i = 0; i < 20; ++i) {
        Client& client = scene.client("192.0.2.1");
        (void)client.send(get_static);
        expect_status(client, 503);
        client.close();
    }
}

// What does not say whose a request is may be anybody's.
void a_proxy_that_names_nobody_has_no_share(Scene& scene) {
    scene.set("server.max_connections_per_client", "1");
    scene.set("site.trusted_proxy", "192.0.2.1");
    start(scene);
    Client* clients[2];
    PhpConnection* php[2];
    for (size_t i = 0; i < 2; ++i) {
        clients[i] = &scene.client("192.0.2.1");
        assert_true(clients[i]->send("GET /t.php HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n"));
        php[i] = &scene.take();
    }
    for (size_t i = 0; i < 2; ++i) {
        assert_true(php[i]->answer(hello));
        expect_reply(*clients[i], 200, "hello");
    }
}

void loopback_has_no_share(Scene& scene) {
    scene.set("server.max_connections_per_client", "2");
    scene.start();
    for (int i = 0; i < 10; ++i) {
        Client& client = scene.client_with("GET /static.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
        expect_reply(client, 200, "static");
    }
}

}  // namespace

int main() {
    if (!enter_network()) {
        print_message("no network of its own is to be had here\n");
        return skipped;
    }
    static constexpr Case cases[] = {
        FCGATE_CASE(one_client_gets_its_share),
        FCGATE_CASE(a_refused_client_hears_why_though_it_has_sent),
        FCGATE_CASE(a_proxy_that_names_nobody_has_no_share),
        FCGATE_CASE(loopback_has_no_share),
    };
    static constexpr Variant variants[] = {{.name = "1 thread"}, {.name = "2 threads", .threads = "2"}};
    return play("shares", cases, variants);
}
