#!/usr/bin/env python3
"""translation_cache.py TANDEM GUESTS: a deterministic boot ends in the same state without the translation cache,
with an empty one and with a full one; and with one that is damaged, of another format, read-only, on a full disk,
or used by others that are killed: then there is one line of warning at most."""
import contextlib
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

STATE = re.compile(r"^state: guest time .*$", re.M)
COMPILED = re.compile(r"(\d+) regions compiled by T2")
RECALLED = re.compile(r"(\d+) regions taken from the translation cache")
FAILURES = []


class Guest:
    def __init__(self, tandem, guests):
        self.tandem = tandem
        self.command = [tandem, "run", "--deterministic", "--tier", "auto", "--net", "none", "--serial", "none", "--stats",
                        "--kernel", f"{guests}/kernel", "--initrd", f"{guests}/busybox.cpio.gz",
                        "--append", "console=ttyAMA0 quiet", "--until", "0.9s"]
        self.state = None  # of the first run

    def run(self, what, *options, prefix=(), warnings=0):
        """Returns how many regions were compiled, and how many taken from the cache."""
        done = subprocess.run([*prefix, *self.command, *options], capture_output=True, text=True, timeout=540)
        state = STATE.search(done.stderr)
        if done.returncode != 0 or state is None:
            sys.exit(f"{what}: status {done.returncode}\n{done.stderr}")
        self.state = self.state or state.group()
        if state.group() != self.state:
            FAILURES.append(f"{what}: another run: {state.group()}, not {self.state}")
        told = [line for line in done.stderr.splitlines() if line.startswith("tandem: translation cache: ")]
        if len(told) != warnings:
            FAILURES.append(f"{what}: {len(told)} warnings, not {warnings}: {told}")
        counts = int(COMPILED.search(done.stderr).group(1)), int(RECALLED.search(done.stderr).group(1))
        print(f"{what}: {counts[0]} regions compiled, {counts[1]} taken from the cache", flush=True)
        return counts

    def verb(self, verb, cache):
        return subprocess.run([self.tandem, "cache", verb, "--cache", cache], capture_output=True, text=True)


def shards(cache):
    return sorted(glob.glob(f"{cache}/*/*.shard"))


def expect(condition, what):
    if not condition:
        FAILURES.append(what)


@contextlib.contextmanager
def copy_of(cache):
    """A copy with changes, so that each trouble meets the same cache."""
    with tempfile.TemporaryDirectory() as folder:
        yield shutil.copytree(cache, f"{folder}/cache")


def change(path, at, content):
    with open(path, "r+b") as file:
        file.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
        file.write(content)


def test_damage(guest, cache):
    size = os.path.getsize(shards(cache)[0])
    for what, damage in (("truncated", lambda path: os.truncate(path, size // 2)),
                         ("empty", lambda path: os.truncate(path, 0)),
                         ("another format", lambda path: change(path, 8, b"\xff")),
                         ("a damaged index", lambda path: change(path, -9, b"damaged")),
                         ("damaged regions", lambda path: change(path, 80, b"\x55" * (size // 2)))):
        with copy_of(cache) as damaged:
            damage(shards(damaged)[0])
            verified = guest.verb("verify", damaged)
            expect(verified.returncode != 0 and len(verified.stderr.splitlines()) == 1,
                   f"{what}: verify says {verified.stderr!r}")
            guest.run(what, "--cache", damaged, warnings=1)
            compiled, _ = guest.run(f"after {what}", "--cache", damaged)
            expect(compiled == 0, f"after {what}: {compiled} regions compiled again")


def mounted(cache, *options):
    """A prefix that runs a command where the directory is such a file system; none if that is not allowed here."""
    script = f"mount {' '.join(options)} && shift 1 && exec \"$@\""
    prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", cache]
    allowed = subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    if not allowed:
        print(f"{' '.join(options)}: not allowed here, left out")
    return prefix if allowed else None


def test_file_systems(guest, cache):
    with copy_of(cache) as other:
        if prefix := mounted(other, "--bind", "-o", "ro", other, other):
            compiled, recalled = guest.run("read-only", "--cache", other, prefix=prefix)
            expect(compiled == 0 and recalled > 0, "read-only: it was not read")
            for shard in shards(other):
                os.unlink(shard)
            guest.run("read-only and empty", "--cache", other, prefix=prefix, warnings=1)
        if prefix := mounted(other, "-t", "tmpfs", "-o", "size=4k,mode=700", "none", other):
            guest.run("a full disk", "--cache", other, prefix=prefix, warnings=1)
    with tempfile.NamedTemporaryFile() as file:
        guest.run("a file in its place", "--cache", file.name, warnings=1)


def test_sharing(guest, cache):
    """Three at a time, and one more that is killed."""
    started = [subprocess.Popen([*guest.command, "--cache", cache], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                text=True) for _ in range(4)]
    try:
        started[0].wait(timeout=2)
    except subprocess.TimeoutExpired:
        started[0].kill()
    for each in started[1:]:
        errors = each.communicate(timeout=540)[1]
        state = STATE.search(errors)
        expect(each.returncode == 0 and state is not None and state.group() == guest.state,
               f"shared: status {each.returncode}: {errors}")
        expect("translation cache: " not in errors, f"shared: {errors}")
    started[0].communicate()
    verified = guest.verb("verify", cache)
    expect(verified.returncode == 0, f"shared: verify says {verified.stderr}")


def main():
    guest = Guest(*sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        cache = f"{folder}/cache"
        guest.run("no cache", "--no-cache")
        expect(not os.path.exists(cache), "--no-cache: there is one")
        compiled, recalled = guest.run("cold", "--cache", cache)
        expect(compiled > 0 and recalled == 0, f"cold: {recalled} of {compiled} taken from an empty cache")
        warm = guest.run("warm", "--cache", cache)
        expect(warm[1] > 0 and warm[0] < compiled, f"warm: {warm[0]} compiled, {warm[1]} taken from the cache")
        for verb, word in (("list", "LLVM"), ("verify", "sound")):
            done = guest.verb(verb, cache)
            expect(done.returncode == 0 and word in done.stdout, f"cache {verb}: {done.stdout}{done.stderr}")
        test_damage(guest, cache)
        test_file_systems(guest, cache)
        test_sharing(guest, cache)
        done = guest.verb("clear", cache)
        expect(done.returncode == 0 and not shards(cache), f"cache clear: {done.stdout}{done.stderr}")
    print("\n".join(FAILURES) if FAILURES else "the same run every time")
    sys.exit(1 if FAILURES else 0)


main()
