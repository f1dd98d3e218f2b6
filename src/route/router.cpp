#include "route/router.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/features.hpp"
#include "base/text.hpp"
#include "route/source_guard.hpp"

namespace fcgate::route {

namespace {

// True, for who makes it his last word.
bool refuse(Decision& decision, uint16_t status, Packed reason) {
    decision.kind = Decision::Kind::refuse;
    decision.status = status;
    decision.reason = reason;
    return true;
}

void refuse_path(Decision& decision, Status status) {
    switch (status) {
        case Status::too_large:
            refuse(decision, 414, "the path is too long"_p);
            break;
        case Status::refused:
            refuse(decision, 400, "the path leaves the root or hides a slash"_p);
            break;
        case Status::malformed:
            refuse(decision, 400, "the path holds a bad escape, a control byte or a backslash"_p);
            break;
        case Status::ok:
        case Status::again:
        case Status::not_found:
        case Status::denied:
        case Status::exhausted:
        case Status::io:
        case Status::timed_out:
        case Status::gone:
            refuse(decision, 400, "the path is not usable"_p);
            break;
    }
}

// One request on its way through the file system. The path lies at the start of `buffer`, with a NUL behind it; what
// else has to be looked at is written behind the path.
class Search {
  public:
    Search(const SiteRoot& site, std::span<char> buffer, Decision& decision)
        : site_(site), buffer_(buffer), path_(decision.path), decision_(decision) {}

    void run();

  private:
    enum class Found : uint8_t {
        file,
        folder,
        other,      // a FIFO, a socket, a device
        nothing,    // no such name
        not_below,  // something before the last slash is no folder, or the name is too long to tell
        denied,
        failed,
    };

    // `path` starts with '/' and is followed by a NUL.
    [[nodiscard]] Found look(const char* path);

    // Each returns true once `decision_` is made.
    bool at_path();
    bool at_index();
    bool at_path_info();
    bool at_front_controller();
    bool at_folder();

    bool decide_failure(Found found);
    bool decide_file(std::string_view name);
    bool decide_script(std::string_view name);

    bool refuse(uint16_t status, Packed reason) { return route::refuse(decision_, status, reason); }

    const SiteRoot& site_;
    std::span<char> buffer_;
    std::string_view& path_;  // the decision's
    Decision& decision_;
    bool may_have_path_info_ = false;
};

Search::Found Search::look(const char* path) {
    const char* relative = path[1] == '\0' ? "." : path + 1;
    struct stat status;
    if (fstatat(site_.fd, relative, &status, 0) == 0) {
        if (S_ISREG(status.st_mode)) {
            decision_.script_file = identity_of(status);
            return Found::file;
        }
        return S_ISDIR(status.st_mode) ? Found::folder : Found::other;
    }
    switch (errno) {
        case ENOENT:
        case ELOOP:
            return Found::nothing;
        case ENOTDIR:
        case ENAMETOOLONG:
            return Found::not_below;
        case EACCES:
        case EPERM:
            return Found::denied;
        default:
            return Found::failed;
    }
}

bool Search::decide_failure(Found found) {
    switch (found) {
        case Found::denied:
            return refuse(403, "a folder on the way may not be entered"_p);
        case Found::failed:
            return refuse(500, "the file system failed"_p);
        case Found::other:
            return refuse(403, "neither a regular file nor a folder"_p);
        case Found::file:
        case Found::folder:
        case Found::nothing:
        case Found::not_below:
            break;
    }
    return false;
}

bool Search::decide_script(std::string_view name) {
    if (is_below(name, {site_.settings->no_scripts.begin(), site_.settings->no_scripts.size()})) {
        return refuse(404, "no script is run there (see `no_scripts`)"_p);
    }
    decision_.kind = Decision::Kind::script;
    decision_.script_name = name;
    return true;
}

// `name` is an existing regular file.
bool Search::decide_file(std::string_view name) {
    if (is_script(*site_.settings, name)) {
        return decide_script(name);
    }
    if (shows_source(*site_.settings, name)) {
        return refuse(404, "the name would show a script's source"_p);
    }
    decision_.kind = Decision::Kind::file;
    path_ = name;
    return true;
}

bool Search::at_path() {
    const Found found = look(path_.data());
    if (found == Found::file) {
        return decide_file(path_);
    }
    if (found == Found::folder && !path_.ends_with('/')) {
        decision_.kind = Decision::Kind::redirect;
        return true;
    }
    may_have_path_info_ = found == Found::not_below;
    return decide_failure(found);
}

// The path ends in a slash. Its folder itself is not looked at: an index file below it says enough.
bool Search::at_index() {
    char* const end = buffer_.data() + path_.size();
    const size_t room = buffer_.size() - path_.size();
    bool done = false;
    for (const std::string_view name : site_.settings->index) {
        if (name.size() >= room) {
            return refuse(500, "no room for an index name"_p);
        }
        memcpy(end, name.data(), name.size());
        end[name.size()] = '\0';
        const Found found = look(buffer_.data());
        if (found == Found::file) {
            return decide_file({buffer_.data(), path_.size() + name.size()});
        }
        if (found == Found::not_below) {
            may_have_path_info_ = true;
            break;
        }
        if (found == Found::denied || found == Found::failed) {
            done = decide_failure(found);
            break;
        }
    }
    *end = '\0';
    return done;
}

// Only where the path ran into something that is no folder: were SCRIPT.php a file, nothing else could have come of it.
// And where a segment is hidden: behind a script it names no file.
bool Search::at_path_info() {
    if (!may_have_path_info_) {
        return false;
    }
    for (size_t slash = path_.find('/', 1); slash != std::string_view::npos; slash = path_.find('/', slash + 1)) {
        const std::string_view script = slice(path_, 0, slash);
        if (!is_script(*site_.settings, script) || has_hidden_segment(script)) {
            continue;
        }
        buffer_[slash] = '\0';
        const Found found = look(buffer_.data());
        buffer_[slash] = '/';
        if (found == Found::file) {
            decision_.path_info = slice(path_, slash);
            return decide_script(script);
        }
        if (found != Found::folder) {
            return decide_failure(found);
        }
    }
    return false;
}

bool Search::at_front_controller() {
    const std::string_view name = site_.settings->front_controller;
    if (name.empty()) {
        return false;
    }
    const std::span<char> room = buffer_.subspan(path_.size() + 1);
    if (name.size() >= room.size()) {
        return refuse(500, "no room for the front controller"_p);
    }
    memcpy(room.data(), name.data(), name.size());
    room[name.size()] = '\0';
    const Found found = look(room.data());
    if (found != Found::file) {
        return decide_failure(found);
    }
    return decide_script(name);
}

bool Search::at_folder() {
    if constexpr (!features::listing) {
        return false;
    }
    if (!site_.settings->listing || !path_.ends_with('/') || look(path_.data()) != Found::folder) {
        return false;
    }
    decision_.kind = Decision::Kind::listing;
    return true;
}

void Search::run() {
    const bool has_index = !site_.settings->index.empty();
    const bool is_hidden = has_hidden_segment(path_);
    may_have_path_info_ = is_hidden;
    const bool is_found = !is_hidden && (path_.ends_with('/') && has_index ? at_index() : at_path());
    if (is_found || at_path_info()) {
        return;
    }
    const Packed reason = is_hidden ? "a name that starts with a dot, or a short one of VFAT"_p : "no such file"_p;
    if (is_hidden || !(at_front_controller() || at_folder())) {
        refuse(404, reason);
    }
}

}  // namespace

bool FileIdentity::operator==(const FileIdentity& other) const {
    return device == other.device && number == other.number && changed_s == other.changed_s &&
           changed_ns == other.changed_ns;
}

FileIdentity identity_of(const struct stat& status) {
    return {.device = status.st_dev,
            .number = status.st_ino,
            .changed_s = status.st_ctim.tv_sec,
            .changed_ns = status.st_ctim.tv_nsec};
}

void Decision::begin(const Target& target) {
    *this = Decision();
    query = target.query;
    has_query = target.has_query;
}

bool refuses_method(std::string_view method, Decision& decision) {
    if (method == "CONNECT") {
        return refuse(decision, 501, "CONNECT is for proxies"_p);
    }
    return method == "TRACE" && refuse(decision, 405, "TRACE would show the client's cookies to scripts"_p);
}

void decide(const SiteRoot& site, std::string_view method, const Target& target, std::span<char> buffer,
            Decision& decision) {
    decision.begin(target);
    if (target.is_asterisk) {
        if (method == "OPTIONS") {
            decision.kind = Decision::Kind::file;
            decision.path = target.path;
        } else {
            refuse(decision, 400, "only OPTIONS may ask for *"_p);
        }
        return;
    }
    const Result<std::string_view> path =
        buffer.empty() ? Status::too_large : normalise_path(target.path, buffer.first(buffer.size() - 1));
    if (!path.ok()) {
        refuse_path(decision, path.status());
        return;
    }
    decision.path = path.value();
    buffer[decision.path.size()] = '\0';
    if (is_below(decision.path, {site.settings->internal.begin(), site.settings->internal.size()})) {
        refuse(decision, 404, "only X-Accel-Redirect leads there (see `internal`)"_p);
    } else {
        Search(site, buffer, decision).run();
    }
}

}  // namespace fcgate::route
