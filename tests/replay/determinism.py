#!/usr/bin/env python3
"""Runs the same deterministic machine under different conditions, and compares what it was.

  determinism.py TANDEM GUESTS initramfs|disk SCHEDULE...

The same seed must give the same state and outputs whichever tier runs and however busy the host is, under
each schedule; another seed must not.
"""
import re
import subprocess
import sys

from busy import busy_host

STATE = re.compile(r"^state: guest time (\S+) s, (\d+) instructions, hash (\w+), outputs (\w+)$", re.M)


def run(tandem, guest, *options):
    command = [tandem, "run", "--deterministic", "--net", "none", "--serial", "none", "--stats", *guest, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
    state = STATE.search(done.stderr)
    if done.returncode != 0 or state is None:
        sys.exit(f"{' '.join(command)}: status {done.returncode}\n{done.stderr}")
    print(" ".join(options), "->", *state.groups(), flush=True)
    return state.groups()


def main():
    tandem, guests, which, *schedules = sys.argv[1:]
    append = "console=ttyAMA0 quiet"
    guest = ["--kernel", f"{guests}/kernel"]
    if which == "disk":
        guest += ["--initrd", f"{guests}/initrd", "--disk", f"{guests}/disk.img,snapshot,format=raw"]
        guest += ["--append", f"root=/dev/vda rw {append}"]
        variants = [["--tier", "t1"]]
        until = ["--until", "3s"]
    else:
        guest += ["--initrd", f"{guests}/busybox.cpio.gz", "--append", append]
        # What LLVM makes of every block takes long, and so does the interpreter.
        variants = [["--tier", "t1"], ["--accel", "interp"]]
        until = ["--until", "0.9s"]
    for schedule in schedules:
        options = ["--schedule", schedule, *until]
        first = run(tandem, guest, "--seed", "1", *options)
        for variant in variants:
            if run(tandem, guest, "--seed", "1", *options, *variant) != first:
                sys.exit(f"{schedule}: {' '.join(variant)} makes another run")
        with busy_host():
            if run(tandem, guest, "--seed", "1", *options) != first:
                sys.exit(f"{schedule}: a loaded host makes another run")
        if run(tandem, guest, "--seed", "2", *options)[2] == first[2]:
            sys.exit(f"{schedule}: another seed makes the same run")


main()
