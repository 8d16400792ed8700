#!/usr/bin/env python3
"""explain.py TANDEM: `tandem explain` of images that other tools made (mtools, sfdisk, mke2fs): what boots, what is
installed, what is for another machine; and the seed that `run` makes, as mtools reads it."""
import json
import os
import struct
import subprocess
import sys
import tempfile

ARM64, X86_64, RISCV = 0xAA64, 0x8664, 0x5064
MIB = 1 << 20
FAILURES = []


def efi_application(machine):
    """A PE header for that machine, far enough from the start to need a look."""
    return b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x200).ljust(0x200 - 0x3C, b"\0") + \
        b"PE\0\0" + struct.pack("<H", machine).ljust(512, b"\0")


def tool(*command, text=""):
    subprocess.run(command, input=text, text=True, check=True, stdout=subprocess.DEVNULL)


class Maker:
    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    def path(self, name=""):
        self.count += 1
        return os.path.join(self.folder, f"{self.count}-{name}")

    def volume(self, files, bits=32, mebibytes=40):
        """A FAT volume with EFI applications, by their paths."""
        path = self.path("fat")
        with open(path, "wb") as out:
            out.truncate(mebibytes * MIB)
        sectors = {12: ["-c", "64"], 16: ["-c", "4"], 32: ["-F", "-c", "1"]}[bits]
        tool("mformat", "-i", path, *sectors, "::")
        made = set()
        for name, machine in files.items():
            folders = name.split("/")[:-1]
            for depth in range(1, len(folders) + 1):
                part = "/".join(folders[:depth])
                if part not in made:
                    tool("mmd", "-i", path, "::/" + part)
                    made.add(part)
            source = self.path("efi")
            with open(source, "wb") as out:
                out.write(efi_application(machine))
            tool("mcopy", "-i", path, source, "::/" + name)
        return path

    def root(self, files, kind="ext4", options=()):
        tree = self.path("tree")
        for name, content in files.items():
            target = os.path.join(tree, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w") as out:
                out.write(content)
        path = self.path(kind)
        tool("mke2fs", "-q", "-t", kind, *options, "-d", tree, path, "16M")
        return path

    def disk(self, label, partitions, name="disk"):
        """partitions: (type, file)..."""
        path = self.path(name)
        layout, start = "", 1
        with open(path, "wb") as disk:
            for _, source in partitions:
                with open(source, "rb") as content:
                    disk.seek(start * MIB)
                    disk.write(content.read())
                start += os.path.getsize(source) // MIB
            disk.truncate((start + 1) * MIB)
        start = 1
        for kind, source in partitions:
            size = os.path.getsize(source) // MIB
            layout += f"start={start}MiB, size={size}MiB, type={kind}\n"
            start += size
        tool("sfdisk", "--quiet", "--wipe-partitions", "never", "--label", label, path, text=layout)
        return path


def explain(tandem, image, *options):
    return subprocess.run([tandem, "explain", image, *options], capture_output=True, text=True)


def accepted(tandem, image, *options):
    run = explain(tandem, image, "--bios", "/dev/null", *options, "--json")
    if run.returncode != 0 or run.stderr:
        FAILURES.append(f"{image} {options}: {run.stderr}")
        return {"image": {}, "choices": [], "command": []}
    return json.loads(run.stdout)


def refused(tandem, image, *words):
    run = explain(tandem, image)
    lines = run.stderr.splitlines()
    if run.returncode == 0 or len(lines) != 1 or run.stdout:
        FAILURES.append(f"{image}: not refused in one line: {run.stderr!r} {run.stdout!r}")
    for word in words:
        if word not in run.stderr:
            FAILURES.append(f"{image}: {word!r} not in {run.stderr!r}")


def equal(what, value, expected):
    if value != expected:
        FAILURES.append(f"{what}: {value!r} is not {expected!r}")


def main():
    tandem = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(HOME=folder, XDG_STATE_HOME=os.path.join(folder, "state"))
        make = Maker(folder)
        arm64 = {"EFI/BOOT/BOOTAA64.EFI": ARM64}
        x86 = {"EFI/BOOT/BOOTX64.EFI": X86_64}

        # Every width of FAT, in both kinds of table.
        for bits in (12, 16, 32):
            volume = make.volume(arm64 | {f"EFI/VENDOR/FILE{i}.EFI": ARM64 for i in range(40)}, bits)
            for label, kind in (("gpt", "uefi"), ("dos", "ef")):
                facts = accepted(tandem, make.disk(label, [(kind, volume)]))["image"]
                equal(f"boot file, FAT{bits} in {label}", facts.get("boot-file"), "EFI/BOOT/BOOTAA64.EFI")
        both = accepted(tandem, make.disk("gpt", [("uefi", make.volume(x86 | arm64))]))["image"]
        equal("boot file of a disk for two machines", both.get("boot-file"), "EFI/BOOT/BOOTAA64.EFI")
        vendor = accepted(tandem, make.disk("gpt", [("uefi", make.volume({"EFI/debian/grubaa64.efi": ARM64}))]))
        equal("boot file of a vendor", vendor["image"].get("boot-file"), "EFI/DEBIAN/GRUBAA64.EFI")

        # Other machines, and nothing to boot.
        refused(tandem, make.disk("gpt", [("uefi", make.volume(x86))], "amd64"), "amd64", "x86-64", "BOOTX64.EFI", "arm64")
        refused(tandem, make.disk("gpt", [("uefi", make.volume({"EFI/BOOT/BOOTRISCV64.EFI": RISCV}))]), "RISC-V")
        refused(tandem, make.disk("gpt", [("21686148-6449-6E6F-744E-656564454649", make.volume({}))]), "x86", "BIOS")
        refused(tandem, make.disk("gpt", [("linux", make.root({"etc/passwd": ""}))]), "EFI system partition", "--kernel")
        refused(tandem, make.root({"etc/passwd": ""}), "no boot loader", "--kernel")

        # What is installed, in every generation of the file system.
        system = {"usr/lib/os-release": 'NAME=x\nPRETTY_NAME="Debian \x1b[31m12"\n', "usr/sbin/sshd": "",
                  "etc/passwd": "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n",
                  "etc/cloud/cloud.cfg": ""} | {f"usr/sbin/program-with-a-long-name-{i}": "" for i in range(500)}
        for kind, options in (("ext2", ()), ("ext3", ("-b", "4096")), ("ext4", ()), ("ext4", ("-O", "64bit", "-b", "4096"))):
            disk = make.disk("gpt", [("uefi", make.volume(arm64)), ("linux", make.root(system, kind, options))])
            plan = accepted(tandem, disk)
            equal(f"system on {kind}", plan["image"].get("system"),
                  {"name": "Debian ?[31m12", "user": "ada", "cloud-init": True, "ssh-server": True})
            equal("a seed for cloud-init", [c["option"] for c in plan["choices"] if c["subject"] == "seed"], ["--disk"])
        plain = make.root({"etc/passwd": "root:x:0:0::/root:/bin/sh\n"})
        disk = make.disk("gpt", [("uefi", make.volume(arm64)), ("linux", plain)])
        plan = accepted(tandem, disk)
        equal("a system without extras", plan["image"].get("system"),
              {"name": "", "user": "root", "cloud-init": False, "ssh-server": False})
        equal("no seed without cloud-init", [c for c in plan["choices"] if c["subject"] == "seed"], [])

        # The explicit command says the same, and explaining left nothing behind.
        command = accepted(tandem, disk, "--cpus", "3", "--no-acpi", "--disk", make.volume({}) + ",readonly")["command"]
        for words in (["--cpus", "3"], ["--no-acpi"], ["--disk", disk]):
            if not any(command[i:i + len(words)] == words for i in range(len(command))):
                FAILURES.append(f"{words} not in {command}")
        equal("the image's disk comes first", command[2:4], ["--disk", disk])
        equal("state after explaining", os.path.exists(os.path.join(folder, "state")), False)

        # The seed, read by someone else. The machine stops at once: its firmware is empty.
        os.makedirs(os.path.join(folder, ".ssh"))
        with open(os.path.join(folder, ".ssh", "id_ed25519.pub"), "w") as key:
            key.write("ssh-ed25519 AAAA me@here\n")
        empty = make.volume({}, 12, 1)
        subprocess.run([tandem, "run", disk, "--bios", empty, "--cloud-init", "always", "--timeout", "1"],
                       stdin=subprocess.DEVNULL, capture_output=True)
        state = os.path.join(folder, "state", "tandem", "images")
        seed = os.path.join(state, os.listdir(state)[0], "seed.img")
        read = {name: subprocess.run(["mtype", "-i", seed, "::/" + name], capture_output=True, text=True,
                                     check=True).stdout for name in ("user-data", "meta-data")}
        if not read["user-data"].startswith("#cloud-config\n") or "ssh-ed25519 AAAA me@here" not in read["user-data"]:
            FAILURES.append(f"user-data: {read['user-data']}")
        equal("the host's name", json.loads(read["meta-data"])["local-hostname"], os.path.basename(disk))
        tool("minfo", "-i", seed, "::")
    if FAILURES:
        sys.exit("\n".join(FAILURES))


if __name__ == "__main__":
    main()
