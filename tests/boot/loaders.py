#!/usr/bin/env python3
"""loaders.py TANDEM GUEST iso|systemd_boot|network: firmware and a boot loader of scripts/guest start a kernel, from an
ISO image and a disk without any option, and from the network. Loopback only."""
import os
import shutil
import subprocess
import sys
import tempfile

from boot import check
from console import Console

FIRMWARE = "/usr/share/AAVMF/AAVMF_CODE.fd"


def boot(command, *shown):
    console = Console(command, 250)
    for each in (*shown, rb"MARKER init-up [0-9.]+ \S+ aarch64"):
        console.expect(each)
    check(console.wait() == 0, f"exit status 0 after power-off of {command}")


def iso(tandem, guest, _folder):
    boot([tandem, "run", os.path.join(guest, "boot.iso")], rb"\nTandem|CD-ROM", rb"Booting `Initramfs'")


def systemd_boot(tandem, guest, folder):
    image = os.path.join(folder, "disk.img")
    shutil.copyfile(os.path.join(guest, "systemd-boot.img"), image)
    boot([tandem, "run", image], rb"Reboot Into Firmware Interface")


def network(tandem, guest, folder):
    """Firmware asks DHCP and loads GRUB by TFTP, which loads the kernel; so does a recorded run, which replays."""
    served = os.path.join(guest, "netboot")
    command = [tandem, "run", "--bios", FIRMWARE, "--net", f"user,tftp={served},bootfile=grubnetaa64.efi"]
    shown = rb"Start PXE over IPv4", rb"NBP filename is grubnetaa64.efi", rb"Booting `Initramfs'"
    boot(command, *shown)
    recording = os.path.join(folder, "run.tdr")
    boot(command + ["--record", recording], *shown)
    replayed = subprocess.run([tandem, "replay", recording], stdin=subprocess.DEVNULL, capture_output=True, timeout=250,
                              check=False)
    check(replayed.returncode == 0 and b"MARKER init-up" in replayed.stdout, f"the recording replays: {replayed.stderr}")

    # What is not in the folder stays out of reach.
    console = Console([tandem, "run", "--bios", FIRMWARE, "--timeout", "100", "--net",
                       f"user,tftp={os.path.join(served, 'grub')},bootfile=../grubnetaa64.efi"], 250)
    console.expect(rb"PXE-E\d+|Boot Failed|UEFI Interactive Shell")
    console.send(b"\x01x")
    check(console.wait() == 0, "Ctrl-A x ends with status 0")


def main():
    tandem, guest, what = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = os.path.join(folder, "state")
        {"iso": iso, "systemd_boot": systemd_boot, "network": network}[what](tandem, guest, folder)


if __name__ == "__main__":
    main()
