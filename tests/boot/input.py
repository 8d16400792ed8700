#!/usr/bin/env python3
"""input.py TANDEM GUEST linux|replay: Linux's drivers for keyboards, pointers and touch screens hear what the control socket's
commands do. `linux`, over PCI and MMIO: every event that was sent, and no other; a snapshot in the middle. `replay`: a recorded
machine hears the same again, and its keyboard's lights are among what it says."""
import os
import re
import sys
import tempfile

from boot import check, check_replays, run_arguments
from console import Console
from qmp import Qmp

# uapi/linux/input-event-codes.h
EV_SYN, EV_KEY, EV_REL, EV_ABS = 0, 1, 2, 3
KEY_ENTER, KEY_A, KEY_LEFTCTRL, KEY_C, BTN_LEFT, BTN_TOUCH = 28, 30, 29, 46, 0x110, 0x14a
REL_X, REL_WHEEL = 0, 8
ABS_X, ABS_Y, ABS_MT_SLOT, ABS_MT_X, ABS_MT_Y, ABS_MT_ID = 0, 1, 0x2f, 0x35, 0x36, 0x39
KINDS = ["keyboard", "mouse", "tablet", "touch"]
NAMES = ["Keyboard", "Mouse", "Tablet", "MultiTouch"]
SYN = (EV_SYN, 0, 0)


def key(name, down):
    return {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": name}}}


def absolute(axis, value):
    return {"type": "abs", "data": {"axis": axis, "value": value}}


def touch(kind, slot, **more):
    return {"type": "mtt", "data": {"type": kind, "slot": slot, "tracking-id": 7, "axis": "x", "value": 0} | more}


class Guest:
    def __init__(self, tandem, guest, *options):
        inputs = [word for kind in KINDS for word in ("--input", kind)]
        self.console = Console(run_arguments(tandem, guest, "drivers.cpio.gz", "console=ttyAMA0 quiet",
                                             kernel="drivers.kernel") + ["--net", "none", *inputs, *options], 200)

    def run(self, command, pattern=b""):
        self.console.send(f"{command}; echo status $?\r".encode())
        found = self.console.expect(pattern + rb"(?s:.)*?\nstatus 0\r")
        self.console.expect(rb"/ # ")
        return found

    def listen(self, names=NAMES):
        """What each device tells goes to a file."""
        self.console.expect(rb"/ # ")
        self.devices = []
        for name in names:
            found = self.run(f"grep -l 'Tandem Virtio {name}' /sys/class/input/event*/device/name", rb"input/(event\d)/device")
            self.devices.append(found[1].decode())
            # Opened before anything is sent: a device tells only those that have it open.
            self.run(f"exec 3</dev/input/{self.devices[-1]}; {{ cat <&3 >/tmp/{name} & }}; exec 3<&-")

    def heard(self, name, count):
        """The first events that a device has told."""
        self.run(f"while [ $(wc -c </tmp/{name}) -lt {24 * count} ]; do sleep 0.05; done")
        text = self.run(f"hexdump -v -e '24/1 \"%02x\" \"\\n\"' /tmp/{name}; echo e''nd", rb"(?s:.)*?\nend\r")[0].decode()
        events = []
        for line in re.findall(r"\n([0-9a-f]{48})\r", text):
            data = bytes.fromhex(line)[16:] # a struct timeval comes first
            events.append((int.from_bytes(data[0:2], "little"), int.from_bytes(data[2:4], "little"),
                           int.from_bytes(data[4:8], "little", signed=True)))
        check(len(events) == count, f"{name}: {count} events: {events}")
        return events

    def end(self):
        self.console.send(b"poweroff -f\r")
        check(self.console.wait() == 0, "exit status 0 after poweroff")


def act(qmp):
    """Something with every device."""
    mice = qmp.execute("query-mice")
    check([mouse["absolute"] for mouse in mice] == [False, True, True], f"query-mice: {mice}")
    qmp.execute("send-key", keys=[{"type": "qcode", "data": "ctrl"}, {"type": "number", "data": 46}], hold_time=10)
    qmp.execute("input-send-event", events=[{"type": "rel", "data": {"axis": "x", "value": -5}},
                                            {"type": "btn", "data": {"button": "wheel-up", "down": True}}])
    qmp.execute("input-send-event", events=[absolute("x", 32767), absolute("y", 1),
                                            {"type": "btn", "data": {"button": "left", "down": True}}])
    qmp.execute("input-send-event", events=[touch("begin", 0), touch("data", 0, value=300), touch("data", 0, axis="y", value=400),
                                            touch("begin", 1, **{"tracking-id": 8}), touch("data", 1, value=500)])
    qmp.execute("input-send-event", events=[touch("end", 0), touch("end", 1)])


def verify(guest):
    check(guest.heard("Keyboard", 8) == [(EV_KEY, KEY_LEFTCTRL, 1), SYN, (EV_KEY, KEY_C, 1), SYN, (EV_KEY, KEY_C, 0), SYN,
                                         (EV_KEY, KEY_LEFTCTRL, 0), SYN], "the keyboard")
    check(guest.heard("Mouse", 3) == [(EV_REL, REL_X, -5), (EV_REL, REL_WHEEL, 1), SYN], "the mouse")
    check(guest.heard("Tablet", 4) == [(EV_ABS, ABS_X, 32767), (EV_ABS, ABS_Y, 1), (EV_KEY, BTN_LEFT, 1), SYN], "the tablet")
    heard = guest.heard("MultiTouch", 16)
    # The kernel leaves out what does not change, such as the slot that is the first one from the start.
    check(heard == [(EV_ABS, ABS_MT_ID, 7), (EV_KEY, BTN_TOUCH, 1), (EV_ABS, ABS_MT_X, 300), (EV_ABS, ABS_X, 300),
                    (EV_ABS, ABS_MT_Y, 400), (EV_ABS, ABS_Y, 400), (EV_ABS, ABS_MT_SLOT, 1), (EV_ABS, ABS_MT_ID, 8),
                    (EV_ABS, ABS_MT_X, 500), SYN, (EV_ABS, ABS_MT_SLOT, 0), (EV_ABS, ABS_MT_ID, -1),
                    (EV_ABS, ABS_MT_SLOT, 1), (EV_ABS, ABS_MT_ID, -1), (EV_KEY, BTN_TOUCH, 0), SYN], f"the touch screen: {heard}")


def linux(tandem, image, folder):
    for bus in ("pci", "mmio"):
        control = os.path.join(folder, bus)
        guest = Guest(tandem, image, "--bus", bus, "--qmp", f"unix:{control}", "--snapshots", folder)
        qmp = Qmp(control, 200)
        guest.listen()
        act(qmp)
        verify(guest)
        # From a snapshot, on whose devices something has happened already.
        qmp.execute("human-monitor-command", command_line="savevm here")
        qmp.execute("human-monitor-command", command_line="sendkey a 10")
        guest.heard("Keyboard", 12)
        answer = qmp.execute("human-monitor-command", command_line="loadvm here")
        check(answer == "", f"loadvm: {answer}")
        guest.heard("Keyboard", 8)
        qmp.execute("human-monitor-command", command_line="sendkey ret 10")
        check(guest.heard("Keyboard", 12)[8:] == [(EV_KEY, KEY_ENTER, 1), SYN, (EV_KEY, KEY_ENTER, 0), SYN],
              "the keyboard after a snapshot")
        try:
            qmp.execute("input-send-event", events=[absolute("x", 32768)])
            check(False, "a place beyond the screen")
        except RuntimeError as error:
            check("32767" in str(error), str(error))
        guest.end()


def replay(tandem, image, folder):
    recording, control = os.path.join(folder, "recording"), os.path.join(folder, "qmp")
    guest = Guest(tandem, image, "--record", recording, "--qmp", f"unix:{control}")
    qmp = Qmp(control, 200)
    guest.listen()
    act(qmp)
    verify(guest)
    # A light, by the keyboard's driver.
    guest.run("for l in /sys/class/leds/*capslock/brightness; do echo 1 >$l; done")
    guest.end()
    check_replays(tandem, recording, folder)


def main():
    tandem, guest, what = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        {"linux": linux, "replay": replay}[what](tandem, guest, folder)


if __name__ == "__main__":
    main()
