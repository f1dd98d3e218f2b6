/* The first code of a static position-independent program with musl on ARM, in the place of musl's rcrt1.o: that one does not know packed
   relocations (DT_RELR), which take an eighth of a byte to three bytes a pointer instead of eight. Written for fcgate.

   Nothing has been relocated when it runs, so it must not call, and not name anything but by its distance from here. */
#include <elf.h>
#include <stddef.h>

/* Elf32_Relr and its tags, which musl's elf.h has since 1.2.4 only. */
typedef Elf32_Word PackedRelocation;
enum { tag_relr_size = 35, tag_relr = 36 };

extern const Elf32_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));
extern char __ehdr_start[] __attribute__((visibility("hidden")));

_Noreturn void start_program(int count, char** arguments); /* musl-threads.c */
__attribute__((used, visibility("hidden"))) _Noreturn void relocate_and_start(Elf32_Addr* stack);

__asm__(
    ".pushsection .text\n"
    ".global _start\n"
    ".type _start, %function\n"
    ".thumb_func\n"
    "_start:\n"
    "mov r11, #0\n"
    "mov lr, #0\n"
    "mov r0, sp\n"
    "bic r1, r0, #7\n"
    "mov sp, r1\n"
    "b relocate_and_start\n"
    ".popsection\n");

/* An even word is the place of a pointer. The bits of an odd one, from the second on, are the 31 words behind the last place. */
static void relocate(char* base, const PackedRelocation* packed, const PackedRelocation* end) {
    Elf32_Addr* place = NULL;
    for (; packed != end; ++packed) {
        if ((*packed & 1) == 0) {
            place = (Elf32_Addr*)(base + *packed);
            *place++ += (Elf32_Addr)base;
            continue;
        }
        Elf32_Addr* at = place;
        for (PackedRelocation bits = *packed >> 1; bits != 0; bits >>= 1, ++at) {
            if ((bits & 1) != 0) {
                *at += (Elf32_Addr)base;
            }
        }
        place += 31;
    }
}

/* The stack begins with the number of arguments, then come the arguments. */
void relocate_and_start(Elf32_Addr* stack) {
    const char* packed = NULL;
    Elf32_Word size = 0;
    for (const Elf32_Dyn* entry = _DYNAMIC; entry->d_tag != DT_NULL; ++entry) {
        if (entry->d_tag == tag_relr) {
            packed = __ehdr_start + entry->d_un.d_ptr;
        } else if (entry->d_tag == tag_relr_size) {
            size = entry->d_un.d_val;
        } else if (entry->d_tag == DT_RELSZ && entry->d_un.d_val != 0) {
            __builtin_trap(); /* Linked without --pack-dyn-relocs=relr, or with a pointer at an odd address. */
        }
    }
    relocate(__ehdr_start, (const PackedRelocation*)packed, (const PackedRelocation*)(packed + size));
    start_program((int)*stack, (char**)(stack + 1));
}
