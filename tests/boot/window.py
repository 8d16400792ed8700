#!/usr/bin/env python3
"""window.py TANDEM GUEST: windows (--display sdl) on a desktop without a screen have what a screenshot has, pixel for pixel; keys, the
pointer and the wheel are as Linux hears them; a mouse is grabbed; closing presses the power key, then ends the machine, which the end of
the desktop does not."""
import os
import subprocess
import sys
import tempfile

from boot import check
from desktop import Desktop
import input as hands
import screen
import vnc


class Guest(vnc.Guest):
    def __init__(self, tandem, image, folder, kinds, display="sdl"):
        super().__init__(tandem, image, folder, kinds, "", "--display", display, "--name", "guest")


def await_window(desktop, guest):
    window = desktop.window_named("guest")
    screen.await_picture(lambda: (desktop.shot(window), guest.shot()), lambda both: both[0] == both[1], "the window's picture")
    return window


def tablet(tandem, image, folder, desktop):
    guest = Guest(tandem, image, folder, ["keyboard", "tablet"])
    guest.hear()
    guest.run("printf '\\033[2J\\033[?25l' >/dev/tty0; for i in $(seq 20); do echo 'Linux writes on the screen'; done >/dev/tty0")
    window = await_window(desktop, guest)
    desktop.hands("windowfocus", "--sync", window)
    desktop.hands("mousemove", "--window", window, str(screen.WIDTH - 1), "0", "click", "1")
    desktop.hands("keydown", "a", "keyup", "a")
    heard = guest.heard("Keyboard", 4)
    check(heard == [(hands.EV_KEY, hands.KEY_A, 1), hands.SYN, (hands.EV_KEY, hands.KEY_A, 0), hands.SYN], f"a key: {heard}")
    desktop.hands("click", "4")
    guest.run("until hexdump -v -e '24/1 \"%02x\" \"\\n\"' /tmp/Tablet | grep -q 020008000100; do sleep 0.1; done")
    heard = guest.run("hexdump -v -e '24/1 \"%02x\" \"\\n\"' /tmp/Tablet; echo e''nd", rb"(?s:.)*?\nend\r")[0].decode()
    check("0300" "0000" "ff7f0000" in heard and "0100" "1001" "01000000" in heard and "0100" "1001" "00000000" in heard,
          f"the tablet: {heard}")
    check(desktop.run("xdotool", "getwindowname", window).strip() == b"guest", "the title")
    guest.qmp.execute("stop")
    screen.await_picture(lambda: desktop.run("xdotool", "getwindowname", window).strip(), lambda name: name == b"guest (paused)", "the title")
    guest.qmp.execute("cont")
    # To the guest as well: nothing listens there that would shut it down.
    close(desktop, window)
    guest.qmp.expect("POWERDOWN")
    guest.run("echo still here", rb"still here")
    close(desktop, window)
    check(guest.console.wait() == 0, "exit status 0 after the second time")


def close(desktop, window):
    """As a window manager does it."""
    desktop.run(sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "close_window.py"), window)


def mouse(tandem, image, folder, desktop):
    guest = Guest(tandem, image, folder, ["mouse"], "sdl,scale=1")
    guest.hear()
    window = await_window(desktop, guest)
    desktop.hands("windowfocus", "--sync", window)
    desktop.hands("mousemove", "--window", window, "300", "300", "click", "1") # grabs it, and is not the guest's
    desktop.hands("mousemove_relative", "--", "-7", "0", "click", "1")
    heard = guest.heard("Mouse", 6)
    check(heard == [(hands.EV_REL, hands.REL_X, -7), hands.SYN, (hands.EV_KEY, hands.BTN_LEFT, 1), hands.SYN,
                    (hands.EV_KEY, hands.BTN_LEFT, 0), hands.SYN], f"the mouse: {heard}")
    guest.end()


def loss(tandem, image, folder):
    """A desktop that ends takes no machine with it."""
    with Desktop(screen.WIDTH + 200, screen.HEIGHT + 200) as desktop:
        os.environ["DISPLAY"] = desktop.environment["DISPLAY"]
        guest = Guest(tandem, image, folder, ["keyboard", "tablet"])
        guest.hear()
        desktop.window_named("guest")
    guest.console.expect(rb"tandem: --display sdl: the desktop has gone; the machine goes on without a window")
    guest.console.send(b"\r")
    guest.console.expect(rb"/ # ")
    guest.run("for i in $(seq 20); do echo 'Linux writes on' >/dev/tty0; done; echo still here", rb"still here")
    guest.end()


def refused(tandem, image):
    kernel = os.path.join(image, "drivers.kernel")
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    for change in ({"DISPLAY": ":9999", "SDL_VIDEODRIVER": "x11"}, {"SDL_VIDEODRIVER": "x11"}, {"SDL_VIDEODRIVER": "none"}):
        done = subprocess.run([tandem, "run", "--kernel", kernel, "--net", "none", "--timeout", "20", "--display", "sdl"], text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, env=environment | change, timeout=60, check=False)
        lines = done.stderr.splitlines()
        check(done.returncode == 1 and len(lines) == 1 and lines[0].startswith("tandem: --display sdl: ") and "DISPLAY" in lines[0],
              f"{change}: {done.returncode}: {done.stderr}")


def main():
    tandem, guest = sys.argv[1:]
    refused(tandem, guest)
    with tempfile.TemporaryDirectory() as folder, Desktop(screen.WIDTH + 200, screen.HEIGHT + 200) as desktop:
        os.environ["DISPLAY"] = desktop.environment["DISPLAY"]
        tablet(tandem, guest, folder, desktop)
        mouse(tandem, guest, folder, desktop)
    with tempfile.TemporaryDirectory() as folder:
        loss(tandem, guest, folder)


if __name__ == "__main__":
    main()
