#include "files/mime.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace fcgate::files {

namespace {

struct Entry {
    std::string_view extension;
    std::string_view type;
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

constexpr size_t longest_extension = 16;

constexpr std::string_view unknown = "application/octet-stream";

}  // namespace

std::string_view MimeTable::lookup(std::string_view path) const {
    const size_t start = path.rfind('/') + 1;  // npos + 1 is the start
    const size_t dot = path.rfind('.');
    if (dot == std::string_view::npos || dot <= start || path.size() - dot - 1 > longest_extension) {
        return unknown;
    }
    std::array<char, longest_extension> lower{};
    size_t length = 0;
    for (const char c : slice(path, dot + 1)) {
        lower[length++] = to_lower(c);
    }
    const std::string_view extension(lower.data(), length);
    const Entry* const entry = std::lower_bound(std::begin(built_in), std::end(built_in), extension,
                                                [](const Entry& a, std::string_view b) { return a.extension < b; });
    return entry != std::end(built_in) && entry->extension == extension ? entry->type : unknown;
}

}  // namespace fcgate::files
