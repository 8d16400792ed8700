#!/usr/bin/env python3
"""share.py TANDEM GUEST virtiofs|9p: folders of the host in Debian, by its driver of that name: files both ways, many
and large, several at work at once, links that lead out, a read-only folder, one that vanishes, and random
operations that must say and leave what they do on the host's own file system."""
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile

from boot import check, run_arguments
from console import Console

OPERATIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "share", "file_operations.pl")
COUNT = 4000


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Guest:
    """A shell of the guest's root, with an easy prompt."""

    def __init__(self, tandem, guest, protocol, options):
        self.protocol = protocol
        disk = ["--disk", os.path.join(guest, "disk.img") + ",format=raw,snapshot", "--net", "none"]
        if protocol == "virtiofs":
            command = run_arguments(tandem, guest, "initrd", "root=/dev/vda rw console=ttyAMA0 quiet")
            self.console = Console(command + disk + options, 1700)
            self.console.expect(rb"login:")
            self.console.send(b"root\r")
        else:
            # The disk's own kernel has no such driver: another one runs the same programs.
            command = run_arguments(tandem, guest, "drivers.cpio.gz", "console=ttyAMA0 quiet", kernel="drivers.kernel")
            self.console = Console(command + disk + options, 1700)
            self.console.expect(rb"# ")
            self.console.send(b"mount -t ext4 /dev/vda /mnt; for d in proc sys dev; do mount -o bind /$d /mnt/$d; done; "
                              b"exec chroot /mnt bash\r")
        self.console.expect(rb"# ")
        self.console.send(b"TERM=dumb PS1='do''ne> ' exec sh\r")
        self.console.expect(rb"done> ")
        self.console.send(b"stty -echo\r")
        self.console.expect(rb"done> ")

    def mount(self, tag, folder):
        options = "" if self.protocol == "virtiofs" else "-o trans=virtio,version=9p2000.L,msize=512000"
        self.says(f"mkdir -p {folder}; mount -t {self.protocol} {options} {tag} {folder}; echo $?", "0")

    def run(self, command):
        """What the command prints."""
        self.console.send(command.encode() + b"\r")
        return self.console.expect(rb"(?s)(.*)done> ")[1].decode().replace("\r", "").strip()

    def says(self, command, expected):
        said = self.run(command)
        check(said == expected, f"{command!r} says {expected!r}, not {said!r}")


def transfers(guest, shared):
    with open(f"{shared}/from-host", "wb") as file:
        file.write(random.Random(1).randbytes(24 << 20))
    guest.says("sha256sum </mnt/from-host", checksum(f"{shared}/from-host") + "  -")
    said = guest.run("head -c 24M /dev/urandom >/tmp/big; cp /tmp/big /mnt/from-guest; sync; sha256sum </tmp/big")
    check(said == checksum(f"{shared}/from-guest") + "  -", "a large file arrives on the host")
    guest.says("cmp /tmp/big /mnt/from-guest && echo same", "same")
    # What the host changes is seen once the guest asks again.
    with open(f"{shared}/note", "w") as file:
        file.write("one")
    guest.says("cat /mnt/note", "one")
    with open(f"{shared}/note", "w") as file:
        file.write("two!")
    guest.says("sleep 1.1; cat /mnt/note", "two!")


def small_files(guest, shared):
    guest.says("mkdir /mnt/many; cd /mnt/many; perl -e 'for (1..10000) { open F, \">f$_\" or die; print F $_; close F }'; "
               "ls | wc -l; cd /", "10000")
    check(len(os.listdir(f"{shared}/many")) == 10000, "10,000 files arrive")
    with open(f"{shared}/many/f9999") as file:
        check(file.read() == "9999", "with their content")
    guest.says("find /mnt/many -type f -size +0 | wc -l; cat /mnt/many/f12* | wc -c", "10000\n432")
    guest.says("rm -r /mnt/many; ls /mnt/many 2>&1 | grep -c 'No such'", "1")
    check(not os.path.exists(f"{shared}/many"), "removed files are gone")


def several_at_once(guest, shared):
    guest.says("cd /mnt; (for w in 1 2 3 4; do (mkdir w$w; for i in $(seq 100); do echo $w-$i >w$w/a; mv w$w/a w$w/f$i; "
               "done; cat w$w/f* | wc -l) & done; wait); cd /", "100\n100\n100\n100")
    check(sum(len(os.listdir(f"{shared}/w{w}")) for w in range(1, 5)) == 400, "four writers leave what they wrote")


def links_out(guest, shared, private):
    """Links are the guest's to follow, in its own tree; the host's lead nowhere."""
    os.symlink(f"{private}/secret", f"{shared}/absolute")
    os.symlink("../private/secret", f"{shared}/relative")
    os.symlink("../private", f"{shared}/folder")
    os.mkfifo(f"{shared}/fifo")
    guest.says("cd /mnt; for f in absolute relative folder/secret ../private/secret; do cat $f 2>&1 | grep -c such; done; cd /",
               "1\n1\n1\n1")
    guest.says("echo x 2>&1 >/mnt/absolute | grep -c nonexistent; readlink /mnt/relative; stat -c %F /mnt/fifo",
               "1\n../private/secret\nfifo")
    guest.says("mknod /mnt/null c 1 3 2>&1 | grep -c permitted", "1")
    with open(f"{private}/secret") as file:
        check(file.read() == "secret", "what is not shared stays as it was")


def permissions(guest, shared):
    guest.says("cd /mnt; (umask 027; >made); chmod 4751 made; ln made second; stat -c '%a %h %u' made; cd /",
               f"4751 2 {0}")
    check(os.stat(f"{shared}/made").st_mode & 0o7777 == 0o4751, "the host has the mode")
    # Root's writing takes the bit away but on a host that lets root keep it; by 9P nobody says who writes.
    keeps = os.geteuid() == 0 and guest.protocol == "virtiofs"
    guest.says("echo more >>/mnt/made; stat -c %a /mnt/made", "4751" if keeps else "751")
    guest.says("setfattr -n user.a -v b /mnt/made 2>/dev/null; df -P /mnt | wc -l", "2")


def read_only(guest, folder):
    guest.says("cat /ro/file; (>/ro/file) 2>&1 | grep -c Read-only; rm /ro/file 2>&1 | grep -c Read-only; "
               "mkdir /ro/new 2>&1 | grep -c Read-only; chmod 777 /ro/file 2>&1 | grep -c Read-only", "text\n1\n1\n1\n1")
    check(os.listdir(folder) == ["file"], "a read-only folder stays as it is")


def vanishing(guest, folder):
    guest.says("cat /gone/file", "text")
    shutil.rmtree(folder)
    guest.says("sleep 1.1; ls /gone | wc -l; (>/gone/new) 2>&1 | grep -c nonexistent", "0\n1")


def random_operations(guest, shared, scratch, seed):
    shutil.copy(OPERATIONS, f"{shared}/operations.pl")
    os.mkdir(f"{shared}/trial")
    guest.says(f"perl /mnt/operations.pl /mnt/trial {seed} {COUNT} >/mnt/said 2>&1; echo $?", "0")
    os.mkdir(scratch)
    expected = subprocess.run(["perl", OPERATIONS, scratch, str(seed), str(COUNT)], capture_output=True, text=True,
                              check=True).stdout.splitlines()
    with open(f"{shared}/said") as file:
        said = file.read().splitlines()
    for ours, theirs in zip(said, expected):
        check(ours == theirs, f"seed {seed}: the share says {ours!r}, the host's own files {theirs!r}")
    check(len(said) == len(expected), f"seed {seed}: {len(said)} lines instead of {len(expected)}")
    compared = subprocess.run(["diff", "-r", "--no-dereference", f"{shared}/trial", scratch], capture_output=True, text=True)
    check(compared.returncode == 0, f"seed {seed}: the trees differ: {compared.stdout}")


def main():
    tandem, guest_files, protocol = sys.argv[1:]
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as top:
        shared, readonly, gone, private = (f"{top}/{name}" for name in ("shared", "ro", "gone", "private"))
        for folder in (shared, readonly, gone, private):
            os.mkdir(folder)
        for folder, name, content in ((readonly, "file", "text\n"), (gone, "file", "text\n"), (private, "secret", "secret")):
            with open(f"{folder}/{name}", "w") as file:
                file.write(content)
        kind = "" if protocol == "virtiofs" else ",type=9p"
        guest = Guest(tandem, guest_files, protocol, ["--share", shared + kind, "--share", f"{readonly}:ro,readonly{kind}",
                                                      "--share", f"{gone}:gone{kind}"])
        for tag, folder in (("share", "/mnt"), ("ro", "/ro"), ("gone", "/gone")):
            guest.mount(tag, folder)
        transfers(guest, shared)
        small_files(guest, shared)
        several_at_once(guest, shared)
        links_out(guest, shared, private)
        permissions(guest, shared)
        read_only(guest, readonly)
        vanishing(guest, gone)
        random_operations(guest, shared, f"{top}/scratch", seed)
        # Unmounted and mounted again, by another session.
        guest.says("umount /mnt; echo $?", "0")
        guest.mount("share", "/mnt")
        guest.says("cat /mnt/note", "two!")
        guest.says("dmesg --level=err,crit,alert,emerg | grep -ci -e fuse -e virtio -e 9p", "0")
        guest.console.send(b"poweroff\r" if protocol == "virtiofs" else b"systemctl poweroff -ff\r")
        check(guest.console.wait() == 0, "exit status 0 after poweroff")


if __name__ == "__main__":
    main()
