#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drives a kernel on the screen and the keyboard through the monitor.

    monitor_test.py [--emulator build/calque] [--scale N] [GUEST...]     (default: amd64)

Each check prints one line, "ok NAME" or "FAIL NAME"; the status is 1 if one failed. The monitor's
conversation goes to build/monitor-GUEST.log.
"""

import argparse
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROMPT = b"(qemu) "

# What a US keyboard types, where that is not the key's own name.
KEYS = {" ": "spc", "\n": "ret", "-": "minus", "=": "equal", "/": "slash", ".": "dot", ",": "comma",
        ";": "semicolon", "'": "apostrophe", "$": "shift-4", "(": "shift-9", ")": "shift-0",
        "*": "shift-8", "+": "shift-equal", "_": "shift-minus", ">": "shift-dot", "|":
        "shift-backslash", '"': "shift-apostrophe"}


class Failure(Exception):
    """The guest or the monitor did not do what was expected."""


class Monitor:
    """A monitor's socket."""

    def __init__(self, path, log, scale):
        self.log = log
        self.scale = scale
        self.socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 10 * scale
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise Failure("no monitor") from None
                time.sleep(0.05)
        self.answer()

    def answer(self):
        """What has been said up to the next prompt."""
        text = b""
        self.socket.settimeout(10 * self.scale)
        while not text.endswith(PROMPT):
            data = self.socket.recv(65536)
            if not data:
                raise Failure("the monitor has gone")
            text += data
        self.log.write(text)
        self.log.flush()
        return text[:-len(PROMPT)].decode("latin-1").replace("\r", "")

    def command(self, line):
        """The answer to a command, without its echo."""
        self.socket.sendall(line.encode() + b"\n")
        return self.answer().partition("\n")[2]

    def screen(self):
        return self.command("info screen")

    def wait_screen(self, text, seconds):
        """Until the screen shows a text."""
        deadline = time.monotonic() + seconds * self.scale
        while text not in self.screen():
            if time.monotonic() > deadline:
                raise Failure(f"no {text!r} on the screen: {self.screen().strip()[-300:]!r}")
            time.sleep(0.2)

    def type(self, text):
        for char in text:
            key = KEYS.get(char, f"shift-{char.lower()}" if char.isupper() else char)
            answer = self.command(f"sendkey {key} 20")
            if answer:
                raise Failure(answer)


def check_shell(monitor, _):
    monitor.wait_screen("\n/ #", 60)


def check_typing(monitor, _):
    monitor.type("echo $((6*7)) 'Calque|_x'\n")
    monitor.wait_screen("\n42 Calque|_x\n", 20)


def check_caps_lock(monitor, _):
    monitor.command("sendkey caps_lock")
    monitor.type("echo q")
    monitor.wait_screen("ECHO Q", 20)
    monitor.command("sendkey caps_lock")
    monitor.command("sendkey ctrl-c")


def check_repetition(monitor, _):
    monitor.type("echo ")
    monitor.command("sendkey z 2000")
    monitor.type("\n")
    monitor.wait_screen("\nzzzz", 20)


def check_pause(monitor, _):
    monitor.command("stop")
    before = monitor.command("info registers")
    if monitor.command("info status") != "VM status: paused\n":
        raise Failure("it is not paused")
    time.sleep(0.2)
    if monitor.command("info registers") != before:
        raise Failure("it goes on")
    monitor.command("cont")
    monitor.type("echo on''ward\n")
    monitor.wait_screen("\nonward\n", 20)


def check_picture(monitor, folder):
    for name, magic in (("screen.png", b"\x89PNG\r\n\x1a\n"), ("screen.ppm", b"P6\n720 400\n255\n")):
        complaint = monitor.command(f"screendump {folder}/{name}")
        if complaint:
            raise Failure(complaint)
        with open(f"{folder}/{name}", "rb") as file:
            data = file.read()
        if not data.startswith(magic):
            raise Failure(f"{name} begins with {data[:16]!r}")
    if len(data) != 15 + 720 * 400 * 3 or len(set(data[15:])) < 2:
        raise Failure("the picture is empty")


# While the guest spins, the monitor answers at once.
def check_response(monitor, _):
    monitor.type("while true; do true; done\n")
    time.sleep(0.5)
    for _ in range(20):
        monitor.command("info registers")
    monitor.command("sendkey ctrl-c")
    monitor.type("echo sp''un\n")
    monitor.wait_screen("\nspun\n", 20)


CHECKS = (("shell on the screen", check_shell), ("typing", check_typing),
          ("caps lock", check_caps_lock), ("repetition", check_repetition), ("pause", check_pause),
          ("pictures", check_picture), ("response", check_response))


def check_reset(monitor, process, scale):
    """Ctrl-Alt-Delete resets, which ends the emulator here."""
    monitor.socket.sendall(b"sendkey ctrl-alt-delete\n")
    try:
        status = process.wait(20 * scale)
    except subprocess.TimeoutExpired:
        raise Failure("it does not end") from None
    if status != 0:
        raise Failure(f"it ends with status {status}")


def test(guest, emulator, scale, log_dir):
    ok = True

    def report(name, check, *arguments):
        nonlocal ok
        try:
            check(*arguments)
            print(f"ok boot {guest}: monitor: {name}", flush=True)
        except (Failure, OSError) as failure:
            print(f"FAIL boot {guest}: monitor: {name}: {failure}", flush=True)
            ok = False
        return ok

    folder = f"{TOP}/guests/{guest}"
    with tempfile.TemporaryDirectory() as work, open(f"{log_dir}/monitor-{guest}.log", "wb") as log:
        process = subprocess.Popen(
            emulator + ["-m", "256", "-no-reboot", "-serial", "none", "-monitor",
                        f"unix:{work}/monitor,server,nowait", "-kernel", f"{folder}/vmlinuz",
                        "-initrd", f"{folder}/initrd.gz", "-append",
                        "console=tty0 cryptomgr.notests quiet"], stdin=subprocess.DEVNULL)
        try:
            monitor = Monitor(f"{work}/monitor", log, scale)
            if all(report(name, check, monitor, work) for name, check in CHECKS):
                report("Ctrl-Alt-Delete", check_reset, monitor, process, scale)
        except Failure as failure:
            print(f"FAIL boot {guest}: monitor: {failure}", flush=True)
            ok = False
        finally:
            process.kill()
            process.wait()
    return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--scale", type=float, default=3, help="stretches every time limit")
    parser.add_argument("--log-dir", default=f"{TOP}/build")
    parser.add_argument("guests", nargs="*", default=["amd64"])
    options = parser.parse_args()
    results = [test(guest, shlex.split(options.emulator), options.scale, options.log_dir)
               for guest in options.guests]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
