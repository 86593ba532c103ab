#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots real kernels and checks what they do, over their serial console.

The emulator is any command that takes QEMU's options, so that the test itself can be tested:

    boot_test.py                                          # build/calque, demo and all guests
    boot_test.py --emulator 'qemu-system-x86_64 -accel tcg' amd64 686

Guests come from fetch-guests.sh. Each check prints one line, "ok NAME", "FAIL NAME" or
"skip NAME"; the status is 1 if one failed. The whole console goes to build/boot-GUEST.log.
"""

import argparse
import os
import re
import select
import shlex
import subprocess
import sys
import tempfile
import time

from machine import TOP, Console, Report, require, require_equal

# name: memory in MiB, uname's machine, extra kernel parameters. Sizes differ to cover more of the
# memory map.
GUESTS = {
    "amd64": (512, "x86_64"),
    "686": (128, "i686"),
    "686-pae": (5120, "i686"),
}

# Makes the file that the next commands work on, 200 KB in few system calls.
MAKE_DATA = "seq 1 2000 >part; for i in 1 2 3 4 5 6; do cat part; tac part; rev part; done >data"

# Shell commands that must print in the guest what they print when the guest's busybox runs them
# on the host.
SAME_AS_HOST = {
    "sha256sum": "sha256sum <data",
    "md5sum": "md5sum <data",
    "sha512sum": "sha512sum <data",
    "dd": "dd if=data bs=1000 2>/dev/null | dd bs=77 skip=3 2>/dev/null | md5sum",
    "gzip": "gzip <data | tail -c +11 | sha256sum",
    "gzip round trip": "gzip <data | gunzip | sha256sum",
    "bzip2": "bzip2 <part | sha256sum",
    "bzip2 round trip": "bzip2 <part | bunzip2 | sha256sum",
    "awk floating point": "awk 'BEGIN { for (i = 1; i < 3000; i++) s += 3 / (i + 0.1);"
                          " printf \"%.17g\\n\", s }'",
    "sort": "sed 's/[13579]$/x/' data | sort -r | md5sum",
}

# Shell commands with a known answer.
KNOWN = {
    "fork loop": ("i=0; while [ $i -lt 200 ]; do /bin/true && i=$((i+1)); done; echo $i", "200"),
    "pipes": ("for i in $(seq 40); do (echo $i | cat); done | wc -l", "40"),
    "kill": ("sh -c 'sleep 100 & sleep 1; kill $!; wait $!; echo $?' 2>/dev/null", "143"),
    "trap": ("sh -c 'trap \"echo caught\" USR1; kill -USR1 $$; echo end'", "caught\nend"),
    "segmentation fault": ("sh -c 'kill -SEGV $$'; echo $?", "Segmentation fault\n139"),
    "file system": ("dd if=/dev/zero of=/tmp/f bs=64k count=32 2>/dev/null; wc -c </tmp/f; "
                    "rm /tmp/f", "2097152"),
}

KERNEL_TROUBLE = re.compile(r"WARNING:|BUG:|Oops|Call Trace|[Uu]nhandled|general protection|"
                            r"soft lockup|rcu.*stall|Kernel panic|traps:|segfault")


def host_output(argv):
    """What a program of the guest prints when it runs on this host; None if it can't."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            return subprocess.run(argv, cwd=folder, stdout=subprocess.PIPE, check=True, timeout=60,
                                  stderr=subprocess.DEVNULL).stdout.decode().strip()
    except (OSError, subprocess.SubprocessError):
        return None


# -- Checks inside a Linux guest -----------------------------------------------------------------


def check_uname(console, machine):
    text = console.shell("uname -a")
    require(re.match(r"Linux calque 6\.\S+ .*Debian.*" + machine, text), f"uname says {text!r}")


def check_cpuinfo(console):
    text = console.shell("cat /proc/cpuinfo")
    for key in ("processor", "vendor_id", "model name", "cpu MHz", "flags"):
        require(re.search(rf"^{key}\s*:", text, re.MULTILINE), f"no {key!r} in {text!r}")
    require(re.search(r"flags.*\bfpu\b.*\btsc\b", text), "no fpu or tsc in flags")


def check_same_as_host(console, guest_dir, command):
    # The host's busybox gets the same command with its own applets in front of the host's tools.
    expected = host_output([f"{guest_dir}/busybox", "sh", "-c", f"{MAKE_DATA}; {command}"])
    if expected is None:
        return "skip"
    require_equal(console.shell(command, 120), expected)


def check_guestcheck(console, guest_dir, mode):
    expected = host_output([f"{guest_dir}/guestcheck", mode])
    if expected is None:
        return "skip"
    require_equal(console.shell(f"guestcheck {mode}", 120), expected)


def check_watchpoints(console):
    text = console.shell("guestcheck watch")
    if "watched" not in text:
        return "skip"
    require_equal(text, "watched 5 writes and 5 calls, child's status 4")
    return None


def check_known(console, command, expected):
    require_equal(console.shell(command, 120), expected)


def check_date(console):
    guest = int(console.shell("date +%s"))
    require(abs(guest - time.time()) < 5, f"the guest's clock is {guest - time.time():.1f} s off")


def check_timer(console):
    """Six seconds of sleep last six seconds, on the guest's clock and on the host's."""
    console.send("echo st''art; sleep 6; echo st''op; cat /proc/uptime")
    console.expect(r"start\n", 30)
    start = time.monotonic()
    console.expect(r"stop\n", 60)
    elapsed = time.monotonic() - start
    require(5.7 < elapsed < 7.5, f"sleep 6 took {elapsed:.2f} s of the host's time")


def check_interval_timer(console):
    """A busy program gets its 10 signals a second, and its second is the host's."""
    console.send("echo st''art; guestcheck timer 5")
    console.expect(r"start\n", 30)
    start = time.monotonic()
    match = console.expect(r"(?:(\d+) signals in (\d+) ms|not found|usage:.*?)\n", 60)
    elapsed = time.monotonic() - start
    if not match.group(1):
        return "skip"
    signals, passed = int(match.group(1)), int(match.group(2)) / 1000
    # Those that a busy host delays by a whole period become one.
    require(8 * passed < signals < 10.5 * passed, match.group(0))
    require(abs(elapsed - passed) < 1, f"{passed:.2f} s took {elapsed:.2f} s of the host's time")
    return None


def read_line(fd):
    """A line of a file or terminal, which is closed; what there is of it after 30 seconds."""
    data, deadline = b"", time.monotonic() + 30
    while not data.endswith(b"\n") and time.monotonic() < deadline:
        if select.select([fd], [], [], 0.1)[0]:
            data += os.read(fd, 1)
    os.close(fd)
    return data.rstrip(b"\r\n")


def check_serial_ports(console, path):
    """Ports 1 to 3: a file, nothing, and a pseudo-terminal in both directions."""
    ports = console.shell("grep -c 16550A /proc/tty/driver/serial; "
                          "stty -F /dev/ttyS3 raw -echo; "
                          "for n in 1 2 3; do echo port $n >/dev/ttyS$n; done; echo done")
    require_equal(ports, "4\ndone")
    require_equal(read_line(os.open(path, os.O_RDONLY)), b"port 1")
    line = os.open(console.pty, os.O_RDWR | os.O_NOCTTY)
    try:
        require_equal(read_line(os.dup(line)), b"port 3")
        console.send("{ echo list''ening; head -n 1 | rev; } </dev/ttyS3")
        console.expect(r"listening\n", 30)
        os.write(line, b"sesame\n")
        console.expect(r"emases\n", 30)
    finally:
        os.close(line)


def check_dmesg(console):
    lines = console.shell("dmesg", 60).splitlines()
    require(len(lines) > 50, "dmesg is too short")
    bad = [line for line in lines if KERNEL_TROUBLE.search(line)]
    require(not bad, "; ".join(bad[:5]))
    # What the memory type ranges look like decides whether Linux uses the page attribute table.
    require(any(re.search(r"x86/PAT: Configuration.*WC", line) for line in lines),
            "; ".join(line for line in lines if "PAT" in line))


def check_poweroff(console):
    console.send("poweroff -f")
    require_equal(console.wait_end(60), 0)


# -- Guests --------------------------------------------------------------------------------------


def wait_for_shell(console):
    console.expect(r"Linux version", 120)
    console.expect(r"Calque guest is up.*?\n/ # ", 200)
    # Kernel messages stay out of what the checks read.
    console.shell(f"dmesg -n 1; cd /tmp; {MAKE_DATA}")


def check_start(console):
    console.pty = console.expect(r"redirected to (\S+) \(label serial3\)", 10).group(1)
    wait_for_shell(console)


def check_reboot(console):
    console.send("reboot -f")
    wait_for_shell(console)


def boot_linux(name, options):
    memory, machine = GUESTS[name]
    guest_dir = f"{TOP}/guests/{name}"
    report = Report(f"boot {name}:")
    if not os.path.exists(f"{guest_dir}/vmlinuz"):
        print(f"skip boot {name}: no kernel in {guest_dir}")
        return True
    serial_file = f"{options.log_dir}/boot-{name}.ttyS1"
    command = shlex.split(options.emulator) + [
        "-m", str(memory), "-nographic", "-kernel", f"{guest_dir}/vmlinuz",
        "-initrd", f"{guest_dir}/initrd.gz", "-append", f"console=ttyS0 {options.append}",
        "-serial", "mon:stdio", "-serial", f"file:{serial_file}", "-serial", "null",
        "-serial", "pty"]
    if name != "686":
        command.append("-no-reboot")
    console = Console(command, f"{options.log_dir}/boot-{name}.log", options.scale)
    try:
        if not report.check("shell", check_start, console):
            return False
        if options.shell_only:
            return report.check("poweroff", check_poweroff, console)
        report.check("uname", check_uname, console, machine)
        report.check("cpuinfo", check_cpuinfo, console)
        for title, line in SAME_AS_HOST.items():
            report.check(title, check_same_as_host, console, guest_dir, line)
        report.check("fp", check_guestcheck, console, guest_dir, "fp")
        report.check("single step", check_guestcheck, console, guest_dir, "step")
        report.check("watchpoints", check_watchpoints, console)
        for title, (line, expected) in KNOWN.items():
            report.check(title, check_known, console, line, expected)
        report.check("date", check_date, console)
        report.check("timer", check_timer, console)
        report.check("interval timer", check_interval_timer, console)
        report.check("serial ports", check_serial_ports, console, serial_file)
        report.check("dmesg", check_dmesg, console)
        if name == "686":
            report.check("reboot", check_reboot, console)
        report.check("poweroff", check_poweroff, console)
    finally:
        console.close()
    return not report.failed


def check_demo_text(console):
    console.expect(r"(?i)calque demo", 30)


def check_quit_keys(console):
    """Ctrl-A X ends the program."""
    console.process.stdin.write(b"\x01x")
    require_equal(console.wait_end(10), 0)


def boot_demo(options):
    """The guest that is built into the program."""
    report = Report("boot demo:")
    console = Console(shlex.split(options.emulator), f"{options.log_dir}/boot-demo.log",
                      options.scale)
    try:
        if report.check("text", check_demo_text, console):
            report.check("quit keys", check_quit_keys, console)
    finally:
        console.close()
    return not report.failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on all time limits")
    parser.add_argument("--log-dir", default=f"{TOP}/build", help="where console logs go")
    parser.add_argument("--shell-only", action="store_true", help="boot and power off, no more")
    parser.add_argument("--append", default="", help="more parameters for Linux")
    parser.add_argument("guests", nargs="*", help=f"of demo, {', '.join(GUESTS)}")
    options = parser.parse_args()
    os.makedirs(options.log_dir, exist_ok=True)
    good = True
    for name in options.guests or ["demo", *GUESTS]:
        try:
            good &= boot_demo(options) if name == "demo" else boot_linux(name, options)
        except (OSError, KeyError, ValueError) as error:
            print(f"FAIL boot {name}: {error!r}")
            good = False
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
