#include "local_user.hpp"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>

namespace fcgate::daemon {

#ifdef __GLIBC__

namespace {

class File {
  public:
    explicit File(const char* path) : stream_(fopen(path, "re")) {}
    ~File() {
        if (stream_ != nullptr) {
            (void)fclose(stream_);
        }
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    [[nodiscard]] bool is_open() const { return stream_ != nullptr; }

    // Calls take(entry) for each entry that `next` (fgetpwent_r or fgetgrent_r) finds; false when it cannot read on before the end.
    template <class Entry, class Take>
    bool read(int (*next)(FILE*, Entry*, char*, size_t, Entry**), Take take) {
        Entry entry{};
        Entry* found = nullptr;
        char text[2048];
        for (;;) {
            const int error = next(stream_, &entry, text, sizeof text, &found);
            if (error != 0) {
                return error == ENOENT;
            }
            take(entry);
        }
    }

  private:
    FILE* stream_;
};

bool find_user(Identity& identity) {
    File file("/etc/passwd");
    const char* const* best = std::end(default_users);
    const auto take = [&](const passwd& entry) {
        const auto* const user = std::find_if(std::begin(default_users), best,
                                              [&](const char* name) { return std::strcmp(entry.pw_name, name) == 0; });
        if (user != best) {
            best = user;
            identity.uid = entry.pw_uid;
            identity.gid = entry.pw_gid;
        }
    };
    if (!file.is_open() || !file.read(fgetpwent_r, take) || best == std::end(default_users)) {
        return false;
    }
    (void)stpcpy(identity.name, *best);
    return true;
}

bool find_groups(Identity& identity) {
    File file("/etc/group");
    identity.groups[0] = identity.gid;
    identity.group_count = 1;
    const auto take = [&](const group& entry) {
        for (char** member = entry.gr_mem; *member != nullptr; ++member) {
            if (std::strcmp(*member, identity.name) == 0 && entry.gr_gid != identity.gid &&
                identity.group_count < Identity::most_groups) {
                identity.groups[identity.group_count] = entry.gr_gid;
                ++identity.group_count;
            }
        }
    };
    return file.is_open() && file.read(fgetgrent_r, take) && identity.group_count < Identity::most_groups;
}

}  // namespace

bool find_local_user(Identity& identity) {
    identity.changes = find_user(identity) && identity.uid != 0 && find_groups(identity);
    return identity.changes;
}

#else

// Other C libraries read the same two files themselves, and load nothing.
bool find_local_user(Identity& /*identity*/) {
    return false;
}

#endif

}  // namespace fcgate::daemon
