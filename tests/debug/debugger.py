#!/usr/bin/env python3
"""debugger.py TANDEM roms ROMS | lldb ROMS | linux GUEST PROGRAM | deterministic GUEST | reverse GUEST PROGRAM |
protocol ROMS GUEST: debugs machines with gdb and lldb, and by their protocol."""
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "boot"))

from console import Console  # noqa: E402
from qmp import Qmp  # noqa: E402
from rsp import Rsp  # noqa: E402


def check(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")


class Debugged(Console):
    """A machine that serves a debugger at `port`."""

    def __init__(self, tandem, arguments, waits=True, timeout=300, verb="run"):
        super().__init__([tandem, verb, "--gdb", ":0"] + (["--gdb-wait"] if waits else []) + arguments, timeout)
        self.port = int(self.expect(rb"debugger at 127\.0\.0\.1 port (\d+)")[1])


def run_script(machine, command, script):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=240, check=False)
    if f"PASS {script[:-3]}" not in done.stdout:
        machine.fail(f"{script}:\n{done.stdout}")
    return done.stdout


def gdb(machine, script, program, **variables):
    """Runs a script inside gdb."""
    command = ["gdb-multiarch", "-nx", "-batch", "-ex", f"python ADDRESS = '127.0.0.1:{machine.port}'"]
    for name, value in variables.items():
        command += ["-ex", f"python {name} = {value!r}"]
    command += ["-x", os.path.join(HERE, "in_gdb.py"), "-x", os.path.join(HERE, script), program]
    return run_script(machine, command, script)


def lldb(tandem, folder):
    rom = os.path.join(folder, "smp.elf")
    machine = Debugged(tandem, ["--kernel", rom])
    script = "lldb_session.py"
    source = f"exec(compile(open({os.path.join(HERE, script)!r}).read(), {script!r}, 'exec'))"
    run_script(machine, ["lldb-19", "--batch", "--no-lldbinit", "-o", f"script ADDRESS = '127.0.0.1:{machine.port}'",
                         "-o", f"script {source}", rom], script)
    machine.expect(rb"PASS smp")
    check(machine.wait() == 0, "the machine ends as it does without a debugger")


def roms(tandem, folder):
    rom = os.path.join(folder, "smp.elf")
    for options in ([], ["--accel", "interp"], ["--tier", "t2"]):
        machine = Debugged(tandem, ["--kernel", rom] + options)
        gdb(machine, "rom_session.py", rom)
        machine.expect(rb"PASS smp")
        check(machine.wait() == 0, "the machine ends as it does without a debugger")


def cpio_entry(name, mode, data=b"", device=(0, 0)):
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0]
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + name + b"\0"
    header += bytes(-len(header) % 4)
    return header + data + bytes(-len(data) % 4)


def make_initrd(program, path):
    """With /dev/console, and the program as /init."""
    with open(program, "rb") as file:
        data = file.read()
    with open(path, "wb") as file:
        file.write(cpio_entry(b"dev", 0o40755) + cpio_entry(b"dev/console", 0o20600, device=(5, 1)) +
                   cpio_entry(b"init", 0o100755, data) + cpio_entry(b"TRAILER!!!", 0))


def kernel_symbols(tandem, guest, *names):
    """Their addresses without KASLR, as the kernel itself says."""
    console = Console([tandem, "run", "--kernel", os.path.join(guest, "kernel"), "--initrd",
                       os.path.join(guest, "shell.cpio.gz"), "--append", "console=ttyAMA0 quiet nokaslr"], 120)
    console.expect(rb"MARKER init-up")
    console.expect(rb"# ")
    addresses = []
    for name in names:
        console.send(f"grep -w {name} /proc/kallsyms\r".encode())
        addresses.append(int(console.expect(rb"\n([0-9a-f]{16}) T " + name.encode() + rb"\r")[1], 16))
    console.send(b"\x01x")
    console.wait()
    return addresses


def linux(tandem, guest, program):
    start_kernel, down_read = kernel_symbols(tandem, guest, "start_kernel", "down_read")
    with tempfile.TemporaryDirectory() as folder:
        initrd = os.path.join(folder, "initrd")
        make_initrd(program, initrd)
        for options in ([], ["--tier", "t1"]):
            machine = Debugged(tandem, ["--kernel", os.path.join(guest, "kernel"), "--initrd", initrd, "--append",
                                        "console=ttyAMA0 quiet nokaslr"] + options)
            gdb(machine, "linux_session.py", program, START_KERNEL=start_kernel, DOWN_READ=down_read)
            for line in (rb"result right", rb"poked 42", rb"PASS guest"):
                machine.expect(line)
            check(machine.wait() == 0, "the guest ends as it does without a debugger")


def deterministic(tandem, guest):
    """A debugger that only looks leaves no trace in what such a machine does."""
    start_kernel, down_read = kernel_symbols(tandem, guest, "start_kernel", "down_read")
    options = ["--deterministic", "--seed", "7", "--until", "0.8s", "--stats", "--net", "none", "--serial", "none",
               "--kernel", os.path.join(guest, "kernel"), "--initrd", os.path.join(guest, "busybox.cpio.gz"),
               "--append", "console=ttyAMA0 quiet nokaslr"]
    state = rb"\nstate: ([^\r\n]*)\r?\n"
    alone = Console([tandem, "run", *options], 300)
    expected = alone.expect(state)[1]
    check(alone.wait() == 0, "the machine ends without a debugger")
    machine = Debugged(tandem, options)
    gdb(machine, "looking_session.py", os.devnull, START_KERNEL=start_kernel, DOWN_READ=down_read)
    found = machine.expect(state)[1]
    check(machine.wait() == 0 and found == expected, f"the run differs: {found}, {expected} without a debugger")


def reverse(tandem, guest, program):
    """A recording of two CPUs, forward and backward; what it ends with is checked all the same."""
    start_kernel, = kernel_symbols(tandem, guest, "start_kernel")
    with tempfile.TemporaryDirectory() as folder:
        initrd, recording = os.path.join(folder, "initrd"), os.path.join(folder, "run.tdr")
        make_initrd(program, initrd)
        console = Console([tandem, "run", "--record", recording, "--kernel", os.path.join(guest, "kernel"), "--initrd",
                           initrd, "--net", "none", "--append", "console=ttyAMA0 quiet nokaslr"], 120)
        console.expect(rb"PASS guest")
        check(console.wait() == 0, "the guest is recorded")
        for options in ([], ["--tier", "t1"]):
            machine = Debugged(tandem, [recording] + options, verb="replay")
            said = gdb(machine, "reverse_session.py", program, START_KERNEL=start_kernel)
            check(said.count("No more reverse-execution history") == 4, "gdb knows both ends of history")
            check(machine.wait() == 0, "the replay ends as it was recorded")
            check(machine.output.count(b"PASS guest") == 1, "what the guest says is said once")
        # Two debuggers, each with a machine of its own, at two places of one recording.
        machines = [Debugged(tandem, [recording], verb="replay") for _ in range(2)]
        clients = [Rsp(("127.0.0.1", machine.port), timeout=120) for machine in machines]
        places = [30_000_000, 20_000_000]
        for client, place in zip(clients, places):
            check(client.ask(b"?").startswith(b"T05"), "a replay stops for its debugger")
            check(f"instruction {place}," in client.monitor(f"goto {place}"), "which goes where it likes")
        for client, place in zip(reversed(clients), reversed(places)):
            check(client.ask(b"bs").startswith(b"T05") and f"instruction {place - 1}," in client.monitor("when"),
                  "and back from there")
        for machine, client in zip(machines, clients):
            check(client.ask(b"vKill;1") == b"OK" and machine.wait() == 0, "kill")


def protocol(tandem, folder, guest):
    tandem, folder, guest = (os.path.abspath(path) for path in (tandem, folder, guest))
    rom = os.path.join(folder, "smp.elf")
    # Hot: the machine runs. It stops for the client, who is alone, and goes on without it.
    linux_options = ["--kernel", os.path.join(guest, "kernel"), "--initrd", os.path.join(guest, "shell.cpio.gz"),
                     "--append", "console=ttyAMA0 quiet"]
    machine = Debugged(tandem, linux_options, waits=False)
    machine.expect(rb"# ")
    address = ("127.0.0.1", machine.port)
    client = Rsp(address)
    check(re.fullmatch(rb"T05.*thread:1;", client.ask(b"?")), "a running machine stops for a debugger")
    counter = [client.monitor("info registers -a")[-4000:] for _ in (1, 2)]
    check("CNTVCT_EL0" in counter[0] and counter[0] == counter[1], "its time stands still")
    second = Rsp(address)
    check(b"another debugger" in second.ask(b"qSupported"), "a second client hears why it is refused")
    check(second.receive() is None, "and that is all")
    client.send(b"vCont;c")
    machine.send(b"echo $((6 * 7))\r")
    machine.expect(rb"\n42\r")
    check(client.interrupt().startswith(b"T02"), "Ctrl-C stops it")
    client.close()
    client = Rsp(address)
    machine.send(b"echo $((6 * 8))\r")
    time.sleep(0.3)
    check(client.ask(b"?").startswith(b"T05") and b"48" not in machine.output[machine.seen:],
          "a client that vanishes leaves the machine stopped")
    check(client.ask(b"D") == b"OK" and client.receive() is None, "a client that detaches is let go")
    machine.expect(rb"\n48\r")
    # A reset stops a machine that is debugged, at its first instruction.
    client = Rsp(address)
    client.ask(b"?")
    client.send(b"c")
    machine.send(b"reboot -f\r")
    while not (stop := client.receive()).startswith(b"T"):
        check(b"reset" in bytes.fromhex(stop[1:].decode()), "a reset is told of")
    check(stop.startswith(b"T05"), "and stops the machine")
    pc = b"p20"
    entry = client.ask(pc)
    check(client.ask(b"vCont;s:1").startswith(b"T05") and client.ask(pc) != entry, "a step leads away from there")
    client.monitor("reset")
    check(client.ask(pc) == entry, "and a reset back")
    check(client.ask(b"vKill;1") == b"OK", "kill")
    check(machine.wait() == 0, "ends the machine")

    # A snapshot of a stopped machine is of where it stands; one that is restored stopped stands there.
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        machine = Debugged(tandem, linux_options, waits=False)
        machine.expect(rb"# ")
        client = Rsp(("127.0.0.1", machine.port))
        client.ask(b"?")
        registers = client.ask(b"g")
        machine.send(b"\x01s")
        name = machine.expect(rb"saved (\S+) .*restore it")[1].decode()
        check(client.ask(b"vKill;1") == b"OK" and machine.wait() == 0, "kill")
        machine = Debugged(tandem, ["--restore", name])
        client = Rsp(("127.0.0.1", machine.port))
        check(client.ask(b"g") == registers, "the restored machine stands where the saved one stood")
        client.ask(b"D")
        machine.send(b"echo $((6 * 7))\r")
        machine.expect(rb"\n42\r")
        machine.send(b"\x01x")
        machine.wait()
        os.chdir("/")

    # Stopped from the start; the control socket knows; the stub comes and goes at the monitor's word.
    with tempfile.TemporaryDirectory() as directory:
        control = os.path.join(directory, "qmp")
        machine = Console([tandem, "run", "-S", "--qmp", f"unix:{control}", "--kernel", rom], 120)
        qmp = Qmp(control)
        check(qmp.execute("query-status") == {"running": False, "status": "prelaunch"}, "the machine has not begun")
        path = os.path.join(directory, "gdb")
        monitor = lambda line: qmp.execute("human-monitor-command", command_line=line)
        check("pc = 00000000402" in monitor("info registers"), "it stands at the kernel's entry")
        check("Waiting for gdb connection" in monitor(f"gdbserver unix:{path}"), "the monitor starts the stub")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.sendall(b"$qAttached#8f")
            check(client.makefile("rb").read(6) == b"+$1#31", "a client is served there")
        check("Disabled" in monitor("gdbserver none") and not os.path.exists(path), "and ends it")
        qmp.execute("cont")
        machine.expect(rb"PASS smp")
        check(machine.wait() == 0, "cont starts the machine")

    # Bad input: one line, and a status other than 0.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for arguments, words in ((["--gdb", f":{port}"], "Address already in use"), (["--gdb", "1234"], "no port"),
                                 (["--gdb", ":99999"], "not a port"), (["--gdb-wait"], "nobody could start")):
            done = subprocess.run([tandem, "run", "--kernel", rom] + arguments, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=60, check=False)
            check(done.returncode in (1, 2) and words in done.stderr and done.stderr.count("\n") == 1,
                  f"{arguments}: {done.stderr}")


def main():
    tandem, what, *rest = sys.argv[1:]
    scenes = {"roms": roms, "lldb": lldb, "linux": linux, "deterministic": deterministic, "reverse": reverse,
              "protocol": protocol}
    scenes[what](tandem, *rest)
    print(f"PASS {what}")


if __name__ == "__main__":
    main()
