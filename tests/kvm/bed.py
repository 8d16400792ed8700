"""A host with KVM inside an emulated processor: Debian's kernel for x86-64 with its KVM modules, on
qemu-system-x86_64 with TCG, whose processor has AMD's virtualisation. KVM there is that of real hardware, wherever
this runs. Host files are put into the initramfs under their own paths, with the libraries of programs."""
import gzip
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

PROCESSOR = "EPYC,+svm,+npt"
INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mkdir -p /dev/shm /root && mount -t tmpfs shm /dev/shm
export HOME=/root PATH=/bin
ip link set lo up
%s
modprobe kvm-amd || echo "BED no KVM"
%s
poweroff -f
"""


def libraries(program):
    """What the dynamic linker loads for it, by ldd."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", listed)


def copy(path, tree, name=None):
    """A host file into the tree, under its own path or another."""
    target = os.path.join(tree, (name or path).lstrip("/"))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.exists(target):
        shutil.copyfile(path, target)
        os.chmod(target, stat.S_IMODE(os.stat(path).st_mode))


class Bed:
    """`guest` is a folder of scripts/guest with x86; `programs` get their libraries, `files` do not; both are names
    inside: paths on this host."""

    def __init__(self, guest, programs, files, before=""):
        self.kernel = os.path.join(guest, "x86", "kernel")
        self.before = before
        self.folder = tempfile.TemporaryDirectory()
        self.tree = os.path.join(self.folder.name, "tree")
        shutil.copytree(os.path.join(guest, "x86", "host"), self.tree, symlinks=True)
        for name, path in programs.items():
            copy(path, self.tree, name)
            for library in libraries(path):
                copy(os.path.realpath(library), self.tree, library)
        for name, path in files.items():
            copy(path, self.tree, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def command(self, script, memory=1024, cpus=2):
        """A command that runs the shell script in there, with the machine's serial line on its terminal."""
        init = os.path.join(self.tree, "init")
        with open(init, "w", encoding="ascii") as file:
            file.write(INIT % (self.before, script))
        os.chmod(init, 0o755)
        initrd = os.path.join(self.folder.name, "initrd")
        listed = subprocess.run(["find", ".", "-print0"], cwd=self.tree, stdout=subprocess.PIPE, check=True).stdout
        archive = subprocess.run(["cpio", "--null", "--quiet", "-o", "-H", "newc"], cwd=self.tree, input=listed,
                                 stdout=subprocess.PIPE, check=True).stdout
        with gzip.open(initrd, "wb", compresslevel=1) as file:
            file.write(archive)
        return ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", PROCESSOR, "-smp", str(cpus),
                "-m", str(memory), "-nographic", "-nodefaults", "-serial", "stdio", "-no-reboot", "-kernel",
                self.kernel, "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1 mitigations=off"]


def main():
    """bed.py TANDEM GUEST SCRIPT [FILE...]: for people; runs a shell script in a bed with Tandem."""
    tandem, guest, script = sys.argv[1:4]
    files = {os.path.join("/files", os.path.basename(f)): f for f in sys.argv[4:]}
    with Bed(guest, {"/bin/tandem": tandem}, files) as bed:
        sys.exit(subprocess.run(bed.command(script), check=False).returncode)


if __name__ == "__main__":
    main()
