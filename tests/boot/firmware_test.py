#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Firmware other than PCs' BIOSes, given with -bios: OVMF to its shell, U-Boot to its prompt, typed at
over the serial console.

    firmware_test.py [--emulator build/calque] [--scale N] [ovmf|u-boot|u-boot-64...]

The firmware and the disk are those of make-loaders.sh. Prints a line per check, as boot_test.py does.
QEMU is tested with --emulator "qemu-system-x86_64".
"""

import argparse
import os
import shlex
import sys

from machine import TOP, Console, Report, require_equal

MEDIA = f"{TOP}/guests/loaders"
DEBS = f"{MEDIA}/.debs"


class Firmware(Console):
    """A machine whose firmware talks on its first serial port."""

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\r")

    def ask(self, command, answer, prompt):
        self.type(command)
        self.expect(answer, 60)
        self.expect(prompt, 60)


def ovmf(guest):
    """The boot manager finds nothing and starts the shell."""
    prompt = r"Shell> $"
    guest.expect(r"UEFI Interactive Shell v2\.\d", 120)
    guest.expect(r"Shell> ", 60)
    guest.ask("ver", r"UEFI v2\.\d+ \(EDK II", prompt)
    guest.ask("set -v calque \"a variable\"", "", prompt)
    guest.ask("set calque", r"calque = a variable", prompt)
    guest.ask("pci", r"Intel|8086", prompt)
    guest.type("reset -c")
    guest.expect(r"UEFI Interactive Shell v2\.\d", 120)
    guest.expect(r"Shell> ", 60)
    guest.type("reset -s")
    require_equal(guest.wait_end(30), 0)


def u_boot(bits):
    """The prompt, a file on the disk, a reset."""
    def act(guest):
        prompt = r"=> $"
        guest.expect(r"U-Boot 20.*DRAM:  256 MiB", 60)
        guest.expect(r"stop autoboot", 60)
        guest.type("")
        guest.expect(prompt, 60)
        guest.ask("bdinfo", rf"Build\s+= {bits}-bit", prompt)
        guest.ask("ide reset", r"Device 0: Model: ", prompt)
        guest.ask("fatls ide 0:1", r"syslinux\.cfg", prompt)
        guest.ask("load ide 0:1 1000000 memtest", r"\d{6} bytes read", prompt)
        guest.type("reset")
        guest.expect(r"stop autoboot", 60)
    return act


DISK = ["-snapshot", "-hda", f"{MEDIA}/syslinux-disk.img"]
# Name: what is done, the firmware, what else the emulator gets.
PARTS = {
    "ovmf": (ovmf, "ovmf/OVMF.fd", []),
    "u-boot": (u_boot(32), "../lib/u-boot/qemu-x86/u-boot.rom", DISK),
    "u-boot-64": (u_boot(64), "../lib/u-boot/qemu-x86_64/u-boot.rom", DISK),
}


def run(options, name):
    act, image, arguments = PARTS[name]
    guest = Firmware(shlex.split(options.emulator) +
                     ["-m", "256", "-display", "none", "-serial", "stdio",
                      "-bios", f"{DEBS}/usr/share/{image}", *arguments],
                     f"{options.log_dir}/firmware-{name}.log", options.scale)
    try:
        act(guest)
    finally:
        guest.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on all time limits")
    parser.add_argument("--log-dir", default=f"{TOP}/build", help="where logs go")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PARTS)}")
    options = parser.parse_args()
    os.makedirs(options.log_dir, exist_ok=True)
    report = Report("boot firmware:")
    for name in options.names or PARTS:
        report.check(name, run, options, name)
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
