#include "files/open_beneath.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <span>

#include "base/descriptor.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

namespace fcgate::files {

namespace {

// O_NONBLOCK: a FIFO's open() would wait for a writer. O_NOCTTY: a terminal must not become ours.
constexpr int read_flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

using Name = Text<limits::path>;

Status status_of_errno() {
    switch (errno) {
        case ENOENT:
        case ENOTDIR:
        case ELOOP:
            return Status::not_found;
        case EACCES:
        case EPERM:
        case ENXIO:  // a socket, or a device without a driver
        case ENODEV:
            return Status::denied;
        case ENAMETOOLONG:
            return Status::too_large;
        case EMFILE:
        case ENFILE:
        case ENOMEM:
            return Status::exhausted;
        default:
            return Status::io;
    }
}

const char* relative_name(const Name& name) {
    return name.size() < 2 ? "." : name.c_str() + 1;
}

void append_link(TextBuffer& out, int fd) {
    out.append("/proc/self/fd/").append_number(static_cast<uint64_t>(fd));
}

// A descriptor's name as /proc shows it; empty when it cannot be had, or is longer than `room`.
std::string_view name_of(int fd, std::span<char> room) {
    Text<32> link;
    append_link(link, fd);
    const ssize_t size = readlink(link.c_str(), room.data(), room.size());
    const bool is_whole = size > 0 && static_cast<size_t>(size) < room.size();
    return is_whole ? std::string_view(room.data(), static_cast<size_t>(size)) : std::string_view();
}

bool lies_in(std::string_view folder, std::string_view file) {
    if (folder.ends_with('/')) {
        folder.remove_suffix(1);
    }
    return file == folder || (starts_with(file, folder) && slice(file, folder.size()).starts_with('/'));
}

bool is_beneath(int root, int fd, Folders beyond) {
    char folder_room[limits::path];
    char file_room[limits::path];
    const std::string_view folder = name_of(root, folder_room);
    const std::string_view file = name_of(fd, file_room);
    if (file.empty()) {
        return false;
    }
    bool found = !folder.empty() && lies_in(folder, file);
    for (size_t i = 0; i < beyond.size() && !found; ++i) {
        found = lies_in(beyond[i], file);
    }
    return found;
}

#ifdef SYS_openat2
// linux/openat2.h, which older toolchains lack.
struct OpenHow {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};
constexpr uint64_t resolve_no_magiclinks = 0x02;
constexpr uint64_t resolve_beneath = 0x08;

int open_by_kernel(int root, const char* relative, int flags) {
    const OpenHow how{
        .flags = static_cast<uint64_t>(flags), .mode = 0, .resolve = resolve_beneath | resolve_no_magiclinks};
    return static_cast<int>(syscall(SYS_openat2, root, relative, &how, sizeof how));
}
#else
int open_by_kernel(int, const char*, int) {
    errno = ENOSYS;
    return -1;
}
#endif

// What another way may still open: no such call, one a seccomp filter forbids, a link out of the root or an absolute
// one, a race with a rename.
bool is_undecided(int error) {
    return error == ENOSYS || error == EPERM || error == EXDEV || error == EAGAIN;
}

// A mere reference, which opens nothing: a link may lead to a device that does something when opened.
Result<int> refer_by_name(int root, const Name& name, Folders beyond) {
    const int reference = openat(root, relative_name(name), O_PATH | O_CLOEXEC);
    if (reference < 0) {
        return status_of_errno();
    }
    if (is_beneath(root, reference, beyond)) {
        return reference;
    }
    close(reference);
    return Status::denied;
}

Result<int> open_by_name(int root, const Name& name, Folders beyond) {
    const Result<int> referred = refer_by_name(root, name, beyond);
    if (!referred.ok()) {
        return referred;
    }
    const Descriptor reference(referred.value());
    struct stat status;
    if (fstat(reference.get(), &status) != 0 || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) {
        return Status::denied;
    }
    Text<32> link;
    append_link(link, reference.get());
    const int fd = open(link.c_str(), read_flags);
    return fd >= 0 ? Result<int>(fd) : Result<int>(status_of_errno());
}

Result<int> open_any(int root, std::string_view path, Folders beyond, int flags) {
    const Name name(path);
    if (!name.ok()) {
        return Status::too_large;
    }
    const int fd = open_by_kernel(root, relative_name(name), flags);
    if (fd >= 0) {
        return fd;
    }
    if (!is_undecided(errno)) {
        return status_of_errno();
    }
    return (flags & O_PATH) != 0 ? refer_by_name(root, name, beyond) : open_by_name(root, name, beyond);
}

}  // namespace

Result<int> open_beneath(int root, std::string_view path, Folders beyond) {
    // The call is raw: nobody adds O_LARGEFILE for us on 32-bit machines.
    return open_any(root, path, beyond, read_flags | O_LARGEFILE);
}

Result<int> refer_beneath(int root, std::string_view path, Folders beyond) {
    return open_any(root, path, beyond, O_PATH | O_CLOEXEC);
}

Result<int> open_beneath_by_name(int root, std::string_view path, Folders beyond) {
    const Name name(path);
    return name.ok() ? open_by_name(root, name, beyond) : Result<int>(Status::too_large);
}

}  // namespace fcgate::files
