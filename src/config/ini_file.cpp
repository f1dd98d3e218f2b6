// The configuration file. inih takes lines apart; the lines themselves are read here, so that their number is known
// with every build of inih, none is cut or joined to the one above, and no byte goes unseen.
#include <fcntl.h>
#include <ini.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "config/settings.hpp"

namespace fcgate {

namespace {

constexpr size_t section_header = 49;  // of which inih remembers no more, without a word

class IniFile {
  public:
    IniFile(Settings& settings, ConfigError& error) : settings_(settings), error_(error) {}
    ~IniFile() {
        if (fd_ >= 0) {
            close(fd_);
        }
    }
    IniFile(const IniFile&) = delete;
    IniFile& operator=(const IniFile&) = delete;

    Status read(const char* path);
    // Sets nothing, but looks for the last line of the key with which the error's text begins: "[site] root: ...". 0: there is none.
    [[nodiscard]] unsigned find(const char* path);

  private:
    static char* next_line(char* out, int size, void* file);
    static int take(void* file, const char* section, const char* name, const char* value);
#if INI_HANDLER_LINENO
    static int take_with_line(void* file, const char* section, const char* name, const char* value, int /*line*/) {
        return take(file, section, name, value);
    }
    static constexpr ini_handler handler = take_with_line;
#else
    static constexpr ini_handler handler = take;
#endif

    bool fill();
    bool read_line(std::span<char> room, size_t& length);
    Status check_line(std::string_view line);
    Status open_section(std::string_view line);
    // What is wrong with the line.
    Status fail(Packed what);

    Settings& settings_;
    ConfigError& error_;
    int fd_ = -1;
    unsigned line_ = 0;
    bool only_looks_ = false;
    unsigned found_ = 0;
    Status status_ = Status::ok;
    size_t at_ = 0;
    size_t size_ = 0;
    std::array<char, 1024> chunk_{};
};

Status IniFile::fail(Packed what) {
    error_.text.clear();
    error_.text.append(what);
    return Status::malformed;
}

// True when there is a byte at at_.
bool IniFile::fill() {
    if (at_ < size_) {
        return true;
    }
    at_ = 0;
    size_ = 0;
    ssize_t count = 0;
    do {
        count = ::read(fd_, chunk_.data(), chunk_.size());
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        if (errno == EISDIR) {
            status_ = fail("this is a folder"_p);
        } else {
            error_.text.append<"%">(SystemError{errno});
            status_ = Status::io;
        }
        return false;
    }
    size_ = static_cast<size_t>(count);
    return size_ > 0;
}

// The next line without its '\n'. Of one that does not fit into `room` there is the beginning, and `length` is more than that: it need not have an
// end. False at the end.
bool IniFile::read_line(std::span<char> room, size_t& length) {
    length = 0;
    if (!fill()) {
        return false;
    }
    while (length <= room.size() && fill()) {
        const char c = chunk_[at_++];
        if (c == '\n') {
            break;
        }
        if (length < room.size()) {
            room[length] = c;
        }
        ++length;
    }
    return status_ == Status::ok;
}

// Opens the section here: not every build of inih tells of one that has no keys, and none of what follows the ']'.
Status IniFile::open_section(std::string_view line) {
    const size_t end = line.find(']');
    if (end == std::string_view::npos) {
        return fail("the ] of the section is missing"_p);
    }
    const std::string_view section = slice(line, 1, end - 1);
    const std::string_view rest = trim(slice(line, end + 1));
    if (!rest.empty() && !rest.starts_with(';')) {
        return fail("nothing may follow the ] of a section; write keys on lines of their own"_p);
    }
    if (section.size() > section_header) {
        return fail("the name of the section is too long"_p);
    }
    return only_looks_ ? Status::ok : settings_.open_section(section, error_);
}

Status IniFile::check_line(std::string_view line) {
    if (has_control(line)) {
        return fail("the line contains a control character"_p);
    }
    return line.starts_with('[') ? open_section(line) : Status::ok;
}

// What fgets() would do, but for one line exactly each time; NULL at the end and after a failure.
char* IniFile::next_line(char* out, int size, void* file) {
    auto& self = *static_cast<IniFile*>(file);
    // inih takes a line that fills its buffer for one cut off; it also wants a '\n' and a NUL.
    const size_t room = std::min(static_cast<size_t>(size) - 3, limits::config_line);
    size_t length = 0;
    if (self.status_ != Status::ok || !self.read_line({out, room}, length)) {
        return nullptr;
    }
    ++self.line_;
    std::string_view line(out, std::min(length, room));
    if (length > room) {
        self.error_.text.clear();
        self.error_.text.append<"the line is longer than % bytes">(room);
        self.status_ = Status::malformed;
        return nullptr;
    }
    if (self.line_ == 1 && starts_with(line, "\xef\xbb\xbf")) {
        line.remove_prefix(3);  // a byte order mark
    }
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    line = trim(line);  // an indented line is a line, not more of the one above
    self.status_ = self.check_line(line);
    if (self.status_ != Status::ok) {
        return nullptr;
    }
    memmove(out, line.data(), line.size());
    out[line.size()] = '\n';
    out[line.size() + 1] = '\0';
    return out;
}

int IniFile::take(void* file, const char* section, const char* name, const char* value) {
    auto& self = *static_cast<IniFile*>(file);
    if (self.status_ != Status::ok) {
        return 0;
    }
    if (name == nullptr) {
        return 1;  // a section begins: known already
    }
    if (self.only_looks_) {
        Text<96> wanted;
        wanted.append<"[%] %:">(section, name);
        self.found_ = starts_with(self.error_.text.view(), wanted.view()) ? self.line_ : self.found_;
    } else if (*section == '\0') {
        self.status_ = self.fail("a key stands before the first section; begin with [server]"_p);
    } else {
        self.status_ = self.settings_.set(section, name, value, self.error_);
    }
    return self.status_ == Status::ok ? 1 : 0;
}

Status IniFile::read(const char* path) {
    fd_ = ::open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd_ < 0) {
        const int reason = errno;
        error_.text.append<"%">(SystemError{reason});
        return status_of_error(reason);
    }
    const int first = ini_parse_stream(next_line, this, handler, this);
    // Of a line without '=' only inih knows, and not every build stops there: the earliest error is the one to tell.
    if (first > 0 && (status_ == Status::ok || static_cast<unsigned>(first) < line_)) {
        line_ = static_cast<unsigned>(first);
        status_ = fail("a line is KEY = VALUE, [SECTION], or begins with ; as a comment"_p);
    }
    error_.line = status_ == Status::ok || status_ == Status::io ? 0 : line_;
    return status_;
}

unsigned IniFile::find(const char* path) {
    only_looks_ = true;
    // A FIFO has been read: nobody writes to it a second time.
    fd_ = ::open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd_ >= 0) {
        (void)ini_parse_stream(next_line, this, handler, this);
    }
    return found_;
}

// "PATH:LINE: WHAT", without a line that is 0.
void tell_place(ConfigError& error, const char* path, const ConfigError& reason) {
    error.line = reason.line;
    error.text.clear();
    // The end of a long path tells more than its beginning.
    constexpr size_t shown = 100;
    Text<4 * limits::path> whole;
    whole.append_escaped(path, limits::path - 1);
    error.text.append(whole.size() > shown ? slice(whole.view(), whole.size() - shown) : whole.view());
    if (reason.line > 0) {
        error.text.append(':').append_number(reason.line);
    }
    error.text.append(": "_p);
    const size_t room = ConfigError::capacity - 1 - error.text.size();
    error.text.append(slice(reason.text.view(), 0, room));
}

}  // namespace

Status Settings::load(const char* path, ConfigError& error) {
    ConfigError reason;
    const Status status = IniFile(*this, reason).read(path);
    if (status != Status::ok) {
        tell_place(error, path, reason);
        return status;
    }
    const Result<std::string_view> kept = keep(path, reason);
    file = kept.ok() ? kept.value() : std::string_view();
    return status;
}

void Settings::locate(ConfigError& error) {
    if (file.empty()) {
        return;
    }
    const Text<limits::path> path(file);
    ConfigError reason;
    reason.text.append(error.text.view());
    reason.line = IniFile(*this, reason).find(path.c_str());
    tell_place(error, path.c_str(), reason);
}

}  // namespace fcgate
