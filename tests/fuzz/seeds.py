"""What the fuzz targets start from: small valid inputs, made by the tools that make real ones, and the
words that texts are made of. seeds(target) is a dictionary of names and contents."""
import gzip
import os
import random
import re
import struct
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def source(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def piped(command, data):
    return subprocess.run(command, input=data, check=True, capture_output=True).stdout


def a64():
    """Every row of the instruction tables with its variable bits clear, set, and alternating."""
    rows = []
    for name in ("branch_system", "fp", "integer", "load_store", "simd"):
        text = source(f"frontend-arm/a64/tables/{name}.inc")
        rows += re.findall(r'^INST\w*\(\w+,\s*"[^"]*",\s*"([01a-zA-Z]{32})"', text, re.M)
    found = {}
    for at in range(0, len(rows), 16):
        for kind, bits in (("clear", "0" * 32), ("set", "1" * 32), ("mixed", "01101001" * 4)):
            words = [int("".join(c if c in "01" else bit for c, bit in zip(row, bits)), 2)
                     for row in rows[at:at + 16]]
            # Model max, long blocks; EL1 and EL0.
            for mode in (0, 1):
                found[f"{kind}-{at}-el{mode}"] = struct.pack(f"<BI{len(words)}I", 0xff, mode, *words)
    return found


def device_tree():
    sources = {
        "empty": "/dts-v1/; / { };",
        "small": """/dts-v1/; /memreserve/ 0x40000000 0x1000;
                 / { compatible = "linux,dummy-virt"; #address-cells = <2>; #size-cells = <2>;
                     chosen { bootargs = "quiet"; stdout-path = &uart; };
                     memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x8000000>; };
                     gic: interrupt-controller { phandle = <7>; #interrupt-cells = <3>; };
                     uart: serial@9000000 { interrupt-parent = <&gic>; interrupts = <0 1 4>; }; };""",
    }
    return {name: piped(["dtc", "-q", "-I", "dts", "-O", "dtb", "-"], text.encode()) for name, text in sources.items()}


def ir_text():
    """Every operation once, on a value of each type it wants."""
    prelude = ["Insn", "%1 = Const32 #0x10", "%2 = Const64 #0x10", "%3 = ConstFlags", "%4 = IsZero64 %2",
               "%5 = GetStateF16 #0x200", "%6 = GetStateF32 #0x200", "%7 = GetStateF64 #0x200",
               "%8 = GetStateV128 #0x200"]
    values = {"I32": 1, "I64": 2, "Flags": 3, "I1": 4, "F16": 5, "F32": 6, "F64": 7, "V128": 8}
    found = {}
    row = re.compile(r"^[A-Z]+\((\w+),\s*(\w+)((?:,\s*\w+)*)\)", re.M)
    for name, result, arguments in row.findall(source("ir/opcodes.inc")):
        words = [name, *(f"%{values[kind]}" for kind in re.findall(r"\w+", arguments))]
        if result != "Void":
            words = [f"%{len(prelude)}", "=", *words]
        lines = [*prelude, " ".join(words)]
        if name not in ("Exit", "ExitIndirect", "ExitDispatch"):
            lines.append("Exit #0x4")
        found[name] = ("block offset=0x40 mode=0x1 bytes=4 instructions=1\n" + "\n".join(lines) + "\n").encode()
    return found


def kernel():
    def image(size=4096):
        return struct.pack("<IIQQQ24s4sI", 0x14000010, 0, 0, size, 0xa, b"", b"ARM\x64", 0).ljust(256, b"\0")

    def elf(kind, machine=183):
        program = struct.pack("<IIQQQQQQ", kind, 5, 0x78, 0xffff000040080000, 0x40080000, 8, 64, 4096)
        header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, machine, 1, 0xffff000040080000, 64, 0, 0, 64,
                             56, 1, 0, 0, 0)
        return header + program + b"\0" * 8

    def zboot(method, payload):
        header = struct.pack("<2sH4sIIQ32sI", b"MZ", 0, b"zimg", 64, len(payload), 0, method, 0)
        return header.ljust(64, b"\0") + payload

    gzipped = gzip.compress(image(), mtime=0)
    zstd = piped(["zstd", "-q", "-c"], image())
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0xaa64, 1, 0, 0, 0, 0, 0) + b"\0" * 40
    return {
        "image": image(), "image-old": image(0), "image-pe": image()[:60] + struct.pack("<I", 64) + coff,
        "gzip": gzipped, "gzip-twice": gzip.compress(gzipped, mtime=0), "zstd": zstd,
        "zboot-gzip": zboot(b"gzip", gzipped), "zboot-zstd": zboot(b"zstd", zstd),
        "zboot-xz": zboot(b"xzkern", b"\xfd7zXZ"),
        "elf": elf(1), "elf-interpreter": elf(3), "elf-x86": elf(1, 62),
    }


def devices():
    """A script of accesses for each device and beyond."""
    chance = random.Random(1)
    return {f"device-{kind}": bytes([kind]) + chance.randbytes(400) for kind in range(32)}


def recording():
    """Entries of every kind: an input, a check, an end."""
    entries = b"\x00\x05\x01\x02hi" + b"\x01\x80\x01" + bytes(8) + b"\x02\x00\x00\x81\x01" + bytes(16)
    return {"entries": b"\x02" + entries, "chunk": b"\x01" + struct.pack("<IIQ", 0, 1, 0),
            "file": b"\x00TANDEM\x1aR" + struct.pack("<IIQQ", 2, 0, 0, 0)}


def translation_cache():
    """A region of one block with a side exit, an index with one region, and a file's beginning."""
    outline = struct.pack("<4I", 0, 2, 0x100, 0x108) + struct.pack("<3I", 1, 0x100, 8)
    outline += struct.pack("<2I", 1, 0x100) + struct.pack("<2I", 1, 0x80)
    image = struct.pack("<I", 64) + bytes(64) + struct.pack("<I", 0)
    image += struct.pack("<2IBIi", 1, 16, 2, 0, -4)  # relocations
    image += struct.pack("<IQ", 1, 1 << 40)  # constants
    image += struct.pack("<I2BHi", 1, 4, 0, 8, 0)  # locations
    image += struct.pack("<IB3I2Q", 1, 2, 0, 0, 1, 0x100, 0) + struct.pack("<I", 0)  # side exits
    image += struct.pack("<4I", 1, 40, 0, 0)  # sites
    entry = bytes(16) + struct.pack("<IQ", 1, 7) + struct.pack("<3IB", 2, 0x100, 0x108, 1) + struct.pack("<2Q2I", 0, 80, 9, 9)
    return {"region": b"\2" + outline + bytes(8) + image,
            "index": b"\1" + struct.pack("<I", 4) + b"text" + struct.pack("<I", 1) + entry + bytes(16),
            "file": b"\0TANDEM\x1aT" + struct.pack("<2I", 1, 80) + bytes(64)}


def gdb():
    """Connections: what gdb sends at its start, when it looks around, and as it goes on and stops."""
    def record(kind, body):
        return bytes([kind]) + len(body).to_bytes(2, "little") + body

    def packets(*bodies):
        return b"".join(record(0, body) for body in bodies)

    stop, reset = record(2, b"\0"), record(3, b"\3")
    return {
        "start": packets(b"qSupported:swbreak+;hwbreak+", b"QStartNoAckMode", b"?", b"Hg1", b"qXfer:threads:read::0,fff",
                         b"qXfer:features:read:target.xml:0,ffb", b"g", b"m11000,40"),
        "memory": packets(b"M11000,2:0102", b"X11000,3:a\x7d\x03b", b"p2", b"P0=0102030405060708", b"Qqemu.PhyMemMode:1"),
        "points": packets(b"Z0,11000,4", b"Z2,11008,8", b"c") + stop + packets(b"z0,11000,4", b"vCont;s:1;c") + stop +
                  packets(b"vCont;r11000,11010:2", b"D"),
        "raw": record(1, b"+$g#67\x03-$qC#b4$x#00") + packets(b"C05;11000", b"qRcmd,68656c70") + reset,
        "monitor": record(4, b"\0/4xw 0x11000") + record(4, b"\2/2xb 0x9000"),
    }


def option():
    values = [
        ["512M", "2GiB", "4096"],
        ["64K", "10G"],
        ["a,b.img,format=qcow2,cache=none,readonly,snapshot,bus=mmio"],
        ["none", "user,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp::0-:53"],
        ["max,pauth=qarma5", "cortex-a53"],
        ["stdio", "file:log", "tcp:[::1]:4444", "pty"],
        ["2", "64"],
        ["1.5", "1e3"],
        ["decode,ir,opt,asm"],
        ["0x1000..0x1fff", "4096+4"],
        ["/srv:tag,readonly", "."],
        [":1234", "tcp:[::1]:0", "unix:/tmp/socket"],
    ]
    return {f"option-{kind}-{i}": bytes([kind]) + text.encode()
            for kind, texts in enumerate(values) for i, text in enumerate(texts)}


def qcow2():
    """Images of every layout, with data, zeros, and where the layout has room for them a snapshot and a
    compressed cluster. Clusters are as small as they may be."""
    layouts = {
        "plain": ("cluster_size=512", 512), "version2": ("cluster_size=512,compat=0.10", None),
        "extended": ("cluster_size=16k,extended_l2=on", 16384), "zstd": ("cluster_size=512,compression_type=zstd", 512),
        "lazy": ("cluster_size=512,lazy_refcounts=on", 512), "narrow": ("cluster_size=512,refcount_bits=1", None),
    }
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (layout, cluster) in layouts.items():
            path = os.path.join(folder, name)
            piped(["qemu-img", "create", "-q", "-f", "qcow2", "-o", layout, path, "64k"], b"")
            write = ["qemu-io", "-f", "qcow2", path]
            piped([*write, "-c", "write -P 7 1k 2k", "-c", "write -z 16k 4k"], b"")
            if cluster is not None:
                piped(["qemu-img", "snapshot", "-c", "one", path], b"")
                piped([*write, "-c", f"write -c 32k {cluster}"], b"")
            with open(path, "rb") as file:
                found[name] = file.read()
    return found


def read_only_image():
    """VMDK images of every layout; the tables of VHDX ones, in the target's form: see read_only_image_fuzz.cpp."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        data, image = os.path.join(folder, "data"), os.path.join(folder, "image")
        with open(data, "wb") as file:
            file.write(b"data" * 1024 + bytes(1 << 17) + b"more" * 1024)
        for kind in ("monolithicSparse", "streamOptimized", "monolithicFlat", "twoGbMaxExtentSparse"):
            piped(["qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", f"subformat={kind}", data, image], b"")
            with open(image, "rb") as file:
                found[kind] = b"\0" + file.read(60000)
        for kind in ("dynamic", "fixed"):
            piped(["qemu-img", "convert", "-f", "raw", "-O", "vhdx", "-o", f"subformat={kind}", data, image], b"")
            with open(image, "rb") as file:
                content = file.read(4 << 20)
            places = [64 << 10, 192 << 10, *range(1 << 20, len(content), 64 << 10)]
            found[kind] = b"\1" + b"".join(content[at:at + 256] for at in places)
    return found


def move():
    """A whole move of two pages, in the target's form with lengths: see move_fuzz.cpp."""
    def frame(kind, payload):
        return struct.pack("<BH", kind, len(payload)) + payload

    pages = struct.pack("<IIIIQ", 0, 1, 0, 0, 3) + bytes(range(256)) * 16
    zeros = struct.pack("<IIIIQQ", 1, 2, 0, 0, 0, 15)
    state = struct.pack("<I", 5) + b"clock" + bytes(16)
    frames = [(1, b"{}"), (2, pages), (3, zeros), (4, b""), (5, state), (6, b'{"disks": []}'), (7, b"\1")]
    return {"whole": b"\1" + b"".join(frame(*each) for each in frames),
            "refused": b"\1" + frame(1, b"{}") + frame(32, b"cancelled"), "raw": b"\0" + bytes(64)}


def state(folder):
    with tempfile.TemporaryDirectory() as place:
        piped([os.path.join(folder, "state_seeds"), place], b"")
        found = {}
        for name in os.listdir(place):
            with open(os.path.join(place, name), "rb") as file:
                found[name] = file.read()
        return found


def words(target):
    """The dictionary of a target whose input is text."""
    if target == "ir_text_fuzz":
        names = re.findall(r"^[A-Z]+\((\w+),", source("ir/opcodes.inc"), re.M)
        return [*names, "block", "instructions=", "offset=", "mode=", "bytes=", "%1 = ", "#0x"]
    if target == "option_fuzz":
        text = source("app/option_values.cpp")
        return sorted(set(re.findall(r'"([a-z0-9=:.+-]{2,20})"', text)))
    return []
