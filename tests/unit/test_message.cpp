#include "http/message.hpp"
#include "test_support.hpp"

using fcgate::Field;
using fcgate::Reply;
using fcgate::RequestHead;
using fcgate::test::check_text;

namespace {

void a_field_is_found_without_case_and_the_first_wins(void** /*state*/) {
    const Field fields[] = {{"Accept", "a"}, {"X-A", "1"}, {"x-a", "2"}, {"Empty", ""}};
    RequestHead head;
    check_text(head.field("Accept"), "");
    head.fields = fields;
    check_text(head.field("accept"), "a");
    check_text(head.field("X-A"), "1");
    check_text(head.field("EMPTY"), "");
    check_text(head.field("X-AB"), "");
    check_text(head.field("X-"), "");
    check_text(head.field(""), "");
}

void a_reply_takes_its_fields_in_order_until_it_is_full(void** /*state*/) {
    static Reply reply;
    assert_int_equal(reply.fields().size(), 0);
    for (size_t i = 0; i < fcgate::limits::reply_fields; ++i) {
        assert_true(reply.add_field("Set-Cookie", i == 1 ? "second" : "other"));
    }
    assert_false(reply.add_field("X", "y"));
    assert_int_equal(reply.fields().size(), fcgate::limits::reply_fields);
    check_text(reply.fields()[1].name, "Set-Cookie");
    check_text(reply.fields()[1].value, "second");
    check_text(reply.fields().back().value, "other");
}

void a_cursor_reads_what_is_listed_and_what_is_packed(void** /*state*/) {
    static Reply reply;
    assert_true(reply.add_field("A", "1"));
    assert_true(reply.add_field("B", "2"));
    using std::string_view_literals::operator""sv;
    reply.packed_fields = "C\0003\0 ropped\0x\0D\0\0\1gone\0y\0a\0006\0"sv;
    constexpr Field expected[] = {{"A", "1"}, {"B", "2"}, {"C", "3"}, {"D", ""}, {"a", "6"}};
    fcgate::FieldCursor cursor = reply.all_fields();
    Field field;
    for (const Field& one : expected) {
        assert_true(cursor.next(field));
        check_text(field.name, one.name);
        check_text(field.value, one.value);
    }
    assert_false(cursor.next(field));
    assert_false(cursor.next(field));
    check_text(find_field(reply.all_fields(), "a"), "1");
    check_text(find_field(reply.all_fields(), "c"), "3");
    assert_non_null(find_field(reply.all_fields(), "d").data());
    for (const std::string_view name : {"ropped", " ropped", "dropped", "gone", "E", ""}) {
        assert_null(find_field(reply.all_fields(), name).data());
    }
    reply.clear_fields();
    assert_false(reply.all_fields().next(field));
}

void hop_by_hop_fields_are_known_whole_and_without_case(void** /*state*/) {
    for (const char* name : {"Connection", "keep-alive", "TE", "te", "Trailer", "TRANSFER-ENCODING", "Upgrade",
                             "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "HTTP2-Settings"}) {
        assert_true(fcgate::is_hop_by_hop(name));
    }
    for (const char* name :
         {"", "T", "TEE", "Connections", "Proxy", "Proxy-Status", "Content-Length", "Host", "Cookie"}) {
        assert_false(fcgate::is_hop_by_hop(name));
    }
}

void a_list_has_its_elements_and_no_others(void** /*state*/) {
    assert_true(fcgate::list_has("close", "Close"));
    assert_true(fcgate::list_has("keep-alive , TE,,close", "te"));
    assert_true(fcgate::list_has(" \tclose\t", "close"));
    assert_false(fcgate::list_has("", "close"));
    assert_false(fcgate::list_has("closed, not-close", "close"));
    assert_false(fcgate::list_has("close close", "close"));
}

void statuses_without_a_body_are_known(void** /*state*/) {
    for (const unsigned status : {100U, 199U, 204U, 304U}) {
        assert_true(fcgate::status_has_no_body(status));
    }
    for (const unsigned status : {200U, 205U, 206U, 302U, 303U, 404U}) {
        assert_false(fcgate::status_has_no_body(status));
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_field_is_found_without_case_and_the_first_wins),
        cmocka_unit_test(a_reply_takes_its_fields_in_order_until_it_is_full),
        cmocka_unit_test(a_cursor_reads_what_is_listed_and_what_is_packed),
        cmocka_unit_test(hop_by_hop_fields_are_known_whole_and_without_case),
        cmocka_unit_test(a_list_has_its_elements_and_no_others),
        cmocka_unit_test(statuses_without_a_body_are_known),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
