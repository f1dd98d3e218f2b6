// Sockets to listen at: what can be had, what cannot and why, and what a crash has left.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "config/values.hpp"
#include "http/listener.hpp"
#include "temp_tree.hpp"

namespace fcgate::http {
namespace {

struct Listener {
    ~Listener() { end(); }
    void end() {
        if (fd >= 0) {
            close(fd);
        }
        fd = -1;
    }
    // As `listen = TEXT`.
    [[nodiscard]] Status open(std::string_view text) {
        end();
        why.clear();
        kept.clear();
        kept.append(text);
        settings = ListenSettings();
        settings.text = kept.view();
        test::check_status(config::parse_listen(kept.view(), settings), Status::ok);
        return open();
    }
    [[nodiscard]] Status open() {
        const Result<int> opened = open_listener(settings, why);
        fd = opened.ok() ? opened.value() : -1;
        return opened.status();
    }
    void tells(std::string_view words) const {
        if (why.view().find(words) == std::string_view::npos) {
            test::check_text(why.view(), words);
        }
        assert_int_equal(fd, -1);
    }
    // `words`, and what the C library says of the error.
    void tells(const char* words, int error) const { tells(Text<160>(words).append(strerror(error)).view()); }
    [[nodiscard]] unsigned port() const {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        assert_int_equal(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
        return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
    }
    [[nodiscard]] int family() const {
        int value = 0;
        socklen_t length = sizeof value;
        assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &length), 0);
        return value;
    }

    Text<160> kept;
    ListenSettings settings;
    Text<512> why;
    int fd = -1;
};

[[nodiscard]] bool answers(int family, unsigned port) {
    const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(static_cast<uint16_t>(port));
    six.sin6_addr = in6addr_loopback;
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = six.sin6_port;
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool good = family == AF_INET ? connect(fd, reinterpret_cast<const sockaddr*>(&four), sizeof four) == 0
                                        : connect(fd, reinterpret_cast<const sockaddr*>(&six), sizeof six) == 0;
    close(fd);
    return good;
}

void a_port_alone_is_everywhere(void**) {
    Listener listener;
    test::check_status(listener.open(":0"), Status::ok);
    assert_true(answers(AF_INET, listener.port()));
    assert_true(listener.family() != AF_INET6 || answers(AF_INET6, listener.port()));
    assert_true(has_waiting_client(listener.fd));
    // Both families come in by the one socket.
    Newcomer accepted;
    test::check_status(accept_client(listener.fd, accepted), Status::ok);
    Text<64> client;
    accepted.client.print_address(client);
    test::check_text(client.view(), "127.0.0.1");
    close(accepted.fd);
}

void an_address_is_of_its_family_alone(void**) {
    Listener four;
    test::check_status(four.open("127.0.0.1:0"), Status::ok);
    assert_int_equal(four.family(), AF_INET);
    Text<32> taken("127.0.0.1:");
    taken.append_number(four.port());
    Listener other;
    test::check_status(other.open(taken.view()), Status::io);
    other.tells(": bind: ", EADDRINUSE);
    Listener six;
    if (six.open("[::1]:0") == Status::ok) {
        assert_true(answers(AF_INET6, six.port()) && !answers(AF_INET, six.port()));
    } else {
        six.tells("listen [::1]:0: ");
    }
    // An address that no interface has.
    Listener foreign;
    test::check_status(foreign.open("192.0.2.1:0"), Status::io);
    foreign.tells("listen 192.0.2.1:0: bind: ");
}

void what_a_crash_has_left_is_replaced(void**) {
    test::TempTree tree;
    Text<64> text("unix:");
    text.append(tree.path()).append("/front.sock");
    tree.socket("front.sock");
    Listener listener;
    test::check_status(listener.open(text.view()), Status::ok);
    // Somebody listens there now; and what is no socket is not ours to remove.
    Listener second;
    test::check_status(second.open(text.view()), Status::io);
    second.tells("front.sock: bind: ", EADDRINUSE);
    remove_socket_path(listener.settings);
    assert_int_equal(faccessat(tree.fd(), "front.sock", F_OK, 0), -1);
    tree.file("front.sock", "a file");
    test::check_status(second.open(text.view()), Status::io);
    assert_int_equal(faccessat(tree.fd(), "front.sock", F_OK, 0), 0);
    text.clear();
    text.append("unix:").append(tree.path()).append("/none/front.sock");
    test::check_status(second.open(text.view()), Status::not_found);
    second.tells("bind: No such file or directory; make its folder");
}

void a_socket_has_the_mode_that_is_asked_for(void**) {
    test::TempTree tree;
    const mode_t before = umask(077);
    for (const auto& [word, mode] : {std::pair{"", 0700}, {" 0666", 0666}, {" 620", 0620}}) {
        Listener listener;
        Text<128> path(tree.path());
        path.append(word[0] == '\0' ? "/socket" : word[1] == '0' ? "/everybody" : "/group");
        Text<160> text("unix:");
        text.append(path.view()).append(word);
        test::check_status(listener.open(text.view()), Status::ok);
        struct stat status {};
        assert_int_equal(stat(path.c_str(), &status), 0);
        assert_int_equal(status.st_mode, S_IFSOCK | mode);
    }
    umask(before);
}

void a_path_may_not_be_longer_than_an_address(void**) {
    Listener listener;
    listener.settings.kind = ListenSettings::Kind::local;
    listener.settings.path =
        "/a-path-of-more-than-one-hundred-and-seven-bytes/"
        "which-is-all-that-an-address-of-a-unix-socket-has-room-for-in-it";
    test::check_status(listener.open(), Status::not_found);
    listener.tells("the path is too long: ", ENAMETOOLONG);
}

void an_inherited_socket_has_to_listen(void**) {
    Listener listener;
    test::check_status(listener.open("fd:999"), Status::not_found);
    listener.tells("no such socket was inherited");
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    Text<16> text("fd:");
    text.append_number(static_cast<uint64_t>(fd));
    test::check_status(listener.open(text.view()), Status::io);
    listener.tells("the inherited socket does not listen");
    assert_int_equal(listen(fd, 1), 0);
    test::check_status(listener.open(text.view()), Status::ok);
    assert_int_equal(listener.fd, fd);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    // A name that the service manager has not given.
    Listener named;
    named.settings.kind = ListenSettings::Kind::descriptor;
    named.settings.descriptor = -1;
    test::check_status(named.open(), Status::not_found);
    named.tells("no socket of this name was inherited");
}

void where_nobody_waits_nothing_is_accepted(void**) {
    Listener listener;
    test::check_status(listener.open("127.0.0.1:0"), Status::ok);
    assert_false(has_waiting_client(listener.fd));
    Newcomer accepted;
    test::check_status(accept_client(listener.fd, accepted), Status::again);
    // What is not asked again right away would be asked for ever.
    test::check_status(accept_client(-1, accepted), Status::again);
}

// Below 1024 a port is root's: the remedy is told with it.
void who_has_no_right_is_told_what_to_do(void**) {
    Listener listener;
    const int result = test::without_rights([&] {
        const Status status = listener.open("127.0.0.1:1");
        // Some systems let everybody have every port.
        return status == Status::ok || (status == Status::denied &&
                                        listener.why.view().find("Permission denied") != std::string_view::npos)
                   ? 0
                   : 1;
    });
    assert_int_equal(result, 0);
}

}  // namespace
}  // namespace fcgate::http

int main() {
    using namespace fcgate::http;
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_port_alone_is_everywhere),
        cmocka_unit_test(an_address_is_of_its_family_alone),
        cmocka_unit_test(what_a_crash_has_left_is_replaced),
        cmocka_unit_test(a_socket_has_the_mode_that_is_asked_for),
        cmocka_unit_test(a_path_may_not_be_longer_than_an_address),
        cmocka_unit_test(an_inherited_socket_has_to_listen),
        cmocka_unit_test(where_nobody_waits_nothing_is_accepted),
        cmocka_unit_test(who_has_no_right_is_told_what_to_do),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
