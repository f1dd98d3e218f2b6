// Owns: the system calls of this process and of those it forks, as far as fcgate and libmicrohttpd use them: one of them can be made to
// fail. Of this process only calls between begin() and end() count, which the test puts around the server's own work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace fcgate::test::inject {

// What may fail; `call` is the name of the function.
struct Fault {
    const char* call;
    int error;  // 0: it moves one byte only, where it moves any
};

void begin();
void end();

// From now on the n-th call (from 1) of that kind fails; nothing does with 0. Counting starts anew.
void arm(const Fault& fault, size_t n);
// The same in processes that are forked from now on, and in those they fork, until they execute something else; none of this process counts
// then. arm() reaches them while they run. There is one such test in a process, and it is not begin() that starts it.
void watch_children();
// Then again only those of this process, wherever they are.
void watch_parent(bool only);
// Of the first process that has been forked since: 0 if there is none, and how often it has waited.
[[nodiscard]] int child();
[[nodiscard]] size_t child_waits();
void forget_child();

// How many calls of the armed kind there have been.
[[nodiscard]] size_t calls();
// The armed fault has come true.
[[nodiscard]] bool has_failed();

// Blocks of memory that were allocated between begin() and end() and are not freed; 0 where a sanitizer has the heap.
[[nodiscard]] size_t blocks();

// The wall clock is so many seconds off.
void set_clock(long offset);

// From now on there is a Landlock of that version, which notes what it is told and confines nobody; 0: the kernel's own, if it has one.
void pretend_landlock(long version);
struct LandlockRule {
    char path[128];
    uint64_t rights;
};
// What it has been told since.
struct Landlock {
    uint64_t handled;
    std::span<const LandlockRule> rules;
    bool entered;
};
[[nodiscard]] Landlock landlock();

}  // namespace fcgate::test::inject
