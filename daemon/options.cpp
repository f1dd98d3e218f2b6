#include "options.hpp"

#include <sys/stat.h>

#include <cstring>
#include <span>
#include <string_view>

#include "base/text.hpp"
#include "exit_code.hpp"
#include "report.hpp"

namespace fcgate::daemon {

namespace {

// No letters, but characters: strchr() is asked for them.
constexpr int option_budget = 1;
constexpr int option_json = 2;

constexpr char with_value[] = "clrbijo";
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
    {"--php", FCGATE_WITH_SPAWN ? "PHP is named by -b: unix:/PATH, ADDR:PORT, spawn or auto"_p
                                : "PHP is named by -b: unix:/PATH, ADDR:PORT or auto"_p},
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
    if (FCGATE_WITH_DOCTOR && strcmp(word, "doctor") == 0) {
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
            options.values[strchr(Options::key_letters, letter) - Options::key_letters] = value;
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

int print_help() {
    constexpr Packed help =
        "Usage: fcgate [OPTION]...          serves PHP and files over HTTP\n"
#if FCGATE_WITH_DOCTOR
        "       fcgate doctor [OPTION]...   says what would keep it from that; --json\n"
#endif
        "\n"
        "Without -c it serves the current folder on http://127.0.0.1:8080/.\n"
        "\n"
        "  -c, --config FILE            read FILE, for example /etc/fcgate.conf\n"
        "  -l, --listen ADDR            ADDR:PORT, :PORT or unix:/PATH; may be repeated\n"
        "  -r, --root DIR               the folder to serve\n"
#if FCGATE_WITH_SPAWN
        "  -b, --backend ADDR           PHP: unix:/PATH, ADDR:PORT, spawn, auto or none\n"
#else
        "  -b, --backend ADDR           PHP: unix:/PATH, ADDR:PORT, auto or none\n"
#endif
        "  -i, --front-controller PATH  the script for every path that is no file\n"
        "  -j, --threads N              threads that serve (1)\n"
        "  -o, --option KEY=VALUE       any key of the file: site.max_body=64m\n"
        "  -t, -T                       test, or print, the configuration and exit\n"
        "  --budget[=json]              print what memory it can take at most and exit\n"
        "  -V, --version                print versions and features and exit\n"
        "  -h, --help                   print this and exit\n"
        "\n"
        "Examples:\n"
#if FCGATE_WITH_SPAWN
        "  fcgate -r public -i /index.php             find or start PHP, serve public/\n"
#else
        "  fcgate -r public -i /index.php             find PHP, serve public/\n"
#endif
        "  fcgate -r /srv/www -b unix:/run/php/php-fpm.sock -l :80\n"_p
#if FCGATE_WITH_DOCTOR
        "  fcgate doctor -c /etc/fcgate.conf          before the start, or if it fails\n"
#endif
        ;
    TextBuffer text({room_to_print(), printed_max});
    text.append(help);
    return print_all({text.c_str()});
}

int print_version() {
    const char* const features = fcgate_features();
    return print_all({"fcgate ", fcgate_version(), " (libmicrohttpd ", fcgate_libmicrohttpd_version(),
                      ")\nfeatures: ", *features != '\0' ? features : "none", "\n"});
}

}  // namespace fcgate::daemon
