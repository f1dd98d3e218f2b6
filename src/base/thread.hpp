// Owns: how a thread of ours begins: with limits::thread_stack, and with all signals blocked: none of the host's is to be handled by it.
// Must not touch: what it runs.
#pragma once

#include <pthread.h>

namespace fcgate {

// 0, or the error number of what has failed.
[[nodiscard]] int start_thread(pthread_t& thread, void* (*run)(void*), void* argument);

}  // namespace fcgate
