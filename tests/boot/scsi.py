#!/usr/bin/env python3
"""scsi.py TANDEM GUESTS: Linux's SCSI drivers use a disk and CD-ROM drives, on PCI and on MMIO; a recorded run of it
replays, and a snapshot goes on."""
import os
import subprocess
import sys
import tempfile

from console import Console

MEBIBYTE = 1 << 20


def check(condition, what):
    if not condition:
        sys.exit(f"not so: {what}")


def make_disc(folder):
    os.mkdir(f"{folder}/tree")
    with open(f"{folder}/tree/file.txt", "w", encoding="ascii") as file:
        file.write("written on a disc\n")
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", f"{folder}/disc.iso", f"{folder}/tree"], check=True,
                   capture_output=True)
    return f"{folder}/disc.iso"


class Guest:
    def __init__(self, tandem, *options):
        self.console = Console([tandem, "run", *options], 200)

    def run(self, command, expected=b""):
        self.console.send(f"{command}; echo status $?\r".encode())
        self.console.expect(expected + rb"(?s:.)*?\nstatus 0\r")

    def use(self):
        """Reads, writes and discards."""
        self.run("ls /dev/sda /dev/sr0", rb"/dev/sda\s+/dev/sr0")
        self.run("cat /sys/block/sda/device/vendor /sys/block/sr0/device/model", rb"\nTANDEM\s+CD-ROM")
        self.run("mount -t iso9660 -o ro /dev/sr0 /mnt && cat /mnt/file.txt && umount /mnt", rb"\nwritten on a disc\r")
        self.run("dd if=/dev/zero bs=1M count=8 | tr '\\000' x | dd of=/dev/sda bs=64k seek=32 conv=fsync")
        self.run("blkdiscard -o 4194304 -l 1048576 /dev/sda")
        self.run("! dd if=/dev/zero of=/dev/sr0 bs=2048 count=1")
        self.run("! dmesg | grep -E 'I/O error|Sense Key|timing out'")

    def end(self):
        self.console.send(b"poweroff -f\r")
        check(self.console.wait() == 0, "exit status 0 after poweroff")


def expected_disk():
    data = bytearray(16 * MEBIBYTE)
    data[2 * MEBIBYTE:10 * MEBIBYTE] = b"x" * (8 * MEBIBYTE)
    data[4 * MEBIBYTE:5 * MEBIBYTE] = bytes(MEBIBYTE)
    return bytes(data)


def new_disk(path):
    with open(path, "wb") as file:
        file.truncate(16 * MEBIBYTE)
    return path


def main():
    tandem, guests = map(os.path.abspath, sys.argv[1:])
    kernel = ["--net", "none", "--kernel", f"{guests}/drivers.kernel", "--initrd", f"{guests}/drivers.cpio.gz", "--append",
              "console=ttyAMA0 quiet"]

    def boot(*options):
        guest = Guest(tandem, *kernel, *options)
        guest.console.expect(rb"/ # ")
        return guest

    with tempfile.TemporaryDirectory() as folder:
        disc = make_disc(folder)
        disk = f"{folder}/disk.img"
        for bus in ("scsi", "scsi-mmio"):
            guest = boot("--disk", f"{new_disk(disk)},format=raw,bus={bus}",
                          "--disk", f"{disc},media=cdrom,bus={bus}")
            guest.use()
            guest.end()
            with open(disk, "rb") as file:
                check(file.read() == expected_disk(), f"{bus}: the disk has what was written")

        guest = boot("--record", f"{folder}/run.tdr", "--cdrom", disc,
                      "--disk", f"{new_disk(disk)},format=raw,bus=scsi")
        guest.use()
        guest.end()
        replayed = subprocess.run([tandem, "replay", f"{folder}/run.tdr"], capture_output=True, text=True, timeout=200)
        check(replayed.returncode == 0, f"the recording replays: {replayed.stderr}")

        # From a snapshot, with what the guest had not written back yet.
        subprocess.run([tandem, "image", "create", f"{folder}/disk.qcow2", "16M"], check=True)
        machine = ["--cdrom", disc, "--disk", f"{folder}/disk.qcow2,bus=scsi"]
        os.chdir(folder)
        guest = boot(*machine)
        guest.run("dd if=/dev/zero bs=1M count=2 | tr '\\000' y | dd of=/dev/sda bs=1M")
        guest.console.send(b"\x01s")
        saved = guest.console.expect(rb"tandem: saved (\S+) \(")[1].decode()
        guest.end()
        guest = Guest(tandem, "--restore", saved)
        guest.console.send(b"\r")
        guest.run("sync; dd if=/dev/sda bs=1M count=2 | tr -d y | wc -c", rb"\n0\r")
        guest.run("mount -t iso9660 -o ro /dev/sr0 /mnt && cat /mnt/file.txt", rb"\nwritten on a disc\r")
        guest.end()
    print("ok")


main()
