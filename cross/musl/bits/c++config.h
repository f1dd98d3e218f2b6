/* libstdc++ of a glibc toolchain takes these for granted in its headers; musl has none of them. */
#ifndef FCGATE_CROSS_MUSL_CXXCONFIG_H
#define FCGATE_CROSS_MUSL_CXXCONFIG_H

#include_next <bits/c++config.h>

#undef _GLIBCXX_HAVE_GETS
#undef _GLIBCXX_USE_PTHREAD_COND_CLOCKWAIT
#undef _GLIBCXX_USE_PTHREAD_MUTEX_CLOCKLOCK
#undef _GLIBCXX_USE_PTHREAD_RWLOCK_CLOCKLOCK

typedef struct __locale_struct* __locale_t;

#endif
