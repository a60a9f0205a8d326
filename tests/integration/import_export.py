#!/usr/bin/env python3
"""Import and export: lines of JSON go from one server to another and come out the same; and from and to a real
VictoriaMetrics, whose form they are."""

import json
import math
import os
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


if __name__ == "__main__":
    start(run_cases)
