// Owns: a FastCGI application that does as it is told: a listener, its connections, and what came over them. The test itself
// plays PHP, step by step; Responder plays it on a thread of its own where a test needs both hands.
// Must not touch: the server's own code: it is a second reading of the FastCGI 1.0 specification. Nothing here fails a test.
#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "buffer.hpp"
#include "sockets.hpp"

namespace fcgate::test {

// Types and statuses of records, as the specification numbers them.
inline constexpr unsigned fcgi_begin_request = 1;
inline constexpr unsigned fcgi_end_request = 3;
inline constexpr unsigned fcgi_params = 4;
inline constexpr unsigned fcgi_stdin = 5;
inline constexpr unsigned fcgi_stdout = 6;
inline constexpr unsigned fcgi_stderr = 7;
inline constexpr unsigned fcgi_overloaded = 2;
inline constexpr unsigned fcgi_unknown_role = 3;

// Appends one record; `padding` bytes behind it.
void append_record(Buffer& to, unsigned type, std::string_view content, unsigned padding = 0, unsigned id = 1,
                   unsigned version = 1);
// STDOUT as whole records, and END_REQUEST.
void append_output(Buffer& to, std::string_view cgi);
void append_end(Buffer& to, unsigned protocol_status = 0);

// One connection from the server, and the request it is reading.
class PhpConnection {
  public:
    explicit PhpConnection(int fd) : fd_(fd) {}
    ~PhpConnection() { close(); }
    PhpConnection(const PhpConnection&) = delete;
    PhpConnection& operator=(const PhpConnection&) = delete;

    [[nodiscard]] int fd() const { return fd_; }

    // ---- the next request ----

    [[nodiscard]] bool read_head(int64_t deadline = soon());  // BEGIN_REQUEST and all PARAMS
    [[nodiscard]] bool read_body(size_t size, int64_t deadline = soon());
    [[nodiscard]] bool read_request(int64_t deadline = soon());  // all of it, to the end of STDIN
    // Takes what is there without waiting. False when the server has closed.
    [[nodiscard]] bool absorb();
    bool is_taken = false;  // the present request was returned by next_request()
    [[nodiscard]] bool is_complete() const { return body_ended_ && !answered_; }
    // "" also when there is none of that name.
    [[nodiscard]] std::string_view param(std::string_view name) const;
    [[nodiscard]] bool has_param(std::string_view name) const;
    [[nodiscard]] std::string_view body() const { return body_.view(); }
    size_t longest_body_record = 0;  // since it was set to 0
    [[nodiscard]] bool keeps_connection() const { return keeps_; }
    // True when what came is no FastCGI 1.0, or no request that php-fpm would understand.
    [[nodiscard]] bool is_malformed() const { return malformed_; }

    // ---- the answer ----

    // A CGI response, or a part of it; end() finishes the request.
    bool out(std::string_view text);
    bool err(std::string_view text);
    bool end(unsigned protocol_status = 0);
    bool answer(std::string_view cgi);  // both at once, in one write
    bool raw(std::string_view bytes) { return send_bytes(fd_, bytes, soon()) == bytes.size(); }

    void close();
    void reset();
    // The server has closed, reset or shut the connection, and sent nothing before. A backend that cannot write any more closes as well.
    [[nodiscard]] bool is_left(int64_t deadline = soon());

  private:
    void begin();
    [[nodiscard]] bool more(int64_t deadline);
    void digest();
    void take_record(unsigned type, std::string_view content);
    [[nodiscard]] bool find_param(std::string_view name, std::string_view& value) const;

    int fd_;
    Buffer input_;
    Buffer params_;
    Buffer body_;
    bool begun_ = false;
    bool params_ended_ = false;
    bool body_ended_ = false;
    bool answered_ = false;  // the next record begins a new request
    bool keeps_ = false;
    bool malformed_ = false;
};

// The reply of a script that writes more than the buffers between it and its reader take.
class LongReply {
  public:
    LongReply();
    // As much as finds room now.
    void send_some(const PhpConnection& php);

  private:
    Buffer records_;
    size_t sent_ = 0;
};

class FakeBackend {
  public:
    static constexpr size_t most = 256;  // at one time

    FakeBackend() = default;
    ~FakeBackend();
    FakeBackend(const FakeBackend&) = delete;
    FakeBackend& operator=(const FakeBackend&) = delete;

    [[nodiscard]] bool listen(const Address& address, int backlog = 512);
    void stop_listening();
    // Where the server is to connect.
    [[nodiscard]] const Address& address() const { return address_; }

    // The next connection, with nothing read from it yet; nullptr when none comes. Owned by the
    // backend: valid to its end, or once closed until a few hundred others have come.
    [[nodiscard]] PhpConnection* accept(int64_t deadline = soon());
    // The next connection with a whole request that is not answered yet and that was not returned before: a new one, or one that the
    // server has kept.
    [[nodiscard]] PhpConnection* next_request(int64_t deadline = soon());
    [[nodiscard]] bool has_caller() const { return is_readable(listener_); }  // now
    [[nodiscard]] size_t connections() const { return count_; }               // so far
    [[nodiscard]] int listener() const { return listener_; }

  private:
    int listener_ = -1;
    Address address_;
    [[nodiscard]] PhpConnection*& free_place();

    std::array<PhpConnection*, most> connections_{};
    size_t count_ = 0;
};

// Answers every request that reaches a backend, on a thread of its own. It holds its answers back while there is still something to
// accept or to read, so that as many requests as the server lets through are there at once.
class Responder {
  public:
    // Writes a CGI response for the request.
    using Answer = void (*)(const PhpConnection& request, Buffer& cgi);

    void start(FakeBackend& backend, Answer answer);
    void stop();

    [[nodiscard]] size_t connections() const { return connections_; }  // so far
    [[nodiscard]] size_t requests() const { return requests_; }
    [[nodiscard]] size_t most_open() const { return most_open_; }  // connections at one time
    [[nodiscard]] bool saw_malformed() const { return malformed_; }

  private:
    static void* main(void* self);
    void accept_all();
    [[nodiscard]] bool read_all();
    void answer_one();
    void drop(size_t at);

    FakeBackend* backend_ = nullptr;
    Answer answer_ = nullptr;
    pthread_t thread_{};
    std::array<PhpConnection*, FakeBackend::most> open_{};  // in the order of their requests
    size_t open_count_ = 0;
    bool running_ = false;
    std::atomic<bool> stopping_{false};
    std::atomic<size_t> connections_{0};
    std::atomic<size_t> requests_{0};
    std::atomic<size_t> most_open_{0};
    std::atomic<bool> malformed_{false};
};

}  // namespace fcgate::test
