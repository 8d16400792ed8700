#!/usr/bin/env python3
"""Records a Debian guest at work, and replays it.

  recording.py TANDEM GUESTS [--replays N]

Somebody types at it, it writes to its disk, gets an address and fetches files from the host, and is powered off. The
replay has no host: it must end in the same state, with the same output, in another process, another tier, on a busy
host, from another folder, and from a file that was copied. Then what must be refused, each with its own exit status.
"""
import argparse
import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boot"))
from boot import check  # noqa: E402
from busy import busy_host  # noqa: E402
from console import Console  # noqa: E402
from networked import record_online, serve  # noqa: E402

FINISHED, FAILED, DIVERGED, UNSUPPORTED, CUT = 0, 1, 3, 4, 5
STATE = re.compile(r"^state: (.*)$", re.M)


def record(tandem, guests, recording):
    content = random.Random(3).randbytes(200_000)
    console = record_online(tandem, guests, recording)
    console.send(f"cat </dev/tcp/10.0.2.2/{serve(content)[0]} | tee /root/got | sha256sum; sync\r".encode())
    console.expect(hashlib.sha256(content).hexdigest().encode())
    console.send(b"dd if=/dev/urandom bs=1M count=8 of=/root/more; sync; echo 3 >/proc/sys/vm/drop_caches; "
                 b"sha256sum /root/more | cut -c1-64; date; poweroff\r")
    console.expect(rb"[0-9a-f]{64}")
    check(console.wait() == 0, "the recorded guest ends with status 0")
    return STATE.search(console.output.decode(errors="replace"))[1].strip()


def replay(tandem, recording, *options, status=FINISHED, **how):
    done = subprocess.run([tandem, "replay", recording, "--stats", *options], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=600, check=False, **how)
    text = done.stderr.decode(errors="replace")
    check(done.returncode == status, f"replay {options}: status {done.returncode}, not {status}\n{text}")
    found = STATE.search(text)
    return found and found[1], done.stdout, text


def refuse(tandem, recording, status, reason):
    text = replay(tandem, recording, "--serial", "none", status=status)[2].splitlines()[-1]
    check(re.search(reason, text), f"{reason}: {text}")


def damage(whole, folder, name, change):
    path = os.path.join(folder, name)
    with open(whole, "rb") as file:
        content = bytearray(file.read())
    content = change(content) or content
    with open(path, "wb") as file:
        file.write(content)
    return path


def set_byte(at):
    def change(content):
        content[at] ^= 0xff
    return change


def refuse_other_files(tandem, guests, folder):
    """A disk that has changed is refused; so is a recording on top of another file."""
    disk, recording = os.path.join(folder, "disk.raw"), os.path.join(folder, "disk.tdr")
    with open(disk, "wb") as file:
        file.truncate(1 << 20)
    command = [tandem, "run", "--record", recording, "--kernel", f"{guests}/kernel", "--disk", f"{disk},format=raw",
               "--initrd", f"{guests}/busybox.cpio.gz", "--append", "console=ttyAMA0 quiet", "--serial", "none"]
    check(subprocess.run(command, timeout=120, check=False).returncode == 0, "a machine with a disk is recorded")
    replay(tandem, recording)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    check(done.returncode == FAILED and "File exists" in done.stderr, f"what is there is kept: {done.stderr}")
    with open(disk, "r+b") as file:
        file.seek(5000)
        file.write(b"other")
    refuse(tandem, recording, FAILED, "disk.raw: is not what .*disk.tdr was recorded with")
    os.remove(disk)
    refuse(tandem, recording, FAILED, "disk.raw: No such file")


def kill(tandem, guests, folder):
    """A recording whose process was killed replays up to about there."""
    recording = os.path.join(folder, "killed.tdr")
    console = Console([tandem, "run", "--record", recording, "--kernel", f"{guests}/kernel", "--initrd",
                       f"{guests}/shell.cpio.gz", "--append", "console=ttyAMA0 quiet"], 120)
    console.expect(rb"# ")
    console.send(b"while :; do echo round; sleep 0.1; done\r")
    for _ in range(20):
        console.expect(rb"round")
    os.kill(console.pid, signal.SIGKILL)
    os.waitpid(console.pid, 0)
    output = replay(tandem, recording, status=CUT)[1]
    check(output.count(b"round") >= 10, f"most of it is there: {output.count(b'round')} rounds")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tandem")
    parser.add_argument("guests")
    parser.add_argument("--replays", type=int, default=6)
    options = parser.parse_args()
    tandem, guests = os.path.abspath(options.tandem), os.path.abspath(options.guests)
    with tempfile.TemporaryDirectory() as folder:
        recording = os.path.join(folder, "run.tdr")
        state = record(tandem, guests, recording)
        print(f"recorded: {state}, {os.path.getsize(recording)} bytes", flush=True)
        # A replay that may go backwards keeps its past: its turns end where they did not before.
        ways = [[], ["--tier", "t1"], ["--gdb", "127.0.0.1:0"]]
        output = None
        for number in range(options.replays):
            with (contextlib.nullcontext, busy_host)[number // 2 % 2]():
                again = replay(tandem, recording, *ways[number % len(ways)])
            check(again[0] == state, f"replay {number}: {again[0]}")
            check(output in (None, again[1]), f"replay {number} has the same output")
            output = again[1]
        check(b"login:" in output and b"online" in output, "the replay's output is the guest's")
        os.makedirs(os.path.join(folder, "elsewhere"))
        copy = shutil.copy(recording, os.path.join(folder, "elsewhere", "copy"))
        check(replay(tandem, copy, cwd="/")[0] == state, "a copy in another folder is as good")
        half, _, _ = replay(tandem, recording, "--until", "1s", "--serial", "none")
        check(half.startswith("guest time 1.000000000 s"), f"--until stops there: {half}")

        with open(recording, "rb") as file:
            size = len(file.read())
        refuse(tandem, damage(recording, folder, "cut", lambda all: all[:size * 2 // 3]), CUT, "cut off; replayed up to")
        refuse(tandem, damage(recording, folder, "bad", set_byte(size * 2 // 3)), CUT, "damaged: .*; replayed up to")
        refuse(tandem, damage(recording, folder, "new", set_byte(8)), UNSUPPORTED, "format")
        refuse(tandem, damage(recording, folder, "manifest", set_byte(100)), FAILED, "manifest")
        refuse(tandem, damage(recording, folder, "none", lambda all: all[:10]), FAILED, "not a recording")
        refuse(tandem, os.path.join(folder, "nowhere"), FAILED, "No such file")
        refuse_other_files(tandem, guests, folder)
        kill(tandem, guests, folder)
    print("ok")


main()
