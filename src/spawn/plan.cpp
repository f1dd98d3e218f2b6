#include "spawn/plan.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "config/values.hpp"
#include "spawn/versions.hpp"

namespace fcgate::spawn {

namespace {

std::atomic<uint32_t> servers_planned{0};

constexpr const char* usual_users[] = {"fcgate", "www-data", "nobody"};

[[nodiscard]] bool can_run(const char* path) {
    return access(path, X_OK) == 0;
}

// php-fpm first: it shares the opcode cache between its processes and starts them on demand. Debian and Alpine put the version at
// the end of the name, OpenWrt into the middle.
[[nodiscard]] bool find_program(TextBuffer& out) {
    const Text<256> usual(
        "/usr/local/sbin/php-fpm* /usr/sbin/php-fpm* /usr/bin/php-fpm* /usr/bin/php*-fpm "
        "/usr/local/bin/php-cgi* /usr/bin/php-cgi* /usr/bin/php*-cgi"_p);
    return find_newest(usual.view(), &can_run, out);
}

[[nodiscard]] Status plan_php(const Settings& settings, size_t number, PhpPlan& php, TextBuffer& error) {
    const BackendSettings& backend = settings.backends[number];
    php.used = true;
    for (const SiteSettings& site : settings.sites) {
        const std::string_view front = site.front_controller;
        const bool is_plain = site.script_suffix == ".php" && (front.empty() || ends_with(front, ".php"));
        php.runs_any_name = php.runs_any_name || (site.backend_number == number && !is_plain);
    }
    std::string_view command = backend.command;
    const std::string_view program = next_word(command);
    if (!program.empty()) {
        php.program.append(program);
        if (access(php.program.c_str(), X_OK) != 0) {
            error.append<"command: % is no program that can be run">(program);
            return Status::not_found;
        }
    } else if (!find_program(php.program)) {
        error.append(
            "address = spawn: neither php-fpm nor php-cgi was found; install one (package php-fpm or php-cgi), or set "
            "`command`; files alone need no [backend] (-b none)"_p);
        return Status::not_found;
    }
    // By its own name, not by that of a folder.
    std::string_view name = php.program.view();
    name.remove_prefix(name.rfind('/') + 1);
    php.is_fpm = name.find("fpm") != std::string_view::npos;
    return Status::ok;
}

// A number that stands where a name may stand.
[[nodiscard]] bool parse_id(std::string_view text, uint32_t& id) {
    const Result<uint64_t> number = parse_decimal(text);
    id = number.ok() ? static_cast<uint32_t>(number.value()) : 0;
    return number.ok() && number.value() <= UINT32_MAX;
}

// All groups of the user, as a pool of php-fpm's own has them: what PHP may read, and the device it may open, may be theirs.
void plan_groups(Plan& plan, const passwd* entry) {
    plan.php_groups[0] = plan.php_group;
    int count = Plan::most_groups;
    const bool is_whole =
        entry != nullptr && getgrouplist(entry->pw_name, plan.php_group, plan.php_groups.data(), &count) >= 0;
    plan.php_group_count = is_whole ? static_cast<size_t>(count) : 1;
}

[[nodiscard]] Status plan_users(const ServerSettings& server, Plan& plan, TextBuffer& error) {
    plan.php_user = plan.server_user = geteuid();
    plan.php_group = getegid();
    if (plan.php_user != 0) {
        return Status::ok;
    }
    const Text<256> name(server.user);
    const passwd* entry = getpwnam(name.c_str());
    const bool is_number = entry == nullptr && parse_id(server.user, plan.php_user);
    if (is_number) {
        entry = getpwuid(plan.php_user);
    }
    // A number that no user has comes with no group.
    if (entry == nullptr && !server.user.empty() && (!is_number || server.group.empty())) {
        error.append<"user: there is no user %">(server.user);
        return Status::malformed;
    }
    // PHP is never root's by accident: a host that stays root still gets an ordinary user for it.
    for (size_t i = 0; server.user.empty() && entry == nullptr && i < sizeof usual_users / sizeof *usual_users; ++i) {
        entry = getpwnam(usual_users[i]);
    }
    if (entry != nullptr) {
        plan.php_user = entry->pw_uid;
        plan.php_group = entry->pw_gid;
    }
    if (!server.user.empty()) {
        plan.server_user = plan.php_user;
    }
    if (!server.group.empty()) {
        const Text<256> group_name(server.group);
        const struct group* const group = getgrnam(group_name.c_str());
        if (group != nullptr) {
            plan.php_group = group->gr_gid;
        } else if (!parse_id(server.group, plan.php_group)) {
            error.append<"group: there is no group %">(server.group);
            return Status::malformed;
        }
    }
    plan_groups(plan, entry);
    plan.changes_user = plan.php_user != 0;
    return Status::ok;
}

[[nodiscard]] Status plan_folder(const ServerSettings& server, Plan& plan, TextBuffer& error) {
    if (!server.runtime_dir.empty() || geteuid() == 0) {
        plan.runtime_dir.append(server.runtime_dir.empty() ? "/run/fcgate" : server.runtime_dir);
        if (make_runtime_dir(plan)) {
            return Status::ok;
        }
        if (errno == EEXIST) {
            error.append<
                "runtime_dir: % must be a folder that belongs to root or to whoever starts fcgate, and that nobody "
                "else may write to">(plan.runtime_dir.view());
            return Status::refused;
        }
    } else {
        const char* const base = getenv("TMPDIR");
        const bool is_usable = base != nullptr && *base != '\0' && config::is_runtime_dir(base);
        char name[limits::path];
        TextBuffer path(name);
        path.append(is_usable ? base : "/tmp").append("/fcgate-XXXXXX"_p);
        plan.is_private_dir = path.ok() && mkdtemp(name) != nullptr && chmod(name, 0755) == 0;
        plan.runtime_dir.append(path.view());
        if (plan.is_private_dir) {
            return Status::ok;
        }
    }
    const int number = errno;
    error.append<"runtime_dir: cannot make %: %">(plan.runtime_dir.view(), SystemError{number});
    return status_of_error(number);
}

}  // namespace

bool needs_plan(const Settings& settings) {
    for (const BackendSettings& backend : settings.backends) {
        if (backend.kind == BackendSettings::Kind::spawn) {
            return true;
        }
    }
    return false;
}

Status make_plan(const Settings& settings, Plan& plan, TextBuffer& error) {
    for (size_t i = 0; i < settings.backends.size(); ++i) {
        if (settings.backends[i].kind == BackendSettings::Kind::spawn) {
            const Status status = plan_php(settings, i, plan.php[i], error);
            if (status != Status::ok) {
                return status;
            }
        }
    }
    plan.owner_pid = getpid();
    plan.server_number = servers_planned.fetch_add(1, std::memory_order_relaxed);
    const Status users = plan_users(settings.server, plan, error);
    return users != Status::ok ? users : plan_folder(settings.server, plan, error);
}

bool make_runtime_dir(const Plan& plan) {
    const char* const path = plan.runtime_dir.c_str();
    if (mkdir(path, 0755) == 0) {
        return chmod(path, 0755) == 0;  // whatever the umask: PHP and those who serve have users of their own
    }
    // Whoever may write there could put a configuration or a socket of his own in the place of ours.
    constexpr mode_t writable_by_others = 022;
    struct stat status {};
    return errno == EEXIST && lstat(path, &status) == 0 && S_ISDIR(status.st_mode) &&
           (status.st_uid == 0 || status.st_uid == geteuid()) && (status.st_mode & writable_by_others) == 0;
}

void print_socket_path(const Plan& plan, size_t backend, uint32_t run, TextBuffer& out) {
    out.append<"%/php-%-%-%-%.sock">(plan.runtime_dir.view(), plan.owner_pid, plan.server_number, backend, run);
}

}  // namespace fcgate::spawn
