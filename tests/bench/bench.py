#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times the same programs on this host (native), in Linux on Calque and in Linux on QEMU TCG.

    bench.py                                          # all sets, both guests: about 20 minutes
    bench.py --sets compute --guests amd64 --rounds 1
    bench.py --kernels 'x87|sse' --sides native,jit,interp

Each round runs a kernel on all sides, one after the other; the tables show medians of the rounds,
as times relative to native. Time that a process spends waiting for a CPU of a busy host is taken
out: native counts CPU time, emulators lose the share in which their busiest thread waited.
The set "pc" (pc.py) is of whole machines, not of programs in Linux.
Tables are Markdown; the bars below them are the project's goals. Status 1: a wrong result.
"""

import argparse
import gzip
import os
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tests/boot")
import pc  # noqa: E402 (it finds modules through the line above, too)
from machine import Console, Failure  # noqa: E402
from measure import (busiest, cell, cpu_share, geomean, print_bar, print_table,  # noqa: E402
                     ratio, thread_times)

SOURCES = ["main.c", "compute.c", "float.c", "system.c"]
# No vectors of the host's own choice: guests and host run the same instructions.
COMPILE = ("gcc -std=gnu17 -O2 -ffreestanding -nostdlib -static -fno-pie -no-pie "
           "-fno-stack-protector -fno-asynchronous-unwind-tables -ffp-contract=off "
           "-fno-tree-loop-distribute-patterns -Wno-psabi").split()
GUESTS = {"amd64": ["-m64", "-mno-red-zone"], "686-pae": ["-m32", "-march=i686"]}

SETS = ["boot", "mips", "translate", "compute", "system", "tools", "share", "pc"]
SIDES = ["native", "jit", "interp", "qemu"]
# Where no others are asked for; the interpreter is too slow for every kernel.
USUAL_SIDES = {"boot": ["jit", "interp", "qemu"], "mips": SIDES}
OTHER_SIDES = ["native", "jit", "qemu"]

TEXT_KILOBYTES = 1024
TOOLS = {
    "gzip": "gzip -c text",
    "bzip2": "bzip2 -c text",
    "sort": "sort text",
    "awk": "awk '{ n += NF; s += length($0) / 3; if ($2 ~ /[5-9]$/) m++ } END { print n, s, m }' "
           "text",
    "sha256sum": "sha256sum text",
}

# Of the time native needs, by guest; times as fast as QEMU; of QEMU's time.
COMPUTE_BAR = {"amd64": 1.9, "686-pae": 1.6}
COMPUTE_WORST_BAR = 4.0
SYSTEM_BAR = 1.5
BOOT_BAR = 0.7
# The interpreter alone: million instructions a second; seconds from start to shell of amd64, which
# is what Bochs 2.7 took for the same system on a machine like the one of docs/performance.md.
INTERP_MIPS_BAR = 60
INTERP_BOOT_BAR = 59
# Million guest instructions a second, decoded and translated.
TRANSLATE_BAR = 3
# Percent of the executed instructions that ran translated.
SHARE_BAR = 99.5

BOOT_SECONDS = 600
KERNEL_SECONDS = 300


# -- What runs -----------------------------------------------------------------------------------


def compile_program(guest, folder):
    path = f"{folder}/bench"
    sources = [f"{TOP}/tests/bench/{name}" for name in SOURCES]
    subprocess.run(COMPILE + GUESTS[guest] + ["-o", path] + sources, check=True)
    return path


def cpio_file(name, data, mode):
    """A file as an archive in the kernel's "newc" format holds it."""
    name = name.encode() + b"\0"
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
    head = b"070701" + b"".join(b"%08x" % value for value in fields) + name
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def make_initrd(guest, program, folder):
    """The guest's initramfs, and the program in an archive after it."""
    path = f"{folder}/initrd.gz"
    with open(f"{TOP}/guests/{guest}/initrd.gz", "rb") as file:
        base = file.read()
    with open(program, "rb") as file:
        archive = cpio_file("bin/bench", file.read(), 0o100755) + cpio_file("TRAILER!!!", b"", 0)
    with open(path, "wb") as file:
        file.write(base + b"\0" * (-len(base) % 4) + gzip.compress(archive))
    return path


def emulators(options):
    """The emulators' commands by side."""
    return {
        "jit": shlex.split(options.calque) + ["-accel", "jit"],
        "interp": shlex.split(options.calque) + ["-accel", "interp"],
        "qemu": shlex.split(options.qemu),
    }


class Native:
    """Programs on the host, all of a command on one CPU, as the guests have only one."""

    name = "native"

    def __init__(self, guest, program):
        # In memory, as the guests' files are.
        shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="bench-", dir=shared)
        self.program = program
        self.guest = f"{TOP}/guests/{guest}"
        self.cpu = max(os.sched_getaffinity(0))
        self.shell(f"bench text {TEXT_KILOBYTES} >text")

    def shell(self, command):
        """What a command prints, and the share of the time in which it had a CPU."""
        command = command.replace("bench ", f"{self.program} ", 1)
        command = command.replace("BUSYBOX", f"{self.guest}/busybox")
        command = command.replace("guestcheck ", f"{self.guest}/guestcheck ")
        start = time.monotonic()
        process = subprocess.Popen(["sh", "-c", f"exec {command}"], stdout=subprocess.PIPE,
                                   cwd=self.folder,
                                   preexec_fn=lambda: os.sched_setaffinity(0, [self.cpu]))
        text = process.stdout.read().decode()
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        passed = time.monotonic() - start
        return text, min(1.0, (usage.ru_utime + usage.ru_stime) / passed)

    def close(self):
        shutil.rmtree(self.folder)


class Guest:
    """Linux in an emulator."""

    def __init__(self, name, guest, command, initrd, log):
        self.name = name
        self.log = log
        self.command = command + ["-m", "512", "-nographic", "-no-reboot", "-net", "none",
                                  "-kernel", f"{TOP}/guests/{guest}/vmlinuz", "-initrd", initrd,
                                  "-append", "console=ttyS0 cryptomgr.notests"]
        self.console = None

    def boot(self):
        """Seconds from the start of the program to the shell's prompt."""
        start = time.monotonic()
        self.console = Console(self.command, self.log, 1.0)
        self.console.expect(r"Calque guest is up.*?\n/ # ", BOOT_SECONDS)
        passed = time.monotonic() - start
        return passed - busiest(self.console.process, {})[1]

    def shell(self, command):
        if not self.console:
            self.boot()
            self.console.shell(f"dmesg -n 1; cd /tmp; bench text {TEXT_KILOBYTES} >text",
                               KERNEL_SECONDS)
        before = thread_times(self.console.process)
        text = self.console.shell(command.replace("BUSYBOX", "/bin/busybox"), KERNEL_SECONDS)
        return text, cpu_share(self.console.process, before)

    def close(self):
        if self.console:
            self.console.close()
            self.console = None


# -- Measuring -----------------------------------------------------------------------------------


class Bench:
    """The measurements of one guest."""

    def __init__(self, guest, options, folder):
        self.guest = guest
        self.options = options
        self.failed = False
        program = compile_program(guest, folder)
        initrd = make_initrd(guest, program, folder)
        self.all_sides = {"native": Native(guest, program)}
        for name, command in emulators(options).items():
            self.all_sides[name] = Guest(name, guest, command, initrd, f"{folder}/{name}.log")
        self.sides = []
        text, _ = self.all_sides["native"].shell("bench list")
        self.kernels = {"tools": list(TOOLS)}
        for line in text.splitlines():
            self.kernels.setdefault(line.split()[0], []).append(line.split()[1])

    def close(self):
        for side in self.all_sides.values():
            side.close()

    def choose_sides(self, group):
        """Those that this set is measured on, native first."""
        names = self.options.sides or USUAL_SIDES.get(group, OTHER_SIDES)
        self.sides = [side for name, side in self.all_sides.items()
                      if name == "native" or (name in names and name in self.options.present)]
        return [side.name for side in self.sides]

    def complain(self, side, kernel, what):
        print(f"  {self.guest} {side.name} {kernel}: {what}", file=sys.stderr, flush=True)
        self.failed = True

    def command(self, side, group, kernel):
        if group == "tools":
            return f"bench time out BUSYBOX {TOOLS[kernel]}"
        return f"bench {kernel} {self.options.interp_part if side.name == 'interp' else 1}"

    def run(self, side, group, kernel, sums):
        """Nanoseconds of a round of a kernel; None if it failed."""
        try:
            text, share = side.shell(self.command(side, group, kernel))
            match = re.search(r"timed runs (\w+) rounds (\w+) total (\w+) best \w+ sum (\w+) (\w+)",
                              text)
            if not match:
                raise Failure(f"printed {text!r}")
        except (Failure, OSError) as failure:
            self.complain(side, kernel, failure)
            side.close()
            return None
        runs, rounds, total, checksum = (int(match.group(i), 16) for i in range(1, 5))
        if match.group(5) != "good" or sums.setdefault(kernel, checksum) != checksum:
            self.complain(side, kernel, f"wrong result: {match.group(0)}")
        return total * share / (runs * rounds)

    def measure(self, group):
        """For each kernel, for each side, the times of all rounds."""
        names = [n for n in self.kernels[group] if re.search(self.options.kernels, n)]
        times = {n: {side.name: [] for side in self.sides} for n in names}
        sums = {}
        for round_number in range(self.options.rounds):
            for name in names:
                for side in self.sides:
                    if sys.stderr.isatty():
                        print(f"{self.guest}, round {round_number + 1}: {name}, {side.name}\033[K",
                              end="\r", file=sys.stderr, flush=True)
                    times[name][side.name].append(self.run(side, group, name, sums))
        return times

    def measure_mips(self):
        """By side, millions of integer instructions a second."""
        rates = {side.name: [] for side in self.sides}
        for _ in range(self.options.rounds):
            for side in self.sides:
                try:
                    side.shell("true")
                    start = time.monotonic()
                    text, share = side.shell("guestcheck mips")
                    passed = (time.monotonic() - start) * share
                    millions = re.search(r"million instructions: (\d+), hash 63000f49", text)
                    if not millions:
                        raise Failure(f"printed {text!r}")
                    rates[side.name].append(int(millions.group(1)) / passed)
                except (Failure, OSError) as failure:
                    self.complain(side, "mips", failure)
                    side.close()
        return rates

    def measure_translate(self):
        """By step, millions of instructions of busybox a second; each step contains the last."""
        rates = {}
        for _ in range(self.options.rounds):
            text = subprocess.run([f"{TOP}/build/tests/translate_bench",
                                   f"{TOP}/guests/{self.guest}/busybox"],
                                  check=True, capture_output=True, text=True).stdout
            for step, rate in re.findall(r"^(\w+) +([\d.]+)  \d+$", text, re.MULTILINE):
                rates.setdefault(step, []).append(float(rate))
        return rates

    def count(self, command):
        """Instructions executed by a boot and a command, and those that did not run translated."""
        folder = f"{TOP}/build/bench/{self.guest}"
        side = Guest("share", self.guest,
                     shlex.split(self.options.calque) +
                     ["-accel", "jit", "-d", "jit-stats", "-D", f"{folder}/share.stats"],
                     f"{folder}/initrd.gz", f"{folder}/share.log")
        try:
            side.boot()
            side.console.shell(f"dmesg -n 1; cd /tmp; bench text {TEXT_KILOBYTES} >text; true",
                               KERNEL_SECONDS)
            side.shell(command)
            side.console.send("poweroff -f")
            side.console.wait_end(BOOT_SECONDS)
        finally:
            side.close()
        with open(f"{folder}/share.stats", encoding="utf-8") as file:
            match = re.search(r"(\d+) instructions executed, (\d+) of them not translated",
                              file.read())
        return int(match.group(1)), int(match.group(2))

    def measure_share(self):
        """By kernel and for the boot, instructions executed and those that did not run translated.

        Those of a kernel are what a boot without it is subtracted from."""
        boot = self.count("true")
        counts = {"boot": boot}
        jit = self.all_sides["jit"]
        for group in ("compute", "system", "tools"):
            for name in self.kernels[group]:
                if re.search(self.options.kernels, name):
                    both = self.count(self.command(jit, group, name))
                    counts[f"{group} {name}"] = (both[0] - boot[0], max(0, both[1] - boot[1]))
        return counts

    def measure_boot(self):
        """By side, seconds of the boots."""
        times = {side.name: [] for side in self.sides[1:]}
        for _ in range(self.options.rounds):
            for side in self.sides[1:]:
                try:
                    side.close()
                    times[side.name].append(side.boot())
                except (Failure, OSError) as failure:
                    self.complain(side, "boot", failure)
                side.close()
        return times


# -- Tables --------------------------------------------------------------------------------------


def print_set(guest, group, times, sides):
    """The table of a set, then its bars."""
    sides = [name for name in sides if name != "native"]
    ratios = {n: {s: ratio(t, s, "native") for s in sides} for n, t in times.items()}
    faster = {n: ratio(t, "qemu", "jit") for n, t in times.items()}
    rows = [["kernel", "native, µs", *(f"{s} ÷ native" for s in sides), "qemu ÷ jit"]]
    for name in times:
        native = [t for t in times[name]["native"] if t]
        rows.append([name, cell(statistics.median(native) / 1000 if native else None, ".1f"),
                     *(cell(ratios[name][s]) for s in sides), cell(faster[name])])
    columns = [[ratios[n][s] for n in times] for s in sides] + [list(faster.values())]
    rows.append(["geometric mean", "",
                 *(cell(geomean(c) if c and None not in c else None) for c in columns)])
    print(f"\n{guest}, {group} (\"native\" is the time of one round):\n")
    print_table(rows)
    print()
    jit = {n: r["jit"] for n, r in ratios.items() if r.get("jit")}
    gains = {n: g for n, g in faster.items() if g}
    if group == "compute" and jit:
        worst = max(jit, key=jit.get)
        print_bar("geometric mean, of native", geomean(jit.values()), COMPUTE_BAR[guest])
        print_bar(f"slowest kernel ({worst}), of native", jit[worst], COMPUTE_WORST_BAR)
    elif group == "system" and gains:
        worst = min(gains, key=gains.get)
        print_bar("geometric mean, times as fast as QEMU", geomean(gains.values()), SYSTEM_BAR, True)
        print_bar(f"least gain ({worst}), times as fast as QEMU", gains[worst], 1, True)


def print_boot(guest, times):
    print(f"\n{guest}, boot to a shell:\n")
    print_table([["side", "seconds"]] +
                [[name, cell(statistics.median(t) if t else None, ".1f")]
                 for name, t in times.items()])
    print()
    value = ratio(times, "jit", "qemu")
    if value:
        print_bar("boot, of QEMU's time", value, BOOT_BAR)
    if times.get("interp") and guest == "amd64":
        print_bar("boot on the interpreter, seconds", statistics.median(times["interp"]),
                  INTERP_BOOT_BAR)


def print_mips(guest, rates):
    print(f"\n{guest}, integer instructions of a program, millions a second:\n")
    print_table([["side", "MIPS"]] +
                [[name, cell(statistics.median(r) if r else None, ".0f")]
                 for name, r in rates.items()])
    print()
    if rates.get("interp"):
        print_bar("interpreter, MIPS", statistics.median(rates["interp"]), INTERP_MIPS_BAR, True)


def print_translate(guest, rates):
    print(f"\n{guest}, busybox translated and not run, million instructions a second:\n")
    print_table([["step", "millions"]] +
                [[step, cell(statistics.median(r), ".1f")] for step, r in rates.items()])
    print()
    if "translate" in rates:
        print_bar("translated, million instructions a second",
                  statistics.median(rates["translate"]), TRANSLATE_BAR, True)


def print_share(guest, counts):
    print(f"\n{guest}, instructions that ran translated:\n")
    shares = {name: 100 - 100 * rest / executed for name, (executed, rest) in counts.items()}
    print_table([["kernel", "instructions, millions", "translated, %"]] +
                [[name, cell(counts[name][0] / 1e6, ".0f"), cell(shares[name], ".3f")]
                 for name in counts])
    print()
    worst = min(shares, key=shares.get)
    print_bar(f"least share ({worst}), %", shares[worst], SHARE_BAR, True)


def comma_list(known):
    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is not one of {', '.join(known)}")
        return names
    return parse


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guests", type=comma_list(list(GUESTS)), default=list(GUESTS))
    parser.add_argument("--sets", type=comma_list(SETS), default=SETS)
    parser.add_argument("--sides", type=comma_list(SIDES),
                        help=f"of {', '.join(SIDES)}; native always runs")
    parser.add_argument("--kernels", default="", help="only those that this expression finds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--interp-part", type=int, default=20,
                        help="interp runs this part of a kernel's rounds")
    parser.add_argument("--calque", default=f"{TOP}/build/calque", help="command, with options")
    parser.add_argument("--qemu", default="qemu-system-x86_64 -accel tcg",
                        help="command, with options")
    return parser.parse_args()


def main():
    options = parse_options()
    # Ends the emulators, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options.present = list(SIDES)
    if not shutil.which(shlex.split(options.qemu)[0]):
        print("QEMU is not installed: its side is left out.")
        options.present.remove("qemu")
    failed = False
    for guest in options.guests if options.sets != ["pc"] else []:
        folder = f"{TOP}/build/bench/{guest}"
        os.makedirs(folder, exist_ok=True)
        bench = Bench(guest, options, folder)
        try:
            for group in options.sets:
                if group == "pc":
                    continue
                if group == "translate":
                    print_translate(guest, bench.measure_translate())
                    continue
                if group == "share":
                    print_share(guest, bench.measure_share())
                    continue
                sides = bench.choose_sides(group)
                if group == "boot":
                    print_boot(guest, bench.measure_boot())
                elif group == "mips":
                    print_mips(guest, bench.measure_mips())
                else:
                    print_set(guest, group, bench.measure(group), sides)
                sys.stdout.flush()
        finally:
            bench.close()
        failed |= bench.failed
    if "pc" in options.sets:
        sides = [name for name in options.sides or ["jit", "qemu"] if name in options.present]
        commands = {name: command for name, command in emulators(options).items() if name in sides}
        failed |= pc.run(commands, options.guests, options, f"{TOP}/build/bench/pc")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
