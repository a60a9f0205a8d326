#!/usr/bin/env python3
"""Many at once: writers, readers, compactions and reloads beside each other, then a stop in the middle of
it. Nothing may be lost, mixed up or hang. Under the thread sanitizer this is the test that finds races."""

import http.client
import json
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import start  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

WRITERS, WRITES, SERIES = 4, 30, 50
READERS, READS = 4, 40
BASE_MS = (int(time.time()) - 3600) * 1000
# Two million steps of a subquery: far longer than any test waits.
LONG_QUERY = "count_over_time((sum(vector(1)) + on() vector(2))[400h:1s]) + " * 20 + "vector(1)"


def together(*functions):
    """Runs functions in threads; the first failure is raised."""
    failures = []

    def guard(function):
        try:
            function()
        except BaseException as failure:  # told by the main thread
            failures.append(failure)
    threads = [threading.Thread(target=guard, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


class Crowd(unittest.TestCase):
    def write(self, server, writer):
        connection = http.client.HTTPConnection(server.address, timeout=60)
        for i in range(WRITES):
            batch = [({"__name__": "crowd", "job": f"w{writer}", "instance": f"i{n % 5}", "n": str(n)},
                      [(BASE_MS + i * 1000, i)]) for n in range(SERIES)]
            status, text, _ = remote_write.write(server.address, batch, connection=connection)
            self.assertEqual(status, 204, text)
        connection.close()

    def read(self, server, reader):
        """A series of a writer is never seen with a hole: what is there begins at 0 and is whole."""
        for i in range(READS):
            status, body, _ = server.post("/api/v1/query", [
                ("query", f'crowd{{job="w{(reader + i) % WRITERS}"}}[1h]'),
                ("time", str(BASE_MS // 1000 + 1800))])
            self.assertEqual(status, 200, body)
            for element in json.loads(body)["data"]["result"]:
                values = [float(value) for _, value in element["values"]]
                self.assertEqual(values, [float(n) for n in range(len(values))])
            self.assertEqual(server.get("/api/v1/labels")[0], 200)
            self.assertEqual(server.get("/metrics")[0], 200)

    def keep_house(self, server):
        for _ in range(5):
            self.assertEqual(server.request("POST", "/api/v1/admin/tsdb/compact")[0], 204)
            self.assertEqual(server.request("POST", "/-/reload")[0], 200)
            self.assertEqual(server.get("/api/v1/status/tsdb")[0], 200)

    def test_crowd(self):
        with Server() as server:
            together(*[lambda w=w: self.write(server, w) for w in range(WRITERS)],
                     *[lambda r=r: self.read(server, r) for r in range(READERS)],
                     lambda: self.keep_house(server))
            counted = server.query("sum(count_over_time(crowd[1h]))", BASE_MS // 1000 + 1800)
            self.assertEqual(counted[0]["value"][1], str(WRITERS * WRITES * SERIES))

    def ask_long(self, server, answers):
        try:
            answers.append(server.post("/api/v1/query", [("query", LONG_QUERY)])[:2])
        except (OSError, http.client.HTTPException) as failure:
            answers.append((0, str(failure)))

    def test_stop_cancels_queries(self):
        answers = []
        with Server() as server:
            asking = threading.Thread(target=self.ask_long, args=(server, answers))
            asking.start()
            deadline = time.monotonic() + 30
            while 'sonde_lane_requests{lane="query"} 1' not in server.get("/metrics")[1]:
                self.assertLess(time.monotonic(), deadline)
            began = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - began, 20)
            asking.join()
        self.assertEqual(answers[0][0], 503, answers)
        # A query that was counted but had not begun yet is turned away in plain text.
        self.assertRegex(answers[0][1], '"errorType":"canceled"|is being stopped')

    def test_timeout(self):
        with Server("--query.timeout", "200ms") as server:
            for form in ([("query", LONG_QUERY)], [("query", LONG_QUERY), ("timeout", "10ms")]):
                status, body, _ = server.post("/api/v1/query", form)
                self.assertEqual(status, 503, body)
                self.assertIn('"errorType":"timeout"', body)

    def test_samples_limit(self):
        with Server("--query.max-samples", "100") as server:
            batch = [({"__name__": "crowd", "job": "a", "n": str(n)}, [(BASE_MS, n)]) for n in range(101)]
            self.assertEqual(remote_write.write(server.address, batch)[0], 204)
            at = str(BASE_MS // 1000)
            status, body, _ = server.post("/api/v1/query", [("query", "crowd"), ("time", at)])
            self.assertEqual(status, 422, body)
            self.assertIn("query processing would load too many samples into memory", body)
            self.assertEqual(server.post("/api/v1/query", [("query", "crowd{n='1'}"), ("time", at)])[0], 200)


if __name__ == "__main__":
    start(run_cases)
