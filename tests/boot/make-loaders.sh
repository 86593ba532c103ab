#!/bin/bash
# SPDX-License-Identifier: MIT
#
# usage: make-loaders.sh
#
# Makes floppies, disks and CDs in guests/loaders from Debian's packages of boot loaders: GRUB,
# SYSLINUX and ISOLINUX, iPXE and memtest86+, with the kernels of fetch-guests.sh (686 and amd64); and
# unpacks firmware: SeaBIOS, OVMF and U-Boot.
# The host's tools that it needs: grub-mkimage, grub-mkrescue, xorriso, syslinux, mtools and
# mkfs.fat.
# All is made anew only when this script or a kernel has changed.
# Status 1: Debian's packages can't be had.
set -Eeuo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
out=$top/guests/loaders
PATH=$PATH:/usr/sbin:/sbin
packages=(grub-pc-bin isolinux syslinux-common memtest86+ ipxe ipxe-qemu seabios ovmf
          u-boot-qemu)
kernels=(686 amd64)
append="console=tty0 cryptomgr.notests quiet"

unpack()
{
    echo "Fetching Debian's boot loaders"
    rm -rf "$root"
    "$top/tests/fetch-debs.sh" "$top/guests/.apt-amd64" amd64 "$root" "${packages[@]}"
}

# make_tree: what every CD has beside its loader.
make_tree()
{
    local kernel
    rm -rf "$tree"
    mkdir -p "$tree"
    for kernel in "${kernels[@]}"; do
        cp "$top/guests/$kernel/vmlinuz" "$tree/$kernel"
        cp "$top/guests/$kernel/initrd.gz" "$tree/$kernel.gz"
    done
    cp "$root/boot/memtest86+ia32.bin" "$tree/memtest"
    cp "$root/usr/lib/ipxe/ipxe.lkrn" "$tree/ipxe"
    echo "A file on the medium" > "$tree/hello.txt"
}

grub_modules=(biosdisk part_msdos fat iso9660 normal ls cat echo help configfile reboot halt linux
              linux16 minicmd)

# put FILE IMAGE [COUNT...]: overwrites a part of an image; dd's operands, in bytes.
put()
{
    dd if="$1" of="$2" "${@:3}" conv=notrunc status=none bs=32K \
        iflag=skip_bytes,count_bytes oflag=seek_bytes
}

# make_grub_floppy: a FAT file system that leaves room for GRUB before it, of which the boot sector
# keeps the file system's parameters.
make_grub_floppy()
{
    local image=$out/grub-floppy.img sectors
    grub-mkimage -d "$grub" -O i386-pc -p /grub -o "$work/core.img" \
        "${grub_modules[@]}"
    sectors=$((($(stat -c %s "$work/core.img") + 511) / 512 + 1))
    rm -f "$image"
    mkfs.fat -C -F 12 -R $sectors -n GRUB "$image" 1440 >/dev/null
    put "$grub/boot.img" "$image" count=3
    put "$grub/boot.img" "$image" skip=90 seek=90 count=422
    put "$work/core.img" "$image" seek=512
    mcopy -i "$image" "$tree/hello.txt" "$tree/memtest" ::
}

make_grub_cd()
{
    local kernel config=$tree/boot/grub/grub.cfg
    mkdir -p "$tree/boot/grub"
    {
        echo "set timeout=-1"
        for kernel in "${kernels[@]}"; do
            echo "menuentry 'Linux $kernel' { linux /$kernel $append; initrd /$kernel.gz }"
        done
        echo "menuentry 'memtest86+' { linux /memtest }"
        echo "menuentry 'iPXE' { linux16 /ipxe }"
    } > "$config"
    grub-mkrescue -d "$grub" -o "$out/grub.iso" "$tree"
    rm -r "${tree:?}/boot"
}

# syslinux_config: for ISOLINUX and SYSLINUX.
syslinux_config()
{
    local kernel
    printf 'PROMPT 1\nTIMEOUT 0\nSAY Kernels: %s memtest ipxe\n' "${kernels[*]}"
    for kernel in "${kernels[@]}"; do
        printf 'LABEL %s\nLINUX /%s\n' "$kernel" "$kernel"
        printf 'INITRD /%s.gz\nAPPEND %s\n' "$kernel" "$append"
    done
    printf 'LABEL %s\nLINUX /%s\n' memtest memtest ipxe ipxe
}

# As every hybrid image it is a CD and a hard disk.
make_isolinux_cd()
{
    mkdir -p "$tree/isolinux"
    cp "$root/usr/lib/ISOLINUX/isolinux.bin" "$bios/ldlinux.c32" "$tree/isolinux/"
    syslinux_config > "$tree/isolinux/isolinux.cfg"
    xorriso -as mkisofs -quiet -V ISOLINUX -o "$out/isolinux.iso" -b isolinux/isolinux.bin \
        -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table \
        -isohybrid-mbr "$root/usr/lib/ISOLINUX/isohdpfx.bin" "$tree"
    rm -r "$tree/isolinux"
}

make_syslinux_floppy()
{
    local image=$out/syslinux-floppy.img
    rm -f "$image"
    mformat -C -f 1440 -v SYSLINUX -i "$image" ::
    syslinux_config | mcopy -i "$image" - ::/syslinux.cfg
    mcopy -i "$image" "$tree/memtest" "$tree/ipxe" ::
    syslinux --install "$image"
}

# make_syslinux_disk: 65 cylinders of 16 heads and 63 sectors, on them a FAT partition.
make_syslinux_disk()
{
    local image=$out/syslinux-disk.img start=63 sectors=$((65 * 16 * 63)) partition
    partition=$image@@$((start * 512))
    rm -f "$image"
    truncate -s $((sectors * 512)) "$image"
    put "$root/usr/lib/syslinux/mbr/mbr.bin" "$image"
    # Active, from 0/1/1, FAT16, to 64/15/63; then start and length.
    printf '\x80\x01\x01\x00\x06\x0f\x3f\x40\x3f\x00\x00\x00\xb1\xff\x00\x00' |
        put /dev/stdin "$image" seek=446
    printf '\x55\xaa' | put /dev/stdin "$image" seek=510
    mformat -T $((sectors - start)) -h 16 -s 63 -H $start -v SYSLINUX -i "$partition" ::
    syslinux_config | mcopy -i "$partition" - ::/syslinux.cfg
    mcopy -i "$partition" "$tree"/{memtest,ipxe,686,686.gz} ::
    syslinux --install --offset $((start * 512)) "$image"
}

# make_emulation CD IMAGE OPTION...: a CD whose boot image is a floppy or a hard disk.
make_emulation()
{
    xorriso -as mkisofs -quiet -V EMULATION -o "$out/$1" -b "$2" "${@:3}" -graft-points "$2=$out/$2"
}

root=$out/.debs
grub=$root/usr/lib/grub/i386-pc
bios=$root/usr/lib/syslinux/modules/bios
work=$out/.work
tree=$work/tree
stamp=$out/.made

fresh()
{
    local input
    for input in "$0" "${kernels[@]/#/$top/guests/}"; do
        [ "$stamp" -nt "$input" ] || return 1
    done
}

if [ ! -f "$root/.whole" ] || [ "$(cat "$root/.whole")" != "${packages[*]}" ]; then
    unpack
    echo "${packages[*]}" > "$root/.whole"
fi
fresh && exit
mkdir -p "$work"
exec 3>&2 >"$work/log" 2>&1
trap 'cat "$work/log" >&3' ERR
make_tree
make_grub_floppy
make_grub_cd
make_isolinux_cd
make_syslinux_floppy
make_syslinux_disk
make_emulation cd-floppy.iso grub-floppy.img
make_emulation cd-disk.iso syslinux-disk.img -hard-disk-boot
rm -r "$work"
touch "$stamp"
