#!/usr/bin/env python3
"""Writes part.bin: a part of two targets, two shapes and twelve samples, made from the descriptions of
tsdb/part/part_format.h, row/column_block.c and row/row_times.c and nothing else. The checksum is XXH3-64 cut
to its lower 32 bits, by the xxHash library itself.

    up{job="a"}       1 1 1              up{job="b"}       1 1 1
    x_total{job="a"}  10 20 30           x_total{job="b"}  0.1 -0.0 NaN (of Go)
    at 1700000000000, and 15 s and 30 s later
"""
import ctypes
import pathlib
import struct

XXHASH = ctypes.CDLL("libxxhash.so.0")
XXHASH.XXH3_64bits.restype = ctypes.c_uint64
XXHASH.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]

CONSTANT, LINEAR, RAW = 0, 6, 11
START, STEP = 1700000000000, 15000
DAY = START // 86400000


def checksum(data):
    return struct.pack("<I", XXHASH.XXH3_64bits(data, len(data)) & 0xFFFFFFFF)


def uvarint(n):
    out = b""
    while n >= 128:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def svarint(n):
    return uvarint(2 * n if n >= 0 else -2 * n - 1)


def sized(data):
    return uvarint(len(data)) + data


def pack(values, width):
    total = sum(v << (i * width) for i, v in enumerate(values))
    return total.to_bytes((len(values) * width + 7) // 8, "little")


def page(data):
    return checksum(data) + data


def run(width, lengths, blocks):
    """No references, no checkpoints."""
    return bytes([width]) + pack(lengths, width) + blocks


# ---- the group's body ----

times = bytes([LINEAR]) + svarint(START) + svarint(STEP)
times_page = page(uvarint(1) + uvarint(3) + sized(times) + uvarint(0) + uvarint(0)
                  + svarint(START) + uvarint(2 * STEP))
up = bytes([CONSTANT]) + svarint(1)
rising = bytes([LINEAR]) + svarint(10) + svarint(10)
raw = bytes([RAW]) + struct.pack("<ddQ", 0.1, -0.0, 0x7FF8000000000001)
runs = [run(2, [len(up), 0], up), run(5, [len(rising), len(raw)], rising + raw)]
value_page = page(uvarint(2) + uvarint(len(runs[0])) + uvarint(len(runs[1])) + runs[0] + runs[1])

# ---- the sections ----

info = (struct.pack("<QIqqQII", 7, 1, START, START + 2 * STEP, 12, 2, 2)
        + struct.pack("<QQqQ", 6, 7, DAY, 0))

symbols = [b"__name__", b"a", b"b", b"job", b"up", b"x_total"]
dictionary = uvarint(len(symbols))
for before, symbol in zip([b""] + symbols, symbols):
    shared = 0
    while shared < min(len(before), len(symbol)) and before[shared] == symbol[shared]:
        shared += 1
    dictionary += uvarint(shared) + sized(symbol[shared:])
dictionary += uvarint(2) + uvarint(1) + uvarint(3) + uvarint(1) + uvarint(1) + uvarint(3) + uvarint(2)
dictionary += uvarint(2) + uvarint(1) + uvarint(0) + uvarint(4) + uvarint(1) + uvarint(0) + uvarint(5)

schemas = uvarint(1) + uvarint(2) + uvarint(0 << 1) + uvarint(1 << 1)
groups = (uvarint(1) + svarint(START) + uvarint(2 * STEP) + uvarint(12) + uvarint(0)
          + uvarint(2) + svarint(0) + svarint(1) + uvarint(0) + uvarint(len(times_page))
          + uvarint(1) + uvarint(0) + uvarint(len(value_page)))

# ---- the file ----

head = b"SONDPART" + struct.pack("<I", 1)
part = head + checksum(head) + times_page + value_page
table = b""
for kind, section in ((1, info), (2, dictionary), (3, schemas), (4, groups)):
    table += struct.pack("<IQQI", kind, len(part), len(section), len(section)) + checksum(section)
    part += section
part += table + struct.pack("<I", 4) + checksum(table) + struct.pack("<Q", len(part)) + b"SONDTAIL"
pathlib.Path(__file__).with_suffix(".bin").write_bytes(part)
