#!/bin/sh
# From a bare machine to a tree that runs: `bootstrap.sh [programs] [venv] [lock] [locked]`, each does nothing where nothing is missing.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

say() { printf '%s\n' "bootstrap: $*" >&2; }
die() {
    say "$*"
    exit 1
}

need() { # program package
    PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null || missing="$missing $2"
}

apt() {
    # Another apt (cloud-init, unattended upgrades) may hold the lock: wait for it.
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

programs() {
    missing=
    need chromium chromium
    need fish fish
    need git git
    need groff groff-base
    need mke2fs e2fsprogs
    need mmdebstrap mmdebstrap
    need qemu-system-x86_64 qemu-system-x86
    need shellcheck shellcheck
    need zsh zsh
    # The browser that looks at the report needs a font.
    find /usr/share/fonts /usr/local/share/fonts -name '*.ttf' -o -name '*.otf' 2>/dev/null | grep -q . || missing="$missing fonts-dejavu-core"
    # Debian parts venv and ensurepip from python3. A python3 of one's own (pyenv) has them.
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || die "please install:$missing (these are Debian's names of the packages)"
    [ "$(id -u)" = 0 ] || die "please run: sudo apt-get install --no-install-recommends$missing"
    say "installing$missing"
    set -- /var/lib/apt/lists/*_Packages*
    [ -e "$1" ] || apt update
    # shellcheck disable=SC2086 # a list of words
    apt install -y --no-install-recommends $missing || {
        apt update # the lists may name files that their mirror has replaced
        apt install -y --no-install-recommends $missing
    }
}

venv() {
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "$python is $("$python" -V 2>&1); mpio needs Python 3.11: make PYTHON=/path/to/python3"
    key=$("$python" -V; pwd; cat requirements.lock pyproject.toml)
    key=$(printf '%s' "$key" | cksum)
    [ "$(cat .venv/made-from 2>/dev/null)" = "$key" ] && .venv/bin/python -c '' 2>/dev/null && return 0
    say "making .venv"
    rm -rf .venv
    "$python" -m venv .venv
    .venv/bin/python -m pip install -q --require-hashes -r requirements.lock >&2
    # The build backend is in the lock, so nothing unlocked is fetched.
    .venv/bin/python -m pip install -q --no-deps --no-build-isolation --no-index -e . >&2
    printf '%s\n' "$key" >.venv/made-from
}

compile() { # options for pip-compile; writes what it makes of pyproject.toml and the lock to $scratch/lock
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT TERM
    "$python" -m venv "$scratch"
    "$scratch/bin/pip" install -q pip-tools
    cp requirements.lock "$scratch/made"
    # Without addresses: whoever installs says where from; the hashes say what.
    "$scratch/bin/pip-compile" -q "$@" --extra dev --allow-unsafe --strip-extras --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --no-annotate \
        --output-file "$scratch/made" pyproject.toml
    sed '/^#/d; /^$/d' "$scratch/made" >"$scratch/lock"
}

lock() {
    compile --upgrade
    cp "$scratch/lock" requirements.lock
}

# Does the lock say what pyproject.toml asks for, no more and no less?
locked() {
    compile
    diff -u requirements.lock "$scratch/lock" >&2 || die "the lock is not what pyproject.toml asks for: make lock"
}

[ $# -gt 0 ] || set -- programs venv
for part; do
    case $part in
        programs | venv | lock | locked) "$part" ;;
        *) die "there is no part $part" ;;
    esac
done
