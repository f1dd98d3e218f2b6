#include "files/mime.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/descriptor.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "base/text_table.hpp"

namespace fcgate::files {

namespace {

// What many types begin with, and all of those of texts end with.
constexpr std::string_view begin_rows[] = {"application/", "audio/", "font/", "image/", "video/", "text/"};
constexpr std::string_view end_of_texts = "; charset=utf-8";
constexpr auto begins = pack_texts<begin_rows>();
constexpr uint8_t kind_of_texts = std::size(begin_rows) - 1;

struct Entry {
    std::string_view extension;
    std::string_view rest;  // of the type
    uint8_t kind = 0;       // which beginning

    consteval Entry(std::string_view its_extension, std::string_view type) : extension(its_extension), rest(type) {
        while (!rest.starts_with(begin_rows[kind])) {
            ++kind;  // one that begins in no such way does not compile
        }
        rest.remove_prefix(begin_rows[kind].size());
        rest.remove_suffix(kind == kind_of_texts ? end_of_texts.size() : 0);
    }
};

// Sorted by extension. XML names its encoding itself, and JSON is UTF-8 by definition (RFC 8259 section 8.1).
constexpr Entry built_in[] = {
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"apk", "application/vnd.android.package-archive"},
    {"atom", "application/atom+xml"},
    {"avif", "image/avif"},
    {"bin", "application/octet-stream"},
    {"bmp", "image/bmp"},
    {"bz2", "application/x-bzip2"},
    {"cfg", "text/plain; charset=utf-8"},
    {"conf", "text/plain; charset=utf-8"},
    {"crt", "application/x-x509-ca-cert"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"eot", "application/vnd.ms-fontobject"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/x-icon"},
    {"ics", "text/calendar; charset=utf-8"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"log", "text/plain; charset=utf-8"},
    {"m3u8", "application/vnd.apple.mpegurl"},
    {"m4a", "audio/mp4"},
    {"m4s", "video/iso.segment"},
    {"m4v", "video/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpd", "application/dash+xml"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"pem", "application/x-pem-file"},
    {"png", "image/png"},
    {"rss", "application/rss+xml"},
    {"svg", "image/svg+xml"},
    {"svgz", "application/gzip"},
    {"tar", "application/x-tar"},
    {"tgz", "application/gzip"},
    {"ts", "video/mp2t"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"vtt", "text/vtt; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xml", "application/xml"},
    {"xsl", "application/xslt+xml"},
    {"xz", "application/x-xz"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
};

constexpr bool is_sorted_by_extension() {
    for (size_t i = 1; i < std::size(built_in); ++i) {
        if (built_in[i - 1].extension >= built_in[i].extension) {
            return false;
        }
    }
    return true;
}
static_assert(is_sorted_by_extension());

constexpr size_t unknown = 5;
static_assert(built_in[unknown].rest == "octet-stream");

constexpr auto texts = pack_texts<built_in, &Entry::extension, &Entry::rest>();
constexpr auto kinds = pack_column<built_in, &Entry::kind>();

// The row of an extension in lower case.
[[nodiscard]] size_t row_of(std::string_view extension) {
    size_t first = 0;
    size_t end = std::size(built_in);
    while (first < end) {
        const size_t middle = first + (end - first) / 2;
        const int order = extension.compare(texts[2 * middle]);
        if (order == 0) {
            return middle;
        }
        if (order > 0) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return unknown;
}

constexpr size_t longest_extension = 16;

}  // namespace

std::string_view MimeTable::lookup(std::string_view path, TextBuffer& room) const {
    const size_t start = path.rfind('/') + 1;  // npos + 1 is the start
    const size_t dot = path.rfind('.');
    size_t number = unknown;
    if (dot != std::string_view::npos && dot > start && path.size() - dot - 1 <= longest_extension) {
        std::array<char, longest_extension> lower;
        size_t length = 0;
        for (const char c : slice(path, dot + 1)) {
            lower[length++] = to_lower(c);
        }
        const std::string_view extension(lower.data(), length);
        const size_t place = place_of(extension);
        if (place < count_ && text_at(row(place).extension) == extension) {
            return text_at(row(place).type);
        }
        number = row_of(extension);
    }
    const size_t before = room.size();
    room.append(begins[kinds[number]]).append(texts[2 * number + 1]);
    room.append(kinds[number] == kind_of_texts ? end_of_texts : std::string_view());
    return slice(room.view(), before);
}

// ---- of a file ------------------------------------------------------------------------------------------------------

void MimeTable::begin(std::span<char> storage) {
    storage_ = storage;
    used_ = count_ = 0;
}

Result<uint32_t> MimeTable::keep(std::string_view text, std::string_view more, bool lower) {
    constexpr size_t longest = 255;  // its size stands in a byte before it
    const size_t size = text.size() + more.size();
    if (size > longest || used_ + 1 + size + count_ * sizeof(Row) > storage_.size()) {
        return Status::too_large;
    }
    const auto at = static_cast<uint32_t>(used_);
    storage_[used_++] = static_cast<char>(size);
    for (const std::string_view part : {text, more}) {
        for (const char c : part) {
            storage_[used_++] = lower ? to_lower(c) : c;
        }
    }
    return at;
}

std::string_view MimeTable::text_at(uint32_t at) const {
    return {storage_.data() + at + 1, static_cast<unsigned char>(storage_[at])};
}

MimeTable::Row MimeTable::row(size_t number) const {
    Row row;
    memcpy(&row, storage_.data() + storage_.size() - (number + 1) * sizeof row, sizeof row);
    return row;
}

void MimeTable::set_row(size_t number, const Row& row) {
    memcpy(storage_.data() + storage_.size() - (number + 1) * sizeof row, &row, sizeof row);
}

// Where the extension is, or would have to be: rows are in order.
size_t MimeTable::place_of(std::string_view extension) const {
    size_t first = 0;
    size_t end = count_;
    while (first < end) {
        const size_t middle = first + (end - first) / 2;
        if (text_at(row(middle).extension) < extension) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first;
}

Status MimeTable::add(std::string_view extension, uint32_t type) {
    const Result<uint32_t> kept = keep(extension, {}, true);
    if (!kept.ok()) {
        return kept.status();
    }
    const std::string_view lower = text_at(kept.value());
    const size_t place = place_of(lower);
    if (place < count_ && text_at(row(place).extension) == lower) {
        set_row(place, {row(place).extension, type});
        used_ = kept.value();
        return Status::ok;
    }
    if (used_ + (count_ + 1) * sizeof(Row) > storage_.size()) {
        return Status::too_large;
    }
    for (size_t i = count_++; i > place; --i) {
        set_row(i, row(i - 1));
    }
    set_row(place, {kept.value(), type});
    return Status::ok;
}

Status MimeTable::add_line(std::string_view line) {
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    std::string_view rest = slice(line, 0, line.find('#'));
    const std::string_view type = next_word(rest);
    const size_t slash = type.find('/');
    if (type.empty()) {
        return Status::ok;
    }
    if (slash == std::string_view::npos || !is_token(slice(type, 0, slash)) || !is_token(slice(type, slash + 1))) {
        return Status::malformed;
    }
    Result<uint32_t> kept = Status::again;
    for (std::string_view extension = next_word(rest); !extension.empty(); extension = next_word(rest)) {
        if (!is_token(extension) || extension.size() > longest_extension) {
            continue;  // no name of a file is looked up by it
        }
        if (kept.status() == Status::again) {
            kept = keep(type, starts_with(type, "text/") ? "; charset=utf-8" : "", false);
        }
        const Status status = kept.ok() ? add(extension, kept.value()) : kept.status();
        if (status != Status::ok) {
            return status;
        }
    }
    return Status::ok;
}

Status MimeTable::read(const char* path, std::span<char> storage, TextBuffer& why) {
    begin(storage);
    why.append(path);
    // A FIFO to which nobody writes would hold the start.
    const Descriptor file(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    Status status = Status::ok;
    size_t number = 0;
    char buffer[limits::config_line];
    size_t held = 0;
    for (bool is_end = false; !is_end && status == Status::ok;) {
        const ssize_t count = file.valid() ? ::read(file.get(), buffer + held, sizeof buffer - held) : -1;
        if (count < 0) {
            const int error = errno;
            why.append<": %">(SystemError{error});
            return error == ENOENT ? Status::not_found : error == EACCES ? Status::denied : Status::io;
        }
        is_end = count == 0;
        held += static_cast<size_t>(count);
        std::string_view rest(buffer, held);
        // The last line may have no end; one that fills the buffer is no line of such a file.
        while (status == Status::ok && (rest.find('\n') != std::string_view::npos || (is_end && !rest.empty()))) {
            ++number;
            status = add_line(split_first(rest, '\n', rest));
        }
        if (rest.size() == sizeof buffer) {
            ++number;
            status = Status::malformed;
        }
        std::copy(rest.begin(), rest.end(), buffer);
        held = rest.size();
    }
    if (status != Status::ok) {
        why.append<":%: %">(number, status == Status::malformed
                                        ? "not a media type with its extensions, as in: image/png png"_p
                                        : "more types than there is room for"_p);
    }
    return status;
}

}  // namespace fcgate::files
