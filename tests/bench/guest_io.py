"""Disk, network and a shared folder of Debian: fio on a raw disk, iperf3 over the user network, git status on many files
by virtio-fs (QEMU's needs its virtiofsd). All of it from the host's caches, so that what is compared is the machines."""
import os
import re
import socket
import statistics
import subprocess

DISK_MIB = 512
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
# fio's terse output: bandwidth in KiB/s and operations in a second of reads, and of writes.
FIO = "fio --name=j --filename=/dev/vdc --direct=1 --ioengine=libaio --runtime=5 --time_based --minimal"
FIO_JOBS = [("4k random read, 1 deep", "--rw=randread --bs=4k --iodepth=1", 7),
            ("4k random read, 16 deep", "--rw=randread --bs=4k --iodepth=16", 7),
            ("4k random write, 16 deep", "--rw=randwrite --bs=4k --iodepth=16", 48),
            ("1M sequential read", "--rw=read --bs=1M --iodepth=4", 7),
            ("1M sequential write", "--rw=write --bs=1M --iodepth=4", 48)]
IPERF = [("guest to host", ""), ("host to guest", "-R")]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_repository(folder, count):
    subprocess.run(["git", "init", "-q", folder], check=True)
    for number in range(count):
        where = os.path.join(folder, f"d{number // 100}")
        os.makedirs(where, exist_ok=True)
        with open(os.path.join(where, f"file{number}"), "w", encoding="utf-8") as file:
            file.write(f"{number}\n")
    git = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "files"], check=True)


def steps(port):
    """What is typed, each at the prompt before it, with what is looked for in the output."""
    lines = ["root", "mkdir /t /share; mount -o ro /dev/vdb /t && sh /t/install >/dev/null 2>&1; mount -t virtiofs share /share",
             "CARD=$(ls /sys/class/net | grep -v lo); ip link set $CARD up; ip addr add 10.0.2.15/24 dev $CARD; "
             "git config --global --add safe.directory /share"]
    lines += [f"echo 'FIO {i}'\":$({FIO} {job})\"" for i, (_, job, _) in enumerate(FIO_JOBS)]
    lines += [f"echo 'NET {i}'\":$(iperf3 -c 10.0.2.2 -p {port} -t 5 -f m {option} | grep receiver)\""
              for i, (_, option) in enumerate(IPERF)]
    lines += ["git -C /share status >/dev/null; for i in 1 2 3; do echo 3 >/proc/sys/vm/drop_caches; "
              "A=$(date +%s%N); git -C /share status --porcelain | wc -l; echo 'G''IT' $(($(date +%s%N) - A)); done",
              "poweroff"]
    return [(b"login:" if i == 0 else b"# ", line.encode() + b"\r") for i, line in enumerate(lines)]


def parse(text):
    found = {}
    for i, (name, _, field) in enumerate(FIO_JOBS):
        found[name] = float(re.search(rf"\nFIO {i}:(.*)", text)[1].split(";")[field])
    for i, (name, _) in enumerate(IPERF):
        found[name] = float(re.search(rf"\nNET {i}:.*?([\d.]+) Mbits/sec", text)[1])
    found["git status (s)"] = statistics.median(int(ns) for ns in re.findall(r"\nGIT (\d+)", text)) / 1e9
    return found


def bench_io(arguments, work, run):
    """Operations or Mbit a second, and seconds; ratios above 1: Tandem is faster."""
    disk, share, control = (os.path.join(work, name) for name in ("scratch.img", "share", "fs.sock"))
    subprocess.run(["dd", "if=/dev/urandom", f"of={disk}", "bs=1M", f"count={DISK_MIB}", "status=none"], check=True)
    make_repository(share, arguments.files)
    guest = arguments.guest
    images = [os.path.join(guest, name) for name in ("disk.img", "tools.img")]
    kernel = ["-kernel", os.path.join(guest, "kernel"), "-initrd", os.path.join(guest, "initrd"), "-append",
              "root=/dev/vda rw console=ttyAMA0 quiet"]
    tandem = [arguments.tandem, "run", "--cpus", str(arguments.cpus), "--disk", images[0] + ",format=raw,snapshot", "--disk",
              images[1] + ",format=raw,readonly", "--disk", disk + ",format=raw", "--share", share,
              *("-" + word if word.startswith("-") else word for word in kernel)]
    qemu = [arguments.qemu, "-M", "virt,memory-backend=m", "-object", "memory-backend-memfd,id=m,size=1G,share=on", "-cpu", "max",
            "-accel", "tcg,thread=multi", "-smp", str(arguments.cpus), "-m", "1G", "-nographic",
            "-nic", "user,model=virtio-net-pci", "-chardev", f"socket,id=fs,path={control}",
            "-device", "vhost-user-fs-pci,chardev=fs,tag=share", *kernel]
    for number, (image, options) in enumerate(((images[0], "snapshot=on"), (images[1], "readonly=on"), (disk, "cache=writeback"))):
        qemu += ["-drive", f"file={image},format=raw,if=none,id=d{number},{options}", "-device",
                 f"virtio-blk-pci,drive=d{number}"]
    port = free_port()
    server = subprocess.Popen(["iperf3", "-s", "-B", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL)
    results = {"tandem": [], "qemu": []}
    try:
        for _ in range(arguments.runs):
            results["tandem"].append(parse(run(tandem, steps(port))[0].replace("\r", "")))
            files = subprocess.Popen([VIRTIOFSD, f"--socket-path={control}", "-o", f"source={share}", "-o", "cache=auto"],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            results["qemu"].append(parse(run(qemu, steps(port))[0].replace("\r", "")))
            files.wait()
    finally:
        server.terminate()
        server.wait()
    print(f"{'':26}{'tandem':>12}{'qemu':>12}{'ratio':>9}")
    for name in results["tandem"][0]:
        ours, theirs = (statistics.median(found[name] for found in results[which]) for which in ("tandem", "qemu"))
        ratio = theirs / ours if name.endswith("(s)") else ours / theirs
        print(f"{name:26}{ours:12.2f}{theirs:12.2f}{ratio:9.2f}")
