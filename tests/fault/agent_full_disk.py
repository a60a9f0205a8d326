#!/usr/bin/env python3
"""Fills a small real file system under a running agent whose store is away: first its own queue does, then a
stranger, to the last byte. The agent gives up the oldest it has, never ends, recovers by itself, and accounts for
every sample; what is newest arrives when the store is back.

A tmpfs is mounted for it, which needs privileges; without them the test is skipped (test_queue fills a simulated
disk in any case)."""
import base64
import http.server
import os
import random
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from agent_account import read_page, total  # noqa: E402
from programs import Failure, Skip, agent, find_program, start, wait_until  # noqa: E402
import remote_write_reader  # noqa: E402

DISK_MIB = 48
BULKY_SERIES, BULKY_BYTES = 100, 6000  # of a scrape, in labels that do not compress
QUEUE_BYTES_MIN = 20 << 20

CONFIG = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
host: {{enabled: false}}
queue: {{min_free: 4MiB}}
scrape_configs: [{{job_name: trial, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
remote_write: [{{name: store, url: "http://127.0.0.1:{port}/write", queue_config: {{max_backoff: 200ms}}}}]
"""


def make_bulk():
    letters = random.Random(1)
    values = (base64.b64encode(letters.randbytes(BULKY_BYTES)).decode() for _ in range(BULKY_SERIES))
    return "".join(f'bulky{{x="{value}"}} 1\n' for value in values)


class Peer(http.server.BaseHTTPRequestHandler):
    """Target and receiver."""
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    scrapes = 0
    away = True
    arrived = set()
    bulk = make_bulk()

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with Peer.lock:
            Peer.scrapes += 1
            number = Peer.scrapes
        self.answer(200, f"mark {number}\n{Peer.bulk}".encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if Peer.away:
            self.answer(503)
            return
        marks = {round(value) for labels, samples in remote_write_reader.series(body, b"mark")
                 if labels["__name__"] == "mark" for _, value in samples if value == value}
        with Peer.lock:
            Peer.arrived |= marks
        self.answer(204)

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A scrape that ended in a timeout breaks its connection."""


class Disk:
    """A tmpfs for the length of a with statement."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="sonde-disk-")
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", self.path],
                                 capture_output=True, check=False)
        if mounted.returncode != 0:
            os.rmdir(self.path)
            raise Skip("no file system can be mounted here: " + mounted.stderr.decode().strip())
        return self

    def __exit__(self, kind, error, trace):
        subprocess.run(["umount", "-l", self.path], check=False)
        shutil.rmtree(self.path, ignore_errors=True)


def fill_to_the_last_byte(path):
    with open(path, "ab", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass


def trial(running, disk):
    pid = running.process.pid

    def reaches(condition, what):
        """Waits for a page on which the condition holds; the account holds on each."""
        return wait_until(lambda: condition(read_page(running)), 120, what)

    def dropped(page):
        return total(page, "agent_remote_dropped_samples_total", reason="disk_full")

    # Its own queue: at the floor the oldest goes, and the disk is never full.
    reaches(lambda page: total(page, "agent_queue_bytes") > QUEUE_BYTES_MIN and dropped(page) > 0, "the floor is met")
    before = Peer.scrapes
    # A stranger takes the rest: nothing can be written at all.
    filler = os.path.join(disk.path, "filler")
    for _ in range(5):
        fill_to_the_last_byte(filler)
        reaches(lambda page: total(page, "agent_queue_in_memory") == 1, "the queue is in memory")
        os.truncate(filler, 0)
        reaches(lambda page: total(page, "agent_queue_in_memory") == 0, "the queue is on the disk again")
    if Peer.scrapes <= before:
        raise Failure("no scrapes while the disk was full")
    # The store is back: all that was not given up arrives, and what is new.
    Peer.away = False
    newest = Peer.scrapes
    reaches(lambda page: newest in Peer.arrived and total(page, "agent_remote_pending_samples") < 3 * BULKY_SERIES,
            "the queue is sent")
    gaps = [n for n in range(min(Peer.arrived), newest) if n not in Peer.arrived]
    page = read_page(running)
    lost_scrapes = total(page, "agent_remote_dropped_samples_total") / BULKY_SERIES
    if len(gaps) > lost_scrapes + 1:
        raise Failure(f"{len(gaps)} scrapes are missing, but only {lost_scrapes:.1f} were counted as dropped")
    if not running.is_running() or running.process.pid != pid:
        raise Failure("the agent ended")
    print(f"{Peer.scrapes} scrapes, {len(Peer.arrived)} arrived, {lost_scrapes:.0f} given up and counted; the queue went "
          f"to memory and back 5 times")


def main():
    find_program("sonde-agent")
    server = Server(("127.0.0.1", 0), Peer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Disk() as disk, agent(disk.path, config=CONFIG.format(port=server.server_address[1])) as running:
        trial(running, disk)
    return 0


if __name__ == "__main__":
    start(main)
