#!/usr/bin/env python3
"""Traces as SDKs send them, and as Grafana's data sources for Jaeger and Tempo ask for them. Messages in protobuf
are made by hand, independent of the C decoder; field numbers from opentelemetry/proto/trace/v1/trace.proto."""

import gzip
import json
import os
import struct
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import start  # noqa: E402
from remote_write import field, varint  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

NOW = int(time.time())
PROTOBUF = "application/x-protobuf"
JAEGER_404 = {"data": None, "total": 0, "limit": 0, "offset": 0, "errors": [{"code": 404, "msg": "trace not found"}]}


def fixed(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def text_attribute(number, key, text):
    return field(number, field(1, key.encode()) + field(2, field(1, text.encode())))


def integer_attribute(number, key, value):
    return field(number, field(1, key.encode()) + field(2, varint(3 << 3) + varint(value)))


def span(trace, identity, name, age, ms, parent=0, extra=b""):
    """A server's span that began `age` seconds ago."""
    begun = (NOW - age) * 10**9
    ids = field(1, trace.to_bytes(16, "big")) + field(2, identity.to_bytes(8, "big"))
    if parent:
        ids += field(4, parent.to_bytes(8, "big"))
    return ids + field(5, name.encode()) + varint(6 << 3) + varint(2) + fixed(7, begun) + \
        fixed(8, begun + ms * 10**6) + extra


def message(service, *spans):
    resource = text_attribute(1, "service.name", service) if service else b""
    return field(1, field(1, resource) + field(2, b"".join(field(2, s) for s in spans)))


def fields(data):
    """The fields of a message of varints, 64 bits and bytes: [(number, value)]."""
    found, at = [], 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key = number()
        if key & 7 == 0:
            found.append((key >> 3, number()))
            continue
        size = {1: 8, 5: 4}.get(key & 7) or number()
        found.append((key >> 3, data[at:at + size]))
        at += size
    return found


class Traces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.__enter__()
        status, body, _ = cls.server.get("/api/services")
        assert (status, json.loads(body)["data"]) == (200, []), body  # jg-services-empty
        error = field(15, varint(3 << 3) + varint(2))
        for body in (
                message("web", span(0x1, 1, "GET /", 50, 200, extra=integer_attribute(9, "http.status_code", 200)),
                        span(0x2, 2, "GET /", 40, 50, extra=integer_attribute(9, "http.status_code", 500) + error),
                        span(0x3, 3, "POST /", 30, 300)),
                message("team1/app2", span(0x1, 4, "query", 49, 20, parent=1), span(0xabc << 64, 5, "job", 20, 100)),
                message("", span(0x5, 6, "lost", 10, 1))):
            assert cls.send(body)[0] == 200

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    @classmethod
    def send(cls, body, kind=PROTOBUF, path="/v1/traces", **headers):
        return cls.server.request("POST", path, body, {"Content-Type": kind, **headers})

    def data(self, target):
        status, body, headers = self.server.get(target)
        self.assertEqual(status, 200, body)
        self.assertEqual(headers["content-type"], "application/json")
        answer = json.loads(body)
        self.assertIsNone(answer["errors"])
        return answer["data"]

    def search(self, **params):
        """Trace ids as numbers, in order."""
        params.setdefault("start", (NOW - 3600) * 10**6)
        params.setdefault("end", (NOW + 60) * 10**6)
        found = self.data("/api/traces?" + urllib.parse.urlencode(params))
        self.assertTrue(all(trace["spans"] for trace in found))
        return [int(trace["traceID"], 16) for trace in found]

    def test_services_and_operations(self):
        self.assertEqual(self.data("/api/services"), ["team1/app2", "unknown_service", "web"])
        for prefix in ("", "/jaeger"):  # jg-slash
            self.assertEqual(self.data(prefix + "/api/services/team1%2Fapp2/operations"), ["job", "query"])
        self.assertEqual(self.data("/api/operations?service=web"),
                         [{"name": "GET /", "spanKind": "server"}, {"name": "POST /", "spanKind": "server"}])

    def test_search(self):
        job = 0xabc << 64
        for expected, params in (
                ([5, job, 3, 2, 1], {}),
                ([3, 2, 1], {"service": "web"}),
                ([3, 1], {"service": "web", "minDuration": "100ms"}),  # jg-search-us
                ([2], {"service": "web", "maxDuration": "0.1s"}),
                ([2], {"start": (NOW - 45) * 10**6, "end": (NOW - 35) * 10**6}),
                ([5, job], {"limit": 2}),
                ([2, 1], {"operation": "GET /"}),
                ([1], {"tags": '{"http.status_code":"200"}'}),
                ([2], {"tags": '{"error":"true"}'}),
                ([2], {"tag": "http.status_code:500"}),
                ([], {"tags": '{"http.status_code":"200","error":"true"}'}),
                ([], {"service": "nobody"})):
            self.assertEqual(self.search(**params), expected, params)
        ids = self.data(f"/api/traces?traceID=1&traceID={'0' * 31}2&traceID=99")
        self.assertEqual([trace["traceID"][-1] for trace in ids], ["1", "2"])
        for query in ("minDuration=100", "limit=x", "tags=5", "start=yesterday", "traceID=xyz"):
            status, body, _ = self.server.get("/api/traces?" + query)
            self.assertEqual((status, json.loads(body)["errors"][0]["code"]), (400, 400), query)

    def test_jaeger_trace(self):
        for target in ("/api/traces/1", "/jaeger/api/traces/" + "0" * 31 + "1"):  # jg-id-short
            trace, = self.data(target)
            self.assertEqual([s["operationName"] for s in trace["spans"]], ["GET /", "query"])
            root, child = trace["spans"]
            self.assertEqual((root["startTime"], root["duration"]), ((NOW - 50) * 10**6, 200000))
            self.assertEqual(child["references"], [
                {"refType": "CHILD_OF", "traceID": "0" * 31 + "1", "spanID": "0" * 15 + "1"}])
            self.assertEqual(trace["processes"][child["processID"]]["serviceName"], "team1/app2")
            self.assertIn({"key": "http.status_code", "type": "int64", "value": 200}, root["tags"])
            self.assertIn({"key": "span.kind", "type": "string", "value": "server"}, root["tags"])
        status, body, _ = self.server.get("/api/traces/77")  # jg-id-404
        self.assertEqual((status, json.loads(body)), (404, JAEGER_404))

    def test_tempo(self):
        accept = {"Accept": "application/protobuf"}
        for prefix in ("", "/tempo"):
            self.assertEqual(self.server.get(prefix + "/api/echo")[:2], (200, "echo"))  # tp-echo
            for path in ("/api/v2/traces/", "/api/traces/"):  # tp-id-404
                self.assertEqual(self.server.request("GET", prefix + path + "77", None, accept)[0], 404)
            bare = self.server.request("GET", prefix + "/api/traces/5", None, accept)
            whole = self.server.request("GET", prefix + "/api/v2/traces/5", None, accept)
            self.assertEqual((bare[0], bare[2]["content-type"]), (200, "application/protobuf"))
            self.assertEqual(fields(whole[1]), [(1, bare[1])])
            groups = dict(fields(bare[1]))
            self.assertEqual(list(dict(fields(groups[1]))), [1, 2])
            resource, scope = dict(fields(groups[1]))[1], dict(fields(groups[1]))[2]
            self.assertIn(b"unknown_service", resource)
            self.assertEqual([number for number, _ in fields(scope)], [1, 2])  # scope is there, if empty
            self.assertIn(15, dict(fields(dict(fields(scope))[2])))  # and status
        status, body, headers = self.server.get("/api/v2/traces/3")
        self.assertEqual((status, headers["content-type"]), (200, "application/json"))
        found = json.loads(body)["trace"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
        self.assertEqual((found["traceId"], found["name"]), ("0" * 31 + "3", "POST /"))

    def test_otlp(self):
        old = NOW - 7200
        as_json = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [
            {"traceId": "F" * 32, "spanId": "E" * 16, "name": "x", "startTimeUnixNano": str(old * 10**9),
             "endTimeUnixNano": str(old * 10**9 + 5)}, {"traceId": "", "spanId": "01", "name": "y"}]}]}]})
        for path in ("/v1/traces", "/api/v1/otlp/v1/traces"):
            status, body, headers = self.send(as_json, "application/json", path)  # otlp-ct
            self.assertEqual((status, headers["content-type"]), (200, "application/json"))
            self.assertEqual(json.loads(body)["partialSuccess"]["rejectedSpans"], "1")
        self.assertEqual(len(self.data("/api/traces/" + "f" * 32)[0]["spans"]), 1)
        packed = gzip.compress(message("", span(0x9, 9, "z", 7200, 1)))
        status, body, headers = self.send(packed, **{"Content-Encoding": "gzip"})
        self.assertEqual((status, body, headers["content-type"]), (200, b"", PROTOBUF))
        self.assertEqual(self.send(b"")[:2], (200, b""))
        self.assertEqual(self.send("{}", "application/json")[:2], (200, b"{}"))

    def test_refusals(self):
        status, body, headers = self.send(b"\x0a\x7f")
        self.assertEqual((status, headers["content-type"]), (400, PROTOBUF))
        self.assertEqual(fields(body)[0], (1, 3))
        status, body, _ = self.send("{", "application/json")
        self.assertEqual((status, json.loads(body)["code"]), (400, 3))
        self.assertEqual(self.send(b"", "text/plain")[0], 415)
        self.assertEqual(self.send(b"", **{"Content-Encoding": "br"})[0], 415)
        self.assertEqual(self.send(gzip.compress(bytes(65 << 20)), **{"Content-Encoding": "gzip"})[0], 413)

    def test_metrics(self):
        self.assertRegex(self.server.get("/metrics")[1], r"\nsonde_spans_appended_total [1-9]")


class Restart(unittest.TestCase):
    def test_spans_survive_a_kill(self):
        with Server() as server:
            body = message("web", span(0x1, 1, "a", 5, 1))
            status, _, _ = server.request("POST", "/v1/traces?ack=durable", body, {"Content-Type": PROTOBUF})
            self.assertEqual(status, 200)
            server.kill()
            server.start()
            self.assertEqual(server.get("/api/traces/1")[0], 200)


if __name__ == "__main__":
    start(run_cases)
