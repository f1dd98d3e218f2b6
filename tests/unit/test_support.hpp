// What unit tests share: cmocka, memory that ends at an inaccessible page, checks of text and results, and input in pieces.
// Borrows: the input of Pieces; what GuardedBytes hands out is valid until its next call.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "base/status.hpp"
#include "base/text.hpp"
#include "support/cmocka.hpp"

namespace fcgate::test {

// Memory right before a page that cannot be touched: reading or writing one byte too far ends the test at once.
class GuardedBytes {
  public:
    explicit GuardedBytes(size_t capacity) {
        const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
        usable_ = (capacity / page + 1) * page;
        mapped_ = usable_ + page;
        void* memory = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED || mprotect(static_cast<char*>(memory) + usable_, page, PROT_NONE) != 0) {
            _fail(__FILE__, __LINE__);
        }
        base_ = static_cast<char*>(memory);
    }
    explicit GuardedBytes(std::string_view content) : GuardedBytes(content.size()) { set(content); }
    ~GuardedBytes() { munmap(base_, mapped_); }
    GuardedBytes(const GuardedBytes&) = delete;
    GuardedBytes& operator=(const GuardedBytes&) = delete;

    // Exactly `size` bytes, the last of them right before the inaccessible page.
    std::span<char> room(size_t size) {
        if (size > usable_) {
            _fail(__FILE__, __LINE__);
        }
        size_ = size;
        return {base_ + usable_ - size, size};
    }
    std::span<uint8_t> bytes(size_t size) {
        const std::span<char> chars = room(size);
        return {reinterpret_cast<uint8_t*>(chars.data()), chars.size()};
    }
    // A copy of `content` that ends right before the inaccessible page.
    std::string_view set(std::string_view content) {
        const std::span<char> target = room(content.size());
        if (!content.empty()) {
            memcpy(target.data(), content.data(), content.size());
        }
        return view();
    }
    [[nodiscard]] std::string_view view() const { return {base_ + usable_ - size_, size_}; }

  private:
    char* base_ = nullptr;
    size_t usable_ = 0;
    size_t mapped_ = 0;
    size_t size_ = 0;
};

// These name the line of the caller, as cmocka's macros do.

inline void check_text(std::string_view actual, std::string_view expected, const char* file = __builtin_FILE(),
                       int line = __builtin_LINE()) {
    if (actual == expected) {
        return;
    }
    Text<2048> shown_actual;
    Text<2048> shown_expected;
    shown_actual.append_escaped(actual);
    shown_expected.append_escaped(expected);
    print_error("\"%s\" (%zu bytes) is not \"%s\" (%zu bytes)\n", shown_actual.c_str(), actual.size(),
                shown_expected.c_str(), expected.size());
    _fail(file, line);
}

inline void check_status(Status actual, Status expected, const char* file = __builtin_FILE(),
                         int line = __builtin_LINE()) {
    if (actual != expected) {
        print_error("status %d is not %d\n", static_cast<int>(actual), static_cast<int>(expected));
        _fail(file, line);
    }
}

// The result is ok and has this text.
inline void check_result(const Result<std::string_view>& actual, std::string_view expected,
                         const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    check_status(actual.status(), Status::ok, file, line);
    check_text(actual.value(), expected, file, line);
}

// One input, handed out piece by piece; each piece lies before the inaccessible page, and the one before is gone.
class Pieces {
  public:
    Pieces(GuardedBytes& memory, std::string_view input, size_t first, size_t others)
        : memory_(memory), rest_(input), next_size_(first), others_(others) {}

    // False at the end of the input.
    [[nodiscard]] bool next(std::string_view& piece) {
        if (rest_.empty()) {
            return false;
        }
        piece = memory_.set(slice(rest_, 0, next_size_));
        rest_.remove_prefix(piece.size());
        next_size_ = others_;
        return true;
    }
    [[nodiscard]] std::string_view rest() const { return rest_; }  // not handed out yet

  private:
    GuardedBytes& memory_;
    std::string_view rest_;
    size_t next_size_;
    size_t others_;
};

// Runs `run(Pieces&)` with the input at once, byte by byte, and cut in two at every point.
template <typename Run>
void feed_every_way(std::string_view input, Run run) {
    GuardedBytes memory(input.size());
    Pieces bytes(memory, input, 1, 1);
    run(bytes);
    for (size_t cut = 1; cut <= input.size(); ++cut) {
        Pieces pieces(memory, input, cut, input.size());
        run(pieces);
    }
}

}  // namespace fcgate::test
