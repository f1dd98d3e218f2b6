#include "http/status_page.hpp"
#include "test_support.hpp"

using fcgate::Reply;
using fcgate::Text;
using fcgate::http::reply_with_status;
using fcgate::http::status_page;
using fcgate::test::check_text;

namespace {

// Every status that fcgate makes an answer of its own for.
constexpr uint16_t statuses[] = {400, 403, 404, 405, 408, 411, 412, 413, 414, 416,
                                 417, 421, 431, 500, 501, 502, 503, 504, 505, 507};

std::string_view field(const Reply& reply, std::string_view name) {
    for (const fcgate::Field& one : reply.fields()) {
        if (fcgate::equals_ignore_case(one.name, name)) {
            return one.value;
        }
    }
    return {};
}

void every_status_of_ours_has_a_page_that_names_it(void** /*state*/) {
    for (const uint16_t status : statuses) {
        Reply reply;
        reply_with_status(reply, status);
        Text<16> title;
        title.append("<title>").append_number(status).append(' ');
        assert_int_equal(reply.status, status);
        assert_true(reply.body == Reply::Body::page);
        Text<1024> page;
        for (const std::string_view piece : status_page(status)) {
            page.append(piece);
        }
        assert_true(page.view().find(title.view()) != std::string_view::npos);
        assert_true(fcgate::starts_with(page.view(), "<!doctype html>"));
        assert_true(fcgate::ends_with(page.view(), "</html>\n"));
        assert_true(reply.length_known);
        assert_int_equal(reply.length, page.size());
        assert_int_equal(reply.fd, -1);
        check_text(field(reply, "Content-Type"), "text/html; charset=utf-8");
        check_text(field(reply, "Cache-Control"), "no-store");
        assert_int_equal(field(reply, "Retry-After").empty(), status != 503);
        assert_false(reply.close);
    }
}

void a_status_without_a_page_has_no_body(void** /*state*/) {
    for (const uint16_t status : {uint16_t{204}, uint16_t{304}, uint16_t{418}, uint16_t{599}}) {
        Reply reply;
        reply_with_status(reply, status);
        assert_int_equal(reply.status, status);
        assert_true(reply.body == Reply::Body::none);
        assert_int_equal(reply.length, 0);
        assert_true(field(reply, "Content-Type").empty());
    }
}

void nothing_is_left_of_what_stood_there(void** /*state*/) {
    Reply reply;
    reply.status = 200;
    reply.body = Reply::Body::stream;
    reply.close = true;
    reply.offset = 7;
    while (reply.add_field("Set-Cookie", "secret")) {}
    reply_with_status(reply, 503);
    assert_true(field(reply, "Set-Cookie").empty());
    assert_int_equal(reply.fields().size(), 3);
    assert_true(reply.body == Reply::Body::page);
    assert_int_equal(reply.offset, 0);
    assert_false(reply.close);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(every_status_of_ours_has_a_page_that_names_it),
        cmocka_unit_test(a_status_without_a_page_has_no_body),
        cmocka_unit_test(nothing_is_left_of_what_stood_there),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
