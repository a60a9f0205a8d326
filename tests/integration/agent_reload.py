#!/usr/bin/env python3
"""The agent's configuration is read again while it scrapes: a job that has not changed goes on as if nothing
had happened, through twenty reloads of every kind, and a file with a mistake changes nothing."""
import http.server
import os
import signal
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import agent, find_program, get, scratch, send, server, start, wait_until, write_file  # noqa: E402

RELOADS = 20
INTERVAL_MS = 500


class Target(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"# TYPE things counter\nthings_total 1\nother 2\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Reload(unittest.TestCase):
    def setUp(self):
        folder = scratch()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.target = Target()
        self.addCleanup(self.target.server_close)
        self.addCleanup(self.target.shutdown)
        self.path = os.path.join(self.folder, "agent.yaml")

    def config(self, number):
        """The job `kept` is always the same; what stands before, behind and beside it is not."""
        before = f"  - {{job_name: before{number}, static_configs: [{{targets: ['{self.target.address}']}}]}}\n"
        behind = (f"  - {{job_name: behind, scrape_interval: {500 + number}ms, "
                  f"static_configs: [{{targets: ['{self.target.address}']}}]}}\n")
        kept = (f"  - job_name: kept\n    static_configs: [{{targets: ['{self.target.address}']}}]\n"
                "    relabel_configs: [{target_label: zone, replacement: z1}]\n"
                "    metric_relabel_configs: [{source_labels: [__name__], regex: other, action: drop}]\n")
        return (f"global: {{scrape_interval: {INTERVAL_MS}ms}}\nhost: {{enabled: false}}\nscrape_configs:\n"
                + (before if number % 2 else "") + kept + (behind if number % 3 else ""))

    def reload(self, running, number):
        """By signal or by request; returns when it is done."""
        before = self.good_reloads(running)
        if number % 2:
            running.signal(signal.SIGHUP)
        else:
            self.assertEqual(send(running.url + "/-/reload", b"", method="POST").status, 200)
        wait_until(lambda: self.good_reloads(running) > before, 20, f"reload {number}")

    @staticmethod
    def good_reloads(running):
        return running.log().count("configuration reloaded")

    def kept(self, running):
        """The target of the job that stays."""
        found = get(running.url + "/api/v1/targets").json()["data"]["activeTargets"]
        return next(t for t in found if t["scrapePool"] == "kept")

    def wait_scrape(self, running, last):
        return wait_until(lambda: (lambda now: now if now != last else None)(self.kept(running)["lastScrape"]),
                          20, "another scrape")

    def test_no_scrape_is_lost(self):
        with server(self.folder) as store, \
                agent(self.folder, config=self.config(0), servers=[store.url]) as running:
            last = self.wait_scrape(running, self.kept(running)["lastScrape"])
            for number in range(1, RELOADS + 1):
                write_file(self.path, self.config(number))
                self.reload(running, number)
                if number % 4 == 0:
                    last = self.wait_scrape(running, last)
                if number == RELOADS // 2:
                    self.refuse(running)
            last = self.wait_scrape(running, last)
            self.assertEqual(self.kept(running)["health"], "up")
            self.check_samples(store)

    def refuse(self, running):
        """A file with a mistake: the sentence, and everything goes on."""
        good = self.good_reloads(running)
        write_file(self.path, self.config(1) + "unknown: 1\n")
        answer = send(running.url + "/-/reload", b"", method="POST")
        self.assertEqual(answer.status, 500)
        self.assertIn('unknown key "unknown"', answer.text)
        running.signal(signal.SIGHUP)
        wait_until(lambda: running.log().count("the old configuration stays") == 2, 20, "the second refusal")
        self.assertEqual(self.good_reloads(running), good)
        self.assertEqual(self.kept(running)["health"], "up")
        self.assertIn("agent_config_last_reload_successful 0", get(running.url + "/metrics").text)

    def check_samples(self, store):
        """One sample for each slot of the schedule, one life of the series."""
        def samples(metric):
            result = store.query(f'{metric}{{job="kept"}}[10m]')
            self.assertEqual(len(result), 1, result)
            return result[0]["values"]
        ups = wait_until(lambda: samples("up"), 30, "samples in the store")
        times = [round(float(t) * 1000) for t, _ in ups]
        self.assertEqual({value for _, value in ups}, {"1"})
        # A scrape that was lost is a gap of two slots or more; a new phase is one that is no whole number of them.
        slots = [round((t - times[0]) / INTERVAL_MS) for t in times]
        self.assertEqual(slots, list(range(len(slots))), times)
        # The cache is kept: series are new once. Stale markers would be no numbers.
        added = [value for _, value in samples("scrape_series_added")]
        self.assertEqual(added, ["1"] + ["0"] * (len(added) - 1))
        self.assertEqual({value for _, value in samples("things_total")}, {"1"})


def main():
    find_program("sonde-agent")
    find_program("sonde-server")
    return 0 if unittest.main(verbosity=1, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
