#include "auth/credentials.hpp"
#include "support/basic_auth.hpp"
#include "test_support.hpp"

using fcgate::Status;
using fcgate::Text;
using fcgate::auth::Credentials;
using fcgate::test::check_status;
using fcgate::test::check_text;
namespace limits = fcgate::limits;

namespace {

Status parse(Credentials& credentials, std::string_view both, std::string_view scheme = "Basic ") {
    Text<1024> value(scheme);
    fcgate::test::append_base64(value, both);
    return credentials.parse(value.view());
}

void a_user_and_a_password_are_parted_at_the_first_colon(void** /*state*/) {
    constexpr struct {
        std::string_view both;
        std::string_view user;
        std::string_view password;
    } all[] = {
        {"a:", "a", ""},
        {"ann:secret", "ann", "secret"},
        {"ann:a:b:", "ann", "a:b:"},
        {"ann: ", "ann", " "},
        {"j\xc3\xb6rg:\xc3\xa4", "j\xc3\xb6rg", "\xc3\xa4"},
        {"a b:c d", "a b", "c d"},
        {"ab:?>~", "ab", "?>~"},
    };
    for (const auto& one : all) {
        Credentials credentials;
        check_status(parse(credentials, one.both), Status::ok);
        check_text(credentials.user(), one.user);
        check_text(credentials.password(), one.password);
        check_text(credentials.both(), one.both);
        // crypt(3) reads to a NUL.
        assert_int_equal(credentials.password().data()[credentials.password().size()], '\0');
    }
}

void the_scheme_is_read_whatever_its_case(void** /*state*/) {
    Credentials credentials;
    check_status(parse(credentials, "ann:x", "bAsIc "), Status::ok);
    check_status(parse(credentials, "ann:x", "Basic    "), Status::ok);
    for (const std::string_view other : {"", "Basic", "Bearer ", "Digest ", " Basic ", "Basic\t"}) {
        check_status(parse(credentials, "ann:x", other), Status::malformed);
    }
}

void what_is_no_user_and_password_is_refused(void** /*state*/) {
    using namespace std::string_view_literals;
    Credentials credentials;
    for (const std::string_view both :
         {""sv, "ann"sv, ":x"sv, "a\0b:x"sv, "ann:x\0"sv, "ann:\n"sv, "a\x7f:x"sv, "a\t:x"sv, "ann:\r"sv}) {
        check_status(parse(credentials, "ann:secret"), Status::ok);
        check_status(parse(credentials, both), Status::malformed);
        check_text(credentials.user(), "");
        check_text(credentials.password(), "");
    }
}

void only_base64_is_read(void** /*state*/) {
    Credentials credentials;
    check_status(credentials.parse("Basic YW46eA=="), Status::ok);
    check_text(credentials.both(), "an:x");
    // Padding that is missing, too much, or in the middle; bits behind the end; digits of other alphabets; a space; a NUL.
    for (const std::string_view value :
         {"Basic YW46eA",
          "Basic YW46eA=", "Basic YW46eA===", "Basic YW46=A==", "Basic YW4=YW4=", "Basic YW46eB==", "Basic YW46eA=x",
          "Basic ====", "Basic YW46-_==", "Basic YW46 eA=", "Basic YW46e\xff==", "Basic =", "Basic YQ==OnhY"}) {
        check_status(credentials.parse(value), Status::malformed);
    }
}

void what_is_too_long_is_refused(void** /*state*/) {
    for (size_t user = limits::user - 1; user <= limits::user + 2; ++user) {
        for (size_t password = limits::password - 1; password <= limits::password + 4; ++password) {
            Text<512> both;
            for (size_t i = 0; i < user; ++i) {
                both.append('u');
            }
            both.append(':');
            for (size_t i = 0; i < password; ++i) {
                both.append('p');
            }
            Credentials credentials;
            const Status status = parse(credentials, both.view());
            if (user <= limits::user && password <= limits::password) {
                check_status(status, Status::ok);
                assert_int_equal(credentials.password().size(), password);
            } else {
                assert_true(status == Status::too_large || status == Status::malformed);
                check_text(credentials.user(), "");
            }
        }
    }
    // Far more than there is room for.
    Text<16384> value("Basic ");
    while (value.size() < 16000) {
        value.append("YWFh");
    }
    Credentials credentials;
    check_status(credentials.parse(value.view()), Status::too_large);
}

void nothing_is_left_behind(void** /*state*/) {
    alignas(Credentials) unsigned char memory[sizeof(Credentials)];
    auto* const credentials = new (memory) Credentials;
    check_status(parse(*credentials, "ann:secret"), Status::ok);
    credentials->~Credentials();
    // Not even the compiler may take the wiping away, so what is looked at is what is there.
    const std::string_view rest(reinterpret_cast<const char*>(memory), sizeof memory);
    assert_true(rest.find("secret") == std::string_view::npos);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_user_and_a_password_are_parted_at_the_first_colon),
        cmocka_unit_test(the_scheme_is_read_whatever_its_case),
        cmocka_unit_test(what_is_no_user_and_password_is_refused),
        cmocka_unit_test(only_base64_is_read),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
