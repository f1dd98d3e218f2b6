// The other half of options.hpp: what the command line means for the settings.
#include <sys/stat.h>

#include <cstring>
#include <string_view>

#include "base/text.hpp"
#include "exit_code.hpp"
#include "options.hpp"
#include "report.hpp"

namespace fcgate::daemon {

namespace {

// In the order of Options::KeyOption.
constexpr const char* keys[] = {"site.root", "backend.address", "site.front_controller", "server.threads"};

// One value of the command line; with NULL the file's are taken away.
int set(fcgate_settings* settings, char flag, const char* name, const char* value) {
    fcgate_error error{};
    if (fcgate_set(settings, name, value, &error) == FCGATE_OK) {
        return exit_ok;
    }
    say<"-%: %">(flag, error.text);
    return exit_usage;
}

int set_listener(fcgate_settings* settings, const char* value) {
    return set(settings, 'l', "server.listen", value);
}

// The command line's listeners take the place of the file's.
int replace_listeners(const Options& options, fcgate_settings* settings) {
    int code = options.listener_count > 0 ? set_listener(settings, nullptr) : exit_ok;
    for (size_t i = 0; code == exit_ok && i < options.listener_count; ++i) {
        code = set_listener(settings, options.listeners[i]);
    }
    return code;
}

// Where the file has one section of that kind, that one is meant, whatever its name.
void append_key(const fcgate_settings* settings, std::string_view key, TextBuffer& out) {
    const std::string_view section = slice(key, 0, key.find('.'));
    Text<16> heading;
    heading.append("\n["_p).append(section);
    char* const room = room_to_print();
    (void)fcgate_print(settings, room, printed_max);  // "" where it fails
    const std::string_view printed(room);
    const size_t found = printed.find(heading.view());
    const bool is_only_one =
        found != std::string_view::npos && printed.find(heading.view(), found + 1) == std::string_view::npos;
    const std::string_view name = is_only_one ? slice(printed, found + heading.size()) : std::string_view();
    out.append(section).append(':').append(slice(name, 0, name.find(']'))).append(slice(key, section.size()));
}

int set_key(fcgate_settings* settings, Options::KeyOption option, const char* value) {
    const char flag = Options::key_letters[option];
    Text<64> key;
    append_key(settings, keys[option], key);
    // There may be more than one address.
    const int code = option == Options::backend ? set(settings, flag, key.c_str(), nullptr) : exit_ok;
    return code == exit_ok ? set(settings, flag, key.c_str(), value) : code;
}

int set_keys(const Options& options, fcgate_settings* settings) {
    int code = exit_ok;
    for (int i = 0; code == exit_ok && i < Options::key_options; ++i) {
        const auto option = static_cast<Options::KeyOption>(i);
        const char* const value = options.values[option];
        if (value != nullptr) {
            code = set_key(settings, option, value);
        }
    }
    return code;
}

int assign(const char* assignment, fcgate_settings* settings) {
    char name[128];
    const char* equals = strchr(assignment, '=');
    const size_t length = equals == nullptr ? 0 : static_cast<size_t>(equals - assignment);
    if (length == 0 || length >= sizeof name) {
        say<"-o: write SECTION.KEY=VALUE, for example site.max_body=64m">();
        return exit_usage;
    }
    memcpy(name, assignment, length);
    name[length] = '\0';
    return set(settings, 'o', name, equals + 1);
}

// Of a key that may be repeated: what -o says would come beside a default.
bool is_assigned(const Options& options, std::string_view key_and_equals) {
    for (size_t i = 0; i < options.assignment_count; ++i) {
        if (starts_with(options.assignments[i], key_and_equals)) {
            return true;
        }
    }
    return false;
}

// What stands for a configuration file that is not given.
int set_defaults(const Options& options, fcgate_settings* settings) {
    int code = is_assigned(options, "server.listen=") ? exit_ok : set_listener(settings, "127.0.0.1:8080");
    if (code == exit_ok && options.has_php && !is_assigned(options, "backend.address=")) {
        code = set_key(settings, Options::backend, "auto");
    }
    if (code == exit_ok && options.values[Options::root] == nullptr) {
        code = set_key(settings, Options::root, ".");
    }
    return code;
}

// Nobody wants to serve a whole device because of where the shell happened to stand.
int refuse_whole_file_system(const Options& options, const fcgate_settings* settings) {
    char root[8];
    struct stat here {};
    struct stat top {};
    const bool is_default = options.config == nullptr && options.values[Options::root] == nullptr &&
                            fcgate_get(settings, "site.root", root, sizeof root) == FCGATE_OK && strcmp(root, ".") == 0;
    if (is_default && stat(".", &here) == 0 && stat("/", &top) == 0 && here.st_dev == top.st_dev &&
        here.st_ino == top.st_ino) {
        say<"the current directory is /, and all of it would be served; choose a folder with -r">();
        return exit_usage;
    }
    return exit_ok;
}

}  // namespace

int apply_options(const Options& options, fcgate_settings* settings) {
    int code = exit_ok;
    if (options.config != nullptr) {
        fcgate_error error{};
        const int result = fcgate_load(settings, options.config, &error);
        if (result != FCGATE_OK) {
            return complain(result, error);
        }
    } else {
        code = set_defaults(options, settings);
    }
    if (code == exit_ok) {
        code = replace_listeners(options, settings);
    }
    if (code == exit_ok) {
        code = set_keys(options, settings);
    }
    for (size_t i = 0; code == exit_ok && i < options.assignment_count; ++i) {
        code = assign(options.assignments[i], settings);
    }
    return code == exit_ok ? refuse_whole_file_system(options, settings) : code;
}

}  // namespace fcgate::daemon
