// Owns: what a backend has answered so far: record and head parsing, the output that the client has not taken yet, the rules that
// connect Content-Length, HEAD and END_REQUEST.
// Borrows: pages of the pool, and storage for the head, while the exchange lives.
// Must not touch: sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/packed.hpp"
#include "base/pages.hpp"
#include "fastcgi/reader.hpp"
#include "fastcgi/response_head.hpp"
#include "http/message.hpp"

namespace fcgate::fastcgi {

// Receives what PHP writes to FCGI_STDERR, in pieces.
struct ErrorSink {
    void* context = nullptr;
    void (*write)(void* context, std::string_view text) = nullptr;
};

class ResponseStream {
  public:
    explicit ResponseStream(std::span<char> head_storage = {});
    // `drop_body`: the request was HEAD.
    void init(PagePool& pool, size_t buffer_limit, std::span<char> head_storage, bool drop_body);
    void finish() { output_.clear(); }

    // How much may be given to feed(); 0: nothing until read() has made room.
    [[nodiscard]] size_t room() const { return output_.room(); }

    // Takes bytes of the backend. ok, also when the request has ended; malformed or too_large: error() says why and the
    // connection must be closed.
    [[nodiscard]] Status feed(std::span<const char> bytes, const ErrorSink& errors);

    [[nodiscard]] bool head_done() const { return head_done_; }
    [[nodiscard]] const ResponseHead& head() const { return head_; }
    void drop_fields(bool (*is_unwanted)(std::string_view name)) { head_.drop_fields(is_unwanted); }
    [[nodiscard]] bool ended() const { return ended_; }  // END_REQUEST has come
    [[nodiscard]] uint8_t protocol_status() const { return reader_.protocol_status(); }
    [[nodiscard]] uint32_t app_status() const { return reader_.app_status(); }
    // After END_REQUEST: nothing followed it, the connection can carry the next request.
    [[nodiscard]] bool is_clean() const { return ended_ && !trailing_bytes_; }
    [[nodiscard]] bool nothing_received() const { return received_ == 0; }
    [[nodiscard]] Packed error() const { return error_; }
    // The error is one of FastCGI, not of the script's head.
    [[nodiscard]] bool is_record_malformed() const { return record_malformed_; }
    // The error is that more than limits::chatter came without a byte of an answer.
    [[nodiscard]] bool is_chatter() const { return chatter_ > limits::chatter; }
    [[nodiscard]] uint64_t received() const { return received_; }

    // The body promised is not the body that came (only after ended()).
    [[nodiscard]] bool is_cut_short() const;
    // Nothing is left to come that the client would hear.
    [[nodiscard]] bool is_all_there() const;
    // Nobody reads any more: what still comes is counted and dropped.
    void drop_rest();
    // Ended, and all output lies in one piece: it can be sent at once with its length.
    [[nodiscard]] bool is_whole() const { return ended_ && output_.size() == output_.front().size(); }
    [[nodiscard]] std::string_view whole() const { return {output_.front().data(), output_.front().size()}; }
    [[nodiscard]] uint64_t output_size() const { return output_.size(); }
    size_t read(std::span<char> out) { return output_.read(out); }
    [[nodiscard]] std::span<const char> front() const { return output_.front(); }
    void drop(size_t count) { output_.drop(count); }
    // After the end: what the client has not taken yet goes to `to`. False when the pool has no page to spare for it.
    [[nodiscard]] bool hand_over(PageChain& to) { return output_.move_to(to); }

  private:
    [[nodiscard]] Status take_output(std::string_view bytes);

    RecordReader reader_;
    ResponseHead head_;
    PageChain output_;
    Packed error_;
    uint64_t received_ = 0;   // bytes of any kind
    uint32_t chatter_ = 0;    // since the last byte of STDOUT
    uint64_t body_seen_ = 0;  // body bytes taken, those dropped included
    bool head_done_ = false;
    bool ended_ = false;
    bool trailing_bytes_ = false;
    bool record_malformed_ = false;
    bool drop_body_ = false;
};

}  // namespace fcgate::fastcgi
