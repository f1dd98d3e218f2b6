// Owns: ioctl() for the requests that answer one number or structure. The C library's own translates what kernels before 5.1 call otherwise on
// 32-bit devices, sound cards and serial lines for the most part, which is 1 KB of a static program.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

namespace fcgate {

template <typename Answer>
[[nodiscard]] bool query_socket(int fd, unsigned long what, Answer& answer) {
    return syscall(SYS_ioctl, fd, what, &answer) == 0;
}

}  // namespace fcgate
