#!/usr/bin/env python3
"""Targets that behave badly beside one that does not: bodies without end, a byte now and then, no answer, heads
without end, bombs of gzip, new series with each scrape, a million samples at once. Only they fail, by the reason and
at the time that is theirs; the good one misses nothing, memory stays within its budget, and every sample is accounted
for."""
import gzip
import http.server
import os
import socketserver
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from agent_account import read_page, total  # noqa: E402
from programs import Failure, agent, find_program, get, scratch, start, wait_until  # noqa: E402

TIMEOUT_SECONDS = 1
GOOD_SCRAPES = 20
NEW_SERIES = 3000  # of each scrape of the target that never says the same twice
LARGE_SAMPLES = 200_000
MEMORY_MAX_MIB = 48
# The budget is for what stays; bodies come on top while they are read: two of the bad ones, and the large one.
BODIES_MIB = 2 * 2 + 8

# What is wrong: a part of the sentence that the agent gives as its reason.
BAD = {
    "endless": "the body is larger than",
    "drip": "no whole answer within",
    "silent": "no whole answer within",
    "endless_head": "the answer is not HTTP/1.1",
    "nonsense": "the answer is not HTTP/1.1",
    "bomb": "the body is larger than",
    "short": "closed before the answer was whole",
    "refuse": "Connection refused",
}

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: {timeout}s}}
host: {{enabled: false}}
memory_max: {memory}MiB
scrape_configs:
{jobs}
remote_write: [{{name: store, url: "http://127.0.0.1:{port}/write"}}]
"""


class Peer(http.server.BaseHTTPRequestHandler):
    """All the targets by their paths, and the receiver."""
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    good = 0
    fresh = 0
    bomb = gzip.compress(b"a 1\n" * (64 << 20 >> 2), 1)
    large = b"".join(b'large{series="%d"} %d\n' % (i, i) for i in range(LARGE_SAMPLES))

    def head(self, length=None, **headers):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def whole(self, body, **headers):
        self.head(len(body), **headers)
        self.wfile.write(body)

    def do_GET(self):
        getattr(self, "answer_" + self.path[1:])()

    def answer_good(self):
        with Peer.lock:
            Peer.good += 1
        self.whole(b"good 1\n")

    def answer_endless(self):
        self.head(Connection="close")
        line = b'endless{x="y"} 1\n' * 4096
        while True:
            self.wfile.write(line)

    def answer_drip(self):
        self.head(1000)
        for _ in range(1000):
            self.wfile.write(b"#")
            time.sleep(0.05)

    def answer_silent(self):
        time.sleep(10 * TIMEOUT_SECONDS)

    def answer_endless_head(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.wfile.write(b"X-Endless: " + b"x" * 1000 + b"\r\n")

    def answer_nonsense(self):
        self.wfile.write(b"220 mail.example.com ESMTP\r\n\r\n")
        self.close_connection = True

    def answer_bomb(self):
        self.whole(Peer.bomb, Content_Encoding="gzip")

    def answer_short(self):
        self.head(1000)
        self.wfile.write(b"short 1\n")
        self.close_connection = True

    def answer_fresh(self):
        with Peer.lock:
            Peer.fresh += 1
            number = Peer.fresh
        self.whole(b"".join(b'fresh{scrape="%d",series="%d"} 1\n' % (number, i) for i in range(NEW_SERIES)))

    def answer_large(self):
        self.whole(Peer.large)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that has had enough breaks its connection."""


def job(name, port, interval=1, body=2):
    return (f"  - {{job_name: {name}, metrics_path: /{name}, scrape_interval: {interval}s, "
            f"scrape_timeout: {TIMEOUT_SECONDS}s, body_size_limit: {body}MB, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}")


def targets_of(running):
    return {t["labels"]["job"]: t for t in get(running.url + "/api/v1/targets").json()["data"]["activeTargets"]}


def check_reasons(running):
    targets = targets_of(running)
    for name, reason in BAD.items():
        if targets[name]["health"] != "down" or reason not in targets[name]["lastError"]:
            return None
        # A machine with much else to do may be late, but never by as much as a target that is waited for.
        if targets[name]["lastScrapeDuration"] > 10 * TIMEOUT_SECONDS:
            raise Failure(f"{name} took {targets[name]['lastScrapeDuration']} s")
    return targets if targets["good"]["health"] == "up" and targets["large"]["health"] == "up" else None


def resident_mib(running):
    with open(f"/proc/{running.process.pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


def trial(running):
    most = 0.0
    try:
        wait_until(lambda: check_reasons(running), 60, "each target fails for its reason")
    except Failure:
        for name, target in targets_of(running).items():
            print(f"{name}: {target['health']} {target['lastError']}")
        raise
    wanted, skipped = Peer.good + GOOD_SCRAPES, total(read_page(running), "agent_scrape_failed_total")
    while Peer.good < wanted:
        read_page(running)
        most = max(most, resident_mib(running))
        time.sleep(0.1)
    page = read_page(running)
    if total(page, "agent_scrape_failed_total") <= skipped:
        raise Failure("nothing fails any more")
    if targets_of(running)["good"]["health"] != "up":
        raise Failure("the good target is down")
    # New series beyond the budget are refused, and counted; what is known goes on.
    wait_until(lambda: total(read_page(running), "agent_scrape_refused_samples_total") > 0, 60, "series are refused")
    if "memory was full" not in get(running.url + "/targets").text or targets_of(running)["fresh"]["refusedSamples"] == 0:
        raise Failure("the targets do not tell what was refused")
    if most > MEMORY_MAX_MIB + BODIES_MIB and "asan" not in os.environ.get("SONDE_BIN", ""):
        raise Failure(f"{most:.1f} MiB resident; the budget is {MEMORY_MAX_MIB} and {BODIES_MIB} for bodies")
    return most


def main():
    find_program("sonde-agent")
    server = Server(("127.0.0.1", 0), Peer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    jobs = [job(name, 1 if name == "refuse" else port) for name in BAD]
    jobs += [job("good", port), job("fresh", port), job("large", port, interval=5, body=8)]
    config = CONFIG.format(timeout=TIMEOUT_SECONDS, memory=MEMORY_MAX_MIB, jobs="\n".join(jobs), port=port)
    with scratch() as folder, agent(folder, config=config) as running:
        most = trial(running)
        page = read_page(running)
    print(f"{len(BAD)} kinds of bad targets; at most {most:.1f} MiB resident of {MEMORY_MAX_MIB}; "
          f"{total(page, 'agent_scrape_refused_samples_total'):.0f} samples of new series refused, "
          f"{total(page, 'agent_series'):.0f} series known")
    return 0


if __name__ == "__main__":
    start(main)
