#!/usr/bin/env python3
"""Writes histogram_bounds.txt: the bounds of native histograms' buckets in [0.5, 1) of schema 8, as the
program of a real Prometheus has them, one a line, as hexadecimal numbers. They are found by what they must
be: 256 ascending doubles from 0.5 on, each next to its power of two, that the tables of the lower schemas
repeat.

usage: histogram_bounds.py [/usr/bin/prometheus] > histogram_bounds.txt
"""

import math
import struct
import sys

COUNT = 256


def tables(image):
    at = image.find(struct.pack("<d", 0.5))
    while at >= 0:
        if at + 8 * COUNT <= len(image):
            table = struct.unpack_from(f"<{COUNT}d", image, at)
            if all(abs(x - 2 ** (i / COUNT - 1)) < 1e-14 for i, x in enumerate(table)):
                yield table
        at = image.find(struct.pack("<d", 0.5), at + 1)


def main():
    with open(sys.argv[1] if len(sys.argv) > 1 else "/usr/bin/prometheus", "rb") as program:
        image = program.read()
    found = list(tables(image))
    assert found and all(table == found[0] for table in found), "no table, or several"
    for schema in range(1, 8):
        assert struct.pack(f"<{1 << schema}d", *found[0][:: COUNT >> schema]) in image, schema
    worst = max(abs(x - 2 ** (i / COUNT - 1)) / math.ulp(x) for i, x in enumerate(found[0]))
    print(f"# up to {worst:.0f} units in the last place beside the powers of two")
    for bound in found[0]:
        print(bound.hex())


main()
