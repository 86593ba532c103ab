#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the shape of the source: what compilers don't.

    lint.py                 # from anywhere; build/ must hold a release build for the "globals" check

Each check is a function that yields complaints, "file:line: text". One line is printed per check,
"ok lint NAME" or "FAIL lint NAME", complaints before it; the status is 1 if one failed.
"""

import os
import re
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Lowest first: a folder may include itself and what stands before it.
LAYERS = ["cpu", "jit", "disk", "vmm", "devices", "frontend"]
# Includes nothing but itself, and only vmm/ names its headers.
LEAF, LEAF_USER = "disk", "vmm"

MAX_FILE_LINES = 1500
MAX_FUNCTION_LINES = 60

C_SUFFIXES = (".c", ".h", ".inc", ".def")
SOURCE_SUFFIXES = C_SUFFIXES + (".S", ".asm", ".py", ".sh", ".cmake", "CMakeLists.txt")


def tracked_files():
    """Files of the project, by their paths from the top; also new ones not yet committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.check_output(command, cwd=TOP, stderr=subprocess.DEVNULL).decode().split()
    except (OSError, subprocess.CalledProcessError):     # an unpacked archive, or no git
        names = [os.path.relpath(os.path.join(folder, name), TOP)
                 for folder, _, files in os.walk(TOP) for name in files]
        names = [n for n in names if not re.match(r"build|guests/|\.git/|.*/__pycache__/", n)]
    return sorted(n for n in names if os.path.isfile(os.path.join(TOP, n)))


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as file:
        return file.read()


def without_comments(text):
    """C text with comments and string contents blanked, line numbers unchanged."""
    def blank(match):
        token = match.group(0)
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        return token[0] + token[-1]
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.DOTALL)


def numbered(text):
    return enumerate(text.split("\n"), 1)


def folder(name):
    return name.split("/")[0]


def in_layers(files):
    """C files of the program itself, not its tests."""
    return [n for n in files if folder(n) in LAYERS and n.endswith(C_SUFFIXES)]


# -- Checks --------------------------------------------------------------------------------------


def check_layers(files):
    """Include direction: frontend -> devices -> vmm -> jit -> cpu, vmm -> disk."""
    for name in in_layers(files):
        rank = LAYERS.index(folder(name))
        for number, line in numbered(read(name)):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            target = folder(match.group(1))
            if target not in LAYERS:
                yield f"{name}:{number}: includes are written from the top of the tree"
            elif LAYERS.index(target) > rank or (
                    LEAF in (folder(name), target) and folder(name) != target and
                    (folder(name), target) != (LEAF_USER, LEAF)):
                yield f"{name}:{number}: {folder(name)}/ may not include {target}/"


def check_sizes(files):
    """Lines per file and per function."""
    for name in files:
        if not name.endswith(C_SUFFIXES + (".asm", ".S", ".py", ".sh")):
            continue
        lines = read(name).split("\n")
        if len(lines) - 1 > MAX_FILE_LINES:
            yield f"{name}: {len(lines) - 1} lines, more than {MAX_FILE_LINES}"
        if not name.endswith((".c", ".h", ".inc")):
            continue
        start = None
        for number, line in enumerate(lines, 1):
            # The formatting puts the braces of functions, and of nothing else, in the first column.
            if line == "{":
                start = number
            elif line == "}" and start:
                if number - start - 1 > MAX_FUNCTION_LINES:
                    yield (f"{name}:{start}: a function of {number - start - 1} lines, "
                           f"more than {MAX_FUNCTION_LINES}")
                start = None


def check_globals(_):
    """No writable variables outside the machine's structures."""
    libraries = [f"{TOP}/build/lib{name}.a" for name in LAYERS]
    libraries = [name for name in libraries if os.path.exists(name)]
    if not libraries:
        yield "build/ holds no libraries: run ./dev build first"
        return
    text = subprocess.check_output(["nm", "-A", "--format=sysv", "--defined-only"] + libraries,
                                   stderr=subprocess.DEVNULL).decode()
    for line in text.split("\n"):
        fields = [field.strip() for field in line.split("|")]
        # Constants that hold addresses are in .data.rel.ro, which is read-only once loaded.
        section = fields[-1] if len(fields) == 7 else ""
        if re.match(r"\.(data|bss|tdata|tbss)\b", section) and ".rel.ro" not in section:
            yield f"{fields[0].removeprefix(TOP + '/build/')}: writable"
        elif section.startswith("*COM*"):
            yield f"{fields[0].removeprefix(TOP + '/build/')}: writable (common)"


HOST_CODE = re.compile(r"\w*mmintrin\.h|immintrin\.h|x86intrin\.h|cpuid\.h|arm_neon\.h|\b__asm__\b|"
                       r"\basm\b|\b__x86_64__\b|\b__i386__\b|\b__aarch64__\b|\b__SSE\w*|"
                       r"__builtin_ia32_\w+|\blong\s+double\b")


def check_host_code(files):
    """Only jit/<architecture>/ knows the host's processor."""
    for name in in_layers(files):
        if re.match(r"jit/[^/]+/", name):
            continue
        for number, line in numbered(without_comments(read(name))):
            match = HOST_CODE.search(line)
            if match:
                yield f"{name}:{number}: {match.group(0)} belongs in jit/<architecture>/"


FORBIDDEN = {
    r"\bv?sprintf\s*\(": "snprintf",
    r"\bstrn?(?:cpy|cat)\s*\(": "snprintf or memcpy",
    r"\bgettimeofday\s*\(": "the machine's clock",
    r"\balloca\s*\(": "a bounded array",
    r"\b(?:atoi|atol|atof)\s*\(": "strtoul with its errors checked",
}
FRONTEND_ONLY = {
    r"\b_?exit\s*\(": "an error that the caller gets",
    r"\b(?:printf|puts|putchar|perror)\s*\(|\bfprintf\s*\(\s*std(?:err|out)\b":
        "text that frontend/ prints",
}


def check_calls(files):
    """Forbidden functions."""
    for name in in_layers(files):
        rules = dict(FORBIDDEN)
        if folder(name) != "frontend":
            rules.update(FRONTEND_ONLY)
        for number, line in numbered(without_comments(read(name))):
            for pattern, instead in rules.items():
                match = re.search(pattern, line)
                if match:
                    yield f"{name}:{number}: {match.group(0).strip('( ')} is forbidden; use {instead}"


def check_typedefs(files):
    """typedef is for function types only."""
    for name in in_layers(files):
        for number, line in numbered(without_comments(read(name))):
            if re.match(r"\s*typedef\b", line) and "(" not in line:
                yield f"{name}:{number}: typedef of something other than a function"


def check_heads(files):
    """Each source file names its licence, and each C file then says what it is."""
    for name in files:
        if not name.endswith(SOURCE_SUFFIXES) and name not in ("dev", ".ci/run", "tests/boot/init"):
            continue
        lines = read(name).split("\n")
        if not any("SPDX-License-Identifier: MIT" in line for line in lines[:3]):
            yield f"{name}:1: no SPDX-License-Identifier line"
        if name in in_layers(files) and not re.match(r"/\*", "".join(lines[1:2])):
            yield f"{name}:2: no comment that says what the file is"


def check_leftovers(files):
    """Nothing half-done, no trailing blanks, no tabs where they don't belong."""
    for name in files:
        if not name.endswith(SOURCE_SUFFIXES + (".md",)) or name == "tests/lint/lint.py":
            continue
        text = read(name)
        if not text.endswith("\n"):
            yield f"{name}: no newline at the end"
        for number, line in numbered(text):
            if line.rstrip() != line:
                yield f"{name}:{number}: blanks at the end of the line"
            if "\t" in line:
                yield f"{name}:{number}: a tab"
            if re.search(r"\b(TODO|FIXME|XXX)\b", line) and name.endswith(SOURCE_SUFFIXES):
                yield f"{name}:{number}: unfinished business"


def check_device_docs(files):
    """docs/devices.md names each file of devices/, and no other."""
    text = read("docs/devices.md")
    named = set(re.findall(r"`(\w+\.c)`", text))
    there = {os.path.basename(n) for n in files if re.match(r"devices/\w+\.c$", n)}
    for name in sorted(there - named - {"pc.c"}):
        yield f"docs/devices.md: no word about devices/{name}"
    for name in sorted(named - there):
        yield f"docs/devices.md: there is no devices/{name}"


def check_conformance(_):
    """docs/conformance.md is up to date, and each row of the instruction table has recorded cases."""
    program = f"{TOP}/build/tests/conformance"
    if not os.path.exists(program):
        yield "build/ holds no tests: run ./dev build first"
        return
    result = subprocess.run([program, "tests/diff/record.txt", "tests/diff/suites.txt"], cwd=TOP,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    for line in result.stderr.decode().splitlines():
        yield f"tests/diff/record.txt: {line} (./dev fuzz diff -record)"
    if result.stdout.decode() != read("docs/conformance.md"):
        yield "docs/conformance.md: not up to date (./dev conformance)"


def check_format(files):
    """clang-format agrees."""
    if not shutil.which("clang-format"):
        yield "clang-format is not installed"
        return
    names = [n for n in files if n.endswith((".c", ".h", ".inc"))]
    if not names:
        return
    result = subprocess.run(["clang-format", "--dry-run", "-Werror"] + names, cwd=TOP,
                            stderr=subprocess.PIPE, check=False)
    for line in result.stderr.decode().split("\n"):
        match = re.match(r"([^:]+:\d+):\d+: error", line)
        if match:
            yield f"{match.group(1)}: not formatted (./dev format)"


def main():
    files = tracked_files()
    failed = False
    for check in (check_layers, check_sizes, check_globals, check_host_code, check_calls,
                  check_typedefs, check_heads, check_leftovers, check_device_docs,
                  check_conformance, check_format):
        complaints = list(check(files))
        for complaint in complaints:
            print(f"  {complaint}")
        name = check.__name__.removeprefix("check_").replace("_", " ")
        print(f"{'FAIL' if complaints else 'ok'} lint {name}: {check.__doc__}")
        failed |= bool(complaints)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
