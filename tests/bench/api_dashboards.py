#!/usr/bin/env python3
"""What a user of the API waits for, end to end over HTTP, sonde-server beside Prometheus with the same samples in
the same run:

  dashboards   two at once, 30 panels each, six requests in flight each as a browser has them, refreshed
               as time goes on: median and p99 of a panel
  instant      an instant query that answers 1000 series
  lookups      (sonde-server alone) label names, values and series among --series series (1 000 000)

The last line of each part has the ratio, sonde / Prometheus; less is better. Kept answers are on and off.

usage: api_dashboards.py [--rounds N] [--series N], 0 leaves a part out; programs from SONDE_BIN or
build/release/bin.
"""
import argparse
import concurrent.futures
import gzip
import http.client
import json
import os
import statistics
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import Failure, prometheus, scratch, server, start  # noqa: E402

NOW = int(time.time()) // 15 * 15
HOURS, STEP = 6, 15
HOSTS, CPUS, PODS = 25, 4, 200
IN_FLIGHT = 6  # of one browser and host
LES = ("0.005", "0.01", "0.05", "0.1", "0.5", "1", "5", "+Inf")

PANELS = [
    "sum(rate(http_requests_total[5m]))", "sum by (code) (rate(http_requests_total[5m]))",
    "sum by (pod) (rate(http_requests_total[5m]))", "topk(10, sum by (pod) (rate(http_requests_total[5m])))",
    'sum(rate(http_requests_total{code="500"}[5m])) / sum(rate(http_requests_total[5m]))',
    "histogram_quantile(0.5, sum by (le) (rate(latency_seconds_bucket[5m])))",
    "histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket[5m])))",
    "histogram_quantile(0.99, sum by (le) (rate(latency_seconds_bucket[5m])))",
    "histogram_quantile(0.99, sum by (le, host) (rate(latency_seconds_bucket[5m])))",
    "100 - avg(rate(node_cpu_seconds_total{mode=\"idle\"}[5m])) * 100",
    "100 - avg by (host) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m])) * 100",
    "sum by (mode) (rate(node_cpu_seconds_total[5m]))", "sum by (host, mode) (irate(node_cpu_seconds_total[2m]))",
    "node_load1", "avg(node_load1)", "max by (host) (node_load1)", "quantile(0.9, node_load1)",
    "avg_over_time(node_load1[10m])", "max_over_time(node_load1[30m])", "count(node_load1 > 1)",
    "node_memory_free_bytes / node_memory_total_bytes", "sum(node_memory_free_bytes)",
    "increase(http_requests_total{code=\"500\"}[1h])", "deriv(node_memory_free_bytes[15m])",
    "predict_linear(node_memory_free_bytes[30m], 3600)", "stddev(node_load1)",
    "rate(node_cpu_seconds_total{host=\"h01\"}[5m])", "changes(node_load1[10m])",
    "sum(rate(http_requests_total[5m])) by (host) > 1", "sort_desc(sum by (host) (rate(http_requests_total[1m])))",
]
assert len(PANELS) == 30


def series_of():
    """(labels, function of the sample's number)"""
    for h in range(HOSTS):
        host = f"h{h:02}"
        yield {"__name__": "node_load1", "host": host}, lambda i, h=h: (h * 7 + i * 3) % 40 / 10
        yield {"__name__": "node_memory_total_bytes", "host": host}, lambda i: 1.6e10
        yield {"__name__": "node_memory_free_bytes", "host": host}, lambda i, h=h: 4096.0 * ((h + 1) * i % 100003)
        for cpu in range(CPUS):
            for m, mode in enumerate(("idle", "user", "system", "iowait")):
                labels = {"__name__": "node_cpu_seconds_total", "cpu": str(cpu), "host": host, "mode": mode}
                yield labels, lambda i, m=m, h=h: round(15 * i / (m + 1.5) + i * h % 7 / 10, 2)
        for at, le in enumerate(LES):
            yield {"__name__": "latency_seconds_bucket", "host": host, "le": le}, lambda i, at=at: float(i * (at + 1))
    for p in range(PODS):
        for code, every in (("200", 1), ("404", 20), ("500", 100)):
            labels = {"__name__": "http_requests_total", "code": code, "host": f"h{p % HOSTS:02}", "pod": f"pod-{p:03}"}
            yield labels, lambda i, p=p, every=every: float(i * (p * 37 % 211 + 1) // every)
    for at in range(1000):
        yield {"__name__": "thousand", "at": f"{at:03}", "job": f"job{at % 7}"}, lambda i, at=at: float(at + i)


def load(program):
    """Half an hour of all series after the other: Prometheus takes nothing that is much older than its newest.
    Beside the steps of queries: releases disagree about the sample at the beginning of a window."""
    count, slice_size, samples = HOURS * 3600 // STEP, 120, 0
    for first in range(0, count, slice_size):
        batch = []
        for labels, value in series_of():
            # Of the thousand only the newest count.
            at = max(first, count - 20) if labels["__name__"] == "thousand" else first
            rows = [((NOW - 7 - (count - 1 - i) * STEP) * 1000, float(value(i))) for i in range(at, first + slice_size)]
            samples += len(rows)
            if rows:
                batch.append((labels, rows))
            if len(batch) == 500:
                push(program, batch)
                batch = []
        push(program, batch)
    return samples


def push(program, batch):
    if batch:
        status, text, _ = remote_write.write(program.address, batch)
        if status // 100 != 2:
            raise Failure(f"{program.name}: {status} {text}")


class Client:
    """Connections that are kept, one a thread."""

    def __init__(self, program):
        self.address, self.local = program.address, threading.local()

    def post(self, path, form):
        """(seconds, body)"""
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection(self.address, timeout=60)
        began = time.perf_counter()
        self.local.connection.request("POST", path, urllib.parse.urlencode(form),
                                      {"Content-Type": "application/x-www-form-urlencoded", "Accept-Encoding": "gzip"})
        answer = self.local.connection.getresponse()
        body = answer.read()
        took = time.perf_counter() - began
        if answer.status != 200:
            raise Failure(f"{answer.status} {body[:300]} {form}")
        return took, gzip.decompress(body) if answer.getheader("Content-Encoding") == "gzip" else body


def dashboards(client, rounds, more):
    """Seconds of each panel of two dashboards that are refreshed as time goes on."""
    def dashboard(offset, out):
        with concurrent.futures.ThreadPoolExecutor(IN_FLIGHT) as browser:
            for turn in range(rounds):
                end = NOW - (rounds - turn) * STEP - offset
                forms = [dict(query=panel, start=end - 3600, end=end, step=STEP, **more) for panel in PANELS]
                out += [took for took, _ in browser.map(lambda form: client.post("/api/v1/query_range", form), forms)]
    lists = [[], []]
    threads = [threading.Thread(target=dashboard, args=(0, lists[0])),
               threading.Thread(target=dashboard, args=(7200, lists[1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if min(map(len, lists)) != rounds * len(PANELS):
        raise Failure("a dashboard has failed")
    return lists[0] + lists[1]


def cpu_seconds(program):
    """What the process has used so far; on a busy machine a fairer figure than time."""
    with open(f"/proc/{program.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def centile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def check_same(ours, theirs):
    """The figures are of the same answers."""
    for panel in PANELS:
        form = dict(query=panel, start=NOW - 3600, end=NOW, step=60)
        results = []
        for client in (ours, theirs):
            body = json.loads(client.post("/api/v1/query_range", form)[1])
            results.append({json.dumps(one["metric"], sort_keys=True): one["values"] for one in body["data"]["result"]})
        if results[0].keys() != results[1].keys():
            raise Failure(f"{panel}: other series")
        for key, values in results[0].items():
            for (_, one), (_, two) in zip(values, results[1][key]):
                if abs(float(one) - float(two)) > 1e-9 * max(1.0, abs(float(two))):
                    raise Failure(f"{panel} {key}: {one} and {two}")


def part_dashboards(ours, theirs, rounds):
    for name, more in (("kept answers", {}), ("evaluated anew", {"nocache": 1})):
        figures = {}
        for turn in ("sonde", "prometheus") * 2:  # the second time counts: both are warm
            figures[turn] = dashboards(ours if turn == "sonde" else theirs, rounds, more)
        for turn, took in figures.items():
            print(f"dashboards, {name}: {turn:10} median {1000 * statistics.median(took):8.2f} ms   "
                  f"p99 {1000 * centile(took, 0.99):8.2f} ms   ({len(took)} panels)")
        print(f"dashboards, {name}: ratio      median {ratio(figures, 0.5):8.2f}      p99 {ratio(figures, 0.99):8.2f}")


def ratio(figures, share):
    return centile(figures["sonde"], share) / centile(figures["prometheus"], share)


def part_instant(ours, theirs):
    """By (program, client)."""
    for expression in ("thousand", "thousand * 2", "sum by (job) (thousand)"):
        figures = {}
        for name, (program, client) in (("sonde", ours), ("prometheus", theirs)) * 2:
            before = cpu_seconds(program)
            figures[name] = [client.post("/api/v1/query", {"query": expression, "time": NOW})[0] for _ in range(200)]
            cpu = (cpu_seconds(program) - before) / 200
            print(f"instant, {expression:24} {name:10} median {1000 * statistics.median(figures[name]):7.2f} ms   "
                  f"least {1000 * min(figures[name]):7.2f} ms   CPU {1000 * cpu:7.2f} ms")
        print(f"instant, {expression:24} ratio {ratio(figures, 0.5):5.2f}")


def part_lookups(program, count):
    connection = http.client.HTTPConnection(program.address, timeout=600)
    began, batch = time.perf_counter(), 50000
    for first in range(0, count, batch):
        lines = "".join(f'many{{host="host-{i // 100:05}",path="/p/{i % 100}",zone="z{i % 3}"}} 1 {NOW}000\n'
                        for i in range(first, min(first + batch, count)))
        connection.request("POST", "/api/v1/import/prometheus", lines)
        answer = connection.getresponse()
        if answer.status != 204:
            raise Failure(f"{answer.status} {answer.read()}")
        answer.read()
    print(f"lookups: {count} series written in {time.perf_counter() - began:.1f} s")
    window = f"start={NOW - 600}&end={NOW}"
    for path in (f"labels?{window}", f"label/zone/values?{window}", f"label/path/values?{window}",
                 f"label/host/values?limit=1000&{window}",
                 f"label/path/values?match[]=many{{host=%22host-00042%22}}&{window}",
                 f"series?match[]=many{{host=%22host-00042%22}}&{window}",
                 f"series?match[]=many{{host=~%22host-0004.%22,path=%22/p/7%22}}&{window}",
                 f"label/host/values?match[]=many{{path=%22/p/7%22}}&limit=1000&{window}"):
        took, before = [], cpu_seconds(program)
        for _ in range(30):
            at = time.perf_counter()
            connection.request("GET", f"/api/v1/{path}")
            answer = connection.getresponse()
            body = answer.read()
            took.append(time.perf_counter() - at)
            if answer.status != 200:
                raise Failure(f"{answer.status} {body[:300]}")
        items = len(json.loads(body)["data"])
        cpu = (cpu_seconds(program) - before) / 30
        print(f"lookups: median {1000 * statistics.median(took):7.2f} ms   least {1000 * min(took):7.2f} ms   "
              f"CPU {1000 * cpu:7.2f} ms   {items:6} items   {urllib.parse.unquote(path.partition('&start')[0].partition('?start')[0])}")
    connection.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--series", type=int, default=1000000)
    arguments = parser.parse_args()
    with scratch() as folder, server(folder) as one, prometheus(folder) as two:
        samples = [load(program) for program in (one, two)]
        print(f"{samples[0]} samples of {sum(1 for _ in series_of())} series in each")
        check_same(Client(one), Client(two))
        if arguments.rounds:
            part_dashboards(Client(one), Client(two), arguments.rounds)
        part_instant((one, Client(one)), (two, Client(two)))
        if arguments.series:
            part_lookups(one, arguments.series)
    return 0


if __name__ == "__main__":
    start(main)
