#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real systems in lockstep: the other boot tests, with an emulator that compares each block of
translated code, each delivery of an interrupt or exception, with what the interpreter makes of it.

    lockstep_test.py [--emulator build/calque] [--scale N] [--mode MODE] [--all] [PART...]

Without names, those parts run that take a minute or two. A line per part says how much was compared.
What the tests themselves say goes to build/lockstep-PART.txt, what the emulators do to
build/lockstep-PART/. A difference ends the emulator, so that the test fails, and is found in there.

    lockstep_test.py --run FOLDER COMMAND...

is the emulator as these tests see it.
"""

import argparse
import ctypes
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from machine import TOP, Report, require

BOOT = f"{TOP}/tests/boot"
def linux(name):
    return ["boot_test.py", "--shell-only", "--append", "cryptomgr.notests", name]


def loader(group, name):
    return ["loaders_test.py", "--only", name, group]


# Name: the test and its arguments, whether it runs without being asked for.
PARTS = {
    "grub-floppy": (loader("grub", "GRUB floppy"), True),
    "grub-cd": (loader("grub", "GRUB CD as disk"), False),
    "seabios": (loader("seabios", "GRUB CD"), True),
    "isolinux-686": (loader("linux", "ISOLINUX CD 686"), False),
    "isolinux-amd64": (loader("linux", "ISOLINUX CD amd64"), False),
    "syslinux-686": (loader("linux", "SYSLINUX disk"), False),
    "ipxe-iso": (loader("ipxe", "CD, RTL8139"), True),
    "ipxe-lkrn": (loader("ipxe", "kernel"), False),
    "ipxe-rom": (loader("ipxe", "ROM, e1000"), True),
    "ipxe-linux": (loader("ipxe", "network boot"), False),
    "memtest": (loader("memtest", "by -kernel"), False),
    "freedos": (["freedos_test.py", "commands"], False),
    "freedos-sizes": (["freedos_test.py", "sizes"], False),
    "freedos-seabios": (["freedos_test.py", "seabios"], False),
    "ovmf": (["firmware_test.py", "ovmf"], False),
    "u-boot": (["firmware_test.py", "u-boot"], True),
    "u-boot-64": (["firmware_test.py", "u-boot-64"], False),
    "linux-amd64": (linux("amd64"), False),
    "linux-686": (linux("686"), False),
    "linux-686-pae": (linux("686-pae"), False),
    "installer-amd64": (["debian_test.py", "installer-amd64-text"], False),
    "installer-i386": (["debian_test.py", "installer-i386-text"], False),
    "installer-amd64-gtk": (["debian_test.py", "installer-amd64-gtk"], False),
    "debian-amd64": (["debian_test.py", "disk-amd64"], False),
    "debian-i386": (["debian_test.py", "disk-i386"], False),
    "guests": (["../guests/run.py"], False),
}
NO_EVENTS = ("memtest",)    # it polls
MODES = ("lockstep", "lockstep-some", "lockstep-links")
PR_SET_PDEATHSIG = 1


def run_emulator(folder, command):
    """Runs it with a log of its own. It is told to end when we are killed, so that it says before how
    much it has compared.
    """
    def follow():
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return subprocess.call([*command[:1], "-D", f"{folder}/{time.time_ns()}.log", *command[1:]],
                           preexec_fn=follow)


def wait_for_ends(folder):
    """Until each log has its last line; their text."""
    for _ in range(100):
        texts = []
        for path in sorted(glob.glob(f"{folder}/*.log")):
            with open(path, encoding="utf-8", errors="replace") as file:
                texts.append(file.read())
        if all("instructions compared" in text for text in texts):
            break
        time.sleep(0.1)
    return texts


def total(texts, pattern):
    return sum(int(n) for text in texts for n in re.findall(pattern, text))


def run(options, name):
    test, _ = PARTS[name]
    folder = f"{options.log_dir}/lockstep-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    emulator = (f"{sys.executable} {os.path.abspath(__file__)} --run {folder} {options.emulator} "
                f"-accel jit -d {options.mode}")
    with open(f"{folder}.txt", "wb") as out:
        status = subprocess.call([f"{BOOT}/{test[0]}", "--scale", str(options.scale), "--log-dir",
                                  folder, "--emulator", emulator, *test[1:]], stdout=out,
                                 stderr=subprocess.STDOUT)
    with open(f"{folder}.txt", encoding="utf-8", errors="replace") as file:
        said = file.read()
    if "\nok " not in f"\n{said}" and status == 0:
        return "skip"
    texts = wait_for_ends(folder)
    differences = [line for text in texts for line in text.splitlines()
                   if "differs from" in line or "an interrupt is delivered at" in line]
    require(not differences, f"{'; '.join(differences[:3])}: see {folder}")
    require(status == 0, "; ".join(re.findall(r"^FAIL .*", said, re.MULTILINE))[:600])
    instructions = total(texts, r"(\d+) instructions compared")
    runs = total(texts, r"instructions compared in (\d+) runs")
    events = total(texts, r"(\d+) deliveries")
    require(instructions > 0 and (events > 0 or name in NO_EVENTS),
            f"nothing was compared: see {folder}")
    interpreted = sum(total(texts, pattern) for pattern in
                      (r"(\d+) declined", r"(\d+) that trapped", r"(\d+) in blocks without"))
    left_out = total(texts, r"exceptions compared, (\d+) left out")
    print(f"   {options.mode}: {instructions:,} instructions in {runs:,} runs and {events:,} "
          f"deliveries compared; {interpreted:,} instructions interpreted, {left_out:,} deliveries "
          "left out", flush=True)
    return None


def main():
    if sys.argv[1:2] == ["--run"]:
        sys.exit(run_emulator(sys.argv[2], sys.argv[3:]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--scale", type=float, default=20.0, help="factor on all time limits")
    parser.add_argument("--log-dir", default=f"{TOP}/build", help="where logs go")
    parser.add_argument("--mode", choices=MODES, default=MODES[0], help="what to compare")
    parser.add_argument("--all", action="store_true", help="every part: hours")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PARTS)}")
    options = parser.parse_args()
    names = options.names or [n for n, part in PARTS.items() if part[1] or options.all]
    report = Report("lockstep:")
    for name in names:
        report.check(name, run, options, name)
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
