"""A recorded Debian with an address, and a server of the host that it fetches from."""
import socket
import threading

from console import Console


def serve(content):
    """A server that sends the content to everybody who connects: its port, and who has."""
    listener, calls = socket.create_server(("127.0.0.1", 0)), []

    def accept():
        while True:
            with listener.accept()[0] as connection:
                calls.append(connection)
                connection.sendall(content)

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1], calls


def record_online(tandem, guests, recording):
    """The console of one that is being recorded, logged in and online."""
    console = Console([tandem, "run", "--record", recording, "--stats", "--kernel", f"{guests}/kernel",
                       "--initrd", f"{guests}/initrd", "--disk", f"{guests}/disk.img,format=raw",
                       "--append", "root=/dev/vda rw console=ttyAMA0 quiet"], 300)
    console.expect(rb"login:")
    console.send(b"root\r")
    console.expect(rb"# ")
    console.send(b"printf '[Match]\\nType=ether\\n[Network]\\nDHCP=yes\\n' >/etc/systemd/network/a.network; "
                 b"systemctl start systemd-networkd; /lib/systemd/systemd-networkd-wait-online --timeout=60; echo on''line\r")
    console.expect(rb"online")
    return console
