#!/usr/bin/env python3
"""Rules as a user meets them: files by flag, evaluation, alerts as JSON and as series, reload, rules written over
HTTP, and a kill in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import find_program, start  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

FILE = """
groups:
- name: first
  interval: 1s
  labels: {team: shop}
  rules:
  - {record: 'one:two', expr: 'vector(1) * 2'}
  - alert: Always
    expr: one:two == 2
    for: 1h
    labels: {severity: '{{ if gt $value 1.0 }}high{{ end }}'}
    annotations: {summary: 'is {{ $value }}'}
  - {alert: Never, expr: 'one:two > 5'}
- name: second
  rules: []
"""


class RulesCases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--web.external-url", "http://sonde.example", "--web.route-prefix", "/")
        cls.path = os.path.join(cls.server.folder, "first.yml")
        cls.write(FILE)
        cls.server.command += ["--rules", os.path.join(cls.server.folder, "*.yml")]
        cls.server.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    @classmethod
    def write(cls, text):
        with open(cls.path, "w", encoding="utf-8") as file:
            file.write(text)

    def rules(self, parameters=""):
        status, body, _ = self.server.get("/api/v1/rules" + parameters)
        self.assertEqual(status, 200, body)
        return json.loads(body)["data"]

    def wait_for(self, what, check):
        """Evaluations come by the clock: each second."""
        for _ in range(200):
            value = check()
            if value:
                return value
            time.sleep(0.05)
        self.fail(f"never: {what}")

    def alerts(self):
        return json.loads(self.server.get("/api/v1/alerts")[1])["data"]["alerts"]

    def test_1_rules_are_shown(self):
        alert = self.wait_for("an alert", self.alerts)[0]
        self.assertEqual(alert["labels"], {"alertname": "Always", "severity": "high", "team": "shop"})
        self.assertEqual(alert["annotations"], {"summary": "is 2"})
        self.assertEqual((alert["state"], alert["value"]), ("pending", "2e+00"))
        groups = self.rules()["groups"]
        self.assertEqual([group["name"] for group in groups], ["first"])  # one without rules is left out
        record, always, never = groups[0]["rules"]
        self.assertEqual(groups[0]["file"], self.path)
        self.assertEqual((record["type"], record["query"], record["health"]),
                         ("recording", "vector(1) * 2", "ok"))
        self.assertEqual((always["type"], always["state"], always["duration"]), ("alerting", "pending", 3600))
        self.assertEqual(always["labels"], {"severity": "{{ if gt $value 1.0 }}high{{ end }}", "team": "shop"})
        self.assertEqual((never["state"], never["alerts"]), ("inactive", []))

    def test_2_parameters(self):
        names = lambda data: [rule["name"] for group in data["groups"] for rule in group["rules"]]
        self.assertEqual(names(self.rules("?type=record")), ["one:two"])
        self.assertEqual(names(self.rules("?type=alert")), ["Always", "Never"])
        self.assertEqual(names(self.rules("?rule_name[]=Never&rule_name[]=one:two")), ["one:two", "Never"])
        self.assertEqual(names(self.rules("?rule_group[]=other")), [])
        self.assertEqual(names(self.rules("?match[]={severity!=%22%22}")), ["Always"])
        always = self.rules("?rule_name[]=Always&exclude_alerts=true")["groups"][0]["rules"][0]
        self.assertIsNone(always["alerts"])
        self.assertEqual(self.server.get("/api/v1/rules?type=all")[0], 400)
        self.assertEqual(self.server.get("/api/v1/rules?group_next_token=x")[0], 400)

    def test_3_series(self):
        labels = {"__name__": "ALERTS", "alertname": "Always", "alertstate": "pending", "severity": "high",
                  "team": "shop"}
        found = self.wait_for("ALERTS", lambda: self.server.query("ALERTS"))
        self.assertEqual([(element["metric"], element["value"][1]) for element in found], [(labels, "1")])
        self.assertEqual(self.server.query("one:two")[0]["metric"], {"__name__": "one:two", "team": "shop"})
        self.assertIn('sonde_rule_group_rules{rule_group="' + self.path + ';first"} 3',
                      self.server.get("/metrics")[1])

    def test_4_a_kill_changes_nothing(self):
        before = self.alerts()
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        self.server.start()
        after = self.alerts()
        for alert in before + after:
            del alert["value"]
        self.assertEqual(before, after)  # activeAt is among it
        self.wait_for("an evaluation", lambda: self.rules()["groups"][0]["rules"][0]["health"] == "ok")
        self.assertEqual(self.alerts()[0]["activeAt"], before[0]["activeAt"])

    def test_5_reload(self):
        since = self.alerts()[0]["activeAt"]
        self.write(FILE.replace("Always\n", "Always\n    keep_firing_for: 5m\n").replace("vector(1) * 2", "("))
        status, body, _ = self.server.post("/-/reload", [])
        self.assertGreaterEqual(status, 400)
        self.assertIn("first.yml:7:", body)
        self.write(FILE.replace("for: 1h", "for: 0s"))
        self.assertEqual(self.server.post("/-/reload", [])[0], 200)
        firing = self.wait_for("firing", lambda: [a for a in self.alerts() if a["state"] == "firing"])
        self.assertEqual(firing[0]["activeAt"], since)  # the alert is the one it was

    def test_6_written_over_http(self):
        body = "name: mine\ninterval: 1s\nrules:\n- record: mine:one\n  expr: vector(41) + 1\n"
        send = lambda method, path, text=None: self.server.request(
            method, "/config/v1/rules" + path, text, {"X-Scope-OrgID": "anybody"})
        self.assertEqual(send("GET", "")[:2], (200, b"{}\n"))
        self.assertEqual(send("POST", "/my%20rules", body)[0], 202)
        self.wait_for("the series", lambda: [e["value"][1] for e in self.server.query("mine:one")] == ["42"])
        self.assertIn("my rules", [group["file"] for group in self.rules()["groups"]])
        self.assertIn(b'"my rules":', send("GET", "")[1])
        self.assertIn(b"mine:one", send("GET", "/my%20rules")[1])
        self.assertIn(b"interval: 1s", send("GET", "/my%20rules/mine")[1])
        status, answer, _ = send("POST", "/my%20rules", body.replace("vector(41)", "vector("))
        self.assertEqual(status, 400)
        self.assertIn(b"could not parse expression", answer)
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        self.server.start()
        self.assertIn("my rules", [group["file"] for group in self.rules()["groups"]])
        self.assertEqual(send("DELETE", "/my%20rules/other")[0], 404)
        self.assertEqual(send("DELETE", "/my%20rules/mine")[0], 202)
        self.assertEqual(send("GET", "/my%20rules")[0], 404)
        self.assertNotIn("my rules", [group["file"] for group in self.rules()["groups"]])

    def test_7_a_bad_file_at_the_start(self):
        self.write(FILE.replace("vector(1) * 2", "("))
        done = subprocess.run(
            [find_program("sonde-server"), "--data", os.path.join(self.server.folder, "other"), "--listen",
             "127.0.0.1:0", "--rules", self.path], text=True, timeout=60, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("first.yml:7:31: could not parse expression", done.stderr)


if __name__ == "__main__":
    start(run_cases)
