#!/usr/bin/env python3
"""Flight recorders: the last part of a run, written when it goes wrong.

  flight.py TANDEM GUESTS initramfs|disk

`initramfs`: a signal, the time limit, a text, the guest's panic and the control socket write files, each of which
replays to the end that the machine had, backwards in gdb as well; what is refused. `disk`: Debian at work on its disk,
whose last part begins with what it had written by then.
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boot"))
from boot import check  # noqa: E402
from console import Console  # noqa: E402
from network import free_port  # noqa: E402
from qmp import Qmp  # noqa: E402

FINISHED, FAILED, USAGE, TIMEOUT = 0, 1, 2, 124
STATE = re.compile(r"^state: (.*?)\r?$", re.M)
WRITTEN = re.compile(rb"tandem: (?:.*: )?(\S+) has the last ([0-9.]+) s \(([^,]*), written in (\d+) ms\)")


def fly(tandem, guests, path, ring, *options, initrd="shell.cpio.gz"):
    return Console([tandem, "run", "--record", path, "--record-ring", ring, "--stats", "--kernel", f"{guests}/kernel",
                    "--initrd", f"{guests}/{initrd}", *options], 400)


def state_of(text):
    return STATE.search(text)[1].strip()


def replay(tandem, path, *options, status=FINISHED):
    done = subprocess.run([tandem, "replay", path, "--stats", *options], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=400, check=False)
    text = done.stderr.decode(errors="replace")
    check(done.returncode == status, f"replay {path} {options}: {done.returncode}\n{text}")
    return state_of(text), done.stdout


def written(console, path, at_least, at_most):
    """Waits for the line that says so; returns how many seconds the file has."""
    match = console.expect(WRITTEN)
    check(match[1].decode() == path, f"{match[1]} is written, not {path}")
    seconds = float(match[2])
    check(at_least <= seconds <= at_most, f"{path} has {seconds} s, not {at_least} to {at_most}")
    print(f"{os.path.basename(path)}: {match[0].decode()}", flush=True)
    return seconds


def backwards(tandem, path):
    """In gdb: from the end a step back, and to the beginning."""
    port = free_port()
    with subprocess.Popen([tandem, "replay", path, "--gdb", f"127.0.0.1:{port}", "-S", "--serial", "none"],
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as machine:
        try:
            time.sleep(0.5)
            gdb = subprocess.run(["gdb-multiarch", "-nx", "-batch", "-ex", "set tcp connect-timeout 60",
                                  "-ex", f"target remote 127.0.0.1:{port}", "-ex", "monitor when", "-ex", "continue",
                                  "-ex", "monitor when", "-ex", "reverse-stepi", "-ex", "monitor when",
                                  "-ex", "reverse-continue", "-ex", "monitor when", "-ex", "kill"],
                                 capture_output=True, text=True, timeout=300, check=False)
        finally:
            machine.kill()
    counts = [int(count) for count in re.findall(r"^instruction (\d+),", gdb.stderr, re.M)]
    check(len(counts) == 4, f"four counts: {gdb.stdout}\n{gdb.stderr}")
    check(counts[0] == counts[3] > 0, f"the beginning is no boot, and is come back to: {counts}")
    check(counts[2] == counts[1] - 1, f"a step back is one instruction: {counts}")


def initramfs(tandem, guests, folder):
    def path(name):
        return os.path.join(folder, name)

    append = ("--append", "console=ttyAMA0 quiet")
    # A signal.
    console = fly(tandem, guests, path("signal"), "1s", *append)
    console.expect(rb"# ")
    console.send(b"i=0; while [ $i -lt 40 ]; do echo round $i; i=$((i+1)); sleep 0.1; done; echo don''e\r")
    console.expect(rb"done\r")
    console.expect(rb"# ")
    console.signal(signal.SIGTERM)
    written(console, path("signal"), 1, 1.6)
    status = console.wait()
    check(status == 128 + signal.SIGTERM, f"the status is the signal's, not {status}")
    end = state_of(console.output.decode(errors="replace"))
    for options in ([], ["--tier", "auto"], ["--accel", "interp"]):
        state, output = replay(tandem, path("signal"), *options)
        check(state == end, f"{options}: {state}, not {end}")
        check(b"round 39" in output and b"round 5\r" not in output, f"the last part is there: {output}")
    backwards(tandem, path("signal"))
    live = Console([tandem, "replay", path("signal"), "--go-live"], 200)
    live.expect(rb"live from guest time")
    live.send(b"echo $i; poweroff -f\r")
    live.expect(rb"40\r")
    check(live.wait() == 0, "the machine goes on from the end of its last part")

    # The time limit.
    console = fly(tandem, guests, path("limit"), "64M", "--timeout", "4", *append)
    written(console, path("limit"), 0.5, 60)
    check(console.wait() == TIMEOUT, "the status is the time limit's")
    check(replay(tandem, path("limit"))[0] == state_of(console.output.decode(errors="replace")), "the end is the same")

    # A text, twice; the control socket; the guest's panic.
    control = path("qmp")
    console = fly(tandem, guests, path("texts"), "2s", "--record-when", "went wrong", "--qmp", f"unix:{control}", *append)
    console.expect(rb"# ")
    for number in (1, 2):
        console.send(b"echo this went wro''ng; sleep 2\r")
        written(console, path("texts") + ("" if number == 1 else f".{number}"), 0.9, 3.2)
        console.expect(rb"# ")
    text = Qmp(control).execute("x-record-dump")["text"]
    check(text.startswith(path("texts.3") + " has the last "), text)
    console.send(b"mount -t proc proc /proc 2>/dev/null; sleep 1; echo c >/proc/sysrq-trigger\r")
    written(console, path("texts.4"), 2, 3.2)
    console.send(b"\1x")
    check(console.wait() == 0, "it was ended")
    check(b"the guest panicked: " in console.output, "the panic is why")
    for name in ("texts", "texts.2", "texts.3"):
        replay(tandem, path(name), "--serial", "none")
    output = replay(tandem, path("texts.4"))[1]
    check(b"Kernel panic - not syncing" in output and b"---[ end Kernel panic" in output, f"the panic is there: {output}")

    # A run that ends well leaves nothing.
    console = fly(tandem, guests, path("well"), "1s", *append)
    console.expect(rb"# ")
    console.send(b"poweroff -f\r")
    check(console.wait() == 0 and not os.path.exists(path("well")), "nothing is written")
    print(re.search(r"flight recorder: .*", console.output.decode(errors="replace"))[0], flush=True)

    for options, status, reason in (
            (["--record-ring", "1s"], USAGE, "--record-ring: only a deterministic machine has it"),
            (["--record-ring", "1s", "--deterministic"], USAGE, "--record-ring: there is no file for it"),
            (["--record", path("new"), "--record-when", "x"], USAGE, "--record-when: all of the run is recorded"),
            (["--record", path("new"), "--record-ring", "soon"], USAGE, "--record-ring soon: not a time"),
            (["--record", path("signal"), "--record-ring", "1s"], FAILED, "signal: is there already")):
        done = subprocess.run([tandem, "run", "--kernel", f"{guests}/kernel", *options], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        check(done.returncode == status and reason in done.stderr, f"{options}: {done.returncode}, {done.stderr}")
    with open(path("signal"), "rb") as file:
        content = file.read()
    with open(path("half"), "wb") as file:
        file.write(content[:100_000])
    done = subprocess.run([tandem, "replay", path("half"), "--serial", "none"], capture_output=True, text=True, timeout=60,
                          check=False)
    check(done.returncode == FAILED and "cut off, within its start" in done.stderr, f"{done.returncode}, {done.stderr}")


def disk(tandem, guests, folder):
    path = os.path.join(folder, "disk")
    console = fly(tandem, guests, path, "3s", "--disk", f"{guests}/disk.img,format=raw", "--append",
                  "root=/dev/vda rw console=ttyAMA0 quiet", initrd="initrd")
    console.expect(rb"login:")
    console.send(b"root\r")
    console.expect(rb"# ")
    console.send(b"head -c 20M /dev/urandom >/root/early; sync; sha256sum /root/early; sleep 6; echo on''ward\r")
    digest = console.expect(rb"([0-9a-f]{64})  /root")[1]
    console.expect(rb"onward")
    console.send(b"head -c 5M /dev/urandom >/root/late; sync; cat /root/early /root/late | sha256sum; echo don''e\r")
    both = console.expect(rb"([0-9a-f]{64})  -")[1]
    console.expect(rb"done")
    console.signal(signal.SIGTERM)
    written(console, path, 3, 6)
    status = console.wait()
    check(status == 128 + signal.SIGTERM, f"the status is the signal's, not {status}")
    print(re.search(r"flight recorder: .*", console.output.decode(errors="replace"))[0], flush=True)
    state, output = replay(tandem, path)
    check(state == state_of(console.output.decode(errors="replace")), "the end is the same")
    check(both in output and digest not in output, f"the last part is there: {output}")
    live = Console([tandem, "replay", path, "--go-live"], 300)
    live.expect(rb"live from guest time")
    live.send(b"echo 3 >/proc/sys/vm/drop_caches; sha256sum /root/early; poweroff\r")
    live.expect(digest)
    check(live.wait() == 0, "the machine goes on with the disk that it had")


def main():
    tandem, guests, what = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        {"initramfs": initramfs, "disk": disk}[what](tandem, os.path.abspath(guests), folder)
    print("ok")


main()
