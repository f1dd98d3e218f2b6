// Owns: what this build of fcgate can do, as chosen by Meson's options. Code of a feature stands in `if constexpr (features::name)`, so
// that it is compiled in every build; what nobody calls then is not linked.
#pragma once

namespace fcgate::features {

inline constexpr bool access_log = FCGATE_WITH_ACCESS_LOG;
inline constexpr bool auth = FCGATE_WITH_AUTH;
inline constexpr bool doctor = FCGATE_WITH_DOCTOR;
inline constexpr bool listing = FCGATE_WITH_LISTING;
inline constexpr bool sandbox = FCGATE_WITH_SANDBOX;
inline constexpr bool spawn = FCGATE_WITH_SPAWN;
inline constexpr bool spool = FCGATE_WITH_SPOOL;
inline constexpr bool status = FCGATE_WITH_STATUS;
inline constexpr bool syslog = FCGATE_WITH_SYSLOG;
inline constexpr bool tls = FCGATE_WITH_TLS;
inline constexpr bool all =
    access_log && doctor && listing && sandbox && spawn && spool && status && syslog;  // that are there unless left out

}  // namespace fcgate::features
