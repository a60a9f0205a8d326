#!/usr/bin/env python3
"""CPU per scraped and shipped sample and resident memory of the agent, beside vmagent and Prometheus in agent
mode where they are installed, one after the other in the same run: the same targets (500 series each, in text,
a third of the values changing), the same receiver, scrapes each second.

usage: SONDE_BIN=build/release/bin compare_agents.py [seconds] [targets…]"""
import http.server
import os
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import find_program, free_port  # noqa: E402

FAMILIES, SERIES = 100, 5


def make_body(number):
    lines = []
    for f in range(FAMILIES):
        name = f"application_component_requests_{f}_total"
        lines.append(f"# HELP {name} How many requests there were.\n# TYPE {name} counter\n")
        for s in range(SERIES):
            value = (f * 7919 + s * 104729) % 1000003 + (number if (f + s) % 3 == 0 else 0)
            lines.append(f'{name}{{code="{200 + s}",method="get",handler="/api/v1/items"}} {value}\n')
    return "".join(lines).encode()


BODIES = [make_body(n) for n in range(8)]


class Peer(http.server.BaseHTTPRequestHandler):
    """Targets and receiver."""
    protocol_version = "HTTP/1.1"
    received = 0

    def do_GET(self):
        body = BODIES[int(time.time()) % len(BODIES)]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        Peer.received += len(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        """A program that is stopped breaks its connections."""


def scrape_config(port, targets):
    # Distinct addresses of one server: 127.0.0.1, 127.0.0.2 …
    hosts = ", ".join(f'"127.0.{i // 250}.{i % 250 + 1}:{port}"' for i in range(targets))
    return (f"global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n"
            f"  - job_name: app\n    static_configs: [{{targets: [{hosts}]}}]\n")


def commands(folder, port, targets):
    """Name and command of each program that is here."""
    config = os.path.join(folder, "scrape.yml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(scrape_config(port, targets))
    write = f"http://127.0.0.1:{port}/write"
    own = os.path.join(folder, "own.yml")
    with open(own, "w", encoding="utf-8") as file:
        file.write(scrape_config(port, targets) +
                   f"host: {{enabled: false}}\nremote_write: [{{url: '{write}'}}]\n")
    yield "sonde-agent", [find_program("sonde-agent"), "--config", own, "--data", os.path.join(folder, "own"),
                          "--listen", f"127.0.0.1:{free_port()}"]
    if shutil.which("vmagent"):
        yield "vmagent", ["vmagent", f"-promscrape.config={config}", f"-remoteWrite.url={write}",
                          f"-remoteWrite.tmpDataPath={folder}/vm", f"-httpListenAddr=127.0.0.1:{free_port()}"]
    if shutil.which("prometheus"):
        agent = os.path.join(folder, "prometheus.yml")
        with open(agent, "w", encoding="utf-8") as file:
            file.write(scrape_config(port, targets) + f"remote_write: [{{url: '{write}'}}]\n")
        yield "prometheus agent", ["prometheus", "--enable-feature=agent", f"--config.file={agent}",
                                   f"--storage.agent.path={folder}/prometheus",
                                   f"--web.listen-address=127.0.0.1:{free_port()}"]


def cpu_and_memory(pid):
    """Seconds of CPU of all its threads, by the clock of the process, which the kernel keeps in nanoseconds; MiB."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    return time.clock_gettime(~pid << 3 | 2), resident / 1024


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 15
    sizes = [int(n) for n in sys.argv[2:]] or [2, 20, 100]
    server = Server(("0.0.0.0", 0), Peer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    print(f"{'samples/s':>10} {'program':<18} {'µs CPU a sample':>16} {'resident MiB':>13} {'bytes a sample':>15}")
    for targets in sizes:
        folder = tempfile.mkdtemp(prefix="sonde-bench-")
        samples = targets * FAMILIES * SERIES
        for name, command in commands(folder, port, targets):
            program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                time.sleep(5)  # the first scrapes are learnt
                before, received = cpu_and_memory(program.pid)[0], Peer.received
                time.sleep(seconds)
                after, resident = cpu_and_memory(program.pid)
                shipped = Peer.received - received
            finally:
                program.send_signal(signal.SIGTERM)
                program.wait()
            print(f"{samples:>10} {name:<18} {(after - before) / (samples * seconds) * 1e6:>16.2f} {resident:>13.1f} "
                  f"{shipped / (samples * seconds):>15.1f}", flush=True)
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
