// Owns: how findings are told: rows for people, or one JSON object; and how many there are of each level.
// Borrows: the buffer it writes into.
// Must not touch: what is examined.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "base/text.hpp"
#include "doctor/findings.hpp"

namespace fcgate::doctor {

class Report {
  public:
    using Words = std::initializer_list<std::string_view>;

    Report(TextBuffer& out, bool is_json) : out_(out), is_json_(is_json) {
        out_.append(is_json_ ? "{\"checks\":[" : "");
    }

    // One row: what was found, about what, and the words for its %0, %1, ...
    void add(Found found, std::string_view about, Words words = {});
    // The last line, after all rows.
    void finish();

    [[nodiscard]] uint32_t count(Level level) const { return counts_[static_cast<size_t>(level)]; }

  private:
    void print(std::string_view text);
    void print_filled(Packed text, Words words);
    void print_member(std::string_view name, Packed text, Words words);

    TextBuffer& out_;
    bool is_json_;
    std::array<uint32_t, 4> counts_{};
};

// A number among Words: lives as long as the statement.
class Number {
  public:
    explicit Number(uint64_t value) { text_.append_number(value); }
    operator std::string_view() const { return text_.view(); }  // NOLINT(google-explicit-constructor): that is its use

  private:
    Text<24> text_;
};

// A size as the configuration writes it, "64m", rounded to what can be read.
class Size {
  public:
    explicit Size(uint64_t bytes);
    operator std::string_view() const { return text_.view(); }  // NOLINT(google-explicit-constructor): that is its use

  private:
    Text<24> text_;
};

}  // namespace fcgate::doctor
