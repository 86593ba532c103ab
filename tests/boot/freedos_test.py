#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""FreeDOS from floppies of all sizes, driven by keyboard and screen.

    freedos_test.py [--emulator build/calque] [--scale N] [PART...]     (default: all)

Parts: sizes (each size boots, lists and copies its files to a second floppy of its size and back),
seabios (the same, with Debian's SeaBIOS and its VGA BIOS), interp (two sizes, interpreted),
commands (keys, batch files, changes of floppies, errors, a hard disk, a warm start; with either
BIOS and interpreted).

Images are looked for in guests/freedos and beside the checkout, and only copies are written to;
what the guest wrote is compared by mtools and checked by fsck.fat. Each check prints one line.

With --emulator "qemu-system-i386 -accel tcg" the same is asked of QEMU. There, the 640K image must
stop after "FreeDOS", see check_stops().
"""

import argparse
import datetime
import itertools
import os
import random
import re
import shlex
import shutil
import struct
import sys
import tempfile
import time

from machine import (TOP, Failure, Machine, Report, freedos_floppy, require, require_equal, run_tool,
                     tool, until)

# Tracks, heads, sectors of a track.
SIZES = {"160K": (40, 1, 8), "180K": (40, 1, 9), "320K": (40, 2, 8), "360K": (40, 2, 9),
         "640K": (80, 2, 8), "720K": (80, 2, 9), "1200K": (80, 2, 15), "1.4MB": (80, 2, 18)}
TOOLS = ("mcopy", "mdir", "mformat", "fsck.fat")
SEABIOS = "/usr/share/seabios/bios-256k.bin"
SEABIOS_VGA = "/usr/share/seabios/vgabios-stdvga.bin"
SEABIOS_OPTIONS = ["-bios", SEABIOS, "-global", f"VGA.romfile={SEABIOS_VGA}"]
SECTOR = 512


# -- Images --------------------------------------------------------------------------------------


def find_images():
    """The floppies that there are, by their sizes."""
    found = {}
    for size in SIZES:
        path = freedos_floppy(size)
        if path:
            found[size] = path
    return found


def mtools(*command):
    status, output = run_tool(*command)
    require(status == 0, f"{shlex.join(command)}: {output[-200:].decode('latin-1')}")
    return output.decode("latin-1")


def blank(path, size, label):
    """An empty, formatted floppy."""
    tracks, heads, sectors = SIZES[size]
    with open(path, "wb") as file:
        file.truncate(tracks * heads * sectors * SECTOR)
    mtools("mformat", "-t", str(tracks), "-h", str(heads), "-s", str(sectors), "-v", label,
           "-i", path, "::")
    return path


def write_disk(path, label):
    """A hard disk of 64 MB, all of it one FAT16 partition; returns mtools' name of that."""
    cylinders, heads, sectors = 130, 16, 63
    count = cylinders * heads * sectors - sectors
    entry = struct.pack("<8BII", 0, 1, 1, 0, 6, heads - 1, sectors | cylinders - 1 >> 2 & 0xc0,
                        cylinders - 1 & 0xff, sectors, count)
    with open(path, "wb") as file:
        file.write(bytes(446) + entry + bytes(48) + b"\x55\xaa")
        file.truncate((count + sectors) * SECTOR)
    partition = f"{path}@@{sectors * SECTOR}"
    mtools("mformat", "-T", str(count), "-h", str(heads), "-s", str(sectors), "-H", str(sectors),
           "-c", "4", "-v", label, "-i", partition, "::")
    return partition


def put(image, name, data):
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        mtools("mcopy", "-i", image, file.name, f"::{name}")


def get(image, name):
    with tempfile.TemporaryDirectory() as folder:
        mtools("mcopy", "-i", image, f"::{name}", f"{folder}/file")
        with open(f"{folder}/file", "rb") as file:
            return file.read()


def listing(image):
    """What mdir tells of a root: [(name, extension, size, date, time)], and the free bytes."""
    text = mtools("mdir", "-i", image, "::")
    files = [(line[:8].strip(), line[9:12].strip(), int(m[1]), f"{m[3]}-{m[4]}-{m[2]}", m[5])
             for line in text.splitlines()
             if (m := re.match(r".{12}\s+(\d+) \d\d(\d\d)-(\d\d)-(\d\d)\s+(\d+:\d\d)", line))]
    free = re.search(r"([\d ]+) bytes free", text)[1]
    return sorted(files), int(free.replace(" ", ""))


def consistent(image):
    """Complains of a FAT file system that fsck.fat does not like."""
    path, _, offset = image.partition("@@")
    with open(path, "rb") as file, tempfile.NamedTemporaryFile() as partition:
        file.seek(int(offset or 0))
        shutil.copyfileobj(file, partition)
        partition.flush()
        status, output = run_tool("fsck.fat", "-n", partition.name)
    require(status == 0, f"fsck.fat of {os.path.basename(path)}: {output.decode()[-300:]!r}")


def spread(image, path):
    """A disk of 80 tracks of up to 18 sectors as the image of a 1.44 MB one: each sector has the
    track, head and number that it had, and those that it did not have are zero."""
    tracks, heads, sectors = SIZES["1.4MB"]
    with open(image, "rb") as source, open(path, "wb") as file:
        used = os.path.getsize(image) // (tracks * heads * SECTOR)
        for track in range(tracks * heads):
            file.seek(track * sectors * SECTOR)
            file.write(source.read(used * SECTOR))
        file.truncate(tracks * heads * sectors * SECTOR)


# -- The machine ---------------------------------------------------------------------------------


class Dos(Machine):
    """A machine that runs FreeDOS, with two floppy drives."""

    def __init__(self, options, floppies, log, *arguments):
        command = shlex.split(options.emulator) + ["-display", "none", "-nic", "none", "-boot", "a"]
        for index, path in enumerate(floppies):
            command += ["-drive", f"if=floppy,index={index},format=raw,file={path}"]
        super().__init__(command, list(arguments), f"{options.log_dir}/freedos-{log}.log",
                         options.scale)
        self.is_qemu = options.is_qemu
        self.is_foreign = options.is_qemu or "-bios" in arguments

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def screen(self):
        lines = [line.rstrip() for line in self.monitor.screen().splitlines()]
        return "\n".join(lines).strip()

    def wait(self, pattern, seconds=20):
        """Waits until the end of the screen matches; returns the match."""
        deadline = time.monotonic() + seconds * self.scale
        while not (match := re.search(pattern + r"\Z", text := self.screen(), re.DOTALL)):
            require(time.monotonic() < deadline, f"no {pattern!r} at the end of {text[-300:]!r}")
            time.sleep(0.02)
        return match

    def prompt(self, path="A:\\"):
        self.wait(r"(?:\A|\n)" + re.escape(path) + ">", 60)

    def key(self, name):
        require_equal(self.monitor.command(f"sendkey {name} 20"), "")

    def answer(self, name):
        """Presses a key at a question. DOS forgets keys that come before it has asked to the end:
        then the screen stays as it is, and it is pressed again.
        """
        before = self.screen()
        for _ in range(3):
            time.sleep(0.3)
            self.key(name)
            deadline = time.monotonic() + 5 * self.scale
            while time.monotonic() < deadline:
                if self.screen() != before:
                    return
                time.sleep(0.02)

    def enter(self, line):
        """Types a line and ends it; waits for the echo, as a keyboard has place for 16 codes."""
        for end in range(3, len(line) + 3, 3):
            self.monitor.type(line[end - 3:end], 2)
            self.wait(re.escape(line[:end].rstrip()))
        self.key("ret")

    def run(self, line, seconds=20):
        """Types a command; returns what it has printed when there is a prompt again."""
        self.enter(line)
        pattern = r".*>" + re.escape(line) + r"\n(.*?)\n*[A-Z]:\\[^\n]*>"
        return self.wait(pattern, seconds)[1].strip()

    def dir(self, where):
        """The same of `dir` as listing() of an image."""
        text = self.run(f"dir {where}")
        files = []
        for line in text.splitlines():
            if m := re.match(r".{12}\s*([\d,]+)  (\d\d-\d\d-\d\d)\s+(\d+):(\d\d)([ap])", line):
                hour = int(m[3]) % 12 + (12 if m[5] == "p" else 0)
                files.append((line[:8].strip(), line[9:12].strip(), int(m[1].replace(",", "")),
                              m[2], f"{hour:2}:{m[4]}".strip()))
        free = re.search(r"([\d,]+) bytes free", text)
        require(free, f"no free bytes in {text!r}")
        return sorted(files), int(free[1].replace(",", ""))

    def quit(self):
        self.monitor.socket.sendall(b"quit\n")
        require_equal(self.wait_end(20), 0)


# -- Each size -----------------------------------------------------------------------------------


def check_copies(options, image, size, folder, log, arguments):
    """From the prompt: lists a floppy, copies half of what it has free to a second one and back."""
    first = shutil.copy(image, f"{folder}/{size}-a.img")
    os.chmod(first, 0o600)
    second = blank(f"{folder}/{size}-b.img", size, "SECOND")
    data = random.Random(size).randbytes(listing(first)[1] // 2048 * 1024 - 1024)
    put(first, "DATA.BIN", data)
    with Dos(options, [first, second], log, *arguments) as dos:
        dos.prompt()
        require_equal(dos.dir("a:"), listing(first))
        for command in ("copy /b data.bin b:one.bin", "copy /b b:one.bin two.bin"):
            require_equal(dos.run(command, 60).split(), command.split()[2:3] + ["=>"] +
                          command.split()[3:])
        dos.quit()
    for file_system, name in ((first, "data.bin"), (second, "one.bin"), (first, "two.bin")):
        consistent(file_system)
        require(get(file_system, name) == data, f"{name} has other bytes")


def check_stops(options, image, folder):
    """Why the 640K image stops under QEMU, and boots here and where such drives are.

    Its BIOS parameter block says 2 heads, 80 tracks of 8 sectors, media FBh, and that is what is in
    the file: sector S of head H of track C is the one number (2 C + H) * 8 + S - 1. QEMU's list of
    floppies has no such disk, so its controller takes the file for the beginning of a 2.88 MB disk
    and reads number (2 C + H) * 36 + S - 1 for the same address. On head 0 of track 0 both agree:
    the boot sector starts, and finds KERNEL.SYS in the root directory's first sectors (5 to 7). All
    others are wrong ones: instead of the kernel's first sector, 22 (track 1, head 0, sector 7), it
    gets sector 78, and jumps to where it has loaded that, 60:0. Drives do not read by numbers: a
    track of 8 sectors has 8 wherever it is, and any drive of 80 tracks reads it at 250 kb/s.
    """
    path = shutil.copy(image, f"{folder}/stops.img")
    os.chmod(path, 0o600)
    with Dos(options, [path], "stops") as dos:
        dos.wait("\nFreeDOS")
        with open(image, "rb") as file:
            file.seek(78 * SECTOR)
            wrong = struct.unpack("<4H", file.read(8))
        time.sleep(2)
        dos.wait("\nFreeDOS", 0)
        words = dos.monitor.command("xp /4hx 0x600").partition(":")[2].split()
        require_equal(tuple(int(word, 16) for word in words), wrong)


def check_spread(options, image, folder):
    """The 640K disk's sectors boot where a 1.44 MB disk has them at the same places."""
    path = f"{folder}/spread.img"
    spread(image, path)
    with Dos(options, [path], "spread") as dos:
        dos.prompt()
        require_equal(dos.dir("a:"), listing(image))


def part_sizes(options, report, images, folder):
    for size, image in images.items():
        if size == "640K":
            report.check("640K disk as part of a 1.44 MB one", check_spread, options, image, folder)
            if options.is_qemu:
                report.check("640K, stops", check_stops, options, image, folder)
                continue
        report.check(size, check_copies, options, image, size, folder, size, [])


def part_seabios(options, report, images, folder):
    if options.is_qemu:
        return                      # it is what QEMU has anyway
    if not os.path.exists(SEABIOS):
        print(f"skip {report.prefix} SeaBIOS: no {SEABIOS}", flush=True)
        return
    for size, image in images.items():
        report.check(f"{size}, SeaBIOS", check_copies, options, image, size, folder,
                     f"{size}-seabios", SEABIOS_OPTIONS)


def part_interp(options, report, images, folder):
    """Nothing to do where the emulator was told what to use."""
    if "-accel" in options.emulator:
        return
    for size in ("160K", "1.4MB"):
        if size in images:
            report.check(f"{size}, interpreted", check_copies, options, images[size], size, folder,
                         f"{size}-interp", ["-accel", "interp"])


# -- Commands ------------------------------------------------------------------------------------

QUESTION = r"\n\(A\)bort, \(I\)gnore, \(R\)etry, \(F\)ail\?"
SUB_BAT = ["@echo sub %1"]
MAIN_BAT = ["@echo off", "if exist sub.bat echo there", "if not exist nothing echo absent",
            'if "%1"=="Arg" echo got %1', "for %%i in (a b) do echo item %%i", "call sub.bat from",
            "set n=", ":loop", "set n=%n%x", "if not %n%==xxx goto loop", "echo n=%n%"]
MAIN_SAYS = ["there", "absent", "got Arg", "item a", "item b", "sub from", "n=xxx"]


class Media:
    """What the machine for the commands has, and its parts' contents."""

    def __init__(self, image, folder):
        self.first = shutil.copy(image, f"{folder}/first.img")
        os.chmod(self.first, 0o600)
        self.second = blank(f"{folder}/second.img", "720K", "SECOND")
        self.third = blank(f"{folder}/third.img", "360K", "THIRD")
        self.disk = f"{folder}/disk.img"
        self.partition = write_disk(self.disk, "HARD")
        self.data = random.Random(1).randbytes(300000)
        for file_system in (self.second, self.third, self.partition):
            put(file_system, "HOST.BIN", self.data)


def check_prompt(dos, media):
    dos.prompt()
    found = dos.run("ver")
    require(found.startswith("FreeCom version 0.8"), f"it is {found!r}")
    lines = get(media.first, "CONFIG.SYS").decode().splitlines()
    require_equal(dos.run("type config.sys").splitlines(), lines)


def check_keys(dos, _):
    text = "aBc0-=[];',./\\`) !@#$^&*(_+{}:?~\""
    require_equal(dos.run(f"echo {text}"), text)
    dos.key("caps_lock")
    dos.monitor.type("echO Qq", 2)
    dos.wait(">ECHo qQ")
    dos.key("caps_lock")
    dos.monitor.type("xy\b", 2)
    dos.wait("qQx")
    dos.key("ret")
    dos.wait("\nqQx\n+A:.>")
    dos.key("f3")                   # the line before once more
    dos.wait(">ECHo qQx")
    dos.key("ret")
    dos.wait("\nqQx\n+A:.>ECHo qQx\nqQx\n+A:.>")


def check_batch(dos, _):
    for name, lines in (("sub.bat", SUB_BAT), ("main.bat", MAIN_BAT)):
        dos.enter(f"copy con {name}")
        for line in lines:
            dos.enter(line)
        dos.key("ctrl-z")
        dos.wait(r"\^Z")
        dos.key("ret")
        dos.prompt()
    require_equal(dos.run("main Arg").splitlines(), MAIN_SAYS)


def check_redirection(dos, media):
    require_equal(dos.run("echo one>out.txt"), "")
    require_equal(dos.run("type sub.bat >>out.txt"), "")
    require_equal(dos.run("copy out.txt+config.sys both.txt").split()[-1:], ["both.txt"])
    require_equal(dos.run("type both.txt <sub.bat").splitlines(),
                  ["one", *SUB_BAT, *get(media.first, "CONFIG.SYS").decode().splitlines()])


def change_floppy(dos, command):
    require_equal(dos.monitor.command(command), "")
    if dos.is_foreign:
        # SeaBIOS tells DOS that there is no change line: a disk that was read less than two seconds
        # ago is then thought to be still in.
        time.sleep(3)


def check_change(dos, media):
    """Other floppies, of other sizes, at the same prompt."""
    for image in (media.third, media.second):
        change_floppy(dos, f"change floppy1 {image} raw")
        require_equal(dos.dir("b:"), listing(image))
    dos.run("copy readme.txt b:")


def check_empty_drive(dos, media):
    """A command on an empty drive is aborted, another one goes on when there is a floppy again."""
    change_floppy(dos, "eject floppy1")
    dos.enter("dir b:")
    text = dos.wait(r"Error reading from drive B: (.*)" + QUESTION)[1]
    require("not ready" in text or dos.is_qemu, f"DOS says {text!r}")
    dos.answer("a")
    dos.prompt()
    dos.enter("copy /b b:host.bin a:third.bin")
    dos.wait(r"Error reading from drive B: .*" + QUESTION)
    # In QEMU, all reads fail if the other floppy is of another size.
    image = media.second if dos.is_qemu else media.third
    change_floppy(dos, f"change floppy1 {image} raw")
    dos.answer("r")
    dos.wait(r"b:host.bin => a:third.bin\n+A:.>")


def check_hard_disk(dos, media):
    require_equal(dos.dir("c:"), listing(media.partition))
    for command in ("md c:\\sub", "copy /b c:host.bin a:", "copy /b host.bin c:\\sub\\two.bin",
                    "c:", "cd sub", "ren two.bin three.bin", "copy ..\\host.bin four.bin",
                    "del four.bin", "a:"):
        dos.run(command)
    dos.prompt()


def date_and_time(dos):
    """What DOS says, in the forms 11-22-2026 and 2:29:39 am."""
    found = []
    for command, pattern in (("date", r"(\d\d-\d\d-\d{4})"),
                             ("time", r"(\d+:\d\d:\d\d)(?:\.\d\d)?( [ap]m)")):
        dos.enter(command)
        match = dos.wait(rf".*>{command}\nCurrent {command} is [^\n]*?{pattern}\nEnter new [^\n]*:")
        found.append("".join(match.groups()))
        dos.key("ret")
        dos.prompt()
    return " ".join(found)


def check_clock(dos, _):
    """It is the host's time; an evening in February of a leap year ends."""
    found = datetime.datetime.strptime(date_and_time(dos), "%m-%d-%Y %I:%M:%S %p")
    late = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - found
    require(abs(late.total_seconds()) < 60, f"DOS says {found}, {late} ago")
    dos.run("date 02-28-2028")
    dos.run("time 23:59:59")
    time.sleep(1.5)
    found = date_and_time(dos)
    require(found.startswith("02-29-2028 12:00:"), f"after 02-28-2028 23:59:59 comes {found}")


def check_restart(dos, _):
    """It is warm: DOS starts again, the clock goes on."""
    require_equal(dos.run("set mark=1"), "")
    dos.key("ctrl-alt-delete")
    until(lambda: "set mark" not in dos.screen(), 20 * dos.scale, "Ctrl-Alt-Delete does nothing")
    dos.prompt()
    require_equal(dos.run("echo [%mark%]"), "[]")
    require_equal(date_and_time(dos).split()[0], "02-29-2028")


def check_media(dos, media):
    """From outside, what the commands have left."""
    dos.quit()
    for file_system in (media.first, media.second, media.third, media.partition):
        consistent(file_system)
    for file_system, name in ((media.first, "host.bin"), (media.first, "third.bin"),
                              (media.partition, "sub/three.bin"), (media.partition, "host.bin")):
        require(get(file_system, name) == media.data, f"{name} has other bytes")
    require_equal(get(media.second, "readme.txt"), get(media.first, "readme.txt"))
    require_equal(get(media.first, "main.bat").decode().splitlines(), MAIN_BAT)
    require("FOUR" not in mtools("mdir", "-i", media.partition, "::sub"), "four.bin is there")


def check_protected(options, image, folder, arguments):
    first = shutil.copy(image, f"{folder}/unprotected.img")
    os.chmod(first, 0o600)
    second = blank(f"{folder}/protected.img", "1.4MB", "PROTECTED")
    put(second, "FILE", b"as it was")
    before = listing(second)
    with Dos(options, [first, f"{second},readonly=on"], "protected", *arguments) as dos:
        dos.prompt()
        dos.enter("copy readme.txt b:")
        dos.wait("Error writing to drive B: .*write-protect.*" + QUESTION)
        dos.answer("a")
        dos.prompt()
        require_equal(dos.dir("b:"), before)
        dos.quit()


def check_one_drive(options, image, folder, arguments):
    """Two floppies in turn in the only drive, as A: and B:."""
    first = shutil.copy(image, f"{folder}/as-a.img")
    os.chmod(first, 0o600)
    second = blank(f"{folder}/as-b.img", "720K", "SECOND")
    put(second, "FILE.TXT", b"of the second floppy\r\n")
    with Dos(options, [first], "one-drive", *arguments) as dos:
        dos.prompt()
        dos.enter("copy b:file.txt a:")
        for disk, letter in itertools.cycle(((second, "B"), (first, "A"))):
            question = f"Insert diskette in drive {letter}:\nPress any key to continue [.]+"
            if dos.wait(rf"({question}|\nA:\\>)")[1] == "\nA:\\>":
                break
            require_equal(dos.monitor.command(f"change floppy0 {disk} raw"), "")
            dos.answer("ret")
        require_equal(dos.run("type file.txt"), "of the second floppy")
        dos.quit()
    consistent(first)


COMMANDS = (("prompt", check_prompt), ("keys", check_keys), ("batch files", check_batch),
            ("redirection", check_redirection), ("change of floppies", check_change),
            ("empty drive", check_empty_drive), ("hard disk", check_hard_disk),
            ("clock", check_clock), ("Ctrl-Alt-Delete", check_restart),
            ("what is on the disks", check_media))


def part_commands(options, report, images, folder):
    image = images.get("1.4MB")
    if not image:
        return
    variants = {"": []}
    if os.path.exists(SEABIOS) and not options.is_qemu:
        variants[", SeaBIOS"] = SEABIOS_OPTIONS
    if "-accel" not in options.emulator:
        variants[", interpreted"] = ["-accel", "interp"]
    for name, arguments in variants.items():
        media = Media(image, folder)
        log = f"commands{name.replace(', ', '-').lower()}"
        with Dos(options, [media.first, media.second], log, *arguments, "-drive",
                 f"if=ide,index=0,format=raw,file={media.disk}") as dos:
            for check, function in COMMANDS:
                if not report.check(check + name, function, dos, media):
                    break
        for check, function in (("write protection", check_protected),
                                ("one drive", check_one_drive)):
            report.check(check + name, function, options, image, folder, arguments)


# -- Main ----------------------------------------------------------------------------------------


PARTS = {"sizes": part_sizes, "seabios": part_seabios, "interp": part_interp,
         "commands": part_commands}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", default=f"{TOP}/build/calque", help="command to test")
    parser.add_argument("--scale", type=float, default=3, help="stretches every time limit")
    parser.add_argument("--log-dir", default=f"{TOP}/build")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    options = parser.parse_args()
    options.is_qemu = "qemu" in shlex.split(options.emulator)[0]
    images = find_images()
    missing = [name for name in TOOLS if not tool(name)]
    if missing or not images:
        print(f"skip boot freedos: no {', '.join(missing) or 'freedos.boot.disk.*.img'} found")
        return
    report = Report("boot freedos:")
    for part in options.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[part](options, report, images, folder)
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
