#!/usr/bin/env python3
"""A service breaks, people are told, it is mended: rules, an objective and notification in one server, as somebody
would set them up. A service of the test's own counts requests and failures, with exemplars that name traces; the
traces are in the server, too. What is told leads to the runbook and to a trace from the bad time that is there."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import find_program, free_port, start, wait_until, write_file  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

SUPPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support")
RUNBOOK = "https://wiki.example/checkout"
RULES = """
groups:
- name: shop
  interval: 1s
  rules:
  - alert: Failing
    expr: rate(failed_total[10s]) > 1
    for: 3s
    labels: {severity: page}
    annotations: {summary: '{{ $value | humanize }} failures a second', runbook_url: 'https://wiki.example/failing'}
"""
# Windows of seconds in place of hours: k · L = c · P holds for them as well.
OBJECTIVE = f"""
version: prometheus/v1
service: shop
slos:
- name: checkout
  objective: 99.9
  sli: {{events: {{error_query: failed_total, total_query: requests_total}}}}
  alerting:
    annotations:
      runbook_url: {RUNBOOK}
      sonde.dev/step: 1s
      sonde.dev/window: 1d
      sonde.dev/tiers: 'page-fast=1m/5s@2%:page'
"""


class Service(threading.Thread):
    """100 requests a second; when it is broken half of them fail. Every failure has a trace."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.broken, self.over = server, False, False
        self.requests = self.failures = 0
        self.traces = {}

    def run(self):
        while not self.over:
            now = time.time()
            self.requests += 20
            exemplars = []
            if self.broken:
                self.failures += 10
                trace = f"{len(self.traces) + 0xabc000:032x}"
                self.traces[trace] = now
                self.send_trace(trace, now)
                exemplars = [({"trace_id": trace}, 1.0, int(now * 1000))]
            body = remote_write.series({"__name__": "requests_total", "job": "shop"},
                                       [(int(now * 1000), float(self.requests))])
            body += remote_write.series_with_exemplars({"__name__": "failed_total", "job": "shop"},
                                                       [(int(now * 1000), float(self.failures))], exemplars)
            status, text, _ = remote_write.post(self.server.address, remote_write.snappy(body))
            assert status == 204, text
            time.sleep(max(0, now + 0.2 - time.time()))  # it is a service: it runs by the clock

    def send_trace(self, trace, now):
        span = {"traceId": trace, "spanId": trace[-16:], "name": "POST /checkout", "kind": 2,
                "startTimeUnixNano": str(int(now * 1e9)), "endTimeUnixNano": str(int(now * 1e9) + 5000000)}
        body = {"resourceSpans": [{"resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "shop"}}]}, "scopeSpans": [{"spans": [span]}]}]}
        self.server.request("POST", "/v1/traces", json.dumps(body), {"Content-Type": "application/json"})


class Walk(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        folder = self.server.folder
        self.log = os.path.join(folder, "hooks.jsonl")
        port = free_port()
        receiver = subprocess.Popen([sys.executable, "-B", os.path.join(SUPPORT, "webhook_receiver.py"), str(port),
                                     self.log, "200"])
        self.addCleanup(receiver.wait)
        self.addCleanup(receiver.kill)
        write_file(os.path.join(folder, "r.yml"), RULES)
        write_file(os.path.join(folder, "slo.yml"), OBJECTIVE)
        write_file(os.path.join(folder, "am.yml"), json.dumps({
            "route": {"receiver": "hooks", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s"},
            "receivers": [{"name": "hooks", "webhook_configs": [{"url": f"http://127.0.0.1:{port}/hook"}],
                           "slack_configs": [{"api_url": f"http://127.0.0.1:{port}/slack", "send_resolved": True}]}],
            "sonde": {"allow_networks": ["127.0.0.1"]}}))
        # As the documents say it: what the configuration does not name is as it is.
        self.server.command += ["--rules", os.path.join(folder, "*r.yml"), "--slo", os.path.join(folder, "slo.yml"),
                                "--alerting", os.path.join(folder, "am.yml"),
                                "--web.external-url", f"http://{self.server.address}"]
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)
        self.service = Service(self.server)
        self.service.start()
        self.addCleanup(setattr, self.service, "over", True)

    def alert(self, name):
        alerts = json.loads(self.server.get("/api/v1/alerts")[1])["data"]["alerts"]
        return next((a for a in alerts if a["labels"]["alertname"] == name), None)

    def bodies(self, path):
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as file:
            requests = [json.loads(line) for line in file if line.endswith("\n")]
        return [json.loads(r["body"]) for r in requests if r["path"] == path]

    def told(self, name, status):
        """The last message of that status about the alert."""
        found = [b for b in self.bodies("/hook")
                 if b["status"] == status and b["commonLabels"].get("alertname") == name]
        return found[-1] if found else None

    def tool(self, *words):
        done = subprocess.run([find_program("sonde"), *words, "--server", self.server.url], capture_output=True,
                              text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_a_service_breaks(self):
        wait_until(lambda: self.service.requests > 200, 30, "requests")
        self.service.broken = True
        pending = wait_until(lambda: self.alert("Failing"), 30, "a pending alert")
        self.assertIn(pending["state"], ("pending", "firing"))
        wait_until(lambda: self.alert("Failing")["state"] == "firing", 30, "a firing alert")
        rule = wait_until(lambda: self.told("Failing", "firing"), 30, "the rule's alert told")
        self.assertEqual(rule["commonAnnotations"]["runbook_url"], "https://wiki.example/failing")
        slo = wait_until(lambda: self.told("SLOErrorBudgetBurn", "firing"), 60, "the objective's alert told")
        self.objective_is_told(slo["alerts"][0])
        self.silence()
        self.questions()
        self.service.broken = False
        wait_until(lambda: self.told("Failing", "resolved"), 60, "the end of the rule's alert")
        end = wait_until(lambda: self.told("SLOErrorBudgetBurn", "resolved"), 120, "the end of the objective's")
        self.assertNotEqual(end["alerts"][0]["endsAt"], "0001-01-01T00:00:00Z")
        self.assertIn("delivered", self.tool("alerts", "deliveries"))

    def objective_is_told(self, alert):
        self.assertEqual(alert["annotations"]["runbook_url"], RUNBOOK)
        self.assertRegex(alert["annotations"]["summary"],
                         r"shop-checkout: [\d.]+ % of the 1d error budget was spent within 1m, [\d.]+ times as fast as "
                         r"allowed \([\d.]+ times in the last 5s; tier page-fast alerts above 28\.8\)\. The budget "
                         r"is spent [\d.]+ times over\.")
        self.assertEqual({k: alert["slo"][k] for k in ("name", "objective", "window", "tier", "factor")},
                         {"name": "shop-checkout", "objective": 0.999, "window": "1d", "tier": "page-fast",
                          "factor": 28.8})
        with urllib.request.urlopen(alert["annotations"]["slo_url"], timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        # Traces of the bad time, which are there.
        self.assertGreater(len(alert["exemplars"]), 0)
        for exemplar in alert["exemplars"]:
            self.assertIn(exemplar["traceID"], self.service.traces)
            # The link opens the page, which asks for the trace by the id in its address.
            self.assertEqual(exemplar["url"], f"{self.server.url}/traces?trace={exemplar['traceID']}")
            with urllib.request.urlopen(exemplar["url"], timeout=10) as answer:
                self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
            spans = json.loads(self.server.get(f"/api/traces/{exemplar['traceID']}")[1])["data"][0]["spans"]
            self.assertEqual([s["operationName"] for s in spans], ["POST /checkout"])
        wait_until(lambda: any(f"<{RUNBOOK}|runbook>" in text and f"<{self.server.url}/traces?trace=" in text
                               for text in (b["attachments"][0]["text"] for b in self.bodies("/slack"))), 30, "Slack")

    def silence(self):
        if shutil.which("amtool") is None:
            return
        words = ["amtool", f"--alertmanager.url={self.server.url}"]
        made = subprocess.run([*words, "silence", "add", "alertname=Failing", "--comment=known", "--author=me"],
                              capture_output=True, text=True, check=True, timeout=60).stdout.strip()
        shown = json.loads(self.server.get("/api/v2/alerts")[1])
        states = {a["labels"]["alertname"]: a["status"] for a in shown}
        self.assertEqual((states["Failing"]["state"], states["Failing"]["silencedBy"]), ("suppressed", [made]))
        self.assertEqual(states["SLOErrorBudgetBurn"]["state"], "active")
        subprocess.run([*words, "silence", "expire", made], check=True, timeout=60)

    def questions(self):
        budget = self.tool("slo", "budget")
        self.assertIn("shop-checkout (shop): 0.999 over 1d", budget)
        self.assertRegex(budget, r"page-fast +page +firing since 20\d\d-")
        self.assertRegex(self.tool("slo", "forecast"), r"shop-checkout +budget left -[\d.]+ %, used up")
        test = self.tool("slo", "backtest", "shop-checkout", "--start", str(int(time.time()) - 600))
        self.assertIn("1 pages, 0 tickets", test)


if __name__ == "__main__":
    start(run_cases)
