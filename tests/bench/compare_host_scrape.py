#!/usr/bin/env python3
"""What the host's metrics cost: one scrape of the agent beside one of node_exporter, in turns on the same host, over
HTTP as a Prometheus does it; then the share of a core that an agent takes which collects and ships them itself, at
10 s and at 1 s, and with nothing to do.

usage: SONDE_BIN=build/release/bin compare_host_scrape.py [scrapes] [seconds of each share]"""
import http.client
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from metrics_peer import MetricsPeer, cpu_seconds, resident_mib  # noqa: E402
from programs import find_peer, find_program, free_port, scratch, start, wait_until, write_file  # noqa: E402

PAUSE_S = 0.1  # between two scrapes: caches are not those of the scrape before


class Program:
    def __init__(self, name, command, port):
        self.name, self.port = name, port
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.samples = self.cpu = 0

    def scrape(self):
        self.connection.request("GET", "/metrics")
        body = self.connection.getresponse().read()
        self.samples = sum(1 for line in body.split(b"\n") if line and not line.startswith(b"#"))

    def answers(self):
        try:
            self.scrape()
            return True
        except (OSError, http.client.HTTPException):
            self.connection.close()  # it is still starting
            return False

    def measured_scrape(self):
        before = cpu_seconds(self.process.pid)
        self.scrape()
        self.cpu += cpu_seconds(self.process.pid) - before

    def stop(self):
        self.process.terminate()
        self.process.wait()


def agent(folder, name, port, write_port, host):
    config = write_file(os.path.join(folder, name + ".yml"),
                        f"host: {{{host}}}\nglobal: {{scrape_interval: 1h}}\n"
                        f"remote_write: [{{url: 'http://127.0.0.1:{write_port}/write'}}]\n")
    listen = f"127.0.0.1:{port}"
    return Program(name, [find_program("sonde-agent"), "--config", config, "--data", os.path.join(folder, name),
                          "--listen", listen, "--otlp-listen", f"127.0.0.1:{free_port()}",
                          "--otlp-grpc-listen", f"127.0.0.1:{free_port()}"], port)


def compare_scrapes(folder, write_port, scrapes):
    ports = free_port(), free_port()
    exporter = find_peer("prometheus-node-exporter", "node_exporter")
    programs = [agent(folder, "sonde-agent", ports[0], write_port, "interval: 1h"),
                Program("node_exporter", [exporter, f"--web.listen-address=127.0.0.1:{ports[1]}"], ports[1])]
    try:
        for program in programs:
            wait_until(program.answers, 10, f"{program.name} answers")
            for _ in range(10):
                program.scrape()
        for _ in range(scrapes):
            for program in programs:
                program.measured_scrape()
                time.sleep(PAUSE_S)
        print(f"{'one scrape of':<16} {'samples':>8} {'ms CPU':>8} {'MiB':>6}")
        for program in programs:
            print(f"{program.name:<16} {program.samples:>8} {program.cpu / scrapes * 1e3:>8.3f} "
                  f"{resident_mib(program.process.pid):>6.1f}", flush=True)
        print(f"ratio {programs[0].cpu / programs[1].cpu:.3f}", flush=True)
    finally:
        for program in programs:
            program.stop()


def measure_share(folder, write_port, seconds, name, host):
    program = agent(folder, name, free_port(), write_port, host)
    try:
        time.sleep(12)  # what is found at the beginning is behind it, a collection at 10 s too
        before, began = cpu_seconds(program.process.pid), time.monotonic()
        time.sleep(seconds)
        share = (cpu_seconds(program.process.pid) - before) / (time.monotonic() - began)
        print(f"{name:<24} {share:>9.6f} {resident_mib(program.process.pid):>6.1f}", flush=True)
    finally:
        program.stop()


def main():
    scrapes = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60
    peer = MetricsPeer(compressed=False)
    peer.start()
    with scratch() as folder:
        compare_scrapes(folder, peer.port, scrapes)
        print(f"\n{'agent alone':<24} {'cores':>9} {'MiB':>6}")
        measure_share(folder, peer.port, seconds, "no host", "enabled: false")
        measure_share(folder, peer.port, seconds, "host each 10 s", "interval: 10s")
        measure_share(folder, peer.port, seconds, "host each second", "interval: 1s")
    return 0


if __name__ == "__main__":
    start(main)
