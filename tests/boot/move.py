#!/usr/bin/env python3
"""move.py TANDEM GUEST [--moves N]: moves Debian under load N times from process to process. The load computes,
writes files and reads them back past the page cache, and fetches from the host, and compares all of it with
checksums. Then an idle guest of 1 GiB, whose pause is printed, and what must fail: moves that are cancelled, a target
or a source that is killed, another machine, another disk, strangers. Whatever fails, the guest goes on where it was."""
import argparse
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

from boot import check, run_arguments
from console import Console
from qmp import Qmp
from snapshot import Guest, Server, refuse


class Machine:
    """A process with a control socket; its console is its own."""

    def __init__(self, number, arguments, timeout=600, kind=Console):
        self.number = number
        self.socket = f"qmp{number}.sock"
        self.console = kind([*arguments, "--qmp", f"unix:{self.socket}"], timeout)
        self.qmp = Qmp(self.socket, timeout)

    def status(self):
        return self.qmp.execute("query-status")["status"]

    def start_move(self, where):
        self.qmp.execute("migrate", uri=where)

    def start_slow_move(self, where):
        """Returns while it is under way."""
        self.start_move(where)
        while (report := self.qmp.execute("query-migrate"))["status"] != "active":
            check(report["status"] == "setup", f"the move is under way: {report}")
            time.sleep(0.01)

    def await_move(self, *states):
        """The report of a move that has ended in one of these states."""
        while True:
            report = self.qmp.execute("query-migrate")
            if report["status"] in ("completed", "failed", "cancelled"):
                check(report["status"] in states, f"the move is {states}: {report}")
                return report
            time.sleep(0.01)

    def end(self):
        self.qmp.execute("quit")
        check(self.console.wait() == 0, "exit status 0 after quit")


def target(tandem, number, options=(), timeout=600, kind=Console):
    """Waits for a machine that says itself what it is, or, with options, for that one."""
    where = f"unix:move{number}.sock"
    if options:
        return Machine(number, [tandem, "run", "--incoming", where, *options], timeout, kind), where
    console = kind([tandem, "run", "--incoming", where, "--qmp", f"unix:qmp{number}.sock"], timeout)
    while not os.path.exists(f"move{number}.sock"):
        time.sleep(0.01)
    return console, where


def busy(tandem, guest, moves):
    server = Server()
    subprocess.run([tandem, "image", "create", "busy.qcow2", "--backing", os.path.join(guest, "disk.img"),
                    "--backing-format", "raw"], check=True)
    options = run_arguments(tandem, guest, "initrd", "root=/dev/vda rw console=ttyAMA0 quiet")[2:]
    options += ["--disk", "busy.qcow2", "--nvram", "busy.vars"]
    machine = Machine(0, [tandem, "run", *options], 3600, Guest)
    guest_console = machine.console
    guest_console.log_in()
    guest_console.run("printf '[Match]\\nType=ether\\n[Network]\\nDHCP=yes\\n' >/etc/systemd/network/a.network; systemctl "
                      "start systemd-networkd; /lib/systemd/systemd-networkd-wait-online --timeout=60; dmesg -C")
    for line in server.load().strip().splitlines():
        guest_console.send(line.encode() + b"\r")
    guest_console.wait_for_rounds("compute disk fetch")
    pauses, slowed = [], 0
    for number in range(1, moves + 1):
        other, where = target(tandem, number, options, 3600, Guest)
        check(other.status() == "inmigrate", "it waits")
        machine.start_move(where)
        report = machine.await_move("completed")
        check(machine.status() == "postmigrate", "it has gone")
        machine.qmp.expect("STOP")
        while machine.qmp.expect("MIGRATION")["status"] != "completed":
            pass
        machine.end()
        machine = other
        machine.qmp.expect("RESUME")
        check(machine.status() == "running", "it runs where it has come")
        machine.console.send(b"\r")
        machine.console.wait_for_rounds("compute disk fetch")
        pauses.append(report["downtime"])
        slowed += "cpu-throttle-percentage" in report
        print(f"moved {number} of {moves}: {report['total-time']} ms, {report['ram']['dirty-sync-count']} rounds, "
              f"{report['ram']['transferred'] >> 20} MiB, paused for {report['downtime']} ms", flush=True)
    print(f"busy: paused for {statistics.median(pauses)} ms (median), {max(pauses)} ms at most; slowed down in {slowed} "
          "moves", flush=True)
    machine.console.send(b"poweroff\r")
    check(machine.console.wait() == 0, "the guest shuts down, with its file system in order")
    subprocess.run([tandem, "image", "check", "busy.qcow2"], check=True)


def shell_options(tandem, guest):
    return run_arguments(tandem, guest, "shell.cpio.gz", "console=ttyAMA0 quiet")[2:]


def start_shell(tandem, number, options):
    machine = Machine(number, [tandem, "run", *options])
    machine.console.expect(rb"MARKER init-up")
    machine.console.expect(rb"# ")
    machine.console.send(b"stty -echo; mkdir -p /dev/shm; echo before >/dev/shm/what\r")
    return machine


def expect_alive(console, text=b"before"):
    console.send(b"echo i''s $(cat /dev/shm/what)\r")
    console.expect(b"is " + text + rb"\r")


def idle(tandem, guest):
    """A guest of 1 GiB that has used all of its memory once and idles; moved by name, over TCP too."""
    options = shell_options(tandem, guest)
    machine = start_shell(tandem, 100, options)
    machine.console.send(b"mount -t tmpfs t /dev/shm; echo before >/dev/shm/what; dd if=/dev/urandom of=/dev/shm/fill bs=1M "
                         b"count=400 2>/dev/null; sum=$(md5sum </dev/shm/fill); echo fil''led\r")
    machine.console.expect(rb"filled")
    pauses = []
    for number in range(101, 106):
        console, where = target(tandem, number)
        machine.start_move(where)
        report = machine.await_move("completed")
        pauses.append(report["x-downtime-ns"] / 1e6)
        print(f"idle: moved in {report['total-time']} ms, {report['ram']['transferred'] >> 20} MiB, paused for "
              f"{pauses[-1]:.1f} ms", flush=True)
        machine.end()
        machine = Machine.__new__(Machine)
        machine.console, machine.qmp = console, Qmp(f"qmp{number}.sock", 600)
        expect_alive(console)
    machine.console.send(b'[ "$(md5sum </dev/shm/fill)" = "$sum" ] && echo sa""me\r')
    machine.console.expect(rb"same")
    print(f"idle: paused for {statistics.median(pauses):.1f} ms (median), {max(pauses):.1f} ms at most", flush=True)
    machine.end()


def moved_by_name(tandem, guest, folder):
    """tandem move, over a socket, TCP and what stands for ssh; a machine that stands still stays so."""
    os.environ.update(XDG_STATE_HOME=os.path.join(folder, "here"))
    os.environ.pop("XDG_RUNTIME_DIR", None)
    subprocess.run([tandem, "image", "create", "n.qcow2", "64M"], check=True)
    create = [tandem, "create", "one", os.path.join(guest, "kernel"), "--", "--initrd",
              os.path.join(guest, "shell.cpio.gz"), "--append", "console=ttyAMA0 quiet", "--disk",
              os.path.abspath("n.qcow2"), "--net", f"user,hostfwd=tcp:127.0.0.1:{free_port()}-:22"]
    subprocess.run(create, check=True)
    there = {**os.environ, "XDG_STATE_HOME": os.path.join(folder, "there")}
    subprocess.run(create, check=True, env=there)
    # What ssh does, on this host and with that other folder.
    with open("ssh", "w", encoding="utf-8") as script:
        script.write('#!/bin/sh\nwhile [ "$1" != tandem ]; do shift; done; shift\n'
                     f'XDG_STATE_HOME={there["XDG_STATE_HOME"]} exec {tandem} "$@"\n')
    os.chmod("ssh", 0o755)
    path = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    subprocess.run([tandem, "start", "one"], check=True, env=path)
    console = Console([tandem, "console", "one"], 300)
    console.expect(rb"MARKER init-up")
    console.expect(rb"# ")
    console.send(b"stty -echo; mkdir -p /dev/shm; echo before >/dev/shm/what; echo do''ne\r")
    console.expect(rb"done")
    done = subprocess.run([tandem, "move", "one", "ssh://there"], capture_output=True, text=True, timeout=300)
    check(done.returncode == 0 and "one runs at ssh://there now" in done.stdout, f"tandem move: {done}")
    check(console.wait() == 0, "the console's machine has gone")
    console = Console(["env", f"XDG_STATE_HOME={there['XDG_STATE_HOME']}", tandem, "console", "one"], 300)
    console.send(b"\r")
    expect_alive(console)
    # Back, to a process that is told what it gets; stopped, it stays so.
    socket_path = os.path.join(folder, "there", "tandem", "machines", "one", "qmp.sock")
    qmp = Qmp(socket_path)
    qmp.execute("stop")
    port = free_port()
    other = Machine(200, [tandem, "run", *create[5:], "--kernel", create[3], "--guest-agent", "none",
                          "--incoming", f"tcp:127.0.0.1:{port}"])
    done = subprocess.run([tandem, "move", f"unix:{socket_path}", f"tcp:127.0.0.1:{port}"], capture_output=True, text=True,
                          timeout=300)
    check(done.returncode == 0, f"tandem move: {done}")
    check(other.status() == "paused", "still paused")
    other.qmp.execute("cont")
    other.console.send(b"\r")
    expect_alive(other.console)
    console.wait()
    other.end()
    subprocess.run([tandem, "image", "check", "n.qcow2"], check=True)
    for environment in (os.environ, there):
        subprocess.run([tandem, "rm", "one"], check=True, env=environment)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def failures(tandem, guest):
    """The guest goes on, its disk is its own, and each reason is one line."""
    subprocess.run([tandem, "image", "create", "f.qcow2", "64M"], check=True)
    options = shell_options(tandem, guest) + ["--disk", "f.qcow2"]
    machine = start_shell(tandem, 300, options)

    def still_there(report, reason):
        check(reason in report.get("error-desc", "cancelled"), f"because of {reason}: {report}")
        check(machine.status() == "running", "it runs")
        machine.console.send(b"dd if=/dev/zero of=/dev/vda bs=4k count=1 conv=fsync 2>/dev/null && echo wri''tten\r")
        machine.console.expect(rb"written")
        expect_alive(machine.console)

    def await_exit(console, *words):
        status = console.wait()
        said = console.output.decode(errors="replace")
        check(status == 1 and said.count("tandem: ") == 1 and all(word in said for word in words),
              f"one line with {words}, status 1: {status} {said}")

    machine.start_move("unix:nobody.sock")
    still_there(machine.await_move("failed"), "nobody listens")
    try:
        machine.start_move("nowhere")
        check(False, "nowhere is no address")
    except RuntimeError as error:
        check("no place to move to" in str(error), f"{error}")
    # A slow move that is cancelled, and that it is under way has others wait.
    machine.qmp.execute("migrate-set-parameters", max_bandwidth=1 << 20)
    number = 300
    for way in ("cancel", "kill", "cancel"):
        number += 1
        console, where = target(tandem, number)
        machine.start_slow_move(where)
        said = machine.qmp.execute("human-monitor-command", command_line="savevm x")
        check("is being moved" in said, f"savevm: {said}")
        if way == "kill":
            console.signal(signal.SIGKILL)
            still_there(machine.await_move("failed"), where)
            console.wait()
        else:
            machine.qmp.execute("migrate_cancel")
            still_there(machine.await_move("cancelled"), "cancelled")
            await_exit(console, "cancelled")
    # Killed in the moment in which it gets the disk, or soon before or after: exactly one has it.
    machine.qmp.execute("migrate-set-parameters", max_bandwidth=0)
    for delay in (0.05, 0.1, 0.15):
        number += 1
        console, where = target(tandem, number)
        machine.start_move(where)
        time.sleep(delay)
        console.signal(signal.SIGKILL)
        console.wait()
        report = machine.await_move("failed", "completed")
        if report["status"] == "completed":
            # It had gone, and is lost with its process as any machine is; here it still can go on.
            machine.qmp.execute("cont")
        still_there({}, "cancelled")
    # Other machines.
    for extra, reason in ((["--cpus", "1"], "--cpus 1: the machine that comes has 2"),
                          (["--memory", "512M"], "the machine that comes has 1024 MiB"),
                          (["--cpu", "cortex-a72"], "--cpu cortex-a72: the machine that comes has max"),
                          (["--net", "none"], "--net: the machine that comes has user"),
                          (["--disk", "f.qcow2"], "--disk: the machine that comes has 1 disks")):
        number += 1
        others = list(options)
        if extra[0] in others and extra[0] != "--disk":
            at = others.index(extra[0])
            del others[at:at + 2]
        other, where = target(tandem, number, others + extra)
        machine.start_move(where)
        still_there(machine.await_move("failed"), reason)
        await_exit(other.console, reason)
    subprocess.run(["cp", "f.qcow2", "g.qcow2"], check=True)
    number += 1
    other, where = target(tandem, number, shell_options(tandem, guest) + ["--disk", "g.qcow2"])
    machine.start_move(where)
    still_there(machine.await_move("failed"), "g.qcow2: has not what the machine has written")
    await_exit(other.console, "g.qcow2")
    # Strangers are sent away; another version is told apart; the machine comes after them all the same.
    number += 1
    other, where = target(tandem, number, options)
    for words in (b"GET / HTTP/1.1\r\n\r\n", b"", bytes(range(256)) * 100):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(where.removeprefix("unix:"))
            try:
                stranger.sendall(words)
            except OSError:
                pass  # it is not wanted
    machine.start_move(where)
    machine.await_move("completed")
    machine.end()
    machine = other
    still_there({}, "cancelled")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("old.sock")
        listener.listen()

        def answer():
            with listener.accept()[0] as connection:
                connection.recv(16)
                connection.sendall(b"TANDEM\x1aM" + struct.pack("<II", 999, 0))

        thread = threading.Thread(target=answer)
        thread.start()
        machine.start_move("unix:old.sock")
        still_there(machine.await_move("failed"), "version 1")
        thread.join()
    # A reset ends a move: it is another board. A source that is killed takes its machine with it; the target says so.
    machine.qmp.execute("migrate-set-parameters", max_bandwidth=1 << 20)

    number += 1
    console, where = target(tandem, number)
    machine.start_slow_move(where)
    machine.qmp.execute("system_reset")
    check("the guest was reset" in machine.await_move("failed")["error-desc"], "a reset ends it")
    await_exit(console, "the guest was reset")
    machine.console.expect(rb"MARKER init-up")
    machine.console.expect(rb"# ")
    number += 1
    console, where = target(tandem, number)
    machine.start_slow_move(where)
    machine.console.signal(signal.SIGKILL)
    await_exit(console, "has hung up")
    machine.console.wait()
    # What cannot come.
    where = ["--incoming", "unix:x.sock"]
    refuse(tandem, ["run", "--incoming", "nowhere", "--kernel", "/dev/null"], "--incoming nowhere: nowhere a machine can")
    refuse(tandem, ["run", "--incoming", "tcp:127.0.0.1:0"], "could choose files of this host")
    refuse(tandem, ["run", *where, "--kernel", "/dev/null", "--deterministic"], "a deterministic machine")
    refuse(tandem, ["run", *where, "--kernel", "/dev/null", "--share", "/tmp"], "leave --share out")
    refuse(tandem, ["run", "--incoming", "fd:77"], "fd:77")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refuse(tandem, ["run", "--incoming", f"tcp:127.0.0.1:{taken.getsockname()[1]}", "--kernel", "/dev/null"],
               "Address already in use")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tandem")
    parser.add_argument("guest")
    parser.add_argument("--moves", type=int, default=3)
    parser.add_argument("--only", choices=["busy", "idle", "failures", "named"])
    arguments = parser.parse_args()
    tandem, guest = os.path.abspath(arguments.tandem), os.path.abspath(arguments.guest)
    parts = {"failures": lambda folder: failures(tandem, guest), "idle": lambda folder: idle(tandem, guest),
             "named": lambda folder: moved_by_name(tandem, guest, folder),
             "busy": lambda folder: busy(tandem, guest, arguments.moves)}
    for name, part in parts.items():
        if arguments.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                part(folder)
                os.chdir("/")


if __name__ == "__main__":
    main()
