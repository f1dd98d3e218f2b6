// Owns: the start of one PHP: its folders, its socket, its configuration, its process.
// Borrows: plan and settings, as they were when the spawner was forked.
// Must not touch: the heap, user databases: it runs in a process forked from a program that may have had threads.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/fixed_list.hpp"
#include "base/status.hpp"
#include "config/settings.hpp"
#include "spawn/plan.hpp"

namespace fcgate::spawn {

// Of php-fpm, as its file and its log call it: its socket is nobody else's, and has another name with each start.
inline constexpr std::string_view pool_name = "spawned-by-fcgate";

// An argument or environment vector for execve(), with the text it points to. It has room for whatever the settings may hold: what is not used of it
// is never touched.
class Vector {
  public:
    // What is to be written next: a line for each item, with its end.
    TextBuffer& lines() { return lines_; }
    // Makes an item of each line. False when they do not fit.
    [[nodiscard]] bool split();
    // False when there is no room for it; that alone is no harm.
    bool add(char* item) { return items_.size() < most && items_.push_back(item); }
    // Ends it; nothing may be added then.
    [[nodiscard]] char** finish();

  private:
    // Of words one letter long, and what fcgate adds.
    static constexpr size_t most = limits::config_value / 2 + 2 * limits::pairs_per_site + 64;
    static constexpr size_t text_size = limits::settings_text + size_t{4} * 1024;

    TextBuffer lines_{text_};
    FixedList<char*, most + 1> items_;
    char text_[text_size];
};

struct LaunchScratch {
    Vector arguments;
    Vector environment;
    Text<limits::path> path;
};

struct Launch {
    LaunchScratch* scratch = nullptr;
    const Plan* plan = nullptr;
    const PhpPlan* php = nullptr;
    const BackendSettings* settings = nullptr;
    uint32_t backend = 0;  // its number
    uint32_t run = 0;
    uint64_t largest_body = 0;  // that PHP has to take

    // In `scratch`: until the next.
    [[nodiscard]] const char* socket_path() const;
};

struct Launched {
    pid_t pid = -1;
    int errors = -1;             // the reading end of its standard error
    Text<limits::program> what;  // on failure: what could not be done; errno tells why
};

[[nodiscard]] Status launch(const Launch& request, Launched& out);

// Removes what launch() has made for this run.
void clean_up(const Launch& request);

// Removes a folder and what is in it, two levels deep: what a private runtime folder can hold.
void remove_folder(const char* path, int levels);

}  // namespace fcgate::spawn
