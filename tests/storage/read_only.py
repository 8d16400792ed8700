#!/usr/bin/env python3
"""read_only.py TANDEM [--seed S]: images of other programs, made by qemu-img, have the bytes they were made of; damaged
ones and those with a parent are refused in a line."""
import argparse
import os
import random
import subprocess
import sys
import tempfile

MIB = 1 << 20
# Format, qemu-img's options, and the size of the disk: the last has more blocks than one chunk of VHDX's table.
KINDS = [("vmdk", f"subformat={kind}", 40 * MIB + 512 * 7) for kind in
         ("monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "streamOptimized")]
KINDS += [("vmdk", "subformat=twoGbMaxExtentSparse", 5 << 30), ("vmdk", "subformat=monolithicSparse,zeroed_grain=on", 40 * MIB),
          ("vhdx", "subformat=dynamic", 40 * MIB), ("vhdx", "subformat=fixed", 40 * MIB),
          ("vhdx", "subformat=dynamic,block_size=1048576", 9 << 30)]


def run(*command, status=0):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != status:
        sys.exit(f"{' '.join(command)}\nstatus {done.returncode}: {done.stdout}{done.stderr}")
    return done


def make_disk(path, size, rng):
    """Data in places, with zeros between and within."""
    with open(path, "wb") as file:
        file.truncate(size)
        for _ in range(24):
            length = rng.randrange(1, 2 * MIB // 512) * 512
            file.seek(rng.randrange((size - length) // 512) * 512)
            file.write(rng.choice([rng.randbytes(length), bytes(length), b"text " * (length // 5)]))
        file.seek(size - 512)
        file.write(rng.randbytes(512))


def refuse(tandem, image, reason):
    """One line that names the file and the reason."""
    done = run(tandem, "image", "convert", image, image + ".out", status=1)
    lines = done.stderr.splitlines()
    if len(lines) != 1 or reason not in lines[0] or os.path.dirname(image) not in lines[0]:
        sys.exit(f"{image}: not {reason}: {done.stderr}")


def damage(tandem, image, rng):
    """Whatever is changed in the first megabytes, the program ends by itself."""
    with open(image, "rb") as file:
        content = file.read(4 * MIB)
    for _ in range(40):
        changed = bytearray(content[:rng.choice([len(content), rng.randrange(len(content))])])
        for _ in range(rng.randrange(1, 8)):
            if changed:
                # Where tables begin: VHDX has them at multiples of a MiB.
                at = rng.choice([0, 0, MIB, 2 * MIB, 3 * MIB]) + rng.randrange(rng.choice([128, 4096, MIB]))
                changed[at % len(changed)] = rng.randrange(256)
        with open(image + ".bad", "wb") as file:
            file.write(changed)
        done = subprocess.run([tandem, "image", "convert", image + ".bad", image + ".out", "--to", "qcow2"],
                              capture_output=True, text=True, errors="replace", timeout=60)
        if done.returncode not in (0, 1) or (done.returncode == 1 and not done.stderr.startswith("tandem: ")):
            sys.exit(f"damaged: status {done.returncode}: {done.stderr}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tandem")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    rng, tandem = random.Random(arguments.seed), arguments.tandem
    print(f"seed {arguments.seed}")
    for kind, options, size in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            disk, image, back = f"{folder}/disk.raw", f"{folder}/image.{kind}", f"{folder}/back.qcow2"
            make_disk(disk, size, rng)
            run("qemu-img", "convert", "-f", "raw", "-O", kind, "-o", options, disk, image)
            run(tandem, "image", "convert", image, back)
            run("qemu-img", "compare", "-f", "qcow2", "-F", "raw", back, disk)
            if f"format:     {kind}" not in run(tandem, "image", "info", image).stdout:
                sys.exit(f"{kind}: info calls it something else")
            if "Flat" not in options and size < 1 << 30:
                damage(tandem, image, rng)
            print(f"{kind} {options} {size}: equal", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        base, child = f"{folder}/base.vmdk", f"{folder}/child.vmdk"
        run("qemu-img", "create", "-q", "-f", "vmdk", base, "8M")
        run("qemu-img", "create", "-q", "-f", "vmdk", "-b", base, "-F", "vmdk", child)
        refuse(tandem, child, "on top of another")
        with open(f"{folder}/elsewhere.vmdk", "w", encoding="ascii") as file:
            file.write('# Disk DescriptorFile\nversion=1\nparentCID=ffffffff\nRW 8 FLAT "../../etc/passwd" 0\n')
        refuse(tandem, f"{folder}/elsewhere.vmdk", "elsewhere")
        writable = run(tandem, "run", "--kernel", "/nonexistent", "--disk", base, status=1).stderr
        if "which can only be read; add ,readonly or ,snapshot" not in writable:
            sys.exit(f"a writable vmdk disk: {writable}")


main()
