# SPDX-License-Identifier: MIT
"""The figures of a whole PC, of Calque and of QEMU TCG, each with its own firmware: seconds from a
floppy to FreeDOS' prompt and from a CD to Linux' shell, throughput of disks, how often a second
the screen is scrolled and filled, and what idle guests cost.

Rows have names that --kernels chooses from; a part for which something is missing says so.
"""

import glob
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tests/boot")
from machine import (Console, Failure, Machine, freedos_floppy,  # noqa: E402 (found through
                     until)                                       # the line above)
from screens_test import Client, free_port  # noqa: E402
from measure import (busiest, cell, cpu_share, print_bar, print_table, ratio,  # noqa: E402
                     thread_times, times_since)

# Of QEMU's time; times as fast as QEMU; percent of a core.
FREEDOS_BAR = 0.5
CD_BAR = 0.7
DISK_BAR = 1.0
SCREEN_BAR = 2.0
IDLE_BAR = 2.0

BOOT_SECONDS = 300
LINUX = "console=ttyS0 cryptomgr.notests"
POLL_SECONDS = 0.02

FLOPPY = "1.4MB"

LOADERS = ["isolinux", "grub"]
ISOLINUX = "/usr/lib/ISOLINUX/isolinux.bin"
ISOLINUX_MODULE = "/usr/lib/syslinux/modules/bios/ldlinux.c32"

DISK_BYTES = 128 << 20
DISK_FORMATS = {"raw": "sda", "qcow2": "sdb"}
DISK_BLOCKS = ["64k", "1M"]
DISK_PASSES = 4
DISK_SECONDS = 120
DISK_COMMANDS = {"read": "dd if=/dev/{disk} of=/dev/null bs={block} iflag=direct",
                 "write": "dd if=/dev/zero of=/dev/{disk} bs={block} count={count} oflag=direct"}

SCREEN_SECONDS = 60
IDLE_SECONDS = 10
SETTLE_SECONDS = 5


class Watcher(threading.Thread):
    """A VNC client that takes each picture as soon as it is there."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.client = until(lambda: self.connect(port), 10, "no VNC server")
        self.client.enter()
        self.client.socket.settimeout(None)
        self.buffer = memoryview(bytearray(1 << 20))
        self.start()

    @staticmethod
    def connect(port):
        try:
            return Client(port, 30)
        except ConnectionRefusedError:
            return None

    def drop(self, n):
        while n:
            got = self.client.socket.recv_into(self.buffer, min(n, len(self.buffer)))
            if not got:
                raise OSError("the server has gone")
            n -= got

    def update(self, incremental):
        """Asks for what has changed and takes it."""
        client = self.client
        client.socket.sendall(bytes([3, incremental, 0, 0, 0, 0]) +
                              client.width.to_bytes(2, "big") + client.height.to_bytes(2, "big"))
        while client.take(1) != b"\0":
            pass                            # a bell
        client.take(1)
        for _ in range(int.from_bytes(client.take(2), "big")):
            head = client.take(12)
            width, height = (int.from_bytes(head[i:i + 2], "big") for i in (4, 6))
            if int.from_bytes(head[8:], "big", signed=True) == -223:
                client.width, client.height = width, height
            else:
                self.drop(4 * width * height)

    def run(self):
        try:
            self.update(0)
            while True:
                self.update(1)
        except (OSError, Failure):
            pass                            # the emulator has ended


class Display:
    """Options for a screen that somebody watches or nobody does."""

    def __init__(self, watched):
        self.port = until(lambda: (p := free_port()) > 5900 and p, 5, "no port") if watched else 0
        self.options = ["-vnc", f"127.0.0.1:{self.port - 5900}"] if watched else ["-display", "none"]

    def watch(self):
        if self.port:
            Watcher(self.port)


def text_of(monitor):
    """What 80x25 characters of the screen show, read as both monitors tell it."""
    words = re.findall(r" 0x([0-9a-f]{4})\b", monitor.command("xp /2000hx 0xb8000"))
    return "".join(chr(int(word, 16) & 0xff) for word in words)


def wait_text(machine, text, seconds):
    deadline = time.monotonic() + seconds
    while text not in text_of(machine.monitor):
        if time.monotonic() > deadline:
            raise Failure(f"no {text!r} on the screen")
        time.sleep(POLL_SECONDS)


class Pc:
    """The measurements, and where what they need is."""

    def __init__(self, commands, guests, options, folder):
        self.commands = commands        # by side
        self.guests = guests
        self.options = options
        self.folder = folder
        self.failed = False
        self.floppy = freedos_floppy(FLOPPY)

    # -- Running ---------------------------------------------------------------------------------

    def measure(self, names, function):
        """By row and side, what function(side, row) returns in each round; None where it failed."""
        names = [name for name in names if re.search(self.options.kernels, name)]
        values = {name: {side: [] for side in self.commands} for name in names}
        for round_number in range(self.options.rounds):
            for name in names:
                for side in self.commands:
                    if sys.stderr.isatty():
                        print(f"pc, round {round_number + 1}: {name}, {side}\033[K", end="\r",
                              file=sys.stderr, flush=True)
                    values[name][side].append(self.attempt(name, side, function))
        return values

    def attempt(self, name, side, function):
        try:
            return function(side, name)
        except (Failure, OSError) as failure:
            print(f"  pc {side} {name}: {failure}", file=sys.stderr, flush=True)
            self.failed = True
            return None

    def missing(self, part, things):
        """Says which of the things, by name, are not there."""
        absent = [name for name, there in things.items() if not there]
        if absent:
            print(f"\npc, {part}: left out, there is no {' and no '.join(absent)}")
        return bool(absent)

    def console(self, side, options, log):
        return Console(self.commands[side] + options +
                       ["-serial", "stdio", "-monitor", "none", "-net", "none"],
                       f"{self.folder}/{log}-{side}.log", 1.0)

    def machine(self, side, options, log):
        return Machine(self.commands[side], options + ["-serial", "none", "-net", "none"],
                       f"{self.folder}/{log}-{side}.log", 1.0)

    def linux(self, side, display, options, log):
        """Linux at its shell, started by its kernel."""
        guest = f"{TOP}/guests/{self.guests[0]}"
        console = self.console(side, ["-m", "512", "-no-reboot", "-kernel", f"{guest}/vmlinuz",
                                      *display.options, *options], log)
        try:
            display.watch()
            console.expect(r"Calque guest is up.*?\n/ # ", BOOT_SECONDS)
        except BaseException:
            console.close()
            raise
        return console

    def freedos(self, side, display, floppy):
        return self.machine(side, ["-m", "16", "-boot", "a", *display.options, "-drive",
                                   f"if=floppy,format=raw,snapshot=on,file={floppy}"], "freedos")

    # -- Starts ----------------------------------------------------------------------------------

    def start_freedos(self, side, _):
        """Seconds from the start of the program until the prompt is on the screen."""
        start = time.monotonic()
        machine = self.freedos(side, Display(False), self.floppy)
        try:
            wait_text(machine, "A:\\>", 60)
            return time.monotonic() - start - busiest(machine.process, {})[1]
        finally:
            machine.close()

    def make_cd(self, loader, guest):
        """A CD with a guest's kernel and initramfs."""
        tree, path = f"{self.folder}/{loader}-{guest}", f"{self.folder}/{loader}-{guest}.iso"
        shutil.rmtree(tree, ignore_errors=True)
        os.makedirs(f"{tree}/boot/grub")
        for name in ("vmlinuz", "initrd.gz"):
            shutil.copy(f"{TOP}/guests/{guest}/{name}", tree)
        if loader == "grub":
            config, text = "boot/grub/grub.cfg", (
                f"set timeout=0\nmenuentry linux {{\nlinux /vmlinuz {LINUX}\ninitrd /initrd.gz\n}}\n")
            command = ["grub-mkrescue", "-o", path, tree]
        else:
            config, text = "isolinux.cfg", (
                f"default linux\nlabel linux\nkernel /vmlinuz\nappend initrd=/initrd.gz {LINUX}\n")
            shutil.copy(ISOLINUX, tree)
            shutil.copy(ISOLINUX_MODULE, tree)
            command = ["xorriso", "-as", "mkisofs", "-o", path, "-b", "isolinux.bin", "-c",
                       "boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table",
                       tree]
        with open(f"{tree}/{config}", "w", encoding="ascii") as file:
            file.write(text)
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
        if result.returncode:
            raise Failure(f"{command[0]}: {result.stdout[-300:]!r}")

    def start_cd(self, side, name):
        """Seconds from the start of the program to the shell."""
        start = time.monotonic()
        console = self.console(side, ["-m", "512", "-display", "none", "-no-reboot", "-boot", "d",
                                      "-cdrom", f"{self.folder}/{name.removeprefix('cd-')}.iso"],
                               name)
        try:
            console.expect(r"Calque guest is up.*?\n/ # ", BOOT_SECONDS)
            return time.monotonic() - start - busiest(console.process, {})[1]
        finally:
            console.close()

    def measure_starts(self):
        if not self.missing("FreeDOS", {f"freedos.boot.disk.{FLOPPY}.img": self.floppy}):
            values = self.measure(["freedos"], self.start_freedos)
            self.print_part("seconds to FreeDOS' prompt", values, ".2f",
                            [("of QEMU's time", "", FREEDOS_BAR, False, False)])
        tools = {"isolinux": os.path.exists(ISOLINUX) and os.path.exists(ISOLINUX_MODULE),
                 "xorriso": shutil.which("xorriso"), "grub-mkrescue": shutil.which("grub-mkrescue"),
                 "mtools": shutil.which("mformat"),
                 "grub-pc-bin": glob.glob("/usr/lib/grub/i386-pc/cdboot.img")}
        if not self.missing("CD", tools):
            names = [f"cd-{loader}-{guest}" for loader in LOADERS for guest in self.guests
                     if re.search(self.options.kernels, f"cd-{loader}-{guest}")]
            for name in names:
                self.make_cd(*name.removeprefix("cd-").split("-", 1))
            values = self.measure(names, self.start_cd)
            self.print_part("seconds from a CD to Linux' shell", values, ".2f",
                            [("of QEMU's time, slowest", "", CD_BAR, False, False)])

    # -- Disks -----------------------------------------------------------------------------------

    def make_disks(self, folder):
        """One image of each format, with the same data; all of it is there."""
        with open(f"{folder}/raw", "wb") as file:
            file.write(os.urandom(DISK_BYTES))
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", f"{folder}/raw", f"{folder}/qcow2"],
                       check=True)

    def use_disks(self, side, folder, names):
        """By row, megabytes a second."""
        guest = f"{TOP}/guests/{self.guests[0]}"
        with open(f"{folder}/initrd", "wb") as file:
            for part in ("initrd.gz", "disks.gz"):
                with open(f"{guest}/{part}", "rb") as source:
                    file.write(source.read())
        options = ["-initrd", f"{folder}/initrd", "-append", LINUX]
        for index, name in enumerate(DISK_FORMATS):
            options += ["-drive", f"if=ide,index={index},format={name},file={folder}/{name}"]
        console = self.linux(side, Display(False), options, "disk")
        try:
            console.shell("dmesg -n 1; load-disks; sleep 1; cat /proc/partitions", DISK_SECONDS)
            return {name: self.attempt(name, side, lambda _, name: self.copy(console, name))
                    for name in names}
        finally:
            console.close()

    def copy(self, console, name):
        form, way, block = name.split("-")
        unit = {"k": 1 << 10, "M": 1 << 20}[block[-1]] * int(block[:-1])
        command = DISK_COMMANDS[way].format(disk=DISK_FORMATS[form], block=block,
                                            count=DISK_BYTES // unit)
        before, start = thread_times(console.process), time.monotonic()
        text = console.shell("; ".join([command] * DISK_PASSES), DISK_SECONDS)
        passed = (time.monotonic() - start) * cpu_share(console.process, before)
        if text.count(f"{DISK_BYTES // unit}+0 records out") != DISK_PASSES:
            raise Failure(f"printed {text!r}")
        return DISK_BYTES * DISK_PASSES / 1e6 / passed

    def measure_disks(self):
        """Times the copying from outside, the shell's part in it included."""
        names = [f"{form}-{way}-{block}" for form in DISK_FORMATS for way in DISK_COMMANDS
                 for block in DISK_BLOCKS]
        names = [name for name in names if re.search(self.options.kernels, name)]
        if not names or self.missing("disks", {
                "qemu-img": shutil.which("qemu-img"),
                "disks.gz": os.path.exists(f"{TOP}/guests/{self.guests[0]}/disks.gz")}):
            return
        values = {name: {side: [] for side in self.commands} for name in names}
        # In memory: the host's disk is not what is measured.
        shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        with tempfile.TemporaryDirectory(dir=shared) as folder:
            self.make_disks(folder)
            for _ in range(self.options.rounds):
                for side in self.commands:
                    rates = self.attempt("disks", side,
                                         lambda s, _: self.use_disks(s, folder, names)) or {}
                    for name in names:
                        values[name][side].append(rates.get(name))
        self.print_part("disks, MB/s in Linux", values, ".0f",
                        [(f"{way}, least gain", f"-{way}-", DISK_BAR, True, False)
                         for way in DISK_COMMANDS])

    # -- Screens ---------------------------------------------------------------------------------

    def use_screen(self, side, watched):
        """By row, how often a second."""
        display = Display(watched)
        console = self.console(side, ["-m", "16", "-boot", "a", *display.options, "-drive",
                                      f"if=floppy,format=raw,file={self.folder}/video.img,"
                                      "snapshot=on"], "screen")
        rates = {}
        try:
            display.watch()
            while match := console.expect(r"(?:begin (\S+)|(done))\n", SCREEN_SECONDS):
                if match.group(2):
                    return rates
                before, start = thread_times(console.process), time.monotonic()
                count = int(console.expect(r"end \S+ (\w+)\n", SCREEN_SECONDS).group(1), 16)
                passed = time.monotonic() - start
                rates[match.group(1)] = count / (passed * cpu_share(console.process, before))
        finally:
            console.close()

    def measure_screens(self):
        for watched, words in ((False, "not watched"), (True, "watched by a VNC client")):
            if not re.search(self.options.kernels, "watched" if watched else "screen"):
                continue
            image = f"{self.folder}/video.img"
            subprocess.run(["nasm", "-f", "bin", "-o", image, f"{TOP}/tests/bench/video.asm"],
                           check=True)
            with open(image, "r+b") as file:
                file.truncate(1440 << 10)
            rounds = [{side: self.attempt("screen", side,
                                          lambda s, _, w=watched: self.use_screen(s, w)) or {}
                       for side in self.commands} for _ in range(self.options.rounds)]
            names = list(dict.fromkeys(n for r in rounds for rates in r.values() for n in rates))
            values = {name: {side: [r[side].get(name) for r in rounds] for side in self.commands}
                      for name in names}
            self.print_part(f"screen {words}, times a second", values, ".0f",
                            [("text, least gain", "^text-", SCREEN_BAR, True, False),
                             ("mode 13h, least gain", "^13h-", SCREEN_BAR, True, False)])

    # -- Idle guests -----------------------------------------------------------------------------

    def make_halting_floppy(self):
        """FreeDOS halts while it waits only where its configuration says so."""
        path = f"{self.folder}/halting.img"
        shutil.copyfile(self.floppy, path)
        old = subprocess.run(["mtype", "-i", path, "::CONFIG.SYS"], check=True,
                             stdout=subprocess.PIPE).stdout
        subprocess.run(["mcopy", "-o", "-i", path, "-", "::CONFIG.SYS"], check=True,
                       input=b"IDLEHALT=1\r\n" + old)
        return path

    def idle(self, side, name):
        """Percent of a core that the emulator takes."""
        system, _, watched = name.removeprefix("idle-").partition("-")
        display = Display(bool(watched))
        if system == "linux":
            initrd = f"{TOP}/guests/{self.guests[0]}/initrd.gz"
            guest = self.linux(side, display, ["-initrd", initrd, "-append",
                                               f"console=tty0 {LINUX}"], name)
        else:
            guest = self.freedos(side, display, self.make_halting_floppy())
        try:
            if system == "freedos":
                display.watch()
                wait_text(guest, "A:\\>", 60)
            time.sleep(SETTLE_SECONDS)
            before = thread_times(guest.process)
            time.sleep(IDLE_SECONDS)
            run = sum(run for run, _ in times_since(guest.process, before))
            return 100 * run / 1e9 / IDLE_SECONDS
        finally:
            guest.close()

    def measure_idle(self):
        names = ["idle-linux", "idle-linux-watched"]
        if not self.missing("idle FreeDOS", {f"freedos.boot.disk.{FLOPPY}.img": self.floppy,
                                             "mtools": shutil.which("mcopy")}):
            names += ["idle-freedos", "idle-freedos-watched"]
        self.print_part("idle, percent of a core", self.measure(names, self.idle), ".2f",
                        [("percent of a core, most", "", IDLE_BAR, False, True)])

    # -- Tables ----------------------------------------------------------------------------------

    def print_part(self, title, values, form, bars):
        """A table and its bars: words, an expression for the rows' names, limit, whether values
        have to be above it, whether it is for Calque's own values and not for the ratios."""
        if not values:
            return
        print(f"\npc, {title}:\n")
        rows, worst = [["", *self.commands, "jit ÷ qemu"]], {}
        for name, sides in values.items():
            medians = {side: statistics.median(good) if (good := [v for v in vs if v is not None])
                       else None for side, vs in sides.items()}
            quotient = ratio(sides, "jit", "qemu")
            rows.append([name, *(cell(m, form) for m in medians.values()), cell(quotient)])
            worst[name] = {True: medians.get("jit"), False: quotient}
        print_table(rows)
        print()
        for words, pattern, limit, at_least, own in bars:
            found = {n: w[own] for n, w in worst.items()
                     if re.search(pattern, n) and w[own] is not None}
            if found:
                name = (min if at_least else max)(found, key=found.get)
                print_bar(f"{words} ({name})", found[name], limit, at_least)
        sys.stdout.flush()


def run(commands, guests, options, folder):
    """Measures and prints everything. True: something failed."""
    os.makedirs(folder, exist_ok=True)
    pc = Pc(commands, guests, options, folder)
    pc.measure_starts()
    pc.measure_disks()
    pc.measure_screens()
    pc.measure_idle()
    return pc.failed
