"""Whole requests of remote write 1.0 and 2.0 read by hand, with all that a specification has rules for.

    request = read_request(body, version)     version 1 or 2
    for series in request.series: ...          labels are pairs in the order sent, samples (ms, value), histograms
                                               and exemplars as dictionaries of fields, metadata (type, help, unit)

https://prometheus.io/docs/specs/prw/remote_write_spec/ and …_2_0/."""
import struct

from remote_write_reader import fields, unsnappy, uvarint


class Series:
    def __init__(self):
        self.labels, self.samples, self.histograms, self.exemplars = [], [], [], []
        self.metadata = None

    def map(self):
        return dict(self.labels)

    def name(self):
        return self.map().get("__name__")


class Request:
    def __init__(self):
        self.series = []
        self.metadata = {}  # of 1.0: family -> (type, help, unit)
        self.symbols = None  # of 2.0


def repeated(data, number):
    return [value for key, value in fields(data) if key == number]


def signed64(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def number_of(eight_bytes):
    return struct.unpack("<d", eight_bytes)[0]


def varints(data):
    at, out = 0, []
    while at < len(data):
        value, at = uvarint(data, at)
        out.append(value)
    return out


def read_sample(data, value_field=1, time_field=2):
    """A value of 0 and a time of 0 are not written."""
    sample = dict(fields(data))
    return signed64(sample.get(time_field, 0)), number_of(sample.get(value_field, bytes(8)))


def read_series1(data):
    series = Series()
    for number, value in fields(data):
        if number == 1:
            pair = dict(fields(value))
            series.labels.append((pair.get(1, b"").decode(), pair.get(2, b"").decode()))
        elif number == 2:
            series.samples.append(read_sample(value))
        elif number == 3:
            labels = {k[1].decode(): k.get(2, b"").decode() for k in map(dict, map(fields, repeated(value, 1)))}
            time_ms, number_value = read_sample(value, 2, 3)
            series.exemplars.append({"labels": labels, "value": number_value, "time_ms": time_ms})
        elif number == 4:
            series.histograms.append(dict(fields(value)))
        else:
            raise AssertionError(f"field {number} of a series")
    return series


def pairs_of(references, symbols):
    assert len(references) % 2 == 0, f"{len(references)} references are no pairs"
    texts = [symbols[reference] for reference in references]  # IndexError: behind the table
    return list(zip(texts[::2], texts[1::2]))


def read_series2(data, symbols):
    series = Series()
    for number, value in fields(data):
        if number == 1:
            series.labels += pairs_of(varints(value), symbols)
        elif number == 2:
            series.samples.append(read_sample(value))
        elif number == 3:
            series.histograms.append(dict(fields(value)))
        elif number == 4:
            labels = dict(pairs_of([r for run in repeated(value, 1) for r in varints(run)], symbols))
            time_ms, number_value = read_sample(value, 2, 3)
            series.exemplars.append({"labels": labels, "value": number_value, "time_ms": time_ms})
        elif number == 5:
            kept = dict(fields(value))
            series.metadata = (kept.get(1, 0), symbols[kept.get(3, 0)], symbols[kept.get(4, 0)])
        else:
            raise AssertionError(f"field {number} of a series")
    return series


def read_request(body, version):
    request, data = Request(), unsnappy(body)
    if version == 2:
        request.symbols = [text.decode() for text in repeated(data, 4)]
    for number, value in fields(data):
        if version == 1 and number == 1:
            request.series.append(read_series1(value))
        elif version == 1 and number == 3:
            kept = dict(fields(value))
            request.metadata[kept[2].decode()] = (
                kept.get(1, 0), kept.get(4, b"").decode(), kept.get(5, b"").decode())
        elif version == 2 and number == 5:
            request.series.append(read_series2(value, request.symbols))
        else:
            assert version == 2 and number == 4, f"field {number} of a request of {version}.0"
    return request
