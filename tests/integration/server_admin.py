#!/usr/bin/env python3
"""An operator deletes series and takes snapshots of a running server, over HTTP."""

import json
import os
import re
import shutil
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import start, write_file  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

NOW = int(time.time())
SAMPLES = 60
START = NOW - 15 * (SAMPLES - 1)


def load(value=0):
    times = [(START + 15 * i) * 1000 for i in range(SAMPLES)]
    return [({"__name__": name, "job": "api", "instance": instance}, [(t, float(value)) for t in times])
            for name in ("requests_total", "secrets_total") for instance in ("a:1", "b:1")]


def counts(server):
    """(metric, instance) -> samples"""
    return {(name, r["metric"]["instance"]): int(r["value"][1])
            for name in ("requests_total", "secrets_total")
            for r in server.query(f"count_over_time({name}[1h])", NOW)}


class Admin(unittest.TestCase):
    def post(self, path, form, status=204):
        got, body, _ = self.server.post("/api/v1/admin/tsdb/" + path, form)
        self.assertEqual(got, status, body)
        return body

    def setUp(self):
        self.server = Server("--web.enable-admin-api")
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)
        status, text, _ = remote_write.write(self.server.address, load())
        self.assertEqual(status, 204, text)

    def test_delete(self):
        every = {(m, i): SAMPLES for m in ("requests_total", "secrets_total") for i in ("a:1", "b:1")}
        self.assertEqual(counts(self.server), every)
        self.post("delete_series", [("match[]", "secrets_total")])
        left = {k: v for k, v in every.items() if k[0] == "requests_total"}
        self.assertEqual(counts(self.server), left)
        # The first ten samples of one instance.
        self.post("delete_series", [("match[]", '{instance="a:1"}'), ("start", START), ("end", START + 15 * 9)])
        left["requests_total", "a:1"] = SAMPLES - 10
        self.assertEqual(counts(self.server), left)
        status, body, _ = self.server.get("/api/v1/label/__name__/values")
        self.assertEqual(json.loads(body)["data"], ["requests_total"])
        self.post("clean_tombstones", [])
        self.assertEqual(counts(self.server), left)
        self.assertIn("\nsonde_tsdb_tombstones 0\n", self.server.get("/metrics")[1])
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        self.assertEqual(counts(self.server), left)
        # Nothing of the name or its labels is left in any file of a part.
        for folder, _, files in os.walk(os.path.join(self.server.data, "raw")):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertNotIn(b"secrets_total", file.read())
        # What is written after a delete is there, at the same times too.
        self.assertEqual(remote_write.write(self.server.address, load(5))[0], 204)
        self.assertEqual(counts(self.server), every)

    def test_blocks(self):
        self.assertEqual(json.loads(self.server.get("/api/v1/status/tsdb/blocks")[1])["data"], {"blocks": []})
        self.assertEqual(self.server.post("/api/v1/admin/tsdb/compact", [])[0], 204)
        blocks = json.loads(self.server.get("/api/v1/status/tsdb/blocks")[1])["data"]["blocks"]
        self.assertEqual(sum(b["stats"]["numSamples"] for b in blocks if b["resolution"] == 0), SAMPLES * 4)
        self.assertEqual(min(b["minTime"] for b in blocks), START * 1000)
        self.assertEqual(max(b["maxTime"] for b in blocks), (START + 15 * (SAMPLES - 1)) * 1000 + 1)
        for b in blocks:
            path = os.path.join(self.server.data, b["ulid"])
            self.assertEqual(b["stats"]["numBytes"], os.stat(path).st_size)

    def test_mistakes(self):
        body = self.post("delete_series", [], 400)
        self.assertIn("no match[] parameter provided", body)
        self.post("delete_series", [("match[]", "up{")], 400)
        self.post("delete_series", [("match[]", "up"), ("start", "yesterday")], 400)
        self.assertEqual(self.server.get("/api/v1/admin/tsdb/delete_series?match[]=up")[0], 405)

    def test_snapshot(self):
        body = json.loads(self.post("snapshot", [], 200))
        name = body["data"]["name"]
        self.assertTrue(re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{16}", name), name)
        before = counts(self.server)
        self.post("delete_series", [("match[]", '{job="api"}')])
        self.assertEqual(counts(self.server), {})
        parts_only = json.loads(self.post("snapshot", [("skip_head", "true")], 200))["data"]["name"]
        self.assertNotEqual(parts_only, name)
        with Server() as other:
            other.stop()
            shutil.rmtree(other.data)
            shutil.copytree(os.path.join(self.server.data, "snapshots", name), other.data)
            other.start()
            self.assertEqual(counts(other), before)


class Disabled(unittest.TestCase):
    def test_disabled(self):
        with Server() as server:
            for path in ("delete_series", "clean_tombstones", "snapshot"):
                status, body, _ = server.post("/api/v1/admin/tsdb/" + path, [("match[]", "up")])
                self.assertEqual(status, 503)
                self.assertEqual(json.loads(body)["error"], "admin APIs disabled")
            self.assertEqual(server.post("/api/v1/admin/tsdb/compact", [])[0], 204)
            for method in ("POST", "PUT"):
                self.assertEqual(server.request(method, "/-/quit")[0], 403)


class Lifecycle(unittest.TestCase):
    def notes(self, server):
        return json.loads(server.get("/api/v1/notifications")[1])["data"]

    def events(self, server):
        status, body, headers = server.get("/api/v1/notifications/live")
        self.assertEqual((status, headers["content-type"]), (200, "text/event-stream"))
        first, *events, rest = body.split("\n\n")
        self.assertRegex(first, r"^retry: \d+$")
        self.assertEqual(rest, "")
        return [json.loads(event.removeprefix("data: ")) for event in events]

    def test_notifications(self):
        with Server() as server:
            config = os.path.join(server.folder, "config.yaml")
            write_file(config, "query:\n  timeout: 10s\n")
            server.stop()
            server.command += ["--config", config]
            server.start()
            self.assertEqual((self.notes(server), self.events(server)), ([], []))
            write_file(config, "query: [\n")
            self.assertEqual(server.request("POST", "/-/reload")[0], 500)
            failed = {"text": "Configuration reload has failed.", "active": True}
            for got in (self.notes(server), self.events(server)):
                self.assertEqual(len(got), 1)
                self.assertRegex(got[0].pop("date"), r"^20\d\d-\d\d-\d\dT[0-9:.]+Z$")
                self.assertEqual(got, [failed])
            write_file(config, "query:\n  timeout: 10s\n")
            self.assertEqual(server.request("POST", "/-/reload")[0], 200)
            self.assertEqual(self.notes(server), [])
            self.assertEqual([(e["text"], e["active"]) for e in self.events(server)], [(failed["text"], False)])

    def test_quit(self):
        server = Server("--web.enable-lifecycle")
        self.addCleanup(shutil.rmtree, server.folder, ignore_errors=True)
        server.start()
        self.assertEqual(remote_write.write(server.address, load())[0], 204)
        self.assertEqual(server.request("GET", "/-/quit")[0], 405)
        self.assertEqual(server.request("POST", "/-/quit")[:2], (200, b"Requesting termination... Goodbye!\n"))
        self.assertEqual(server.process.wait(60), 0)
        server.start()
        self.assertEqual(counts(server)["requests_total", "a:1"], SAMPLES)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    start(run_cases)
