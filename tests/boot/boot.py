#!/usr/bin/env python3
"""boot.py TANDEM GUEST initramfs|shell|debian: boots a guest of scripts/guest and uses it."""
import os
import signal
import sys

from console import Console


def check(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")


def run_arguments(tandem, guest, initrd, append, cpus=2):
    return [tandem, "run", "--cpus", str(cpus), "--kernel", os.path.join(guest, "kernel"),
            "--initrd", os.path.join(guest, initrd), "--append", append]


def initramfs(tandem, guest):
    """To the marker; the guest's power-off ends the process with 0."""
    for cpus, extra in ((2, []), (2, ["--gic", "2"]), (2, ["--cpu", "cortex-a53"]), (2, ["--cpu", "cortex-a72"]),
                        (2, ["--cpu", "neoverse-n1"]), (1, []), (4, [])):
        console = Console(run_arguments(tandem, guest, "busybox.cpio.gz", "console=ttyAMA0 quiet", cpus) + extra, 120)
        console.expect(rb"MARKER init-up [0-9.]+ \S+ aarch64")
        check(console.wait() == 0, f"exit status 0 after power-off {extra}")


def shell(tandem, guest):
    """An interactive shell; then the escape key, signals and the timeout."""
    command = run_arguments(tandem, guest, "shell.cpio.gz", "console=ttyAMA0 quiet")
    console = Console(command, 120)
    before = console.terminal()
    console.expect(rb"MARKER init-up")
    console.expect(rb"# ")
    console.send(b"echo $((6 * 7)) $(seq 3 | wc -l)\r")
    console.expect(rb"\n42 3\r")
    console.send(b"grep -c processor /proc/cpuinfo\r")
    console.expect(rb"\n2\r")
    console.send(b"\x01h")
    console.expect(rb"Ctrl-A x")
    console.send(b"\x01x")
    check(console.wait() == 0, "Ctrl-A x ends with status 0")

    for number in (signal.SIGINT, signal.SIGTERM):
        console = Console(command, 120)
        console.expect(rb"MARKER init-up")
        check(console.terminal() != before, "the terminal is raw while the guest runs")
        console.signal(number)
        while console.read():
            pass
        check(console.wait() != 0, f"signal {number} ends with a status other than 0")

    console = Console(command + ["--timeout", "1"], 120)
    check(console.wait() == 124, "--timeout ends with status 124")


def debian(tandem, guest):
    """systemd to a login on a virtio disk, over MMIO and PCI (with MSIs through GICv2m and ITS); log in; poweroff
    ends the process with 0."""
    disk = os.path.join(guest, "disk.img")
    for bus, gic, interrupt in (("mmio", "3", rb"GICv3.*Edge .*virtio0"), ("pci", "2", rb"MSI.*virtio0-req.0"),
                                ("pci", "3", rb"ITS-MSI.*virtio0-req.0")):
        console = Console(run_arguments(tandem, guest, "initrd", "root=/dev/vda rw console=ttyAMA0 quiet") +
                          ["--disk", f"{disk},format=raw,snapshot,bus={bus}", "--gic", gic], 200)
        console.expect(rb"login:")
        console.send(b"root\r")
        console.expect(rb"# ")
        console.send(b"cat /proc/interrupts\r")
        console.expect(interrupt)
        console.send(b"systemctl is-system-running; grep -c processor /proc/cpuinfo; sha256sum /usr/bin/* | wc -l\r")
        console.expect(rb"running|degraded|starting")
        console.expect(rb"\n2\r")
        console.send(b"dmesg --level=err,crit,alert,emerg\r")
        console.expect(rb"# ")
        console.send(b"poweroff\r")
        check(console.wait() == 0, "exit status 0 after poweroff")


def main():
    tandem, guest, what = sys.argv[1:]
    {"initramfs": initramfs, "shell": shell, "debian": debian}[what](tandem, guest)


if __name__ == "__main__":
    main()
