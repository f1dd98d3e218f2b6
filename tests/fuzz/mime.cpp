// The file of `mime_types`, a line each; then names are looked up in what it has made.
#include "files/mime.hpp"

#include "fuzz.hpp"

namespace {

using fcgate::Status;
using fcgate::files::MimeTable;
using fcgate::test::promise;

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static char storage[2048];
    MimeTable table;
    table.begin(storage);
    std::string_view rest = fcgate::test::as_text(data, size);
    const std::string_view all = rest;
    std::string_view line;
    Status status = Status::ok;
    while (status == Status::ok && fcgate::test::next_line(rest, line)) {
        status = table.add_line(line);
        promise(status == Status::ok || status == Status::malformed || status == Status::too_large, "it says so");
    }
    fcgate::Text<80> path("/a.");
    path.append(fcgate::slice(all, all.size() > 12 ? all.size() - 12 : 0));
    for (const std::string_view name : {path.view(), std::string_view("/a.png"), std::string_view("/a.x")}) {
        fcgate::Text<64> room;
        const std::string_view type = table.lookup(name, room);
        promise(type.find('/') != std::string_view::npos && !fcgate::has_control(type), "a type is a type");
    }
    return 0;
}
