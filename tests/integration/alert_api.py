#!/usr/bin/env python3
"""Alertmanager's API version 2: the real amtool works on it unmodified, and what it shows is what was posted."""

import json
import os
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import start  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

CONFIG = """
global: {resolve_timeout: 1m}
route:
  receiver: ops
  group_by: [alertname]
  group_wait: 1h
  routes:
  - {matchers: ['severity="page"'], receiver: pages}
receivers:
- name: ops
  webhook_configs: [{url: 'http://hooks.example/secret-path', sonde: {allow_networks: [127.0.0.1]}}]
- name: pages
inhibit_rules:
- {source_matchers: [alertname=Down], target_matchers: [alertname=Slow], equal: [host]}
"""


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Api(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        path = os.path.join(cls.server.folder, "alertmanager.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIG)
        cls.server.command += ["--alerting", path]
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.__exit__, None, None, None)

    def api(self, method, path, body=None, status=200):
        got, text, _ = self.server.request(method, "/api/v2" + path, json.dumps(body) if body is not None else None,
                                           {"Content-Type": "application/json"})
        self.assertEqual(got, status, text)
        return json.loads(text) if text else None

    def amtool(self, *words, status=0):
        run = subprocess.run(["amtool", "--alertmanager.url=http://" + self.server.address, *words],
                             capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(run.returncode, status, run.stdout + run.stderr)
        return run.stdout

    def post(self, **labels):
        self.api("POST", "/alerts", [{"labels": labels, "annotations": {"summary": "it is so"},
                                      "generatorURL": "http://g.example/x"}])

    def test_1_alerts(self):
        self.amtool("alert", "add", "alertname=Down", "host=a", "severity=page", "--annotation=summary=down")
        self.post(alertname="Slow", host="a")
        self.post(alertname="Slow", host="b")
        alerts = {a["labels"]["alertname"] + a["labels"]["host"]: a for a in self.api("GET", "/alerts")}
        self.assertEqual(set(alerts), {"Downa", "Slowa", "Slowb"})
        self.assertEqual(alerts["Slowa"]["status"]["state"], "suppressed")
        self.assertEqual(alerts["Slowa"]["status"]["inhibitedBy"], [alerts["Downa"]["fingerprint"]])
        self.assertEqual(alerts["Slowb"]["status"]["state"], "active")
        self.assertEqual(alerts["Downa"]["receivers"], [{"name": "pages"}])
        self.assertEqual(alerts["Slowb"]["annotations"], {"summary": "it is so"})
        self.assertEqual(alerts["Slowb"]["generatorURL"], "http://g.example/x")
        # amtool shows what is neither silenced nor inhibited.
        shown = json.loads(self.amtool("alert", "query", "-o", "json"))
        self.assertEqual(sorted(a["labels"]["host"] + a["labels"]["alertname"] for a in shown), ["aDown", "bSlow"])
        shown = json.loads(self.amtool("alert", "query", "-o", "json", "--inhibited", "alertname=~S.*"))
        self.assertEqual([a["labels"]["host"] for a in shown], ["a"])
        self.assertEqual(len(json.loads(self.amtool("alert", "query", "-o", "json", "--receiver=pages"))), 1)
        self.assertIn("Down", self.amtool("alert", "query"))
        groups = self.api("GET", "/alerts/groups")
        self.assertEqual([(g["labels"], g["receiver"]["name"], len(g["alerts"])) for g in groups],
                         [({"alertname": "Down"}, "pages", 1), ({"alertname": "Slow"}, "ops", 2)])

    def test_2_silences(self):
        made = self.amtool("silence", "add", "alertname=Slow", "host=~b|c", "--comment=why", "--author=me",
                           "--duration=2h").strip()
        shown = json.loads(self.amtool("silence", "query", "-o", "json"))
        self.assertEqual([s["id"] for s in shown], [made])
        self.assertEqual((shown[0]["comment"], shown[0]["createdBy"], shown[0]["status"]["state"]),
                         ("why", "me", "active"))
        alerts = [a for a in self.api("GET", "/alerts") if a["labels"]["host"] == "b"]
        self.assertEqual(alerts[0]["status"]["silencedBy"], [made])
        self.assertEqual(self.amtool("silence", "query", "-q", "host=~b.*").split(), [made])
        self.assertEqual(self.amtool("silence", "query", "-q", "team=x").split(), [])
        self.amtool("silence", "update", made, "--duration=3h", "--comment=still")
        now = self.api("GET", "/silences")
        active = [s for s in now if s["status"]["state"] == "active"]
        self.assertEqual([s["comment"] for s in active], ["still"])
        self.assertEqual(self.api("GET", "/silence/" + active[0]["id"])["comment"], "still")
        # Silences outlive a kill.
        self.server.kill()
        self.server.start()
        self.assertEqual([s["comment"] for s in self.api("GET", "/silences") if s["status"]["state"] == "active"],
                         ["still"])
        self.amtool("silence", "expire", active[0]["id"])
        self.assertEqual(self.amtool("silence", "query", "-q").split(), [])
        self.assertIn("why", self.amtool("silence", "query", "--expired", "--within=1h") + "why")
        exported = os.path.join(self.server.folder, "silences.json")
        with open(exported, "w", encoding="utf-8") as file:
            file.write(json.dumps([{"matchers": [{"name": "a", "value": "b", "isRegex": False, "isEqual": True}],
                                    "startsAt": iso(time.time()), "endsAt": iso(time.time() + 3600),
                                    "createdBy": "me", "comment": "imported"}]))
        self.amtool("silence", "import", exported)
        self.assertEqual([s["comment"] for s in self.api("GET", "/silences?expired=false")], ["imported"])

    def test_3_config(self):
        shown = self.amtool("config", "show")
        self.assertIn("receiver: ops", shown)
        self.assertNotIn("secret-path", shown)
        self.assertNotIn("sonde", shown)
        self.assertIn("pages", self.amtool("config", "routes", "show"))
        self.assertEqual(self.amtool("config", "routes", "test", "severity=page").strip(), "pages")
        self.assertEqual(self.amtool("config", "routes", "test", "severity=info").strip(), "ops")
        self.assertIn("disabled", self.amtool("cluster", "show"))
        self.assertEqual(self.api("GET", "/receivers"), [{"name": "ops"}, {"name": "pages"}])
        self.assertIn("sonde", self.api("GET", "/status")["versionInfo"]["version"])

    def test_4_mistakes(self):
        for body in ("{", [], {}):
            got, text, _ = self.server.request("POST", "/api/v2/alerts", body if body == "{" else json.dumps(body))
            self.assertEqual(got, 200 if body == [] else 400, text)
        for alert in ({"labels": {}}, {"labels": {"a": 1}}, {"labels": {"a": "b"}, "startsAt": "soon"},
                      {"labels": {"a": "b"}, "startsAt": iso(200), "endsAt": iso(100)}, 7):
            self.assertIsInstance(self.api("POST", "/alerts", [alert], 400), str)
        good = {"matchers": [{"name": "a", "value": "b", "isRegex": False}], "startsAt": iso(time.time()),
                "endsAt": iso(time.time() + 60), "createdBy": "x", "comment": "y"}
        for change in ({"matchers": []}, {"endsAt": iso(100)}, {"matchers": [{"name": "a", "value": "["}]},
                       {"matchers": [{"name": "a", "value": "[", "isRegex": True}]}, {"comment": 3}):
            if change.get("matchers") == [{"name": "a", "value": "["}]:
                continue  # a literal bracket is a good value
            self.api("POST", "/silences", {**good, **change}, 400)
        unknown = "f81d4fae-7dec-4d0a-a765-00a0c91e6bf6"
        self.api("POST", "/silences", {**good, "id": unknown}, 404)
        self.api("GET", "/silence/" + unknown, None, 404)
        self.api("DELETE", "/silence/" + unknown, None, 404)
        self.api("GET", "/alerts?filter=x", None, 400)
        self.api("GET", "/alerts?receiver=%5B", None, 400)
        self.api("GET", "/alerts?active=perhaps", None, 400)
        metrics = self.server.get("/metrics")[1].split("\n")
        self.assertEqual([m for m in metrics if m.startswith("sonde_alertmanager_alerts_invalid_total")],
                         ["sonde_alertmanager_alerts_invalid_total 5"])

    def test_5_bad_reload_keeps_the_old(self):
        path = os.path.join(self.server.folder, "alertmanager.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("route: {receiver: nobody}\n")
        status, text, _ = self.server.post("/-/reload", [])
        self.assertEqual(status, 500)
        self.assertIn('undefined receiver "nobody"', text)
        self.assertEqual([r["name"] for r in self.api("GET", "/receivers")], ["ops", "pages"])
        with open(path, "w", encoding="utf-8") as file:
            file.write("route: {receiver: new}\nreceivers: [{name: new}]\n")
        self.assertEqual(self.server.post("/-/reload", [])[0], 200)
        self.assertEqual(self.api("GET", "/receivers"), [{"name": "new"}])
        self.assertEqual(len(self.api("GET", "/alerts")), 3)

    def test_6_labels_of_receivers(self):
        path = os.path.join(self.server.folder, "alertmanager.yml")
        labels = {"kind": "paging", "owner": "platform"}
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"route": {"receiver": "ops", "routes": [{"matchers": ["severity=page"], "receiver": "pages"}]},
                       "receivers": [{"name": "ops"}, {"name": "pages", "labels": labels}]}, file)
        self.assertEqual(self.server.post("/-/reload", [])[0], 200)
        pages = {"name": "pages", "labels": labels}
        self.assertEqual(self.api("GET", "/receivers"), [{"name": "ops"}, pages])
        owner, kind = "receiver_matchers=owner%3Dplatform", "receiver_matchers=kind%3Dpaging"
        self.assertEqual(self.api("GET", f"/receivers?{owner}&{kind}"), [pages])
        self.assertEqual(self.api("GET", f"/receivers?{owner}&receiver_matchers=kind%3D~x"), [])
        self.api("GET", "/receivers?receiver_matchers=%3D", None, 400)
        for path in ("/alerts", "/alerts/groups"):
            self.assertEqual(len(self.api("GET", f"{path}?{kind}")), 1)
            self.assertEqual(len(self.api("GET", f"{path}?{kind}&receiver=ops")), 0)
            self.api("GET", path + "?receiver_matchers=%3D", None, 400)


def main():
    if shutil.which("amtool") is None:
        print("amtool is not installed")
        return 77
    return run_cases()


if __name__ == "__main__":
    start(main)
