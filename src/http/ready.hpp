// Owns: responses of libmicrohttpd that were sent once and will be the same the next time, each with a reference of its own.
// With them a few files that are open, for no longer than a moment.
// Borrows: the bytes that they send: whoever asks for one by its name holds those.
// Must not touch: which reply a name stands for. A new one takes the place of another; what is on its way is sent all the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/limits.hpp"
#include "http/message.hpp"

struct MHD_Response;

namespace fcgate::http {

class ReadyReplies {
  public:
    // nullptr: there is none of that name (never 0).
    [[nodiscard]] MHD_Response* find(uint64_t name) const;
    // The file that it sends, to be looked at only; -1: none.
    [[nodiscard]] int file_of(uint64_t name) const { return find(name) != nullptr ? slots_[place_of(name)].fd : -1; }
    // Takes the caller's reference. `fd`: of the file that it sends, or -1.
    void keep(uint64_t name, MHD_Response* response, int fd);
    void clear() { drop(slots_); }
    // A file that nobody asks for any more must not be held: not its space when it is deleted, nor the medium that it lies on.
    void close_files() { drop(std::span(slots_).last(limits::ready_files)); }

  private:
    struct Slot {
        uint64_t name = 0;
        MHD_Response* response = nullptr;
        int fd = -1;
    };
    // Names of one entry of a cache have the same low bits; above them they follow each other, whichever entry it is.
    [[nodiscard]] static size_t place_of(uint64_t name) {
        return (name & Reply::name_of_file) == 0
                   ? name % limits::ready_replies
                   : limits::ready_replies + name / limits::ready_replies % limits::ready_files;
    }
    static void drop(std::span<Slot> slots);

    std::array<Slot, limits::ready_replies + limits::ready_files> slots_;  // those with files are the last
};

}  // namespace fcgate::http
