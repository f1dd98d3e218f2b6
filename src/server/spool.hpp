// Owns: request bodies whose length is not known before they end: each in a nameless file until PHP has it.
// Borrows: the count of all that is spooled, which the workers share.
// Must not touch: HTTP, FastCGI.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/features.hpp"
#include "base/slots.hpp"
#include "base/status.hpp"

namespace fcgate::server {

// Built in (Meson option `spool`). Without it a chunked body for a script is answered 411.
constexpr bool has_spool = features::spool;

struct SpooledBody {
    // The pool's
    uint32_t slot;
    uint32_t generation;
    uint32_t next_free;
    bool live;

    uint32_t site = 0;  // whose limits hold
    int fd = -1;
    uint64_t size = 0;
    uint64_t sent = 0;
    uint32_t reserved_kib = 0;
};

// What open() falls back to where files must have names. Fails with errno.
[[nodiscard]] int open_and_unlink(std::string_view folder);

class Spool {
  public:
    // `total_kib` counts what all workers have in their files, which is at most `most` bytes.
    void init(std::span<SpooledBody> bodies, std::atomic<uint32_t>& total_kib, uint64_t most);

    // A file in `folder` that has no name, or has lost it already: it ends with us, however we end. Fails with errno.
    [[nodiscard]] Result<Handle> open(std::string_view folder);
    [[nodiscard]] SpooledBody* find(Handle handle) { return bodies_.find(handle); }
    // exhausted: the disk, or what all may take, is full. io otherwise. Fails with errno.
    [[nodiscard]] Status append(SpooledBody& body, std::span<const char> bytes);
    // The next bytes that have not been sent; 0 when there are none.
    [[nodiscard]] static Result<size_t> read(const SpooledBody& body, std::span<char> room);
    void close(SpooledBody& body);

  private:
    [[nodiscard]] bool reserve(SpooledBody& body, uint64_t size);

    SlotPool<SpooledBody> bodies_;
    std::atomic<uint32_t>* total_kib_ = nullptr;
    uint32_t most_kib_ = 0;
};

}  // namespace fcgate::server
