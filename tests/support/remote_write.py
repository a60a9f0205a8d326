"""Remote write 1.0 and 2.0 by hand: the protobuf messages, snappy as literals, and the POST.

    write(address, [({"__name__": "up", "job": "a"}, [(time_ms, value), ...]), ...])

Independent of the C encoder on purpose: what the two agree on is the format, not a shared mistake.
https://prometheus.io/docs/specs/prw/remote_write_spec/, snappy/format_description.txt.
"""

import http.client
import struct


def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, payload):
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def label(name, value):
    return field(1, field(1, name.encode()) + field(2, value.encode()))


def sample(time_ms, value):
    return field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(time_ms))


def svarint(number):
    return varint(number << 1 ^ number >> 63)


def double(tag, value):
    """A double."""
    return varint(tag << 3 | 1) + struct.pack("<d", value)


class Histogram:
    """A native histogram: counts by the index of their bucket. With `floats` the counts are doubles."""

    def __init__(self, total, schema=0, positive=None, negative=None, zero_count=0, zero_threshold=0.0,
                 hint=0, floats=False):
        self.sum = total
        self.schema = schema
        self.positive = positive or {}
        self.negative = negative or {}
        self.zero_count = zero_count
        self.zero_threshold = zero_threshold
        self.hint = hint  # 0 unknown, 1 reset, 2 no reset, 3 gauge
        self.floats = floats

    def count(self):
        return sum(self.positive.values()) + sum(self.negative.values()) + self.zero_count

    def side(self, buckets, span_tag):
        """Spans, and counts: deltas of integers or plain doubles in the two tags that follow."""
        spans, counts, before, end = b"", b"", 0, None
        indexes = sorted(buckets)
        begins = [i for i in indexes if i - 1 not in buckets]
        for begin in begins:
            length = next(n for n in range(1, len(indexes) + 1) if begin + n not in buckets)
            offset = begin if end is None else begin - end
            end = begin + length
            spans += field(span_tag, b"\x08" + svarint(offset) + b"\x10" + varint(length))
        for index in indexes:
            counts += struct.pack("<d", buckets[index]) if self.floats else svarint(buckets[index] - before)
            before = buckets[index]
        return spans + field(span_tag + (2 if self.floats else 1), counts)

    def encode(self, time_ms):
        def whole(tag, value):
            return double(tag + 1, value) if self.floats else varint(tag << 3) + varint(value)

        body = whole(1, self.count()) + double(3, self.sum) + b"\x20" + svarint(self.schema)
        body += double(5, self.zero_threshold) + whole(6, self.zero_count)
        body += self.side(self.negative, 8) + self.side(self.positive, 11)
        return field(4, body + b"\x70" + varint(self.hint) + b"\x78" + varint(time_ms))


def series(labels, samples):
    """`labels` is a mapping, sorted here; `samples` are pairs of milliseconds and value, which may be a
    Histogram."""
    body = b"".join(label(name, labels[name]) for name in sorted(labels))
    for time_ms, value in samples:
        body += value.encode(time_ms) if isinstance(value, Histogram) else sample(time_ms, value)
    return field(1, body)


def exemplar(labels, value, time_ms):
    """Goes behind the samples of a series."""
    body = b"".join(label(name, labels[name]) for name in labels)
    return field(3, body + b"\x11" + struct.pack("<d", value) + b"\x18" + varint(time_ms))


def series_with_exemplars(labels, samples, exemplars):
    """`exemplars` are (labels, value, milliseconds)."""
    body = b"".join(label(name, labels[name]) for name in sorted(labels))
    body += b"".join(sample(time_ms, value) for time_ms, value in samples)
    return field(1, body + b"".join(exemplar(*each) for each in exemplars))


def metadata(kind, metric, help_text, unit=""):
    """`kind` is the number of MetricMetadata.MetricType."""
    body = b"\x08" + varint(kind) + field(2, metric.encode())
    return field(3, body + field(4, help_text.encode()) + field(5, unit.encode()))


def request2(all_series):
    """A message of remote write 2.0: series as write() takes them, the symbols in front."""
    symbols = {"": 0}
    out = b""
    for labels, samples in all_series:
        references = b"".join(
            varint(symbols.setdefault(text, len(symbols))) for name in sorted(labels) for text in (name, labels[name]))
        out += field(5, field(1, references) + b"".join(sample(time_ms, value) for time_ms, value in samples))
    return b"".join(field(4, text.encode()) for text in symbols) + out


def snappy(plain):
    """The block format with nothing but literals."""
    out = bytearray(varint(len(plain)))
    for begin in range(0, len(plain), 65536):
        piece = plain[begin:begin + 65536]
        out += b"\xf4" + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


def post(address, body, path="/api/v1/write", headers=None, connection=None):
    """Sends a body as it is; (status, text, headers)."""
    wanted = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
              "X-Prometheus-Remote-Write-Version": "0.1.0"}
    wanted.update(headers or {})
    own = connection or http.client.HTTPConnection(address, timeout=60)
    try:
        own.request("POST", path, body, wanted)
        answer = own.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())
    finally:
        if connection is None:
            own.close()


def write2(address, all_series):
    """Writes series as remote write 2.0; (status, text, headers)."""
    kind = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
    return post(address, snappy(request2(all_series)),
                headers={"Content-Type": kind, "X-Prometheus-Remote-Write-Version": "2.0.0"})


def write(address, all_series, path="/api/v1/write", connection=None):
    """Writes series; (status, text, headers)."""
    message = b"".join(series(labels, samples) for labels, samples in all_series)
    return post(address, snappy(message), path, connection=connection)
