#include "spawn/versions.hpp"

#include <dirent.h>

#include <cstdint>

namespace fcgate::spawn {

namespace {

constexpr uint32_t no_version = 0;

// Major above minor, so that 8.10 is newer than 8.9.
[[nodiscard]] uint32_t version_of(std::string_view text) {
    uint32_t major = 0;
    uint32_t part = 0;
    for (const char c : slice(text, starts_with(text, "-") ? 1 : 0)) {
        if (c == '.' && major == 0 && part != 0) {
            major = part << 16U;
            part = 0;
        } else {
            part = part * 10 + static_cast<uint32_t>(c - '0');
            if (!is_digit(c) || part > UINT16_MAX) {
                return no_version;
            }
        }
    }
    return major != 0 ? major | part : part << 16U;
}

// Of a file: what its name has in the place of the '*'.
[[nodiscard]] uint32_t version_in(std::string_view file, std::string_view pattern) {
    std::string_view suffix;
    const std::string_view prefix = split_first(pattern, '*', suffix);
    const bool fits = file.size() >= pattern.size() && starts_with(file, prefix) && ends_with(file, suffix);
    return fits ? version_of(slice(file, prefix.size(), file.size() - pattern.size() + 1)) : no_version;
}

// The newest that is older than `below`; `path` names it. The folder is read anew each time: nothing has to be kept, however many there are.
[[nodiscard]] uint32_t newest_below(std::string_view pattern, uint32_t below, TextBuffer& path) {
    uint32_t newest = no_version;
    const size_t folder_size = pattern.rfind('/') + 1;
    const Text<256> folder(slice(pattern, 0, folder_size));
    DIR* const entries = opendir(folder.c_str());
    if (entries == nullptr) {
        return no_version;
    }
    while (const dirent* const entry = readdir(entries)) {
        const uint32_t version = version_in(entry->d_name, slice(pattern, folder_size));
        if (version > newest && version < below) {
            newest = version;
            path.clear();
            path.append(folder.view()).append(entry->d_name);
        }
    }
    closedir(entries);
    return newest;
}

}  // namespace

bool find_newest(std::string_view patterns, bool (*will_do)(const char* path), TextBuffer& path) {
    for (std::string_view pattern = next_word(patterns); !pattern.empty(); pattern = next_word(patterns)) {
        std::string_view suffix;
        const std::string_view prefix = split_first(pattern, '*', suffix);
        path.clear();
        path.append(prefix).append(suffix);
        uint32_t version = UINT32_MAX;
        do {
            if (path.ok() && will_do(path.c_str())) {
                return true;
            }
            version = newest_below(pattern, version, path);
        } while (version != no_version);
    }
    path.clear();
    return false;
}

}  // namespace fcgate::spawn
