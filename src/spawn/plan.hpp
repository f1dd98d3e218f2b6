// Owns: everything the spawner needs to know, worked out before it is forked: afterwards it allocates nothing and asks no database.
// Borrows: the settings, which are still there in the forked process.
// Must not touch: running processes; it only looks for programs, users and folders.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/status.hpp"
#include "base/text.hpp"
#include "config/settings.hpp"

namespace fcgate::spawn {

// One [backend] with `address = spawn`.
struct PhpPlan {
    bool used = false;
    bool is_fpm = true;  // else php-cgi
    bool runs_any_name =
        false;  // of its sites one has scripts of another name than .php, which is all that php-fpm runs by itself
    Text<limits::program> program;
};

struct Plan {
    static constexpr int most_groups = 64;

    std::array<PhpPlan, limits::backends> php;
    Text<limits::path> runtime_dir;
    bool is_private_dir = false;  // made for this server alone: removed at its end
    uid_t php_user = 0;
    gid_t php_group = 0;
    std::array<gid_t, most_groups> php_groups{};  // that one and the further ones of the user
    size_t php_group_count = 0;
    uid_t server_user = 0;  // who connects to the sockets
    bool changes_user = false;
    // Of the server: they tell what several have in one runtime folder apart.
    pid_t owner_pid = 0;
    uint32_t server_number = 0;  // among those of its process
};

// PHP is to be started for some backend.
[[nodiscard]] bool needs_plan(const Settings& settings);

// Turns `address = auto` into the first usual socket where FastCGI answers, else into `spawn`. A php-fpm that was found for a backend of this name
// `in_force` is kept as long as somebody listens there: one whose workers are all busy does not answer.
[[nodiscard]] Status resolve_automatic(Settings& settings, ConfigError& error, const Settings* in_force = nullptr);

// Finds PHP, the users and the runtime folder. On failure `error` says what to do.
[[nodiscard]] Status make_plan(const Settings& settings, Plan& plan, TextBuffer& error);

// The runtime folder is there, and nobody else may write to it: those who clean up may have removed it since it was planned. Else errno is that of
// mkdir(): EEXIST where there is something that is not ours.
[[nodiscard]] bool make_runtime_dir(const Plan& plan);

// The socket of one run: unique, because php-fpm unlinks its path when it ends, which may be after the next run has begun.
void print_socket_path(const Plan& plan, size_t backend, uint32_t run, TextBuffer& out);

}  // namespace fcgate::spawn
