#include "files/static_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "files/conditions.hpp"
#include "files/open_beneath.hpp"

namespace fcgate::files {

static_assert(sizeof(off_t) == 8, "files past 2 GiB need -D_FILE_OFFSET_BITS=64");

namespace {

static_assert(sizeof(off_t) == 8, "files past 2 GiB: compile with -D_FILE_OFFSET_BITS=64");

constexpr std::string_view allowed_methods = "GET, HEAD, OPTIONS";

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

void answer_without_body(Reply& reply, uint16_t status) {
    reply = Reply();
    reply.status = status;
    reply.length_known = true;
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
};

bool add_content_range(TextBuffer& text, const Selection& selection, uint64_t size, Reply& reply) {
    const std::string_view value = keep(text, [&](TextBuffer& out) {
        out.append("bytes ");
        if (selection.kind == Selection::Kind::part) {
            out.append_number(selection.offset).append('-').append_number(selection.offset + selection.length - 1);
        } else {
            out.append('*');
        }
        out.append('/').append_number(size);
    });
    return reply.add_field("Content-Range", value);
}

bool add_validators(TextBuffer& text, const Validators& validators, Reply& reply) {
    const std::string_view modified = keep(text, [&](TextBuffer& out) { append_http_date(out, validators.modified); });
    return reply.add_field("ETag", validators.etag) && reply.add_field("Last-Modified", modified);
}

// Fills everything but the body; false when the fields do not fit.
bool describe(const Representation& file, const Selection& selection, TextBuffer& text, Reply& reply) {
    reply.length_known = true;
    reply.length = selection.length;
    switch (selection.kind) {
        case Selection::Kind::whole:
        case Selection::Kind::part: {
            const bool is_part = selection.kind == Selection::Kind::part;
            reply.status = is_part ? 206 : 200;
            reply.offset = selection.offset;
            return (!is_part || add_content_range(text, selection, file.size, reply)) &&
                   reply.add_field("Content-Type", file.type) && add_validators(text, file.validators, reply) &&
                   reply.add_field("Accept-Ranges", "bytes") && reply.add_field("X-Content-Type-Options", "nosniff");
        }
        case Selection::Kind::not_modified:
            reply.status = 304;
            reply.length = file.size;  // RFC 9110 section 8.6: what a 200 would have said
            return add_validators(text, file.validators, reply);
        case Selection::Kind::failed:
            reply.status = 412;
            return true;
        case Selection::Kind::unsatisfiable:
            reply.status = 416;
            return add_content_range(text, selection, file.size, reply) && reply.add_field("Accept-Ranges", "bytes");
    }
    return false;
}

}  // namespace

void serve(const route::SiteRoot& site, std::string_view path, const RequestHead& head, const MimeTable& mime,
           TextBuffer& text, Reply& reply, int64_t now) {
    const bool is_get = head.method == "GET";
    if (!is_get && head.method != "HEAD") {
        answer_without_body(reply, head.method == "OPTIONS" ? 204 : 405);
        if (!reply.add_field("Allow", allowed_methods)) {
            answer_without_body(reply, 500);
        }
        return;
    }
    const Result<int> opened = open_beneath(site.fd, path, route::links_to(site));
    if (!opened.ok()) {
        answer_without_body(reply, http_status(opened.status()));
        return;
    }
    const int fd = opened.value();
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        answer_without_body(reply, 403);
        return;
    }
    Representation file{.type = mime.lookup(path), .size = static_cast<uint64_t>(status.st_size)};
    const auto seconds = int64_t{status.st_mtim.tv_sec};
    file.validators.etag = keep(text, [&](TextBuffer& out) {
        append_etag(out, file.size, seconds, static_cast<uint32_t>(status.st_mtim.tv_nsec));
    });
    // RFC 9110 section 8.8.2.1: a device without a clock of its own starts in 1970, long before its files.
    file.validators.modified = seconds < now ? seconds : now;

    answer_without_body(reply, 200);
    const Selection selection = select(head, file.validators, file.size, now);
    if (!describe(file, selection, text, reply) || !text.ok()) {
        close(fd);
        answer_without_body(reply, 500);
        return;
    }
    const bool has_content = selection.kind == Selection::Kind::whole || selection.kind == Selection::Kind::part;
    if (is_get && has_content) {
        reply.body = Reply::Body::file;
        reply.fd = fd;
    } else {
        close(fd);
    }
}

}  // namespace fcgate::files
