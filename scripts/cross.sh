# shellcheck shell=bash
# Building for other machines, with Debian's cross compilers and qemu-user. Source it after lib.sh, do not run it.
# shellcheck disable=SC2154 # build_packages comes from lib.sh

all_architectures=(armhf armhf-musl aarch64 mips armel mipsel riscv64)

# Nothing of this machine but the compiler.
bundled_build=(-Dlibmicrohttpd=bundled -Dinih=bundled --force-fallback-for=cmocka -Dwerror=true)
# What makes a build small: libmicrohttpd goes without its own words for the log, fcgate has words for what it refuses.
# shellcheck disable=SC2034 # used by those who source this
smallest_build=(-Dbuildtype=minsize -Db_ndebug=true -Db_lto=true -Dlibmicrohttpd:messages=false -Dtests=disabled
    -Dexamples=disabled)

# machine_of ARCH: sets triplet, Debian's name of the compiler, and loader, what runs a program for ARCH here.
machine_of() {
    local emulator=qemu-$1-static linker=ld.so.1
    triplet=$1-linux-gnu
    case $1 in
    armhf | armhf-musl) triplet=arm-linux-gnueabihf emulator=qemu-arm-static linker=ld-linux-armhf.so.3 ;;
    armel) triplet=arm-linux-gnueabi emulator=qemu-arm-static linker=ld-linux.so.3 ;;
    aarch64) linker=ld-linux-aarch64.so.1 ;;
    riscv64) linker=ld-linux-riscv64-lp64d.so.1 ;;
    mips | mipsel) ;;
    *) fail "no cross build for '$1'; there are: ${all_architectures[*]}" ;;
    esac
    loader=("$emulator")
    if [ "${1%-musl}" = "$1" ]; then
        loader+=("/usr/$triplet/lib/$linker" --library-path "/usr/$triplet/lib")
    fi
}

# cross_tree ARCH NAME MESON-ARGUMENT...: configures and compiles build-NAME with the bundled libraries, and sets tree.
cross_tree() {
    local arch=$1 name=$2 cross_files=()
    shift 2
    machine_of "$arch"
    need_packages "${build_packages[@]}" "g++-$triplet" qemu-user-static
    if [ "${arch%-musl}" != "$arch" ]; then
        musl_toolchain "${arch%-musl}" "$triplet"
        cross_files+=("$musl_home/constants.ini")
    fi
    cross_files+=("$project_root/cross/$arch.ini")
    tree=$project_root/build-$name
    # Meson reads its cross files once.
    if ! cat "${cross_files[@]}" | cmp --silent - "$tree/cross-files"; then
        rm -f "$tree/setup-arguments"
    fi
    configure_tree "$tree" "${cross_files[@]/#/--cross-file=}" "${bundled_build[@]}" "$@"
    cat "${cross_files[@]}" >"$tree/cross-files"
    say "compiling ${tree##*/}"
    ninja -C "$tree" --quiet
}

# Compiled together with the program, musl goes without what that does not ask it for.
musl_flags='-Oz -flto -ffunction-sections -fdata-sections'

# musl_toolchain ARCH TRIPLET: makes Clang build static programs with musl, and with libgcc and libstdc++'s headers of Debian's glibc
# cross compiler; sets musl_home, where a constants file for Meson says how.
musl_toolchain() {
    local arch=$1 triplet=$2 target
    need_packages clang-19 dpkg-dev lld-19 llvm-19 make
    musl_home=$project_root/build-musl/$arch
    # What Meson compiles for, as an option each.
    read -ra target < <(sed -n "s/^target = \[\(.*\)\]$/\1/p" "$project_root/cross/$arch-musl.ini" | tr -d "',")
    target+=("--target=$triplet")
    if ! echo "$musl_flags" | cmp --silent - "$musl_home/flags" || [ ! -e "$musl_home/errors.h" ]; then
        fetch_musl
        compile_musl "$triplet" "${target[@]}"
    fi
    musl_constants "$triplet" "${target[@]}" >"$musl_home/constants.ini"
}

# Musl's headers come behind those of libstdc++, which include them by #include_next; nothing of glibc is looked at. Programs are
# static and, for address space randomisation, PIE.
musl_constants() {
    local triplet=$1 directory lto name c_args cpp_args=() link_args
    shift
    # The kernel's headers belong to no C library, but stand among glibc's.
    for directory in linux asm asm-generic; do
        ln -sfn "/usr/$triplet/include/$directory" "$musl_home/include/"
    done
    c_args=(-nostdinc -idirafter "$musl_home/include" -idirafter "$(clang-19 -print-resource-dir)/include")
    for directory in $("$triplet-g++" -E -x c++ -v /dev/null 2>&1 >/dev/null | sed -n 's,^ \(/.*/c++/.*\),\1,p'); do
        cpp_args+=(-cxx-isystem "$directory")
    done
    link_args=(-nostdlib -static-pie)
    for name in start accounts bytes calls clock heap threads time; do
        lto=-flto
        # Nothing that the linker's compiler adds works before there are pointers, and it needs a memcpy for what it adds.
        case $name in start | bytes) lto=-fno-lto ;; esac
        clang-19 "$@" -Oz "$lto" -ffreestanding -fpie -fno-asynchronous-unwind-tables -D_GNU_SOURCE -Wall -Wextra -Werror "${c_args[@]}" \
            -c "$project_root/cross/musl-$name.c" -o "$musl_home/$name.o"
        link_args+=("$musl_home/$name.o")
    done
    # A library, because programs without fcgate's code cannot unpack its words; with it they change their coding.
    clang++-19 "$@" -std=c++20 -Oz -flto -ffreestanding -fpie -fno-exceptions -fno-rtti -fno-asynchronous-unwind-tables \
        -fconstexpr-steps=20000000 -Wall -Wextra -Werror -nostdinc++ -cxx-isystem "$project_root/cross/musl" "${cpp_args[@]}" "${c_args[@]}" -I "$project_root/src" -I "$musl_home" \
        -c "$project_root/cross/musl-errors.cpp" -o "$musl_home/errors.o"
    rm -f "$musl_home/errors.a"
    llvm-ar-19 rc "$musl_home/errors.a" "$musl_home/errors.o"
    link_args+=("$musl_home/errors.a" "$musl_home/lib/libc.a" "$("$triplet-gcc" -print-libgcc-file-name)")
    echo '[constants]'
    printf '%s = [%s]\n' \
        musl_c "$(quoted "${c_args[@]}")" \
        musl_cpp "$(quoted -nostdinc++ -cxx-isystem "$project_root/cross/musl" "${cpp_args[@]}" "${c_args[@]}")" \
        musl_link "$(quoted "${link_args[@]}")"
}

quoted() {
    printf "'%s'," "$@"
}

# Debian's source of musl, from wherever this machine takes its packages. A private state of apt, so that this machine need not come to
# know sources. Not every list needs to be there: the package says whether enough are.
fetch_musl() {
    local state=$musl_home/apt apt file
    apt=(apt-get -qq -o "APT::Sandbox::User=root" -o "Dir::State=$state" -o "Dir::State::status=/dev/null" -o "Dir::Cache=$state"
        -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$state/from")
    say "fetching Debian's source of musl"
    rm -rf "$musl_home"
    mkdir -p "$state/lists/partial" "$state/archives/partial" "$state/from"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        if [ -f "$file" ]; then
            sed 's/^deb /deb-src /; s/^Types:.*/Types: deb-src/' "$file" >"$state/from/${file##*/}"
        fi
    done
    # One that stands by itself has no name that apt would look at among the others.
    [ ! -f "$state/from/sources.list" ] || mv "$state/from/sources.list" "$state/from/machine.list"
    "${apt[@]}" update >"$state/update.log" 2>&1 || true
    (cd "$state" && "${apt[@]}" --download-only source musl) >"$state/download.log" 2>&1 ||
        fail "no source of musl: $(cat "$state/update.log" "$state/download.log")"
    # What it has loaded has been checked by apt.
    dpkg-source --no-check --extract "$state"/musl_*.dsc "$musl_home/source" >"$state/unpack.log" ||
        fail "musl cannot be unpacked: $(cat "$state/unpack.log")"
    rm -rf "$state"
}

# compile_musl TRIPLET COMPILER-ARGUMENT...: Debian's own libc.a is made for speed; by Clang for size its part of a daemon is a fifth less.
compile_musl() {
    local triplet=$1 log=$musl_home/source/compile.log
    shift
    say "compiling musl"
    (
        cd "$musl_home/source" &&
        LIBCC=$("$triplet-gcc" -print-libgcc-file-name) CC="clang-19 $*" AR=llvm-ar-19 RANLIB=llvm-ranlib-19 \
            CFLAGS=$musl_flags ./configure --host="$triplet" --disable-shared --prefix="$musl_home" &&
        make --jobs="$(nproc)" install-headers install-libs
    ) >"$log" 2>&1 || fail "musl cannot be compiled: $(tail "$log")"
    cp "$musl_home/source/src/errno/__strerror.h" "$musl_home/errors.h"
    rm -rf "$musl_home/source"
    echo "$musl_flags" >"$musl_home/flags"
}
