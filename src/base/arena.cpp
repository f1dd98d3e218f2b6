#include "base/arena.hpp"

#include <sys/mman.h>

namespace fcgate {

Status Arena::init(size_t bytes) {
    void* const mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) {
        return Status::exhausted;
    }
    // A huge page would make the first small buffer cost two megabytes.
    (void)madvise(mapping, bytes, MADV_NOHUGEPAGE);
    base_ = static_cast<uint8_t*>(mapping);
    size_ = bytes;
    used_ = 0;
    return Status::ok;
}

void Arena::finish() {
    if (base_ != nullptr) {
        munmap(base_, size_);
        base_ = nullptr;
    }
    size_ = used_ = 0;
}

std::span<uint8_t> Arena::take(size_t bytes, size_t alignment) {
    const size_t start = (used_ + alignment - 1) / alignment * alignment;
    if (start > size_ || bytes > size_ - start) {
        return {};
    }
    used_ = start + bytes;
    return {base_ + start, bytes};
}

}  // namespace fcgate
