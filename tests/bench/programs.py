"""Real programs in the workbench guest. Both machines stay up, and each program runs in one after the
other, so that both see the same noise; the idle one costs next to nothing."""
import os
import re
import statistics
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "boot"))
import soak  # noqa: E402 (the guest, its shell and its programs are the soak test's)

PYTHON = ("d={}; "
          "exec('for i in range(400000):\\n k=str(i*7919%5000)\\n d[k]=d.get(k,0)+i'); import json,re; "
          "t=json.dumps(d); print(len(json.loads(t)), len(re.findall(r'\"(\\d+)1\":', t)), sum(sorted(d.values())[::7]))")
PERL = ("my (%d,$s); for my $i (0..400000) { $d{$i*7919%5000} += $i } "
        "for (sort keys %d) { $s .= \"$_=$d{$_};\" } my $n = () = $s =~ /(\\d+)1=/g; print length $s, \" $n\\n\"")

# Name, command, and what of its output is the result: a rate, or (None) the time it takes.
PROGRAMS = (
    ("python3", f"python3 -c \"{PYTHON.replace(chr(34), chr(92) + chr(34))}\"", None),
    ("perl", f"perl -e '{PERL}'", None),
    ("gcc -O2", "cd lua5.4/src && for f in lvm lparser lcode lstrlib; do gcc -O2 -c $f.c -o /tmp/$f.o || exit 1; done", None),
    ("xz -6", "tar c lua5.4 zlib | xz -6 -T1 | wc -c", None),
    ("node", "node soak/soak.js 1", None),
    ("java", "java -Xmx400m -cp /tmp Soak 3", None),
    ("openssl aes-128-gcm", "openssl speed -seconds 1 -bytes 16384 -evp aes-128-gcm 2>&1", r"AES-128-GCM +([\d.]+)k"),
    ("openssl sha256", "openssl speed -seconds 1 -bytes 16384 -evp sha256 2>&1", r"sha256 +([\d.]+)k"),
    ("openssl rsa2048 sign", "openssl speed -seconds 1 rsa2048 2>&1", r"rsa 2048 bits +\S+ +\S+ +([\d.]+)"),
    ("redis set", "redis-benchmark -n 20000 -t set --csv", r'"SET","([\d.]+)"'),
    ("redis get", "redis-benchmark -n 20000 -t get --csv", r'"GET","([\d.]+)"'),
    ("sysbench cpu", "sysbench cpu --threads=2 --time=3 run", r"events per second: +([\d.]+)"),
    ("sysbench memory", "sysbench memory --threads=2 --time=3 run", r"transferred \(([\d.]+)"),
)
PREPARATION = ("tar xf /dev/vdb -C /root; cd /root; javac -d /tmp soak/Soak.java && "
               "redis-server --save '' --daemonize yes >/dev/null && redis-cli ping")


def measure(shell, command, pattern):
    """A speed: higher is better."""
    status, output = shell.run(f"cd /root; s=$(date +%s%N); ({command}) >/tmp/out; r=$?; e=$(date +%s%N); "
                               "cat /tmp/out; echo took $((e - s)); exit $r")
    if status != 0:
        sys.exit(f"{command}: status {status}\n{output}")
    if pattern is None:
        return 1e9 / int(re.search(r"took (\d+)", output)[1])
    return float(re.search(pattern, output)[1])


def bench_programs(arguments, _):
    with tempfile.TemporaryDirectory() as folder:
        tools = soak.tools_disk(folder)
        shells = {}
        for which, command in (("tandem", soak.tandem), ("qemu", soak.qemu)):
            shells[which] = soak.Shell(command(arguments, tools), 14400)
            status, output = shells[which].run(PREPARATION)
            if status != 0:
                sys.exit(f"{which}: {output}")
        print(f"{'program':24} {'tandem':>12} {'qemu':>12} {'tandem/qemu':>12}")
        ratios = []
        for name, command, pattern in PROGRAMS:
            if arguments.only and name.split()[0] not in arguments.only:
                continue
            speeds = {which: [] for which in shells}
            for _ in range(arguments.runs):
                for which, shell in shells.items():
                    speeds[which].append(measure(shell, command, pattern))
            ours, theirs = (statistics.median(speeds[which]) for which in ("tandem", "qemu"))
            ratios.append(ours / theirs)
            shown = [f"{1 / s:.2f} s" if pattern is None else f"{s:.0f}/s" for s in (ours, theirs)]
            print(f"{name:24} {shown[0]:>12} {shown[1]:>12} {ratios[-1]:12.2f}", flush=True)
        print(f"{'geometric mean':24} {statistics.geometric_mean(ratios):38.2f}")
        for shell in shells.values():
            shell.power_off()
