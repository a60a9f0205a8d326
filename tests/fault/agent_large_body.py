#!/usr/bin/env python3
"""One target of a million samples (100 MB a scrape) beside twenty ordinary ones: its body is neither kept nor read at
once. Memory grows by what is known of its series and 8 MiB, whether the body is plain or compressed, whether it is the
first or the next, and when it breaks off in the middle; a body whose series are others than before takes the list of
their order on top, which is given back. All samples come in.

How late the others are is printed, not judged: a machine with much else to do is late by itself."""
import argparse
import gzip
import http.server
import os
import socketserver
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from agent_account import read_page, total  # noqa: E402
from programs import Failure, agent, find_program, get, scratch, start, wait_until  # noqa: E402

OTHERS = 20
GROWTH_MAX_MIB = 8
ORDER_BYTES = 16  # of a series, at most: a list of pointers that doubles
PIECE = 20_000  # series of the body made at once

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
host: {{enabled: false}}
memory_max: 2GiB
scrape_configs:
  - job_name: other
    static_configs: [{{targets: [{others}]}}]
  - job_name: large
    metrics_path: /large
    scrape_interval: {interval}s
    scrape_timeout: {interval}s
    body_size_limit: 1GB
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
remote_write: [{{name: store, url: "http://127.0.0.1:{port}/write"}}]
"""


class Peer(http.server.BaseHTTPRequestHandler):
    """All targets, and the receiver."""
    protocol_version = "HTTP/1.1"
    pieces, packed = [], b""
    kind = "nothing"  # what the large target answers
    served = {}  # how often, by kind

    def do_GET(self):
        kind = Peer.kind if self.path == "/large" else "ordinary"
        getattr(self, "answer_" + kind)()
        Peer.served[kind] = Peer.served.get(kind, 0) + 1

    def send(self, pieces, length=None, encoding=None):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(length or sum(map(len, pieces))))
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)

    def answer_ordinary(self):
        self.send([b"".join(b'ordinary{number="%d"} %d\n' % (i, i) for i in range(100))])

    def answer_nothing(self):
        self.send([])

    def answer_plain(self):
        self.send(Peer.pieces)

    answer_again = answer_plain

    def answer_packed(self):
        self.send([Peer.packed], encoding="gzip")

    def answer_changed(self):
        """A tenth is gone, in the middle."""
        tenth = len(Peer.pieces) // 10
        self.send(Peer.pieces[:3 * tenth] + Peer.pieces[4 * tenth:])

    def answer_cut(self):
        self.send(Peer.pieces[:len(Peer.pieces) // 2], sum(map(len, Peer.pieces)))
        self.close_connection = True

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """A client that has had enough breaks its connection."""


def make_body(samples):
    line = ('application_component_requests_total{code="200",handler="/api/v1/items/%07d",method="get",'
            'zone="eu-1"} %d\n')
    return ["".join(line % (i, i * 7919 % 1000003) for i in range(at, min(at + PIECE, samples))).encode()
            for at in range(0, samples, PIECE)]


def memory_mib(running, what):
    with open(f"/proc/{running.process.pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(what)) / 1024


def reset_peak(running):
    with open(f"/proc/{running.process.pid}/clear_refs", "w", encoding="utf-8") as file:
        file.write("5")


def targets(running, job):
    return [t for t in get(running.url + "/api/v1/targets").json()["data"]["activeTargets"] if t["labels"]["job"] == job]


def cache_mib(page):
    return total(page, "agent_series_bytes") / (1 << 20)


def scrape(running, kind, samples, base):
    """One scrape of that kind, to its end; how far memory went beyond what is known of series, in MiB."""
    page = read_page(running)
    taken, before = total(page, "agent_intake_samples_total"), cache_mib(page)
    reset_peak(running)
    Peer.kind = kind
    wait_until(lambda: Peer.served.get(kind), 200, f"a scrape ({kind})")
    Peer.kind = "again" if kind == "plain" else kind
    wait_until(lambda: targets(running, "large")[0]["health"] == ("down" if kind == "cut" else "up"), 120, f"its end ({kind})")
    # What it sends: its samples, or as many stale markers.
    wait_until(lambda: total(read_page(running), "agent_intake_samples_total") - taken >= samples, 120,
               f"{samples} samples taken ({kind})")
    page = read_page(running)
    growth = memory_mib(running, "VmHWM") - base - max(before, cache_mib(page))
    allowed = GROWTH_MAX_MIB + (samples * ORDER_BYTES / (1 << 20) if kind in ("changed", "cut") else 0)
    print(f"{kind:<8} {memory_mib(running, 'VmHWM'):7.1f} MiB at most, of it {cache_mib(page):6.1f} known series; "
          f"{growth:5.1f} beyond, {allowed:.1f} allowed", flush=True)
    if growth > allowed and "asan" not in os.environ.get("SONDE_BIN", ""):
        raise Failure(f"{kind}: {growth:.1f} MiB beyond the cache of series; {allowed:.1f} are allowed")


def trial(running, samples):
    wait_until(lambda: all(t["health"] == "up" for t in targets(running, "other")), 60, "the others are up")
    base = memory_mib(running, "VmRSS") - cache_mib(read_page(running))
    for kind in ("plain", "again", "packed", "changed", "cut"):
        scrape(running, kind, samples * 9 // 10, base)
    down = [t["lastError"] for t in targets(running, "other") if t["health"] != "up"]
    if down:
        raise Failure(f"other targets are down: {down}")
    page = read_page(running)
    print(f"{cache_mib(page) * (1 << 20) / total(page, 'agent_series'):.0f} bytes a series")
    for name in ("agent_scrape_lateness_seconds", "agent_loop_lag_seconds"):
        count = total(page, name + "_count")
        shares = ", ".join(f"{total(page, name + '_bucket', le=le) / count * 100:.2f} % within {le} s"
                           for le in ("0.005", "0.02", "0.05"))
        print(f"{name}: {shares}")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--samples", type=int, default=1_000_000)
    options.add_argument("--interval", type=int, default=20)
    chosen = options.parse_args()
    find_program("sonde-agent")
    server = Server(("0.0.0.0", 0), Peer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    Peer.pieces = make_body(chosen.samples)
    Peer.packed = gzip.compress(b"".join(Peer.pieces), 1)
    print(f"{chosen.samples} samples, {sum(map(len, Peer.pieces)) / 1e6:.0f} MB, {len(Peer.packed) / 1e6:.0f} MB compressed")
    others = ", ".join(f"'127.0.1.{i + 1}:{port}'" for i in range(OTHERS))
    config = CONFIG.format(others=others, port=port, interval=chosen.interval)
    with scratch() as folder, agent(folder, config=config) as running:
        trial(running, chosen.samples)
    return 0


if __name__ == "__main__":
    start(main)
