#!/usr/bin/env python3
"""Objectives in a running server: counters with an outage arrive by remote write, and what the server says of
them over HTTP and by `sonde slo` is what the definitions say: budgets by closed forms, alerts at the seconds of
the discrete vectors (uniform traffic, an evaluation every 30 s, strict thresholds)."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import find_program, start  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

STEP = 30
NOW = int(time.time()) // STEP * STEP
ORIGIN = NOW - 8 * 3600  # the outage begins
OUTAGE = 600
PERIOD = 30 * 86400
PAST = ORIGIN - 31 * 86400
# Seconds from the outage's beginning to (fire, clear): 30 days, 99.9 %, all events fail for 600 s.
EXPECTED = {"page-fast": (60, 900), "page-slow": (150, 2400), "ticket-fast": (270, 7800),
            "ticket-slow": (270, 22200)}

FILE = """
apiVersion: openslo/v1
kind: SLO
metadata:
  name: checkout
  labels: {team: web}
  annotations: {sonde.dev/runbook-url: 'https://wiki/checkout', sonde.dev/step: 30s}
spec:
  service: shop
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
    - target: 0.999
      indicator:
        spec:
          ratioMetric:
            counter: true
            bad: {metricSource: {type: Prometheus, spec: {query: 'sum(failed_total)'}}}
            total: {metricSource: {type: Prometheus, spec: {query: 'sum(rate(requests_total[{{.window}}]))'}}}
"""


def counters():
    """1000 events a step, all of them bad within the outage, from two instances that share them."""
    series = []
    for instance in ("a", "b"):
        total, bad, totals, bads = 0, 0, [], []
        for t in range(PAST, NOW + 1, STEP):
            total += 500
            bad += 500 if ORIGIN < t <= ORIGIN + OUTAGE else 0
            totals.append((t * 1000, float(total)))
            bads.append((t * 1000, float(bad)))
        series.append(({"__name__": "requests_total", "instance": instance}, totals))
        series.append(({"__name__": "failed_total", "instance": instance}, bads))
    return series


class Objectives(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = os.path.join(cls.folder.name, "checkout.yml")
        with open(cls.path, "w", encoding="utf-8") as file:
            file.write(FILE)
        cls.rules = os.path.join(cls.folder.name, "one.rules")
        with open(cls.rules, "w", encoding="utf-8") as file:
            file.write("groups: [{name: before, rules: [{record: one, expr: '1'}]}]")
        cls.server = Server("--retention", "60d", "--slo", os.path.join(cls.folder.name, "*.yml"), "--rules", cls.rules)
        cls.addClassCleanup(cls.folder.cleanup)
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.__exit__, None, None, None)
        for labels, samples in counters():
            for i in range(0, len(samples), 20000):
                status, text, _ = remote_write.write(cls.server.address, [(labels, samples[i:i + 20000])])
                assert status == 204, text

    def get(self, path, status=200):
        got, body, _ = self.server.get("/api/v1/slos" + path)
        self.assertEqual(got, status, body)
        return json.loads(body).get("data")

    def at(self, seconds):
        slos = self.get(f"?time={ORIGIN + seconds}")
        self.assertEqual(len(slos), 1)
        return slos[0]

    def test_budget_at_past_times(self):
        for seconds, bad in ((0, 0), (300, 300), (600, 600), (7200, 600)):
            slo = self.at(seconds)
            total = PERIOD // STEP * 1000
            self.assertEqual(slo["total"], total)
            self.assertEqual(slo["good"], total - bad // STEP * 1000)
            self.assertAlmostEqual(slo["budget_remaining"], 1 - bad / (PERIOD * 0.001), places=9)
            self.assertEqual(slo["coverage"], 1)
            self.assertEqual(slo["objective"], 0.999)
            self.assertEqual(slo["window"], "30d")
            self.assertEqual(slo["runbook_url"], "https://wiki/checkout")

    def test_burn_rates_and_states(self):
        slo = self.at(300)
        # 300 s of an hour, of five minutes, …, over the budget of 0.1 %
        for window, seconds in (("1h", 3600), ("5m", 300), ("6h", 21600), ("3d", 259200)):
            self.assertAlmostEqual(slo["burn_rates"][window], min(300, seconds) / seconds / 0.001, places=6)
        for tier in slo["tiers"]:
            fired = EXPECTED[tier["name"]][0]
            self.assertEqual(tier["state"], "firing")
            self.assertEqual(tier["active_since"], ORIGIN + fired)
            self.assertAlmostEqual(tier["factor"], {"page-fast": 14.4, "page-slow": 6, "ticket-fast": 3,
                                                    "ticket-slow": 1}[tier["name"]])
        # All of the budget is gone 2592 s after the beginning, at this pace of an hour's mean: 92.6 % of it is left
        # at 192 s, and so on; here it is enough that the end is in sight.
        self.assertGreater(slo["forecast_exhaustion"], ORIGIN + 300)
        self.assertEqual(self.at(0)["forecast_exhaustion"], None)

    def test_backtest_is_the_vectors(self):
        data = self.get(f"/checkout/backtest?start={ORIGIN - 3600}&end={NOW}")
        got = {a["tier"]: (a["start"] - ORIGIN, a["end"] - ORIGIN) for a in data["alerts"]}
        self.assertEqual(got, EXPECTED)
        self.assertEqual((data["pages"], data["tickets"]), (2, 2))

    def test_history(self):
        points = self.get(f"/checkout/history?start={ORIGIN}&end={ORIGIN + 600}&step=60s")
        self.assertEqual([p["time"] - ORIGIN for p in points], list(range(0, 601, 60)))
        for point in points:
            spent = (point["time"] - ORIGIN) / (PERIOD * 0.001)
            self.assertAlmostEqual(point["budget_remaining"], 1 - spent, places=9)

    def test_preview_equals_backtest(self):
        status, body, _ = self.server.request(
            "POST", f"/api/v1/slos/preview?start={ORIGIN - 3600}&end={NOW}", FILE.replace("checkout", "other"))
        self.assertEqual(status, 200, body)
        preview = json.loads(body)["data"][0]
        backtest = self.get(f"/checkout/backtest?start={ORIGIN - 3600}&end={NOW}")
        self.assertEqual(preview["alerts"], backtest["alerts"])
        status, body, _ = self.server.request("POST", "/api/v1/slos/preview", "kind: SLO\n")
        self.assertEqual(status, 400)
        self.assertIn("preview:1:1:", json.loads(body)["error"])

    def test_exclusions(self):
        before = self.at(7200)["budget_remaining"]
        status, body, _ = self.server.request("POST", "/api/v1/slos/checkout/exclusions", json.dumps(
            {"start": ORIGIN, "end": ORIGIN + OUTAGE, "reason": "moved", "author": "me"}))
        self.assertEqual(status, 200, body)
        number = json.loads(body)["data"]["id"]
        self.assertEqual(self.at(7200)["budget_remaining"], 1)
        listed = self.get("/checkout/exclusions")
        self.assertEqual([(x["id"], x["reason"], x["author"]) for x in listed], [(number, "moved", "me")])
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        self.assertEqual(self.at(7200)["budget_remaining"], 1)
        status, body, _ = self.server.request("DELETE", f"/api/v1/slos/checkout/exclusions?id={number}")
        self.assertEqual(status, 400, body)
        status, body, _ = self.server.request(
            "DELETE", f"/api/v1/slos/checkout/exclusions?id={number}&author=me&reason=mistake")
        self.assertEqual(status, 200, body)
        self.assertEqual(self.at(7200)["budget_remaining"], before)

    def test_live(self):
        deadline = time.time() + 60
        while True:
            slo = self.get("?name=checkout")[0]
            if slo["evaluated_at"] is not None or time.time() > deadline:
                break
            time.sleep(0.2)  # the first evaluation is the server's to make
        self.assertIsNotNone(slo["evaluated_at"])
        self.assertEqual(slo["version"], 1)
        while not self.server.query("slo_error_budget_remaining_ratio", time.time()):
            self.assertLess(time.time(), deadline)
            time.sleep(0.2)
        rows = self.server.query("slo_objective_ratio", time.time())
        self.assertEqual([(r["metric"]["slo"], float(r["value"][1])) for r in rows], [("checkout", 0.999)])

    def test_openslo(self):
        status, body, _ = self.server.get("/api/v1/slos/checkout/openslo")
        self.assertEqual(status, 200)
        self.assertIn("kind: SLO", body)
        self.get("/nope/openslo", 404)
        self.get("/nope/history", 404)
        self.get("?time=x", 400)

    def test_reload_keeps_what_was_refused(self):
        other = os.path.join(self.folder.name, "other.yml")
        with open(other, "w", encoding="utf-8") as file:
            file.write("apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: x}\nspec: {}\n")
        with open(self.rules, "w", encoding="utf-8") as file:
            file.write("groups: [{name: after, rules: [{record: one, expr: '1'}]}]")
        status, body, _ = self.server.post("/-/reload", [])
        self.assertEqual(status, 500, body)
        self.assertIn("other.yml:4:7: timeWindow", body)
        self.assertEqual([s["name"] for s in self.get("")], ["checkout"])
        self.assertEqual(self.groups(), ["before"])
        os.remove(other)
        self.assertEqual(self.server.post("/-/reload", [])[0], 200)
        self.assertEqual(self.groups(), ["after"])

    def groups(self):
        _, body, _ = self.server.get("/api/v1/rules")
        return [group["name"] for group in json.loads(body)["data"]["groups"]]

    def tool(self, *words, status=0):
        done = subprocess.run([find_program("sonde"), "slo", *words], capture_output=True, text=True, check=False,
                              timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_tool(self):
        self.assertIn("page-fast    page   1h/5m factor 14.4", self.tool("check", self.path))
        server = ("--server", f"http://{self.server.address}")
        text = self.tool("budget", *server, "--time", str(ORIGIN + 600))
        self.assertIn("checkout", text)
        self.assertIn("76.852 %", text)
        text = self.tool("backtest", "checkout", *server, "--start", str(ORIGIN - 3600), "--end", str(NOW))
        self.assertIn("2 pages, 2 tickets", text)
        self.assertIn("checkout", self.tool("forecast", *server, "--time", str(ORIGIN + 300)))
        bad = os.path.join(self.folder.name, "bad.txt")
        with open(bad, "w", encoding="utf-8") as file:
            file.write(FILE.replace("sonde.dev/runbook-url", "x"))
        self.assertIn("no runbook", self.tool("check", bad, status=1))


if __name__ == "__main__":
    start(run_cases)
