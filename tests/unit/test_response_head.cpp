#include "fastcgi/response_head.hpp"
#include "test_support.hpp"

using fcgate::Field;
using fcgate::Status;
using fcgate::Text;
using fcgate::fastcgi::ResponseHead;
using fcgate::test::check_status;
using fcgate::test::check_text;
using fcgate::test::feed_every_way;
using fcgate::test::GuardedBytes;
using fcgate::test::Pieces;

namespace {

// Feeds until a verdict; `left` becomes the count of bytes not consumed, the body.
Status feed(ResponseHead& head, Pieces& pieces, size_t& left) {
    std::string_view piece;
    Status status = Status::again;
    left = 0;
    while (status == Status::again && pieces.next(piece)) {
        status = head.feed(piece);
        if (status == Status::again) {
            assert_int_equal(piece.size(), 0);
        } else {
            left = piece.size() + pieces.rest().size();
        }
    }
    return status;
}

// The fields as lines "Name=value\n".
void print(const ResponseHead& head, Text<8192>& out) {
    fcgate::FieldCursor cursor = head.fields();
    for (Field field; cursor.next(field);) {
        out.append(field.name).append('=').append(field.value).append('\n');
    }
}

size_t count_fields(const ResponseHead& head) {
    fcgate::FieldCursor cursor = head.fields();
    size_t count = 0;
    for (Field field; cursor.next(field);) {
        ++count;
    }
    return count;
}

void check_ok(std::string_view text, uint16_t status, std::string_view fields, const char* file = __builtin_FILE(),
              int line = __builtin_LINE()) {
    feed_every_way(text, [&](Pieces& pieces) {
        GuardedBytes storage(text.size());  // full to the last byte
        ResponseHead head(storage.room(text.size()));
        size_t left = 0;
        check_status(feed(head, pieces, left), Status::ok, file, line);
        Text<8192> printed;
        print(head, printed);
        check_text(printed.view(), fields, file, line);
        assert_int_equal(head.status(), status);
        assert_int_equal(left, 0);
        assert_int_equal(head.size(), text.size());
    });
}

void check_malformed(std::string_view text, std::string_view error, const char* file = __builtin_FILE(),
                     int line = __builtin_LINE()) {
    feed_every_way(text, [&](Pieces& pieces) {
        GuardedBytes storage(text.size());
        ResponseHead head(storage.room(text.size()));
        size_t left = 0;
        check_status(feed(head, pieces, left), Status::malformed, file, line);
        check_text(Text<80>(head.error()).view(), error, file, line);
        std::string_view more = "X: y\r\n\r\n";
        check_status(head.feed(more), Status::malformed, file, line);
        assert_int_equal(more.size(), 8);
    });
}

void reads_the_head_of_php(void** /*state*/) {
    check_ok("X-Powered-By: PHP/8.2.1\r\nContent-type: text/html; charset=UTF-8\r\n\r\n", 200,
             "X-Powered-By=PHP/8.2.1\nContent-type=text/html; charset=UTF-8\n");
}

void leaves_the_body_in_the_input(void** /*state*/) {
    feed_every_way("A: b\r\n\r\n\r\nbody: x\r\n\r\n", [](Pieces& pieces) {
        GuardedBytes storage(64);
        ResponseHead head(storage.room(64));
        size_t left = 0;
        check_status(feed(head, pieces, left), Status::ok);
        assert_int_equal(left, 13);
        assert_int_equal(head.size(), 8);
        std::string_view body = "more";
        check_status(head.feed(body), Status::ok);
        check_text(body, "more");
    });
}

void nothing_is_complete_before_the_empty_line(void** /*state*/) {
    GuardedBytes storage(64);
    ResponseHead head(storage.room(64));
    for (const std::string_view part : {"", "A", ": b", "\r", "\nC: d\r\n", "\r"}) {
        std::string_view input = part;
        check_status(head.feed(input), Status::again);
    }
    std::string_view end = "\nbody";
    check_status(head.feed(end), Status::ok);
    check_text(end, "body");
    assert_int_equal(count_fields(head), 2);
}

void takes_line_feeds_alone_and_mixed(void** /*state*/) {
    check_ok("A: b\nC: d\n\n", 200, "A=b\nC=d\n");
    check_ok("A: b\r\nC: d\n\r\n", 200, "A=b\nC=d\n");
    check_ok("A: b\nC: d\r\n\n", 200, "A=b\nC=d\n");
}

void takes_status_with_and_without_reason(void** /*state*/) {
    check_ok("Status: 404 Not Found\r\nA: b\r\n\r\n", 404, "A=b\n");
    check_ok("Status: 404\r\n\r\n", 404, "");
    check_ok("status:503 \r\n\r\n", 503, "");
    check_ok("A: b\r\nSTATUS: 200 OK: fine\r\n\r\n", 200, "A=b\n");
    check_ok("Status: 999\r\n\r\n", 999, "");
    check_ok("Status: 204\r\nStatus: 204 No Content\r\n\r\n", 204, "");
}

void refuses_other_status_values(void** /*state*/) {
    for (const std::string_view value :
         {"", "abc", "99", "1000", "000", "099", "100", "101 Switching", "199", "-20", "+200", "20", "2 0", "2x0",
          "200OK", "200\tOK", "0200", "200.0", "HTTP/1.1 200"}) {
        Text<64> head;
        head.append("Status: ").append(value).append("\r\n\r\n");
        check_malformed(head.view(), "Status is no code from 200 to 999");
    }
    check_malformed("Status: 200\r\nStatus: 404\r\n\r\n", "two different Status fields");
}

void location_without_status_is_a_redirect(void** /*state*/) {
    check_ok("Location: /login\r\n\r\n", 302, "Location=/login\n");
    check_ok("location: https://a.example/\r\nStatus: 301\r\n\r\n", 301, "location=https://a.example/\n");
    check_ok("Status: 201 Created\r\nLocation: /a\r\n\r\n", 201, "Location=/a\n");
    check_ok("Location:\r\nA: b\r\n\r\n", 200, "A=b\n");
}

void repeated_fields_stay_apart_and_in_order(void** /*state*/) {
    check_ok("Set-Cookie: a=1; Path=/\r\nX: y\r\nSet-Cookie: b=2\r\nset-cookie: c=3, d\r\n\r\n", 200,
             "Set-Cookie=a=1; Path=/\nX=y\nSet-Cookie=b=2\nset-cookie=c=3, d\n");
}

void values_are_trimmed_and_empty_ones_dropped(void** /*state*/) {
    check_ok("A:b\r\nC: \t d\te \t\r\nEmpty:\r\nBlank:  \t\r\nColons:: a:b\r\n\r\n", 200,
             "A=b\nC=d\te\nColons=: a:b\n");
    check_ok("Name: f\xc3\xbcr \xff\x80\r\n\r\n", 200, "Name=f\xc3\xbcr \xff\x80\n");
}

void date_and_server_of_the_script_are_kept(void** /*state*/) {
    check_ok("Date: Mon, 23 Nov 2026 23:00:00 GMT\r\nServer: mine\r\n\r\n", 200,
             "Date=Mon, 23 Nov 2026 23:00:00 GMT\nServer=mine\n");
}

void control_bytes_in_values_are_malformed(void** /*state*/) {
    for (int byte = 0; byte < 256; ++byte) {
        const char text[] = {'A', ':', 'x', static_cast<char>(byte), 'y', '\n', '\n'};
        const std::string_view head(text, sizeof text);
        if (byte == '\n') {
            check_malformed(head, "header field without a colon");
        } else if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            check_malformed(head, "header field value with a control character");
        } else {
            const char fields[] = {'A', '=', 'x', static_cast<char>(byte), 'y', '\n'};
            check_ok(head, 200, {fields, sizeof fields});
        }
    }
    check_malformed("A: b\r\r\n\r\n", "header field value with a control character");
    check_malformed("Status: 200 O\x01K\r\n\r\n", "header field value with a control character");
}

void names_that_are_no_token_are_malformed(void** /*state*/) {
    for (const std::string_view name :
         {"", "Foo Bar", "A ", "A\t", "A(", "A/b", "A\x7f", "\xc3\xa4", "\"A\"", "A=", "A,B"}) {
        Text<64> head;
        head.append(name).append(": x\r\n\r\n");
        check_malformed(head.view(), "header field name with a forbidden character");
    }
    check_malformed({"A\0: x\r\n\r\n", 9}, "header field name with a forbidden character");
}

void a_folded_line_is_malformed(void** /*state*/) {
    check_malformed("A: b\r\n c\r\n\r\n", "folded header field");
    check_malformed("A: b\r\n\tc: d\r\n\r\n", "folded header field");
    check_malformed(" A: b\r\n\r\n", "folded header field");
    check_malformed("A: b\r\n \r\n\r\n", "folded header field");
}

void a_line_without_a_colon_is_malformed(void** /*state*/) {
    check_malformed("A: b\r\nnothing\r\n\r\n", "header field without a colon");
    check_malformed("\r\r\n", "header field without a colon");
    check_malformed("<html>\n", "header field without a colon");
}

void a_head_without_fields_is_malformed(void** /*state*/) {
    check_malformed("\r\n", "response without header fields");
    check_malformed("\n", "response without header fields");
    check_malformed("\r\nA: b\r\n\r\n", "response without header fields");
}

void a_status_line_of_http_is_malformed(void** /*state*/) {
    check_malformed("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP status line instead of a CGI head");
    check_malformed("HTTP/1.1 200 OK: b\r\n\r\n", "header field name with a forbidden character");
}

void storage_of_exactly_the_heads_size_suffices_and_one_byte_less_does_not(void** /*state*/) {
    const std::string_view text = "Status: 200 OK\r\nA: b\r\n\r\n";
    for (size_t capacity = 0; capacity <= text.size(); ++capacity) {
        feed_every_way(text, [&](Pieces& pieces) {
            GuardedBytes storage(capacity);
            ResponseHead head(storage.room(capacity));
            size_t left = 0;
            check_status(feed(head, pieces, left), capacity == text.size() ? Status::ok : Status::too_large);
            assert_int_equal(head.size(), text.size());
            assert_int_equal(head.is_oversized(), capacity < text.size());
            assert_int_equal(left, 0);
            if (capacity < text.size()) {
                std::string_view more = "\n";
                check_status(head.feed(more), Status::too_large);
                assert_int_equal(more.size(), 1);
            }
        });
    }
}

void as_many_fields_as_the_room_is_for_and_no_more(void** /*state*/) {
    constexpr struct {
        size_t room;
        size_t most;
    } rooms[] = {{2048, 64}, {size_t{10} * 1024, 160}, {size_t{32} * 1024, 512}, {size_t{512} * 1024, 512}};
    for (const auto& [room, most] : rooms) {
        for (const size_t count : {most, most + 1}) {
            Text<32768> text;
            for (size_t i = 0; i < count; ++i) {
                text.append(room > 4096 ? "A: b\r\nEmpty:\r\nUpgrade: x\r\n"
                                        : "A: b\r\n");  // what is dropped does not count
            }
            text.append("\r\n");
            GuardedBytes storage(room);
            ResponseHead head(storage.room(room));
            assert_int_equal(head.most_fields(), most);
            std::string_view input = text.view();
            check_status(head.feed(input), count == most ? Status::ok : Status::too_large);
            assert_int_equal(count_fields(head), most);
            assert_int_equal(head.is_oversized(), count > most);
            assert_int_equal(head.size(), text.size());
        }
    }
}

// Whoever must make room for it hears how much; what follows it is body again.
void a_head_that_is_too_large_is_counted_to_its_end(void** /*state*/) {
    Text<512> text;
    for (size_t i = 0; i < 5; ++i) {
        text.append("Set-Cookie: name=value\r\n");
    }
    for (const std::string_view end : {"\r\n", "\n", "A\r\n\r\n", "A\n\n"}) {
        for (const size_t capacity : {size_t{0}, size_t{1}, size_t{23}, size_t{24}, size_t{60}, text.size()}) {
            Text<512> whole;
            whole.append(text.view()).append(end).append("X: body\r\n\r\n");
            feed_every_way(whole.view(), [&](Pieces& pieces) {
                GuardedBytes storage(capacity);
                ResponseHead head(storage.room(capacity));
                size_t left = 0;
                check_status(feed(head, pieces, left), Status::too_large);
                assert_int_equal(left, 11);
                assert_int_equal(head.size(), text.size() + end.size());
            });
        }
    }
}

void a_head_without_an_end_is_not_counted_for_ever(void** /*state*/) {
    GuardedBytes storage(64);
    ResponseHead head(storage.room(64));
    size_t fed = 0;
    Status status = Status::again;
    while (status == Status::again) {
        std::string_view line = "X-Line: 0123456789abcdef\r\n";
        fed += line.size();
        assert_true(fed <= 64 + fcgate::limits::chatter + line.size());
        status = head.feed(line);
    }
    check_status(status, Status::too_large);
    assert_true(fed > fcgate::limits::chatter);
}

void unwanted_fields_are_dropped_afterwards(void** /*state*/) {
    const std::string_view text =
        "A: 1\r\nContent-Type: text/plain\r\nETag: \"x\"\r\nContent-Language: de\r\nB: 2\r\n\r\n";
    GuardedBytes storage(text.size());
    ResponseHead head(storage.room(text.size()));
    std::string_view input = text;
    check_status(head.feed(input), Status::ok);
    head.drop_fields([](std::string_view name) { return fcgate::starts_with(name, "Content-"); });
    Text<8192> printed;
    print(head, printed);
    check_text(printed.view(), "A=1\nETag=\"x\"\nB=2\n");
    head.drop_fields([](std::string_view /*name*/) { return true; });
    assert_int_equal(count_fields(head), 0);
}

void reads_the_content_length(void** /*state*/) {
    const std::string_view text =
        "Content-Length: 18446744073709551615\r\nA: b\r\ncontent-length: 18446744073709551615\r\n\r\n";
    check_ok(text, 200, "A=b\n");
    GuardedBytes storage(text.size());
    ResponseHead head(storage.room(text.size()));
    assert_false(head.has_content_length());
    std::string_view input = text;
    check_status(head.feed(input), Status::ok);
    assert_true(head.has_content_length());
    assert_true(head.content_length() == UINT64_MAX);
    head.reset();
    assert_false(head.has_content_length());
}

void a_reset_content_has_none(void** /*state*/) {
    for (const std::string_view text : {"Status: 205\nA: b\n\n", "Status: 205\nContent-Length: 5\n\n"}) {
        GuardedBytes storage(text.size());
        ResponseHead head(storage.room(text.size()));
        std::string_view input = text;
        check_status(head.feed(input), Status::ok);
        assert_true(head.has_content_length());
        assert_true(head.content_length() == 0);
    }
}

void a_content_length_that_is_no_number_or_not_one_is_malformed(void** /*state*/) {
    for (const std::string_view value : {"", "-1", "+1", "1 2", "1,1", "0x10", "1a", "18446744073709551616", "1.0"}) {
        Text<64> head;
        head.append("Content-Length: ").append(value).append("\r\n\r\n");
        check_malformed(head.view(), "Content-Length is no number");
    }
    check_malformed("Content-Length: 5\r\nA: b\r\nContent-Length: 6\r\n\r\n", "two different Content-Length fields");
}

void transfer_encoding_is_dropped_and_content_length_holds(void** /*state*/) {
    const std::string_view text = "Transfer-Encoding: chunked\r\nContent-Length: 5\r\nA: b\r\n\r\n";
    check_ok(text, 200, "A=b\n");
    GuardedBytes storage(text.size());
    ResponseHead head(storage.room(text.size()));
    std::string_view input = text;
    check_status(head.feed(input), Status::ok);
    assert_true(head.has_content_length());
    assert_int_equal(head.content_length(), 5);
}

void hop_by_hop_fields_are_dropped(void** /*state*/) {
    check_ok(
        "Connection: close\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nProxy-Connection: close\r\n"
        "TE: trailers\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\nProxy-Status: kept\r\n\r\n",
        200, "Proxy-Status=kept\n");
}

void what_connection_names_is_dropped_before_and_behind_it(void** /*state*/) {
    check_ok("X-One: 1\r\nX-Two: 2\r\nConnection: x-one ,, X-THREE\r\nX-Three: 3\r\nX-Onetwo: 4\r\n\r\n", 200,
             "X-Two=2\nX-Onetwo=4\n");
    check_ok("X-One: 1\nConnection: close\nX-Two: 2\nconnection:\tX-Two,X-One\n\n", 200, "");
    check_ok("X-One: 1\r\nConnection: connection, X-One\r\nX-One: Y\r\nConnection: Z\r\nY: 2\r\nZ: 3\r\n\r\n", 200,
             "Y=2\n");
    check_ok("X-Connection: X-One\r\nX-One: 1\r\n\r\n", 200, "X-Connection=X-One\nX-One=1\n");
}

void tells_an_event_stream(void** /*state*/) {
    const auto is_event_stream = [](std::string_view text) {
        GuardedBytes storage(text.size());
        ResponseHead head(storage.room(text.size()));
        check_status(head.feed(text), Status::ok);
        return head.is_event_stream();
    };
    assert_true(is_event_stream("Content-Type: text/event-stream\r\n\r\n"));
    assert_true(is_event_stream("content-type: Text/Event-Stream ; charset=utf-8\r\n\r\n"));
    assert_false(is_event_stream("Content-Type: text/event-streams\r\n\r\n"));
    assert_false(is_event_stream("Content-Type: text/html; a=text/event-stream\r\n\r\n"));
    assert_false(is_event_stream("X-Content-Type: text/event-stream\r\n\r\n"));
}

void after_a_reset_another_head_is_read(void** /*state*/) {
    GuardedBytes storage(64);
    ResponseHead head(storage.room(64));
    std::string_view bad = "Content-Type: text/event-stream\r\nConnection: a\r\nStatus: 1\r\n";
    check_status(head.feed(bad), Status::malformed);
    head.reset();
    assert_int_equal(head.size(), 0);
    assert_int_equal(count_fields(head), 0);
    check_text(Text<80>(head.error()).view(), "");
    std::string_view good = "A: b\r\n\r\n";
    check_status(head.feed(good), Status::ok);
    assert_int_equal(head.status(), 200);
    assert_false(head.is_event_stream());
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_head_of_php),
        cmocka_unit_test(leaves_the_body_in_the_input),
        cmocka_unit_test(nothing_is_complete_before_the_empty_line),
        cmocka_unit_test(takes_line_feeds_alone_and_mixed),
        cmocka_unit_test(takes_status_with_and_without_reason),
        cmocka_unit_test(refuses_other_status_values),
        cmocka_unit_test(location_without_status_is_a_redirect),
        cmocka_unit_test(repeated_fields_stay_apart_and_in_order),
        cmocka_unit_test(values_are_trimmed_and_empty_ones_dropped),
        cmocka_unit_test(date_and_server_of_the_script_are_kept),
        cmocka_unit_test(control_bytes_in_values_are_malformed),
        cmocka_unit_test(names_that_are_no_token_are_malformed),
        cmocka_unit_test(a_folded_line_is_malformed),
        cmocka_unit_test(a_line_without_a_colon_is_malformed),
        cmocka_unit_test(a_head_without_fields_is_malformed),
        cmocka_unit_test(a_status_line_of_http_is_malformed),
        cmocka_unit_test(storage_of_exactly_the_heads_size_suffices_and_one_byte_less_does_not),
        cmocka_unit_test(as_many_fields_as_the_room_is_for_and_no_more),
        cmocka_unit_test(a_head_that_is_too_large_is_counted_to_its_end),
        cmocka_unit_test(a_head_without_an_end_is_not_counted_for_ever),
        cmocka_unit_test(unwanted_fields_are_dropped_afterwards),
        cmocka_unit_test(reads_the_content_length),
        cmocka_unit_test(a_reset_content_has_none),
        cmocka_unit_test(a_content_length_that_is_no_number_or_not_one_is_malformed),
        cmocka_unit_test(transfer_encoding_is_dropped_and_content_length_holds),
        cmocka_unit_test(hop_by_hop_fields_are_dropped),
        cmocka_unit_test(what_connection_names_is_dropped_before_and_behind_it),
        cmocka_unit_test(tells_an_event_stream),
        cmocka_unit_test(after_a_reset_another_head_is_read),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
