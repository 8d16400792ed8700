"""Terminals as a person would use them: a machine's own, and a client of one of its lines."""
import os
import pty
import re
import select
import signal
import sys
import termios
import time


class Line:
    """A terminal or pseudo-terminal that is open already. `log`, a binary file, gets what is read."""

    def __init__(self, fd, timeout, log=None):
        self.fd = fd
        self.deadline = time.monotonic() + timeout
        self.log = log
        self.output = b""
        self.seen = 0

    def fail(self, why):
        sys.exit(f"{why}\noutput: {self.output.decode(errors='replace')[-4000:]}")

    def read(self):
        """More output; False at its end."""
        if not select.select([self.fd], [], [], max(0.0, self.deadline - time.monotonic()))[0]:
            self.fail("timed out")
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.output += data
        if self.log:
            self.log.write(data)
            self.log.flush()
        return bool(data)

    def expect(self, pattern):
        """Waits for a regular expression in output not yet matched; returns the match."""
        while True:
            match = re.search(pattern, self.output[self.seen:])
            if match:
                self.seen += match.end()
                return match
            if not self.read():
                self.fail(f"ended before {pattern!r}")

    def send(self, text):
        while text:
            text = text[os.write(self.fd, text):]


class Console(Line):
    """A process on a pseudo-terminal of its own."""

    def __init__(self, command, timeout, log=None):
        self.command = command
        self.pid, fd = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)
        super().__init__(fd, timeout, log)

    def fail(self, why):
        os.kill(self.pid, signal.SIGKILL)
        super().fail(f"{why}\ncommand: {' '.join(self.command)}")

    def terminal(self):
        return termios.tcgetattr(self.fd)

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self):
        """Exit status; of a signal its negated number."""
        while self.read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
