#!/usr/bin/env python3
"""To Prometheus and back, with a real one on the other side.

  export: what Sonde exports, promtool accepts and Prometheus serves: every sample of every series equal.
  import: the data directory of a Prometheus (blocks, log, late samples, deletions) after a clean stop, after
          a kill, and a snapshot of it, into a store: every sample equal to what Prometheus answered before.

Histograms are compared as both print them, numbers as numbers. Skipped where Prometheus is not installed.
"""
import glob
import math
import os
import random
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import (Failure, find_peer, find_program, post, prometheus,  # noqa: E402
                      scratch, server, start, write_file)
from remote_write import Histogram  # noqa: E402

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
HOURS = 6
STEP = 15
FEATURES = ["--enable-feature=native-histograms"]
# One series of histograms at a time: Prometheus 2.42 mixes up their buckets when a range has several.
QUERIES = ['{__name__=~"counter|gauge"}', '{__name__="odd"}', 'native{kind="integer"}', 'native{kind="float"}',
           'native{kind="gauge"}', "short_lived"]


# ---- What is stored ------------------------------------------------------------------------------


def history(end_ms, gauges=True):
    """[(labels, [(milliseconds, value)])] over six hours."""
    chance = random.Random(7)
    times = list(range(end_ms - HOURS * 3600_000, end_ms, STEP * 1000))
    odd = [math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, -1.7976931348623157e308, 1 / 3, STALE]
    all_series = []
    for job in ("api", "web"):
        for instance in ("a:80", "b:80"):
            total, samples = 0.0, []
            for t in times:
                total = 0.0 if chance.random() < 0.003 else total + chance.randrange(9)
                samples.append((t + chance.randrange(-30, 30), total))
            all_series.append(({"__name__": "counter", "job": job, "instance": instance}, samples))
            all_series.append(({"__name__": "gauge", "job": job, "instance": instance},
                               [(t, chance.uniform(-1, 1)) for t in times if chance.random() < 0.9]))
    all_series.append(({"__name__": "odd", "path": "/straße"}, [(t, odd[i % 9]) for i, t in enumerate(times)]))
    all_series.append(({"__name__": "short_lived", "pod": "x"}, [(t, 1.5) for t in times[200:260]]))
    for kind, floating, gauge in (("integer", False, False), ("float", True, False), ("gauge", False, True)):
        if not gauge or gauges:
            all_series.append(({"__name__": "native", "job": "api", "kind": kind},
                               native(chance, times, floating, gauge)))
    return all_series


def native(chance, times, floating, gauge):
    samples, positive, negative, zero, total = [], {}, {}, 0, 0.0
    for i, t in enumerate(times[::4]):
        if i % 170 == 0:
            positive, negative, zero, total = {-3: 0, 0: 0, 1: 0}, {2: 0}, 0, 0.0
        if i % 170 == 50:
            positive[7] = 0
        for index in positive:
            step = chance.randrange(-2, 6) if gauge else chance.randrange(5)
            positive[index] = max(0, positive[index] + step * (0.25 if floating else 1))
        negative[2] += chance.randrange(2)
        zero += chance.randrange(2)
        total += chance.uniform(0, 10)
        samples.append((t, Histogram(total, 3, dict(positive), dict(negative), zero + 1, 2.0 ** -128,
                                     hint=3 if gauge else 0, floats=floating)))
    return samples


def send(store, all_series):
    """In pieces of ascending time, as Prometheus wants them."""
    begin = min(samples[0][0] for _, samples in all_series) - 1000
    end = max(samples[-1][0] for _, samples in all_series)
    while begin <= end:
        piece = [(labels, [s for s in samples if begin <= s[0] < begin + 900_000]) for labels, samples in all_series]
        status, text, _ = remote_write.write(store.address, [p for p in piece if p[1]])
        if status // 100 != 2:
            raise Failure(f"{store.name} refuses samples: {status} {text}")
        begin += 900_000


# ---- What is answered ----------------------------------------------------------------------------


def bucket(value):
    """Bounds are computed, not stored: to 14 digits."""
    kind, lower, upper, count = value
    return kind, f"{float(lower):.13e}", f"{float(upper):.13e}", numbers(count)


def numbers(value):
    """Texts of numbers as numbers, NaN as a word of its own."""
    if isinstance(value, list):
        return [numbers(v) for v in value]
    if isinstance(value, dict):
        return {k: [bucket(b) for b in v] if k == "buckets" else numbers(v) for k, v in value.items()}
    if isinstance(value, str):
        value = float(value)
    return "NaN" if math.isnan(value) else (value, math.copysign(1, value))


def everything(store, end_ms):
    """{query: {labels: [[time, value]]}} of all samples."""
    answers = {}
    for query in QUERIES:
        result = store.query(f"{query}[{HOURS + 1}h]", time=end_ms / 1000)
        answers[query] = {tuple(sorted(s["metric"].items())):
                          [[t, numbers(v)] for t, v in s.get("values", []) + s.get("histograms", [])]
                          for s in result}
    return answers


def compare(name, ours, theirs, may_lack=()):
    count = 0
    for query in QUERIES:
        if not theirs[query] and query not in may_lack:
            raise Failure(f"{name}: {query}: there is nothing to compare")
        if ours[query].keys() != theirs[query].keys():
            raise Failure(f"{name}: {query}: series {sorted(ours[query])}, Prometheus {sorted(theirs[query])}")
        for labels, samples in theirs[query].items():
            mine = ours[query][labels]
            for a, b in zip(mine, samples):
                if a != b:
                    raise Failure(f"{name}: {labels}: {a}, Prometheus {b}")
            if len(mine) != len(samples):
                raise Failure(f"{name}: {labels}: {len(mine)} samples, Prometheus {len(samples)}")
            count += len(samples)
    print(f"{name}: {count} samples equal")


def tool(*words):
    done = subprocess.run([find_program("sonde"), *words], text=True, timeout=300, capture_output=True)
    if done.returncode != 0 or done.stderr:
        raise Failure(f"sonde {' '.join(words)}: {done.returncode} {done.stdout}{done.stderr}")
    return done.stdout


def promtool(*words):
    done = subprocess.run([find_peer("promtool"), *words], text=True, timeout=300, capture_output=True)
    if done.returncode != 0:
        raise Failure(f"promtool {' '.join(words)}: {done.returncode} {done.stdout}{done.stderr}")
    return done.stdout


# ---- Cases ---------------------------------------------------------------------------------------


def export_is_served(place, end_ms, flags, blocks_wanted):
    out = os.path.join(place, "out")
    with server(place) as s:
        send(s, history(end_ms))
        ours = everything(s, end_ms)
    print(tool("tsdb", "export", out, "--data", os.path.join(place, "server"), *flags).strip())
    blocks = sorted(glob.glob(out + "/*"))
    if not blocks_wanted(len(blocks)):
        raise Failure(f"{len(blocks)} blocks")
    for block in blocks:
        text = promtool("tsdb", "analyze", out, os.path.basename(block))
        if "\nLabel names: " not in text:
            raise Failure(text)
    with prometheus(place, name="out", flags=FEATURES) as p:
        compare(f"export {' '.join(flags) or '2h'}", ours, everything(p, end_ms))
        # And it goes on from there: a block must not keep it from new samples.
        now = int(time.time() * 1000)
        status, text, _ = remote_write.write(p.address, [({"__name__": "fresh"}, [(now, 1.0)])])
        if status // 100 != 2:
            raise Failure(f"Prometheus on exported blocks refuses a new sample: {status} {text}")


def import_of(place, name, end_ms, flags, prepare, gauges=True, kill=False, config=None):
    """prepare(prometheus) -> the directory to import."""
    p = prometheus(place, name=name, flags=FEATURES + flags)
    if config:
        write_file(os.path.join(place, name + ".yaml"), config)
    with p:
        send(p, history(end_ms, gauges))
        directory = prepare(p) or os.path.join(place, name)
        theirs = everything(p, end_ms)
        if kill:
            p.kill()
    if directory == os.path.join(place, name):
        print(f"{name}: {len(glob.glob(directory + '/0*'))} blocks in the directory")
    data = os.path.join(place, name + "-sonde")
    print(tool("tsdb", "import", directory, "--data", data).strip())
    print(tool("tsdb", "verify", data).strip())
    with server(place, name=name + "-sonde", flags=["--retention", "10000d"]) as s:
        compare(name, everything(s, end_ms), theirs, () if gauges else QUERIES[-2:])
    if kill:
        with server(place, name=name + "-remote") as s:
            print(tool("tsdb", "import", directory, "--server", s.url).strip())
            compare(name + ", to a running server", everything(s, end_ms), theirs, () if gauges else QUERIES[-2:])


def delete_some(p):
    """A series and a piece of others, before anything is compared."""
    for match, begin, end in (("short_lived", 0, 2e9), ('counter{job="web"}', p.end - 4000, p.end - 3000),
                              ('gauge{job="web"}', p.end - 16000, p.end - 15000)):
        answer = post(f"{p.url}/api/v1/admin/tsdb/delete_series", {"match[]": match, "start": begin, "end": end})
        if answer.status != 204:
            raise Failure(f"delete_series: {answer.status} {answer.text}")


def take_snapshot(p):
    answer = post(f"{p.url}/api/v1/admin/tsdb/snapshot", timeout=120)
    if answer.status != 200:
        raise Failure(f"snapshot: {answer.text}")
    return os.path.join(os.path.dirname(p.log_path), p.data_name, "snapshots", answer.json()["data"]["name"])


def main():
    find_peer("prometheus"), find_peer("promtool")
    end_ms = int(time.time()) // 60 * 60_000 - 3600_000
    short = ["--storage.tsdb.min-block-duration=30m", "--storage.tsdb.max-block-duration=30m"]

    def deletions(p):
        p.end = end_ms / 1000
        delete_some(p)

    def send_late(p):
        """Every series that has late samples has more than fit an unfinished chunk of them (32)."""
        late = [({"__name__": "gauge", "job": job, "instance": "a:80"},
                 [(end_ms - 3600_000 + i * 15_000 + 7_000, i + 0.5) for i in range(100)]) for job in ("api", "web")]
        for part in (slice(50, 100), slice(0, 50)):
            send(p, [(labels, samples[part]) for labels, samples in late])

    def snapshot(p):
        p.data_name = "snapshotted"
        return take_snapshot(p)

    with scratch() as place:
        export_is_served(place, end_ms, [], lambda n: 3 <= n <= 4)
    with scratch() as place:
        export_is_served(place, end_ms, ["--range", "24h"], lambda n: 1 <= n <= 2)
    with scratch() as place:
        import_of(place, "stopped", end_ms, [], lambda p: None)
        import_of(place, "killed", end_ms, short, lambda p: None, gauges=False, kill=True)
        import_of(place, "late", end_ms, [], send_late, kill=True,
                  config="storage: {tsdb: {out_of_order_time_window: 2h}}\n")
        import_of(place, "deleted", end_ms, short + ["--web.enable-admin-api"], deletions, gauges=False)
        import_of(place, "snapshotted", end_ms, ["--web.enable-admin-api"], snapshot, gauges=False)
    return 0


if __name__ == "__main__":
    start(main)
