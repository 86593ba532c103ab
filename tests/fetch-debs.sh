#!/bin/bash
# SPDX-License-Identifier: MIT
#
# usage: fetch-debs.sh [--deps] STATE ARCH ROOT PACKAGE...
#
# Downloads Debian packages of any architecture and unpacks them below ROOT, without touching the
# system: apt runs with its own state directory (STATE) and an empty list of installed packages,
# and borrows only the system's package sources and keys. With --deps, the packages that they
# depend on come too. Needs no special rights. Status 1: the registry can't be reached or lacks a
# package.
set -eu

deps=
if [ "$1" = --deps ]; then
    deps=yes
    shift
fi
state=$1 arch=$2 root=$3
shift 3

mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$root"
state=$(cd "$state" && pwd)
root=$(cd "$root" && pwd)
: > "$state/status"
options=(-qq -o "APT::Architecture=$arch" -o "APT::Architectures::=$arch"
         -o "Dir::State=$state" -o "Dir::State::status=$state/status" -o "Dir::Cache=$state/cache"
         -o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none
         -o APT::Install-Recommends=false -o Debug::NoLocking=true
         -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 -o Acquire::Retries=1)

# One source that fails (a third party's, a mirror being updated) must not spoil the others.
apt-get "${options[@]}" update >"$state/update.log" 2>&1 || true

# linux-image-amd64 and its like are empty: the kernel is in the versioned package they name.
packages=()
for package in "$@"; do
    case $package in
    linux-image-*)
        package=$(apt-cache "${options[@]}" depends "$package" 2>/dev/null |
                  sed -n 's/^ *Depends: *\(linux-image-[0-9].*\)/\1/p' | head -n 1)
        [ -n "$package" ] || { echo "fetch-debs: no kernel package for $arch" >&2; exit 1; }
        ;;
    esac
    packages+=("$package")
done

cd "$state/cache/archives"
rm -f -- *.deb
if [ -n "$deps" ]; then
    apt-get "${options[@]}" install --download-only -y "${packages[@]}" >/dev/null
else
    apt-get "${options[@]}" download "${packages[@]}" >/dev/null
fi
for deb in *.deb; do
    dpkg-deb -x "$deb" "$root"
done
rm -f -- *.deb

# Absolute links are meant for a system whose root is ROOT.
find "$root" -type l -lname '/*' | while IFS= read -r link; do
    ln -sfn --relative "$root$(readlink "$link")" "$link"
done
