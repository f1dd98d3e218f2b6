// Owns: small files read line by line, and folders entry by entry: /proc, PHP's configuration.
// Must not touch: what they mean.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "base/descriptor.hpp"
#include "base/text.hpp"

namespace fcgate::doctor {

class Lines {
  public:
    explicit Lines(const char* path);

    // The next line without its end, until the next call; of a longer one its beginning. False at the end, and when there is no file.
    [[nodiscard]] bool next(std::string_view& line) &;

  private:
    Descriptor fd_;
    unsigned chunks_left_ = 65536;  // 32 MiB: a device may have no end
    size_t at_ = 0;
    size_t size_ = 0;
    char chunk_[512];
    char line_[512];
};

// Calls `visit` with each name until it returns true; then that is the answer.
[[nodiscard]] bool find_entry(const char* folder, bool (*visit)(void* context, const char* name), void* context);

// The same with the number of each process.
[[nodiscard]] bool find_process(bool (*visit)(void* context, const char* pid), void* context);

// The name under which a process is known; "" for none.
void append_process_name(std::string_view pid, TextBuffer& out);

// The first number behind `name` in /proc/meminfo, in KiB; 0: not known.
[[nodiscard]] uint64_t memory_kib(std::string_view name);

}  // namespace fcgate::doctor
