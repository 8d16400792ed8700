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


def a64():
    """Every row of the instruction tables with its variable bits clear, set, and alternating."""
    rows = []
    for name in ("branch_system", "fp", "integer", "load_store", "simd"):
        text = source(f"frontend-arm/a64/tables/{name}.inc")
        rows += re.findall(r'^INST\w*\(\w+,\s*"[^"]*",\s*"([01a-zA-Z]{32})"', text, re.M)
    found = {}
    for at in range(0, len(rows), 16):
        for kind, bits in (("clear", "0" * 32), ("set", "1" * 32), ("mixed", "01101001" * 4)):
            words = [int("".join(c if c in "01" else b for c, b in zip(row, bits)), 2) for row in rows[at:at + 16]]
            # Model max, long blocks; EL1 and EL0.
            for mode in (0, 1):
                found[f"{kind}-{at}-el{mode}"] = struct.pack("<BI", 0xff, mode) + struct.pack(f"<{len(words)}I", *words)
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
    return {name: subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-"], input=text.encode(), check=True,
                                 capture_output=True).stdout for name, text in sources.items()}


def ir_text():
    row = re.compile(r"^\w+\((\w+),\s*(\w+)((?:,\s*\w+)*)\)", re.M)
    makers = {"I1": "GetFlagsZ", "I32": "Const32", "I64": "Const64", "F32": "ConstF32", "F64": "ConstF64", "V128": "ConstV128"}
    found = {"exit": b"block offset=0x40 mode=0x1 bytes=4 instructions=1\n  Insn #0x40\n  Exit #0x44\n"}
    opcodes = row.findall(source("ir/opcodes.inc"))
    names = {name for name, _, _ in opcodes}
    for name, _, arguments in opcodes:
        lines, values = ["Insn"], []
        for kind in re.findall(r"\w+", arguments):
            maker = makers.get(kind)
            maker = maker if maker in names else next((n for n, result, a in opcodes if result == kind and not a), None)
            if maker is None:
                break
            values.append(f"%{len(lines)}")
            lines.append(f"%{len(lines)} = {maker} #0x10")
        else:
            lines.append(" ".join([name, *values]))
            if not name.startswith("Exit") or name == "ExitIf":
                lines.append("Exit #0x4")
            found[name] = ("block instructions=1\n" + "\n".join(lines) + "\n").encode()
    return found


def kernel():
    def image(size=4096):
        return struct.pack("<IIQQQ24s4sI", 0x14000010, 0, 0, size, 0xa, b"", b"ARM\x64", 0).ljust(256, b"\0")

    def elf(kind, machine=183):
        program = struct.pack("<IIQQQQQQ", kind, 5, 0x78, 0xffff000040080000, 0x40080000, 8, 64, 4096)
        return struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, machine, 1, 0xffff000040080000, 64, 0, 0, 64, 56, 1,
                           0, 0, 0) + program + b"\0" * 8

    def zboot(method, payload):
        return struct.pack("<2sH4sIIQ32sI", b"MZ", 0, b"zimg", 64, len(payload), 0, method, 0).ljust(64, b"\0") + payload

    def zstd(data):
        return subprocess.run(["zstd", "-q", "-c"], input=data, check=True, capture_output=True).stdout

    squeezed = gzip.compress(image(), mtime=0)
    return {"image": image(), "image-old": image(0), "gzip": squeezed, "zstd": zstd(image()), "gzip-twice": gzip.compress(squeezed, mtime=0),
            "zboot-gzip": zboot(b"gzip", squeezed), "zboot-zstd": zboot(b"zstd", zstd(image())), "zboot-xz": zboot(b"xzkern", b"\xfd7zXZ"),
            "elf": elf(1), "elf-interpreter": elf(3), "elf-x86": elf(1, 62),
            "pe": image()[:60] + struct.pack("<I", 64) + struct.pack("<4sHHIIIHH", b"PE\0\0", 0xaa64, 1, 0, 0, 0, 0, 0) + b"\0" * 40}


def devices():
    """A script of accesses for each device and beyond."""
    chance = random.Random(1)
    return {f"device-{kind}": bytes([kind]) + chance.randbytes(400) for kind in range(32)}


def option():
    values = [["512M", "2GiB", "4096"], ["64K", "10G"], ["a,b.img,format=qcow2,cache=none,readonly,snapshot,bus=mmio"],
              ["none", "user,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp::0-:53"], ["max,pauth=qarma5", "cortex-a53"],
              ["stdio", "file:log", "tcp:[::1]:4444", "pty"], ["2", "64"], ["1.5", "1e3"], ["decode,ir,opt,asm"],
              ["0x1000..0x1fff", "4096+4"]]
    return {f"option-{kind}-{i}": bytes([kind]) + text.encode() for kind, texts in enumerate(values) for i, text in enumerate(texts)}


def qcow2():
    kinds = {"plain": [], "version2": ["compat=0.10"], "extended": ["extended_l2=on,cluster_size=16k"], "zstd": ["compression_type=zstd"],
             "lazy": ["lazy_refcounts=on"], "narrow": ["refcount_bits=1"]}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, options in kinds.items():
            path = os.path.join(folder, name)
            layout = ",".join([*options, *([] if any("cluster_size" in o for o in options) else ["cluster_size=512"])])
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", layout, path, "64k"], check=True)
            subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 1k 2k", "-c", "write -z 16k 4k", path], check=True, capture_output=True)
            if name not in ("narrow", "version2"):
                subprocess.run(["qemu-img", "snapshot", "-c", "one", path], check=True)
                subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -c 4k " + ("16k" if name == "extended" else "512"), path], capture_output=True)
            with open(path, "rb") as file:
                found[name] = file.read()
    return found


def state(folder):
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([os.path.join(folder, "state_seeds"), place], check=True)
        return {name: open(os.path.join(place, name), "rb").read() for name in os.listdir(place)}


def words(target):
    """The dictionary of a target whose input is text."""
    if target == "ir_text_fuzz":
        names = re.findall(r"^\w+\((\w+),", source("ir/opcodes.inc"), re.M)
        return [*names, "block", "instructions=", "offset=", "mode=", "bytes=", "%1 = ", "#0x"]
    if target == "option_fuzz":
        text = source("app/option_values.cpp")
        return sorted(set(re.findall(r'"([a-z0-9=:.+-]{2,20})"', text)))
    return []
