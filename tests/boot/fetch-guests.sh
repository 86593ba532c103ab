#!/bin/bash
# SPDX-License-Identifier: MIT
#
# usage: fetch-guests.sh [amd64|686|686-pae]...        (default: all three)
#
# Makes guests/NAME/{vmlinuz,initrd.gz,busybox} of Debian's kernel and static busybox. What is
# there already is kept. Status 1: Debian's packages can't be had.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -gt 0 ] || set -- amd64 686 686-pae

# make_initrd BUSYBOX OUTPUT
make_initrd()
{
    local tree
    tree=$(mktemp -d)
    mkdir -p "$tree"/{bin,dev,etc,proc,root,sys,tmp}
    cp "$1" "$tree/bin/busybox"
    cp "$top/tests/boot/init" "$tree/init"
    chmod 755 "$tree/init" "$tree/bin/busybox"
    (cd "$tree" && find . | sort | cpio --quiet -o -H newc -R 0:0) | gzip -9n > "$2"
    rm -r "$tree"
}

for name in "$@"; do
    case $name in
    amd64) arch=amd64 ;;
    686 | 686-pae) arch=i386 ;;
    *) echo "fetch-guests: no such guest: $name" >&2; exit 1 ;;
    esac
    guest=$top/guests/$name
    if [ ! -f "$guest/vmlinuz" ]; then
        echo "Fetching Debian's $name kernel and busybox"
        unpacked=$top/guests/.unpacked-$name
        rm -rf "$unpacked"
        "$top/tests/fetch-debs.sh" "$top/guests/.apt-$arch" "$arch" "$unpacked" \
            "linux-image-$name" busybox-static
        mkdir -p "$guest"
        cp "$unpacked/bin/busybox" "$guest/busybox"
        cp "$unpacked"/boot/vmlinuz-* "$guest/vmlinuz"
        rm -rf "$unpacked"
    fi
    if [ "$top/tests/boot/init" -nt "$guest/initrd.gz" ]; then
        make_initrd "$guest/busybox" "$guest/initrd.gz"
    fi
done
