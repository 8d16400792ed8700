#!/usr/bin/env python3
"""semihosting.py TANDEM ROM: a bare-metal program that calls its host: console, files, command line, status. With a line
of its own, on that of the UART, on a deterministic machine and its replay, across a snapshot; and without any."""
import os
import socket
import subprocess
import sys
import tempfile

from boot import check
from console import Console
from qmp import Qmp


def main():
    tandem, rom = sys.argv[1:]
    base = ["run", "--kernel", rom, "--net", "none", "--timeout", "100"]

    def run(*arguments):
        return subprocess.run([tandem, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              check=False)

    def check_end(done, status, *texts):
        check(done.returncode == status, f"exit status {status}: {done.returncode}: {done.stdout}{done.stderr}")
        for text in texts:
            check(text in done.stdout, f"{text!r}: {done.stdout}")

    done = run(*base, "--semihosting", "console", "--append", "exit=0")
    check_end(done, 0, "written", "in error", "said", "PASS semihosting")
    for accel in ("interp", "jit"):
        check_end(run(*base, "--semihosting", "console", "--append", "exit=7", "--accel", accel), 7, "PASS semihosting")
    check_end(run(*base), 0, "FAIL semihosting: unexpected exception")

    with tempfile.TemporaryDirectory() as folder:
        inside = os.path.join(folder, "inside")
        os.mkdir(inside)
        outside = os.path.join(folder, "outside.txt")
        for path, text in ((outside, "secret"), (os.path.join(inside, "long.txt"), "0123456789abcdef")):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
        os.symlink("..", os.path.join(inside, "link"))
        os.mkfifo(os.path.join(inside, "pipe"))

        files = [*base, "--semihosting", "console", "--semihosting-folder"]
        check_end(run(*files, inside, "--append", "files exit=0"), 0, "files are used", "the folder cannot be left")
        with open(os.path.join(inside, "kept.txt"), encoding="ascii") as file:
            check(file.read() == "written by hand, and more", "the host finds what was written")
        check(os.path.exists(outside), "what is outside stays")
        check_end(run(*files, inside + ",readonly", "--append", "files exit=0"), 0, "FAIL semihosting")
        done = run(*files, os.path.join(folder, "nowhere"))
        check(done.returncode == 1 and "name a folder of this host" in done.stderr, f"no folder: {done.stderr}")
        done = run(*files, inside, "--deterministic")
        check(done.returncode == 2 and "--semihosting-folder: a deterministic machine" in done.stderr, done.stderr)

        # A line of its own, with somebody at the other end; recorded, and replayed without.
        line, recording = os.path.join(folder, "line.sock"), os.path.join(folder, "run.tdr")
        own = [tandem, *base, "--semihosting", f"unix:{line}", "--append", "echo exit=3"]
        for extra in ([], ["--deterministic", "--record", recording]):
            console = Console([*own, *extra], 100)
            with socket.socket(socket.AF_UNIX) as client:
                while client.connect_ex(line) != 0:
                    pass
                heard = b""
                for piece in (b"one, ", b"two", b"."):
                    while b"said" not in heard:
                        heard += client.recv(4096)
                    client.sendall(piece)
                while not heard.endswith(b"one, two."):
                    more = client.recv(4096)
                    check(more != b"", f"all is echoed: {heard}")
                    heard += more
            console.expect(b"PASS semihosting")
            check(console.wait() == 3, "exit status 3")
        for tier in ("t1", "auto"):
            done = run("replay", recording, "--tier", tier, "--semihosting", f"file:{folder}/said")
            check_end(done, 6, "PASS semihosting")
            with open(f"{folder}/said", "rb") as file:
                check(file.read().endswith(b"one, two."), "a replay says the same")

        # An open file is where it was after a restore.
        control, snapshot = os.path.join(folder, "qmp.sock"), os.path.join(folder, "saved.snapshot")
        waits = ["--semihosting", f"unix:{line}", "--semihosting-folder", inside, "--qmp", f"unix:{control}",
                 "--snapshots", folder]
        console = Console([tandem, *base, *waits, "--append", "wait exit=4"], 100)
        console.expect(b"a file is open")
        qmp = Qmp(control, 100)
        check(qmp.execute("human-monitor-command", command_line="savevm saved") == "", "the machine is saved")
        qmp.execute("quit")
        console.wait()
        console = Console([tandem, "run", "--restore", snapshot, *waits, "--timeout", "100"], 100)
        with socket.socket(socket.AF_UNIX) as client:
            while client.connect_ex(line) != 0:
                pass
            client.sendall(b"x")
            console.expect(b"and goes on where it was")
            console.expect(b"PASS semihosting")
        check(console.wait() == 4, "exit status 4")


if __name__ == "__main__":
    main()
