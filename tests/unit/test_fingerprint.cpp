#include "auth/fingerprint.hpp"
#include "test_support.hpp"

using fcgate::auth::Fingerprint;
using fcgate::auth::fingerprint_of;
using fcgate::auth::FingerprintKey;

namespace {

// Of the bytes 00 01 02 ... 0f.
constexpr FingerprintKey key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

// SipHash's published vectors for 128 bits: of nothing, and of the bytes 00 and 00 01.
void it_is_siphash_2_4_with_128_bits(void** /*state*/) {
    constexpr char bytes[] = {0, 1};
    constexpr struct {
        size_t size;
        Fingerprint expected;
    } all[] = {
        {0, {0xe6a825ba047f81a3, 0x930255c71472f66d}},
        {1, {0x44af996bd8c187da, 0x45fc229b11597634}},
        {2, {0xc75da4a48d227781, 0xe4ff0af6de8ba3fc}},
    };
    for (const auto& one : all) {
        assert_true(fingerprint_of(key, {bytes, one.size}) == one.expected);
    }
}

void two_texts_are_told_from_one(void** /*state*/) {
    using namespace std::string_view_literals;
    assert_true(fingerprint_of(key, "ab", "c") == fingerprint_of(key, "ab\0c"sv));
    assert_true(fingerprint_of(key, "ab", "c") != fingerprint_of(key, "a", "bc"));
    assert_true(fingerprint_of(key, "abcdefgh", "abcdefgh") == fingerprint_of(key, "abcdefgh\0abcdefgh"sv));
    assert_true(fingerprint_of(key, "abcdefgh", "i") != fingerprint_of(key, "abcdefgh", "j"));
    assert_true(fingerprint_of({1, 2}, "a") != fingerprint_of({1, 3}, "a"));
    assert_true(fingerprint_of({1, 2}, "a") != fingerprint_of({0, 2}, "a"));
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(it_is_siphash_2_4_with_128_bits),
        cmocka_unit_test(two_texts_are_told_from_one),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
