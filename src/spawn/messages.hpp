// Owns: what the server and the spawner say to each other, one packet a message, and words for an end.
// Must not touch: anything; both sides are one program, so the layout is its own.
#pragma once

#include <cstdint>

#include "base/text.hpp"

namespace fcgate::spawn {

// From the server.
struct Order {
    enum class Kind : uint32_t { start, stop, finish };  // finish: once it has answered what it has begun
    Kind kind;
    uint32_t backend;
    uint64_t largest_body;  // for `start`: the configuration in force may say another than the one at the fork
};

// From the spawner.
struct Report {
    enum class Kind : uint8_t {
        ready,   // PHP takes requests at the socket of this run
        failed,  // it could not be started; `text` says what, `value` is errno
        exited,  // it has ended; `value` is what waitpid() told, `text` its last words
        line,    // PHP has written `text` to its standard error
    };
    static constexpr unsigned text_size = 240;

    Kind kind;
    uint8_t backend;
    uint32_t run;  // counts the starts of a backend; part of its socket's name
    int32_t value;
    char text[text_size];

    // Of one that has ended: "was killed by signal 9", "ended with exit code 1".
    void print_end(TextBuffer& out) const;
};

}  // namespace fcgate::spawn
