#!/usr/bin/env python3
"""Talks with `tutti chat` through a pseudo-terminal, as a person does.

  chat_terminal_test.py PROGRAM
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

PROGRAM = os.path.abspath(sys.argv[1])
FAILURES = []


class Terminal:
    """A program whose three standard streams are one terminal."""

    def __init__(self, *arguments, stdout=None, **environment):
        self.folder = tempfile.mkdtemp(prefix="tutti_chat_")
        variables = {"PATH": "/usr/bin:/bin", "HOME": self.folder, "LANG": "C.UTF-8", "TERM": "xterm"}
        variables.update(environment)
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [PROGRAM, *arguments], stdin=slave, stdout=slave if stdout is None else stdout, stderr=slave, cwd=self.folder,
            env=variables, start_new_session=True, preexec_fn=lambda: self.take_terminal())
        os.close(slave)
        self.text = ""   # everything so far
        self.seen = 0    # what earlier expectations have used up

    @staticmethod
    def take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def send(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern, what, seconds=60):
        end = time.monotonic() + seconds
        while True:
            found = re.compile(pattern, re.S).search(self.text[self.seen:])
            if found:
                self.seen += found.end()
                return found
            if time.monotonic() > end or not self.read(end):
                FAILURES.append(f"{what}: no {pattern!r} in {self.text[self.seen:]!r}")
                return None

    def drain(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(end)

    def read(self, end):
        ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def exit_code(self, what, expected, seconds=60):
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            self.read(min(end, time.monotonic() + 0.1))
        if self.process.poll() is None:
            self.process.kill()
            FAILURES.append(f"{what}: does not end; the last was {self.text[-200:]!r}")
        elif self.process.returncode != expected:
            FAILURES.append(f"{what}: exit code {self.process.returncode}, expected {expected}")
        while self.read(time.monotonic() + 1):   # what the program wrote last
            pass
        os.close(self.master)


def check(condition, what):
    if not condition:
        FAILURES.append(what)


def test_conversation():
    chat = Terminal("chat", "--temperature", "0", "--max-tokens", "8")
    chat.expect(r"/help shows.*\n.*> ", "greeting")
    chat.send("Once upon a time\r")
    answer = r"Once upon a time.*?\x1b\[\?2004l([^\n>]+)\r?\n.*?> "   # what follows the end of the editing
    first = chat.expect(answer, "an answer")
    chat.send("\x1b[A\r")   # the line before, from the history
    second = chat.expect(answer, "history")
    if first and second:
        check(first.group(1) == second.group(1),
              f"the same line gives another greedy answer: {first.group(1)!r}, {second.group(1)!r}")
    chat.send("Onceü\x7f upon\x01\x0b/help\r")   # editing: backspace, to the start, kill
    chat.expect(r"/clear .*\n.*> ", "editing, /help")
    chat.send("/nonsense\r")
    chat.expect(r"There is no command /nonsense", "unknown command")
    chat.expect("> ", "prompt")
    chat.send("half a line\x03")
    chat.expect(r"\^C.*> ", "Ctrl-C gives up the line")
    chat.send("\x04")
    chat.exit_code("Ctrl-D", 0)


class NarrowPipe:
    """A pipe with room for a few words: who writes a longer answer into it has to wait."""

    ROOM = 60

    def __init__(self):
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, 1031, 4096)   # F_SETPIPE_SZ
        os.write(self.writer, b"x" * (4096 - self.ROOM))

    def waiting(self):
        """Bytes that nobody has read yet."""
        return struct.unpack("i", fcntl.ioctl(self.reader, termios.FIONREAD, b"0000"))[0]

    def wait_until_stuck(self):
        end = time.monotonic() + 60
        before = -1
        while time.monotonic() < end and (self.waiting() != before or before <= 4096 - self.ROOM):
            before = self.waiting()
            time.sleep(0.3)

    def open_up(self):
        """What was written beyond the filling."""
        return os.read(self.reader, 65536)[4096 - self.ROOM:]

    def rest(self):
        """What comes until the program has ended, whether or not it had to wait before."""
        os.close(self.writer)
        text = b""
        while piece := os.read(self.reader, 65536):
            text += piece
        return text


def test_interrupt_stops_the_answer():
    pipe = NarrowPipe()
    chat = Terminal("chat", "--ignore-eos", "--temperature", "0", "story", stdout=pipe.writer)
    chat.expect("> ", "prompt")
    chat.send("The king\r")
    pipe.wait_until_stuck()
    chat.send("\x03")
    chat.drain(0.2)
    pipe.open_up()
    chat.expect("> ", "the prompt comes back")
    check(chat.process.poll() is None, "Ctrl-C ended the program")
    check(pipe.waiting() < 100, f"{pipe.waiting()} bytes of an answer came after Ctrl-C")
    chat.send("/help\r")
    chat.expect("/clear", "the conversation goes on")
    chat.send("/exit\r")
    chat.exit_code("/exit", 0)


def test_multi_line():
    chat = Terminal("chat", "--temperature", "0", "--max-tokens", "4")
    chat.expect("> ", "prompt")
    chat.send("Once upon \\\r")
    chat.expect(r"\| ", "a trailing backslash goes on")
    chat.send("a time\r")
    chat.expect(r"a time\r?\n.*\n.*> ", "the answer to two lines")
    chat.send('"""\r')
    chat.expect(r"\| ", "a block goes on")
    chat.send('first\r')
    chat.expect(r"\| ", "a block goes on further")
    chat.send('last"""\r')
    chat.expect(r'last"""\r?\n.*\n.*> ', "the answer to a block")
    chat.send("\x1b[200~pasted one\rpasted two\rend\x1b[201~")
    chat.expect(r"pasted one.*\| .*pasted two.*\| .*end", "a pasted block is one entry")
    chat.send("\r")
    chat.expect(r"\n.*\n.*> ", "the answer to a pasted block")
    chat.send("/exit\r")
    chat.exit_code("/exit", 0)


def test_run_without_prompt_is_a_conversation():
    chat = Terminal("run", "--max-tokens", "3", TERM="dumb")
    chat.expect(r"/help shows.*> ", "greeting")
    chat.send("\x04")
    chat.exit_code("Ctrl-D", 0)
    check("\x1b" not in chat.text.replace("\x1b[K", ""), "escapes on a dumb terminal")


def test_run_interrupted():
    pipe = NarrowPipe()
    run = subprocess.Popen([PROGRAM, "run", "--ignore-eos", "--temperature", "0", "story", "The king"],
                           stdout=pipe.writer, stderr=subprocess.PIPE)
    pipe.wait_until_stuck()
    run.send_signal(signal.SIGINT)
    time.sleep(0.2)
    text = pipe.open_up() + pipe.rest()
    _, talk = run.communicate(timeout=60)
    check(run.returncode == 130, f"Ctrl-C during run gives {run.returncode}")
    check(talk == b"", f"an interrupted run says {talk!r}")
    check(text.endswith(b"\n"), "an interrupted run does not end its line")
    check(len(text) < 160, f"{len(text)} bytes of an answer in spite of Ctrl-C")


def catches_interrupts(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", status.read(), re.M).group(1)
    return int(caught, 16) & (1 << (signal.SIGINT - 1))


def test_interrupted_while_waiting_for_input():
    run = subprocess.Popen([PROGRAM, "run", "story"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
    while run.poll() is None and not catches_interrupts(run.pid):
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    check(run.wait(timeout=60) == 130, f"Ctrl-C while waiting gives {run.returncode}")


def test_interrupted_chat_of_a_pipe():
    # Nobody is at the keyboard to ask on: Ctrl-C during an answer ends the program.
    pipe = NarrowPipe()
    chat = subprocess.Popen([PROGRAM, "chat", "--ignore-eos", "--temperature", "0", "story"],
                            stdin=subprocess.PIPE, stdout=pipe.writer, stderr=subprocess.PIPE)
    chat.stdin.write(b"The king\nThe queen\n")
    chat.stdin.flush()
    pipe.wait_until_stuck()
    chat.send_signal(signal.SIGINT)
    time.sleep(0.2)
    pipe.open_up()
    try:
        check(chat.wait(timeout=60) == 130, f"Ctrl-C during a piped chat gives {chat.returncode}")
    except subprocess.TimeoutExpired:
        check(False, "Ctrl-C does not end a chat that reads from a pipe")
        chat.kill()
    chat.stdin.close()


def test_no_color():
    run = Terminal("run", "--max-tokens", "2", "story", "Once upon", NO_COLOR="1")
    run.exit_code("run", 0)
    check("\x1b" not in run.text, "escapes in spite of NO_COLOR")
    check("Once upon" in run.text, "no prompt in front of the continuation")


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
for failure in FAILURES:
    print(failure)
print(f"{len([n for n in globals() if n.startswith('test_')])} tests, {len(FAILURES)} failures")
sys.exit(1 if FAILURES else 0)
