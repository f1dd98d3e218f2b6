// The whole server: what a client sends, and behind a line "--php--" what PHP sends on each of its connections, with the request
// read whole. Without that line PHP says hello.
#include "fuzz.hpp"
#include "support/world.hpp"

namespace {

using fcgate::test::promise;
using fcgate::test::World;

constexpr std::string_view parting = "\n--php--\n";

[[nodiscard]] size_t count_of(std::string_view text, std::string_view wanted) {
    size_t count = 0;
    for (size_t at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + 1)) {
        ++count;
    }
    return count;
}

World& world() {
    static World* const made = [] {
        static World world;
        return &world;
    }();
    return *made;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static unsigned count = 0;
    const std::string_view text = fcgate::test::as_text(data, size);
    const size_t part = text.find(parting);
    const std::string_view php_says =
        part != std::string_view::npos ? fcgate::slice(text, part + parting.size()) : World::hello;
    const std::string_view client_says = fcgate::slice(text, 0, part);
    world().play(client_says, php_says);
    // A GET that PHP left in the middle may be tried once more.
    promise(world().requests() <= 2 * count_of(client_says, "HTTP/1."), "PHP hears of no request that is none");
    if (part == std::string_view::npos) {
        promise(world().requests() <= count_of(client_says, "HTTP/1."), "every request runs once");
    }
    if (++count % 16 == 1) {
        world().check_canary();
    }
    return 0;
}
