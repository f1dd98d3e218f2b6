// Owns: how far a request has gone to its backend: the head, the body as STDIN records, the record that ends it.
// Borrows: pages for body bytes that PHP is not ready for; head and direct bytes only during a call.
// Must not touch: sockets. It says what to write (gather) and is told how much of it went (advance).
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/fixed_list.hpp"
#include "base/pages.hpp"
#include "fastcgi/record.hpp"

namespace fcgate::fastcgi {

class RequestStream {
  public:
    // The head, a record header, pages, direct bytes and the last record.
    using Pieces = FixedList<iovec, 24>;

    void init(PagePool& pool, uint64_t body_length);
    void finish() { body_.clear(); }

    // Puts body bytes by until PHP is there; returns how many there was room for.
    [[nodiscard]] size_t put_by(std::span<const char> bytes) { return count(body_.append(bytes)); }
    [[nodiscard]] size_t room() const { return body_.room(); }
    [[nodiscard]] bool is_full() const { return body_.size() >= limits::body_buffer || body_.room() == 0; }
    [[nodiscard]] bool has_whole_body() const { return received_ == body_length_; }

    // A head that is built again must be the one that was begun.
    [[nodiscard]] bool accepts_head(size_t size) {
        if (head_offset_ == 0) {
            head_size_ = size;
        }
        return head_size_ == size;
    }

    // What is to be written next. `head` is the whole encoded head; it may be empty once head_sent(). `direct` are body bytes
    // behind those put by. At most one STDIN record is opened, so advance() and gather() alternate until nothing is left.
    void gather(std::span<const uint8_t> head, std::span<const char> direct, Pieces& out);
    // `written` bytes of the last gather() have gone; returns how many of them were direct ones.
    [[nodiscard]] size_t advance(size_t written, size_t head_size, size_t direct_size);

    [[nodiscard]] bool head_sent() const { return head_sent_; }
    [[nodiscard]] uint64_t sent() const { return sent_; }
    [[nodiscard]] bool nothing_sent() const { return sent_ == 0; }
    // Everything has gone, with the empty record that ends STDIN.
    [[nodiscard]] bool is_finished() const { return head_sent_ && body_sent_ == body_length_ && last_left_ == 0; }
    // Nothing is left to write until the client sends more.
    [[nodiscard]] bool is_starved() const {
        return head_sent_ && !is_finished() && body_.empty() && received_ < body_length_;
    }

    // Back to the start, for a second try; only while no body byte has gone.
    [[nodiscard]] bool can_rewind() const { return body_sent_ == 0; }
    void rewind();

  private:
    [[nodiscard]] size_t count(size_t taken) {
        received_ += taken;
        return taken;
    }

    PageChain body_;
    uint64_t body_length_ = 0;
    uint64_t received_ = 0;   // of the body, from the client
    uint64_t body_sent_ = 0;  // of the body, to PHP
    uint64_t sent_ = 0;       // bytes of any kind
    size_t head_offset_ = 0;
    size_t head_size_ = 0;
    uint16_t content_left_ = 0;  // of the open STDIN record
    uint8_t header_left_ = 0;    // of its header
    uint8_t last_left_ = 0;      // of the empty STDIN record
    bool head_sent_ = false;
    std::array<uint8_t, header_size> header_{};
};

}  // namespace fcgate::fastcgi
