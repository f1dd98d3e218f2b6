#include <cstring>

#include "base/text.hpp"
#include "test_support.hpp"

using fcgate::parse_decimal;
using fcgate::slice;
using fcgate::Status;
using fcgate::Text;
using fcgate::TextBuffer;
using fcgate::test::check_status;
using fcgate::test::check_text;
using fcgate::test::GuardedBytes;

namespace {

void a_slice_is_clamped_to_the_text(void** /*state*/) {
    check_text(slice("abcdef", 2), "cdef");
    check_text(slice("abcdef", 2, 3), "cde");
    check_text(slice("abcdef", 2, 40), "cdef");
    check_text(slice("abcdef", 6), "");
    check_text(slice("abcdef", 7, 1), "");
    check_text(slice("abcdef", SIZE_MAX, SIZE_MAX), "");
    check_text(slice({}, 0), "");
}

void only_ascii_letters_change_case(void** /*state*/) {
    for (int c = 0; c < 256; ++c) {
        const auto byte = static_cast<char>(c);
        const bool is_upper = c >= 'A' && c <= 'Z';
        assert_int_equal(fcgate::to_lower(byte), is_upper ? static_cast<char>(c + 32) : byte);
        assert_int_equal(fcgate::is_digit(byte), c >= '0' && c <= '9');
    }
}

void hexadecimal_digits_have_values(void** /*state*/) {
    const std::string_view digits = "0123456789abcdef";
    for (int c = 0; c < 256; ++c) {
        const size_t at = digits.find(fcgate::to_lower(static_cast<char>(c)));
        assert_int_equal(fcgate::hex_value(static_cast<char>(c)),
                         at == std::string_view::npos ? -1 : static_cast<int>(at));
    }
}

void a_token_has_the_characters_of_rfc_9110_and_one_at_least(void** /*state*/) {
    const std::string_view allowed = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int c = 0; c < 256; ++c) {
        const char text[] = {'a', static_cast<char>(c), 'b'};
        const bool expected = allowed.find(static_cast<char>(c)) != std::string_view::npos;
        assert_int_equal(fcgate::is_token({text, sizeof text}), expected);
    }
    assert_true(fcgate::is_token(allowed));
    assert_false(fcgate::is_token(""));
}

void control_bytes_are_seen_anywhere(void** /*state*/) {
    for (int c = 0; c < 256; ++c) {
        const bool expected = (c < 0x20 && c != '\t') || c == 0x7f;
        const char text[] = {static_cast<char>(c), 'a', static_cast<char>(c)};
        assert_int_equal(fcgate::has_control({text, 2}), expected);
        assert_int_equal(fcgate::has_control({text + 1, 2}), expected);
    }
    assert_false(fcgate::has_control(""));
    // Among others, whichever these are: it looks at several at a time.
    for (int c = 0; c < 256; ++c) {
        const bool expected = (c < 0x20 && c != '\t') || c == 0x7f;
        for (const char other : {'\x20', '\x21', '\x7e', '\x80', '\xff', '\t'}) {
            for (size_t at = 0; at < 20; ++at) {
                char text[20];
                memset(text, other, sizeof text);
                text[at] = static_cast<char>(c);
                assert_int_equal(fcgate::has_control({text, sizeof text}), expected);
            }
        }
    }
}

void comparisons_ignore_the_case_of_ascii_alone(void** /*state*/) {
    assert_true(fcgate::equals_ignore_case("Content-Type", "cONTENT-tYPE"));
    assert_true(fcgate::equals_ignore_case("", ""));
    assert_false(fcgate::equals_ignore_case("a", "ab"));
    assert_false(fcgate::equals_ignore_case("ab", "a"));
    assert_false(fcgate::equals_ignore_case("[", "{"));  // 0x20 apart, as 'a' is from 'A'
    assert_false(fcgate::equals_ignore_case("\xc4", "\xe4"));
    assert_true(fcgate::starts_with_ignore_case("Basic x", "basic "));
    assert_true(fcgate::starts_with_ignore_case("a", ""));
    assert_false(fcgate::starts_with_ignore_case("Bas", "basic"));
    assert_true(fcgate::ends_with_ignore_case("x.PHP", ".php"));
    assert_true(fcgate::ends_with_ignore_case(".php", ".php"));
    assert_false(fcgate::ends_with_ignore_case("php", ".php"));
    assert_false(fcgate::ends_with_ignore_case("x.phps", ".php"));
}

void comparisons_stay_within_their_text(void** /*state*/) {
    GuardedBytes memory("abc");
    assert_false(fcgate::starts_with_ignore_case(memory.view(), "abcd"));
    assert_true(fcgate::equals_ignore_case(memory.view(), "ABC"));
    assert_true(fcgate::ends_with_ignore_case(memory.view(), "BC"));
    assert_true(fcgate::is_token(memory.view()));
    assert_false(fcgate::has_control(memory.view()));
}

void trims_spaces_and_tabs_and_nothing_else(void** /*state*/) {
    check_text(fcgate::trim(" \t a b\t "), "a b");
    check_text(fcgate::trim("a"), "a");
    check_text(fcgate::trim(" \t "), "");
    check_text(fcgate::trim(""), "");
    check_text(fcgate::trim("\r\na\v"), "\r\na\v");
}

void splits_at_the_first_separator(void** /*state*/) {
    std::string_view rest = "untouched";
    check_text(fcgate::split_first("a=b=c", '=', rest), "a");
    check_text(rest, "b=c");
    check_text(fcgate::split_first("abc", '=', rest), "abc");
    check_text(rest, "");
    check_text(fcgate::split_first("=", '=', rest), "");
    check_text(rest, "");
    check_text(fcgate::split_first("", '=', rest), "");
    std::string_view list = "a,b,,c";
    check_text(fcgate::split_first(list, ',', list), "a");  // in place
    check_text(list, "b,,c");
}

void takes_words_one_by_one(void** /*state*/) {
    std::string_view text = " \tone  two\tthree ";
    check_text(fcgate::next_word(text), "one");
    check_text(fcgate::next_word(text), "two");
    check_text(fcgate::next_word(text), "three");
    check_text(fcgate::next_word(text), "");
    check_text(fcgate::next_word(text), "");
}

void a_decimal_is_digits_alone_and_fits(void** /*state*/) {
    const auto value_of = [](std::string_view text) {
        GuardedBytes memory(text);
        const auto result = parse_decimal(memory.view());
        check_status(result.status(), Status::ok);
        return result.value();
    };
    assert_int_equal(value_of("0"), 0);
    assert_int_equal(value_of("007"), 7);
    assert_int_equal(value_of("65536"), 65536);
    assert_true(value_of("18446744073709551615") == UINT64_MAX);
    for (const std::string_view text : {"", "-1", "+1", " 1", "1 ", "1a", "a", "0x1", "1.", "1,000"}) {
        check_status(parse_decimal(text).status(), Status::malformed);
    }
    check_status(parse_decimal({"1\0", 2}).status(), Status::malformed);
    check_status(parse_decimal("18446744073709551616").status(), Status::too_large);
    check_status(parse_decimal("99999999999999999999999").status(), Status::too_large);
}

void a_buffer_collects_and_ends_in_a_nul(void** /*state*/) {
    Text<64> text("n=");
    text.append_number(0).append(' ').append_number(UINT64_MAX).append("").append(' ').append_padded(7, 3);
    check_text(text.view(), "n=0 18446744073709551615 007");
    Text<64> hex;
    hex.append_hex(0).append(' ').append_hex(0x10).append(' ').append_hex(UINT64_MAX);
    check_text(hex.view(), "0 10 ffffffffffffffff");
    assert_int_equal(text.c_str()[text.size()], '\0');
    assert_true(text.ok());
    text.clear();
    check_text(text.view(), "");
    text.append_padded(1234, 3).append(' ').append_padded(0, 2).append(' ').append_padded(5, 20);
    check_text(text.view(), "1234 00 00000000000000000005");
}

void a_buffer_keeps_room_for_the_nul_and_within_its_bounds(void** /*state*/) {
    GuardedBytes memory(16);
    for (size_t capacity = 1; capacity <= 16; ++capacity) {
        TextBuffer buffer(memory.room(capacity));
        while (buffer.size() + 1 < capacity) {
            buffer.append('x');
            assert_true(buffer.ok());
        }
        check_status(buffer.append('y').status(), Status::too_large);
        assert_int_equal(buffer.size(), capacity - 1);
        assert_int_equal(buffer.c_str()[capacity - 1], '\0');
    }
}

void what_does_not_fit_is_not_cut_and_nothing_follows_it(void** /*state*/) {
    Text<8> text("abc");
    text.append("12345").append("x");
    check_text(text.view(), "abc");
    check_status(text.status(), Status::too_large);
    text.clear();
    check_text(text.append("1234567").view(), "1234567");
    assert_true(text.ok());
}

void a_buffer_without_storage_takes_nothing(void** /*state*/) {
    GuardedBytes memory(0);
    TextBuffer buffer(memory.room(0));
    assert_false(buffer.ok());
    assert_false(buffer.append("").append('x').append_number(1).append_escaped("a").ok());
    assert_int_equal(buffer.size(), 0);
    buffer.clear();
    assert_false(buffer.ok());
}

void escapes_what_is_no_printable_ascii(void** /*state*/) {
    Text<128> text;
    text.append_escaped({"a b~\n\0\x1b[\x7f\xff\\", 11});
    check_text(text.view(), "a b~\\x0a\\x00\\x1b[\\x7f\\xff\\x5c");
}

void an_escaped_text_is_cut_at_its_limit(void** /*state*/) {
    Text<32> text;
    check_text(text.append_escaped("abcdef", 6).view(), "abcdef");
    text.clear();
    check_text(text.append_escaped("abcdef", 5).view(), "abcde...");
    text.clear();
    check_text(text.append_escaped("", 0).view(), "");
    Text<4> small;
    assert_false(small.append_escaped("ab\n").ok());
    check_text(small.view(), "ab");
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_slice_is_clamped_to_the_text),
        cmocka_unit_test(only_ascii_letters_change_case),
        cmocka_unit_test(hexadecimal_digits_have_values),
        cmocka_unit_test(a_token_has_the_characters_of_rfc_9110_and_one_at_least),
        cmocka_unit_test(control_bytes_are_seen_anywhere),
        cmocka_unit_test(comparisons_ignore_the_case_of_ascii_alone),
        cmocka_unit_test(comparisons_stay_within_their_text),
        cmocka_unit_test(trims_spaces_and_tabs_and_nothing_else),
        cmocka_unit_test(splits_at_the_first_separator),
        cmocka_unit_test(takes_words_one_by_one),
        cmocka_unit_test(a_decimal_is_digits_alone_and_fits),
        cmocka_unit_test(a_buffer_collects_and_ends_in_a_nul),
        cmocka_unit_test(a_buffer_keeps_room_for_the_nul_and_within_its_bounds),
        cmocka_unit_test(what_does_not_fit_is_not_cut_and_nothing_follows_it),
        cmocka_unit_test(a_buffer_without_storage_takes_nothing),
        cmocka_unit_test(escapes_what_is_no_printable_ascii),
        cmocka_unit_test(an_escaped_text_is_cut_at_its_limit),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
