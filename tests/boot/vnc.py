#!/usr/bin/env python3
"""vnc.py TANDEM GUEST linux|touch|replay|hostile|refused: VNC clients see what a guest draws and it hears what they do. `linux`: several
clients at once, Debian's among them, have the picture that a screenshot has; keys, a tablet, another size. `touch`: the
left button is a finger, another machine's a mouse. `replay`: all that is recorded. `hostile`: garbage, half of a handshake, many clients, wrong
passwords; the machine and a client go on. `refused`: what the command line cannot serve."""
import contextlib
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

from boot import check, check_replays
from console import Console
from desktop import Desktop, contains
from picture import read_ppm
from qmp import Qmp
from rfb import EXTENDED_SIZE, RAW, Refused, Rfb
import input as hands
import screen


def free_number():
    """A display whose port nobody has; Debian's clients know those below 100."""
    while True:
        number = random.randrange(20, 100)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", 5900 + number))
                return number


class Guest(hands.Guest):
    """Linux, which hears input devices of these kinds."""

    def __init__(self, tandem, image, folder, kinds, display, *options):
        self.kinds, self.number = kinds, free_number()
        inputs = [word for kind in kinds for word in ("--input", kind)]
        control = os.path.join(folder, f"qmp{self.number}")
        self.console = Console(hands.run_arguments(tandem, image, "drivers.cpio.gz", "console=ttyAMA0 quiet", kernel="drivers.kernel")
                               + ["--net", "none", "--screen", f"{screen.WIDTH}x{screen.HEIGHT}", "--qmp", f"unix:{control}", *inputs,
                                  "--display", f"vnc={self.number}{display}", *options], 300)
        self.qmp = Qmp(control, 300)
        self.path = os.path.join(folder, "shot.ppm")
        self.console.expect(rb"/ # ")
        self.console.send(b"\r")

    def port(self):
        return 5900 + self.number

    def hear(self):
        names = dict(zip(hands.KINDS, hands.NAMES))
        self.listen([names[kind] for kind in self.kinds])

    def shot(self):
        """Nothing before the driver is there, which is a moment after the shell."""
        if self.qmp.execute("x-query-screens")[0]["width"] == 0:
            return None
        self.qmp.execute("screendump", filename=self.path)
        return read_ppm(self.path)


def await_same(client, guest, what):
    """Until the client has the picture that a screenshot has."""
    deadline = time.monotonic() + 60
    while client.picture() != guest.shot():
        check(time.monotonic() < deadline, what)
        client.request()
        client.message()


def answer_to_size(client, width, height):
    """What the server says of this size."""
    client.status = None
    client.ask_for_size(width, height)
    while client.status is None:
        client.request()
        client.message()
    return client.status


def snapshot_with(tool, guest, folder):
    """The picture that one of Debian's clients takes."""
    path = os.path.join(folder, "snapshot.jpg")
    done = subprocess.run([tool, "-quality", "100", f"127.0.0.1:{guest.number}", path], capture_output=True, text=True, timeout=60,
                          check=False)
    check(done.returncode == 0 and os.path.getsize(path) > 1000, f"{tool}: {done.stderr}")
    with open(path, "rb") as file:
        data = file.read()
    at = data.index(b"\xff\xc0") # the start of a frame: length, precision, height, width
    height, width = struct.unpack(">HH", data[at + 5:at + 9])
    check((width, height) == (screen.WIDTH, screen.HEIGHT), f"{tool}: {width}x{height}")


def linux(tandem, image, folder):
    guest = Guest(tandem, image, folder, ["keyboard", "tablet"], "")
    guest.hear()
    first = Rfb(guest.port(), encodings=(RAW, EXTENDED_SIZE, -258))
    check((first.width, first.height) == (screen.WIDTH, screen.HEIGHT), f"{first.width}x{first.height}")
    first.request(incremental=False)
    first.message()
    second = Rfb(guest.port(), encodings=(RAW,))
    guest.run("printf '\\033[2J\\033[?25l' >/dev/tty0")
    guest.run("for i in $(seq 20); do echo 'Linux writes on the screen'; done >/dev/tty0")
    second.request(incremental=False)
    second.message()
    for client in (first, second):
        await_same(client, guest, "the console's text")
    check(screen.lit(first.picture()) > 5000, "there is text")

    # Only what has changed.
    first.received = 0
    first.request()
    guest.run("printf '\\033[1;1Hx' >/dev/tty0")
    first.message()
    await_same(first, guest, "one letter")
    check(0 < first.received < screen.WIDTH * screen.HEIGHT // 4, f"{first.received} pixels for one letter")

    info = guest.qmp.execute("query-vnc")
    check(info["enabled"] and info["auth"] == "none" and info["service"] == str(guest.port()) and info["host"] == "127.0.0.1", str(info))
    check(sorted(each["service"] for each in info["clients"]) ==
          sorted(str(client.socket.getsockname()[1]) for client in (first, second)), str(info))

    check(first.has_keys and not second.has_keys, "QEMU's key events are offered to who asks")
    first.qemu_key(ord("a"), 0x1d, True)   # the number, and not the keysym, says it: control
    first.qemu_key(ord("a"), 0x1d, False)
    second.key(ord("c"), True)
    second.key(ord("c"), False)
    second.key(0xff0d, True)
    second.close() # and lets it go
    heard = guest.heard("Keyboard", 12)
    keys = [(code, value) for kind, code, value in heard if kind == hands.EV_KEY]
    check(sorted(keys) == sorted([(hands.KEY_LEFTCTRL, 1), (hands.KEY_LEFTCTRL, 0), (hands.KEY_C, 1), (hands.KEY_C, 0),
                                  (hands.KEY_ENTER, 1), (hands.KEY_ENTER, 0)]), f"keys: {heard}")
    first.pointer(1, screen.WIDTH - 1, 0)
    first.pointer(8, screen.WIDTH - 1, screen.HEIGHT - 1)
    heard = guest.heard("Tablet", 7)
    check(heard == [(hands.EV_ABS, hands.ABS_X, 32767), (hands.EV_KEY, hands.BTN_LEFT, 1), hands.SYN,
                    (hands.EV_ABS, hands.ABS_Y, 32767), (hands.EV_KEY, hands.BTN_LEFT, 0), (hands.EV_REL, hands.REL_WHEEL, 1), hands.SYN],
          f"the tablet: {heard}")

    if shutil.which("vncsnapshot"):
        snapshot_with("vncsnapshot", guest, folder)
    if shutil.which("xtigervncviewer") and shutil.which("Xvfb") and shutil.which("xwd"):
        with Desktop(screen.WIDTH + 200, screen.HEIGHT + 200) as desktop:
            viewer = desktop.start("xtigervncviewer", "-Shared", "-SecurityTypes", "None", "-AutoSelect=0", "-NoJpeg", f"127.0.0.1:{guest.number}")
            screen.await_picture(lambda: (desktop.shot(), guest.shot()), lambda both: contains(*both), "TigerVNC's window")
            viewer.terminate()
            viewer.wait()
    # Sizes: the card hears of them; this guest's console has none that fits, and goes dark.
    for size, status in (((10, 10), 3), ((screen.WIDTH, screen.HEIGHT), 0), ((1440, 900), 4)):
        check(answer_to_size(first, *size) == status, f"{size}: {first.status}")
    screen.Guest.await_width(guest, 1, 1440)
    guest.end()


def touch(tandem, image, folder):
    guest = Guest(tandem, image, folder, ["touch"], "")
    guest.hear()
    client = Rfb(guest.port())
    client.pointer(0, 1, 1)
    client.pointer(1, 0, screen.HEIGHT - 1)
    client.pointer(1, screen.WIDTH - 1, screen.HEIGHT - 1)
    client.close()
    heard = guest.heard("MultiTouch", 11)
    check((hands.EV_KEY, hands.BTN_TOUCH, 1) in heard and heard[-2:] == [(hands.EV_KEY, hands.BTN_TOUCH, 0), hands.SYN] and
          (hands.EV_ABS, hands.ABS_MT_X, 32767) in heard and (hands.EV_ABS, hands.ABS_MT_Y, 32767) in heard, f"a finger: {heard}")
    guest.end()
    guest = Guest(tandem, image, folder, ["mouse"], "")
    guest.hear()
    client = Rfb(guest.port())
    client.pointer(0, 100, 100)
    client.pointer(0, 95, 100)
    check(guest.heard("Mouse", 2) == [(hands.EV_REL, hands.REL_X, -5), hands.SYN], "the mouse")
    guest.end()


def replay(tandem, image, folder):
    """A recorded machine hears the same again, and hashes as it did whatever was shown to whom."""
    recording = os.path.join(folder, "recording")
    guest = Guest(tandem, image, folder, ["keyboard", "tablet"], "", "--record", recording)
    guest.hear()
    with contextlib.closing(Rfb(guest.port(), encodings=(RAW, EXTENDED_SIZE))) as client:
        client.request(incremental=False)
        client.message()
        client.key(ord("a"), True)
        client.pointer(1, 5, 5)
        # All is heard once this is answered; who leaves before takes what is on the way along.
        check(answer_to_size(client, 1440, 900) in (0, 4), "the size")
    check(guest.heard("Keyboard", 4)[0] == (hands.EV_KEY, hands.KEY_A, 1), "the keyboard")
    screen.Guest.await_width(guest, 1, 1440)
    guest.end()
    check_replays(tandem, recording, folder)


def converse(port, parts, wait=0.2):
    """Sends the parts, with what the server says in between; returns all that it says."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.settimeout(wait)
        for part in (*parts, b""):
            with contextlib.suppress(OSError):
                said += client.recv(4096)
            try:
                client.sendall(part)
            except OSError:
                break
        with contextlib.suppress(OSError):
            while data := client.recv(4096):
                said += data
    return said


VERSION = b"RFB 003.008\n"
# What follows a password, of whoever has none: each must be shown nothing.
BURGLARS = [
    [VERSION, b"\1", b"\1"],                                  # another kind of security
    [VERSION, b"\0", b"\1"], [VERSION, b"\x13", b"\1"], [VERSION, b"\x10", b"\1"],
    [VERSION, b"\2", bytes(16), b"\1"],                       # a wrong response
    [VERSION, b"\2", bytes(16) + b"\1" + b"\3\0" + bytes(8)],
    [b"RFB 003.003\n", bytes(16), b"\1"], [b"RFB 003.003\n", b"\1"], [b"RFB 003.007\n", b"\1", b"\1"],
    [b"RFB 003.889\n", b"\1", b"\1"], [b"RFB 003.889\n", b"\x1e", b"\1"],
    [b"RFB 999.999\n", b"\1"], [b"RFB 003.00", b"8"], [b"\1" * 4096],
    [VERSION + b"\2" + bytes(16) + b"\1"],
]
WEB = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" \
      b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: binary\r\nOrigin: http://evil.example\r\n\r\n"


def odd_messages(chance):
    """What a client that was let in may send."""
    yield struct.pack(">BxxxI", 6, 0x7fffffff) + bytes(1000)          # text to cut
    yield struct.pack(">BxxxI", 6, 0xffffffff) + bytes(1000)
    yield struct.pack(">BxxxI", 6, (1 << 20) + 1)
    yield struct.pack(">BxxxI", 6, 1 << 20) + bytes(1 << 20)
    yield struct.pack(">BxH", 2, 0xffff) + chance.randbytes(4 * 0xffff)
    yield struct.pack(">BxHi", 2, 1, -1063131698) + struct.pack(">Bxxxi", 6, -8) + bytes(8)
    for pixels in (bytes(16), bytes(range(16)), b"\xff" * 16, struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 0, 0, 0, 255, 255, 255)):
        yield b"\0xxx" + pixels + struct.pack(">BBHHHH", 3, 0, 0, 0, 800, 600)
    for scale in (0, 1, 2, 7, 255):                                    # UltraVNC's
        yield bytes([8, scale, 0, 0]) + struct.pack(">BBHHHH", 3, 0, 0, 0, 65535, 65535)
        yield bytes([15, scale, 0, 0]) + struct.pack(">BBHHHH", 3, 1, 700, 500, 65535, 65535)
    yield struct.pack(">BxHHBx", 251, 800, 600, 255) + bytes(16 * 255) # 255 screens
    yield struct.pack(">BxHHBx", 251, 0, 0, 0)
    yield struct.pack(">BBBxII", 7, 3, 0, 100, 0xffffffff) + bytes(100) # files
    yield struct.pack(">BBBxII", 7, 10, 3, 0, 4) + b"/etc"
    yield struct.pack(">BxxxI", 11, 0xfffffff0) + bytes(100)           # chat
    yield struct.pack(">BxBB", 250, 1, 2)                              # power
    yield b"\xff\0\0\1" + b"\xff" * 8
    yield b"\xff\7" + bytes(10)
    yield b"\5\xff" + b"\xff" * 4 + b"\4\1xx" + b"\xff" * 4
    yield b"\xfe" * 100
    for _ in range(60):
        yield bytes([chance.choice((0, 2, 3, 4, 5, 6, 7, 8, 10, 11, 15, 150, 248, 250, 251, 255))]) + chance.randbytes(chance.randrange(400))


def hostile(tandem, image, folder):
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    chance = random.Random(seed)
    print(f"SEED={seed}")
    secret = os.path.join(folder, "secret")
    with open(secret, "w", encoding="ascii") as file:
        file.write("pa55word\n")
    guest = Guest(tandem, image, folder, ["keyboard"], f",password-file={secret}")
    port, password = guest.port(), "pa55word"

    def look(client):
        client.request(incremental=False)
        client.message()
        await_same(client, guest, f"seed {seed}")
    friend = Rfb(port, password)
    look(friend)

    for burglar in BURGLARS:
        said = converse(port, burglar)
        check(b"Tandem" not in said and len(said) < 200, f"{burglar}: {said}")
    for wrong in ("", "pa55wor", "PA55WORD"):
        try:
            Rfb(port, wrong)
            check(False, f"password {wrong!r}")
        except Refused:
            pass
    try:
        Rfb(port)
        check(False, "no password")
    except Refused:
        pass
    with socket.create_connection(("127.0.0.1", port), timeout=10) as browser:
        browser.sendall(WEB)
        with contextlib.suppress(ConnectionError):
            check(browser.recv(100) == b"", "a browser gets an answer")
    check(len(guest.qmp.execute("query-vnc")["clients"]) == 1, "one client has been let in")
    guest.qmp.execute("change-vnc-password", password="other")
    try:
        Rfb(port, password)
        check(False, "the old password")
    except Refused:
        pass
    guest.qmp.execute("set_password", protocol="vnc", password=password)

    # More than there is room for, of which none says anything, or half of it.
    silent = []
    for i in range(150):
        silent.append(socket.create_connection(("127.0.0.1", port), timeout=30))
        if i % 3 == 0:
            silent[-1].sendall(VERSION[:i % 12])
    begin = time.monotonic()
    with contextlib.closing(Rfb(port, password)) as client:
        look(client)
    check(time.monotonic() - begin < 10, f"{time.monotonic() - begin} s to get in")
    look(friend)
    for client in silent:
        client.close()

    # Fifty at once that are let in, some of which read nothing.
    crowd = [Rfb(port, password) for _ in range(50)]
    for client in crowd:
        client.request(incremental=False)
    for client in crowd[::2]:
        client.message()
    await_same(crowd[0], guest, "one of fifty")
    check(len(guest.qmp.execute("query-vnc")["clients"]) == 51, "fifty and one")
    for client in crowd:
        client.close()

    for message in odd_messages(chance):
        with contextlib.suppress(OSError):
            client = Rfb(port, password)
            client.socket.sendall(message)
            client.request(incremental=False)
            client.socket.settimeout(0.05)
            client.socket.recv(1 << 16)
            client.close()
    look(friend)
    with contextlib.closing(Rfb(port, password)) as client:
        look(client)
    guest.run("echo still here", rb"still here")
    deadline = time.monotonic() + 60
    while len(guest.qmp.execute("query-vnc")["clients"]) != 1:
        check(time.monotonic() < deadline, "who left is forgotten")
        time.sleep(0.1)
    guest.end()


def refused(tandem, image, folder):
    kernel = os.path.join(image, "drivers.kernel")

    def run(display, *words, environment=None):
        done = subprocess.run([tandem, "run", "--kernel", kernel, "--net", "none", "--timeout", "20", "--display", display],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment, timeout=60, check=False)
        lines = done.stderr.splitlines()
        check(done.returncode in (1, 2) and len(lines) == 1 and lines[0].startswith("tandem: ") and all(word in lines[0] for word in words),
              f"{display}: {done.returncode}: {done.stderr}")
    with socket.socket() as other:
        number = free_number()
        other.bind(("127.0.0.1", 5900 + number))
        other.listen()
        run(f"vnc={number}", "in use", "another port")
    run("vnc=203.0.113.1:5", "203.0.113.1", "another port")
    run("vnc=no.such.host.invalid:5", "no.such.host.invalid", "check the address")
    run("vnc=70000", "--display vnc=70000", "59635")
    run("vnc=tree", "--display vnc=tree", "vnc=ADDR:N")
    run("vnc,head=1", "head=1", "use 0 to 0")
    run("fax", "--display fax", "vnc")
    files = {"empty": b"", "line": b"\nsecret\n", "long": b"123456789\n", "zero": b"a\0b\n"}
    for name, content in files.items():
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(content)
        run(f"vnc,password-file={path}", name)
    run(f"vnc,password-file={folder}/absent", "absent", "No such file")
    run(f"vnc,password-file={folder}", folder)


def main():
    tandem, guest, what = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        {"linux": linux, "touch": touch, "replay": replay, "hostile": hostile, "refused": refused}[what](tandem, guest, folder)


if __name__ == "__main__":
    main()
