#!/usr/bin/env python3
"""vsock.py TANDEM GUEST linux|replay: sockets between the guest and the host. `linux`, over PCI and MMIO: programs of either
side call the other, megabytes go both ways, a slow reader holds its writer up, nobody listens, and a snapshot ends what
it cannot have. `replay`: a recorded machine that was called and that called is the same again."""
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

from agent import install, log_in
from boot import check, run_arguments
from console import Console
from qmp import Qmp


def call(path, port):
    """A connection to the guest's port, or None."""
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(120)
    peer.connect(path)
    peer.sendall(b"CONNECT %d\n" % port)
    answer = b""
    while not answer.endswith(b"\n"):
        byte = peer.recv(1)
        if not byte:
            return None
        answer += byte
    check(answer.startswith(b"OK "), f"the answer to CONNECT: {answer}")
    return peer


def listen(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.settimeout(120)
    listener.bind(path)
    listener.listen()
    return listener


def read_all(peer):
    pieces = []
    while piece := peer.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def echo(peer, data):
    sender = threading.Thread(target=lambda: (peer.sendall(data), peer.shutdown(socket.SHUT_WR)))
    sender.start()
    got = read_all(peer)
    sender.join()
    check(got == data, f"{len(data)} bytes come back, {len(got)} did")


def resident(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        anonymous = [line for line in rollup if line.startswith("Anonymous:")]
    return int(anonymous[0].split()[1]) << 10


def disks(guest):
    return ["--disk", os.path.join(guest, "disk.img") + ",format=raw,snapshot",
            "--disk", os.path.join(guest, "packages.img") + ",format=raw,readonly"]


def linux(tandem, guest, folder):
    for bus in ("pci", "mmio"):
        path, control = os.path.join(folder, "vsock"), os.path.join(folder, "qmp")
        console = Console(run_arguments(tandem, guest, "initrd", "root=/dev/vda rw console=ttyAMA0 quiet") + disks(guest) +
                          ["--bus", bus, "--vsock", f"cid=42,path={path}", "--qmp", f"unix:{control}",
                           "--snapshots", folder], 500)
        log_in(console)
        install(console, "/dev/vdb")
        console.send(b"modprobe -q vsock; socat VSOCK-LISTEN:5000,fork,backlog=32 EXEC:cat & sleep 1; echo rea''dy\r")
        console.expect(rb"ready\r")

        # The host calls.
        began = time.monotonic()
        data = os.urandom(1 << 20) * 16
        echo(call(path, 5000), data)
        print(f"{bus}: 16 MiB to the guest and back in {time.monotonic() - began:.2f} s")
        peers = [call(path, 5000) for _ in range(20)]
        for i, peer in enumerate(peers):
            echo(peer, b"%d" % i * 1000)
        check(call(path, 5001) is None, "nobody listens there")

        # The guest calls.
        with listen(path + "_52") as listener:
            console.send(b"seq 1000000 | socat -u - VSOCK-CONNECT:2:52; echo do''ne $?\r")
            expected = "".join(f"{i}\n" for i in range(1, 1000001)).encode()
            check(read_all(listener.accept()[0]) == expected, "what the guest wrote arrives")
            console.expect(rb"done 0\r")
            console.send(b"socat - VSOCK-CONNECT:2:53 </dev/null 2>/dev/null; echo do''ne $?\r")
            console.expect(rb"done 1\r")

            # Nobody reads: the writer stops, and little is held meanwhile.
            before = resident(console.pid)
            console.send(b"head -c 100000000 /dev/zero | socat -u - VSOCK-CONNECT:2:52; echo do''ne $?\r")
            peer = listener.accept()[0]
            time.sleep(3)
            check(resident(console.pid) - before < 8 << 20, "what waits is bounded")
            check(len(read_all(peer)) == 100000000, "all of it comes in the end")
            console.expect(rb"done 0\r")
        os.unlink(path + "_52")

        # A snapshot has the guest's sockets, but not the host's: they end.
        qmp = Qmp(control)
        peer = call(path, 5000)
        peer.sendall(b"x")
        check(peer.recv(1) == b"x", "an echo")
        qmp.execute("human-monitor-command", command_line="savevm sockets")
        peer.sendall(b"y")
        check(peer.recv(1) == b"y", "an echo after saving")
        answer = qmp.execute("human-monitor-command", command_line="loadvm sockets")
        check(answer == "", f"loadvm: {answer}")
        check(peer.recv(1) == b"", "the stream ends with what it belonged to")
        echo(call(path, 5000), b"again")
        console.send(b"poweroff\r")
        check(console.wait() == 0, "exit status 0 after poweroff")
        check(not os.path.exists(path), "the socket is gone")


def replay(tandem, guest, folder):
    path, recording = os.path.join(folder, "vsock"), os.path.join(folder, "recording")
    console = Console(run_arguments(tandem, guest, "initrd", "root=/dev/vda rw console=ttyAMA0 quiet") + disks(guest) +
                      ["--net", "none", "--vsock", f"path={path}", "--record", recording], 500)
    log_in(console)
    install(console, "/dev/vdb")
    console.send(b"modprobe -q vsock; socat VSOCK-LISTEN:5000,fork,backlog=32 EXEC:cat & sleep 1; echo rea''dy\r")
    console.expect(rb"ready\r")
    echo(call(path, 5000), os.urandom(300000))
    with listen(path + "_52") as listener:
        console.send(b"seq 10000 | socat -u - VSOCK-CONNECT:2:52; echo do''ne $?\r")
        read_all(listener.accept()[0])
        console.expect(rb"done 0\r")
    console.send(b"poweroff\r")
    check(console.wait() == 0, "exit status 0 after poweroff")
    done = subprocess.run([tandem, "replay", recording, "--serial", "none"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    check(done.returncode == 0, f"replay: {done.stderr}")


def main():
    tandem, guest, what = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        {"linux": linux, "replay": replay}[what](tandem, guest, folder)


if __name__ == "__main__":
    main()
