// Owns: one client connection of a test, and what it has read of the reply it is reading.
// Must not touch: the server's own code: it is a second reading of RFC 9112. Nothing here fails a test.
#pragma once

#include <cstdint>
#include <string_view>

#include "buffer.hpp"
#include "sockets.hpp"

namespace fcgate::test {

struct HttpReply {
    enum class Framing : uint8_t { none, length, chunked, close };

    unsigned status = 0;   // 0: no head came
    unsigned interim = 0;  // 1xx before it
    Framing framing = Framing::none;
    bool whole = false;      // the body ended as its framing says; a reset is never the end of one
    bool malformed = false;  // no HTTP/1.1
    uint64_t length = 0;     // Content-Length
    Buffer head;             // with its CRLF CRLF
    Buffer body;

    // Value of the n-th field of that name; empty: there is none.
    [[nodiscard]] std::string_view field(std::string_view name, size_t n = 0) const;
    [[nodiscard]] size_t count(std::string_view name) const;
    [[nodiscard]] bool closes() const;  // Connection: close
};

class Client {
  public:
    Client() = default;
    ~Client() { close(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // `source`: the address to come from, of 127.0.0.0/8; empty: any. `receive_buffer` in bytes; 0: the system's.
    [[nodiscard]] bool connect(const Address& to, std::string_view source = {}, int receive_buffer = 0);
    [[nodiscard]] int fd() const { return fd_; }

    bool send(std::string_view bytes) { return send_bytes(fd_, bytes, soon()) == bytes.size(); }
    void half_close() const { (void)shutdown(fd_, SHUT_WR); }
    void close();
    void reset();

    // ---- reading a reply; what comes behind it stays for the next ----

    // Starts with the next reply and reads its head. `to_head`: the request was HEAD, no body follows.
    [[nodiscard]] bool read_head(bool to_head = false, int64_t deadline = soon());
    // Reads on until the body has so many bytes; false: it ended or was cut off before, or the deadline is over.
    [[nodiscard]] bool read_body(size_t size, int64_t deadline = soon());
    // All of the next reply, or of the one whose head was read. False when it is not whole.
    bool read(bool to_head = false, int64_t deadline = soon());
    [[nodiscard]] const HttpReply& reply() const { return *reply_; }

    // What comes when no reply is expected any more.
    [[nodiscard]] Receipt next(int64_t deadline = soon());
    // What comes until the server closes; false when it does not.
    [[nodiscard]] bool read_to_end(int64_t deadline = soon());
    [[nodiscard]] std::string_view rest() const { return input_.view(); }
    // The server has closed, without a byte more.
    [[nodiscard]] bool is_closed(int64_t deadline = soon());

  private:
    enum class Step : uint8_t { idle, size_line, chunk, chunk_end, trailer, counted, to_end, done };

    void parse_head(bool to_head);
    void choose_framing(bool to_head);
    [[nodiscard]] bool digest();  // false: more input is needed
    [[nodiscard]] bool digest_line();
    void take(size_t size);
    [[nodiscard]] bool more(int64_t deadline);

    int fd_ = -1;
    Buffer input_;
    HttpReply* reply_ = nullptr;
    Step step_ = Step::idle;
    uint64_t left_ = 0;
    bool begun_ = false;  // a head was read, and read() has not come for the rest
    bool ended_ = false;
};

}  // namespace fcgate::test
