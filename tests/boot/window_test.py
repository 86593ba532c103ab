#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks at windows (-display sdl) of a virtual X server, and types and points there.

    window_test.py [--emulator build/calque] [--scale N] [NAME...]      (default: all)

Needs Xvfb, xdotool, xclip and xwd. Pictures are compared with what gallery.py computes and with
the monitor's screen dump, keys and movements with the state of the keyboard controller. Prints "ok window
NAME", "FAIL window NAME" or "skip window".
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys

import gallery
from machine import TOP, Failure, Machine, Report, require_equal, until
from screens_test import Demo

SCREEN = 1600, 1200
PROGRAMS = "Xvfb", "xdotool", "xclip", "xwd"


def read_xwd(data):
    """Width, height and the bytes of a window's dump."""
    head = struct.unpack(">25I", data[:100])
    size, width, height, stride, ncolors = head[0], head[4], head[5], head[12], head[19]
    if head[11] != 32 or head[7] != 0:
        raise Failure(f"a dump of {head[11]} bits a pixel, byte order {head[7]}")
    at = size + 12 * ncolors
    pixels = bytearray(width * height * 3)
    for y in range(height):
        row = data[at + y * stride:at + y * stride + width * 4]
        for colour in range(3):
            start = y * width * 3
            pixels[start + colour:start + 3 * width:3] = row[2 - colour::4]
    return width, height, bytes(pixels)


def xdotool(*words):
    return subprocess.run(["xdotool"] + [str(word) for word in words], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False).stdout.decode().split()


def copy(text):
    """To the clipboard; xclip stays to hand it out."""
    subprocess.run(["xclip", "-selection", "clipboard"], input=text, check=True,
                   stderr=subprocess.DEVNULL)


class Desktop:
    """A virtual X server, which DISPLAY names."""

    def __init__(self):
        reader, writer = os.pipe()
        self.server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24",
             "-nolisten", "tcp"], pass_fds=[writer], stderr=subprocess.DEVNULL)
        os.close(writer)
        with open(reader, encoding="ascii") as number:
            os.environ["DISPLAY"] = ":" + number.readline().strip()

    def close(self):
        self.server.send_signal(signal.SIGTERM)
        self.server.wait()


class Window:
    """The window of a machine, which is closed at the end of a `with`."""

    def __init__(self, make, emulator, arguments, scale):
        self.scale = scale
        self.machine = make(emulator, ["-display", "sdl", "-name", "the guest"] + arguments, scale,
                            env=dict(os.environ, SDL_RENDER_DRIVER="software"))
        self.monitor = self.machine.monitor

    def __enter__(self):
        try:
            self.id = self.wait(lambda: xdotool("search", "--name", "Calque - the guest"),
                                "no window")[0]
            xdotool("windowfocus", "--sync", self.id)
        except BaseException:
            self.machine.close()
            raise
        return self

    def __exit__(self, *_):
        self.machine.close()

    def wait(self, what, complaint):
        return until(what, 10 * self.scale, complaint)

    def dump(self):
        return read_xwd(subprocess.check_output(["xwd", "-silent", "-id", self.id]))

    def expect(self, picture):
        gallery.expect_picture(self.dump, picture, 20 * self.scale)


    def has_mouse(self):
        return bool(xdotool("search", "--name", "frees the mouse"))


def demo(emulator, scale):
    return Window(Demo, emulator, [], scale)


def disk(emulator, scale):
    def make(emulator, arguments, scale, **popen):
        return Machine(emulator, arguments, None, scale, **popen)
    return Window(make, emulator, gallery.ARGUMENTS, scale)


def test_no_display(emulator, scale):
    nowhere = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    status = subprocess.run(emulator + ["-display", "sdl"], env=nowhere, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            timeout=20 * scale, check=False).returncode
    require_equal(status, 1)


def test_text(emulator, scale):
    with demo(emulator, scale) as window:
        window.monitor.command("stop")      # the cursor stands still
        window.wait(lambda: window.dump() == window.machine.picture(), "it shows another picture")


def test_gallery(emulator, scale):
    with disk(emulator, scale) as window:
        for _, *expected in gallery.pictures():
            window.expect(tuple(expected))
            xdotool("key", "space")
        window.monitor.wait_screen("That was all.", 10)


def test_keys(emulator, scale):
    with demo(emulator, scale) as window:
        for key, code in (("a", "1c"), ("Escape", "76"), ("F1", "5"), ("Return", "5a")):
            xdotool("keydown", key)
            window.machine.expect_scan(code)
            xdotool("keyup", key)
        window.machine.expect_scan("5a")
        copy(b"Pasted: 2*(3+4) ~ {x_Y}")
        xdotool("key", "ctrl+alt+v")
        window.monitor.wait_screen("Pasted: 2*(3+4) ~ {x_Y}", 10)


def test_mouse(emulator, scale):
    with demo(emulator, scale) as window:
        xdotool("mousemove", "--window", window.id, 300, 200, "click", 1)       # takes the mouse
        window.wait(window.has_mouse, "no grab")
        xdotool("mousedown", 3)
        window.machine.expect_mouse(r"\n    buttons = 2\n")
        xdotool("mouseup", 3, "key", "ctrl+alt+g")
        window.wait(lambda: not window.has_mouse(), "no release")


TESTS = {"without a display": test_no_display, "text": test_text, "gallery": test_gallery,
         "keys": test_keys, "mouse": test_mouse}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--scale", type=float, default=3, help="stretches every time limit")
    parser.add_argument("names", nargs="*", default=list(TESTS))
    options = parser.parse_args()
    emulator = shlex.split(options.emulator)
    there = subprocess.check_output(emulator + ["-display", "help"]).decode()
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if re.search("^sdl .*not in this program", there, re.MULTILINE) or missing:
        print(f"skip window: not here: {', '.join(missing) or 'SDL'}")
        return 0
    report = Report("window")
    desktop = Desktop()
    try:
        for name in options.names:
            report.check(name, TESTS[name], emulator, options.scale)
    finally:
        desktop.close()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
