#!/usr/bin/env python3
"""What the server says to mistakes: one sentence on standard error, an exit status, or an HTTP error; and
that it goes on after each."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import find_program, free_port, start  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402


class Refusals(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sonde-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def refused(self, *flags, status=1):
        """Runs the server, which must end by itself; the one line it wrote."""
        done = subprocess.run([find_program("sonde-server"), *flags], text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder)
        self.assertEqual(done.returncode, status, done.stderr)
        lines = [line for line in done.stderr.splitlines() if not line.startswith("ts=")]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("sonde-server: "), lines[0])
        return lines[0]

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def test_flags(self):
        self.assertIn("did you mean --listen?", self.refused("--liste", "x", status=2))
        self.assertIn("--retention", self.refused("--retention", "soon", status=2))
        self.assertIn("unexpected argument", self.refused("start", status=2))
        self.assertIn("unknown feature", self.refused("--enable-feature", "magic"))
        self.assertIn("is not debug, info", self.refused("--log-level", "loud"))

    def test_configuration(self):
        bad = self.path("bad.yaml", "storage:\n  retentoin: 3d\n")
        sentence = self.refused("--config", bad)
        self.assertIn(f"{bad}:2:3: unknown key \"retentoin\"; accepted here: retention", sentence)
        self.assertIn("unknown key", self.refused("--config", bad, "--check-config"))
        self.assertIn("not found", self.refused("--config", self.path("none.yaml")))
        broken = self.path("broken.yaml", "a: [1\n")
        self.assertIn("broken.yaml:", self.refused("--config", broken))

    def test_good_configuration(self):
        good = self.path("good.yaml", "storage: {retention: 3d}\n")
        done = subprocess.run([find_program("sonde-server"), "--config", good, "--check-config"],
                              text=True, stdout=subprocess.PIPE, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (0, "The settings are good.\n"))

    def test_port_and_folder_in_use(self):
        with Server() as server:
            other = self.path("other")
            self.assertIn("is in use", self.refused("--data", other, "--listen", server.address))
            free = f"127.0.0.1:{free_port()}"
            sentence = self.refused("--data", server.data, "--listen", free)
            self.assertIn("in use by another server", sentence)
            self.assertEqual(server.get("/-/ready")[0], 200)

    def test_folder_is_a_file(self):
        self.assertIn("file", self.refused(
            "--data", self.path("file", "x"), "--listen", f"127.0.0.1:{free_port()}"))

    def test_foreign_address(self):
        self.refused("--data", self.path("d"), "--listen", "192.0.2.1:80")
        self.refused("--data", self.path("d"), "--listen", "nonsense")

    def test_bad_writes(self):
        """The server says no and goes on."""
        with Server() as server:
            now_ms = int(time.time()) * 1000
            good = remote_write.series({"__name__": "up", "job": "a"}, [(now_ms, 1)])
            cases = [
                (b"", 400), (b"\xff\xff\xff", 400), (remote_write.snappy(b"\x0a\x7f"), 400),
                (remote_write.snappy(good)[:-3], 400),
                (b"\xff\xff\xff\xff\x0f", 413),
                (remote_write.snappy(remote_write.series({"job": "a"}, [(now_ms, 1)])), 400),
                (remote_write.snappy(remote_write.series(
                    {"__name__": "up", "job": "a"}, [(now_ms + 86400000, 1)])), 400),
                (remote_write.snappy(remote_write.series({"__name__": "up"}, [(1, 1)])), 400),
            ]
            for body, wanted in cases:
                status, text, _ = remote_write.post(server.address, body)
                self.assertEqual(status, wanted, (body, text))
            kinds = {"Content-Type": "application/json"}
            self.assertEqual(
                remote_write.post(server.address, remote_write.snappy(good), headers=kinds)[0], 415)
            status, text, _ = remote_write.post(server.address, remote_write.snappy(good))
            self.assertEqual(status, 204, text)
            self.assertEqual(len(server.query("up")), 1)

    def test_nothing_half_written(self):
        """A message that breaks off after good series is refused whole."""
        with Server() as server:
            now_ms = int(time.time()) * 1000
            good = b"".join(remote_write.series({"__name__": "half", "n": str(n)}, [(now_ms, n)]) for n in range(100))
            for tail in (b"\x0a\x7f", b"\x0a\x02\x0a\x05", b"\xff", b"\x0b"):
                status, text, _ = remote_write.post(server.address, remote_write.snappy(good + tail))
                self.assertEqual(status, 400, (tail, text))
                self.assertEqual(server.query("half"), [])
            status, _, _ = remote_write.post(server.address, remote_write.snappy(good))
            self.assertEqual(status, 204)
            self.assertEqual(len(server.query("half")), 100)

    def test_bad_queries(self):
        """Status, errorType, and the place: line and column as Prometheus counts them."""
        cases = [
            ("sum(", 400, "bad_data", "1:5: parse error: unclosed left parenthesis"),
            ("up + ", 400, "bad_data", "1:6: parse error: unexpected end of input"),
            ("up{job=}", 400, "bad_data", "1:8: parse error: unexpected"),
            ("up\n+ foo(1)", 400, "bad_data", "2:3: parse error: unknown function with name \"foo\""),
            ('up{job="a}', 400, "bad_data", "1:8: parse error: unterminated quoted string"),
            ('up{job=~"("}', 400, "bad_data", "1:4: parse error: invalid regular expression \"(\": missing )"),
            ("rate(up)", 400, "bad_data", "1:6: parse error: expected type range vector in call to function \"rate\""),
            ("{}", 400, "bad_data", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
            ("", 400, "bad_data", "parse error: no expression found in input"),
            ("up[5m]", 200, None, None),
            ("(" * 2000 + "up", 422, "execution", "nested deeper than 500 levels"),
            ('label_replace(up, "a", "", "b", "(")', 422, "execution", "invalid regular expression in label_replace()"),
        ]
        with Server() as server:
            remote_write.write(server.address, [({"__name__": "up", "job": "a"}, [(int(time.time()) * 1000, 1)])])
            for query, status, kind, sentence in cases:
                with self.subTest(query=query[:40]):
                    got, body, headers = server.post("/api/v1/query", [("query", query)])
                    answer = json.loads(body)
                    self.assertEqual(headers["content-type"], "application/json")
                    self.assertEqual((got, answer.get("errorType")), (status, kind), body[:500])
                    if sentence:
                        self.assertEqual(answer["status"], "error")
                        self.assertIn(sentence, answer["error"])

    def test_bad_parameters(self):
        cases = [
            ("query", {"query": "1", "time": "soon"}, "time"),
            ("query", {"query": "1", "timeout": "-"}, "timeout"),
            ("query_range", {"query": "1", "start": "2", "end": "1", "step": "1"}, "end"),
            ("query_range", {"query": "1", "start": "1", "end": "2", "step": "0"}, "step"),
            ("query_range", {"query": "1", "start": "1", "end": "2"}, "step"),
            ("query_range", {"query": "1", "end": "2", "step": "1"}, "start"),
            ("labels", {"match[]": "{"}, "match[]"),
            ("labels", {"limit": "-1"}, "limit"),
            ("series", {}, "match[]"),
            ("metadata", {"limit": "x"}, "limit"),
        ]
        with Server() as server:
            for path, parameters, named in cases:
                with self.subTest(path=path, parameters=parameters):
                    status, body, _ = server.get(f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
                    answer = json.loads(body)
                    self.assertEqual((status, answer["status"], answer["errorType"]), (400, "error", "bad_data"))
                    self.assertIn(named, answer["error"])
            status, body, _ = server.get("/api/v1/nothing")
            self.assertEqual((status, json.loads(body)["errorType"]), (404, "not_found"))

    def test_large_body(self):
        config = self.path("small.yaml", "web: {max_body: 1KiB}\n")
        with Server("--config", config) as server:
            status, _, _ = remote_write.post(server.address, b"x" * 1500)
            self.assertEqual(status, 413)
            self.assertEqual(server.get("/-/ready")[0], 200)

    def test_reload(self):
        config = self.path("live.yaml", "query: {timeout: 1m}\n")
        with Server("--config", config) as server:
            self.path("live.yaml", "query: {timeout: 30s}\n")
            self.assertEqual(server.request("POST", "/-/reload")[0], 200)
            self.assertIn("timeout: 30s", server.get("/api/v1/status/config")[1])
            self.path("live.yaml", "query: {timeout: never}\n")
            status, body, _ = server.request("POST", "/-/reload")
            self.assertEqual(status, 500)
            self.assertIn(b"live.yaml:1:18: timeout", body)
            self.assertIn("timeout: 30s", server.get("/api/v1/status/config")[1])
            info = server.get("/api/v1/status/runtimeinfo")[1]
            self.assertIn('"reloadConfigSuccess":false', info)
            self.path("live.yaml", "query: {timeout: 20s}\n")
            server.process.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + 30
            while "timeout: 20s" not in server.get("/api/v1/status/config")[1]:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    start(run_cases)
