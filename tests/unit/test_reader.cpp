#include <array>

#include "fastcgi/reader.hpp"
#include "test_support.hpp"

using fcgate::Text;
using fcgate::fastcgi::RecordReader;
using fcgate::test::check_text;
using fcgate::test::feed_every_way;
using fcgate::test::GuardedBytes;
using fcgate::test::Pieces;
using Event = RecordReader::Event;

namespace {

constexpr uint8_t end_request = 3;
constexpr uint8_t standard_output = 6;
constexpr uint8_t standard_error = 7;

// Bytes as a backend would send them.
class Stream {
  public:
    Stream& header(uint8_t version, uint8_t type, unsigned id, size_t length, size_t padding) {
        byte(version).byte(type).byte(id >> 8U).byte(id & 0xffU);
        return byte(length >> 8U).byte(length & 0xffU).byte(padding).byte(0);
    }
    Stream& record(uint8_t type, std::string_view content, size_t padding = 0) {
        header(1, type, 1, content.size(), padding);
        raw(content);
        for (size_t i = 0; i < padding; ++i) {
            byte('#');
        }
        return *this;
    }
    Stream& end(uint32_t app_status, uint8_t protocol_status, size_t padding = 0) {
        const char body[8] = {static_cast<char>(app_status >> 24U),
                              static_cast<char>(app_status >> 16U),
                              static_cast<char>(app_status >> 8U),
                              static_cast<char>(app_status),
                              static_cast<char>(protocol_status),
                              0,
                              0,
                              0};
        return record(end_request, {body, sizeof body}, padding);
    }
    Stream& raw(std::string_view bytes) {
        assert_true(bytes.size() <= sizeof bytes_ - size_);
        memcpy(bytes_ + size_, bytes.data(), bytes.size());
        size_ += bytes.size();
        return *this;
    }
    [[nodiscard]] std::string_view view() const { return {bytes_, size_}; }

  private:
    Stream& byte(size_t value) {
        const char one = static_cast<char>(value);
        return raw({&one, 1});
    }

    char bytes_[2048];
    size_t size_ = 0;
};

// What came out of a stream, until its end or the first event that ends it.
struct Outcome {
    Text<2048> output;
    Text<2048> errors;
    Event last = Event::need_more;
    size_t left = 0;  // bytes behind that event
};

void read(RecordReader& reader, Pieces& pieces, Outcome& outcome) {
    std::string_view piece;
    while (pieces.next(piece)) {
        std::span<const char> input(piece.data(), piece.size());
        while (true) {
            outcome.last = reader.next(input);
            if (outcome.last == Event::standard_output) {
                assert_false(reader.slice().empty());
                outcome.output.append(reader.slice());
            } else if (outcome.last == Event::standard_error) {
                assert_false(reader.slice().empty());
                outcome.errors.append(reader.slice());
            } else {
                break;
            }
        }
        if (outcome.last != Event::need_more) {
            outcome.left = input.size() + pieces.rest().size();
            return;
        }
        assert_int_equal(input.size(), 0);
    }
}

void check_malformed(std::string_view bytes, std::string_view error) {
    feed_every_way(bytes, [&](Pieces& pieces) {
        RecordReader reader;
        Outcome outcome;
        read(reader, pieces, outcome);
        assert_int_equal(outcome.last, Event::malformed);
        check_text(Text<80>(reader.error()).view(), error);
        assert_false(reader.at_boundary());
        // There is no way back.
        const std::string_view good = "\1\6\0\1\0\0\0\0";
        std::span<const char> input(good.data(), good.size());
        assert_int_equal(reader.next(input), Event::malformed);
        assert_int_equal(input.size(), good.size());
    });
}

void reads_output_errors_and_the_end(void** /*state*/) {
    Stream stream;
    stream.record(standard_output, "Status: 200\r\n").record(standard_error, "PHP Warning", 5);
    stream.record(standard_output, "\r\nbody", 2).end(0x01020304, 2);
    feed_every_way(stream.view(), [](Pieces& pieces) {
        RecordReader reader;
        Outcome outcome;
        read(reader, pieces, outcome);
        assert_int_equal(outcome.last, Event::end_request);
        check_text(outcome.output.view(), "Status: 200\r\n\r\nbody");
        check_text(outcome.errors.view(), "PHP Warning");
        assert_int_equal(reader.app_status(), 0x01020304);
        assert_int_equal(reader.protocol_status(), 2);
        assert_int_equal(outcome.left, 0);
        assert_true(reader.at_boundary());
        assert_true(reader.slice().empty());
    });
}

void a_slice_comes_as_soon_as_its_first_byte(void** /*state*/) {
    Stream stream;
    stream.header(1, standard_output, 1, 60000, 0).raw("a");
    GuardedBytes memory(stream.view());
    std::span<const char> input(memory.view().data(), memory.view().size());
    RecordReader reader;
    assert_int_equal(reader.next(input), Event::standard_output);
    check_text(reader.slice(), "a");
    assert_int_equal(reader.next(input), Event::need_more);
    assert_true(reader.slice().empty());
}

void one_call_gives_one_event(void** /*state*/) {
    Stream stream;
    stream.record(standard_output, "a").record(standard_error, "b").end(0, 0);
    std::span<const char> input(stream.view().data(), stream.view().size());
    RecordReader reader;
    assert_int_equal(reader.next(input), Event::standard_output);
    assert_int_equal(reader.next(input), Event::standard_error);
    assert_int_equal(reader.next(input), Event::end_request);
    assert_int_equal(reader.next(input), Event::need_more);
}

void padding_of_every_length_is_skipped(void** /*state*/) {
    for (const size_t padding : {size_t{1}, size_t{7}, size_t{8}, size_t{255}}) {
        Stream stream;
        stream.record(standard_output, "a", padding).record(standard_output, "", padding);
        stream.record(standard_output, "b", padding).end(0, 0, padding);
        feed_every_way(stream.view(), [](Pieces& pieces) {
            RecordReader reader;
            Outcome outcome;
            read(reader, pieces, outcome);
            assert_int_equal(outcome.last, Event::end_request);
            assert_int_equal(outcome.left, 0);
            check_text(outcome.output.view(), "ab");
        });
    }
}

void records_of_no_length_are_no_events(void** /*state*/) {
    Stream stream;
    stream.record(standard_output, "")
        .record(standard_error, "")
        .record(standard_output, "a")
        .record(standard_output, "");
    feed_every_way(stream.view(), [](Pieces& pieces) {
        RecordReader reader;
        Outcome outcome;
        read(reader, pieces, outcome);
        assert_int_equal(outcome.last, Event::need_more);
        check_text(outcome.output.view(), "a");
        assert_true(reader.at_boundary());
    });
}

void a_record_of_the_largest_length_is_read(void** /*state*/) {
    static char content[65535];
    memset(content, 'x', sizeof content);
    static constexpr char head[] = {1, 6, 0, 1, '\xff', '\xff', '\xff', 0};
    RecordReader reader;
    std::span<const char> input(head);
    assert_int_equal(reader.next(input), Event::need_more);
    input = content;
    assert_int_equal(reader.next(input), Event::standard_output);
    assert_int_equal(reader.slice().size(), sizeof content);
    input = std::span<const char>(content).first(255);
    assert_int_equal(reader.next(input), Event::need_more);
    assert_true(reader.at_boundary());
}

void only_between_records_is_a_boundary(void** /*state*/) {
    Stream stream;
    stream.record(standard_output, "abc", 2).end(0, 0, 1);
    const size_t first = 8 + 3 + 2;
    for (size_t count = 0; count <= stream.view().size(); ++count) {
        RecordReader reader;
        GuardedBytes memory(fcgate::slice(stream.view(), 0, count));
        std::span<const char> input(memory.view().data(), count);
        while (reader.next(input) == Event::standard_output) {}
        assert_int_equal(reader.at_boundary(), count == 0 || count == first || count == stream.view().size());
    }
}

void bytes_behind_the_end_stay_in_the_input_and_are_malformed_if_read(void** /*state*/) {
    Stream stream;
    stream.end(0, 0, 3).record(standard_output, "late");
    feed_every_way(stream.view(), [](Pieces& pieces) {
        RecordReader reader;
        Outcome outcome;
        read(reader, pieces, outcome);
        assert_int_equal(outcome.last, Event::end_request);
        assert_int_equal(outcome.left, 8 + 4);
        const std::string_view late = "x";
        std::span<const char> input(late.data(), late.size());
        assert_int_equal(reader.next(input), Event::malformed);
        check_text(Text<80>(reader.error()).view(), "bytes behind FCGI_END_REQUEST");
        assert_int_equal(input.size(), 1);
    });
}

void after_a_reset_the_next_answer_of_a_kept_connection_is_read(void** /*state*/) {
    Stream stream;
    stream.record(standard_output, "one").end(7, 1);
    RecordReader reader;
    for (int i = 0; i < 2; ++i) {
        feed_every_way(stream.view(), [&](Pieces& pieces) {
            Outcome outcome;
            read(reader, pieces, outcome);
            assert_int_equal(outcome.last, Event::end_request);
            check_text(outcome.output.view(), "one");
            reader.reset();
            assert_int_equal(reader.app_status(), 0);
        });
    }
}

void an_unknown_version_is_malformed(void** /*state*/) {
    for (const uint8_t version : {uint8_t{0}, uint8_t{2}, uint8_t{255}}) {
        Stream stream;
        stream.record(standard_output, "a").header(version, standard_output, 1, 0, 0);
        check_malformed(stream.view(), "record of an unknown FastCGI version");
    }
}

void an_answer_in_plain_http_is_malformed(void** /*state*/) {
    check_malformed("HTTP/1.1 400 Bad Request\r\n\r\n", "record of an unknown FastCGI version");
}

void every_foreign_type_is_malformed(void** /*state*/) {
    for (unsigned type = 0; type < 256; ++type) {
        if (type == end_request || type == standard_output || type == standard_error) {
            continue;
        }
        Stream stream;
        stream.header(1, static_cast<uint8_t>(type), 1, 0, 0);
        check_malformed(stream.view(), "record of a type that is no answer");
    }
}

void a_record_of_another_request_is_malformed(void** /*state*/) {
    for (const unsigned id : {0U, 2U, 0x0100U, 0x0101U, 0xffffU}) {
        Stream stream;
        stream.header(1, standard_output, id, 1, 0).raw("a");
        check_malformed(stream.view(), "record of another request");
    }
}

void an_end_of_another_length_than_eight_is_malformed(void** /*state*/) {
    for (const size_t length : {size_t{0}, size_t{7}, size_t{9}, size_t{264}, size_t{65535}}) {
        Stream stream;
        stream.header(1, end_request, 1, length, 0);
        check_malformed(stream.view(), "FCGI_END_REQUEST of a wrong length");
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(reads_output_errors_and_the_end),
        cmocka_unit_test(a_slice_comes_as_soon_as_its_first_byte),
        cmocka_unit_test(one_call_gives_one_event),
        cmocka_unit_test(padding_of_every_length_is_skipped),
        cmocka_unit_test(records_of_no_length_are_no_events),
        cmocka_unit_test(a_record_of_the_largest_length_is_read),
        cmocka_unit_test(only_between_records_is_a_boundary),
        cmocka_unit_test(bytes_behind_the_end_stay_in_the_input_and_are_malformed_if_read),
        cmocka_unit_test(after_a_reset_the_next_answer_of_a_kept_connection_is_read),
        cmocka_unit_test(an_unknown_version_is_malformed),
        cmocka_unit_test(an_answer_in_plain_http_is_malformed),
        cmocka_unit_test(every_foreign_type_is_malformed),
        cmocka_unit_test(a_record_of_another_request_is_malformed),
        cmocka_unit_test(an_end_of_another_length_than_eight_is_malformed),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
