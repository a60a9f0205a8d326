#!/usr/bin/env python3
"""A sender that makes up label values without end: limits name themselves, series that are there go on,
memory stays below its ceiling, and what was lost is counted."""

import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import start  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

MIB = 1 << 20


def now_ms():
    return int(time.time() * 1000)


def good_series(at_ms, value):
    """What was there before the bad deploy: ten series."""
    return [({"__name__": "good", "job": "api", "instance": f"host-{i}"}, [(at_ms, value)]) for i in range(10)]


def bad_series(first, count, at_ms, width=8):
    return [({"__name__": "requests", "job": "api", "instance": "host-0", "user": f"{i:0{width}d}"},
             [(at_ms, 1)]) for i in range(first, first + count)]


def metric(page, name):
    """The value of one line of /metrics."""
    for line in page.splitlines():
        if line.startswith(name + " "):
            return float(line.rsplit(" ", 1)[1])
    raise AssertionError(f"{name} is not on /metrics")


def resident_bytes(process):
    """What the kernel counts, but for pages of files."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["RssAnon"].split()[0]) * 1024


class Limits(unittest.TestCase):
    def send(self, server, series):
        status, text, _ = remote_write.post(server.address, remote_write.snappy(
            b"".join(remote_write.series(labels, samples) for labels, samples in series)))
        return status, text if isinstance(text, str) else text.decode()

    def settings(self, server, text):
        with open(os.path.join(server.folder, "settings.yaml"), "w", encoding="utf-8") as file:
            file.write(text)

    def start_with(self, text):
        """A server whose settings the test writes again."""
        server = Server()
        server.command += ["--config", os.path.join(server.folder, "settings.yaml")]
        self.settings(server, text)
        return server

    def test_values_of_a_label(self):
        with self.start_with("limits: {values_per_label: 500}\n") as server:
            begin = now_ms()
            self.assertEqual(self.send(server, good_series(begin, 1))[0], 204)
            status, text = self.send(server, bad_series(0, 499, begin))
            self.assertEqual(status, 204, text)
            # One fits, the other 99 do not; the good ones beside them are stored.
            status, text = self.send(server, bad_series(499, 100, begin) + good_series(begin + 1, 2))
            self.assertEqual(status, 400)
            self.assertIn('limit values_per_label (500) reached by label "user"', text)
            self.assertIn('metric "requests"', text)
            self.assertIn("and 98 more refused; all others are stored", text)
            self.assertEqual(server.query("count(requests)")[0]["value"][1], "500")
            self.assertEqual({e["value"][1] for e in server.query("good")}, {"2"})
            # Series that are there go on as if nothing had happened.
            self.assertEqual(self.send(server, bad_series(0, 500, begin + 2) + good_series(begin + 2, 3))[0], 204)
            page = server.get("/metrics")[1]
            self.assertEqual(metric(page, 'sonde_limit_refused_total{limit="values_per_label"}'), 99)
            self.assertEqual(metric(page, 'sonde_refused_samples_total{reason="limit"}'), 99)
            self.assertEqual(server.log().count("a limit refuses new series"), 1)
            # A reload makes room.
            self.settings(server, "limits: {values_per_label: 600}\n")
            self.assertEqual(server.request("POST", "/-/reload")[0], 200)
            self.assertEqual(self.send(server, bad_series(500, 100, begin + 3))[0], 204)
            self.assertEqual(self.send(server, bad_series(600, 1, begin + 3))[0], 400)
            # What was lost is in the store, also after a restart.
            server.stop()
            server.start()
            found = server.query("last_over_time(__overflow__[1h])")
            self.assertEqual([(e["metric"]["metric"], e["value"][1]) for e in found], [("requests", "100")])
            found = server.query("increase(__overflow__[1h]) > 0")
            self.assertEqual(len(found), 1)

    def test_memory(self):
        with Server() as server:
            used = resident_bytes(server.process)
            server.stop()
            limit = used + 120 * MIB
            server.command += ["--memory-limit", str(limit)]
            server.start()
            self.assertEqual(metric(server.get("/metrics")[1], "sonde_memory_limit_bytes"), limit)
            begin = now_ms()
            self.assertEqual(self.send(server, good_series(begin, 0))[0], 204)
            refused = rounds = highest = 0
            # Long values fill memory sooner: a megabyte of new labels with each request.
            while refused < 30:
                rounds += 1
                self.assertLess(rounds, 1000, "memory was never short")
                status, text = self.send(server, bad_series(rounds * 500, 500, begin + rounds, width=2000))
                highest = max(highest, resident_bytes(server.process))
                if status == 503:
                    time.sleep(0.2)
                    continue
                if status == 400:
                    refused += 1
                    self.assertIn("limit memory reached by the process", text)
                    self.assertIn('metric "requests"', text)
                else:
                    self.assertEqual(status, 204, text)
                status, text = self.send(server, good_series(begin + rounds, rounds))
                self.assertIn(status, (204, 503), text)
            self.assertLess(highest, limit)
            # The series that were there go on, and can be asked for.
            self.assertEqual(self.send(server, good_series(begin + 1000, 1000))[0], 204)
            self.assertEqual({e["value"][1] for e in server.query("good")}, {"1000"})
            page = server.get("/metrics")[1]
            self.assertGreater(metric(page, 'sonde_limit_refused_total{limit="memory"}'), 10000)
            self.assertGreaterEqual(metric(page, "sonde_memory_reliefs_total"), 1)
            self.assertIn("level=soft", server.log())
            print(f"{rounds} requests, highest {highest // MIB} of {limit // MIB} MiB")

    def test_above_the_ceiling(self):
        """A limit that the process cannot keep: it says so, and says when to come again."""
        with Server("--memory-limit", "1MiB") as server:
            status, text, headers = remote_write.write(server.address, good_series(now_ms(), 1))
            self.assertEqual((status, headers["Retry-After"]), (503, "1"), text)
            self.assertIn("memory limit", text)
            status, text, headers = server.get("/api/v1/query?query=up")
            self.assertEqual((status, headers["retry-after"]), (503, "1"), text)
            self.assertIn('"errorType":"unavailable"', text)
            page = server.get("/metrics")[1]
            self.assertEqual(metric(page, "sonde_memory_level"), 2)
            self.assertEqual(metric(page, "sonde_memory_turned_away_total"), 2)


if __name__ == "__main__":
    start(run_cases)
