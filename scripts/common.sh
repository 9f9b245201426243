# shellcheck shell=bash
# Shared by the scripts of this folder: find what is missing on this machine, build.
# To be sourced; requires bash. Changes to the project's folder.

set -euo pipefail
SELF=$(realpath "$0")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Debian packages that a build needs (CMakeLists.txt looks for the same things).
BUILD_PACKAGES=(
    g++ cmake ninja-build pkg-config python3
    protobuf-compiler libprotobuf-dev libasio-dev libspdlog-dev libcli11-dev libedit-dev
    zlib1g-dev libsodium-dev libsqlite3-dev sqlite3 doctest-dev librapidcheck-dev
)
# What some tests need beside the programs.
TEST_PACKAGES=(tshark strace spin)

# Nobody can be asked where there is no terminal, so there the answer is yes.
ASSUME_YES=no
[ -t 0 ] || ASSUME_YES=yes

say() { printf '%s\n' "$*" >&2; }
die() {
    say "$(basename "$0"): $*"
    exit 2
}

# What stands at the beginning of the script itself, for --help.
show_help() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "$SELF"
    exit 0
}

# missing_packages PACKAGE...: those that are not installed, one a line.
missing_packages() {
    local installed
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
    local package
    for package in "$@"; do
        grep -qxF "$package installed" <<<"$installed" || echo "$package"
    done
}

# install_missing PACKAGE...: installs those of the packages that are not there, after asking.
install_missing() {
    if ! command -v dpkg-query >/dev/null; then
        say "Not a Debian system: if the build does not find something, install what matches: $*"
        return
    fi
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0

    say "Debian packages that are missing here: ${missing[*]}"
    if [ "$ASSUME_YES" != yes ]; then
        local reply
        read -r -p "Install them now with apt-get? [Y/n] " reply || reply=n
        case "$reply" in
            "" | y | Y | yes) ;;
            *) die "cannot go on without them" ;;
        esac
    fi
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            die "run this as root first: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    "${as_root[@]}" apt-get update -q >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${missing[@]}" </dev/null >&2
}

# build PRESET [TARGET...]: all of it, or the targets, in build/PRESET. Prints little.
build() {
    local preset=$1
    shift
    local folder=build/$preset
    # A build folder that came here from elsewhere (a copied tree) knows the wrong paths.
    if [ -f "$folder/CMakeCache.txt" ] &&
        ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$folder/CMakeCache.txt"; then
        rm -rf "$folder"
    fi
    if [ ! -f "$folder/build.ninja" ]; then
        say "Configuring $folder"
        mkdir -p build
        cmake --preset "$preset" >"build/configure-$preset.log" 2>&1 || {
            cat "build/configure-$preset.log" >&2
            die "cmake could not configure the build"
        }
    fi
    local quiet=()
    [ -t 2 ] || quiet=(--quiet)
    say "Building $folder (the first time takes minutes, later only what changed)"
    # Ninja follows changes of the CMakeLists.txt by itself.
    NINJA_STATUS="[%f/%t] " ninja -C "$folder" "${quiet[@]}" "$@" >&2 || die "the build failed"
}
