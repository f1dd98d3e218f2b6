#include "auth/password_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

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

// Reads a file line by line. Lines that are longer than any with a user are passed over.
class Lines {
  public:
    explicit Lines(int fd) : fd_(fd) {}

    // False behind the last one, and when status() is not ok.
    [[nodiscard]] bool next(Line& line);
    [[nodiscard]] Status status() const { return status_; }

  private:
    [[nodiscard]] bool read_on();

    static constexpr size_t longest = limits::user + 1 + limits::password_hash + 1;

    int fd_;
    Status status_ = Status::ok;
    bool is_at_end_ = false;
    bool is_passed_over_ = false;  // what is left of the line
    unsigned number_ = 0;
    size_t total_ = 0;  // bytes of the file that were read
    size_t begin_ = 0;  // of what is in the buffer and not told yet
    size_t size_ = 0;   // and its end
    char buffer_[2 * longest];
};

bool Lines::next(Line& line) {
    for (;;) {
        const char* const begin = buffer_ + begin_;
        const char* const end = std::find(begin, static_cast<const char*>(buffer_ + size_), '\n');
        const std::string_view text(begin, static_cast<size_t>(end - begin));
        const bool has_end = end != buffer_ + size_;
        if (has_end || (is_at_end_ && !text.empty())) {
            begin_ += text.size() + (has_end ? 1 : 0);
            ++number_;
            if (!std::exchange(is_passed_over_, false)) {
                line = part(text, number_);
                return true;
            }
        } else if (is_at_end_ || !read_on()) {
            return false;
        }
    }
}

// What has been told makes room; so does a line without an end that fills all of it.
bool Lines::read_on() {
    std::copy(buffer_ + begin_, buffer_ + size_, buffer_);
    size_ -= begin_;
    begin_ = 0;
    if (size_ == sizeof buffer_) {
        size_ = 0;
        is_passed_over_ = true;
    }
    ssize_t count = 0;
    do {
        count = read(fd_, buffer_ + size_, sizeof buffer_ - size_);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        status_ = Status::io;
        return false;
    }
    is_at_end_ = count == 0;
    size_ += static_cast<size_t>(count);
    total_ += static_cast<size_t>(count);
    if (total_ > limits::password_file) {
        status_ = Status::too_large;
    }
    return status_ == Status::ok;
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
    hash.clear();
    Lines lines(fd);
    Line line;
    while (lines.next(line)) {
        const bool is_found = line.user == user && !user.empty();
        const bool may_stand_in = hash.size() == 0 && kind_of(line.hash) == HashKind::good;
        if (is_found || may_stand_in) {
            hash.clear();
            hash.append(line.hash);
        }
        if (is_found) {
            return Status::ok;
        }
    }
    return lines.status() == Status::ok ? Status::not_found : lines.status();
}

Status count_users(int fd, Census& census) {
    Lines lines(fd);
    Line line;
    while (lines.next(line)) {
        const HashKind kind = kind_of(line.hash);
        if (line.user.empty()) {
            continue;
        }
        if (kind == HashKind::good) {
            ++census.users;
        } else if (census.wrong_line == 0) {
            census.wrong_line = line.number;
            census.wrong_kind = kind;
        }
    }
    return lines.status();
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
