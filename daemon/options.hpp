// Owns: the command line, and what it means for the settings.
// Borrows: argv, as long as the Options live.
// Must not touch: the server.
#pragma once

#include <cstddef>

#include "fcgate/fcgate.h"

namespace fcgate::daemon {

struct Options {
    enum class Action { serve, test, print, budget, doctor, help, version };

    static constexpr size_t most_listeners = 16;
    static constexpr size_t most_assignments = 64;

    Action action = Action::serve;
    fcgate_doctor_form doctor_form = FCGATE_DOCTOR_TABLE;
    fcgate_budget_form budget_form = FCGATE_BUDGET_TABLE;
    // Those whose value goes into one key.
    enum KeyOption { root, backend, front_controller, threads, key_options };
    static constexpr char key_letters[key_options + 1] = "rbij";

    const char* config = nullptr;
    const char* values[key_options] = {};
    bool has_php = true;  // false: -b none, where no file decides
    size_t listener_count = 0;
    size_t assignment_count = 0;
    const char* listeners[most_listeners] = {};
    const char* assignments[most_assignments] = {};  // "section.key=value"
};

// Reads the arguments. Returns exit_ok, or what to exit with; then it has been said on stderr why.
[[nodiscard]] int parse_options(int argc, char** argv, Options& options);

// Loads the file and puts the command line's values over it. Returns as parse_options().
[[nodiscard]] int apply_options(const Options& options, fcgate_settings* settings);

// Return what to exit with.
[[nodiscard]] int print_help();
[[nodiscard]] int print_version();

}  // namespace fcgate::daemon
