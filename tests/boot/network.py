#!/usr/bin/env python3
"""network.py TANDEM GUEST [user|passt|tap]: Debian's virtio-net driver on the user network: DHCP, a server of the host
reached at 10.0.2.2, and one of the guest through a forwarded port. On passt, where the host has an address to give: the
same, the host being the gateway. On an interface of the host, which takes root: both ways by its address. Only this host
is spoken to."""
import hashlib
import os
import random
import socket
import subprocess
import sys
import threading

from boot import check, run_arguments
from console import Console


SKIPPED = 77

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


def check_server(console, forwarded, host="127.0.0.1"):
    """In: a server of the guest, which says what it hears; `forwarded` of the host leads to its port 7777."""
    console.send(b"perl -MIO::Socket::INET -e '$l=IO::Socket::INET->new(LocalPort=>7777,Listen=>1,ReuseAddr=>1); "
                 b"print \"LISTEN\".\"S\\n\"; $c=$l->accept; $c->autoflush(1); $_=<$c>; print $c \"heard $_\"; close $c'\r")
    console.expect(rb"LISTENS")
    with socket.create_connection((host, forwarded), timeout=60) as client:
        client.sendall(b"hello\n")
        check(client.makefile().readline() == "heard hello\n", "the host reached the guest's server")


def log_in(tandem, guest, net):
    console = Console(run_arguments(tandem, guest, "initrd", "root=/dev/vda rw console=ttyAMA0 quiet") +
                      ["--disk", os.path.join(guest, "disk.img") + ",format=raw,snapshot", "--net", net], 400)
    console.expect(rb"login:")
    console.send(b"root\r")
    console.expect(rb"# ")
    return console


def get_address(console):
    """By DHCP; returns it."""
    console.send(b"printf '[Match]\\nType=ether\\n[Network]\\nDHCP=yes\\n' >/etc/systemd/network/a.network; "
                 b"systemctl start systemd-networkd; /lib/systemd/systemd-networkd-wait-online --timeout=60; "
                 b"ip -4 -o addr show scope global; echo lease=$?\r")
    address = console.expect(rb"inet ([0-9.]+)/")[1].decode()
    console.expect(rb"lease=0")
    console.expect(rb"# ")
    return address


def check_exchange(console, server, content, received):
    """The guest tells hashes of what it has sent and got; `received` is the server's."""
    sent = console.expect(rb"([0-9a-f]{64})  /sent")[1].decode()
    got = console.expect(rb"([0-9a-f]{64})  /got")[1].decode()
    server.join(60)
    check(got == hashlib.sha256(content).hexdigest(), "the guest got what the host's server sent")
    check(sent == received.hexdigest(), "the host's server got what the guest sent")
    console.expect(rb"# ")


def exchange(console, host, listen="127.0.0.1"):
    """3 MiB each way, past the segments' size, over checksums that the device completes."""
    content = random.Random(1).randbytes(3 << 20)
    received = hashlib.sha256()
    listener = socket.create_server((listen, 0))
    server = threading.Thread(target=serve_once, args=(listener, content, received), daemon=True)
    server.start()
    console.send(b"head -c 3M /dev/urandom >/sent; sha256sum /sent; exec 3<>/dev/tcp/" + host.encode() + b"/" +
                 str(listener.getsockname()[1]).encode() +
                 b"; perl -MSocket -e 'open(F,\"/sent\"); binmode F; open(S,\"+<&=3\"); $/=\\65536; "
                 b"while(<F>){syswrite(S,$_)} shutdown(S,1); while(sysread(S,$b,65536)){print $b}' "
                 b">/got; exec 3>&-; sha256sum /got\r")
    check_exchange(console, server, content, received)


def end(console):
    console.send(b"poweroff\r")
    check(console.wait() == 0, "exit status 0 after poweroff")


def user(tandem, guest):
    forwarded = free_port()
    console = log_in(tandem, guest, f"user,queues=4,hostfwd=tcp:127.0.0.1:{forwarded}-:7777")
    check(get_address(console) == "10.0.2.15", "the user network's address")

    # Linux takes as many pairs of queues as there are CPUs; ethtool -L does what set_channels does.
    console.send(b"CARD=$(ls /sys/class/net | grep -v lo); ls -d /sys/class/net/$CARD/queues/rx-* | wc -l\r")
    console.expect(rb"[\r\n]2\r")
    console.send(SET_CHANNELS.encode() + b"\r")
    for pairs in (1, 4, 2):
        console.send(f"set_channels {pairs} && ls -d /sys/class/net/$CARD/queues/rx-* | wc -l\r".encode())
        console.expect(f"[\r\n]{pairs}\r".encode())
    console.send(b"set_channels 5 || echo ref''used\r")
    console.expect(rb"refused")

    exchange(console, "10.0.2.2")
    check_server(console, forwarded)
    console.expect(rb"# ")
    # IPv6 by router advertisement, which comes when it comes.
    console.send(b"until ip -6 -o addr show scope site | grep fec0; do sleep 1; done; echo errors="
                 b"$(dmesg --level=err,crit,alert,emerg | grep -ci virtio)\r")
    console.expect(rb"fec0::[0-9a-f:]+")
    console.expect(rb"errors=0")
    console.expect(rb"# ")
    end(console)


def exchange_apart(console, host):
    """The same, a connection for each way: Debian 12's passt stalls once the guest has closed its half."""
    content = random.Random(1).randbytes(3 << 20)
    received = hashlib.sha256()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def serve():
        with listener.accept()[0] as connection:
            while data := connection.recv(65536):
                received.update(data)
        with listener.accept()[0] as connection:
            connection.sendall(content)

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    console.send(f"head -c 3M /dev/urandom >/sent; sha256sum /sent; cat /sent >/dev/tcp/{host}/{port}; "
                 f"cat </dev/tcp/{host}/{port} >/got; sha256sum /got\r".encode())
    check_exchange(console, server, content, received)


def passt(tandem, guest):
    route = subprocess.run(["ip", "-4", "route", "show", "default"], capture_output=True, text=True, check=True).stdout
    if "via" not in route:
        print("no default route: passt has nothing to give")
        sys.exit(SKIPPED)
    gateway = route.split("via ")[1].split()[0]
    forwarded = free_port()
    console = log_in(tandem, guest, f"passt,mac=52:54:00:12:34:99,hostfwd=tcp:127.0.0.1:{forwarded}-:7777")
    get_address(console)
    console.send(b"cat /sys/class/net/e*/address\r")
    console.expect(rb"52:54:00:12:34:99")
    exchange_apart(console, gateway)
    check_server(console, forwarded)
    console.expect(rb"# ")
    end(console)


def tap(tandem, guest):
    name = f"tandem{os.getpid() % 100000}"
    make = subprocess.run(["ip", "tuntap", "add", name, "mode", "tap"], capture_output=True, text=True, check=False)
    if make.returncode != 0:
        print(f"no interface can be made: {make.stderr}")
        sys.exit(SKIPPED)
    try:
        # Of those for documentation (RFC 5737).
        for command in (f"addr add 198.51.100.1/24 dev {name}", f"link set {name} up"):
            subprocess.run(["ip", *command.split()], check=True)
        console = log_in(tandem, guest, f"tap,ifname={name}")
        console.send(b"CARD=$(ls /sys/class/net | grep -v lo); ip addr add 198.51.100.2/24 dev $CARD; "
                     b"ip link set $CARD up; echo up=$?\r")
        console.expect(rb"up=0")
        exchange(console, "198.51.100.1", "198.51.100.1")
        check_server(console, 7777, "198.51.100.2")
        console.expect(rb"# ")
        done = subprocess.run([tandem, "run", "--kernel", os.path.join(guest, "kernel"), "--net", f"tap,ifname={name}"],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        check(done.returncode == 1 and "busy" in done.stderr, f"an interface is used once: {done.stderr}")
        end(console)
    finally:
        subprocess.run(["ip", "tuntap", "del", name, "mode", "tap"], check=True)


def main():
    tandem, guest, *kind = sys.argv[1:]
    {"user": user, "passt": passt, "tap": tap}[kind[0] if kind else "user"](tandem, guest)


if __name__ == "__main__":
    main()
