#!/usr/bin/env python3
"""Destinations of the running agent: remote write 1.0 and 2.0, OTLP, rules and headers of each, receivers
that answer everything in turn; and that on every page of /metrics every sample is accounted for."""
import gzip
import http.server
import os
import re
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from agent_account import check_account, read_page  # noqa: E402
from programs import agent, find_program, scratch, start, wait_until  # noqa: E402

CONFIG = """
global: {scrape_interval: 200ms, external_labels: {site: north}}
host: {enabled: false}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ["127.0.0.1:TARGET"]}]
stream_aggr:
  - {match: ['scrape_samples_scraped'], interval: 500ms, without: [instance], outputs: [max, count_series]}
remote_write:
  - {name: old, url: "http://127.0.0.1:PORT/old", protobuf_message: io.prometheus.write.v2.Request}
  - name: new
    url: http://127.0.0.1:PORT/new
    protobuf_message: io.prometheus.write.v2.Request
    headers: {X-Scope-OrgID: tenant-7}
    write_relabel_configs: [{source_labels: [__name__], regex: requests_total, action: keep}]
  - {name: moody, url: "http://127.0.0.1:PORT/moody", queue_config: {min_backoff: 1ms, max_backoff: 5ms}}
  - {name: dead, url: "http://127.0.0.1:1/write"}
otlp:
  - {name: otel, url: "http://127.0.0.1:PORT", headers: {X-Scope-OrgID: tenant-8}}
"""

EXPOSITION = b"""# TYPE requests_total counter
requests_total{code="200"} 1
# TYPE queue_length gauge
queue_length 2
"""

MOODS = [500, 400, 429, 200, 503, 413, 409, 204, 301, 404]


class Peer(http.server.BaseHTTPRequestHandler):
    """Target and receivers in one; what was asked is kept by path."""
    protocol_version = "HTTP/1.1"
    asked = {}
    lock = threading.Lock()

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, [("Content-Type", "text/plain; version=0.0.4")], EXPOSITION)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with Peer.lock:
            requests = Peer.asked.setdefault(self.path, [])
            requests.append((dict(self.headers), body))
            count = len(requests)
        version = self.headers.get("X-Prometheus-Remote-Write-Version")
        if self.path == "/old" and version == "2.0.0":
            self.answer(415)
        elif self.path == "/new":
            self.answer(204, [("X-Prometheus-Remote-Write-Samples-Written", "100000")])
        elif self.path == "/moody":
            self.answer(MOODS[count % len(MOODS)])
        else:
            self.answer(200)

    def log_message(self, *arguments):
        pass


class Destinations(unittest.TestCase):
    def test_all_kinds(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Peer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        port = str(server.server_address[1])
        folder = scratch()
        self.addCleanup(folder.cleanup)
        config = CONFIG.replace("PORT", port).replace("TARGET", port)
        for run in range(2):  # the second finds what the first left for the dead one
            with agent(folder.name, config=config) as running:
                def settled():
                    page = read_page(running)
                    sent = check_account(page)
                    enough = len(Peer.asked.get("/moody", [])) > (run + 1) * 2 * len(MOODS)
                    return page if enough and all(sent[d] > 20 for d in ("old", "new", "otel")) else None

                page = wait_until(settled, 60, "samples at every destination")
                dead = frozenset([("destination", "dead")])
                self.assertEqual(page["agent_remote_sent_samples_total", dead], 0)
                self.assertEqual(page["agent_remote_found_samples", dead] > 0, run == 1)
        old, new, otel = Peer.asked["/old"], Peer.asked["/new"], Peer.asked["/v1/metrics"]
        self.assertEqual([h["X-Prometheus-Remote-Write-Version"] for h, _ in old[:3]], ["2.0.0", "0.1.0", "0.1.0"])
        for headers, body in new:
            self.assertEqual(headers["X-Scope-OrgID"], "tenant-7")
            self.assertEqual(headers["Content-Type"], "application/x-protobuf;proto=io.prometheus.write.v2.Request")
            self.assertEqual(headers["Content-Encoding"], "snappy")
            self.assertTrue(headers["User-Agent"].startswith("sonde-agent/"))
            self.assertNotIn(b"queue_length", body)
        self.assertTrue(any(b"requests_total" in body for _, body in new))
        for headers, body in otel:
            self.assertEqual(headers["X-Scope-OrgID"], "tenant-8")
            self.assertEqual(headers["Content-Type"], "application/x-protobuf")
            self.assertIn(b"service.name", gzip.decompress(body))
        named = b"".join(gzip.decompress(body) for _, body in otel)
        self.assertIn(b"scrape_samples_scraped:500ms_without_instance_max", named)
        self.assertIsNone(re.search(rb"scrape_samples_scraped[^:]", named))


def main():
    find_program("sonde-agent")
    return 0 if unittest.main(argv=[sys.argv[0], "-v"], exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
