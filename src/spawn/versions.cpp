#include "spawn/versions.hpp"

#include <dirent.h>

#include <cstdint>

namespace fcgate::spawn {

namespace {

constexpr uint64_t no_version = 0;
constexpr uint64_t largest_part = UINT32_MAX;

[[nodiscard]] Result<uint64_t> parse_part(std::string_view digits) {
    const Result<uint64_t> part = parse_decimal(digits);
    return part.ok() && part.value() > largest_part ? Result<uint64_t>(Status::too_large) : part;
}

// Major above minor, so that 8.10 is newer than 8.9.
[[nodiscard]] uint64_t version_of(std::string_view text) {
    std::string_view minor;
    const std::string_view major = split_first(starts_with(text, "-") ? slice(text, 1) : text, '.', minor);
    const Result<uint64_t> high = parse_part(major);
    const Result<uint64_t> low = minor.empty() ? Result<uint64_t>(0) : parse_part(minor);
    return high.ok() && low.ok() ? high.value() << 32 | low.value() : no_version;
}

[[nodiscard]] uint64_t version_in(std::string_view file, const VersionedName& name) {
    const size_t around = name.prefix.size() + name.suffix.size();
    if (file.size() <= around || !starts_with(file, name.prefix) || !ends_with(file, name.suffix)) {
        return no_version;
    }
    return version_of(slice(file, name.prefix.size(), file.size() - around));
}

void print_path(const VersionedName& name, std::string_view file, TextBuffer& path) {
    path.clear();
    path.append(name.folder).append(file);
}

// The newest that is older than `below`; `path` names it. The folder is read anew each time: nothing has to be kept, however many there are.
[[nodiscard]] uint64_t newest_below(const VersionedName& name, uint64_t below, TextBuffer& path) {
    uint64_t newest = no_version;
    DIR* const folder = opendir(Text<256>(name.folder).c_str());
    if (folder == nullptr) {
        return no_version;
    }
    for (const dirent* entry = readdir(folder); entry != nullptr; entry = readdir(folder)) {
        const uint64_t version = version_in(entry->d_name, name);
        if (version > newest && version < below) {
            newest = version;
            print_path(name, entry->d_name, path);
        }
    }
    closedir(folder);
    return newest;
}

}  // namespace

bool find_newest(const VersionedName& name, bool (*will_do)(const char* path), TextBuffer& path) {
    path.clear();
    path.append(name.folder).append(name.prefix).append(name.suffix);
    if (path.ok() && will_do(path.c_str())) {
        return true;
    }
    uint64_t version = newest_below(name, UINT64_MAX, path);
    while (version != no_version) {
        if (path.ok() && will_do(path.c_str())) {
            return true;
        }
        version = newest_below(name, version, path);
    }
    path.clear();
    return false;
}

}  // namespace fcgate::spawn
