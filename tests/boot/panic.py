#!/usr/bin/env python3
"""panic.py TANDEM ROM: a guest that panics and says so; what --on-panic names happens, QMP's events tell of it, and a
recording of it replays."""
import os
import subprocess
import sys
import tempfile

from boot import check
from console import Console
from qmp import Qmp


def main():
    tandem, rom = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        def panic(action, *extra):
            """Stops at the first instruction until the client is there, so that it hears everything."""
            control = os.path.join(folder, "qmp.sock")
            console = Console([tandem, "run", "--kernel", rom, "--net", "none", "--on-panic", action, "--qmp",
                               f"unix:{control}", "-S", *extra], 200)
            qmp = Qmp(control, 200)
            qmp.execute("cont")
            check(qmp.expect("GUEST_CRASHLOADED") == {"action": "run"}, "a crash kernel is left alone")
            console.expect(rb"the guest has panicked: its crash kernel takes over")
            console.expect(rb"a crash kernel would run now")
            follows = qmp.expect("GUEST_PANICKED")["action"]
            console.expect(b"the guest has panicked: " + action.encode() + b"\r")
            return console, qmp, follows

        recording = os.path.join(folder, "run.tdr")
        for action, status, extra in (("shutdown", 0, ["--record", recording]), ("exit-failure", 1, [])):
            console, qmp, follows = panic(action, *extra)
            check(follows == "poweroff", f"{action}: the event tells of the end")
            check(qmp.expect("SHUTDOWN") == {"guest": True, "reason": "guest-panic"}, f"{action}: so does the end's own")
            check(console.wait() == status, f"{action}: exit status {status}")
            check(b"PASS" not in console.output, f"{action}: the guest does not go on")

        # A flight recorder writes a file at each of the two.
        for action, status in (("exit-failure", 1), ("none", 0)):
            flight = os.path.join(folder, action)
            console, _, _ = panic(action, "--record", flight, "--record-ring", "1s")
            check(console.wait() == status, f"{action}: exit status {status}")
            for file, said, ends in ((flight, "its crash kernel takes over", 0),
                                     (flight + ".2", action, 6 if status else 0)):
                check(f"the guest has panicked: {file} has the last ".encode() in console.output, f"{file} is written")
                done = subprocess.run([tandem, "replay", file, "--serial", "none"], capture_output=True, text=True,
                                      stdin=subprocess.DEVNULL, check=False)
                check(done.returncode == ends and f"panicked: {said}" in done.stderr, f"{file}: {done.stderr}")

        console, qmp, follows = panic("pause")
        check(follows == "pause", "the event tells of the pause")
        qmp.expect("STOP")
        check(qmp.execute("query-status") == {"running": False, "status": "paused"}, "the machine stands still")
        qmp.execute("cont")
        console.expect(rb"PASS panic")
        check(console.wait() == 0, "exit status 0 after power-off")

        console, _, follows = panic("none", "--deterministic")
        check(follows == "run", "the event tells that nothing follows")
        console.expect(rb"PASS panic")
        check(console.wait() == 0, "exit status 0 after power-off")

        for tier in ("t1", "auto"):
            done = subprocess.run([tandem, "replay", recording, "--tier", tier, "--serial", "none"], capture_output=True,
                                  text=True, stdin=subprocess.DEVNULL, check=False)
            check(done.returncode == 0 and "panicked: shutdown" in done.stderr, f"replay in {tier}: {done.stderr}")


if __name__ == "__main__":
    main()
