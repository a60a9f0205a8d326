#!/usr/bin/env python3
"""sonde trace get, search and tail against a server; and the commands of docs/traces.md as they stand there."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import find_program, start, write_file  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402
from span_model import Span, otlp_json  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
BEGUN = 1700000000 * 10**9
MS = 10**6
TREE = """\
trace 0000000000000000000000000000000a  4 spans of 2 services, 1 failed, 120ms, 2023-11-14T22:13:20Z
      0ns    120ms  shop: GET /cart [server]
   5.00ms   80.0ms    cart: load
   10.0ms   20.0ms      cart: SELECT [client] failed: broken pipe
   90.0ms    500us    shop: render
"""


def send(server, *spans):
    status, body, _ = server.request("POST", "/v1/traces", otlp_json(spans), {"Content-Type": "application/json"})
    assert status == 200, body


class Tool(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="sonde-test-")
        config = write_file(os.path.join(cls.folder.name, "config.yaml"), "traces:\n  retention: 100y\n")
        cls.server = Server("--config", config)
        cls.server.__enter__()
        send(cls.server,
             Span(0xa, 1, 0, name="GET /cart", kind=2, service="shop", start=BEGUN, duration=120 * MS),
             Span(0xa, 4, 1, name="render", kind=1, service="shop", start=BEGUN + 90 * MS, duration=MS // 2),
             Span(0xa, 2, 1, name="load", kind=1, service="cart", start=BEGUN + 5 * MS, duration=80 * MS),
             Span(0xa, 3, 2, name="SELECT", kind=3, service="cart", start=BEGUN + 10 * MS, duration=20 * MS,
                  status=2, message="broken pipe"),
             Span(0xb, 5, 0, name="POST /order", kind=2, service="shop", start=BEGUN + 10**9, duration=2 * 10**9),
             Span(0xc, 7, 6, name="one", service="shop", start=BEGUN - 10**9, duration=1),
             Span(0xc, 6, 7, name="two", service="shop", start=BEGUN - 10**9 + 1, duration=1))

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)
        cls.folder.cleanup()

    def command(self, *words):
        return [find_program("sonde"), "trace", *words, "--server", f"http://{self.server.address}"]

    def run_tool(self, *words, expected=0):
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, expected, done.stderr)
        return done.stdout if expected == 0 else done.stderr

    def test_get(self):
        self.assertEqual(self.run_tool("get", "a"), TREE)
        spans = json.loads(self.run_tool("get", "A", "--json"))["trace"]["resourceSpans"]
        self.assertEqual(sum(len(s["spans"]) for r in spans for s in r["scopeSpans"]), 4)
        self.assertEqual(len(self.run_tool("get", "c").splitlines()), 3)  # a circle ends
        self.assertIn("404", self.run_tool("get", "77", expected=1))
        self.assertIn("hex digits", self.run_tool("get", "xyz", expected=2))

    def test_search(self):
        lines = self.run_tool("search", '{ resource.service.name = "shop" && kind = server }').splitlines()
        self.assertEqual(lines, [
            "2023-11-14T22:13:20Z  0000000000000000000000000000000a    120ms  4 spans  shop: GET /cart",
            "2023-11-14T22:13:21Z  0000000000000000000000000000000b    2.00s  1 span  shop: POST /order"])
        self.assertEqual(len(self.run_tool("search", "{}", "--limit", "1").splitlines()), 1)
        self.assertEqual(len(self.run_tool("search", "{}", "--start", "2023-11-14T22:13:21Z").splitlines()), 1)
        found = json.loads(self.run_tool("search", "{ status = error }", "--json"))["traces"]
        self.assertEqual([int(t["traceID"], 16) for t in found], [0xa])
        self.assertEqual(self.run_tool("search", '{ name = "none" }'), "")
        self.assertIn("character 3", self.run_tool("search", "{ x }", expected=1))

    def test_tail(self):
        tail = subprocess.Popen(self.command("tail", '{ name =~ "new.*" }', "--interval", "100ms", "--count", "3"),
                                stdout=subprocess.PIPE, text=True)
        try:
            now = time.time_ns()
            send(self.server, Span(0xd1, 11, 0, name="new 1", service="shop", start=now, duration=5 * MS),
                 Span(0xd2, 12, 0, name="old", service="shop", start=now, duration=5 * MS))
            self.assertIn("shop: new 1", tail.stdout.readline())
            send(self.server, Span(0xd3, 13, 0, name="new 3", service="shop", start=now + 1, duration=5 * MS),
                 Span(0xd4, 14, 0, name="new 4", service="shop", start=now + 2, duration=5 * MS))
            rest, _ = tail.communicate(timeout=60)
            self.assertEqual(re.findall(r"new \d", rest), ["new 3", "new 4"])
            self.assertEqual(tail.returncode, 0)
        finally:
            tail.kill()
            tail.wait()

    def test_tail_survives_its_server(self):
        """The server is killed and comes back: said once, and then it goes on. What cannot be answered ends it."""
        with Server() as server:
            tail = subprocess.Popen([find_program("sonde"), "trace", "tail", "{ name != nil }", "--interval", "100ms",
                                     "--count", "2", "--json", "--server", f"http://{server.address}"],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                send(server, Span(0xe1, 1, 0, name="first", service="shop", start=time.time_ns(), duration=MS))
                self.assertEqual(json.loads(tail.stdout.readline())["rootTraceName"], "first")
                server.kill()
                self.assertIn("asking again", tail.stderr.readline())
                server.start()
                send(server, Span(0xe2, 2, 0, name="second", service="shop", start=time.time_ns(), duration=MS))
                rest, said = tail.communicate(timeout=60)
                self.assertEqual((json.loads(rest)["rootTraceName"], said, tail.returncode), ("second", "", 0))
            finally:
                tail.kill()
                tail.wait()
        self.assertIn("character 3", self.run_tool("tail", "{ x }", expected=1))

    def test_nobody_answers(self):
        for words in (["get", "1"], ["search", "{}"], ["tail", "{}"]):
            done = subprocess.run([find_program("sonde"), "trace", *words, "--server", "http://127.0.0.1:1"],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""), words)
            self.assertIn("127.0.0.1:1", done.stderr)
            done = subprocess.run([find_program("sonde"), "trace", words[0]], capture_output=True, text=True,
                                  timeout=60, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)

    def test_large_trace(self):
        """100 000 spans open; nothing of it is left out."""
        count, batch = 100000, 20000
        for first in range(0, count, batch):
            send(self.server, *(Span(0xe, 100 + i, 100 + i // 3 if i else 0, name=f"span {i % 50}", service="large",
                                     start=BEGUN + i, duration=count - i) for i in range(first, first + batch)))
        status, body, _ = self.server.get("/jaeger/api/traces/e")
        self.assertEqual((status, len(json.loads(body)["data"][0]["spans"])), (200, count))
        status, body, _ = self.server.request("GET", "/api/v2/traces/e", None, {"Accept": "application/protobuf"})
        self.assertEqual(status, 200)
        traces = json.loads(self.server.get(
            "/api/search?q=%7B%20resource.service.name%20%3D%20%22large%22%20%7D&limit=1")[1])["traces"]
        self.assertEqual(traces[0]["spanSets"][0]["matched"], count)
        self.assertEqual(len(self.run_tool("get", "e").splitlines()), count + 1)

    def test_documented_commands(self):
        """Each line of docs/traces.md that begins with "sonde trace" or "curl" works, on this server."""
        with open(os.path.join(ROOT, "docs/traces.md"), encoding="utf-8") as f:
            lines = re.findall(r"^    ((?:sonde trace|curl) .*)$", f.read(), re.M)
        self.assertGreater(len(lines), 4)
        for line in lines:
            line = line.replace("127.0.0.1:9095", self.server.address)
            if line.startswith("sonde trace"):
                line += f" --server http://{self.server.address}"
                line = line.replace("sonde trace", find_program("sonde") + " trace", 1)
            if " tail " in line:
                line = "timeout 2 " + line
            done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
            self.assertIn(done.returncode, (0, 124) if " tail " in line else (0,), f"{line}: {done.stderr}")
            self.assertNotIn('"status":"error"', done.stdout, line)


if __name__ == "__main__":
    start(run_cases)
