#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Disks and CD-ROMs in Debian's kernels: ext4 and ISO 9660 are read and written, by DMA; after a
power-off images are clean, after the emulator was killed what was flushed is there.

    disk_test.py [--emulator build/calque] [--scale N] [686|amd64|686-pae]

Prints a line per check, as boot_test.py does. The console goes to build/disk-*.log.
"""

import argparse
import hashlib
import os
import random
import shlex
import struct
import sys
import tempfile

from boot_test import GUESTS
from machine import (TOP, Console, Failure, Report, require, require_equal, run_tool, tool)

DISK_BYTES = 48 << 20
TOOLS = ("mke2fs", "e2fsck", "debugfs", "qemu-img")


# -- Images --------------------------------------------------------------------------------------


def write_iso(path, name, data):
    """An ISO 9660 file system (ECMA-119) with one file in its root."""
    def both(fmt, value):
        return struct.pack("<" + fmt, value) + struct.pack(">" + fmt, value)

    def record(identifier, sector, size, flags):
        body = (bytes([0]) + both("I", sector) + both("I", size) +
                bytes([126, 1, 1, 0, 0, 0, 0, flags, 0, 0]) + both("H", 1) +
                bytes([len(identifier)]) + identifier)
        body += bytes((len(body) + 1) % 2)
        return bytes([len(body) + 1]) + body

    root, first = 20, 21
    sectors = first + (len(data) + 2047) // 2048
    volume = (b"\1CD001\1\0" + b" " * 32 + b"TEST".ljust(32) + bytes(8) + both("I", sectors) +
              bytes(32) + both("H", 1) + both("H", 1) + both("H", 2048) + both("I", 10) +
              struct.pack("<II", 18, 0) + struct.pack(">II", 19, 0) +
              record(b"\0", root, 2048, 2))
    volume += b" " * (813 - len(volume)) + b"0" * 16 + b"\0" + (b"0" * 16 + b"\0") * 3 + b"\1"
    entries = (record(b"\0", root, 2048, 2) + record(b"\1", root, 2048, 2) +
               record(name, first, len(data), 0))
    table = bytes([1, 0]) + struct.pack("<IH", root, 1) + b"\0\0"
    big_table = bytes([1, 0]) + struct.pack(">IH", root, 1) + b"\0\0"
    parts = {16: volume, 17: b"\xffCD001\1", 18: table, 19: big_table, root: entries, first: data}
    with open(path, "wb") as file:
        for sector, content in parts.items():
            file.seek(sector * 2048)
            file.write(content)
        file.truncate(sectors * 2048)


class Images:
    """What the guest gets: one file system in a raw and in a qcow2 image, and a CD."""

    def __init__(self, folder):
        self.raw, self.qcow2, self.cd = (f"{folder}/{n}" for n in ("a.raw", "b.qcow2", "c.iso"))
        tree = f"{folder}/tree"
        os.mkdir(tree)
        self.data = random.Random(1).randbytes(3000000)
        self.sum = hashlib.md5(self.data).hexdigest()
        with open(f"{tree}/data", "wb") as file:
            file.write(self.data)
        require_equal(run_tool("mke2fs", "-q", "-t", "ext4", "-d", tree, self.raw,
                               f"{DISK_BYTES >> 10}k")[0], 0)
        require_equal(run_tool("qemu-img", "convert", "-O", "qcow2", self.raw, self.qcow2)[0], 0)
        write_iso(self.cd, b"DATA.;1", self.data)

    def options(self):
        return ["-drive", f"file={self.raw},format=raw",
                "-drive", f"file={self.qcow2},format=qcow2,index=1", "-cdrom", self.cd]

    def as_raw(self):
        """The file systems as plain files."""
        copy = self.qcow2 + ".raw"
        require_equal(run_tool("qemu-img", "convert", "-O", "raw", self.qcow2, copy)[0], 0)
        return self.raw, copy


# -- Checks in the guest -------------------------------------------------------------------------


def check_drivers(console, machine):
    console.expect(r"Calque guest is up.*?\n/ # ", 300)
    console.shell("dmesg -n 1; load-disks; sleep 1", 120)
    require_equal(console.shell("uname -m"), machine)
    partitions = console.shell("cat /proc/partitions").split()
    for disk in ("sda", "sdb", "sr0"):
        require(disk in partitions, f"no {disk} in {partitions}")


def check_dma(console):
    for place in ("dev1.0", "dev1.1", "dev2.0"):
        mode = console.shell(f"cat /sys/class/ata_device/{place}/xfer_mode")
        require("DMA" in mode, f"{place} has mode {mode!r}")


def check_cd(console, images):
    text = console.shell("mkdir -p /cd; mount -t iso9660 /dev/sr0 /cd && md5sum </cd/data; "
                         "umount /cd", 120)
    require_equal(text.split()[:1], [images.sum])


def check_disk(console, images, disk):
    """What the image came with; a copy, from the disk again; a removed file."""
    text = console.shell(
        f"mkdir -p /{disk}; mount -t ext4 /dev/{disk} /{disk} && md5sum </{disk}/data; "
        f"cp /{disk}/data /{disk}/copy; mkdir /{disk}/d; "
        f"for i in $(seq 200); do echo $i >/{disk}/d/$i; done; rm /{disk}/d/1*; sync; "
        f"echo 3 >/proc/sys/vm/drop_caches; md5sum </{disk}/copy; ls /{disk}/d | wc -l", 120)
    words = [word for word in text.split() if word != "-"]
    require_equal(words, [images.sum, images.sum, "89"])


def check_raw_device(console, images):
    """The whole disk at once, past the file system."""
    with open(images.raw, "rb") as file:
        before = hashlib.md5(file.read()).hexdigest()
    require_equal(console.shell("md5sum </dev/sda", 120).split()[:1], [before])


def check_poweroff(console):
    console.send("umount /sda /sdb; poweroff -f")
    require_equal(console.wait_end(60), 0)


def check_messages(console):
    text = console.shell("dmesg | grep -iE 'ata[0-9.]+: .*(error|exception|failed|reset)|I/O error|"
                         "ext4.*error|timeout' || echo none")
    require_equal(text, "none")


# -- Checks of what is left ----------------------------------------------------------------------


def check_clean(images):
    require_equal(run_tool("qemu-img", "check", "-q", images.qcow2)[0], 0)
    for path in images.as_raw():
        status, text = run_tool("e2fsck", "-fn", path)
        require(status == 0, f"e2fsck of {path}: {text[-300:]!r}")
        require_equal(run_tool("debugfs", "-R", "cat copy", path)[1].split(b"\n", 1)[1],
                      images.data)


def kill_while_writing(console):
    """Kills the emulator while the guest writes to both disks; what it had synced before."""
    console.shell("for d in sda sdb; do mkdir /$d; mount -t ext4 /dev/$d /$d; done", 60)
    console.shell("for d in sda sdb; do cp /$d/data /$d/flushed; done; sync", 120)
    console.send("for d in sda sdb; do (while true; do dd if=/dev/zero of=/$d/junk bs=64k count=99; "
                 "sync; rm /$d/junk; done) >/dev/null 2>&1 & done; sleep 3; echo en''ough")
    console.expect("enough", 60)
    console.process.kill()
    console.process.wait()


def check_survived(images):
    # Clusters that are counted and not used are no harm.
    require(run_tool("qemu-img", "check", "-q", images.qcow2)[0] in (0, 3), "qemu-img check")
    for path in images.as_raw():
        status, text = run_tool("e2fsck", "-fy", path)
        require(status in (0, 1), f"e2fsck of {path}: {text[-300:]!r}")
        require_equal(run_tool("debugfs", "-R", "cat flushed", path)[1].split(b"\n", 1)[1],
                      images.data)


# -- The two boots -------------------------------------------------------------------------------


def boot(name, options, images, log):
    guest = f"{TOP}/guests/{name}"
    initrd = f"{images.raw}.initrd"
    with open(initrd, "wb") as file:
        for part in ("initrd.gz", "disks.gz"):
            with open(f"{guest}/{part}", "rb") as source:
                file.write(source.read())
    command = shlex.split(options.emulator) + [
        "-m", "256", "-nographic", "-no-reboot", "-kernel", f"{guest}/vmlinuz", "-initrd", initrd,
        "-append", "console=ttyS0 cryptomgr.notests quiet", *images.options()]
    return Console(command, f"{options.log_dir}/disk-{name}-{log}.log", options.scale)


def orderly(name, options, report, images):
    console = boot(name, options, images, "orderly")
    try:
        if not report.check("drivers", check_drivers, console, GUESTS[name][1]):
            return
        report.check("DMA", check_dma, console)
        report.check("CD-ROM", check_cd, console, images)
        report.check("whole disk", check_raw_device, console, images)
        report.check("raw", check_disk, console, images, "sda")
        report.check("qcow2", check_disk, console, images, "sdb")
        report.check("messages", check_messages, console)
        if report.check("poweroff", check_poweroff, console):
            report.check("clean", check_clean, images)
    finally:
        console.close()


def violent(name, options, report, images):
    console = boot(name, options, images, "killed")
    try:
        if report.check("drivers again", check_drivers, console, GUESTS[name][1]) and \
                report.check("kill", kill_while_writing, console):
            report.check("flushed data survive", check_survived, images)
    finally:
        console.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on all time limits")
    parser.add_argument("--log-dir", default=f"{TOP}/build", help="where console logs go")
    parser.add_argument("guests", nargs="*", help=f"of {', '.join(GUESTS)}")
    options = parser.parse_args()
    os.makedirs(options.log_dir, exist_ok=True)
    failed = False
    for name in options.guests or ["686"]:
        report = Report(f"disk {name}:")
        missing = [n for n in TOOLS if not tool(n)]
        if missing or not os.path.exists(f"{TOP}/guests/{name}/disks.gz"):
            print(f"skip disk {name}: no {missing or 'modules'}")
            continue
        for part in (orderly, violent):
            with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
                try:
                    part(name, options, report, Images(folder))
                except (Failure, OSError) as error:
                    print(f"FAIL disk {name}: {error}")
                    failed = True
        failed |= report.failed
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
