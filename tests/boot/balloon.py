#!/usr/bin/env python3
"""balloon.py TANDEM GUEST linux|replay: memory that Debian does not use goes back to the host. `linux`, over PCI and MMIO: what
it frees is reported and leaves this process, what it is asked for too; nothing that it keeps changes, through a snapshot as
well. `replay`: a recorded machine that reported pages and was asked for some is the same again."""
import os
import subprocess
import sys
import tempfile
import time

from agent import log_in
from boot import check, run_arguments
from console import Console
from qmp import Qmp

MIB = 1 << 20


def resident(pid):
    """Guest memory that the host holds for the process."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssShmem:")) << 10


def await_resident(pid, most, what):
    deadline = time.monotonic() + 120
    while resident(pid) > most:
        check(time.monotonic() < deadline, f"{what}: {resident(pid) // MIB} MiB are held, more than {most // MIB}")
        time.sleep(0.2)
    return resident(pid)


def await_actual(qmp, wanted):
    while abs(qmp.expect("BALLOON_CHANGE")["actual"] - wanted) > 4096:
        pass
    check(abs(qmp.execute("query-balloon")["actual"] - wanted) <= 4096, "query-balloon")


def run(console, command, pattern):
    console.send(command + b"\r")
    return console.expect(pattern)


def linux(tandem, guest, folder):
    for bus in ("pci", "mmio"):
        control = os.path.join(folder, "qmp")
        console = Console(run_arguments(tandem, guest, "initrd", "root=/dev/vda rw console=ttyAMA0 quiet") +
                          ["--disk", os.path.join(guest, "disk.img") + ",format=raw,snapshot", "--memory", "1G",
                           "--bus", bus, "--balloon", "on,stats=1", "--qmp", f"unix:{control}", "--snapshots", folder], 500)
        qmp = Qmp(control, 300)
        log_in(console)
        fill = (b"head -c 40M /dev/urandom >/dev/shm/kept; sha256sum /dev/shm/kept; head -c 400M /dev/zero | tr '\\0' x "
                b">/dev/shm/large; echo fi''lled")
        digest = run(console, fill, rb"([0-9a-f]{64})  /dev/shm/kept")[1]
        console.expect(rb"filled\r")
        full = resident(console.pid)
        check(full > 440 * MIB, f"{full // MIB} MiB are held")
        run(console, b"rm /dev/shm/large; echo fr''eed", rb"freed\r")
        after = await_resident(console.pid, full - 350 * MIB, "what was freed leaves the host")
        print(f"{bus}: {full // MIB} MiB held by a full guest, {after // MIB} MiB after it has freed 400 MiB")

        statistics = qmp.execute("query-balloon")["x-stats"]
        check(900 * MIB < statistics["stat-total-memory"] < 1024 * MIB, f"statistics: {statistics}")
        check(statistics["stat-free-memory"] > 400 * MIB, f"statistics: {statistics}")
        qmp.execute("balloon", value=384 * MIB)
        await_actual(qmp, 384 * MIB)
        total = int(run(console, b"grep MemTotal /proc/meminfo", rb"MemTotal: *(\d+) kB")[1])
        check(total < 384 * 1024, f"the guest has {total} kB")
        qmp.execute("human-monitor-command", command_line="savevm small")
        qmp.execute("human-monitor-command", command_line="balloon 1024")
        await_actual(qmp, 1024 * MIB)
        verify = b"sha256sum /dev/shm/kept"
        check(run(console, verify, rb"([0-9a-f]{64})  /dev/shm/kept")[1] == digest, "what was kept is unchanged")
        run(console, b"head -c 400M /dev/zero | tr '\\0' y >/dev/shm/large; tr -d y </dev/shm/large | wc -c", rb"\n0\r")
        answer = qmp.execute("human-monitor-command", command_line="loadvm small")
        check(answer == "", f"loadvm: {answer}")
        check(abs(qmp.execute("query-balloon")["actual"] - 384 * MIB) <= 4096, "the snapshot's balloon")
        check(run(console, verify, rb"([0-9a-f]{64})  /dev/shm/kept")[1] == digest, "and its memory")
        qmp.execute("balloon", value=1024 * MIB)
        await_actual(qmp, 1024 * MIB)
        run(console, b"head -c 400M /dev/zero | tr '\\0' y >/dev/shm/large; tr -d y </dev/shm/large | wc -c", rb"\n0\r")
        check(run(console, verify, rb"([0-9a-f]{64})  /dev/shm/kept")[1] == digest, "what was kept is unchanged")
        console.send(b"poweroff\r")
        check(console.wait() == 0, "exit status 0 after poweroff")


def replay(tandem, guest, folder):
    recording, control = os.path.join(folder, "recording"), os.path.join(folder, "qmp")
    console = Console(run_arguments(tandem, guest, "initrd", "root=/dev/vda rw console=ttyAMA0 quiet") +
                      ["--disk", os.path.join(guest, "disk.img") + ",format=raw,snapshot", "--balloon", "on,stats=1",
                       "--qmp", f"unix:{control}", "--record", recording, "--net", "user,profile=lossy"], 500)
    qmp = Qmp(control, 300)
    log_in(console)
    run(console, b"head -c 300M /dev/zero | tr '\\0' x >/dev/shm/large; rm /dev/shm/large; sleep 4; echo fr''eed", rb"freed\r")
    qmp.execute("balloon", value=512 * MIB)
    await_actual(qmp, 512 * MIB)
    qmp.execute("x-set-link", settings="profile=none")
    deadline = time.monotonic() + 60
    while qmp.execute("x-query-link") != {"settings": ""}: # once the machine stands between two instructions
        check(time.monotonic() < deadline, "the link changes")
        time.sleep(0.1)
    console.send(b"poweroff\r")
    check(console.wait() == 0, "exit status 0 after poweroff")
    for tier in ("t1", "auto"):
        done = subprocess.run([tandem, "replay", recording, "--serial", "none", "--tier", tier], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL)
        check(done.returncode == 0, f"replay in {tier}: {done.stderr}")


def main():
    tandem, guest, what = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        {"linux": linux, "replay": replay}[what](tandem, guest, folder)


if __name__ == "__main__":
    main()
