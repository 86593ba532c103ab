#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs our own small guests and reports "N passed, N failed".

    run.py                                                 # all of them on build/calque
    run.py --emulator 'qemu-system-x86_64 -accel tcg' exceptions debug

The emulator is any command that takes QEMU's options. A guest passes if it prints "NAME: all checks
passed" (or the text that CASES has for it) and ends with the right status; with "-accel jit" and
no other -d, what -d jit-stats counts must be within the guest's LIMITS, too. Each check prints one
line, "ok guest NAME" or "FAIL guest NAME"; the status is 1 if one failed. What a guest printed goes
to build/guest-NAME.log.
"""

import argparse
import concurrent.futures
import os
import re
import shlex
import subprocess
import sys
import time

from iso import MEDIA, make_cd

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{TOP}/tests/boot")
from machine import leashed  # noqa: E402 (found through the line above)
PASSED = 33     # isa-debug-exit's status for 10h

# name: guest, MiB of memory, options, status, text that must appear, or None for the usual
# In options IMAGE stands for the guest's own file, IMAGE.none and so on for a CD with it.
MULTIBOOT = ["-append", "first second=2", "-initrd", "IMAGE one two,IMAGE,IMAGE a,,b"]
CASES = {
    "demo": ("demo", 4, ["-append", "selftest"], 0, None),
    "demo-exit": ("demo", 512, ["-append", "selftest exit"], PASSED, None),
    "demo-486": ("demo", 16, ["-append", "selftest", "-cpu", "486"], 0, None),
    "exceptions": ("exceptions", 16, [], PASSED, None),
    "churn": ("churn", 16, [], PASSED, None),
    "arrays": ("arrays", 16, [], PASSED, None),
    "strings": ("strings", 16, [], PASSED, None),
    "mixed": ("mixed", 16, [], PASSED, None),
    "smc": ("smc", 16, [], PASSED, None),
    "patching": ("patching", 16, [], PASSED, None),
    "packed": ("packed", 16, [], PASSED, None),
    "smc-486": ("smc", 16, ["-cpu", "486"], PASSED, None),
    "paging": ("paging", 16, [], PASSED, None),
    "paging-486": ("paging", 16, ["-cpu", "486"], PASSED, None),
    "ferr": ("ferr", 16, [], PASSED, None),
    "fpfault": ("fpfault", 16, [], PASSED, None),
    "debug": ("debug", 16, [], PASSED, None),
    "taskswitch": ("taskswitch", 16, [], PASSED, None),
    "longmode": ("longmode", 16, [], PASSED, None),
    "sweep": ("sweep", 16, [], PASSED, None),
    "v86": ("v86", 16, [], PASSED, None),
    "realmode": ("realmode", 16, [], PASSED, None),
    "sleep": ("sleep", 16, [], PASSED, None),
    "video": ("video", 16, [], PASSED, None),
    "v86-486": ("v86", 16, ["-cpu", "486"], PASSED, None),
    "reset": ("reset", 16, ["-reboot"], PASSED, None),
    "reset-ends": ("reset", 16, [], 0, "reset: by port 92h\n"),
    **{f"debugexit-{letter}": ("debugexit", 16, ["-append", letter], status,
                               "debugexit: reads did nothing\n")
       for letter, status in {"b": 0x43, "h": 0xff, "w": 0x69, "d": 0xf1, "z": 1, "o": 0x5f,
                              "s": 0x2b}.items()},
    "multiboot": ("multiboot", 16, MULTIBOOT, PASSED, None),
    "multiboot_elf32": ("multiboot_elf32", 16, MULTIBOOT, PASSED, None),
    "multiboot_elf64": ("multiboot_elf64", 16, MULTIBOOT, PASSED, None),
    "biostest": ("biostest", 16, ["-reboot", "-drive",
                                  "if=floppy,format=raw,snapshot=on,file=IMAGE"], PASSED, None),
    "biostest-disk": ("biostest", 16, ["-reboot", "-drive",
                                       "if=ide,format=raw,snapshot=on,file=IMAGE"], PASSED, None),
    **{f"biostest-cd-{kind}": ("biostest", 16, ["-reboot", "-drive",
                                                f"media=cdrom,format=raw,file=IMAGE.{kind}"],
                               PASSED, None)
       for kind in MEDIA},
    # A disk that cannot be booted comes first.
    "biostest-second": ("biostest", 16, ["-reboot", *[
        word for index, suffix in enumerate((".none", ""))
        for word in ("-drive",
                     f"if=ide,index={index},format=raw,snapshot=on,file=IMAGE{suffix}")]],
                        PASSED, None),
    "rom": ("rom", 16, ["-bios"], PASSED, None),
}

# What self-modification may cost: blocks translated, instructions left to the interpreter, signals.
# "patching" changes code 460 times, half of that in each mode, and makes 16 million accesses beside
# code; "packed" runs 50 stages and unpacks 10 programs; "mixed" makes or changes 200 functions, and
# a million accesses. A tenth to a half may be added before these fail.
LIMITS = {
    "patching": {"blocks": 900, "calls": 4000, "faults": 300},
    "packed": {"blocks": 350, "calls": 1300, "faults": 150},
    "mixed": {"blocks": 320, "calls": 1300, "faults": 110},
}
COUNTED = re.compile(r"(?P<blocks>\d+) blocks of .*?(?P<calls>\d+) calls, (?P<faults>\d+) faults",
                     re.S)


def exceeded(name, output):
    """The limits that a guest has not kept."""
    found = COUNTED.search(output)
    if not found:
        return ["no counts"]
    return [f"{found[what]} {what}, at most {most} expected"
            for what, most in LIMITS[name].items() if int(found[what]) > most]


def complain(name, options):
    """Runs a case; what is wrong, or None."""
    guest, memory, extra, status, text = CASES[name]
    image = f"{options.guests}/{guest}.bin"
    counts = name in LIMITS and "-accel jit" in options.emulator and " -d " not in options.emulator
    command = shlex.split(options.emulator) + ["-d", "jit-stats"] * counts + [
        "-m", str(memory), "-nographic", "-no-reboot",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"]
    for kind in MEDIA:
        if any(f"IMAGE.{kind}" in word for word in extra):
            make_cd(image, kind, f"{image}.{kind}")
    command += [word.replace("IMAGE", image) for word in extra]
    if not any("file=IMAGE" in word for word in extra):     # a drive's image is not a kernel
        command += ["-kernel"] * ("-bios" not in extra) + [image]
    if "-reboot" in extra:      # not an option: this case wants to see resets
        command.remove("-no-reboot")
        command.remove("-reboot")
    with open(f"{options.log_dir}/guest-{name}.log", "wb") as log:
        try:
            result = subprocess.run(leashed(command), stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=subprocess.STDOUT, timeout=30 * options.scale,
                                    check=False).returncode
        except subprocess.TimeoutExpired:
            result = "none: it does not end"
    with open(log.name, encoding="utf-8", errors="replace") as log:
        output = log.read().replace("\r", "")
    wanted = text or f"{guest}: all checks passed"
    failures = [line for line in output.split("\n") if "FAILED" in line]
    if wanted not in output or failures:
        return "; ".join(failures[:5]) or f"no {wanted!r} but {output[-200:]!r}"
    if result != status:
        return f"status {result}, expected {status}"
    return "; ".join(exceeded(name, output)) or None if counts else None


def run(name, options):
    """Runs a case and prints its line. True: it failed."""
    start = time.monotonic()
    complaint = complain(name, options)
    print(f"FAIL guest {name} - {complaint}\n" if complaint else
          f"ok guest {name} ({time.monotonic() - start:.1f} s)\n", end="", flush=True)
    return complaint is not None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--guests", default=f"{TOP}/build/guests", help="where NAME.bin are")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the time limit")
    parser.add_argument("--log-dir", default=f"{TOP}/build", help="where logs go")
    parser.add_argument("--jobs", type=int, default=1, help="guests at a time")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CASES)}")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in CASES]
    if unknown:
        parser.error(f"no such guests: {', '.join(unknown)}")
    names = options.names or list(CASES)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        failed = sum(pool.map(lambda name: run(name, options), names))
    print(f"{len(names) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
