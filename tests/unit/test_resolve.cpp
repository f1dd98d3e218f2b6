#include "doctor/resolve.hpp"
#include "test_support.hpp"

using fcgate::Endpoint;
using fcgate::Status;
using fcgate::Text;
using fcgate::doctor::read_answer;
using fcgate::doctor::write_question;
using fcgate::test::check_status;
using fcgate::test::check_text;
using fcgate::test::GuardedBytes;

namespace {

using namespace std::literals;

constexpr uint16_t id = 0x1234;

std::string_view question(std::string_view host, std::span<uint8_t> room) {
    const size_t size = write_question(host, id, 1, room);
    return {reinterpret_cast<const char*>(room.data()), size};
}

Status read(std::string_view bytes, uint8_t type, Endpoint& out) {
    GuardedBytes guarded(bytes);
    const std::span<char> room = guarded.room(bytes.size());
    return read_answer({reinterpret_cast<const uint8_t*>(room.data()), room.size()}, id, type, out);
}

void a_question_is_as_rfc_1035_has_it(void** /*state*/) {
    uint8_t room[64];
    check_text(question("a.lan", room),
               "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01"
               "a\x03lan\x00\x00\x01\x00\x01"sv);
    uint8_t other[64];
    check_text(question("a.lan.", other), question("a.lan", room));
}

void what_is_no_name_is_not_asked_for(void** /*state*/) {
    uint8_t room[512];
    char label[65];
    memset(label, 'a', sizeof label);
    for (const std::string_view host : {""sv, "."sv, "a..b"sv, std::string_view(label, 64)}) {
        assert_int_equal(write_question(host, id, 1, room), 0);
    }
    assert_int_not_equal(write_question(std::string_view(label, 63), id, 1, room), 0);
    assert_int_equal(write_question("a.lan", id, 1, std::span(room, 20)), 0);
}

constexpr std::string_view head =
    "\x12\x34\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00\x01"
    "a\x00\x00\x01\x00\x01"sv;
constexpr std::string_view alias = "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x09\x00\x02\xc0\x0c"sv;
constexpr std::string_view ipv4 = "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x09\x00\x04\xc0\x00\x02\x01"sv;

void the_first_address_is_taken(void** /*state*/) {
    Text<128> answer(head);
    answer.append(alias).append(ipv4);
    Endpoint out;
    check_status(read(answer.view(), 1, out), Status::ok);
    Text<64> address;
    out.print_address(address);
    check_text(address.view(), "192.0.2.1");
    check_status(read(answer.view(), 28, out), Status::not_found);
}

void a_cut_answer_is_not_read_past_its_end(void** /*state*/) {
    Text<128> answer(head);
    answer.append(alias).append(ipv4);
    Endpoint out;
    for (size_t size = 0; size < answer.size(); ++size) {
        const Status status = read(fcgate::slice(answer.view(), 0, size), 1, out);
        assert_true(status == (size < 12 ? Status::malformed : Status::not_found));
    }
}

void what_is_no_answer_is_passed_over(void** /*state*/) {
    Endpoint out;
    check_status(read("\x12\x35\x81\x80\x00\x00\x00\x00\x00\x00\x00\x00"sv, 1, out), Status::malformed);
    check_status(read("\x12\x34\x01\x80\x00\x00\x00\x00\x00\x00\x00\x00"sv, 1, out), Status::malformed);
    check_status(read("\x12\x34\x81\x83\x00\x00\x00\x00\x00\x00\x00\x00"sv, 1, out), Status::not_found);
    // More records than bytes, a name without end.
    check_status(read("\x12\x34\x81\x80\xff\xff\xff\xff\x00\x00\x00\x00\x3f\x01"sv, 1, out), Status::not_found);
}

}  // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_as_rfc_1035_has_it), cmocka_unit_test(what_is_no_name_is_not_asked_for),
        cmocka_unit_test(the_first_address_is_taken),       cmocka_unit_test(a_cut_answer_is_not_read_past_its_end),
        cmocka_unit_test(what_is_no_answer_is_passed_over),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
