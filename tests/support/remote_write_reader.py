"""Remote write 1.0 read by hand: snappy's block format and the protobuf messages.

    for labels, samples in series(body): ...          labels are a dict, samples are (time in ms, value)

Independent of the C decoder on purpose, as remote_write.py is of the encoder."""
import struct


def uvarint(data, at):
    shift = value = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def unsnappy(data):
    """google/snappy, format_description.txt."""
    size, at = uvarint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        kind = tag & 3
        if kind == 0:
            length = tag >> 2
            if length >= 60:
                extra = length - 59
                length = int.from_bytes(data[at:at + extra], "little")
                at += extra
            length += 1
            out += data[at:at + length]
            at += length
            continue
        if kind == 1:
            length, offset = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at]
            at += 1
        else:
            extra = 2 if kind == 2 else 4
            length, offset = (tag >> 2) + 1, int.from_bytes(data[at:at + extra], "little")
            at += extra
        start = len(out) - offset
        assert offset > 0 and start >= 0, "a copy from before the beginning"
        if offset >= length:
            out += out[start:start + length]
        else:
            for i in range(length):
                out.append(out[start + i])
    assert len(out) == size, f"{len(out)} bytes, {size} announced"
    return bytes(out)


def fields(data):
    """(number, value): bytes of what has a length, integers of varints, 8 bytes of fixed64."""
    at = 0
    while at < len(data):
        key, at = uvarint(data, at)
        if key & 7 == 2:
            size, at = uvarint(data, at)
            yield key >> 3, data[at:at + size]
            at += size
        elif key & 7 == 0:
            value, at = uvarint(data, at)
            yield key >> 3, value
        else:
            assert key & 7 == 1, f"wire type {key & 7}"
            yield key >> 3, data[at:at + 8]
            at += 8


def read_series(data):
    labels, samples = {}, []
    for number, value in fields(data):
        if number == 1:
            pair = dict(fields(value))
            labels[pair[1].decode()] = pair[2].decode()
        elif number == 2:
            sample = dict(fields(value))
            samples.append((sample[2], struct.unpack("<d", sample[1])[0]))
    return labels, samples


def series(body, containing=b""):
    """Series of a request; only those whose bytes have `containing` in them."""
    for number, value in fields(unsnappy(body)):
        if number == 1 and containing in value:
            yield read_series(value)
