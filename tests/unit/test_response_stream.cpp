#include <algorithm>
#include <array>

#include "fastcgi/response_stream.hpp"
#include "random.hpp"
#include "test_support.hpp"

using fcgate::Page;
using fcgate::PagePool;
using fcgate::Status;
using fcgate::Text;
using fcgate::fastcgi::ErrorSink;
using fcgate::fastcgi::RecordType;
using fcgate::fastcgi::ResponseStream;
using fcgate::test::check_status;
using fcgate::test::check_text;
using fcgate::test::feed_every_way;
using fcgate::test::Pieces;
using fcgate::test::Random;

namespace {

constexpr size_t pool_pages = 6;
constexpr size_t head_size = 256;
constexpr size_t page_bytes = sizeof(Page::bytes);

// Bytes as PHP would send them.
struct Wire {
    Wire& record(RecordType type, std::string_view content, size_t padding = 0) {
        uint8_t header[fcgate::fastcgi::header_size];
        fcgate::fastcgi::encode_header(header, type, content.size());
        header[6] = static_cast<uint8_t>(padding);
        text.append({reinterpret_cast<const char*>(header), sizeof header}).append(content);
        for (size_t i = 0; i < padding; ++i) {
            text.append('#');
        }
        return *this;
    }
    Wire& out(std::string_view content, size_t padding = 0) {
        return record(RecordType::standard_output, content, padding);
    }
    Wire& err(std::string_view content) { return record(RecordType::standard_error, content); }
    Wire& end(char app_status = 0, char protocol_status = 0) {
        const char body[8] = {0, 0, 0, app_status, protocol_status, 0, 0, 0};
        return record(RecordType::end_request, {body, sizeof body});
    }
    [[nodiscard]] std::string_view view() const {
        assert_true(text.ok());
        return text.view();
    }

    Text<size_t{128} * 1024> text;
};

// A response under way, with a pool of its own.
struct Scene {
    explicit Scene(bool drop_body = false, size_t limit = pool_pages * page_bytes) {
        pool.init(pages, 1);
        stream.init(pool, limit, head, drop_body);
    }
    ~Scene() {
        stream.finish();
        assert_int_equal(pool.shared_left(), pool_pages - 1);
    }
    Status feed(std::string_view bytes) {
        const ErrorSink sink{
            &errors, [](void* context, std::string_view text) { static_cast<Text<1024>*>(context)->append(text); }};
        return stream.feed({bytes.data(), bytes.size()}, sink);
    }
    // All of it; what is not ok ends it.
    Status feed_all(Pieces& pieces) {
        std::string_view piece;
        while (pieces.next(piece)) {
            const Status status = feed(piece);
            if (status != Status::ok) {
                return status;
            }
        }
        return Status::ok;
    }
    std::string_view read_all() {
        size = stream.read(output);
        assert_int_equal(stream.output_size(), 0);
        return {output.data(), size};
    }

    std::array<Page, pool_pages> pages;
    std::array<char, head_size> head;
    std::array<char, pool_pages * page_bytes> output;
    size_t size = 0;
    Text<1024> errors;
    PagePool pool;
    ResponseStream stream;
};

void a_response_is_the_same_however_it_arrives(void** /*state*/) {
    Wire wire;
    wire.out("Status: 404 Not Here\r\nContent-Ty").err("PHP Notice: a\n").out("pe: text/plain\r\n\r\nnothing ", 5);
    wire.err("").out("here", 3).out("").err("b").end(7);
    feed_every_way(wire.view(), [](Pieces& pieces) {
        Scene scene;
        check_status(scene.feed_all(pieces), Status::ok);
        assert_true(scene.stream.head_done());
        assert_true(scene.stream.ended());
        assert_true(scene.stream.is_clean());
        assert_false(scene.stream.is_cut_short());
        assert_int_equal(scene.stream.head().status(), 404);
        assert_int_equal(scene.stream.head().field_count(), 1);
        assert_int_equal(scene.stream.app_status(), 7);
        assert_int_equal(scene.stream.protocol_status(), 0);
        assert_true(scene.stream.is_whole());
        check_text(scene.stream.whole(), "nothing here");
        check_text(scene.errors.view(), "PHP Notice: a\nb");
        check_text(scene.read_all(), "nothing here");
    });
}

void nothing_is_received_until_the_first_byte(void** /*state*/) {
    Scene scene;
    assert_true(scene.stream.nothing_received());
    assert_false(scene.stream.is_whole());
    check_status(scene.feed("\1"), Status::ok);
    assert_false(scene.stream.nothing_received());
    assert_int_equal(scene.stream.received(), 1);
}

void a_body_longer_than_its_content_length_is_cut(void** /*state*/) {
    Wire wire;
    wire.out("Content-Length: 5\n\nabc").out("defgh").out("i").end();
    feed_every_way(wire.view(), [](Pieces& pieces) {
        Scene scene;
        check_status(scene.feed_all(pieces), Status::ok);
        assert_false(scene.stream.is_cut_short());
        assert_true(scene.stream.is_clean());
        check_text(scene.read_all(), "abcde");
    });
}

void a_body_shorter_than_its_content_length_is_noticed(void** /*state*/) {
    Wire wire;
    wire.out("Content-Length: 5\n\nabc").end();
    feed_every_way(wire.view(), [](Pieces& pieces) {
        Scene scene;
        check_status(scene.feed_all(pieces), Status::ok);
        assert_true(scene.stream.is_cut_short());
        check_text(scene.read_all(), "abc");
    });
}

void a_body_that_may_not_be_sent_is_dropped(void** /*state*/) {
    for (const std::string_view head : {"Status: 200\n\n", "Status: 204\n\n", "Status: 304\n\n"}) {
        Wire wire;
        wire.out(head).out("a body").end();
        feed_every_way(wire.view(), [head](Pieces& pieces) {
            Scene scene(head == "Status: 200\n\n");
            check_status(scene.feed_all(pieces), Status::ok);
            assert_true(scene.stream.ended());
            assert_true(scene.stream.is_whole());
            assert_int_equal(scene.stream.output_size(), 0);
            assert_false(scene.stream.is_cut_short());
        });
    }
    Wire wire;  // a HEAD tells the length of what it does not send
    wire.out("Content-Length: 500\n\n").end();
    Scene scene(true);
    check_status(scene.feed(wire.view()), Status::ok);
    assert_false(scene.stream.is_cut_short());
}

void it_knows_when_the_client_has_all_it_is_due(void** /*state*/) {
    static Wire wire;
    wire.text.clear();
    wire.out("Content-Length: 5\n\nabc").out("de").out("more").end();
    const size_t due = wire.view().find("de") + 2;
    Scene scene;
    for (size_t i = 0; i < wire.view().size(); ++i) {
        assert_int_equal(scene.stream.is_all_there(), i >= due);
        check_status(scene.feed(fcgate::slice(wire.view(), i, 1)), Status::ok);
    }
    // Without a length only the end tells, and a HEAD is due nothing but the head.
    Scene unknown;
    Scene head_only(true);
    wire.text.clear();
    check_status(unknown.feed(wire.out("A: b\n\nabc").view()), Status::ok);
    wire.text.clear();
    check_status(head_only.feed(wire.out("A: b\n\n").view()), Status::ok);
    assert_false(unknown.stream.is_all_there());
    assert_true(head_only.stream.is_all_there());
}

void what_nobody_reads_any_more_takes_no_room(void** /*state*/) {
    static Wire wire;
    wire.text.clear();
    static std::array<char, 9 * page_bytes> content{};
    wire.out("A: b\n\n").out({content.data(), page_bytes});
    Scene scene;
    check_status(scene.feed(wire.view()), Status::ok);
    scene.stream.drop_rest();
    assert_int_equal(scene.stream.output_size(), 0);
    wire.text.clear();
    check_status(scene.feed(wire.out({content.data(), content.size()}).end().view()), Status::ok);
    assert_int_equal(scene.stream.output_size(), 0);
    assert_true(scene.stream.is_clean());
}

void bytes_behind_the_end_make_the_connection_unclean(void** /*state*/) {
    Wire wire;
    wire.out("A: b\n\nx").end();
    const size_t length = wire.view().size();
    Scene scene;
    check_status(scene.feed(wire.text.append('?').view()), Status::ok);
    assert_true(scene.stream.ended());
    assert_false(scene.stream.is_clean());
    Scene later;
    check_status(later.feed(fcgate::slice(wire.view(), 0, length)), Status::ok);
    assert_true(later.stream.is_clean());
    check_status(later.feed("?"), Status::malformed);
}

void a_bad_record_or_head_says_why(void** /*state*/) {
    struct Case {
        Status status;
        Wire wire;
    };
    static Case cases[4];
    cases[0].status = Status::malformed;
    cases[0].wire.record(RecordType::get_values, "");
    cases[1].status = Status::malformed;
    cases[1].wire.out("no colon\n\n");
    cases[2].status = Status::malformed;
    cases[2].wire.out("Status: 100\n\n");
    cases[3].status = Status::too_large;
    static char filler[head_size + 1];
    memset(filler, 'x', sizeof filler);
    cases[3].wire.out({filler, sizeof filler}).out("\n\n");
    for (const Case& one : cases) {
        feed_every_way(one.wire.view(), [&one](Pieces& pieces) {
            Scene scene;
            check_status(scene.feed_all(pieces), one.status);
            assert_false(scene.stream.error().empty());
            assert_false(scene.stream.head_done());
        });
    }
}

void an_end_without_a_head_is_told_apart(void** /*state*/) {
    Wire wire;
    wire.err("fatal").out("").end(1);
    feed_every_way(wire.view(), [](Pieces& pieces) {
        Scene scene;
        check_status(scene.feed_all(pieces), Status::ok);
        assert_true(scene.stream.ended());
        assert_false(scene.stream.head_done());
    });
}

// A body of records of random sizes; its byte at an offset is known.
size_t make_long_wire(Wire& wire, Random& random, bool with_length) {
    static std::array<char, 30'000> content;
    std::array<size_t, 12> sizes{};
    size_t total = 0;
    for (size_t& size : sizes) {
        size = random.below(random.one_in(2) ? 100 : 9000);
        total += size;
    }
    Text<128> head;
    head.append("Content-Type: text/plain\r\n");
    if (with_length) {
        head.append("Content-Length: ").append_number(total).append("\r\n");
    }
    wire.out(head.append("\r\n").view());
    size_t at = 0;
    for (const size_t size : sizes) {
        for (size_t i = 0; i < size; ++i, ++at) {
            content[i] = static_cast<char>((at * 7 + (at >> 8U)) & 0xffU);
        }
        wire.out({content.data(), size}, random.below(8));
    }
    wire.end();
    return total;
}

void whoever_feeds_no_more_than_room_never_overflows(void** /*state*/) {
    Random random(17);
    for (int round = 0; round < 60; ++round) {
        static Wire wire;
        wire.text.clear();
        const size_t total = make_long_wire(wire, random, random.one_in(2));
        Scene scene(false, 1 + random.below(4 * page_bytes));
        // Others hold most of the pool.
        fcgate::PageChain others;
        others.init(scene.pool, false, SIZE_MAX / 2);
        static const std::array<char, pool_pages * page_bytes> filler{};
        (void)others.append({filler.data(), random.below(filler.size() + 1)});

        std::string_view rest = wire.view();
        size_t at = 0;
        while (!rest.empty() || scene.stream.output_size() > 0) {
            const size_t room = scene.stream.room();
            assert_true(room > 0 || scene.stream.output_size() > 0);
            if (room > 0 && !rest.empty() && random.one_in(2)) {
                const size_t size = std::min({room, rest.size(), size_t{1} + random.below(65'536)});
                check_status(scene.feed(fcgate::slice(rest, 0, size)), Status::ok);
                rest.remove_prefix(size);
                continue;
            }
            std::array<char, 5000> out;
            const size_t count = scene.stream.read({out.data(), size_t{1} + random.below(out.size())});
            for (size_t i = 0; i < count; ++i, ++at) {
                assert_int_equal(out[i], static_cast<char>((at * 7 + (at >> 8U)) & 0xffU));
            }
        }
        assert_int_equal(at, total);
        assert_true(scene.stream.is_clean());
        assert_false(scene.stream.is_cut_short());
        others.clear();
    }
}

void more_than_room_is_refused_not_lost_in_silence(void** /*state*/) {
    Scene scene(false, page_bytes);
    static Wire wire;
    check_status(scene.feed(wire.out("A: b\n\n").view()), Status::ok);
    static std::array<char, 3 * page_bytes> content{};
    wire.text.clear();
    check_status(scene.feed(wire.out({content.data(), content.size()}).view()), Status::too_large);
    assert_false(scene.stream.error().empty());
}

// What is no part of an answer may go on for long, not for ever.
void error_output_without_an_answer_has_a_bound(void** /*state*/) {
    const Text<1024> line(
        "PHP message: PHP Warning: something is odd, and so it is said at some length, again and again\n");
    Wire wire;
    size_t size = 0;
    while (size < size_t{64} * 1024) {
        wire.err(line.view());
        size = wire.view().size();
    }
    Scene scene;
    size_t taken = 0;
    while (taken + size <= fcgate::limits::chatter) {
        check_status(scene.feed(wire.view()), Status::ok);
        taken += size;
    }
    // A byte of an answer, and all of it may come again.
    Wire answer;
    answer.out("X: y\r\n\r\n.");
    check_status(scene.feed(answer.view()), Status::ok);
    for (taken = 0; taken + size <= fcgate::limits::chatter; taken += size) {
        check_status(scene.feed(wire.view()), Status::ok);
    }
    assert_false(scene.stream.is_chatter());
    check_status(scene.feed(wire.view()), Status::too_large);
    assert_true(scene.stream.is_chatter());
    assert_false(scene.stream.is_record_malformed());
}

void empty_records_without_an_answer_have_a_bound(void** /*state*/) {
    Wire wire;
    for (int i = 0; i < 1000; ++i) {
        wire.out("", 0);
    }
    Scene scene;
    size_t taken = 0;
    Status status = Status::ok;
    while (status == Status::ok && taken < 2 * fcgate::limits::chatter) {
        status = scene.feed(wire.view());
        taken += wire.view().size();
    }
    check_status(status, Status::too_large);
    assert_true(scene.stream.is_chatter() && taken > fcgate::limits::chatter);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_response_is_the_same_however_it_arrives),
        cmocka_unit_test(nothing_is_received_until_the_first_byte),
        cmocka_unit_test(a_body_longer_than_its_content_length_is_cut),
        cmocka_unit_test(a_body_shorter_than_its_content_length_is_noticed),
        cmocka_unit_test(a_body_that_may_not_be_sent_is_dropped),
        cmocka_unit_test(it_knows_when_the_client_has_all_it_is_due),
        cmocka_unit_test(what_nobody_reads_any_more_takes_no_room),
        cmocka_unit_test(bytes_behind_the_end_make_the_connection_unclean),
        cmocka_unit_test(a_bad_record_or_head_says_why),
        cmocka_unit_test(an_end_without_a_head_is_told_apart),
        cmocka_unit_test(whoever_feeds_no_more_than_room_never_overflows),
        cmocka_unit_test(more_than_room_is_refused_not_lost_in_silence),
        cmocka_unit_test(error_output_without_an_answer_has_a_bound),
        cmocka_unit_test(empty_records_without_an_answer_have_a_bound),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
