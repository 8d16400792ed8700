#!/usr/bin/env python3
"""boot.py TANDEM GUEST initramfs|wrapped|shell|debian|consoles|only_virtio_console|watchdog|uefi: boots a guest
of scripts/guest and uses it.
boot.py TANDEM IMAGE firmware: the same with firmware."""
import gzip
import hashlib
import os
import signal
import struct
import subprocess
import sys
import tempfile

from console import Console, Line
from qmp import Qmp


def check(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")


def run_arguments(tandem, guest, initrd, append, cpus=2, kernel="kernel"):
    return [tandem, "run", "--cpus", str(cpus), "--kernel", os.path.join(guest, kernel),
            "--initrd", os.path.join(guest, initrd), "--append", append]


def check_replays(tandem, recording, folder):
    """In each tier, with the serial line's output in the folder."""
    for tier in ("t1", "auto"):
        done = subprocess.run([tandem, "replay", recording, "--serial", f"file:{folder}/{tier}", "--tier", tier],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        check(done.returncode == 0, f"replay in {tier}: {done.stderr}")


def initramfs(tandem, guest):
    """To the marker; the guest's power-off ends the process with 0."""
    for cpus, extra in ((2, []), (2, ["--gic", "2"]), (2, ["--cpu", "cortex-a53"]), (2, ["--cpu", "cortex-a72"]),
                        (2, ["--cpu", "neoverse-n1"]), (1, []), (4, [])):
        console = Console(run_arguments(tandem, guest, "busybox.cpio.gz", "console=ttyAMA0 quiet", cpus) + extra, 120)
        console.expect(rb"MARKER init-up [0-9.]+ \S+ aarch64")
        check(console.wait() == 0, f"exit status 0 after power-off {extra}")


def zboot(compression, payload):
    """An EFI zboot kernel, as drivers/firmware/efi/libstub/zboot-header.S of Linux lays it out: an EFI application
    whose DOS header tells where the compressed kernel is."""
    pe_header = b"PE\0\0" + struct.pack("<HHIIIHH", 0xaa64, 0, 0, 0, 0, 0, 0x206)  # arm64, no sections
    offset = 64 + len(pe_header)
    return struct.pack("<2sxx4sIIxxxxxxxx32sII", b"MZ", b"zimg", offset, len(payload), compression, 0x818223cd,
                       64) + pe_header + payload


def wrapped(tandem, guest):
    """The kernel compressed, and wrapped as distributions' zboot kernels are."""
    with open(os.path.join(guest, "kernel"), "rb") as file:
        image = file.read()
    gzipped = gzip.compress(image, 1)
    zstandard = subprocess.run(["zstd", "-q", "-1", "-c"], input=image, stdout=subprocess.PIPE, check=True).stdout
    # What is not gzip has the size of the kernel behind it.
    kernels = {"Image.gz": gzipped, "Image.zst": zstandard, "zboot, gzip": zboot(b"gzip", gzipped),
               "zboot, zstd": zboot(b"zstd", zstandard + struct.pack("<I", len(image)))}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kernel")
        for name, kernel in kernels.items():
            with open(path, "wb") as file:
                file.write(kernel)
            console = Console([tandem, "run", "--kernel", path, "--initrd", os.path.join(guest, "busybox.cpio.gz"),
                               "--append", "console=ttyAMA0 quiet"], 120)
            console.expect(rb"MARKER init-up [0-9.]+ \S+ aarch64")
            check(console.wait() == 0, f"exit status 0 after power-off of {name}")
        with open(path, "wb") as file:
            file.write(kernels["zboot, zstd"][:len(zstandard) // 2])
        refused = subprocess.run([tandem, "run", "--kernel", path], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                 timeout=120, check=False)
        check(refused.returncode != 0 and b"truncated" in refused.stderr and refused.stderr.count(b"\n") == 1,
              "one line says that half a kernel is truncated")


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
    # udev loads the two transports' drivers side by side, so that the kernel's number of the disk varies.
    for bus, gic, interrupt in (("mmio", "3", rb"GICv3.*Edge .*virtio\d"), ("pci", "2", rb"MSI.*virtio\d-req.0"),
                                ("pci", "3", rb"ITS-MSI.*virtio\d-req.0")):
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


def consoles(tandem, guest):
    """Debian's serial line on a pseudo-terminal and hvc0 on stdio, both used by a client at once."""
    disk = os.path.join(guest, "disk.img")
    console = Console(run_arguments(tandem, guest, "initrd", "root=/dev/vda rw console=ttyAMA0 quiet") +
                      ["--disk", disk + ",format=raw,snapshot", "--serial", "pty", "--console", "stdio"], 300)
    path = console.expect(rb"serial line at (\S+)\r\n")[1].decode()

    def client():
        return Line(os.open(path, os.O_RDWR | os.O_NOCTTY), 300)

    def log_in(line):
        line.send(b"\r")
        line.expect(rb"login: ?$")
        line.send(b"root\r")
        line.expect(rb"# ")
        line.send(b"TERM=dumb PS1='s''h> ' exec sh\r")
        line.expect(rb"sh> ")
        line.send(b"stty -echo -onlcr; PS1=; tty\r")
        return line.expect(rb"/dev/(\w+)\r?\n")[1]

    def exchange(line, lines):
        """Many lines out and in again; nothing is lost or changed."""
        expected = "".join(f"{i:059}\n" for i in range(lines)).encode()
        line.send(f"for i in $(seq 0 {lines - 1}); do printf '%059d\\n' $i; done; echo e''nd\r".encode())
        check(line.expect(rb"(?s)(.*)end\r?\n")[1].replace(b"\r", b"") == expected, "output arrives as it was sent")
        line.send(b"sha256sum\r" + expected + b"\x04")
        check(line.expect(rb"([0-9a-f]{64})  -\r?\n")[1].decode() == hashlib.sha256(expected).hexdigest(),
              "input arrives as it was typed")

    serial = client()
    check(log_in(serial) == b"ttyAMA0", "the serial line is ttyAMA0")
    # Debian's kernel has this driver as a module, which its initramfs does not load.
    serial.send(b"modprobe virtio_console; systemctl start serial-getty@hvc0; echo start''ed\r")
    serial.expect(rb"started\r?\n")
    check(log_in(console) == b"hvc0", "the virtio console is hvc0")
    exchange(serial, 300)
    exchange(console, 300)

    # The client leaves; the guest goes on, even with more output than anything between can hold.
    serial.send(b"sleep 1; seq 100000; echo 1 >/tmp/written; echo do''ne\r")
    os.close(serial.fd)
    console.send(b"while [ ! -e /tmp/written ]; do sleep 0.1; done; echo writ''ten\r")
    console.expect(rb"written\r?\n")
    serial = client()
    serial.send(b"\r")
    serial.expect(rb"\n99999\n100000\n(done)?")
    console.send(b"poweroff\r")
    check(console.wait() == 0, "exit status 0 after poweroff")


def only_virtio_console(tandem, guest):
    """A machine whose only console is hvc0, which comes up when the initramfs loads the driver."""
    console = Console(run_arguments(tandem, guest, "drivers.cpio.gz", "console=hvc0 quiet", kernel="drivers.kernel") +
                      ["--serial", "none", "--console", "stdio"], 120)
    console.expect(rb"/ # ")
    console.send(b"cat /sys/class/tty/console/active; poweroff -f\r")
    console.expect(rb"\nhvc0[\r\n]")
    check(console.wait() == 0, "exit status 0 after poweroff")


def watchdog(tandem, guest):
    """Linux feeds the watchdog, which the device tree or ACPI tells of; when it stops, what was chosen happens."""
    for action, extra in (("reset", []), ("poweroff", ["--bios", "/usr/share/AAVMF/AAVMF_CODE.fd"]),
                          ("none", ["--deterministic"])):
        with tempfile.TemporaryDirectory() as folder:
            control = os.path.join(folder, "qmp.sock")
            console = Console(run_arguments(tandem, guest, "drivers.cpio.gz", "console=ttyAMA0 quiet",
                                            kernel="drivers.kernel") +
                              ["--net", "none", "--watchdog", action, "--qmp", f"unix:{control}", *extra], 200)
            qmp = Qmp(control, 200)
            console.expect(rb"/ # ")
            console.send(b"cat /sys/class/watchdog/watchdog0/identity; busybox watchdog -F -t 1 -T 2 /dev/watchdog & "
                         b"sleep 5; echo f''ed\r")
            console.expect(rb"\nSBSA Generic Watchdog\r")
            console.expect(rb"\nfed\r")
            console.send(b"kill -9 $!\r")
            check(qmp.expect("WATCHDOG")["action"] == action, "the event names the action")
            console.expect(b"the guest's watchdog has expired: " + action.encode())
            if action == "reset":
                console.expect(rb"MARKER init-up")
                console.expect(rb"/ # ")
            if action != "poweroff":
                console.send(b"\rpoweroff -f\r")
            check(console.wait() == 0, f"exit status 0 after {action}")


def firmware(tandem, image):
    """EDK2 to its shell; a variable set there outlives the machine in the --nvram file."""
    with tempfile.TemporaryDirectory() as folder:
        # Without a network card, from which the firmware would try to boot first.
        command = [tandem, "run", "--net", "none", "--bios", image, "--nvram", os.path.join(folder, "vars.fd")]
        for typed, shown in ((b"set tandem kept-4711", b""), (b"set tandem", rb"kept-4711")):
            console = Console(command, 120)
            console.expect(rb"Press .*ESC.* in \d seconds")
            console.send(b"\x1b")
            console.expect(rb"Shell> ")
            console.send(typed + b"\r")
            console.expect(shown)
            console.expect(rb"Shell> ")
            console.send(b"reset -s\r")
            check(console.wait() == 0, "exit status 0 after the firmware's shutdown")


def uefi(tandem, guest):
    """Debian through firmware and GRUB from its own disk: with ACPI (where the power key shuts it down) and with the
    device tree, over PCI and MMIO."""
    disk = os.path.join(guest, "uefi-disk.img")
    edk2, u_boot = "/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
    acpi, tree = "/sys/firmware/acpi/tables/APIC", "/sys/firmware/devicetree/base/pcie@10000000"
    for image, bus, options, described in ((edk2, "pci", [], acpi), (edk2, "mmio", ["--no-acpi"], tree),
                                           (edk2, "pci", ["--gic", "2"], acpi), (u_boot, "pci", [], tree)):
        console = Console([tandem, "run", "--bios", image, "--disk", f"{disk},snapshot,bus={bus}"] + options, 250)
        console.expect(rb"Booting `Debian")
        console.expect(rb"login:")
        console.send(b"root\r")
        console.expect(rb"# ")
        console.send(f"test -e /sys/firmware/efi && test -e {described} && echo described $((6 * 7))\r".encode())
        console.expect(rb"described 42\r")
        # Debian's cloud kernel has a driver for ACPI's power button, but none for the device tree's gpio-keys.
        console.send(b"\x01p" if described == acpi else b"poweroff\r")
        check(console.wait() == 0, f"exit status 0 after power-off with {image} {options}")


def main():
    tandem, guest, what = sys.argv[1:]
    {"initramfs": initramfs, "wrapped": wrapped, "shell": shell, "debian": debian, "consoles": consoles,
     "only_virtio_console": only_virtio_console, "watchdog": watchdog, "firmware": firmware, "uefi": uefi}[what](tandem, guest)


if __name__ == "__main__":
    main()
