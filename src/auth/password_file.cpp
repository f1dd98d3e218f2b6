#include "auth/password_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/descriptor.hpp"

namespace fcgate::auth {

namespace {

struct Line {
    std::string_view user;  // empty: a comment, or nothing
    std::string_view hash;
    unsigned number = 0;
};

Line part(std::string_view text, unsigned number) {
    Line line;
    line.number = number;
    if (starts_with(text, "#")) {
        return line;
    }
    line.user = split_first(text, ':', line.hash);
    // What may follow the hash, as in passwd(5), is not for us.
    line.hash = slice(line.hash, 0, line.hash.find_first_of(":\r"));
    return line;
}

// Calls `visit` for each line until it says false. A line that is longer than any with a user is passed over.
template <typename Visit>
Status visit_lines(int fd, Visit visit) {
    constexpr size_t longest = limits::user + 1 + limits::password_hash + 1;
    char buffer[2 * longest];
    size_t size = 0;
    size_t total = 0;
    bool is_passed_over = false;
    unsigned number = 1;
    bool is_at_end = false;
    while (!is_at_end) {
        const ssize_t count = read(fd, buffer + size, sizeof buffer - size);
        if (count < 0 && errno != EINTR) {
            return Status::io;
        }
        is_at_end = count == 0;
        size += count > 0 ? static_cast<size_t>(count) : 0;
        total += count > 0 ? static_cast<size_t>(count) : 0;
        if (total > limits::password_file) {
            return Status::too_large;
        }
        size_t begin = 0;
        while (begin < size) {
            const char* const end = std::find(buffer + begin, buffer + size, '\n');
            const bool is_whole = end != buffer + size || is_at_end;
            if (!is_whole) {
                break;
            }
            const std::string_view text(buffer + begin, static_cast<size_t>(end - (buffer + begin)));
            if (!is_passed_over && !visit(part(text, number))) {
                return Status::ok;
            }
            is_passed_over = false;
            ++number;
            begin += text.size() + 1;
        }
        begin = std::min(begin, size);
        std::copy(buffer + begin, buffer + size, buffer);
        size -= begin;
        if (size == sizeof buffer) {
            is_passed_over = true;
            size = 0;
        }
    }
    return Status::ok;
}

// A number of at most `digits` digits; 0: there is none.
uint64_t number_in(std::string_view text, size_t digits) {
    const Result<uint64_t> number = text.size() <= digits ? parse_decimal(text) : Result<uint64_t>(Status::too_large);
    return number.ok() ? number.value() : 0;
}

HashKind judge_bcrypt(std::string_view hash) {
    const uint64_t cost = number_in(slice(hash, 4, 2), 2);
    if (slice(hash, 6, 1) != "$" || cost == 0) {
        return HashKind::unknown;
    }
    return cost <= limits::bcrypt_cost ? HashKind::good : HashKind::costly;
}

HashKind judge_sha(std::string_view hash) {
    constexpr std::string_view rounds = "rounds=";
    const std::string_view salt = slice(hash, 3);
    if (!starts_with(salt, rounds)) {
        return HashKind::good;
    }
    constexpr size_t digits = 9;  // as many as crypt(3) takes
    const std::string_view count = slice(salt, rounds.size(), salt.find('$') - rounds.size());
    const uint64_t number = number_in(count, digits);
    return number > limits::sha_rounds ? HashKind::costly : number == 0 ? HashKind::unknown : HashKind::good;
}

}  // namespace

HashKind kind_of(std::string_view hash) {
    if (starts_with(hash, "$2a$") || starts_with(hash, "$2b$") || starts_with(hash, "$2y$")) {
        return judge_bcrypt(hash);
    }
    if (starts_with(hash, "$5$") || starts_with(hash, "$6$")) {
        return judge_sha(hash);
    }
    return starts_with(hash, "$1$") ? HashKind::good : HashKind::unknown;
}

Result<int> open_passwords(std::string_view path) {
    const Text<limits::path> name(path);
    Descriptor fd(name.ok() ? open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1);
    if (!fd.valid()) {
        return status_of_error(name.ok() ? errno : ENAMETOOLONG);
    }
    struct stat status {};
    if (fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return Status::refused;
    }
    return fd.release();
}

Status find_hash(int fd, std::string_view user, Hash& hash) {
    bool is_found = false;
    hash.clear();
    const Status status = visit_lines(fd, [&](const Line& line) {
        is_found = line.user == user && !user.empty();
        const bool may_stand_in = hash.size() == 0 && kind_of(line.hash) == HashKind::good;
        if (is_found || may_stand_in) {
            hash.clear();
            hash.append(line.hash);
        }
        return !is_found;
    });
    if (status != Status::ok) {
        return status;
    }
    return is_found ? Status::ok : Status::not_found;
}

Status count_users(int fd, Census& census) {
    return visit_lines(fd, [&](const Line& line) {
        if (line.user.empty()) {
            return true;
        }
        const HashKind kind = kind_of(line.hash);
        if (kind == HashKind::good) {
            ++census.users;
        } else if (census.wrong_line == 0) {
            census.wrong_line = line.number;
            census.wrong_kind = kind;
        }
        return true;
    });
}

Status examine(std::string_view path, Census& census) {
    const Result<int> opened = open_passwords(path);
    const Descriptor fd(opened.ok() ? opened.value() : -1);
    return opened.ok() ? count_users(fd.get(), census) : opened.status();
}

Packed words_for(HashKind kind) {
    return kind == HashKind::costly ? "takes too long"_p : "is of no kind that is taken"_p;
}

Packed words_for(Status status) {
    return status == Status::refused     ? "it must be a file"_p
           : status == Status::too_large ? "it is larger than 64 KiB"_p
                                         : ""_p;
}

}  // namespace fcgate::auth
