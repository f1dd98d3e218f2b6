#include "files/listing.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/descriptor.hpp"
#include "base/html.hpp"
#include "base/wall_time.hpp"
#include "files/open_beneath.hpp"
#include "route/path.hpp"
#include "route/source_guard.hpp"

namespace fcgate::files {

namespace {

struct Entry {
    const char* name;
    uint64_t size;
    int64_t changed;
    uint16_t name_size;
    bool is_folder;

    [[nodiscard]] std::string_view text() const { return {name, name_size}; }
};

// What getdents64(2) writes; the names' padding ends at the next record.
struct DirectoryRecord {
    uint64_t inode;
    int64_t next;
    uint16_t size;
    uint8_t type;
    char name[1];
};

// Names grow from the end of the memory, what is known of them from its start.
class Collection {
  public:
    Collection(const route::SiteRoot& site, std::string_view path, int fd, std::span<char> memory)
        : site_(site), path_(path), fd_(fd), memory_(memory), names_(memory.size()) {}

    [[nodiscard]] Status read();
    [[nodiscard]] std::span<Entry> entries() const { return {reinterpret_cast<Entry*>(memory_.data()), count_}; }
    [[nodiscard]] bool has_more() const { return has_more_; }

  private:
    void take(std::string_view name);
    [[nodiscard]] bool is_shown(std::string_view name) const;
    [[nodiscard]] bool look(std::string_view name, struct stat& status) const;
    [[nodiscard]] bool keep(std::string_view name, const struct stat& status);

    const route::SiteRoot& site_;
    std::string_view path_;
    int fd_;
    std::span<char> memory_;
    size_t names_;  // where they begin
    size_t count_ = 0;
    bool has_more_ = false;
};

Status Collection::read() {
    alignas(DirectoryRecord) char buffer[4096];
    while (!has_more_) {
        const auto size = syscall(SYS_getdents64, fd_, buffer, sizeof buffer);
        if (size <= 0) {
            return size == 0 ? Status::ok : Status::io;
        }
        for (size_t at = 0; at < static_cast<size_t>(size);) {
            DirectoryRecord record{};
            memcpy(&record, buffer + at, offsetof(DirectoryRecord, name));
            const char* const name = buffer + at + offsetof(DirectoryRecord, name);
            take({name, strnlen(name, record.size - offsetof(DirectoryRecord, name))});
            at += record.size;
        }
    }
    return Status::ok;
}

void Collection::take(std::string_view name) {
    struct stat status;
    if (!has_more_ && is_shown(name) && look(name, status)) {
        has_more_ = !keep(name, status);
    }
}

bool Collection::is_shown(std::string_view name) const {
    Text<limits::path> path(path_);
    path.append(name);
    const SiteSettings& settings = *site_.settings;
    return path.ok() && !route::has_refused_byte(name) && !route::has_hidden_segment(path.view()) &&
           (route::is_script(settings, path.view()) || !route::shows_source(settings, path.view())) &&
           !route::is_below(path.view(), {settings.internal.begin(), settings.internal.size()});
}

// A link counts as what it leads to, if that can be opened.
bool Collection::look(std::string_view name, struct stat& status) const {
    const Text<limits::path> text(name);
    if (!text.ok() || fstatat(fd_, text.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    if (S_ISLNK(status.st_mode)) {
        Text<limits::path> path(path_);
        path.append(name);
        const Result<int> opened =
            path.ok() ? open_beneath(site_.fd, path.view(), route::links_to(site_)) : Result<int>(Status::too_large);
        if (!opened.ok()) {
            return false;
        }
        const Descriptor fd(opened.value());
        if (fstat(fd.get(), &status) != 0) {
            return false;
        }
    }
    return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode);
}

bool Collection::keep(std::string_view name, const struct stat& status) {
    if ((count_ + 1) * sizeof(Entry) + name.size() > names_ || count_ == limits::listing_entries) {
        return false;
    }
    names_ -= name.size();
    memcpy(memory_.data() + names_, name.data(), name.size());
    const Entry entry{.name = memory_.data() + names_,
                      .size = static_cast<uint64_t>(status.st_size),
                      .changed = int64_t{status.st_mtim.tv_sec},
                      .name_size = static_cast<uint16_t>(name.size()),
                      .is_folder = S_ISDIR(status.st_mode)};
    memcpy(memory_.data() + count_ * sizeof(Entry), &entry, sizeof entry);
    ++count_;
    return true;
}

// Folders first. By Shell's method: std::sort() is several times as long.
void sort(std::span<Entry> entries) {
    const auto comes_before = [](const Entry& a, const Entry& b) {
        return a.is_folder != b.is_folder ? a.is_folder : a.text() < b.text();
    };
    for (size_t gap = entries.size() / 2; gap > 0; gap /= 2) {
        for (size_t i = gap; i < entries.size(); ++i) {
            for (size_t j = i; j >= gap && comes_before(entries[j], entries[j - gap]); j -= gap) {
                std::swap(entries[j], entries[j - gap]);
            }
        }
    }
}

void append_size(TextBuffer& out, uint64_t size) {
    constexpr size_t unit_size = 4;
    const unsigned power = append_scaled(out, size);
    out.append(power == 0 ? " B" : slice(" KiB MiB GiB TiB", (power - 1) * unit_size, unit_size));
}

void append_time(TextBuffer& out, int64_t time) {
    const auto seconds = static_cast<time_t>(time);
    struct tm parts;
    if (localtime_r(&seconds, &parts) == nullptr || parts.tm_year < -1900) {
        return;
    }
    append_date(out, parts);
    out.append(' ').append_padded(static_cast<uint64_t>(parts.tm_hour), 2).append(':');
    out.append_padded(static_cast<uint64_t>(parts.tm_min), 2);
}

void append_entry(TextBuffer& page, const Entry& entry) {
    const std::string_view slash = entry.is_folder ? "/" : "";
    // The dot keeps a colon in the name from being read as the end of a scheme.
    page.append("<li><a href=\"./"_p);
    route::append_encoded_path(page, entry.text());
    page.append<"%\">">(slash);
    append_html(page, entry.text());
    page.append<"%</a><small>">(slash);
    if (!entry.is_folder) {
        page.append("<span>"_p);
        append_size(page, entry.size);
        page.append("</span>"_p);
    }
    page.append("<time>"_p);
    append_time(page, entry.changed);
    page.append("</time></small>\n"_p);
}

void write_page(std::string_view path, const Collection& found, TextBuffer& page) {
    page.append(html_start);
    append_html(page, path);
    page.append(
        "</title><style>"
        "body{font:1rem/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}"
        "h1{font-size:1.2rem;overflow-wrap:anywhere}"
        "ul{list-style:none;margin:0;padding:0}"
        "li{display:flex;flex-wrap:wrap;gap:0 1rem;padding:.4rem 0;border-top:1px solid #8884}"
        "a{flex:1 1 14rem;padding:.2rem 0;overflow-wrap:anywhere}"
        "small{display:flex;gap:1rem;align-items:center;opacity:.7;font-variant-numeric:tabular-nums;white-space:"
        "nowrap}"
        "p{opacity:.7}</style><body><h1>"_p);
    append_html(page, path);
    page.append("</h1><ul>\n"_p);
    if (path != "/") {
        page.append("<li><a href=\"../\">One folder up</a>\n"_p);
    }
    bool has_more = found.has_more();
    for (const Entry& entry : found.entries()) {
        constexpr size_t end_size = 128;
        // A name's bytes grow threefold in the address and sixfold in the text, at most.
        if (page.room() < size_t{entry.name_size} * 9 + end_size * 2) {
            has_more = true;
            break;
        }
        append_entry(page, entry);
    }
    page.append("</ul>"_p);
    if (has_more) {
        page.append("<p>There is more in this folder than a page can show.</p>"_p);
    } else if (found.entries().empty()) {
        page.append("<p>This folder is empty.</p>"_p);
    }
    page.append("</body></html>\n");
}

}  // namespace

Status list_folder(const route::SiteRoot& site, std::string_view path, std::span<char> memory, TextBuffer& page) {
    const Result<int> opened = open_beneath(site.fd, path, route::links_to(site));
    if (!opened.ok()) {
        return opened.status();
    }
    const Descriptor folder(opened.value());
    Collection found(site, path, folder.get(), memory);
    const Status status = found.read();
    if (status != Status::ok) {
        return status;
    }
    sort(found.entries());
    write_page(path, found, page);
    return page.status();
}

}  // namespace fcgate::files
