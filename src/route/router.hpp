// Owns: the decision what answers a request: a file, a script, a redirect, a refusal.
// Borrows: the path buffer given to decide() and the configuration; a Decision points into both.
// Must not touch: sockets and file contents; it looks at the file system with stat alone, below the site's root.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/limits.hpp"
#include "config/settings.hpp"
#include "route/path.hpp"

namespace fcgate::route {

// A file, whatever path leads to it: the number of one that is removed may come again, but not with the same time of change.
struct FileIdentity {
    uint64_t device = 0;
    uint64_t number = 0;
    int64_t changed_s = 0;
    int64_t changed_ns = 0;

    [[nodiscard]] bool operator==(const FileIdentity& other) const;
};

struct Decision {
    enum class Kind : uint8_t {
        file,      // `path` is an existing regular file below the root, or "*" for OPTIONS *
        script,    // script_name is an existing regular file, but a link may lead to it; path_info the rest
        listing,   // `path` is a folder, with its slash, whose content may be shown
        redirect,  // to `path` + "/" (encoded again, query kept): a folder asked for without its slash
        refuse,    // status, reason
    };

    Kind kind = Kind::refuse;
    uint16_t status = 500;         // refuse
    Packed reason;                 // refuse: a text for the log
    std::string_view path;         // decoded and normalised, starts with '/'; empty if the target broke a rule
    std::string_view script_name;  // script: e.g. "/index.php"
    std::string_view path_info;    // script: e.g. "/a/b", or empty
    std::string_view query;        // still encoded
    FileIdentity script_file;      // script: what was found there
    bool has_query = false;

    void begin(const Target& target);  // anew, with the target's query
};

// Where a site's files are: its root, opened once (O_PATH | O_DIRECTORY).
struct SiteRoot {
    const SiteSettings* settings = nullptr;
    int fd = -1;
    std::string_view release;  // told in entity tags
};

// The folders outside the root that its links may lead to.
[[nodiscard]] inline std::span<const std::string_view> links_to(const SiteRoot& site) {
    return {site.settings->links_to.begin(), site.settings->links_to.size()};
}

[[nodiscard]] FileIdentity identity_of(const struct stat& status);

// Room for decide(): the decoded path, and behind it an index name or the front controller, each with its NUL.
inline constexpr size_t decision_buffer = limits::request_target + limits::path + 2;

// Decides. `buffer` holds the decoded path (decision_buffer suffices).
// Rules, in this order, for a method that refuses_method() lets pass:
// - the target's and the path's rules: 400, also for a ".." that escapes. `OPTIONS *` is `file` with the path "*",
//   which files/ answers without looking.
// - paths below `internal`: 404.
// - hidden segments, but behind a script (see SCRIPT.php/rest): 404.
// - an existing regular file that ends in script_suffix, or is the front controller, is a script; any other is a file,
//   unless its name would show source (see below): 404. What is neither file nor folder: 403.
// - a folder: with its slash the first existing index file (script or file), without it a redirect.
// - SCRIPT.php/rest, where SCRIPT.php is an existing regular file: a script with path_info.
// - the front controller, if one is configured and exists: script_name = front_controller, path_info empty, for
//   applications read REQUEST_URI.
// - a folder, with its slash, is listed if `listing` says so.
// - a script below `no_scripts` is 404, however it was found.
// - else 404. A stat that fails with EACCES is 403.
// A file with other methods than GET and HEAD is still `file`; files/ answers 405.
//
// A name shows source when, without case and without trailing '.', ' ', '~' and '#' (editors' backups; VFAT opens
// "x.php." as x.php), it ends in script_suffix or the front controller's own suffix, or in one of them and '.bak',
// '.old', '.orig', '.save', '.swp', '.swo', '.inc', 's' or one digit. With neither configured ".php" is guarded all the
// same.
void decide(const SiteRoot& site, std::string_view method, const Target& target, std::span<char> buffer,
            Decision& decision);

// True, with the refusal, for a method that is refused whatever its target: CONNECT 501, TRACE 405. To be asked before split_target(), for
// CONNECT's target is no Target.
[[nodiscard]] bool refuses_method(std::string_view method, Decision& decision);

}  // namespace fcgate::route
