"""Jaeger's spans in Thrift, for scripts: written from Thrift's specifications, apart from the C reader.

    batch = Batch("shop", [Span(trace=1, id=2, name="GET", tags={"error": True})])
    batch.binary()                    the body of POST /api/traces
    batch.datagram(compact=True)      a call of emitBatch
"""
import dataclasses
import struct


@dataclasses.dataclass
class Span:
    trace: int
    id: int
    name: str = "span"
    parent: int = 0
    start_us: int = 1
    duration_us: int = 0
    flags: int = 1
    tags: dict = dataclasses.field(default_factory=dict)


def varint(value):
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def zigzag(value):
    return varint((value << 1) ^ (value >> 63) if value >= 0 else ((-value) << 1) - 1)


def signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


class Writer:
    """Types: binary, compact."""
    I32, I64, DOUBLE, TEXT, STRUCT, LIST = (8, 5), (10, 6), (4, 7), (11, 8), (12, 12), (15, 9)

    def __init__(self, compact):
        self.compact = compact

    def head(self, last, number, kind):
        if not self.compact:
            return struct.pack(">bh", kind[0], number)
        return bytes([(number - last) << 4 | kind[1]])

    def integer(self, value, bits):
        return zigzag(value) if self.compact else value.to_bytes(bits // 8, "big", signed=True)

    def text(self, value):
        data = value if isinstance(value, bytes) else value.encode()
        return (varint(len(data)) if self.compact else struct.pack(">i", len(data))) + data

    def number(self, value):
        return struct.pack("<d" if self.compact else ">d", value)

    def structs(self, items):
        if not self.compact:
            return struct.pack(">bi", self.STRUCT[0], len(items)) + b"".join(items)
        count = bytes([len(items) << 4 | 12]) if len(items) < 15 else b"\xfc" + varint(len(items))
        return count + b"".join(items)

    def struct(self, *fields):
        """Fields in ascending order: (number, type, bytes); a bool is (number, True or False, None)."""
        out, last = b"", 0
        for number, kind, data in fields:
            if isinstance(kind, bool):
                out += self.head(last, number, (2, 1 if kind else 2))
                out += b"" if self.compact else bytes([kind])
            else:
                out += self.head(last, number, kind) + data
            last = number
        return out + b"\0"

    def tag(self, key, value):
        kinds = {str: (0, 3, self.TEXT), float: (1, 4, self.DOUBLE), bool: (2, 5, None), int: (3, 6, self.I64),
                 bytes: (4, 7, self.TEXT)}
        number, field, kind = kinds[type(value)]
        head = [(1, self.TEXT, self.text(key)), (2, self.I32, self.integer(number, 32))]
        if kind is None:
            return self.struct(*head, (field, value, None))
        data = self.number(value) if kind is self.DOUBLE else self.text(value) if kind is self.TEXT \
            else self.integer(value, 64)
        return self.struct(*head, (field, kind, data))

    def span(self, s):
        long = [(1, signed(s.trace & (1 << 64) - 1)), (2, signed(s.trace >> 64)), (3, signed(s.id)),
                (4, signed(s.parent))]
        return self.struct(
            *((number, self.I64, self.integer(value, 64)) for number, value in long),
            (5, self.TEXT, self.text(s.name)), (7, self.I32, self.integer(s.flags, 32)),
            (8, self.I64, self.integer(s.start_us, 64)), (9, self.I64, self.integer(s.duration_us, 64)),
            (10, self.LIST, self.structs([self.tag(k, v) for k, v in s.tags.items()])))

    def batch(self, service, spans):
        return self.struct((1, self.STRUCT, self.struct((1, self.TEXT, self.text(service)))),
                           (2, self.LIST, self.structs([self.span(s) for s in spans])))

    def call(self, name):
        if self.compact:
            return b"\x82\x81" + varint(1) + self.text(name)
        return struct.pack(">I", 0x80010004) + self.text(name) + struct.pack(">i", 1)


@dataclasses.dataclass
class Batch:
    service: str
    spans: list

    def binary(self):
        return Writer(False).batch(self.service, self.spans)

    def datagram(self, compact):
        w = Writer(compact)
        return w.call("emitBatch") + w.struct((1, w.STRUCT, w.batch(self.service, self.spans)))
