/* memcpy, in the place of musl's: that is made for processors whose words must be aligned, is seven times as large, and takes twice the
   instructions for the short texts that most copies are. A Cortex-A7 reads words anywhere, but several at a time only where words are. Written for
   fcgate. */
#include <stddef.h>

#define IN_REGISTER __attribute__((unused))

__attribute__((naked)) void* memcpy(void* restrict to IN_REGISTER, const void* restrict from IN_REGISTER,
                                    size_t size IN_REGISTER) {
    __asm__(
        "   mov ip, r0\n"
        "   cmp r2, #64\n"
        "   blo 2f\n"
        "   orr r3, r0, r1\n"
        "   lsls r3, r3, #30\n"
        "   bne 2f\n"
        /* 32 bytes at a time; as long as there are as many, r2 is by 32 too small. */
        "   push {r4-r10}\n"
        "   subs r2, #32\n"
        "1: ldmia r1!, {r3-r10}\n"
        "   subs r2, #32\n"
        "   stmia ip!, {r3-r10}\n"
        "   bhs 1b\n"
        "   adds r2, #32\n"
        "   pop {r4-r10}\n"
        /* A word at a time: r2 is by 4 too small. */
        "2: subs r2, #4\n"
        "   blo 4f\n"
        "3: ldr r3, [r1], #4\n"
        "   subs r2, #4\n"
        "   str r3, [ip], #4\n"
        "   bhs 3b\n"
        /* Of what is left bit 1 goes into the carry, and bit 0 becomes the sign. */
        "4: lsls r3, r2, #31\n"
        "   itt cs\n"
        "   ldrhcs r3, [r1], #2\n"
        "   strhcs r3, [ip], #2\n"
        "   itt mi\n"
        "   ldrbmi r3, [r1]\n"
        "   strbmi r3, [ip]\n"
        "   bx lr\n");
}
