// Owns: text without a heap: slices, comparisons, numbers, and a builder over storage of the caller.
// Borrows: the storage given to TextBuffer, as long as the buffer lives.
// Must not touch: files, sockets, the locale (a router's HTTP does not depend on LC_CTYPE).
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/packed.hpp"
#include "base/pattern.hpp"
#include "base/small_set.hpp"
#include "base/status.hpp"

namespace fcgate {

// substr() that clamps instead of throwing: std::string_view's own would pull in the C++ runtime.
[[nodiscard]] constexpr std::string_view slice(std::string_view text, size_t from,
                                               size_t count = std::string_view::npos) {
    from = from < text.size() ? from : text.size();
    const size_t rest = text.size() - from;
    return {text.data() + from, count < rest ? count : rest};
}

// starts_with() and ends_with() of std::string_view go through substr() and compare(), and so, unoptimised, need the runtime too.
[[nodiscard]] constexpr bool starts_with(std::string_view text, std::string_view prefix) {
    return slice(text, 0, prefix.size()) == prefix;
}

[[nodiscard]] constexpr bool ends_with(std::string_view text, std::string_view suffix) {
    return text.size() >= suffix.size() && slice(text, text.size() - suffix.size()) == suffix;
}

[[nodiscard]] constexpr char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Hexadecimal digits by their values, 0 to 15.
inline constexpr char hex_digits[] = "0123456789abcdef";
inline constexpr char upper_hex_digits[] = "0123456789ABCDEF";

// Value of a hexadecimal digit, or -1.
[[nodiscard]] constexpr int hex_value(char c) {
    if (is_digit(c)) {
        return c - '0';
    }
    const char lower = to_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// RFC 9110 section 5.6.2: the characters of method names and field names.
[[nodiscard]] bool is_token(std::string_view text);
[[nodiscard]] bool has_control(std::string_view text);  // any byte below 0x20 except HTAB, or 0x7f

[[nodiscard]] bool equals_ignore_case(std::string_view a, std::string_view b);
[[nodiscard]] bool is_one_of(std::string_view text, std::span<const std::string_view> names);  // whatever the case
[[nodiscard]] bool starts_with_ignore_case(std::string_view text, std::string_view prefix);
[[nodiscard]] bool ends_with_ignore_case(std::string_view text, std::string_view suffix);

// Names of which one is looked for, whatever its case. Most of what is none of them is told by its length and first letter alone.
class NameSet {
  public:
    template <size_t count>
    explicit constexpr NameSet(const std::string_view (&names)[count]) : names_(names) {
        for (const std::string_view name : names) {
            hashes_.add(hash_of(name));
        }
    }

    [[nodiscard]] bool has(std::string_view name) const {
        return hashes_.has(hash_of(name)) && is_one_of(name, names_);
    }

  private:
    static constexpr size_t hash_count = 64;
    // With 11 nearly no name that browsers send shares its hash with one of our sets.
    static constexpr size_t hash_of(std::string_view name) {
        return name.empty() ? 0 : (name.size() * 11 + (static_cast<unsigned char>(name.front()) | 0x20U)) % hash_count;
    }

    std::span<const std::string_view> names_;
    SmallSet<hash_count> hashes_;
};

// Without leading and trailing SP and HTAB (RFC 9110 OWS).
[[nodiscard]] std::string_view trim(std::string_view text);

// The part before the first `separator`; `rest` becomes what follows it, or empty.
[[nodiscard]] std::string_view split_first(std::string_view text, char separator, std::string_view& rest);

// The next word of `text` (words are parted by spaces and tabs); removes it from `text`. Empty at the end.
[[nodiscard]] std::string_view next_word(std::string_view& text);

// Digits alone, no sign, no space, no overflow.
[[nodiscard]] Result<uint64_t> parse_decimal(std::string_view text);

// Builds text in storage of the caller. It never overflows and always leaves room for a final NUL; once something did not
// fit, nothing more is added and status() says too_large: append freely, check once.
class TextBuffer {
  public:
    explicit TextBuffer(std::span<char> storage) : storage_(storage) { clear(); }

    TextBuffer& append(std::string_view text);
    TextBuffer& append(Packed text);
    TextBuffer& append(char c) { return append(std::string_view(&c, 1)); }
    // append<"% of %">(number, text): see base/pattern.hpp.
    template <packing::Literal Pattern, typename... Values>
    TextBuffer& append(Values... values) {
        return append_packed(pattern::packed<Pattern, Values...>(), pattern::passed(values)...);
    }
    // `kept` bytes stay free: with any, what does not fit is cut, and all is well.
    void append_list(Packed pattern, va_list values, size_t kept = 0);
    TextBuffer& append_number(uint64_t value);
    TextBuffer& append_padded(uint64_t value, unsigned digits);  // at least `digits`, with leading zeros
    TextBuffer& append_hex(uint64_t value);                      // without leading zeros
    // For logs: bytes that are no printable ASCII as \xNN, at most `limit` bytes of input, then "...".
    TextBuffer& append_escaped(std::string_view text, size_t limit = 256);

    void clear();
    void cut(size_t size) {  // to what it was before: `size` bytes
        size_ = size;
        storage_[size] = '\0';
        status_ = Status::ok;
    }
    void close() { status_ = Status::too_large; }  // nothing more goes in, nor is it looked at
    [[nodiscard]] Status status() const { return status_; }
    [[nodiscard]] bool ok() const { return status_ == Status::ok; }
    [[nodiscard]] size_t size() const { return size_; }
    // How much more fits.
    [[nodiscard]] size_t room() const { return ok() ? storage_.size() - size_ - 1 : 0; }
    [[nodiscard]] std::string_view view() const { return {storage_.data(), size_}; }
    [[nodiscard]] const char* c_str() const { return storage_.data(); }

  private:
    TextBuffer& append_packed(Packed pattern, ...);

    std::span<char> storage_;
    size_t size_ = 0;
    Status status_ = Status::ok;
};

// The system's words for an error number. `words` may or may not hold them: use what is returned.
[[nodiscard]] std::string_view describe_error(int error_number, std::span<char> words);

// A TextBuffer with its storage, for the stack.
template <size_t N>
class Text : public TextBuffer {
  public:
    Text() : TextBuffer(std::span<char>(bytes_, N)) {}
    explicit Text(std::string_view start) : Text() { append(start); }
    explicit Text(Packed start) : Text() { append(start); }
    Text(const Text&) = delete;  // the base points into this object
    Text& operator=(const Text&) = delete;

  private:
    char bytes_[N];
};

}  // namespace fcgate
