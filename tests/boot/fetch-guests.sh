#!/bin/bash
# SPDX-License-Identifier: MIT
#
# usage: fetch-guests.sh [amd64|686|686-pae]...        (default: all three)
#
# Makes guests/NAME/{vmlinuz,initrd.gz,busybox} of Debian's kernel and static busybox,
# guests/NAME/guestcheck where the host's compiler can build it, and disks.gz and mouse.gz, which
# added to the initrd give the guest the commands load-disks and load-mouse. What is there already is kept, so each file gets its
# name only once it is whole.
# Status 1: Debian's packages can't be had.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -gt 0 ] || set -- amd64 686 686-pae

# make_guestcheck ARCH SOURCE OUTPUT
make_guestcheck()
{
    local machine=-m64
    [ "$1" = amd64 ] || machine="-m32 -march=i486"
    # shellcheck disable=SC2086
    gcc $machine -O1 -ffreestanding -nostdlib -static -fno-pie -no-pie -fno-stack-protector \
        -fno-asynchronous-unwind-tables -mno-red-zone -ffp-contract=off \
        -o "$3" "$2"
}

# make_initrd GUEST
make_initrd()
{
    local tree
    tree=$(mktemp -d)
    mkdir -p "$tree"/{bin,dev,etc,proc,root,sys,tmp}
    cp "$1/busybox" "$tree/bin/busybox"
    if [ -f "$1/guestcheck" ]; then
        cp "$1/guestcheck" "$tree/bin/guestcheck"
    fi
    cp "$top/tests/boot/init" "$tree/init"
    chmod 755 "$tree" "$tree/init" "$tree"/bin/*
    (cd "$tree" && find . | sort | cpio --quiet -o -H newc -R 0:0) | gzip -9n > "$1/initrd.new"
    mv "$1/initrd.new" "$1/initrd.gz"
    rm -r "$tree"
}

# Modules in the order in which they load: disks and CD-ROMs on IDE, floppies, file systems; the mouse.
disks=(crc16 crc32c_generic libcrc32c crct10dif_common crc-t10dif crc64 crc64-rocksoft t10-pi
       scsi_common scsi_mod libata ata_piix sd_mod cdrom sr_mod floppy mbcache jbd2 ext4 isofs fat
       vfat nls_cp437 nls_ascii)
mouse=(psmouse)

# make_modules UNPACKED GUEST NAME MODULE...
make_modules()
{
    local unpacked=$1 guest=$2 name=$3
    local tree module file number=10
    shift 3
    tree=$(mktemp -d)
    mkdir -p "$tree/bin" "$tree/modules/$name"
    for module in "$@"; do
        file=$(find "$unpacked/lib/modules" -name "$module.ko")
        [ -z "$file" ] || cp "$file" "$tree/modules/$name/$number-$module.ko"
        number=$((number + 1))
    done
    printf '#!/bin/sh\nfor m in /modules/%s/*; do insmod "$m"; done\n' "$name" \
        > "$tree/bin/load-$name"
    chmod 755 "$tree" "$tree"/bin "$tree/bin/load-$name"
    (cd "$tree" && find . | sort | cpio --quiet -o -H newc -R 0:0) | gzip -9n > "$guest/$name.new"
    mv "$guest/$name.new" "$guest/$name.gz"
    rm -r "$tree"
}

for name in "$@"; do
    case $name in
    amd64) arch=amd64 ;;
    686 | 686-pae) arch=i386 ;;
    *) echo "fetch-guests: no such guest: $name" >&2; exit 1 ;;
    esac
    guest=$top/guests/$name
    if [ ! -f "$guest/vmlinuz" ] || [ ! -f "$guest/disks.gz" ] || [ ! -f "$guest/mouse.gz" ]; then
        echo "Fetching Debian's $name kernel and busybox"
        unpacked=$top/guests/.unpacked-$name
        rm -rf "$unpacked"
        "$top/tests/fetch-debs.sh" "$top/guests/.apt-$arch" "$arch" "$unpacked" \
            "linux-image-$name" busybox-static
        mkdir -p "$guest"
        mv "$unpacked/bin/busybox" "$guest/busybox"
        mv "$unpacked"/boot/vmlinuz-* "$guest/vmlinuz"
        make_modules "$unpacked" "$guest" disks "${disks[@]}"
        make_modules "$unpacked" "$guest" mouse "${mouse[@]}"
        rm -rf "$unpacked"
    fi
    source=$top/tests/boot/guestcheck.c
    if [ "$(uname -m)" = x86_64 ] && [ "$source" -nt "$guest/guestcheck" ]; then
        make_guestcheck "$arch" "$source" "$guest/guestcheck" || rm -f "$guest/guestcheck"
    fi
    for part in "$top/tests/boot/init" "$guest/guestcheck"; do
        if [ "$part" -nt "$guest/initrd.gz" ]; then
            make_initrd "$guest"
        fi
    done
done
