// cmocka for C++: its header brings neither the headers it needs nor C linkage.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

extern "C" {
#include <cmocka.h>
}

// Macros with the names of our own functions; fail_msg() is made of the first. Tests that give up call _fail().
#undef fail
#undef fail_msg
#undef skip
