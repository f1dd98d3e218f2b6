// What a backend sends: records to the reader, and through it the response with its head and pages. The first byte says into how long
// pieces the rest is cut: no cut may make a difference.
#include <algorithm>
#include <cstring>

#include "fastcgi/response_stream.hpp"
#include "fuzz.hpp"

namespace {

using fcgate::Page;
using fcgate::PagePool;
using fcgate::Status;
using fcgate::fastcgi::ErrorSink;
using fcgate::fastcgi::ResponseStream;
using fcgate::test::promise;

constexpr size_t pool_pages = 8;
constexpr size_t most = size_t{256} * 1024;

// What came of one way of feeding.
struct Result {
    Status status = Status::ok;
    bool head_done = false;
    bool ended = false;
    bool clean = false;
    uint16_t code = 0;
    size_t fields = 0;
    size_t output = 0;
    size_t errors = 0;
    uint64_t output_sum = 0;
    uint64_t error_sum = 0;

    bool operator==(const Result&) const = default;
};

[[nodiscard]] uint64_t add_to_sum(uint64_t sum, std::string_view bytes) {
    for (const char c : bytes) {
        sum = (sum ^ static_cast<uint8_t>(c)) * 0x100000001b3U;
    }
    return sum;
}

void read_all(ResponseStream& stream, Result& result) {
    static char buffer[4096];
    for (size_t count = stream.read(buffer); count > 0; count = stream.read(buffer)) {
        result.output += count;
        result.output_sum = add_to_sum(result.output_sum, {buffer, count});
    }
}

[[nodiscard]] Result feed(std::string_view bytes, size_t piece, bool is_head_request) {
    static Page pages[pool_pages];
    static char head[2048];
    PagePool pool;
    pool.init(pages, 1);
    ResponseStream stream;
    stream.init(pool, pool_pages * sizeof(Page::bytes), head, is_head_request);
    Result result;
    const ErrorSink sink{&result, [](void* context, std::string_view text) {
                             auto& into = *static_cast<Result*>(context);
                             into.errors += text.size();
                             into.error_sum = add_to_sum(into.error_sum, text);
                         }};
    while (!bytes.empty() && result.status == Status::ok && !stream.ended()) {
        const size_t size = std::min({piece, bytes.size(), stream.room()});
        promise(size > 0, "an empty buffer has room");
        result.status = stream.feed({bytes.data(), size}, sink);
        bytes.remove_prefix(size);
        read_all(stream, result);
    }
    result.head_done = stream.head_done();
    result.ended = stream.ended();
    result.clean = stream.is_clean() && bytes.empty();
    promise(!result.ended || result.status == Status::ok, "a broken response has no end");
    if (result.head_done) {
        result.code = stream.head().status();
        result.fields = stream.head().field_count();
        promise(result.code >= 200 && result.code <= 999, "a status is one");
        fcgate::FieldCursor cursor = stream.head().fields();
        for (fcgate::Field field; cursor.next(field);) {
            promise(fcgate::is_token(field.name) && !fcgate::has_control(field.value),
                    "nothing is injected into a head");
            promise(!fcgate::is_hop_by_hop(field.name), "what concerns the connection is not PHP's to say");
        }
    }
    stream.finish();
    promise(pool.shared_left() == pool_pages - 1, "all pages are back");
    return result;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 1 || size > most) {
        return 0;
    }
    const std::string_view bytes = fcgate::test::as_text(data + 1, size - 1);
    const bool is_head_request = (data[0] & 0x80U) != 0;
    const size_t piece = size_t{data[0] & 0x7fU} + 1;
    Result in_one = feed(bytes, most, is_head_request);
    Result in_pieces = feed(bytes, piece, is_head_request);
    // Behind the end both have read differently far.
    in_one.clean = in_pieces.clean = false;
    promise(in_one.status == in_pieces.status && in_one.ended == in_pieces.ended && in_one.code == in_pieces.code &&
                in_one.fields == in_pieces.fields,
            "a cut makes no difference");
    promise(in_one.status != Status::ok || in_one == in_pieces, "a cut loses no byte");
    return 0;
}
