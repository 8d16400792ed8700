"""A Tandem process on a pseudo-terminal, as a person would use it."""
import os
import pty
import re
import select
import signal
import sys
import termios
import time


class Console:
    def __init__(self, command, timeout):
        self.command = command
        self.deadline = time.monotonic() + timeout
        self.output = b""
        self.seen = 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)

    def fail(self, why):
        os.kill(self.pid, signal.SIGKILL)
        sys.exit(f"{why}\ncommand: {' '.join(self.command)}\noutput: {self.output.decode(errors='replace')[-4000:]}")

    def read(self):
        """More output; False at its end."""
        if not select.select([self.fd], [], [], max(0.0, self.deadline - time.monotonic()))[0]:
            self.fail("timed out")
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.output += data
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
        os.write(self.fd, text)

    def terminal(self):
        return termios.tcgetattr(self.fd)

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self):
        """Exit status; of a signal its negated number."""
        while self.read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
