#include "files/coding.hpp"
#include "test_support.hpp"

using fcgate::Field;
using fcgate::RequestHead;
using namespace fcgate::files;

namespace {

unsigned quality(std::string_view accepted, std::string_view coding) {
    const Field field{"accept-encoding", accepted};
    RequestHead head;
    head.fields = {&field, 1};
    return wishes_of(head)[coding == "br" ? 0 : coding == "gzip" ? 1 : 2];
}

void what_is_not_named_is_not_taken(void** /*state*/) {
    assert_int_equal(wishes_of(RequestHead())[1], 0);
    assert_int_equal(quality("", "gzip"), 0);
    assert_int_equal(quality("br", "gzip"), 0);
    assert_int_equal(quality("gzipx, xgzip", "gzip"), 0);
}

void weights_are_thousandths(void** /*state*/) {
    assert_int_equal(quality("gzip", "gzip"), 1000);
    assert_int_equal(quality("deflate, GZIP ; q=0.5", "gzip"), 500);
    assert_int_equal(quality("gzip;q=0.123,br", "gzip"), 123);
    assert_int_equal(quality("gzip;q=1.000", "gzip"), 1000);
    assert_int_equal(quality("gzip;Q=0", "gzip"), 0);
    assert_int_equal(quality("gzip;q=0.000", "gzip"), 0);
    assert_int_equal(quality("gzip;q=0.1234", "gzip"), 123);
}

void a_star_is_all_others(void** /*state*/) {
    assert_int_equal(quality("*", "br"), 1000);
    assert_int_equal(quality("*;q=0.2, br;q=0", "br"), 0);
    assert_int_equal(quality("br, *;q=0", "gzip"), 0);
}

void x_gzip_is_gzip(void** /*state*/) {
    assert_int_equal(quality("x-gzip;q=0.4", "gzip"), 400);
}

void identity_is_taken_last_unless_refused(void** /*state*/) {
    assert_int_equal(quality("gzip", "identity"), 1);
    assert_int_equal(quality("gzip, identity;q=0.9", "identity"), 900);
    assert_int_equal(quality("identity;q=0", "identity"), 0);
}

void text_becomes_smaller_and_pictures_do_not(void** /*state*/) {
    for (const std::string_view type : {"text/html; charset=utf-8", "text/css", "application/json", "image/svg+xml",
                                        "application/wasm", "application/javascript"}) {
        assert_true(is_compressible(type));
    }
    for (const std::string_view type : {"image/png", "application/octet-stream", "video/mp4", "font/woff2"}) {
        assert_false(is_compressible(type));
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_named_is_not_taken),
        cmocka_unit_test(weights_are_thousandths),
        cmocka_unit_test(a_star_is_all_others),
        cmocka_unit_test(x_gzip_is_gzip),
        cmocka_unit_test(identity_is_taken_last_unless_refused),
        cmocka_unit_test(text_becomes_smaller_and_pictures_do_not),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
