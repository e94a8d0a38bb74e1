#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types at `meanwave live` in a shell in a pseudo-terminal, for tests/live_view.sh.

live_view.py COLUMNS PROGRAM ARGUMENTS...    a line for each thing that is not as it should be
"""
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

PATIENCE = 30.0
PARTS = ("birch", "48000 Hz", "pulse", "in  [", "out [", "RTF ", "= encoder ", "+ decoder ", "+ vocoder ",
         "+ rest ", "slowest ", "late ", "xruns ", "drift ", "delay ", "= device ", "+ ring ", "+ chunk ",
         "+ look-ahead ", "pitch +0", "mix 1.00", "gate off", "gain +0 dB", "b bypass", "q quit")
columns, command = int(sys.argv[1]), sys.argv[2:]
wrong = []


class Shell:
    """bash with job control, and what it and its programs wrote."""

    def __init__(self):
        child, self.end = pty.fork()
        if child == 0:
            os.environ["PS1"] = "ready> "
            os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.text = ""

    def type(self, keys):
        self.text = ""
        os.write(self.end, keys.encode())

    def sees(self, what, after=None):
        """Whether `what` comes, behind `after`."""
        until = time.time() + PATIENCE
        while time.time() < until:
            at = self.text.find(after) if after else 0
            if at >= 0 and what in self.text[at:]:
                return True
            if select.select([self.end], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.end, 65536).decode("utf-8", "replace")
                except OSError:
                    return False
        return False

    def plain(self):
        """Keys are echoed, and lines are edited, as in any shell."""
        flags = termios.tcgetattr(self.end)[3]
        return bool(flags & termios.ICANON and flags & termios.ECHO)


def check(good, what):
    if not good:
        wrong.append("%s at %d columns" % (what, columns))


def lines(text):
    return re.sub(r"\033\[[?0-9]*[A-Za-z]", "", text).replace("\r", "").split("\n")


shell = Shell()
check(shell.sees("ready> "), "no prompt")
shell.type(" ".join(command) + "\n")
check(shell.sees("q quit"), "no view")
shell.sees("q quit", "look-ahead")
time.sleep(0.5)
shell.text = ""
check(shell.sees("q quit", "birch"), "the view stands still")
view = shell.text[shell.text.index("birch"):]
for part in PARTS:
    check(part in view, "no '%s'" % part)
check(re.search(r"late \d", view), "no number of late chunks")  # which a busy machine may have
longest = max(map(len, lines(view)))
check((30 if columns == 40 else 70) < longest < columns, "lines of %d" % longest)
check(not shell.plain(), "keys want a return")

for key, word in (("b", "(bypassed)"), ("P", "pitch +1"), ("p", "pitch +0"), ("x", "mix 0.90"),
                  ("G", "gate -60 dB"), ("m", "(not monitored)"), ("v", "hazel")):
    shell.type(key)
    check(shell.sees(word), "'%s' gives no '%s'" % (key, word))

# Ctrl-Z: the terminal is the shell's, sound and view come back with fg
shell.type("\x1a")
check(shell.sees("Stopped") and shell.sees("ready> "), "Ctrl-Z stops nothing")
check("\033[?25h" in shell.text, "no cursor after Ctrl-Z")
check(shell.plain(), "the terminal is not the shell's after Ctrl-Z")
shell.type("echo so$((40 + 2))\n")
check(shell.sees("so42"), "the shell hears nothing")
shell.type("fg\n")
check(shell.sees("q quit", "hazel"), "no view after fg")
check(not shell.plain(), "keys want a return after fg")
shell.type("P")
check(shell.sees("pitch +1"), "'P' does nothing after fg")

# in the background it leaves the terminal alone
shell.type("\x1a")
check(shell.sees("Stopped") and shell.sees("ready> "), "a second Ctrl-Z stops nothing")
shell.type("bg\n")
check(shell.sees("ready> "), "no prompt after bg")
time.sleep(1.0)
shell.type("jobs\n")
check(shell.sees("Running"), "stopped in the background: %s" % shell.text)
check(shell.plain(), "the terminal was taken from the background")
shell.type("fg\n")
check(shell.sees("q quit", "hazel"), "no view after the second fg")
shell.type("q")
check(shell.sees("ready> "), "q does not end it")
shell.type("echo code=$?\n")
check(shell.sees("code=0"), "it ended with %s" % shell.text)
check(shell.plain(), "the terminal stays without echo")
os.close(shell.end)
print("\n".join(wrong))
