#!/usr/bin/env python3
"""agent.py TANDEM GUEST linux|replay|stop: ports of the virtio console. `linux`: Debian's qemu-guest-agent answers on its port
over PCI and MMIO, and shuts the guest down; a port of another name carries bytes both ways; both go through a snapshot.
`replay`: a recorded machine whose port somebody used is the same again. `stop`: so a named machine is stopped."""
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile

import named
from boot import check, run_arguments
from console import Console, Line
from qmp import Qmp


class Peer:
    """A client of a port."""

    def __init__(self, path, timeout=120):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def line(self, text):
        self.socket.sendall(text + b"\n")
        return self.file.readline()

    def ask(self, command, **arguments):
        """What the guest agent returns (QEMU's qga/qapi-schema.json)."""
        request = {"execute": command}
        if arguments:
            request["arguments"] = {name.replace("_", "-"): value for name, value in arguments.items()}
        answer = json.loads(self.line(json.dumps(request).encode()))
        check("return" in answer, f"{command}: {answer}")
        return answer["return"]

    def close(self):
        self.file.close()
        self.socket.close()


def log_in(console):
    console.expect(rb"login:")
    console.send(b"root\r")
    console.expect(rb"# ")
    console.send(b"stty -echo; PS1=; dmesg -n 1\r")


def install(console, device):
    """The packages that scripts/guest has put on a disk."""
    console.send(f"mount -o ro {device} /mnt && sh /mnt/install >/dev/null 2>&1; echo install''ed $?\r".encode())
    console.expect(rb"installed 0\r")


def linux(tandem, guest, folder):
    disk = ["--disk", os.path.join(guest, "disk.img") + ",format=raw,snapshot",
            "--disk", os.path.join(guest, "packages.img") + ",format=raw,readonly"]
    for bus in ("pci", "mmio"):
        agent, port, control = (os.path.join(folder, name) for name in ("agent", "port", "qmp"))
        console = Console(run_arguments(tandem, guest, "initrd", "root=/dev/vda rw console=ttyAMA0 quiet") + disk +
                          ["--bus", bus, "--guest-agent", f"unix:{agent}", "--port", f"org.tandem.test=unix:{port}",
                           "--qmp", f"unix:{control}", "--snapshots", folder], 500)
        qmp = Qmp(control, 300)
        log_in(console)
        console.send(b"ls /dev/virtio-ports\r")
        console.expect(rb"org.qemu.guest_agent.0\s+org.tandem.test")
        install(console, "/dev/vdb")
        console.send(b"systemctl start qemu-guest-agent\r")
        while qmp.expect("VSERPORT_CHANGE") != {"id": "org.qemu.guest_agent.0", "open": True}:
            pass

        peer = Peer(agent)
        peer.ask("guest-ping")
        check(peer.ask("guest-sync", id=4711) == 4711, "guest-sync")
        names = {command["name"] for command in peer.ask("guest-info")["supported_commands"]}
        check({"guest-shutdown", "guest-fsfreeze-freeze"} <= names, "guest-info lists commands")
        check(peer.ask("guest-get-osinfo")["id"] == "debian", "guest-get-osinfo")
        check(peer.ask("guest-get-host-name")["host-name"] == "tandem", "guest-get-host-name")
        check(peer.ask("guest-fsfreeze-freeze") >= 1, "file systems freeze")
        check(peer.ask("guest-fsfreeze-status") == "frozen", "they are frozen")
        check(peer.ask("guest-fsfreeze-thaw") >= 1, "and thaw")
        peer.close()

        # A port that nothing but this test knows: a megabyte each way.
        name = b"/dev/virtio-ports/org.tandem.test"
        peer = Peer(port)
        console.send(b"head -c 1000000 " + name + b" | sha256sum; seq 200000 | head -c 1000000 >" + name + b"; echo writ''ten\r")
        data = os.urandom(1000000)
        peer.socket.sendall(data)
        console.expect(hashlib.sha256(data).hexdigest().encode())
        expected = "".join(f"{i}\n" for i in range(1, 200001)).encode()[:1000000]
        check(peer.file.read(1000000) == expected, "a megabyte arrives")

        # Both go through a snapshot. Linux drops what arrives while a port closes, so the next reader has to be there.
        console.expect(rb"written\r")
        qmp.execute("query-status")  # behind it, what the ports did before
        qmp.events.clear()
        console.send(b"while read line <&3; do echo re: $line >&3; done 3<>" + name + b" &\r")
        check(qmp.expect("VSERPORT_CHANGE") == {"id": "org.tandem.test", "open": True}, "the port opens")
        check(peer.line(b"one") == b"re: one\n", "an echo")
        qmp.execute("human-monitor-command", command_line="savevm ports")
        check(peer.line(b"two") == b"re: two\n", "an echo after saving")
        answer = qmp.execute("human-monitor-command", command_line="loadvm ports")
        check(answer == "", f"loadvm: {answer}")
        check(peer.line(b"three") == b"re: three\n", "an echo after restoring")
        peer.close()

        peer = Peer(agent)
        peer.ask("guest-ping")
        peer.socket.sendall(b'{"execute": "guest-shutdown"}\n')
        check(console.wait() == 0, "exit status 0 after guest-shutdown")
        check(not os.path.exists(agent), "the socket is gone")


def replay(tandem, guest, folder):
    port, recording = os.path.join(folder, "port"), os.path.join(folder, "recording")
    console = Console(run_arguments(tandem, guest, "drivers.cpio.gz", "console=ttyAMA0 quiet", kernel="drivers.kernel") +
                      ["--net", "none", "--port", f"test=unix:{port}", "--record", recording], 200)
    console.expect(rb"/ # ")
    console.send(b"P=/dev/$(ls /sys/class/virtio-ports); cat /sys/class/virtio-ports/*/name; echo $P\r")
    console.expect(rb"\ntest\s+/dev/vport\dp1\r")
    for text in (b"first", b"second"):
        peer = Peer(port)
        console.send(b"head -n 1 $P; echo answer >$P\r")
        check(peer.line(text) == b"answer\n", "an answer")
        console.expect(b"\n" + text + rb"\s+/ # ")  # which has closed the port
        peer.close()
    console.send(b"poweroff -f\r")
    check(console.wait() == 0, "exit status 0 after poweroff")
    for tier in ("t1", "auto"):
        done = subprocess.run([tandem, "replay", recording, "--tier", tier, "--serial", "none"], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL)
        check(done.returncode == 0, f"replay in {tier}: {done.stderr}")


def stop(tandem, guest, folder):
    """Debian's cloud kernel knows nothing of a power key in the device tree: only the agent can shut it down."""
    run = named.command(tandem, folder)
    run("create", "one", os.path.join(guest, "disk.img"), "--", "--kernel", os.path.join(guest, "kernel"), "--initrd",
        os.path.join(guest, "initrd"), "--append", "root=/dev/vda rw console=ttyAMA0 quiet", "--disk",
        os.path.join(guest, "packages.img") + ",format=raw,readonly")
    run("start", "one")
    line = socket.socket(socket.AF_UNIX)
    line.connect(os.path.join(folder, "state/tandem/machines/one/console.sock"))
    console = Line(line.fileno(), 300)
    log_in(console)
    check("still runs" in run("stop", "--timeout", "3", "one", status=1), "the power key changes nothing")
    install(console, "/dev/vdb")
    console.send(b"systemctl start qemu-guest-agent; echo start''ed\r")
    console.expect(rb"started\r")
    run("stop", "one")
    run("rm", "one")


def main():
    tandem, guest, what = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        {"linux": linux, "replay": replay, "stop": stop}[what](tandem, guest, folder)


if __name__ == "__main__":
    main()
