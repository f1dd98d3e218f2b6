// A request target, through the path rules to the decision what answers it. The root has two scripts, a file, a folder, a hidden file
// and a backup of a script.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "fuzz.hpp"
#include "route/router.hpp"
#include "unit/temp_tree.hpp"

namespace {

using fcgate::Result;
using fcgate::SiteSettings;
using fcgate::slice;
using fcgate::Status;
using fcgate::test::promise;
using namespace fcgate::route;

struct Place {
    Place() {
        tree.file("index.php");
        tree.file("a.txt");
        tree.file("a.php.bak");
        tree.file(".secret");
        tree.folder("dir");
        tree.file("dir/b.php");
        settings.front_controller = "/index.php";
    }
    fcgate::test::TempTree tree;
    SiteSettings settings;
};

Place& place() {
    static Place* const made = [] {
        static Place place;
        return &place;
    }();
    return *made;
}

void check_normal(std::string_view path) {
    promise(path.starts_with('/'), "a path starts with a slash");
    promise(path.find("//") == std::string_view::npos, "no empty segment");
    promise(path.find('\\') == std::string_view::npos, "no backslash");
    promise(!fcgate::has_control(path) && path.find('\t') == std::string_view::npos, "no control byte");
    std::string_view rest = slice(path, 1);
    while (!rest.empty()) {
        const std::string_view segment = fcgate::split_first(rest, '/', rest);
        promise(segment != "." && segment != "..", "no dot segment");
    }
}

void check_decision(const Target& target) {
    static char buffer[decision_buffer];
    const SiteRoot root{&place().settings, place().tree.fd()};
    Decision decision;
    decide(root, "GET", target, buffer, decision);
    if (decision.kind == Decision::Kind::script) {
        promise(decision.script_name == "/index.php" || decision.script_name == "/dir/b.php", "only scripts run");
    } else if (decision.kind == Decision::Kind::file) {
        promise(decision.path == "/a.txt" || decision.path == "*", "only the file is shown");
    } else if (decision.kind == Decision::Kind::redirect) {
        promise(decision.path == "/dir", "only the folder gets its slash");
    } else {
        promise(decision.status >= 400 && decision.status < 600, "a refusal has its status");
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Target target;
    if (split_target(fcgate::test::as_text(data, size), target) != Status::ok) {
        return 0;
    }
    check_decision(target);
    if (target.is_asterisk) {
        return 0;
    }
    static char path[fcgate::limits::request_target];
    const Result<std::string_view> normal = normalise_path(target.path, path);
    if (!normal.ok()) {
        return 0;
    }
    check_normal(normal.value());
    promise(normal.value().size() <= target.path.size(), "decoding never makes it longer");
    // Encoded and read again it is the same path.
    static char encoded_storage[3 * fcgate::limits::request_target + 1];
    static char again_storage[3 * fcgate::limits::request_target + 1];
    fcgate::TextBuffer encoded(encoded_storage);
    append_encoded_path(encoded, normal.value());
    const Result<std::string_view> again = normalise_path(encoded.view(), again_storage);
    promise(encoded.ok() && again.ok() && again.value() == normal.value(), "encoded again it is the same path");
    (void)has_hidden_segment(normal.value());
    return 0;
}
