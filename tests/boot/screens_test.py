#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks at the built-in guest's screen through each kind of screen, and types there.

    screens_test.py [--emulator build/calque] [--scale N] [vnc|curses...]     (default: all)

vnc: a small client (RFC 6143) of our own. curses: a terminal of our own making. window_test.py is for
windows. What each shows is compared with the monitor's screen dump, and keys and movements with the state of
the keyboard controller. Prints "ok NAME", "FAIL NAME" or "skip NAME".
"""

import argparse
import ctypes
import ctypes.util
import fcntl
import os
import pty
import re
import shlex
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

import gallery
from machine import TOP, Failure, Machine, leashed, require, require_equal, until

PROMPT = "calque>"


class Demo(Machine):
    """The built-in guest, waiting at its prompt."""

    def __init__(self, emulator, arguments, scale, **popen):
        super().__init__(emulator, ["-serial", "none"] + arguments, None, scale, **popen)
        try:
            self.monitor.wait_screen(PROMPT, 20)
        except BaseException:
            self.close()
            raise

    def last_scan(self):
        """The byte that the keyboard has sent last."""
        state = self.monitor.command("info device i8042")
        return re.search(r"keyboard:.*?\n    last = (\w+)", state, re.DOTALL).group(1)

    def expect_scan(self, code):
        until(lambda: self.last_scan() == code, 10 * self.scale,
              f"the keyboard's last byte is {self.last_scan()}, not {code}")

    def expect_mouse(self, pattern):
        """Movements are added up, for the guest has not enabled its mouse."""
        state = ""

        def moved():
            nonlocal state
            state = self.monitor.command("info device i8042")
            state = state[state.index("mouse:"):]
            return re.search(pattern, state)
        until(moved, 10 * self.scale, f"no {pattern!r} in the mouse's state")


# -- VNC -----------------------------------------------------------------------------------------


class Client:
    """A VNC client."""

    def __init__(self, port, seconds):
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        self.socket.settimeout(seconds)
        self.version = self.take(12)
        self.socket.sendall(b"RFB 003.008\n")
        self.security = self.take(self.take(1)[0])

    def take(self, n):
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            if not part:
                raise Failure("the server hangs up")
            data += part
        return data

    def enter(self):
        """Without a password; then pixels of 32 bits, blue first, in raw rectangles."""
        self.socket.sendall(b"\x01")
        if self.take(4) != bytes(4):
            raise Failure("not let in")
        self.socket.sendall(b"\x01")
        self.width, self.height = struct.unpack(">HH", self.take(4))
        self.take(16)
        self.name = self.take(struct.unpack(">I", self.take(4))[0])
        self.socket.sendall(struct.pack(">BxxxBBBBHHHBBBxxx", 0, 32, 24, 0, 1, 255, 255, 255,
                                        16, 8, 0))
        self.socket.sendall(struct.pack(">BxHii", 2, 2, 0, -223))     # raw, DesktopSize

    def key(self, sym, down):
        self.socket.sendall(struct.pack(">BBxxI", 4, down, sym))

    def pointer(self, mask, x, y):
        self.socket.sendall(struct.pack(">BBHH", 5, mask, x, y))

    def picture(self):
        """The whole picture as red, green, blue; None: its size has changed on the way."""
        self.socket.sendall(struct.pack(">BBHHHH", 3, 0, 0, 0, self.width, self.height))
        pixels = bytearray(self.width * self.height * 3)
        done = 0
        while done < self.width * self.height:
            if self.take(1) != b"\0":
                raise Failure("an unknown message")
            self.take(1)
            for _ in range(struct.unpack(">H", self.take(2))[0]):
                x, y, w, h, encoding = struct.unpack(">HHHHi", self.take(12))
                if encoding == -223:
                    self.width, self.height = w, h
                    return None
                data = self.take(w * h * 4)
                for row in range(h):
                    at = ((y + row) * self.width + x) * 3
                    line = data[row * w * 4:(row + 1) * w * 4]
                    for colour in range(3):
                        pixels[at + colour:at + 3 * w:3] = line[2 - colour::4]
                done += w * h
        return self.width, self.height, bytes(pixels)


def test_password(machine, port, seconds):
    """Nobody gets in before a password is set, nor without it."""
    library = ctypes.CDLL(ctypes.util.find_library("vncserver"))
    for step, password, welcome in (("unset", b"", False), ("right", b"sesame", True),
                                    ("wrong", b"sesams", False)):
        client = Client(port, seconds)
        if client.security != b"\x02":
            raise Failure(f"security types {client.security!r} with a password")
        client.socket.sendall(b"\x02")
        challenge = ctypes.create_string_buffer(client.take(16), 16)
        library.rfbEncryptBytes(challenge, password)
        client.socket.sendall(challenge.raw)
        if (client.take(4) == bytes(4)) != welcome:
            raise Failure(f"a client is {'not ' if welcome else ''}let in, password: {step}")
        if step == "unset":
            complaint = machine.monitor.command("change vnc password sesame")
            if complaint:
                raise Failure(complaint)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_vnc(emulator, scale):
    port = until(lambda: (p := free_port()) > 5900 and p, 5, "no port")
    machine = Demo(emulator, ["-vnc", f"127.0.0.1:{port - 5900},password=on"], scale)
    try:
        test_password(machine, port, 10 * scale)
    finally:
        machine.close()
    machine = Demo(emulator, ["-name", "the guest", "-vnc", f"localhost:{port - 5900}"], scale)
    try:
        client = Client(port, 10 * scale)
        if client.security != b"\x01":
            raise Failure(f"security types {client.security!r}")
        client.enter()
        if client.name != b"the guest":
            raise Failure(f"its name is {client.name!r}")
        machine.monitor.command("stop")     # the cursor stands still
        until(lambda: client.picture() == machine.picture(), 10 * scale,
              "the picture is not the screen's")
        machine.monitor.command("cont")
        for sym, code in ((0x61, "1c"), (0xff1b, "76"), (0xffbe, "5"), (0xff0d, "5a")):
            client.key(sym, 1)
            machine.expect_scan(code)
            client.key(sym, 0)
        client.pointer(0, 100, 100)
        client.pointer(0, 103, 95)
        machine.expect_mouse(r"dx = 3\n    dy = 5\n")
        client.pointer(5, 103, 95)
        machine.expect_mouse(r"\n    buttons = 3\n")
    finally:
        machine.close()


def test_vnc_gallery(emulator, scale):
    """Pictures of several sizes."""
    port = until(lambda: (p := free_port()) > 5900 and p, 5, "no port")
    machine = Machine(emulator, gallery.ARGUMENTS + ["-vnc", f"127.0.0.1:{port - 5900}"], None, scale)
    try:
        client = Client(port, 10 * scale)
        client.enter()
        for _, *expected in gallery.pictures():
            gallery.expect_picture(lambda: client.picture() or (0, 0, b""), tuple(expected),
                                   20 * scale)
            client.key(0x20, 1)
            client.key(0x20, 0)
    finally:
        machine.close()


def stop_reading(client):
    """More is asked for than anybody takes."""
    client.socket.setblocking(False)
    request = struct.pack(">BBHHHH", 3, 0, 0, 0, client.width, client.height)
    try:
        for _ in range(40):
            client.socket.sendall(request)
            time.sleep(0.02)
    except BlockingIOError:
        pass


def stop_writing(client):
    """A text of which most is missing."""
    client.socket.sendall(struct.pack(">BxxxI", 6, 0x80000))


def test_vnc_stalled(emulator, scale):
    """A client that stops in the middle does not keep the program from ending."""
    for stall in (stop_writing, stop_reading):
        port = until(lambda: (p := free_port()) > 5900 and p, 5, "no port")
        machine = Demo(emulator, ["-vnc", f"127.0.0.1:{port - 5900}"], scale)
        try:
            client = Client(port, 10 * scale)
            client.enter()
            stall(client)
            time.sleep(0.5)
            start = time.monotonic()
            machine.monitor.socket.sendall(b"quit\n")
            require_equal(machine.wait_end(10), 0)
            taken = time.monotonic() - start
            require(taken < scale, f"after {stall.__name__} it ends in {taken:.1f} s")
        finally:
            machine.close()


# What browsers say before they talk VNC.
WEB = (b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nHost: a\r\nOrigin: a\r\nSec-WebSocket-Key: a\r\n"
       b"Sec-WebSocket-Version: 13\r\n\r\n")


def test_vnc_web(emulator, scale):
    """Clients that come and go leave nothing behind."""
    port = until(lambda: (p := free_port()) > 5900 and p, 5, "no port")
    machine = Demo(emulator, ["-vnc", f"127.0.0.1:{port - 5900}"], scale)

    def come_and_go(times):
        for _ in range(times):
            with socket.create_connection(("127.0.0.1", port), 10 * scale) as client:
                client.sendall(WEB)
                client.shutdown(socket.SHUT_WR)
                while client.recv(4096):
                    pass
        with open(f"/proc/{machine.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmData:\s*(\d+)", status.read()).group(1))

    try:
        first = come_and_go(20)
        grown = come_and_go(100) - first
        require(grown < 2048, f"100 clients leave {grown} KiB")
    finally:
        machine.close()


# -- The terminal --------------------------------------------------------------------------------


class Terminal:
    """A terminal of our own, which a machine is on, and what it was sent."""

    def __init__(self, rows, columns=100):
        self.leader, self.follower = pty.openpty()
        os.set_blocking(self.leader, False)
        self.resize(rows, columns)
        self.settings = termios.tcgetattr(self.follower)
        self.ends = {"stdin": self.follower, "stdout": self.follower, "stderr": self.follower,
                     "env": dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8")}
        self.text = ""

    def close(self):
        os.close(self.leader)
        os.close(self.follower)

    def resize(self, rows, columns):
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def read(self):
        try:
            self.text += os.read(self.leader, 65536).decode("utf-8", "replace")
        except BlockingIOError:
            pass
        return self.text

    def write(self, data):
        """What comes then is looked at by shows()."""
        self.read()
        self.text = ""
        os.write(self.leader, data)

    def shows(self, wanted):
        return wanted in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\(B", "", self.read())

    def expect(self, wanted, seconds, complaint):
        until(lambda: self.shows(wanted), seconds, f"{complaint}: {self.text[-300:]!r}")

    def expect_end(self, process, status, seconds):
        """It ends, and the terminal is as it was."""
        require_equal(process.wait(seconds), status)
        require("\x1b[?1049l" in self.read(), "the other screen stays")
        require_equal(termios.tcgetattr(self.follower), self.settings)


# What xterm sends, and the last byte that the keyboard then does.
KEYS = ((b"a", "1c"), (b"A", "12"), (b"\x1bOP", "5"), (b"\x1b[15~", "3"), (b"\x1b[24~", "7"),
        (b"\r", "5a"), (b"\x1bOA", "75"), (b"\x1bOF", "69"), (b"\x1b[3~", "71"),
        (b"\x1b[6~", "7a"), (b"\x1b", "76"), (b"\x1bx", "11"), (b"\x7f", "66"), (b"\x03", "14"))


def test_curses(emulator, scale):
    version = subprocess.check_output(emulator + ["-version"]).decode().split()[1]
    terminal = Terminal(30)
    machine = Demo(emulator, ["-display", "curses"], scale, **terminal.ends)
    try:
        terminal.expect(PROMPT, 10 * scale, "no prompt")
        for key, code in KEYS:
            terminal.write(key)
            machine.expect_scan(code)
        terminal.write(b"\x1b2")
        terminal.expect("(qemu)", 10 * scale, "no monitor")
        terminal.write(b"info versiom\x7fn\r")
        terminal.expect(version, 10 * scale, f"no {version!r}")
        terminal.write(b"\x1b1")
        terminal.expect(PROMPT, 10 * scale, "the screen is not shown again")
        terminal.write(b"\x1b2quit\r")
        terminal.expect_end(machine.process, 0, 10 * scale)
    finally:
        machine.close()
        terminal.close()


def test_small_terminal(emulator, scale):
    """The line with the cursor is there, at any size."""
    terminal = Terminal(3)
    machine = Machine(emulator, ["-display", "curses", "-serial", "none", "-boot", "order=c"], None,
                      scale, **terminal.ends)
    try:
        terminal.expect("No bootable device.", 20 * scale, "the last line is not shown")
        for size, line in (((2, 30), "No bootable device."), ((40, 120), "Calque BIOS")):
            terminal.write(b"")
            terminal.resize(*size)
            machine.process.send_signal(signal.SIGWINCH)    # it has no controlling terminal
            terminal.expect(line, 10 * scale, f"no {line!r} at {size}")
        machine.process.send_signal(signal.SIGTERM)
        terminal.expect_end(machine.process, 0, 10 * scale)
    finally:
        machine.close()
        terminal.close()


def test_complaint(emulator, scale):
    """What goes wrong when the terminal is a screen already is told on it afterwards."""
    terminal = Terminal(25)
    try:
        with subprocess.Popen(leashed(emulator + ["-display", "curses", "-monitor",
                                                  "unix:/no/such/folder/monitor,server,nowait"]),
                              **terminal.ends) as process:
            try:
                terminal.expect_end(process, 1, 10 * scale)
            finally:
                process.kill()
        require("calque: " in terminal.text.partition("\x1b[?1049l")[2], "nothing is said")
    finally:
        terminal.close()


TESTS = {"vnc": (test_vnc, test_vnc_gallery, test_vnc_stalled, test_vnc_web),
         "curses": (test_curses, test_small_terminal, test_complaint)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--scale", type=float, default=3, help="stretches every time limit")
    parser.add_argument("screens", nargs="*", default=list(TESTS))
    options = parser.parse_args()
    emulator = shlex.split(options.emulator)
    there = subprocess.check_output(emulator + ["-display", "help"]).decode()
    failed = False
    for name in options.screens:
        if re.search(rf"^{name} .*not in this program", there, re.MULTILINE):
            print(f"skip screen {name}: not in this program", flush=True)
            continue
        try:
            for test in TESTS[name]:
                test(emulator, options.scale)
            print(f"ok screen {name}", flush=True)
        except (Failure, OSError, subprocess.SubprocessError) as failure:
            print(f"FAIL screen {name}: {failure}", flush=True)
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
