#!/usr/bin/env python3
"""Runs command lines written down as text and compares what comes back.

  run_transcripts.py PROGRAM TRANSCRIPT...

A transcript is a list of steps; each begins with the command, which /bin/sh runs in an empty folder
of its own where `tutti` is PROGRAM:

  $ tutti tokenize story --jsonl      the command
  < {"text": "Once"}                  a line of standard input; without any: no input
  > {"ids": [5]}                      a line of standard output
  >~ [0-9.]+ tokens                   the same, as a regular expression for the whole line
  ! tutti: what is wrong              a line of standard error, !~ likewise
  ? 64                                the exit code, 0 if absent
  # a remark

Standard output and standard error must match line by line, from the first to the last. `>*` and `!*`
stand for any lines, also none. A last line without its newline is written with a trailing backslash.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time


class Step:
    def __init__(self, line, command):
        self.line = line
        self.command = command
        self.stdin = []
        self.stdout = []
        self.stderr = []
        self.code = 0


def parse(path):
    steps = []
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        mark, rest = line[0], line[1:]
        if mark == "$":
            steps.append(Step(number, rest.strip()))
            continue
        if not steps:
            sys.exit(f"{path}:{number}: a transcript begins with '$ command'")
        step = steps[-1]
        if mark == "<":
            step.stdin.append(rest[1:])
        elif mark in ">!":
            kind = rest[0] if rest[:1] in ("~", "*") else "="
            text = rest[2:] if kind == "~" else rest[1:]
            (step.stdout if mark == ">" else step.stderr).append((kind, text))
        elif mark == "?":
            step.code = int(rest)
        else:
            sys.exit(f"{path}:{number}: a line begins with $ < > ! ? or #")
    return steps


def lines_of(text):
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    else:
        lines[-1] += "\\"
    return lines


def matches(expected, lines):
    """Wildcards match as few lines as they can; backtracking is not needed for such short texts."""
    if not expected:
        return not lines
    kind, text = expected[0]
    if kind == "*":
        return any(matches(expected[1:], lines[i:]) for i in range(len(lines) + 1))
    if not lines:
        return False
    same = re.fullmatch(text, lines[0]) is not None if kind == "~" else text == lines[0]
    return same and matches(expected[1:], lines[1:])


def show(expected, lines, mark):
    out = ["    expected:"]
    out += ["      " + mark + ("" if kind == "=" else kind) + " " + text for kind, text in expected]
    out += ["    got:"] + ["      " + mark + " " + line for line in lines]
    return "\n".join(out)


def run(program, path):
    failures = 0
    slowest = 0.0
    folder = tempfile.mkdtemp(prefix="tutti_transcript_")
    binaries = os.path.join(folder, "bin")
    os.mkdir(binaries)
    os.symlink(os.path.abspath(program), os.path.join(binaries, "tutti"))
    work = os.path.join(folder, "work")
    os.mkdir(work)
    environment = {
        "PATH": binaries + ":/usr/local/bin:/usr/bin:/bin", "HOME": work, "LANG": "C.UTF-8",
        "TZ": "UTC", "TERM": "xterm", "TRANSCRIPTS": os.path.dirname(os.path.abspath(path)),
    }
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
        if name in os.environ:
            environment[name] = os.environ[name]
    for step in parse(path):
        begin = time.monotonic()
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", step.command], cwd=work, env=environment, timeout=120,
                input="".join(line + "\n" for line in step.stdin).encode(), capture_output=True)
        except subprocess.TimeoutExpired:
            print(f"{path}:{step.line}: $ {step.command}\n    does not end")
            failures += 1
            continue
        slowest = max(slowest, time.monotonic() - begin)
        complaints = []
        for mark, expected, got in ((">", step.stdout, done.stdout), ("!", step.stderr, done.stderr)):
            lines = lines_of(got.decode("utf-8", "backslashreplace"))
            if not matches(expected, lines):
                complaints.append(show(expected, lines, mark))
            if "\x1b" in "".join(lines):
                complaints.append("    an escape without a terminal")
        if done.returncode != step.code:
            complaints.append(f"    exit code {done.returncode}, expected {step.code}")
        if complaints:
            failures += 1
            print(f"{path}:{step.line}: $ {step.command}")
            print("\n".join(complaints))
    shutil.rmtree(folder)
    return failures


def main():
    program, transcripts = sys.argv[1], sys.argv[2:]
    if not transcripts:
        sys.exit("usage: run_transcripts.py PROGRAM TRANSCRIPT...")
    steps = sum(len(parse(path)) for path in transcripts)
    failures = sum(run(program, path) for path in transcripts)
    print(f"{steps} steps in {len(transcripts)} transcripts, {failures} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
