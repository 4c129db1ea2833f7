# What every script here starts with: `source "$(dirname "${BASH_SOURCE[0]}")/env.sh"`.
# Settles where things are, and gives the functions that say what is going on.
# shellcheck shell=bash

# Build products lie outside the checkout, shared by all checkouts.
quorate_cache="${XDG_CACHE_HOME:-$HOME/.cache}/quorate"
CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$quorate_cache/target}"
[[ "$CARGO_TARGET_DIR" == /* ]] || CARGO_TARGET_DIR="$PWD/$CARGO_TARGET_DIR"
export CARGO_TARGET_DIR

called_from="$PWD"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# npm's binaries for this platform come first; elsewhere Foundry on PATH is used.
find_tools() {
    local tool folder
    for tool in forge anvil cast; do
        for folder in "$PWD"/node_modules/@foundry-rs/"$tool"-*/bin; do
            [[ -x "$folder/$tool" && ":$PATH:" != *":$folder:"* ]] && PATH="$folder:$PATH"
        done
    done
    export PATH
}
find_tools
# forge would download a compiler; npm has brought one already.
export FOUNDRY_SOLC="${FOUNDRY_SOLC:-$PWD/scripts/solc}"

bold="" plain=""
[[ -t 2 ]] && bold=$'\e[1m' plain=$'\e[0m'

# What is being done now.
say() { printf '%s==> %s%s\n' "$bold" "$*" "$plain" >&2; }

# What is wrong, and what to do about it.
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    (($# == 0)) || printf '       %s\n' "$@" >&2
    exit 1
}

# Runs a program in a process group of its own, and ends the whole group with this script: however it ends, nothing
# that the program started stays behind.
run_group() {
    set -m
    "$@" </dev/null &
    group=$!
    set +m
    trap 'end_group' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    local status=0
    wait "$group" || status=$?
    end_group
    trap - EXIT INT TERM HUP
    return "$status"
}

end_group() {
    trap - EXIT
    kill -TERM -- "-$group" 2>/dev/null || return 0
    # A moment to tidy up, then no more.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 -- "-$group" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL -- "-$group" 2>/dev/null || true
}

# Installs what is missing, and what the flags ask for; what has just been installed comes first on PATH from here on.
set_up() {
    scripts/setup "$@"
    find_tools
}
