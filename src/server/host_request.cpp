// What a handler of the host's does with the request it has.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/descriptor.hpp"
#include "files/static_file.hpp"
#include "http/status_page.hpp"
#include "server/endpoints.hpp"
#include "server/kept_requests.hpp"

namespace fcgate::server {

namespace {

// A pulled body. What is made beyond the length is the reader's mistake, and never asked for.
ptrdiff_t pull(void* context, std::span<char> room) {
    auto* const request = static_cast<KeptRequest*>(context);
    const size_t most = static_cast<size_t>(std::min<uint64_t>(room.size(), request->pull_left));
    const ptrdiff_t count = request->pull(request->context, room.data(), most);
    if (count > 0 && static_cast<size_t>(count) <= most) {
        request->pull_left -= request->reply.length_known ? static_cast<size_t>(count) : 0;
        return count;
    }
    if (count == 0) {
        return request->reply.length_known ? BodyReader::failed : BodyReader::end;
    }
    constexpr ptrdiff_t again = -7;  // FCGATE_AGAIN
    return count == again ? 0 : BodyReader::failed;
}

}  // namespace

Result<std::string_view> HostRequest::keep_text(std::string_view value) {
    // A buffer that has overflowed once takes nothing more.
    if (value.size() >= text.room()) {
        return Status::too_large;
    }
    const size_t start = text.size();
    text.append(value).append('\0');
    return slice(text.view(), start, value.size());
}

Status HostRequest::add_field(std::string_view name, std::string_view value) {
    if (has_replied) {
        return Status::gone;
    }
    if (call != nullptr) {
        return kept.add_field(kept.ticket_of(*call), name, value);
    }
    const Result<std::string_view> kept_name = keep_text(name);
    const Result<std::string_view> kept_value = keep_text(value);
    const bool added = kept_name.ok() && kept_value.ok() && reply.add_field(kept_name.value(), kept_value.value());
    return added ? Status::ok : Status::too_large;
}

Status HostRequest::give(uint16_t status, std::string_view content_type, const Reply& body) {
    if (has_replied || is_passed) {
        return Status::gone;
    }
    if (call != nullptr) {
        KeptReply given;
        given.form = KeptReply::Form::given;
        given.length_known = body.length_known;
        const Status taken = kept.give(kept.ticket_of(*call), given, content_type, {});
        if (taken != Status::ok) {
            return taken == Status::malformed ? Status::gone : taken;
        }
        kept.fill(*call, reply);
    } else if (!content_type.empty()) {
        const Result<std::string_view> type = keep_text(content_type);
        if (!type.ok() || !reply.add_field("Content-Type", type.value())) {
            return Status::too_large;
        }
    }
    reply.status = status;
    reply.body = body.body;
    reply.is_refusal = body.is_refusal;
    reply.length = body.length;
    reply.length_known = body.length_known;
    reply.memory = body.memory;
    reply.fd = body.fd;
    reply.offset = body.offset;
    has_replied = true;
    return Status::ok;
}

Status HostRequest::give_path(const char* file_path) {
    if (has_replied || is_passed) {
        return Status::gone;
    }
    const char* const name = strrchr(file_path, '/');
    Text<limits::path> folder;
    folder.append(slice(file_path, 0, name != nullptr ? static_cast<size_t>(name - file_path) : 0)).append('/');
    if (name == nullptr || name[1] == '\0' || !folder.ok()) {
        return Status::malformed;
    }
    const Descriptor opened(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    Reply file;
    file.status = 404;
    if (opened.valid()) {
        route::SiteRoot place = root;
        place.fd = opened.get();
        files::serve(place, name, head, mime, text, file);
    }
    if (file.status >= 400 && file.status != 412 && file.status != 416) {
        http::reply_with_status(file, file.status);
    }
    Descriptor content(file.fd);
    Status status = Status::ok;
    for (const Field& field : file.fields()) {
        status = status == Status::ok ? add_field(field.name, field.value) : status;
    }
    status = status == Status::ok ? give(file.status, {}, file) : status;
    if (status == Status::ok) {
        (void)content.release();
    }
    return status;
}

Status HostRequest::keep() {
    if (!is_open()) {
        return call != nullptr ? Status::malformed : Status::gone;
    }
    call = kept.take(connection);
    Status status = call != nullptr ? Status::ok : Status::too_large;
    for (const Field& field : reply.fields()) {
        status = status == Status::ok ? kept.add_field(kept.ticket_of(*call), field.name, field.value) : status;
    }
    if (status != Status::ok) {
        if (call != nullptr) {
            kept.give_back(*call, KeptNews::lost);
            call = nullptr;
        }
        lacks_room = true;
        return status;
    }
    reply.clear_fields();
    call->site = site;
    connection.kept = SlotPool<KeptRequest>::handle(*call);
    return Status::ok;
}

Status HostRequest::add_param(std::string_view name, std::string_view value) {
    if (!is_open() || is_whole) {
        return Status::gone;
    }
    // Each is a name and a value with their NULs; one more NUL ends them.
    size_t used = 0;
    size_t count = 0;
    for (; used < params.size() && params[used] != '\0'; ++count) {
        used += strlen(&params[used]) + 1;
        used += strlen(&params[used]) + 1;
    }
    if (count == limits::host_params || params.size() - used < name.size() + value.size() + 3) {
        return Status::too_large;
    }
    for (const std::string_view part : {name, value}) {
        memcpy(&params[used], part.data(), part.size());
        used += part.size();
        params[used++] = '\0';
    }
    params[used] = '\0';
    return Status::ok;
}

void HostRequest::stream(ptrdiff_t (*puller)(void* context, char* bytes, size_t size)) const {
    call->pull = puller;
    call->pull_left = reply.length_known ? reply.length : UINT64_MAX;
    reply.body = Reply::Body::stream;
    reply.reader.context = call;
    reply.reader.read = &pull;
}

}  // namespace fcgate::server
