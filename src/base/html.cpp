#include "base/html.hpp"

namespace fcgate {

void append_html(TextBuffer& out, std::string_view text) {
    for (const char c : text) {
        if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'') {
            out.append("&#").append_number(static_cast<unsigned char>(c)).append(';');
        } else {
            out.append(static_cast<unsigned char>(c) >= ' ' && c != '\x7f' ? c : '?');
        }
    }
}

unsigned append_scaled(TextBuffer& out, uint64_t value) {
    constexpr uint64_t step = 1024;
    unsigned power = 0;
    uint64_t tenths = value * 10;
    for (; tenths >= step * 10 && power < most_scaled; ++power) {
        tenths /= step;
    }
    out.append_number(tenths / 10);
    if (power > 0 && tenths < 1000) {
        out.append('.').append_number(tenths % 10);
    }
    return power;
}

}  // namespace fcgate
