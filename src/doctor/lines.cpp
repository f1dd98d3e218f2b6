#include "doctor/lines.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>

namespace fcgate::doctor {

Lines::Lines(const char* path) : fd_(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {}

bool Lines::next(std::string_view& line) & {
    size_t length = 0;
    bool is_any = false;
    for (;;) {
        if (at_ == size_) {
            const ssize_t count = chunks_left_ > 0 ? read(fd_.get(), chunk_, sizeof chunk_) : 0;
            chunks_left_ -= count > 0 ? 1 : 0;
            at_ = 0;
            size_ = count > 0 ? static_cast<size_t>(count) : 0;
            if (size_ == 0) {
                break;
            }
        }
        const char c = chunk_[at_++];
        is_any = true;
        if (c == '\n') {
            break;
        }
        if (length < sizeof line_) {
            line_[length++] = c;
        }
    }
    line = {line_, length};
    return is_any;
}

bool find_entry(const char* folder, bool (*visit)(void* context, const char* name), void* context) {
    DIR* const entries = opendir(folder);
    if (entries == nullptr) {
        return false;
    }
    bool is_found = false;
    for (const dirent* entry = readdir(entries); entry != nullptr && !is_found; entry = readdir(entries)) {
        is_found = visit(context, entry->d_name);
    }
    closedir(entries);
    return is_found;
}

bool find_process(bool (*visit)(void* context, const char* pid), void* context) {
    struct Filter {
        bool (*visit)(void* context, const char* pid);
        void* context;
    } filter{visit, context};
    return find_entry(
        "/proc",
        [](void* self, const char* name) {
            const auto& wanted = *static_cast<const Filter*>(self);
            return is_digit(*name) && wanted.visit(wanted.context, name);
        },
        &filter);
}

void append_process_name(std::string_view pid, TextBuffer& out) {
    Text<64> path("/proc/");
    path.append(pid).append("/comm"_p);
    Lines lines(path.c_str());
    std::string_view line;
    if (lines.next(line)) {
        out.append(line);
    }
}

uint64_t memory_kib(std::string_view name) {
    Lines lines("/proc/meminfo");
    std::string_view line;
    while (lines.next(line)) {
        if (starts_with(line, name)) {
            std::string_view rest = slice(line, name.size());
            const Result<uint64_t> kib = parse_decimal(next_word(rest));
            return kib.ok() ? kib.value() : 0;
        }
    }
    return 0;
}

}  // namespace fcgate::doctor
