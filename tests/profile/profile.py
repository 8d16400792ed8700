#!/usr/bin/env python3
"""Profiles guests whose shares are known, in every format, and looks at what it says.

  profile.py TANDEM rom ROM                the profiler on a program of roms/profile
  profile.py TANDEM linux GUESTS           on a boot of Debian's kernel: its own symbols, its processes
  profile.py TANDEM replay GUESTS          on a recording, which stays what it was
"""
import json
import os
import re
import subprocess
import sys
import tempfile

STATE = re.compile(r"^state: .*$", re.M)


def run(*command, status=0):
    done = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
    if done.returncode != status:
        sys.exit(f"{' '.join(command)}: status {done.returncode}, not {status}\n{done.stderr}")
    return done


def check(condition, what):
    if not condition:
        sys.exit(f"FAIL: {what}")


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def stacks_of(path):
    """Of a folded file: weights by tuples of frames."""
    stacks = {}
    for line in read(path).splitlines():
        stack, weight = line.rsplit(" ", 1)
        stacks[tuple(stack.split(";"))] = int(weight)
    return stacks


def share(stacks, *frames):
    """Of the stacks in which these frames follow each other."""
    def has(stack):
        return any(stack[i:i + len(frames)] == frames for i in range(len(stack)))
    return sum(weight for stack, weight in stacks.items() if has(stack)) / sum(stacks.values())


def check_shares(stacks, tolerance):
    """hot has 24 parts, cold 8, the bottom of the recursion 2, what has bad frame pointers 2.4."""
    stacks = {tuple(frame.removesuffix("_[k]") for frame in stack): weight for stack, weight in stacks.items()}
    total = 36.4
    hot = ("outer", "middle", "hot", "spin")
    for frames, parts in ((hot, 24), (("outer", "cold", "spin"), 8), (("recurse", "spin"), 2),
                          (("spin_with_frame",), 2.4)):
        found = share(stacks, *frames)
        check(abs(found - parts / total) < tolerance, f"{';'.join(frames)} has {found}, not {parts / total}")
    deepest = max(len(stack) for stack in stacks)
    check(100 < deepest < 140, f"the deepest stack has {deepest} frames")


def rom(tandem, program, folder):
    machine = [tandem, "run", "--kernel", program, "--serial", "none", "--net", "none", "--symbols", program]
    counted = [*machine, "--deterministic", "--stats"]
    often = ["--profile-rate", "1000"]
    by_guest = ["--profile-clock", "guest", "--profile-rate", "10000"]

    # By instructions all is exact, and nothing depends on the host.
    without = STATE.search(run(*counted).stderr).group()
    texts = []
    for name, tier in (("a", ["--accel", "interp"]), ("b", ["--tier", "t1"]), ("c", ["--tier", "t1"])):
        path = f"{folder}/{name}.folded"
        done = run(*counted, "--profile", path, *by_guest, *tier)
        check(STATE.search(done.stderr).group() == without, f"{tier} with a profiler makes another run")
        check("spin" in done.stderr, "the summary names no function")
        texts.append(read(path))
    check(texts[0] == texts[1] == texts[2], "the same run has another profile")
    check_shares(stacks_of(f"{folder}/a.folded"), 0.02)

    # By CPU time, whoever executes.
    # Blocks of two instructions are as much work for the dispatcher as for T0.
    for tier, mark, least, unit in ((["--accel", "interp"], "[T0]", 0.2, 1000000), (["--tier", "t1"], "[T1]", 0.7, 20000000),
                                    (["--tier", "t2"], "[T2]", 0.4, 60000000)):
        path = f"{folder}/time.folded"
        run(*machine, "--append", f"unit={unit}", "--profile", path, *often, *tier)
        stacks = stacks_of(path)
        check_shares({stack: weight for stack, weight in stacks.items() if stack[-1] == mark}, 0.15)
        check(share(stacks, mark) > least, f"{mark} has {share(stacks, mark)}")
        time = run(*counted, "--profile", path, *often, *tier)
        check(STATE.search(time.stderr).group() == without, f"{tier} under signals makes another run")

    # What other programs read.
    path = f"{folder}/a.json"
    run(*machine, "--append", "unit=20000000", "--profile", path, *often)
    profile = json.loads(read(path))
    frames = profile["shared"]["frames"]
    for only in profile["profiles"]:
        check(only["type"] == "sampled" and only["unit"] == "nanoseconds", "speedscope's members are missing")
        check(len(only["samples"]) == len(only["weights"]), "samples and weights differ in number")
        check(sum(only["weights"]) == only["endValue"], "weights do not add up")
        check(all(frames[frame]["name"] for stack in only["samples"] for frame in stack), "a frame has no name")
    path = f"{folder}/a.html"
    run(*machine, "--append", "unit=20000000", "--profile", path, *often)
    page = read(path)
    names = json.loads(re.search(r"^const names = (.*);$", page, re.M).group(1))
    tree = json.loads(re.search(r"^root.callees = nodes\((.*), root\);$", page, re.M).group(1))
    check("hot_[k]" in names and tree, "the page has no tree")
    check("http" not in page, "the page needs the network")

    # Mistakes get one line, and leave nothing.
    before = sorted(os.listdir(folder))
    for arguments, words in ((["--profile", f"{folder}/x.svg"], ".html"),
                             (["--profile", f"{folder}/none/x.html"], "folder"),
                             (["--profile", f"{folder}/x.html", "--profile-rate", "0"], "10000"),
                             (["--profile", f"{folder}/x.html", "--profile-rate", "much"], "number"),
                             (["--profile", f"{folder}/x.html", "--profile-clock", "wall"], "guest"),
                             (["--profile", f"{folder}/x.html", "--profile-clock", "guest"], "--deterministic"),
                             (["--profile-rate", "10"], "--profile F"),
                             (["--profile", f"{folder}/x.html", "--symbols", f"{folder}/none"], "nm")):
        done = subprocess.run([*machine, *arguments], capture_output=True, text=True, timeout=60, check=False)
        lines = done.stderr.splitlines()
        check(done.returncode in (1, 2) and len(lines) == 1 and words in lines[0], f"{arguments}: {done.stderr}")
    check(sorted(os.listdir(folder)) == before, "a mistake has left a file")


def initramfs(guests):
    return ["--kernel", f"{guests}/kernel", "--initrd", f"{guests}/busybox.cpio.gz", "--append",
            "console=ttyAMA0 quiet", "--net", "none", "--serial", "none"]


def linux(tandem, guests, folder):
    path = f"{folder}/linux.folded"
    run(tandem, "run", *initramfs(guests), "--profile", path, "--profile-rate", "1000")
    stacks = stacks_of(path)
    check(share(stacks, "start_kernel_[k]") > 0.02, "the kernel has no symbols")
    check(any(stack[0].startswith("swapper") for stack in stacks), "no process has a name")
    named = sum(weight for stack, weight in stacks.items() if any(name.endswith("_[k]") for name in stack))
    check(named > 0.5 * sum(stacks.values()), f"{named} of {sum(stacks.values())} ns is in the kernel")
    for mark in ("[T0]", "[T1]", "[translation]", "[helper]", "[softmmu]"):
        check(share(stacks, mark) > 0, f"{mark} takes no time")
    # Of a system call, the program's part is below the kernel's.
    check(any("el0_svc_[k]" in stack and not stack[1].endswith("_[k]") for stack in stacks),
          "system calls come from nowhere")


def replay(tandem, guests, folder):
    recording = f"{folder}/run.tdr"
    run(tandem, "run", *initramfs(guests), "--record", recording, "--until", "0.9s")
    plain = [tandem, "replay", recording, "--serial", "none", "--stats"]
    expected = STATE.search(run(*plain).stderr).group()
    profiles = []
    for options in (["--profile-clock", "cpu"], ["--profile-clock", "guest"],
                    ["--profile-clock", "guest", "--tier", "auto"]):
        path = f"{folder}/replay.folded"
        done = run(*plain, "--profile", path, "--profile-rate", "1000", *options)
        check(STATE.search(done.stderr).group() == expected, f"{options}: another run")
        profiles.append(read(path))
    check(profiles[1] == profiles[2], "the same run has another profile")
    check("start_kernel_[k]" in profiles[1], "the kernel has no symbols")


def main():
    tandem, what, guest = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        {"rom": rom, "linux": linux, "replay": replay}[what](tandem, guest, folder)


main()
