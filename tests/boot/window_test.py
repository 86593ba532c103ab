#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks at windows (-display sdl) of a virtual X server, and types and points there.

    window_test.py [--emulator build/calque] [--scale N] [NAME...]      (default: all)

Needs Xvfb, a window manager (jwm), xdotool, xclip, xwd and setxkbmap. Pictures are compared with what gallery.py computes and with
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
import tempfile
import time

import gallery
from machine import TOP, Failure, Machine, Report, require, require_equal, until
from screens_test import Demo

SCREEN = 1600, 1200
PROGRAMS = "Xvfb", "jwm", "xdotool", "xclip", "xwd", "setxkbmap"


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
    """A virtual X server, which DISPLAY names, and a window manager, without which nothing fills the screen."""

    def __init__(self):
        reader, writer = os.pipe()
        self.server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24",
             "-nolisten", "tcp"], pass_fds=[writer], stderr=subprocess.DEVNULL)
        os.close(writer)
        with open(reader, encoding="ascii") as number:
            os.environ["DISPLAY"] = ":" + number.readline().strip()
        # pylint: disable=consider-using-with
        self.rules = tempfile.NamedTemporaryFile("w", suffix=".jwmrc")
        self.rules.write("<JWM></JWM>")     # no keys and no bars of its own
        self.rules.flush()
        self.manager = subprocess.Popen(["jwm", "-f", self.rules.name], stderr=subprocess.DEVNULL)

    def close(self):
        self.server.send_signal(signal.SIGTERM)
        self.server.wait()
        self.manager.kill()
        self.manager.wait()
        self.rules.close()


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
            xdotool("windowactivate", "--sync", self.id)
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


    def resize(self, width, height):
        xdotool("windowmove", self.id, 10, 40, "windowsize", self.id, width, height)
        self.wait(lambda: self.dump()[:2] == (width, height), f"it does not become {width}x{height}")

    def has_mouse(self):
        return bool(xdotool("search", "--name", "frees the mouse"))


def demo(emulator, scale):
    return Window(Demo, emulator, [], scale)


def disk(emulator, scale):
    def make(emulator, arguments, scale, **popen):
        return Machine(emulator, arguments, None, scale, **popen)
    return Window(make, emulator, gallery.ARGUMENTS, scale)


def crop(picture, left, top, width, height):
    all_width, _, pixels = picture
    rows = (3 * ((top + y) * all_width + left) for y in range(height))
    return width, height, b"".join(pixels[at:at + 3 * width] for at in rows)


def require_scaled(found, picture):
    """Every seventh pixel of a larger picture is mixed of those around its place in the original."""
    (width, height, pixels), (from_width, from_height, source) = found, picture
    for y in range(0, height, 7):
        for x in range(0, width, 7):
            middle_x = (2 * x + 1) * from_width // (2 * width)
            middle_y = (2 * y + 1) * from_height // (2 * height)
            columns = range(max(middle_x - 1, 0), min(middle_x + 2, from_width))
            around = [3 * (row * from_width + column) for column in columns
                      for row in range(max(middle_y - 1, 0), min(middle_y + 2, from_height))]
            at = 3 * (y * width + x)
            for part in range(3):
                near = [source[k + part] for k in around]
                require(min(near) <= pixels[at + part] <= max(near),
                        f"x={x} y={y} of {width}x{height} has {pixels[at:at + 3].hex()}")


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


def test_scaling(emulator, scale):
    with disk(emulator, scale) as window:
        _, width, height, pixels = next(gallery.pictures())
        picture = width, height, pixels
        window.expect(picture)
        window.resize(1400, 768)            # too wide: black on both sides
        gallery.expect_picture(lambda: crop(window.dump(), 188, 0, width, height), picture,
                               10 * scale)
        for left in (0, 1400 - 188):
            require_equal(crop(window.dump(), left, 0, 188, height)[2].strip(b"\0"), b"")
        for size in ((1536, 1152), (800, 600)):
            window.resize(*size)
            time.sleep(0.5)                 # it is drawn
            require_scaled(window.dump(), picture)


def test_full_screen(emulator, scale):
    with demo(emulator, scale) as window:
        window.monitor.command("stop")
        picture = window.machine.picture()
        window.expect(picture)
        xdotool("key", "ctrl+alt+f")
        window.wait(lambda: window.dump()[:2] == SCREEN, "it does not fill the screen")
        time.sleep(0.5)                     # it is drawn
        found = window.dump()
        height = SCREEN[0] * 400 // 720
        above = (SCREEN[1] - height) // 2
        require_scaled(crop(found, 0, above, SCREEN[0], height), picture)
        for top in (0, above + height + 1):
            require_equal(crop(found, 0, top, SCREEN[0], above - 1)[2].strip(b"\0"), b"")
        window.machine.monitor.command("cont")
        xdotool("key", "a")
        window.machine.expect_scan("1c")
        window.machine.monitor.command("stop")
        xdotool("key", "ctrl+alt+f")
        window.wait(lambda: window.dump() == window.machine.picture(), "it is not as it was")


def test_keys(emulator, scale):
    with demo(emulator, scale) as window:
        for key, code in (("a", "1c"), ("Escape", "76"), ("F1", "5"), ("Return", "5a")):
            xdotool("keydown", key)
            window.machine.expect_scan(code)
            xdotool("keyup", key)
        window.machine.expect_scan("5a")


LAYOUTS = {
    "us": (("z", "1a"), ("backslash", "5d")),
    "de": (("z", "35"), ("y", "1a"), ("udiaeresis", "54"), ("plus", "5b"), ("less", "61"),
           ("numbersign", "5d"), ("ISO_Level3_Shift", "11")),
    "fr": (("a", "15"), ("q", "1c"), ("m", "4c"), ("ampersand", "16"), ("comma", "3a")),
    "ru": (("Cyrillic_ef", "1c"), ("Cyrillic_ya", "1a")),
}
CTRL_ALT_G = "37+64+42"                     # by places


def test_layouts(emulator, scale):
    """The guest gets the key at the same place, whatever is printed on it."""
    try:
        for layout, keys in LAYOUTS.items():
            subprocess.run(["setxkbmap", layout], check=True)
            with demo(emulator, scale) as window:
                for key, code in keys:
                    xdotool("keydown", key)
                    try:
                        window.machine.expect_scan(code)
                    except Failure as failure:
                        raise Failure(f"{layout}, {key}: {failure}") from None
                    finally:
                        xdotool("keyup", key)
                xdotool("key", CTRL_ALT_G)
                window.wait(window.has_mouse, f"{layout}: Ctrl-Alt-G does not take the mouse")
                xdotool("key", CTRL_ALT_G)
                window.wait(lambda: not window.has_mouse(), f"{layout}: nor frees it")
    finally:
        subprocess.run(["setxkbmap", "us"], check=True)


def test_clipboard(emulator, scale):
    """Line by line; what a US keyboard has not is left out."""
    with demo(emulator, scale) as window:
        copy("Two lines:\r\nä2*(3+4) ~ {x_Y} €1,-\nend".encode())
        xdotool("key", "ctrl+alt+v")
        window.monitor.wait_screen("calque> end", 20)
        for line in ("calque> Two lines:\n", "calque> 2*(3+4) ~ {x_Y} 1,-\n"):
            require(line in window.monitor.screen(), f"no {line!r} on the screen")

def test_mouse(emulator, scale):
    """What the mouse has counted: the guest does not ask for it."""
    def moves(x, y):
        xdotool("mousemove_relative", "--", x, y)
    with demo(emulator, scale) as window:
        xdotool("mousemove", "--window", window.id, 300, 200)
        moves(20, 20)                       # not the guest's yet
        xdotool("click", 1)                 # takes the mouse
        window.wait(window.has_mouse, "no grab")
        moves(7, -4)
        window.machine.expect_mouse(r"dx = 7\n    dy = 4\n    dz = 0\n")
        moves(-1000, 0)                     # the pointer would be outside
        moves(1500, 2)
        window.machine.expect_mouse(r"dx = 1fb\n    dy = 2\n")
        xdotool("click", 5, "click", 5, "click", 4)
        window.machine.expect_mouse(r"dz = 1\n")
        for button, buttons in ((1, 1), (3, 3), (2, 7)):
            xdotool("mousedown", button)
            window.machine.expect_mouse(rf"\n    buttons = {buttons}\n")
        xdotool("mouseup", 1, "mouseup", 2, "mouseup", 3)
        window.machine.expect_mouse(r"\n    buttons = 0\n")
        xdotool("key", "ctrl+alt+g")
        window.wait(lambda: not window.has_mouse(), "no release")
        xdotool("mousemove", "--window", window.id, 300, 200)
        moves(5, 5)
        xdotool("click", 3)
        window.wait(window.has_mouse, "no grab by the right button")
        window.machine.expect_mouse(r"\n    buttons = 0\n(?s:.*)dx = 1fb\n    dy = 2\n")


TESTS = {"without a display": test_no_display, "text": test_text, "gallery": test_gallery,
         "scaling": test_scaling, "full screen": test_full_screen, "keys": test_keys,
         "layouts": test_layouts, "clipboard": test_clipboard, "mouse": test_mouse}


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
