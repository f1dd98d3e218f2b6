#include "base/text.hpp"

#include <charconv>

#include "base/words.hpp"

namespace fcgate {

namespace {

constexpr SmallSet<256> token_characters = [] {
    SmallSet<256> set;
    for (const char c : std::string_view("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                         "!#$%&'*+-.^_`|~")) {
        set.add(static_cast<unsigned char>(c));
    }
    return set;
}();

}  // namespace

bool is_token(std::string_view text) {
    const char* const end = text.data() + text.size();
    const char* rest = words::for_each(text, &words::is_plain);
    while (rest != end && token_characters.has(static_cast<unsigned char>(*rest))) {
        ++rest;
    }
    return rest == end && !text.empty();
}

bool has_control(std::string_view text) {
    const char* const end = text.data() + text.size();
    const char* rest = words::for_each(text, [](words::Word word) {
        // Each byte is from 0x20 to 0x7e, or no ASCII at all.
        const words::Word deleted = word ^ (words::ones * 0x7f);
        return ((((word - words::ones * 0x20) & ~word) | ((deleted - words::ones) & ~deleted)) & words::tops) == 0;
    });
    for (; rest != end; ++rest) {
        const auto byte = static_cast<unsigned char>(*rest);
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            return true;
        }
    }
    return false;
}

bool equals_ignore_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && starts_with_ignore_case(a, b);
}

bool is_one_of(std::string_view text, std::span<const std::string_view> names) {
    for (const std::string_view name : names) {
        if (equals_ignore_case(text, name)) {
            return true;
        }
    }
    return false;
}

bool starts_with_ignore_case(std::string_view text, std::string_view prefix) {
    if (text.size() < prefix.size()) {
        return false;
    }
    for (size_t i = 0; i < prefix.size(); ++i) {
        // Most are written the same way.
        if (text[i] != prefix[i] && to_lower(text[i]) != to_lower(prefix[i])) {
            return false;
        }
    }
    return true;
}

bool ends_with_ignore_case(std::string_view text, std::string_view suffix) {
    return text.size() >= suffix.size() && equals_ignore_case(slice(text, text.size() - suffix.size()), suffix);
}

std::string_view trim(std::string_view text) {
    const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_space(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_space(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

std::string_view split_first(std::string_view text, char separator, std::string_view& rest) {
    const size_t at = text.find(separator);
    if (at == std::string_view::npos) {
        rest = {};
        return text;
    }
    const std::string_view first = slice(text, 0, at);
    rest = slice(text, at + 1);
    return first;
}

std::string_view next_word(std::string_view& text) {
    text = trim(text);
    size_t length = 0;
    while (length < text.size() && text[length] != ' ' && text[length] != '\t') {
        ++length;
    }
    const std::string_view word = slice(text, 0, length);
    text.remove_prefix(length);
    return word;
}

Result<uint64_t> parse_decimal(std::string_view text) {
    if (text.empty() || !is_digit(text.front())) {
        return Status::malformed;  // from_chars would take a sign
    }
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range) {
        return Status::too_large;
    }
    if (error != std::errc() || end != text.data() + text.size()) {
        return Status::malformed;
    }
    return value;
}

void TextBuffer::clear() {
    size_ = 0;
    status_ = Status::ok;
    if (storage_.empty()) {
        status_ = Status::too_large;
    } else {
        storage_[0] = '\0';
    }
}

TextBuffer& TextBuffer::append(std::string_view text) {
    if (status_ != Status::ok) {
        return *this;
    }
    if (text.size() >= storage_.size() - size_) {
        status_ = Status::too_large;
        return *this;
    }
    if (!text.empty()) {
        memcpy(storage_.data() + size_, text.data(), text.size());
    }
    size_ += text.size();
    storage_[size_] = '\0';
    return *this;
}

TextBuffer& TextBuffer::append(Packed text) {
    if (status_ != Status::ok) {
        return *this;
    }
    size_t end = size_;
    Unpacking rest(text);
    while (const char c = rest.next()) {
        if (end + 1 == storage_.size()) {
            status_ = Status::too_large;
            end = size_;
            break;
        }
        storage_[end++] = c;
    }
    size_ = end;
    storage_[size_] = '\0';
    return *this;
}

// NOLINTBEGIN(clang-analyzer-valist.Uninitialized): clang-tidy 14 takes a list that is given for one that was not begun.
void TextBuffer::append_list(Packed pattern, va_list values, size_t kept) {
    if (kept > 0 && room() <= kept) {
        return;
    }
    const std::span<char> whole = storage_;
    storage_ = whole.first(whole.size() - kept);
    Unpacking rest(pattern);
    while (char c = rest.next()) {
        char words[96];
        std::string_view piece(&c, 1);
        if (c == '%') {
            switch (rest.next()) {
                case pattern::as_c_string:
                    piece = va_arg(values, const char*);
                    break;
                case pattern::as_text: {
                    const auto text = va_arg(values, pattern::PassedText);
                    piece = {text.data, text.size};
                    break;
                }
                case pattern::as_packed:
                    append(Packed(va_arg(values, const unsigned char*)));
                    continue;
                case pattern::as_escaped: {
                    const auto escaped = va_arg(values, pattern::PassedEscaped);
                    append_escaped({escaped.text.data, escaped.text.size}, escaped.limit);
                    continue;
                }
                case pattern::as_error:
                    piece = describe_error(va_arg(values, SystemError).number, words);
                    break;
                case pattern::as_character:
                    c = static_cast<char>(va_arg(values, int));
                    break;
                case pattern::as_number:
                    append_number(va_arg(values, unsigned));
                    continue;
                case pattern::as_long_number:
                    append_number(va_arg(values, uint64_t));
                    continue;
                default:
                    break;
            }
        }
        append(kept > 0 ? slice(piece, 0, room()) : piece);
    }
    storage_ = whole;
    if (kept > 0) {
        status_ = Status::ok;
    }
}
// NOLINTEND(clang-analyzer-valist.Uninitialized)

TextBuffer& TextBuffer::append_packed(Packed pattern, ...) {
    va_list values;
    va_start(values, pattern);
    append_list(pattern, values);
    va_end(values);
    return *this;
}

std::string_view describe_error(int error_number, std::span<char> words) {
    // The GNU strerror_r may return a static text instead of filling the buffer; musl's returns int.
#if defined(__GLIBC__)
    return strerror_r(error_number, words.data(), words.size());
#else
    return strerror_r(error_number, words.data(), words.size()) == 0 ? std::string_view(words.data())
                                                                     : std::string_view();
#endif
}

TextBuffer& TextBuffer::append_number(uint64_t value) {
    if (value < 10) {
        return append(static_cast<char>('0' + value));
    }
    return append_padded(value, 1);
}

TextBuffer& TextBuffer::append_padded(uint64_t value, unsigned digits) {
    char text[20];  // UINT64_MAX has 20 digits
    size_t at = sizeof text;
    // On a machine of 32 bits a division of 64 takes 200 instructions, and few numbers are that large.
    for (; value > UINT32_MAX; value /= 10) {
        text[--at] = static_cast<char>('0' + value % 10);
    }
    auto low = static_cast<uint32_t>(value);
    while (at > 0 && (low != 0 || sizeof text - at < digits)) {
        text[--at] = static_cast<char>('0' + low % 10);
        low /= 10;
    }
    return append(std::string_view(text + at, sizeof text - at));
}

TextBuffer& TextBuffer::append_hex(uint64_t value) {
    char text[16];
    size_t at = sizeof text;
    do {
        text[--at] = hex_digits[value & 0x0fU];
        value >>= 4U;
    } while (value != 0);
    return append(std::string_view(text + at, sizeof text - at));
}

TextBuffer& TextBuffer::append_escaped(std::string_view text, size_t limit) {
    const std::string_view shown = slice(text, 0, limit);
    for (const char c : shown) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f && c != '\\') {
            append(c);
        } else {
            const char escaped[] = {'\\', 'x', hex_digits[byte >> 4U], hex_digits[byte & 0x0fU]};
            append(std::string_view(escaped, sizeof escaped));
        }
    }
    if (shown.size() < text.size()) {
        append("...");
    }
    return *this;
}

}  // namespace fcgate
