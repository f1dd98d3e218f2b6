// Owns: the texts of all findings, one row each: the check's stable name, how grave it is, what is, and what mends it.
// Must not touch: anything.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/features.hpp"
#include "base/packed.hpp"

namespace fcgate::doctor {

enum class Level : uint8_t {
    good,
    note,     // to know; nothing is wrong
    warning,  // it serves, but somebody will be surprised
    fault,    // something will not be served
};

enum class Found : uint8_t {
    configuration_good,
    configuration_wrong,
    no_memory,
    library_good,
    library_refused,
    library_guarded,
    library_trusted,
    clock_good,
    clock_unset,
    memory_good,
    memory_over_ceiling,
    memory_short,
    port_free,
    port_inherited,
    port_not_passed,
    port_ours,
    port_twice,
    port_held,
    port_held_unseen,
    port_no_interface,
    port_denied,
    port_socket_denied,
    port_failed,
    file_wrong,
#if FCGATE_WITH_AUTH
    users_wrong,
    users_none,
#endif
    spawn_missing_php,
    spawn_wrong,
    spawn_beside,
    spawn_starts,
    spawn_fails,
    backend_good,
    backend_elsewhere,
    backend_absent,
    backend_silent,
    backend_unreachable,
    backend_foreign,
    socket_good,
    socket_denied,
    socket_folder_denied,
    pool_good,
    pool_unknown,
    pool_small,
    pool_large,
    script_good,
    script_chroot,
    script_unseen,
    script_unanswered,
    script_untried,
    script_php_fails,
    script_name,
    script_refused,
    script_confined,
    script_unreadable,
    uploads_good,
    uploads_small,
    php_memory_good,
    php_memory_large,
    user_good,
    user_denied,
    root_good,
    root_all,
    root_absent,
    root_denied,
    root_wrong,
    sendfile_wrong,
    entry_good,
    entry_unreadable,
    entry_outside,
    entry_no_front,
    entry_none,
    entry_no_backend,
    link_outside,
    links_many,
    spool_good,
    spool_small,
    spool_wrong,
    host_good,
    host_elsewhere,
    host_unknown,
    host_multicast,
    certificate_good,  // those about certificates come last: a build without TLS has no texts for them
    certificate_own,
    certificate_due,
    certificate_foreign,
    certificate_unmade,
    certificate_absent,
    certificate_denied,
    certificate_wrong,
    certificate_clock,
    certificate_expired,
    certificate_early,
    certificate_ends,
    certificate_names,
    certificate_key_open,
    certificate_restart,
    count
};

// In `text` and `remedy` %0 to %9 stand for what is found out on the machine. A check without anything to mend has an empty remedy.
struct Finding {
    Found found;
    Level level;
    Packed id;
    Packed text;
    Packed remedy;
};

constexpr Found end_of_findings = features::tls ? Found::count : Found::certificate_good;

[[nodiscard]] Finding describe(Found found);

}  // namespace fcgate::doctor
