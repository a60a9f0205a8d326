#!/usr/bin/env python3
"""Kills the server while it is written to, and looks for every sample that it had acknowledged.

    kill_loop.py [--kills N] [--writers N]

Several writers send remote write as fast as they are answered; now and then one sends a request twice,
waits for the disk (ack=durable) or has everything sealed and merged (admin/tsdb/compact). A reader asks
all the while, and must see what was acknowledged before it asked. At a random moment the server gets SIGKILL, in one round of five once more while it starts. Then, before anything else
is written:

  lost   samples of an answered request that are not there, or with another value
  torn   requests that were cut off by the kill and are there in part: a commit is all or nothing

A request that was cut off is sent again, as senders do. After the last round everything is read once
more, before and after an orderly restart, and the files are verified by `sonde tsdb verify`.

Writer w has SERIES series; the sample with number n has the same time in all of them and a value that
follows from (w, series, n), so that a list of numbers is all there is to remember. SONDE_SEED repeats the
random decisions, though not the moment at which the machine carries them out.
"""
import argparse
import http.client
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import (Failure, Skip, find_program, post, scratch,  # noqa: E402
                      server, start, write_file)

SERIES = 24
STEP_MS = 5
TIMES_MAX = 6  # samples of a series in one request
RUN_SECONDS = (0.02, 1.2)
START_SECONDS = (0.0, 0.08)
CONFIG = "storage:\n  seal_interval: 1m\n"


def value_of(writer, series, number):
    return writer * 1e9 + number + series / 64


class Writer:
    """One sender: its numbers, and what became of them."""

    def __init__(self, index, seed, base_ms):
        self.index = index
        self.chance = random.Random(seed)
        self.base_ms = base_ms
        self.next = 0
        self.acknowledged = []  # numbers whose request was answered
        self.cut_off = []  # numbers of the request under way when the server died
        self.refusal = None

    def time_of(self, number):
        return self.base_ms + number * STEP_MS

    def message(self, numbers):
        all_series = []
        for series in range(SERIES):
            labels = {"__name__": "loop", "job": "kill", "instance": f"writer{self.index}", "series": str(series)}
            all_series.append((labels, [(self.time_of(n), value_of(self.index, series, n)) for n in numbers]))
        return all_series

    def run(self, address):
        """Writes until the server is gone."""
        connection = http.client.HTTPConnection(address, timeout=60)
        try:
            while self.refusal is None:
                self.write_one(address, connection)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def write_one(self, address, connection):
        if not self.cut_off:
            count = self.chance.randrange(1, TIMES_MAX + 1)
            self.cut_off = list(range(self.next, self.next + count))
            self.next += count
        path = "/api/v1/write" + ("?ack=durable" if self.chance.random() < 0.05 else "")
        repeats = 2 if self.chance.random() < 0.05 else 1
        for _ in range(repeats):
            status, text, _ = remote_write.write(address, self.message(self.cut_off), path, connection)
        if status in (200, 204):
            self.acknowledged += self.cut_off
            self.cut_off = []
        elif status not in (429, 503):
            self.refusal = f"{status} {text}"


class Reader:
    """Counts samples while they are written; what was acknowledged before must be among them."""

    def __init__(self, store, writers, seed):
        self.store = store
        self.writers = writers
        self.chance = random.Random(seed)
        self.unseen = None

    def run(self):
        """Reads until the server is gone."""
        try:
            while self.unseen is None:
                writer = self.chance.choice(self.writers)
                series = self.chance.randrange(SERIES)
                acknowledged = len(writer.acknowledged)
                selector = f'loop{{instance="writer{writer.index}",series="{series}"}}'
                at = writer.time_of(writer.next) / 1000
                width = at - writer.base_ms / 1000 + 1
                seen = self.store.value(f"count_over_time({selector}[{width:.0f}s])", time=f"{at:.3f}") or 0
                if seen < acknowledged:
                    self.unseen = f"{selector}: {acknowledged} samples acknowledged, {seen:.0f} seen"
        except (OSError, http.client.HTTPException):
            pass
        except Failure as failure:
            self.unseen = str(failure)


# ---- What is there -------------------------------------------------------------------------------


def stored(store, writer, first, last):
    """{series: {number: value}} of the numbers first..last, by a range selector."""
    end_ms = writer.time_of(last)
    width_ms = (last - first) * STEP_MS + STEP_MS // 2
    found = store.query(f'loop{{instance="writer{writer.index}"}}[{width_ms}ms]', time=f"{end_ms / 1000:.3f}")
    by_series = {}
    for series in found:
        numbers = {round((t * 1000 - writer.base_ms) / STEP_MS): float(v) for t, v in series["values"]}
        by_series[int(series["metric"]["series"])] = numbers
    return by_series


def check(store, writer, since):
    """(lost, torn) among the numbers from `since` on, as sentences."""
    if writer.next == since:
        return [], []
    found = stored(store, writer, since, writer.next - 1)
    lost, there = [], 0
    for series in range(SERIES):
        values = found.get(series, {})
        for number in writer.acknowledged:
            if number >= since and values.get(number) != value_of(writer.index, series, number):
                lost.append(f"writer {writer.index}, series {series}, number {number}: {values.get(number)}")
        there += sum(number in values for number in writer.cut_off)
    whole = SERIES * len(writer.cut_off)
    torn = [f"writer {writer.index}: {there} of the {whole} samples of a request"] if 0 < there < whole else []
    return lost, torn


def check_all(store, writers, since):
    lost, torn = [], []
    for writer in writers:
        more_lost, more_torn = check(store, writer, since[writer.index])
        lost += more_lost
        torn += more_torn
    for sentence in (lost + torn)[:10]:
        print(f"    {sentence}")
    return len(lost), len(torn)


# ---- Rounds --------------------------------------------------------------------------------------


def compact(store, chance):
    """Now and then, beside the writers; the kill may come in the middle."""
    time.sleep(chance.uniform(0, RUN_SECONDS[1]))
    try:
        post(f"{store.url}/api/v1/admin/tsdb/compact")
    except (OSError, http.client.HTTPException):
        pass


def play_round(store, writers, chance):
    reader = Reader(store, writers, chance.random())
    threads = [threading.Thread(target=writer.run, args=(store.address,)) for writer in writers]
    threads.append(threading.Thread(target=reader.run))
    if chance.random() < 0.4:
        threads.append(threading.Thread(target=compact, args=(store, random.Random(chance.random()))))
    for thread in threads:
        thread.start()
    time.sleep(chance.uniform(*RUN_SECONDS))
    ended = None if store.is_running() else store.process.returncode
    store.kill()
    for thread in threads:
        thread.join()
    if ended is not None:
        raise Failure(f"the server ended by itself with {ended}:\n{store.log_end()}")
    for writer in writers:
        if writer.refusal:
            raise Failure(f"a write was refused: {writer.refusal}")
    if reader.unseen:
        raise Failure(f"not visible: {reader.unseen}")
    if chance.random() < 0.2:
        store.launch()
        time.sleep(chance.uniform(*START_SECONDS))
        store.kill()
    store.start()


def verify_files(folder):
    try:
        sonde = find_program("sonde")
    except Skip as reason:
        print(f"files not verified: {reason}")
        return
    done = subprocess.run([sonde, "tsdb", "verify", os.path.join(folder, "server")], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise Failure(f"sonde tsdb verify ends with {done.returncode}:\n{done.stdout}")


def play(folder, store, writers, chance, kills):
    """(acknowledged samples, lost, torn)"""
    lost = torn = 0
    for number in range(1, kills + 1):
        since = [writer.acknowledged[-1] + 1 if writer.acknowledged else 0 for writer in writers]
        play_round(store, writers, chance)
        more_lost, more_torn = check_all(store, writers, since)
        if more_lost or more_torn:
            print(f"kill {number}: {more_lost} samples lost, {more_torn} requests torn", flush=True)
        lost += more_lost
        torn += more_torn
    for writer in writers:
        writer.cut_off = []
    lost = max(lost, check_all(store, writers, [0] * len(writers))[0])
    store.stop()
    verify_files(folder)
    store.start()
    lost = max(lost, check_all(store, writers, [0] * len(writers))[0])
    return sum(len(writer.acknowledged) for writer in writers) * SERIES, lost, torn


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--writers", type=int, default=4)
    arguments = parser.parse_args()
    seed = int(os.environ.get("SONDE_SEED") or random.randrange(1 << 32))
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    base_ms = (int(time.time()) - 3600) * 1000
    writers = [Writer(i, seed + 1 + i, base_ms) for i in range(arguments.writers)]
    with scratch() as folder:
        config = write_file(os.path.join(folder, "server.yaml"), CONFIG)
        with server(folder, flags=["--config", config]) as store:
            samples, lost, torn = play(folder, store, writers, chance, arguments.kills)
    print(f"{arguments.kills} kills, {samples} acknowledged samples, {lost} lost, {torn} requests torn")
    return 1 if lost or torn or samples == 0 else 0


if __name__ == "__main__":
    start(main)
