#!/usr/bin/env python3
"""The agent under everything that changes, for as long as it is told to: memory must not creep, descriptors must not
add up, every sample is accounted for, and how late the loop was is told.

    agent_soak.py [--seconds S]        900 unless said; 72 hours are --seconds 259200

20 targets of 500 series each second; a fifth of the series of each scrape is new, and each second a metric's name with
its help. Meanwhile targets come and go through a file, the configuration is read again with jobs more and less, a log of
requests grows and is rotated, others push (OTLP in JSON, spans, remote write, InfluxDB, StatsD, Graphite), and the
receiver is away, breaks connections, refuses and asks for patience in turn.

Each cycle of half a minute ends with a rest, in which all is as it was in the rest before: only there memory and
descriptors are compared, once the first third of the rests has passed. The line of least squares through the anonymous
memory may rise by GROWTH_MAX in the whole of a short run, and by SLOPE_MAX an hour in a long one. A run of a quarter of
an hour renews as many series as 10 000 series would in 125 hours of one percent a minute."""
import argparse
import gzip
import http.server
import json
import os
import signal
import socket
import socketserver
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from agent_account import read_page, total  # noqa: E402
from programs import Failure, agent, find_program, free_port, get, scratch, send, start, wait_until, write_file  # noqa: E402
from remote_write import series, snappy  # noqa: E402

TARGETS, SERIES, NEW_SERIES = 20, 400, 100
CYCLE_SECONDS, REST_SECONDS = 24, 6
NAMES = 20  # of what is pushed and would otherwise be remembered for minutes
GROWTH_MAX_MIB, SLOPE_MAX_MIB = 1.0, 0.1
LAG, LATENESS = "agent_loop_lag_seconds", "agent_scrape_lateness_seconds"
POINTS_MIN = 6
DESCRIPTORS_MAX = 3  # more or less: a scrape or a push that is under way

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, external_labels: {{site: soak}}}}
host: {{interval: 5s}}
memory_max: 256MiB
scrape_configs:
  - {{job_name: found, file_sd_configs: [{{files: ["{folder}/targets.json"]}}]}}
  - {{job_name: fixed, static_configs: [{{targets: ["127.0.0.2:{port}"]}}]}}
{more}
access_logs:
  - {{job: web, service_name: web, files: ["{folder}/access.log"], format: combined}}
receive:
  statsd: {{listen: "127.0.0.1:{udp}"}}
  graphite: {{listen: "127.0.0.1:{tcp}"}}
remote_write:
  - {{name: store, url: "http://127.0.0.1:{port}/write", queue_config: {{max_backoff: 500ms}}}}
  - {{name: second, url: "http://127.0.0.1:{port}/second", protobuf_message: io.prometheus.write.v2.Request}}
"""


class World:
    """What targets and receiver do at present."""
    busy = False
    begin = time.monotonic()
    generation = 0  # every scrape of every target has a number of its own while it is busy
    lock = threading.Lock()
    stable = b"".join(b'# HELP requests_%d_total Requests of a kind.\n# TYPE requests_%d_total counter\n' % (i, i) +
                      b"".join(b'requests_%d_total{code="%d"} %d\n' % (i, c, i * c) for c in range(200, 205))
                      for i in range(SERIES // 5))


class Peer(http.server.BaseHTTPRequestHandler):
    """All targets, and the receivers."""
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        body = World.stable
        if World.busy:
            with World.lock:
                World.generation += 1
                number = World.generation
            name = b"renamed_%d" % (time.monotonic() - World.begin)
            body += b"# HELP %s Only once.\n# TYPE %s gauge\n%s 1\n" % (name, name, name)
            body += b"".join(b'fresh{pod="p-%d-%d"} 1\n' % (number, i) for i in range(NEW_SERIES))
        self.answer(200, body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        mood = int(time.monotonic()) % 12 if World.busy else 0
        if self.path == "/write" and mood in (3, 4, 5):
            self.answer(503)
        elif self.path == "/write" and mood == 7:
            self.close_connection = True  # without an answer
        elif self.path == "/write" and mood == 8:
            self.answer(429, Retry_After="1")
        elif mood == 9 and len(body) > 10000:
            self.answer(413)
        else:
            self.answer(204, X_Prometheus_Remote_Write_Samples_Written="100000")

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """A target that goes breaks its connection."""


def attributes(**pairs):
    return [{"key": key.replace("_", "."), "value": {"stringValue": value}} for key, value in pairs.items()]


class Churn:
    """Everything that changes from outside, once a second; all of it ends in rest()."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        self.udp, self.tcp, self.http = free_port(), free_port(), free_port()
        self.step_number = 0
        self.reloads = 0
        self.rest()

    def config(self, more=""):
        return CONFIG.format(folder=self.folder, port=self.port, udp=self.udp, tcp=self.tcp, more=more)

    def write_targets(self, number):
        """Two thirds of the targets stay; the others are new ones with each number."""
        groups = []
        for i in range(TARGETS):
            of = number if i % 3 == 0 else 0
            groups.append({"targets": [f"127.0.{i % 3 + 1}.{10 + i}:{self.port}"],
                           "labels": {"pod": f"pod-{i}-{of}"}})
        path = os.path.join(self.folder, "targets.json")
        write_file(path + ".new", json.dumps(groups))
        os.rename(path + ".new", path)

    def rest(self):
        World.busy = False
        self.write_targets(0)
        write_file(os.path.join(self.folder, "agent.yaml"), self.config())

    def push(self, path, body, kind, **headers):
        names = {"Content-Type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
        try:
            send(f"http://127.0.0.1:{self.http}{path}", body, names, method="POST", timeout=5)
        except OSError:
            pass  # busy; what is asserted is not whether it is taken

    def push_all(self, n):
        now = time.time()
        name = f"name-{n % NAMES}"
        point = {"timeUnixNano": str(int(now * 1e9)), "asDouble": n, "attributes": attributes(shard=str(n))}
        scope = {"metrics": [{"name": "pushed", "gauge": {"dataPoints": [point]}},
                             {"name": "delta", "sum": {"dataPoints": [dict(point, attributes=attributes(shard=name))],
                                                       "aggregationTemporality": 1, "isMonotonic": True}}]}
        resource = {"attributes": attributes(service_name=f"service-{n % 5}")}
        self.push("/v1/metrics", gzip.compress(json.dumps(
            {"resourceMetrics": [{"resource": resource, "scopeMetrics": [scope]}]}).encode()),
            "application/json", Content_Encoding="gzip")
        begin = int(now * 1e9)
        spans = [{"traceId": f"{n * 100 + i:032x}", "spanId": f"{n * 100 + i + 1:016x}", "name": f"{name}-{i}", "kind": 2,
                  "startTimeUnixNano": str(begin), "endTimeUnixNano": str(begin + 1000000 * i),
                  "attributes": attributes(user=str(n))} for i in range(1, 50)]
        self.push("/v1/traces", json.dumps(
            {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).encode(), "application/json")
        self.push("/api/v1/write", snappy(series({"__name__": "relayed", "job": f"job-{n}"}, [(int(now * 1000), n)])),
                  "application/x-protobuf", Content_Encoding="snappy")
        self.push("/write", f"cpu,host=h{n} busy={n}\nbroken\n".encode(), "text/plain")
        self.push("/v1/metrics", b"\x0a\x7f", "application/x-protobuf")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for i in range(20):
                udp.sendto(f"shop.{name}:{i}|c|#kind:{i}\nshop.wait.{name}:{i}|ms\nbroken".encode(),
                           ("127.0.0.1", self.udp))
        try:
            with socket.create_connection(("127.0.0.1", self.tcp), timeout=5) as tcp:
                tcp.sendall(f"disk.{n} {n} {int(now)}\nhalf a li".encode())
        except OSError:
            pass

    def write_log(self, n):
        path = os.path.join(self.folder, "access.log")
        if n % 7 == 0 and os.path.exists(path):
            os.rename(path, path + ".1")
        with open(path, "a", encoding="ascii") as file:
            for i in range(100):
                file.write(f'10.0.0.1 - - [01/Jan/2030:00:00:00 +0000] "GET /item/{n * 100 + i} HTTP/1.1" '
                           f'{200 + i % 4 * 100} 17 "-" "-"\n')

    def step(self, running):
        World.busy = True
        self.step_number = n = self.step_number + 1
        self.write_targets(n)
        self.push_all(n)
        self.write_log(n)
        if n % 3 == 0:
            more = f'  - {{job_name: more-{n}, static_configs: [{{targets: ["127.0.0.3:{self.port}"]}}]}}'
            text = self.config(more) if n % 6 == 0 else self.config() + "unknown: 1\n" * (n % 5 == 0)
            write_file(os.path.join(self.folder, "agent.yaml"), text)
            running.signal(signal.SIGHUP)
            self.reloads += 1


def measure(pid):
    """Anonymous memory in MiB, descriptors, threads."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        values = dict(line.split(":", 1) for line in file)
    return int(values["RssAnon"].split()[0]) / 1024, len(os.listdir(f"/proc/{pid}/fd")), int(values["Threads"])


def slope(points):
    """Of the line of least squares, MiB an hour."""
    mean_x, mean_y = (sum(p[k] for p in points) / len(points) for k in (0, 1))
    below = sum((x - mean_x) ** 2 for x, *_ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y, *_ in points) / below * 3600


def in_time(page_text, name, seconds):
    """Share of what a histogram has counted that was no later than so many seconds, in percent."""
    buckets = {}
    for line in page_text.splitlines():
        if line.startswith(name + "_bucket"):
            buckets[line.split('le="')[1].split('"')[0]] = float(line.split()[-1])
    return 100 * buckets[f"{seconds:g}"] / buckets["+Inf"]


def cycle(running, churn, begin):
    """One cycle; what its rest has shown."""
    busy_until = time.monotonic() + CYCLE_SECONDS
    while time.monotonic() < busy_until:
        second = time.monotonic() + 1
        churn.step(running)
        time.sleep(max(0.0, second - time.monotonic()))
    churn.rest()
    running.signal(signal.SIGHUP)
    time.sleep(REST_SECONDS)

    def settled():
        page = read_page(running)
        waiting = total(page, "agent_remote_pending_samples")
        return total(page, "agent_targets") == TARGETS + 3 and waiting < 50000

    wait_until(settled, 60, "everything is at rest: the targets of the file and three more, and the queue sent")
    return (time.monotonic() - begin, *measure(running.process.pid))


def judge(points, seconds):
    compared = points[len(points) // 3:]
    rise = slope(compared)
    hours = (compared[-1][0] - compared[0][0]) / 3600
    descriptors = [fds for _, _, fds, _ in compared]
    threads = {n for _, _, _, n in compared}
    print(f"memory {compared[0][1]:.2f} to {compared[-1][1]:.2f} MiB, {rise:+.2f} MiB/h over {hours:.2f} h, "
          f"{rise * hours:+.2f} MiB in all; descriptors {min(descriptors)} to {max(descriptors)}; threads {sorted(threads)}")
    if "asan" not in os.environ.get("SONDE_BIN", "") and rise * hours > max(GROWTH_MAX_MIB, SLOPE_MAX_MIB * hours):
        raise Failure("memory creeps")
    if max(descriptors) - min(descriptors) > DESCRIPTORS_MAX:
        raise Failure("descriptors add up")
    if len(threads) > 1:
        raise Failure("the number of threads is not constant")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=900)
    seconds = parser.parse_args().seconds
    find_program("sonde-agent")
    server = Server(("0.0.0.0", 0), Peer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    points = []
    with scratch() as folder:
        churn = Churn(folder, server.server_address[1])
        flags = ["--otlp-listen", f"127.0.0.1:{churn.http}", "--otlp-grpc-listen", ""]
        with agent(folder, config=churn.config(), flags=flags) as running:
            begin = time.monotonic()
            while time.monotonic() - begin < seconds or len(points) < POINTS_MIN:
                points.append(cycle(running, churn, begin))
                print("{:.0f} s: {:.2f} MiB, {} descriptors, {} threads".format(*points[-1]), flush=True)
            text = get(running.url + "/metrics").text
            page = read_page(running)
    print(f"{churn.reloads} reloads, {World.generation} scrapes with {NEW_SERIES} new series, "
          f"{total(page, 'agent_intake_samples_total'):.0f} samples; at most 5 and 50 ms late were "
          f"{in_time(text, LAG, 0.005):.2f} and {in_time(text, LAG, 0.05):.2f} % of the loop's turns, "
          f"{in_time(text, LATENESS, 0.005):.2f} and {in_time(text, LATENESS, 0.05):.2f} % of the scrapes")
    judge(points, seconds)
    return 0


if __name__ == "__main__":
    start(main)
