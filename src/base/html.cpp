#include "base/html.hpp"

namespace fcgate {

namespace {

// U+202A to U+202E and U+2066 to U+2069, in UTF-8: they turn the writing round, so that "photo<U+202E>gpj.exe" is read as "photoexe.jpg".
bool begins_with_turning(std::string_view text) {
    return text.size() >= 3 && text[0] == '\xe2' &&
           ((text[1] == '\x80' && text[2] >= '\xaa' && text[2] <= '\xae') ||
            (text[1] == '\x81' && text[2] >= '\xa6' && text[2] <= '\xa9'));
}

}  // namespace

void append_html(TextBuffer& out, std::string_view text) {
    for (; !text.empty(); text.remove_prefix(1)) {
        const char c = text[0];
        if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'') {
            out.append("&#").append_number(static_cast<unsigned char>(c)).append(';');
        } else if (begins_with_turning(text)) {
            out.append('?');
            text.remove_prefix(2);
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
