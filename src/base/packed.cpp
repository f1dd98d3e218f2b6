#include "base/packed.hpp"

namespace fcgate {

namespace {

constexpr auto pairs = packing::make_pairs();

}  // namespace

// The codes of each length begin where those of the length before end.
unsigned Unpacking::next_symbol() {
    unsigned code = 0;
    unsigned number = 0;
    unsigned bits = bits_;
    for (const unsigned count : packing::code_counts) {
        code = code * 2 + (unsigned{text_[bits / 8]} >> (7 - bits % 8) & 1);
        ++bits;
        if (code < count) {
            number += code;
            break;
        }
        code -= count;
        number += count;
    }
    // What is behind the end is not ours.
    if (number != packing::index.end) {
        bits_ = bits;
    }
    return number;
}

char Unpacking::next() {
    unsigned number = depth_ > 0 ? waiting_[--depth_] : next_symbol();
    for (;;) {
        const size_t place = size_t{number} * packing::Pairs::bits;
        uint32_t pair = 0;
        for (size_t i = 0; i < 4; ++i) {
            pair |= uint32_t{pairs.bytes[place / 8 + i]} << 8 * i;
        }
        pair >>= place % 8;
        constexpr uint32_t mask = packing::most_symbols - 1;
        const unsigned second = pair >> packing::number_bits & mask;
        number = pair & mask;
        if (second == packing::index.end) {
            return static_cast<char>(number);
        }
        waiting_[depth_++] = static_cast<uint16_t>(second);
    }
}

}  // namespace fcgate
