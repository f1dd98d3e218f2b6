// What is served, as whoever serves finds it: roots, scripts, folders for request bodies.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "auth/password_file.hpp"
#include "base/features.hpp"
#include "base/log.hpp"
#include "doctor/examination.hpp"
#include "doctor/lines.hpp"
#include "files/open_beneath.hpp"

namespace fcgate::doctor {

namespace {

[[nodiscard]] bool is_file(std::string_view folder, std::string_view slash, std::string_view name) {
    Text<2 * limits::path> path(folder);
    path.append(slash).append(name);
    struct stat status {};
    return path.ok() && stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

// What stands for a folder: an index file of either kind.
[[nodiscard]] std::string_view find_index(const SiteSettings& site, std::string_view folder) {
    for (const std::string_view name : site.index) {
        if (is_file(folder, "/", name)) {
            return name;
        }
    }
    return {};
}

// What links below a root lead to.
struct Links {
    // As the finding tells them.
    static constexpr unsigned most_entries = 4096;
    static constexpr unsigned most_levels = 8;

    Report& report;
    const SiteSettings& site;
    size_t root_size;
    Descriptor folder;            // the root, open
    Text<2 * limits::path> path;  // of what is looked at; begins with the root
    unsigned levels = most_levels;
    unsigned entries = most_entries;
    bool is_cut = false;  // there is more than was looked at

    Links(Report& to, const SiteSettings& of, const char* root)
        : report(to),
          site(of),
          root_size(strlen(root)),
          folder(open(root, O_PATH | O_DIRECTORY | O_CLOEXEC)),
          path(root) {}

    // Tells of one that would not be followed.
    [[nodiscard]] bool leads_outside(Found found) const {
        const Result<int> referred = files::refer_beneath(folder.get(), slice(path.view(), root_size),
                                                          {site.links_to.begin(), site.links_to.size()});
        const Descriptor reference(referred.ok() ? referred.value() : -1);
        char real[PATH_MAX] = "";
        // It may also be that who serves may not go there; then where it leads is not known.
        if (referred.status() != Status::denied || realpath(path.c_str(), real) == nullptr) {
            return false;
        }
        report.add(found, site.root, {slice(path.view(), root_size + 1), real});
        return true;
    }

    [[nodiscard]] bool examine_entry(Found found, std::string_view name) {
        const size_t size = path.size();
        path.append(starts_with(name, "/") ? "" : "/").append(name);
        struct stat status {};
        bool is_told = false;
        if (found == Found::entry_outside) {
            is_told = leads_outside(found);
        } else if (entries == 0) {
            is_cut = true;
        } else if (lstat(path.c_str(), &status) == 0) {
            --entries;
            is_told = S_ISLNK(status.st_mode) ? leads_outside(found) : S_ISDIR(status.st_mode) && examine();
        }
        path.cut(size);
        return is_told;
    }

    // One is told of: a root may have any number of them.
    [[nodiscard]] bool examine() {
        if (levels == 0) {
            is_cut = true;
            return false;
        }
        --levels;
        const bool is_told = find_entry(
            path.c_str(),
            [](void* self, const char* name) {
                return *name != '.' && static_cast<Links*>(self)->examine_entry(Found::link_outside, name);
            },
            this);
        ++levels;
        return is_told;
    }
};

void examine_entry(Report& report, const SiteSettings& site, const char* root) {
    const std::string_view front = site.front_controller;
    const std::string_view index = find_index(site, root);
    const std::string_view entry = front.empty() ? index : front;
    Links links(report, site, root);
    if (!entry.empty() && links.examine_entry(Found::entry_outside, entry)) {
        return;
    }
    // No link leads out of "/".
    if (root[1] != '\0' && !links.examine() && links.is_cut) {
        report.add(Found::links_many, site.root);
    }
    if (!front.empty()) {
        report.add(is_file(root, "", front) ? Found::entry_good : Found::entry_no_front, site.root, {front});
    } else if (!site.has_backend && ends_with(index, site.script_suffix)) {
        report.add(Found::entry_no_backend, site.root, {index});
    } else if (!index.empty()) {
        // Scripts are PHP's to read.
        Text<2 * limits::path> path(root);
        path.append('/').append(index);
        const bool is_readable = ends_with(index, site.script_suffix) || access(path.c_str(), R_OK) == 0;
        report.add(is_readable ? Found::entry_good : Found::entry_unreadable, site.root, {index, path.view()});
    } else if (!site.listing) {
        report.add(Found::entry_none, site.root);
    }
}

[[nodiscard]] Found judge_root(const SiteSettings& site, char (&root)[PATH_MAX]) {
    struct stat status {};
    const Text<limits::path> configured(site.root);
    errno = ENAMETOOLONG;
    if (!configured.ok() || realpath(configured.c_str(), root) == nullptr || stat(root, &status) != 0) {
        return errno == ENOENT ? Found::root_absent : errno == EACCES ? Found::root_denied : Found::root_wrong;
    }
    if (!S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
        return Found::root_wrong;
    }
    if (access(root, X_OK) != 0) {
        return Found::root_denied;
    }
    return strcmp(root, "/") == 0 ? Found::root_all : Found::root_good;
}

void examine_root(Report& report, const SiteSettings& site) {
    char root[PATH_MAX];
    char words[96] = "";
    const Found found = judge_root(site, root);
    report.add(found, site.root, {found == Found::root_wrong ? describe_error(errno, words) : site.root});
    if (found == Found::root_good || found == Found::root_all) {
        examine_entry(report, site, root);
    }
}

void examine_spool(Examination& examination, const SiteSettings& site) {
    const Text<limits::path> folder(site.spool);
    char words[96] = "";
    struct statfs file_system {};
    if (access(folder.c_str(), W_OK | X_OK) != 0 || statfs(folder.c_str(), &file_system) != 0) {
        examination.report.add(Found::spool_wrong, site.spool, {describe_error(errno, words)});
        return;
    }
    const uint64_t free = uint64_t{file_system.f_bavail} * static_cast<uint64_t>(file_system.f_bsize);
    const uint64_t wanted = std::min(site.max_body, examination.settings.server.spool_total);
    examination.report.add(free < wanted ? Found::spool_small : Found::spool_good, site.spool,
                           {Size(free), Size(wanted)});
}

// 0, or the errno with which the file would not be opened.
[[nodiscard]] int try_file(std::string_view path, int mode) {
    const Text<limits::path> file(path);
    if (access(file.c_str(), mode) == 0) {
        return 0;
    }
    // One that is to be written is made.
    const Text<limits::path> folder(slice(path, 0, path.rfind('/') + 1));
    const bool may_be_made = errno == ENOENT && mode == W_OK && access(folder.c_str(), W_OK | X_OK) == 0;
    return may_be_made ? 0 : errno;
}

// No path: none is wanted, or standard error, or syslog.
void examine_file(Report& report, std::string_view path, std::string_view key, int mode) {
    const int failure = path.starts_with('/') ? try_file(path, mode) : 0;
    if (failure != 0) {
        char words[96] = "";
        report.add(Found::file_wrong, path, {describe_error(failure, words), key});
    }
}

#if FCGATE_WITH_AUTH
// As the start reads it, and as it warns.
void examine_users(Report& report, std::string_view path) {
    if (path.empty()) {
        return;
    }
    auth::Census census;
    const Status status = auth::examine(path, census);
    if (status != Status::ok) {
        const Text<96> words(auth::words_for(status));
        char buffer[96] = "";
        report.add(Found::file_wrong, path, {words.size() > 0 ? words.view() : describe_error(errno, buffer), "auth"});
        return;
    }
    if (census.wrong_line != 0) {
        const Text<32> words(auth::words_for(census.wrong_kind));
        report.add(Found::users_wrong, path, {Number(census.wrong_line), words.view()});
    }
    if (census.users == 0) {
        report.add(Found::users_none, path);
    }
}
#endif

}  // namespace

void examine_files(Examination& examination) {
    const ServerSettings& server = examination.settings.server;
    examine_file(examination.report, server.error_log, "error_log", W_OK);
    examine_file(examination.report, server.access_log, "access_log", W_OK);
    examine_file(examination.report, server.pid_file, "pid_file", W_OK);
}

Status find_script(const SiteSettings& site, TextBuffer& folder, TextBuffer& script) {
    char root[PATH_MAX];
    if (realpath(Text<limits::path>(site.root).c_str(), root) == nullptr) {
        return Status::not_found;
    }
    // Whoever says where PHP finds the script knows that PHP sees another file system.
    for (const Pair& param : site.params) {
        if (param.name == "SCRIPT_FILENAME") {
            folder.append(slice(param.value, 0, param.value.rfind('/')));
            script.append(param.value);
            return script.ok() ? Status::ok : Status::too_large;
        }
    }
    folder.append(root);
    script.append(strcmp(root, "/") == 0 ? "" : root);
    if (!site.front_controller.empty()) {
        script.append(site.front_controller);
    } else {
        const std::string_view index = find_index(site, root);
        if (!ends_with(index, site.script_suffix)) {
            return Status::not_found;
        }
        script.append('/').append(index);
    }
    return script.ok() && access(script.c_str(), F_OK) == 0 ? Status::ok : Status::not_found;
}

void examine_folders(Examination& examination) {
    examine_file(examination.report, examination.settings.server.mime_types, "mime_types", R_OK);
    for (const SiteSettings& site : examination.settings.sites) {
        examine_root(examination.report, site);
        if (!site.sendfile_root.empty() && access(Text<limits::path>(site.sendfile_root).c_str(), X_OK) != 0) {
            char words[96] = "";
            examination.report.add(Found::sendfile_wrong, site.sendfile_root, {describe_error(errno, words)});
        }
#if FCGATE_WITH_AUTH
        examine_users(examination.report, site.auth);
#endif
        if (features::spool && site.has_backend && !site.spool.empty()) {
            examine_spool(examination, site);
        }
    }
}

}  // namespace fcgate::doctor
