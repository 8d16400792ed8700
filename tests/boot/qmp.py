"""A client of the control socket, written to QEMU's docs/interop/qmp-spec."""
import json
import socket
import time


class Qmp:
    def __init__(self, path, timeout=60):
        self.deadline = time.monotonic() + timeout
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(path)
                break
            except OSError:
                self.socket.close()
                if time.monotonic() > self.deadline:
                    raise
                time.sleep(0.05)
        self.socket.settimeout(timeout)
        self.file = self.socket.makefile("rb")
        self.events = []
        self.greeting = self.message()["QMP"]
        self.execute("qmp_capabilities")

    def message(self):
        line = self.file.readline()
        if not line:
            raise EOFError("the machine has closed its control socket")
        if not line.endswith(b"\r\n"):
            raise ValueError(f"a message without its end: {line!r}")
        return json.loads(line.decode("ascii"))

    def execute(self, command, **arguments):
        """The answer's return value; an error raises."""
        request = {"execute": command, "id": [command, 1]}
        if arguments:
            request["arguments"] = {name.replace("_", "-"): value for name, value in arguments.items()}
        self.socket.sendall(json.dumps(request).encode())
        while True:
            message = self.message()
            if "event" in message:
                self.events.append(message)
                continue
            if message.get("id") != request["id"]:
                raise ValueError(f"an answer to something else: {message}")
            if "error" in message:
                raise RuntimeError(f"{message['error']['class']}: {message['error']['desc']}")
            return message["return"]

    def expect(self, event):
        """Waits for that event; returns its data."""
        while True:
            for i, message in enumerate(self.events):
                if message["event"] == event:
                    del self.events[:i + 1]
                    return message.get("data")
            message = self.message()
            if "event" in message:
                self.events.append(message)
