#!/usr/bin/env python3
"""What going backwards in a recording of Linux costs, in CPU time of the replay.

  reverse.py TANDEM GUEST [--recording F] [--steps N] [--places N]

Records the shell of `scripts/guest DIR initramfs` at work for a minute of the guest's time (or takes the recording that is
there), replays it without a debugger, then serves one: reverse-continue from its end without a hit, and steps backwards at
random places.
"""
import argparse
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "boot"), os.path.join(os.path.dirname(HERE), "debug")]

from console import Console  # noqa: E402
from rsp import Rsp  # noqa: E402

WORK = b"""for i in 1 2 3; do
 seq 1 20000 | sort -r | md5sum; find / -xdev | wc -l; dd if=/dev/urandom bs=64k count=64 of=/tmp/f; gzip -c /tmp/f | md5sum
 sleep 18
done; poweroff -f
"""


def record(tandem, guest, path):
    console = Console([tandem, "run", "--record", path, "--kernel", f"{guest}/kernel", "--initrd", f"{guest}/shell.cpio.gz",
                       "--net", "none", "--append", "console=ttyAMA0 quiet"], 900)
    console.expect(rb"# ")
    for line in WORK.splitlines():
        console.send(line + b"\r")
    console.wait()


def cpu_seconds(pid):
    """Of all threads of a process, those that have ended included: in ticks of 10 ms."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def thread_seconds(pid):
    """Of the threads there are, in nanoseconds: for what takes less than a tick."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def when(client):
    return int(re.search(r"instruction (\d+),", client.monitor("when"))[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tandem")
    parser.add_argument("guest")
    parser.add_argument("--recording")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--places", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        recording = options.recording or os.path.join(folder, "run.tdr")
        if not os.path.exists(recording):
            record(options.tandem, options.guest, recording)
        before = os.times()
        done = subprocess.run([options.tandem, "replay", recording, "--stats", "--serial", "none"], capture_output=True,
                              text=True, check=True)
        after = os.times()
        replay = after.children_user + after.children_system - before.children_user - before.children_system
        print(re.search(r"^state: .*$", done.stderr, re.M)[0])
        print(f"replay: {replay:.2f} s")

        console = Console([options.tandem, "replay", recording, "--gdb", ":0", "-S", "--serial", "none"], 3600)
        port = int(console.expect(rb"debugger at 127\.0\.0\.1 port (\d+)")[1])
        client = Rsp(("127.0.0.1", port), timeout=3600)
        client.ask(b"?")
        started = cpu_seconds(console.pid)
        assert b"replaylog:end" in client.ask(b"c")
        forward = cpu_seconds(console.pid) - started
        print(f"forward, with checkpoints: {forward:.2f} s ({forward / replay:.2f} of the replay)")
        end = when(client)
        started = cpu_seconds(console.pid)
        assert b"replaylog:begin" in client.ask(b"bc")
        backward = cpu_seconds(console.pid) - started
        print(f"reverse-continue over all of it: {backward:.2f} s ({backward / replay:.2f} of the replay)")

        first, others = [], []
        for _ in range(options.places):
            client.monitor(f"goto {random.randrange(1_000_000, end)}")
            for step in range(options.steps):
                started = thread_seconds(console.pid)
                client.ask(b"bs")
                (others if step else first).append((thread_seconds(console.pid) - started) * 1000)
        all_steps = sorted(first + others)
        print(f"reverse-stepi, {len(all_steps)} at {options.places} places: median {statistics.median(all_steps):.2f} ms, "
              f"p99 {all_steps[len(all_steps) * 99 // 100]:.2f} ms, most {all_steps[-1]:.1f} ms")
        client.ask(b"vKill;1")
        console.wait()


main()
