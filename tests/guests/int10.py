#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Walks through INT 10h of the VGA BIOS in the guest int10 and reports what is not as documented.

    int10.py                                                # on build/calque
    int10.py --emulator 'qemu-system-i386 -vga none -device VGA,romfile=build/vga.bin'

Each test prints one line, "ok guest int10: NAME" or "FAIL guest int10: NAME"; the status is 1 if one
failed. Expected values come from IBM's and VESA's documents (see bios/vga.asm), not from the BIOS.
"""

import argparse
import os
import shlex
import struct
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tests/boot")
from machine import leashed  # noqa: E402 (found through the line above)
BUFFER = 0x20000            # for what functions take from memory or store there
NAMES = ["ax", "bx", "cx", "dx", "si", "di", "bp"]


class Wrong(Exception):
    """What a check found."""


def equal(what, found, expected):
    if found != expected:
        def show(value):
            return f"{value:x}" if isinstance(value, int) else repr(value)
        raise Wrong(f"{what}: {show(found)}, expected {show(expected)}")


class Machine:
    """The guest at the other end of a serial port."""

    def __init__(self, emulator, image):
        command = shlex.split(emulator) + [
            "-m", "16", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4", "-kernel", image]
        self.process = subprocess.Popen(leashed(command), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        while b"ready" not in (line := self.process.stdout.readline()):
            if not line:
                raise Wrong("the guest does not start")
        self.mask = self.get(0x3c6)             # QEMU's VGA has no such register

    def ask(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode().strip()
        if not answer and self.process.poll() is not None:
            raise Wrong("the emulator ended")
        return answer

    def call(self, ax, **regs):
        """INT 10h. Registers not given are filled with a pattern, so that their halves are seen."""
        values = {name: 0xabcd0000 | 0x1111 * k for k, name in enumerate(NAMES, 2)}
        values.update({"es": BUFFER >> 4, **regs})
        values["ax"] = ax
        for name in regs:
            values[name] = regs[name] if name == "es" else values[name] & 0xffffffff
        text = "".join(f"{values[name]:08x}" for name in NAMES) + f"{values['es']:04x}"
        answer = self.ask("c" + text)
        found = {name: int(answer[8 * k:8 * k + 8], 16) for k, name in enumerate(NAMES)}
        found["es"] = int(answer[56:60], 16)
        equal(f"INT 10h AX={ax:04x}: segments, flags and stack", int(answer[60:68], 16), 0)
        for name in NAMES:
            equal(f"INT 10h AX={ax:04x}: upper half of E{name}", found[name] >> 16,
                  values[name] >> 16)
            found[name] &= 0xffff
        found["changed"] = sorted(n for n in NAMES[1:] if found[n] != values[n] & 0xffff)
        return found

    def call32(self, address, **regs):
        """32-bit code; EAX, EBX, ECX, EDX of what it returns."""
        names = ["eax", "ebx", "ecx", "edx", "edi"]
        answer = self.ask(f"f{address:08x}" + "".join(f"{regs.get(n, 0):08x}" for n in names))
        return {name: int(answer[8 * k:8 * k + 8], 16) for k, name in enumerate(names[:4])}

    def read(self, address, count):
        data = b""
        while count > 0:
            part = min(count, 0x4000)
            data += bytes.fromhex(self.ask(f"r{address:08x}{part:08x}"))
            address += part
            count -= part
        return data

    def read16(self, address):
        return struct.unpack("<H", self.read(address, 2))[0]

    def read32(self, address):
        return struct.unpack("<I", self.read(address, 4))[0]

    def far(self, address):
        """The linear address that a far pointer at an address leads to."""
        offset, segment = struct.unpack("<HH", self.read(address, 4))
        return segment * 16 + offset

    def write(self, address, data):
        self.ask(f"w{address:08x}{len(data):08x}{data.hex()}")

    def get(self, port):
        return int(self.ask(f"i{port:04x}"), 16)

    def put(self, port, value):
        self.ask(f"o{port:04x}{value:02x}")

    def get_index(self, port, index):
        self.put(port, index)
        return self.get(port + 1)

    def crtc(self, index):
        return self.get_index(self.read16(0x463), index)

    def attribute(self, index):
        self.get(self.read16(0x463) + 6)
        self.put(0x3c0, index)
        value = self.get(0x3c1)
        self.get(self.read16(0x463) + 6)
        self.put(0x3c0, 0x20)
        return value

    def dac(self, index):
        self.put(0x3c7, index)
        return tuple(self.get(0x3c9) for _ in range(3))

    def dispi(self, index):
        self.ask(f"p01ce{index:04x}")
        return int(self.ask("j01cf"), 16)

    def mode(self, number):
        return self.call(number)

    def at(self, row, column, page=0):
        self.call(0x0200, bx=page << 8, dx=row << 8 | column)

    def cells(self, row, column, count, page=0):
        size, columns = self.read16(0x44c), self.read16(0x44a)
        segment = 0xb0000 if self.read16(0x463) == 0x3b4 else 0xb8000
        return self.read(segment + page * size + 2 * (row * columns + column), 2 * count)

    def end(self):
        self.process.stdin.write(b"q\n")
        self.process.stdin.close()
        self.process.wait(20)


def text_cells(text, attribute=7):
    return b"".join(bytes([ord(ch), attribute]) for ch in text)


TESTS = []


def test(function):
    TESTS.append(function)
    return function


# -- Modes ---------------------------------------------------------------------------------------

# Mode: columns, rows, lines of a character, bytes of a page, lines shown, kind.
MODES = {
    0x00: (40, 25, 16, 0x800, 400, "text"), 0x01: (40, 25, 16, 0x800, 400, "text"),
    0x02: (80, 25, 16, 0x1000, 400, "text"), 0x03: (80, 25, 16, 0x1000, 400, "text"),
    0x04: (40, 25, 8, 0x4000, 400, "cga4"), 0x05: (40, 25, 8, 0x4000, 400, "cga4"),
    0x06: (80, 25, 8, 0x4000, 400, "cga2"), 0x07: (80, 25, 16, 0x1000, 400, "text"),
    0x0d: (40, 25, 8, 0x2000, 400, "planar"), 0x0e: (80, 25, 8, 0x4000, 400, "planar"),
    0x0f: (80, 25, 14, 0x8000, 350, "planar"), 0x10: (80, 25, 14, 0x8000, 350, "planar"),
    0x11: (80, 30, 16, 0xa000, 480, "planar"), 0x12: (80, 30, 16, 0xa000, 480, "planar"),
    0x13: (40, 25, 8, 0x2000, 400, "bytes"),
}
GRAPHICS = [mode for mode in MODES if MODES[mode][5] != "text"]


@test
def start(m):
    """What a BIOS leaves when it has started."""
    equal("mode", m.call(0x0f00)["ax"], 0x5003)
    equal("vector 10h", m.read16(0x42), 0xc000)
    equal("vector 6Dh", m.read32(0x6d * 4), m.read32(0x40))
    equal("equipment", m.read(0x410, 1)[0] & 0x30, 0x20)
    equal("control", m.read(0x487, 1)[0], 0x60)
    equal("options", m.read(0x489, 1)[0] & 0x91, 0x11)
    params = m.far(m.far(0x4a8))
    equal("parameters of mode 3", m.read(params + 0x18 * 64, 10).hex(), "50181000100003000267")
    equal("parameters of mode 13h", m.read(params + 0x1c * 64, 5).hex(), "2818080020")


@test
def modes(m):
    for mode, (columns, rows, height, size, lines, kind) in MODES.items():
        what = f"mode {mode:02x}: "
        m.mode(mode)
        equal(what + "0Fh", m.call(0x0f00)["ax"], columns << 8 | mode)
        port = 0x3b4 if mode in (7, 0xf) else 0x3d4
        equal(what + "data area", struct.unpack("<BHHH", m.read(0x449, 7)),
              (mode, columns, size, 0))
        equal(what + "cursors", m.read(0x450, 16), bytes(16))
        equal(what + "port", m.read16(0x463), port)
        equal(what + "rows", m.read(0x484, 3), bytes([rows - 1, height, 0]))
        equal(what + "shown lines", m.crtc(0x12) + (m.crtc(7) >> 1 & 1) * 256 +
              (m.crtc(7) >> 6 & 1) * 512 + 1, lines)
        equal(what + "shown characters", m.crtc(1) + 1, 40 if m.get_index(0x3c4, 1) & 8 else 80)
        equal(what + "graphics", m.get_index(0x3ce, 6) & 1, kind != "text")
        equal(what + "screen on", m.get_index(0x3c4, 1) & 0x20, 0)
        equal(what + "mask", m.get(0x3c6), m.mask)
        equal(what + "address", m.crtc(0xc) << 8 | m.crtc(0xd), 0)
        segment = {"text": 0xb0000 if mode == 7 else 0xb8000, "cga4": 0xb8000, "cga2": 0xb8000}
        equal(what + "empty", m.read(segment.get(kind, 0xa0000), 0x4000),
              (b" \x07" if kind == "text" else b"\0\0") * 0x2000)


@test
def mode_without_clearing(m):
    m.mode(3)
    m.write(0xb8000, b"k\x1e")
    m.mode(0x83)
    equal("cell", m.read(0xb8000, 2), b"k\x1e")
    equal("0Fh", m.call(0x0f00)["ax"], 0x5083)
    equal("control", m.read(0x487, 1)[0] & 0x80, 0x80)
    m.mode(3)
    equal("no such mode", m.mode(0x1f)["changed"], [])
    equal("mode after one that is not there", m.call(0x0f00)["ax"], 0x5003)


@test
def lines_of_text(m):
    for al, lines, height in ((0, 200, 8), (1, 350, 14), (2, 400, 16)):
        equal("1230h", m.call(0x1200 | al, bx=0x30)["ax"] & 0xff, 0x12)
        for mode in (1, 3):
            m.mode(mode)
            equal(f"height with {lines}", m.read16(0x485), height)
            equal(f"row with {lines}", m.crtc(9) & 0x9f, height - 1 | (0x80 if lines == 200 else 0))
    equal("1230h with 3", m.call(0x1203, bx=0x30)["ax"], 0x1203)


@test
def registers_of_mode_3(m):
    m.mode(3)
    crtc = bytes(m.crtc(k) for k in range(0x19))
    equal("crtc", crtc[:0xa].hex(), "5f4f50825581bf1f004f")
    equal("crtc", crtc[0x10:0x19].hex(), "9c8e8f281f96b9a3ff")
    equal("cursor", crtc[0xa:0xc].hex(), "0d0e")
    equal("attributes", bytes(m.attribute(k) for k in range(0x15)).hex(),
          "000102030405140738393a3b3c3d3e3f0c000f0800")
    equal("misc", m.get(0x3cc), 0x67)
    equal("graphics", bytes(m.get_index(0x3ce, k) for k in range(9)).hex(), "0000000000100e00ff")
    equal("sequencer", bytes(m.get_index(0x3c4, k) for k in range(5)).hex(), "0300030002")


# -- Text ----------------------------------------------------------------------------------------


@test
def cursor(m):
    m.mode(3)
    equal("03h", [m.call(0x0300, bx=0)[r] for r in ("cx", "dx")], [0x0607, 0])
    m.at(5, 7)
    equal("03h", m.call(0x0300, bx=0)["dx"], 0x0507)
    equal("address", m.crtc(0xe) << 8 | m.crtc(0xf), 5 * 80 + 7)
    m.at(2, 3, page=1)
    equal("address", m.crtc(0xe) << 8 | m.crtc(0xf), 5 * 80 + 7)
    for cx, expected in ((0x0607, 0x0d0e), (0x0007, 0x000f), (0x0407, 0x080f), (0x2000, 0x2000),
                         (0x0d0e, 0x0d0e), (0x0001, 0x0001)):
        m.call(0x0100, cx=cx)
        equal(f"shape {cx:04x}", m.crtc(0xa) << 8 | m.crtc(0xb), expected)
        equal("03h", m.call(0x0300, bx=0)["cx"], cx)
    m.call(0x1201, bx=0x34)                     # emulation off
    m.call(0x0100, cx=0x0607)
    equal("shape as it is", m.crtc(0xa) << 8 | m.crtc(0xb), 0x0607)
    m.call(0x1200, bx=0x34)
    equal("light pen", m.call(0x0400)["ax"], 0)


@test
def pages(m):
    m.mode(3)
    m.call(0x0503)
    equal("page", m.call(0x0f00)["bx"] >> 8, 3)
    equal("start", m.crtc(0xc) << 8 | m.crtc(0xd), 3 * 0x800)
    equal("data area", (m.read16(0x44e), m.read(0x462, 1)), (0x3000, b"\3"))
    m.at(1, 1, page=3)
    equal("cursor", m.crtc(0xe) << 8 | m.crtc(0xf), 3 * 0x800 + 81)
    m.call(0x0e00 | ord("p"))                   # goes to the page that is seen
    equal("teletype", m.cells(1, 1, 1, page=3), text_cells("p"))
    m.call(0x0508)
    equal("no page 8", m.read(0x462, 1), b"\3")
    m.mode(0xd)
    m.call(0x0501)
    equal("start in 0Dh", m.crtc(0xc) << 8 | m.crtc(0xd), 0x2000)
    m.mode(0x12)
    m.call(0x0501)
    equal("one page in 12h", m.read(0x462, 1), b"\0")


@test
def cells_of_text(m):
    m.mode(3)
    m.at(3, 78)
    equal("09h", m.call(0x0900 | ord("A"), bx=0x1e, cx=4)["changed"], [])
    equal("cells", m.cells(3, 78, 4), text_cells("AAAA", 0x1e))
    equal("08h", m.call(0x0800, bx=0)["ax"], 0x1e41)
    m.call(0x0a00 | ord("B"), bx=0x77, cx=2)
    equal("0Ah", m.cells(3, 77, 5), text_cells(" ") + text_cells("BBAA", 0x1e))
    equal("cursor", m.call(0x0300, bx=0)["dx"], 0x034e)
    m.at(0, 0, page=2)
    m.call(0x0900 | ord("C"), bx=0x0270, cx=1)
    equal("page 2", m.cells(0, 0, 1, page=2), b"C\x70")
    equal("08h on page 2", m.call(0x0800, bx=0x200)["ax"], 0x7043)


@test
def teletype(m):
    m.mode(3)
    for ch in "ab\r\ncd\bx":
        m.call(0x0e00 | ord(ch))
    equal("first row", m.cells(0, 0, 3), text_cells("ab "))
    equal("second row", m.cells(1, 0, 3), text_cells("cx "))
    equal("cursor", m.call(0x0300, bx=0)["dx"], 0x0102)
    m.at(24, 79)
    m.call(0x0900 | ord(" "), bx=0x4f, cx=1)
    m.call(0x0e00 | ord("z"))
    equal("scrolled", m.cells(0, 0, 2), text_cells("cx"))
    equal("row before the last", m.cells(23, 79, 1), b"z\x4f")
    equal("last row", m.cells(24, 0, 80), text_cells(" " * 80))
    equal("cursor", m.call(0x0300, bx=0)["dx"], 0x1800)
    m.call(0x0e08)
    equal("no column before the first", m.call(0x0300, bx=0)["dx"], 0x1800)


@test
def strings(m):
    m.mode(3)
    m.write(BUFFER, b"one\r\ntwo")
    m.at(9, 9)
    m.call(0x1300, bx=0x2f, cx=8, dx=0x0102, bp=0)
    equal("first", m.cells(1, 2, 3), text_cells("one", 0x2f))
    equal("second", m.cells(2, 0, 3), text_cells("two", 0x2f))
    equal("cursor stays", m.call(0x0300, bx=0)["dx"], 0x0909)
    m.call(0x1301, bx=0x2f, cx=3, dx=0x0405, bp=0)
    equal("cursor moves", m.call(0x0300, bx=0)["dx"], 0x0408)
    m.write(BUFFER, b"x\x01y\x02")
    m.call(0x1303, bx=0x100, cx=2, dx=0x0000, bp=0)
    equal("with attributes", m.cells(0, 0, 2, page=1), b"x\x01y\x02")


@test
def scrolling(m):
    for mode in (1, 3, 7):
        m.mode(mode)
        columns = MODES[mode][0]
        for row in range(25):
            m.at(row, 0)
            m.call(0x0900 | 0x41 + row, bx=0x07, cx=columns)
        m.call(0x0602, bx=0x1700, cx=0x0203, dx=0x0609)
        column = "".join(chr(m.cells(row, 3, 1)[0]) for row in range(9))
        equal("up", column, "ABEFG  HI")
        equal("outside", m.cells(2, 2, 1) + m.cells(2, 10, 1), text_cells("CC"))
        equal("filled", m.cells(5, 3, 7), text_cells(" " * 7, 0x17))
        m.call(0x0701, bx=0x2700, cx=0x0203, dx=0x0609)
        column = "".join(chr(m.cells(row, 9, 1)[0]) for row in range(9))
        equal("down", column, "AB EFG HI")
        equal("filled", m.cells(2, 3, 7), text_cells(" " * 7, 0x27))
        m.call(0x0600, bx=0x3000, cx=0x0102, dx=0x02ff)
        equal("all of a window that is too wide", m.cells(1, 2, columns - 2),
              text_cells(" " * (columns - 2), 0x30))
        m.call(0x0601, bx=0x0700, cx=0, dx=0x184f)
        equal("the whole screen", chr(m.cells(22, 0, 1)[0]), "X")
        before = m.cells(0, 0, columns * 25)
        m.call(0x0601, bx=0, cx=0x0505, dx=0x0404)
        equal("an empty window", m.cells(0, 0, columns * 25), before)


# -- Graphics ------------------------------------------------------------------------------------


def limits(mode):
    return {"cga4": 3, "cga2": 1, "bytes": 255}.get(MODES[mode][5], 15)


@test
def pixels(m):
    for mode in GRAPHICS:
        m.mode(mode)
        columns, rows, height = MODES[mode][:3]
        top = limits(mode) if mode not in (0xf, 0x11) else 1
        spots = [(0, 0), (columns * 8 - 1, 0), (13, rows * height - 1), (14, 101)]
        for k, (x, y) in enumerate(spots):
            m.call(0x0c00 | top - k % 2, bx=0, cx=x, dx=y)
        for k, (x, y) in enumerate(spots):
            equal(f"mode {mode:02x}: {x}, {y}", m.call(0x0d00, bx=0, cx=x, dx=y)["ax"] & 0xff,
                  top - k % 2)
        equal(f"mode {mode:02x}: beside", m.call(0x0d00, bx=0, cx=15, dx=101)["ax"] & 0xff, 0)
        if mode != 0x13:
            m.call(0x0c80 | top, bx=0, cx=0, dx=0)
            equal(f"mode {mode:02x}: XOR", m.call(0x0d00, bx=0, cx=0, dx=0)["ax"] & 0xff, 0)


@test
def glyphs(m):
    """Characters that are written in graphics are read again, and their dots are the font's."""
    for mode in GRAPHICS:
        what = f"mode {mode:02x}: "
        m.mode(mode)
        height = MODES[mode][2]
        color = min(limits(mode), 0xe) if mode not in (0xf, 0x11) else 1
        info = m.call(0x1130, bx=0x0100)
        equal(what + "height", info["cx"] & 0xff, height)
        font = info["es"] * 16 + info["bp"]
        m.at(3, 5)
        m.call(0x0900 | ord("R"), bx=color, cx=2)
        glyph = m.read(font + ord("R") * height, height)
        for y in range(height):
            dots = sum((m.call(0x0d00, bx=0, cx=48 + x, dx=3 * height + y)["ax"] & 0xff == color)
                       << (7 - x) for x in range(8))
            equal(what + f"line {y}", dots, glyph[y])
        equal(what + "08h", m.call(0x0800, bx=0)["ax"] & 0xff, ord("R"))
        m.at(4, 0)
        for ch in "hello\xe0":
            m.call(0x0e00 | ord(ch), bx=color)
        m.call(0x0601, bx=0, cx=0x0100, dx=0x0a10)
        m.at(3, 4)
        equal(what + "scrolled", m.call(0x0800, bx=0)["ax"] & 0xff, ord("o"))
        fill = {"cga4": color * 0x55, "cga2": 0xff}.get(MODES[mode][5], color)  # CGA's: a byte
        m.call(0x0701, bx=fill << 8, cx=0x0100, dx=0x0a10)
        m.at(4, 5)
        equal(what + "and back", m.call(0x0800, bx=0)["ax"] & 0xff, 0xe0)
        equal(what + "filled", m.call(0x0d00, bx=0, cx=3, dx=height + 2)["ax"] & 0xff, color)
        if mode != 0x13:
            m.at(4, 0)
            m.call(0x0a00 | ord("h"), bx=0x80 | color, cx=1)
            equal(what + "XOR", m.call(0x0800, bx=0)["ax"] & 0xff, 0)     # the first blank one


# -- Colours -------------------------------------------------------------------------------------


@test
def default_colors(m):
    m.mode(3)
    equal("20", m.dac(0x14), (0x2a, 0x15, 0))
    equal("63", m.dac(0x3f), (0x3f, 0x3f, 0x3f))
    equal("38h", m.dac(0x38), (0x15, 0x15, 0x15))
    m.mode(0xd)
    equal("6", m.dac(6), (0x2a, 0x15, 0))
    equal("17h", m.dac(0x17), (0x3f, 0x3f, 0x3f))
    m.mode(7)
    equal("8", m.dac(8), (0x2a, 0x2a, 0x2a))
    equal("18h", m.dac(0x18), (0x3f, 0x3f, 0x3f))
    m.mode(0x13)
    for index, rgb in {1: (0, 0, 0x2a), 6: (0x2a, 0x15, 0), 0xc: (0x3f, 0x15, 0x15),
                       0x1f: (0x3f, 0x3f, 0x3f), 0x11: (5, 5, 5), 0x20: (0, 0, 0x3f),
                       0x21: (0x10, 0, 0x3f), 0x28: (0x3f, 0, 0), 0x2c: (0x3f, 0x3f, 0),
                       0x30: (0, 0x3f, 0), 0x34: (0, 0x3f, 0x3f), 0x37: (0, 0x10, 0x3f),
                       0x38: (0x1f, 0x1f, 0x3f), 0x68: (0, 0, 0x1c), 0xf7: (0xb, 0xc, 0x10),
                       0xf8: (0, 0, 0), 0xff: (0, 0, 0)}.items():
        equal(f"{index:02x}", m.dac(index), rgb)


@test
def palette(m):
    m.mode(3)
    m.call(0x1000, bx=0x2a05)
    equal("1000h", m.attribute(5), 0x2a)
    equal("1007h", m.call(0x1007, bx=5)["bx"], 0x2a05)
    m.call(0x1001, bx=0x0900)
    equal("1001h", m.attribute(0x11), 9)
    equal("1008h", m.call(0x1008, bx=0)["bx"], 0x900)
    m.write(BUFFER, bytes(range(20, 37)))
    m.call(0x1002, dx=0)
    equal("1002h", [m.attribute(k) for k in (0, 15, 0x11)], [20, 35, 36])
    m.call(0x1009, dx=0x100)
    equal("1009h", m.read(BUFFER + 0x100, 17), bytes(range(20, 37)))
    m.call(0x1003, bx=0)
    equal("1003h", m.attribute(0x10) & 8, 0)
    m.call(0x1003, bx=1)
    equal("1003h", m.attribute(0x10) & 8, 8)
    m.call(0x1013, bx=0x0100)
    m.call(0x1013, bx=0x0501)
    equal("1013h", (m.attribute(0x10) & 0x80, m.attribute(0x14)), (0x80, 5))
    equal("101Ah", m.call(0x101a)["bx"], 0x501)
    m.call(0x1013, bx=0)
    m.call(0x1013, bx=0x0301)
    equal("1013h", (m.attribute(0x10) & 0x80, m.attribute(0x14)), (0, 12))
    equal("101Ah", m.call(0x101a)["bx"], 0x300)
    equal("screen on", m.get_index(0x3c4, 1) & 0x20, 0)


@test
def dac(m):
    m.mode(0x13)
    m.call(0x1010, bx=100, cx=0x0203, dx=0x0100)
    equal("1010h", m.dac(100), (1, 2, 3))
    found = m.call(0x1015, bx=100)
    equal("1015h", (found["dx"] >> 8, found["cx"]), (1, 0x0203))
    m.write(BUFFER, bytes(range(30)))
    m.call(0x1012, bx=246, cx=10, dx=0)
    equal("1012h", m.dac(255), (27, 28, 29))
    m.call(0x1017, bx=246, cx=10, dx=0x40)
    equal("1017h", m.read(BUFFER + 0x40, 30), bytes(range(30)))
    m.call(0x1018, bx=0x55)
    equal("1018h", m.get(0x3c6), 0x55 & m.mask)
    equal("1019h", m.call(0x1019, bx=0)["bx"], 0x55 & m.mask)
    m.call(0x1010, bx=7, cx=0x3f00, dx=0)
    m.call(0x101b, bx=7, cx=1)
    equal("101Bh: 59 % of green", m.dac(7), (37, 37, 37))
    m.call(0x1200, bx=0x33)
    m.call(0x1010, bx=8, cx=0, dx=0x3f00)
    equal("30 % of red", m.dac(8), (19, 19, 19))
    m.mode(3)
    equal("grey modes", m.dac(2), (25, 25, 25))
    m.call(0x1201, bx=0x33)
    m.call(0x1010, bx=2, cx=0x0304, dx=0x0500)
    m.call(0x1201, bx=0x31)
    m.mode(3)
    equal("no default palette", m.dac(2), (5, 3, 4))
    m.call(0x1200, bx=0x31)
    m.mode(3)
    equal("default palette", m.dac(2), (0, 0x2a, 0))


@test
def cga_colors(m):
    m.mode(4)
    equal("palette", [m.attribute(k) for k in range(4)], [0, 0x13, 0x15, 0x17])
    m.call(0x0b00, bx=0x0100)
    equal("palette 0", [m.attribute(k) for k in range(4)], [0, 0x12, 0x14, 0x16])
    m.call(0x0b00, bx=0x0101)
    m.call(0x0b00, bx=0x0001)
    equal("background", [m.attribute(k) for k in (0, 1, 2, 3, 0x11)], [1, 3, 5, 7, 1])
    m.call(0x0b00, bx=0x001c)
    equal("bright", [m.attribute(k) for k in (0, 1)], [0x14, 0x13])


# -- Fonts ---------------------------------------------------------------------------------------


def plane_2(m, address, count):
    for port, index, value in ((0x3c4, 4, 7), (0x3ce, 4, 2), (0x3ce, 5, 0), (0x3ce, 6, 4)):
        m.put(port, index)
        m.put(port + 1, value)
    data = m.read(0xa0000 + address, count)
    for port, index, value in ((0x3c4, 4, 3), (0x3ce, 4, 0), (0x3ce, 5, 0x10), (0x3ce, 6, 0xe)):
        m.put(port, index)
        m.put(port + 1, value)
    return data


@test
def fonts(m):
    m.mode(3)
    where = {}
    for bh, height in ((2, 14), (3, 8), (6, 16)):
        info = m.call(0x1130, bx=bh << 8)
        equal("1130h", (info["cx"] & 0xff, info["dx"] & 0xff), (16, 24))
        where[height] = info["es"] * 16 + info["bp"]
    equal("16 lines", plane_2(m, 0x41 * 32, 16), m.read(where[16] + 0x41 * 16, 16))
    for al, height, rows in ((1, 14, 28), (2, 8, 50), (4, 16, 25)):
        m.mode(3)
        m.call(0x1110 | al, bx=0)
        equal(f"{height} lines", plane_2(m, 0x42 * 32, height),
              m.read(where[height] + 0x42 * height, height))
        equal("height and rows", m.read(0x484, 3), bytes([rows - 1, height, 0]))
        equal("page", m.read16(0x44c), (rows * 160 + 255) & 0xff00)
        equal("row", m.crtc(9) & 0x1f, height - 1)
        equal("shown", m.crtc(0x12) | (m.crtc(7) & 2) << 7, rows * height - 1)
        m.at(rows - 1, 79)
        m.call(0x0e00 | ord("!"))
        equal("scrolls at the last row", m.cells(rows - 2, 79, 1), text_cells("!"))
    m.call(0x1201, bx=0x30)
    m.mode(3)
    m.call(0x1112, bx=0)
    equal("43 rows", m.read(0x484, 1)[0], 42)
    m.call(0x1202, bx=0x30)
    m.mode(3)
    m.write(BUFFER, bytes(range(1, 33)))
    m.call(0x1100, bx=0x1004, cx=2, dx=0x80, bp=0)
    equal("user's, block 4", plane_2(m, 0x2000 + 0x80 * 32, 16), bytes(range(1, 17)))
    m.call(0x1103, bx=0x2d)
    equal("blocks", m.get_index(0x3c4, 3), 0x2d)
    m.call(0x1100, bx=0x1005, cx=1, dx=0, bp=16)
    equal("block 5", plane_2(m, 0x6000, 16), bytes(range(17, 33)))
    m.mode(0x12)
    m.call(0x1123, bx=3, dx=0)
    equal("graphics, 43 rows", m.read(0x484, 2), bytes([42, 8]))
    m.call(0x1121, bx=0, cx=16, dx=20, bp=0x77)
    equal("user's", (m.read32(0x43 * 4), m.read(0x484, 2)), (BUFFER << 12 | 0x77, b"\x13\x10"))
    m.call(0x1120, bp=0x55)
    equal("upper half", m.read32(0x1f * 4), BUFFER << 12 | 0x55)
    equal("1130h", m.call(0x1130, bx=0)["bp"], 0x55)


# -- Information ---------------------------------------------------------------------------------


@test
def information(m):
    m.mode(3)
    found = m.call(0x1200, bx=0x10)
    equal("1210h", (found["bx"], found["cx"]), (3, 0x0f09))
    m.mode(7)
    equal("1210h", m.call(0x1200, bx=0x10)["bx"], 0x103)
    m.mode(3)
    equal("1A00h", [m.call(0x1a00)[r] & 0xffff for r in ("ax", "bx")], [0x1a1a, 8])
    m.call(0x1a01, bx=7)
    equal("1A01h", m.call(0x1a00)["bx"], 7)
    m.call(0x1a01, bx=8)
    equal("12h, BL=36h", m.call(0x1201, bx=0x36)["ax"], 0x1212)
    equal("screen off", m.get_index(0x3c4, 1) & 0x20, 0x20)
    m.call(0x1200, bx=0x36)
    equal("screen on", m.get_index(0x3c4, 1) & 0x20, 0)
    m.call(0x1201, bx=0x32)
    equal("memory off", m.get(0x3cc) & 2, 0)
    m.call(0x1200, bx=0x32)
    equal("memory on", m.get(0x3cc) & 2, 2)
    equal("12h, BL=77h", m.call(0x1200, bx=0x77)["changed"], [])
    equal("1Bh", m.call(0x1b00, bx=0, di=0x10)["ax"] & 0xff, 0x1b)
    state = m.read(BUFFER + 0x10, 64)
    equal("mode, columns", state[4:9].hex(), "0350000010")
    equal("rows, height, DCC, colours, pages, lines", state[0x22:0x2b].hex(), "191000080010000802")
    equal("flags, memory", (state[0x2d] & 0x3f, state[0x31]), (0x31, 3))
    equal("static table", m.read(m.far(BUFFER + 0x10), 3), b"\xff\xe0\x0f")


@test
def saving(m):
    equal("units", m.call(0x1c00, cx=7, bx=0)["ax"] & 0xff, 0x1c)
    units = m.call(0x1c00, cx=7, bx=0)["bx"]
    m.mode(3)
    m.call(0x1010, bx=200, cx=0x0102, dx=0x0300)
    m.call(0x0502)
    m.write(BUFFER + units * 64, b"end")
    m.call(0x1c01, cx=7, bx=0)
    equal("no more is written", m.read(BUFFER + units * 64, 3), b"end")
    before = m.read(0x449, 30)
    m.mode(0x12)
    m.call(0x1c02, cx=7, bx=0)
    equal("data area", m.read(0x449, 30), before)
    equal("crtc", [m.crtc(k) for k in (9, 0xc, 0x12)], [0x4f, 0x10, 0x8f])
    equal("colour", m.dac(200), (3, 1, 2))
    equal("graphics", m.get_index(0x3ce, 6), 0xe)
    equal("none of the parts", m.call(0x1c00, cx=0x100, bx=0)["ax"], 0x1c00)


# -- VBE -----------------------------------------------------------------------------------------


def mode_list(m):
    m.write(BUFFER, b"VBE2")
    equal("4F00h", m.call(0x4f00, di=0)["ax"], 0x4f)
    block = m.read(BUFFER, 512)
    equal("signature and version", block[:6], b"VESA\0\3")
    data = m.read(m.far(BUFFER + 14), 512)
    numbers = struct.unpack("<256H", data)
    return numbers[:numbers.index(0xffff)], block


@test
def vbe_controller(m):
    numbers, block = mode_list(m)
    equal("memory", struct.unpack("<H", block[18:20])[0], m.dispi(10))
    equal("DAC", block[10] & 1, 1)
    for at in (6, 22, 26, 30):
        text = m.far(BUFFER + at)
        equal("strings are in the block", BUFFER + 256 <= text < BUFFER + 512, True)
    equal("name", m.read(m.far(BUFFER + 6), 6), b"Calque")
    for number in (0x100, 0x101, 0x102, 0x103, 0x105, 0x107, 0x112, 0x115, 0x118, 0x11b):
        equal(f"mode {number:x}", number in numbers, True)
    equal("modes are different", len(set(numbers)), len(numbers))
    m.write(BUFFER, b"....")
    m.write(BUFFER + 256, b"beyond")
    m.call(0x4f00, di=0)
    equal("VBE 1 has 256 bytes", m.read(BUFFER + 256, 6), b"beyond")
    equal("name", m.read(m.far(BUFFER + 6), 6), b"Calque")
    equal("no such function", m.call(0x4f77)["ax"] >> 8, 1)


MASKS = {15: "050a05050500010f", 16: "050b060505000000", 24: "0810080808000000",
         32: "0810080808000818"}


@test
def vbe_modes(m):
    numbers = mode_list(m)[0]
    sizes = {}
    for number in numbers:
        what = f"mode {number:x}: "
        equal(what + "4F01h", m.call(0x4f01, cx=number, di=0)["ax"], 0x4f)
        block = m.read(BUFFER, 66)
        attributes, pitch, width, height = struct.unpack("<H14xHHH", block[:22])
        planes, bpp, model = block[24], block[25], block[27]
        sizes.setdefault((width, height), []).append(bpp)
        equal(what + "attributes", attributes, 0x1b if bpp == 4 else 0x9b)
        equal(what + "pitch", pitch, width * ((bpp + 7) // 8) // (8 if bpp == 4 else 1))
        equal(what + "model", (planes, model), {4: (4, 3), 8: (1, 4)}.get(bpp, (1, 6)))
        equal(what + "window", struct.unpack("<BBHHHH", block[2:12]), (7, 0, 64, 64, 0xa000, 0))
        equal(what + "fields", block[31:39].hex(), MASKS.get(bpp, "0" * 16))
        equal(what + "linear fields", block[54:62].hex(), MASKS.get(bpp, "0" * 16))
        if bpp != 4:
            equal(what + "address", block[40:44], struct.pack("<I", frame_buffer(m)))
    for size in ((640, 400), (640, 480), (800, 600), (1024, 768), (1280, 1024), (1920, 1080)):
        equal(f"depths of {size}", [b for b in sorted(sizes[size]) if b != 4], [8, 15, 16, 24, 32])
    equal("no mode 1FFh", m.call(0x4f01, cx=0x1ff, di=0)["ax"], 0x14f)


def frame_buffer(m):
    """BAR 0, through what the BIOS says of mode 101h; the tests that draw prove it."""
    if not hasattr(m, "frame_buffer"):
        m.call(0x4f01, cx=0x101, di=0x400)
        m.frame_buffer = m.read32(BUFFER + 0x400 + 40)
    return m.frame_buffer


@test
def vbe_set(m):
    for number, width, height, bpp in ((0x101, 640, 480, 8), (0x115, 800, 600, 24),
                                       (0x102, 800, 600, 4), (0x118, 1024, 768, 24)):
        equal("4F02h", m.call(0x4f02, bx=number | (0x4000 if bpp != 4 else 0))["ax"], 0x4f)
        equal("DISPI", [m.dispi(k) for k in (1, 2, 3)], [width, height, bpp])
        equal("enabled", m.dispi(4) & 1, 1)
        equal("4F03h", m.call(0x4f03)["bx"], number | (0x4000 if bpp != 4 else 0))
    equal("no such mode", m.call(0x4f02, bx=0x1ff)["ax"], 0x14f)
    m.call(0x4f02, bx=0x4101)
    base = frame_buffer(m)
    m.write(base + 0x12345, b"pixels")
    m.call(0x4f05, bx=0, dx=1)
    equal("window", m.read(0xa0000 + 0x2345, 6), b"pixels")
    equal("4F05h", m.call(0x4f05, bx=0x100)["dx"], 1)
    equal("beyond memory", m.call(0x4f05, bx=0, dx=m.dispi(10))["ax"], 0x14f)
    m.call(0x4f02, bx=0xc101)
    equal("kept", m.read(base + 0x12345, 6), b"pixels")
    equal("4F03h", m.call(0x4f03)["bx"], 0xc101)
    m.call(0x4f02, bx=0x4101)
    equal("cleared", m.read(base + 0x12345, 6), bytes(6))
    m.call(0x4f02, bx=0x13)
    equal("a mode of the VGA", (m.dispi(4) & 1, m.call(0x4f03)["bx"]), (0, 0x13))
    equal("0Fh", m.call(0x0f00)["ax"], 0x2813)
    equal("4F05h without VBE", m.call(0x4f05, bx=0, dx=0)["ax"], 0x34f)
    m.call(0x4f02, bx=0x4101)
    m.mode(3)
    equal("mode 3 ends VBE", m.dispi(4) & 1, 0)


@test
def vbe_lines(m):
    m.call(0x4f02, bx=0x4112)
    found = m.call(0x4f06, bx=0, cx=1024)
    equal("4F06h", [found[r] for r in ("ax", "bx", "cx")], [0x4f, 3072, 1024])
    equal("lines", found["dx"], min((m.dispi(10) << 16) // 3072, 0xffff))
    equal("too short", m.call(0x4f06, bx=0, cx=320)["ax"] >> 8, 2)
    found = m.call(0x4f06, bx=2, cx=2400)
    equal("bytes", [found[r] for r in ("bx", "cx")], [2400, 800])
    equal("asked", m.call(0x4f06, bx=1)["cx"], 800)
    found = m.call(0x4f06, bx=3)
    equal("longest", found["bx"], found["cx"] * 3)
    equal("4F07h", m.call(0x4f07, bx=0, cx=160, dx=100)["ax"], 0x4f)
    equal("registers", [m.dispi(k) for k in (8, 9)], [160, 100])
    found = m.call(0x4f07, bx=1)
    equal("asked", [found[r] for r in ("cx", "dx")], [160, 100])
    m.call(0x4f07, bx=0x80, cx=8, dx=2)
    equal("at the retrace", [m.dispi(k) for k in (8, 9)], [8, 2])
    m.call(0x4f07, bx=2, cx=2400 * 10 + 48)
    equal("as an address", [m.dispi(k) for k in (8, 9)], [16, 10])


@test
def vbe_colors(m):
    m.call(0x4f02, bx=0x4101)
    equal("bits", m.call(0x4f08, bx=1)["bx"], 0x601)
    equal("8 bits", m.call(0x4f08, bx=0x800)["bx"], 0x800)
    m.write(BUFFER, bytes([1, 2, 255, 0, 4, 5, 6, 0]))
    m.call(0x4f09, bx=0, cx=2, dx=254, di=0)
    equal("colour", m.dac(254), (255, 2, 1))
    m.call(0x4f09, bx=1, cx=2, dx=254, di=0x20)
    equal("asked", m.read(BUFFER + 0x20, 8), bytes([1, 2, 255, 0, 4, 5, 6, 0]))
    equal("too many", m.call(0x4f09, bx=0, cx=3, dx=254, di=0)["ax"], 0x14f)
    equal("6 bits", m.call(0x4f08, bx=0x600)["bx"], 0x600)
    m.mode(3)
    equal("always 6 in the VGA's modes", m.call(0x4f08, bx=0x800)["bx"], 0x600)


@test
def vbe_state(m):
    m.call(0x4f02, bx=0x4101)
    m.call(0x4f08, bx=0x800)
    m.call(0x1010, bx=3, cx=0xf0f1, dx=0xf200)
    m.call(0x4f06, bx=0, cx=800)
    units = m.call(0x4f04, cx=15, dx=0, bx=0)["bx"]
    m.write(BUFFER + units * 64, b"end")
    equal("4F04h", m.call(0x4f04, cx=15, dx=1, bx=0)["ax"], 0x4f)
    equal("no more is written", m.read(BUFFER + units * 64, 3), b"end")
    m.write(frame_buffer(m) + 0x12345, b"pixels")
    m.call(0x4f02, bx=0xc115)
    m.mode(0x83)
    m.call(0x4f04, cx=15, dx=2, bx=0)
    equal("mode", m.call(0x4f03)["bx"] & 0x1ff, 0x101)
    equal("line", m.call(0x4f06, bx=1)["cx"], 800)
    equal("colour", m.dac(3), (0xf2, 0xf0, 0xf1))
    equal("no part 3", m.call(0x4f04, cx=15, dx=3, bx=0)["ax"], 0x14f)
    m.mode(3)
    m.call(0x4f04, cx=15, dx=1, bx=0)
    m.call(0x4f02, bx=0x4101)
    m.call(0x4f04, cx=15, dx=2, bx=0)
    equal("back in text", (m.dispi(4) & 1, m.crtc(0x13)), (0, 0x28))


@test
def vbe_rest(m):
    found = m.call(0x4f0a, bx=0)
    equal("4F0Ah", found["ax"], 0x4f)
    code = m.read(found["es"] * 16 + found["di"], found["cx"])
    entries = struct.unpack("<4H", code[:8])
    equal("entries", all(entry < found["cx"] for entry in entries), True)
    ports = struct.unpack("<2H", code[entries[3]:entries[3] + 4])
    equal("ports", ports, (0x1ce, 0x1cf))
    m.write(BUFFER + 0x3000, code)              # it works anywhere
    window, start_at, colors = (BUFFER + 0x3000 + entry for entry in entries[:3])
    m.call(0x4f02, bx=0x4112)
    equal("window", m.call32(window, eax=0x4f05, ebx=0, edx=3)["eax"] & 0xffff, 0x4f)
    equal("window", m.dispi(5), 3)
    equal("asked", m.call32(window, eax=0x4f05, ebx=0x100)["edx"] & 0xffff, 3)
    m.call(0x4f06, bx=0, cx=1024)
    at = (77 * 3072 + 64 * 3) // 4
    found = m.call32(start_at, eax=0x4f07, ebx=0, ecx=at & 0xffff, edx=at >> 16)
    equal("start", found["eax"] & 0xffff, 0x4f)
    equal("start", [m.dispi(k) for k in (8, 9)], [64, 77])
    m.write(BUFFER, bytes([3, 2, 1, 0, 6, 5, 4, 0]))
    m.call32(colors, eax=0x4f09, ebx=0, ecx=2, edx=200, edi=BUFFER)
    equal("colours", (m.dac(200), m.dac(201)), ((1, 2, 3), (4, 5, 6)))
    m.mode(3)
    equal("4F10h", m.call(0x4f10, bx=0)["bx"], 0x0710)
    m.call(0x4f10, bx=0x401)
    equal("off", (m.get_index(0x3c4, 1) & 0x20, m.call(0x4f10, bx=2)["bx"] >> 8), (0x20, 4))
    m.call(0x4f10, bx=1)
    equal("on", m.get_index(0x3c4, 1) & 0x20, 0)
    equal("4F15h", m.call(0x4f15, bx=0, cx=0)["bx"], 2)
    equal("EDID", m.call(0x4f15, bx=1, cx=0, dx=0, di=0)["ax"], 0x4f)
    edid = m.read(BUFFER, 128)
    equal("header", edid[:8].hex(), "00ffffffffffff00")
    equal("sum", sum(edid) & 255, 0)
    equal("no second block", m.call(0x4f15, bx=1, cx=0, dx=1, di=0)["ax"], 0x14f)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emulator", default=f"{TOP}/build/calque")
    parser.add_argument("--guests", default=f"{TOP}/build/guests")
    parser.add_argument("tests", nargs="*", help="names of tests; default: all")
    options = parser.parse_args()
    machine = Machine(options.emulator, f"{options.guests}/int10.bin")
    failed = 0
    for function in TESTS:
        name = function.__name__
        if options.tests and name not in options.tests:
            continue
        try:
            function(machine)
            print(f"ok guest int10: {name}", flush=True)
        except Wrong as wrong:
            failed += 1
            print(f"{name}: {wrong}\nFAIL guest int10: {name}", flush=True)
            if machine.process.poll() is not None:
                break
    machine.end()
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
