#include "base/machine.hpp"

#include <sys/utsname.h>

namespace fcgate {

void append_machine_name(TextBuffer& out) {
    utsname names;
    if (uname(&names) == 0) {
        out.append(names.nodename);
    }
}

}  // namespace fcgate
