// Owns: a whole server that one thread drives: it plays the client, PHP and the server's event loop in turns, over unix sockets, so
// that nothing ever waits and everything can be repeated.
// A broken promise ends the process.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/text.hpp"
#include "fcgate/fcgate.h"
#include "unit/temp_tree.hpp"

namespace fcgate::test {

void promise(bool kept, const char* what, int line = __builtin_LINE());

class World {
  public:
    // What PHP says unless told otherwise.
    static constexpr std::string_view hello{
        "\1\6\0\1\0\x13\0\0X: y\r\n\r\nhello world\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0", 43};

    // `hooks` are called before and after the server's own code runs.
    explicit World(void (*before)() = nullptr, void (*after)() = nullptr);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    // Connects, sends, and goes on until nothing moves any more; then the client leaves, and PHP closes its connections.
    void play(std::string_view client_says, std::string_view php_says);
    // Whatever came before, the next client is served; a server that waits for a moment is waited for.
    void check_canary();
    // The server's part of the work, as often as it has something to do; false: it always has.
    [[nodiscard]] bool comes_to_rest();

    [[nodiscard]] size_t requests() const { return requests_; }  // that PHP has seen whole, in the last play
    [[nodiscard]] std::string_view replies() const;              // of the last play
    [[nodiscard]] bool finished() const { return finished_; }    // the server has closed
    // Some line of the log has had this code.
    [[nodiscard]] bool has_logged(std::string_view code) const;

    // The parts of a play, for tests with a clock.
    void enter();
    void say(std::string_view bytes, std::string_view php_says);
    void leave(std::string_view php_says);
    void run_until_quiet(std::string_view php_says);
    // Waits for the server's next deadline or event, at most so long.
    void wait(int ms) const;

  private:
    // One connection from the server; what it has said of its request so far is looked at for the end of FCGI_STDIN only.
    struct Php {
        int fd = -1;
        size_t skip = 0;  // of a record's content and padding
        size_t have = 0;  // of a record's header
        bool ends_request = false;
        bool whole = false;
        uint8_t header[8];
    };
    static constexpr size_t php_connections = 16;

    void turn();
    bool serve_php(std::string_view answer);
    bool read_php(Php& php);
    static void take_bytes(Php& php, const uint8_t* bytes, size_t count);
    static void end_record(Php& php);
    [[nodiscard]] int connect_client() const;
    bool read_client();
    void note_code(std::string_view line);

    void (*before_)();
    void (*after_)();
    TempTree tree_;
    fcgate_server* server_ = nullptr;
    Text<64> front_;
    Text<2048> codes_;  // of the log's lines, each once: "[busy] "
    int server_fd_ = -1;
    int php_listener_ = -1;
    int client_ = -1;
    size_t requests_ = 0;
    size_t received_ = 0;  // bytes of the client's replies
    bool finished_ = false;
    std::array<Php, php_connections> php_{};
    char replies_[size_t{64} * 1024];
};

}  // namespace fcgate::test
