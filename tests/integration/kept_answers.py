#!/usr/bin/env python3
"""Range queries asked again, as a dashboard asks them: the kept answer is that without keeping, after new, late
and repeated samples, and a delete; and what is not to be kept."""

import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import start  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

STEP = 15
END = int(time.time()) // STEP * STEP - 3600
QUERIES = ["kept_total", "sum(rate(kept_total[2m]))", "max_over_time(kept_total[5m:1m])", "kept_total offset -30s"]


class KeptAnswers(unittest.TestCase):
    def ask(self, server, query, end, **more):
        form = dict({"query": query, "start": end - 1800, "end": end, "step": STEP}, **more)
        status, body, _ = server.post("/api/v1/query_range", list(form.items()))
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def write(self, server, samples, **labels):
        labels["__name__"] = "kept_total"
        status, text, _ = remote_write.write(server.address, [(labels, samples)])
        self.assertEqual(status, 204, text)

    def check(self, server, end):
        for query in QUERIES:
            for _ in range(2):
                self.assertEqual(self.ask(server, query, end), self.ask(server, query, end, nocache=1), query)

    def test_changes(self):
        with Server("--web.enable-admin-api") as server:
            times = range(END - 3600, END + 1, STEP)
            for i in "ab":
                self.write(server, [(t * 1000, float(n)) for n, t in enumerate(times)], i=i)
            self.check(server, END)
            for n in range(1, 6):  # as time goes on
                self.write(server, [((END + n * STEP) * 1000, 1000.0 + n)], i="a")
                self.check(server, END + n * STEP)
            self.write(server, [((END - 611) * 1000, 5.0)], i="b")  # late
            self.check(server, END + 75)
            self.write(server, [((END - 611) * 1000, 5.0)], i="b")  # again
            self.check(server, END + 75)
            self.write(server, [((END - 900) * 1000, 1.0)], i="c")  # a series that is new
            self.check(server, END + 75)
            target = f'/api/v1/admin/tsdb/delete_series?match[]=kept_total{{i="a"}}&start={END - 300}&end={END - 200}'
            self.assertIn(server.request("POST", target.replace('{', '%7B').replace('}', '%7D').replace('"', '%22'))[0],
                          (200, 204))
            self.check(server, END + 75)

    def test_asked_for(self):
        """stats and explain are about the evaluation: there is one."""
        with Server() as server:
            self.write(server, [((END - n) * 1000, float(-n)) for n in range(600, 0, -STEP)], i="a")
            first = self.ask(server, "kept_total", END)
            self.assertEqual(first, self.ask(server, "kept_total", END))
            self.assertGreater(self.ask(server, "kept_total", END, stats="all")["data"]["stats"]["samples"][
                "totalQueryableSamples"], 0)
            explained = self.ask(server, "kept_total", END, explain="true")
            self.assertNotEqual(explained, first)
            self.assertEqual(explained["data"]["result"], first["data"]["result"])


if __name__ == "__main__":
    start(run_cases)
