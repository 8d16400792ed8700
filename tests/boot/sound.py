#!/usr/bin/env python3
"""sound.py TANDEM GUEST linux|sdl|replay|refused: Linux plays and records through the HD Audio controller (snd-hda-intel, and busybox by
OSS's /dev/dsp). `linux`: tones arrive in a WAV file without a gap, also across a snapshot; the guest hears those of another
file. `sdl`: a file has the place of the host's
loudspeaker, and another that of its microphone. `replay`: a recorded machine does the same again without the file. `refused`: what cannot be used."""
import array
import math
import os
import struct
import subprocess
import sys
import tempfile
import wave

from boot import check, check_replays, run_arguments
from console import Console
from qmp import Qmp

RATE = 48000  # of the files that Tandem writes
GUEST_RATE = 8000  # what /dev/dsp has when nobody asks for another: one channel of 8 bits, unsigned


PLAYED = [("the first tone", 400, 2), ("the second tone", 1000, 1)]
HEARD = ("what the guest hears", 600, 2)


def tone(frequency, rate, seconds):
    return [round(12000 * math.sin(2 * math.pi * frequency * i / rate)) for i in range(round(rate * seconds))]


def write_wav(path, rate, samples):
    with wave.open(path, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(array.array("h", samples).tobytes())


def played(path):
    """The left channel; the right one is the same."""
    with wave.open(path, "rb") as file:
        check(file.getparams()[:3] == (2, 2, RATE), f"a stereo file of 16 bits: {file.getparams()}")
        samples = array.array("h", file.readframes(file.getnframes()))
    check(samples[::2] == samples[1::2], "one channel is both")
    return samples[::2]


def power(samples, rate, frequency):
    """Goertzel's: the share of that frequency in the signal's energy, 1 for a pure tone."""
    step = 2 * math.cos(2 * math.pi * frequency / rate)
    one = two = 0.0
    for sample in samples:
        one, two = sample + step * one - two, one
    energy = sum(sample * sample for sample in samples) * len(samples) / 2
    return (one * one + two * two - step * one * two) / energy if energy else 0


def parts(samples, rate):
    """What is heard, taken apart where nothing is for 20 ms."""
    found, begin, last = [], None, 0
    for i, sample in enumerate(samples):
        if abs(sample) < 1000:
            continue
        if begin is not None and i - last > rate // 50:
            found.append(samples[begin:last + 1])
            begin = None
        begin, last = i if begin is None else begin, i
    return found + ([samples[begin:last + 1]] if begin is not None else [])


def check_tone(part, rate, frequency, seconds, what, tolerance=0.03):
    """A tone of this frequency and length, without a gap."""
    check(abs(len(part) / rate - seconds) < tolerance, f"{what}: {len(part) / rate} s long, not {seconds}")
    # The whole, too: a piece that is missing turns the phase of what follows.
    for begin, end in [(0, len(part))] + [(i, i + rate // 10) for i in range(0, len(part) - rate // 10, rate // 10)]:
        share = power(part[begin:end], rate, frequency)
        check(share > 0.95, f"{what}: {share:.3f} of {frequency} Hz at {begin / rate} s")
    longest = run = 0
    for sample in part:
        run = run + 1 if abs(sample) < 400 else 0
        longest = max(longest, run)
    check(longest < rate / frequency / 4, f"{what}: a gap of {longest} samples")


def check_parts(samples, rate, tones):
    heard = parts(samples, rate)
    check(len(heard) == len(tones), f"{len(tones)} tones: parts of {[len(part) / rate for part in heard]} s")
    for part, (what, *expected) in zip(heard, tones):
        check_tone(part, rate, *expected[:2], what, *expected[2:])


class Guest:
    def __init__(self, tandem, image, sound, *options):
        self.console = Console(run_arguments(tandem, image, "drivers.cpio.gz", "console=ttyAMA0 quiet", kernel="drivers.kernel") +
                               ["--net", "none", "--audio", sound, *options], 200)
        self.console.expect(rb"/ # ")
        # The driver looks for codecs on a thread of its own.
        self.run("i=0; while [ ! -e /dev/dsp ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); done; ls -l /dev/dsp")

    def run(self, command):
        self.console.send(f"{command}; echo status $?\r".encode())
        output = self.console.expect(rb"echo status (?s:.)*?\n((?s:.)*?)status 0\r")[1].decode()
        self.console.expect(rb"/ # ")
        return output

    def make_tone(self, name, period, seconds):
        """A square wave would have other tones, too: one period of a sine, again and again."""
        one = "".join(f"\\{round(128 + 100 * math.sin(2 * math.pi * i / period)):03o}" for i in range(period))
        self.run(f"printf '{one}' >/tmp/one; : >/tmp/{name}; for i in $(seq 100); do cat /tmp/one; done >/tmp/many; "
                 f"for i in $(seq {round(seconds * GUEST_RATE / period / 100)}); do cat /tmp/many; done >/tmp/{name}")

    def record(self, seconds):
        """What is heard in that time, as its samples."""
        self.run(f"dd if=/dev/dsp of=/tmp/heard bs={GUEST_RATE // 10} count={round(seconds * 10)} 2>/dev/null")
        lines = self.run("hexdump -v -e '32/1 \"%02x\" \"\\n\"' /tmp/heard").split()
        return [(value - 128) * 256 for value in bytes.fromhex("".join(lines))]

    def end(self):
        self.console.send(b"poweroff -f\r")
        check(self.console.wait() == 0, "exit status 0 after poweroff")


def play(guest):
    """Two tones, each of some seconds."""
    guest.make_tone("a", 20, 2)
    guest.make_tone("b", 8, 1)
    guest.run("cat /tmp/a >/dev/dsp")
    guest.run("cat /tmp/b >/dev/dsp")


def linux(tandem, image, folder):
    out, heard, control = (os.path.join(folder, name) for name in ("out.wav", "in.wav", "qmp"))
    write_wav(heard, 44100, tone(600, 44100, 4))
    guest = Guest(tandem, image, f"wav={out},in={heard}", "--qmp", f"unix:{control}", "--snapshots", folder)
    check("HDA-Intel" in guest.run("cat /proc/asound/cards"), "its driver")
    play(guest)
    check_parts(guest.record(2), GUEST_RATE, [HEARD])
    # It goes on where it was, in the middle of the tone.
    guest.console.send(b"cat /tmp/a >/dev/dsp & sleep 0.7; echo play''ing\r")
    guest.console.expect(rb"\nplaying\r")
    qmp = Qmp(control, 200)
    qmp.execute("human-monitor-command", command_line="savevm here")
    guest.run("wait; cat /tmp/b >/dev/dsp")
    check(qmp.execute("human-monitor-command", command_line="loadvm here") == "", "loadvm")
    guest.run("wait; echo again")
    guest.end()
    check_parts(played(out), RATE, [*PLAYED, *PLAYED, ("the first tone's rest", 400, 1.1, 0.5)])


def sdl(tandem, image, folder):
    """The host's devices have a clock of their own: a busy host may miss some of it."""
    out, heard = os.path.join(folder, "loudspeaker.raw"), os.path.join(folder, "microphone.raw")
    with open(heard, "wb") as file:
        for sample in tone(600, RATE, 300):
            file.write(struct.pack("<hh", sample, sample))
    os.environ.update(SDL_AUDIODRIVER="disk", SDL_DISKAUDIOFILE=out, SDL_DISKAUDIOFILEIN=heard)
    guest = Guest(tandem, image, "sdl,in=on")
    guest.make_tone("a", 20, 2)
    guest.run("cat /tmp/a >/dev/dsp")
    samples = guest.record(2)
    guest.end()
    with open(out, "rb") as file:
        loud = [part for part in parts(array.array("h", file.read())[::2], RATE) if len(part) > RATE // 10]
    check(abs(sum(map(len, loud)) / RATE - 2) < 0.4, f"a tone of 2 s: {[len(part) / RATE for part in loud]}")
    for part in loud:
        check(power(part[:RATE // 10], RATE, 400) > 0.9, "its frequency")
    clear = [power(samples[i:i + 400], GUEST_RATE, 600) > 0.9 for i in range(0, len(samples) - 400, 400)]
    check(sum(clear) > len(clear) * 2 / 3, f"what the guest hears: {clear}")
    guest = Guest(tandem, image, "sdl") # which the guest may not listen through
    check(max(map(abs, guest.record(1))) < 1000, "the microphone is closed")
    guest.end()


def replay(tandem, image, folder):
    out, again, heard, recording = (os.path.join(folder, name) for name in ("out.wav", "again.wav", "in.wav", "recording"))
    write_wav(heard, 44100, tone(600, 44100, 4))
    guest = Guest(tandem, image, f"wav={out},in={heard}", "--record", recording)
    play(guest)
    check_parts(guest.record(2), GUEST_RATE, [HEARD])
    guest.end()
    check_parts(played(out), RATE, PLAYED)
    os.remove(heard)
    check_replays(tandem, recording, folder)
    done = subprocess.run([tandem, "replay", recording, "--serial", "none", "--audio", f"wav={again}"], capture_output=True,
                          text=True, check=False)
    check(done.returncode == 0, f"replay with sound: {done.stderr}")
    check(played(again) == played(out), "it plays the same again")


def refused(tandem, image, folder):
    kernel = os.path.join(image, "kernel")
    for value, why in (("loud", "use none, sdl[,in=on] or wav="), ("wav=", "no file"), ("wav=/dev/null", "not a file"),
                       (f"wav={folder}/no/such.wav", "name a file that can be written"),
                       (f"wav={folder}/a.wav,in={folder}/none.wav", "none.wav"),
                       (f"wav={folder}/a.wav,in={kernel}", "not a WAV file")):
        done = subprocess.run([tandem, "run", "--kernel", kernel, "--audio", value], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=60)
        check(done.returncode != 0 and "--audio" in done.stderr and why in done.stderr and done.stderr.count("\n") == 1,
              f"{value}: {done.stderr}")
    os.environ["SDL_AUDIODRIVER"] = "nothing"
    done = subprocess.run([tandem, "run", "--kernel", kernel, "--audio", "sdl"], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=60)
    check(done.returncode != 0 and "loudspeaker" in done.stderr and "use --audio none" in done.stderr and done.stderr.count("\n") == 1,
          f"no loudspeaker: {done.stderr}")
    check(not os.path.exists(f"{folder}/a.wav"), "a mistyped file to hear costs none to play into")


def main():
    tandem, guest, what = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        {"linux": linux, "sdl": sdl, "replay": replay, "refused": refused}[what](tandem, guest, folder)


if __name__ == "__main__":
    main()
