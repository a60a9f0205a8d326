#!/usr/bin/env python3
"""Bytes meant to do harm, to the real server: headers and bodies that never end, too many connections, garbage after
good requests, bombs, lengths that lie, clients that leave in the middle of an answer. Each is bounded by a limit
with a name, and whoever asks properly meanwhile is answered."""

import gzip
import http.client
import json
import os
import socket
import sys
import threading
import time
import unittest
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import find_program, start, write_file  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

MIB = 1 << 20
CONNECTIONS = 40  # web.max_connections
READ_TIMEOUT = 2  # web.read_timeout; a whole request may take five times as long
BODY = 1 * MIB  # web.max_body
PATIENCE = 60  # of the test, with a sanitizer on a busy machine
SERIES = 4000
CONFIG = f"""\
web:
  max_connections: {CONNECTIONS}
  read_timeout: {READ_TIMEOUT}s
  max_body: 1MiB
"""
GET = b"GET /api/v1/query?query=small HTTP/1.1\r\nHost: h\r\n\r\n"


def is_instrumented():
    with open(find_program("sonde-server"), "rb") as file:
        program = file.read()
    return b"__asan_init" in program or b"__tsan_init" in program


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.__exit__, None, None, None)
        cls.server.command += ["--config", write_file(os.path.join(cls.server.folder, "config.yaml"), CONFIG)]
        cls.server.start()
        now = int(time.time()) * 1000
        lines = "".join(f'm{{n="{n}",path="{"p" * 200}"}} {n} {now - i * 15000}\n' for i in range(30)
                        for n in range(0, SERIES, 40)) + f"small 7 {now}\n"
        status, body, _ = cls.server.request("POST", "/api/v1/import/prometheus", lines)
        assert status == 204, body

    def setUp(self):
        self.sockets, self.readers = [], {}
        self.addCleanup(lambda: [s.close() for s in self.sockets])

    def tearDown(self):
        self.assert_answers()

    def dial(self):
        host, _, port = self.server.address.rpartition(":")
        s = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self.sockets.append(s)
        return s

    def assert_answers(self):
        """Somebody else is served."""
        self.assertEqual(self.server.query("small")[0]["value"][1], "7")

    def counter(self, name):
        for line in self.server.get("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        return 0

    def resident(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))

    def read_answer(self, s):
        """(status, body) of the next answer on the connection; None at its end."""
        if s not in self.readers:
            self.readers[s] = s.makefile("rb")
        reader = self.readers[s]
        try:
            line = reader.readline()
            if not line:
                return None
            headers = {}
            while (header := reader.readline().rstrip()):
                name, _, value = header.partition(b": ")
                headers[name.lower()] = value
            return int(line.split()[1]), reader.read(int(headers[b"content-length"]))
        except ConnectionResetError:
            return None

    def assert_ends(self, s):
        """The server has closed, or closes soon."""
        s.settimeout(PATIENCE)
        try:
            while self.readers.get(s, s.makefile("rb")).read(65536):
                pass
        except ConnectionResetError:
            pass

    def trickle(self, s, head, piece, every):
        """Sends a piece now and then until the server ends it; how long that took."""
        began = time.monotonic()
        try:
            s.sendall(head)
            while time.monotonic() - began < PATIENCE:
                self.assert_answers()
                s.settimeout(every)
                try:
                    if not s.recv(65536):
                        return time.monotonic() - began
                except TimeoutError:
                    pass
                s.sendall(piece)
        except (ConnectionResetError, BrokenPipeError):
            pass
        return time.monotonic() - began

    # --- Slow clients ---

    def test_slow_requests(self):
        """A byte now and then is life to a timeout between bytes; a request as a whole has its time, too."""
        form = b"POST /api/v1/query HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        slow = [(b"GET /api/v1/qu", b"a"), (b"GET /api/v1/labels HTTP/1.1\r\nHost: h\r\nX-A: ", b"a"),
                (form + b"Content-Length: 100000\r\n\r\nquery=", b"1"),
                (form + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n")]
        before = self.counter('sonde_http_connections_cut_total{reason="slow"}')
        took = [0] * len(slow)

        def attack(i):
            took[i] = self.trickle(self.dial(), *slow[i], READ_TIMEOUT / 4)
        threads = [threading.Thread(target=attack, args=(i,)) for i in range(len(slow))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(all(READ_TIMEOUT < t < PATIENCE for t in took), took)
        self.assertGreater(self.counter('sonde_http_connections_cut_total{reason="slow"}'), before)

    def test_silence(self):
        silent, half, late = self.dial(), self.dial(), self.dial()
        half.sendall(b"POST /api/v1/write HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
        late.sendall(GET)
        self.assertEqual(self.read_answer(late)[0], 200)
        for s in (silent, half, late):
            self.assert_ends(s)

    # --- Too much ---

    def test_endless_chunks(self):
        for path in (b"/api/v1/query", b"/api/v1/write", b"/api/v1/import/prometheus", b"/nowhere"):
            s = self.dial()
            s.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            sent, chunk = 0, b"10000\r\n" + b"#" * 65536 + b"\r\n"
            try:
                while sent < 64 * BODY:
                    s.sendall(chunk)
                    sent += 65536
            except (ConnectionResetError, BrokenPipeError):
                pass
            self.assertLess(sent, 64 * BODY, path)

    def test_huge_headers(self):
        for request in (b"GET /api/v1/labels HTTP/1.1\r\nHost: h\r\nX-A: " + b"a" * (4 * MIB),
                        b"GET /" + b"a" * (4 * MIB) + b" HTTP/1.1\r\nHost: h\r\n\r\n",
                        b"GET /api/v1/labels HTTP/1.1\r\nHost: h\r\n" + b"X-A: b\r\n" * 500000 + b"\r\n"):
            s = self.dial()
            try:
                s.sendall(request)
            except (ConnectionResetError, BrokenPipeError):
                pass
            try:
                answer = self.read_answer(s)
            except (OSError, http.client.HTTPException):
                answer = None
            if answer is not None:
                self.assertIn(answer[0], (400, 413, 414, 431))
            self.assert_ends(s)

    def test_bombs(self):
        """64 MiB of nothing in 64 KiB."""
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        bomb = b"".join(packer.compress(b"\n" * MIB) for _ in range(512)) + packer.flush()
        self.assertLess(len(bomb), BODY)
        before = self.resident()
        for path, kind, encoding in (
                ("/api/v1/import/prometheus", "text/plain", "gzip"), ("/api/v1/import", "application/json", "gzip"),
                ("/api/v1/otlp/v1/metrics", "application/x-protobuf", "gzip"),
                ("/api/v1/otlp/v1/metrics", "application/json", "gzip"),
                ("/v1/traces", "application/x-protobuf", "gzip"), ("/v1/traces", "application/json", "gzip")):
            status, body, _ = self.server.request(
                "POST", path, bomb, {"Content-Type": kind, "Content-Encoding": encoding})
            self.assertIn(status, (400, 413), (path, kind, body[:200]))
        # Snappy says its length first.
        for length in (b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x04"):
            for path in ("/api/v1/write", "/api/v1/read"):
                status, body, _ = self.server.request(
                    "POST", path, length + b"\x00" * 1000,
                    {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"})
                self.assertIn(status, (400, 413), body[:200])
        if not is_instrumented():
            self.assertLess(self.resident(), before + 160 * MIB)

    def test_too_many_connections(self):
        """Those who came first and say nothing go; whoever asks is answered."""
        before = self.counter('sonde_http_connections_cut_total{reason="crowd"}')
        crowd = [self.dial() for _ in range(CONNECTIONS - 5)]
        for s in crowd[::2]:
            s.sendall(b"GET /api/v1/labels HTTP/1.1\r\nX-A")
        deadline, answered = time.monotonic() + READ_TIMEOUT * 2, 0
        while time.monotonic() < deadline:  # the crowd is filled up all the time
            for _ in range(5):
                s = self.dial()
                s.sendall(b"GET /api/v1/la")
            self.assert_answers()
            answered += 1
        self.assertGreater(answered, 0)
        for s in crowd:
            self.assert_ends(s)
        self.assertGreater(self.counter('sonde_http_connections_cut_total{reason="crowd"}'), before)

    # --- Lies ---

    def test_lengths_that_lie(self):
        form = b"POST /api/v1/query HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        for lie, expected in (
                (b"Content-Length: -1\r\n\r\n", (400, None)),
                (b"Content-Length: 99999999999999999999999\r\n\r\n", (400, 413, None)),
                (b"Content-Length: 0x10\r\n\r\nquery=small+++++", (400, None)),
                (b"Content-Length: 11 11\r\n\r\nquery=small", (400, None)),
                # Two readers of this might see two requests.
                (b"Content-Length: 5\r\nContent-Length: 11\r\n\r\nquery=small", (400, None)),
                (b"Content-Length: 11\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nquery=small\r\n0\r\n\r\n",
                 (400, None)),
                (b"Transfer-Encoding: chunked, identity\r\n\r\nquery=small", (400, 501, None)),
                (b"Transfer-Encoding: chunked\r\n\r\nzz\r\nquery=small\r\n0\r\n\r\n", (400, None)),
                (b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nquery", (400, 413, None))):
            s = self.dial()
            s.sendall(form + lie)
            s.settimeout(PATIENCE)
            answer = self.read_answer(s)
            self.assertIn(answer and answer[0], expected, lie)
            self.assert_ends(s)

    def test_shorter_than_the_body(self):
        """What is left over is another request, and no good one."""
        s = self.dial()
        s.sendall(b"POST /api/v1/query HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                  b"Content-Length: 11\r\n\r\nquery=small + + + and more\r\n\r\n")
        status, body = self.read_answer(s)
        self.assertEqual((status, json.loads(body)["data"]["result"][0]["value"][1]), (200, "7"))
        answer = self.read_answer(s)
        self.assertIn(answer and answer[0], (400, None))
        self.assert_ends(s)

    def test_garbage_behind(self):
        for garbage in (b"\x00" * 1000, b"\xff\xfe\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 50,
                        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"{" * 200000):
            s = self.dial()
            try:
                s.sendall(GET * 5 + garbage + GET)
                for _ in range(5):
                    self.assertEqual(self.read_answer(s)[0], 200, garbage[:20])
                self.assert_ends(s)
            except (ConnectionResetError, BrokenPipeError):
                pass

    def test_pipelines(self):
        """A thousand requests in a row; the answers are read at leisure."""
        s = self.dial()
        sender = threading.Thread(target=lambda: s.sendall(GET * 1000))
        sender.start()
        for i in range(1000):
            self.assertEqual(self.read_answer(s)[0], 200, i)
        sender.join()

    # --- Leaving ---

    def test_leaving_in_the_middle(self):
        """Of requests, of answers, and of answers that come in pieces."""
        files = len(os.listdir(f"/proc/{self.server.process.pid}/fd"))
        everything = b"GET /api/v1/export?match[]=m HTTP/1.1\r\nHost: h\r\n\r\n"
        for i in range(60):
            s = self.dial()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall((everything, GET[:40], everything + GET * 20,
                       b"GET /federate?match[]=m HTTP/1.1\r\nHost: h\r\n\r\n",
                       b"GET /api/v1/query?query=m[1h] HTTP/1.1\r\nHost: h\r\n\r\n")[i % 5])
            if i % 2 == 0 and i % 5 != 1:
                s.recv(1)
            if i % 3 == 0:  # a reset instead of an end
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            s.close()
        self.assert_answers()
        deadline = time.monotonic() + PATIENCE
        while len(os.listdir(f"/proc/{self.server.process.pid}/fd")) > files + 5:
            self.assertLess(time.monotonic(), deadline, "descriptors are not given back")
            time.sleep(0.05)
        deadline = time.monotonic() + PATIENCE
        while 'sonde_lane_requests{lane="query"} 1\n' not in self.server.get("/metrics")[1] and \
                'sonde_lane_requests{lane="query"} 0\n' not in self.server.get("/metrics")[1]:
            self.assertLess(time.monotonic(), deadline, "threads still answer nobody")

    def test_truncated_gzip(self):
        body = gzip.compress(b"small 7\n" * 1000)
        for broken in (body[:-4], body[:20], b"\x1f\x8b", body[:30] + b"\xff" * 100):
            status, answer, _ = self.server.request(
                "POST", "/api/v1/import/prometheus", broken, {"Content-Encoding": "gzip"})
            self.assertEqual(status, 400, answer)


if __name__ == "__main__":
    start(run_cases)
