#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the guest gallery (tests/guests/gallery.asm) must show, computed here, and whether it does.

    gallery.py [--emulator build/calque] [--scale N]
    gallery.py --emulator 'qemu-system-i386 -vga none -device VGA,romfile=build/vga.bin'
    gallery.py --write 1 docs/gallery.png

Looks at each picture by the monitor's screendump and prints "ok gallery NAME" or "FAIL gallery NAME". With
--write, one of those that are computed goes to a file. Nothing but the font is taken from Calque.
"""

import argparse
import re
import shlex
import struct
import sys
import time
import zlib

from machine import TOP, Machine, Report, require

DISK = f"{TOP}/build/guests/gallery.bin"
ARGUMENTS = ["-m", "16", "-serial", "none", "-drive",
             f"file={DISK},if=floppy,format=raw,readonly=on"]


def read_font():
    """16 bytes a character."""
    font = []
    with open(f"{TOP}/bios/vga_font16.asm", encoding="ascii") as file:
        for row in re.findall(r"^ +G +([0-9a-fx,]+)", file.read(), re.MULTILINE):
            first, *dots = [int(value, 0) for value in row.split(",")]
            font.append(([0] * first + dots + [0] * 16)[:16])
    return font


class Canvas:
    """Values of pixels, by (x, y)."""

    def __init__(self, width, height, ground, ink):
        self.width, self.height, self.ink = width, height, ink
        self.pixels = [ground(x, y) for y in range(height) for x in range(width)]

    def plot(self, x, y):
        self.pixels[y * self.width + x] = self.ink

    def frame(self):
        for x in range(self.width):
            self.plot(x, 0)
            self.plot(x, self.height - 1)
        for y in range(self.height):
            self.plot(0, y)
            self.plot(self.width - 1, y)

    def line(self, x, y, to_x, to_y):
        """Bresenham's."""
        far_x, far_y = abs(to_x - x), -abs(to_y - y)
        error = far_x + far_y
        self.plot(x, y)
        while (x, y) != (to_x, to_y):
            double = 2 * error
            if double >= far_y:
                error += far_y
                x += 1 if to_x > x else -1
            if double <= far_x:
                error += far_x
                y += 1 if to_y > y else -1
            self.plot(x, y)

    def corners(self):
        """Envelopes of curves, at the bottom left and the top right."""
        half, right, bottom = self.height // 2, self.width - 1, self.height - 1
        for k in range(17):
            step = half * k // 16
            self.line(0, bottom - half + step, step, bottom)
            self.line(right, half - step, right - step, 0)

    def text(self, font, x, y, scale, text):
        for code in text:
            for row in range(16 * scale):
                for column in range(8 * scale):
                    if font[code][row // scale] & 0x80 >> column // scale:
                        self.plot(x + column, y + row)
            x += 8 * scale

    def texts(self, font, mode):
        x, y, scale = self.width // 16, self.height // 16, self.height // 128
        self.text(font, x, y, scale, b"Calque")
        self.text(font, x, y + 18 * scale, scale // 2, mode.encode())
        x, y = self.width - 65 * 8, self.height - 5 * 16
        self.text(font, x, y, 1, range(1, 64))
        for row in range(1, 4):
            self.text(font, x, y + 16 * row, 1, range(64 * row, 64 * row + 64))


def slopes(width, height):
    """Colours that rise and fall, and three discs of light in the middle."""
    unit = height // 8
    discs = ((0, -1, 0xff0000), (-1, 1, 0x00ff00), (1, 1, 0x0000ff))

    def ground(x, y):
        light = 0
        for across, down, color in discs:
            if ((width // 2 + across * unit - x) ** 2 + (height // 2 + down * unit - y) ** 2
                    < (2 * unit) ** 2):
                light |= color
        red = 256 * x // width
        return light or red << 16 | 256 * y // height << 8 | 255 - red
    return ground


def rings(width, height):
    return lambda x, y: ((width // 2 - x) ** 2 + (height // 2 - y) ** 2 >> 6) & 255


def split(color):
    return bytes((color >> 16, color >> 8 & 255, color & 255))


def through_565(color):
    """What is left of a colour in 16 bits: the upper bits fill what is missing below."""
    red, green, blue = color >> 19, color >> 10 & 63, color >> 3 & 31
    return bytes((red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2))


def palette(turn):
    """Blue rises and falls from `turn` on, green and red later."""
    def wave(n):
        n &= 255
        return 2 * (n if n < 128 else 255 - n)
    return [bytes(wave(n + turn + 85 * part) for part in (2, 1, 0)) for n in range(255)] + [
        b"\xff\xff\xff"]


def picture(width, height, bits, ground, ink):
    canvas = Canvas(width, height, ground(width, height), ink)
    canvas.frame()
    canvas.corners()
    canvas.texts(read_font(), f"{width}x{height}x{bits}")
    return canvas.pixels


def pictures():
    """Name, width, height, and the bytes red, green, blue of each, in the guest's order."""
    direct = picture(1024, 768, 32, slopes, 0xffffff)
    yield "linear, 32 bits", 1024, 768, b"".join(map(split, direct))
    colors = picture(640, 480, 8, rings, 255)
    for name, turn in (("256 colours", 0), ("another palette", 100)):
        yield name, 640, 480, b"".join(map(palette(turn).__getitem__, colors))
    window = picture(800, 600, 16, slopes, 0xffffff)
    yield "windowed, 16 bits", 800, 600, b"".join(map(through_565, window))


def difference(found, expected):
    """What differs in (width, height, bytes), in words."""
    if found[:2] != expected[:2]:
        return f"it has {found[0]}x{found[1]} pixels, not {expected[0]}x{expected[1]}"
    wrong = [k for k in range(0, len(found[2]), 3) if found[2][k:k + 3] != expected[2][k:k + 3]]
    at = wrong[0]
    return (f"{len(wrong)} pixels differ, first x={at // 3 % found[0]} y={at // 3 // found[0]}:"
            f" {found[2][at:at + 3].hex()}, expected {expected[2][at:at + 3].hex()}")


def write_png(path, width, height, pixels):
    """Lines as differences from those above, which slopes make small."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(
            ">I", zlib.crc32(name + data))
    above, lines = bytes(3 * width), b""
    for at in range(0, len(pixels), 3 * width):
        line = pixels[at:at + 3 * width]
        lines += b"\2" + bytes((a - b) & 255 for a, b in zip(line, above))
        above = line
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" +
                   chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b""))


def expect_picture(look, expected, seconds):
    """Waits until look() gives the expected width, height and bytes."""
    deadline = time.monotonic() + seconds
    while (found := look()) != expected:
        require(time.monotonic() < deadline, difference(found, expected))
        time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--scale", type=float, default=3, help="stretches every time limit")
    parser.add_argument("--write", nargs=2, metavar=("NUMBER", "FILE"))
    options = parser.parse_args()
    if options.write:
        write_png(options.write[1], *list(pictures())[int(options.write[0]) - 1][1:])
        return 0
    report = Report("gallery")
    machine = Machine(shlex.split(options.emulator), ARGUMENTS + ["-display", "none"], None,
                      options.scale)
    try:
        for name, *expected in pictures():
            report.check(name, expect_picture, machine.picture, tuple(expected),
                         20 * options.scale)
            machine.monitor.command("sendkey spc")
    finally:
        machine.close()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
