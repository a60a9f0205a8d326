#!/usr/bin/env python3
"""Writes row_blocks.txt: column blocks and row times built from the format's description alone.

Nothing here knows the C code: bit strings, varints and exact fractions are spelled out from the
comments of column_block.c, affine.h, front_bits.h, number_map.h, presence.h, patched.h, integer_column.h, dictionary.h and
row_times.c in tsdb/row. The C test decodes every block and, where a case is marked `encode`, also
expects the encoder to write these bytes.

usage: row_blocks.py > row_blocks.txt
"""

import struct
from fractions import Fraction

CONSTANT, SPARSE, FRAME, DELTA, DELTA_FRAME, DELTA_DELTA, LINEAR = range(7)
ULP, DICTIONARY, DIFFERENCE, AFFINE, RAW, FRONTS, GRID = 7, 8, 9, 10, 11, 12, 31
MAPPING, ROWS = 0x40, 0x80
RECIPROCAL, QUOTIENT, PRODUCT, HALVES = range(4)
BITS = 15
STALE = 0x7FF0000000000002


# ---- bytes ----

def uvarint(n):
    out = b""
    while n >= 128:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def svarint(n):
    return uvarint(2 * n if n >= 0 else -2 * n - 1)


def zigzag(n):
    return 2 * n if n >= 0 else -2 * n - 1


def pack(values, width):
    """Value i in bits [i * width, (i + 1) * width), bit b being bit b % 8 of byte b // 8."""
    total = sum(v << (i * width) for i, v in enumerate(values))
    return total.to_bytes((len(values) * width + 7) // 8, "little")


def miniblock(values, width):
    """At the width given; what does not fit is an exception."""
    low = [v & ((1 << width) - 1) for v in values]
    odd = [(i, v >> width) for i, v in enumerate(values) if v >> width]
    if not odd:
        return bytes([width]) + pack(low, width)
    high_width = max(v.bit_length() for _, v in odd)
    position_width = (len(values) - 1).bit_length()
    count = len(odd)
    head = bytes([high_width - 1 | (count << 6 if count <= 3 else 0)])
    if count > 3:
        head += bytes([count])
    return (bytes([width | 0x40]) + pack(low, width) + head + pack([i for i, _ in odd], position_width)
            + pack([v for _, v in odd], high_width))


def stream(values, *widths):
    """Miniblocks of 128, each at its width."""
    out = b""
    for number, width in enumerate(widths):
        out += miniblock(values[128 * number:128 * (number + 1)], width)
    return out


def mapping(exponent, method=0, scale=1, remainder=0):
    out = bytes([exponent | method << 4 | (0x40 if scale > 1 else 0) | (0x80 if remainder else 0)])
    if scale > 1:
        shift = (scale & -scale).bit_length() - 1
        out += uvarint((scale >> shift) - 1 << 6 | shift)
    if remainder:
        out += uvarint(remainder)
    return out


# ---- doubles ----

def bits(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def double(b):
    return struct.unpack("<d", struct.pack("<Q", b & (1 << 64) - 1))[0]


def fma(a, b, c):
    return float(Fraction(a) * Fraction(b) + Fraction(c))


def decimal(i, exponent, method=RECIPROCAL):
    power, r = 10.0 ** exponent, float(Fraction(1, 10 ** exponent))
    if method == QUOTIENT:
        return i / power
    if method == PRODUCT:
        return i * r
    if method == HALVES:
        return i / 10.0 ** (exponent // 2) / 10.0 ** (exponent // 2)
    q = i * r
    return fma(fma(-q, power, float(i)), r, q)


def steps(values):
    return [b - a for a, b in zip(values, values[1:])]


# ---- cases ----

def say(name, how, values, encoded, encode=True, reference=None):
    """`values` holds doubles, ints (bits of doubles) or None for an absent row; so does `reference`."""
    print(f"# {how}")
    print(f"block {name.replace(' ', '-')} {'encode' if encode else 'decode'} {len(values)}")
    say_values("values", values)
    if reference:
        say_values("reference", reference)
    say_bytes(encoded)


def say_values(what, values):
    words = ["absent" if v is None else f"{v:016x}" if isinstance(v, int) else f"{bits(v):016x}" for v in values]
    for at in range(0, len(words), 5):
        print(what, *words[at:at + 5])


def say_times(name, how, times, encoded):
    print(f"# {how}")
    print(f"times {name.replace(' ', '-')} encode {len(times)}")
    for at in range(0, len(times), 6):
        print("values", *times[at:at + 6])
    say_bytes(encoded)


def say_bytes(encoded):
    for at in range(0, len(encoded), 32):
        print("bytes", encoded[at:at + 32].hex(" "))
    print()


def constants():
    say("zero", "codec alone", [0.0] * 10, bytes([CONSTANT]))
    say("integer", "codec, svarint -300", [-300.0] * 3, bytes([CONSTANT]) + svarint(-300))
    say("decimal", "codec with mapping, exponent 1, svarint 1", [0.1] * 4,
        bytes([CONSTANT | MAPPING]) + mapping(1) + svarint(1))
    say("high bytes", "codec with mapping, bits, the six high bytes of 1/3 cut short", [double(0x3FD5555555550000)] * 4,
        bytes([CONSTANT | MAPPING]) + mapping(BITS) + bytes.fromhex("3fd555555555"))
    say("negative zero", "bits, one byte", [-0.0] * 2, bytes([CONSTANT | MAPPING]) + mapping(BITS) + b"\x80")
    say("not a number", "bits without a body: the NaN of Go", [0x7FF8000000000001] * 2,
        bytes([CONSTANT | MAPPING]) + mapping(BITS))
    say("another NaN", "bits, all eight bytes", [0x7FF8000000000003] * 2,
        bytes([CONSTANT | MAPPING]) + mapping(BITS) + bytes.fromhex("7ff8000000000003"))


def integers():
    rows = [5.0] * 107 + [6.0] * 90 + [9.0] * 43
    say("sparse", "first 5, two changes, smallest 1, gaps 106 and 89 at 7 bits, changes 0 and 2 at 2 bits", rows,
        bytes([SPARSE]) + svarint(5) + uvarint(2) + svarint(1) + stream([106, 89], 7) + stream([0, 2], 2))
    rows = [103, 100, 107, 101, 102, 106, 100, 105]
    say("frame", "minimum 100, eight rows at 3 bits", [float(v) for v in rows],
        bytes([FRAME]) + svarint(100) + stream([v - 100 for v in rows], 3))
    rows = [i * 7 % 8 for i in range(40)]
    rows[11] = 5000
    say("frame with an exception", "minimum 0, 40 rows at 3 bits, row 11 has 625 more above them", [float(v) for v in rows],
        bytes([FRAME]) + svarint(0) + stream(rows, 3))
    rows = [(i * 7 + i // 16) % 16 for i in range(128)] + [i * 3 % 4 for i in range(22)]
    say("frame of two miniblocks", "minimum 0, 128 rows at 4 bits, 22 rows at 2 bits", [float(v) for v in rows],
        bytes([FRAME]) + svarint(0) + stream(rows, 4, 2))
    rows = [1000]
    for step in [3, -2, -3, 3, 3, 0, -1, 3, 3, -3, -1, 2, 3, 3, 3, -1, 3, 2, 3, 3, -3, 3, 3]:
        rows.append(rows[-1] + step)
    say("delta", "first 1000, zigzag steps at 3 bits", [float(v) for v in rows],
        bytes([DELTA]) + svarint(1000) + stream([zigzag(s) for s in steps(rows)], 3))
    rows = [70000]
    for step in [50, 53, 51, 50, 52, 53, 50, 51, 52, 53, 51, 50]:
        rows.append(rows[-1] + step)
    say("delta frame", "first 70000, smallest step 50, the rest at 2 bits", [float(v) for v in rows],
        bytes([DELTA_FRAME]) + svarint(70000) + svarint(50) + stream([s - 50 for s in steps(rows)], 2))
    rows, step = [0], 1000
    for change in [0, 1, -1, 1, 1, 0, 1, -2, 1, 1, 1, 1, 1, 1, 1, 1, -1, 1, 1, 1, 0, 1, 1]:
        step += 3 * change
        rows.append(rows[-1] + step)
    dd = steps(steps(rows))
    say("delta delta", "first 0, first step 1000, zigzag changes of the step at 4 bits", [float(v) for v in rows],
        bytes([DELTA_DELTA]) + svarint(0) + svarint(1000) + stream([zigzag(d) for d in dd], 4), encode=False)
    say("linear", "first 10, step -15", [10.0 - 15 * i for i in range(9)], bytes([LINEAR]) + svarint(10) + svarint(-15))


def mappings():
    # No order in them, so that a frame is the shortest.
    rows = [3, 200, 14, 131, 255, 77, 31, 180, 99, 2, 241, 58, 166, 23, 119, 212, 7, 146, 88, 230, 45, 193, 0, 111]
    say("scale", "multiples of 4096: the scale is 1 * 2^12", [4096.0 * v for v in rows],
        bytes([FRAME | MAPPING]) + mapping(0, scale=4096) + svarint(min(rows)) + stream([v - min(rows) for v in rows], 8))
    say("scale and remainder", "700 = 175 * 2^2 times the row, plus 33", [700.0 * v + 33 for v in rows],
        bytes([FRAME | MAPPING]) + mapping(0, scale=700, remainder=33) + svarint(min(rows))
        + stream([v - min(rows) for v in rows], 8))
    cents = [v + 1000 for v in rows]
    say("decimal 2", "hundredths", [decimal(v, 2) for v in cents],
        bytes([FRAME | MAPPING]) + mapping(2) + svarint(min(cents)) + stream([v - min(cents) for v in cents], 8))
    # Thousandths as milliseconds * 0.001: some are not the nearest double to the decimal.
    ms = [v * 4099 + 1000003 for v in rows]
    assert any(v * 0.001 != v / 1000 for v in ms)
    say("product", "milliseconds times 0.001", [v * 0.001 for v in ms],
        bytes([FRAME | MAPPING]) + mapping(3, PRODUCT, 4099, min(ms) % 4099) + svarint(min(ms) // 4099)
        + stream([(v - min(ms)) // 4099 for v in ms], 8))
    us = [v * 4099 + 1000000007 for v in rows]
    assert any(v / 1000.0 / 1000.0 != v / 1e6 for v in us)
    say("halves", "microseconds divided by a thousand twice", [v / 1000.0 / 1000.0 for v in us],
        bytes([FRAME | MAPPING]) + mapping(6, HALVES, 4099, min(us) % 4099) + svarint(min(us) // 4099)
        + stream([(v - min(us)) // 4099 for v in us], 8))
    say("quotient", "hundredths by true division", [v / 100 for v in cents],
        bytes([FRAME | MAPPING]) + mapping(2, QUOTIENT) + svarint(min(cents)) + stream([v - min(cents) for v in cents], 8),
        encode=False)
    # Arbitrary doubles near each other; ordered bits of negative ones fall as the double rises.
    low = 0x3C09_21FB_5444_2D18
    say("bits", "doubles near 1.7e-19, the difference of their bits", [low + v for v in rows],
        bytes([FRAME | MAPPING]) + mapping(BITS) + svarint(low) + stream(rows, 8))
    rows = [-1.0, 1.0, -1.0, -1.0, 1.0, -1.0]
    ordered = [b if b < 1 << 63 else (b - (1 << 64)) ^ (1 << 63) - 1 for b in map(bits, rows)]
    say("bits of both signs", "ordered bits of -1 and 1 as a dictionary of codec 6 and 2", rows,
        bytes([DICTIONARY | MAPPING]) + mapping(BITS) + bytes([LINEAR | FRAME << 4, 1]) + svarint(min(ordered))
        + svarint(max(ordered) - min(ordered)) + svarint(0) + stream([0, 1, 0, 0, 1, 0], 1), encode=False)


def pairs():
    near = [500, 900, 700, 1100, 1500, 1300, 1700, 2100, 1900, 2300, 2700, 2500]
    ulps = [0, 1, -1, 0, 1, 0, 0, -1, 1, 0, 1, 0]
    rows = [bits(decimal(i, 9)) + u for i, u in zip(near, ulps)]
    say("ulp", "nanoseconds as delta, ulps as frame from -1 at 2 bits", rows,
        bytes([ULP | MAPPING]) + mapping(9) + bytes([DELTA | FRAME << 4]) + svarint(500)
        + stream([zigzag(s) for s in steps(near)], 10) + svarint(-1) + stream([u + 1 for u in ulps], 2), encode=False)
    states = [200, 503, 90000]
    places = [i * i % 7 % 3 for i in range(60)]
    say("dictionary", "list 200 503 90000 as frame at 17 bits; 60 places as frame at 2 bits",
        [float(states[p]) for p in places],
        bytes([DICTIONARY, FRAME | FRAME << 4, 2]) + svarint(200) + stream([s - 200 for s in states], 17)
        + svarint(0) + stream(places, 2), encode=False)
    rows = [0x0123456789ABCDEF, 0x8123456789ABCDEF, 0x7FE3456789ABCDEF, 0xFFF123456789ABCD]
    say("raw", "four doubles as they are", rows, bytes([RAW]) + b"".join(struct.pack("<Q", v) for v in rows))


def references():
    below = [5000]
    for i in range(39):
        below.append(below[-1] + (i * i * 37 + 11) % 97)
    reference = [float(v) for v in below]
    say("copy", "differences as constant 12", [v + 12.0 for v in below],
        bytes([DIFFERENCE, CONSTANT]) + svarint(12), reference=reference)
    # The reference misses rows 0 and 7: 0 and then the integer of row 6 stand in.
    reference[0], reference[7] = None, 0.5
    used = [0] + below[1:7] + [below[6]] + below[8:]
    rows = [u + 3 * (i * 5 % 8) + 200 for i, u in enumerate(used)]
    say("difference", "differences 3 times a frame of 3 bits, remainder 2 of 200", [float(v) for v in rows],
        bytes([DIFFERENCE | MAPPING]) + mapping(0, scale=3, remainder=2) + bytes([FRAME]) + svarint(66)
        + stream([i * 5 % 8 for i in range(40)], 3), reference=reference)


def multiples():
    ticks = [123]
    for i in range(29):
        ticks.append(ticks[-1] + (i * i * 37 + 11) % 97)
    say("affine", "hundredths of a reference in whole ticks, times 3, from 5.00",
        [decimal(500 + 3 * (t - ticks[0]), 2) for t in ticks],
        bytes([AFFINE | MAPPING]) + mapping(2) + bytes([0]) + svarint(3) + uvarint(1) + svarint(500),
        reference=[float(t) for t in ticks])
    pages = [4096 * t for t in ticks]
    say("affine with a denominator", "pages beside bytes, falling: -1/4096, one row absent",
        [None if i == 7 else float(90000 - t + ticks[0]) for i, t in enumerate(ticks)],
        bytes([AFFINE | ROWS]) + uvarint(1) + uvarint(7 << 3) + bytes([0]) + svarint(-1) + uvarint(4096) + svarint(90000),
        reference=[float(p) for p in pages])


def fronts():
    # Three fronts of 7 bits (sign and the high bits of the exponent); 57 random bits behind each.
    state, rows, cut = 88172645463325252, [], 57
    list_ = [0x1F, 0x20, 0x5F]
    places = [i * 7 % 5 % 3 for i in range(40)]
    for place in places:
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        rows.append(list_[place] << cut | state >> 7)
    behind = [r & (1 << cut) - 1 for r in rows]
    say("fronts", "57 bits behind three fronts, places of 2 bits", rows,
        bytes([FRONTS, cut, 2]) + b"".join(struct.pack("<H", v) for v in list_) + pack(places, 2) + pack(behind, cut))


def presences():
    rows = [7.0] * 12
    rows[3] = STALE
    say("stale row", "one interval: gap 3, one row, kind 1; constant 7", rows,
        bytes([CONSTANT | ROWS]) + uvarint(1) + uvarint(3 << 3 | 1) + svarint(7))
    rows = [None] * 20 + [7.0] * 5 + [STALE]
    say("late row", "two intervals: gap 0, 20 rows absent; gap 5, one row stale", rows,
        bytes([CONSTANT | ROWS]) + uvarint(2) + uvarint(4) + uvarint(18) + uvarint(5 << 3 | 1) + svarint(7))
    say("nothing", "all rows absent: one interval, no body", [None] * 9, bytes([CONSTANT | ROWS]) + uvarint(1) + uvarint(4) + uvarint(7))
    nan = 0x7FF8000000000001
    rows = [float(i * 5 % 16) for i in range(40)]
    stream_rows = [int(v) for i, v in enumerate(rows) if i not in (4, 30)]
    rows[4] = rows[30] = nan
    say("literals", "NaN at rows 4 and 30: a literal, then the same again", rows,
        bytes([FRAME | ROWS]) + uvarint(2) + uvarint(4 << 3 | 2) + struct.pack("<Q", nan) + uvarint(25 << 3 | 3)
        + svarint(0) + stream(stream_rows, 4))
    rows = [None if i % 3 else 2.0 for i in range(48)]
    rows[1] = STALE
    out = [i for i in range(48) if i % 3]
    say("bitmaps", "rows out of the stream as a bitmap, then which of them are stale: the first", rows,
        bytes([CONSTANT | ROWS, 0]) + pack([int(i % 3 > 0) for i in range(48)], 1) + pack([1] + [0] * (len(out) - 1), 1) + svarint(2))


def times():
    start = 1700000000000
    say_times("steady", "codec linear: first and step", [start + 15000 * i for i in range(6)],
              bytes([LINEAR]) + svarint(start) + svarint(15000))
    offsets = [3, 0, 2, 1, 3, 0, 1, 2, 2, 0, 3, 1]
    rows, slot = [], 0
    for i, offset in enumerate(offsets):
        slot += 1 if i else 0
        slot += 4 if i == 7 else 0
        rows.append(start + 15000 * slot + offset)
    say_times("grid with a gap", "origin, step 15000 * 256, one skip: 6 rows on, 4 slots; offsets at 2 bits", rows,
              bytes([GRID]) + svarint(start) + uvarint(15000 * 256) + uvarint(1) + uvarint(6) + uvarint(4)
              + stream(offsets, 2))


print("# Made by row_blocks.py; see there. Values are bits of doubles, times are milliseconds.\n")
constants()
integers()
mappings()
pairs()
references()
multiples()
fronts()
presences()
times()
