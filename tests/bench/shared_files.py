"""A folder of the host with many files, walked and read in a guest: virtio-fs and 9P of Tandem, 9P of QEMU (the only
one of its protocols that needs no other program). Host caches are warm, the guest's are not."""
import os
import statistics

# As busybox runs them.
STEPS = [("find", "find /share -type f | wc -l"), ("stat each", "ls -lR /share | wc -l"),
         ("tar", "tar cf - /share | wc -c")]
MOUNT = {"virtiofs": "-t virtiofs share /share", "9p": "-t 9p -o trans=virtio,version=9p2000.L,msize=512000 share /share"}


def make_files(folder, count):
    for number in range(count):
        where = os.path.join(folder, f"d{number // 100}")
        if number % 100 == 0:
            os.mkdir(where)
        with open(os.path.join(where, f"file{number}"), "w", encoding="utf-8") as file:
            file.write(f"{number}\n" * 100)


def bench_share(arguments, work, overlay, run):
    folder = os.path.join(work, "share")
    os.mkdir(folder)
    make_files(folder, arguments.files)
    kernel = os.path.join(arguments.guest, "drivers.kernel")
    common = ["--kernel", kernel, "--append", "console=ttyAMA0 quiet", "--initrd"]
    qemu = [arguments.qemu, "-M", "virt", "-cpu", "max", "-accel", "tcg,thread=multi", "-smp", str(arguments.cpus), "-m",
            "1G", "-nographic", "-nic", "none", "-fsdev", f"local,id=share,path={folder},security_model=none", "-device",
            "virtio-9p-pci,fsdev=share,mount_tag=share", "-kernel", kernel, "-append", "console=ttyAMA0 quiet", "-initrd"]
    tandem = [arguments.tandem, "run", "--cpus", str(arguments.cpus), "--net", "none", "--share"]
    subjects = {"tandem virtiofs": ("virtiofs", tandem + [folder] + common),
                "tandem 9p": ("9p", tandem + [folder + ",type=9p"] + common), "qemu 9p": ("9p", qemu)}
    times = {name: [] for name in subjects}
    for _ in range(arguments.runs):
        for name, (protocol, command) in subjects.items():
            script = "".join(f"echo 'STEP {i}'\nbusybox {step}\n" for i, (_, step) in enumerate(STEPS))
            init = ("#!/bin/sh\nmount -t proc proc /proc\nmount -t devtmpfs dev /dev\nmodprobe virtio_pci\n"
                    f"modprobe virtiofs\nmodprobe 9pnet_virtio\nmodprobe 9p\nmkdir /share\nmount {MOUNT[protocol]}\n"
                    f"{script}echo 'STEP {len(STEPS)}'\npoweroff -f\n")
            initrd = overlay(work, arguments.guest, [], init, "drivers.cpio.gz")
            marks = run(command + [initrd], [(f"STEP {i}".encode(), b"") for i in range(len(STEPS) + 1)])[1]
            times[name].append([marks[i + 1] - marks[i] for i in range(len(STEPS))])
    print(f"{arguments.files} files   " + "".join(f"{name + ' s':>18}" for name in subjects) + f"{'qemu/virtiofs':>15}")
    for i, (title, _) in enumerate(STEPS):
        medians = [statistics.median(steps[i] for steps in times[name]) for name in subjects]
        print(f"{title:14}" + "".join(f"{m:18.2f}" for m in medians) + f"{medians[-1] / medians[0]:15.2f}")
