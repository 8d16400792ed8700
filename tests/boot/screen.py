#!/usr/bin/env python3
"""screen.py TANDEM GUEST linux|replay, or screen.py TANDEM FIRMWARE firmware: what a guest draws is what a screenshot has. `linux`,
over PCI and MMIO: Linux's console, then pixels of the frame buffer; two screens and their EDID, another size, a snapshot.
`replay`: what a recorded machine showed is shown again. `firmware`: EDK2's text."""
import os
import subprocess
import sys
import tempfile
import time

from boot import check, check_replays, run_arguments
from console import Console
from picture import read_png, read_ppm
from qmp import Qmp

WIDTH, HEIGHT = 800, 600
# Each colour fills half of the screen: blue, green, red and nothing in memory, and as a picture has it.
DRAWN = [("\\021\\042\\063\\000", b"\x33\x22\x11"), ("\\376\\001\\100\\000", b"\x40\x01\xfe")]


class Guest:
    def __init__(self, tandem, guest, *options):
        self.console = Console(run_arguments(tandem, guest, "drivers.cpio.gz", "console=ttyAMA0 quiet",
                                             kernel="drivers.kernel") + ["--net", "none", "--screen", f"{WIDTH}x{HEIGHT}", *options], 200)
        self.console.expect(rb"/ # ")

    def run(self, command, pattern=b""):
        self.console.send(f"{command}; echo status $?\r".encode())
        return self.console.expect(pattern + rb"(?s:.)*?\nstatus 0\r")

    def draw(self, colours):
        """Fills both halves of the frame buffer."""
        half = WIDTH * HEIGHT * 2
        for colour, _ in colours:
            # Twice as long each time.
            self.run(f"printf '{colour}' >/tmp/a; for i in $(seq 18); do cat /tmp/a /tmp/a >/tmp/b; cat /tmp/b >/tmp/a; done; "
                     f"head -c {half} /tmp/a >>/tmp/drawn")
        self.run("cat /tmp/drawn >/dev/fb0; rm /tmp/drawn")

    def await_width(self, screen, width):
        """The lower eight bits of the panel's width, as its EDID has them. Linux's console keeps its size."""
        edid = f"head -c 57 /sys/class/drm/card0-Virtual-{screen}/edid | hexdump -v -e '1/1 \"%d \"' | cut -d ' ' -f 57"
        self.run(f"until [ $({edid}) = {width & 255} ]; do sleep 0.1; done")

    def end(self):
        self.console.send(b"poweroff -f\r")
        check(self.console.wait() == 0, "exit status 0 after poweroff")


def expected(colours):
    return WIDTH, HEIGHT, b"".join(pixel * (WIDTH * HEIGHT // 2) for _, pixel in colours)


def await_picture(take, is_it, what):
    """Linux flushes what is drawn a moment later."""
    deadline = time.monotonic() + 60
    while True:
        picture = take()
        if is_it(picture):
            return picture
        check(time.monotonic() < deadline, what)
        time.sleep(0.1)


def lit(picture):
    """How many pixels are not black."""
    width, height, pixels = picture
    return sum(pixels[i:i + 3] != b"\0\0\0" for i in range(0, width * height * 3, 3))


def linux(tandem, image, folder):
    for bus in ("pci", "mmio"):
        control = os.path.join(folder, bus)
        guest = Guest(tandem, image, "--screen", f"{WIDTH}x{HEIGHT}@200", "--bus", bus, "--qmp", f"unix:{control}", "--snapshots", folder)
        qmp = Qmp(control, 200)

        def png():
            path = os.path.join(folder, "shot.png")
            done = subprocess.run([tandem, "screenshot", f"unix:{control}", path], capture_output=True, text=True, check=False)
            check(done.returncode == 0, f"screenshot: {done.stderr}")
            return read_png(path)

        def ppm(head=0):
            path = os.path.join(folder, "shot.ppm")
            qmp.execute("screendump", filename=path, head=head)
            return read_ppm(path)

        guest.run("printf '\\033[2J\\033[?25l' >/dev/tty0; cat /sys/class/graphics/fb0/virtual_size", rb"800,600\r")
        await_picture(png, lambda picture: lit(picture) == 0, "an empty console")
        guest.run("for i in $(seq 20); do echo 'Linux writes on the screen'; done >/dev/tty0")
        text = await_picture(png, lambda picture: lit(picture) > 5000, "the console's text")
        check(text == ppm(), "both kinds of files have the same picture")
        guest.run("echo 0 >/sys/class/vtconsole/vtcon1/bind")
        guest.draw(DRAWN)
        await_picture(png, lambda picture: picture == expected(DRAWN), "what was drawn")

        guest.run("cat /sys/class/drm/card0-Virtual-1/status /sys/class/drm/card0-Virtual-2/status", rb"connected\s+connected")
        guest.run("head -n 1 /sys/class/drm/card0-Virtual-2/modes", rb"\n800x600\r")
        # Bytes 21 and 22 of its EDID: in centimetres.
        guest.run("head -c 23 /sys/class/drm/card0-Virtual-2/edid | hexdump -v -e '1/1 \"%d \"'; echo cm", rb" 10 8 cm\r")
        guest.run("wc -c </sys/class/drm/card0-Virtual-1/edid", rb"\n128\r")

        qmp.execute("human-monitor-command", command_line="savevm here")
        guest.draw(DRAWN[::-1])
        await_picture(ppm, lambda picture: picture == expected(DRAWN[::-1]), "the other way round")
        answer = qmp.execute("human-monitor-command", command_line="loadvm here")
        check(answer == "", f"loadvm: {answer}")
        check(ppm() == expected(DRAWN), "as it was saved")
        guest.console.send(b"\r")
        guest.draw(DRAWN[::-1])
        await_picture(ppm, lambda picture: picture == expected(DRAWN[::-1]), "and it goes on")

        qmp.execute("x-set-screen", head=1, size="1440x900")
        guest.await_width(2, 1440)
        for arguments in ({"head": 2}, {"head": -1}, {"format": "gif"}, {"filename": "/nowhere/at/all"}):
            try:
                qmp.execute("screendump", **({"filename": os.path.join(folder, "x")} | arguments))
                check(False, f"a screenshot with {arguments}")
            except RuntimeError:
                pass
        guest.end()


def replay(tandem, image, folder):
    recording, control = os.path.join(folder, "recording"), os.path.join(folder, "qmp")
    guest = Guest(tandem, image, "--record", recording, "--qmp", f"unix:{control}")
    qmp = Qmp(control, 200)
    guest.run("echo 0 >/sys/class/vtconsole/vtcon1/bind")
    guest.draw(DRAWN)
    path = os.path.join(folder, "shot.ppm")

    def take():
        qmp.execute("screendump", filename=path)
        return read_ppm(path)
    await_picture(take, lambda picture: picture == expected(DRAWN), "what was drawn")
    qmp.execute("x-set-screen", size="1440x900")
    guest.await_width(1, 1440)
    guest.end()
    check_replays(tandem, recording, folder)


def firmware(tandem, bios, folder):
    control, path = os.path.join(folder, "qmp"), os.path.join(folder, "shot.png")
    console = Console([tandem, "run", "--bios", bios, "--net", "none", "--screen", f"{WIDTH}x{HEIGHT}", "--qmp", f"unix:{control}"], 200)
    qmp = Qmp(control, 200)
    console.expect(rb"Press .*ESC.* in \d seconds")
    console.send(b"\x1b")
    console.expect(rb"Shell> ")
    qmp.execute("screendump", filename=path, format="png")
    width, height, pixels = picture = read_png(path)
    rows = [pixels[y * width * 3:(y + 1) * width * 3] for y in range(height)]
    with_text = sum(any(row) for row in rows)
    check(lit(picture) > 2000 and with_text > 50, f"text: {lit(picture)} pixels in {with_text} rows of {width}x{height}")
    qmp.execute("quit")
    check(console.wait() == 0, "exit status 0 after quit")


def main():
    tandem, guest, what = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        {"linux": linux, "replay": replay, "firmware": firmware}[what](tandem, guest, folder)


if __name__ == "__main__":
    main()
