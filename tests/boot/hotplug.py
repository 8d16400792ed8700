#!/usr/bin/env python3
"""hotplug.py TANDEM GUEST [--rounds N] [--only STEP ...]: Debian's own drivers while devices come and go in root ports, by QMP: disks and
network cards that are plugged in, used, and let go of, idle and busy; resets of single functions; snapshots, a reset
and a move with devices in the ports; a guest that does not answer; mistakes of the client."""
import argparse
import hashlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time

from boot import check, run_arguments
from console import Console
from network import free_port, serve_once
from qmp import Qmp

MIB = 1 << 20


class Guest:
    def __init__(self, options, folder, name, extra=()):
        disk = os.path.join(options.guest, "disk.img")
        self.qmp_path = os.path.join(folder, name + ".sock")
        self.console = Console(
            run_arguments(options.tandem, options.guest, "initrd", "root=/dev/vda rw console=ttyAMA0 quiet") +
            ["--disk", f"{disk},format=raw,snapshot", "--net", "none", "--qmp", "unix:" + self.qmp_path,
             "--snapshots", folder, *extra], 900)
        self.log_in()
        self.qmp = Qmp(self.qmp_path, 300)

    def log_in(self):
        self.console.expect(rb"login:")
        self.console.send(b"root\r")
        self.console.expect(rb"# ")
        self.console.send(b"dmesg -n 1; TERM=dumb PS1='s''h> ' exec sh\r")
        self.console.expect(rb"sh> ")
        self.console.send(b"stty -echo; echo qui''et\r")
        self.console.expect(rb"quiet\r+\n")
        self.console.expect(rb"sh> ")

    def run(self, command, status=b"0"):
        """Runs a command; returns what it says."""
        end = "" if command.endswith("&") else ";"
        self.console.send(f"{command}{end} echo status=$?.\r".encode())
        match = self.console.expect(rb"(?s)(.*?)status=(\d+)\.\r+\n")
        self.console.expect(rb"sh> ")
        check(status is None or match[2] == status, f"{command}: status {match[2]}: {match[1]}")
        return match[1].decode(errors="replace").replace("\r", "")

    def wait_for(self, condition):
        self.run(f"seen=; for i in $(seq 300); do {condition} && seen=1 && break; sleep 0.1; done; test $seen")

    def ask_for(self, name):
        """As soon as the guest has done what it does with a new device."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.qmp.execute("device_del", id=name)
            except RuntimeError as error:
                check("blinking" in str(error) and time.monotonic() < deadline, f"{error}")
                time.sleep(0.2)

    def unplug(self, name):
        """As a client does: asks, and waits for the event."""
        self.ask_for(name)
        check(self.qmp.expect("DEVICE_DELETED") == {"device": name, "path": f"/machine/peripheral/{name}"}, "the event")

    def add_disk(self, node, path, driver, **device):
        self.qmp.execute("blockdev-add", driver=driver, node_name=node, file={"driver": "file", "filename": path})
        self.qmp.execute("device_add", driver="virtio-blk-pci", id=node + "-device", drive=node, **device)

    def quit(self):
        self.console.send(b"poweroff -f\r")
        check(self.console.wait() == 0, "exit status 0 after power-off")


def refused(qmp, words, command, **arguments):
    try:
        qmp.execute(command, **arguments)
    except RuntimeError as error:
        check(words in str(error), f"{command} {arguments}: {error} says {words}")
        return
    sys.exit(f"failed: {command} {arguments} is not refused")


def make_image(path, size):
    subprocess.run([sys.argv[1], "image", "create", path, str(size)], check=True, stdout=subprocess.DEVNULL)


def disks(guest, folder, rounds):
    """A disk is found under the name it was given, keeps what is written, and is free when it is gone."""
    path = os.path.join(folder, "plugged.img")
    with open(path, "wb") as file:
        file.truncate(64 * MIB)
    content = random.Random(2).randbytes(MIB)
    disk = "/dev/disk/by-id/virtio-S4711"
    for number in range(rounds):
        with open(path, "r+b") as file:
            file.seek(MIB)
            file.write(content)
        guest.add_disk("plugged", path, "raw", serial="S4711", bus=f"port{number % 4}")
        guest.wait_for(f"test -b {disk}")
        summed = guest.run(f"dd if={disk} bs=1M skip=1 count=1 iflag=direct 2>/dev/null | sha256sum")
        check(summed.split()[0] == hashlib.sha256(content).hexdigest(), "the guest reads what is there")
        written = guest.run("dd if=/dev/urandom of=/tmp/new bs=1M count=3 2>/dev/null; sha256sum </tmp/new; "
                            f"dd if=/tmp/new of={disk} bs=1M seek=5 oflag=direct conv=fsync 2>/dev/null").split()[0]
        refused(guest.qmp, "is in use", "blockdev-del", node_name="plugged")
        guest.unplug("plugged-device")
        guest.wait_for(f"! test -e {disk}")
        guest.qmp.execute("blockdev-del", node_name="plugged")
        with open(path, "rb") as file:
            file.seek(5 * MIB)
            check(hashlib.sha256(file.read(3 * MIB)).hexdigest() == written, "what the guest wrote is in the file")


def busy_disks(guest, folder, rounds):
    """Taken away under a file system that is written to all the time: its driver gets errors, nobody else."""
    path = os.path.join(folder, "busy.qcow2")
    make_image(path, "256M")
    for _ in range(rounds):
        guest.add_disk("busy", path, "qcow2", serial="BUSY")
        guest.wait_for("test -b /dev/disk/by-id/virtio-BUSY")
        # A file that dd made in its place would keep udev from naming the next disk.
        guest.run("(while dd if=/dev/zero of=/dev/disk/by-id/virtio-BUSY bs=64k count=4000 oflag=direct conv=nocreat; do :; done; "
                  "echo 1 >/tmp/ended) >/dev/null 2>&1 &")
        guest.unplug("busy-device")
        guest.wait_for("test -e /tmp/ended")
        guest.run("rm /tmp/ended; wait")
        guest.qmp.execute("blockdev-del", node_name="busy")
    subprocess.run([sys.argv[1], "image", "check", path], check=True, stdout=subprocess.DEVNULL)


def cards(guest, rounds):
    """A network card gets its address from its network, and through a port added later the host reaches the guest."""
    content = random.Random(3).randbytes(MIB)
    for number in range(rounds):
        received = hashlib.sha256()
        listener = socket.create_server(("127.0.0.1", 0))
        server = threading.Thread(target=serve_once, args=(listener, content, received), daemon=True)
        server.start()
        mac = f"52:54:00:aa:00:{number:02x}"
        guest.qmp.execute("netdev_add", type="user", id="wire")
        guest.qmp.execute("device_add", driver="virtio-net-pci", id="card", netdev="wire", mac=mac)
        guest.wait_for(f"grep -q {mac} /sys/class/net/*/address")
        # Settled, it has the name that udev gives it.
        guest.run(f"udevadm settle; card=$(basename $(dirname $(grep -l {mac} /sys/class/net/*/address)))")
        guest.run("ip addr add 10.0.2.15/24 dev $card && ip link set $card up")
        guest.run(f"perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(PeerAddr=>\"10.0.2.2\", "
                  f"PeerPort=>{listener.getsockname()[1]}) or die; syswrite($s,\"hello\"); shutdown($s,1); "
                  "while(sysread($s,$b,65536)){print $b}' >/tmp/got")
        check(guest.run("sha256sum </tmp/got").split()[0] == hashlib.sha256(content).hexdigest(), "what the host sent")
        server.join(60)
        check(received.hexdigest() == hashlib.sha256(b"hello").hexdigest(), "what the guest sent")
        port = free_port()
        check(guest.qmp.execute("human-monitor-command",
                                command_line=f"hostfwd_add wire tcp:127.0.0.1:{port}-:7777") == "", "a forward is added")
        guest.run("perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(LocalPort=>7777,Listen=>1,ReuseAddr=>1); "
                  "$c=$s->accept; print $c \"from the guest\"' &")
        guest.wait_for("grep -q ':1E61 00000000:0000 0A' /proc/net/tcp")  # it listens
        with socket.create_connection(("127.0.0.1", port), 60) as connection:
            check(connection.makefile("rb").read() == b"from the guest", "the host reaches the guest")
        said = guest.qmp.execute("human-monitor-command", command_line=f"hostfwd_remove wire tcp:127.0.0.1:{port}")
        check("removed" in said, "the forward is removed")
        guest.run("wait")
        refused(guest.qmp, "in use", "netdev_del", id="wire")
        guest.unplug("card")
        guest.wait_for(f"! grep -q {mac} /sys/class/net/*/address")
        guest.qmp.execute("netdev_del", id="wire")


def resets(guest, folder, rounds):
    """Functions are reset by themselves and by their bus, unbound, bound, removed and found again, and work."""
    path = os.path.join(folder, "reset.img")
    with open(path, "wb") as file:
        file.truncate(8 * MIB)
    guest.add_disk("reset", path, "raw", serial="RESET")
    disk = "/dev/disk/by-id/virtio-RESET"
    guest.wait_for(f"test -b {disk}")
    guest.run(f"pci=$(readlink -f /sys/block/$(basename $(readlink {disk}))/device/../)")
    check("flr" in guest.run("cat $pci/reset_method"), "the function can be reset")
    use = f"dd if={disk} of=/dev/null bs=1M count=8 iflag=direct 2>&1"
    for _ in range(rounds):
        for method in ("flr", "bus"):
            guest.run(f"echo {method} >$pci/reset_method; a=$(basename $pci); d=/sys/bus/pci/drivers/virtio-pci; "
                      f"echo $a >$d/unbind; echo 1 >$pci/reset && echo $a >$d/bind")
            guest.wait_for(f"test -b {disk}")
            guest.run(use)
        guest.run("echo 1 >$pci/remove; ! test -e $pci; echo 1 >/sys/bus/pci/rescan")
        guest.wait_for(f"test -b {disk}")
        guest.run(use)
    # The entropy device of bus 0, while its driver is at work.
    rng = "$(dirname $(readlink -f /sys/bus/virtio/drivers/virtio_rng/virtio*))"
    guest.run(f"modprobe virtio_rng; r={rng}; echo 1 >$r/reset; echo $(basename $r) >/sys/bus/pci/drivers/virtio-pci/unbind; "
              "echo $(basename $r) >/sys/bus/pci/drivers/virtio-pci/bind; head -c 16 /dev/hwrng | wc -c")
    # The guest's own power switch takes nothing away.
    guest.run("slot=/sys/bus/pci/slots/$(ls /sys/bus/pci/slots | head -n 1); echo 0 >$slot/power")
    guest.wait_for(f"! test -e {disk}")
    guest.run("echo 1 >$slot/power")
    guest.wait_for(f"test -b {disk}")
    guest.run(use)
    guest.unplug("reset-device")
    guest.qmp.execute("blockdev-del", node_name="reset")


def unwilling(guest, folder):
    """A guest without a driver for its ports loses nothing, and can be asked again; a reset takes the device away."""
    path = os.path.join(folder, "unwilling.img")
    with open(path, "wb") as file:
        file.truncate(8 * MIB)
    guest.add_disk("kept", path, "raw", serial="KEPT", bus="port2")
    disk = "/dev/disk/by-id/virtio-KEPT"
    guest.wait_for(f"test -b {disk}")
    use = f"dd if={disk} of=/dev/null bs=1M count=8 iflag=direct"
    guest.wait_for("grep -q 1 /sys/bus/pci/slots/2/power")
    guest.run("cd /sys/bus/pci_express/drivers/pciehp; for s in $(ls | grep pcie); do echo $s >unbind; done")
    for _ in range(3):
        guest.qmp.execute("device_del", id="kept-device")
    guest.run(use)
    check([each["qdev_id"] for each in behind_ports(guest.qmp)] == ["kept-device"], "it is still there")
    refused(guest.qmp, "is in use", "blockdev-del", node_name="kept")
    guest.qmp.execute("system_reset")
    check(guest.qmp.expect("DEVICE_DELETED")["device"] == "kept-device", "a reset makes the guest let go")
    guest.log_in()
    guest.run("! grep -q KEPT /sys/block/vd*/serial")
    guest.qmp.execute("blockdev-del", node_name="kept")


def behind_ports(qmp):
    return [device for function in qmp.execute("query-pci")[0]["devices"]
            for device in function.get("pci_bridge", {}).get("devices", [])]


def mistakes(guest, folder):
    qmp = guest.qmp
    path = os.path.join(folder, "mistakes.img")
    with open(path, "wb") as file:
        file.truncate(MIB)
    ports = [f for f in qmp.execute("query-pci")[0]["devices"] if "pci_bridge" in f]
    check([f["qdev_id"] for f in ports] == ["port0", "port1", "port2", "port3"], "four ports")
    check(len({f["pci_bridge"]["bus"]["secondary"] for f in ports}) == 4, "each with a bus of its own")
    refused(qmp, "node-name", "blockdev-add", driver="raw", file={"driver": "file", "filename": path})
    refused(qmp, "vdi", "blockdev-add", driver="vdi", node_name="a", file={"driver": "file", "filename": path})
    refused(qmp, "nowhere", "blockdev-add", driver="raw", node_name="a", file={"driver": "file", "filename": "/nowhere"})
    refused(qmp, "colour", "blockdev-add", driver="raw", node_name="a", colour="red",
            file={"driver": "file", "filename": path})
    qmp.execute("blockdev-add", driver="file", node_name="file", filename=path)
    qmp.execute("blockdev-add", driver="raw", node_name="a", file="file")
    refused(qmp, "Duplicate", "blockdev-add", driver="raw", node_name="a", file="file")
    refused(qmp, "in use", "blockdev-del", node_name="file")
    refused(qmp, "find node", "blockdev-del", node_name="b")
    refused(qmp, "not a valid device model", "device_add", driver="floppy", id="x")
    refused(qmp, "'virtio-blk-pci.colour' not found", "device_add", driver="virtio-blk-pci", id="x", colour="red")
    refused(qmp, "drive property", "device_add", driver="virtio-blk-pci", id="x")
    refused(qmp, "can't find value", "device_add", driver="virtio-blk-pci", id="x", drive="b")
    refused(qmp, "does not support hotplugging", "device_add", driver="virtio-rng-pci", id="x", bus="pcie.0")
    refused(qmp, "Bus 'port9' not found", "device_add", driver="virtio-rng-pci", id="x", bus="port9")
    refused(qmp, "mac", "device_add", driver="virtio-net-pci", id="x", netdev="w", mac="01:00:00:00:00:00")
    refused(qmp, "not found", "device_del", id="x")
    refused(qmp, "does not support hotplugging", "device_del", id="disk0")
    qmp.execute("device_add", driver="virtio-blk-pci", id="x", drive="a", bus="port1", addr="0x0")
    refused(qmp, "in use", "device_add", driver="virtio-blk-pci", id="y", drive="a")
    refused(qmp, "Duplicate", "device_add", driver="virtio-rng-pci", id="x")
    refused(qmp, "occupied by x", "device_add", driver="virtio-rng-pci", id="y", bus="port1")
    for i in range(3):
        qmp.execute("device_add", driver="virtio-rng-pci", id=f"r{i}")
    refused(qmp, "no root port is free", "device_add", driver="virtio-rng-pci", id="y")
    refused(qmp, "in use", "blockdev-del", node_name="file")
    guest.wait_for("test $(ls /sys/bus/pci/devices | grep -vc ^0000:00) -eq 4")
    for name in ("r0", "r1", "r2", "x"):
        guest.ask_for(name)
    for _ in range(4):
        qmp.expect("DEVICE_DELETED")
    refused(qmp, "not found", "device_del", id="x")
    for node in ("a", "file"):
        qmp.execute("blockdev-del", node_name=node)


def kept(guest, options, folder):
    """Snapshots in the same and another process, and a move, have what is in the ports."""
    path = os.path.join(folder, "kept.qcow2")
    make_image(path, "64M")
    guest.add_disk("kept", path, "qcow2", serial="KEPT", bus="port3")
    guest.qmp.execute("device_add", driver="virtio-rng-pci", id="random")
    disk = "/dev/disk/by-id/virtio-KEPT"
    guest.wait_for(f"test -b {disk}")
    guest.run(f"head -c 1M /dev/urandom >/tmp/a; dd if=/tmp/a of={disk} oflag=direct bs=1M 2>/dev/null")
    same = f"cmp -n {MIB} /tmp/a {disk}"
    check(guest.qmp.execute("human-monitor-command", command_line="savevm one") == "", "it is saved")
    guest.run(f"dd if=/dev/zero of={disk} oflag=direct bs=1M count=1 2>/dev/null; ! {same} >/dev/null")
    check(guest.qmp.execute("human-monitor-command", command_line="loadvm one") == "", "it goes on from there")
    guest.console.send(b"\r")
    guest.run(f"echo 3 >/proc/sys/vm/drop_caches; {same}")
    target = os.path.join(folder, "move.sock")
    other_qmp = os.path.join(folder, "other.sock")
    other = Console([options.tandem, "run", "--incoming", "unix:" + target, "--qmp", "unix:" + other_qmp], 600)
    while not os.path.exists(target):
        time.sleep(0.1)
    guest.qmp.execute("migrate", uri="unix:" + target)
    while guest.qmp.execute("query-migrate").get("status") not in ("completed", "failed"):
        time.sleep(0.1)
    check(guest.qmp.execute("query-migrate")["status"] == "completed", f"{guest.qmp.execute('query-migrate')}")
    refused(guest.qmp, "moved", "device_del", id="kept-device")
    guest.qmp.execute("quit")
    guest.console.wait()
    guest.console, guest.qmp = other, Qmp(other_qmp, 300)
    other.send(b"\r")
    other.expect(rb"sh> ")
    guest.run(same)
    guest.unplug("kept-device")
    guest.unplug("random")
    guest.wait_for(f"! test -e {disk}")
    guest.quit()

    console = Console([options.tandem, "run", "--restore", os.path.join(folder, "one.snapshot"),
                       "--qmp", "unix:" + other_qmp], 600)
    guest.console, guest.qmp = console, Qmp(other_qmp, 300)
    console.send(b"\r")
    console.expect(rb"sh> ")
    guest.run(f"echo 3 >/proc/sys/vm/drop_caches; {same}")
    guest.unplug("kept-device")
    guest.quit()


def deterministic(options, folder):
    path = os.path.join(folder, "qmp.sock")
    console = Console(run_arguments(options.tandem, options.guest, "shell.cpio.gz", "console=ttyAMA0 quiet") +
                      ["--net", "none", "--deterministic", "--qmp", "unix:" + path], 300)
    console.expect(rb"# ")
    qmp = Qmp(path, 100)
    refused(qmp, "deterministic machine keeps the devices", "device_add", driver="virtio-rng-pci", id="x")
    qmp.execute("quit")
    console.wait()


def acpi(options, folder):
    """The same through firmware, whose tables leave hot-plug to the guest."""
    if not os.path.exists("/usr/share/AAVMF/AAVMF_CODE.fd"):
        return
    guest = Guest(options, folder, "acpi", ["--bios", "/usr/share/AAVMF/AAVMF_CODE.fd"])
    guest.run("test -d /sys/firmware/acpi/tables")
    disks(guest, folder, 1)
    guest.quit()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tandem")
    parser.add_argument("guest")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        deterministic(options, folder)
        guest = Guest(options, folder, "one")
        for name, step in {"mistakes": lambda: mistakes(guest, folder),
                           "disks": lambda: disks(guest, folder, options.rounds),
                           "cards": lambda: cards(guest, options.rounds),
                           "busy disks": lambda: busy_disks(guest, folder, options.rounds),
                           "resets": lambda: resets(guest, folder, options.rounds),
                           "unwilling": lambda: unwilling(guest, folder),
                           "kept": lambda: kept(guest, options, folder),
                           "acpi": lambda: acpi(options, folder)}.items():
            if options.only and name not in options.only:
                continue
            began = time.monotonic()
            step()
            print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
