"""A client of gdb's remote protocol, written to the gdb manual's appendix, for what gdb's own commands do not do."""
import socket


class Rsp:
    def __init__(self, address, timeout=30):
        self.socket = socket.create_connection(address, timeout)
        self.waiting = b""

    def frame(self, payload):
        return b"$" + payload + b"#%02x" % (sum(payload) & 0xff)

    def send(self, payload):
        self.socket.sendall(self.frame(payload))

    def receive(self):
        """The next packet's payload; None at the end."""
        while True:
            start = self.waiting.find(b"$")
            end = self.waiting.find(b"#", start)
            if start >= 0 and end >= 0 and len(self.waiting) >= end + 3:
                payload, checksum = self.waiting[start + 1:end], self.waiting[end + 1:end + 3]
                self.waiting = self.waiting[end + 3:]
                if sum(payload) & 0xff != int(checksum, 16):
                    raise ValueError(f"a wrong checksum: {payload!r}")
                self.socket.sendall(b"+")
                return payload
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None  # closed before our last acknowledgement was read
            if not data:
                return None
            self.waiting += data

    def ask(self, payload):
        self.send(payload)
        return self.receive()

    def interrupt(self):
        self.socket.sendall(b"\x03")
        return self.receive()

    def monitor(self, line):
        """A monitor command's answer."""
        reply = self.ask(b"qRcmd," + line.encode().hex().encode())
        return "" if reply == b"OK" else bytes.fromhex(reply.decode()).decode()

    def close(self):
        self.socket.close()
