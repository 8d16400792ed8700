#!/usr/bin/env python3
"""control.py TANDEM GUEST: a Debian guest under its control socket: stopped, it does nothing and its clock stands
still; it goes on, resets, and shuts down when the power key is pressed. Then named machines, two at a time."""
import os
import select
import sys
import tempfile
import time

from boot import check, run_arguments
from console import Console
from named import command
from qmp import Qmp


def stop_and_go(tandem, guest, folder):
    path = os.path.join(folder, "qmp.sock")
    console = Console(run_arguments(tandem, guest, "shell.cpio.gz", "console=ttyAMA0 quiet") +
                      ["--qmp", "unix:" + path, "--name", "under-control"], 200)
    qmp = Qmp(path)
    check(isinstance(qmp.greeting["version"]["qemu"]["major"], int), "the greeting has a version")
    console.expect(rb"MARKER init-up")
    console.expect(rb"# ")
    check(qmp.execute("query-status") == {"running": True, "status": "running"}, "it runs")
    check(qmp.execute("query-name") == {"name": "under-control"}, "it has its name")
    threads = [cpu["thread-id"] for cpu in qmp.execute("query-cpus-fast")]
    check(len(set(threads)) == 2 and all(os.path.exists(f"/proc/{console.pid}/task/{t}") for t in threads),
          f"the CPUs' threads {threads} are the process's")

    # Both CPUs busy, one of them with the console; then nothing moves, and time does not either.
    console.send(b"while :; do :; done & for i in $(seq 100000); do echo tick $i; done\r")
    console.expect(rb"tick 50\r")
    for _ in range(5):
        qmp.execute("stop")
        check(qmp.expect("STOP") is None, "STOP has no data")
        time.sleep(0.3)
        while console_has_more(console):
            pass
        used = [cpu_time(console.pid, t) for t in threads]
        seen = len(console.output)
        time.sleep(0.5)
        check(qmp.execute("query-status") == {"running": False, "status": "paused"}, "it is paused")
        check([cpu_time(console.pid, t) for t in threads] == used, "a stopped CPU uses no time")
        check(not console_has_more(console) and len(console.output) == seen, "a stopped guest writes nothing")
        qmp.execute("cont")
        qmp.expect("RESUME")
        console.expect(rb"tick \d+\r")
    console.send(b"\x03")
    console.expect(rb"# ")
    console.send(b"read a b </proc/uptime; echo before $a\r")
    before = float(console.expect(rb"before ([0-9.]+)\r")[1])
    qmp.execute("stop")
    time.sleep(5)
    qmp.execute("cont")
    console.send(b"read a b </proc/uptime; echo after $a\r")
    after = float(console.expect(rb"after ([0-9.]+)\r")[1])
    check(after - before < 4, f"guest time stood still: {before} to {after}")

    # A reset of a stopped machine leaves it stopped.
    qmp.execute("stop")
    qmp.execute("system_reset")
    data = qmp.expect("RESET")
    check(data == {"guest": False, "reason": "host-qmp-system-reset"}, f"RESET says {data}")
    check(qmp.execute("human-monitor-command", command_line="info status") == "VM status: paused\r\n", "still paused")
    qmp.execute("human-monitor-command", command_line="cont")
    console.expect(rb"MARKER init-up")
    console.expect(rb"# ")
    console.send(b"reboot -f\r")
    check(qmp.expect("RESET") == {"guest": True, "reason": "guest-reset"}, "the guest's own reset")
    console.expect(rb"MARKER init-up")
    console.expect(rb"# ")
    console.send(b"poweroff -f\r")
    check(qmp.expect("SHUTDOWN") == {"guest": True, "reason": "guest-shutdown"}, "the guest's power-off")
    check(console.wait() == 0, "exit status 0 after power-off")
    check(not os.path.exists(path), "the socket is gone")

    console = Console(run_arguments(tandem, guest, "shell.cpio.gz", "console=ttyAMA0 quiet") +
                      ["--qmp", "unix:" + path, "--no-reboot"], 100)
    qmp = Qmp(path)
    qmp.execute("stop")
    qmp.execute("quit")
    check(qmp.expect("SHUTDOWN") == {"guest": False, "reason": "host-qmp-quit"}, "the client's quit")
    check(console.wait() == 0, "exit status 0 after quit")


def console_has_more(console):
    return bool(select.select([console.fd], [], [], 0)[0]) and console.read()


def cpu_time(pid, thread):
    with open(f"/proc/{pid}/task/{thread}/stat", encoding="ascii", errors="replace") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def named(tandem, guest, folder):
    run = command(tandem, folder)

    options = ["--", "--initrd", os.path.join(guest, "shell.cpio.gz"), "--append", "console=ttyAMA0 quiet"]
    for name in ("one", "two"):
        run("create", name, os.path.join(guest, "kernel"), *options)
    check("there is a machine" in run("create", "one", os.path.join(guest, "kernel"), status=1), "names are unique")
    check("--serial" in run("create", "three", os.path.join(guest, "kernel"), "--", "--serial", "none", status=1),
          "the serial line is the machine's own")
    check("no such machine" in run("start", "three", status=1), "nothing is left of a refused machine")
    check("--cpus" in run("create", "three", os.path.join(guest, "kernel"), "--", "--cpus", "0", status=1),
          "options are checked")
    check("does not run" in run("stop", "one", status=1), "only a running machine stops")
    for name in ("one", "two"):
        run("start", name)
    check("runs already" in run("start", "one", status=1), "a machine starts once")
    check("tandem stop" in run("rm", "one", status=1), "a running machine is not removed")
    check([line.split()[1] for line in run("list").splitlines()] == ["STATE", "running", "running"], "both run")
    console = Console([tandem, "console", "two"], 200)
    console.expect(rb"MARKER init-up")
    console.expect(rb"# ")
    console.send(b"echo $((6 * 7))\r")
    console.expect(rb"\n42\r")
    console.send(b"\x01x")
    check(console.wait() == 0, "leaving the console")
    deadline = time.monotonic() + 60
    while "MARKER init-up" not in run("logs", "one"):
        check(time.monotonic() < deadline, "the log has the console's output")
        time.sleep(0.2)
    check("--force" in run("stop", "--timeout", "1", "two", status=1), "this guest ignores the power key")
    run("stop", "--force", "two")
    check([line.split()[1] for line in run("list").splitlines()] == ["STATE", "running", "stopped"], "one runs")
    check("MARKER init-up" in run("logs", "two"), "the log stays")
    run("start", "two")
    for name in ("one", "two"):
        run("rm", "--force", name)
    check(run("list") == "" and os.listdir(os.path.join(folder, "state", "tandem", "machines")) == [], "nothing is left")


def main():
    tandem, guest = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        stop_and_go(tandem, guest, folder)
        named(tandem, guest, folder)


if __name__ == "__main__":
    main()
