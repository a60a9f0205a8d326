#!/usr/bin/env python3
"""OTLP metrics as SDKs and the collector send them to a running server: protobuf and JSON, gzip, and what
PromQL finds afterwards. The protobuf message is made by hand, independent of the C decoder; field numbers
from opentelemetry/proto/metrics/v1/metrics.proto."""

import gzip
import json
import os
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import start  # noqa: E402
from remote_write import field, varint  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

NOW = int(time.time())
PATH = "/api/v1/otlp/v1/metrics"
PROTOBUF = "application/x-protobuf"


def fixed(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def double(number, value):
    return varint(number << 3 | 1) + struct.pack("<d", value)


def integer(number, value):
    return varint(number << 3) + varint(value)


def attribute(number, key, text):
    return field(number, field(1, key.encode()) + field(2, field(1, text.encode())))


def message(*metrics):
    resource = attribute(1, "service.name", "shop") + attribute(1, "service.namespace", "eu") + \
        attribute(1, "service.instance.id", "i1") + attribute(1, "host.name", "h")
    scope = field(1, field(1, b"lib")) + b"".join(field(2, metric) for metric in metrics)
    return field(1, field(1, resource) + field(2, scope))


def metric(name, unit, kind, data):
    return field(1, name.encode()) + field(3, unit.encode()) + field(kind, data)


def histogram(seconds):
    point = fixed(3, seconds * 10**9) + fixed(4, 10) + double(5, 33.5) + \
        field(6, struct.pack("<3Q", 1, 2, 7)) + field(7, struct.pack("<2d", 0.5, 10)) + attribute(9, "http.route", "/a")
    return metric("http.duration", "s", 9, field(1, point) + integer(2, 2))


def exponential(seconds):
    """Two observations in (1,2], one in (2,4]."""
    point = fixed(3, seconds * 10**9) + fixed(4, 3) + double(5, 6.0) + \
        field(8, integer(1, 0) + field(2, b"\x02\x01"))
    return metric("sizes", "By", 10, field(1, point) + integer(2, 2))


def counter(seconds, value, temporality):
    point = fixed(3, seconds * 10**9) + fixed(6, value)
    return metric("jobs.done", "{job}", 7, field(1, point) + integer(2, temporality) + integer(3, 1))


class Otlp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def send(self, body, kind=PROTOBUF, encoding=None):
        headers = {"Content-Type": kind}
        if encoding:
            headers["Content-Encoding"] = encoding
        return self.server.request("POST", PATH, body, headers)

    def one(self, query):
        """The number of the one series a query gives."""
        result = self.server.query(query, NOW)
        self.assertEqual(len(result), 1, f"{query}: {result}")
        return float(result[0]["value"][1])

    def test_histograms(self):
        body = message(histogram(NOW - 5), exponential(NOW - 5))
        for encoding, payload in ((None, body), ("gzip", gzip.compress(body))):
            status, answer, headers = self.send(payload, encoding=encoding)
            self.assertEqual((status, answer), (200, b""))
            self.assertEqual(headers["content-type"], PROTOBUF)
        labels = '{http_route="/a",instance="i1",job="eu/shop"'
        self.assertEqual(self.one(f'http_duration_seconds_bucket{labels},le="10"}}'), 3)
        self.assertEqual(self.one(f'http_duration_seconds_bucket{labels},le="+Inf"}}'), 10)
        self.assertEqual(self.one(f"http_duration_seconds_sum{labels}}}"), 33.5)
        self.assertEqual(self.one("histogram_count(sizes_bytes)"), 3)
        self.assertEqual(self.one("histogram_fraction(1, 2, sizes_bytes)"), 2 / 3)
        self.assertEqual(self.one('target_info{host_name="h",job="eu/shop",instance="i1"}'), 1)
        data = json.loads(self.server.get("/api/v1/metadata?metric=http_duration_seconds")[1])["data"]
        self.assertEqual(data["http_duration_seconds"][0]["type"], "histogram")

    def test_deltas(self):
        for age, value in ((30, 5), (20, 3), (10, 2)):
            self.assertEqual(self.send(message(counter(NOW - age, value, 1)))[0], 200)
        self.assertEqual(self.one("jobs_done_total"), 10)
        # It came again: nothing is counted twice, and the sender is told.
        status, answer, _ = self.send(message(counter(NOW - 10, 2, 1)))
        self.assertEqual(status, 200)
        self.assertTrue(answer.startswith(b"\x0a") and b"not newer" in answer, answer)
        self.assertEqual(self.one("jobs_done_total"), 10)

    def test_json(self):
        body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
            {"name": "room.temp", "unit": "Cel", "gauge": {"dataPoints": [
                {"timeUnixNano": str((NOW - 1) * 10**9), "asDouble": 21.5}]}}]}]}]})
        status, answer, headers = self.send(body, "application/json")
        self.assertEqual((status, answer), (200, b"{}"))
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(self.one("room_temp_celsius"), 21.5)

    def test_refusals(self):
        status, answer, _ = self.send(b"\x0a\x7f")
        self.assertEqual(status, 400)
        self.assertTrue(answer.startswith(b"\x08\x03\x12"), answer)
        self.assertEqual(self.send(b"", "text/plain")[0], 415)
        # A bomb: 70 MB of zeros in a few kilobytes.
        self.assertEqual(self.send(gzip.compress(bytes(70 << 20)), encoding="gzip")[0], 413)


class Strategy(unittest.TestCase):
    def test_names_as_they_are(self):
        with Server() as server:
            path = os.path.join(server.folder, "config.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write("otlp: {translation_strategy: NoTranslation, promote_resource_attributes: ['host.name']}\n")
            server.stop()
            server.command += ["--config", path]
            server.start()
            status, _, _ = server.request("POST", PATH, message(counter(NOW, 4, 2)), {"Content-Type": PROTOBUF})
            self.assertEqual(status, 200)
            result = server.query('{"jobs.done"}', NOW)
            self.assertEqual(result[0]["metric"], {
                "__name__": "jobs.done", "host.name": "h", "instance": "i1", "job": "eu/shop"})


if __name__ == "__main__":
    start(run_cases)
