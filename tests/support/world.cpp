#include "support/world.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/clock.hpp"

namespace fcgate::test {

namespace {

constexpr std::string_view canary = "GET /a.txt HTTP/1.1\r\nHost: canary\r\n\r\n";
constexpr int most_turns = 400;
constexpr int quiet_turns = 3;
constexpr int64_t patience_ms = 8000;

[[nodiscard]] sockaddr_un address_of(const char* path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    TextBuffer(address.sun_path).append(path);
    return address;
}

void set(fcgate_settings* settings, const char* name, const char* value) {
    fcgate_error error{};
    promise(fcgate_set(settings, name, value, &error) == FCGATE_OK, error.text);
}

}  // namespace

void promise(bool kept, const char* what, int line) {
    if (!kept) {
        (void)fprintf(stderr, "line %d: not kept: %s\n", line, what);
        abort();
    }
}

World::World(void (*before)(), void (*after)()) : before_(before), after_(after) {
    tree_.file("t.php");
    tree_.file("index.php");
    tree_.file("a.txt", "canary lives");
    tree_.folder("dir");
    tree_.file("b.txt", "larger");
    tree_.file("b.txt.gz", "smaller");
    front_.append(tree_.path()).append("/front.sock");
    Text<64> php;
    php.append(tree_.path()).append("/php.sock");
    const sockaddr_un address = address_of(php.c_str());
    php_listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    promise(bind(php_listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                listen(php_listener_, php_connections) == 0,
            "PHP listens");
    fcgate_settings* const settings = fcgate_settings_create();
    Text<80> text;
    set(settings, "server.listen", text.append("unix:").append(front_.view()).c_str());
    text.clear();
    set(settings, "backend.address", text.append("unix:").append(php.view()).c_str());
    set(settings, "site.root", tree_.path());
    set(settings, "site.front_controller", "/index.php");
    set(settings, "site.precompressed", "yes");
    set(settings, "site.max_body", "64k");
    set(settings, "server.max_connections", "4");
    set(settings, "server.reserved_connections", "0");
    set(settings, "server.header_timeout", "1s");
    set(settings, "server.exchanges", "4");
    set(settings, "server.file_cache", "2k");  // for one file
    set(settings, "server.log_level", "debug");
    fcgate_settings_set_log(
        settings,
        [](void* self, fcgate_log_level, const char* line) {
            promise(*line != '\0', "a line says something");
            static_cast<World*>(self)->note_code(line);
        },
        this);
    fcgate_error error{};
    server_ = fcgate_create(settings, &error);
    promise(server_ != nullptr, error.text);
    server_fd_ = fcgate_fd(server_, &error);
    promise(server_fd_ >= 0, error.text);
}

void World::note_code(std::string_view line) {
    const std::string_view code = slice(line, std::min(line.rfind('['), line.size()));
    if (code.ends_with(']') && codes_.view().find(code) == std::string_view::npos) {
        codes_.append(code).append(' ');
    }
}

bool World::has_logged(std::string_view code) const {
    return codes_.view().find(code) != std::string_view::npos;
}

int World::connect_client() const {
    const sockaddr_un address = address_of(front_.c_str());
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    promise(fd >= 0 && connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
            "the server lets clients in");
    return fd;
}

World::~World() {
    fcgate_destroy(server_);
    for (Php& php : php_) {
        if (php.fd >= 0) {
            close(php.fd);
        }
    }
    close(php_listener_);
}

void World::turn() {
    fcgate_error error{};
    if (before_ != nullptr) {
        before_();
    }
    const int result = fcgate_dispatch(server_, &error);
    if (after_ != nullptr) {
        after_();
    }
    promise(result == FCGATE_OK, "the server goes on");
}

void World::end_record(Php& php) {
    php.have = 0;
    if (php.ends_request) {
        php.whole = true;
    }
}

void World::take_bytes(Php& php, const uint8_t* bytes, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        if (php.skip > 0) {
            if (--php.skip == 0) {
                end_record(php);
            }
            continue;
        }
        php.header[php.have++] = bytes[i];
        if (php.have < sizeof php.header) {
            continue;
        }
        promise(php.header[0] == 1 && php.header[2] == 0 && php.header[3] == 1, "the server speaks FastCGI");
        const size_t content = size_t{php.header[4]} * 256 + php.header[5];
        php.ends_request = php.header[1] == 5 && content == 0;
        php.skip = content + php.header[6];
        if (php.skip == 0) {
            end_record(php);
        }
    }
}

// True when something has moved.
bool World::read_php(Php& php) {
    uint8_t bytes[16384];
    const ssize_t count = recv(php.fd, bytes, sizeof bytes, 0);
    if (count > 0) {
        take_bytes(php, bytes, static_cast<size_t>(count));
        return true;
    }
    if (count == 0 || errno != EAGAIN) {
        close(php.fd);
        php = Php();
        return true;
    }
    return false;
}

bool World::serve_php(std::string_view answer) {
    bool moved = false;
    for (Php& php : php_) {
        if (php.fd < 0) {
            php.fd = accept4(php_listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        }
        if (php.fd < 0) {
            continue;
        }
        moved = read_php(php) || moved;
        if (php.whole) {
            php.whole = php.ends_request = false;
            ++requests_;
            (void)send(php.fd, answer.data(), answer.size(), MSG_NOSIGNAL);
        }
    }
    return moved;
}

bool World::read_client() {
    if (finished_) {
        return false;
    }
    char scratch[16384];
    const ssize_t count = recv(client_, scratch, sizeof scratch, 0);
    if (count > 0) {
        const size_t kept =
            std::min(static_cast<size_t>(count), sizeof replies_ - std::min(received_, sizeof replies_));
        if (kept > 0) {
            memcpy(replies_ + received_, scratch, kept);
        }
        received_ += static_cast<size_t>(count);
        return true;
    }
    finished_ = count == 0 || errno != EAGAIN;
    return finished_;
}

void World::run_until_quiet(std::string_view php_says) {
    int quiet = 0;
    for (int i = 0; i < most_turns && quiet < quiet_turns; ++i) {
        turn();
        const bool php_moved = serve_php(php_says);
        const bool moved = read_client() || php_moved;
        quiet = moved ? 0 : quiet + 1;
    }
}

void World::enter() {
    requests_ = received_ = 0;
    finished_ = false;
    client_ = connect_client();
}

void World::say(std::string_view bytes, std::string_view php_says) {
    // In pieces that the socket takes: the server reads in between.
    while (!bytes.empty()) {
        const ssize_t count = send(client_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count > 0) {
            bytes.remove_prefix(static_cast<size_t>(count));
        }
        run_until_quiet(php_says);
        if (count <= 0 || finished_) {
            break;
        }
    }
    run_until_quiet(php_says);
}

void World::leave(std::string_view php_says) {
    close(client_);
    for (Php& php : php_) {
        if (php.fd >= 0) {
            close(php.fd);
            php = Php();
        }
    }
    for (int i = 0; i < 2 * quiet_turns; ++i) {
        turn();
        (void)serve_php(php_says);
    }
}

void World::play(std::string_view client_says, std::string_view php_says) {
    enter();
    say(client_says, php_says);
    promise(received_ == 0 || starts_with(replies(), "HTTP/1."), "a reply begins as one");
    leave(php_says);
}

std::string_view World::replies() const {
    return {replies_, std::min(received_, sizeof replies_)};
}

void World::wait(int ms) const {
    const int due = fcgate_timeout_ms(server_);
    pollfd events[] = {{server_fd_, POLLIN, 0}, {client_, POLLIN, 0}, {php_listener_, POLLIN, 0}};
    (void)poll(events, 3, due < 0 ? ms : std::min(due, ms));
}

void World::check_canary() {
    const int64_t deadline = monotonic_ms() + patience_ms;
    enter();
    say(canary, hello);
    while (received_ == 0 && !finished_ && monotonic_ms() < deadline) {
        wait(50);
        run_until_quiet(hello);
    }
    const bool lives = starts_with(replies(), "HTTP/1.1 200 ") && ends_with(replies(), "\r\n\r\ncanary lives");
    leave(hello);
    promise(lives, "the canary lives");
}

bool World::comes_to_rest() {
    int turns = 0;
    for (; turns < most_turns && fcgate_timeout_ms(server_) == 0; ++turns) {
        turn();
    }
    return turns < most_turns;
}

}  // namespace fcgate::test
