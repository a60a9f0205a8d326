#!/usr/bin/env python3
"""Kills the agent while it scrapes and ships, and looks for every scrape.

    agent_kill_loop.py [--kills N]             N kills, one every few scrapes
    agent_kill_loop.py --seconds S [--load N]  a kill every 10 to 60 s for so long, beside N samples/s of load

A target numbers its scrapes; a receiver keeps the numbers that arrive, and in every other round it is away, so that
there is a queue when the agent is killed. After each SIGKILL the agent is started again at once: it must never
refuse. What a kill may cost is the open batch, a second at most; what was scraped before that arrives, and what is
sent again is what was sent since the cursor was written, a second at most too. On every page of /metrics every sample is accounted for. SONDE_SEED repeats the decisions, not
the moments at which the machine carries them out."""
import argparse
import http.server
import os
import random
import socketserver
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from agent_account import read_page, total  # noqa: E402
from programs import Failure, agent, find_program, scratch, start, wait_until  # noqa: E402
import remote_write_reader  # noqa: E402

INTERVAL_SECONDS = 0.1
LOAD_SERIES = 200
# Of the open batch, and the one that is under way to it.
LOST_SCRAPES_MAX = round(1 / INTERVAL_SECONDS) + 3
# Sent within the second since the cursor was written: that second's, and the open batch of the second before it.
REPEATED_SCRAPES_MAX = 2 * LOST_SCRAPES_MAX
KILL_SECONDS = (10, 60)

CONFIG = """
global: {{scrape_interval: 100ms, scrape_timeout: 100ms}}
host: {{enabled: false}}
scrape_configs:
  - {{job_name: trial, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
  - {{job_name: load, metrics_path: /load, scrape_interval: 1s, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
remote_write: [{{name: store, url: "http://127.0.0.1:{port}/write", queue_config: {{max_backoff: 200ms}}}}]
"""


class Peer(http.server.BaseHTTPRequestHandler):
    """Target and receiver."""
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    scrapes = 0
    arrived = {}  # number of the scrape -> its time
    failed = []  # times of scrapes that the agent gave up: it says so by up
    repeated = 0  # of the present round: marks that had arrived before
    away = False
    load = "".join(f'load{{series="{i}"}} {i}\n' for i in range(LOAD_SERIES))
    more_load = b""

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/load":
            self.answer(200, Peer.more_load)
            return
        with Peer.lock:
            Peer.scrapes += 1
            number = Peer.scrapes
        self.answer(200, f"mark {number}\n{Peer.load}".encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if Peer.away:
            self.answer(503)
            return
        with Peer.lock:
            for labels, samples in remote_write_reader.series(body, b"trial"):
                for time_ms, value in samples:
                    if labels["__name__"] == "mark" and value == value:
                        Peer.repeated += round(value) in Peer.arrived
                        Peer.arrived[round(value)] = time_ms
                    elif labels["__name__"] == "up" and value == 0:
                        Peer.failed.append(time_ms)
        self.answer(204)

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A program that is killed breaks its connections."""


def wait_for_scrapes(count):
    wanted = Peer.scrapes + count
    wait_until(lambda: Peer.scrapes >= wanted, 60, f"{count} scrapes")


def check(kills):
    """Every scrape that did not arrive is one of the last before a kill, or one that the agent gave up and said so: on a
    machine with much else to do the target may answer later than the tenth of a second that a scrape is given. The most
    that was lost to a kill, and how many were given up.

    `kills` are (number of the last scrape, time). Between two of them at least as many scrapes must be told of by up 0 as
    are missing; which is which cannot be said, since late requests are numbered in the order in which they are answered."""
    worst = given_up = begin_number = begin_ms = 0
    for number, time_ms in kills:
        # The one behind was asked for before the kill when the target came to answer it after.
        of_it = [n for n in range(max(1, number - LOST_SCRAPES_MAX + 1), number + 2) if n not in Peer.arrived]
        lost = [n for n in range(begin_number + 2, number - LOST_SCRAPES_MAX + 1) if n not in Peer.arrived]
        told = sum(begin_ms <= failed_ms <= time_ms for failed_ms in set(Peer.failed))
        if len(lost) > told:
            raise Failure(f"{len(lost)} scrapes did not arrive, {told} were given up, before the kill at {number}: {lost[:20]}")
        worst, given_up = max(worst, len(of_it)), given_up + len(lost)
        begin_number, begin_ms = number, time_ms
    return worst, given_up


def rounds(arguments, decisions):
    """Numbers the kills, 0 being the first start, and waits behind each for as long as it is to be."""
    if arguments.seconds is None:
        for kill in range(arguments.kills + 1):
            yield kill
            wait_for_scrapes(decisions.randrange(5, 40))
        return
    end, kill = time.monotonic() + arguments.seconds, 0
    while time.monotonic() < end:
        yield kill
        time.sleep(decisions.uniform(*KILL_SECONDS))
        kill += 1


def kill_and_start(running):
    """The number of the last scrape before the kill, its time, and the seconds until it was ready again."""
    running.kill()
    with Peer.lock:
        number, time_ms = Peer.scrapes, time.time() * 1000
    began = time.monotonic()
    running.start()  # fails when it ends instead of being ready
    return number, time_ms, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--load", type=int, default=1)
    arguments = parser.parse_args()
    find_program("sonde-agent")
    decisions = random.Random(int(os.environ.get("SONDE_SEED", "1")))
    Peer.more_load = b"".join(b'more_load{code="200",handler="/api/v1/items",series="%d"} %d\n' % (i, i)
                              for i in range(arguments.load))
    server = Server(("127.0.0.1", 0), Peer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    killed_at, repeated, longest_start = [], [], 0.0
    with scratch() as folder:
        config = CONFIG.format(port=server.server_address[1])
        with agent(folder, config=config) as running:
            for kill in rounds(arguments, decisions):
                if kill > 0:
                    read_page(running)
                    repeated.append(Peer.repeated)
                    Peer.repeated = 0
                    number, time_ms, seconds = kill_and_start(running)
                    killed_at.append((number, time_ms))
                    longest_start = max(longest_start, seconds)
                    read_page(running)
                    if arguments.seconds is not None:
                        print(f"kill {kill}: {number} scrapes, {len(Peer.arrived)} arrived, {repeated[-1]} sent again, "
                              f"ready within {seconds:.2f} s", flush=True)
                Peer.away = kill % 2 == 1
            Peer.away = False
            wait_for_scrapes(20)
            # What waits now was scraped after the last kill.
            wait_until(lambda: max(Peer.arrived) > killed_at[-1][0], 60, "the queue is sent")
            page = read_page(running)
            if total(page, "agent_remote_dropped_samples_total") or total(page, "agent_lost_samples_total"):
                raise Failure("samples were dropped")
    worst, late = check(killed_at)
    repeated.append(Peer.repeated)
    if max(repeated) > REPEATED_SCRAPES_MAX:
        raise Failure(f"{repeated} scrapes were sent again after the kills; {REPEATED_SCRAPES_MAX} may be")
    print(f"{len(killed_at)} kills in {Peer.scrapes} scrapes of {LOAD_SERIES} series beside {arguments.load} samples/s: at "
          f"most {worst} scrapes, {INTERVAL_SECONDS} s apart, lost to one; at most {max(repeated)} sent again after one, "
          f"{sum(repeated) / len(repeated):.1f} on average; started again within {longest_start:.1f} s; {late} scrapes of "
          f"those between were late and given up, and the agent said so")
    return 0


if __name__ == "__main__":
    start(main)
