#!/usr/bin/env python3
"""Import and export: lines of JSON go from one server to another and come out the same; and from and to a real
VictoriaMetrics, whose form they are."""

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import Program, Skip, find_peer, free_port, get, scratch, send, start, wait_until  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

NOW = int(time.time())
TIMES = [(NOW - 900 + 15 * i) * 1000 for i in range(60)]
SERIES = [
    ({"__name__": "requests_total", "job": "api", "code": "200"}, [(t, 30.0 * i) for i, t in enumerate(TIMES)]),
    ({"__name__": "temperature", "room": "a\"b\\c"}, [(t, 20.125 + i / 2) for i, t in enumerate(TIMES)]),  # VictoriaMetrics rounds
]
ODD = ({"__name__": "odd"}, [(TIMES[0], math.inf), (TIMES[1], -math.inf), (TIMES[2], math.nan), (TIMES[3], -0.0)])
MATCH = "match[]={__name__!=%22%22}"


def export(url):
    """Labels to samples, from lines of JSON."""
    answer = get(f"{url}/api/v1/export?{MATCH}")
    assert answer.status == 200, answer.text
    out = {}
    for line in answer.text.splitlines():
        one = json.loads(line)
        samples = out.setdefault(tuple(sorted(one["metric"].items())), [])
        samples += zip(one["timestamps"], one["values"])
    return out


def wanted(all_series):
    return {tuple(sorted(labels.items())): samples for labels, samples in all_series}


class BetweenServers(unittest.TestCase):
    def test_round_trip(self):
        with Server() as one, Server() as two:
            self.assertEqual(remote_write.write(one.address, SERIES + [ODD])[0], 204)
            lines = one.request("GET", f"/api/v1/export?{MATCH}")[1]
            status, text, _ = two.request("POST", "/api/v1/import", lines)
            self.assertEqual(status, 204, text)
            self.assertEqual(two.request("GET", f"/api/v1/export?{MATCH}")[1], lines)
            status, text, _ = two.request("POST", "/api/v1/import", lines + b"{}\n")
            self.assertEqual((status, text.decode()), (400, 'line 4: "metric" must be an object of labels\n'))

    def test_text(self):
        with Server() as server:
            body = "# TYPE jobs gauge\njobs{queue=\"a\"} 5\njobs{queue=\"b\"} 7 %d\n" % TIMES[-1]
            status, text, _ = server.request("POST", "/api/v1/import/prometheus?extra_label=dc=x", body)
            self.assertEqual(status, 204, text)
            result = {one["metric"]["queue"]: (one["metric"]["dc"], one["value"][1])
                      for one in server.query("jobs", int(time.time()) + 1)}
            self.assertEqual(result, {"a": ("x", "5"), "b": ("x", "7")})


class Large(unittest.TestCase):
    """An export of 20 MB: in pieces, the same compressed, and nobody else's loss when its client goes."""

    SERIES_COUNT, SAMPLES = 24, 40000

    def fill(self, server):
        for at in range(self.SERIES_COUNT):
            values = ",".join(str((at * 7919 + i * i) % 1000003 / 8) for i in range(self.SAMPLES))
            times = ",".join(str((NOW - 40000 + i) * 1000) for i in range(self.SAMPLES))
            line = f'{{"metric":{{"__name__":"big","at":"{at:03}"}},"values":[{values}],"timestamps":[{times}]}}\n'
            self.assertEqual(server.request("POST", "/api/v1/import", line)[0], 204)

    def leave(self, server):
        """Asks, reads a little, goes."""
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(f"GET /api/v1/export?{MATCH} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            self.assertIn(b" 200 ", client.recv(100))

    def test_large(self):
        curl = shutil.which("curl")
        with Server("--query.max-concurrency=2") as server:
            self.fill(server)
            status, lines, headers = server.request("GET", f"/api/v1/export?{MATCH}")
            self.assertEqual((status, headers.get("transfer-encoding")), (200, "chunked"))
            rows = [json.loads(line) for line in lines.splitlines()]
            self.assertEqual([row["metric"]["at"] for row in rows], [f"{at:03}" for at in range(self.SERIES_COUNT)])
            for at, row in enumerate(rows):
                self.assertEqual(row["values"], [(at * 7919 + i * i) % 1000003 / 8 for i in range(self.SAMPLES)])
            self.assertGreater(len(lines), 18 << 20)
            if curl:
                url = f"{server.url}/api/v1/export?{MATCH}"
                packed = subprocess.run([curl, "-sSgf", "--compressed", url], check=True, capture_output=True).stdout
                self.assertEqual(packed, lines)
            # One may be sent at a time (half of two): the next is told so, and small ones are none.
            with socket.create_connection(("127.0.0.1", server.port)) as slow:
                slow.sendall(f"GET /api/v1/export?{MATCH} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                self.assertIn(b" 200 ", slow.recv(100))
                status, text, headers = server.request("GET", f"/api/v1/export?{MATCH}")
                self.assertEqual((status, headers["retry-after"]), (503, "1"), text)
                self.assertIn("large answers", json.loads(text)["error"])
                self.assertEqual(server.request("GET", f"/api/v1/export?{MATCH}&start={NOW - 10}")[0], 200)
            for _ in range(3):
                wait_until(lambda: server.request("GET", f"/api/v1/export?{MATCH}&start={NOW - 20000}")[0] == 200, 30,
                           "those who left make room")
                self.leave(server)


class BesideVictoriaMetrics(unittest.TestCase):
    def peer(self, folder):
        try:
            program = find_peer("victoria-metrics", "victoria-metrics-prod")
        except Skip as why:
            self.skipTest(str(why))
        port = free_port()
        command = [program, f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={os.path.join(folder, 'vm')}"]
        return Program("victoria-metrics", command, port, os.path.join(folder, "vm.log"), "/health", ours=False)

    def test_both_ways(self):
        with scratch() as folder, self.peer(folder) as peer, Server() as one, Server() as two:
            self.assertEqual(remote_write.write(one.address, SERIES)[0], 204)
            lines = one.request("GET", f"/api/v1/export?{MATCH}")[1]
            self.assertEqual(send(f"{peer.url}/api/v1/import", lines, method="POST").status, 204)
            wait_until(lambda: export(peer.url) == wanted(SERIES), 20, "VictoriaMetrics shows what it was given")
            back = get(f"{peer.url}/api/v1/export?{MATCH}").body
            status, text, _ = two.request("POST", "/api/v1/import", back)
            self.assertEqual(status, 204, text)
            self.assertEqual(export(two.url), wanted(SERIES))

    def test_histograms_are_passed_over(self):
        """Lines of histograms do no harm to those around them."""
        histogram = ('{"metric":{"__name__":"sizes"},"histograms":[{"schema":0,"count":3,"sum":4.5,"integer":true,'
                     f'"positive":[[0,1,2]]}}],"timestamps":[{TIMES[0]}]}}\n')
        with scratch() as folder, self.peer(folder) as peer, Server() as one, Server() as two:
            self.assertEqual(remote_write.write(one.address, SERIES)[0], 204)
            self.assertEqual(one.request("POST", "/api/v1/import", histogram)[0], 204)
            lines = one.request("GET", f"/api/v1/export?{MATCH}")[1]
            self.assertIn(b'"histograms"', lines)
            self.assertEqual(two.request("POST", "/api/v1/import", lines)[0], 204)
            self.assertEqual(two.request("GET", f"/api/v1/export?{MATCH}")[1], lines)
            self.assertEqual(send(f"{peer.url}/api/v1/import", lines, method="POST").status, 204)
            wait_until(lambda: export(peer.url) == wanted(SERIES), 20, "VictoriaMetrics shows the others")


if __name__ == "__main__":
    start(run_cases)
