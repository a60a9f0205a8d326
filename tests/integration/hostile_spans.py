#!/usr/bin/env python3
"""Spans meant to do harm, at each door of server and agent: cut, changed, too large, lying about their ids, their
parents and their times. Each is refused or bounded by a named limit, and counted; whoever sends good spans beside
them finds all of them.

Sizes are those of the acceptance list: bodies of 65 MiB, 10 000 attributes, a trace of a million spans, a million
names, services, keys and values. With --short a twentieth of those."""

import gzip
import http.client
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from jaeger_thrift import Batch, Span  # noqa: E402
from otel_shop import Caller, install  # noqa: E402
from otlp_grpc import RESOURCE_EXHAUSTED, TRACES as GRPC  # noqa: E402
from programs import agent, find_peer, free_port, send, start, wait_until  # noqa: E402
from remote_write import field, varint  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402
from traces import fixed, message, span, text_attribute  # noqa: E402

OTLP = ("/v1/traces", {"Content-Type": "application/x-protobuf"})
OTLP_JSON = ("/v1/traces", {"Content-Type": "application/json"})
ZIPKIN = ("/api/v2/spans", {"Content-Type": "application/json"})
ZIPKIN_PROTOBUF = ("/api/v2/spans", {"Content-Type": "application/x-protobuf"})
JAEGER = ("/api/traces", {"Content-Type": "application/x-thrift"})
SEED = int(os.environ.get("SONDE_SEED", "1"))
MANY = 50_000 if "--short" in sys.argv else 1_000_000
MIB = 1 << 20
TAKEN, REFUSED = (200, 202), (400, 413)


def raw_span(trace, identity, name=b"s", parent=b"", start=None, extra=b""):
    start = time.time_ns() if start is None else start
    return field(1, trace) + field(2, identity) + parent + field(5, name) + fixed(7, start) + fixed(8, start) + extra


def ids(trace, identity):
    return trace.to_bytes(16, "big"), identity.to_bytes(8, "big")


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="sonde-test-")
        cls.grpc, cls.http, cls.agent_grpc = (f"127.0.0.1:{free_port()}" for _ in range(3))
        cls.server = Server("--otlp-grpc-listen", cls.grpc).__enter__()
        # A sanitizer's memory is several times as much: the agent would rightly refuse everything.
        cls.agent = agent(cls.folder.name, servers=[f"http://{cls.server.address}"], config="memory_max: 4GiB\n",
                          flags=["--otlp-listen", cls.http, "--otlp-grpc-listen", cls.agent_grpc]).__enter__()
        cls.doors = [f"http://{cls.server.address}", f"http://{cls.http}"]
        cls.last = 0x9000
        cls.random = random.Random(SEED)
        print(f"seed {SEED} (repeat with SONDE_SEED)")

    @classmethod
    def tearDownClass(cls):
        cls.agent.__exit__(None, None, None)
        cls.server.__exit__(None, None, None)
        cls.folder.cleanup()

    @classmethod
    def next(cls):
        cls.last += 1
        return cls.last

    def setUp(self):
        self.good = []

    def tearDown(self):
        """Good spans come through each door, whatever was sent before."""
        for door in self.doors:
            trace = self.next()
            self.assertEqual(self.post(door, OTLP, message("good", span(trace, 1, "good", 1, 1)))[0], 200)
            self.assertEqual(self.trace(trace, 1), ["good"])
        self.assertIsNone(self.server.process.poll())
        self.assertIsNone(self.agent.process.poll())

    def post(self, door, target, body, **headers):
        answer = send(door + target[0], body, {**target[1], **headers}, method="POST")
        return answer.status, answer.text

    def trace(self, trace, count):
        """The names of a trace's spans, once there are so many."""
        def ask():
            status, body, _ = self.server.get(f"/jaeger/api/traces/{trace:032x}")
            spans = json.loads(body)["data"][0]["spans"] if status == 200 else []
            return spans if len(spans) >= count else None
        return sorted(s["operationName"] for s in wait_until(ask, 60, f"{count} spans of {trace:x}"))

    def sum(self, url, name):
        total = 0
        for line in send(url + "/metrics").text.splitlines():
            if line.startswith((name + "{", name + " ")):
                total += float(line.split()[-1])
        return total

    # --- bytes ---

    def bodies(self):
        trace, identity = ids(0xdead, 1)
        small = Batch("shop", [Span(0xdead, 1, "s", tags={"a": "b", "n": 5})])
        zipkin = field(1, field(1, trace) + field(3, identity) + field(5, b"s") + field(11, field(1, b"a") + field(2, b"b")))
        as_json = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": trace.hex(), "spanId": identity.hex(),
                                                                 "name": "s", "attributes": [{"key": "a"}]}]}]}]}
        return [(OTLP, message("shop", span(0xdead, 1, "s", 1, 1, extra=text_attribute(9, "a", "b")))),
                (OTLP_JSON, json.dumps(as_json).encode()), (ZIPKIN_PROTOBUF, zipkin),
                (ZIPKIN, b'[{"traceId":"dead","id":"1","tags":{"a":"b"}}]'), (JAEGER, small.binary())]

    def test_cut(self):
        for target, body in self.bodies():
            for cut in range(len(body)):
                for door in self.doors:
                    status, text = self.post(door, target, body[:cut])
                    self.assertIn(status, TAKEN + REFUSED, (target, cut, text))

    def test_changed(self):
        for target, body in self.bodies():
            for _ in range(150):
                changed = bytearray(body)
                for _ in range(self.random.randint(1, 4)):
                    changed[self.random.randrange(len(changed))] = self.random.randrange(256)
                for door in self.doors:
                    status, text = self.post(door, target, bytes(changed))
                    self.assertIn(status, TAKEN + REFUSED, (target, bytes(changed), text))

    def test_changed_over_grpc(self):
        install()
        _, body = self.bodies()[0]
        for address in (self.grpc, self.agent_grpc):
            with Caller(address) as call:
                for _ in range(150):
                    changed = bytearray(body)
                    changed[self.random.randrange(len(changed))] = self.random.randrange(256)
                    answer = call(GRPC, bytes(changed))
                    self.assertIn(answer["code"], (0, 3), answer)
                for packed in (False, True):
                    answer = call(GRPC, bytes(65 * MIB), packed)
                    self.assertEqual((answer["code"], answer["retry"]), (RESOURCE_EXHAUSTED, None), answer)

    def test_wrong_kinds(self):
        for door in self.doors:
            for target, body in self.bodies():
                self.assertEqual(self.post(door, target, body, **{"Content-Type": "text/html"})[0], 415)
                self.assertEqual(self.post(door, target, body, **{"Content-Encoding": "br"})[0], 415)

    def test_too_large(self):
        """As it is, and when it is unpacked. curl, as other clients do, asks before it sends so much."""
        curl, path = find_peer("curl"), os.path.join(self.folder.name, "large")
        with open(path, "wb") as file:
            file.truncate(65 * MIB)
        for door in self.doors:
            for target, _ in self.bodies():
                done = subprocess.run([curl, "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H",
                                       f"Content-Type: {target[1]['Content-Type']}", "--data-binary", f"@{path}",
                                       door + target[0]], capture_output=True, text=True, check=False)
                self.assertEqual(done.stdout, "413", target)
                bomb = gzip.compress(bytes(65 * MIB), 6)
                self.assertEqual(self.post(door, target, bomb, **{"Content-Encoding": "gzip"})[0], 413, target)

    # --- spans ---

    def test_ids(self):
        """Zero, short and missing ids cost their span; the same span twice is there once."""
        for door in self.doors:
            trace = self.next()
            good, one = ids(trace, 1)
            bad = [raw_span(bytes(16), one), raw_span(good, bytes(8)), raw_span(good[:5], one), raw_span(good, one[:3]),
                   raw_span(b"", one), raw_span(good, b"")]
            before = self.refused()
            twice = raw_span(good, one)
            status, text = self.post(door, OTLP, message("shop", *bad, twice, twice))
            self.assertEqual(status, 200)
            self.assertIn(chr(8) + chr(len(bad)), text)  # rejected_spans
            self.assertEqual(self.trace(trace, 1), ["s"])
            self.assertEqual(self.refused(), before + len(bad))

    def refused(self):
        return self.sum(f"http://{self.server.address}", "sonde_spans_refused_total") + \
            self.sum(self.agent.url, "agent_spans_refused_total")

    def test_times(self):
        """The far future, the beginning of time, numbers that are no time are refused; an end before its start is not."""
        year = 365 * 86400 * 10**9
        starts = [time.time_ns() + 100 * year, 0, 1, 2**63 - 1, 2**63, 2**64 - 1]
        for door in self.doors:
            trace = self.next()
            good, _ = ids(trace, 1)
            spans = [raw_span(good, ids(0, 2 + i)[1], b"t%d" % i, start=s) for i, s in enumerate(starts)]
            spans.append(raw_span(good, ids(0, 50)[1], b"back") + fixed(8, 5))
            now = raw_span(good, ids(0, 60)[1], b"now")
            before = self.refused()
            self.assertIn(self.post(door, OTLP, message("times", *spans, now))[0], TAKEN)
            self.assertEqual(sorted(self.trace(trace, 2)), ["back", "now"])
            self.assertEqual(self.refused(), before + len(starts))
        status, body, _ = self.server.get("/jaeger/api/traces?service=good&limit=5")
        self.assertEqual(status, 200, body)

    def test_attributes(self):
        """10 000 of them: 1024 are kept, the rest is counted in the span."""
        many = b"".join(text_attribute(9, f"key{i}", "v") for i in range(10_000))
        for door in self.doors:
            trace = self.next()
            good, one = ids(trace, 1)
            self.assertEqual(self.post(door, OTLP, message("shop", raw_span(good, one, extra=many)))[0], 200)
            self.trace(trace, 1)
            answer = send(f"http://{self.server.address}/tempo/api/traces/{trace:x}", headers={"Accept": "application/json"})
            found = answer.json()["batches" if "batches" in answer.json() else "resourceSpans"][0]
            kept = found.get("scopeSpans", found.get("instrumentationLibrarySpans"))[0]["spans"][0]
            self.assertEqual((len(kept["attributes"]), kept["droppedAttributesCount"]), (1024, 10_000 - 1024))

    def test_long_texts(self):
        for door in self.doors:
            trace = self.next()
            good, one = ids(trace, 1)
            long = raw_span(good, ids(0, 2)[1], b"n" * (2 * MIB))
            before = self.refused()
            self.assertEqual(self.post(door, OTLP, message("shop", long, raw_span(good, one)))[0], 200)
            self.assertEqual(self.trace(trace, 1), ["s"])
            self.assertEqual(self.refused(), before + 1)

    def test_parents(self):
        """Circles, spans that are their own parents, parents that are not there."""
        for door in self.doors:
            trace = self.next()
            good, _ = ids(trace, 1)

            def child(identity, parent):
                return raw_span(good, ids(0, identity)[1], b"c%d" % identity, field(4, ids(0, parent)[1]))
            circle = [child(1, 2), child(2, 3), child(3, 1), child(4, 4), child(5, 99)]
            self.assertEqual(self.post(door, OTLP, message("circle", *circle))[0], 200)
            self.assertEqual(self.trace(trace, 5), ["c1", "c2", "c3", "c4", "c5"])
            for target in ("/jaeger/api/traces?service=circle", f"/api/v2/traces/{trace:x}",
                           "/jaeger/api/services/circle/operations"):
                self.assertEqual(self.server.get(target)[0], 200, target)

    def test_utf8(self):
        """Bytes that are no UTF-8: what is answered is JSON all the same."""
        broken = [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"a\x00b", b"\xf8\x88\x80\x80\x80"]
        for door in self.doors:
            trace = self.next()
            good, _ = ids(trace, 1)
            spans = [raw_span(good, ids(0, 1 + i)[1], text, extra=field(9, field(1, text) + field(2, field(1, text))))
                     for i, text in enumerate(broken)]
            status, _ = self.post(door, OTLP, message("utf8", *spans))
            self.assertIn(status, TAKEN + REFUSED)
            if status in TAKEN:
                self.assertEqual(len(self.trace(trace, len(broken))), len(broken))

    def test_corpora(self):
        """What the fuzzers keep of each format, at each door, as it is and without the byte that chooses there."""
        corpora = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fuzz/corpus")
        seen = 0
        for name, targets in (("otlp_traces", (OTLP, OTLP_JSON)), ("zipkin", (ZIPKIN, ZIPKIN_PROTOBUF)),
                              ("jaeger_thrift", (JAEGER,))):
            for file in sorted(os.listdir(os.path.join(corpora, name))):
                with open(os.path.join(corpora, name, file), "rb") as f:
                    body = f.read()
                for door in self.doors:
                    for target in targets:
                        for cut in (0, 1):
                            status, text = self.post(door, target, body[cut:])
                            self.assertIn(status, TAKEN + REFUSED, (name, file, target, text))
                seen += 1
        self.assertGreater(seen, 15)

    def test_megabytes_of_text(self):
        """A name of an attribute, its value, a service of a MiB and a little: those spans are refused and counted, a
        value just below is taken, and a label of it is cut."""
        for door in self.doors:
            trace = self.next()
            good, _ = ids(trace, 1)
            long, fits = "v" * (MIB + 1), "v" * (MIB - 100)
            before = self.refused()
            spans = [raw_span(good, ids(0, 2)[1], extra=text_attribute(9, "key", long)),
                     raw_span(good, ids(0, 3)[1], extra=text_attribute(9, long, "value")),
                     raw_span(good, ids(0, 4)[1], b"fits", extra=text_attribute(9, "key", fits))]
            self.assertEqual(self.post(door, OTLP, message("shop", *spans))[0], 200)
            self.assertEqual(self.trace(trace, 1), ["fits"])
            self.assertEqual(self.refused(), before + 2)
            self.assertIn(self.post(door, OTLP, message(long, raw_span(good, ids(0, 5)[1])))[0], TAKEN + REFUSED)
            self.assertEqual(self.post(door, OTLP, message("s" * (MIB - 100), raw_span(good, ids(0, 6)[1], b"s")))[0], 200)
            self.assertIn("s", self.trace(trace, 2))

    # --- crowds ---

    def crowd(self, door, make, count=MANY):
        """A million spans, 20 000 in a request; `make` gives the request of a range. A busy door is asked again."""
        begun, size = time.monotonic(), 0
        for first in range(0, count, 20_000):
            whole = make(range(first, min(first + 20_000, count)))
            body = gzip.compress(whole, 1)
            size += len(whole)
            for _ in range(600):
                status, text = self.post(door, OTLP, body, **{"Content-Encoding": "gzip"})
                if status not in (429, 503):
                    break
                time.sleep(0.1)  # as Retry-After asks, in small
            self.assertEqual(status, 200, text)
        self.tell(f"{count} spans, {size / MIB:.0f} MiB, sent", begun)

    def memory(self, program):
        """(now, at most), KiB"""
        with open(f"/proc/{program.process.pid}/status", encoding="utf-8") as file:
            lines = dict(line.split(":", 1) for line in file)
        return [int(lines[name].split()[0]) for name in ("VmRSS", "VmHWM")]

    def tell(self, what, begun):
        figures = [f"{name} {now >> 10} MiB (at most {most >> 10})" for name, (now, most) in (
            ("server", self.memory(self.server)), ("agent", self.memory(self.agent)))]
        print(f"\n{self.id().split('.')[-1]}: {what} in {time.monotonic() - begun:.1f} s; {', '.join(figures)}")

    def open(self, target, mark, accept="*/*"):
        """(status, how often the answer has the text, its headers), without holding the answer."""
        connection = http.client.HTTPConnection(self.server.address, timeout=300)
        try:
            begun, found, size, tail = time.monotonic(), 0, 0, b""
            connection.request("GET", target, None, {"Accept": accept})
            answer = connection.getresponse()
            for piece in iter(lambda: answer.read(MIB), b""):
                whole = tail + piece
                found, size, tail = found + whole.count(mark), size + len(piece), whole[len(whole) - len(mark) + 1:]
            self.tell(f"{target}, {size / MIB:.0f} MiB", begun)
            return answer.status, found, answer.headers
        finally:
            connection.close()

    def test_large_trace(self):
        """A trace beyond the limit of what is shown (the long run), or one of --short, opens in the words of everyone
        who asks; what is left out is told; others are served meanwhile."""
        shown = 1 << 20
        count = MANY if MANY < 1_000_000 else shown + 100_000
        trace = self.next()
        good, _ = ids(trace, 1)
        now = struct.pack("<Q", time.time_ns())
        head, tail = field(1, good), field(5, b"s") + b"\x39" + now + b"\x41" + now
        self.crowd(self.doors[0], lambda some: message("crowd", *(
            head + b"\x12\x08" + struct.pack(">Q", i + 1) + tail for i in some)), count)
        small = self.next()
        self.assertEqual(self.post(self.doors[0], OTLP, message("good", span(small, 1, "good", 1, 1)))[0], 200)
        done, waits = threading.Event(), []

        def others():
            while not done.wait(0.05):
                begun = time.monotonic()
                waits.append((self.server.get(f"/jaeger/api/traces/{small:x}")[0], time.monotonic() - begun))
        thread = threading.Thread(target=others)
        thread.start()
        try:
            wanted = min(count, shown)
            for target, mark, accept in (
                    (f"/jaeger/api/traces/{trace:x}", b'"spanID":"', "*/*"),
                    (f"/tempo/api/v2/traces/{trace:x}", b'"spanId":"', "application/json"),
                    (f"/tempo/api/v2/traces/{trace:x}", b"\x12\x08\x00\x00\x00\x00", "application/protobuf"),
                    (f"/api/v3/traces/{trace:x}", b'"spanId":"', "*/*"),
                    (f"/api/v2/trace/{trace:x}", b'"id":"', "*/*"),
                    ("/jaeger/api/traces?service=crowd&limit=1", b'"spanID":"', "*/*")):
                status, found, headers = self.open(target, mark, accept)
                self.assertEqual((status, found), (200, wanted), target)
                warning = headers.get("Warning", "")
                self.assertEqual("spans are left out" in warning, count > shown, (target, warning))
            status, found, _ = self.open("/api/search?limit=1&q=%7B%20resource.service.name%20%3D%20%22crowd%22%20%7D",
                                         b'"matched":%d' % wanted)
            self.assertEqual((status, found), (200, 1))
        finally:
            done.set()
            thread.join()
        self.assertEqual({status for status, _ in waits}, {200})
        print(f"others waited at most {max(wait for _, wait in waits):.2f} s, of {len(waits)}")
        self.assertLess(self.memory(self.server)[1], 4 << 20)

    def ordinary(self):
        """Of spans that differ in ids and what a test makes them differ in."""
        self.base = self.next() << 64
        now = struct.pack("<Q", time.time_ns())
        return lambda i: field(1, (self.base + i).to_bytes(16, "big")) + b"\x12\x08" + struct.pack(">Q", i + 1) + \
            b"\x39" + now + b"\x41" + now

    def check_lists(self):
        """Lists to choose from are bounded, and say when they are cut."""
        for target, key in (("/jaeger/api/services", "data"), ("/jaeger/api/services/crowd/operations", "data"),
                            ("/api/v2/search/tags?scope=span", "scopes"), ("/api/v2/remoteServices?serviceName=crowd", "")):
            status, body, headers = self.server.get(target)
            self.assertEqual(status, 200, body)
            names = json.loads(body)
            names = names[key] if key else names
            names = names[0]["tags"] if key == "scopes" else names
            self.assertLessEqual(len(names), 10_000)
            self.assertTrue(len(names) < 10_000 or "list is cut" in headers.get("warning", ""), target)
        return True

    def test_distinct_names(self):
        """The agent counts them all and keeps few series; the server's lists are bounded."""
        before = self.memory(self.agent)[0]
        for door in self.doors:
            of = self.ordinary()
            self.crowd(door, lambda some: message("crowd", *(
                of(i) + field(5, b"name%x of %x" % (i * 2654435761 % 2**32, i)) for i in some)))
        # 2000 of each service, of which "crowd" is the only one with many.
        self.assertLess(self.sum(self.agent.url, "agent_span_metrics_series"), 60_000)
        self.assertLess(self.memory(self.agent)[0] - before, 256 << 10)
        self.check_lists()

    def test_distinct_services(self):
        """50 000 series at the agent, whatever there is; the rest counts in those of the overflow."""
        before = self.memory(self.agent)[0]
        for door in self.doors:
            of = self.ordinary()
            self.crowd(door, lambda some: b"".join(
                message(f"service {i:x}", of(i) + field(5, b"s")) for i in some))
        self.assertLess(self.sum(self.agent.url, "agent_span_metrics_series"), 60_000)
        self.assertLess(self.memory(self.agent)[0] - before, 512 << 10)
        self.check_lists()

    def test_distinct_keys_and_values(self):
        for door in self.doors:
            of = self.ordinary()
            self.crowd(door, lambda some: message("crowd", *(
                of(i) + field(5, b"s") + text_attribute(9, f"key {i:x}", "v") + text_attribute(9, "peer.service", f"p {i:x}")
                for i in some)))
        self.check_lists()
        # Keys beyond the columns of a page are looked for span by span: found, or given up by query.timeout.
        status, found, _ = self.open("/api/search?limit=1&q=%7B%20span.%22key%201f%22%20%3D%20%22v%22%20%7D",
                                     b'"traceID"')
        self.assertIn((status, found), ((200, 1), (503, 0)))


if __name__ == "__main__":
    if "--short" in sys.argv:
        sys.argv.remove("--short")
    start(run_cases)
