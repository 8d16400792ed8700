#!/usr/bin/env python3
"""run.py FOLDER [TARGET]... [--seconds N] [--seed N]: runs fuzz targets built in FOLDER (build/fuzz/tests/fuzz), all
by default, each for some seconds. Inputs that reach new code stay in FOLDER/corpus and are where the
next run starts; an input that fails is kept in FOLDER/findings, and the status is 1. With a seed, a run on the
same corpus tries the same inputs again."""
import argparse
import os
import re
import subprocess
import sys

import seeds

# What a target starts from, and its longest useful input.
TARGETS = {
    "a64_fuzz": (seeds.a64, 133),
    "device_tree_fuzz": (seeds.device_tree, 4096),
    "files_fuzz": (seeds.devices, 4096),
    "gdb_fuzz": (seeds.gdb, 4096),
    "ir_text_fuzz": (seeds.ir_text, 2048),
    "kernel_fuzz": (seeds.kernel, 4096),
    "mmio_fuzz": (seeds.devices, 4096),
    "move_fuzz": (seeds.move, 16384),
    "option_fuzz": (seeds.option, 256),
    "qcow2_fuzz": (seeds.qcow2, 131072),
    "read_only_image_fuzz": (seeds.read_only_image, 65536),
    "recording_fuzz": (seeds.recording, 4096),
    "state_fuzz": (None, 8192),
    "translation_cache_fuzz": (seeds.translation_cache, 4096),
    "virtio_fuzz": (seeds.devices, 16384),
}


def write(folder, contents):
    os.makedirs(folder, exist_ok=True)
    for name, data in contents.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)


def run(folder, target, seconds, seed):
    make, longest = TARGETS[target]
    place = {name: os.path.join(folder, name, target) for name in ("seeds", "corpus", "findings")}
    write(place["seeds"], make() if make else seeds.state(folder))
    os.makedirs(place["corpus"], exist_ok=True)
    os.makedirs(place["findings"], exist_ok=True)
    command = [os.path.join(folder, target), place["corpus"], place["seeds"], f"-max_total_time={seconds}",
               f"-seed={seed}", f"-max_len={longest}", "-timeout=120", "-rss_limit_mb=3000", "-print_final_stats=1",
               f"-artifact_prefix={place['findings']}/"]
    if words := seeds.words(target):
        dictionary = os.path.join(folder, f"{target}.dict")
        with open(dictionary, "w", encoding="utf-8") as file:
            file.writelines(f'"{word}"\n' for word in words)
        command.append(f"-dict={dictionary}")
    environment = {"UBSAN_OPTIONS": "print_stacktrace=1", **os.environ}
    result = subprocess.run(command, env=environment, text=True, errors="replace", stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    if result.returncode != 0:
        print(result.stdout[-20000:])
        print(f"{target}: failed; the input is in {place['findings']}")
        return False
    coverage = re.findall(r"cov: (\d+)", result.stdout)
    units = re.search(r"number_of_executed_units: (\d+)", result.stdout)
    print(f"{target}: {units[1]} inputs, {coverage[-1]} places covered")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    options = parser.parse_args()
    unknown = [target for target in options.targets if target not in TARGETS]
    if unknown:
        sys.exit(f"run.py: {unknown[0]}: no such target; there are {', '.join(TARGETS)}")
    targets = options.targets or list(TARGETS)
    results = [run(options.folder, target, options.seconds, options.seed) for target in targets]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
