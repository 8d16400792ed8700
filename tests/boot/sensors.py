#!/usr/bin/env python3
"""sensors.py TANDEM GUEST linux|replay: Linux's drivers measure with a mobile device's sensors what `tandem phone` says is around
it, and hear its fingers. `linux`: in each of their ranges, across a restart and a snapshot. `replay`: a recorded machine
measures the same again."""
import json
import os
import re
import subprocess
import sys
import tempfile

from boot import check, check_replays, run_arguments
from console import Console
from qmp import Qmp

# The magnetometer's driver gives it the name of its place.
IIO = "for d in /sys/bus/iio/devices/iio:device*; do read n <$d/name; ln -sfn $d /tmp/$n; done; ls /tmp"


class Guest:
    def __init__(self, tandem, image, control, *options):
        self.tandem, self.control = tandem, control
        self.console = Console(run_arguments(tandem, image, "drivers.cpio.gz", "console=ttyAMA0 quiet", kernel="drivers.kernel") +
                               ["--net", "none", "--device", "phone", "--qmp", f"unix:{control}", *options], 200)

    def run(self, command):
        self.console.send(f"{command}; echo status $?\r".encode())
        output = self.console.expect(rb"echo status (?s:.)*?\n((?s:.)*?)status 0\r")[1].decode()
        self.console.expect(rb"/ # ")
        return output

    def begin(self):
        self.console.expect(rb"/ # ")
        names = self.run(IIO)
        for name in ("0-000c", "bmp280", "lsm6dso_accel", "lsm6dso_gyro", "stk3310"):
            check(name in names, f"the driver of {name}: {names}")

    def phone(self, *arguments, fails=None):
        done = subprocess.run([self.tandem, "phone", f"unix:{self.control}", *arguments], capture_output=True, text=True, check=False)
        check((done.returncode == 0) == (fails is None), f"phone {arguments}: {done.stderr}")
        if fails is not None:
            check(done.stderr.count("\n") == 1 and re.search(fails, done.stderr), f"phone {arguments}: {done.stderr}")
        return done.stdout

    def measured(self, device, *channels):
        """raw * scale (+ offset) of channels, in IIO's units."""
        def read(name):
            return float(self.run(f"cat /tmp/{device}/{name}").split()[0])
        files = self.run(f"ls /tmp/{device}/").split()
        values = []
        for channel in channels:
            if f"{channel}_input" in files:
                values.append(read(f"{channel}_input"))
                continue
            scale = f"{channel}_scale" if f"{channel}_scale" in files else channel.rsplit("_", 1)[0] + "_scale"
            values.append(read(f"{channel}_raw") * (read(scale) if scale in files else 1))
        return values

    def battery(self, name):
        return self.run(f"cat /sys/class/power_supply/sbs-*/{name}").split()[0]


def near(measured, wanted, error, what):
    check(all(abs(a - b) <= error for a, b in zip(measured, wanted)), f"{what}: {measured}, not {wanted}")


def accelerated(guest):
    return guest.measured("lsm6dso_accel", *(f"in_accel_{axis}" for axis in "xyz"))


def use(guest):
    """Every sensor, at first and with something else around it."""
    near(accelerated(guest), (0, 9.80665, 0), 0.001, "upright")
    for position, wanted in (("landscape", (9.80665, 0, 0)), ("reverse-portrait", (0, -9.80665, 0))):
        guest.phone("rotate", position)
        near(accelerated(guest), wanted, 0.001, position)
    guest.phone("sensor", "acceleration", "-1.5:-2.5:12.25")
    for scale in guest.run("cat /tmp/lsm6dso_accel/in_accel_scale_available").split():
        guest.run(f"echo {scale} >/tmp/lsm6dso_accel/in_accel_scale")
        near(accelerated(guest), (-1.5, -2.5, 12.25), float(scale), f"at {scale}")
    guest.phone("sensor", "gyroscope", "0.5:-1.25:3")
    near(guest.measured("lsm6dso_gyro", *(f"in_anglvel_{axis}" for axis in "xyz")), (0.5, -1.25, 3), 0.0003, "turning")
    guest.phone("sensor", "magnetic-field", "20:-31.5:-42")
    near(guest.measured("0-000c", *(f"in_magn_{axis}" for axis in "xyz")), (0.2, -0.315, -0.42), 0.0016, "magnetic, in gauss")
    guest.phone("sensor", "pressure", "987.5")
    guest.phone("sensor", "temperature", "31.5")
    near(guest.measured("bmp280", "in_pressure"), (98.75,), 0.01, "kilopascals")
    near(guest.measured("bmp280", "in_temp"), (31500,), 20, "millidegrees")
    guest.phone("sensor", "light", "1234")
    near(guest.measured("stk3310", "in_illuminance"), (1234,), 7, "lux")
    guest.phone("sensor", "proximity", "0")
    closest = guest.run("cat /tmp/stk3310/in_proximity_raw")
    guest.phone("sensor", "proximity", "100")
    check(int(closest) > 528 > int(guest.run("cat /tmp/stk3310/in_proximity_raw")), "something was near")

    check(guest.battery("status") == "Full" and guest.battery("capacity") == "100", "a full battery")
    guest.phone("battery", "37", "discharging")
    check((guest.battery("status"), guest.battery("capacity"), guest.battery("technology")) == ("Discharging", "37", "Li-ion"),
          "it empties")
    check(int(guest.battery("current_now")) == -300_000 and int(guest.battery("charge_now")) == 1_480_000, "how much is left")
    check(2_500_000 < int(guest.battery("energy_now")) * 1 < 6_000_000, "as energy: " + guest.battery("energy_now"))
    guest.phone("battery", "38", "charging")
    check(guest.battery("status") == "Charging" and guest.battery("manufacturer") == "Tandem", "it is charged")


def touched(guest):
    """What fingers do, where a pixel says."""
    guest.run("exec 3</dev/input/event0; { cat <&3 >/tmp/touch & }; exec 3<&-")
    # The firmware's or the kernel's console shows something, on which pixels are counted.
    guest.phone("tap", "0", "0")
    guest.phone("swipe", "0", "0", "719", "1439", "100")
    guest.phone("tap", "720", "0", fails="720 0 is beyond the screen, which has 720x1440 pixels")
    events = guest.run("sleep 0.2; hexdump -v -e '24/1 \"%02x\" \"\\n\"' /tmp/touch").split()
    values = [bytes.fromhex(line)[16:] for line in events]
    places = [int.from_bytes(value[4:8], "little") for value in values if value[0:4] == bytes([3, 0, 0x35, 0])]
    ends = [value for value in values if value[0:4] == bytes([1, 0, 0x4a, 1])]
    check(places == sorted(places) and len(places) >= 5 and places[-1] == 32767, f"a swipe across: {places}")
    check([value[4] for value in ends] == [1, 0, 1, 0], f"two touches: {ends}")


def typed(guest):
    """Keys, in order, with shift where a US keyboard wants it."""
    guest.run("exec 3</dev/input/event1; { cat <&3 >/tmp/keys & }; exec 3<&-")
    guest.phone("type", "aB!")
    guest.phone("key", "ctrl", "volumeup")
    events = guest.run("sleep 0.5; hexdump -v -e '24/1 \"%02x\" \"\\n\"' /tmp/keys").split()
    values = [bytes.fromhex(line)[16:] for line in events]
    keys = [(int.from_bytes(value[2:4], "little"), value[4]) for value in values if value[0] == 1]
    a, b, one, shift, ctrl, volume_up = 30, 48, 2, 42, 29, 115 # uapi/linux/input-event-codes.h
    wanted = [(a,), (shift, b), (shift, one), (ctrl, volume_up)]
    check(keys == [event for chord in wanted for event in [*((key, 1) for key in chord), *((key, 0) for key in reversed(chord))]],
          f"what is typed: {keys}")


def play(guest, folder):
    """A script of all of it, and one that waits for what is not shown."""
    picture = os.path.join(folder, "shown.png")
    done = subprocess.run([guest.tandem, "screenshot", f"unix:{guest.control}", picture], check=False)
    check(done.returncode == 0, "a screenshot")
    for name, last, status, why in (("good", {"see": "shown.png"}, 0, ""),
                                    ("bad", {"see": "shown.png", "at": [1, 1], "within": 0.2}, 1, "step 4: .*shown.png: not seen within 0.2 s")):
        script = os.path.join(folder, f"{name}.json")
        with open(script, "w", encoding="utf-8") as file:
            json.dump([{"see": "shown.png", "within": 5}, {"do": "rotate portrait"}, {"wait": 0.1}, last, {"do": "sensor acceleration"}], file)
        done = subprocess.run([guest.tandem, "play", f"unix:{guest.control}", script], capture_output=True, text=True, check=False)
        check(done.returncode == status and re.search(why, done.stderr) and ("0:9.80665:0" in done.stdout) == (status == 0),
              f"{name}: {done.returncode} {done.stdout} {done.stderr}")


def linux(tandem, image, folder):
    control = os.path.join(folder, "qmp")
    guest = Guest(tandem, image, control, "--snapshots", folder)
    qmp = Qmp(control, 200)
    guest.begin()
    use(guest)
    touched(guest)
    typed(guest)
    play(guest, folder)
    guest.phone("sensor", "acceleration", "-1.5:-2.5:12.25")
    # A snapshot has what is measured, and the chips' own settings.
    qmp.execute("human-monitor-command", command_line="savevm here")
    guest.phone("sensor", "acceleration", "0:0:0")
    near(accelerated(guest), (0, 0, 0), 0.001, "in free fall")
    check(qmp.execute("human-monitor-command", command_line="loadvm here") == "", "loadvm")
    near(accelerated(guest), (-1.5, -2.5, 12.25), 0.003, "as it was saved")
    # In a restarted guest the world is the same.
    guest.console.send(b"reboot -f\r")
    guest.begin()
    near(accelerated(guest), (-1.5, -2.5, 12.25), 0.001, "after a restart")
    check("38" in guest.phone("sensor", "battery"), "it is told")
    for arguments, why in ((("sensor", "speed", "1"), "no such sensor; there are acceleration"),
                           (("sensor", "light", "-1"), "beyond its range; use 0 to 400000 lx"),
                           (("sensor", "acceleration", "1:2"), "2 values; give it three"),
                           (("rotate", "left"), "use portrait, landscape"), (("fly",), "no such action; use battery, key"),
                           (("tap", "1"), "give it X Y"), (("type", "\u00e9"), "US keyboard"),
                           (("key", "nokey"), "nokey"), (("battery", "101"), "beyond its range")):
        guest.phone(*arguments, fails=why)
    guest.console.send(b"poweroff -f\r")
    check(guest.console.wait() == 0, "exit status 0 after poweroff")


def replay(tandem, image, folder):
    recording = os.path.join(folder, "recording")
    guest = Guest(tandem, image, os.path.join(folder, "qmp"), "--record", recording)
    guest.begin()
    use(guest)
    guest.console.send(b"poweroff -f\r")
    check(guest.console.wait() == 0, "exit status 0 after poweroff")
    check_replays(tandem, recording, folder)


def main():
    tandem, guest, what = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        {"linux": linux, "replay": replay}[what](tandem, guest, folder)


if __name__ == "__main__":
    main()
