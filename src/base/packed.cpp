#include "base/packed.hpp"

namespace fcgate {

namespace {

constexpr auto pairs = packing::make_pairs();

}  // namespace

char Unpacking::next() {
    unsigned char byte = *text_;
    if (depth_ > 0) {
        byte = waiting_[--depth_];
    } else if (byte != '\0') {
        ++text_;
    } else {
        return '\0';
    }
    while (packing::is_code(byte)) {
        const packing::Pair& pair = pairs[packing::turned(byte)];
        waiting_[depth_++] = pair[1];
        byte = pair[0];
    }
    return static_cast<char>(byte);
}

}  // namespace fcgate
