/* A process that ends with _exit() leaves its coverage behind as well: the spawner, and PHP's on its way to execve(). Linked with
 * --wrap=_exit when b_coverage is on. */
#include <unistd.h>

void __gcov_dump(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status) {
    __gcov_dump();
    __real__exit(status);
}
