#!/usr/bin/env python3
"""Kills the server while traces are written to it, and looks for every span that it had acknowledged.

    traces_kill_loop.py [--kills N] [--writers N]

Several writers send OTLP as fast as they are answered. A trace arrives in pieces, some of them after its others are
in a block; some messages come twice, some wait for the disk (ack=durable), and each has a trace of a service that
is kept for a moment only. Beside them somebody has blocks cut (admin/tsdb/compact), so that blocks are merged and
written anew without what is due all the while, reads traces, which must have what was acknowledged before, and makes
snapshots. At a random moment the server gets SIGKILL, in one round of five once more while it starts. Then, before
anything else is written:

  lost   spans of an answered request that are not in their trace
  twice  spans that are in it more than once

A request that was cut off is sent again, as senders do. After the last round every trace is read once more, before and
after an orderly restart, and the files of the store and of the last snapshot are verified by `sonde tsdb verify`.
SONDE_SEED repeats the random decisions, though not the moment at which the machine carries them out.
"""
import argparse
import collections
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../support"), os.path.join(HERE, "../integration")]
import traces  # noqa: E402
from programs import Failure, find_program, post, scratch, server, start, write_file  # noqa: E402

SPANS_MAX = 6  # of a message
OPEN_TRACES = 12  # that a writer adds pieces to
RUN_SECONDS = (0.05, 2.5)
START_SECONDS = (0.0, 0.08)
CONFIG = "traces:\n  retention_services: ['brief: 3s']\n"
ADMIN = "--web.enable-admin-api"


class Writer:
    """One sender: which spans it sent, and what became of them."""

    def __init__(self, index, seed):
        self.index = index
        self.chance = random.Random(seed)
        self.next_trace = (index + 1) << 64 | 1
        self.next_span = 1
        self.open = []  # traces that get more pieces
        self.acknowledged = collections.defaultdict(set)  # trace -> spans
        self.cut_off = None  # (message, {trace: spans}) under way when the server died
        self.changed = set()  # traces since the last check
        self.refusal = None

    def new_trace(self):
        self.next_trace += 1
        return self.next_trace

    def spans_of(self, trace, count):
        first = self.next_span
        self.next_span += count
        return [(identity, traces.span(trace, identity, f"step {identity % 7}", 20, 5)) for identity in range(first, self.next_span)]

    def message(self):
        """A piece of some open traces, and a brief one."""
        while len(self.open) < OPEN_TRACES:
            self.open.append(self.new_trace())
        sent, spans = {}, []
        for trace in self.chance.sample(self.open, self.chance.randrange(1, 4)):
            piece = self.spans_of(trace, self.chance.randrange(1, SPANS_MAX + 1))
            sent[trace] = {identity for identity, _ in piece}
            spans += [span for _, span in piece]
        if self.chance.random() < 0.2:
            self.open.pop(self.chance.randrange(len(self.open)))
        brief = self.spans_of(self.new_trace(), 1)
        return traces.message("kill", *spans) + traces.message("brief", brief[0][1]), sent

    def run(self, address):
        """Writes until the server is gone."""
        connection = http.client.HTTPConnection(address, timeout=60)
        try:
            while self.refusal is None:
                self.write_one(connection)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def write_one(self, connection):
        if self.cut_off is None:
            self.cut_off = self.message()
        message, sent = self.cut_off
        path = "/v1/traces" + ("?ack=durable" if self.chance.random() < 0.05 else "")
        for _ in range(2 if self.chance.random() < 0.05 else 1):
            connection.request("POST", path, message, {"Content-Type": traces.PROTOBUF})
            answer = connection.getresponse()
            text = answer.read()
        if answer.status == 200 and not text:
            for trace, spans in sent.items():
                self.acknowledged[trace] |= spans
                self.changed.add(trace)
            self.cut_off = None
        elif answer.status not in (429, 503):
            self.refusal = f"{answer.status} {text}"


def spans_in(connection, trace):
    """Ids of the spans of a trace, as they are answered."""
    connection.request("GET", f"/api/traces/{trace:032x}")
    answer = connection.getresponse()
    body = answer.read()
    if answer.status == 404:
        return []
    if answer.status != 200:
        raise Failure(f"trace {trace:x}: {answer.status} {body[:200]}")
    return [int(span["spanID"], 16) for span in json.loads(body)["data"][0]["spans"]]


class Reader:
    """Opens traces while they are written; what was acknowledged before must be in them."""

    def __init__(self, writers, seed):
        self.writers = writers
        self.chance = random.Random(seed)
        self.unseen = None
        self.reads = 0

    def run(self, address):
        connection = http.client.HTTPConnection(address, timeout=60)
        try:
            while self.unseen is None:
                writer = self.chance.choice(self.writers)
                trace = self.chance.choice(writer.open or [1])
                owed = set(writer.acknowledged.get(trace, ()))
                found = spans_in(connection, trace)
                self.reads += 1
                if owed - set(found) or len(found) != len(set(found)):
                    self.unseen = f"trace {trace:x}: acknowledged {sorted(owed)}, seen {sorted(found)}"
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()


# ---- What is there -------------------------------------------------------------------------------


def check(store, writer, of):
    """(lost, twice) in these traces."""
    lost = twice = 0
    connection = http.client.HTTPConnection(store.address, timeout=60)
    for trace in of:
        found = spans_in(connection, trace)
        missing = writer.acknowledged[trace] - set(found)
        lost += len(missing)
        twice += len(found) - len(set(found))
        if missing or len(found) != len(set(found)):
            print(f"    writer {writer.index}, trace {trace:x}: lost {sorted(missing)}, found {sorted(found)}")
    connection.close()
    return lost, twice


def check_all(store, writers, everything):
    total = [0, 0]
    for writer in writers:
        of = list(writer.acknowledged) if everything else writer.changed
        for i, count in enumerate(check(store, writer, of)):
            total[i] += count
        writer.changed = set()
    return total


# ---- Rounds --------------------------------------------------------------------------------------


def look_after(store, chance, done):
    """Has blocks cut, and now and then a snapshot made; the kill may come in the middle."""
    try:
        while not done.is_set():
            post(f"{store.url}/api/v1/admin/tsdb/compact")
            if chance.random() < 0.1:
                post(f"{store.url}/api/v1/admin/tsdb/snapshot")
            done.wait(chance.uniform(0, 0.5))
    except (OSError, http.client.HTTPException, ValueError):
        pass


def play_round(store, writers, chance):
    reader, done = Reader(writers, chance.random()), threading.Event()
    threads = [threading.Thread(target=one.run, args=(store.address,)) for one in [*writers, reader]]
    threads.append(threading.Thread(target=look_after, args=(store, random.Random(chance.random()), done)))
    for thread in threads:
        thread.start()
    time.sleep(chance.uniform(*RUN_SECONDS))
    ended = None if store.is_running() else store.process.returncode
    store.kill()
    done.set()
    for thread in threads:
        thread.join()
    if ended is not None:
        raise Failure(f"the server ended by itself with {ended}:\n{store.log_end()}")
    for writer in writers:
        if writer.refusal:
            raise Failure(f"a message was refused: {writer.refusal}")
    if reader.unseen:
        raise Failure(f"not visible: {reader.unseen}")
    if chance.random() < 0.2:
        store.launch()
        time.sleep(chance.uniform(*START_SECONDS))
        store.kill()
    store.start()
    return reader.reads


def verify(path):
    done = subprocess.run([find_program("sonde"), "tsdb", "verify", path], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise Failure(f"sonde tsdb verify {path} ends with {done.returncode}:\n{done.stdout}")


def blocks_made(folder):
    """The number of the newest block: each cut, merge and thinning takes one."""
    names = [name for name in os.listdir(os.path.join(folder, "server", "spans")) if name.endswith(".spans")]
    return max((int(name.split(".")[0], 16) for name in names), default=0), len(names)


def play(folder, store, writers, chance, kills):
    lost = twice = reads = 0
    for number in range(1, kills + 1):
        reads += play_round(store, writers, chance)
        more_lost, more_twice = check_all(store, writers, False)
        if more_lost or more_twice:
            print(f"kill {number}: {more_lost} spans lost, {more_twice} found twice", flush=True)
        lost += more_lost
        twice += more_twice
    snapshot = post(f"{store.url}/api/v1/admin/tsdb/snapshot").json()["data"]["name"]
    for _ in range(2):
        more_lost, more_twice = check_all(store, writers, True)
        lost, twice = max(lost, more_lost), max(twice, more_twice)
        store.stop()
        verify(os.path.join(folder, "server"))
        store.start()
    verify(os.path.join(folder, "server", "snapshots", snapshot))
    made, left = blocks_made(folder)
    print(f"{reads} traces read meanwhile; {made} blocks were made, {left} are left")
    spans = sum(len(spans) for writer in writers for spans in writer.acknowledged.values())
    return spans, lost, twice


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--writers", type=int, default=3)
    arguments = parser.parse_args()
    seed = int(os.environ.get("SONDE_SEED") or random.randrange(1 << 32))
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    writers = [Writer(i, seed + 1 + i) for i in range(arguments.writers)]
    with scratch() as folder:
        config = write_file(os.path.join(folder, "server.yaml"), CONFIG)
        with server(folder, flags=["--config", config, ADMIN]) as store:
            spans, lost, twice = play(folder, store, writers, chance, arguments.kills)
    print(f"{arguments.kills} kills, {spans} acknowledged spans, {lost} lost, {twice} found twice")
    return 1 if lost or twice or spans == 0 else 0


if __name__ == "__main__":
    start(main)
