#!/usr/bin/env python3
"""hostile.py TANDEM ROM [options]: runs a fuzzing guest (random_instructions, random_mmio) with one
seed after another. Whatever the guest does to itself, Tandem has to end in time, with status 0 or
that of --timeout or the signal it got, without a word from a sanitizer and in bounded memory.

--seeds A,B,...   these seeds (default: one at random); `random` stands for any
--minutes M       random seeds for that long instead
--rounds N        rounds of the guest for each seed (default 1000)
--limit S         seconds for each seed (default 20)
--accel KIND      as of tandem run
"""
import argparse
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

MEMORY_MIB = 64
# What a process may take besides guest RAM: translated code, and the sanitizers' shadow and quarantine.
OVERHEAD_MIB = 2048
GRACE = 30  # seconds from --timeout or a signal to the end of the process


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("tandem")
    parser.add_argument("rom")
    parser.add_argument("--seeds", default="random")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--accel", default="auto")
    return parser.parse_args()


def seeds(options):
    if options.minutes is None:
        for seed in options.seeds.split(","):
            yield random.getrandbits(32) if seed == "random" else int(seed)
        return
    end = time.monotonic() + 60 * options.minutes
    while time.monotonic() < end:
        yield random.getrandbits(32)


def finish(process, seconds):
    """The exit status and the peak of resident memory in MiB; (None, 0) if it does not end in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid != 0:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage.ru_maxrss // 1024
        time.sleep(0.02)
    return None, 0


def run(options, seed, interrupt_after, disk):
    """Prints one line; returns what is wrong, or an empty string."""
    command = [options.tandem, "run", "--accel", options.accel, "--cpus", "3", "--memory", f"{MEMORY_MIB}M",
               "--no-reboot", "--timeout", str(options.limit), "--disk", disk, "--kernel", options.rom,
               "--append", f"seed={seed} rounds={options.rounds}"]
    environment = dict(os.environ, UBSAN_OPTIONS="print_stacktrace=1")
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                   env=environment)
        allowed = {0, 124}
        if interrupt_after is not None:
            status, peak = finish(process, interrupt_after)
            if status is None:
                os.kill(process.pid, signal.SIGTERM) # Popen's own would wait for it first, if it has ended
                allowed.add(128 + signal.SIGTERM)
                status, peak = finish(process, GRACE)
        else:
            status, peak = finish(process, options.limit + GRACE)
        wrong = ""
        if status is None:
            process.kill()
            process.wait()
            wrong = "does not end"
        elif status not in allowed:
            wrong = f"status {status}"
        output.seek(0)
        text = output.read().decode(errors="replace")
    report = re.search(r"runtime error:.*|ERROR: \w+Sanitizer.*|WARNING: \w+Sanitizer.*", text)
    if report:
        wrong = report[0]
    elif not wrong and peak > MEMORY_MIB + OVERHEAD_MIB:
        wrong = f"{peak} MiB of memory"
    last = re.findall(r"(?:PASS|LOST|rounds) \w+", text)
    print(f"seed {seed}: status {status}, {time.monotonic() - began:.1f} s, {peak} MiB, "
          f"{last[-1] if last else 'no report'}", flush=True)
    if wrong:
        print(f"{wrong}\n{shlex.join(command)}\n{text[-6000:]}", flush=True)
    return wrong


def main():
    options = arguments()
    findings = 0
    with tempfile.NamedTemporaryFile(prefix="tandem-hostile-") as disk:
        disk.truncate(8 << 20)
        for n, seed in enumerate(seeds(options)):
            # Every fourth run ends by a signal, unless the guest is faster.
            findings += bool(run(options, seed, options.limit / 4 if n % 4 == 3 else None, disk.name))
    if findings:
        sys.exit(f"{findings} findings")


if __name__ == "__main__":
    main()
