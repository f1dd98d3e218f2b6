#include "options.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <initializer_list>
#include <span>
#include <string_view>

#include "base/text.hpp"
#include "exit_code.hpp"
#include "report.hpp"
#include "words.hpp"

namespace fcgate::daemon {

namespace {

// No letters, but characters: strchr() is asked for them.
constexpr int option_budget = 1;
constexpr int option_json = 2;

constexpr char with_value[] = "clrbijo";
constexpr char with_key[Options::key_options + 1] = "rbij";  // in the order of Options::KeyOption
constexpr const char* keys[] = {"site.root", "backend.address", "site.front_controller", "server.threads"};
constexpr char without_value[] = "tTVh";

struct LongName {
    const char* name;
    int letter;
};
constexpr LongName long_names[] = {
    {"config", 'c'},       {"listen", 'l'},           {"root", 'r'},
    {"backend", 'b'},      {"front-controller", 'i'}, {"threads", 'j'},
    {"option", 'o'},       {"budget", option_budget},  // a value may follow its '='
    {"json", option_json}, {"version", 'V'},          {"help", 'h'},
};

// What other servers call things, and what fcgate calls them.
struct Habit {
    const char* option;
    Packed ours;
};
constexpr Habit habits[] = {
    {"-p", "a port goes behind -l: fcgate -l :8080"_p},
    {"--port", "a port goes behind -l: fcgate -l :8080"_p},
    {"--bind", "an address goes behind -l: fcgate -l 127.0.0.1:8080"_p},
    {"-S", "an address goes behind -l, a folder behind -r: fcgate -l 127.0.0.1:8080 -r public"_p},
    {"-d", "it stays in the foreground; what starts it keeps it running (systemd, procd, &)"_p},
    {"--daemon", "it stays in the foreground; what starts it keeps it running (systemd, procd, &)"_p},
    {"-f", "a configuration file goes behind -c"_p},
    {"-v", "versions are told by -V, more of what happens by -o server.log_level=debug"_p},
    {"--docroot", "the folder to serve goes behind -r"_p},
    {"--user", "-o server.user=NAME"_p},
    {"--log", "-o server.error_log=FILE"_p},
    {"--php", "PHP is named by -b: unix:/PATH, ADDR:PORT, spawn or auto"_p},
};

void recall_habit(const char* argument) {
    for (const Habit& habit : habits) {
        const char* rest = argument;
        const char* option = habit.option;
        while (*option != '\0' && *option == *rest) {
            ++option;
            ++rest;
        }
        if (*option == '\0' && (*rest == '\0' || *rest == '=')) {
            say_packed(habit.ours);
            return;
        }
    }
}

// A word that belongs to no option. What it is on this machine tells what was meant.
void explain_word(const char* word) {
    struct stat status {};
    if (strcmp(word, "doctor") == 0) {
        say<"doctor comes first: fcgate doctor OPTION...">();
    } else if (stat(word, &status) == 0 && S_ISDIR(status.st_mode)) {
        say<"to serve a folder write: fcgate -r %">(word);
    } else if (stat(word, &status) == 0) {
        say<"to read a configuration file write: fcgate -c %">(word);
    } else {
        say<"what should \"%\" be? A folder to serve goes behind -r, a configuration file behind -c">(word);
    }
}

int see_help() {
    say<"see fcgate --help">();
    return exit_usage;
}

int append(std::span<const char*> list, size_t& count, const char* value, char flag) {
    if (count == list.size()) {
        say<"-% can be given % times">(flag, list.size());
        return exit_usage;
    }
    list[count++] = value;
    return exit_ok;
}

int choose_budget(const char* form, Options& options) {
    if (form != nullptr && strcmp(form, "json") != 0) {
        say<"--budget=%: write --budget for a table or --budget=json">(form);
        return exit_usage;
    }
    options.action = Options::Action::budget;
    options.budget_form = form == nullptr ? FCGATE_BUDGET_TABLE : FCGATE_BUDGET_JSON;
    return exit_ok;
}

int choose_doctor(bool wants_doctor, Options& options) {
    if (!wants_doctor && options.doctor_form == FCGATE_DOCTOR_JSON) {
        say<"--json belongs to doctor: fcgate doctor --json; the budget's is --budget=json">();
        return exit_usage;
    }
    if (!wants_doctor || options.action == Options::Action::help || options.action == Options::Action::version) {
        return exit_ok;
    }
    if (options.action != Options::Action::serve) {
        say<"doctor examines the configuration by itself: leave -t, -T and --budget out">();
        return exit_usage;
    }
    options.action = Options::Action::doctor;
    return exit_ok;
}

int take_option(int letter, const char* value, Options& options) {
    switch (letter) {
        case 'c':
            options.config = value;
            return exit_ok;
        case 'l':
            return append(options.listeners, options.listener_count, value, 'l');
        case 'o':
            return append(options.assignments, options.assignment_count, value, 'o');
        case 't':
            if (options.action != Options::Action::print) {  // -T tests as well
                options.action = Options::Action::test;
            }
            return exit_ok;
        case 'T':
            options.action = Options::Action::print;
            return exit_ok;
        case 'V':
            options.action = Options::Action::version;
            return exit_ok;
        case 'h':
            options.action = Options::Action::help;
            return exit_ok;
        case option_json:
            options.doctor_form = FCGATE_DOCTOR_JSON;
            return exit_ok;
        case option_budget:
            return choose_budget(value, options);
        default:
            options.values[strchr(with_key, letter) - with_key] = value;
            return exit_ok;
    }
}

int unknown(const char* argument) {
    say<"unknown option %">(argument);
    recall_habit(argument);
    return see_help();
}

// What is left of the command line.
struct Arguments {
    char** next;

    // The value of an option, if nothing is joined to it.
    [[nodiscard]] const char* take() { return *next == nullptr ? nullptr : *next++; }
};

// --NAME, --NAME=VALUE or --NAME VALUE
int take_long(const char* argument, Arguments& rest, Options& options) {
    const std::string_view text = argument + strlen("--");
    const size_t equals = text.find('=');
    const char* value = equals < text.size() ? text.data() + equals + 1 : nullptr;
    for (const LongName& known : long_names) {
        if (fcgate::slice(text, 0, equals) != known.name) {
            continue;
        }
        const bool wants_value = strchr(with_value, known.letter) != nullptr;
        if (value != nullptr && !wants_value && known.letter != option_budget) {
            say<"option '--%' takes no value">(known.name);
            return see_help();
        }
        if (value == nullptr && wants_value && (value = rest.take()) == nullptr) {
            say<"option '%' requires an argument">(argument);
            return see_help();
        }
        return take_option(known.letter, value, options);
    }
    return unknown(argument);
}

// -tV, -rDIR or -r DIR
int take_letters(const char* letters, Arguments& rest, Options& options) {
    int code = exit_ok;
    for (; *letters != '\0' && code == exit_ok; ++letters) {
        const char option[] = {'-', *letters, '\0'};
        if (strchr(with_value, *letters) != nullptr) {
            const char* const value = letters[1] != '\0' ? letters + 1 : rest.take();
            if (value == nullptr) {
                say<"option requires an argument -- '%'">(option + 1);
                recall_habit(option);
                return see_help();
            }
            return take_option(*letters, value, options);
        }
        code = strchr(without_value, *letters) != nullptr ? take_option(*letters, nullptr, options) : unknown(option);
    }
    return code;
}

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
    const char flag = with_key[option];
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

// What stands for a configuration file that is not given.
int set_defaults(const Options& options, fcgate_settings* settings) {
    int code = set_listener(settings, "127.0.0.1:8080");
    if (code == exit_ok && options.has_php) {
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

int parse_options(int argc, char** argv, Options& options) {
    const bool wants_doctor = argc > 1 && strcmp(argv[1], "doctor") == 0;
    if (wants_doctor) {
        --argc;
        ++argv;
    }
    Arguments rest{argc > 0 ? argv + 1 : argv};
    const char* word = nullptr;
    int code = exit_ok;
    bool has_options = true;
    while (const char* const argument = code == exit_ok ? rest.take() : nullptr) {
        if (!has_options || argument[0] != '-' || argument[1] == '\0') {
            word = word == nullptr ? argument : word;
        } else if (argument[1] != '-') {
            code = take_letters(argument + 1, rest, options);
        } else if (argument[2] != '\0') {
            code = take_long(argument, rest, options);
        } else {
            has_options = false;
        }
    }
    if (code != exit_ok) {
        return code;
    }
    if (word != nullptr) {
        explain_word(word);
        return see_help();
    }
    // Where a file decides it has no [backend] for that.
    const char*& backend = options.values[Options::backend];
    if (options.config == nullptr && backend != nullptr && strcmp(backend, "none") == 0) {
        options.has_php = false;
        backend = nullptr;
    }
    return choose_doctor(wants_doctor, options);
}

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

void print_help() {
    constexpr Packed help =
        "Usage: fcgate [OPTION]...          serves PHP and files over HTTP\n"
        "       fcgate doctor [OPTION]...   says what would keep it from that; --json\n"
        "\n"
        "Without -c it serves the current folder on http://127.0.0.1:8080/.\n"
        "\n"
        "  -c, --config FILE            read FILE, for example /etc/fcgate.conf\n"
        "  -l, --listen ADDR            ADDR:PORT, :PORT or unix:/PATH; may be repeated\n"
        "  -r, --root DIR               the folder to serve\n"
        "  -b, --backend ADDR           PHP: unix:/PATH, ADDR:PORT, spawn, auto or none\n"
        "  -i, --front-controller PATH  the script for every path that is no file\n"
        "  -j, --threads N              threads that serve (1)\n"
        "  -o, --option KEY=VALUE       any key of the file: site.max_body=64m\n"
        "  -t, -T                       test, or print, the configuration and exit\n"
        "  --budget[=json]              print what memory it can take at most and exit\n"
        "  -V, --version                print versions and features and exit\n"
        "  -h, --help                   print this and exit\n"
        "\n"
        "Examples:\n"
        "  fcgate -r public -i /index.php             find or start PHP, serve public/\n"
        "  fcgate -r /srv/www -b unix:/run/php/php-fpm.sock -l :80\n"
        "  fcgate doctor -c /etc/fcgate.conf          before the start, or if it fails\n"_p;
    TextBuffer text({room_to_print(), printed_max});
    text.append(help);
    (void)print(STDOUT_FILENO, text.c_str());
}

void print_version() {
    const char* const features = fcgate_features();
    for (const char* const piece : {"fcgate ", fcgate_version(), " (libmicrohttpd ", fcgate_libmicrohttpd_version(),
                                    ")\nfeatures: ", *features != '\0' ? features : "none", "\n"}) {
        (void)print(STDOUT_FILENO, piece);
    }
}

}  // namespace fcgate::daemon
