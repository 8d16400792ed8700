"""Pictures in files, read independently of the library that wrote them."""
import struct
import zlib


def unfilter(kind, row, above):
    """One row of a PNG with three bytes a pixel (W3C PNG, section 9)."""
    out = bytearray(row)
    for i, byte in enumerate(row):
        left = out[i - 3] if i >= 3 else 0
        up = above[i]
        corner = above[i - 3] if i >= 3 else 0
        if kind == 1:
            predicted = left
        elif kind == 2:
            predicted = up
        elif kind == 3:
            predicted = (left + up) // 2
        elif kind == 4:
            distances = [(abs(up - corner), left), (abs(left - corner), up), (abs(left + up - 2 * corner), corner)]
            predicted = min(distances, key=lambda each: each[0])[1]
        else:
            predicted = 0
        out[i] = (byte + predicted) & 255
    return out


def read_png(path):
    """Width, height and the bytes of red, green, blue."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(f"{path} is no PNG")
    at, packed, size = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if zlib.crc32(kind + body) != struct.unpack(">I", data[at + 8 + length:at + 12 + length])[0]:
            raise ValueError(f"{path}: a wrong checksum")
        if kind == b"IHDR":
            width, height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            if (depth, colours, interlaced) != (8, 2, 0):
                raise ValueError(f"{path}: not 8 bits of red, green and blue")
            size = width, height
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    width, height = size
    raw, stride, above, pixels = zlib.decompress(packed), width * 3, bytes(width * 3), bytearray()
    for y in range(height):
        start = y * (stride + 1)
        row = raw[start + 1:start + 1 + stride]
        above = bytes(row) if raw[start] == 0 else bytes(unfilter(raw[start], row, above))
        pixels += above
    return width, height, bytes(pixels)


def read_ppm(path):
    """The same of a binary PPM as QEMU writes it: three lines, then pixels."""
    with open(path, "rb") as file:
        magic, size, most, pixels = file.read().split(b"\n", 3)
    if (magic, most) != (b"P6", b"255"):
        raise ValueError(f"{path} is no such PPM")
    width, height = map(int, size.split())
    return width, height, pixels
