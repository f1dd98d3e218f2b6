#include <fcntl.h>

#include <cstdlib>

#include "fastcgi/fault.hpp"
#include "http/reason.hpp"
#include "test_support.hpp"

using fcgate::Text;
using fcgate::http::code_of;
using fcgate::http::Reason;
using fcgate::http::reasons;
using fcgate::test::check_text;

namespace {

void every_status_has_one_code(void** /*state*/) {
    for (const Reason& one : reasons) {
        assert_true(one.status == 0 || Text<32>(code_of(one.status)).view() == one.code);
        size_t same = 0;
        for (const Reason& other : reasons) {
            same += other.code == one.code ? 1U : 0U;
        }
        assert_int_equal(same, 1);
    }
    check_text(Text<32>(code_of(0)).view(), "refused");
    check_text(Text<32>(code_of(418)).view(), "refused");
}

// One word in the log must not mean two things, unless it does mean the same.
void codes_of_the_other_side_are_others(void** /*state*/) {
    for (size_t i = 0; i < fcgate::fastcgi::fault_count; ++i) {
        const Text<32> code(text_of(static_cast<fcgate::fastcgi::Fault>(i)).code);
        for (const Reason& one : reasons) {
            assert_true(one.code != code.view() || one.code == "stopping");
        }
    }
}

// docs/errors.md has a row "| `code` | ..." for each.
void the_page_explains_every_code(void** /*state*/) {
    const char* const path = getenv("FCGATE_ERRORS_PAGE");
    assert_non_null(path);  // Meson sets it
    static char page[size_t{64} * 1024];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    const ssize_t size = read(fd, page, sizeof page);
    close(fd);
    assert_true(size > 0);
    const std::string_view text(page, static_cast<size_t>(size));
    for (const Reason& one : reasons) {
        fcgate::Text<64> row;
        row.append("| `").append(one.code).append("` | ");
        if (one.status != 0) {
            row.append_number(one.status).append(" | ");
        }
        if (text.find(row.view()) == std::string_view::npos) {
            print_error("docs/errors.md has no row %s\n", row.c_str());
            _fail(__FILE__, __LINE__);
        }
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_one_code),
        cmocka_unit_test(codes_of_the_other_side_are_others),
        cmocka_unit_test(the_page_explains_every_code),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
