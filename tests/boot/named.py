"""Machines with names, in a state folder of the test's own."""
import os
import subprocess

from boot import check


def command(tandem, folder):
    """Gives a function that runs a verb: its output or, where another status is due, its one line of error."""
    os.environ.update(XDG_STATE_HOME=os.path.join(folder, "state"))
    os.environ.pop("XDG_RUNTIME_DIR", None)

    def run(*arguments, status=0):
        done = subprocess.run([tandem, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        check(done.returncode == status, f"{arguments}: status {done.returncode}: {done.stderr}{done.stdout}")
        check(status == 0 or len(done.stderr.splitlines()) == 1, f"{arguments}: one line: {done.stderr}")
        return done.stderr if status else done.stdout

    return run
