#include "local_user.hpp"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>

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

    [[nodiscard]] bool read_line(std::span<char> line) {
        return fgets(line.data(), static_cast<int>(line.size()), stream_) != nullptr;
    }

  private:
    FILE* stream_;
};

constexpr const char* of_users[] = {"passwd", "group", "initgroups"};
// systemd's users and groups are others than those of the files.
constexpr const char* local_sources[] = {"files", "systemd"};

bool is_one_of(const char* word, std::span<const char* const> words) {
    return std::any_of(words.begin(), words.end(), [&](const char* one) { return std::strcmp(word, one) == 0; });
}

// A line of nsswitch.conf(5): DATABASE: SOURCE [STATUS=ACTION ...] SOURCE ...
bool names_other_sources(char* line) {
    char* rest = nullptr;
    const char* word = strtok_r(line, ": \t\n", &rest);
    if (word == nullptr || !is_one_of(word, of_users)) {
        return false;
    }
    bool is_action = false;
    while ((word = strtok_r(nullptr, " \t\n", &rest)) != nullptr && *word != '#') {
        is_action = is_action || *word == '[';
        if (!is_action && !is_one_of(word, local_sources)) {
            return true;
        }
        is_action = is_action && word[std::strlen(word) - 1] != ']';
    }
    return false;
}

// Without nsswitch.conf glibc looks at the files alone.
bool are_files_all() {
    File file("/etc/nsswitch.conf");
    if (!file.is_open()) {
        return errno == ENOENT;
    }
    char line[512];
    while (file.read_line(line)) {
        if (std::strchr(line, '\n') == nullptr || names_other_sources(line)) {
            return false;
        }
    }
    return true;
}

// The first of the names that a line of the file has.
bool find_user(std::span<const char* const> names, Identity& identity) {
    File file("/etc/passwd");
    auto best = names.end();
    const auto take = [&](const passwd& entry) {
        const auto user =
            std::find_if(names.begin(), best, [&](const char* name) { return std::strcmp(entry.pw_name, name) == 0; });
        if (user != best) {
            best = user;
            identity.uid = entry.pw_uid;
            identity.gid = entry.pw_gid;
        }
    };
    if (!file.is_open() || !file.read(fgetpwent_r, take) || best == names.end()) {
        return false;
    }
    identity.set_name(*best);
    return true;
}

bool find_local_groups(Identity& identity) {
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

bool find_local_user(const char* name, Identity& identity) {
    const std::span<const char* const> names =
        *name == '\0' ? std::span<const char* const>(default_users) : std::span(&name, 1);
    identity.changes =
        are_files_all() && find_user(names, identity) && identity.uid != 0 && find_local_groups(identity);
    return identity.changes;
}

#else

// What other C libraries ask and load is theirs to know: they are always asked.
bool find_local_user(const char* /*name*/, Identity& /*identity*/) {
    return false;
}

#endif

}  // namespace fcgate::daemon
