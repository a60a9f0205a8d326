#!/usr/bin/env python3
"""Lets a real Prometheus write a block, and writes down what was put into it.

    prometheus_block.py [FOLDER]

makes FOLDER (default: prometheus_block beside this script) with the files of the block and `samples.txt`,
a line a sample, in label order:

    series NAME{...}
    TIME float BITS
    TIME histogram|floathistogram SCHEMA THRESHOLD-BITS ZERO-COUNT-BITS COUNT-BITS SUM-BITS INDEX:BITS ... / INDEX:BITS ...

and beside it prometheus_wal/wal, the log of the same samples (buckets that are not empty; positive ones before the slash; all bits are those of doubles). The samples
go in by remote write and come out by the snapshot of the admin API, so that head, compaction and block are
Prometheus' own. Needs prometheus with native histograms in remote write (2.42).
"""
import glob
import math
import os
import random
import shutil
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
import remote_write  # noqa: E402
from programs import Failure, post, prometheus, scratch, start  # noqa: E402
from remote_write import Histogram  # noqa: E402

BEGIN = 1_700_000_000_000
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
PAYLOAD = struct.unpack("<d", struct.pack("<Q", 0x7FF80000DEADBEEF))[0]


def bits(value):
    return f"{struct.unpack('<Q', struct.pack('<d', value))[0]:016x}"


def floats(chance):
    """{labels: [(time, value)]}"""
    jitter = [BEGIN + i * 15000 + chance.randrange(-40, 40) for i in range(140)]
    even = [BEGIN + i * 15000 for i in range(140)]
    odd = [0.0, -0.0, math.inf, -math.inf, math.nan, PAYLOAD, STALE, 5e-324, -1.7976931348623157e308, 1 / 3]
    gaps = [BEGIN + t for t in (0, 1, 3, 15000, 15001, 100000, 240000, 1240000, 4000000)]
    return [
        ({"__name__": "constant"}, [(t, 1.0) for t in even]),
        ({"__name__": "counter", "job": "a"}, [(t, float(i * 7 + i % 3)) for i, t in enumerate(jitter)]),
        ({"__name__": "counter", "job": "b", "path": "/straße"}, [(t, 0.1 * i) for i, t in enumerate(even)]),
        ({"__name__": "gauge"}, [(t, chance.uniform(-1e3, 1e3)) for t in jitter]),
        ({"__name__": "odd"}, [(t, odd[i % len(odd)]) for i, t in enumerate(even)]),
        ({"__name__": "sparse"}, [(t, float(i)) for i, t in enumerate(gaps)]),
    ]


def histograms(chance):
    """With resets, a bucket that appears, a stale sample, a gauge, a negative side; float counts."""
    def walk(floating, resets):
        positive, negative, zero, total, out = {0: 0, 1: 0, 4: 0}, {2: 0}, 0, 0.0, []
        for i in range(140):
            if resets and i % 60 == 59:
                positive, negative, zero, total = {0: 0, 1: 0, 4: 0}, {2: 0}, 0, 0.0
            if i == 30:
                positive[9] = 0
            for index in positive:
                positive[index] += chance.randrange(5) * (0.5 if floating else 1)
            negative[2] += chance.randrange(2)
            zero += chance.randrange(2)
            total += chance.uniform(0, 10)
            value = Histogram(total, 3, dict(positive), dict(negative), zero, 2.0 ** -128, floats=floating)
            if i == 100 and not floating:  # 2.42 takes a float histogram without counts for an integer one
                value = Histogram(STALE)
            out.append((BEGIN + i * 15000, value))
        return out

    # Prometheus 2.42 cannot write an unfinished chunk of gauges to a block unless it has one sample:
    # another schema begins a chunk.
    gauge = [(BEGIN + i * 15000, Histogram(-1.5, int(i == 100), {1: 100 - i % 7, 2: 3}, None, 0, 0.001, hint=3))
             for i in range(101)]
    return [
        ({"__name__": "native", "kind": "gauge"}, gauge),
        ({"__name__": "native", "kind": "integer"}, walk(False, True)),
        ({"__name__": "native", "kind": "float"}, walk(True, True)),
    ]


def describe(value):
    if not isinstance(value, Histogram):
        return f"float {bits(value)}"
    kind = "floathistogram" if value.floats else "histogram"
    sides = [" ".join(f"{i}:{bits(float(side[i]))}" for i in sorted(side) if side[i] != 0)
             for side in (value.positive, value.negative)]
    fields = [kind, str(value.schema), bits(value.zero_threshold), bits(float(value.zero_count)),
              bits(float(value.count())), bits(value.sum), sides[0], "/", sides[1]]
    return " ".join(field for field in fields if field)


def name_of(labels):
    rest = ", ".join(f'{k}="{labels[k]}"' for k in sorted(labels) if k != "__name__")
    return labels["__name__"] + (f"{{{rest}}}" if rest else "")


def send(store, all_series):
    """In order of time, as Prometheus wants them."""
    for begin in range(0, 4_100_000, 600_000):
        part = [(labels, [s for s in samples if begin <= s[0] - BEGIN + 1000 < begin + 600_000])
                for labels, samples in all_series]
        status, text, _ = remote_write.write(store.address, [p for p in part if p[1]])
        if status // 100 != 2:
            raise Failure(f"prometheus refuses the samples: {status} {text}")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "prometheus_block")
    wal_folder = os.path.join(os.path.dirname(os.path.abspath(folder)), "prometheus_wal")
    chance = random.Random(42)
    all_series = sorted(floats(chance) + histograms(chance), key=lambda s: sorted(s[0].items()))
    with scratch() as place, prometheus(place, flags=["--web.enable-admin-api", "--enable-feature=native-histograms"]) as p:
        send(p, all_series)
        answer = post(f"{p.url}/api/v1/admin/tsdb/snapshot")
        if answer.status != 200:
            raise Failure(f"no snapshot: {answer.text}")
        snapshot = os.path.join(place, "prometheus/snapshots", answer.json()["data"]["name"])
        blocks = [os.path.dirname(path) for path in glob.glob(snapshot + "/*/meta.json")]
        if len(blocks) != 1:
            raise Failure(f"{len(blocks)} blocks")
        for part in (folder, wal_folder):
            shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(blocks[0], folder)
        shutil.copytree(os.path.join(place, "prometheus/wal"), os.path.join(wal_folder, "wal"))
    with open(os.path.join(folder, "samples.txt"), "w", encoding="utf-8") as out:
        for labels, samples in all_series:
            print("series", name_of(labels), file=out)
            for time_ms, value in samples:
                print(time_ms, describe(value), file=out)
    return 0


if __name__ == "__main__":
    start(main)
