#!/usr/bin/env python3
"""network.py TANDEM GUEST: Debian's virtio-net driver on the user network: DHCP, a server of the host
reached at 10.0.2.2, and one of the guest through a forwarded port. Loopback only."""
import hashlib
import os
import random
import socket
import sys
import threading

from boot import check, run_arguments
from console import Console


# linux/ethtool.h: ETHTOOL_SCHANNELS, with the count of combined channels as the last field.
SET_CHANNELS = ("set_channels() { perl -MSocket -e 'socket(S, AF_INET, SOCK_DGRAM, 0); "
                "$channels = pack(\"L9\", 0x3d, 0, 0, 0, 0, 0, 0, 0, $ARGV[1]); "
                "ioctl(S, 0x8946, pack(\"a16P\", $ARGV[0], $channels)) or exit 1' $CARD $1; }")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve_once(listener, content, received):
    """Reads what the guest sends, to its end, then answers with the content."""
    connection = listener.accept()[0]
    with connection:
        while data := connection.recv(65536):
            received.update(data)
        connection.sendall(content)


def check_server(console, forwarded):
    """In: a server of the guest, which says what it hears; `forwarded` leads to its port 7777."""
    console.send(b"perl -MIO::Socket::INET -e '$l=IO::Socket::INET->new(LocalPort=>7777,Listen=>1,ReuseAddr=>1); "
                 b"print \"LISTEN\".\"S\\n\"; $c=$l->accept; $c->autoflush(1); $_=<$c>; print $c \"heard $_\"; close $c'\r")
    console.expect(rb"LISTENS")
    with socket.create_connection(("127.0.0.1", forwarded), timeout=60) as client:
        client.sendall(b"hello\n")
        check(client.makefile().readline() == "heard hello\n", "the host reached the guest's server")


def main():
    tandem, guest = sys.argv[1:]
    content = random.Random(1).randbytes(3 << 20)
    received = hashlib.sha256()
    listener = socket.create_server(("127.0.0.1", 0))
    server = threading.Thread(target=serve_once, args=(listener, content, received), daemon=True)
    server.start()
    forwarded = free_port()
    console = Console(run_arguments(tandem, guest, "initrd", "root=/dev/vda rw console=ttyAMA0 quiet") +
                      ["--disk", os.path.join(guest, "disk.img") + ",format=raw,snapshot",
                       "--net", f"user,queues=4,hostfwd=tcp:127.0.0.1:{forwarded}-:7777"], 400)
    console.expect(rb"login:")
    console.send(b"root\r")
    console.expect(rb"# ")
    console.send(b"printf '[Match]\\nType=ether\\n[Network]\\nDHCP=yes\\n' >/etc/systemd/network/a.network; "
                 b"systemctl start systemd-networkd; /lib/systemd/systemd-networkd-wait-online --timeout=60; "
                 b"ip -4 -o addr show scope global; echo lease=$?\r")
    console.expect(rb"inet 10\.0\.2\.15/24")
    console.expect(rb"lease=0")
    console.expect(rb"# ")

    # Linux takes as many pairs of queues as there are CPUs; ethtool -L does what set_channels does.
    console.send(b"CARD=$(ls /sys/class/net | grep -v lo); ls -d /sys/class/net/$CARD/queues/rx-* | wc -l\r")
    console.expect(rb"[\r\n]2\r")
    console.send(SET_CHANNELS.encode() + b"\r")
    for pairs in (1, 4, 2):
        console.send(f"set_channels {pairs} && ls -d /sys/class/net/$CARD/queues/rx-* | wc -l\r".encode())
        console.expect(f"[\r\n]{pairs}\r".encode())
    console.send(b"set_channels 5 || echo ref''used\r")
    console.expect(rb"refused")

    # Out: 3 MiB each way, past the segments' size, over checksums that the device completes.
    console.send(b"head -c 3M /dev/urandom >/sent; sha256sum /sent; exec 3<>/dev/tcp/10.0.2.2/" +
                 str(listener.getsockname()[1]).encode() +
                 b"; perl -MSocket -e 'open(F,\"/sent\"); binmode F; open(S,\"+<&=3\"); $/=\\65536; "
                 b"while(<F>){syswrite(S,$_)} shutdown(S,1); while(sysread(S,$b,65536)){print $b}' "
                 b">/got; exec 3>&-; sha256sum /got\r")
    sent = console.expect(rb"([0-9a-f]{64})  /sent")[1].decode()
    got = console.expect(rb"([0-9a-f]{64})  /got")[1].decode()
    server.join(60)
    check(got == hashlib.sha256(content).hexdigest(), "the guest got what the host's server sent")
    check(sent == received.hexdigest(), "the host's server got what the guest sent")
    console.expect(rb"# ")

    check_server(console, forwarded)
    console.expect(rb"# ")
    # IPv6 by router advertisement, which comes when it comes.
    console.send(b"until ip -6 -o addr show scope site | grep fec0; do sleep 1; done; echo errors="
                 b"$(dmesg --level=err,crit,alert,emerg | grep -ci virtio)\r")
    console.expect(rb"fec0::[0-9a-f:]+")
    console.expect(rb"errors=0")
    console.expect(rb"# ")
    console.send(b"poweroff\r")
    check(console.wait() == 0, "exit status 0 after poweroff")


if __name__ == "__main__":
    main()
