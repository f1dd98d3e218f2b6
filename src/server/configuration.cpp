#include "server/configuration.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

#include "base/descriptor.hpp"
#include "base/features.hpp"
#include "base/log.hpp"
#include "base/machine.hpp"
#include "files/release.hpp"
#include "http/listener.hpp"

namespace fcgate::server {

Status explain(ServerError& error, Status status, Packed words) {
    error.clear();
    error.append(words);
    return status;
}

Status explain_packed(ServerError& error, Status status, Packed pattern, ...) {
    va_list values;
    va_start(values, pattern);
    error.clear();
    error.append_list(pattern, values);
    va_end(values);
    return status;
}

namespace {

[[nodiscard]] Status no_folder(ServerError& error, Packed key, std::string_view folder, int number) {
    const Packed advice = number == ENOENT    ? "; make it, or name another folder (root, -r)"_p
                          : number == ENOTDIR ? "; it must be a folder"_p
                          : number == EACCES
                              ? "; whoever serves (server.user) must be able to enter it and the folders above it"_p
                              : ""_p;
    return explain<"%: %: %%">(error, status_of_error(number), key, folder, SystemError{number}, advice);
}

// O_PATH asks for no right on the folder itself; whether it may be entered shows only where something is looked up in it. Leaves errno to tell.
[[nodiscard]] int open_folder(const char* path) {
    Descriptor fd(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct stat status {};
    const bool may_enter = fd.valid() && fstatat(fd.get(), ".", &status, 0) == 0;
    return may_enter ? fd.release() : -1;
}

}  // namespace

void Configuration::begin(const Settings& next) {
    settings = &next;
    machine_name.clear();
    append_machine_name(machine_name);
}

size_t Listeners::find(const ListenSettings& listen) const {
    size_t number = 0;
    while (number < count && (*settings)[number].text != listen.text) {
        ++number;
    }
    return number;
}

Status Listeners::open(const FixedList<ListenSettings, limits::listeners>& listen, Listeners* before,
                       ServerError& error) {
    settings = &listen;
    count = 0;
    for (const ListenSettings& wanted : listen) {
        const size_t known = before != nullptr ? before->find(wanted) : 0;
        const bool is_known = before != nullptr && known < before->count;
        error.clear();
        const Result<int> fd = is_known ? Result<int>(before->fds[known]) : http::open_listener(wanted, error);
        if (!fd.ok()) {
            const bool may_have_had_rights = before != nullptr && fd.status() == Status::denied;
            error.append(may_have_had_rights ? "; a restart has the rights of the start again"_p : ""_p);
            return fd.status();
        }
        fds[count] = fd.value();
        is_shared[count] = is_known;
        ++count;
    }
    return Status::ok;
}

void Listeners::hand_on(Listeners& after) {
    for (size_t i = 0; i < after.count; ++i) {
        if (after.is_shared[i]) {
            after.is_shared[i] = false;
            is_shared[find((*after.settings)[i])] = true;
        }
    }
}

void Listeners::give_back_inherited() {
    for (size_t i = 0; i < count; ++i) {
        if ((*settings)[i].kind == ListenSettings::Kind::descriptor) {
            fds[i] = -1;
        }
    }
}

void Listeners::close_own() {
    // A reload that comes too late for anything may meet the last worker here: one of them gets them all.
    const size_t own = std::atomic_ref(count).exchange(0, std::memory_order_relaxed);
    for (size_t i = 0; i < own; ++i) {
        if (is_shared[i]) {
            continue;
        }
        // The path goes first: once the socket is closed a new server may have made it anew.
        http::remove_socket_path((*settings)[i]);
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

Status Configuration::open_roots(ServerError& error) {
    sites.clear();
    build_id.clear();
    files::append_build_id(build_id);
    size_t used = 0;
    Status status = Status::ok;
    for (const SiteSettings& wanted : settings->sites) {
        if (status == Status::ok) {
            status = open_root(wanted, used, error);
        }
    }
    if (status != Status::ok) {
        close_roots();
    }
    return status;
}

// The path of the root goes into the text, behind the `used` bytes of those before.
Status Configuration::open_root(const SiteSettings& wanted, size_t& used, ServerError& error) {
    Site site;
    site.root.settings = &wanted;
    site.root.release = settings->server.release.empty() ? build_id.view() : settings->server.release;
    const Text<limits::path> configured(wanted.root);
    char absolute[PATH_MAX];
    if (configured.ok() && realpath(configured.c_str(), absolute) != nullptr) {
        site.root.fd = open_folder(absolute);
    }
    if (site.root.fd < 0) {
        return no_folder(error, "root"_p, wanted.root, errno);
    }
    const size_t length = strcmp(absolute, "/") == 0 ? 0 : strlen(absolute);
    const std::span<char> room = text.subspan(used);
    site.document_root = {room.data(), std::min(length, room.size())};
    memcpy(room.data(), absolute, site.document_root.size());
    used += site.document_root.size();
    if (!wanted.sendfile_root.empty()) {
        const Text<limits::path> folder(wanted.sendfile_root);
        site.sendfile_fd = open_folder(folder.c_str());
    }
    const int failure = errno;
    // There is room for as many as the settings have. From here on close_roots() closes what is open.
    (void)sites.push_back(site);
    if (!wanted.sendfile_root.empty() && site.sendfile_fd < 0) {
        return no_folder(error, "sendfile_root"_p, wanted.sendfile_root, failure);
    }
    if constexpr (features::auth) {
        const Status passwords = check_passwords(wanted, error);
        if (passwords != Status::ok) {
            return passwords;
        }
    }
    return length <= room.size() ? Status::ok
                                 : explain(error, Status::too_large, "the paths of all roots together are too long"_p);
}

void Configuration::close_roots() {
    for (const Site& site : sites) {
        close(site.root.fd);
        if (site.sendfile_fd >= 0) {
            close(site.sendfile_fd);
        }
    }
    sites.clear();
}

uint32_t Configuration::gate_mask() const {
    uint32_t mask = 0;
    for (size_t i = 0; i < settings->backends.size(); ++i) {
        mask |= 1U << gates[i];
    }
    return mask;
}

}  // namespace fcgate::server
