#!/usr/bin/env python3
"""Fills a small real file system under a running server: writes of samples and spans get 503 with Retry-After,
queries are answered, and when somebody frees space writes are taken again. Nothing acknowledged is lost.

A tmpfs is mounted for it, which needs privileges; without them the test is skipped.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../support"), os.path.join(HERE, "../integration")]
import remote_write  # noqa: E402
import traces  # noqa: E402
from programs import Failure, Skip, find_program, start, write_file  # noqa: E402
from sonde_process import Server  # noqa: E402

DISK = "48m"
SERIES = 50
CONFIG = """storage:
  disk_low: 12MiB
  disk_refuse: 6MiB
  ballast: 3MiB
"""
WAIT_SECONDS = 30


class Disk:
    """A tmpfs for the length of a with statement."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="sonde-disk-")
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", self.path], capture_output=True)
        if mounted.returncode != 0:
            os.rmdir(self.path)
            raise Skip("no file system can be mounted here: " + mounted.stderr.decode().strip())
        return self

    def __exit__(self, kind, error, trace):
        subprocess.run(["umount", "-l", self.path], check=False)
        shutil.rmtree(self.path, ignore_errors=True)


class Written:
    """What was acknowledged: numbers of rounds; a round is a sample of every series."""

    def __init__(self):
        self.random = random.Random(int(os.environ.get("SONDE_SEED", "1")))
        self.base = int(time.time() * 1000) - 3600 * 1000
        self.rounds = 0
        self.acknowledged = {}  # time -> values
        self.traces = []  # numbers of the rounds whose trace was taken

    def write(self, server):
        """The status of one more round, samples and a trace, or 0 when they differ; refused ones are not tried again."""
        status = self.write_samples(server)
        trace = self.write_trace(server)
        return status if (trace == 200) == (status == 204) else 0

    def write_trace(self, server):
        number = self.rounds
        noise = "%x" % self.random.getrandbits(4000)
        message = traces.message("fill", traces.span(number, number, noise, 60, 5))
        status, body, headers = server.request("POST", "/v1/traces", message, {"Content-Type": traces.PROTOBUF})
        if status == 200:
            self.traces.append(number)
        elif status != 503 or "retry-after" not in headers or b"full" not in body:
            raise Failure(f"a trace was answered {status}: {headers} {body}")
        return status

    def write_samples(self, server):
        t = self.base + self.rounds * 10
        self.rounds += 1
        values = [self.random.random() for _ in range(SERIES)]  # does not compress
        status, text, headers = remote_write.write(server.address, [
            ({"__name__": f"m{i}", "job": "fill"}, [(t, value)]) for i, value in enumerate(values)])
        if status == 204:
            self.acknowledged[t] = values
        elif status == 503:
            if "Retry-After" not in headers or "full" not in text:
                raise Failure(f"503 without Retry-After, or without its reason: {headers} {text}")
        else:
            raise Failure(f"a write was answered {status}: {text}")
        return status

    def check(self, server):
        """Every acknowledged sample is there with its value, and nothing that was refused."""
        end = max(self.acknowledged)
        range_ms = end - self.base + 1000
        for i in range(SERIES):
            found = server.query(f"m{i}[{range_ms}ms]", end / 1000)
            values = {round(float(t) * 1000): float(v) for t, v in found[0]["values"]}
            expected = {t: values_at[i] for t, values_at in self.acknowledged.items()}
            if values != expected:
                missing = [t for t in expected if values.get(t) != expected[t]]
                raise Failure(f"m{i}: {len(values)} samples, expected {len(expected)}; "
                              f"lost or wrong: {missing[:3]}")
        for number in self.traces:
            status, body, _ = server.get(f"/api/traces/{number:032x}")
            if status != 200 or len(json.loads(body)["data"][0]["spans"]) != 1:
                raise Failure(f"trace {number}: {status} {body[:200]}")


def wait_for(what, condition):
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {WAIT_SECONDS} s")
        time.sleep(0.05)  # another process's work is waited for


def level(server):
    page = server.get("/metrics")[1]
    return int(page.split("\nsonde_tsdb_disk_level ", 1)[1].split("\n", 1)[0])


def fill_up(server, written, disk):
    """Something else takes the space, all but what the store needs to notice."""
    for _ in range(50):
        if written.write(server) != 204:
            raise Failure("refused while there is room")
    filler = os.path.join(disk.path, "filler")
    with open(filler, "wb") as file:
        free = shutil.disk_usage(disk.path).free
        file.write(b"\0" * max(0, free - (8 << 20)))
    wait_for("low water", lambda: level(server) >= 1)
    if os.path.exists(os.path.join(server.data, "BALLAST")):
        raise Failure("the ballast is still there at low water")
    for _ in range(50):
        if written.write(server) != 204:
            raise Failure("refused at low water")
    with open(filler, "ab") as file:
        free = shutil.disk_usage(disk.path).free
        file.write(b"\0" * max(0, free - (4 << 20)))
    wait_for("refusal", lambda: written.write(server) == 503)
    # To the last byte: the disk itself has nothing more to give.
    with open(filler, "ab", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
    return filler


def run():
    with Disk() as disk:
        config = os.path.join(disk.path, "config.yaml")
        write_file(config, CONFIG)
        with Server("--config", config) as server:
            server.stop()
            shutil.rmtree(server.data, ignore_errors=True)
            data = os.path.join(disk.path, "data")
            server.command[server.command.index("--data") + 1] = data
            server.data = data
            server.start()
            written = Written()
            filler = fill_up(server, written, disk)
            for _ in range(20):
                if written.write(server) != 503:
                    raise Failure("a write was taken on a full disk")
            written.check(server)
            # A restart on the full disk: killed, so that the log is replayed.
            server.kill()
            server.start()
            written.check(server)
            if written.write(server) != 503:
                raise Failure("a write was taken on a full disk after a restart")
            os.remove(filler)
            wait_for("room again", lambda: written.write(server) == 204)
            for _ in range(50):
                if written.write(server) != 204:
                    raise Failure("refused although there is room again")
            written.check(server)
            wait_for("the ballast", lambda: os.path.exists(os.path.join(data, "BALLAST")))
            server.stop()
            verify = subprocess.run([find_program("sonde"), "tsdb", "verify", data], capture_output=True)
            if verify.returncode != 0:
                raise Failure(f"verify: {verify.stdout.decode()} {verify.stderr.decode()}")
            print(f"{len(written.acknowledged)} of {written.rounds} rounds and {len(written.traces)} traces were acknowledged, none lost")
    return 0


if __name__ == "__main__":
    start(run)
