#!/usr/bin/env python3
"""kill -9 under load: no acknowledged sample may be lost.

A writer sends batches, one timestamp for all series each, and notes those that were answered 204. After a
moment the server is killed (every third time while it compacts), started again on its folder, and asked for
everything: each acknowledged sample must be there with its value, and a batch that was under way must be
there wholly or not at all.

usage: kill_loop.py [--kills N] [--seed N]; the seed is printed and repeats the moments of killing.
"""

import argparse
import http.client
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from sonde_process import Server  # noqa: E402

SERIES = 40
SPACING_MS = 100  # between batches
HISTORY_MS = 3 * 3600 * 1000  # how far back the first batch lies


class Writer:
    """Sends batch after batch until the server is gone."""

    def __init__(self, address, base_ms, batch):
        self.address, self.base_ms, self.batch = address, base_ms, batch
        self.acknowledged = []
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            while True:
                time_ms = self.base_ms + self.batch * SPACING_MS
                batch = [({"__name__": "kill_loop", "job": "loop", "instance": f"i{i % 4}", "n": str(i)},
                          [(time_ms, value_of(self.batch, i))]) for i in range(SERIES)]
                status, text, _ = remote_write.write(self.address, batch, connection=connection)
                if status == 204:
                    self.acknowledged.append(self.batch)
                elif status != 503:  # 503: it is being compacted or stopped, and says come again
                    raise AssertionError(f"{status}: {text}")
                self.batch += 1
        except (OSError, http.client.HTTPException):
            pass  # killed
        finally:
            connection.close()


def value_of(batch, series):
    return batch * 1000.0 + series


def read_batches(server, base_ms, first, last):
    """{batch: {series: value}} of the batches first..last."""
    found = {}
    for begin in range(first, last + 1, 5000):
        end = min(last, begin + 4999)
        span_ms = (end - begin) * SPACING_MS + 1
        at = (base_ms + end * SPACING_MS) / 1000
        status, body, _ = server.post(
            "/api/v1/query", [("query", f"kill_loop[{span_ms}ms]"), ("time", f"{at:.3f}")])
        assert status == 200, body
        for element in json.loads(body)["data"]["result"]:
            for seconds, value in element["values"]:
                batch = round((seconds * 1000 - base_ms) / SPACING_MS)
                found.setdefault(batch, {})[int(element["metric"]["n"])] = float(value)
    return found


def check(found, acknowledged, first, last):
    """(acknowledged samples that are lost, batches that are torn, values that are wrong)"""
    lost = torn = wrong = 0
    for batch in range(first, last + 1):
        samples = found.get(batch, {})
        if batch in acknowledged:
            lost += SERIES - len(samples)
        elif 0 < len(samples) < SERIES:
            torn += 1
        wrong += sum(value != value_of(batch, series) for series, value in samples.items())
    return lost, torn, wrong


def compact(address):
    """Asks for a compaction and does not wait for the answer to arrive."""
    def ask():
        connection = http.client.HTTPConnection(address, timeout=60)
        try:
            connection.request("POST", "/api/v1/admin/tsdb/compact")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def run(kills, seed):
    dice = random.Random(seed)
    base_ms = int(time.time() * 1000) - HISTORY_MS
    acknowledged, first, totals = set(), 0, [0, 0, 0]
    with Server() as server:
        for kill in range(kills):
            writer = Writer(server.address, base_ms, first)
            time.sleep(dice.uniform(0.02, 0.3))
            threads = [compact(server.address)] if kill % 3 == 2 else []
            time.sleep(dice.uniform(0, 0.02))
            server.kill()
            for thread in threads + [writer.thread]:
                thread.join()
            acknowledged.update(writer.acknowledged)
            server.start()
            last = writer.batch
            result = check(read_batches(server, base_ms, first, last), acknowledged, first, last)
            totals = [total + more for total, more in zip(totals, result)]
            if any(result):
                print(f"kill {kill}: lost, torn, wrong = {result}")
            first = last + 1
        everything = check(read_batches(server, base_ms, 0, first), acknowledged, 0, first)
        assert server.stop() == 0, server.read_log()
    samples = len(acknowledged) * SERIES
    print(f"{kills} kills, {samples} samples acknowledged; lost {totals[0]}, torn batches {totals[1]}, "
          f"wrong values {totals[2]}; at the end {everything}")
    return 1 if any(totals) or any(everything) or not samples else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SONDE_SEED", "1")))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    return run(options.kills, options.seed)


if __name__ == "__main__":
    sys.exit(main())
