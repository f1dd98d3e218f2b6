// Owns: what the host program has set to see requests: its handlers by prefix, and its hook before them; and a request while one of them
// has it.
// Borrows: handlers and their contexts, as long as the server lives.
// Must not touch: microhttpd.h. It knows nothing of the C ABI, which puts its own types over these.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/fixed_list.hpp"
#include "base/limits.hpp"
#include "base/status.hpp"
#include "base/text.hpp"
#include "files/mime.hpp"
#include "http/engine.hpp"
#include "http/message.hpp"
#include "route/router.hpp"

namespace fcgate::server {

class Dispatcher;
class KeptRequests;
struct KeptRequest;

// Valid until the handler returns. All text in it ends with a NUL.
struct HostRequest {
    http::Connection& connection;
    const RequestHead& head;
    Reply& reply;
    http::Engine& engine;
    KeptRequests& kept;
    const files::MimeTable& mime;
    const route::SiteRoot& root;
    uint32_t site;
    std::span<char> params;  // room for variables of PHP, of this connection
    TextBuffer& text;        // for what the reply's fields need
    std::string_view path;   // decoded and normalised
    const char* query;       // nullptr: there is no '?'
    const char* client;      // address
    bool is_whole;           // the body is there: it cannot be passed on
    KeptRequest* call = nullptr;
    bool has_replied = false;
    bool is_passed = false;
    bool lacks_room = false;  // it could not be kept

    // Neither answered, kept nor passed on.
    // It has had its reply, or another has the request: whatever else is wrong with one more, there is none to be given.
    [[nodiscard]] bool is_settled() const { return has_replied || is_passed; }
    [[nodiscard]] bool is_open() const { return !is_settled() && call == nullptr; }
    // too_large when there is no room; then nothing has changed. gone: there is a reply.
    [[nodiscard]] Status add_field(std::string_view name, std::string_view value);
    // Gives the reply, with the fields so far before its own. gone: there is one, perhaps of another thread; too_large: no room for its
    // fields. After failures nothing has changed.
    [[nodiscard]] Status give(const Reply& given);
    // The same as for a static file.
    [[nodiscard]] Status give_path(const char* file_path);
    // too_large: all places are taken. Fields so far are kept as well.
    [[nodiscard]] Status keep();
    [[nodiscard]] Status add_param(std::string_view name, std::string_view value);
    // Has `pull` make the body of the reply that was given.
    void stream(ptrdiff_t (*pull)(void* context, char* bytes, size_t size)) const;

  private:
    // All of them, or none.
    [[nodiscard]] Status add_fields(std::span<const Field> fields);
    [[nodiscard]] Status give_kept(const Reply& given);
    [[nodiscard]] std::string_view keep_text(std::string_view value);
};

// How to call a handler: `function` is the host's, in the ABI's own type.
struct HostHandler {
    void (*call)(void (*function)(), void* context, HostRequest& request) = nullptr;
    void (*function)() = nullptr;
    void* context = nullptr;
};

// What is there only for hosts with handlers: a daemon without them links nothing of it.
struct HostOps {
    // A head has come. True: the host has the request, and `outcome` says how it goes on.
    bool (*begin)(Dispatcher& dispatcher, http::Connection& connection, const RequestHead& head, Reply& reply,
                  http::Outcome& outcome);
    // For those that are kept, as http::RequestHandler has them.
    size_t (*body)(Dispatcher& dispatcher, http::Connection& connection, std::span<const char> bytes);
    http::Outcome (*poll)(Dispatcher& dispatcher, http::Connection& connection, Reply& reply);
    void (*done)(Dispatcher& dispatcher, http::Connection& connection);
    // The variables of PHP for this connection's request, `configured` first; made in `room`.
    std::span<const Pair> (*params)(const Dispatcher& dispatcher, const http::Connection& connection,
                                    std::span<const Pair> configured, std::span<Pair> room);
    // Other threads have news for some; the server is being stopped.
    void (*on_news)(Dispatcher& dispatcher);
    void (*on_stop)(Dispatcher& dispatcher);
};

class Endpoints {
  public:
    static constexpr size_t capacity = 16;
    static constexpr size_t prefix_size = 128;

    // malformed: the prefix is none of a path, or is taken already; too_large: no room.
    [[nodiscard]] Status add(std::string_view prefix, const HostHandler& handler, const HostOps& ops);
    // malformed: there is one.
    [[nodiscard]] Status set_hook(const HostHandler& hook, const HostOps& ops);
    // The handler with the longest prefix of `path`, or nullptr. "/api/" takes everything below it, "/api" itself alone.
    [[nodiscard]] const HostHandler* find(std::string_view path) const;
    // Before all of them, or nullptr.
    [[nodiscard]] const HostHandler* hook() const { return hook_.call != nullptr ? &hook_ : nullptr; }
    // nullptr: the host has none of it.
    [[nodiscard]] const HostOps* ops() const { return ops_; }

  private:
    struct Entry {
        Text<prefix_size> prefix;
        HostHandler handler;
    };

    std::array<Entry, capacity> entries_;
    size_t count_ = 0;
    HostHandler hook_;
    const HostOps* ops_ = nullptr;
};

}  // namespace fcgate::server
