"""A desktop without a screen (Xvfb): programs on it, what they show, what hands do there."""
import os
import struct
import subprocess
import sys
import time


def read_xwd(data):
    """Width, height and the bytes of red, green, blue of a dump by xwd (XWDFile.h) with 32 bits a pixel."""
    head = struct.unpack(">25I", data[:100])
    size, width, height, bits, stride, colours = head[0], head[4], head[5], head[11], head[12], head[19]
    if bits != 32:
        raise ValueError(f"{bits} bits a pixel")
    start = size + 12 * colours
    pixels = b"".join(data[start + y * stride:start + y * stride + width * 4] for y in range(height))
    rgb = bytearray(width * height * 3)
    for colour in range(3):
        rgb[colour::3] = pixels[2 - colour::4]
    return width, height, bytes(rgb)


def rows_of(picture):
    width, height, pixels = picture
    return [pixels[y * width * 3:(y + 1) * width * 3] for y in range(height)]


def contains(shot, picture):
    """Whether the picture is somewhere in the shot, pixel for pixel; it has more than one colour."""
    rows, wanted = rows_of(shot), rows_of(picture)
    first = next(i for i, row in enumerate(wanted) if len(set(row)) > 1)
    for top in range(len(rows) - len(wanted) + 1):
        at = rows[top + first].find(wanted[first])
        if at >= 0 and all(rows[top + i][at:at + len(row)] == row for i, row in enumerate(wanted)):
            return True
    return False


class Desktop:
    def __init__(self, width, height):
        ready, write = os.pipe()
        # It picks a display that is free, and says which.
        self.server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"],
                                       pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(ready) as file:
            number = file.readline().strip()
        if not number:
            sys.exit("failed: Xvfb does not start")
        self.environment = os.environ | {"DISPLAY": f":{number}"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()

    def start(self, *command):
        return subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def run(self, *command):
        return subprocess.run(command, env=self.environment, capture_output=True, check=True, timeout=60).stdout

    def shot(self, *window):
        """Of all of it, or of a window."""
        return read_xwd(self.run("xwd", "-silent", *(("-id", *window) if window else ("-root",))))

    def window_named(self, name):
        return self.run("xdotool", "search", "--sync", "--onlyvisible", "--name", f"^{name}$").decode().split()[0]

    def hands(self, *words):
        """What xdotool is told."""
        self.run("xdotool", *words)
        time.sleep(0.1)
