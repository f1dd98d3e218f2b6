// Owns: the words in which every module says how a call ended.
// Must not touch: anything; this header includes nothing of ours.
#pragma once

#include <cerrno>
#include <cstdint>

namespace fcgate {

// What became of a call. The caller decides what the client and the log hear.
enum class [[nodiscard]] Status : uint8_t{
    ok,
    again,      // nothing wrong, but more input, room or time is needed
    too_large,  // a capacity of ours would be exceeded
    malformed,  // the bytes break their specification
    refused,    // well-formed, but not allowed
    not_found,
    denied,     // the operating system says no (EACCES, EPERM, EROFS)
    exhausted,  // a pool or the machine has nothing left
    io,         // a system call failed otherwise; errno tells
    timed_out,
    gone,  // the other side has closed
};

// How a call has ended that left `error_number`. io: whoever tries again may have more luck.
inline Status status_of_error(int error_number) {
    switch (error_number) {
        case ENOENT:
        case ENOTDIR:
        case EBADF:
        case EISDIR:  // there is none of the kind that is wanted
        case ELOOP:
        case ENAMETOOLONG:
            return Status::not_found;
        case EACCES:
        case EPERM:
        case EROFS:
            return Status::denied;
        default:
            return Status::io;
    }
}

// A value, or why there is none. T must be trivially copyable: results travel in registers and own nothing.
template <typename T>
class [[nodiscard]] Result {
  public:
    constexpr Result(T value) : value_(value) {}  // NOLINT(google-explicit-constructor): `return value;` is the point
    constexpr Result(Status status) : status_(status) {}  // NOLINT(google-explicit-constructor)

    [[nodiscard]] constexpr bool ok() const { return status_ == Status::ok; }
    [[nodiscard]] constexpr Status status() const { return status_; }
    [[nodiscard]] constexpr const T& value() const { return value_; }

  private:
    T value_{};
    Status status_ = Status::ok;
};

}  // namespace fcgate
