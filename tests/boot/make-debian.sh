#!/bin/bash
# SPDX-License-Identifier: MIT
#
# usage: make-debian.sh [amd64|i386]...        (default: amd64)
#
# Makes guests/debian-ARCH.img of Debian's packages: a disk with GRUB in the boot record and the gap
# behind it, and one partition with a minimal Debian on ext4; root's password is "calque". It needs
# no loop devices, and where the host allows user namespaces, no rights. What this script has made
# already is kept; another version of it makes it again.
# Status 1: it can't be made; a line says why.
set -euo pipefail

script=$(realpath "$0")
top=$(cd "$(dirname "$script")/../.." && pwd)
grub=/usr/lib/grub/i386-pc
PATH=$PATH:/usr/sbin:/sbin

# The partition begins at 1 MiB, as everybody's does; GRUB's core has the space before it.
first=2048
sectors=$((448 << 11))

fail()
{
    echo "make-debian: $*" >&2
    exit 1
}

# Modules that this machine's disks need. Others would cost most of the time and the space.
modules=(drivers/ata/ drivers/cdrom/ drivers/scsi/scsi_ drivers/scsi/s[dr]_mod fs/ext4/ fs/jbd2/
         fs/mbcache fs/isofs/ lib/ block/ crypto/crc arch/x86/crypto/crc)

filters()
{
    local part
    for part in doc locale man info lintian zoneinfo; do
        echo "path-exclude=/usr/share/$part/*"
    done
    echo "path-exclude=/usr/lib/udev/hwdb.d/*"
    echo "path-exclude=/lib/udev/hwdb.d/*"
    echo "path-exclude=/lib/modules/*/kernel/*"
    for part in "${modules[@]}"; do
        echo "path-include=/lib/modules/*/kernel/$part*"
    done
    echo force-unsafe-io
}

# prepare ROOT: before the kernel comes.
prepare()
{
    mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
    printf 'MODULES=list\nCOMPRESS=gzip\nCOMPRESSLEVEL=1\n' > "$1/etc/initramfs-tools/conf.d/calque"
    printf '%s\n' ata_piix sd_mod ext4 > "$1/usr/share/initramfs-tools/modules.d/calque"
}

# finish ROOT PARTITION: settings, GRUB's files, and the file system of it all.
finish()
{
    echo calque > "$1/etc/hostname"
    echo 'root:calque' | chroot "$1" chpasswd -c SHA256
    echo '/dev/sda1 / ext4 errors=remount-ro 0 1' > "$1/etc/fstab"
    : > "$1/etc/machine-id"
    rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/log/*.log
    mkdir -p "$1/boot/grub/i386-pc"
    cp $grub/*.mod $grub/*.lst "$1/boot/grub/i386-pc/"
    cat > "$1/boot/grub/grub.cfg" <<'CFG'
set timeout=2
menuentry "Debian GNU/Linux" {
    linux /vmlinuz root=/dev/sda1 ro console=ttyS0 console=tty0 cryptomgr.notests nomodeset
    initrd /initrd.img
}
menuentry "Debian GNU/Linux, recovery mode" {
    linux /vmlinuz root=/dev/sda1 ro single console=ttyS0 console=tty0 cryptomgr.notests nomodeset
    initrd /initrd.img
}
CFG
    # Without what is mounted there for programs that run in it.
    mkdir "$2.root"
    mount --bind "$1" "$2.root" 2>/dev/null || { rmdir "$2.root" && ln -s "$1" "$2.root"; }
    mke2fs -q -t ext4 -F -d "$2.root/" "$2" "$((sectors >> 1))k"
    umount "$2.root" 2>/dev/null || rm "$2.root"
}

# boot_record FILE: the boot sector with a partition table of one active Linux partition, without
# cylinders, heads and sectors, and GRUB's core behind it.
boot_record()
{
    local core=$1.core
    grub-mkimage -d $grub -O i386-pc -o "$core" -p '(hd0,msdos1)/boot/grub' \
        biosdisk part_msdos ext2
    [ "$(stat -c %s "$core")" -le $(((first - 1) * 512)) ] || fail "GRUB's core is too big"
    head -c 440 $grub/boot.img > "$1"
    printf 'CALQ\0\0\x80\xfe\xff\xff\x83\xfe\xff\xff' >> "$1"
    printf '%b' "$(printf '%08x%08x' $first $sectors |
        sed -E 's/(..)(..)(..)(..)/\\x\4\\x\3\\x\2\\x\1/g')" >> "$1"
    truncate -s 510 "$1"
    printf '\x55\xaa' >> "$1"
    cat "$core" >> "$1"
    truncate -s $((first * 512)) "$1"
    rm "$core"
}

# make ARCH
make()
{
    local work kernel=$1
    [ "$1" = i386 ] && kernel=686
    work=$(mktemp -d /var/tmp/debian.XXXXXX)
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    chmod 777 "$work"
    filters > "$work/filters"
    if ! mmdebstrap --variant=minbase --architectures="$1" --format=null \
            --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "3"' \
            --dpkgopt="$work/filters" \
            --include="systemd-sysv,udev,linux-image-$kernel,initramfs-tools,e2fsprogs" \
            --essential-hook="'$script' --prepare \"\$1\"" \
            --customize-hook="'$script' --finish \"\$1\" '$work/partition'" \
            bookworm /dev/null "deb ${mirror:-http://deb.debian.org/debian} bookworm main" \
            > "$work/log" 2>&1; then
        tail -n 5 "$work/log" >&2
        fail "mmdebstrap can't make Debian's root"
    fi
    boot_record "$work/disk"
    dd if="$work/partition" of="$work/disk" bs=1M seek=$((first >> 11)) conv=sparse,notrunc \
        status=none
    truncate -s $(((first + sectors) * 512)) "$work/disk"
    mv "$work/disk" "$top/guests/debian-$1.img"
    cksum < "$script" > "$top/guests/debian-$1.made"
    rm -rf "$work"
}

case ${1:-} in
--prepare) prepare "$2"; exit ;;
--finish) finish "$2" "$3"; exit ;;
esac
[ $# -gt 0 ] || set -- amd64
for tool in mmdebstrap mke2fs grub-mkimage; do
    command -v $tool >/dev/null || fail "there is no $tool"
done
[ -f $grub/boot.img ] || fail "GRUB for PCs is not installed"
mkdir -p "$top/guests"
# The archive that this system uses, if it is a Debian of that age.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' \
    'Component: main' 2>/dev/null | head -n 1 || true)
for arch in "$@"; do
    if ! cksum < "$script" | cmp -s - "$top/guests/debian-$arch.made"; then
        echo "Making a disk with Debian for $arch"
        make "$arch"
    fi
done
