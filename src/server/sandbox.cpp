#include "server/sandbox.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include "base/descriptor.hpp"
#include "base/features.hpp"
#include "base/hash.hpp"

namespace fcgate::server {

namespace {

// linux/landlock.h, which not every C library's headers have.
#if defined(__NR_Linux)
constexpr long first_call = __NR_Linux + 444;  // MIPS counts from its ABI's number
#else
constexpr long first_call = 444;
#endif
constexpr long create_ruleset_call = first_call;
constexpr long add_rule_call = first_call + 1;
constexpr long restrict_self_call = first_call + 2;
constexpr unsigned asks_for_version = 1;
constexpr int path_beneath = 1;

using Rights = uint32_t;  // the kernel has 64 bits for them
constexpr Rights write_file = 1U << 1U;
constexpr Rights read_file = 1U << 2U;
constexpr Rights read_folder = 1U << 3U;
constexpr Rights remove_file = 1U << 5U;
constexpr Rights make_file = 1U << 8U;
constexpr Rights make_socket = 1U << 9U;
constexpr Rights truncate_file = 1U << 14U;
constexpr Rights read_below = read_file | read_folder;
constexpr Rights write_below = read_below | write_file | make_file | remove_file | truncate_file;

// With every right that a version knows handled, what no rule gives is refused: executing, devices, folders and links too.
[[nodiscard]] constexpr Rights handled_by(long version) {
    constexpr unsigned known[] = {13, 14, 15, 15, 16};
    const auto last = static_cast<long>(sizeof known / sizeof *known);
    return (Rights{1} << known[(version < last ? version : last) - 1]) - 1;
}
// Before it a file that may not be written can be cut short by name.
constexpr long version_with_truncate = 3;

struct Beneath {
    uint64_t allowed;
    int32_t folder;
} __attribute__((packed));

[[nodiscard]] std::string_view folder_of(std::string_view path) {
    const size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? "." : slash == 0 ? "/" : slice(path, 0, slash);
}

class Ruleset {
  public:
    explicit Ruleset(long version) : handled_(handled_by(version)) {
        ruleset_.reset(static_cast<int>(syscall(create_ruleset_call, &handled_, sizeof handled_, 0U)));
    }
    // What is not there, or not to be reached anyway, needs no rule.
    void allow(std::string_view path, Rights rights) {
        Text<limits::path> name(path);
        const Descriptor folder(path.empty() || !name.ok() ? -1 : open(name.c_str(), O_PATH | O_CLOEXEC));
        const Beneath rule = {rights & handled_, folder.get()};
        good_ = good_ && (!folder.valid() || syscall(add_rule_call, ruleset_.get(), path_beneath, &rule, 0U) == 0);
    }
    void allow_folder_of(std::string_view path, Rights rights) {
        if (!path.empty()) {
            allow(folder_of(path), rights);
        }
    }
    [[nodiscard]] bool enter() const {
        return ruleset_.valid() && good_ && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
               syscall(restrict_self_call, ruleset_.get(), 0U) == 0;
    }

  private:
    Descriptor ruleset_;
    uint64_t handled_;
    bool good_ = true;
};

using Visit = void (*)(void* context, std::string_view path, Rights rights);

void visit_folders(const Settings& settings, Visit visit, void* context) {
    for (const SiteSettings& site : settings.sites) {
        visit(context, site.root, read_below);
        visit(context, site.sendfile_root, read_below);
        for (const std::string_view folder : site.links_to) {
            visit(context, folder, read_below);
        }
        visit(context, features::auth && !site.auth.empty() ? folder_of(site.auth) : std::string_view(), read_below);
        visit(context, features::spool ? site.spool : std::string_view(), write_below);
    }
}

void allow_what_is_needed(const Settings& settings, Ruleset& ruleset) {
    const ServerSettings& server = settings.server;
    visit_folders(
        settings,
        [](void* rules, std::string_view path, Rights rights) { static_cast<Ruleset*>(rules)->allow(path, rights); },
        &ruleset);
    // For a reload: editors put another file in the place of one, so rules are about folders.
    ruleset.allow_folder_of(settings.file, read_below);
    ruleset.allow("/etc/os-release", read_file);
    // For the status page.
    ruleset.allow("/proc/self", read_below);
    for (const std::string_view log : {server.error_log, server.access_log}) {
        ruleset.allow_folder_of(log.starts_with('/') ? log : std::string_view(), write_file | make_file);
    }
    ruleset.allow_folder_of(server.pid_file, write_file | remove_file);
    for (const ListenSettings& listen : server.listen) {
        if (listen.kind == ListenSettings::Kind::local && listen.path.starts_with('/')) {
            ruleset.allow_folder_of(listen.path, make_socket | remove_file);
        }
    }
    if constexpr (features::tls) {
        for (const std::string_view file : {server.tls_certificate, server.tls_key}) {
            ruleset.allow_folder_of(file, server.tls_self_signed ? write_below : read_below);
            // Who renews certificates may keep them elsewhere, and a link to the newest here.
            char real[PATH_MAX];
            if (realpath(Text<limits::path>(file).c_str(), real) != nullptr) {
                ruleset.allow_folder_of(real, read_below);
            }
        }
    }
}

}  // namespace

Status enter_sandbox(const Settings& settings, const Log& log, bool& is_on, ServerError& error) {
    const long version = syscall(create_ruleset_call, nullptr, size_t{0}, asks_for_version);
    is_on = version > 0;
    if (!is_on) {
        log.write<"sandbox: unsupported: this kernel has no Landlock (Linux 5.13, CONFIG_SECURITY_LANDLOCK, lsm=): %">(
            LogLevel::warning, SystemError{errno});
        return Status::ok;
    }
    Ruleset ruleset(version);
    allow_what_is_needed(settings, ruleset);
    if (!ruleset.enter()) {
        return explain<"sandbox: Landlock: %">(error, Status::io, SystemError{errno});
    }
    const bool is_whole = version >= version_with_truncate;
    log.write<"sandbox: %, Landlock %">(
        is_whole ? LogLevel::info : LogLevel::warning,
        is_whole ? "on"_p : "partly on: files can still be cut short (Linux 6.2 prevents it)"_p, version);
    return Status::ok;
}

uint32_t sandboxed_folders(const Settings& settings) {
    uint32_t hash = hash_of({});
    visit_folders(
        settings,
        [](void* sum, std::string_view path, Rights rights) {
            uint32_t& so_far = *static_cast<uint32_t*>(sum);
            so_far = hash_of(rights == write_below ? "w" : "r", hash_of(path, so_far));
        },
        &hash);
    return hash;
}

}  // namespace fcgate::server
