#include "base/thread.hpp"

#include <csignal>

#include "base/limits.hpp"

namespace fcgate {

int start_thread(pthread_t& thread, void* (*run)(void*), void* argument) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, limits::thread_stack);
    // Threads inherit the mask.
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(&thread, &attributes, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    return failure;
}

}  // namespace fcgate
