# SPDX-License-Identifier: MIT
"""What the tests of whole machines share: a running emulator, its serial console, its monitor, and
a report of what was checked.
"""

import glob
import os
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROMPT = b"(qemu) "

# What a US keyboard types, where that is not the key's own name: without and with shift.
PLAIN = {" ": "spc", "\n": "ret", "\t": "tab", "\b": "backspace", "\x1b": "esc", "-": "minus",
         "=": "equal", "/": "slash", "\\": "backslash", ".": "dot", ",": "comma",
         ";": "semicolon", "'": "apostrophe", "`": "grave_accent", "[": "bracket_left",
         "]": "bracket_right"}
SHIFTED = dict(zip('!@#$%^&*()_+{}|:"~<>?', "1234567890-=[]\\;'`,./"))


class Failure(Exception):
    """The guest or the monitor did not do what was expected."""


class Report:
    """Prints a line per check and remembers whether one failed."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.failed = False

    def check(self, name, function, *arguments):
        """Runs a check: a function that raises Failure or returns None (good) or "skip"."""
        start = time.monotonic()
        try:
            word = function(*arguments) or "ok"
            detail = f"({time.monotonic() - start:.1f} s)"
        except (Failure, OSError) as failure:
            word, detail = "FAIL", f"- {failure}"
            self.failed = True
        print(f"{word} {self.prefix} {name} {detail}", flush=True)
        return word != "FAIL"


def require(condition, message):
    if not condition:
        raise Failure(message)


def require_equal(found, expected):
    if found == expected:
        return
    # Of long texts with the same number of lines, only the lines that differ.
    pairs = [(found, expected)]
    if isinstance(found, str) and found.count("\n") == expected.count("\n"):
        pairs = list(zip(found.splitlines(), expected.splitlines()))
    raise Failure("; ".join(f"expected {e!r}, found {f!r}" for f, e in pairs if f != e))


def leashed(command):
    """The command so that the kernel kills it when the thread that starts it ends, however that
    happens: a test that is killed itself leaves no guest behind.
    """
    return ["setpriv", "--pdeathsig", "KILL"] * bool(tool("setpriv")) + command


def tool(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def run_tool(*command):
    """Status and output of a tool of the host's."""
    result = subprocess.run([tool(command[0]), *command[1:]], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return result.returncode, result.stdout


def freedos_floppy(size):
    """FreeDOS's boot floppy of a size, "1.4MB" for example, in guests/freedos or beside the
    checkout; or None.
    """
    for pattern in ("guests/freedos", "../*", "../*/guests", "../../*/guests"):
        for path in sorted(glob.glob(f"{TOP}/{pattern}/freedos.boot.disk.{size}.img")):
            return path
    return None


def until(what, seconds, complaint):
    """Waits until what() is true, and returns that."""
    deadline = time.monotonic() + seconds
    while not (result := what()):
        if time.monotonic() > deadline:
            raise Failure(complaint)
        time.sleep(0.1)
    return result


class Console:
    """A running emulator and its serial console on stdin and stdout."""

    def __init__(self, command, log_path, scale):
        self.log = open(log_path, "wb")
        self.scale = scale
        self.text = ""
        self.pty = None              # the other end of serial port 3
        self.process = subprocess.Popen(leashed(command), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        bufsize=0)

    def expect(self, pattern, seconds):
        """Waits for a regular expression; returns the match and drops the text up to its end."""
        deadline = time.monotonic() + seconds * self.scale
        pattern = re.compile(pattern, re.DOTALL)
        while True:
            match = pattern.search(self.text)
            if match:
                self.text = self.text[match.end():]
                return match
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failure(f"no {pattern.pattern!r} within {seconds * self.scale:.0f} s; "
                              f"last text: {self.text[-200:]!r}")
            if not self.read(left):
                raise Failure(f"the emulator ended with status {self.process.wait()} before "
                              f"{pattern.pattern!r}; last text: {self.text[-200:]!r}")

    def read(self, seconds):
        """Takes what the guest has printed. False: the emulator has closed its output."""
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return True
        data = os.read(self.process.stdout.fileno(), 65536)
        self.log.write(data)
        self.log.flush()
        text = data.decode("utf-8", "replace").replace("\r", "")
        # A sequence that moves the cursor may come in pieces.
        self.text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.text + text)
        return bool(data)

    def send(self, line):
        self.process.stdin.write(line.encode() + b"\n")

    def shell(self, command, seconds=60):
        """Runs a shell command in the guest and returns what it prints."""
        # The quotes keep the echo of what is typed from looking like the markers.
        self.send(f"echo '<'beg''in; {command}; echo '<'e''nd")
        return self.expect(r"<begin\n(.*?)<end\n", seconds).group(1).strip()

    def wait_end(self, seconds):
        """The emulator's exit status, once it ends by itself."""
        deadline = time.monotonic() + seconds * self.scale
        while time.monotonic() < deadline:
            if not self.read(1):
                return self.process.wait()
        raise Failure("the emulator does not end")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


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
        """The characters of a text screen; from the display's memory where the monitor has no
        command for that.
        """
        text = self.command("info screen")
        if not text.startswith("unknown command"):
            return text
        cells = re.findall(r" 0x..(..)", self.command("xp /2000hx 0xb8000"))
        text = "".join(chr(int(c, 16)) if 0x20 <= int(c, 16) < 0x7f else " " for c in cells)
        return "".join(text[n:n + 80].rstrip() + "\n" for n in range(0, len(text), 80))

    def wait_screen(self, text, seconds):
        """Until the screen shows a text."""
        deadline = time.monotonic() + seconds * self.scale
        while text not in self.screen():
            if time.monotonic() > deadline:
                raise Failure(f"no {text!r} on the screen: {self.screen().strip()[-300:]!r}")
            time.sleep(0.2)

    def type(self, text, hold=20):
        """Types characters as on a US keyboard, holding each key for some milliseconds."""
        for char in text:
            base = SHIFTED.get(char, char.lower())
            shift = "shift-" if base != char else ""
            answer = self.command(f"sendkey {shift}{PLAIN.get(base, base)} {hold}")
            if answer:
                raise Failure(answer)


def read_ppm(path):
    """Width, height and the bytes of a portable pixmap."""
    with open(path, "rb") as file:
        data = file.read()
    match = re.match(rb"P6\n(\d+) (\d+)\n255\n", data)
    return int(match.group(1)), int(match.group(2)), data[match.end():]


class Machine:
    """A running emulator with a monitor, looked at and typed at from outside."""

    def __init__(self, emulator, arguments, log_path, scale, **popen):
        self.folder = tempfile.mkdtemp()
        self.scale = scale
        # pylint: disable=consider-using-with
        self.log = open(log_path or os.devnull, "wb")
        path = f"{self.folder}/monitor"
        self.process = subprocess.Popen(
            leashed(emulator + ["-monitor", f"unix:{path},server,nowait"] + arguments),
            **{"stdin": subprocess.DEVNULL} | popen)
        try:
            self.monitor = Monitor(path, self.log, scale)
        except BaseException:
            self.close()
            raise

    def picture(self):
        """The screen as read_ppm() gives it."""
        complaint = self.monitor.command(f"screendump {self.folder}/screen.ppm")
        if complaint:
            raise Failure(complaint)
        return read_ppm(f"{self.folder}/screen.ppm")

    def wait_end(self, seconds):
        """The emulator's exit status, once it ends by itself."""
        try:
            return self.process.wait(seconds * self.scale)
        except subprocess.TimeoutExpired:
            raise Failure("the emulator does not end") from None

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder)
