#!/usr/bin/env python3
"""soak: works the workbench guest of scripts/guest hard and looks for anything that goes wrong.

  tests/boot/soak.py build/release/tandem GUEST [--minutes 10] [--qemu qemu-system-aarch64]

In one boot of the guest, each of these must succeed, and the kernel must complain of nothing:

  stress   stress-ng --verify over cpu, vm, futex, pthread, fork, signal, mmap and atomic
  project  gcc builds zlib and Lua; zlib's tests and a Lua program run; all objects are hashed
  node     a program for V8 (compilers, collector, worker threads); prints checksums
  java     the same for OpenJDK

With --qemu the deterministic steps (all but stress) also run in QEMU, on the same disk, and must
print the same bytes. The disk is used as a snapshot and stays as it is.
"""
import argparse
import os
import re
import sys
import tarfile
import tempfile
import time

from console import Console

HERE = os.path.dirname(os.path.abspath(__file__))
STRESSORS = ("cpu", "vm", "futex", "pthread", "fork", "signal", "mmap", "atomic")
STEPS = {
    "project": "sh /root/soak/project.sh",
    "node": "node /root/soak/soak.js 8",
    "java": "cd /root/soak && javac Soak.java && java -Xmx400m Soak 30",
}
COMPLAINTS = re.compile(
    r"Oops|BUG:|Internal error|WARNING:|lockup|hung task|blocked for more than|rcu.*stall|Unhandled|unhandled|"
    r"segfault|EXT4-fs error|I/O error|Kernel panic|bad page|undefined instruction", re.IGNORECASE)


def stress(minutes):
    # Sizes that let every stressor finish rounds on a slow machine: mmap's counts none with 256 MB.
    return (f"stress-ng --verify --metrics-brief --timeout {minutes * 60:g}s --vm-bytes 128M --mmap-bytes 16M "
            + " ".join(f"--{name} 1" for name in STRESSORS))


def tools_disk(folder):
    """The programs as a disk whose contents are a tar archive."""
    path = os.path.join(folder, "soak.tar")
    with tarfile.open(path, "w") as archive:
        archive.add(os.path.join(HERE, "soak"), "soak")
    return path


def tandem(arguments, tools):
    return [arguments.tandem, "run", "--cpus", str(arguments.cpus), "--memory", "2G",
            "--kernel", guest(arguments, "kernel"), "--initrd", guest(arguments, "initrd"), "--append", APPEND,
            "--disk", guest(arguments, "img") + ",format=raw,snapshot", "--disk", tools + ",format=raw,readonly"]


def qemu(arguments, tools):
    command = [arguments.qemu, "-M", "virt,gic-version=3", "-cpu", "max", "-accel", "tcg,thread=multi", "-nographic",
               "-nic", "none", "-smp", str(arguments.cpus), "-m", "2G", "-kernel", guest(arguments, "kernel"),
               "-initrd", guest(arguments, "initrd"), "-append", APPEND]
    # QEMU fills its virtio-mmio slots from the last to the first, so the root disk, vda, comes last.
    # Nobody writes to the files, so that a Tandem that reads them at the same time is no conflict.
    for name, file, mode in (("t", tools, "readonly=on"), ("r", guest(arguments, "img"), "snapshot=on")):
        command += ["-drive", f"file={file},format=raw,if=none,id={name},{mode},file.locking=off",
                    "-device", f"virtio-blk-device,drive={name}"]
    return command


APPEND = "root=/dev/vda rw console=ttyAMA0 quiet"


def guest(arguments, kind):
    return os.path.join(arguments.guest, "workbench." + kind)


class Shell:
    """A root shell on a machine's console."""

    def __init__(self, command, timeout, log=None):
        self.console = Console(command, timeout, log)
        self.console.expect(rb"login:")
        self.console.send(b"root\r")
        self.console.expect(rb"# ")
        # Without echo, prompt and line editing, what is read is what commands print.
        self.console.send(b"PS1='s''h> ' TERM=dumb exec sh\r")
        self.console.expect(rb"sh> ")
        self.console.send(b"PS1=; dmesg -n 1; stty -echo; echo rea''dy\r")
        self.console.expect(rb"ready\r*\n")

    def run(self, command):
        """Returns the command's status and output."""
        self.console.send(f"({command}) 2>&1; echo stat''us=$?\r".encode())
        match = self.console.expect(rb"(?s)(.*?)status=(\d+)\r*\n")
        return int(match[2]), match[1].decode(errors="replace").replace("\r", "")

    def power_off(self):
        self.console.send(b"poweroff\r")
        return self.console.wait()


def run_steps(name, shell, steps, failures):
    results = {}
    for step, command in steps.items():
        start = time.monotonic()
        status, output = shell.run(command)
        results[step] = output
        print(f"{name:7} {step:8} status {status} in {time.monotonic() - start:.0f} s", flush=True)
        if status != 0:
            failures.append(f"{name}: {step}: status {status}\n{output}")
        _, log = shell.run("dmesg -c")
        failures += [f"{name}: {step}: kernel: {line}" for line in log.splitlines() if COMPLAINTS.search(line)]
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tandem")
    parser.add_argument("guest", help="folder of `scripts/guest FOLDER workbench`")
    parser.add_argument("--minutes", type=float, default=10, help="of stress-ng")
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--qemu", help="compare with this QEMU")
    parser.add_argument("--log", type=argparse.FileType("wb"), help="gets all that the consoles show")
    parser.add_argument("--only", nargs="*", choices=["stress", *STEPS], default=["stress", *STEPS])
    arguments = parser.parse_args()
    failures = []
    steps = {name: command for name, command in STEPS.items() if name in arguments.only}
    with tempfile.TemporaryDirectory() as folder:
        tools = tools_disk(folder)
        outputs = {}
        for name, command in (("tandem", tandem), ("qemu", qemu)):
            if name == "qemu" and arguments.qemu is None:
                continue
            shell = Shell(command(arguments, tools), 7200 + arguments.minutes * 120, arguments.log)
            shell.run("dmesg -c; tar xf /dev/vdb -C /root")
            outputs[name] = run_steps(name, shell, steps, failures)
            if name == "tandem" and "stress" in arguments.only:
                run_steps(name, shell, {"stress": stress(arguments.minutes)}, failures)
            if shell.power_off() != 0:
                failures.append(f"{name}: power-off: exit status is not 0")
    for step in steps:
        if "qemu" in outputs and outputs["tandem"][step] != outputs["qemu"][step]:
            failures.append(f"{step}: output differs\ntandem:\n{outputs['tandem'][step]}\nqemu:\n{outputs['qemu'][step]}")
    for step, output in outputs["tandem"].items():
        print(f"--- {step}\n{output}", end="")
    sys.exit("\n".join(f"failed: {failure}" for failure in failures) if failures else 0)


if __name__ == "__main__":
    main()
