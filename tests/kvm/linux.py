#!/usr/bin/env python3
"""linux.py TANDEM GUEST marker|devices: Debian's cloud kernel for x86-64 under KVM, in the bed (bed.py)."""
import os
import sys

from bed import Bed

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boot"))
from console import Console  # pylint: disable=wrong-import-position


def check(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")


def bed_of(tandem, guest):
    x86 = os.path.join(guest, "x86")
    return Bed(guest, {"/bin/tandem": tandem},
               {f"/files/{name}": os.path.join(x86, name)
                for name in ("kernel", "busybox.cpio.gz", "drivers.cpio.gz")})


def marker(tandem, guest):
    """To the marker on two CPUs; the guest's power-off ends the process with 0."""
    with bed_of(tandem, guest) as bed:
        console = Console(bed.command(
            "tandem run --kernel /files/kernel --initrd /files/busybox.cpio.gz --append quiet --memory 256M; echo ended $?"), 300)
        console.expect(rb"tandem: KVM runs the guest")
        console.expect(rb"MARKER init-up [0-9.]+ \S+ x86_64")
        console.expect(rb"ended 0")
        check(console.wait() == 0, "the bed ends")


GUEST = rb"""
grep -c ^processor /proc/cpuinfo
cat /proc/interrupts
ls /sys/bus/virtio/devices | wc -l
dd if=/dev/vda bs=4k count=1 2>/dev/null | head -c 14; echo
echo written-by-guest | dd of=/dev/vda bs=512 seek=8 conv=fsync 2>/dev/null
dd if=/dev/hwrng bs=16 count=1 2>/dev/null | wc -c
ip link set eth0 up; udhcpc -i eth0 -q -n -s /bin/true 2>&1 | tail -n 1
mount -t virtiofs share /mnt && cat /mnt/note && echo from-guest >/mnt/answer
echo hello >/dev/hvc0
dmesg --level=err,crit,alert,emerg 2>/dev/null || dmesg | grep -i -E 'error|fail'
echo DONE
"""


def devices(tandem, guest):
    """Linux's own drivers: disk, network, entropy, share, console; the power key; a reset."""
    with bed_of(tandem, guest) as bed:
        console = Console(bed.command("""
mkdir /tmp/share; echo shared-note >/tmp/share/note
truncate -s 4M /tmp/disk; printf 'begins-of-disk' | dd of=/tmp/disk conv=notrunc 2>/dev/null
tandem run --kernel /files/kernel --initrd /files/drivers.cpio.gz --append quiet --cpus 2 --memory 256M \\
    --disk /tmp/disk,format=raw --share /tmp/share --console file:/tmp/hvc0 --balloon on --qmp unix:/tmp/qmp --stats
echo ended $?
grep -a -o written-by-guest /tmp/disk; cat /tmp/share/answer /tmp/hvc0
"""), 300)
        console.expect(rb"MARKER init-up")
        console.expect(rb"# ")
        for line in GUEST.strip().split(b"\n"):
            console.send(line + b"\r")
        console.expect(rb"\n2\r")
        console.expect(rb"IO-APIC +\d+-edge +virtio0")
        console.expect(rb"\n6\r")
        console.expect(rb"\nbegins-of-disk\r")
        console.expect(rb"\n16\r")
        console.expect(rb"lease of 10\.0\.2\.15 obtained")
        console.expect(rb"shared-note")
        console.expect(rb"\nDONE\r")
        # The power key: Ctrl-A p. Nobody acts on it there, but the kernel tells who listens.
        console.send(b"(dd if=/dev/input/event0 bs=24 count=1 2>/dev/null | wc -c) & sleep 1; echo LIST''ENS\r")
        console.expect(rb"\nLISTENS\r")
        console.send(b"\x01p")
        console.expect(rb"24\r")
        console.send(b"reboot -f\r")
        console.expect(rb"MARKER init-up")
        console.expect(rb"# ")
        console.send(b"poweroff -f\r")
        console.expect(rb"kvm: exits")
        console.expect(rb"ended 0")
        console.expect(rb"written-by-guest")
        console.expect(rb"from-guest")
        console.expect(rb"hello")
        check(console.wait() == 0, "the bed ends")


def main():
    tandem, guest, what = sys.argv[1:4]
    {"marker": marker, "devices": devices}[what](tandem, guest)


if __name__ == "__main__":
    main()
