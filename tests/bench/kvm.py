#!/usr/bin/env python3
"""kvm.py TANDEM ROM start|memory [--runs N]
kvm.py TANDEM ROM linux --guest DIR [--runs N]

What machines under KVM cost: `start`, the time from exec to the first byte of a guest that speaks at once (the
program's own start, the machine's, and the first KVM_RUN), and the CPU time of all of it; `memory`, what a machine has
resident beyond its guest's RAM; `linux`, in the bed (tests/kvm/bed.py), exec to the marker of Debian's cloud kernel in
Tandem and in QEMU's microvm, in turn. ROM is build/release/roms/x86/platform.elf. Nothing here asserts a time."""
import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import time

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path += [os.path.join(TESTS, "kvm"), os.path.join(TESTS, "boot")]
from bed import Bed  # pylint: disable=wrong-import-position
from console import Console  # pylint: disable=wrong-import-position
from host import overhead  # pylint: disable=wrong-import-position

QEMU = "/usr/bin/qemu-system-x86_64"
QEMU_FILES = ("bios-microvm.bin", "kvmvapic.bin", "linuxboot_dma.bin", "pvh.bin")


def started(tandem, rom, append, memory="128M"):
    return subprocess.Popen([tandem, "run", "--kernel", rom, "--append", append, "--cpus", "1", "--memory", memory,
                             "--net", "none"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)


def start(tandem, rom, runs):
    walls, cpus = [], []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        with started(tandem, rom, "wait") as machine:
            machine.stdout.read(1)
            walls.append(time.monotonic() - began)
            machine.kill()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    for name, values in (("exec to the first byte", walls), ("CPU time to there and to its end", cpus)):
        print(f"{name}: median {statistics.median(values) * 1000:.1f} ms, least {min(values) * 1000:.1f} ms "
              f"({runs} runs)")


def memory(tandem, rom, runs):
    values = []
    for _ in range(runs):
        with started(tandem, rom, "wait") as machine:
            machine.stdout.readline()
            values.append(overhead(machine.pid))
            machine.kill()
    print(f"resident beyond the guest's RAM, not shared with others: median {statistics.median(values)} KiB")


SCRIPT = """
cd /files
for run in $(seq %d); do
    for what in tandem qemu; do
        read began rest </proc/uptime
        case $what in
        tandem) tandem run --kernel kernel --initrd busybox.cpio.gz --append quiet --net none --cpus 1 --memory 256M ;;
        qemu) qemu-system-x86_64 -M microvm,rtc=on -accel kvm -cpu host -smp 1 -m 256 -nodefaults -no-user-config \\
            -nographic -serial stdio -kernel kernel -initrd busybox.cpio.gz -append "console=ttyS0 quiet" -no-reboot ;;
        esac </dev/null 2>/dev/null | while read line; do
            case $line in *MARKER*) read now rest </proc/uptime; echo "TIME $what $began $now"; break ;; esac
        done
    done
done
"""


def linux(tandem, guest, runs):
    x86 = os.path.join(guest, "x86")
    files = {f"/files/{name}": os.path.join(x86, name) for name in ("kernel", "busybox.cpio.gz")}
    for name in QEMU_FILES:
        files[f"/usr/share/qemu/{name}"] = os.path.realpath(
            next(p for p in (f"/usr/share/{d}/{name}" for d in ("qemu", "seabios")) if os.path.exists(p)))
    times = {"tandem": [], "qemu": []}
    with Bed(guest, {"/bin/tandem": tandem, "/bin/qemu-system-x86_64": QEMU}, files) as bed:
        console = Console(bed.command(SCRIPT % runs), 120 * runs + 120)
        while console.read():
            pass
        for what, began, now in re.findall(rb"TIME (\w+) ([0-9.]+) ([0-9.]+)", console.output):
            times[what.decode()].append(float(now) - float(began))
        console.wait()
    medians = {}
    for what, values in times.items():
        if not values:
            sys.exit(f"no marker of {what}:\n{console.output.decode(errors='replace')[-2000:]}")
        medians[what] = statistics.median(values)
        print(f"{what}: exec to the marker: median {medians[what]:.2f} s, {min(values):.2f} to {max(values):.2f} s")
    print(f"Tandem takes {medians['tandem'] / medians['qemu']:.2f} x the time of QEMU's microvm")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tandem")
    parser.add_argument("rom")
    parser.add_argument("what", choices=["start", "memory", "linux"])
    parser.add_argument("--guest", default="build/guest")
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    if options.what == "linux":
        linux(options.tandem, options.guest, options.runs)
    else:
        {"start": start, "memory": memory}[options.what](options.tandem, options.rom, options.runs)


if __name__ == "__main__":
    main()
