#!/usr/bin/env python3
"""snapshot.py TANDEM GUEST [--restores N]: saves Debian under load and goes on from there N times, each in a process of
its own, and N times in one process. The load computes, writes files and reads them back past the page cache, and fetches from the host, and compares
all of it with checksums. Then what must be refused, and a disk whose images keep the snapshot themselves, and
the snapshots of a machine with a name."""
import argparse
import hashlib
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

from boot import check, run_arguments
from console import Console
from named import command
from qmp import Qmp

# Each round of a loop ends with a line in /tmp/rounds; what does not compare leaves one in /tmp/wrong.
# A connection that was open when the machine was saved is lost, and says nothing any more.
LOAD = r"""
compare() { [ "$1" = "$2" ] && echo $3 >>/tmp/rounds || echo "$3: $1 is not $2" >>/tmp/wrong; }
sum() { sha256sum | cut -c1-64; }
want=$(sum </usr/bin/perl)
compute() { while :; do compare $(sum </usr/bin/perl) $want compute; done; }
disk() { while :; do
    head -c 1M /dev/urandom >/root/$1; s=$(sum </root/$1); sync /root/$1; echo 1 >/proc/sys/vm/drop_caches
    compare $(sum </root/$1) $s disk; done; }
fetch() { while :; do
    if { exec 3<>/dev/tcp/10.0.2.2/PORT; } 2>/dev/null; then timeout 5 cat <&3 >/tmp/got; exec 3>&-
        [ $(stat -c %s /tmp/got) = SIZE ] && compare $(sum </tmp/got) HASH fetch; fi; sleep 0.1; done; }
compute & disk a & disk b & fetch &
"""


class Server:
    """Sends the same content to everybody who connects."""

    def __init__(self):
        self.content = random.Random(2).randbytes(300_000)
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection = self.listener.accept()[0]
            threading.Thread(target=self.send, args=(connection,), daemon=True).start()

    def send(self, connection):
        try:
            with connection:
                connection.sendall(self.content)
        except OSError:
            pass  # that guest is gone

    def load(self):
        return (LOAD.replace("PORT", str(self.listener.getsockname()[1])).replace("SIZE", str(len(self.content)))
                .replace("HASH", hashlib.sha256(self.content).hexdigest()))


class Guest(Console):
    """A root shell without echo and prompt."""

    def log_in(self):
        self.expect(rb"login:")
        self.send(b"root\r")
        self.expect(rb"# ")
        self.send(b"PS1='s''h> ' TERM=dumb exec bash --norc\r")
        self.expect(rb"sh> ")
        self.send(b"PS1=; dmesg -n 1; stty -echo -onlcr; echo rea''dy\r")
        self.expect(rb"ready\r*\n")

    def run(self, command):
        self.send(f"{command}; echo stat''us=$?\r".encode())
        match = self.expect(rb"(?s)(.*?)status=(\d+)\r*\n")
        check(match[2] == b"0", f"{command}: status {match[2].decode()}\n{match[1].decode(errors='replace')}")
        return match[1].decode(errors="replace")

    def save(self):
        self.send(b"\x01s")
        saved = self.expect(rb"tandem: (?:saved (\S+) \(([^)]*)\)|([^\r]*))")
        check(saved[1], f"the machine is saved: {saved[3]}")
        self.expect(rb"--restore \S+\r+\n")
        print(f"saved {saved[2].decode()}", flush=True)
        return saved[1].decode()

    def wait_for_rounds(self, names):
        """Until each loop has done another round and a half; nothing may be wrong."""
        self.run("rm -f /tmp/rounds; for n in " + names + "; do until [ $(grep -c $n /tmp/rounds 2>/dev/null || :) -ge 2 "
                 "] 2>/dev/null || [ -e /tmp/wrong ]; do sleep 0.2; done; done; ! cat /tmp/wrong 2>/dev/null")
        self.run("! dmesg --level=err,crit,alert,emerg | grep . ")


def refuse(tandem, arguments, reason):
    done = subprocess.run([tandem, *arguments], capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    check(done.returncode not in (0, 124) and done.stderr.count("\n") == 1 and re.search(reason, done.stderr),
          f"{arguments}: refused in one line because of {reason}: {done.returncode} {done.stderr}")


def busy(tandem, guest, restores):
    server = Server()
    disk = os.path.join(guest, "disk.img")
    console = Guest(run_arguments(tandem, guest, "initrd", "root=/dev/vda rw console=ttyAMA0 quiet") +
                    ["--disk", disk + ",format=raw,snapshot", "--qmp", "unix:qmp.sock"], 600)
    console.log_in()
    console.run("printf '[Match]\\nType=ether\\n[Network]\\nDHCP=yes\\n' >/etc/systemd/network/a.network; systemctl start "
                "systemd-networkd; /lib/systemd/systemd-networkd-wait-online --timeout=60; dmesg -C")
    for line in server.load().strip().splitlines():
        console.send(line.encode() + b"\r")
    console.wait_for_rounds("compute disk fetch")
    saved = console.save()
    console.wait_for_rounds("compute disk fetch")  # the one that was saved goes on as well
    whole, saved = saved, console.save()
    told = subprocess.run([tandem, "snapshot", "info", saved], capture_output=True, text=True).stdout
    check(f"based on: {whole}\n" in told, f"the second has what differs from the first: {told}")
    qmp = Qmp("qmp.sock", 600)
    for number in range(restores):
        start = time.monotonic()
        tag = (whole if number % 2 == 0 else saved).removesuffix(".snapshot")
        said = qmp.execute("human-monitor-command", command_line=f"loadvm {tag}")
        check(said == "", f"loadvm: {said}")
        taken = time.monotonic() - start
        console.send(b"\r")
        console.wait_for_rounds("compute disk fetch")
        print(f"loaded {number + 1} of {restores}: {taken:.2f} s", flush=True)
    console.send(b"\x01x")
    check(console.wait() == 0, "exit status 0 after Ctrl-A x")
    check(subprocess.run([tandem, "snapshot", "verify", saved]).returncode == 0, "the snapshot is sound")

    for number in range(restores):
        start = time.monotonic()
        console = Guest([tandem, "run", "--restore", saved], 600)
        console.send(b"\r")
        console.wait_for_rounds("compute disk fetch")
        # Sometimes all the way down, with the file system in order.
        console.send(b"poweroff\r" if number % 10 == 0 else b"\x01x")
        check(console.wait() == 0, "exit status 0")
        print(f"restored {number + 1} of {restores}: {time.monotonic() - start:.1f} s", flush=True)

    # Saved, restored and saved again before a CPU has moved: see machine/board's test. Here, what is refused.
    refuse(tandem, ["run", "--restore", saved, "--cpus", "4"], "--cpus 4: .* was saved with 2")
    refuse(tandem, ["run", "--restore", saved, "--cpu", "cortex-a72"], "--cpu cortex-a72: .* was saved with max")
    refuse(tandem, ["run", "--restore", saved, "--memory", "2G"], "was saved with 1024 MiB")
    refuse(tandem, ["run", "--restore", saved, "--disk", "/dev/null"], "--disk|/dev/null")
    with open(saved, "rb") as file:
        content = file.read()
    for name, damaged in (("cut", content[:-1000]), ("flipped", content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]),
                          ("empty", b"")):
        with open(name, "wb") as file:
            file.write(damaged)
        refuse(tandem, ["run", "--restore", name], "damaged|is no snapshot")
        refuse(tandem, ["snapshot", "verify", name], "damaged|is no snapshot")


def images(tandem, guest):
    """A qcow2 image that the guest writes to goes back with the machine; a raw one is refused."""
    subprocess.run([tandem, "image", "create", "d.qcow2", "64M"], check=True)
    subprocess.run([tandem, "image", "create", "--format", "raw", "d.raw", "1M"], check=True)
    append = "console=ttyAMA0 quiet"
    for disk in ("d.raw", "d.qcow2"):
        console = Guest(run_arguments(tandem, guest, "shell.cpio.gz", append) + ["--disk", disk], 300)
        console.expect(rb"MARKER init-up")
        console.expect(rb"# ")
        console.send(b"\x01s")
        if disk == "d.raw":
            console.expect(rb"d.raw: is a raw disk, which cannot keep its past")
        else:
            saved = console.expect(rb"tandem: saved (\S+)")[1].decode()
        console.send(b"echo go''es on\r")
        console.expect(rb"goes on")
        console.send(b"\x01x")
        check(console.wait() == 0, "exit status 0")
    listed = subprocess.run([tandem, "image", "snapshot", "list", "d.qcow2"], capture_output=True, text=True, check=True)
    check(listed.stdout.count("tandem-") == 1, f"the image has its part of the snapshot: {listed.stdout}")
    console = Guest([tandem, "run", "--restore", saved], 300)
    console.send(b"\recho go''es on\r")
    console.expect(rb"goes on")
    console.send(b"\x01x")
    check(console.wait() == 0, "exit status 0")
    subprocess.run([tandem, "image", "check", "d.qcow2"], check=True)
    subprocess.run([tandem, "image", "snapshot", "delete", "d.qcow2", re.search(r"tandem-\w+", listed.stdout)[0]], check=True)
    refuse(tandem, ["run", "--restore", saved], "no snapshot 'tandem-")


def named(tandem, guest, folder):
    """Snapshots with tags: incremental, restored in the same process and in a new one, removed in any order."""
    run = command(tandem, folder)

    def attach():
        return Console([tandem, "console", "one"], 100)

    def detach(console):
        console.send(b"\x01x")
        check(console.wait() == 0, "leaving the console")

    def write(console, text):
        console.send(f"echo {text} >/dev/shm/what; echo wri''tten $?\r".encode())
        console.expect(rb"written 0\r")

    def expect(console, text):
        console.send(b"\recho i''s $(cat /dev/shm/what)\r")
        console.expect(b"is " + text + rb"\r")

    run("image", "create", "n.qcow2", "64M")
    run("create", "one", os.path.join(guest, "kernel"), "--", "--initrd", os.path.join(guest, "shell.cpio.gz"), "--append",
        "console=ttyAMA0 quiet", "--disk", "n.qcow2")
    run("start", "one")
    check(run("snapshot", "list", "one") == "", "there is none yet")
    console = attach()
    console.expect(rb"MARKER init-up")
    console.expect(rb"# ")
    console.send(b"mkdir -p /dev/shm\r")
    for tag in ("a", "b", "c"):
        write(console, tag)
        run("snapshot", "save", "one", tag)
    rows = [line.split() for line in run("snapshot", "list", "one").splitlines()[1:]]
    check([(row[0], row[-1]) for row in rows][1:] == [("b", "a"), ("c", "b")], f"each is based on the one before: {rows}")
    for tag in ("a", "c", "b", "a"):
        run("snapshot", "restore", "one", tag)
        expect(console, tag.encode())
    check("there is a snapshot of that tag" in run("snapshot", "save", "one", "b", status=1), "a tag is used once")
    check("no such snapshot" in run("snapshot", "restore", "one", "x", status=1), "another tag")
    check("not a snapshot's tag" in run("snapshot", "save", "one", "x/y", status=1), "no tag")
    # One that is damaged changes nothing.
    files = os.path.join(folder, "state", "tandem", "machines", "one", "snapshots")
    with open(os.path.join(files, "a.snapshot"), "rb") as whole, open(os.path.join(files, "cut.snapshot"), "wb") as cut:
        cut.write(whole.read()[:-100])
    check("damaged" in run("snapshot", "restore", "one", "cut", status=1), "a damaged one is refused")
    check("damaged" in run("snapshot", "list", "one"), "and listed as such")
    expect(console, b"a")
    os.remove(os.path.join(files, "cut.snapshot"))
    # What others need stays.
    qmp = Qmp(os.path.join(folder, "state", "tandem", "machines", "one", "qmp.sock"))
    write(console, "d")
    qmp.execute("human-monitor-command", command_line="savevm b")
    run("snapshot", "rm", "one", "a")
    for tag, text in (("c", b"c"), ("b", b"d")):
        run("snapshot", "restore", "one", tag)
        expect(console, text)
    listed = qmp.execute("human-monitor-command", command_line="info snapshots")
    check(re.search(r"\bb +\S+ \S+ .*\n.*", listed) and " a " not in listed, f"info snapshots: {listed}")
    # A stopped machine stays stopped, and its time with it.
    qmp.execute("stop")
    run("snapshot", "restore", "one", "c")
    check(qmp.execute("query-status")["status"] == "paused", "still paused")
    qmp.execute("cont")
    expect(console, b"c")
    detach(console)
    run("stop", "--force", "one")
    check("does not run" in run("snapshot", "rm", "one", "b", status=1), "its disk is part of it")
    run("snapshot", "restore", "one", "b")
    console = attach()
    expect(console, b"d")
    for tag in ("b", "c"):
        run("snapshot", "rm", "one", tag)
    detach(console)
    check(os.listdir(files) == [], "nothing is left")
    run("stop", "--force", "one")
    check("tandem-" not in run("image", "snapshot", "list", "n.qcow2"), "nor in the image")
    run("image", "check", "n.qcow2")
    run("rm", "one")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tandem")
    parser.add_argument("guest")
    parser.add_argument("--restores", type=int, default=3)
    arguments = parser.parse_args()
    tandem, guest = os.path.abspath(arguments.tandem), os.path.abspath(arguments.guest)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        images(tandem, guest)
        named(tandem, guest, folder)
        busy(tandem, guest, arguments.restores)


if __name__ == "__main__":
    main()
