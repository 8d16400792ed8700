#!/usr/bin/env python3
"""suspend.py TANDEM GUEST debian|phone [--copies N]: named machines that are suspended go on from there at their next start, once;
copies of one go on from there together. `debian`: each on its own disk; then what is refused. `phone`: the test of a user
interface, at once on copies of one phone."""
import argparse
import json
import os
import subprocess
import tempfile
import time

from boot import check
from console import Console
from named import command


class Terminal(Console):
    """At a named machine's shell."""

    def __init__(self, tandem, name):
        super().__init__([tandem, "console", name], 200)

    def log_in(self):
        self.expect(rb"login:")
        self.send(b"root\r")
        self.expect(rb"# ")
        self.send(b"stty -echo\r")

    def run(self, words):
        """What the guest says to this."""
        self.send(f"\recho \"<$({words})\"'>'\r".encode())
        return self.expect(rb"\n<([^>]*)>\r")[1].decode().replace("\r", "")

    def leave(self):
        self.send(b"\x01x")
        check(self.wait() == 0, "leaving the console")


def states(run):
    return {line.split()[0]: line.split()[1] for line in run("list").splitlines()[1:]}


def debian(tandem, guest, folder, copies):
    run = command(tandem, folder)

    def do(name, words):
        terminal = Terminal(tandem, name)
        answer = terminal.run(words)
        terminal.leave()
        return answer

    run("create", "one", f"{guest}/disk.img", "--", "--kernel", f"{guest}/kernel", "--initrd", f"{guest}/initrd",
        "--append", "root=/dev/vda rw console=ttyAMA0 quiet")
    check("is not suspended" in run("copy", "one", "a", status=1), "only a suspended one is copied")
    run("start", "one")
    terminal = Terminal(tandem, "one")
    terminal.log_in()
    terminal.run("echo of-one >/dev/shm/memory; echo of-one >/root/disk; sync; echo unsaved >>/root/disk")
    boot = terminal.run("cat /proc/sys/kernel/random/boot_id")
    terminal.leave()

    # Suspended, it goes on; what it does then stays when it is ended and boots again.
    run("suspend", "one")
    check(states(run) == {"one": "suspended"}, "it is suspended")
    check("does not run" in run("suspend", "one", status=1), "once")
    began = time.monotonic()
    run("start", "one")
    seen = do("one", "cat /proc/sys/kernel/random/boot_id /dev/shm/memory /root/disk")
    print(f"goes on and answers after {time.monotonic() - began:.2f} s", flush=True)
    check(seen == f"{boot}\nof-one\nof-one\nunsaved", f"it is the same: {seen!r}")
    check(run("snapshot", "list", "one") == "", "nothing goes back there by chance")
    check("--boot" not in run("start", "one", status=1), "it runs already")
    check("tandem suspend" in run("snapshot", "save", "one", "suspended", status=1), "the tag is not for others")
    run("suspend", "one")
    check("is suspended" in run("start", "--incoming", "one", status=1), "it is not another machine's place")
    run("snapshot", "restore", "one", "suspended")
    check(run("snapshot", "list", "one") == "", "however it was started")
    check(do("one", "cat /dev/shm/memory") == "of-one", "it is the same again")

    # Copies, all at once.
    run("suspend", "one")
    names = [f"copy{i}" for i in range(copies)]
    run("copy", "one", *names)
    check("there is a machine" in run("copy", "one", names[0], status=1), "names are unique")
    for verb in (("start", "one"), ("rm", "one"), ("snapshot", "restore", "one", "suspended")):
        check(names[0] in run(*verb, status=1), f"{verb}: its disk is theirs")
    for name in names:
        run("start", name)
    for name in names:
        do(name, f"echo of-{name} >>/root/disk; echo of-{name} >/dev/shm/memory; sync")
    for name in names:
        seen = do(name, "cat /proc/sys/kernel/random/boot_id /dev/shm/memory /root/disk")
        check(seen == f"{boot}\nof-{name}\nof-one\nunsaved\nof-{name}", f"{name} has what it wrote itself: {seen!r}")
    run("suspend", names[0])
    run("start", names[0])
    check(do(names[0], "cat /dev/shm/memory") == f"of-{names[0]}", "a copy is suspended as any machine")
    check(states(run) == {"one": "suspended", **{name: "running" for name in names}}, "all run")
    for name in names:
        run("stop", "--force", name)
        run("image", "check", os.path.join(folder, "state", "tandem", "machines", name, "disk.qcow2"))
        run("rm", name)

    # Booted, or with a snapshot that cannot be used.
    saved = os.path.join(folder, "state", "tandem", "machines", "one", "snapshots", "suspended.snapshot")
    with open(saved, "r+b") as file:
        file.truncate(os.path.getsize(saved) // 2)
    check("tandem start --boot one" in run("start", "one", status=1), "a damaged one says what helps")
    run("start", "--boot", "one")
    terminal = Terminal(tandem, "one")
    terminal.log_in()
    check(terminal.run("cat /root/disk").startswith("of-one"), "the disk is there")
    check(terminal.run("cat /proc/sys/kernel/random/boot_id") != boot, "it has booted")
    terminal.leave()
    check(run("snapshot", "list", "one") == "", "and forgotten where it was")
    run("stop", "--force", "one")
    check(states(run) == {"one": "stopped"}, "it is ended, not suspended")
    run("rm", "one")


def phone(tandem, guest, folder, copies):
    run = command(tandem, folder)
    run("create", "phone", f"{guest}/drivers.kernel", "--", "--initrd", f"{guest}/drivers.cpio.gz", "--append", "console=ttyAMA0 quiet",
        "--device", "phone", "--net", "none")
    run("start", "phone")
    terminal = Terminal(tandem, "phone")
    terminal.expect(rb"/ # ")
    # The user interface: a terminal on the screen that shows what is typed.
    terminal.run("printf '\\033[2J\\033[?25l' >/dev/tty1; (setsid cat </dev/tty1 >/dev/null &) 2>/dev/null")
    terminal.leave()
    run("suspend", "phone")
    names = [f"phone{i}" for i in range(copies + 1)]
    run("copy", "phone", *names)
    # What it should look like is what the first one does.
    run("start", names[0])
    run("screenshot", names[0], f"{folder}/empty.png")
    run("phone", names[0], "type", "hello")
    deadline = time.monotonic() + 60
    while True:
        run("screenshot", names[0], f"{folder}/typed.png")
        with open(f"{folder}/empty.png", "rb") as empty, open(f"{folder}/typed.png", "rb") as typed:
            if empty.read() != typed.read():
                break
        check(time.monotonic() < deadline, "what is typed is on the screen")
    time.sleep(1) # all of it
    run("screenshot", names[0], f"{folder}/typed.png")
    script = os.path.join(folder, "test.json")
    with open(script, "w", encoding="utf-8") as file:
        json.dump([{"see": "empty.png"}, {"do": ["type", "hello"]}, {"see": "typed.png", "within": 60}], file)
    began = time.monotonic()
    tests = {name: subprocess.Popen(["sh", "-c", f"{tandem} start {name} && {tandem} play {name} {script}"], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for name in names[1:]}
    times = []
    while tests:
        for name, test in list(tests.items()):
            if test.poll() is None:
                continue
            check(test.returncode == 0, f"{name}: {test.stderr.read()}")
            times.append(time.monotonic() - began)
            del tests[name]
        time.sleep(0.01)
    print(f"{copies} copies agree; the first after {times[0]:.2f} s, the last after {times[-1]:.2f} s", flush=True)
    # A test that fails says so.
    with open(script, "w", encoding="utf-8") as file:
        json.dump([{"see": "empty.png", "within": 0.2}], file)
    check("empty.png: not seen within 0.2 s" in run("play", names[0], script, status=1), "another picture")
    for name in names:
        run("stop", "--force", name)
        run("rm", name)
    run("rm", "phone")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tandem")
    parser.add_argument("guest")
    parser.add_argument("what", choices=["debian", "phone"])
    parser.add_argument("--copies", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        {"debian": debian, "phone": phone}[options.what](os.path.abspath(options.tandem), os.path.abspath(options.guest), folder,
                                                         options.copies)
    print("ok")


if __name__ == "__main__":
    main()
