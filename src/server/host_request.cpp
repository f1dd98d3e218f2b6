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

std::string_view HostRequest::keep_text(std::string_view value) {
    const size_t start = text.size();
    text.append(value).append('\0');
    return slice(text.view(), start, value.size());
}

Status HostRequest::add_fields(std::span<const Field> fields) {
    size_t size = 0;
    for (const Field& field : fields) {
        size += field.name.size() + field.value.size() + 2;
    }
    // A buffer that has overflowed once takes nothing more.
    if (size > text.room() || fields.size() > limits::reply_fields - reply.fields().size()) {
        return Status::too_large;
    }
    for (const Field& field : fields) {
        const std::string_view name = keep_text(field.name);
        (void)reply.add_field(name, keep_text(field.value));
    }
    return Status::ok;
}

Status HostRequest::add_field(std::string_view name, std::string_view value) {
    if (has_replied) {
        return Status::gone;
    }
    if (call != nullptr) {
        return kept.add_field(kept.ticket_of(*call), name, value);
    }
    const Field field = {name, value};
    return add_fields({&field, 1});
}

Status HostRequest::give_kept(const Reply& given) {
    KeptReply at_once;
    at_once.form = KeptReply::Form::given;
    at_once.length_known = given.length_known;
    const Status status = kept.give(kept.ticket_of(*call), at_once, given.fields(), {});
    if (status == Status::ok) {
        kept.fill(*call, reply);
    }
    return status == Status::malformed ? Status::gone : status;
}

Status HostRequest::give(const Reply& given) {
    if (is_settled()) {
        return Status::gone;
    }
    const Status status = call != nullptr ? give_kept(given) : add_fields(given.fields());
    if (status != Status::ok) {
        return status;
    }
    reply.status = given.status;
    reply.body = given.body;
    reply.is_refusal = given.is_refusal;
    reply.length = given.length;
    reply.length_known = given.length_known;
    reply.memory = given.memory;
    reply.fd = given.fd;
    reply.offset = given.offset;
    has_replied = true;
    return Status::ok;
}

Status HostRequest::give_path(const char* file_path) {
    if (is_settled()) {
        return Status::gone;
    }
    const char* const name = strrchr(file_path, '/');
    Text<limits::path> folder;
    folder.append(slice(file_path, 0, name != nullptr ? static_cast<size_t>(name - file_path) : 0)).append('/');
    if (name == nullptr || name[1] == '\0' || !folder.ok()) {
        return Status::malformed;
    }
    const Descriptor opened(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    Text<files::field_text> values;
    Reply file;
    file.status = 404;
    if (opened.valid()) {
        route::SiteRoot place = root;
        place.fd = opened.get();
        files::serve(place, name, head, mime, values, file);
    }
    if (file.status >= 400 && file.status != 412 && file.status != 416) {
        http::reply_with_status(file, file.status);
    }
    Descriptor content(file.fd);
    const Status status = give(file);
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
