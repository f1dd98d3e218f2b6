/* memcpy, memset, memcmp, memchr and strlen, in the place of musl's: those are made for processors whose words must be aligned, and together they are
   three times as large and take twice the instructions for the short texts that fcgate mostly has. A Cortex-A7 reads words anywhere, but several at a
   time only where words are; in this byte order the first byte is the lowest. Written for fcgate. */
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

__attribute__((naked)) void* memset(void* to IN_REGISTER, int byte IN_REGISTER, size_t size IN_REGISTER) {
    __asm__(
        "   uxtb r1, r1\n"
        "   orr r1, r1, r1, lsl #8\n"
        "   orr r1, r1, r1, lsl #16\n"
        "   mov ip, r0\n"
        "   subs r2, #16\n"
        "   blo 2f\n"
        /* The first word, and on from where words are. 16 bytes at a time: r2 is by 16 too small. */
        "   str r1, [ip]\n"
        "   rsb r3, ip, #0\n"
        "   and r3, r3, #3\n"
        "   add ip, ip, r3\n"
        "   subs r2, r2, r3\n"
        "   blo 2f\n"
        "   mov r3, r1\n"
        "1: stmia ip!, {r1, r3}\n"
        "   subs r2, #16\n"
        "   stmia ip!, {r1, r3}\n"
        "   bhs 1b\n"
        /* Of what is left one bit goes into the carry, and the next becomes the sign: 8 and 4, then 2 and 1. */
        "2: lsls r3, r2, #29\n"
        "   itt cs\n"
        "   strcs r1, [ip], #4\n"
        "   strcs r1, [ip], #4\n"
        "   it mi\n"
        "   strmi r1, [ip], #4\n"
        "   lsls r3, r2, #31\n"
        "   it cs\n"
        "   strhcs r1, [ip], #2\n"
        "   it mi\n"
        "   strbmi r1, [ip]\n"
        "   bx lr\n");
}

__attribute__((naked)) int memcmp(const void* left IN_REGISTER, const void* right IN_REGISTER,
                                  size_t size IN_REGISTER) {
    __asm__(
        "   subs r2, #4\n"
        "   blo 2f\n"
        "1: ldr r3, [r0], #4\n"
        "   ldr ip, [r1], #4\n"
        "   cmp r3, ip\n"
        "   bne 4f\n"
        "   subs r2, #4\n"
        "   bhs 1b\n"
        "2: adds r2, #4\n"
        "3: subs r2, #1\n"
        "   itt lo\n"
        "   movlo r0, #0\n"
        "   bxlo lr\n"
        "   ldrb r3, [r0], #1\n"
        "   ldrb ip, [r1], #1\n"
        "   cmp r3, ip\n"
        "   beq 3b\n"
        "   sub r0, r3, ip\n"
        "   bx lr\n"
        /* The first byte that differs decides, so it has to be the highest. */
        "4: rev r3, r3\n"
        "   rev ip, ip\n"
        "   cmp r3, ip\n"
        "   sbc r0, r0, r0\n"
        "   orr r0, r0, #1\n"
        "   bx lr\n");
}

__attribute__((naked)) void* memchr(const void* text IN_REGISTER, int byte IN_REGISTER, size_t size IN_REGISTER) {
    __asm__(
        "   uxtb r1, r1\n"
        "   subs r2, #4\n"
        "   blo 2f\n"
        "   orr r1, r1, r1, lsl #8\n"
        "   orr r1, r1, r1, lsl #16\n"
        /* A byte that is the one looked for becomes 0, and of those the first one loses 1 without having a top bit. */
        "1: ldr r3, [r0], #4\n"
        "   eor r3, r3, r1\n"
        "   sub ip, r3, #0x01010101\n"
        "   bic ip, ip, r3\n"
        "   ands ip, ip, #0x80808080\n"
        "   bne 4f\n"
        "   subs r2, #4\n"
        "   bhs 1b\n"
        "   uxtb r1, r1\n"
        "2: adds r2, #4\n"
        "3: subs r2, #1\n"
        "   itt lo\n"
        "   movlo r0, #0\n"
        "   bxlo lr\n"
        "   ldrb r3, [r0], #1\n"
        "   cmp r3, r1\n"
        "   bne 3b\n"
        "   subs r0, #1\n"
        "   bx lr\n"
        "4: subs r0, #4\n"
        "   rbit ip, ip\n"
        "   clz ip, ip\n"
        "   add r0, r0, ip, lsr #3\n"
        "   bx lr\n");
}

__attribute__((naked)) size_t strlen(const char* text IN_REGISTER) {
    __asm__(
        /* Whole words alone are read, for what lies behind the text need not be there. Bytes before it become any but 0. */
        "   bic r1, r0, #3\n"
        "   and r2, r0, #3\n"
        "   ldr r3, [r1], #4\n"
        "   lsls r2, r2, #3\n"
        "   movs ip, #1\n"
        "   lsl ip, ip, r2\n"
        "   sub ip, ip, #1\n"
        "   orr r3, r3, ip\n"
        "1: sub ip, r3, #0x01010101\n"
        "   bic ip, ip, r3\n"
        "   ands ip, ip, #0x80808080\n"
        "   itt eq\n"
        "   ldreq r3, [r1], #4\n"
        "   beq 1b\n"
        "   rbit ip, ip\n"
        "   clz ip, ip\n"
        "   subs r1, #4\n"
        "   subs r0, r1, r0\n"
        "   add r0, r0, ip, lsr #3\n"
        "   bx lr\n");
}
