#!/usr/bin/env python3
"""Replays that leave their recording, and go on with a keyboard, a network and a control socket.

  go_live.py TANDEM GUESTS initramfs|network

`initramfs`: at the end of a recording, of one whose machine was killed, at a count, a time and a text; and what is
refused. `network`: Debian, whose lease is of the recording, fetches a file from the host and serves one to it.
"""
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boot"))
from boot import check  # noqa: E402
from console import Console  # noqa: E402
from network import check_server, free_port  # noqa: E402
from networked import record_online, serve  # noqa: E402
from qmp import Qmp  # noqa: E402

FINISHED, FAILED, USAGE = 0, 1, 2


def record(tandem, guests, recording, *options):
    return Console([tandem, "run", "--record", recording, "--kernel", f"{guests}/kernel", "--initrd",
                    f"{guests}/shell.cpio.gz", "--append", "console=ttyAMA0 quiet", *options], 200)


def go_live(tandem, recording, *options):
    return Console([tandem, "replay", recording, "--go-live", *options], 200)


def answers(console, status=0):
    """The shell does what is typed, and has what was made in its past."""
    console.expect(rb"live from guest time [0-9.]+ s on")
    console.send(b"cat /tmp/made; echo $((6 * 7))''7\r")
    console.expect(rb"in the past\r")
    console.expect(rb"427\r")
    console.send(b"poweroff -f\r")
    check(console.wait() == status, f"the live machine ends with status {status}")


def refuse(tandem, recording, status, reason, *options):
    done = subprocess.run([tandem, "replay", recording, *options], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=200, check=False)
    check(done.returncode == status and re.search(reason, done.stderr), f"{options}: {done.returncode}, {done.stderr}")


def initramfs(tandem, guests, folder):
    recording, killed = os.path.join(folder, "run.tdr"), os.path.join(folder, "killed.tdr")
    for path, end in ((recording, lambda console: console.send(b"\1x")),
                      (killed, lambda console: console.signal(signal.SIGKILL))):
        console = record(tandem, guests, path)
        console.expect(rb"# ")
        console.send(b"echo in the past >/tmp/made; echo don''e\r")
        console.expect(rb"done\r")
        console.expect(rb"# ")
        # What is written lately may be lost with the process.
        console.send(b"sleep 1; echo la''ter\r")
        console.expect(rb"later")
        end(console)
        console.wait()

    answers(go_live(tandem, recording))
    cut = go_live(tandem, killed)
    cut.expect(rb"the recording is cut off; live from")
    cut.seen = 0
    answers(cut)
    answers(go_live(tandem, recording, "--until", "text:done"))

    # At a count and at a time: before the machine gets to its shell.
    for where in ("count:200000000", "0.2s"):
        early = go_live(tandem, recording, "--until", where)
        moment = early.expect(rb"live from guest time ([0-9.]+) s on")[1].decode()
        check(where[:-1] in moment if where.endswith("s") else 0.19 < float(moment) < 2, f"{where}: {moment}")
        early.expect(rb"# ")
        early.send(b"ls /tmp/made; poweroff -f\r")
        early.expect(rb"No such file")
        check(early.wait() == 0, "the live machine ends")

    # A control socket asks for things only once the machine is live.
    control = os.path.join(folder, "qmp")
    console = go_live(tandem, recording, "--qmp", f"unix:{control}")
    console.expect(rb"live from")
    qmp = Qmp(control)
    check(qmp.execute("query-status")["status"] == "running", "the machine runs")
    qmp.execute("x-set-link", settings="latency=5")
    qmp.execute("system_reset")
    console.expect(rb"MARKER init-up")
    qmp.execute("quit")
    check(console.wait() == 0, "quit ends the machine")

    ended = os.path.join(folder, "ended.tdr")
    console = record(tandem, guests, ended)
    console.expect(rb"# ")
    console.send(b"poweroff -f\r")
    check(console.wait() == 0, "the recorded machine ends")
    refuse(tandem, ended, FAILED, "the guest ends with .*ended.tdr; name an earlier moment", "--go-live", "--serial", "none")
    refuse(tandem, ended, USAGE, "--until yesterday: nowhere to stop", "--until", "yesterday")
    refuse(tandem, ended, USAGE, "--net: a replay is alone", "--net", "user")
    refuse(tandem, ended, USAGE, "--net none: the machine of .* has --net user", "--go-live", "--net", "none")
    refuse(tandem, ended, USAGE, "--vsock: the machine of .* has no virtio sockets", "--go-live", "--vsock", "path=/x")
    refuse(tandem, ended, USAGE, "--port new: the machine of .* has no such port", "--go-live", "--port", "new=pty")


def network(tandem, guests, folder):
    recording = os.path.join(folder, "net.tdr")
    content, forwarded = random.Random(3).randbytes(200_000), free_port()
    port, calls = serve(content)
    fetch = f"cat </dev/tcp/10.0.2.2/{port} | sha256sum\r".encode()
    digest = hashlib.sha256(content).hexdigest().encode()
    console = record_online(tandem, guests, recording)
    console.send(fetch)
    console.expect(digest)
    console.send(b"echo en''d\r")
    console.expect(rb"end\r")
    console.send(b"\1x")
    console.wait()
    check(len(calls) == 1, "the recorded machine called")

    console = Console([tandem, "replay", recording, "--go-live", "--net",
                       f"user,hostfwd=tcp:127.0.0.1:{forwarded}-:7777"], 400)
    console.expect(rb"live from")
    check(len(calls) == 1, "the replayed one did not")
    console.send(fetch)
    console.expect(digest)
    check(len(calls) == 2, "the live one did")
    check_server(console, forwarded)
    console.send(b"poweroff\r")
    check(console.wait() == 0, "exit status 0 after poweroff")


def main():
    tandem, guests, what = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        {"initramfs": initramfs, "network": network}[what](tandem, os.path.abspath(guests), folder)
    print("ok")


main()
