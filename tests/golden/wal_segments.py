#!/usr/bin/env python3
"""Writes wal_segments.txt: segments of the write-ahead log built from the format's description alone
(tsdb/wal/wal_format.h), good and damaged ones. Frames are stored plain, so that no compressor has a say in the
bytes; checksums are XXH3-64 cut to their lower 32 bits, by the xxHash library itself.

    NAME good|damaged|newer HEX
    = TEXT      lines that follow: what a replay hands out, then what it counts

usage: wal_segments.py > wal_segments.txt
"""

import ctypes
import struct

XXHASH = ctypes.CDLL("libxxhash.so.0")
XXHASH.XXH3_64bits.restype = ctypes.c_uint64
XXHASH.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def checksum(data):
    return struct.pack("<I", XXHASH.XXH3_64bits(data, len(data)) & 0xFFFFFFFF)


def uvarint(n):
    out = b""
    while n >= 128:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def zigzag(n):
    return 2 * n if n >= 0 else -2 * n - 1


def svarint(n):
    return uvarint(zigzag(n))


def sized(data):
    data = data.encode() if isinstance(data, str) else data
    return uvarint(len(data)) + data


def labels(pairs):
    return uvarint(len(pairs)) + b"".join(sized(name) + sized(value) for name, value in pairs)


def header(version=1, magic=b"SONDEWAL"):
    head = magic + struct.pack("<I", version)
    return head + checksum(head)


def frame(lsn, plain):
    behind = struct.pack("<IIQ", len(plain), len(plain), lsn) + plain
    return b"SWF1" + checksum(behind) + behind


def target(number, pairs):
    return b"\x01" + uvarint(number) + labels(pairs)


def shape(number, pairs):
    return b"\x02" + uvarint(number) + labels(pairs)


def columns(number, first, shapes):
    return b"\x03" + uvarint(number) + uvarint(first) + uvarint(len(shapes)) + b"".join(
        uvarint(shape << 1 | histogram) for shape, histogram in shapes)


def row(number, key, counter, time, ranges, gaps, codes, tail=b""):
    out = b"\x04" + uvarint(number) + bytes([key, counter]) + svarint(time)
    out += uvarint(len(ranges)) + b"".join(uvarint(gap) + uvarint(length) for gap, length in ranges)
    return out + b"".join(uvarint(n) for n in gaps) + b"".join(uvarint(n) for n in codes) + tail


def step(n):
    """Both integers: the difference."""
    return zigzag(n) << 1


def bits(size, shift):
    """`size` bytes of the tail, `shift` bytes up: or-ed exclusively to the bits of the previous value."""
    return shift << 5 | size << 1 | 1


HOST = [("instance", "a:9100"), ("job", "node")]
DEFINITIONS = (target(7, HOST) + shape(3, [("__name__", "up")]) + shape(900, [("__name__", "load"), ("core", "1")]) +
               shape(4, [("__name__", "latency")]) + columns(7, 0, [(3, 0), (900, 0), (4, 1)]))
DEFINED = ["target 7 instance=a:9100 job=node", "shape 3 __name__=up", "shape 900 __name__=load core=1",
           "shape 4 __name__=latency", "columns 7 0 3 900 histogram:4"]

# 1.5 is 3ff8...: its two upper bytes against +0. 2.5 is 4004...: against 1.5 it is 7ffc....
KEY = row(7, 1, 0, 1700000000000, [(0, 2)], [0, 0], [step(1), bits(2, 6)], bytes.fromhex("f83f"))
SECOND = row(7, 0, 1, 15000, [(0, 2)], [1], [bits(2, 6)], bytes.fromhex("fc7f"))
# Column 1 alone, unchanged; and back in time.
THIRD = row(7, 0, 2, -20000, [(1, 1)], [1], [])
ROWS = ["row 1 7 1700000000000 0=1 1=1.5", "row 2 7 1700000015000 0=1 1=2.5", "row 3 7 1699999995000 1=2.5"]

HISTOGRAM = b"\x05" + uvarint(7) + svarint(-5) + uvarint(2) + sized(b"\x01\x02\x03")
METADATA = b"\x06\x02" + sized("up") + sized("Is it up?") + sized("")
EXEMPLAR = (b"\x07" + uvarint(7) + uvarint(1) + svarint(17) + struct.pack("<d", 0.25) + labels([("trace_id", "abc")]))

GOOD = header() + frame(1, DEFINITIONS + KEY) + frame(2, SECOND) + frame(3, THIRD)
FIRST_END = len(header() + frame(1, DEFINITIONS + KEY))


def counted(corrupt=0, lost=0, cut=0, headers=0):
    return [f"corrupt {corrupt} lost {lost} cut {cut} headers {headers}"]


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]


CASES = [
    ("empty", "good", b"", counted()),
    ("header alone", "good", header(), counted()),
    ("half a header", "good", header()[:9], counted()),
    ("rows", "good", GOOD, DEFINED + ROWS + counted()),
    ("other records", "good", header() + frame(5, DEFINITIONS + HISTOGRAM + METADATA + EXEMPLAR),
     DEFINED + ["histogram 5 7 -5 2 010203", "metadata 5 2 up Is it up? ", "exemplar 5 7 1 17 0.25 trace_id=abc"] +
     counted()),
    ("newer format", "newer", header(version=2) + frame(1, DEFINITIONS), []),
    ("header flipped", "damaged", flipped(GOOD, 3), DEFINED + ROWS + counted(corrupt=1, headers=1)),
    ("version flipped", "damaged", flipped(GOOD, 8), DEFINED + ROWS + counted(corrupt=1, headers=1)),
    ("no header", "damaged", GOOD[16:], DEFINED + ROWS + counted(corrupt=1, headers=1)),
    # The second row is gone: the third is coded against it, and there is no key behind it.
    ("second frame flipped", "damaged", flipped(GOOD, FIRST_END + 30), DEFINED + ROWS[:1] +
     counted(corrupt=1, lost=1)),
    # Nothing behind the definitions can be believed.
    ("first frame flipped", "damaged", flipped(GOOD, 40), counted(corrupt=1, lost=2)),
    ("torn end", "damaged", GOOD[:-3], DEFINED + ROWS[:2] + counted(cut=len(frame(3, THIRD)) - 3)),
    ("bytes between frames", "damaged", GOOD[:FIRST_END] + b"SWF1SWF1" + GOOD[FIRST_END:],
     DEFINED + ROWS + counted(corrupt=1)),
    ("row of a column not there", "damaged", header() + frame(1, DEFINITIONS + row(
        7, 1, 0, 5, [(3, 1)], [0], [step(1)])), DEFINED + counted(lost=1)),
    ("target twice", "damaged", header() + frame(1, target(7, HOST) + target(7, HOST)), DEFINED[:1] +
     counted(corrupt=1)),
    ("labels out of order", "damaged", header() + frame(1, target(7, HOST[::-1])), counted(corrupt=1)),
    ("record of no type", "damaged", header() + frame(1, target(7, HOST) + b"\x09"), DEFINED[:1] + counted(corrupt=1)),
    ("no ranges", "damaged", header() + frame(1, DEFINITIONS + row(7, 1, 0, 5, [], [], [])), DEFINED +
     counted(corrupt=1)),
    ("tail too short", "damaged", header() + frame(1, DEFINITIONS + row(
        7, 1, 0, 5, [(0, 1)], [0], [bits(8, 0)], b"\x01")), DEFINED + counted(corrupt=1)),
]

for name, kind, data, lines in CASES:
    print(name.replace(" ", "_"), kind, data.hex())
    for line in lines:
        print("=", line)
