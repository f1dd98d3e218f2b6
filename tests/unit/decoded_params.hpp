// The head of a FastCGI request taken apart again, by the specification alone, and refused where PHP would hang up.
// Borrows: the encoded bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "test_support.hpp"

namespace fcgate::test {

class DecodedParams {
  public:
    explicit DecodedParams(std::span<const uint8_t> bytes) : bytes_(bytes) {
        static constexpr uint8_t begin[] = {1, 1, 0, 1, 0, 8, 0, 0, 0, 1};
        assert_true(bytes_.size() >= 16);
        assert_memory_equal(bytes_.data(), begin, sizeof begin);
        keep_connection_ = bytes_[10] == 1;
        at_ = 16;
        while (take_record()) {}
        assert_int_equal(at_, bytes_.size());
    }

    [[nodiscard]] bool keep_connection() const { return keep_connection_; }
    [[nodiscard]] size_t count() const { return count_; }
    [[nodiscard]] size_t records() const { return records_; }  // without the empty last one
    [[nodiscard]] std::string_view name(size_t index) const { return pairs_[index].name; }
    [[nodiscard]] std::string_view value(size_t index) const { return pairs_[index].value; }

    [[nodiscard]] bool has(std::string_view name) const { return times(name) != 0; }
    [[nodiscard]] size_t times(std::string_view name) const {
        size_t found = 0;
        for (size_t i = 0; i < count_; ++i) {
            found += pairs_[i].name == name ? 1U : 0U;
        }
        return found;
    }
    // "(none)" when it is not there, "(several)" when it is there more than once.
    [[nodiscard]] std::string_view get(std::string_view name) const {
        std::string_view found = "(none)";
        for (size_t i = 0; i < count_; ++i) {
            if (pairs_[i].name == name) {
                found = times(name) == 1 ? pairs_[i].value : "(several)";
            }
        }
        return found;
    }

  private:
    struct Variable {
        std::string_view name;
        std::string_view value;
    };

    // False for the empty record, which ends the stream.
    bool take_record() {
        assert_true(bytes_.size() - at_ >= 8);
        const std::span<const uint8_t> header = bytes_.subspan(at_, 8);
        static constexpr uint8_t params[] = {1, 4, 0, 1};
        assert_memory_equal(header.data(), params, sizeof params);
        const size_t length = header[4] * 256U + header[5];
        assert_int_equal(header[6], 0);
        at_ += 8;
        assert_true(length <= bytes_.size() - at_);
        end_ = at_ + length;
        while (at_ < end_) {
            const size_t name_length = take_length();
            const size_t value_length = take_length();
            assert_true(name_length + value_length <= end_ - at_);
            assert_true(count_ < pairs_.size());
            pairs_[count_].name = take_text(name_length);
            pairs_[count_].value = take_text(value_length);
            ++count_;
        }
        records_ += length == 0 ? 0U : 1U;
        return length != 0;
    }

    size_t take_length() {
        assert_true(at_ < end_);
        if (bytes_[at_] < 128) {
            return bytes_[at_++];
        }
        assert_true(end_ - at_ >= 4);
        size_t length = bytes_[at_] & 0x7fU;
        for (size_t i = 1; i < 4; ++i) {
            length = length * 256 + bytes_[at_ + i];
        }
        at_ += 4;
        return length;
    }

    std::string_view take_text(size_t length) {
        const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + at_, length);
        at_ += length;
        return text;
    }

    std::span<const uint8_t> bytes_;
    size_t at_ = 0;
    size_t end_ = 0;
    size_t count_ = 0;
    size_t records_ = 0;
    bool keep_connection_ = false;
    std::array<Variable, 4096> pairs_{};
};

}  // namespace fcgate::test
