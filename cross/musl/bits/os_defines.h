/* What libstdc++ of a glibc toolchain asks glibc about in its file of this name, answered for musl. */
#ifndef FCGATE_CROSS_MUSL_OS_DEFINES_H
#define FCGATE_CROSS_MUSL_OS_DEFINES_H

#define __NO_CTYPE 1
#define _GLIBCXX_NATIVE_THREAD_ID pthread_self()
#define _GLIBCXX_GTHREAD_USE_WEAK 0
#define _GLIBCXX_NO_OBSOLETE_ISINF_ISNAN_DYNAMIC 1

#endif
