#!/usr/bin/env python3
"""Runs the same deterministic machine under different conditions, and compares what it was.

  determinism.py TANDEM GUESTS initramfs|disk SCHEDULE...

The same seed must give the same state and outputs whichever tier runs and however busy the host is, under
each schedule; another seed must not. A recording of it must be the same in another tier, memory and all, each 10
million instructions.
"""
import os
import re
import subprocess
import sys
import tempfile

from busy import busy_host

STATE = re.compile(r"^state: guest time (\S+) s, (\d+) instructions, hash (\w+), outputs (\w+)$", re.M)


def run(tandem, guest, *options):
    return state_of([tandem, "run", "--deterministic", "--net", "none", "--serial", "none", "--stats", *guest, *options])


def state_of(command):
    options = command[-4:]
    done = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
    state = STATE.search(done.stderr)
    if done.returncode != 0 or state is None:
        sys.exit(f"{' '.join(command)}: status {done.returncode}\n{done.stderr}")
    print(" ".join(options), "->", *state.groups(), flush=True)
    return state.groups()


def compare_recording(tandem, guest, options, first, tier):
    with tempfile.TemporaryDirectory() as folder:
        recording = os.path.join(folder, "run.tdr")
        if run(tandem, guest, "--seed", "1", *options, "--record", recording) != first:
            sys.exit(f"{' '.join(options)}: a recorded run is another run")
        if state_of([tandem, "replay", recording, "--serial", "none", "--stats", *tier]) != first:
            sys.exit(f"{' '.join(options)}: a replay with {' '.join(tier)} is another run")
        done = subprocess.run([tandem, "replay", recording, "--bisect-divergence"], capture_output=True, text=True,
                              timeout=540, check=False)
        if done.returncode != 0 or not done.stdout.startswith(f"no divergence up to instruction {first[1]},"):
            sys.exit(f"a search for a divergence: status {done.returncode}\n{done.stdout}{done.stderr}")


def main():
    tandem, guests, which, *schedules = sys.argv[1:]
    append = "console=ttyAMA0 quiet"
    guest = ["--kernel", f"{guests}/kernel"]
    if which == "disk":
        guest += ["--initrd", f"{guests}/initrd", "--disk", f"{guests}/disk.img,snapshot,format=raw"]
        guest += ["--append", f"root=/dev/vda rw {append}"]
        variants, recorded_for = [], ["--tier", "t1"]
        until = ["--until", "3s"]
    else:
        guest += ["--initrd", f"{guests}/busybox.cpio.gz", "--append", append]
        # What LLVM makes of every block takes long, and so does the interpreter.
        variants, recorded_for = [["--tier", "t1"]], ["--accel", "interp"]
        until = ["--until", "0.9s"]
    for schedule in schedules:
        options = ["--schedule", schedule, *until]
        first = run(tandem, guest, "--seed", "1", *options)
        for variant in variants:
            if run(tandem, guest, "--seed", "1", *options, *variant) != first:
                sys.exit(f"{schedule}: {' '.join(variant)} makes another run")
        compare_recording(tandem, guest, options, first, recorded_for)
        with busy_host():
            if run(tandem, guest, "--seed", "1", *options) != first:
                sys.exit(f"{schedule}: a loaded host makes another run")
        if run(tandem, guest, "--seed", "2", *options)[2] == first[2]:
            sys.exit(f"{schedule}: another seed makes the same run")


main()
