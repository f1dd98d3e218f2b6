// The head of a CGI response: at once, and byte by byte.
#include <cstring>

#include "fastcgi/response_head.hpp"
#include "fuzz.hpp"

namespace {

using fcgate::Field;
using fcgate::Status;
using fcgate::fastcgi::ResponseHead;
using fcgate::test::promise;

constexpr size_t storage_size = 1024;

void check_good(const ResponseHead& head) {
    promise(head.status() >= 200 && head.status() <= 999, "a status is one");
    promise(head.size() <= storage_size, "it lies in its storage");
    fcgate::FieldCursor cursor = head.fields();
    for (Field field; cursor.next(field);) {
        promise(fcgate::is_token(field.name), "a name is a token");
        promise(!field.value.empty() && !fcgate::has_control(field.value), "a value has no control byte");
        promise(!fcgate::is_hop_by_hop(field.name), "what concerns the connection is gone");
        promise(!fcgate::equals_ignore_case(field.name, "Content-Length") &&
                    !fcgate::equals_ignore_case(field.name, "Status"),
                "length and status are told apart");
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static char storage[storage_size];
    static char other_storage[storage_size];
    std::string_view whole = fcgate::test::as_text(data, size);
    ResponseHead head{{storage, sizeof storage}};
    const Status status = head.feed(whole);
    ResponseHead slow{{other_storage, sizeof other_storage}};
    Status slow_status = Status::again;
    size_t taken = 0;
    for (; taken < size && slow_status == Status::again; ++taken) {
        std::string_view byte = fcgate::test::as_text(data + taken, 1);
        slow_status = slow.feed(byte);
    }
    promise(status == slow_status, "a cut makes no difference");
    if (status != Status::ok) {
        return 0;
    }
    check_good(head);
    promise(taken == size - whole.size(), "the body begins at the same byte");
    promise(head.status() == slow.status() && head.packed_fields() == slow.packed_fields() &&
                head.has_content_length() == slow.has_content_length() &&
                head.content_length() == slow.content_length(),
            "both are the same head");
    return 0;
}
