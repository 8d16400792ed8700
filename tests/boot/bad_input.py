#!/usr/bin/env python3
"""bad_input.py TANDEM [--sanitized]: every kind of bad input gives one clear line on standard error and
a status other than 0, and loses nothing. A sanitized build cannot run in a small address space, so that
its test of a host without memory is left out."""
import fcntl
import gzip
import os
import struct
import subprocess
import sys
import tempfile
import time

FAILURES = []
F_OFD_GETLK = 36  # Not in the fcntl module before Python 3.13.


def refused(tandem, arguments, *words, environment=None, prefix=()):
    """tandem must refuse: one line, which has all the words."""
    run = subprocess.run([*prefix, tandem, "run", *arguments], capture_output=True, text=True, timeout=60,
                         stdin=subprocess.DEVNULL, env=environment)
    lines = run.stderr.splitlines()
    name = " ".join(os.path.basename(a) for a in arguments)
    if run.returncode == 0:
        FAILURES.append(f"{name}: exit status 0")
    if len(lines) != 1 or not lines[0].startswith("tandem: "):
        FAILURES.append(f"{name}: not one line: {run.stderr!r}")
    for word in words:
        if word not in run.stderr:
            FAILURES.append(f"{name}: {word!r} not in: {run.stderr!r}")


def arm64_image(size):
    """The header of an arm64 Linux Image, then zeros."""
    return struct.pack("<IIQQQQQQII", 0x91005A4D, 0x14000000, 0, size, 0xA, 0, 0, 0, 0x644D5241, 0).ljust(size, b"\0")


def await_lock(path, seconds=60):
    """Returns once another process holds the lock of the file; asks for it without taking it."""
    deadline = time.monotonic() + seconds
    with open(path, "rb+") as file:
        while time.monotonic() < deadline:
            # struct flock of a 64-bit Linux: type, whence, start, length, process.
            wanted = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            held = fcntl.fcntl(file, F_OFD_GETLK, wanted)
            if struct.unpack_from("h", held)[0] != fcntl.F_UNLCK:
                return
            time.sleep(0.01)
    FAILURES.append(f"{path}: not locked after {seconds} s")


def main():
    tandem = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        def file(name, content=b""):
            path = os.path.join(folder, name)
            with open(path, "wb") as out:
                out.write(content)
            return path

        good = file("Image", arm64_image(65536))
        # Kernels.
        refused(tandem, ["--kernel", os.path.join(folder, "absent")], "absent")
        refused(tandem, ["--kernel", folder], folder)
        refused(tandem, ["--kernel", file("empty")], "empty")
        refused(tandem, ["--kernel", file("text", b"hello\n" * 1000)], "text")
        refused(tandem, ["--kernel", file("short", arm64_image(65536)[:40])], "short")
        refused(tandem, ["--kernel", file("cut.gz", gzip.compress(arm64_image(65536))[:60])], "cut.gz")
        x86 = bytearray(4096)
        x86[0x1FE:0x206] = b"\x55\xaa\x00\x00HdrS"
        refused(tandem, ["--kernel", file("bzImage", bytes(x86))], "bzImage", "x86")
        elf = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, 62, 1) + bytes(40)
        refused(tandem, ["--kernel", file("x86.elf", elf)], "x86.elf", "x86")
        refused(tandem, ["--kernel", file("cut.elf", elf[:18] + struct.pack("<H", 183) + elf[20:30])], "cut.elf")
        # Other files.
        refused(tandem, ["--kernel", good, "--initrd", os.path.join(folder, "none")], "none")
        big = file("big")
        os.truncate(big, 200 << 20)
        refused(tandem, ["--kernel", good, "--memory", "128M", "--initrd", big], "big", "memory")
        refused(tandem, ["--kernel", good, "--dtb", file("bad.dtb", b"not a tree")], "bad.dtb")
        # Sizes and names.
        for cpus in ("0", "65", "-1", "many"):
            refused(tandem, ["--kernel", good, "--cpus", cpus], "--cpus")
        for memory in ("0", "1K", "lots", "-5M", "999999T"):
            refused(tandem, ["--kernel", good, "--memory", memory], "--memory")
        refused(tandem, ["--kernel", good, "--cpu", "z80"], "z80", "cortex-a72")
        refused(tandem, ["--kernel", good, "--gic", "7"], "--gic")
        refused(tandem, ["--kernel", good, "--watchdog", "bite"], "--watchdog bite")
        refused(tandem, ["--kernel", good, "--on-panic", "cry"], "--on-panic cry", "exit-failure")
        # Ports.
        for port in ("x", "=unix:/x", "a b=none", "a/b=none", "n" * 65 + "=none", "x=stdio", "x=fax"):
            refused(tandem, ["--kernel", good, "--port", port], "--port")
        refused(tandem, ["--kernel", good, "--port", "x=none", "--port", "x=none"], "--port x")
        refused(tandem, ["--kernel", good, "--guest-agent", "unix:"], "org.qemu.guest_agent.0", "unix:")
        refused(tandem, ["--kernel", good, "--bus", "isa"], "--bus isa")
        for screen in ("1280", "1280x", "99999999999x1", "800x600@"):
            refused(tandem, ["--kernel", good, "--screen", screen], f"--screen {screen}", "write WIDTHxHEIGHT")
        for screen in ("63x64", "64x4096", "800x600@1"):
            refused(tandem, ["--kernel", good, "--screen", screen], f"--screen {screen}", "use")
        refused(tandem, ["--kernel", good, *["--screen", "64x64"] * 17], "--screen", "16")
        refused(tandem, ["--kernel", good, "--input", "pen"], "--input pen", "tablet")
        for line, *reasons in (("colour red", ":2: colour", "no option"), ("sensors on", ":2: sensors", "no value"),
                               ("screen", ":2: screen", "a value"), ("memory 1G\nmemory 2G", ":3: memory", "twice"),
                               ("screen 1x1", "--screen 1x1", "use"), ("device x", "no option")):
            profile = file("profile.conf", f"# A device\n{line}\n".encode())
            refused(tandem, ["--kernel", good, "--device", profile], *reasons)
        refused(tandem, ["--kernel", good, "--device", f"{folder}/absent.conf"], "--device", "absent.conf")
        refused(tandem, ["--kernel", good, "--device", "absent"], "--device absent", "use car, kiosk, phone")
        refused(tandem, ["--kernel", good, *["--input", "mouse"] * 40], "slots")
        for balloon in ("2G", "on,stats=0", "on,stats=", "off"):
            refused(tandem, ["--kernel", good, "--balloon", balloon], "--balloon")
        for shape in ("latency=", "latency=-1", "loss=101", "rate=fast", "profile=6g", "speed=1"):
            refused(tandem, ["--kernel", good, "--net", "user," + shape], "--net user", shape.split("=")[0])
        refused(tandem, ["--kernel", good, "--net", "user,tftp=" + good], "tftp=", "folder")
        refused(tandem, ["--kernel", good, "--net", f"user,tftp={folder}/absent"], "absent", "folder")
        refused(tandem, ["--kernel", good, "--net", "user,bootfile=" + "b" * 128], "bootfile", "127")
        for queues in ("0", "17"):
            refused(tandem, ["--kernel", good, "--net", f"user,queues={queues}"], f"queues={queues}", "16")
        for vsock in ("5", "cid=x,path=/tmp/x", "cid=2,path=/tmp/x", "cid=4294967295,path=/tmp/x", "path=", "cid=3"):
            refused(tandem, ["--kernel", good, "--vsock", vsock], "--vsock")
        refused(tandem, ["--kernel", good, "--vsock", "path=" + "x" * 97], "96 bytes")
        refused(tandem, ["--kernel", good, "--vsock", "path=" + good], "--vsock", "Image")
        many = [word for i in range(31) for word in ("--port", f"p{i}=none")]
        refused(tandem, ["--kernel", good, *many], "--port", "30")
        many = [word for i in range(30) for word in ("--disk", f"{i}")]
        refused(tandem, ["--kernel", good, *many], "--disk", "30 slots")
        if "--sanitized" not in sys.argv:
            refused(tandem, ["--kernel", good, "--memory", "8G"], "8192 MiB", prefix=("prlimit", "--as=4294967296"))
        # Disks.
        refused(tandem, ["--kernel", good, "--disk", os.path.join(folder, "nodisk")], "nodisk")
        disk = file("disk", b"\xa5" * 4096)
        refused(tandem, ["--kernel", good, "--disk", disk + ",colour=red"], "colour")
        first = subprocess.Popen([tandem, "run", "--kernel", good, "--disk", disk, "--timeout", "100"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            await_lock(disk)
            refused(tandem, ["--kernel", good, "--disk", disk, "--timeout", "1"], "disk", "use")
        finally:
            first.terminate()
            first.wait()
        with open(disk, "rb") as content:
            if content.read() != b"\xa5" * 4096:
                FAILURES.append("the disk's content changed")
        # Shares.
        refused(tandem, ["--kernel", good, "--share", os.path.join(folder, "nofolder")], "nofolder", "folder")
        refused(tandem, ["--kernel", good, "--share", disk], "disk", "folder")
        refused(tandem, ["--kernel", good, "--share", folder, "--share", f"{folder}:share"], "tag")
        refused(tandem, ["--kernel", good, "--share", f"{folder}:{'t' * 40}"], "36")
        refused(tandem, ["--kernel", good, "--share", f"{folder},type=nfs"], "type=nfs", "type=9p")
        refused(tandem, ["--kernel", good, "--share", "/proc"], "/proc")
        if os.geteuid() != 0:
            os.chmod(disk, 0)
            refused(tandem, ["--kernel", good, "--disk", disk], "disk")
    if FAILURES:
        sys.exit("\n".join(FAILURES))


if __name__ == "__main__":
    main()
