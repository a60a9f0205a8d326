#!/usr/bin/env python3
"""Writes exemplar_blocks.txt: blocks of exemplars built from the format's description alone
(tsdb/exemplar/exemplar_block.h), good and broken ones. Payloads are stored plain, so that no compressor has
a say in the bytes; the checksum is XXH3-64 cut to its lower 32 bits, by the xxHash library itself.

    NAME good|corrupt|newer HEX
    = TEXT      lines that follow a good block: what a dump of it shows

usage: exemplar_blocks.py > exemplar_blocks.txt
"""

import ctypes
import struct

XXHASH = ctypes.CDLL("libxxhash.so.0")
XXHASH.XXH3_64bits.restype = ctypes.c_uint64
XXHASH.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def uvarint(n):
    out = b""
    while n >= 128:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def svarint(n):
    return uvarint(2 * n if n >= 0 else -2 * n - 1)


def sized(text):
    return uvarint(len(text.encode())) + text.encode()


def labels(pairs):
    return uvarint(len(pairs)) + b"".join(sized(name) + sized(value) for name, value in pairs)


def checksum(data):
    return struct.pack("<I", XXHASH.XXH3_64bits(data, len(data)) & 0xFFFFFFFF)


def plain(series, count=None):
    out = uvarint(len(series) if count is None else count)
    for pairs, exemplars in series:
        out += labels(pairs) + uvarint(len(exemplars))
        before = 0
        for time, value, own in exemplars:
            out += svarint(time - before) + struct.pack("<d", value) + labels(own)
            before = time
    return out


def block(payload, first, last, count, version=1, plain_size=None, payload_sum=None, magic=b"SONDEXMP"):
    header = struct.pack("<IIqqQ", len(payload), len(payload) if plain_size is None else plain_size, first, last,
                         count)
    header += checksum(payload) if payload_sum is None else payload_sum
    return magic + struct.pack("<I", version) + checksum(header) + header + payload


REQUESTS = [("__name__", "requests_total"), ("job", "api")]
UP = [("__name__", "up")]
TRACE = [("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736")]
SERIES = [(REQUESTS, [(1000, 0.25, TRACE), (1000, 0.5, [("a", "1"), ("b", "2")]), (61000, 1e300, [])]),
          (UP, [(-5, 1.0, TRACE)])]
GOOD = plain(SERIES)


def write(name, kind, data, *shown):
    print(name, kind, data.hex())
    for line in shown:
        print("=", line)


write("one", "good", block(plain([(UP, [(7, 1.0, TRACE)])]), 7, 7, 1),
      "up", '  7 1 {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"}')
write("several", "good", block(GOOD, -5, 61000, 4),
      'requests_total{job="api"}', '  1000 0.25 {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"}',
      '  1000 0.5 {a="1", b="2"}', "  61000 1e+300 {}", "up",
      '  -5 1 {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"}')
write("empty_file", "corrupt", b"")
write("magic", "corrupt", block(GOOD, -5, 61000, 4, magic=b"SONDEXMQ"))
write("version", "newer", block(GOOD, -5, 61000, 4, version=2))
write("cut_header", "corrupt", block(GOOD, -5, 61000, 4)[:51])
write("cut_payload", "corrupt", block(GOOD, -5, 61000, 4)[:-1])
write("longer", "corrupt", block(GOOD, -5, 61000, 4) + b"\0")
damaged = bytearray(block(GOOD, -5, 61000, 4))
damaged[60] ^= 1
write("payload_bit", "corrupt", bytes(damaged))
damaged = bytearray(block(GOOD, -5, 61000, 4))
damaged[24] ^= 1
write("header_bit", "corrupt", bytes(damaged))
write("payload_larger_than_plain", "corrupt", block(GOOD, -5, 61000, 4, plain_size=len(GOOD) - 1))
write("no_zstd", "corrupt", block(GOOD, -5, 61000, 4, plain_size=len(GOOD) + 1))
write("count", "corrupt", block(GOOD, -5, 61000, 5))
write("outside_times", "corrupt", block(GOOD, -4, 61000, 4))
write("no_series", "corrupt", block(plain([]), 0, 0, 1))
write("series_missing", "corrupt", block(plain(SERIES, 3), -5, 61000, 4))
write("bytes_left", "corrupt", block(plain(SERIES, 1), -5, 61000, 3))
write("series_without_exemplars", "corrupt", block(plain([(UP, []), (UP, [(7, 1.0, TRACE)])]), 7, 7, 1))
write("times_go_back", "corrupt", block(plain([(UP, [(7, 1.0, TRACE), (6, 1.0, TRACE)])]), 6, 7, 2))
write("labels_unsorted", "corrupt", block(plain([(UP, [(7, 1.0, [("b", "1"), ("a", "1")])])]), 7, 7, 1))
write("label_twice", "corrupt", block(plain([(UP, [(7, 1.0, [("a", "1"), ("a", "1")])])]), 7, 7, 1))
write("label_empty", "corrupt", block(plain([(UP, [(7, 1.0, [("a", "")])])]), 7, 7, 1))
write("time_overflow", "corrupt", block(plain([(UP, [(-1, 1.0, []), (2**63 - 1, 1.0, [])])]), -1, 2**63 - 1, 2))
