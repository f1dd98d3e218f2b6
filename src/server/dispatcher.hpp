// Owns: the way from a request to what answers it: host, route, then a file, a script or a refusal.
// Borrows: configuration, roots, engine and upstream of the worker, as long as it lives.
// Must not touch: microhttpd.h, records, sockets. It joins the rooms and holds no state of its own beyond scratch and known scripts.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "base/text.hpp"
#include "config/settings.hpp"
#include "fastcgi/upstream.hpp"
#include "files/conditions.hpp"
#include "files/file_cache.hpp"
#include "files/known_files.hpp"
#include "files/static_file.hpp"
#include "http/engine.hpp"
#include "route/host.hpp"
#include "route/known_scripts.hpp"
#include "route/router.hpp"
#include "route/script_memo.hpp"
#include "server/common.hpp"
#include "server/kept_requests.hpp"
#include "server/spool.hpp"

namespace fcgate::server {

// A field of a script's answer that is about a body that is not sent; so is what begins with Content-.
[[nodiscard]] bool is_about_body(std::string_view name);

// What a script has said itself, as for how long to keep it, is not said twice; but lists add up, and what the file is coded in stays said.
void leave_out_said(FieldCursor said, Reply& reply);

class Dispatcher {
  public:
    struct Setup {
        Common* common = nullptr;
        const TurnClock* clock = nullptr;
        http::Engine* engine = nullptr;
        fastcgi::Upstream* upstream = nullptr;
        Spool* spool = nullptr;
        files::FileCache* files = nullptr;
        KeptRequests* kept = nullptr;
        uint32_t number = 0;     // the worker's
        std::span<char> params;  // what hosts give PHP: params_size for each connection
        size_t params_size = 0;
        std::span<char> path_scratch;    // path_scratch_size
        std::span<char> text_scratch;    // for four targets
        std::span<char> status_page;     // limits::status_page()
        std::span<char> listing_memory;  // files::listing_memory and listing_page, if a site lists its folders
        std::span<char> listing_page;
    };
    static constexpr size_t path_scratch_size = route::decision_buffer;

    void init(const Setup& setup) { setup_ = setup; }
    [[nodiscard]] http::RequestHandler handler();
    // For hosts with handlers of their own.
    [[nodiscard]] static const HostOps& host_ops();
    [[nodiscard]] KeptRequests& kept() { return *setup_.kept; }
    // Requests that begin from now on are answered under this configuration.
    void use(const Configuration& configuration) {
        current_ = configuration.number;
        known_scripts_.forget();
        known_files_.forget();
        known_host_.configuration = nullptr;
        setup_.files->clear();
    }
    // Passwords of requests of this worker have been checked.
    void wake_answered(uint32_t worker);
    // Requests that are answered under it now.
    [[nodiscard]] size_t users_of(const Configuration& configuration) const { return users_[configuration.number]; }

  private:
    // Where a request leads. Valid in routed_for_ until another request is routed; then it is worked out again.
    struct Route {
        size_t site = 0;
        const route::SiteRoot* root = nullptr;  // its
        route::HostPort host;
        route::Target target;
        route::Decision decision;
        const files::FileCache::Entry* cached = nullptr;  // the file decided for, when it is at hand
        bool is_known = false;                            // it leads to a script that was found a moment ago
    };

    // The Host that was asked for last.
    struct KnownHost {
        const Configuration* configuration = nullptr;  // it was found under; none: nothing is known
        std::array<char, 63> text{};
        uint8_t size = 0;
        route::HostPort host;  // views of the text
        size_t site = 0;
        [[nodiscard]] std::string_view value() const { return {text.data(), size}; }
    };

    // dispatcher.cpp: where a request leads
    [[nodiscard]] http::Outcome begin(http::Connection& connection, RequestHead& head, Reply& reply);
    [[nodiscard]] size_t body(http::Connection& connection, std::span<const char> bytes);
    [[nodiscard]] http::Outcome poll(http::Connection& connection, Reply& reply);
    void done(http::Connection& connection);

    [[nodiscard]] bool find_site(http::Connection& connection, RequestHead& head, Reply& reply);
    [[nodiscard]] Status find_host(const Configuration& configuration, std::string_view value);
    [[nodiscard]] bool find_known_script();
    void decide(const http::Connection& connection, const RequestHead& head);
    void identify(http::Connection& connection, RequestHead& head) const;
    [[nodiscard]] bool count_asker(http::Connection& connection, Reply& reply);

    [[nodiscard]] http::Outcome begin_let_in(http::Connection& connection, RequestHead& head, Reply& reply);

    // dispatcher_auth.cpp
    [[nodiscard]] http::Outcome begin_with_password(http::Connection& connection, RequestHead& head, Reply& reply);
    [[nodiscard]] http::Outcome poll_password(http::Connection& connection, Reply& reply);
    void give_back_question(http::Connection& connection);
    static void challenge(Reply& reply);
    void log_password(http::Connection& connection, const RequestHead& head, const auth::Answer& answer);
    static void name_user(const RequestHead& head, TextBuffer& out);

    // dispatcher_host.cpp
    [[nodiscard]] bool begin_host(http::Connection& connection, const RequestHead& head, Reply& reply,
                                  http::Outcome& outcome);
    [[nodiscard]] bool call_host(http::Connection& connection, const RequestHead& head, const HostHandler& handler,
                                 std::string_view path, KeptRequest* call, Reply& reply);
    [[nodiscard]] size_t host_body(http::Connection& connection, std::span<const char> bytes);
    [[nodiscard]] http::Outcome poll_host(http::Connection& connection, Reply& reply);
    [[nodiscard]] static http::Outcome reply_kept(KeptRequest& call, Reply& reply);
    [[nodiscard]] static bool is_kept(const http::Connection& connection) { return connection.kept.slot != no_slot; }
    [[nodiscard]] std::span<char> params_of(const http::Connection& connection) const {
        return setup_.params.subspan(connection.slot * setup_.params_size, setup_.params_size);
    }
    [[nodiscard]] std::span<const Pair> host_params(const http::Connection& connection,
                                                    std::span<const Pair> configured, std::span<Pair> room) const;

    // dispatcher_script.cpp
    [[nodiscard]] http::Outcome begin_script(http::Connection& connection, const RequestHead& head, Reply& reply);
    // False when the reply is a refusal: a link leads out of the root.
    [[nodiscard]] bool may_run(http::Connection& connection, Reply& reply);
    [[nodiscard]] http::Outcome open_exchange(http::Connection& connection, const RequestHead& head,
                                              uint64_t body_length, const route::ScriptMemo& memo, Reply& reply);
    [[nodiscard]] bool recall(const http::Connection& connection, const RequestHead& head);
    [[nodiscard]] bool recall(const http::Connection& connection, const RequestHead& head, uint32_t site,
                              const route::ScriptMemo& memo);
    static void reply_from(fastcgi::Exchange& exchange, Reply& reply);
    [[nodiscard]] bool write_params(http::Connection& connection, fastcgi::ParamsWriter& out);
    void name_script(http::Connection& connection, TextBuffer& out);

    // dispatcher_spool.cpp
    [[nodiscard]] http::Outcome begin_spooling(http::Connection& connection, Reply& reply);
    void spool(http::Connection& connection, SpooledBody& body, std::span<const char> bytes);
    [[nodiscard]] http::Outcome begin_spooled(http::Connection& connection, const SpooledBody& body, Reply& reply);
    [[nodiscard]] bool feed_spooled(SpooledBody& body, fastcgi::Exchange& exchange);
    [[nodiscard]] uint16_t log_spooling(http::Connection& connection, size_t site, Status status);
    [[nodiscard]] SpooledBody* spooled(const http::Connection& connection) {
        return has_spool ? setup_.spool->find(connection.spooled) : nullptr;
    }

    // dispatcher_error_page.cpp
    [[nodiscard]] http::Outcome dressed(http::Connection& connection, http::Outcome outcome, Reply& reply);
    void send_error_page(http::Connection& connection, std::string_view path, Reply& reply);
    [[nodiscard]] bool ask_error_page(http::Connection& connection, std::string_view path, Reply& reply,
                                      http::Outcome& outcome);
    void log_error_page(http::Connection& connection, std::string_view path, uint16_t status);
    [[nodiscard]] static uint16_t error_of(const fastcgi::Exchange& exchange);
    [[nodiscard]] bool intercept(http::Connection& connection, fastcgi::Exchange& exchange, Reply& reply);

    // dispatcher_sendfile.cpp
    struct NamedFile {
        std::string_view name;  // as the script has said it
        route::SiteRoot root;
        std::string_view path;  // below it; empty: it may not be sent
    };
    [[nodiscard]] bool find_named_file(const Site& site, FieldCursor fields, NamedFile& file);
    [[nodiscard]] bool send_named_file(http::Connection& connection, fastcgi::Exchange& exchange, Reply& reply);
    void log_named_file(http::Connection& connection, const NamedFile& file, uint16_t status);

    // dispatcher_status.cpp
    [[nodiscard]] bool is_status_path(const http::Connection& connection, const route::Target& target);
    void show_status(http::Connection& connection, const RequestHead& head, const route::Target& target, Reply& reply);
    [[nodiscard]] bool may_see_status(const http::Connection& connection) const;

    // dispatcher_files.cpp
    [[nodiscard]] bool find_cached(const http::Connection& connection, const RequestHead& head);
    [[nodiscard]] bool is_still_open(const files::FileCache::Entry& file, const RequestHead& head) const;
    [[nodiscard]] bool send_ready(http::Connection& connection, const RequestHead& head,
                                  const files::Selection& selection, Reply& reply);
    void serve_file(http::Connection& connection, const RequestHead& head, Reply& reply);
    void list_folder(http::Connection& connection, const RequestHead& head, Reply& reply);
    [[nodiscard]] bool send_page(const TextBuffer& page, std::string_view type, Reply& reply);
    // `code`: of http/reason.hpp or of a fastcgi::Fault, or that of the status.
    void answer_method(http::Connection& connection, const RequestHead& head, Reply& reply, Packed words);
    void refuse(http::Connection& connection, Reply& reply, uint16_t status, Packed words, Packed code);
    void refuse(http::Connection& connection, Reply& reply, uint16_t status, Packed words);
    void refuse_host(http::Connection& connection, const RequestHead& head, Reply& reply);
    void redirect(http::Connection& connection, Reply& reply);
    void redirect_to_https(http::Connection& connection, Reply& reply);
    static void add_site_fields(const SiteSettings& site, Reply& reply);
    void log_refusal(http::Connection& connection, LogLevel level, uint16_t status, Packed words, Packed code);
    void describe(const http::Connection& connection, TextBuffer& out) const;
    [[nodiscard]] const Configuration& configuration_of(const http::Connection& connection) const {
        return setup_.common->configurations[connection.configuration];
    }
    [[nodiscard]] const Site& site_of(const http::Connection& connection, size_t number) const;
    [[nodiscard]] const SiteSettings& settings_of(const http::Connection& connection, size_t number) const {
        return *site_of(connection, number).root.settings;
    }
    [[nodiscard]] const SiteSettings& site_settings() const { return *route_.root->settings; }
    [[nodiscard]] route::ScriptMemo memo_of_route() const { return route::remember(site_settings(), route_.decision); }

    Setup setup_;
    uint8_t current_ = 0;
    std::array<size_t, Configuration::count> users_{};
    const http::Connection* routed_for_ = nullptr;
    Route route_;
    route::KnownScripts known_scripts_;
    files::KnownFiles known_files_;
    KnownHost known_host_;
    char page_text_[files::field_text];  // of the fields of an error page
};

}  // namespace fcgate::server
