#!/usr/bin/env python3
"""Relabelling by the running agent: rules of a job decide which targets are scraped, how, and under which
labels; rules of series decide what is sent on. The exposition comes from a server of the test's own."""
import http.server
import os
import sys
import threading
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import agent, find_program, get, scratch, start, wait_until  # noqa: E402

CONFIG = """
global:
  scrape_interval: 200ms
  external_labels: {site: north, zone: elsewhere}
host: {enabled: false}
scrape_configs:
  - job_name: web
    params: {module: [first], also: [x y, z]}
    static_configs:
      - targets: ["127.0.0.1:PORT", "127.0.0.1:1"]
        labels: {__meta_zone: z1, env: prod}
    relabel_configs:
      - {source_labels: [__address__], regex: '.*:1', action: drop}
      - {source_labels: [__meta_zone], target_label: zone}
      - {target_label: __param_module, replacement: second}
      - {target_label: __metrics_path__, replacement: /probe}
"""


class Exposition(http.server.BaseHTTPRequestHandler):
    asked = []

    def do_GET(self):
        Exposition.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"kept 1\n")

    def log_message(self, *arguments):
        pass


class Relabel(unittest.TestCase):
    def scratch(self):
        folder = scratch()
        self.addCleanup(folder.cleanup)
        return folder.name

    def test_targets(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exposition)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        port = server.server_address[1]
        folder = self.scratch()
        with agent(folder, config=CONFIG.replace("PORT", str(port))) as running:
            wait_until(lambda: Exposition.asked, 20, "a scrape")
            asked = urllib.parse.urlsplit(Exposition.asked[0])
            self.assertEqual(asked.path, "/probe")
            self.assertEqual(urllib.parse.parse_qs(asked.query), {"module": ["second"], "also": ["x y", "z"]})

            def scraped():
                targets = get(running.url + "/api/v1/targets").json()["data"]
                mine = [t for t in targets["activeTargets"] if t["scrapePool"] == "web"]
                return targets if mine and mine[0]["health"] == "up" else None

            data = wait_until(scraped, 20, "the target to be up")
            page = get(running.url + "/targets").text
            self.assertIn(f"http://127.0.0.1:{port}/probe", page)
            self.assertIn("instance=&quot;127.0.0.1", page)
            mine = [t for t in data["activeTargets"] if t["scrapePool"] == "web"]
            self.assertEqual(len(mine), 1)
            self.assertEqual(mine[0]["labels"], {
                "job": "web", "instance": f"127.0.0.1:{port}", "env": "prod", "zone": "z1"})
            self.assertEqual(mine[0]["discoveredLabels"]["__meta_zone"], "z1")
            self.assertEqual([t["discoveredLabels"]["__address__"] for t in data["droppedTargets"]], ["127.0.0.1:1"])


def main():
    find_program("sonde-agent")
    return 0 if unittest.main(verbosity=1, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
