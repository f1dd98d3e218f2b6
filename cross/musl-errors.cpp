// The words for error numbers as one packed text of fcgate's, in the place of musl's strerror_r(): a line for each number, musl's own words, which are
// taken from its source when that is compiled. Written for fcgate; in a library, for those programs alone that have the code which unpacks texts.
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/packed.hpp"

namespace {

namespace packing = fcgate::packing;

struct Lines {
    std::string_view texts[256];
    size_t count = 0;

    constexpr Lines() {
#define E(number, text)   \
    texts[number] = text; \
    count = number + 1 > count ? number + 1 : count;
#include "errors.h"
#undef E
    }
};

constexpr Lines lines;

constexpr size_t joined_size = [] {
    size_t size = 0;
    for (size_t number = 0; number < lines.count; ++number) {
        size += lines.texts[number].size() + 1;
    }
    return size;
}();

constexpr auto packed = [] {
    char joined[joined_size]{};
    size_t size = 0;
    for (size_t number = 0; number < lines.count; ++number) {
        for (const char c : lines.texts[number]) {
            joined[size++] = c;
        }
        joined[size++] = '\n';
    }
    return packing::pack<joined_size>(joined, joined_size);
}();
constexpr auto kept = packing::keep<packed>();

}  // namespace

// Line 0 is for numbers without words.
extern "C" int strerror_r(int number, char* room, size_t size) {
    fcgate::Unpacking rest(fcgate::Packed(kept.bytes));
    char next = '\n';
    for (int line = 0; line < number && next != '\0';) {
        next = rest.next();
        line += next == '\n' ? 1 : 0;
    }
    size_t used = 0;
    while (used < size && (next = rest.next()) >= ' ') {
        room[used++] = next;
    }
    if (used == size) {
        return ERANGE;
    }
    room[used] = '\0';
    return used == 0 && number != 0 ? strerror_r(0, room, size) : 0;
}
