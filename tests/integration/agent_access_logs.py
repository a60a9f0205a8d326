#!/usr/bin/env python3
"""Access logs through a running agent: what a real sonde-server says of the requests, over rotation and a kill.
Counts are those of the lines written here."""
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import agent, get, server, start, wait_until  # noqa: E402

CONFIG = """
host: {enabled: false}
access_logs:
  - job: web
    service_name: shop
    files: [FOLDER/logs/*.log]
    format: pattern
    pattern: '$remote_addr [$time_local] "$request" $status $body_bytes_sent $request_time'
    from_beginning: true
    routes: [{pattern: '/cart/.*', route: '/cart/{id}'}]
    interval: 200ms
"""


class AccessLogs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sonde-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.store = server(self.folder).__enter__()
        self.addCleanup(self.store.__exit__, None, None, None)
        os.mkdir(os.path.join(self.folder, "logs"))
        self.path = os.path.join(self.folder, "logs", "access.log")

    def run_agent(self):
        return agent(self.folder, config=CONFIG.replace("FOLDER", self.folder), servers=[self.store.url],
                     flags=["--otlp-listen", ""])

    def write(self, count, status=200, seconds="0.030", path="/cart/7"):
        with open(self.path, "a", encoding="ascii") as file:
            file.write(f'10.0.0.1 [x] "GET {path} HTTP/1.1" {status} 100 {seconds}\n' * count)

    def value(self, query):
        result = get(self.store.url + "/api/v1/query", {"query": query}).json()["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def arrives(self, query, value):
        wait_until(lambda: self.value(query) == value, 20, f"{query} to be {value}, it is {self.value(query)}")

    def test_red(self):
        self.write(90)
        self.write(10, status=503, seconds="2.5")
        with self.run_agent() as running:
            ok = 'http_server_requests_total{http_response_status_code="200", http_route="/cart/{id}", job="web"}'
            bad = 'http_server_requests_total{http_response_status_code="503", service_name="shop"}'
            self.arrives(ok, 90)
            self.arrives(bad, 10)
            self.arrives("sum(http_server_response_body_bytes_total)", 10000)
            self.arrives('http_server_request_duration_seconds_bucket{http_response_status_code="200", le="0.05"}', 90)
            self.arrives('http_server_request_duration_seconds_bucket{http_response_status_code="503", le="1.0"}', 0)
            self.arrives("histogram_quantile(0.5, sum by (le) (http_server_request_duration_seconds_bucket)) > bool 0.025", 1)
            self.arrives('access_log_lines_total{parsed="true"}', 100)
            # Renamed while it is written, and made anew.
            self.write(5)
            os.rename(self.path, self.path + ".1")
            with open(self.path + ".1", "a", encoding="ascii") as file:
                file.write('10.0.0.1 [x] "GET /cart/1 HTTP/1.1" 200 100 0.01\nnonsense\n')
            self.write(4)
            self.arrives(ok, 100)
            self.arrives('access_log_lines_total{parsed="false"}', 1)
            # What was counted before a kill is not counted again, and nothing is left out.
            self.assertIn("agent_log_rotations_total 1", get(running.url + "/metrics").text)
            running.kill()
            self.write(7)
        with self.run_agent():
            self.arrives(ok, 7)


if __name__ == "__main__":
    start(unittest.main)
