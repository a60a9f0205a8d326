#!/usr/bin/env python3
"""Remote read and federation: what a real Prometheus configured with remote_read answers out of a running
server, the stream of chunks decoded by hand (Prometheus' tsdb/docs/format/chunks.md), and a page that the
real Prometheus scrapes."""

import math
import os
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import Program, find_peer, free_port, scratch, start, wait_until, write_file  # noqa: E402
from remote_write import field, varint  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

NOW = int(time.time())
STEP = 15
SAMPLES = 409  # more than three chunks; the last but one is the sixth of a cycle of six
START = NOW - STEP * (SAMPLES - 1)
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def load():
    """Counters, a gauge of odd values, and one that ends with a stale marker."""
    times = [(START + STEP * i) * 1000 + 123 for i in range(SAMPLES - 1)]
    odd = [0.1, -1e300, math.inf, 0.0, 7.25, math.nan]  # the last one is a NaN
    return [
        ({"__name__": "requests_total", "job": "api", "code": "200"}, [(t, 30.0 * i) for i, t in enumerate(times)]),
        ({"__name__": "requests_total", "job": "api", "code": "500"}, [(t, 3.0 * (i % 90)) for i, t in enumerate(times)]),
        ({"__name__": "odd", "job": "room"}, [(t, odd[i % len(odd)]) for i, t in enumerate(times)]),
        ({"__name__": "ended", "job": "room"}, [(t, 1.0) for t in times[:-2]] + [(times[-2], STALE)]),
    ]


# ---- Remote read by hand -------------------------------------------------------------------------


def read_request(start_ms, end_ms, matchers, types=b""):
    query = b"\x08" + varint(start_ms) + b"\x10" + varint(end_ms) + b"".join(
        field(3, b"\x08" + varint(kind) + field(2, name.encode()) + field(3, value.encode()))
        for kind, name, value in matchers)
    return remote_write.snappy(field(1, query) + types)


def take_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """[(number, value)] of a message: integers, or bytes."""
    at, out = 0, []
    while at < len(data):
        key, at = take_varint(data, at)
        if key & 7 == 0:
            value, at = take_varint(data, at)
        elif key & 7 == 1:
            value, at = data[at:at + 8], at + 8
        else:
            size, at = take_varint(data, at)
            value, at = data[at:at + size], at + size
        out.append((key >> 3, value))
    return out


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Bits:
    def __init__(self, data):
        self.text = "".join(f"{byte:08b}" for byte in data)
        self.at = 0

    def take(self, count):
        self.at += count
        return int(self.text[self.at - count:self.at] or "0", 2)

    def varint(self, signed):
        value = shift = 0
        while True:
            byte = self.take(8)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1 ^ -(value & 1)) if signed else value


def xor_chunk(data):
    """[(time, bits of the value)]"""
    count = struct.unpack(">H", data[:2])[0]
    bits = Bits(data[2:])
    samples, delta, leading, trailing = [], 0, 0, 0
    for i in range(count):
        if i == 0:
            t, value = bits.varint(True), bits.take(64)
        else:
            if i == 1:
                delta = bits.varint(False)
            else:
                size = 0
                for width in (14, 17, 20, 64):
                    if not bits.take(1):
                        break
                    size = width
                change = bits.take(size) if size else 0
                if size and change > 1 << size - 1:
                    change -= 1 << size
                delta += change
            t += delta
            if bits.take(1):
                if bits.take(1):
                    leading, length = bits.take(5), bits.take(6) or 64
                    trailing = 64 - leading - length
                value ^= bits.take(64 - leading - trailing) << trailing
        samples.append((t, value))
    return samples


def labels_of(series):
    return {dict(fields(v))[1].decode(): dict(fields(v))[2].decode() for n, v in series if n == 1}


class RemoteRead(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.__enter__()
        for begin in range(0, SAMPLES, 100):
            part = [(labels, samples[begin:begin + 100]) for labels, samples in load()]
            status, text, _ = remote_write.write(cls.server.address, part)
            assert status == 204, text

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def test_stream(self):
        """Every sample, bit for bit, in frames whose checksums hold."""
        body = read_request(0, NOW * 1000, [(2, "__name__", "requests_total|odd|ended")], b"\x12\x01\x01")
        status, data, headers = self.server.request("POST", "/api/v1/read", body)
        self.assertEqual(status, 200, data)
        self.assertEqual(headers["content-type"],
                         "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse")
        got, at = {}, 0
        while at < len(data):
            size, at = take_varint(data, at)
            crc, frame = struct.unpack(">I", data[at:at + 4])[0], data[at + 4:at + 4 + size]
            at += 4 + size
            self.assertEqual(crc32c(frame), crc)
            message = fields(frame)
            self.assertEqual(dict(message)[2], 0)
            series = fields(dict(message)[1])
            samples = got.setdefault(tuple(sorted(labels_of(series).items())), [])
            for number, value in series:
                if number == 2:
                    chunk = dict(fields(value))
                    self.assertEqual(chunk[3], 1)
                    decoded = xor_chunk(chunk[4])
                    self.assertEqual((decoded[0][0], decoded[-1][0]), (chunk[1], chunk[2]))
                    samples.extend(decoded)
        wanted = {tuple(sorted(labels.items())): [(t, struct.unpack("<Q", struct.pack("<d", v))[0]) for t, v in samples]
                  for labels, samples in load()}
        self.assertEqual(got, wanted)

    def test_refusals(self):
        for body, sentence in (
                (b"\xff", "snappy"),
                (remote_write.snappy(b"\x0a\x7f"), "malformed"),
                (read_request(0, 1, [(2, "a", "(")]), "missing"),
                (read_request(0, 1, [(9, "a", "b")]), "unknown type 9"),
                (read_request(2, 1, [(0, "a", "b")]), "ends before it starts")):
            status, data, _ = self.server.request("POST", "/api/v1/read", body)
            self.assertEqual(status, 400, data)
            self.assertIn(sentence, data.decode())

    def test_federate(self):
        status, page, headers = self.server.get("/federate?match[]=requests_total&match[]={job=~%22.%2B%22}")
        self.assertEqual(status, 200)
        self.assertTrue(headers["content-type"].startswith("text/plain; version=0.0.4"))
        t = (START + STEP * (SAMPLES - 2)) * 1000 + 123
        self.assertEqual(page.splitlines(), [
            "# TYPE odd untyped", f'odd{{job="room",instance=""}} NaN {t}',
            "# TYPE requests_total untyped",
            f'requests_total{{code="200",job="api",instance=""}} {30 * (SAMPLES - 2):g} {t}',
            f'requests_total{{code="500",job="api",instance=""}} {3 * ((SAMPLES - 2) % 90):g} {t}'])


class BesidePrometheus(unittest.TestCase):
    """Prometheus with an empty store of its own, reading ours; and scraping our page."""

    QUERIES = ["requests_total", "rate(requests_total[5m])", "sum by (job) (increase(requests_total[30m]))", "odd",
               "ended", "sum by (job) (count_over_time({__name__=~'odd|requests.*'}[1h]))", "requests_total{code!='200'}", "nothing",
               "max_over_time(requests_total[10m:1m])", "last_over_time(ended[1h])"]

    def prometheus(self, folder, address):
        port = free_port()
        config = write_file(os.path.join(folder, "prometheus.yaml"), f"""\
remote_read:
  - url: http://{address}/api/v1/read
    read_recent: true
scrape_configs:
  - job_name: federate
    scrape_interval: 1s
    honor_labels: true
    metrics_path: /federate
    params: {{'match[]': ['requests_total']}}
    static_configs: [{{targets: ['{address}']}}]
    metric_relabel_configs: [{{source_labels: [__name__], target_label: __name__, replacement: federated_$1}}]
""")
        command = [find_peer("prometheus"), f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}",
                   f"--storage.tsdb.path={os.path.join(folder, 'prometheus')}", "--log.level=warn"]
        return Program("prometheus", command, port, os.path.join(folder, "prometheus.log"), ours=False)

    def test_same_answers(self):
        with scratch() as folder, Server() as server:
            for begin in range(0, SAMPLES, 100):
                part = [(labels, samples[begin:begin + 100]) for labels, samples in load()]
                self.assertEqual(remote_write.write(server.address, part)[0], 204)
            with self.prometheus(folder, server.address) as peer:
                for query in self.QUERIES:
                    for at in (NOW - 3000.5, NOW - 7.5):
                        self.assertEqual(self.result(peer, query, at), self.result(server, query, at), (query, at))
                value = wait_until(
                    lambda: peer.query('federated_requests_total{code="200"}'), 20, "the page is scraped")
                self.assertEqual(value[0]["value"][1], str(30 * (SAMPLES - 2)))
                self.assertNotIn("instance", value[0]["metric"])

    def result(self, program, query, at):
        """Labels to the value's text, cut to what both print alike."""
        answer = Program.query(program, query, time=at)
        return {tuple(sorted(one["metric"].items())): f"{float(one['value'][1]):.12g}" for one in answer}


if __name__ == "__main__":
    start(run_cases)
