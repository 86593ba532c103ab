#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Guests that do their worst: meanwhile the emulator must answer, and then end when it is told to.

    hostile.py [--emulator build/calque] [--seconds N] [--jobs N] [WORD...]

While a guest of tests/guests/hostile*.asm runs, a monitor is asked "info status", "info registers"
and more, whose answers must come within a second (times --scale, for busy hosts); the guest must
be at it then; "quit", SIGTERM or SIGINT must end the process within a second, with
status 0; and the process must not have taken more memory than it may. A test that is killed must
leave no guest behind ("orphan"). Each way to be hostile prints
one line, "ok hostile WORD" or "FAIL hostile WORD", with the longest times; the status is 1 if one
failed.
"""

import argparse
import concurrent.futures
import itertools
import os
import re
import shlex
import signal
import socket
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tests/boot")
from machine import Failure, Machine, require, until  # noqa: E402 (found through the line above)

ROUNDS = 0x6f0          # where guests count
PATIENCE = 1.0          # seconds for an answer, and for the end
MEMORY = 600            # MiB that a process may use at most, with 32 MiB for the guest
CODE = b"\x90\x90\xc3\x90" * 4096   # what disks begin with

QUESTIONS = ("registers", "tlb", "screen", "mtree")   # asked beside "info status"

# What shows that a guest is at it: its count, its registers; or may it come to an end of its own
# making?
COUNTS, MOVES, DIES = range(3)

# In options FOLDER stands for a folder with a disk, a floppy and a CD.
CARDS = [word for n, card in enumerate(("e1000", "rtl8139", "ne2k_pci")) for word in (
    "-netdev", f"hubport,id=n{n},hubid=0", "-device", f"{card},netdev=n{n}")]
DRIVES = ["-hda", "FOLDER/disk", "-cdrom", "FOLDER/disk", "-fda", "FOLDER/floppy", "-snapshot"]

# Word: guest, one of these, more options.
WAYS = {
    **{word: ("hostile", COUNTS, []) for word in (
        "mmio", "execute", "wrap", "nowhere", "reset-keyboard", "reset-92", "reset-cf9",
        "missing-handler", "tasks", "tables-in-video", "page-tables-anywhere",
        "page-tables-of-themselves", "hot-spot", "hot-page", "aliases", "blocks", "timers",
        "no-eoi", "nmi", "deep-stack", "msr", "a20", "control", "modes")},
    **{word: ("hostile", DIES, []) for word in (
        "triple", "alignment", "nested-tasks", "apic-base", "chaos")},
    **{word: ("hostile64", COUNTS, []) for word in (
        "canonical", "sparse", "tables-of-themselves", "contexts", "debug-stack", "returns",
        "rep-over-code")},
    **{f"rep-{what}": ("hostile64", MOVES, []) for what in (
        "movs", "movs-down", "movs-near", "stos", "lods", "scas", "cmps", "ins", "outs", "video",
        "apic", "hole", "fwcfg", "pci")},
    "chaos-64": ("hostile64", DIES, []),
    **{word: ("hostiledev", COUNTS, CARDS) for word in (
        "e1000-rings", "e1000-segments", "e1000-storm", "rtl8139-rings", "rtl8139-storm",
        "ne2000-storm")},
    "frames": ("hostiledev", COUNTS, ["-nic", "user"]),
    **{word: ("hostiledev", COUNTS, DRIVES) for word in (
        "ide-tables", "ide-commands", "dma-over-code", "floppy-dma", "floppy-commands")},
    **{word: ("hostiledev", COUNTS, []) for word in (
        "fwcfg-blocks", "fwcfg-huge", "vbe", "vga", "keyboard")},
    "serial": ("hostiledev", COUNTS, ["-serial", "unix:FOLDER/nobody,server,nowait"]),
    **{word: ("hostiledev", DIES, CARDS + DRIVES) for word in ("ports", "pci", "bars")},
}


class Guest:
    """A hostile guest that has begun."""

    def __init__(self, word, options, folder):
        image, self.shows, more = WAYS[word]
        self.longest = {}
        self.serial = f"{folder}/serial"
        self.scale = options.scale
        for name, size in (("disk", 64 << 20), ("floppy", 1440 << 10)):
            with open(f"{folder}/{name}", "wb") as drive:
                drive.write(CODE)
                drive.truncate(size)
        self.machine = Machine(shlex.split(options.emulator), [
            "-m", "32", "-display", "none", "-no-shutdown", "-serial", f"file:{self.serial}",
            "-kernel", f"{options.guests}/{image}.bin", "-append",
            word.removesuffix("-64"), *[option.replace("FOLDER", folder) for option in more]],
            None, options.scale)
        self.nobody = socket.socket(socket.AF_UNIX)     # never reads
        if os.path.exists(f"{folder}/nobody"):
            self.nobody.connect(f"{folder}/nobody")

    def close(self):
        self.nobody.close()
        self.machine.close()

    def has_begun(self):
        with open(self.serial, "rb") as serial:
            return b": begins" in serial.read()

    def time(self, what, function, *arguments):
        """Calls a function and remembers the longest time that it took."""
        start = time.monotonic()
        result = function(*arguments)
        taken = time.monotonic() - start
        self.longest[what] = max(taken, self.longest.get(what, 0))
        require(taken <= PATIENCE * self.scale, f"{what}: {taken:.1f} s")
        return result

    def progress(self):
        """A text that changes while the guest is at it."""
        line = {COUNTS: f"xp /1wx {ROUNDS:#x}"}.get(self.shows, "info registers")
        return self.machine.monitor.command(line).strip()

    def ask(self, seconds):
        """Questions for some time, while the guest does what it does."""
        before, deadline = self.progress(), time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.time("status", self.machine.monitor.command, "info status")
            require(status.startswith("VM status:"), f"info status: {status!r}")
            for what in QUESTIONS:
                self.time(what, self.machine.monitor.command, f"info {what}")
            require(self.machine.process.poll() is None, "it ended by itself")
        if self.shows != DIES:
            require(status == "VM status: running\n", status)
            until(lambda: self.progress() != before, 5 * self.scale, f"it does nothing: {before}")

    def memory(self):
        """The most MiB that the process had."""
        with open(f"/proc/{self.machine.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s*(\d+)", status.read()).group(1)) >> 10

    def end(self, how):
        if how is None:
            self.machine.monitor.socket.sendall(b"quit\n")
        else:
            self.machine.process.send_signal(how)
        status = self.time("end", self.machine.wait_end, 10)
        require(status == 0, f"it ends with status {status}")


def complain(word, how, options):
    """Runs a guest; what was measured."""
    with tempfile.TemporaryDirectory() as folder:
        guest = Guest(word, options, folder)
        try:
            until(guest.has_begun, 10 * options.scale, "it does not begin")
            guest.ask(options.seconds)
            memory = guest.memory()
            require(memory <= MEMORY, f"{memory} MiB")
            guest.end(how)
        finally:
            guest.close()
    return ", ".join(f"{what} {1000 * taken:.0f} ms" for what, taken in guest.longest.items()) + \
        f", {memory} MiB"


def run(word, how, options):
    """Prints the guest's line. True: it failed."""
    try:
        line, failed = f"ok hostile {word} ({complain(word, how, options)})", False
    except (Failure, OSError) as failure:
        line, failed = f"FAIL hostile {word} - {failure}", True
    print(f"{line}\n", end="", flush=True)
    return failed


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def run_orphan(options):
    """A process like this one starts a guest and is killed. True: the guest goes on."""
    reader, writer = os.pipe()
    with tempfile.TemporaryDirectory() as folder:
        child = os.fork()
        if child == 0:
            tempfile.tempdir = folder
            os.write(writer, str(Guest("hot-spot", options, folder).machine.process.pid).encode())
            signal.pause()
        os.close(writer)
        pid = os.read(reader, 20).decode()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    try:
        require(pid, "no guest")
        until(lambda: not runs(pid), PATIENCE * options.scale, "the guest goes on")
        print("ok hostile orphan", flush=True)
    except Failure as failure:
        print(f"FAIL hostile orphan - {failure}", flush=True)
        return True
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--guests", default=f"{TOP}/build/guests", help="where NAME.bin are")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the times")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long each is asked")
    parser.add_argument("--jobs", type=int, default=1, help="guests at a time")
    parser.add_argument("words", nargs="*", metavar="WORD", help=f"of {', '.join(WAYS)}, orphan")
    options = parser.parse_args()
    words = options.words or [*WAYS, "orphan"]
    failed = "orphan" in words and run_orphan(options)
    words = [word for word in words if word != "orphan"]
    ends = itertools.cycle((None, signal.SIGTERM, signal.SIGINT))
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        failed |= any(list(pool.map(run, words, ends, itertools.repeat(options))))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
