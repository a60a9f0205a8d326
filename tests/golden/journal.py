#!/usr/bin/env python3
"""Writes journal.bin: a journal of two transactions, made from the description at the top of
base/base/journal.c and nothing else. The checksum is XXH3-64 cut to its lower 32 bits, by the xxHash
library itself."""
import ctypes
import pathlib
import struct

XXHASH = ctypes.CDLL("libxxhash.so.0")
XXHASH.XXH3_64bits.restype = ctypes.c_uint64
XXHASH.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def sealed(data):
    return data + struct.pack("<I", XXHASH.XXH3_64bits(data, len(data)) & 0xFFFFFFFF)


def put(key, value):
    return bytes([1, len(key)]) + key + bytes([len(value)]) + value


def delete(key):
    return bytes([2, len(key)]) + key


def frame(*changes):
    payload = b"".join(changes)
    checksum = XXHASH.XXH3_64bits(payload, len(payload)) & 0xFFFFFFFF
    return sealed(b"JFRM" + struct.pack("<II", len(payload), checksum)) + payload


journal = sealed(b"SONDEJRN" + struct.pack("<I", 1))
journal += frame(put(b"a", b"one"), put(b"b", b""), put(b"c\0d", b"\xff" * 3))
journal += frame(delete(b"b"), put(b"a", b"two"))
pathlib.Path(__file__).with_suffix(".bin").write_bytes(journal)
