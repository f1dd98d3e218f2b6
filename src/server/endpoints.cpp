#include "server/endpoints.hpp"

namespace fcgate::server {

Result<std::string_view> HostRequest::keep(std::string_view value) {
    // A buffer that has overflowed once takes nothing more.
    if (value.size() >= text.room()) {
        return Status::too_large;
    }
    const size_t start = text.size();
    text.append(value).append('\0');
    return slice(text.view(), start, value.size());
}

Status HostRequest::give(uint16_t status, std::string_view content_type, std::span<const char> body) {
    const bool has_type = !content_type.empty();
    const Result<std::string_view> type = has_type ? keep(content_type) : std::string_view();
    if (!type.ok() || (has_type && reply.fields().size() == limits::reply_fields)) {
        return Status::too_large;
    }
    if (!engine.copy_body(body, false)) {
        return Status::exhausted;
    }
    if (has_type) {
        (void)reply.add_field("Content-Type", type.value());
    }
    reply.status = status;
    reply.body = Reply::Body::copied;
    reply.length = body.size();
    reply.length_known = true;
    has_replied = true;
    return Status::ok;
}

Status Endpoints::add(std::string_view prefix, const HostHandler& handler) {
    if (!starts_with(prefix, "/")) {
        return Status::malformed;
    }
    for (size_t i = 0; i < count_; ++i) {
        if (entries_[i].prefix.view() == prefix) {
            return Status::malformed;
        }
    }
    if (count_ == capacity || prefix.size() >= prefix_size) {
        return Status::too_large;
    }
    Entry& entry = entries_[count_++];
    entry.prefix.append(prefix);
    entry.handler = handler;
    return Status::ok;
}

const HostHandler* Endpoints::find(std::string_view path) const {
    const Entry* found = nullptr;
    for (size_t i = 0; i < count_; ++i) {
        const Entry& entry = entries_[i];
        const std::string_view prefix = entry.prefix.view();
        const bool matches = ends_with(prefix, "/") ? starts_with(path, prefix) : path == prefix;
        if (matches && (found == nullptr || found->prefix.size() < prefix.size())) {
            found = &entry;
        }
    }
    return found != nullptr ? &found->handler : nullptr;
}

}  // namespace fcgate::server
