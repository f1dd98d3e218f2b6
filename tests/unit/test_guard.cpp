#include <array>

#include "http/guard.hpp"
#include "test_support.hpp"

using fcgate::Field;
using fcgate::RequestHead;
using fcgate::http::check_head;
using fcgate::http::Refusal;
using fcgate::test::check_text;

namespace {

// A head in a line: fields are parted by '|'. What stands behind a field's first ':' is its value, as it came.
struct Case {
    uint16_t status;  // 0: it is good
    std::string_view version;
    std::string_view method;
    std::string_view fields;
};

constexpr std::string_view v1_0 = "HTTP/1.0";
constexpr std::string_view v1_1 = "HTTP/1.1";

class Head {
  public:
    explicit Head(const Case& one) {
        std::string_view rest = one.fields;
        while (!rest.empty()) {
            assert_true(count_ < fields_.size());
            std::string_view value;
            const std::string_view name = fcgate::split_first(fcgate::split_first(rest, '|', rest), ':', value);
            fields_[count_++] = {name, value};
        }
        head.method = one.method;
        head.fields = {fields_.data(), count_};
        refusal = check_head(head, one.version);
    }
    Head(const Head&) = delete;
    Head& operator=(const Head&) = delete;

    RequestHead head;
    Refusal refusal;

  private:
    std::array<Field, 16> fields_{};
    size_t count_ = 0;
};

constexpr Case cases[] = {
    // Good ones.
    {0, v1_1, "GET", "Host: a"},
    {0, v1_1, "GET", "host: a"},
    {0, v1_0, "GET", ""},
    {0, v1_0, "GET", "Host: a"},
    {0, v1_1, "get", "Host: a"},
    {0, v1_1, "M-SEARCH", "Host: a"},
    {0, v1_1, "POST", "Host: a|Content-Length: 0"},
    {0, v1_1, "POST", "Host: a|CONTENT-LENGTH:\t 17 \t"},
    {0, v1_1, "POST", "Host: a|Content-Length: 18446744073709551615"},
    {0, v1_1, "POST", "Host: a|Content-Length: 007"},
    {0, v1_1, "POST", "Host: a|Transfer-Encoding: chunked"},
    {0, v1_1, "POST", "Host: a|transfer-encoding: Chunked"},
    {0, v1_1, "POST", "Host: a|Expect: 100-continue"},
    {0, v1_1, "POST", "Host: a|Expect: 100-Continue"},
    {0, v1_1, "GET", "Host: a|X: \xc3\xa4\xff|Y: a\tb"},
    {0, v1_1, "GET", "Host: a|!#$%&'*+-.^_`~09: x"},
    // Versions.
    {505, "HTTP/2.0", "GET", "Host: a"},
    {505, "HTTP/1.2", "GET", "Host: a"},
    {505, "HTTP/0.9", "GET", "Host: a"},
    {505, "http/1.1", "GET", "Host: a"},
    {505, "HTTP/1.1 ", "GET", "Host: a"},
    {505, "HTTP/1.10", "GET", "Host: a"},
    {505, "", "GET", "Host: a"},
    // Methods and names are tokens.
    {400, v1_1, "GET", "Host:"},
    {400, v1_0, "GET", "Host: "},
    {400, v1_1, "", "Host: a"},
    {400, v1_1, "GE T", "Host: a"},
    {400, v1_1, "GET\t", "Host: a"},
    {400, v1_1, "G(T", "Host: a"},
    {400, v1_1, "G\x80T", "Host: a"},
    {400, v1_1, "GET", "Host: a|: x"},
    {400, v1_1, "GET", "Host: a|X : x"},
    {400, v1_1, "GET", "Host: a| X: x"},
    {400, v1_1, "GET", "Host: a|X\t: x"},
    {400, v1_1, "GET", "Host: a|X\xe4: x"},
    {400, v1_1, "GET", "Host: a|X[0]: x"},
    {400, v1_1, "GET", "Host : a"},
    // Control bytes.
    {400, v1_1, "GET", "Host: a|X: \x01"},
    {400, v1_1, "GET", "Host: a|X: a\rb"},
    {400, v1_1, "GET", "Host: a|X: a\nb"},
    {400, v1_1, "GET", "Host: a|X: a\x7f"},
    {400, v1_1, "GET", "Host: a\rb"},
    {400, v1_1, "GET", {"Host: a|X: a\0b", 14}},
    {400, v1_1, "GET", {"Host: a|X\0: b", 13}},
    // Exactly one Host, none only in HTTP/1.0.
    {400, v1_1, "GET", ""},
    {400, v1_1, "GET", "X: y"},
    {400, v1_1, "GET", "Host: a|Host: a"},
    {400, v1_1, "GET", "Host: a|X: y|HOST: b"},
    {400, v1_0, "GET", "Host: a|Host: b"},
    // One plain Content-Length.
    {400, v1_1, "POST", "Host: a|Content-Length:"},
    {400, v1_1, "POST", "Host: a|Content-Length: +1"},
    {400, v1_1, "POST", "Host: a|Content-Length: -1"},
    {400, v1_1, "POST", "Host: a|Content-Length: 0x10"},
    {400, v1_1, "POST", "Host: a|Content-Length: 1 1"},
    {400, v1_1, "POST", "Host: a|Content-Length: 1,1"},
    {400, v1_1, "POST", "Host: a|Content-Length: 1.0"},
    {400, v1_1, "POST", "Host: a|Content-Length: 18446744073709551616"},
    {400, v1_1, "POST", "Host: a|Content-Length: 5|Content-Length: 5"},
    {400, v1_1, "POST", "Host: a|Content-Length: 5|content-length: 6"},
    {400, v1_0, "POST", "Host: a|Content-Length: 0|Content-Length: 0"},
    // Never two ways to tell the length.
    {400, v1_1, "POST", "Host: a|Content-Length: 5|Transfer-Encoding: chunked"},
    {400, v1_1, "POST", "Host: a|Transfer-Encoding: chunked|Content-Length: 5"},
    {400, v1_1, "POST", "Host: a|Transfer-Encoding: chunked|Content-Length: 0"},
    {400, v1_1, "POST", "Host: a|Transfer-Encoding: chunked|Transfer-Encoding: chunked"},
    {400, v1_0, "POST", "Host: a|Transfer-Encoding: chunked"},
    {501, v1_1, "POST", "Host: a|Transfer-Encoding: gzip"},
    {501, v1_1, "POST", "Host: a|Transfer-Encoding: gzip, chunked"},
    {501, v1_1, "POST", "Host: a|Transfer-Encoding: chunked, chunked"},
    {501, v1_1, "POST", "Host: a|Transfer-Encoding: identity"},
    {501, v1_1, "POST", "Host: a|Transfer-Encoding:"},
    {501, v1_1, "POST", "Host: a|Transfer-Encoding: xchunked"},
    {501, v1_1, "POST", "Host: a|Transfer-Encoding: chunked;q=1"},
    {400, v1_1, "POST",
     "Host: a|Transfer-Encoding: \x0b"
     "chunked"},
    {501, v1_1, "POST", "Host: a|Transfer-Encoding: chunked|Transfer-Encoding: identity"},
    // Expectations.
    {417, v1_1, "POST", "Host: a|Expect: 200-ok"},
    {417, v1_1, "POST", "Host: a|Expect:"},
    {417, v1_1, "POST", "Host: a|Expect: 100-continue, x"},
};

void good_heads_pass_and_bad_ones_are_refused(void** /*state*/) {
    for (const Case& one : cases) {
        const Head head(one);
        if (head.refusal.status != one.status) {
            fcgate::Text<512> shown;
            shown.append_escaped(one.method)
                .append(" ")
                .append_escaped(one.version)
                .append(" ")
                .append_escaped(one.fields);
            print_error("%s: %u is not %u\n", shown.c_str(), head.refusal.status, one.status);
            _fail(__FILE__, __LINE__);
        }
        assert_int_equal(!head.refusal.reason.empty(), one.status != 0);
    }
}

void the_framing_is_filled_in(void** /*state*/) {
    const Head plain({0, v1_1, "GET", "Host: \t a.b:80 "});
    check_text(plain.head.host, "a.b:80");
    assert_false(plain.head.has_content_length);
    assert_false(plain.head.is_chunked);
    assert_false(plain.head.is_http_1_0);

    const Head sized({0, v1_0, "POST", "Content-Length: 123"});
    assert_true(sized.head.has_content_length);
    assert_int_equal(sized.head.content_length, 123);
    assert_true(sized.head.is_http_1_0);
    check_text(sized.head.host, "");

    const Head chunked({0, v1_1, "POST", "Transfer-Encoding: chunked|Host: a"});
    assert_true(chunked.head.is_chunked);
    assert_false(chunked.head.has_content_length);
}

void an_absolute_target_stands_for_a_missing_host(void** /*state*/) {
    constexpr std::string_view targets[][2] = {{"http://a.b:80/x", "a.b:80"},
                                               {"HTTPS://a?x/", "a"},
                                               {"http://a", "a"},
                                               {"http:///x", ""},
                                               {"/http://a/", ""},
                                               {"*", ""}};
    for (const auto& [target, host] : targets) {
        RequestHead head;
        head.method = "GET";
        head.target = target;
        assert_int_equal(check_head(head, v1_0).status, 0);
        check_text(head.host, host);
        RequestHead strict = head;
        assert_int_equal(check_head(strict, v1_1).status, 400);
    }
}

void any_control_byte_in_a_value_is_refused(void** /*state*/) {
    for (unsigned byte = 0; byte < 256; ++byte) {
        const char value[] = {'a', static_cast<char>(byte), 'b'};
        const Field fields[] = {{"Host", "a"}, {"X", {value, sizeof value}}};
        RequestHead head;
        head.method = "GET";
        head.fields = fields;
        const bool is_control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
        assert_int_equal(check_head(head, v1_1).status, is_control ? 400 : 0);
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(good_heads_pass_and_bad_ones_are_refused),
        cmocka_unit_test(the_framing_is_filled_in),
        cmocka_unit_test(an_absolute_target_stands_for_a_missing_host),
        cmocka_unit_test(any_control_byte_in_a_value_is_refused),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
