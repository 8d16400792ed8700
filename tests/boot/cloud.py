#!/usr/bin/env python3
"""cloud.py TANDEM GUEST: a cloud image of scripts/guest without any option: firmware, GRUB, the login prompt; the user
that the seed made logs in over ssh with a key, on a root file system as large as the disk; a second start keeps what
was written. Then the same image as a named machine. Loopback only."""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

from boot import check
from console import Console


def ssh(command, *words, seconds=120):
    """Runs a command in the guest, as soon as it lets somebody in; returns its output."""
    deadline = time.monotonic() + seconds
    while True:
        run = subprocess.run([command[0], "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", *command[1:], *words],
                             capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if run.returncode != 255:
            return run.stdout
        check(time.monotonic() < deadline, f"{command}: {run.stderr}")
        time.sleep(1)


def main():
    tandem, guest = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(HOME=folder, XDG_STATE_HOME=os.path.join(folder, "state"))
        os.environ.pop("XDG_RUNTIME_DIR", None)
        image = os.path.join(folder, "My Cloud.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b",
                        os.path.realpath(os.path.join(guest, "cloud.qcow2")), image], check=True)
        plan = json.loads(subprocess.run([tandem, "explain", image, "--json"], capture_output=True, check=True).stdout)
        command = plan["ssh"]["command"]
        for start in ("first", "second"):
            console = Console([tandem, "run", image], 600)
            # The port that is free now may be another than when explain looked.
            command[command.index("-p") + 1] = console.expect(rb"log in +ssh -p (\d+)")[1].decode()
            console.expect(rb"Booting `Debian")
            console.expect(rb"my-cloud login:")
            if start == "first":
                user = ssh(command, "cloud-init status --wait >/dev/null; id -un; sudo -n id -u; hostname; "
                           "df --output=size -B1M / | tail -1; echo kept >kept; sync", seconds=300).split()
                check(user[:3] == [plan["ssh"]["user"], "0", "my-cloud"], f"who and where: {user}")
                check(int(user[3]) > 2500, f"the root file system has grown to {user[3]} MiB")
            check(ssh(command, "cat kept") == "kept\n", "what was written stays")
            console.send(b"\x01p")
            check(console.wait() == 0, "exit status 0 after the power key")

        def run(*arguments):
            done = subprocess.run([tandem, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
            check(done.returncode == 0, f"{arguments}: {done.stderr}")
            return done.stdout

        run("create", "web", image, "--size", "8G")
        run("start", "web")
        words = next(m["ssh"] for m in json.loads(run("list", "--json")) if m["name"] == "web")
        size = ssh(words, "cloud-init status --wait >/dev/null; df --output=size -B1M / | tail -1", seconds=300)
        check(int(size) > 7000, f"the named machine's disk has grown to {size} MiB")
        check(re.fullmatch(r"web\n", run("ssh", "web", "hostname")), "tandem ssh runs a command")
        run("stop", "web")
        run("rm", "web")


if __name__ == "__main__":
    main()
