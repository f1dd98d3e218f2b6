#include "server/endpoints.hpp"

#include "config/values.hpp"

namespace fcgate::server {

Status Endpoints::add(std::string_view prefix, const HostHandler& handler, const HostOps& ops) {
    // As route/ leaves them: another is met by no path.
    if (!config::is_url_path(prefix) || has_control(prefix) || prefix.find('\\') != std::string_view::npos) {
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
    ops_ = &ops;
    return Status::ok;
}

Status Endpoints::set_hook(const HostHandler& hook, const HostOps& ops) {
    if (hook_.call != nullptr) {
        return Status::malformed;
    }
    hook_ = hook;
    ops_ = &ops;
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
