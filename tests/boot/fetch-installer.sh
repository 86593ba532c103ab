#!/bin/bash
# SPDX-License-Identifier: MIT
#
# usage: fetch-installer.sh [amd64|i386]...        (default: amd64)
#
# Makes guests/installer-ARCH/{linux,text.gz,gtk.gz,boot-screens}: the kernel and the two initrds
# with which Debian's installer starts from a network, and its menu for ISOLINUX. What is there
# already is kept.
# Status 1: Debian's package can't be had.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -gt 0 ] || set -- amd64
for arch in "$@"; do
    guest=$top/guests/installer-$arch
    [ ! -d "$guest/boot-screens" ] || continue
    echo "Fetching Debian's installer for $arch"
    unpacked=$top/guests/.unpacked-installer-$arch
    rm -rf "$unpacked" "$guest" "$guest.new"
    "$top/tests/fetch-debs.sh" "$top/guests/.apt-$arch" "$arch" "$unpacked" \
        "debian-installer-12-netboot-$arch"
    mkdir -p "$guest.new"
    for kind in text gtk; do
        images=$unpacked/usr/lib/debian-installer/images/12/$arch/$kind/debian-installer/$arch
        mv "$images/initrd.gz" "$guest.new/$kind.gz"
        mv "$images/linux" "$guest.new/linux"
    done
    mv "$images/boot-screens" "$guest.new/"
    mv "$guest.new" "$guest"
    rm -r "$unpacked"
done
