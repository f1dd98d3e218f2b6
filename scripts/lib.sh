# shellcheck shell=bash
# What the scripts share. Source it, do not run it. Those that run beside each other take turns, by a lock on the project's folder,
# where they install packages and unpack subprojects.

project_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
apt_lists_are_fresh=no

say() {
    printf '==> %s\n' "$*"
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

package_is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Debian starts a server as soon as it is installed. The servers wanted here are started by whoever wants them, on ports
# of their own, so nothing may start by itself meanwhile. A policy that stands already is the machine's own.
install_without_starting() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'as_root rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
)

# need_packages PACKAGE...: installs those that are missing.
need_packages() {
    local package missing=()
    if ! command -v dpkg-query >/dev/null; then
        say "not Debian: these packages, or what they are called here, are taken as installed: $*"
        return
    fi
    for package in "$@"; do
        package_is_installed "$package" || missing+=("$package")
    done
    if [ "${#missing[@]}" -eq 0 ]; then
        return
    fi
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        fail "packages are missing, and this user cannot install them: there is no sudo. As root: apt-get install --no-install-recommends ${missing[*]}"
    fi
    say "installing ${missing[*]}"
    {
        flock 9
        if [ "$apt_lists_are_fresh" = no ]; then
            as_root apt-get -qq -o DPkg::Lock::Timeout=300 update 9<&-
            apt_lists_are_fresh=yes
        fi
        install_without_starting "${missing[@]}" 9<&-
    } 9<"$project_root"
}

# find_daemon COMMAND: sets FCGATE to the whole name of the daemon to test. COMMAND builds it, which is said when there is none.
find_daemon() {
    # Its folder need not be there either: where it would be is then said.
    FCGATE=$(realpath --canonicalize-missing "${FCGATE:-$project_root/build/daemon/fcgate}")
    [ -x "$FCGATE" ] || fail "there is no $FCGATE; build it with $1, or say where it is: FCGATE=..."
    if [ "$(id -u)" -eq 0 ] && ! setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$FCGATE"; then
        say "only root can reach $FCGATE: cases that run it as somebody else are left out. A checkout outside of root's home mends that"
    fi
    export FCGATE
}

# Meson takes the dependencies' archives from here before it asks the internet. A folder beside the checkout may hold them
# for machines without one.
fetch_packagecache() {
    local archive from=$project_root/../shared/packagecache to=$project_root/subprojects/packagecache
    if [ ! -d "$from" ]; then
        return
    fi
    mkdir -p "$to"
    for archive in "$from"/*; do
        if [ -f "$archive" ] && [ ! -e "$to/${archive##*/}" ]; then
            say "taking ${archive##*/} from the archives beside the checkout"
            cp "$archive" "$to/"
        fi
    done
}

# Meson copies an overlay when it unpacks the archive, and never again: what has changed since is copied here.
refresh_overlays() {
    local wrap unpacked overlay
    for wrap in "$project_root"/subprojects/*.wrap; do
        unpacked=$project_root/subprojects/$(sed -n 's/^directory = //p' "$wrap")
        overlay=$project_root/subprojects/packagefiles/$(sed -n 's/^patch_directory = //p' "$wrap")
        if [ -d "$unpacked" ] && [ -d "$overlay" ]; then
            (cd "$overlay" && find . -type f -exec sh -c 'cmp -s "$1" "$2/$1" || { mkdir -p "$2/${1%/*}" && cp "$1" "$2/$1"; }' _ {} "$unpacked" \;)
        fi
    done
}

# The archives that Meson would have to download.
missing_archives() {
    local wrap archive
    for wrap in "$project_root"/subprojects/{libmicrohttpd,inih}.wrap; do
        archive=$(sed -n 's/^source_filename = //p' "$wrap")
        if [ ! -e "$project_root/subprojects/packagecache/$archive" ] &&
            [ ! -d "$project_root/subprojects/$(sed -n 's/^directory = //p' "$wrap")" ]; then
            printf '%s ' "$archive"
        fi
    done
}

# configure_tree TREE MESON-ARGUMENT...: sets the build tree up, or again if it was set up with other arguments.
configure_tree() {
    local tree=$1 log missing
    shift
    refresh_overlays
    if [ -f "$tree/build.ninja" ] && [ "$(cat "$tree/setup-arguments" 2>/dev/null)" = "$*" ]; then
        return
    fi
    say "configuring ${tree##*/}: $*"
    missing=$(missing_archives)
    if [ -n "$missing" ] && [[ " $* " != *' -Dinih=system '* ]]; then
        say "not in subprojects/packagecache/: ${missing% }. Meson tries the internet, and where there is none gives up after a minute or two"
    fi
    rm -rf "$tree"
    mkdir -p "$tree"
    log=$tree/setup.log
    # One at a time: the first one unpacks the subprojects.
    if ! flock "$project_root" meson setup "$tree" "$project_root" "$@" >"$log" 2>&1; then
        cat "$log" >&2
        return 1
    fi
    # From the summary on: what was found, and what was chosen.
    sed -n '/^  Dependencies$/,/^  Subprojects$/p' "$log" | sed '$d'
    printf '%s\n' "$*" >"$tree/setup-arguments"
}

# The arguments that leave out every feature which can be left out.
# shellcheck disable=SC2034 # used by those who source this
without_features=(-Daccess_log=disabled -Ddoctor=disabled -Dlisting=disabled -Dsandbox=disabled -Dspawn=disabled -Dspool=disabled -Dstatus=disabled -Dsyslog=disabled)

# shellcheck disable=SC2034 # used by those who source this
build_packages=(ca-certificates g++ meson ninja-build pkg-config libcmocka-dev libevent-dev libinih-dev libmicrohttpd-dev)
