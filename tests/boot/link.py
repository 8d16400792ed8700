#!/usr/bin/env python3
"""link.py TANDEM GUEST: Debian behind a network link that is slow, long, broken and whole again, changed while it runs."""
import os
import socket
import sys
import tempfile
import threading

from agent import log_in
from boot import check, run_arguments
from console import Console
from qmp import Qmp

LARGE = 1 << 20


def serve(listener):
    """A word is answered with a word, `large` with a mebibyte."""
    while True:
        peer = listener.accept()[0]
        with peer:
            peer.sendall(b"x" * LARGE if peer.makefile("rb").readline() == b"large\n" else b"word\n")


def main():
    tandem, guest = sys.argv[1:]
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        control = os.path.join(folder, "qmp")
        console = Console(run_arguments(tandem, guest, "initrd", "root=/dev/vda rw console=ttyAMA0 quiet") +
                          ["--disk", os.path.join(guest, "disk.img") + ",format=raw,snapshot", "--qmp", f"unix:{control}",
                           "--net", "user,latency=50,jitter=5"], 500)
        qmp = Qmp(control, 300)
        log_in(console)
        console.send(b"ip link set eth0 up 2>/dev/null; N=$(ls /sys/class/net | grep -v lo); ip link set $N up; "
                     b"ip addr add 10.0.2.15/24 dev $N; echo u''p\r")
        console.expect(rb"up\r")
        host = f"/dev/tcp/10.0.2.2/{port}".encode()
        console.send(b"ask() { s=$(date +%s%N); (exec 3<>" + host + b" && echo $1 >&3 && cat <&3 | wc -c); r=$?; "
                     b"e=$(date +%s%N); echo \"$r took $(((e - s) / 1000000)) ms\"; }; ask warm\r")
        console.expect(rb"took \d+ ms\r")

        def ask(what, size):
            """How many milliseconds of the guest's time an answer takes."""
            console.send(b"ask " + what + b"\r")
            check(int(console.expect(rb"\n(\d+)\s+\d+ took")[1]) == size, f"an answer of {size} bytes to {what}")
            return int(console.expect(rb" (\d+) ms\r")[1])

        # Opening the connection is one way there and back, the answer another.
        slow = ask(b"word", 5)
        check(190 <= slow <= 1000, f"two ways there and back at 50 ms each take {slow} ms")
        qmp.execute("x-set-link", settings="profile=none")
        fast = min(ask(b"word", 5) for _ in range(5))
        check(fast < 150, f"unshaped they take {fast} ms")
        qmp.execute("human-monitor-command", command_line="link down-rate=4")
        check(qmp.execute("human-monitor-command", command_line="info link") == "down-rate=4\r\n", "info link")
        took = ask(b"large", LARGE)
        check(2000 <= took <= 6000, f"a mebibyte at 4 Mbit/s takes {took} ms")
        qmp.execute("x-set-link", settings="profile=offline")
        console.send(b"timeout 2 bash -c 'exec 3<>" + host + b"'; echo fai''led $?\r")
        console.expect(rb"failed 124\r")
        qmp.execute("x-set-link", settings="profile=none")
        print(f"answers: {slow} ms with 50 ms of latency, {fast} ms without; a mebibyte at 4 Mbit/s: {took} ms")
        check(ask(b"large", LARGE) < 2000, "all is well again")
        console.send(b"poweroff\r")
        check(console.wait() == 0, "exit status 0 after poweroff")


if __name__ == "__main__":
    main()
