// Owns: the names of users and groups, for the log, as /etc/passwd and /etc/group have them; who this process is.
// Must not touch: the heap, nor the C library's user database, which may ask the network.
#pragma once

#include <sys/types.h>

#include "base/text.hpp"

namespace fcgate {

// Appends the name that the first line with that number gives; the number when there is none, or the file cannot be read.
void append_user_name(uid_t user, TextBuffer& out, const char* file = "/etc/passwd");
void append_group_name(gid_t group, TextBuffer& out, const char* file = "/etc/group");

// This process, by its effective or by one of its other groups.
[[nodiscard]] bool is_in_group(gid_t group);

}  // namespace fcgate
