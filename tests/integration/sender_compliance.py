#!/usr/bin/env python3
"""The agent as a sender, case by case: what prometheus/compliance asks of remote write 1.0 and 2.0. One agent scrapes a
target for each case and writes all of it to a receiver of either version; each case is then looked for in what came.

Retries, backoff, falling back and answers of every kind: tests/fault/agent_bad_receivers.py, agent_destinations.py,
test_sender, test_sender_protocols. Start timestamps of 2.0 are not sent; docs/compatibility.md says so."""
import http.server
import json
import math
import os
import random
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import agent, find_program, free_port, scratch, start, wait_until, write_file  # noqa: E402
from remote_write import double, field, svarint, varint  # noqa: E402
from remote_write_requests import read_request  # noqa: E402

SCRAPES = 5
INTERVAL_MS = 1500  # long enough that no scrape is late on a machine with much else to do
STALE = 0x7FF0000000000002
COUNTER, GAUGE, HISTOGRAM, SUMMARY = 1, 2, 3, 5  # of MetricMetadata in both versions
TEXT, OPENMETRICS = "text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0"
PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

CLASSIC = "".join(f'wait_bucket{{le="{le}"}} {count}\n' for le, count in (("0.1", 1), ("1", 3), ("+Inf", 4)))

# job -> body; what is expected of each is in the cases below.
BODIES = {
    "counter": "# HELP things_total A count.\n# TYPE things_total counter\nthings_total 42\n",
    "gauge": "# HELP level A level.\n# TYPE level gauge\nlevel -1.5\n",
    "histogram": f"# HELP wait A wait.\n# TYPE wait histogram\n{CLASSIC}wait_sum 2.5\nwait_count 4\n",
    "summary": '# HELP took A time.\n# TYPE took summary\ntook{quantile="0.5"} 1\ntook{quantile="0.99"} 2\n'
               "took_sum 3\ntook_count 4\n",
    "unsorted": 'unsorted{zz="1",b="2",a="3",__z="4",A="5"} 1\n',
    "empty_label": 'empty_label{a="",b="1"} 1\n',
    "repeated": 'before_repeated 1\nrepeated{a="1",a="1"} 1\n',
    "nameless": 'before_nameless 1\n{label="value"} 1\n',
    "invalid": "before_invalid 1\ninvalid 1 2 3 4 5\n",
    "cut": 'before_cut 1\ncut{a="',
    "clash": 'clash{job="own",instance="mine"} 1\n',
    "honored": 'honored{job="own",instance="mine"} 1\n',
    "special": "special_nan NaN\nspecial_more +Inf\nspecial_less -Inf\nspecial_zero 0\nspecial_minus -0\n"
               "special_precise 0.1234567890123456789\nspecial_large 1.7976931348623157e+308\nspecial_small 5e-324\n",
    "unicode": 'unicode{city="Zürich",sign="日本語 🎉",escaped="a\\\\b\\"c\\nd"} 1\n',
    "huge": f'huge{{value="{"v" * 12000}"}} 1\n' + f'{"long_" * 200}name 1\n',
    "empty": "",
    "exact": "exact 1 1500000000123\n",
    "many": "".join(f'many{{i="{i}"}} 1\n' for i in range(1000)),
    "exemplar": '# HELP spent_seconds Spent.\n# TYPE spent_seconds counter\n# UNIT spent_seconds seconds\n'
                'spent_seconds_total 3 # {trace_id="abc",span_id="def"} 1.5 1500000000.25\n# EOF\n',
}
HONOR = {"honored"}
FAILS = {"repeated", "nameless", "invalid", "cut", "absent", "failing"}


def native_histogram():
    """A family with one native histogram, length before it: metrics.proto of prometheus/client_model."""
    histogram = (varint(1 << 3) + varint(6) + double(2, 12.5) + varint(5 << 3) + svarint(1) + double(6, 0.001) +
                 varint(7 << 3) + varint(1) + field(12, b"\x08" + svarint(0) + b"\x10" + varint(3)) +
                 field(13, svarint(1) + svarint(1) + svarint(0)))
    family = field(1, b"native") + field(2, b"A native one.") + varint(3 << 3) + varint(4) + field(4, field(7, histogram))
    return varint(len(family)) + family


class Peer(http.server.BaseHTTPRequestHandler):
    """Targets by job, receivers by version."""
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    requests = {1: [], 2: []}
    raw = {1: [], 2: []}  # headers
    scrapes = {}
    delays = random.Random(1)

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        job = self.path[1:]
        with Peer.lock:
            Peer.scrapes[job] = count = Peer.scrapes.get(job, 0) + 1
        if job == "native":
            self.answer(200, native_histogram(), Content_Type=PROTOBUF)
        elif job == "vanishing":
            self.answer(200, b"stays 1\n" + (b"" if count >= 3 else b"vanishes 1\n"), Content_Type=TEXT)
        elif job == "failing":
            self.answer(200 if count < 3 else 500, b"of_failing 1\n", Content_Type=TEXT)
        elif job == "leaving":
            self.answer(200, b"of_leaving 1\n", Content_Type=TEXT)
        else:
            self.answer(200, BODIES[job].encode(), Content_Type=OPENMETRICS if job == "exemplar" else TEXT)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        version = int(self.path[-1])
        request = read_request(body, version)
        time.sleep(Peer.delays.random() * 0.3)  # so that what may overtake does
        with Peer.lock:
            Peer.raw[version].append(dict(self.headers))
            Peer.requests[version].append(request)
        self.answer(204, b"", X_Prometheus_Remote_Write_Samples_Written="1000000",
                    X_Prometheus_Remote_Write_Histograms_Written="1000000")

    def log_message(self, *arguments):
        pass


def config(folder, port):
    jobs = []
    for job in [*BODIES, "vanishing", "failing", "native"]:
        native = "scrape_native_histograms: true, " if job == "native" else ""
        honor = "honor_labels: true, " if job in HONOR else ""
        jobs.append(f"  - {{job_name: {job}, metrics_path: /{job}, {native}{honor}"
                    f"static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}")
    jobs.append("  - {job_name: absent, static_configs: [{targets: ['127.0.0.1:1']}]}")
    jobs.append(f"  - {{job_name: leaving, metrics_path: /leaving, file_sd_configs: [{{files: ['{folder}/leaving.json']}}]}}")
    return ("global: {scrape_interval: 1500ms, scrape_timeout: 1500ms, external_labels: {site: north, a: external}}\n"
            "host: {enabled: false}\nscrape_configs:\n" + "\n".join(jobs) + "\nremote_write:\n"
            f"  - {{name: one, url: 'http://127.0.0.1:{port}/v1', send_exemplars: true, send_native_histograms: false}}\n"
            f"  - {{name: two, url: 'http://127.0.0.1:{port}/v2', send_exemplars: true, send_native_histograms: true, "
            "protobuf_message: io.prometheus.write.v2.Request}\n")


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """An agent that ends breaks its connections."""


def collect():
    """Runs the agent until every target was scraped often enough, and all of it has been sent."""
    server = Server(("127.0.0.1", 0), Peer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    Peer.port = port
    Peer.begin_ms = time.time() * 1000
    with scratch() as folder:
        targets = os.path.join(folder, "leaving.json")
        write_file(targets, json.dumps([{"targets": [f"127.0.0.1:{port}"]}]))
        with agent(folder, config=config(folder, port),
                   flags=["--otlp-listen", "", "--otlp-grpc-listen", ""]) as running:
            wait_until(lambda: Peer.scrapes.get("leaving", 0) >= 3, 60, "scrapes of the target that leaves")
            write_file(targets + ".new", "[]")
            os.rename(targets + ".new", targets)
            wait_until(lambda: min(Peer.scrapes.get(job, 0) for job in BODIES) >= SCRAPES, 60, "scrapes")
            wait_until(lambda: all(any(is_stale(v) for s in Sent(version).of("of_leaving") for _, v in s.samples)
                                   for version in (1, 2)), 60, "the target has left")
        Peer.end_ms = time.time() * 1000
    server.shutdown()


def is_stale(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0] == STALE


class Sent:
    """All that came in one version."""

    def __init__(self, version):
        with Peer.lock:
            self.requests = list(Peer.requests[version])
            self.headers = list(Peer.raw[version])
        self.series = [series for request in self.requests for series in request.series]

    def of(self, name, **labels):
        return [s for s in self.series if s.name() == name and labels.items() <= s.map().items()]


class Cases:
    """Of both versions; `version` is a class of its own below."""

    @classmethod
    def setUpClass(cls):
        cls.sent = Sent(cls.version)

    def one(self, name, **labels):
        """The labels of the only series of that name, and all its samples that are no stale markers."""
        found = self.sent.of(name, **labels)
        self.assertTrue(found, f"nothing of {name}{labels}")
        self.assertEqual(len({tuple(s.labels) for s in found}), 1, found[0].labels)
        return found[0].map(), [(t, v) for s in found for t, v in s.samples if not is_stale(v)]

    def values(self, name, **labels):
        return {value for _, value in self.one(name, **labels)[1]}

    # ---- What is sent ----

    def test_counter_gauge(self):
        self.assertEqual(self.values("things_total"), {42})
        self.assertEqual(self.values("level"), {-1.5})

    def test_summary(self):
        for name, labels, value in (("took", {"quantile": "0.5"}, 1), ("took", {"quantile": "0.99"}, 2),
                                    ("took_sum", {}, 3), ("took_count", {}, 4)):
            self.assertEqual(self.values(name, **labels), {value})

    def test_classic_histogram(self):
        for le, value in (("0.1", 1), ("+Inf", 4)):
            self.assertEqual(self.values("wait_bucket", le=le), {value})
        self.assertEqual(self.values("wait_sum"), {2.5})
        self.assertEqual(self.values("wait_count"), {4})
        # Those of one scrape are in one request.
        for request in self.sent.requests:
            times = [t for s in request.series if (s.name() or "").startswith("wait_") for t, _ in s.samples]
            self.assertEqual({times.count(t) for t in times} - {5}, set())

    def test_up(self):
        for job in [*BODIES, "absent"]:
            self.assertEqual(self.values("up", job=job), {0 if job in FAILS else 1}, job)
        self.assertEqual(self.values("up", job="failing"), {0, 1})

    def test_job_and_instance(self):
        labels, _ = self.one("level")
        self.assertEqual((labels["job"], labels["instance"]), ("gauge", f"127.0.0.1:{Peer.port}"))

    def test_external_labels(self):
        for series in self.sent.series:
            self.assertEqual(series.map()["site"], "north")
        self.assertEqual(self.one("unsorted")[0]["a"], "3")
        self.assertEqual(self.one("level")[0]["a"], "external")

    def test_honor_labels(self):
        labels, _ = self.one("clash")
        self.assertEqual([labels[n] for n in ("job", "instance", "exported_job", "exported_instance")],
                         ["clash", f"127.0.0.1:{Peer.port}", "own", "mine"])
        labels, _ = self.one("honored")
        self.assertEqual((labels["job"], labels["instance"], "exported_job" in labels), ("own", "mine", False))

    def test_what_fails_is_not_taken_at_all(self):
        for name in ("before_repeated", "repeated", "before_nameless", "before_invalid", "invalid", "before_cut", "cut"):
            self.assertEqual(self.sent.of(name), [], name)

    def test_empty_scrape(self):
        self.assertEqual(self.values("scrape_samples_scraped", job="empty"), {0})

    # ---- Values ----

    def test_special_values(self):
        (nan,) = {struct.pack("<d", v) for v in self.values("special_nan")}
        self.assertEqual(nan, struct.pack("<Q", 0x7FF8000000000001))
        for name, value in (("more", math.inf), ("less", -math.inf), ("zero", 0.0), ("precise", 0.1234567890123456789),
                            ("large", sys.float_info.max), ("small", 5e-324)):
            self.assertEqual(self.values("special_" + name), {value}, name)
        (minus,) = self.values("special_minus")
        self.assertEqual(math.copysign(1, minus), -1)

    def test_texts(self):
        labels, _ = self.one("unicode")
        self.assertEqual((labels["city"], labels["sign"], labels["escaped"]), ("Zürich", "日本語 🎉", 'a\\b"c\nd'))
        self.assertEqual(self.one("huge")[0]["value"], "v" * 12000)
        self.assertEqual(self.values("long_" * 200 + "name"), {1})

    # ---- Labels ----

    def test_labels_are_sorted_unique_and_not_empty(self):
        for series in self.sent.series:
            names = [name.encode() for name, _ in series.labels]
            self.assertEqual(names, sorted(set(names)), series.labels)
            self.assertTrue(all(name and value for name, value in series.labels), series.labels)
            self.assertTrue(series.name(), series.labels)
        labels, _ = self.one("unsorted")
        self.assertEqual([labels[n] for n in ("A", "__z", "a", "b", "zz")], ["5", "4", "3", "2", "1"])
        self.assertNotIn("a", {n for n, v in self.one("empty_label")[0].items() if v == ""})

    # ---- Times ----

    def test_timestamps(self):
        newest = {}
        for series in self.sent.series:
            for time_ms, _ in series.samples:
                key = tuple(series.labels)
                if series.name() == "exact":
                    self.assertEqual(time_ms, 1500000000123)
                    continue
                self.assertTrue(Peer.begin_ms - INTERVAL_MS <= time_ms <= Peer.end_ms, f"{series.labels} at {time_ms}")
                self.assertGreater(time_ms, newest.get(key, 0), series.labels)  # in order, and once
                newest[key] = time_ms

    def test_ordering_of_many(self):
        self.assertEqual(len({s.map()["i"] for s in self.sent.of("many")}), 1000)

    # ---- Staleness ----

    def stale_times(self, name):
        return [t for s in self.sent.of(name) for t, v in s.samples if is_stale(v)]

    def test_stale_markers_come_once(self):
        for name in ("vanishes", "of_failing", "of_leaving"):
            stale, times = self.stale_times(name), [t for t, _ in self.one(name)[1]]
            self.assertEqual(len(stale), 1, name)
            self.assertGreater(stale[0], max(times), name)
        # Within one interval, when the next scrape says so.
        self.assertLessEqual(self.stale_times("vanishes")[0] - max(t for t, _ in self.one("vanishes")[1]), 2 * INTERVAL_MS)
        self.assertEqual(len([t for s in self.sent.of("up", job="leaving") for t, v in s.samples if is_stale(v)]), 1)

    def test_no_stale_marker_for_what_goes_on_or_brings_its_time(self):
        for name in ("level", "stays", "exact", "many"):
            self.assertEqual(self.stale_times(name), [], name)

    # ---- The request ----

    def test_headers(self):
        for headers in self.sent.headers:
            self.assertEqual(headers["Content-Encoding"], "snappy")
            self.assertEqual(headers["Content-Type"], self.content_type)
            self.assertEqual(headers["X-Prometheus-Remote-Write-Version"], self.version_header)
            self.assertRegex(headers["User-Agent"], r"^[\w.-]+/[\w.-]+$")  # RFC 9110: product/version
            self.assertNotIn("Retry-Attempt", headers)

    def test_batching(self):
        samples = sum(len(s.samples) for s in self.sent.series)
        self.assertGreater(samples / len(self.sent.requests), 100)

    def test_a_series_has_samples_or_histograms(self):
        for series in self.sent.series:
            self.assertEqual(bool(series.samples) + bool(series.histograms), 1, series.labels)

    def test_exemplars(self):
        found = [e for s in self.sent.of("spent_seconds_total") for e in s.exemplars]
        self.assertEqual(found, [{"labels": {"trace_id": "abc", "span_id": "def"}, "value": 1.5,
                                  "time_ms": 1500000000250}])


class RemoteWrite1(Cases, unittest.TestCase):
    version = 1
    version_header = "0.1.0"
    content_type = "application/x-protobuf"

    def test_metadata(self):
        known = {}
        for request in self.sent.requests:
            known.update(request.metadata)
        # Families in 1.0: OpenMetrics' are without _total.
        for family, expected in (("things_total", (COUNTER, "A count.", "")), ("level", (GAUGE, "A level.", "")),
                                 ("wait", (HISTOGRAM, "A wait.", "")), ("took", (SUMMARY, "A time.", "")),
                                 ("spent_seconds", (COUNTER, "Spent.", "seconds"))):
            self.assertEqual(known.get(family), expected, family)

    def test_no_native_histograms(self):
        self.assertEqual([s.labels for s in self.sent.series if s.histograms], [])


class RemoteWrite2(Cases, unittest.TestCase):
    version = 2
    version_header = "2.0.0"
    content_type = "application/x-protobuf;proto=io.prometheus.write.v2.Request"

    def test_symbols(self):
        for request in self.sent.requests:
            self.assertEqual(request.symbols[0], "")
            self.assertEqual(len(request.symbols), len(set(request.symbols)))

    def test_metadata(self):
        for name, expected in (("things_total", (COUNTER, "A count.", "")), ("level", (GAUGE, "A level.", "")),
                               ("wait_bucket", (HISTOGRAM, "A wait.", "")), ("took_sum", (SUMMARY, "A time.", "")),
                               ("spent_seconds_total", (COUNTER, "Spent.", "seconds"))):
            found = {s.metadata for s in self.sent.of(name)} - {None}
            self.assertEqual(found, {expected}, name)

    def test_native_histogram(self):
        histograms = [h for s in self.sent.of("native") for h in s.histograms]
        self.assertTrue(histograms)
        h = histograms[0]
        self.assertEqual((h[1], struct.unpack("<d", h[3])[0], h[4], struct.unpack("<d", h[5])[0], h[6]),
                         (6, 12.5, 2, 0.001, 1))  # count, sum, schema 1 in zigzag, zero threshold, zero count
        self.assertEqual(h[12], svarint(1) + svarint(1) + svarint(0))


def main():
    find_program("sonde-agent")
    collect()
    return 0 if unittest.main(verbosity=1, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
