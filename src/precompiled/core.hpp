// Compiled once for all files of the library, most of which include these: it halves the time of a build. Nothing depends on it: each
// file includes what it uses, and -Db_pch=false builds without (scripts/test lint does).
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <string_view>
#include <utility>

#include "base/packed.hpp"
#include "base/packing.hpp"
#include "base/text.hpp"
