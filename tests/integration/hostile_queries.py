#!/usr/bin/env python3
"""Queries meant to do harm: each ends in a clear 4xx or 503, resident memory stays under its ceiling, and
whoever asks small things meanwhile is answered. And how queries are seen, killed, and ended by clients that
go away."""

import http.client
import json
import os
import sys
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import find_program, start, write_file  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

MIB = 1 << 20
MEMORY_TOTAL = 128 * MIB
# Beside what queries are charged: code, the threads' stacks and pools of malloc, answers on their way out.
SLACK = 96 * MIB
SERIES, SAMPLES, STEP_MS = 4000, 60, 15000
END = int(time.time()) // 60 * 60 - 600
BEGIN = END - SAMPLES * STEP_MS // 1000
CONFIG = """\
features: [all]
query:
  timeout: 5s
  max_memory: 64MiB
  max_memory_total: 128MiB
  max_cost: 20000000
  max_concurrency: 4
  max_queued: 16
  log_slow: 1s
"""
# Two million steps of a subquery, many times: longer than any deadline here.
LONG_QUERY = "count_over_time((sum(vector(1)) + on() vector(2))[400h:1s]) + " * 20 + "vector(1)"
# A sorted window for each series at 4000 steps: long too, and small in memory.
PATIENT_QUERY = "sum(quantile_over_time(0.5, m[15m]))"
PATIENT = {"start": END - 2000, "end": END, "step": "0.5"}
WIDE = {"start": BEGIN, "end": END, "step": "1"}
TINY = {"start": BEGIN, "end": BEGIN + 10, "step": "0.001"}
AT = {"time": END}


def nested(inner, begin, end, times):
    return begin * times + inner + end * times


# What each is, the query, its times. All are refused or ended.
HOSTILE = [
    ("every series, every step", '{__name__=~".+"}', TINY),
    ("every series, kept twice", 'sort({__name__=~".+"}) + on (n, path) {__name__=~".+"}', WIDE),
    ("a subquery of milliseconds", 'sum_over_time({__name__=~".+"}[1h:1ms])', AT),
    ("subqueries in subqueries", 'max_over_time(sum_over_time(rate(m[1m])[30m:1s])[1h:1s])', WIDE),
    ("a subquery of nothing over years", 'count_over_time(vector(1)[10y:1ms])', AT),
    ("long work on few series", LONG_QUERY, AT),
    ("a cross join", 'm * on () m', AT),
    ("a cross join, grouped", 'm * on () group_left () m', WIDE),
    ("labels that grow", 'label_replace(m, "x", "' + "$1" * 10000 + '", "path", "(.*)")', AT),
    ("labels that double", nested("m", "label_replace(",
     ', "path", "$1$1", "path", "(.*)")', 20), AT),
    ("labels that are joined", 'label_join(m, "x", "' + "-" * 1000 + '"' + ', "path"' * 1000 + ")", AT),
    ("millions of values", 'count_values("v", m * time())', WIDE),
    ("millions of values of a subquery", 'max_over_time(count_values("v", m * time())[15m:1s])', AT),
    ("a regular expression too large", 'm{path=~"(x{1000}){1000}"}', AT),
    ("a regular expression without end", 'm{path=~"' + "(" * 100000 + '"}', AT),
    ("a regular expression of label_replace", 'label_replace(m, "x", "", "path", "((a{100}){100}){100}")', AT),
    ("a million bytes", "m" + " + m" * 250000, AT),
    ("more than a million bytes", "m" + " + m" * 400000, AT),
    ("ten thousand parentheses", nested("m", "(", ")", 10000), AT),
    ("ten thousand signs", "-" * 10000 + "m", AT),
    ("ten thousand calls", nested("m", "abs(", ")", 10000), AT),
    ("half a thousand times everything", " or ".join(["m"] * 600), WIDE),
    ("a string without end", 'm{path="' + "x" * 1000000, AT),
    ("a window at each millisecond", 'quantile_over_time(0.5, m[15m])', TINY),
]
# What looks hostile and is not: answered, or ended, as the machine is fast.
HEAVY = [
    ("every sample, raw", '{__name__=~".+"}[10y]', AT),
    ("a hundred thousand words", 'm{path=~"' + "|".join(f"w{i}" for i in range(100000)) + '"}', AT),
    ("stars", 'm{path=~"' + ".*" * 200 + '="}', AT),
    ("topk of everything", "topk(1000000, m)", AT),
    ("grouped by thousands", "sum by (" + ",".join(f"l{i}" for i in range(4000)) + ") (m)", AT),
]


def is_instrumented():
    with open(find_program("sonde-server"), "rb") as file:
        program = file.read()
    return b"__asan_init" in program or b"__tsan_init" in program


def fill(server):
    """A counter in many series whose labels are long, and one small series."""
    times = range(BEGIN * 1000, END * 1000, STEP_MS)
    connection = http.client.HTTPConnection(server.address, timeout=60)
    for first in range(0, SERIES, 500):
        batch = [({"__name__": "m", "job": f"j{n % 7}", "n": str(n), "path": f"/{n}/" + "p" * 100},
                  [(t, i * n) for i, t in enumerate(times)]) for n in range(first, first + 500)]
        status, text, _ = remote_write.write(server.address, batch, connection=connection)
        assert status == 204, text
    remote_write.write(server.address, [({"__name__": "small"}, [(END * 1000, 7)])], connection=connection)
    connection.close()


def resident(server, what):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(what + ":"))


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.__exit__, None, None, None)
        cls.server.command += ["--config", write_file(os.path.join(cls.server.folder, "config.yaml"), CONFIG)]
        cls.server.start()
        fill(cls.server)

    def ask(self, client, query, **times):
        path = "/api/v1/query_range" if "step" in times else "/api/v1/query"
        status, body, headers = self.server.request(
            "POST", path, urllib.parse.urlencode(dict(times, query=query)),
            {"Content-Type": "application/x-www-form-urlencoded", "X-Scope-OrgID": client})
        return status, body.decode("utf-8", "replace"), headers

    def judge(self, what, answer, good=()):
        status, body, headers = answer
        self.assertIn(status, (400, 413, 422, 503, *good), f"{what}: {body[:300]}")
        if status == 200:
            return
        if headers["content-type"] == "application/json":
            error = json.loads(body)
            self.assertEqual(error["status"], "error", what)
            self.assertGreater(len(error["error"]), 10, what)
        else:
            self.assertGreater(len(body), 10, what)
        if status == 503:
            self.assertGreaterEqual(int(headers["retry-after"]), 1, what)

    def ask_calmly(self, stop, answered, failures):
        """Small questions of somebody else, one after another."""
        while not stop.is_set():
            status, body, _ = self.ask("calm", "small + 1", time=END)
            if status != 200 or json.loads(body)["data"]["result"][0]["value"][1] != "8":
                failures.append((status, body[:300]))
                return
            answered.append(status)

    def test_hostile(self):
        with open(f"/proc/{self.server.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # the peak begins anew
        before = resident(self.server, "VmRSS")
        stop, answered, failures = threading.Event(), [], []
        calm = threading.Thread(target=self.ask_calmly, args=(stop, answered, failures))
        calm.start()
        queue = [(*row, ()) for row in HOSTILE] + [(*row, (200,)) for row in HEAVY]
        lock = threading.Lock()

        def attack():
            while True:
                with lock:
                    if not queue:
                        return
                    name, query, times, good = queue.pop()
                try:
                    self.judge(name, self.ask("hostile", query, timeout="2s", **times), good)
                except BaseException as failure:  # told by the main thread
                    failures.append(failure)
                    return
        attackers = [threading.Thread(target=attack) for _ in range(6)]
        for thread in attackers:
            thread.start()
        for thread in attackers:
            thread.join()
        stop.set()
        calm.join()
        self.assertEqual(failures, [])
        self.assertGreater(len(answered), 0)
        peak = resident(self.server, "VmHWM")
        print(f"{len(answered)} calm answers; resident {before >> 20} MiB, at its peak {peak >> 20} MiB")
        if not is_instrumented():
            self.assertLess(peak, before + MEMORY_TOTAL + SLACK)
        self.assertEqual(json.loads(self.server.get("/api/v1/status/active_queries")[1])["data"], [])
        self.assertIn('sonde_query_memory_bytes 0\n', self.server.get("/metrics")[1])
        self.assertIn('msg="query: slow"', self.server.log())

    def test_cost_names_figure_and_limit(self):
        status, body, _ = self.ask("a", "sum(rate(m[1m]))", start=BEGIN, end=BEGIN + 10000, step=1)
        error = json.loads(body)
        self.assertEqual((status, error["errorType"]), (422, "execution"))
        samples, points = SERIES * SAMPLES, SERIES * 10001
        self.assertIn(f"{samples} samples and compute {points} points, {samples + points} in all, "
                      "and 20000000 is what", error["error"])

    def active(self, text):
        """The running query that begins so, once it runs."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for query in json.loads(self.server.get("/api/v1/status/active_queries")[1])["data"]:
                if query["query"].startswith(text) and query["samples"] + query["memoryBytes"] > 0:
                    return query
        self.fail(f"no query {text} runs")

    def test_kill(self):
        answers = []
        query = "1 + " + PATIENT_QUERY
        asking = threading.Thread(target=lambda: answers.append(self.ask("tenant-1", query, **PATIENT)))
        asking.start()
        seen = self.active("1 + ")
        self.assertEqual((seen["client"], seen["start"], seen["end"], seen["step"]),
                         ("tenant-1", END * 1000 - 2000000, END * 1000, 500))
        self.assertRegex(seen["remote_addr"], r"^127\.0\.0\.1:\d+$")
        self.assertRegex(seen["duration"], r"^\d+\.\d{3}s$")
        self.assertEqual(self.server.request("POST", f"/api/v1/admin/kill_query?id={seen['id']}")[0], 204)
        asking.join()
        status, body, _ = answers[0]
        self.assertEqual((status, json.loads(body)["errorType"]), (503, "canceled"), body)
        self.assertIn("killed", json.loads(body)["error"])
        self.assertEqual(self.server.request("POST", f"/api/v1/admin/kill_query?id={seen['id']}")[0], 404)
        self.assertEqual(self.server.request("POST", "/api/v1/admin/kill_query?id=x")[0], 400)
        self.assertEqual(self.server.get("/api/v1/admin/kill_query?id=1")[0], 405)

    def test_client_goes_away(self):
        connection = http.client.HTTPConnection(self.server.address, timeout=60)
        connection.request("GET", "/api/v1/query_range?" + urllib.parse.urlencode(
            dict(PATIENT, query="2 + " + PATIENT_QUERY)))
        seen = self.active("2 + ")
        connection.close()
        deadline = time.monotonic() + 4  # shorter than the query's own limit
        while any(q["id"] == seen["id"] for q in
                  json.loads(self.server.get("/api/v1/status/active_queries")[1])["data"]):
            self.assertLess(time.monotonic(), deadline)

    def test_full_queue(self):
        """Whoever asks too much at once is told so, and only he."""
        answers = []

        def ask():
            answers.append(self.ask("greedy", "3 + " + PATIENT_QUERY, timeout="1s", **PATIENT))
        threads = [threading.Thread(target=ask) for _ in range(30)]
        for thread in threads:
            thread.start()
        while len(answers) < 10:
            status, body, _ = self.ask("modest", "small", time=END)
            self.assertEqual(status, 200, body)
        for thread in threads:
            thread.join()
        refused = [headers for status, body, headers in answers if "as many requests" in body]
        # Three run, and half of sixteen wait beside the place of the fourth.
        self.assertGreaterEqual(len(refused), 30 - 3 - 8 - 8)
        self.assertTrue(all(status == 503 and int(headers["retry-after"]) >= 1
                            for status, body, headers in answers if "as many requests" in body))

    def test_top_queries(self):
        for _ in range(5):
            self.ask("a", "small * 12345", time=END)
        self.ask("a", "small * 12345", start=END - 60, end=END, step=10)
        status, body, _ = self.server.get("/api/v1/status/top_queries?topN=1000&maxLifetime=1h")
        self.assertEqual(status, 200)
        answer = json.loads(body)
        for key in ("topByCount", "topByAvgDuration", "topBySumDuration", "topByAvgMemoryUsage"):
            lines = {line["timeRangeSeconds"]: line["count"] for line in answer[key]
                     if line["query"] == "small * 12345"}
            self.assertEqual(lines, {0: 5, 60: 1}, key)
        sums = [line["sumDurationSeconds"] for line in answer["topBySumDuration"]]
        self.assertEqual(sums, sorted(sums, reverse=True))
        few = json.loads(self.server.get("/api/v1/status/top_queries?topN=1")[1])
        self.assertEqual((few["topN"], len(few["topByCount"])), ("1", 1))
        self.assertEqual(self.server.get("/api/v1/status/top_queries?topN=x")[0], 400)


if __name__ == "__main__":
    start(run_cases)
