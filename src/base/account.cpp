#include "base/account.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "base/descriptor.hpp"

namespace fcgate {

namespace {

// Both files have the name in the first field of a line and the number in the third.
class LineReader {
  public:
    explicit LineReader(uint64_t wanted) : wanted_(wanted) {}

    // True once the third field of a line with the number has ended: name() is its name.
    [[nodiscard]] bool take(char c) {
        if (c == '\n') {
            field_ = 0;
            name_.clear();
            number_.clear();
        } else if (c == ':') {
            ++field_;
            return field_ == 3 && is_wanted();
        } else if (field_ == 0) {
            name_.append(c);
        } else if (field_ == 2) {
            number_.append(c);
        }
        return false;
    }
    [[nodiscard]] std::string_view name() const { return name_.view(); }

  private:
    [[nodiscard]] bool is_wanted() const {
        const Result<uint64_t> number = parse_decimal(number_.view());
        return name_.ok() && number_.ok() && number.ok() && number.value() == wanted_;
    }

    uint64_t wanted_;
    unsigned field_ = 0;
    Text<64> name_;
    Text<24> number_;
};

void append_name(uint64_t number, TextBuffer& out, const char* file) {
    const Descriptor fd(open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY));
    LineReader line(number);
    std::array<char, 512> block{};
    for (ssize_t size = 0; fd.valid() && (size = read(fd.get(), block.data(), block.size())) > 0;) {
        for (const char c : std::string_view(block.data(), static_cast<size_t>(size))) {
            if (line.take(c)) {
                out.append_escaped(line.name());
                return;
            }
        }
    }
    out.append_number(number);
}

}  // namespace

void append_user_name(uid_t user, TextBuffer& out, const char* file) {
    append_name(user, out, file);
}

void append_group_name(gid_t group, TextBuffer& out, const char* file) {
    append_name(group, out, file);
}

bool is_in_group(gid_t group) {
    // The kernel's own limit is 65536 groups; who is in more than these is told to look, which does no harm.
    std::array<gid_t, 64> groups{};
    const int count = getgroups(static_cast<int>(groups.size()), groups.data());
    for (int i = 0; i < count; ++i) {
        if (groups[static_cast<size_t>(i)] == group) {
            return true;
        }
    }
    return getegid() == group;
}

}  // namespace fcgate
