#include "files/static_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "config/values.hpp"
#include "files/coding.hpp"
#include "files/conditions.hpp"
#include "files/open_beneath.hpp"
#include "route/path.hpp"

namespace fcgate::files {

static_assert(sizeof(off_t) == 8, "files past 2 GiB need -D_FILE_OFFSET_BITS=64");

namespace {

uint16_t http_status(Status status) {
    switch (status) {
        case Status::denied:
        case Status::refused:
            return 403;
        case Status::not_found:
        case Status::too_large:
            return 404;
        case Status::exhausted:
            return 503;
        case Status::ok:
        case Status::again:
        case Status::malformed:
        case Status::io:
        case Status::timed_out:
        case Status::gone:
            break;
    }
    return 500;
}

// What `append` puts into `text`, as a view that stays.
template <typename Append>
std::string_view keep(TextBuffer& text, Append append) {
    const size_t start = text.size();
    append(text);
    return slice(text.view(), start);
}

struct Representation {
    Validators validators;
    std::string_view type;
    uint64_t size = 0;
    std::string_view coding;         // empty: as it is
    bool varies = false;             // there are others, by Accept-Encoding
    std::string_view cache_control;  // by `expires`; may be empty
};

struct Opened {
    int fd = -1;
    struct stat status;
};

// A regular file; on failure nothing is open.
Status open_file(const route::SiteRoot& site, std::string_view path, Opened& out) {
    const Result<int> opened = open_beneath(site.fd, path, route::links_to(site));
    if (!opened.ok()) {
        return opened.status();
    }
    if (fstat(opened.value(), &out.status) != 0 || !S_ISREG(out.status.st_mode)) {
        close(opened.value());
        return Status::denied;
    }
    out.fd = opened.value();
    return Status::ok;
}

bool is_older(const timespec& a, const timespec& b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

// Puts the coded file beside in the place of `file` if there is one that the client would rather have. One that is older than the file was
// made of another. Not in serve(): its frame is large.
[[gnu::noinline]] void choose_coding(const route::SiteRoot& site, std::string_view path, const RequestHead& head,
                                     Opened& file, Representation& out) {
    const Wishes wishes = wishes_of(head);
    unsigned best = wishes.back();
    const timespec original = file.status.st_mtim;
    for (size_t i = 0; i < std::size(codings); ++i) {
        const Coding& coding = codings[i];
        Text<limits::path> name(path);
        name.append(coding.suffix);
        Opened beside;
        if (!name.ok() || open_file(site, name.view(), beside) != Status::ok) {
            continue;
        }
        const bool is_current = !is_older(beside.status.st_mtim, original);
        const unsigned quality = wishes[i];
        out.varies = out.varies || is_current;
        if (is_current && quality > 0 && (quality > best || (quality == best && out.coding.empty()))) {
            close(file.fd);
            file = beside;
            best = quality;
            out.coding = coding.name;
        } else {
            close(beside.fd);
        }
    }
}

// By the longest path of `expires` that the file is below.
std::string_view cache_control(const SiteSettings& settings, std::string_view path, TextBuffer& text) {
    const Pair* longest = nullptr;
    for (const Pair& pair : settings.expires) {
        if (route::is_below(path, {&pair.name, 1}) && (longest == nullptr || pair.name.size() > longest->name.size())) {
            longest = &pair;
        }
    }
    const Result<uint64_t> time = longest != nullptr ? config::parse_time(longest->value) : Status::not_found;
    if (!time.ok()) {
        return {};
    }
    if (time.value() == 0) {
        return "no-cache";
    }
    return keep(text, [&](TextBuffer& out) { out.append("max-age=").append_number(time.value() / 1000); });
}

// A reply that was just begun has room for all the fields of a file.
constexpr size_t most_fields = 10;
static_assert(most_fields <= limits::reply_fields);

void add(Reply& reply, std::string_view name, std::string_view value) {
    (void)reply.add_field(name, value);
}

void add_if(Reply& reply, std::string_view name, std::string_view value) {
    if (!value.empty()) {
        add(reply, name, value);
    }
}

void add_content_range(TextBuffer& text, const Selection& selection, uint64_t size, Reply& reply) {
    add(reply, "Content-Range", keep(text, [&](TextBuffer& out) {
            out.append("bytes ");
            if (selection.kind == Selection::Kind::part) {
                out.append_number(selection.offset).append('-').append_number(selection.offset + selection.length - 1);
            } else {
                out.append('*');
            }
            out.append('/').append_number(size);
        }));
}

void add_validators(const Representation& file, Reply& reply) {
    add(reply, "ETag", file.validators.etag);
    add(reply, "Last-Modified", file.validators.last_modified);
}

void add_caching(const Representation& file, Reply& reply) {
    add_if(reply, "Vary", file.varies ? "Accept-Encoding" : "");
    add_if(reply, "Cache-Control", file.cache_control);
}

// Fills everything but the body.
void describe(const Representation& file, const Selection& selection, TextBuffer& text, Reply& reply) {
    reply.length = selection.length;
    reply.offset = selection.offset;
    switch (selection.kind) {
        case Selection::Kind::part:
            add_content_range(text, selection, file.size, reply);
            [[fallthrough]];
        case Selection::Kind::whole:
            reply.status = selection.kind == Selection::Kind::part ? 206 : 200;
            add(reply, "Content-Type", file.type);
            add_validators(file, reply);
            add_if(reply, "Content-Encoding", file.coding);
            add_caching(file, reply);
            add(reply, "Accept-Ranges", "bytes");
            add(reply, "X-Content-Type-Options", "nosniff");
            break;
        case Selection::Kind::not_modified:
            reply.status = 304;
            reply.length = file.size;  // RFC 9110 section 8.6: what a 200 would have said
            add_validators(file, reply);
            add_caching(file, reply);
            break;
        case Selection::Kind::failed:
            reply.status = 412;
            break;
        case Selection::Kind::unsatisfiable:
            reply.status = 416;
            add_content_range(text, selection, file.size, reply);
            add(reply, "Accept-Ranges", "bytes");
            break;
    }
}

// Methods that files do not have, and OPTIONS.
bool is_answered_by_method(const RequestHead& head, Reply& reply) {
    if (is_read(head.method)) {
        return false;
    }
    reply.begin(head.method == "OPTIONS" ? 204 : 405);
    add(reply, "Allow", allowed_methods);
    return true;
}

// True when bytes of the file are to be sent: reply.length from reply.offset on.
bool answer(const Representation& file, const RequestHead& head, const Selection& selection, TextBuffer& text,
            Reply& reply) {
    reply.begin(200);
    describe(file, selection, text, reply);
    if (!text.ok()) {
        reply.begin(500);
        return false;
    }
    const bool has_content = selection.kind == Selection::Kind::whole || selection.kind == Selection::Kind::part;
    return head.method == "GET" && has_content;
}

void send_cached(const FileCache::Entry& entry, Reply& reply) {
    reply.body = Reply::Body::memory;
    reply.memory = slice({entry.bytes.data(), entry.bytes.size()}, static_cast<size_t>(reply.offset),
                         static_cast<size_t>(reply.length));
}

// The file as it is there, opened, and what is to be said of it. On failure nothing is open.
Status look_at(const route::SiteRoot& site, std::string_view path, const RequestHead& head, TextBuffer& text,
               int64_t now, bool may_be_coded, Opened& found, Representation& file) {
    const Status opened = open_file(site, path, found);
    if (opened != Status::ok) {
        return opened;
    }
    if (may_be_coded) {
        choose_coding(site, path, head, found, file);
    }
    file.size = static_cast<uint64_t>(found.status.st_size);
    const auto seconds = int64_t{found.status.st_mtim.tv_sec};
    file.validators.modified = seconds;
    file.validators.etag = keep(text, [&](TextBuffer& out) {
        Text<64> release(site.release);
        release.append(!site.release.empty() && !file.coding.empty() ? "-" : "").append(file.coding);
        append_etag(out, file.size, seconds, static_cast<uint32_t>(found.status.st_mtim.tv_nsec), release.view());
    });
    // RFC 9110 section 8.8.2.1: a device without a clock of its own starts in 1970, long before its files.
    file.validators.last_modified =
        keep(text, [&](TextBuffer& out) { append_http_date(out, seconds < now ? seconds : now); });
    return Status::ok;
}

// What the cache knows of a file.
Validators validators_of(const FileCache::Entry& entry) {
    return {.etag = entry.etag, .modified = int64_t{entry.modified.tv_sec}, .last_modified = entry.last_modified};
}

void recall(const FileCache::Entry& entry, Representation& file) {
    file.validators = validators_of(entry);
    file.size = entry.size;
    file.coding = entry.coding;
    file.varies = entry.varies;
}

}  // namespace

const FileCache::Entry* serve(const route::SiteRoot& site, std::string_view path, const RequestHead& head,
                              const MimeTable& mime, TextBuffer& text, Reply& reply, int64_t now, FileCache* cache,
                              const CacheKey& key) {
    if (is_answered_by_method(head, reply)) {
        return nullptr;
    }
    Opened found;
    Representation file{.type = mime.lookup(path, text), .cache_control = cache_control(*site.settings, path, text)};
    const bool may_be_coded = site.settings->precompressed && is_compressible(file.type);
    const Status status = look_at(site, path, head, text, now, may_be_coded, found, file);
    if (status != Status::ok) {
        reply.begin(http_status(status));
        return nullptr;
    }
    const FileCache::Entry* entry = nullptr;
    if (cache != nullptr && text.ok()) {
        entry = cache->keep(key,
                            {.fd = found.fd,
                             .status = &found.status,
                             .path = path,
                             .coding = file.coding,
                             .varies = file.varies,
                             .etag = file.validators.etag,
                             .last_modified = file.validators.last_modified},
                            monotonic_ms(), now);
    }
    const Selection selection = select(head, file.validators, file.size, now);
    const bool has_content = answer(file, head, selection, text, reply);
    if (has_content && (entry == nullptr || entry->is_large())) {
        reply.body = Reply::Body::file;
        reply.fd = found.fd;
        reply.file = {file.size, nanoseconds(found.status.st_mtim)};
        reply.ready_name = entry != nullptr ? name_of(*entry, head, selection) : 0;
        return nullptr;
    }
    close(found.fd);
    if (has_content) {
        send_cached(*entry, reply);
    }
    return entry;
}

Selection select_cached(const FileCache::Entry& entry, const RequestHead& head, int64_t now) {
    return select(head, validators_of(entry), entry.size, now);
}

uint64_t name_of(const FileCache::Entry& entry, const RequestHead& head, const Selection& selection) {
    const bool is_not_modified = selection.kind == Selection::Kind::not_modified;
    return head.method == "GET" && (is_not_modified || selection.kind == Selection::Kind::whole)
               ? entry.filling * 2 + (is_not_modified ? 1 : 0) + (entry.is_large() ? Reply::name_of_file : 0)
               : 0;
}

void serve_cached(const route::SiteRoot& site, const FileCache::Entry& entry, const RequestHead& head,
                  const Selection& selection, const MimeTable& mime, TextBuffer& text, Reply& reply) {
    if (is_answered_by_method(head, reply)) {
        return;
    }
    Representation file{.type = mime.lookup(entry.path, text),
                        .cache_control = cache_control(*site.settings, entry.path, text)};
    recall(entry, file);
    if (answer(file, head, selection, text, reply)) {
        send_cached(entry, reply);
    }
    reply.ready_name = text.ok() ? name_of(entry, head, selection) : 0;
}

}  // namespace fcgate::files
