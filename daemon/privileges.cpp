#include "privileges.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/text.hpp"
#include "exit_code.hpp"
#include "local_user.hpp"
#include "report.hpp"
#include "words.hpp"

namespace fcgate::daemon {

void Identity::set_name(const char* text) {
    TextBuffer out(name);
    out.append(slice(text, 0, sizeof name - 1));
}

namespace {

const passwd* find_user(const char* user) {
    const passwd* entry = getpwnam(user);
    unsigned id = 0;
    if (entry == nullptr && parse_number(user, id)) {
        entry = getpwuid(id);
    }
    return entry;
}

int find_group(const char* group, gid_t& gid) {
    if (const struct group* entry = getgrnam(group); entry != nullptr) {
        gid = entry->gr_gid;
        return exit_ok;
    }
    if (parse_number(group, gid)) {
        return exit_ok;
    }
    say<"server.group: there is no group %">(group);
    return exit_configuration;
}

int find_identity(const char* user, const char* group, Identity& identity) {
    const passwd* entry = find_user(user);
    if (entry != nullptr) {
        identity.uid = entry->pw_uid;
        identity.gid = entry->pw_gid;
        identity.set_name(entry->pw_name);
    } else if (!parse_number(user, identity.uid)) {
        say<"server.user: there is no user %">(user);
        return exit_configuration;
    } else if (*group == '\0') {
        say<"server.user: no user has the number %, so set server.group too">(user);
        return exit_configuration;
    }
    return *group == '\0' ? exit_ok : find_group(group, identity.gid);
}

const char* default_user() {
    for (const char* user : default_users) {
        if (getpwnam(user) != nullptr) {
            return user;
        }
    }
    return nullptr;
}

// Without root there is nothing to choose; a configuration that asks for someone else would be a false promise.
int confirm_identity(const char* user, const char* group) {
    Identity wanted;
    wanted.uid = geteuid();
    wanted.gid = getegid();
    if (*user != '\0') {
        const int code = find_identity(user, group, wanted);
        if (code != exit_ok) {
            return code;
        }
        if (*group == '\0') {
            wanted.gid = getegid();
        }
    } else if (*group != '\0') {
        const int code = find_group(group, wanted.gid);
        if (code != exit_ok) {
            return code;
        }
    }
    if (wanted.uid != geteuid()) {
        say<"server.user: only root can become %; start as root, or leave server.user out">(user);
        return exit_permission;
    }
    if (wanted.gid != getegid()) {
        say<"server.group: only root can change to %; start as root, or leave server.group out">(group);
        return exit_permission;
    }
    return exit_ok;
}

int denied(const char* what) {
    say<"cannot %: %">(what, SystemError{errno});
    return exit_permission;
}

// Looks at what the kernel says now, and that there is no way back.
bool is_final(const Identity& identity) {
    uid_t uids[3] = {};
    gid_t gids[3] = {};
    if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 || getresgid(&gids[0], &gids[1], &gids[2]) != 0) {
        return false;
    }
    for (int i = 0; i < 3; ++i) {
        if (uids[i] != identity.uid || gids[i] != identity.gid) {
            return false;
        }
    }
    return setuid(0) != 0 && seteuid(0) != 0 && (identity.gid == 0 || setgid(0) != 0);
}

}  // namespace

namespace {

int find_groups(Identity& identity) {
    identity.group_count = Identity::most_groups;
    if (*identity.name == '\0') {
        identity.groups[0] = identity.gid;
        identity.group_count = 1;
    } else if (getgrouplist(identity.name, identity.gid, identity.groups, &identity.group_count) < 0) {
        say<"server.user: % is in more than % groups">(identity.name, Identity::most_groups);
        return exit_configuration;
    }
    return exit_ok;
}

int decide(const char* user, const char* group, Identity& identity) {
    if (geteuid() != 0) {
        return confirm_identity(user, group);
    }
    if (*user == '\0') {
        user = default_user();
        if (user == nullptr) {
            say<"server.user: started as root, and there is no user fcgate, www-data or nobody to become; set it">();
            return exit_configuration;
        }
    }
    const int code = find_identity(user, group, identity);
    if (code != exit_ok) {
        return code;
    }
    identity.changes = identity.uid != 0;
    if (!identity.changes && *group != '\0') {
        say<"server.group: it has no use while server.user is root; set another user, or leave server.group out">();
        return exit_configuration;
    }
    if (!identity.changes) {
        say<"warning: serving as root, as server.user says; whoever gets into this process owns the device">();
        return exit_ok;
    }
    return find_groups(identity);
}

struct Answer {
    int code = exit_failure;
    Identity identity;
};

int cannot_ask() {
    say<"the users of this system cannot be looked up: %">(SystemError{errno});
    return exit_failure;
}

// The other end of a pipe: all of it or nothing, for it is smaller than PIPE_BUF.
bool receive(int fd, Answer& answer) {
    ssize_t count = 0;
    do {
        count = read(fd, &answer, sizeof answer);
    } while (count < 0 && errno == EINTR);
    return count == static_cast<ssize_t>(sizeof answer);
}

}  // namespace

// In a child process when the system has to be asked: where users come from is its business (files, systemd, LDAP), and the libraries that the C
// library loads for that would stay in ours for ever.
int choose_identity(const char* user, const char* group, Identity& identity) {
    const bool is_known =
        geteuid() == 0 ? *group == '\0' && find_local_user(user, identity) : *user == '\0' && *group == '\0';
    if (is_known) {
        return exit_ok;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return cannot_ask();
    }
    Answer answer;
    const pid_t child = fork();
    if (child == 0) {
        answer.code = decide(user, group, answer.identity);
        _exit(write(ends[1], &answer, sizeof answer) == static_cast<ssize_t>(sizeof answer) ? 0 : 1);
    }
    close(ends[1]);
    if (child < 0 || !receive(ends[0], answer)) {
        answer.code = cannot_ask();
    }
    close(ends[0]);
    while (child > 0 && waitpid(child, nullptr, 0) < 0 && errno == EINTR) {}
    identity = answer.identity;
    return answer.code;
}

int identify(fcgate_settings* settings, Identity& identity) {
    char user[256];
    char group[256];
    if (fcgate_get(settings, "server.user", user, sizeof user) != FCGATE_OK ||
        fcgate_get(settings, "server.group", group, sizeof group) != FCGATE_OK) {
        say<"server.user and server.group: at most % characters">(sizeof user - 1);
        return exit_configuration;
    }
    const int code = choose_identity(user, group, identity);
    if (code == exit_ok && identity.name[0] != '\0' &&
        fcgate_set(settings, "server.user", identity.name, nullptr) != FCGATE_OK) {
        say<"server.user: % cannot be set">(identity.name);
        return exit_configuration;
    }
    return code;
}

void keep_capabilities_from_children() {
    // A kernel that does not know it (before 4.3) has nothing to inherit either.
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

int become(const Identity& identity) {
    if (identity.changes) {
        if (setgroups(static_cast<size_t>(identity.group_count), identity.groups) != 0) {
            return denied("set the groups of server.user");
        }
        if (setresgid(identity.gid, identity.gid, identity.gid) != 0) {
            return denied("change to server.group");
        }
        if (setresuid(identity.uid, identity.uid, identity.uid) != 0) {
            return denied("change to server.user");
        }
        if (!is_final(identity)) {
            say<"giving up root did not work; not serving">();
            return exit_permission;
        }
    }
    // EINVAL: a kernel before 3.5, which does not know it.
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 && errno != EINVAL) {
        return denied("give up gaining privileges");
    }
    return exit_ok;
}

}  // namespace fcgate::daemon
