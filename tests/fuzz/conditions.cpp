// Conditional and range requests: the file's size in the first four bytes, then fields, a line each.
#include "files/conditions.hpp"

#include <cstring>

#include "base/bytes.hpp"
#include "base/http_date.hpp"
#include "fuzz.hpp"

namespace {

using fcgate::Field;
using fcgate::RequestHead;
using fcgate::files::Selection;
using fcgate::test::promise;

constexpr int64_t now = 1'790'000'000;

void check_selection(const Selection& selection, uint64_t size) {
    if (selection.kind == Selection::Kind::part) {
        promise(selection.length > 0 && selection.offset < size && selection.length <= size - selection.offset,
                "a part lies in the file");
    } else if (selection.kind == Selection::Kind::whole) {
        promise(selection.offset == 0 && selection.length == size, "the whole is the whole");
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 4) {
        return 0;
    }
    const uint64_t file_size = fcgate::load_be32(data);
    std::string_view rest = fcgate::test::as_text(data + 4, size - 4);
    static Field fields[fcgate::limits::request_fields];
    size_t count = 0;
    std::string_view line;
    while (count < fcgate::limits::request_fields && fcgate::test::next_line(rest, line)) {
        std::string_view value;
        const std::string_view name = fcgate::split_first(line, ':', value);
        fields[count++] = {name, fcgate::trim(value)};
        const auto date = fcgate::parse_http_date(fields[count - 1].value, now);
        if (date.ok()) {
            fcgate::Text<64> printed;
            fcgate::append_http_date(printed, date.value());
            const auto again = fcgate::parse_http_date(printed.view(), now);
            promise(again.ok() && again.value() == date.value(), "a date printed and read again is the same");
        }
        check_selection(fcgate::files::select_range(fields[count - 1].value, file_size), file_size);
        promise(!fcgate::files::matches_strong(fields[count - 1].value, "\"0-nothing\"") ||
                    fcgate::files::matches_weak(fields[count - 1].value, "\"0-nothing\""),
                "what matches strongly matches weakly");
    }
    RequestHead head;
    head.method = (data[3] & 1U) != 0 ? "GET" : "HEAD";
    head.fields = {fields, count};
    check_selection(fcgate::files::select(head, {"\"abc\"", now - 100}, file_size, now), file_size);
    return 0;
}
