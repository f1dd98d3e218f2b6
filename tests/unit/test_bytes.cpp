#include "base/bytes.hpp"
#include "test_support.hpp"

using fcgate::test::GuardedBytes;

namespace {

void loads_big_endian_from_any_address(void** /*state*/) {
    static constexpr uint8_t bytes[] = {0x00, 0x80, 0x01, 0xff, 0xfe, 0xfd, 0xfc};
    assert_int_equal(fcgate::load_be16(bytes), 0x0080);
    assert_int_equal(fcgate::load_be16(bytes + 1), 0x8001);
    assert_int_equal(fcgate::load_be32(bytes), 0x008001ffU);
    assert_int_equal(fcgate::load_be32(bytes + 3), 0xfffefdfcU);
}

void stores_what_it_loads_and_nothing_beside_it(void** /*state*/) {
    GuardedBytes memory(6);
    const std::span<uint8_t> bytes = memory.bytes(6);
    for (const uint32_t value : {uint32_t{0}, uint32_t{1}, uint32_t{0x01020304}, uint32_t{0x80000000}, UINT32_MAX}) {
        memset(bytes.data(), 0xa5, bytes.size());
        fcgate::store_be32(bytes.data() + 2, value);
        assert_true(fcgate::load_be32(bytes.data() + 2) == value);
        assert_int_equal(bytes[1], 0xa5);
        const auto half = static_cast<uint16_t>(value);
        fcgate::store_be16(bytes.data() + 1, half);
        assert_int_equal(fcgate::load_be16(bytes.data() + 1), half);
        assert_int_equal(bytes[0], 0xa5);
    }
}

void the_most_significant_byte_comes_first(void** /*state*/) {
    uint8_t bytes[4] = {};
    fcgate::store_be32(bytes, 0x01020304);
    static constexpr uint8_t expected[] = {1, 2, 3, 4};
    assert_memory_equal(bytes, expected, sizeof expected);
    fcgate::store_be16(bytes, 0xfffe);
    static constexpr uint8_t changed[] = {0xff, 0xfe, 3, 4};
    assert_memory_equal(bytes, changed, sizeof changed);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(loads_big_endian_from_any_address),
        cmocka_unit_test(stores_what_it_loads_and_nothing_beside_it),
        cmocka_unit_test(the_most_significant_byte_comes_first),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
