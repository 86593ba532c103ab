#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Moves the mouse in every way there is, and looks at what a guest's drivers count.

    mouse_test.py [--emulator build/calque] [--scale N] [monitor|vnc|window...]     (default: all)

The guest is tests/guests/mouse.asm: the BIOS's mouse and a driver that knows the wheel. Prints "ok mouse
NAME", "FAIL mouse NAME" or "skip mouse NAME".
"""

import argparse
import re
import shlex
import shutil
import subprocess
import sys

from machine import TOP, Machine, Report
from screens_test import Client, free_port
from window_test import PROGRAMS, Desktop, Window, xdotool

ARGUMENTS = ["-m", "16", "-serial", "none", "-drive",
             f"file={TOP}/build/guests/mouse.bin,if=floppy,format=raw,readonly=on"]


def guest(emulator, arguments, scale, **popen):
    machine = Machine(emulator, ARGUMENTS + arguments, None, scale, **popen)
    expect(machine.monitor, "bios", 0, 0, 0, 0)
    return machine


def expect(monitor, name, x, y, z, buttons):
    """Upwards is positive, and so is the wheel towards the user."""
    monitor.wait_screen(f"{name}: x {x} y {y} z {z} buttons {buttons}\n", 10)


def next_driver(monitor, name):
    monitor.command("sendkey spc")
    expect(monitor, name, 0, 0, 0, 0)


def test_monitor(emulator, scale):
    machine = guest(emulator, ["-display", "none"], scale)
    monitor = machine.monitor
    try:
        for name, wheel in (("bios", False), ("driver", True), ("bios", False), ("driver", True)):
            monitor.command("mouse_move 7 -4")
            expect(monitor, name, 7, 4, 0, 0)
            monitor.command("mouse_move -1300 500")     # of several packets
            expect(monitor, name, -1293, -496, 0, 0)
            monitor.command("mouse_move 0 0 3")         # away from the user
            monitor.command("mouse_move 1 0 -40")
            z = 37 if wheel else 0
            expect(monitor, name, -1292, -496, z, 0)
            # the monitor counts the middle button before the right one, a mouse does not
            for state, buttons in ((1, 1), (4, 2), (2, 4), (7, 7), (0, 0)):
                monitor.command(f"mouse_button {state}")
                expect(monitor, name, -1292, -496, z, buttons)
            monitor.command("mouse_button 1")
            monitor.command("mouse_move 5 5")           # dragged
            expect(monitor, name, -1287, -501, z, 1)
            monitor.command("mouse_button 0")
            next_driver(monitor, "bios" if wheel else "driver")
    finally:
        machine.close()


def test_vnc(emulator, scale):
    port = free_port()
    while port < 5900:
        port = free_port()
    machine = guest(emulator, ["-vnc", f"127.0.0.1:{port - 5900}"], scale)
    monitor = machine.monitor
    try:
        client = Client(port, 10 * scale)
        client.enter()
        next_driver(monitor, "driver")
        client.pointer(0, 100, 100)             # where it is at first is no movement
        client.pointer(0, 110, 90)
        expect(monitor, "driver", 10, 10, 0, 0)
        for mask, buttons in ((1, 1), (2, 4), (4, 2), (0, 0)):
            client.pointer(mask, 110, 90)
            expect(monitor, "driver", 10, 10, 0, buttons)
        client.pointer(8, 110, 90)              # wheel
        client.pointer(8, 111, 90)              # it has not turned further
        expect(monitor, "driver", 11, 10, -1, 0)
        for _ in range(3):
            client.pointer(0, 111, 90)
            client.pointer(16, 111, 90)
        client.pointer(0, 111, 90)
        expect(monitor, "driver", 11, 10, 2, 0)
    finally:
        machine.close()


def test_window(emulator, scale):
    desktop = Desktop()
    try:
        with Window(guest, emulator, [], scale) as window:
            next_driver(window.monitor, "driver")
            xdotool("mousemove", "--window", window.id, 300, 200, "click", 1)   # takes the mouse
            window.wait(window.has_mouse, "no grab")
            xdotool("mousemove_relative", "--", -30, 12)
            expect(window.monitor, "driver", -30, -12, 0, 0)
            for button, buttons in ((1, 1), (2, 4), (3, 2)):
                xdotool("mousedown", button)
                expect(window.monitor, "driver", -30, -12, 0, buttons)
                xdotool("mouseup", button)
            xdotool("click", 4)
            expect(window.monitor, "driver", -30, -12, -1, 0)
            xdotool("click", 5, "click", 5)
            expect(window.monitor, "driver", -30, -12, 1, 0)
    finally:
        desktop.close()


TESTS = {"monitor": test_monitor, "vnc": test_vnc, "window": test_window}
SCREENS = {"vnc": "vnc", "window": "sdl"}


def missing(name, emulator):
    """Why a test can't run, or None."""
    there = subprocess.check_output(emulator + ["-display", "help"]).decode()
    if name in SCREENS and re.search(f"^{SCREENS[name]} .*not in this program", there,
                                     re.MULTILINE):
        return "not in this program"
    if name == "window" and not all(map(shutil.which, PROGRAMS)):
        return f"not all of these are here: {', '.join(PROGRAMS)}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--scale", type=float, default=3, help="stretches every time limit")
    parser.add_argument("names", nargs="*", default=list(TESTS))
    options = parser.parse_args()
    emulator = shlex.split(options.emulator)
    report = Report("mouse")
    for name in options.names:
        reason = missing(name, emulator)
        if reason:
            print(f"skip mouse {name}: {reason}", flush=True)
        else:
            report.check(name, TESTS[name], emulator, options.scale)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
