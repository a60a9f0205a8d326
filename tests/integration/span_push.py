#!/usr/bin/env python3
"""Spans of Zipkin and Jaeger as their clients send them, to server and agent: what becomes of them, and the status of
each fault. The clients are OpenTelemetry's own exporters for Zipkin and Jaeger; what they do not send is made by
hand."""

import gzip
import json
import os
import socket
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from jaeger_thrift import Batch, Span  # noqa: E402
from otel_sdk import Sdk as Shapes  # noqa: E402
from programs import agent, free_port, send, start, wait_until  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

ZIPKIN, JAEGER = "/api/v2/spans", "/api/traces"
JSON, THRIFT = {"Content-Type": "application/json"}, {"Content-Type": "application/x-thrift"}
NOW_US = int(time.time() * 10**6)


class Push(Shapes):
    """Server and agent of otel_sdk.py, with its questions."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="sonde-test-")
        cls.http, cls.compact, cls.binary = (f"127.0.0.1:{free_port()}" for _ in range(3))
        cls.server = Server("--otlp-grpc-listen", "").__enter__()
        cls.agent = agent(cls.folder.name, servers=[f"http://{cls.server.address}"], config=f"""\
receive:
  jaeger: {{compact_listen: "{cls.compact}", binary_listen: "{cls.binary}"}}
""", flags=["--otlp-listen", cls.http, "--otlp-grpc-listen", ""]).__enter__()
        cls.doors = [f"http://{cls.server.address}", f"http://{cls.http}"]
        cls.last = 0x7000

    @classmethod
    def next(cls):
        cls.last += 1
        return cls.last

    def post(self, door, path, body, headers):
        answer = send(door + path, body, headers, method="POST")
        return answer.status, answer.text

    def figure(self, name):
        text = send(self.agent.url + "/metrics").text
        return float(next(line for line in text.splitlines() if line.startswith(name + " ")).split()[-1])

    def zipkin(self, trace, **members):
        return [{"traceId": f"{trace:x}", "id": "1", "name": "get", "timestamp": NOW_US, "duration": 1000,
                 "kind": "SERVER", "localEndpoint": {"serviceName": "web"}, **members}]

    # --- by hand ---

    def test_zipkin_json(self):
        for door in self.doors:
            for pack in (False, True):
                trace = self.next()
                body = json.dumps(self.zipkin(trace, tags={"error": "timed out", "a": "1"})).encode()
                headers = {**JSON, "Content-Encoding": "gzip"} if pack else JSON
                self.assertEqual(self.post(door, ZIPKIN, gzip.compress(body) if pack else body, headers), (202, ""))
                span = self.spans(f"{trace:x}", 1)[0]
                self.assertEqual((span.service, span.name, span.tags["span.kind"], span.tags["a"]),
                                 ("web", "get", "server", "1"))
                self.assertIn(span.tags["error"], (True, "true"))

    def test_jaeger_http(self):
        for door in self.doors:
            trace = self.next() << 64 | 5
            batch = Batch("shop", [Span(trace, 1, "root", start_us=NOW_US, duration_us=50),
                                   Span(trace, 2, "child", 1, NOW_US, 10, tags={"n": -5, "x": 1.5, "span.kind": "client"})])
            self.assertEqual(self.post(door, JAEGER, batch.binary(), THRIFT), (202, ""))
            spans = {s.name: s for s in self.spans(f"{trace:032x}", 2)}
            self.assertEqual((spans["child"].parent, spans["child"].tags["n"], spans["child"].tags["x"]),
                             (spans["root"].id, -5, 1.5))

    def test_jaeger_udp(self):
        for compact, address in ((True, self.compact), (False, self.binary)):
            trace = self.next()
            batch = Batch("udp", [Span(trace, 1, "sent", start_us=NOW_US, tags={"good": True})])
            host, port = address.split(":")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(batch.datagram(compact), (host, int(port)))
            self.assertEqual([x.service for x in self.spans(f"{trace:x}", 1)], ["udp"])

    def test_bad_datagrams_are_counted(self):
        name = 'agent_receive_refused_invalid_total{source="jaeger"}'
        before = self.figure(name)
        host, port = self.compact.split(":")
        good = Batch("udp", [Span(self.next(), 1)]).datagram(True)
        bad = [b"", b"x", good[:-3], good[:20], b"\x82\x81\x01\x0femitZipkinBatch\0", os.urandom(500)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for datagram in bad:
                s.sendto(datagram, (host, int(port)))
        wait_until(lambda: self.figure(name) == before + len(bad), 30, f"{len(bad)} refused datagrams")

    def test_faults(self):
        batch = Batch("shop", [Span(1, 1)]).binary()
        cases = [
            (ZIPKIN, b"[", JSON, 400),
            (ZIPKIN, b"{}", JSON, 400),
            (ZIPKIN, b'[{"traceId":"0","id":"1"}]', JSON, 400),
            (ZIPKIN, b"\x0a\x05", {"Content-Type": "application/x-protobuf"}, 400),
            (ZIPKIN, b"[]", {"Content-Type": "application/x-thrift"}, 415),
            (ZIPKIN, b"[]", {**JSON, "Content-Encoding": "br"}, 415),
            (ZIPKIN, b"[]", {**JSON, "Content-Encoding": "gzip"}, 400),
            (ZIPKIN, b"[]", JSON, 202),
            (JAEGER, batch[:-3], THRIFT, 400),
            (JAEGER, b"", THRIFT, 400),
            (JAEGER, batch, JSON, 415),
            (JAEGER, batch, {"Content-Type": "application/vnd.apache.thrift.binary"}, 202),
        ]
        for door in self.doors:
            for path, body, headers, status in cases:
                got, text = self.post(door, path, body, headers)
                self.assertEqual(got, status, (door, path, body, headers, text))
                self.assertTrue(status == 202 or text.strip(), (door, path, body))

    def test_refused_spans(self):
        """Jaeger's ids may be zero: those spans are named, the others taken."""
        for door in self.doors:
            trace = self.next()
            batch = Batch("shop", [Span(0, 1), Span(trace, 0), Span(trace, 3, "good", start_us=NOW_US)])
            status, text = self.post(door, JAEGER, batch.binary(), THRIFT)
            self.assertEqual(status, 202)
            self.assertIn("2 spans were refused", text)
            self.assertEqual([s.name for s in self.spans(f"{trace:x}", 1)], ["good"])

    # --- real exporters ---

    def test_zipkin_exporter(self):
        for door in self.doors:
            self.visit("zipkin", door + ZIPKIN)

    def test_jaeger_exporter_http(self):
        for door in self.doors:
            self.visit("jaeger", door + JAEGER)

    def test_jaeger_exporter_udp(self):
        self.visit("jaeger", "udp:" + self.binary)


# What it inherits beyond the questions is tested in otel_sdk.py.
for inherited in [name for name in dir(Shapes) if name.startswith("test_")]:
    setattr(Push, inherited, None)
del Shapes

if __name__ == "__main__":
    start(run_cases)
