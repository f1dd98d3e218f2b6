#include <fcntl.h>

#include <algorithm>
#include <cstdlib>

#include "fastcgi/fault.hpp"
#include "test_support.hpp"

using fcgate::fastcgi::Fault;
using fcgate::fastcgi::fault_count;
using fcgate::fastcgi::FaultText;
using fcgate::fastcgi::leaves_answer;
using fcgate::fastcgi::text_of;

namespace {

FaultText text_at(size_t number) {
    return text_of(static_cast<Fault>(number));
}

void codes_are_words_parted_by_hyphens_and_each_stands_for_one_fault(void** /*state*/) {
    for (size_t i = 0; i < fault_count; ++i) {
        const fcgate::Text<32> text(text_at(i).code);
        const std::string_view code = text.view();
        assert_true(!code.empty() && code.size() < 28);  // LogLine keeps room for so much
        assert_true(code.front() != '-' && code.back() != '-');
        assert_true(std::all_of(code.begin(), code.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; }));
        for (size_t other = 0; other < i; ++other) {
            assert_true(fcgate::Text<32>(text_at(other).code).view() != code);
        }
    }
}

void clients_hear_that_the_server_has_failed(void** /*state*/) {
    for (size_t i = 0; i < fault_count; ++i) {
        const unsigned status = text_at(i).status;
        const bool fits = status == 500 || status == 502 || status == 503 || status == 504 || status == 431;
        assert_true(fits || leaves_answer(static_cast<Fault>(i)));
    }
}

// docs/errors.md has a row "| `code` | status | ..." for each fault.
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
    for (size_t i = 0; i < fault_count; ++i) {
        fcgate::Text<64> row;
        row.append("| `").append(text_at(i).code).append("` | ").append_number(text_at(i).status).append(" |");
        if (text.find(row.view()) == std::string_view::npos) {
            print_error("docs/errors.md has no row %s\n", row.c_str());
            _fail(__FILE__, __LINE__);
        }
    }
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_words_parted_by_hyphens_and_each_stands_for_one_fault),
        cmocka_unit_test(clients_hear_that_the_server_has_failed),
        cmocka_unit_test(the_page_explains_every_code),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
