#include "files/release.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "base/descriptor.hpp"

namespace fcgate::files {

namespace {

constexpr size_t longest = 32;

constexpr bool is_letter_or_digit(char c) {
    return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
}

}  // namespace

void append_build_id(TextBuffer& out, const char* path) {
    const Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
    char text[4096];
    const ssize_t size = file.valid() ? read(file.get(), text, sizeof text) : -1;
    if (size <= 0) {
        return;
    }
    for (const std::string_view key : {"BUILD_ID", "IMAGE_VERSION"}) {
        std::string_view rest(text, static_cast<size_t>(size));
        while (!rest.empty()) {
            std::string_view value;
            if (split_first(split_first(rest, '\n', rest), '=', value) != key) {
                continue;
            }
            size_t count = 0;
            for (const char c : value) {
                if ((is_letter_or_digit(c) || c == '.' || c == '-' || c == '_') && count++ < longest) {
                    out.append(c);
                }
            }
            return;
        }
    }
}

}  // namespace fcgate::files
