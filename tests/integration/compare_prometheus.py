#!/usr/bin/env python3
"""Asks sonde-server and Prometheus the same questions about the same samples.

    compare_prometheus.py [--seconds N] [--verbose] [--only TEXT]

Both get two streams. The history, 90 minutes of made-up series (counters that fall, gauges with NaN and
infinities, gaps, stale markers, histograms, labels to join on), is written to both by remote write. The
present, N seconds (45) of the host, the agent and Prometheus itself at a scrape interval of one second,
is shipped to both by one sonde-agent with two destinations.

Every query is then asked at fixed times, instant and range, and compared value by value: labels and times
exactly, numbers to a relative 1e-9, order where it is promised (sort, topk of an instant query).

Two things changed between the releases of Prometheus and are kept out of the way: before 3.0 a sample on
the left edge of a range counted, so that no time asked for lies a whole number of seconds after a sample
or an aligned step; before 2024 (prometheus#13725) rate() extrapolated further where a counter begins
near zero, so that counters begin high and ranges lie within their lives. What else differs by version is in DIFFERENT.
"""
import argparse
import math
import os
import random
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import (Failure, agent, get, post, prometheus, scratch,  # noqa: E402
                      server, start, wait_until)
from promql_questions import BAD, DIFFERENT, HISTORY, LOOKUPS, ORDERED, PRESENT  # noqa: E402

RELATIVE = 1e-9
SHOWN = 8  # differences printed of one query
HISTORY_SECONDS = 5400
HISTORY_STEP = 15
PRESENT_RANGE = 24  # longer than the ranges in PRESENT
# The bits by which a series says that it ends here: a NaN of its own.
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
CONFIG = """\
global:
  scrape_interval: 1s
host:
  interval: 1s
  instance: here
scrape_configs:
  - job_name: prometheus
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


# ---- The history ---------------------------------------------------------------------------------


def made_up_series(chance, end_ms):
    """[(labels, [(milliseconds, value)])] that end at end_ms."""
    times = range(end_ms - HISTORY_SECONDS * 1000, end_ms, HISTORY_STEP * 1000)
    all_series = []

    def add(name, values, **labels):
        labels["__name__"] = name
        all_series.append((labels, [(t, v) for t, v in zip(times, values) if v is not None]))

    # Far from zero, see above; what falls begins again at zero.
    def counter(step, falls=0.0):
        value = 1e6
        for _ in times:
            value = 0.0 if chance.random() < falls else value + chance.expovariate(1 / step)
            yield value

    for job in ("api", "web"):
        for instance in ("a:80", "b:80", "c:80"):
            for code in ("200", "404", "500"):
                add("requests_total", counter(7, 0.02), job=job, instance=instance, code=code)
            phase = chance.random() * 6
            add("load", [math.sin(i / 20 + phase) * 10 for i in range(len(times))], job=job, instance=instance)
            add("build_info", [1.0] * len(times), job=job, instance=instance, version=chance.choice(["1.2", "1.10"]))
    odd = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1e-300, -1e300, 0.1]
    add("odd", [odd[i % len(odd)] for i in range(len(times))], kind="cycle")
    add("odd", [math.nan] * len(times), kind="nan")
    add("odd", [1e15 + i / 8 for i in range(len(times))], kind="large")
    gap = [None if 100 < i < 160 or i % 7 == 3 else 1e6 + i for i in range(len(times))]
    add("sparse", gap, kind="gap")
    stale = [STALE if i in (50, 51, 200) else None if 51 < i < 90 else float(i % 13)
             for i in range(len(times))]
    add("sparse", stale, kind="stale")
    buckets = [0.1, 0.25, 0.5, 1.0, 2.5, math.inf]
    for job in ("api", "web"):
        below = [0.0] * len(times)
        for le in buckets:
            below = [b + c for b, c in zip(below, counter(3))]
            add("latency_seconds_bucket", below, job=job, le="+Inf" if math.isinf(le) else f"{le:g}")
        add("latency_seconds_count", below, job=job)
    add("size_by_path", [float(i) for i in range(len(times))], path="/straße?x=\"1\"\\n")
    return all_series


def send_history(stores, all_series):
    """In pieces of ascending time, as Prometheus wants them."""
    times = sorted({t for _, samples in all_series for t, _ in samples})
    for begin in range(0, len(times), 40):
        piece = set(times[begin:begin + 40])
        part = [(labels, [s for s in samples if s[0] in piece]) for labels, samples in all_series]
        for store in stores:
            status, text, _ = remote_write.write(store.address, part)
            if status // 100 != 2:
                raise Failure(f"{store.name} refuses the history: {status} {text}")


# ---- Comparing -----------------------------------------------------------------------------------


def same_number(a, b, relative=RELATIVE, absolute=0.0):
    a, b = float(a), float(b)
    return a == b or (math.isnan(a) and math.isnan(b)) or (
        math.isfinite(a) and math.isfinite(b) and abs(a - b) <= max(absolute, relative * max(abs(a), abs(b))))


def name_of(series):
    labels = dict(series["metric"])
    name = labels.pop("__name__", "")
    return name + "{" + ",".join(f'{k}="{v}"' for k, v in sorted(labels.items())) + "}"


def samples_of(series):
    return series["values"] if "values" in series else [series["value"]]


def compare_samples(name, ours, theirs, *tolerance):
    ours, theirs = dict(map(tuple, ours)), dict(map(tuple, theirs))
    for t in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(t), theirs.get(t)
        if a is None or b is None or not same_number(a, b, *tolerance):
            yield f"{name} @ {t:.3f}: {a}, Prometheus {b}"


def compare_results(ours, theirs, ordered, *tolerance):
    """Differences between two `data` of queries as sentences; `tolerance` as of same_number."""
    if ours["resultType"] != theirs["resultType"]:
        yield f"type {ours['resultType']}, Prometheus {theirs['resultType']}"
    elif ours["resultType"] in ("scalar", "string"):
        a, b = ours["result"], theirs["result"]
        if a[0] != b[0] or not (a[1] == b[1] or same_number(a[1], b[1])):
            yield f"{a}, Prometheus {b}"
    else:
        a, b = ({name_of(s): s for s in data["result"]} for data in (ours, theirs))
        for name in sorted(a.keys() | b.keys()):
            if name not in a or name not in b:
                yield f"{name}: only in {'ours' if name in a else 'Prometheus'}"
            else:
                yield from compare_samples(name, samples_of(a[name]), samples_of(b[name]), *tolerance)
        # Equal values may stand in any order: neither side promises one.
        if ordered and a.keys() == b.keys() and not all(
                name == other or same_number(samples_of(a[name])[0][1], samples_of(a[other])[0][1])
                for name, other in zip(a, b)):
            yield f"order {list(a)}, Prometheus {list(b)}"


class Comparison:
    """Asks both, counts, and prints what differs."""

    def __init__(self, ours, theirs, arguments):
        self.ours = ours
        self.theirs = theirs
        self.verbose = arguments.verbose
        self.only = arguments.only
        self.asked = self.values = self.empty = 0
        self.failed = []
        version = theirs.api("status/buildinfo")["version"]
        self.version = tuple(int(part) for part in version.split("+")[0].split(".")[:2])
        self.noted = {query: note for query, below, note in DIFFERENT if self.version < below}

    def ask(self, path, query, good=True, **parameters):
        """One question to both; a difference is printed at once."""
        if self.only and self.only not in query:
            return
        a, b = (post(f"{s.url}/api/v1/{path}", dict(parameters, query=query)) for s in (self.ours, self.theirs))
        self.asked += 1
        if a.status != 200 or b.status != 200:
            differences = list(compare_errors(a, b))
            if good and not differences:
                differences = [f"both refuse it: {b.text}"]
        else:
            ours, theirs = a.json()["data"], b.json()["data"]
            ordered = path == "query" and query.startswith(ORDERED)
            differences = list(compare_results(ours, theirs, ordered))
            if not good and not differences:
                differences = ["neither refuses it"]
            self.count(theirs)
        self.judge(f"{path} {query} {parameters}", query, differences)

    def count(self, data):
        if data["resultType"] in ("scalar", "string"):
            self.values += 1
        else:
            self.values += sum(len(samples_of(s)) for s in data["result"])
            self.empty += not data["result"]

    def judge(self, what, query, differences):
        if query in self.noted:
            if self.verbose:
                print(f"noted, {'different' if differences else 'equal'}: {what}: {self.noted[query]}")
        elif differences:
            self.failed.append(query)
            print(f"DIFFERS {what}")
            for line in differences[:SHOWN]:
                print(f"    {line}")
            if len(differences) > SHOWN:
                print(f"    and {len(differences) - SHOWN} more")

    def lookup(self, path, parameters):
        """Lists of labels, values and series: equal as sets."""
        lists = []
        for store in (self.ours, self.theirs):
            answer = get(f"{store.url}/api/v1/{path}", parameters)
            found = answer.json().get("data", []) if answer.status == 200 else [answer.text]
            lists.append({str(sorted(item.items())) if isinstance(item, dict) else item for item in found})
        self.asked += 1
        self.values += len(lists[1])
        differences = [f"only ours: {item}" for item in sorted(lists[0] - lists[1])]
        differences += [f"only Prometheus': {item}" for item in sorted(lists[1] - lists[0])]
        self.judge(f"{path} {parameters}", path, differences)


def compare_errors(a, b):
    """Both must refuse, with the same status and type; sentences are their own."""
    types = [answer.json().get("errorType") if answer.status != 200 else "" for answer in (a, b)]
    if (a.status, types[0]) != (b.status, types[1]):
        yield f"{a.status} {a.text[:200]}, Prometheus {b.status} {b.text[:200]}"


# ---- The run -------------------------------------------------------------------------------------


def free_fraction(stores, begin, end):
    """Milliseconds that no sample time of the present has, so that no range can begin on a sample."""
    used = set()
    for series in stores[1].query(f"up[{int(end - begin)}s]", time=end):
        used |= {round(t * 1000) % 1000 for t, _ in series["values"]}
    return next(ms for ms in range(500, 1500) if ms % 1000 not in used) % 1000 / 1000


def wait_until_both_have(stores, end):
    for store in stores:
        wait_until(lambda s=store: (s.value("min(timestamp(up))") or 0) > end, 60, f"samples in {store.name}")


def ask_all(c, history_end, begin, end):
    history_begin = history_end - HISTORY_SECONDS
    for query in HISTORY:
        query = query.replace("<at>", f"{history_end - 2000:.3f}")
        for at in (history_end - 60, history_end - 2711):
            c.ask("query", query, time=f"{at:.3f}")
        c.ask("query_range", query, start=f"{history_begin - 120:.3f}", end=f"{history_end + 600:.3f}", step="60s")
        c.ask("query_range", query, start=f"{history_end - 900:.3f}", end=f"{history_end - 100:.3f}", step="7")
    for query in PRESENT:
        c.ask("query", query, time=f"{end:.3f}")
        c.ask("query_range", query, start=f"{begin:.3f}", end=f"{end:.3f}", step="1s")
        c.ask("query_range", query, start=f"{begin:.3f}", end=f"{end:.3f}", step="11s")
    for query in BAD:
        c.ask("query", query, good=False, time=f"{end:.3f}")
    for path, parameters in LOOKUPS:
        c.lookup(path, parameters)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=45, help="of the present")
    parser.add_argument("--only", default="", help="queries that contain this text")
    parser.add_argument("--verbose", action="store_true", help="say of noted differences whether they are there")
    arguments = parser.parse_args()
    seed = int(os.environ.get("SONDE_SEED") or random.randrange(1 << 32))
    print(f"seed {seed}")
    with scratch() as folder, server(folder) as ours, prometheus(folder) as theirs:
        stores = [ours, theirs]
        # Samples of the history lie at whole seconds and 217 ms, its queries are asked at 500 ms.
        history_end = int(time.time()) - 120 + 0.5
        send_history(stores, made_up_series(random.Random(seed), int(history_end) * 1000 + 217))
        with agent(folder, config=CONFIG.format(port=theirs.port), servers=[s.url for s in stores]):
            begin = time.time()
            time.sleep(arguments.seconds)
            end = time.time() - 1  # before the questions below make series of their own
            wait_until_both_have(stores, time.time())
        fraction = free_fraction(stores, begin, end)
        comparison = Comparison(ours, theirs, arguments)
        ask_all(comparison, history_end, int(begin) + PRESENT_RANGE + fraction, int(end) + fraction)
    print(f"{comparison.asked} questions, {comparison.values} values compared, {comparison.empty} answers empty, "
          f"{len(set(comparison.failed))} queries differ, {len(comparison.noted)} noted")
    return 1 if comparison.failed else 0


if __name__ == "__main__":
    start(main)
