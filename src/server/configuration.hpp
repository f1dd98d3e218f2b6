// Owns: one configuration in force and what was opened for it: site roots, listeners, the gates of its backends.
// Borrows: the settings, until every worker has let go.
// Must not touch: requests, workers. It is filled by one thread, then published and only read; a reload makes the next one beside it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/fixed_list.hpp"
#include "base/log.hpp"
#include "config/settings.hpp"
#include "route/router.hpp"
#include "tls/certificate.hpp"

namespace fcgate::server {

// What went wrong, for whoever started the server.
using ServerError = Text<384>;

// A status for the caller, and the words for it.
[[nodiscard]] Status explain(ServerError& error, Status status, Packed words);
// explain<"cannot open %: %">(error, status, path, SystemError{errno}): see base/pattern.hpp.
[[nodiscard]] Status explain_packed(ServerError& error, Status status, Packed pattern, ...);
template <packing::Literal Pattern, typename... Values>
[[nodiscard]] Status explain(ServerError& error, Status status, Values... values) {
    return explain_packed(error, status, pattern::packed<Pattern, Values...>(), pattern::passed(values)...);
}

// A site as it was found when its configuration came into force.
struct Site {
    route::SiteRoot root;
    std::string_view document_root;  // absolute
    int sendfile_fd = -1;            // of `sendfile_root`, if there is one
};

// The listening sockets, which all workers accept from.
struct Listeners {
    const FixedList<ListenSettings, limits::listeners>* settings = nullptr;
    std::array<int, limits::listeners> fds{};
    std::array<bool, limits::listeners> is_shared{};  // they belong to the configuration before, or after
    size_t count = 0;

    // The number of the socket that `listen` would bind; `count` when there is none.
    [[nodiscard]] size_t find(const ListenSettings& listen) const;
    // Opens what is not among `before`, and shares the rest. On failure give_back_inherited() and close_own() are to be called.
    [[nodiscard]] Status open(const FixedList<ListenSettings, limits::listeners>& listen, Listeners* before,
                              ServerError& error);
    // Inherited ones stay the host's.
    void give_back_inherited();
    // The shared ones of `after` are its own from now on.
    void hand_on(Listeners& after);
    // Closes those that are not shared, and removes their paths.
    void close_own();
};

struct Configuration {
    static constexpr size_t count = 2;  // the one in force, and the one before until its requests are done

    const Settings* settings = nullptr;
    FixedList<Site, limits::sites> sites;
    std::array<uint32_t, limits::backends> gates{};  // of the backends, by their number in the settings
    Listeners listeners;
    std::span<char> text;          // for the document roots
    tls::Certificate certificate;  // kept until the next configuration is made here: a handshake may still use it
    Text<48> build_id;             // in the entity tags, unless `release` says otherwise
    Text<80> machine_name;         // as it was then
    uint8_t number = 0;

    std::atomic<bool> is_used{false};    // cleared when everything of it is given back
    std::atomic<uint32_t> holders{0};    // workers with requests under it, or that may still begin one
    std::atomic<uint32_t> newcomers{0};  // workers that have not changed over to it yet

    // Anew, for these settings.
    void begin(const Settings& next);
    // On failure nothing is left open.
    [[nodiscard]] Status open_roots(ServerError& error);
    void close_roots();
    // Reads the certificate if a listener is secure, and makes one if the settings say so. `before`: what is in force, whose certificate is kept when
    // its files may not be read any more.
    [[nodiscard]] Status open_certificate(const Log& log, Configuration* before, ServerError& error);
    // What secure connections are shown; nullptr: there are none.
    [[nodiscard]] const tls::Certificate* presented() const {
        return certificate.parts() != nullptr ? &certificate : nullptr;
    }
    [[nodiscard]] uint32_t gate_mask() const;

  private:
    [[nodiscard]] static Status check_passwords(const SiteSettings& site, ServerError& error);  // server_auth.cpp
    [[nodiscard]] Status open_root(const SiteSettings& wanted, size_t& used, ServerError& error);
};

}  // namespace fcgate::server
