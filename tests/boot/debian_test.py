#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Debian from its own disk and Debian's installer, looked at on the screen and typed at.

    debian_test.py [--emulator build/calque] [--scale N] [--all] [NAME...]

A disk of make-debian.sh is started by the firmware and GRUB up to its login, used, started again
and switched off; another time the emulator is killed while the guest writes. The installer comes
from fetch-installer.sh. Without --all or names, what tells most in little time. Prints a line per
check, as boot_test.py does; the monitor's conversations go to build/debian-*.log.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

from machine import TOP, Failure, Machine, Report, require, require_equal, run_tool, tool, until

SEABIOS = "/usr/share/seabios/bios-256k.bin"
ISOLINUX = "/usr/lib/ISOLINUX/isolinux.bin"
FLUSHED = "".join(f"{n}\n" for n in range(1, 200001)).encode()


# -- The system on a disk ------------------------------------------------------------------------


class Disk:
    """A copy of a disk as a raw or qcow2 image."""

    def __init__(self, arch, image_format, folder):
        self.format = image_format
        self.path = f"{folder}/disk.{image_format}"
        source = f"{TOP}/guests/debian-{arch}.img"
        require_equal(run_tool("qemu-img", "convert", "-f", "raw", "-O", image_format, source,
                               self.path)[0], 0)

    def partition(self):
        """The file system, in a file of its own."""
        copy = f"{self.path}.raw"
        require_equal(run_tool("qemu-img", "convert", "-f", self.format, "-O", "raw", self.path,
                               copy)[0], 0)
        require_equal(run_tool("dd", f"if={copy}", f"of={copy}.1", "bs=1M", "skip=1",
                               "conv=sparse")[0], 0)
        return f"{copy}.1"


class Debian(Machine):
    """Debian on a disk, from GRUB to the shell."""

    def __init__(self, disk, options, log, arguments):
        super().__init__(shlex.split(options.emulator),
                         ["-m", "512", "-display", "none", "-serial", "none", "-drive",
                          f"file={disk.path},format={disk.format}", *arguments],
                         log, options.scale)
        self.commands = 0

    def boot(self):
        self.monitor.wait_screen("GNU GRUB", 30)
        self.monitor.command("sendkey ret")
        self.monitor.wait_screen("calque login:", 180)

    def login(self):
        self.monitor.type("root\n")
        self.monitor.wait_screen("Password:", 60)
        self.monitor.type("calque\n")
        self.monitor.wait_screen("root@calque:~#", 60)

    def shell(self, command, seconds=60):
        """Types a command and returns what it shows."""
        self.commands += 1
        number = self.commands
        # The quotes keep what is typed from looking like the markers.
        self.monitor.type(f"echo be''gin{number}; {command}; echo en''d{number}\n")
        self.monitor.wait_screen(f"\nend{number}\n", seconds)
        return re.search(rf"\nbegin{number}\n(.*?)\n?end{number}\n", self.monitor.screen(),
                         re.DOTALL).group(1).strip()


def check_system(machine, arch):
    """It is whole, and nothing failed on the way."""
    require_equal(machine.shell("dpkg --print-architecture; dpkg --audit | wc -l"), f"{arch}\n0")
    count = int(machine.shell("dpkg -l | grep -c ^ii"))
    require(count > 60, f"{count} packages")
    text = machine.shell("apt-get --version | head -n 1")
    require(text.startswith("apt 2."), f"apt-get says {text!r}")
    require_equal(machine.shell("systemctl is-system-running --wait; systemctl --failed -q"),
                  "running")


def check_dma(machine):
    text = machine.shell("cat /sys/class/ata_device/dev1.0/xfer_mode; "
                         "grep -c ata_piix /proc/interrupts")
    require(re.fullmatch(r".*DMA.*\n[12]", text), f"disks work by {text!r}")


def check_files(machine):
    """A copy of many files, from the disk again, is what they are."""
    text = machine.shell("dmesg -n 1; cp -a /usr/bin bin; sync; "
                         "echo 3 >/proc/sys/vm/drop_caches; diff -r /usr/bin bin && echo same; "
                         "grep -c ' / ext4 rw' /proc/mounts", 180)
    require_equal(text, "same\n1")


def check_messages(machine):
    text = machine.shell("dmesg | grep -iE 'ata[0-9.]+: .*(error|exception|failed|reset)|I/O error|"
                         "ext4.*error|timeout|WARNING:|BUG:|Oops' || echo none")
    require_equal(text, "none")


def check_reboot(machine):
    """The system starts again and has what was written before."""
    start = machine.shell("echo kept >file; cat /proc/sys/kernel/random/boot_id")
    machine.monitor.type("reboot\n")
    machine.boot()
    machine.login()
    text = machine.shell("cat file /proc/sys/kernel/random/boot_id").split("\n")
    require_equal(text[0], "kept")
    require(text[1] != start, "it has not started again")


def check_poweroff(machine):
    machine.monitor.type("poweroff\n")
    require_equal(machine.wait_end(90), 0)


def check_clean(disk):
    if disk.format != "raw":
        require_equal(run_tool("qemu-img", "check", "-q", disk.path)[0], 0)
    status, text = run_tool("e2fsck", "-fn", disk.partition())
    require(status == 0, f"e2fsck says {text[-300:]!r}")


def check_kill(machine):
    """The emulator's end while the guest writes; before, something was flushed."""
    machine.shell("seq 200000 >flushed; sync", 120)
    machine.monitor.type("while cp -a /usr/bin junk; do sync; rm -r junk; done & sleep 4; "
                         "echo eno''ugh\n")
    machine.monitor.wait_screen("\nenough\n", 60)
    machine.process.kill()
    machine.process.wait()


def check_survived(disk):
    if disk.format != "raw":
        # Clusters that are counted and not used are no harm.
        require(run_tool("qemu-img", "check", "-q", disk.path)[0] in (0, 3), "qemu-img check")
    path = disk.partition()
    status, text = run_tool("e2fsck", "-p", path)
    require(status in (0, 1), f"e2fsck -p says {text[-300:]!r}")
    status, text = run_tool("e2fsck", "-fn", path)
    require(status == 0, f"e2fsck says {text[-300:]!r}")
    text = run_tool("debugfs", "-R", "cat /root/flushed", path)[1].split(b"\n", 1)[1]
    require(text == FLUSHED, f"of {len(FLUSHED)} bytes flushed, {len(text)} are there or differ")


def run_disk(name, options, report, arch, image_format, firmware, killed):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        disk = Disk(arch, image_format, folder)
        machine = Debian(disk, options, f"{options.log_dir}/debian-{name}.log", firmware)
        try:
            if not (report.check("login prompt", machine.boot) and
                    report.check("login", machine.login)):
                return
            if killed:
                if report.check("kill", check_kill, machine):
                    report.check("flushed data survive", check_survived, disk)
                return
            report.check("system", check_system, machine, arch)
            report.check("DMA", check_dma, machine)
            report.check("files", check_files, machine)
            report.check("messages", check_messages, machine)
            if report.check("reboot", check_reboot, machine) and \
                    report.check("poweroff", check_poweroff, machine):
                report.check("clean", check_clean, disk)
        finally:
            machine.close()


# -- The installer -------------------------------------------------------------------------------


class Installer(Machine):
    """Debian's installer with its text or its graphics."""

    def __init__(self, name, options, arguments):
        super().__init__(shlex.split(options.emulator),
                         ["-m", "1024", "-display", "none", "-serial", "none", *arguments],
                         f"{options.log_dir}/debian-{name}.log", options.scale)

    def still_picture(self, quiet=1, seconds=20):
        """The picture, once it stays the same for that long."""
        pictures = [self.picture()]

        def still():
            time.sleep(quiet)
            pictures.append(self.picture())
            return pictures[-1] == pictures[-2]
        until(still, seconds * self.scale, "the picture does not stand still")
        return pictures[-1]


def kernel(arch, kind, append):
    folder = f"{TOP}/guests/installer-{arch}"
    return ["-kernel", f"{folder}/linux", "-initrd", f"{folder}/{kind}.gz",
            "-append", f"{append} cryptomgr.notests --- quiet"]


def check_text_language(machine):
    machine.monitor.wait_screen("Select a language", 180)
    text = machine.monitor.screen()
    for word in ("Language:", "English", "<Go Back>"):
        require(word in text, f"no {word!r} on the screen")


def check_text_keys(machine):
    """The cursor's bar goes down and up again."""
    first = machine.still_picture()
    machine.monitor.command("sendkey down")
    until(lambda: machine.picture() != first, 10 * machine.scale, "nothing moves")
    machine.monitor.command("sendkey up")
    until(lambda: machine.picture() == first, 10 * machine.scale, "nothing moves back")


def check_text_enter(machine):
    machine.monitor.command("sendkey ret")
    machine.monitor.wait_screen("Select your location", 60)


def run_text(name, options, report, arch):
    machine = Installer(name, options, kernel(arch, "text", "vga=normal fb=false nomodeset"))
    try:
        if report.check("languages", check_text_language, machine):
            report.check("cursor keys", check_text_keys, machine)
            report.check("next screen", check_text_enter, machine)
    finally:
        machine.close()


def selected(machine):
    """The first line and the height of the list's selected row, which is of the banner's green."""
    width, height, data = machine.picture()
    if width < 800:
        return None
    lines = []
    for y in range(100, height - 60):
        red, green, blue = data[3 * (y * width + width - 200):][:3]
        if red < 64 and green > 110 and blue > 110:
            lines.append(y)
    return (lines[0], len(lines)) if lines else None


def check_gtk_language(machine):
    """The banner is above, and one row is selected."""
    until(lambda: selected(machine), 240 * machine.scale, "no list with a selected row")
    width, _, data = machine.still_picture()
    for y in range(70):
        require_equal(data[3 * (y * width + 20):][:3], bytes((5, 71, 92)))
    require(12 < selected(machine)[1] < 40, f"{selected(machine)[1]} lines are selected")


def check_gtk_keys(machine):
    """The selected row goes down and up again."""
    first, height = selected(machine)
    machine.monitor.command("sendkey down")
    until(lambda: height / 2 < selected(machine)[0] - first < height * 2, 20 * machine.scale,
          "the selection does not go down")
    machine.monitor.command("sendkey up")
    until(lambda: selected(machine)[0] == first, 20 * machine.scale,
          "the selection does not go up again")


def check_gtk_mouse(machine):
    """The mouse's pointer moves, and what it clicks on is selected."""
    first, _ = selected(machine)
    before = machine.picture()
    machine.monitor.command("mouse_move 0 100")
    until(lambda: machine.picture() != before, 20 * machine.scale, "the pointer stands still")
    machine.monitor.command("mouse_button 1")
    machine.monitor.command("mouse_button 0")
    until(lambda: selected(machine)[0] != first, 20 * machine.scale, "a click selects nothing")


def make_cd(arch, folder):
    """A CD like Debian's mini.iso: ISOLINUX, a menu in graphics, the installer."""
    source = f"{TOP}/guests/installer-{arch}"
    target = f"{folder}/cd/debian-installer/{arch}"
    shutil.copytree(f"{source}/boot-screens", f"{target}/boot-screens")
    os.link(f"{source}/linux", f"{target}/linux")
    os.link(f"{source}/gtk.gz", f"{target}/initrd.gz")
    for file in (ISOLINUX, f"{target}/boot-screens/ldlinux.c32"):
        shutil.copy(file, f"{folder}/cd")
    shutil.copy(f"{target}/boot-screens/syslinux.cfg", f"{folder}/cd/isolinux.cfg")
    status, text = run_tool("xorriso", "-as", "mkisofs", "-quiet", "-o", f"{folder}/mini.iso",
                            "-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot",
                            "-boot-load-size", "4", "-boot-info-table", f"{folder}/cd")
    require(status == 0, f"xorriso says {text[-300:]!r}")
    return f"{folder}/mini.iso"


def check_menu(machine):
    """The menu is drawn in graphics, and its bar goes up and down."""
    def colours():
        width, height, data = machine.picture()
        return (width, height) == (640, 480) and {data[i:i + 3] for i in range(0, len(data), 3)}

    until(lambda: len(colours() or ()) > 100, 30 * machine.scale, "no menu of 640 by 480 pixels")
    machine.monitor.command("sendkey down")     # and the seconds are counted no more
    lower = machine.still_picture(3)
    machine.monitor.command("sendkey up")
    until(lambda: machine.picture() != lower, 10 * machine.scale, "the bar does not go up")
    upper = machine.still_picture()
    for key, picture in (("down", lower), ("up", upper)):
        machine.monitor.command(f"sendkey {key}")
        until(lambda p=picture: machine.picture() == p, 10 * machine.scale,
              f"the bar does not go {key} again")
    machine.monitor.command("sendkey ret")


def run_cd(name, options, report, arch, firmware):
    with tempfile.TemporaryDirectory(dir=f"{TOP}/guests") as folder:
        machine = Installer(name, options, ["-cdrom", make_cd(arch, folder), *firmware])
        try:
            if report.check("menu", check_menu, machine) and \
                    report.check("languages", check_gtk_language, machine):
                report.check("cursor keys", check_gtk_keys, machine)
        finally:
            machine.close()


def run_gtk(name, options, report, arch):
    machine = Installer(name, options, kernel(arch, "gtk", "vga=788"))
    try:
        if report.check("languages", check_gtk_language, machine):
            report.check("cursor keys", check_gtk_keys, machine)
            report.check("mouse", check_gtk_mouse, machine)
    finally:
        machine.close()


# -- What there is -------------------------------------------------------------------------------


OWN, OTHER = [], ["-bios", SEABIOS]
DISK_NEEDS = ("e2fsck", "debugfs", "qemu-img")
CD_NEEDS = ("xorriso", ISOLINUX)
# Name: function, its arguments, what of the host it needs, whether it runs without being asked for.
PARTS = {
    "disk-amd64": (run_disk, ("amd64", "raw", OWN, False), DISK_NEEDS, True),
    "disk-amd64-killed": (run_disk, ("amd64", "qcow2", OTHER, True), (*DISK_NEEDS, SEABIOS), True),
    "disk-amd64-qcow2": (run_disk, ("amd64", "qcow2", OWN, False), DISK_NEEDS, False),
    "disk-amd64-seabios": (run_disk, ("amd64", "raw", OTHER, False), (*DISK_NEEDS, SEABIOS), False),
    "disk-i386": (run_disk, ("i386", "raw", OWN, False), DISK_NEEDS, False),
    "disk-i386-killed": (run_disk, ("i386", "qcow2", OWN, True), DISK_NEEDS, False),
    "installer-amd64-text": (run_text, ("amd64",), (), True),
    "installer-amd64-gtk": (run_gtk, ("amd64",), (), True),
    "installer-amd64-cd": (run_cd, ("amd64", OWN), CD_NEEDS, False),
    "installer-amd64-cd-seabios": (run_cd, ("amd64", OTHER), (*CD_NEEDS, SEABIOS), False),
    "installer-i386-text": (run_text, ("i386",), (), False),
    "installer-i386-gtk": (run_gtk, ("i386",), (), False),
    "installer-i386-cd": (run_cd, ("i386", OWN), CD_NEEDS, False),
}


def missing(name):
    """What a part lacks, or an empty string; what can be made for it is made."""
    kind, arch = name.split("-")[:2]
    lacking = [n for n in PARTS[name][2] if not (os.path.exists(n) if n[0] == "/" else tool(n))]
    make = {"disk": "make-debian.sh", "installer": "fetch-installer.sh"}[kind]
    if not lacking and subprocess.run([f"{TOP}/tests/boot/{make}", arch], check=False).returncode:
        lacking.append(f"result of {make}")
    return ", ".join(lacking)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on all time limits")
    parser.add_argument("--log-dir", default=f"{TOP}/build", help="where logs go")
    parser.add_argument("--all", action="store_true", help="every part")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PARTS)}")
    options = parser.parse_args()
    os.makedirs(options.log_dir, exist_ok=True)
    names = options.names or [n for n, part in PARTS.items() if part[3] or options.all]
    failed = False
    for name in names:
        lacking = missing(name)
        if lacking:
            print(f"skip debian {name}: no {lacking}", flush=True)
            continue
        report = Report(f"debian {name}:")
        function, arguments = PARTS[name][:2]
        try:
            function(name, options, report, *arguments)
        except (Failure, OSError) as error:
            print(f"FAIL debian {name}: {error}", flush=True)
            failed = True
        failed |= report.failed
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
