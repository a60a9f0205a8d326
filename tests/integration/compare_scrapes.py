#!/usr/bin/env python3
"""Scrapes the same nasty bodies with the agent and with Prometheus, and compares what both send on: the same series
with the same bits, the same up, the same counts.

    compare_scrapes.py [--mutations N] [--verbose]

A target has a path for each body: those below, written to be difficult, and N (200) that random mutations make of
them. Prometheus remote-writes to the same receiver as the agent. What may differ is in LENIENT, STRICT and excuse().
SONDE_SEED repeats the mutations."""
import argparse
import http.server
import os
import random
import re
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import Failure, Program, agent, find_peer, find_program, free_port, scratch, start, wait_until, write_file  # noqa: E402
from remote_write_requests import read_request  # noqa: E402

INTERVAL_SECONDS = 6
STALE = 0x7FF0000000000002
TEXT, OPENMETRICS = "text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0"
# Of bodies with times of their own: Prometheus sends on what is newer than its start, and takes 10 minutes of the future.
AHEAD_SECONDS, TAKEN_SECONDS = 200, 60
NOW = int(time.time()) + AHEAD_SECONDS
# What a scrape that fails has counted until then is not compared.
COUNTS = ("scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added")

TEXTS = [
    "", "\n", "\n\n\n", " \n", "\t\n", "#\n", "# \n", "##\n", "#x\n", "# comment\n", "a 1", "a 1\n", "a 1\n\n", " a 1\n",
    "\ta 1\n", "a  1\n", "a\t1\n", "a 1 \n", "a 1\t\n", "a 1\r\n", "a\r\n1\n", "a\n", "a \n", "1 1\n", "a1 1\n", ":a 1\n",
    "a: 1\n", "_ 1\n", "a-b 1\n", "a.b 1\n", "ä 1\n", "a 1 2 3\n", "a 1 x\n", "a x\n", "a 1x\n", "a 1e\n", "a 1e5\n",
    "a 1E+5\n", "a .5\n", "a 5.\n", "a .\n", "a +1\n", "a -1\n", "a --1\n", "a +-1\n", "a 0x10\n", "a 0x1p3\n", "a 0X1P-2\n",
    "a 0b1\n", "a 0o7\n", "a 010\n", "a 1_000\n", "a 1__0\n", "a _1\n", "a 0x_1p0\n", "a 1e1_0\n", "a inf\n", "a Inf\n",
    "a +Inf\n", "a -Inf\n", "a INF\n", "a infinity\n", "a -Infinity\n", "a nan\n", "a NaN\n", "a NAN\n", "a +NaN\n",
    "a -NaN\n", "a nan(1)\n", "a 1e400\n", "a -1e400\n", "a 1e-400\n", "a 4.9e-324\n", "a 2.2250738585072011e-308\n",
    "a 1.7976931348623158e308\n", "a 9007199254740993\n", "a 123456789012345678901234567890\n", "a 1,5\n", "a true\n",
    "a 0\n", "a -0\n", "a 00\n", "a 1e+\n", "a 1 # x\n", "a 1 # {} 1\n", "a 1#\n",
    'a{} 1\n', 'a {} 1\n', 'a{ } 1\n', 'a{b="c"} 1\n', 'a{b="c",} 1\n', 'a{b="c",,} 1\n', 'a{,} 1\n', 'a{,b="c"} 1\n',
    'a{b="c" } 1\n', 'a{ b="c"} 1\n', 'a{b ="c"} 1\n', 'a{b= "c"} 1\n', 'a{b = "c" , d = "e" } 1\n', 'a{b="c"d="e"} 1\n',
    'a{b="c"}1\n', 'a{b="c"}\t1\n', 'a{b="c"} \n', 'a{b="c"\n', 'a{b="c} 1\n', 'a{b=c} 1\n', "a{b='c'} 1\n", 'a{b} 1\n',
    'a{b=} 1\n', 'a{="c"} 1\n', 'a{1b="c"} 1\n', 'a{b1="c"} 1\n', 'a{b:c="d"} 1\n', 'a{b-c="d"} 1\n', 'a{ä="c"} 1\n',
    'a{b="ä"} 1\n', 'a{b="日本"} 1\n', 'a{b="\\n"} 1\n', 'a{b="\\\\"} 1\n', 'a{b="\\""} 1\n', 'a{b="\\t"} 1\n',
    'a{b="\\x"} 1\n', 'a{b="\\"} 1\n', 'a{b="x\ty"} 1\n', 'a{b="x\ny"} 1\n', 'a{b="}"} 1\n', 'a{b="{"} 1\n',
    'a{b=" c "} 1\n', 'a{b="c,d=e"} 1\n', 'a{b="#"} 1\n', 'a{b=""} 1\n', 'a{b="",c="d"} 1\n', 'a{b="1",b="2"} 1\n',
    'a{b="1",b="1"} 1\n', 'a{__name__="b"} 1\n', 'a{__x="b"} 1\n', 'a{job="b"} 1\n', 'a{instance=""} 1\n',
    'a{job="b",exported_job="c"} 1\n', 'a{le="1"} 1\n', '{b="c"} 1\n', '{} 1\n', '{__name__="a"} 1\n',
    'a{z="1",b="2",m="3"} 1\n', "a 1\na 2\n", 'a{b="c"} 1\na{b="c"} 1\n', 'a{b="",c="d"} 1\na{c="d"} 2\n', "a 1\nb\nc 1\n",
    f"a 1 {NOW}000\n", f"a 1 {NOW}000\na 2 {NOW}500\n", f"a 1 {NOW}500\na 2 {NOW}000\n", f"a 1 {NOW}000\nb 2\n",
    f"a 1 {NOW}\t\n", "a 1 1.5\n", "a 1 1e3\n", "a 1 -\n", "a 1 99999999999999999999\n", f"a 1 +{NOW}000\n",
    f"a 1 {NOW + 7200}000\n", f"a 1 {NOW + 7200}000\nb 1\n",
    "# TYPE a counter\na 1\n", "# TYPE a\na 1\n", "# TYPE\na 1\n", "# TYPE a banana\na 1\n", "# TYPE a counter x\na 1\n",
    "# TYPE a counter\n# TYPE a gauge\na 1\n", "a 1\n# TYPE a counter\n", "#TYPE a counter\na 1\n", "# type a counter\na 1\n",
    "#  TYPE a counter\na 1\n", "#\tTYPE\ta\tcounter\na 1\n", "# HELP a\na 1\n", "# HELP\na 1\n", "# HELP a x\\ny\\\\z\na 1\n",
    "# HELP a x\\qy\na 1\n", "# HELP a \xe4\xf6\na 1\n", "# HELP 1 x\na 1\n", "# HELP a x\n# HELP a y\na 1\n", "# UNIT a s\na 1\n",
    "# EOF\na 1\n", "a 1\n# EOF\n", "a 1\n# EOF\nb 2\n", "# HELP a-b x\na 1\n", "# TYPE a-b counter\na 1\n", "a 1\n#", "a 1\n# HELP",
    "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n",
    "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 3\ns_count 2\n", "# TYPE u untyped\nu 1\n", "# TYPE u unknown\nu 1\n",
    "a\x00b 1\n", "a 1\x00\n", "a{b=\"\x00\"} 1\n", "\ufeffa 1\n", "a\u00a01\n", "a 1\u00a0\n", "a 1\v\n", "a 1\f\n",
    "x" * 5000 + " 1\n", 'a{b="' + "v" * 70000 + '"} 1\n', "a{" + ",".join(f'l{i}="v"' for i in range(200)) + "} 1\n",
    "".join(f"m{i} {i}\n" for i in range(2000)),
]

OPENMETRICS_TEXTS = [
    "", "# EOF", "# EOF\n", "# EOF\n\n", "# EOF \n", "#EOF\n", " # EOF\n", "a 1\n", "a 1\n# EOF\n", "a 1\n# EOF\nb 1\n", "a 1\n\n# EOF\n",
    "\na 1\n# EOF\n", "a  1\n# EOF\n", "a 1 \n# EOF\n", "a\t1\n# EOF\n", "a{} 1\n# EOF\n", 'a{b="c",} 1\n# EOF\n',
    'a{b="c", d="e"} 1\n# EOF\n', 'a{ b="c"} 1\n# EOF\n', 'a{b="\\t"} 1\n# EOF\n', f"a 1 {NOW}\n# EOF\n", f"a 1 {NOW}.5\n# EOF\n",
    f"a 1 {NOW}.123456789\n# EOF\n", f"a 1 {NOW}e0\n# EOF\n", "a 1 NaN\n# EOF\n", "a 1 +Inf\n# EOF\n", "a 1 -1\n# EOF\n",
    "a NaN\n# EOF\n", "a nan\n# EOF\n", "a +Inf\n# EOF\n", "a Inf\n# EOF\n", "a 0x1p3\n# EOF\n", "a 1_0\n# EOF\n",
    "# TYPE a counter\na_total 1\n# EOF\n", "# TYPE a counter\na 1\n# EOF\n", "# TYPE a counter\na_total 1\na_created 5\n# EOF\n",
    "# TYPE a gauge\na 1\n# EOF\n", "# TYPE a untyped\na 1\n# EOF\n", "# TYPE a unknown\na 1\n# EOF\n", "# TYPE a stateset\na{a=\"x\"} 1\n# EOF\n",
    "# TYPE a info\na_info{v=\"1\"} 1\n# EOF\n", "# TYPE a banana\na 1\n# EOF\n", "# TYPE a\na 1\n# EOF\n",
    "# HELP a x\n# TYPE a counter\n# UNIT a_s s\na_total 1\n# EOF\n", "# UNIT a_seconds seconds\na_seconds 1\n# EOF\n",
    "# UNIT a seconds\na 1\n# EOF\n", "# UNIT a_seconds\na 1\n# EOF\n", "# HELP a\na 1\n# EOF\n", "# HELP a x\\ny\\\"z\na 1\n# EOF\n",
    "# comment\na 1\n# EOF\n", "#\na 1\n# EOF\n", "# TYPE  a gauge\na 1\n# EOF\n",
    'a_total 1 # {t="x"} 0.5\n# EOF\n', f'a_total 1 # {{t="x"}} 0.5 {NOW}\n# EOF\n', 'a_total 1 # {} 0.5\n# EOF\n',
    'a_total 1 # {t="x"}\n# EOF\n', 'a_total 1 # {t="x"} y\n# EOF\n', 'a_total 1 #\n# EOF\n', 'a_total 1 # x\n# EOF\n',
    f'a_total 1 {NOW} # {{t="x"}} 0.5 {NOW}\n# EOF\n', 'a_total 1  # {t="x"} 0.5\n# EOF\n', 'a_total 1 # {t="x",} 0.5\n# EOF\n',
    "# TYPE h histogram\nh_bucket{le=\"1.0\"} 1 # {t=\"x\"} 0.5\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\nh_created 1\n# EOF\n",
    "a 1\na 2\n# EOF\n", f"a 1 {NOW}\na 2 {NOW}.5\n# EOF\n", 'a{b="1",b="2"} 1\n# EOF\n', "a{b='c'} 1\n# EOF\n", "a.b 1\n# EOF\n",
]

# What makes a body one that only the agent takes, by content type.
LENIENT = [
    (TEXT, rb"(^|\n)[ \t]+\S", "blanks before a name, at which Prometheus stops"),
    (TEXT, rb"\r", "lines end in CR LF"),
    (TEXT, rb"\{[ \t]*__name__[ \t]*=", "the name as a label"),
    (TEXT, rb"TYPE[ \t]+\S+[ \t]+unknown", "OpenMetrics' word for untyped"),
    (TEXT, rb" \+\d+\s*(\n|$)", "a time with a sign"),
    (OPENMETRICS, rb"TYPE \S+ untyped", "the text format's word for unknown"),
    (OPENMETRICS, rb"(?m)^(?!\w*(_total|_bucket)\b).* # \{", "an exemplar at a sample of any name, as in later releases"),
    (OPENMETRICS, rb"[{,] |,\}| =|= | \}", "blanks and a last comma between braces, as in the text format"),
]
# And one that only Prometheus takes.
STRICT = [
    (TEXT, rb'"[ \t]*[a-zA-Z_]\w*[ \t]*=', "no comma between labels"),
    (TEXT, rb"(?m)^[a-zA-Z_:][\w:]*[-+.]", "no blank between name and value"),
    (TEXT, rb"\x00", "a zero byte, at which Prometheus takes a body to end"),
    (TEXT, rb'"[^"]*\n[^"]*"', "a line end inside quotes, which the format wants escaped"),
]


def mutate(chance, body):
    """A few bytes of it changed, doubled, taken out or moved."""
    out = bytearray(body)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(out) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            out[at:at] = chance.choice([b'"', b"{", b"}", b",", b"=", b" ", b"\n", b"#", b"\\", b"1", b"e", b"+", b"-", b"a", b"."])
        elif kind == 1 and out:
            del out[at % len(out)]
        elif kind == 2 and out:
            at %= len(out)
            end = min(len(out), at + chance.randrange(1, 8))
            out[end:end] = out[at:end]
        elif out:
            out[at % len(out)] = chance.choice(b' \n"{},=#\\\t1Ne_:')
    return bytes(out)


def make_bodies(mutations):
    """[(content type, body)]"""
    bodies = [(TEXT, body.encode("latin-1" if "\xe4\xf6" in body else "utf-8")) for body in TEXTS]
    bodies += [(OPENMETRICS, body.encode()) for body in OPENMETRICS_TEXTS]
    chance = random.Random(int(os.environ.get("SONDE_SEED", "1")))
    small = [entry for entry in bodies if 3 < len(entry[1]) < 200]
    return bodies + [(kind, mutate(chance, body)) for kind, body in (chance.choice(small) for _ in range(mutations))]


class Peer(http.server.BaseHTTPRequestHandler):
    """The target, and the receiver of both."""
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    bodies = []
    got = {"sonde": {}, "prometheus": {}}  # program -> job -> {(labels, bits, time of its own)}

    def answer(self, status, body=b"", kind=TEXT):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        kind, body = Peer.bodies[int(self.path[1:])]
        self.answer(200, body, kind)

    def do_POST(self):
        request = read_request(self.rfile.read(int(self.headers["Content-Length"])), 1)
        jobs = Peer.got[self.path[1:]]
        with Peer.lock:
            for series in request.series:
                labels = series.map()
                found = jobs.setdefault(labels.get("instance_of", ""), {})
                for time_ms, value in series.samples:
                    bits = struct.unpack("<Q", struct.pack("<d", value))[0]
                    if bits != STALE:
                        of_body = time_ms if is_of_body(time_ms) else None
                        found.setdefault((tuple(series.labels), bits, of_body), time_ms)
        self.answer(204)

    def log_message(self, *arguments):
        pass


def is_of_body(time_ms):
    """Whether a sample has its time from a body, and not from the clock."""
    return abs(time_ms / 1000 - NOW + AHEAD_SECONDS) > AHEAD_SECONDS - 10


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        """A program that ends breaks its connections."""


def config(port, more=""):
    jobs = [f"  - {{job_name: 'j', metrics_path: /{i}, static_configs: [{{targets: ['127.0.0.1:{port}'], "
            f"labels: {{instance_of: 'b{i}'}}}}]}}".replace("'j'", f"'j{i}'") for i in range(len(Peer.bodies))]
    return (f"global: {{scrape_interval: {INTERVAL_SECONDS}s, scrape_timeout: {INTERVAL_SECONDS}s}}\n{more}"
            "scrape_configs:\n" + "\n".join(jobs) + "\nremote_write:\n"
            f"  - {{url: 'http://127.0.0.1:{port}/%s'%s}}\n")


def peer_program(folder, port):
    own = free_port()
    path = write_file(os.path.join(folder, "prometheus.yaml"), config(port) % ("prometheus", ""))
    command = [find_peer("prometheus"), f"--config.file={path}", f"--web.listen-address=127.0.0.1:{own}",
               f"--storage.tsdb.path={os.path.join(folder, 'prometheus')}", "--log.level=error"]
    return Program("prometheus", command, own, os.path.join(folder, "prometheus.log"), ours=False)


def summary(found):
    """What is compared of a job: its own series, and some of those about the scrape, at their first value."""
    own, about, strange = {}, {}, False
    for (labels, bits, of_body), time_ms in sorted(found.items(), key=lambda item: item[1]):
        name = dict(labels)["__name__"]
        if name == "up" or name in COUNTS:
            about.setdefault(name, struct.unpack("<d", struct.pack("<Q", bits))[0])
        elif of_body is not None and abs(of_body / 1000 - NOW) > TAKEN_SECONDS:
            strange = True  # Prometheus' store has bounds of its own for times
        elif not name.startswith("scrape_"):
            # Prometheus sends the second of two samples of a time, which its store has refused, and loses the sign of 0.
            own.setdefault((labels, of_body), 0 if bits == 1 << 63 else bits)
    if about.get("up") != 1:
        return own, {"up": about.get("up")}, strange
    return own, about, strange


def excuse(kind, body, ours, theirs):
    """Why the two may differ; None when they may not."""
    for rules, takes, refuses in ((LENIENT, ours, theirs), (STRICT, theirs, ours)):
        if takes[1].get("up") == 1 and refuses[1].get("up") == 0:
            return next((why for of, pattern, why in rules if of == kind and re.search(pattern, body)), None)
    if ours[2] or theirs[2]:
        return "times that Prometheus' store does not take" if ours[1].get("up") == theirs[1].get("up") else None
    timed = {labels for labels, of_body in theirs[0] if of_body is not None}
    if timed & {labels for labels, of_body in theirs[0] if of_body is None}:
        return "a series with a time and without one"
    return None


def describe(own, about, _):
    shown = [f"{dict(labels)} {struct.unpack('<d', struct.pack('<Q', bits))[0]!r} {of_body or ''}"
             for (labels, of_body), bits in sorted(own.items(), key=str)[:5]]
    return f"{about}, {len(own)} series" + "".join("\n        " + line[:300] for line in shown)


def compare(verbose):
    different, excused = 0, {}
    for i, (kind, body) in enumerate(Peer.bodies):
        ours, theirs = (summary(Peer.got[name].get(f"b{i}", {})) for name in ("sonde", "prometheus"))
        if ours == theirs:
            if verbose:
                print(f"same: {body[:60]!r} {theirs[1].get('up')}")
            continue
        why = excuse(kind, body, ours, theirs)
        if why is not None:
            excused[why] = excused.get(why, 0) + 1
        else:
            different += 1
            print(f"{kind.split(';')[0]} {body[:200]!r}\n  sonde       {describe(*ours)}\n  prometheus  {describe(*theirs)}")
    for why, count in sorted(excused.items()):
        print(f"{count} differ: {why}")
    return different


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutations", type=int, default=200)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    find_program("sonde-agent")
    find_peer("prometheus")
    Peer.bodies = make_bodies(arguments.mutations)
    server = Server(("127.0.0.1", 0), Peer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    jobs = {f"b{i}" for i in range(len(Peer.bodies))}

    def complete(name):
        with Peer.lock:
            have = Peer.got[name]
            return all(any(dict(labels)["__name__"] == "scrape_series_added" for labels, _, _ in have.get(job, ()))
                       for job in jobs)

    with scratch() as folder, \
            agent(folder, config=config(port, "host: {enabled: false}\n") % ("sonde", ""),
                  flags=["--otlp-listen", "", "--otlp-grpc-listen", ""]), peer_program(folder, port):
        for name in ("sonde", "prometheus"):
            wait_until(lambda name=name: complete(name), 120, f"a scrape of each body by {name}")
    different = compare(arguments.verbose)
    up = sum(summary(found)[1].get("up") == 1 for found in Peer.got["prometheus"].values())
    print(f"{len(Peer.bodies)} bodies, {up} of them good to Prometheus; {different} differ")
    if different:
        raise Failure(f"{different} bodies")
    return 0


if __name__ == "__main__":
    start(main)
