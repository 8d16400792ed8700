#!/usr/bin/env python3
"""host.py TANDEM ROMS programs|ends|many|errors: machines under this host's KVM. Skips (77) where there is none."""
import os
import re
import resource
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boot"))
from qmp import Qmp  # pylint: disable=wrong-import-position

SKIPPED = 77
LINE = "tandem: KVM runs the guest: it is x86-64 as this host is, and /dev/kvm can be used"


def check(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")


def arguments(tandem, rom, append, *more):
    usual = {"--memory": "16M", "--net": "none", "--timeout": "60"}
    return [tandem, "run", "--kernel", rom, "--append", append, *more,
            *(word for option, value in usual.items() if option not in more for word in (option, value))]


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120, stdin=subprocess.DEVNULL, check=False,
                          **options)


def programs(tandem, rom):
    """What a guest finds, with all numbers of CPUs that matter; one line says what runs it."""
    for cpus, more in ((1, []), (2, ["--memory", "64M"]), (5, ["--net", "user"]), (64, ["--memory", "3328M"])):
        ended = run(arguments(tandem, rom, "", "--cpus", str(cpus), *more))
        check(ended.returncode == 0 and "PASS platform" in ended.stdout, f"{cpus} CPUs: {ended}")
        check(f"processors 0x{cpus:016x}" in ended.stdout, f"all {cpus} CPUs have started: {ended.stdout}")
        check(ended.stderr.splitlines() == [LINE], f"one line: {ended.stderr!r}")
    image = run([tandem, "run", rom, "--append", "marker", "--accel", "kvm", "--stats"])
    check(image.returncode == 0 and "PASS" in image.stdout and "kvm: exits" in image.stderr, f"an IMAGE: {image}")


def ends(tandem, rom):
    """Every way to end: power-off, resets, the time limit, a signal, the control socket."""
    for cause in ("reset", "fault"):
        ended = run(arguments(tandem, rom, cause, "--no-reboot"))
        check(ended.returncode == 0 and ended.stdout == "", f"{cause} with --no-reboot: {ended}")
        again = run(arguments(tandem, rom, cause, "--timeout", "1"))
        check(again.returncode == 124, f"{cause} reboots: {again}")
    stuck = run(arguments(tandem, rom, "wait", "--timeout", "0.5"))
    check(stuck.returncode == 124 and "waits" in stuck.stdout, f"--timeout: {stuck}")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "qmp")
        with subprocess.Popen(arguments(tandem, rom, "wait", "--qmp", f"unix:{path}", "--cpus", "3"),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as machine:
            qmp = Qmp(path)
            qmp.execute("stop")
            check(qmp.execute("query-status")["status"] == "paused", "stop pauses it")
            qmp.execute("cont")
            check(len(qmp.execute("query-cpus-fast")) == 3, "three CPUs")
            refused = qmp.execute("human-monitor-command", command_line="savevm one")
            check("KVM" in refused, f"a snapshot is refused: {refused}")
            qmp.execute("system_reset")
            qmp.execute("quit")
            check(machine.wait(60) == 0, "quit ends it with 0")


def many(tandem, rom, count=64):
    """So many at once: all say that they are there, then all are asked to go."""
    machines = [subprocess.Popen(arguments(tandem, rom, "wait", "--cpus", "1"), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(count)]
    try:
        for machine in machines:
            check(machine.stdout.readline() == b"waits\n", "it is there")
        beyond = sorted(overhead(machine.pid) for machine in machines)
        print(f"{count} machines; resident beyond RAM: {beyond[0]} to {beyond[-1]} KiB")
        check(beyond[-1] <= 8 << 10, "8 MiB at most beyond RAM")
    finally:
        for machine in machines:
            machine.terminate()
        for machine in machines:
            machine.communicate(timeout=60)


def overhead(pid):
    """Resident memory of its own, but for guest RAM and what all share, in KiB."""
    kib = 0
    with open(f"/proc/{pid}/smaps", encoding="ascii") as file:
        is_ram = False
        for line in file:
            if re.match(r"[0-9a-f]+-", line):
                is_ram = "guest-ram" in line
            elif not is_ram and line.startswith("Private_"):
                kib += int(line.split()[1])
    return kib


def refused(command, *words, **options):
    ended = run(command, **options)
    check(ended.returncode != 0, f"{command}: exit status 0")
    check(ended.stderr.count("\n") == 1 and ended.stderr.startswith("tandem: "), f"one line: {ended.stderr!r}")
    for word in words:
        check(word in ended.stderr, f"{word!r} not in {ended.stderr!r}")


def can_read(prefix, path):
    return run(prefix + ["cat", path]).returncode == 0


def errors(tandem, rom):
    """One line for each thing that is wrong."""
    has_kvm = os.access("/dev/kvm", os.R_OK | os.W_OK)
    command = arguments(tandem, rom, "marker")
    if run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).returncode == 0:
        hidden = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs none /dev && exec "$@"', "sh"]
        refused(hidden + command, "/dev/kvm: missing", "modprobe", "arm64")
        refused(hidden + command + ["--accel", "kvm"], "/dev/kvm: missing")
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    closed = os.path.exists("/dev/kvm") and os.stat("/dev/kvm").st_mode & 0o006 == 0
    if closed and all(can_read(nobody, path) for path in (tandem, rom)):
        refused(nobody + command, "/dev/kvm: no permission", "usermod")
    refused(command + ["--accel", "jit"], "x86-64", "--accel kvm")
    refused(command + ["--accel", "interp"], "x86-64", "--accel kvm")
    with tempfile.TemporaryDirectory() as folder:
        arm64 = os.path.join(folder, "Image")
        with open(arm64, "wb") as file:
            file.write(bytes(56) + b"ARM\x64" + bytes(70000))
        refused([tandem, "run", "--kernel", arm64, "--accel", "kvm"], "--accel kvm", "--accel jit")
    if not has_kvm:
        return
    for option in (["--deterministic"], ["--record", "/nowhere/r"], ["--gdb", ":0"], ["--dtb", rom], ["--no-acpi"],
                   ["--cpu", "cortex-a53"], ["--watchdog", "reset"], ["--on-panic", "none"], ["--profile", "p.html"]):
        refused(command + option, "KVM" if option[0] not in ("--dtb", "--no-acpi") else "ACPI")
    refused(command + ["--record", "/nowhere/r"], "JIT")
    refused(command + [word for i in range(17) for word in ("--disk", rom + ",format=raw,readonly")], "16 slots")
    refused(command + ["--cpus", "65"], "--cpus")
    # At its limits, wherever they bite.
    outcomes = set()
    for files in range(5, 60, 3):
        ended = run(command, preexec_fn=lambda n=files: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)))
        outcomes.add(ended.returncode == 0)
        if ended.returncode != 0 and "shared libraries" not in ended.stderr:
            lines = [line for line in ended.stderr.splitlines() if line != LINE]
            check(len(lines) == 1, f"one line with {files} files: {ended.stderr!r}")
    check(outcomes == {True, False}, "some limits are too low, others not")


def main():
    tandem, rom, what = sys.argv[1:4]
    if what != "errors" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
        sys.exit(SKIPPED)
    began = time.monotonic()
    {"programs": programs, "ends": ends, "many": many, "errors": errors}[what](tandem, rom)
    print(f"{what}: fine after {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
