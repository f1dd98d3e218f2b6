// Owns: what is asked of the machine itself.
// Must not touch: the network.
#pragma once

#include "base/text.hpp"

namespace fcgate {

// Appends the name that the machine has now, 64 characters at most; nothing when it has none.
void append_machine_name(TextBuffer& out);

}  // namespace fcgate
