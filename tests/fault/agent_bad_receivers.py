#!/usr/bin/env python3
"""Receivers that behave badly beside one that does not: no answer, an answer byte by byte, without end, none that is
HTTP, heads without end, bombs of gzip, redirects, connections that break, every status in turn. The good one gets every
scrape as if it were alone; what the others could not be given waits, and arrives once they are well; what they refused
is counted under its reason; memory stays, and every sample is accounted for throughout.

What each status means for a sender is in https://prometheus.io/docs/specs/prw/remote_write_spec/: 5xx is sent again,
4xx but 429 is not, a redirect is no success."""
import gzip
import http.server
import os
import socketserver
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from agent_account import read_page, total  # noqa: E402
from programs import Failure, agent, find_program, scratch, start, wait_until  # noqa: E402
import remote_write_reader  # noqa: E402

SERIES = 50
SICK_SCRAPES = 40
GROWTH_MAX_MIB = 8
LAG_MAX_SCRAPES = 50  # a batch is a second, which is ten; the rest is for a machine with much else to do
BOMB = gzip.compress(bytes(64 << 20), 1)
REDIRECTS = (301, 302, 307, 308)

# What becomes of samples while the receiver is as its name says: kept until it is well, taken, or refused.
KEPT, TAKEN, REFUSED = "kept", "taken", "refused"
GROUPS = [
    {"silent": KEPT, "drip": KEPT, "endless_503": KEPT, "endless_200": TAKEN, "garbage": KEPT, "endless_head": KEPT,
     "reset": KEPT},
    {"bomb": REFUSED, "redirect": REFUSED, "half": KEPT, "endless_400": REFUSED, "storm": KEPT, "informational": TAKEN,
     "early": KEPT},
]

CONFIG = """
global: {{scrape_interval: 100ms, scrape_timeout: 100ms}}
host: {{enabled: false}}
scrape_configs: [{{job_name: trial, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
remote_write:
  - {{name: good, url: "http://127.0.0.1:{port}/good"}}
{others}
"""
OTHER = ("  - {{name: {name}, url: 'http://127.0.0.1:{port}/{name}', remote_timeout: 500ms, "
         "queue_config: {{min_backoff: 20ms, max_backoff: 200ms}}}}\n")


class Peer(http.server.BaseHTTPRequestHandler):
    """Target and receivers, each at a path of its own."""
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    scrapes = 0
    sick = True
    arrived = {}  # path -> marks that were taken
    requests = {}  # path -> how many
    in_flight = {}  # path -> how many at present
    most_in_flight = 0  # of any path that answers at once
    disordered = set()  # paths that were given an older mark behind a newer one
    redirected = 0  # requests where a redirect pointed to
    load = "".join(f'load{{series="{i}"}} {i}\n' for i in range(SERIES))

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/elsewhere":
            Peer.redirected += 1
        with Peer.lock:
            Peer.scrapes += 1
            number = Peer.scrapes
        self.answer(200, f"mark {number}\n{Peer.load}".encode(), Content_Type="text/plain")

    def do_POST(self):
        name = self.path[1:]
        if name == "elsewhere":
            Peer.redirected += 1
        with Peer.lock:
            Peer.requests[name] = Peer.requests.get(name, 0) + 1
            Peer.in_flight[name] = Peer.in_flight.get(name, 0) + 1
            if name in ("good", "storm", "redirect"):
                Peer.most_in_flight = max(Peer.most_in_flight, Peer.in_flight[name])
        try:
            self.answer_as(name)
        finally:
            with Peer.lock:
                Peer.in_flight[name] -= 1

    def answer_as(self, name):
        if name == "early" and Peer.sick:  # says no before it has read anything, and hangs up
            self.answer(503)
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if Peer.sick and name != "good":
            getattr(self, name)(body)
        else:
            self.take(name, body)
            self.answer(204)

    def take(self, name, body):
        marks = [round(value) for labels, samples in remote_write_reader.series(body, b"mark")
                 if labels["__name__"] == "mark" for _, value in samples if value == value]
        with Peer.lock:
            arrived = Peer.arrived.setdefault(name, set())
            if marks and arrived and min(marks) < max(arrived) and not arrived.issuperset(marks):
                Peer.disordered.add(name)
            arrived.update(marks)

    # ---- The sick ----

    def silent(self, _):
        time.sleep(5)

    def drip(self, _):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b"#")
            time.sleep(0.05)

    def endless(self, status):
        self.send_response(status)
        self.send_header("Connection", "close")
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 65536)

    def endless_200(self, body):
        self.take("endless_200", body)
        self.endless(200)

    def endless_400(self, _):
        self.endless(400)

    def endless_503(self, _):
        self.endless(503)

    def endless_head(self, _):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.wfile.write(b"X-Endless: " + b"x" * 1000 + b"\r\n")

    def garbage(self, _):
        self.wfile.write(b"220 mail.example.com ESMTP\r\n\r\n")
        self.close_connection = True

    def reset(self, _):
        self.close_connection = True

    def bomb(self, _):
        self.answer(400, BOMB, Content_Encoding="gzip")

    def redirect(self, _):
        self.answer(REDIRECTS[Peer.requests["redirect"] % len(REDIRECTS)], Location="/elsewhere")

    def half(self, _):
        self.send_response(204)  # and then nothing more
        self.flush_headers()
        self.close_connection = True

    def storm(self, _):
        self.answer(429)

    def informational(self, body):
        self.take("informational", body)
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 3)
        self.answer(200)

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """A client that has had enough breaks its connection."""


def anonymous_mib(running):
    with open(f"/proc/{running.process.pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) / 1024


def missing(name, first, newest):
    """Marks that the good receiver has and this one has not. One that nobody has was scraped too late to be taken: on a
    machine with much else to do the target may need longer than a scrape is given."""
    with Peer.lock:
        return [n for n in sorted(Peer.arrived["good"]) if first <= n <= newest and n not in Peer.arrived.get(name, ())]


def while_sick(running, group):
    """Until each has shown what it does for long enough; the most memory."""
    most, before = 0.0, Peer.scrapes
    while Peer.scrapes < before + SICK_SCRAPES or min(Peer.requests.get(n, 0) for n in group) < 3:
        read_page(running)
        most = max(most, anonymous_mib(running))
        with Peer.lock:
            lag = Peer.scrapes - max(Peer.arrived["good"], default=before)
        if lag > LAG_MAX_SCRAPES:
            raise Failure(f"the good receiver is {lag} scrapes behind, beside {list(group)}")
        time.sleep(0.1)
    return most


def check_sick(page, group):
    for name, fate in group.items():
        def figure(metric, name=name, **labels):
            return total(page, metric, destination=name, **labels)
        sent, refused = figure("agent_remote_sent_samples_total"), figure("agent_remote_dropped_samples_total",
                                                                          reason="refused")
        failing = figure("agent_remote_failing")
        found = {KEPT: sent == refused == 0 and failing == 1 and figure("agent_remote_pending_samples") > SERIES,
                 TAKEN: sent > SERIES and refused == 0 and failing == 0,
                 REFUSED: refused > SERIES and sent == 0 and failing == 0}
        if not found[fate] or figure("agent_remote_dropped_samples_total") != refused:
            raise Failure(f"{name} is not {fate}: {sent} sent, {refused} refused, failing {failing}")


def trial(group):
    Peer.sick = True
    port = Peer.port
    others = "".join(OTHER.format(name=name, port=port) for name in group)
    with scratch() as folder, agent(folder, config=CONFIG.format(port=port, others=others)) as running:
        first = Peer.scrapes + 1
        wait_until(lambda: Peer.scrapes > first + 5, 30, "scrapes")
        before = anonymous_mib(running)
        most = while_sick(running, group)
        check_sick(read_page(running), group)
        Peer.sick = False
        newest = Peer.scrapes
        wait_until(lambda: max(Peer.arrived["good"]) > newest, 60, "the good one has all")
        for name, fate in group.items():
            wait_until(lambda name=name: max(Peer.arrived.get(name, {0})) > newest, 60, f"{name} is well")
            lost = missing(name, first, newest)
            if fate != REFUSED and lost:
                raise Failure(f"{name} has never got scrapes {lost[:20]}")
            if fate == REFUSED and not lost:
                raise Failure(f"{name} has got what it refused")
        page = read_page(running)
        if total(page, "agent_remote_dropped_samples_total", destination="good") or not total(
                page, "agent_remote_sent_samples_total", destination="good"):
            raise Failure("the good receiver was not given everything")
    if "asan" not in os.environ.get("SONDE_BIN", "") and most - before > GROWTH_MAX_MIB:
        raise Failure(f"memory grew by {most - before:.1f} MiB beside {list(group)}")
    return most - before


def main():
    find_program("sonde-agent")
    server = Server(("127.0.0.1", 0), Peer)
    Peer.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    growth = 0.0
    for group in GROUPS:
        with Peer.lock:
            Peer.arrived.clear()
            Peer.arrived["good"] = set()
        growth = max(growth, trial(group))
    if Peer.redirected:
        raise Failure("a redirect was followed")
    if Peer.most_in_flight > 1:
        raise Failure(f"{Peer.most_in_flight} requests at once to one receiver")
    if Peer.disordered:
        raise Failure(f"out of order: {Peer.disordered}")
    print(f"{sum(map(len, GROUPS))} kinds of bad receivers, {Peer.scrapes} scrapes: the good one has all, those that are "
          f"well again have what waited; at most {growth:.1f} MiB more")
    return 0


if __name__ == "__main__":
    start(main)
