// The parts of Server and Configuration for sites with `auth`: a build without it has none of them.
#include <cerrno>

#include "auth/verifier.hpp"
#include "server/server.hpp"

namespace fcgate::server {

// Whoever serves must be able to read who may ask.
Status Configuration::check_passwords(const SiteSettings& site, ServerError& error) {
    auth::Census census;
    const Status status = site.auth.empty() ? Status::ok : auth::examine(site.auth, census);
    if (status == Status::ok) {
        return status;
    }
    if (status == Status::refused || status == Status::too_large) {
        return explain<"auth: %: %">(error, status, site.auth, auth::words_for(status));
    }
    return explain<"auth: %: %%">(
        error, status, site.auth, SystemError{errno},
        status == Status::denied ? "; whoever serves (server.user) must be able to read it"_p : ""_p);
}

// Who cannot log in should not find out at the door. A file that cannot be read has kept the server from starting.
void Server::warn_of_users(std::string_view file) const {
    auth::Census census;
    if (file.empty() || auth::examine(file, census) != Status::ok) {
        return;
    }
    if (census.wrong_line != 0) {
        common_.log.write<"%: line %: its hash %: make it with `openssl passwd -6` (see `auth`)">(
            LogLevel::warning, file, census.wrong_line, auth::words_for(census.wrong_kind));
    }
    if (census.users == 0) {
        common_.log.write<"%: nobody can log in (see `auth`)">(LogLevel::warning, file);
    }
}

// Behind the sandbox, which holds for threads that are made in it.
Status Server::start_verifier(ServerError& error) {
    const auth::Verifier::Bell bell = {
        &common_, [](void* common, uint32_t worker) {
            static_cast<Common*>(common)->workers[worker].mailbox().post_news(Mailbox::verdicts);
        }};
    const Status status = common_.verifier->start(bell);
    return status == Status::ok
               ? status
               : explain<"a thread for passwords cannot be started: %">(error, status, SystemError{errno});
}

}  // namespace fcgate::server
