// Owns: the host program's own endpoints: which prefix belongs to which handler, and a request while a handler has it.
// Borrows: handlers and their contexts, as long as the server lives.
// Must not touch: microhttpd.h. It knows nothing of the C ABI, which puts its own types over these.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/fixed_list.hpp"
#include "base/limits.hpp"
#include "base/status.hpp"
#include "base/text.hpp"
#include "http/engine.hpp"
#include "http/message.hpp"

namespace fcgate::server {

// Valid until the handler returns. All text in it ends with a NUL.
struct HostRequest {
    const RequestHead& head;
    std::string_view path;  // decoded and normalised
    const char* query;      // nullptr: there is no '?'
    Reply& reply;
    http::Engine& engine;
    TextBuffer& text;    // for what the reply's fields need
    const char* client;  // address
    bool has_replied = false;

    // Keeps a copy, with a NUL behind it; empty and too_large when there is no room.
    [[nodiscard]] Result<std::string_view> keep(std::string_view value);
    // Gives the reply; `body` is copied, `content_type` may be empty. too_large when there is no room for the type,
    // exhausted when there is no memory; both have changed nothing.
    [[nodiscard]] Status give(uint16_t status, std::string_view content_type, std::span<const char> body);
};

// How to call a handler: `function` is the host's, in the ABI's own type.
struct HostHandler {
    void (*call)(void (*function)(), void* context, HostRequest& request) = nullptr;
    void (*function)() = nullptr;
    void* context = nullptr;
};

class Endpoints {
  public:
    static constexpr size_t capacity = 16;
    static constexpr size_t prefix_size = 128;

    // malformed: the prefix does not begin with '/' or is taken already; too_large: no room.
    [[nodiscard]] Status add(std::string_view prefix, const HostHandler& handler);
    // The handler with the longest prefix of `path`, or nullptr. "/api/" takes everything below it, "/api" itself alone.
    [[nodiscard]] const HostHandler* find(std::string_view path) const;
    [[nodiscard]] bool empty() const { return count_ == 0; }

  private:
    struct Entry {
        Text<prefix_size> prefix;
        HostHandler handler;
    };

    std::array<Entry, capacity> entries_;
    size_t count_ = 0;
};

}  // namespace fcgate::server
