"""A VNC client, written to RFC 6143 and the community's RFB specification: raw pixels, another size, the pointer's picture,
QEMU's key events, a password."""
import socket
import struct
import time

RAW, CURSOR, EXTENDED_SIZE, QEMU_KEYS = 0, -239, -308, -258

# FIPS 46-3: the tables of DES, whose bits count from 1 at the left.
PERMUTED_CHOICE_1 = [57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
                     63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4]
PERMUTED_CHOICE_2 = [14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
                     41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32]
INITIAL = [58 - 8 * (i % 8) + 2 * (i // 8) - (i // 32) * 9 for i in range(64)]
EXPANSION = [(4 * (i // 6) + i % 6 - 1) % 32 + 1 for i in range(48)]
PERMUTATION = [16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25]
BOXES = ["e4d12fb83a6c5907" "0f74e2d1a6cb9538" "41e8d62bfc973a50" "fc8249175b3ea06d", "f18e6b34972dc05a" "3d47f28ec01a69b5" "0e7ba4d158c6932f" "d8a13f42b67c05e9",
         "a09e63f51dc7b428" "d709346a285ecbf1" "d6498f30b12c5ae7" "1ad069874fe3b52c", "7de3069a1285bc4f" "d8b56f03472c1ae9" "a690cb7df13e5284" "3f06a1d8945bc72e",
         "2c417ab6853fd0e9" "eb2c47d150fa3986" "421bad78f9c5630e" "b8c71e2d6f09a453", "c1af92680d34e75b" "af427c9561de0b38" "9ef528c3704a1db6" "432c95fabe17608d",
         "4b2ef08d3c975a61" "d0b7491ae35c2f86" "14bdc37eaf680592" "6bd814a7950fe23c", "d2846fb1a93e50c7" "1fd8a374c56b0e92" "7b419ce206adf358" "21e74a8dfc90356b"]


def pick(bits, table):
    return [bits[i - 1] for i in table]


def des(key, block):
    """Encrypts eight bytes."""
    def bits_of(data):
        return [byte >> 7 - i & 1 for byte in data for i in range(8)]
    halves = pick(bits_of(key), PERMUTED_CHOICE_1)
    left, right = halves[:28], halves[28:]
    text = pick(bits_of(block), INITIAL)
    a, b = text[:32], text[32:]
    for n in range(16):
        by = 1 if n in (0, 1, 8, 15) else 2
        left, right = left[by:] + left[:by], right[by:] + right[:by]
        mixed = [x ^ y for x, y in zip(pick(b, EXPANSION), pick(left + right, PERMUTED_CHOICE_2))]
        out = []
        for i, box in enumerate(BOXES):
            six = mixed[6 * i:6 * i + 6]
            row, column = 2 * six[0] + six[5], 8 * six[1] + 4 * six[2] + 2 * six[3] + six[4]
            value = int(box[16 * row + column], 16)
            out += [value >> 3 & 1, value >> 2 & 1, value >> 1 & 1, value & 1]
        a, b = b, [x ^ y for x, y in zip(a, pick(out, PERMUTATION))]
    inverse = [INITIAL.index(i) + 1 for i in range(1, 65)]
    result = pick(b + a, inverse)
    return bytes(sum(bit << 7 - i for i, bit in enumerate(result[n:n + 8])) for n in range(0, 64, 8))


def response(password, challenge):
    """§7.2.2: the password is the key, its bytes' bits the other way round."""
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode()[:8].ljust(8, b"\0"))
    return des(key, challenge[:8]) + des(key, challenge[8:])


class Refused(Exception):
    pass


class Rfb:
    def __init__(self, port, password=None, encodings=(RAW, CURSOR, EXTENDED_SIZE, QEMU_KEYS), host="127.0.0.1", timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.socket = socket.create_connection((host, port), timeout=timeout)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        try:
            self.shake_hands(password)
        except (EOFError, ConnectionError) as error:
            raise Refused(str(error)) from error
        self.sizes, self.status, self.cursor, self.has_keys, self.received = [], None, None, False, 0
        # Red, green and blue of 8 bits each, the first in the lowest byte.
        self.socket.sendall(struct.pack(">Bxxx" "BBBBHHHBBBxxx", 0, 32, 24, 0, 1, 255, 255, 255, 0, 8, 16))
        self.socket.sendall(struct.pack(f">BxH{len(encodings)}i", 2, len(encodings), *encodings))

    def shake_hands(self, password):
        version = self.take(12)
        if version != b"RFB 003.008\n":
            raise ValueError(f"a version: {version}")
        self.socket.sendall(version)
        kinds = self.take(self.take(1)[0])
        wanted = 1 if password is None else 2
        if wanted not in kinds:
            raise Refused(f"kinds of security: {list(kinds)}")
        self.socket.sendall(bytes([wanted]))
        if password is not None:
            self.socket.sendall(response(password, self.take(16)))
        if self.number(">I") != 0:
            raise Refused("the password is wrong")
        self.socket.sendall(b"\1")
        self.width, self.height = self.number(">H"), self.number(">H")
        self.take(16)
        self.name = self.take(self.number(">I")).decode()
        self.pixels = bytearray(self.width * self.height * 4)

    def take(self, count):
        data = bytearray()
        while len(data) < count:
            some = self.socket.recv(min(count - len(data), 1 << 20))
            if not some:
                raise EOFError("the server has closed the connection")
            data += some
        return bytes(data)

    def number(self, kind):
        return struct.unpack(kind, self.take(struct.calcsize(kind)))[0]

    def request(self, incremental=True, part=None):
        x, y, width, height = part or (0, 0, self.width, self.height)
        self.socket.sendall(struct.pack(">BBHHHH", 3, incremental, x, y, width, height))

    def message(self):
        """One from the server; the rectangles of pixels in it."""
        kind = self.take(1)[0]
        if kind == 2: # bell
            return []
        if kind == 3: # text
            self.take(3)
            length = self.number(">i")
            self.take(abs(length))
            return []
        if kind != 0:
            raise ValueError(f"message {kind}")
        self.take(1)
        parts = []
        for _ in range(self.number(">H")):
            x, y, width, height, encoding = struct.unpack(">HHHHi", self.take(12))
            if encoding == RAW:
                data = self.take(width * height * 4)
                for row in range(height):
                    at = ((y + row) * self.width + x) * 4
                    self.pixels[at:at + width * 4] = data[row * width * 4:(row + 1) * width * 4]
                parts.append((x, y, width, height))
                self.received += width * height
            elif encoding == EXTENDED_SIZE:
                self.take(self.take(4)[0] * 16)
                self.status = y
                if (width, height) != (self.width, self.height):
                    self.width, self.height = width, height
                    self.pixels = bytearray(width * height * 4)
                self.sizes.append((width, height))
            elif encoding == CURSOR:
                self.cursor = (x, y, width, height, self.take(width * height * 4), self.take((width + 7) // 8 * height))
            elif encoding == QEMU_KEYS:
                self.has_keys = True
            else:
                raise ValueError(f"encoding {encoding}")
        return parts

    def picture(self):
        """As tests/boot/picture.py has them."""
        rgb = bytearray(self.width * self.height * 3)
        for colour in range(3):
            rgb[colour::3] = self.pixels[colour::4]
        return self.width, self.height, bytes(rgb)

    def key(self, keysym, down):
        self.socket.sendall(struct.pack(">BBxxI", 4, down, keysym))

    def qemu_key(self, keysym, number, down):
        self.socket.sendall(struct.pack(">BBHII", 255, 0, down, keysym, number))

    def pointer(self, buttons, x, y):
        self.socket.sendall(struct.pack(">BBHH", 5, buttons, x, y))

    def ask_for_size(self, width, height):
        self.socket.sendall(struct.pack(">BxHHBx" "IHHHHI", 251, width, height, 1, 0, 0, 0, width, height, 0))

    def close(self):
        self.socket.close()
