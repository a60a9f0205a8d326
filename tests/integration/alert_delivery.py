#!/usr/bin/env python3
"""Webhooks as a delivery system, against a receiver that fails as it is told to: one accepted for each id, a log
that shows every attempt, kills that lose nothing, signatures that another program verifies, and requests that lead
inside refused. Mail, Slack and PagerDuty against stubs; Prometheus and Alertmanager as they are."""

import base64
import email.policy
import hashlib
import hmac
import http.server
import json
import os
import random
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
import unittest

SUPPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support")
sys.path.insert(0, SUPPORT)
from programs import free_port, start, wait_until  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

# unittest reads what is left of the command line.
SENDER = sys.argv.pop(1) if len(sys.argv) > 1 and os.sep in sys.argv[1] else None
KEYS = [bytes(range(32)), b"another key of 24 bytes!"]


def secret(key):
    return "whsec_" + base64.b64encode(key).decode()


def verify(request, key):
    """Standard Webhooks' verification, written from its text."""
    headers = request["headers"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{request['body']}".encode()
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return abs(time.time() - int(headers["webhook-timestamp"])) < 300 and any(
        hmac.compare_digest(wanted, got) for got in headers["webhook-signature"].split(" "))


class Receiver:
    """The process of support/webhook_receiver.py."""

    def __init__(self, folder, plan):
        self.port = free_port()
        self.log = os.path.join(folder, f"receiver-{self.port}.jsonl")
        self.process = subprocess.Popen([sys.executable, "-B", os.path.join(SUPPORT, "webhook_receiver.py"),
                                         str(self.port), self.log, plan])
        wait_until(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close() is None, 20, "the receiver")

    def requests(self):
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def stop(self):
        self.process.kill()
        self.process.wait()


class Delivery(unittest.TestCase):
    def serve(self, config, *flags):
        server = Server(*flags)
        path = os.path.join(server.folder, "alertmanager.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        server.command += ["--alerting", path, "--web.external-url", "http://sonde.example:9095"]
        server.command += ["--web.route-prefix", "/"]
        server.__enter__()
        self.addCleanup(server.__exit__, None, None, None)
        return server

    def receiver(self, server_folder, plan):
        receiver = Receiver(server_folder, plan)
        self.addCleanup(receiver.stop)
        return receiver

    def post(self, server, ends_in=3600, **labels):
        now = time.time()
        alert = {"labels": labels, "annotations": {"summary": "so it is", "runbook_url": "http://r.example/1"},
                 "generatorURL": "http://g.example/x", "startsAt": iso(now - 1), "endsAt": iso(now + ends_in)}
        status, text, _ = server.request("POST", "/api/v2/alerts", json.dumps([alert]))
        self.assertEqual(status, 200, text)

    def deliveries(self, server, query=""):
        status, text, _ = server.get("/api/v1/deliveries" + query)
        self.assertEqual(status, 200, text)
        return json.loads(text)["data"]

    def folder(self):
        import tempfile
        folder = tempfile.mkdtemp(prefix="sonde-test-")
        self.addCleanup(shutil.rmtree, folder, True)
        return folder

    def webhook(self, url, **own):
        return json.dumps({"route": {"receiver": "ops.eu", "group_by": ["alertname"], "group_wait": "0s",
                                     "group_interval": "1s"},
                           "receivers": [{"name": "ops.eu", "webhook_configs": [
                               {"url": url, "timeout": "2s", "sonde": own}]}],
                           "sonde": {"retry_pause": "100ms"}})

    def test_failing_receiver(self):
        receiver = self.receiver(self.folder(), "503,503,503,429:7,hang,reset,200")
        server = self.serve(self.webhook(f"http://127.0.0.1:{receiver.port}/hook", allow_networks=["127.0.0.0/8"],
                                         signing_secrets=[secret(KEYS[0]), secret(KEYS[1])]))
        self.post(server, alertname="A", host="x")
        wait_until(lambda: len(receiver.requests()) >= 2, 60, "two attempts")
        # A restart in the middle: the same id goes on.
        server.kill()
        server.start()
        wait_until(lambda: receiver.requests()[-1:] and receiver.requests()[-1]["word"] == "200", 400, "200")
        requests = receiver.requests()
        self.assertEqual({r["headers"]["webhook-id"] for r in requests}, {requests[0]["headers"]["webhook-id"]})
        self.assertEqual([r["word"] for r in requests], ["503"] * 3 + ["429:7", "hang", "reset", "200"])
        self.assertGreaterEqual(requests[4]["time"] - requests[3]["time"], 7)
        delivery = wait_until(lambda: self.deliveries(server, "?state=delivered"), 20, "the log")[0]
        self.assertEqual(delivery["id"], requests[0]["headers"]["webhook-id"])
        self.assertEqual([a["status"] for a in delivery["attempts"]], [503, 503, 503, 429, 0, 0, 200])
        self.assertEqual(delivery["attempts"][-1]["response"], "said 200")
        self.assertEqual(delivery["attempts"][0]["response"], "said 503")
        for request in requests:
            self.assertTrue(verify(request, KEYS[0]) and verify(request, KEYS[1]))
            self.assertFalse(verify({**request, "body": request["body"][:-2] + " }"}, KEYS[0]))
            self.assertFalse(verify(request, b"x" * 32))
        self.payload(json.loads(requests[-1]["body"]), delivery["id"])

    def payload(self, body, delivery_id):
        self.assertEqual(list(body), ["receiver", "status", "alerts", "notification_reason", "groupLabels",
                                      "commonLabels", "commonAnnotations", "routeLabels", "externalURL", "version",
                                      "groupKey", "truncatedAlerts", "deliveryId", "attempt"])
        self.assertEqual(body["receiver"], "ops\\.eu")
        self.assertEqual((body["status"], body["version"], body["truncatedAlerts"]), ("firing", "4", 0))
        self.assertEqual(body["groupKey"], '{}:{alertname="A"}')
        self.assertEqual(body["notification_reason"], "first notification")
        self.assertEqual(body["commonLabels"], {"alertname": "A", "host": "x"})
        self.assertEqual(body["externalURL"], "http://sonde.example:9095")
        self.assertEqual((body["deliveryId"], body["attempt"]), (delivery_id, 7))
        alert = body["alerts"][0]
        self.assertEqual(alert["endsAt"], "0001-01-01T00:00:00Z")
        self.assertEqual(alert["fingerprint"], fingerprint({"alertname": "A", "host": "x"}))
        self.assertEqual(alert["annotations"]["runbook_url"], "http://r.example/1")

    def test_kills(self):
        """Killed at 100 random moments: no alert untold, each id accepted, none stands for two messages."""
        receiver = self.receiver(self.folder(), "200")
        server = self.serve(self.webhook(f"http://127.0.0.1:{receiver.port}/", allow_networks=["127.0.0.1"]))
        random.seed(1)
        names = [f"alert{i}" for i in range(100)]
        for name in names:
            self.post(server, alertname=name)
            time.sleep(random.random() / 20)
            server.kill()
            server.start()
        told = lambda: {json.loads(r["body"])["groupLabels"]["alertname"] for r in receiver.requests()}  # noqa: E731
        wait_until(lambda: told() == set(names), 60, "every alert told")
        of_id = {}
        for request in receiver.requests():
            body = json.loads(request["body"])
            what = (body["groupKey"], body["notification_reason"], len(body["alerts"]))
            self.assertEqual(of_id.setdefault(body["deliveryId"], what), what)
        wait_until(lambda: not self.deliveries(server, "?state=pending"), 30, "nothing is left on its way")
        known = {d["id"]: d["state"] for d in self.deliveries(server)}
        self.assertEqual({known.get(i) for i in of_id}, {"delivered"})
        first = [what for what in of_id.values() if what[1] == "first notification"]
        self.assertEqual(len(first), len(names))

    def test_dead_letter_and_replay(self):
        receiver = self.receiver(self.folder(), "410,200")
        server = self.serve(self.webhook(f"http://127.0.0.1:{receiver.port}/", allow_networks=["127.0.0.1"]))
        self.post(server, alertname="A")
        dead = wait_until(lambda: self.deliveries(server, "?state=dead"), 30, "a dead letter")[0]
        self.assertEqual(dead["attempts"][0]["status"], 410)
        time.sleep(2)
        self.assertEqual(len(receiver.requests()), 1)  # gone is gone
        tool = os.path.join(os.path.dirname(server.command[0]), "sonde")
        run = subprocess.run([tool, "alerts", "deliveries", "--server", server.url, "--state", "dead"],
                             capture_output=True, text=True, check=True, timeout=60)
        self.assertIn(dead["id"], run.stdout)
        subprocess.run([tool, "alerts", "replay", dead["id"], "--server", server.url], check=True, timeout=60)
        wait_until(lambda: len(receiver.requests()) == 2, 30, "the replay")
        again = receiver.requests()[1]
        self.assertEqual(again["headers"]["webhook-id"], dead["id"])
        run = subprocess.run([tool, "alerts", "replay", "msg_unknown", "--server", server.url],
                             capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(run.returncode, 1)
        self.assertIn("msg_unknown", run.stderr)

    def test_requests_that_lead_inside(self):
        receiver = self.receiver(self.folder(), "200")
        secret_path = "/a-secret-path"
        hosts = [f"127.0.0.1:{receiver.port}", f"localhost:{receiver.port}", "169.254.169.254", f"[::1]:{receiver.port}",
                 f"[::ffff:127.0.0.1]:{receiver.port}", f"0.0.0.0:{receiver.port}", f"2130706433:{receiver.port}"]
        ways = [{"url": f"http://{host}{secret_path}"} for host in hosts]
        server = self.serve(json.dumps({"route": {"receiver": "a", "group_wait": "0s", "group_interval": "1h"},
                                        "receivers": [{"name": "a", "webhook_configs": ways}]}))
        self.post(server, alertname="A")
        wait_until(lambda: len(self.deliveries(server, "?state=dead")) == len(hosts), 30, "all refused")
        for delivery in self.deliveries(server):
            self.assertIn("allow_networks", delivery["attempts"][0]["error"])
        self.assertEqual(receiver.requests(), [])
        everything = server.log() + json.dumps(self.deliveries(server)) + server.get("/api/v2/status")[1]
        self.assertNotIn(secret_path, everything)

    def test_redirect(self):
        inside = self.receiver(self.folder(), "200")
        outside = self.receiver(self.folder(), f"301:http://127.0.0.1:{inside.port}/x")
        server = self.serve(self.webhook(f"http://127.0.0.1:{outside.port}/", allow_networks=["127.0.0.1"]))
        self.post(server, alertname="A")
        dead = wait_until(lambda: self.deliveries(server, "?state=dead"), 30, "a dead letter")[0]
        self.assertIn("redirects are not followed", dead["attempts"][0]["error"])
        self.assertEqual(inside.requests(), [])

    def test_templates(self):
        """URL, payload and labels of routes are templates; what is data and what is text is as in Alertmanager."""
        folder = self.folder()
        receiver = self.receiver(folder, "503,200,200,200,200")
        base = f"http://127.0.0.1:{receiver.port}/secret-a/"
        with open(os.path.join(folder, "url"), "w", encoding="utf-8") as file:
            file.write(base + "{{ .GroupLabels.alertname }}\n")
        payload = {"text": "{{ .CommonLabels.host }}: {{ .Alerts | len }}", "{{ .Status }}": True, "n": 7, "zero": None,
                   "quoted": "{{ .CommonLabels.colon }}", "routes": "{{ .RouteLabels | toJson }}",
                   "names": ["{{ routeLabels \"who\" }}", "{{ .Alerts | len }}", "plain"], "empty": ""}
        server = self.serve(json.dumps({
            "route": {"receiver": "a", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s",
                      "labels": {"who": "{{ .CommonLabels.host }}", "env": "test"},
                      "routes": [{"matchers": ["alertname=A"], "labels": {
                          "what": "{{ .GroupLabels.alertname }} on {{ routeLabels \"who\" }}", "env": "prod"}},
                                 {"matchers": ["alertname=Loop"], "labels": {
                                     "a": "{{ routeLabels \"b\" }}", "b": "{{ routeLabels \"a\" }}"}}]},
            "receivers": [{"name": "a", "labels": {"owner": "web"}, "webhook_configs": [
                {"url": base + "{{ .GroupLabels.alertname }}?h={{ .CommonLabels.host | urlquery }}", "payload": payload},
                {"url_file": os.path.join(folder, "url")}]}],
            "sonde": {"allow_networks": ["127.0.0.1"], "retry_pause": "100ms"}}))
        self.post(server, alertname="A", host="a/b", colon="x: y:")
        wait_until(lambda: len(receiver.requests()) == 3, 30, "two messages and an attempt more")
        said = {r["path"]: json.loads(r["body"]) for r in receiver.requests()}
        self.assertEqual(set(said), {"/secret-a/A?h=a%2Fb", "/secret-a/A"})
        routes = {"env": "prod", "what": "A on a/b", "who": "a/b"}
        own = said["/secret-a/A?h=a%2Fb"]
        self.assertEqual(own.pop("quoted"), "x: y:")
        # Texts that look like data are data; a text of its own is one.
        self.assertEqual(own, {"text": {"a/b": 1}, "firing": True, "n": 7, "zero": None, "routes": routes,
                               "names": ["a/b", 1, "plain"], "empty": None})
        self.assertEqual(said["/secret-a/A"]["routeLabels"], routes)
        groups = json.loads(server.get("/api/v2/alerts/groups")[1])
        self.assertEqual([g["routeLabels"] for g in groups], [routes])
        self.assertNotIn("secret-a", server.log() + json.dumps(self.deliveries(server)))
        # What asks for itself is left out, and nobody is kept from telling.
        self.post(server, alertname="Loop", host="h")
        wait_until(lambda: len(receiver.requests()) == 5, 30, "the other messages")
        self.assertEqual(json.loads(receiver.requests()[-1]["body"]).get("routeLabels", {}).get("env", "test"), "test")
        self.assertIn("route label cycle detected", server.log())

    def test_heartbeat(self):
        receiver = self.receiver(self.folder(), "200")
        config = json.loads(self.webhook(f"http://127.0.0.1:{receiver.port}/", allow_networks=["127.0.0.1"]))
        config["receivers"][0]["sonde"] = {"heartbeat": "1s"}
        self.serve(json.dumps(config))
        wait_until(lambda: len(receiver.requests()) >= 3, 30, "three heartbeats")
        bodies = [json.loads(r["body"]) for r in receiver.requests()]
        self.assertEqual({b["alerts"][0]["labels"]["alertname"] for b in bodies}, {"SondeHeartbeat"})
        self.assertEqual(len({b["deliveryId"] for b in bodies}), len(bodies))

    def test_slack_and_pagerduty(self):
        receiver = self.receiver(self.folder(), "200")
        base = f"http://127.0.0.1:{receiver.port}"
        server = self.serve(json.dumps({
            "route": {"receiver": "a", "group_wait": "0s", "group_interval": "1s"},
            "receivers": [{"name": "a",
                           "slack_configs": [{"api_url": base + "/slack", "channel": "#ops", "send_resolved": True}],
                           "pagerduty_configs": [{"routing_key": "the-key", "url": base + "/duty",
                                                  "details": {"who": "{{ .CommonLabels.host }}"}}]}],
            "sonde": {"allow_networks": ["127.0.0.1"]}}))
        self.post(server, alertname="Down", host="db1")
        wait_until(lambda: len(receiver.requests()) == 2, 30, "two messages")
        said = {r["path"]: json.loads(r["body"]) for r in receiver.requests()}
        slack, duty = said["/slack"], said["/duty"]
        self.assertEqual(slack["channel"], "#ops")
        self.assertEqual(slack["attachments"][0]["color"], "danger")
        self.assertIn("[FIRING:1]", slack["attachments"][0]["title"])
        self.assertIn("http://r.example/1", slack["attachments"][0]["text"])
        self.assertEqual((duty["routing_key"], duty["event_action"]), ("the-key", "trigger"))
        self.assertEqual(duty["payload"]["custom_details"]["who"], "db1")
        self.assertEqual(duty["payload"]["custom_details"]["num_firing"], "1")
        self.assertIn("Down", duty["payload"]["summary"])
        with open(os.path.join(server.data, "alerts.journal"), "rb") as file:
            self.assertNotIn(b"the-key", file.read())
        self.post(server, ends_in=0, alertname="Down", host="db1")
        wait_until(lambda: len(receiver.requests()) == 4, 30, "the end")
        ends = {r["path"]: json.loads(r["body"]) for r in receiver.requests()[2:]}
        self.assertEqual(ends["/duty"]["event_action"], "resolve")
        self.assertEqual(ends["/duty"]["dedup_key"], duty["dedup_key"])
        self.assertEqual(ends["/slack"]["attachments"][0]["color"], "good")

    def test_mail(self):
        mails = []
        port = smtp_stub(self, mails)
        server = self.serve(json.dumps({
            "global": {"smtp_smarthost": f"127.0.0.1:{port}", "smtp_from": "Sonde <sonde@example.org>",
                       "smtp_require_tls": False},
            "route": {"receiver": "a", "group_wait": "0s"},
            "receivers": [{"name": "a", "email_configs": [
                {"to": "ops@example.org, {{ .CommonLabels.team }}@example.org", "text": "{{ .Status }}: "
                 "{{ range .Alerts }}{{ .Labels.name }}{{ end }}", "headers": {"X-Team": "b\u00fcro"}}]}]}))
        self.post(server, alertname="Down", team="db", name="<script>\u00e9")
        wait_until(lambda: mails, 30, "a mail")
        delivery = wait_until(lambda: self.deliveries(server, "?state=delivered"), 30, "taken")[0]
        self.assertEqual(delivery["attempts"][-1]["status"], 250)
        sender, recipients, text = mails[0]
        self.assertEqual((sender, recipients), ("sonde@example.org", ["ops@example.org", "db@example.org"]))
        mail = email.message_from_string(text, policy=email.policy.default)
        self.assertEqual(mail["From"], "Sonde <sonde@example.org>")
        self.assertIn("[FIRING:1]", mail["Subject"])
        self.assertEqual(mail["X-Team"], "b\u00fcro")
        plain, html = mail.iter_parts()
        self.assertEqual(plain.get_content().strip(), "firing: <script>\u00e9")
        self.assertIn("&lt;script&gt;\u00e9", html.get_content())
        self.assertNotIn("<script>", html.get_content())

    def test_prometheus_sends_here(self):
        prometheus = shutil.which("prometheus")
        if prometheus is None:
            self.skipTest("prometheus is not installed")
        receiver = self.receiver(self.folder(), "200")
        server = self.serve(self.webhook(f"http://127.0.0.1:{receiver.port}/", allow_networks=["127.0.0.1"]))
        folder = self.folder()
        port = free_port()
        write(os.path.join(folder, "rules.yml"),
              "groups: [{name: g, interval: 1s, rules: [{alert: Always, expr: vector(7), labels: {severity: page}}]}]")
        write(os.path.join(folder, "p.yml"),
              f"rule_files: [rules.yml]\nalerting: {{alertmanagers: [{{static_configs: [{{targets: ['{server.address}']"
              "}]}]}")
        process = subprocess.Popen([prometheus, f"--config.file={folder}/p.yml", f"--storage.tsdb.path={folder}/d",
                                    f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
                                    "--rules.alert.resend-delay=1s"])
        try:
            wait_until(receiver.requests, 60, "Prometheus' alert told")
        finally:
            process.terminate()
            process.wait()
        body = json.loads(receiver.requests()[0]["body"])
        self.assertEqual(body["commonLabels"], {"alertname": "Always", "severity": "page"})
        self.assertIn("/graph?", body["alerts"][0]["generatorURL"])

    def test_relabelling(self):
        """Rules' alerts are rewritten for everybody, then for each group of Alertmanagers; targets are chosen."""
        folder = self.folder()
        own, near, far = (self.receiver(folder, "200") for _ in range(3))
        rules = write(os.path.join(folder, "r.yml"), json.dumps({"groups": [{"name": "g", "interval": "1s", "rules": [
            {"alert": name, "expr": "vector(7)", "labels": {"replica": "a", "team": team}}
            for name, team in (("Kept", "db"), ("Dropped", "test"), ("Near", "web"))]}]}))
        config = write(os.path.join(folder, "sonde.yml"), json.dumps({"alerting": {
            "alert_relabel_configs": [{"action": "labeldrop", "regex": "replica"},
                                      {"source_labels": ["team"], "regex": "test", "action": "drop"}],
            "alertmanagers": [
                {"path_prefix": "/am/", "static_configs": [
                    {"targets": [f"127.0.0.1:{near.port}"], "labels": {"zone": "near"}},
                    {"targets": [f"127.0.0.1:{far.port}"], "labels": {"zone": "nowhere"}}],
                 "relabel_configs": [{"source_labels": ["zone"], "regex": "near", "action": "keep"}]},
                {"static_configs": [{"targets": ["far.example:1"]}],
                 "relabel_configs": [{"target_label": "__address__", "replacement": f"127.0.0.1:{far.port}"},
                                     {"target_label": "__alerts_path__", "replacement": "/x/api/v2/alerts"}],
                 "alert_relabel_configs": [{"source_labels": ["team"], "regex": "web", "action": "drop"},
                                           {"target_label": "from", "replacement": "sonde"}]}]}}))
        server = self.serve(self.webhook(f"http://127.0.0.1:{own.port}/", allow_networks=["127.0.0.1"]),
                            "--rules", rules, "--config", config)

        def told(receiver):
            requests = [(r["path"], json.loads(r["body"])) for r in receiver.requests()]
            alerts = [a for _, body in requests for a in (body["alerts"] if "alerts" in body else body)]
            return {path for path, _ in requests}, {tuple(sorted(a["labels"].items())) for a in alerts}
        kept = (("alertname", "Kept"), ("team", "db"))
        web = (("alertname", "Near"), ("team", "web"))
        for receiver, wanted in ((own, ({"/"}, {kept, web})), (near, ({"/am/api/v2/alerts"}, {kept, web})),
                                 (far, ({"/x/api/v2/alerts"}, {(kept[0], ("from", "sonde"), kept[1])}))):
            wait_until(lambda: told(receiver) == wanted, 30, f"{wanted}")  # pylint: disable=cell-var-from-loop
        active = json.loads(server.get("/api/v1/alertmanagers")[1])["data"]["activeAlertmanagers"]
        self.assertEqual([a["url"] for a in active], [f"http://127.0.0.1:{near.port}/am/api/v2/alerts",
                                                      f"http://127.0.0.1:{far.port}/x/api/v2/alerts"])

    def sender(self, *words):
        """The program tests/support/send_alerts.c: a sink as rules have it."""
        process = subprocess.Popen([SENDER, *words], stdin=subprocess.PIPE)
        self.addCleanup(process.kill)
        return process

    def test_alertmanagers_elsewhere(self):
        program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        if program is None or SENDER is None:
            self.skipTest("alertmanager is not installed")
        folder = self.folder()
        port, gone = free_port(), free_port()
        write(os.path.join(folder, "am.yml"), "route: {receiver: a}\nreceivers: [{name: a}]\n")
        config = write(os.path.join(folder, "sonde.yml"),
                       f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{port}', "
                       f"'127.0.0.1:{gone}']}}]}}]}}")
        server = self.serve("route: {receiver: a}\nreceivers: [{name: a}]\n", "--config", config)
        self.post(server, alertname="Early", host="x")
        urls = [f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{gone}"]
        sender = self.sender("Early", "3600", *urls)  # before it is there
        process = subprocess.Popen([program, f"--config.file={folder}/am.yml", f"--storage.path={folder}/am",
                                    f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
                                    "--log.level=error"])

        def shown():
            import urllib.request
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/alerts", timeout=5) as answer:
                return {a["labels"]["alertname"]: a for a in json.load(answer)}
        try:
            wait_until(lambda: "Early" in shown(), 60, "the alert at Alertmanager")
            # The two give an alert the same fingerprint.
            own = json.loads(server.get("/api/v2/alerts")[1])
            self.assertEqual(own[0]["fingerprint"], shown()["Early"]["fingerprint"])
            self.assertEqual(shown()["Early"]["annotations"], {"summary": "so it is"})
            sender.communicate(b"\n", timeout=30)
            sender = self.sender("Early", "0", *urls)
            wait_until(lambda: "Early" not in shown(), 30, "its end at Alertmanager")
            sender.communicate(b"\n", timeout=30)
            self.assertEqual(sender.returncode, 0)
        finally:
            process.terminate()
            process.wait()
        active = json.loads(server.get("/api/v1/alertmanagers")[1])["data"]["activeAlertmanagers"]
        self.assertEqual([a["url"] for a in active],
                         [f"http://127.0.0.1:{p}/api/v2/alerts" for p in (port, gone)])


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"


def fingerprint(labels):
    total = 14695981039346656037
    for name, value in sorted(labels.items()):
        for byte in name.encode() + b"\xff" + value.encode() + b"\xff":
            total = (total ^ byte) * 1099511628211 % 2**64
    return f"{total:016x}"


def smtp_stub(case, mails):
    """A mail server that takes everything: (sender, recipients, text) are added to `mails`."""
    class Session(socketserver.StreamRequestHandler):
        def say(self, text):
            self.wfile.write((text + "\r\n").encode())

        def handle(self):
            sender, recipients = "", []
            self.say("220 stub")
            for line in self.rfile:
                word = line.decode().strip()
                if word.upper().startswith("EHLO"):
                    self.say("250 stub")
                elif word.upper().startswith("MAIL FROM:"):
                    sender = word[10:].split(">")[0].strip("<> ")
                    self.say("250 ok")
                elif word.upper().startswith("RCPT TO:"):
                    recipients.append(word[8:].strip("<> "))
                    self.say("250 ok")
                elif word.upper() == "DATA":
                    self.say("354 go on")
                    lines = []
                    for text in self.rfile:
                        if text == b".\r\n":
                            break
                        lines.append(text.decode())
                    mails.append((sender, recipients, "".join(lines)))
                    self.say("250 taken")
                elif word.upper() == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    case.addCleanup(server.server_close)
    case.addCleanup(server.shutdown)
    return server.server_address[1]


if __name__ == "__main__":
    start(run_cases)
