#!/usr/bin/env python3
"""Destinations, queue, rules and traces change while the agent works: stores come, move and go under load, and each
has every sample from its first to its last, each once; on every page of /metrics all samples are accounted for;
and a file with a mistake changes nothing."""
import http.server
import os
import re
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from agent_account import read_page, total  # noqa: E402
from programs import (agent, find_program, free_port, get, scratch, send, server, start,  # noqa: E402
                      wait_until, write_file)
from spans import request, span  # noqa: E402


class Target(http.server.ThreadingHTTPServer):
    """A counter of its own scrapes: each value is told once, so a store that misses one has lost a scrape."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.scrapes = 0
        self.address = f"127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.scrapes += 1
        body = f"# TYPE told_total counter\ntold_total {self.server.scrapes}\nother 1\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Shipping(unittest.TestCase):
    def setUp(self):
        folder = scratch()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(self.folder, "agent.yaml")
        self.target = Target()
        self.addCleanup(self.target.server_close)
        self.addCleanup(self.target.shutdown)

    def config(self, destinations, more="", labels="{}"):
        lines = "".join(f"  - {{{d}}}\n" for d in destinations)
        return (f"global: {{scrape_interval: 100ms, external_labels: {labels}}}\nhost: {{enabled: false}}\n"
                f"scrape_configs:\n  - job_name: told\n    static_configs: [{{targets: ['{self.target.address}']}}]\n"
                f"remote_write:\n{lines}{more}")

    def reload(self, running, text):
        write_file(self.path, text)
        answer = send(running.url + "/-/reload", b"", method="POST")
        self.assertEqual((answer.status, answer.text.strip()), (200, ""))
        return read_page(running)

    @staticmethod
    def told(store, selector="told_total"):
        """Values in the order of their times, of all series of the store."""
        found = [(float(t), float(v)) for series in store.query(selector + "[20m]") for t, v in series["values"]]
        return [value for _, value in sorted(found)]

    def wait_told(self, store, value, selector="told_total"):
        return wait_until(lambda: (lambda v: v if v and v[-1] >= value else None)(self.told(store, selector)), 30,
                          f"scrape {value} in a store")

    def check_run(self, values):
        self.assertEqual(values, list(range(int(values[0]), int(values[0]) + len(values))))

    def test_stores_come_move_and_go(self):
        with server(self.folder, "a") as a, server(self.folder, "b") as b:
            dest_a, dest_b = f"name: a, url: '{a.url}/api/v1/write'", f"name: b, url: '{b.url}/api/v1/write'"
            with agent(self.folder, config=self.config([dest_a])) as running:
                self.wait_told(a, 5)
                self.reload(running, self.config([dest_a, dest_b]))
                self.wait_told(b, self.target.scrapes)
                for number in range(10):  # of every kind, in quick succession
                    rules = f", write_relabel_configs: [{{target_label: turn, replacement: 't{number}'}}]"
                    page = self.reload(running, self.config(
                        [dest_b, dest_a + rules] if number % 2 else [dest_a + rules, dest_b],
                        f"queue: {{max_size: {20 + number}MiB}}\n"))
                    self.assertEqual(total(page, "agent_config_last_reload_successful"), 1)
                    time.sleep(0.15)
                wait_until(lambda: a.query("told_total{turn='t9'}"), 30, "samples by the last rules")
                a.stop()  # an outage: what waits for it must reach where it moves to
                first_lost = self.target.scrapes
                wait_until(lambda: self.target.scrapes > first_lost + 10, 30, "scrapes in the outage")
                self.refuse(running)
                with server(self.folder, "c") as c:
                    moved = f"name: a, url: '{c.url}/api/v1/write'"
                    self.reload(running, self.config([moved, dest_b]))
                    moved_values = self.wait_told(c, self.target.scrapes)
                    self.check_run(moved_values)
                    self.reload(running, self.config([dest_b]))
                    gone = self.target.scrapes
                    page = read_page(running)
                    self.assertEqual(total(page, "agent_remote_sent_samples_total", destination="a"), 0)
                    self.wait_told(b, gone + 5)
                    self.assertLessEqual(self.told(c)[-1], gone + 1)
                self.assertFalse(os.path.exists(os.path.join(self.folder, "agent/queue/a.cursor")))
                # Nothing lost, nothing twice: in b from the first that it was told to the last.
                self.check_run(self.told(b))
                read_page(running)
            with server(self.folder, "a") as again:
                values = self.told(again)
                self.check_run(values)
                self.assertGreaterEqual(values[-1] + 1, moved_values[0])

    def refuse(self, running):
        """Mistakes of every part: the sentence names the place, and the agent goes on as it was."""
        pages = [read_page(running)]
        for text, sentence in [
                (self.config(["name: a, url: 'ftp://x/'"]), r"agent\.yaml:7:20: .*ftp://x/"),
                (self.config(["url: 'http://x/'", "url: 'http://x/'"]), r"agent\.yaml:8:5: two destinations"),
                (self.config(["url: 'http://x/', write_relabel_configs: [{action: nothing}]"]), "nothing"),
                (self.config(["url: 'http://x/'"], "queue: {max_size: 1}\n"), r"agent\.yaml:8:19: "),
                (self.config(["url: 'http://x/'"],
                             "traces: {sampling: {policies: [{name: x, latency_quantile: 2}]}}\n"), "latency_quantile"),
                (self.config(["url: 'http://x/'"], "stream_aggr: [{match: ['{'], interval: 1s, outputs: [max]}]\n"),
                 "stream_aggr")]:
            write_file(self.path, text)
            answer = send(running.url + "/-/reload", b"", method="POST")
            self.assertEqual(answer.status, 500, text)
            self.assertRegex(answer.text, sentence)
            pages.append(read_page(running))
        for name in ("a", "b"):
            sent = [total(p, "agent_remote_sent_samples_total", destination=name) for p in pages]
            self.assertEqual(sent, sorted(sent))
            self.assertGreater(sent[0], 0)

    def test_external_labels(self):
        with server(self.folder) as store:
            destination = [f"url: '{store.url}/api/v1/write'"]
            with agent(self.folder, config=self.config(destination, labels="{site: north}")) as running:
                self.wait_told(store, 3, 'told_total{site="north"}')
                self.reload(running, self.config(destination, labels="{site: south}"))
                south = self.wait_told(store, self.target.scrapes, 'told_total{site="south"}')
                north = self.told(store, 'told_total{site="north"}')
                self.assertGreater(south[0], north[-1])
                # The series of the old labels have ended: no instant has both.
                self.assertEqual(store.value("count(told_total)"), 1)

    def test_rules_and_receivers(self):
        rule = ("stream_aggr: [{match: ['told_total'], interval: 300ms, without: [instance], outputs: [max]}]\n")
        with server(self.folder) as store, agent(self.folder, config=self.config(
                [f"url: '{store.url}/api/v1/write'"])) as running:
            self.wait_told(store, 3)
            page = self.reload(running, self.config([f"url: '{store.url}/api/v1/write'"], rule))
            self.assertEqual(total(page, "agent_aggregated_samples_total"), 0)
            wait_until(lambda: store.query('{__name__="told_total:300ms_without_instance_max"}'), 30, "results")
            taken = total(read_page(running), "agent_aggregated_samples_total")
            self.assertGreater(taken, 0)
            page = self.reload(running, self.config([f"url: '{store.url}/api/v1/write'"]))
            self.assertGreaterEqual(total(page, "agent_aggregated_samples_total"), taken)
            self.wait_told(store, self.target.scrapes)
            self.reload(running, self.config([f"url: '{store.url}/api/v1/write'"],
                                             "receive: {statsd: {interval: 1s}}\nmemory_max: 99MiB\n"))
            self.assertIn("settings under receive have changed; they change at a restart", running.log())
            memory = total(read_page(running), "agent_memory_limit_bytes")
            self.assertEqual(memory, 99 << 20)

    @staticmethod
    def figure(running, name):
        return sum(float(v) for n, v in re.findall(r"^(\w+)(?:\{.*\})? (\S+)$", get(running.url + "/metrics").text,
                                                   re.MULTILINE) if n == name)

    def check_spans(self, running):
        """The account of spans at the door."""
        def f(name):
            return self.figure(running, name)
        self.assertEqual(f("agent_spans_received_total"),
                         f("agent_spans_queued_total") + f("agent_spans_undelivered_total") +
                         f("agent_sampling_dropped_spans_total") + f("agent_sampling_waiting_spans") +
                         f("agent_sampling_lost_spans_total"))

    def test_spans(self):
        now, port = time.time_ns(), free_port()
        keep = "traces: {sampling: {wait: 10m, policies: [{name: all}]}, metrics: {interval: 300ms}}\n"
        drop = "traces: {sampling: {wait: 100ms, wait_after_root: 0s, policies: [{name: none, drop: true}]}}\n"

        def push(trace):
            answer = send(f"http://127.0.0.1:{port}/v1/traces", request(("shop", [span(trace, trace, "GET /", now, 1)])),
                          {"Content-Type": "application/json"}, method="POST")
            self.assertEqual(answer.status, 200, answer.text)

        def has(store, trace):
            return get(f"{store.url}/jaeger/api/traces/{trace:032x}").status == 200

        with server(self.folder) as store:
            to_store = [f"name: s, url: '{store.url}/api/v1/write'"]
            nowhere = [f"name: s, url: '{store.url}/api/v1/write', traces_url: none"]
            with agent(self.folder, config=self.config(nowhere),
                       flags=["--otlp-listen", f"127.0.0.1:{port}"]) as running:
                push(1)
                self.assertEqual(self.figure(running, "agent_spans_undelivered_total"), 1)
                self.reload(running, self.config(to_store))  # a place for spans that was not there
                push(2)
                wait_until(lambda: has(store, 2), 30, "the second trace")
                self.check_spans(running)
                self.reload(running, self.config(to_store, keep))
                push(3)
                self.assertEqual(self.figure(running, "agent_sampling_waiting_spans"), 1)
                self.check_spans(running)
                self.reload(running, self.config(to_store, drop))  # what waited is decided, not lost
                wait_until(lambda: has(store, 3), 30, "the third trace")
                push(4)
                wait_until(lambda: self.figure(running, "agent_sampling_dropped_spans_total") == 1, 30, "a drop")
                self.check_spans(running)
                self.reload(running, self.config(nowhere))
                push(5)
                self.assertEqual(self.figure(running, "agent_spans_undelivered_total"), 2)
                self.check_spans(running)
                running.signal(signal.SIGHUP)
                wait_until(lambda: running.log().count("configuration reloaded") == 5, 20, "the last reload")
                self.assertEqual(self.figure(running, "agent_spans_received_total"), 5)
                self.reload(running, self.config(to_store))
                push(6)
                wait_until(lambda: has(store, 6), 30, "the sixth trace")
                self.check_spans(running)
                self.assertEqual([has(store, t) for t in (1, 4, 5)], [False] * 3)


def main():
    find_program("sonde-agent")
    find_program("sonde-server")
    return 0 if unittest.main(verbosity=1, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
