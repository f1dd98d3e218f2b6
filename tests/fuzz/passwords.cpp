// What a client says of its user and password, a line, and behind it a file of users.
#include <sys/mman.h>

#include "auth/credentials.hpp"
#include "auth/password_file.hpp"
#include "base/descriptor.hpp"
#include "fuzz.hpp"
#include "support/basic_auth.hpp"

namespace {

using fcgate::Status;
using fcgate::auth::Credentials;
using fcgate::auth::Hash;
using fcgate::test::promise;
namespace limits = fcgate::limits;

void check_credentials(std::string_view said, Credentials& credentials) {
    if (credentials.parse(said) != Status::ok) {
        promise(credentials.user().empty() && credentials.password().empty(), "what is refused leaves nothing");
        return;
    }
    const std::string_view user = credentials.user();
    promise(!user.empty() && user.size() <= limits::user, "a user has a name");
    promise(credentials.password().size() <= limits::password, "a password fits");
    promise(user.find(':') == std::string_view::npos && !fcgate::has_control(credentials.both()), "no byte is strange");
    fcgate::Text<512> again;
    fcgate::test::append_basic(again, credentials.both());
    const std::string_view encoded = fcgate::trim(fcgate::slice(said, 6));
    promise(fcgate::slice(again.view(), 6) == encoded, "there is one way to write it");
}

// A second reading of the file, for lines that are short enough; empty: nobody.
std::string_view find_line(std::string_view file, std::string_view user, bool& is_found) {
    std::string_view line;
    while (fcgate::test::next_line(file, line)) {
        std::string_view rest;
        if (fcgate::split_first(line, ':', rest) == user && line.front() != '#') {
            is_found = true;
            return rest;
        }
    }
    return {};
}

bool has_long_line(std::string_view file) {
    std::string_view line;
    while (fcgate::test::next_line(file, line)) {
        if (line.size() >= limits::password_hash) {
            return true;
        }
    }
    return false;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view file;
    const std::string_view said = fcgate::split_first(fcgate::test::as_text(data, size), '\n', file);
    Credentials credentials;
    check_credentials(said, credentials);
    const fcgate::Descriptor fd(memfd_create("users", MFD_CLOEXEC));
    promise(write(fd.get(), file.data(), file.size()) == static_cast<ssize_t>(file.size()), "the file is written");
    (void)lseek(fd.get(), 0, SEEK_SET);
    const std::string_view user = credentials.user().empty() ? fcgate::slice(said, 0, 8) : credentials.user();
    Hash hash;
    const Status found = fcgate::auth::find_hash(fd.get(), user, hash);
    promise(found == Status::ok || found == Status::not_found || found == Status::too_large, "it says so");
    (void)fcgate::auth::kind_of(hash.view());
    if (!has_long_line(file) && found != Status::too_large && !user.empty() &&
        user.find(':') == std::string_view::npos) {
        bool is_there = false;
        const std::string_view rest = find_line(file, user, is_there);
        promise(is_there == (found == Status::ok), "who is there is found");
        promise(!is_there || fcgate::starts_with(rest, hash.view()), "with his own hash");
    }
    return 0;
}
