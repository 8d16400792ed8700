#!/usr/bin/env python3
"""differential.py TANDEM IMAGE_IO [--operations N] [--seed S]: random operations on qcow2 images, by
Tandem and by QEMU's tools in turn, among them snapshots, discards, resizes and kills. After every batch
both checkers must find the image clean, and every byte must be one that it may be: a flushed write is
there, one lost by a kill is there or not, byte by byte."""
import argparse
import os
import random
import subprocess
import sys
import tempfile

MIB = 1 << 20


class Test:
    def __init__(self, arguments, folder, rng):
        self.tandem, self.image_io = arguments.tandem, arguments.image_io
        self.rng = rng
        self.image = os.path.join(folder, "image.qcow2")
        self.dump_file = os.path.join(folder, "dump.raw")
        self.model_file = os.path.join(folder, "model.raw")
        self.base = os.path.join(folder, "base.raw")
        self.log = []
        self.operations = 0

    def fail(self, why):
        sys.exit("\n".join([*self.log[-60:], why]))

    def run(self, *command, status=(0,), text=None):
        self.log.append(" ".join(os.path.basename(c) for c in command) + (f" <<< {text}" if text else ""))
        run = subprocess.run(command, capture_output=True, text=True, input=text, timeout=300)
        if run.returncode not in status:
            self.fail(f"status {run.returncode}: {run.stdout[-2000:]}{run.stderr[-2000:]}")
        return run.returncode

    # ------------------------------------------------------------------------------------ an image's life
    def create(self):
        rng = self.rng
        if os.path.exists(self.image):
            os.unlink(self.image)
        self.size = rng.randrange(1, 24) * MIB + rng.randrange(0, 64) * 512
        self.model = bytearray(self.size)
        self.snapshots = {}
        cluster = rng.choice(["512", "4k", "64k", "64k", "2M"])
        version = rng.choice([2, 3, 3, 3])
        self.version = version
        bits = rng.choice([1, 8, 16, 16, 64]) if version == 3 else 16
        self.max_snapshots = 0 if bits == 1 else 4
        backing = rng.random() < 0.4
        # qemu-img cannot: "Failed to zero out new clusters: Operation not supported".
        self.qemu_grows = version == 3 or not backing
        if backing:
            base = rng.randbytes(rng.randrange(1, 2 * self.size // 512) * 512)
            with open(self.base, "wb") as file:
                file.write(base)
            self.model[:len(base)] = base[:self.size]
            del self.model[self.size:]
        if rng.random() < 0.5:
            options = f"cluster_size={cluster},compat={'0.10' if version == 2 else '1.1'},refcount_bits={bits}"
            if version == 3 and rng.random() < 0.3:
                options += ",lazy_refcounts=on"
            self.run("qemu-img", "create", "-q", "-f", "qcow2", "-o", options,
                     *(["-b", self.base, "-F", "raw"] if backing else []), self.image, str(self.size))
        else:
            self.run(self.tandem, "image", "create", self.image, str(self.size), "--cluster-size", cluster.upper(),
                     "--qcow2-version", str(version), "--refcount-bits", str(bits),
                     *(["--backing", self.base, "--backing-format", "raw"] if backing else []))

    def a_range(self, align=512):
        offset = self.rng.randrange(self.size // align) * align
        longest = self.rng.choice([4096, 65536, 65536, MIB])
        length = min(self.rng.randrange(1, longest // align + 1) * align, self.size - offset) if longest >= align else align
        return offset, max(length, align)

    def batch(self, count):
        """Operations on the disk by one of the two programs. Returns ranges whose bytes may be old or new."""
        rng, unsure = self.rng, []
        by_tandem = rng.random() < 0.6
        dies = by_tandem and rng.random() < 0.3
        flushed = rng.randrange(count) if dies else count
        commands = []
        for i in range(count):
            offset, length = self.a_range()
            what = rng.choices("wdz", [6, 1, 1])[0]
            old = bytes(self.model[offset:offset + length])
            if what == "w":
                byte = rng.randrange(256)
                new = bytes([byte]) * length
                commands.append(f"w {offset} {length} {byte}" if by_tandem else f"write -q -P {byte} {offset} {length}")
            elif what == "z":
                new = bytes(length)
                unmap = rng.randrange(2)
                commands.append(f"z {offset} {length} {unmap}" if by_tandem
                                else f"write -q -z {'-u' if unmap else ''} {offset} {length}")
            else:
                new = None
                commands.append(f"d {offset} {length}" if by_tandem else f"discard -q {offset} {length}")
            if new is None:
                unsure.append((offset, length, bytes(length)))
                # What a discard leaves is old or zero; what follows builds on either.
            else:
                if i >= flushed or any(o < offset + length and offset < o + n for o, n, _ in unsure):
                    unsure.append((offset, length, new))
                if i < flushed:
                    unsure.append((offset, length, new))
                    self.model[offset:offset + length] = new
                    unsure = [u for u in unsure if not (offset <= u[0] and u[0] + u[1] <= offset + length)]
                else:
                    unsure.append((offset, length, old))
            if dies and i + 1 == flushed:
                commands.append("f")
        self.operations += count
        if by_tandem:
            if dies:
                commands.append("k")
            self.run(self.image_io, self.image, text="\n".join(commands), status=(-9,) if dies else (0,))
        else:
            self.run("qemu-io", "-f", "qcow2", "-d", "unmap", *[a for c in commands for a in ("-c", c)], self.image)
        return unsure, dies, by_tandem

    def verify(self, unsure, died, by_tandem):
        """Checks by both, then reads everything by the program that did not write it."""
        if died:
            if self.run("qemu-img", "check", "-q", self.image, status=(0, 3)) == 3:
                self.run(self.tandem, "image", "check", self.image, "--repair", "leaks")
        self.run("qemu-img", "check", "-q", self.image)
        self.run(self.tandem, "image", "check", self.image)
        if by_tandem:
            self.run("qemu-img", "convert", "-O", "raw", self.image, self.dump_file)
        else:
            self.run(self.tandem, "image", "convert", "--to", "raw", self.image, self.dump_file)
        with open(self.dump_file, "rb") as file:
            dump = file.read()
        if len(dump) != self.size:
            self.fail(f"{len(dump)} bytes instead of {self.size}")
        if dump != self.model:
            expected = bytearray(self.model)
            # Where anything is unsure, take what is there if it is one of the possible bytes.
            for offset, length, _ in unsure:
                for at in range(offset, offset + length, 512):
                    got = dump[at:at + 512]
                    possible = {bytes(self.model[at:at + 512])} | {u[2][at - u[0]:at - u[0] + 512] for u in unsure
                                                                 if u[0] <= at < u[0] + u[1]}
                    if got in possible:
                        expected[at:at + 512] = got
            if dump != expected:
                first = next(i for i in range(len(dump)) if dump[i] != expected[i])
                self.fail(f"byte {first} is {dump[first]:#x}, not {expected[first]:#x}")
            self.model = bytearray(dump)
        with open(self.model_file, "wb") as file:
            file.write(self.model)
        self.run("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", self.image, self.model_file)

    def administration(self):
        rng = self.rng
        self.operations += 1
        what = rng.choice(["create", "apply", "delete", "grow", "shrink"])
        by_tandem = rng.random() < 0.6
        if what == "create" and len(self.snapshots) < self.max_snapshots:
            name = f"s{rng.randrange(10**9)}"
            self.run(*([self.tandem, "image", "snapshot", "create", self.image, name] if by_tandem
                       else ["qemu-img", "snapshot", "-c", name, self.image]))
            self.snapshots[name] = bytes(self.model)
        elif what in ("apply", "delete") and self.snapshots:
            name = rng.choice(list(self.snapshots))
            self.run(*([self.tandem, "image", "snapshot", what, self.image, name] if by_tandem
                       else ["qemu-img", "snapshot", "-a" if what == "apply" else "-d", name, self.image]))
            if what == "apply":
                self.model = bytearray(self.snapshots[name])
                self.size = len(self.model)
            else:
                del self.snapshots[name]
        elif what in ("grow", "shrink") and not (self.version == 2 and self.snapshots):
            change = rng.randrange(1, 4 * MIB // 512) * 512
            new = self.size + change if what == "grow" else max(self.size - change, MIB)
            if new == self.size or new > 64 * MIB:
                return True
            by_tandem |= not self.qemu_grows
            self.run(*([self.tandem, "image", "resize", "--shrink", self.image, str(new)] if by_tandem
                       else ["qemu-img", "resize", "-q", "--shrink", "-f", "qcow2", self.image, str(new)]))
            self.model = bytearray(self.model[:new]) + bytes(max(0, new - self.size))
            self.size = new
        return by_tandem


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tandem")
    parser.add_argument("image_io")
    parser.add_argument("--operations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        test = Test(arguments, folder, rng)
        images = 0
        while test.operations < arguments.operations:
            test.create()
            images += 1
            for _ in range(rng.randrange(3, 9)):
                if rng.random() < 0.4:
                    test.verify([], False, test.administration())
                else:
                    test.verify(*test.batch(rng.randrange(1, 20)))
        print(f"{test.operations} operations on {images} images, seed {arguments.seed}: 0 differences")


if __name__ == "__main__":
    main()
