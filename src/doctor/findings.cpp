#include "doctor/findings.hpp"

#include <array>
#include <cstddef>

#include "base/packed_table.hpp"

namespace fcgate::doctor {

namespace {

using enum Found;
using enum Level;

struct Row {
    Found found;
    Level level;
    std::string_view id;
    std::string_view text;
    std::string_view remedy;
};

constexpr Row all_findings[] = {
    {configuration_good, good, "configuration", "is good", ""},
    {configuration_wrong, fault, "configuration", "%0", ""},
    {no_memory, fault, "memory", "there is not enough to examine anything", "end other programs"},

    {library_good, good, "libmicrohttpd", "%0, no known faults", ""},
    {library_refused, fault, "libmicrohttpd", "%0", "build fcgate with its own: meson setup -Dlibmicrohttpd=bundled"},
    {library_guarded, note, "libmicrohttpd",
     "%0 reads some requests as no other server does; fcgate refuses those by itself",
     "1.0.10 needs no such guard: meson setup -Dlibmicrohttpd=bundled"},
    {library_trusted, warning, "libmicrohttpd",
     "%0 has faults that a client can reach, unless your system has mended them",
     "see to its updates; this build was told to trust it (-Daccept_libmicrohttpd)"},

    {clock_good, good, "clock", "is set", ""},
    {clock_unset, warning, "clock", "it is before 2024: caches, cookies and certificates go wrong",
     "set it from the network: ntpd -n -q -p pool.ntp.org"},

    {memory_good, good, "memory", "fcgate takes %0 at most; %1 are available", ""},
    {memory_over_ceiling, fault, "memory", "fcgate can take %0, and memory_ceiling allows %1",
     "profile = tiny, fewer max_connections, or more memory_ceiling; see fcgate --budget"},
    {memory_short, warning, "memory", "fcgate can take %0, and only %1 are available now",
     "profile = tiny, or fewer max_connections; see fcgate --budget"},

    {port_free, good, "port", "free", ""},
    {port_inherited, good, "port", "inherited, and listens", ""},
    {port_not_passed, warning, "port", "was not passed to the doctor",
     "see that whoever starts fcgate passes it: fcgate.socket"},
    {port_ours, good, "port", "an fcgate that runs has it, process %1", ""},
    {port_twice, fault, "port", "another `listen` of this configuration has it already",
     "leave one of them out; listen = :PORT is at all addresses"},
    {port_held, fault, "port", "in use by %0, process %1", "end it (kill %1), or choose another port: listen = :8080"},
    {port_held_unseen, fault, "port",
     "in use by a program of another user; root sees which: ss -ltnp; or a file has this name",
     "end that or move it, or choose another port: listen = :8080"},
    {port_no_interface, fault, "port", "no interface has this address",
     "ip addr shows those there are; listen = :%0 takes all"},
    {port_denied, fault, "port", "ports below 1024 need root",
     "start fcgate as root (it gives that up), or choose another port: listen = :8080"},
    {port_socket_denied, fault, "port", "the folder may not be written to",
     "give it to who starts fcgate, or choose another"},
    {port_failed, fault, "port", "%0", "correct listen, or make its folder"},

    {file_wrong, fault, "file", "%1: %0", "make its folder, give it to who opens it, or correct %1"},
#if FCGATE_WITH_AUTH
    {users_wrong, warning, "file", "auth: line %0: its hash %1", "make it with: openssl passwd -6"},
    {users_none, fault, "file", "auth: nobody can log in", "add a user; fcgate.conf(5) tells how"},
#endif

    {spawn_missing_php, fault, "spawn", "%0",
     "apt install php-fpm, opkg install php8-fpm, apk add php83-fpm; or php-cgi, which is smaller"},
    {spawn_wrong, fault, "spawn", "%0", "correct command, user or runtime_dir"},
    {spawn_beside, note, "backend", "not started a second time beside the fcgate that runs",
     "stop that one to have PHP and its scripts examined too"},
    {spawn_starts, good, "backend", "%0 starts in %1 ms", ""},
    {spawn_fails, fault, "backend", "%0 does not start: %1",
     "run it by hand to see why: %0 -v; command = names another"},

    {backend_good, good, "backend", "answers", ""},
    {backend_elsewhere, fault, "backend", "nobody listens there; a php-fpm that runs listens at %1", "address = %0%1"},
    {backend_absent, fault, "backend", "nobody listens there, and no php-fpm was seen to run",
     "start it (systemctl start php-fpm, /etc/init.d/php8-fpm start), or let fcgate do so: address = spawn"},
    {backend_silent, fault, "backend",
     "takes connections, but does not answer: all workers are busy, or it is no php-fpm",
     "look at what PHP does (top, php-fpm's slowlog), then start it again"},
    {backend_unreachable, fault, "backend", "cannot be reached: %0", "correct address, or the way to it"},
    {backend_foreign, fault, "backend", "what listens there does not speak FastCGI, or not with this machine",
     "address = the `listen` of php-fpm's pool, not the port of a web server; see its listen.allowed_clients"},

    {socket_good, good, "socket-rights", "whoever serves may connect", ""},
    {socket_denied, fault, "socket-rights", "%0 may not connect: it belongs to %1:%2 with mode 0%3",
     "in the pool: listen.owner = %0 (and restart php-fpm); or usermod -aG %2 %0"},
    {socket_folder_denied, fault, "socket-rights", "%0 may not enter a folder on the way to it",
     "chmod o+x that folder"},

    {pool_good, good, "pool", "pm.max_children and workers are both %0", ""},
    {pool_unknown, note, "pool", "its php-fpm.conf was not found, so that workers = %0 was compared with nothing",
     "look that pm.max_children of the pool is the same"},
    {pool_small, fault, "pool",
     "PHP has %1 processes, and fcgate is told of %0: requests wait in PHP's backlog, out of turn, without a deadline",
     "workers = %1, or pm.max_children = %0 in %2"},
    {pool_large, note, "pool", "PHP may have %1 processes, fcgate uses %0 of them",
     "workers = %1, if nobody else uses the pool"},

    {script_good, good, "script", "PHP %0 may read it", ""},
    {script_chroot, fault, "script", "PHP cannot see it: its pool has chroot = %0, and looks for the same path below",
     "take chroot out of %1, or tell PHP its own path: param = SCRIPT_FILENAME /PATH/IN/CHROOT"},
    {script_unseen, fault, "script",
     "PHP cannot see it: its user may not enter a folder on the way, or has another root",
     "chmod o+x each folder on the way; see user and chroot of the pool"},
    {script_unanswered, fault, "script", "PHP took the connection, but did not answer a probe in time",
     "look at php-fpm's log: its workers hang or die"},
    {script_untried, note, "script",
     "PHP sees the folder; whether it may read the script was not tried: no probe can be written",
     "open it in a browser; if PHP refuses it, see open_basedir and its rights"},
    {script_php_fails, warning, "script", "PHP fails by itself: %0",
     "see auto_prepend_file, disable_functions and php-fpm's log"},
    {script_name, fault, "script", "PHP runs no files of such a name",
     "security.limit_extensions = .php %1 in the pool"},
    {script_refused, fault, "script",
     "PHP sees its folder, but runs nothing there: open_basedir, or rights of the folder",
     "add %0 to open_basedir (php.ini, or php_admin_value[open_basedir] of the pool)"},
    {script_confined, fault, "script", "PHP may not read it: open_basedir = %1",
     "add %0 to open_basedir (php.ini, or php_admin_value[open_basedir] of the pool)"},
    {script_unreadable, fault, "script", "PHP's user may not read it", "chmod o+r %0, or give it to PHP's group"},

    {uploads_good, good, "uploads", "PHP takes as much as max_body, %0", ""},
    {uploads_small, warning, "uploads",
     "max_body lets %0 in, and PHP takes %1 (files: %2): scripts find no data in what is larger",
     "post_max_size and upload_max_filesize = %0 in php.ini, or max_body = %3"},
    {php_memory_good, good, "php-memory", "%0 scripts of %1 fit into the machine's %2", ""},
    {php_memory_large, warning, "php-memory", "%0 scripts may take %1 each (memory_limit), and the machine has %2",
     "memory_limit = %3 (php.ini; php = memory_limit %3 with spawn), or fewer workers"},

    {user_good, good, "user", "serves; what follows is examined with these rights", ""},
    {user_denied, fault, "user", "it cannot be become", "start fcgate as root, or leave user and group out"},

    {root_good, good, "root", "can be read", ""},
    {root_all, warning, "root", "this is the whole file system, passwords and keys included",
     "serve a folder made for it"},
    {root_absent, fault, "root", "there is no such folder", "correct root, or make it: mkdir -p %0"},
    {root_denied, fault, "root", "whoever serves may not enter it", "chmod o+x it and each folder on the way"},
    {root_wrong, fault, "root", "%0", "root is the folder to serve, not a file"},
    {sendfile_wrong, fault, "root", "sendfile_root: %0", "make it, or correct it"},
    {entry_good, good, "entry", "%0 answers for /", ""},
    {entry_unreadable, fault, "entry", "%0 answers for /, and whoever serves may not read it", "chmod o+r %1"},
    {entry_outside, fault, "entry", "%0 is a link out of root, and so answered 403", "links_to = the folder of %1"},
    {entry_no_front, fault, "entry", "front_controller = %0: there is no such file below it",
     "front_controller is a path as in a URL, from the root on: /index.php"},
    {entry_none, warning, "entry", "it has no index file, so / is answered 404",
     "index = NAME, front_controller = /SCRIPT, or listing = yes"},
    {entry_no_backend, fault, "entry", "%0 is a script, and there is no PHP to run it",
     "add: [backend] address = auto"},
    {link_outside, warning, "link", "%0 is a link out of root, and so answered 403", "links_to = the folder of %1"},
    {links_many, note, "link", "not all was looked at: it is more than 4096 files, or deeper than 8 folders",
     "find ROOT -type l"},

    {spool_good, good, "spool", "%0 are free", ""},
    {spool_small, warning, "spool", "%0 are free; a body in chunks may have %1",
     "make room, or lower max_body or spool_total"},
    {spool_wrong, fault, "spool", "%0: bodies sent in chunks cannot be kept",
     "spool = a folder that whoever serves may write to, on tmpfs best: /tmp; or empty, to answer 411"},

    {host_good, good, "host", "leads to this machine, %0", ""},
    {host_elsewhere, warning, "host", "leads to %0, which is not this machine",
     "correct it in the DNS server or /etc/hosts, unless a router passes requests on"},
    {host_unknown, warning, "host", "is known neither to /etc/hosts nor to the DNS server",
     "add it to the DNS server of the network (dnsmasq: address=/%0/ADDRESS)"},
    {host_multicast, note, "host", "is asked for by multicast, and nobody answers for it",
     "something must announce it: avahi-daemon, umdns or systemd-resolved"},

    {certificate_good, good, "certificate", "valid until %0", ""},
    {certificate_own, good, "certificate", "made by this device; a start after %0 makes the next one", ""},
    {certificate_due, good, "certificate", "the next start makes it: %0", ""},
    {certificate_foreign, note, "certificate", "was not made by fcgate: tls_self_signed leaves it alone",
     "take tls_self_signed out, or move the file away"},
    {certificate_unmade, fault, "certificate", "cannot be made, %1 cannot write there: %0",
     "make the folder, or give it to who starts fcgate"},
    {certificate_absent, fault, "certificate", "there is no such file",
     "correct tls_certificate or tls_key; or let fcgate make both: tls_self_signed = yes"},
    {certificate_denied, fault, "certificate", "%0 may not read it",
     "start fcgate as root (it gives that up when it has read it), or give the file to %0"},
    {certificate_wrong, fault, "certificate", "%0",
     "in PEM: tls_certificate = the server's own, then those that vouch for it; tls_key = its key, no password"},
    {certificate_clock, warning, "certificate",
     "valid from %1 until %0, but the clock says %2, when this fcgate was not made yet",
     "set the clock from the network: ntpd -n -q -p pool.ntp.org"},
    {certificate_expired, fault, "certificate", "expired, it was valid until %0",
     "renew it, then let fcgate read it: kill -HUP"},
    {certificate_early, fault, "certificate", "not valid before %1, and the clock says %2",
     "correct the clock, or wait"},
    {certificate_ends, warning, "certificate", "ends within two weeks, on %0",
     "renew it, then let fcgate read it: kill -HUP"},
    {certificate_names, warning, "certificate", "does not name %0: browsers warn whoever goes there",
     "have it issued for %0 too, or take that out of host or listen"},
    {certificate_key_open, warning, "certificate", "everybody may read this key", "chmod 600 %0"},
    {certificate_restart, note, "certificate", "%0 may not read it: after a renewal a reload is not enough",
     "start fcgate again then; or give the file to a group of %0, with mode 0640"},
};

[[nodiscard]] constexpr bool is_in_order() {
    size_t number = 0;
    for (const Row& finding : all_findings) {
        if (finding.found != static_cast<Found>(number++)) {
            return false;
        }
    }
    return number == static_cast<size_t>(Found::count);
}
static_assert(is_in_order());

constexpr auto findings = [] {
    std::array<Row, static_cast<size_t>(end_of_findings)> kept{};
    for (size_t i = 0; i < kept.size(); ++i) {
        kept[i] = all_findings[i];
    }
    return kept;
}();

constexpr auto levels = pack_column<findings, &Row::level>();
constexpr auto ids = pack_tightly<findings, &Row::id>();
constexpr auto texts = pack_tightly<findings, &Row::text, &Row::remedy>();

}  // namespace

Finding describe(Found found) {
    const auto number = static_cast<size_t>(found);
    return {found, levels[number], ids[number], texts[2 * number], texts[2 * number + 1]};
}

}  // namespace fcgate::doctor
