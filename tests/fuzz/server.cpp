// The whole server: what a client sends, and behind a line "--php--" what PHP sends on each of its connections, with the request
// read whole. Without that line PHP says hello. Sockets are unix sockets and one thread plays all parts, so nothing waits.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "fcgate/fcgate.h"
#include "fuzz.hpp"
#include "unit/temp_tree.hpp"

namespace {

using fcgate::test::promise;
using std::string_view_literals::operator""sv;

constexpr std::string_view parting = "\n--php--\n";
constexpr std::string_view hello = "\1\6\0\1\0\x13\0\0X: y\r\n\r\nhello world\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"sv;
constexpr std::string_view canary = "GET /a.txt HTTP/1.1\r\nHost: canary\r\n\r\n";
constexpr size_t php_connections = 16;
constexpr int most_turns = 400;
constexpr int quiet_turns = 3;

[[nodiscard]] sockaddr_un address_of(const char* path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    fcgate::TextBuffer(address.sun_path).append(path);
    return address;
}

// One connection from the server: what it has said of its request so far is looked at for the end of FCGI_STDIN only.
struct Php {
    int fd = -1;
    size_t skip = 0;  // of a record's content and padding
    size_t have = 0;  // of a record's header
    bool ends_request = false;
    bool whole = false;
    uint8_t header[8];
};

class World {
  public:
    World();
    ~World() { fcgate_destroy(server_); }
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    void play(std::string_view client_says, std::string_view php_says);
    void check_canary();
    [[nodiscard]] size_t requests() const { return requests_; }

  private:
    void turn();
    bool serve_php(std::string_view answer);
    bool read_php(Php& php);
    static void take_bytes(Php& php, const uint8_t* bytes, size_t count);
    static void end_record(Php& php);
    void run_until_quiet(std::string_view php_says);
    [[nodiscard]] int connect_client() const;
    bool read_client();

    fcgate::test::TempTree tree_;
    fcgate_server* server_ = nullptr;
    fcgate::Text<64> front_;
    int server_fd_ = -1;
    int php_listener_ = -1;
    int client_ = -1;
    size_t requests_ = 0;    // that PHP has seen whole
    size_t received_ = 0;    // bytes of the client's replies
    bool finished_ = false;  // the server has closed
    std::array<Php, php_connections> php_{};
    char replies_[size_t{64} * 1024];
};

void set(fcgate_settings* settings, const char* name, const char* value) {
    fcgate_error error{};
    promise(fcgate_set(settings, name, value, &error) == FCGATE_OK, error.text);
}

World::World() {
    tree_.file("t.php");
    tree_.file("index.php");
    tree_.file("a.txt", "canary lives");
    tree_.folder("dir");
    front_.append(tree_.path()).append("/front.sock");
    fcgate::Text<64> php;
    php.append(tree_.path()).append("/php.sock");
    const sockaddr_un address = address_of(php.c_str());
    php_listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    promise(bind(php_listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                listen(php_listener_, php_connections) == 0,
            "PHP listens");
    fcgate_settings* const settings = fcgate_settings_create();
    fcgate::Text<80> text;
    set(settings, "server.listen", text.append("unix:").append(front_.view()).c_str());
    text.clear();
    set(settings, "backend.address", text.append("unix:").append(php.view()).c_str());
    set(settings, "site.root", tree_.path());
    set(settings, "site.front_controller", "/index.php");
    set(settings, "site.max_body", "64k");
    set(settings, "server.max_connections", "4");
    set(settings, "server.exchanges", "4");
    set(settings, "server.log_level", "debug");
    fcgate_settings_set_log(
        settings, [](void*, fcgate_log_level, const char* line) { promise(*line != '\0', "a line says something"); },
        nullptr);
    fcgate_error error{};
    server_ = fcgate_create(settings, &error);
    promise(server_ != nullptr, error.text);
    server_fd_ = fcgate_fd(server_, &error);
    promise(server_fd_ >= 0, error.text);
}

int World::connect_client() const {
    const sockaddr_un address = address_of(front_.c_str());
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    promise(fd >= 0 && connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
            "the server lets clients in");
    return fd;
}

void World::turn() {
    fcgate_error error{};
    promise(fcgate_dispatch(server_, &error) == FCGATE_OK, "the server goes on");
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

void World::play(std::string_view client_says, std::string_view php_says) {
    requests_ = received_ = 0;
    finished_ = false;
    client_ = connect_client();
    // In pieces that the socket takes: the server reads in between.
    while (!client_says.empty()) {
        const ssize_t count = send(client_, client_says.data(), client_says.size(), MSG_NOSIGNAL);
        if (count > 0) {
            client_says.remove_prefix(static_cast<size_t>(count));
        }
        run_until_quiet(php_says);
        if (count <= 0 || finished_) {
            break;
        }
    }
    run_until_quiet(php_says);
    promise(received_ == 0 || fcgate::starts_with({replies_, std::min(received_, sizeof replies_)}, "HTTP/1."),
            "a reply begins as one");
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

// Whatever came before, the next client is served.
void World::check_canary() {
    play(canary, hello);
    const std::string_view reply(replies_, std::min(received_, sizeof replies_));
    promise(fcgate::starts_with(reply, "HTTP/1.1 200 ") && fcgate::ends_with(reply, "\r\n\r\ncanary lives"),
            "the canary lives");
}

[[nodiscard]] size_t count_of(std::string_view text, std::string_view wanted) {
    size_t count = 0;
    for (size_t at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + 1)) {
        ++count;
    }
    return count;
}

World& world() {
    static World* const made = [] {
        static World world;
        return &world;
    }();
    return *made;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static unsigned count = 0;
    const std::string_view text = fcgate::test::as_text(data, size);
    const size_t part = text.find(parting);
    const std::string_view php_says =
        part != std::string_view::npos ? fcgate::slice(text, part + parting.size()) : hello;
    const std::string_view client_says = fcgate::slice(text, 0, part);
    world().play(client_says, php_says);
    // A GET that PHP left in the middle may be tried once more.
    promise(world().requests() <= 2 * count_of(client_says, "HTTP/1."), "PHP hears of no request that is none");
    if (part == std::string_view::npos) {
        promise(world().requests() <= count_of(client_says, "HTTP/1."), "every request runs once");
    }
    if (++count % 16 == 1) {
        world().check_canary();
    }
    return 0;
}
