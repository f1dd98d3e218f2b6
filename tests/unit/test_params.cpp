#include "decoded_params.hpp"
#include "fastcgi/params.hpp"
#include "test_support.hpp"

using fcgate::Result;
using fcgate::Status;
using fcgate::fastcgi::ParamsWriter;
using fcgate::test::check_status;
using fcgate::test::check_text;
using fcgate::test::DecodedParams;
using fcgate::test::GuardedBytes;

namespace {

constexpr size_t begin_size = 16;
constexpr size_t header_size = 8;

char long_text[70000];

std::string_view text_of(size_t length) {
    return {long_text, length};
}

std::span<const uint8_t> finished(ParamsWriter& writer) {
    const Result<std::span<const uint8_t>> result = writer.finish();
    check_status(result.status(), Status::ok);
    return result.value();
}

void writes_the_specifications_bytes(void** /*state*/) {
    GuardedBytes memory(256);
    ParamsWriter writer(memory.bytes(256), true);
    writer.add("AB", "xyz");
    static constexpr uint8_t expected[] = {
        1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1,   0,   0,   0,   0,   0,  // BEGIN_REQUEST, responder, keep
        1, 4, 0, 1, 0, 7, 0, 0, 2, 3, 'A', 'B', 'x', 'y', 'z',     // PARAMS
        1, 4, 0, 1, 0, 0, 0, 0,                                    // the empty PARAMS
    };
    const std::span<const uint8_t> bytes = finished(writer);
    assert_int_equal(bytes.size(), sizeof expected);
    assert_memory_equal(bytes.data(), expected, sizeof expected);
}

void asks_to_close_without_keep_connection(void** /*state*/) {
    GuardedBytes memory(64);
    ParamsWriter closing(memory.bytes(64), false);
    assert_false(DecodedParams(finished(closing)).keep_connection());
}

void without_params_only_the_empty_record_follows(void** /*state*/) {
    GuardedBytes memory(begin_size + header_size);
    ParamsWriter writer(memory.bytes(begin_size + header_size), true);
    const DecodedParams decoded(finished(writer));
    assert_int_equal(decoded.count(), 0);
    assert_int_equal(decoded.records(), 0);
}

void encodes_lengths_around_one_byte(void** /*state*/) {
    for (const size_t name : {size_t{0}, size_t{1}, size_t{127}, size_t{128}, size_t{255}, size_t{256}}) {
        for (const size_t value : {size_t{0}, size_t{127}, size_t{128}, size_t{40000}}) {
            const size_t size =
                begin_size + 2 * header_size + (name < 128 ? 1U : 4U) + (value < 128 ? 1U : 4U) + name + value;
            GuardedBytes memory(size);  // fits exactly
            ParamsWriter writer(memory.bytes(size), true);
            writer.add(text_of(name), text_of(value));
            const DecodedParams decoded(finished(writer));
            assert_int_equal(decoded.count(), 1);
            check_text(decoded.name(0), text_of(name));
            check_text(decoded.value(0), text_of(value));
        }
    }
}

// In a record that has begun.
void encodes_long_lengths_behind_short_ones(void** /*state*/) {
    for (const size_t name : {size_t{127}, size_t{128}}) {
        for (const size_t value : {size_t{127}, size_t{128}}) {
            GuardedBytes memory(1000);
            ParamsWriter writer(memory.bytes(1000), true);
            writer.add("N", "1");
            writer.add(text_of(name), text_of(value));
            writer.add("M", "2");
            const DecodedParams decoded(finished(writer));
            assert_int_equal(decoded.count(), 3);
            check_text(decoded.name(1), text_of(name));
            check_text(decoded.value(1), text_of(value));
            check_text(decoded.get("M"), "2");
        }
    }
}

void a_pair_may_fill_a_record_but_not_exceed_it(void** /*state*/) {
    constexpr size_t largest = 65535 - 1 - 4 - 1;  // two lengths, and a name of one byte
    GuardedBytes memory(80000);
    ParamsWriter fits(memory.bytes(80000), true);
    fits.add("N", text_of(largest));
    fits.add("M", "1");
    const DecodedParams decoded(finished(fits));
    assert_int_equal(decoded.records(), 2);
    check_text(decoded.get("N"), text_of(largest));
    check_text(decoded.get("M"), "1");

    for (const size_t length : {largest + 1, size_t{65535}, size_t{65536}}) {
        ParamsWriter too_large(memory.bytes(80000), true);
        too_large.add("N", text_of(length));
        check_status(too_large.finish().status(), Status::too_large);
        ParamsWriter name_too_large(memory.bytes(80000), true);
        name_too_large.add(text_of(length), "N");
        check_status(name_too_large.finish().status(), Status::too_large);
    }
    ParamsWriter absurd(memory.bytes(80000), true);
    absurd.begin_value("N", true, SIZE_MAX);
    check_status(absurd.finish().status(), Status::too_large);
}

void a_short_pair_behind_another_fits_exactly_or_not_at_all(void** /*state*/) {
    for (const size_t missing : {size_t{0}, size_t{1}, size_t{2}, size_t{129}}) {
        const size_t size = begin_size + 2 * header_size + 4 + 2 * (2 + 4 + 127) - missing;
        GuardedBytes memory(size);
        ParamsWriter writer(memory.bytes(size), true);
        writer.add("", "12");
        writer.add("NAME", text_of(127));
        writer.add("LAST", text_of(127));
        check_status(writer.finish().status(), missing == 0 ? Status::ok : Status::too_large);
    }
    // ... and the record's end is as hard as that of the memory.
    constexpr size_t filling = 65535 - 1 - 4 - 1 - 5;
    for (const size_t length : {size_t{2}, size_t{3}}) {
        GuardedBytes memory(80000);
        ParamsWriter writer(memory.bytes(80000), true);
        writer.add("N", text_of(filling));
        writer.add("M", text_of(length));
        assert_int_equal(DecodedParams(finished(writer)).records(), length == 2 ? 1 : 2);
    }
}

void many_params_take_several_records_each_of_whole_pairs(void** /*state*/) {
    constexpr size_t capacity = 300000;
    GuardedBytes memory(capacity);
    ParamsWriter writer(memory.bytes(capacity), true);
    for (size_t i = 0; i < 2000; ++i) {
        writer.add("NAME", text_of(i % 140));
    }
    const DecodedParams decoded(finished(writer));  // refuses pairs across records
    assert_int_equal(decoded.count(), 2000);
    assert_true(decoded.records() >= 2);
    for (size_t i = 0; i < 2000; ++i) {
        check_text(decoded.name(i), "NAME");
        check_text(decoded.value(i), text_of(i % 140));
    }
}

void header_names_become_upper_case_with_underscores(void** /*state*/) {
    GuardedBytes memory(1024);
    ParamsWriter writer(memory.bytes(1024), true);
    writer.add_header("Accept-Language", "de");
    writer.add_header("x-a9-Z", "");
    const DecodedParams decoded(finished(writer));
    check_text(decoded.get("HTTP_ACCEPT_LANGUAGE"), "de");
    check_text(decoded.get("HTTP_X_A9_Z"), "");
}

void a_value_may_come_in_parts(void** /*state*/) {
    GuardedBytes memory(1024);
    ParamsWriter writer(memory.bytes(1024), true);
    constexpr std::string_view two[] = {"/www", "/index.php"};
    constexpr std::string_view three[] = {"a", "", "c"};
    writer.add("TWO", two);
    writer.add("THREE", three);
    writer.begin_value("Cookie", true, 8);
    writer.append_value("a=1");
    writer.append_value("; ");
    writer.append_value("b=2");
    writer.begin_value("EMPTY", false, 0);
    const DecodedParams decoded(finished(writer));
    check_text(decoded.get("TWO"), "/www/index.php");
    check_text(decoded.get("THREE"), "ac");
    check_text(decoded.get("HTTP_COOKIE"), "a=1; b=2");
    check_text(decoded.get("EMPTY"), "");
}

void an_announced_length_that_is_not_met_is_malformed(void** /*state*/) {
    GuardedBytes memory(1024);
    ParamsWriter at_the_end(memory.bytes(1024), true);
    at_the_end.begin_value("N", false, 3);
    at_the_end.append_value("ab");
    check_status(at_the_end.finish().status(), Status::malformed);

    ParamsWriter before_another(memory.bytes(1024), true);
    before_another.begin_value("N", false, 3);
    before_another.append_value("ab");
    before_another.add("M", "1");
    check_status(before_another.finish().status(), Status::malformed);

    ParamsWriter more(memory.bytes(1024), true);
    more.begin_value("N", false, 3);
    more.append_value("abcd");
    check_status(more.finish().status(), Status::malformed);
}

void every_capacity_too_small_is_told_and_kept_to(void** /*state*/) {
    const auto write = [](ParamsWriter& writer) {
        writer.add("SCRIPT_NAME", "/index.php");
        writer.add_header("Accept", text_of(130));
        writer.add("Q", std::array<std::string_view, 2>());
    };
    GuardedBytes memory(1024);
    ParamsWriter measured(memory.bytes(1024), true);
    write(measured);
    const size_t needed = finished(measured).size();

    for (size_t capacity = 0; capacity <= needed; ++capacity) {
        const std::span<uint8_t> all = memory.bytes(capacity + 16);
        memset(all.data(), 0xa5, all.size());
        ParamsWriter writer(all.subspan(8, capacity), true);
        write(writer);
        check_status(writer.finish().status(), capacity == needed ? Status::ok : Status::too_large);
        for (size_t i = 0; i < 8; ++i) {
            assert_int_equal(all[i], 0xa5);
            assert_int_equal(all[all.size() - 1 - i], 0xa5);
        }
        ParamsWriter at_the_page(memory.bytes(capacity), true);
        write(at_the_page);
        check_status(at_the_page.finish().status(), capacity == needed ? Status::ok : Status::too_large);
    }
}

void what_did_not_fit_is_not_forgotten_when_smaller_things_follow(void** /*state*/) {
    GuardedBytes memory(100);
    ParamsWriter writer(memory.bytes(100), true);
    writer.add("LARGE", text_of(200));
    writer.add("S", "1");
    check_status(writer.finish().status(), Status::too_large);
    check_status(writer.finish().status(), Status::too_large);
}

}  // namespace

int main() {
    memset(long_text, 'v', sizeof long_text);
    const CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_specifications_bytes),
        cmocka_unit_test(asks_to_close_without_keep_connection),
        cmocka_unit_test(without_params_only_the_empty_record_follows),
        cmocka_unit_test(encodes_lengths_around_one_byte),
        cmocka_unit_test(encodes_long_lengths_behind_short_ones),
        cmocka_unit_test(a_pair_may_fill_a_record_but_not_exceed_it),
        cmocka_unit_test(a_short_pair_behind_another_fits_exactly_or_not_at_all),
        cmocka_unit_test(many_params_take_several_records_each_of_whole_pairs),
        cmocka_unit_test(header_names_become_upper_case_with_underscores),
        cmocka_unit_test(a_value_may_come_in_parts),
        cmocka_unit_test(an_announced_length_that_is_not_met_is_malformed),
        cmocka_unit_test(every_capacity_too_small_is_told_and_kept_to),
        cmocka_unit_test(what_did_not_fit_is_not_forgotten_when_smaller_things_follow),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
