#!/usr/bin/env python3
"""install.py CMAKE BUILD_FOLDER ROM: installs a build under a temporary prefix and uses it from there:
the program runs a guest and finds its compiler module, and manual and completions are in their places."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

FILES = ["bin/tandem", *(f"lib*/**/tandem/libtandem-{module}.so" for module in ("llvm", "sdl", "sdl-sound", "vnc")),
         "share/man/man1/tandem.1", "share/bash-completion/completions/tandem", "share/zsh/site-functions/_tandem",
         "share/fish/vendor_completions.d/tandem.fish", "share/tandem/devices/phone.conf"]
# What reads each file for its syntax, where that program is installed.
READERS = [
    ("bash", "share/bash-completion/completions/tandem", ["-n"]),
    ("zsh", "share/zsh/site-functions/_tandem", ["-n"]),
    ("fish", "share/fish/vendor_completions.d/tandem.fish", ["--no-execute"]),
    ("groff", "share/man/man1/tandem.1", ["-man", "-ww", "-Tutf8", "-z"]),
]


def main():
    cmake, build, rom = sys.argv[1:]
    faults = []
    with tempfile.TemporaryDirectory() as prefix:
        subprocess.run([cmake, "--install", build, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
        faults += [f"{name}: not installed" for name in FILES
                   if not glob.glob(os.path.join(prefix, name), recursive=True)]
        for reader, name, options in READERS:
            if shutil.which(reader) is None:
                continue
            read = subprocess.run([reader, *options, os.path.join(prefix, name)], text=True, capture_output=True)
            if read.returncode != 0 or read.stderr:
                faults.append(f"{name}: {reader} says {read.stderr.strip()}")
        tandem = os.path.join(prefix, "bin/tandem")
        profiles = subprocess.run([tandem, "run", "--device", "none"], text=True, capture_output=True)
        if "no such profile; use car, kiosk, phone, tablet, watch, or" not in profiles.stderr:
            faults.append(f"--device: {profiles.stderr!r}")
        version = subprocess.run([tandem, "--version"], text=True, capture_output=True)
        if not re.fullmatch(r"tandem \d+\.\d+\.\d+\n", version.stdout):
            faults.append(f"--version: prints {version.stdout!r}")
        run = subprocess.run([tandem, "run", "--kernel", rom, "--tier", "t2", "--no-cache", "--stats", "--timeout", "120"], text=True,
                             stdin=subprocess.DEVNULL, capture_output=True)
        regions = re.search(r"(\d+) regions compiled by T2", run.stderr)
        if run.returncode != 0 or "PASS" not in run.stdout or regions is None or regions[1] == "0":
            faults.append(f"a guest with --tier t2: status {run.returncode}\n{run.stdout}{run.stderr}")
    print("\n".join(faults) if faults else "installed and run")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
