#include "reload.hpp"

#include <cstring>

#include "exit_code.hpp"
#include "report.hpp"

namespace fcgate::daemon {

bool Reload::read(fcgate_settings* settings) const {
    char user[256];
    if (apply_options(options, settings) != exit_ok || use_passed_sockets(sockets, settings) != exit_ok) {
        return false;
    }
    // Somebody may have been chosen because nobody was configured: that is no change.
    const bool is_as_before = fcgate_get(settings, "server.user", user, sizeof user) == FCGATE_OK &&
                              strcmp(user, configured_user) == 0 && chosen_user[0] != '\0';
    return !is_as_before || fcgate_set(settings, "server.user", chosen_user, nullptr) == FCGATE_OK;
}

Reload::Result Reload::attempt(fcgate_server* server) const {
    fcgate_settings* const settings = fcgate_settings_create();
    if (settings == nullptr) {
        say<"reload: out of memory; the configuration stays as it was">();
        return Result::refused;
    }
    fcgate_error error{};
    const int result = read(settings) ? fcgate_reload(server, settings, &error) : FCGATE_INVALID;
    if (result == FCGATE_OK) {
        return Result::done;
    }
    fcgate_settings_destroy(settings);
    if (result == FCGATE_AGAIN) {
        return Result::later;
    }
    if (error.text[0] != '\0') {
        say<"%">(error.text);
    }
    say<"reload: the configuration stays as it was">();
    return Result::refused;
}

}  // namespace fcgate::daemon
