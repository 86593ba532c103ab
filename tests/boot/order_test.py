#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which device Calque's BIOS boots from: the boot order and the boot menu, by screen and keyboard.

    order_test.py [--emulator build/calque] [--scale N]

Each device has a boot sector, or a ROM, that shows its name and the number in DL. Each check prints
one line.
"""

import argparse
import os
import shlex
import sys
import tempfile

from machine import TOP, Failure, Machine, Report, require, run_tool

# NAME is what it shows. A ROM boots by its bootstrap entry vector, from the segment in CS.
SHOW = """
        push    cs
        pop     ds
        mov     si, name
        mov     bx, 7
.char:  lodsb
        mov     ah, 0x0e
        int     0x10
        cmp     al, ' '
        jne     .char
        mov     al, dl
        aam     16
        add     ax, '00'
        xchg    al, ah
        push    ax
        mov     ah, 0x0e
        int     0x10
        pop     ax
        mov     al, ah
        mov     ah, 0x0e
        int     0x10
.halt:  hlt
        jmp     .halt
name:   db      10, "NAME "
"""
SECTOR = "        org 0x7c00\n" + SHOW + """
        times   510 - ($ - $$) db 0
        dw      0xaa55
"""
ROM = """
        db      0x55, 0xaa, 1
        mov     ax, 0x20
        retf
        times   0x1a - ($ - $$) db 0
        dw      header
header: db      "$PnP", 1, 2
        dw      0
        db      0, 0
        dd      0
        dw      0, product
        db      2, 0, 0, 0x14
        dw      0, 0, start, 0, 0
product:
        db      "Fast Ethernet", 0
start:
""" + SHOW + """
        times   512 - ($ - $$) db 0
"""


def assemble(path, text, name, size):
    """An image of `size` bytes, whose first sector is the text; a ROM's sum is zero."""
    with open(f"{path}.asm", "w", encoding="ascii") as file:
        file.write("bits 16\n" + text.replace("NAME", name))
    status, output = run_tool("nasm", "-f", "bin", "-o", path, f"{path}.asm")
    require(status == 0, output.decode())
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        if text is ROM:
            data[-1] = -sum(data) & 0xff
        file.seek(0)
        file.write(data)
        file.truncate(size)


class Devices:
    """A floppy, an empty disk, two disks with a system, a network ROM."""

    def __init__(self, folder):
        for name in ("floppy", "first", "second"):
            assemble(f"{folder}/{name}", SECTOR, name, 1440 << 10 if name == "floppy" else 3 << 20)
        assemble(f"{folder}/rom", ROM, "network", 512)
        with open(f"{folder}/empty", "wb") as file:
            file.truncate(5 << 20)
        self.options = ["-drive", f"if=floppy,format=raw,file={folder}/floppy",
                        "-option-rom", f"{folder}/rom"]
        for index, name in enumerate(("empty", "first", "second")):
            self.options += ["-drive", f"if=ide,index={index},format=raw,file={folder}/{name}"]

    def start(self, options, *arguments):
        return Machine(shlex.split(options.emulator) + ["-display", "none", "-nic", "none"],
                       [*self.options, *arguments], os.devnull, options.scale)


def check_order(options, devices, order, shown):
    machine = devices.start(options, "-boot", order)
    try:
        machine.monitor.wait_screen(shown, 20)
    finally:
        machine.close()


def check_once(options, devices):
    machine = devices.start(options, "-boot", "order=c,once=a")
    try:
        machine.monitor.wait_screen("floppy 00", 20)
        machine.monitor.command("system_reset")
        machine.monitor.wait_screen("first 80", 20)
    finally:
        machine.close()


def check_menu(options, devices, key, shown):
    machine = devices.start(options, "-boot", "menu=on,splash-time=60000")
    try:
        machine.monitor.wait_screen("Press F12", 20)
        machine.monitor.command("sendkey f12")
        machine.monitor.wait_screen("5. network 1, Fast Ethernet", 20)
        for line in ("1. floppy 1", "2. hard disk 1, 5 MiB", "3. hard disk 2, 3 MiB",
                     "4. hard disk 3, 3 MiB"):
            if line not in machine.monitor.screen():
                raise Failure(f"no {line!r} in {machine.monitor.screen().strip()!r}")
        machine.monitor.command(f"sendkey {key}")
        machine.monitor.wait_screen(shown, 20)
    finally:
        machine.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--scale", type=float, default=3, help="stretches every time limit")
    options = parser.parse_args()
    report = Report("boot order:")
    with tempfile.TemporaryDirectory() as folder:
        devices = Devices(folder)
        for order, shown in {"a": "floppy 00", "c": "first 80", "ca": "first 80",
                             "n": "network", "nc": "network"}.items():
            report.check(order, check_order, options, devices, order, shown)
        report.check("once", check_once, options, devices)
        for key, shown in {"1": "floppy 00", "2": "first 80", "3": "first 80", "4": "second 80",
                           "5": "network", "esc": "first 80"}.items():
            report.check(f"menu {key}", check_menu, options, devices, key, shown)
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
