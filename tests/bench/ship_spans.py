#!/usr/bin/env python3
"""Spans from an agent to a server, as a user runs them, without sampling:

  - how long until a span that was sent is in the trace that the server shows, sent to the server and to the agent
  - spans at a steady rate into the agent: how far the server is behind when the last was sent, processor time of both
    programs for each span, the most memory that was resident

usage: SONDE_BIN=build/release/bin ship_spans.py [spans a second [seconds [probes [ms]]]]

With milliseconds as the fourth number the server is so far from the agent, there and back."""
import asyncio
import http.client
import os
import statistics
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import agent, free_port, send, start  # noqa: E402
from sonde_process import Server  # noqa: E402

SPANS_A_REQUEST = 512
PROTOBUF = {"Content-Type": "application/x-protobuf"}


# ---- OTLP by hand: a client's library is slower than what it is to measure -----------------------


def field(number, kind, content):
    return bytes([number << 3 | kind]) + content


def varint(value):
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def sized(number, content):
    return field(number, 2, varint(len(content)) + content)


def attribute(key, value):
    held = sized(1, value.encode()) if isinstance(value, str) else field(3, 0, varint(value))
    return sized(1, key.encode()) + sized(2, held)


KINDS = [b"".join(sized(9, attribute(k, v)) for k, v in {
    "http.request.method": "GET", "http.route": route, "url.path": route, "url.scheme": "http",
    "server.address": "shop.internal", "server.port": 8080, "network.protocol.version": "1.1",
    "http.response.status_code": 200, "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64)",
    "thread.name": f"worker-{route}", "thread.id": 17 + len(route)}.items())
         for route in ("/", "/cart", "/checkout", "/product/{id}", "/orders/{id}", "/quote")]
RESOURCE = sized(1, b"".join(sized(1, attribute(k, v)) for k, v in {
    "service.name": "shop", "service.version": "1.4.0", "host.name": "node-1", "service.instance.id": "7f3a",
    "telemetry.sdk.language": "java", "telemetry.sdk.version": "1.38.0"}.items()))
SCOPE = sized(1, sized(1, b"io.opentelemetry.tomcat-10.0"))


def frame(kind):
    """What is the same in each span of a kind: before its trace's id, between that and its own, and so on."""
    span = sized(1, b"T" * 16) + sized(2, b"S" * 8) + sized(5, b"GET /orders") + b"\x30\x02\x39" + b"B" * 8 + \
        b"\x41" + b"E" * 8 + kind
    whole = sized(2, span)
    parts = []
    for mark in (b"T" * 16, b"S" * 8, b"B" * 8 + b"\x41" + b"E" * 8):
        before, whole = whole.split(mark, 1)
        parts.append(before)
    return (*parts, whole)


FRAMES = [frame(kind) for kind in KINDS]


def message(spans, trace=None):
    """A request of so many spans, traces of eight each that begin now; or of one trace."""
    now, random, parts = time.time_ns(), os.urandom(16 * spans), []
    for i in range(spans):
        before, between, times, after = FRAMES[i % len(FRAMES)]
        if i % 8 == 0:
            own = trace or random[8 * i:8 * i + 16]
        parts += (before, own, between, random[8 * spans + 8 * i:8 * spans + 8 * i + 8], times,
                  struct.pack("<QBQ", now + i * 1000, 0x41, now + i * 1000 + 1250000), after)
    return sized(1, RESOURCE + sized(2, SCOPE + b"".join(parts)))


class Door:
    """A connection that is kept."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=60)

    def post(self, body):
        self.connection.request("POST", "/v1/traces", body, PROTOBUF)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status

    def get(self, path):
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        return answer.status, answer.read()


# ---- Visible after send --------------------------------------------------------------------------


def measure_visible(name, to, server, probes):
    sender, reader = Door(to), Door(server)
    times = []
    for _ in range(probes):
        trace = os.urandom(16)
        began = time.monotonic()
        assert sender.post(message(1, trace)) == 200
        while reader.get(f"/jaeger/api/traces/{trace.hex()}")[0] != 200:
            if time.monotonic() - began > 30:
                raise SystemExit(f"{name}: not visible after 30 s")
            time.sleep(0.001)
        times.append((time.monotonic() - began) * 1000)
        time.sleep(0.013)  # of no rhythm that any timer has
    times.sort()
    print(f"{name:<42} p50 {statistics.median(times):6.1f}  p99 {times[len(times) * 99 // 100]:6.1f}  "
          f"most {times[-1]:6.1f} ms")


# ---- A server that is far away ----


class Far:
    """A relay on a port of its own that hands on what comes after half of the time, either way."""

    def __init__(self, address, there_and_back_ms):
        host, port = address.split(":")
        self.target, self.seconds = (host, int(port)), there_and_back_ms / 2000
        self.address = f"127.0.0.1:{free_port()}"
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        asyncio.set_event_loop(self.loop)
        host, port = self.address.split(":")
        self.loop.run_until_complete(asyncio.start_server(self.serve, host, int(port)))
        self.loop.run_forever()

    async def hand_on(self, reader, writer):
        while data := await reader.read(1 << 20):
            self.loop.call_later(self.seconds, writer.write, data)
        self.loop.call_later(self.seconds, writer.close)

    async def serve(self, reader, writer):
        there = await asyncio.open_connection(*self.target)
        await asyncio.gather(self.hand_on(reader, there[1]), self.hand_on(there[0], writer), return_exceptions=True)


# ---- A steady rate -------------------------------------------------------------------------------


def cpu_seconds(pid):
    return time.clock_gettime(~pid << 3 | 2)


def resident_max_mib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024


def figure(url, name):
    text = send(url + "/metrics").text
    return sum(float(line.split()[-1]) for line in text.splitlines()
               if line.startswith(name + " ") or line.startswith(name + "{"))


def push(address, rate, seconds, counts):
    """One sender of spans at a rate; what it had to send again is counted."""
    door = Door(address)
    began = time.monotonic()
    sent = 0
    while time.monotonic() - began < seconds:
        due = (time.monotonic() - began) * rate
        if sent + SPANS_A_REQUEST > due:
            time.sleep((sent + SPANS_A_REQUEST - due) / rate)
        status = door.post(message(SPANS_A_REQUEST))
        if status == 200:
            sent += SPANS_A_REQUEST
        else:
            counts["refused"] += 1
            time.sleep(0.1)
    counts["sent"] += sent


def measure_rate(server, forwarder, to, rate, seconds):
    senders, counts = 8, {"sent": 0, "refused": 0}
    server_cpu, agent_cpu = cpu_seconds(server.process.pid), cpu_seconds(forwarder.process.pid)
    stored = figure(server.url, "sonde_spans_appended_total")
    threads = [threading.Thread(target=push, args=(to, rate / senders, seconds, counts)) for _ in range(senders)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sending = time.monotonic() - began
    there = figure(server.url, "sonde_spans_appended_total") - stored
    behind = counts["sent"] - there
    while there < counts["sent"]:
        if time.monotonic() - began > seconds + 120:
            break
        time.sleep(0.05)
        there = figure(server.url, "sonde_spans_appended_total") - stored
    drained = time.monotonic() - began - sending
    server_cpu = cpu_seconds(server.process.pid) - server_cpu
    agent_cpu = cpu_seconds(forwarder.process.pid) - agent_cpu
    print(f"sent to the agent: {counts['sent'] / sending:.0f} spans/s for {sending:.1f} s, {counts['refused']} refusals")
    print(f"at the server: {there:.0f} of {counts['sent']}; {behind:.0f} behind at the end, {drained:.2f} s until all were there")
    print(f"processor time: agent {agent_cpu / counts['sent'] * 1e6:.2f}, server {server_cpu / max(there, 1) * 1e6:.2f} us a span")
    print(f"resident at most: agent {resident_max_mib(forwarder.process.pid):.0f}, server {resident_max_mib(server.process.pid):.0f} MiB")


def main():
    rate = float(sys.argv[1]) if len(sys.argv) > 1 else 50000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 20
    probes = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    distance_ms = float(sys.argv[4]) if len(sys.argv) > 4 else 0
    to = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory(prefix="sonde-bench-") as folder, Server() as server, \
            agent(folder, servers=["http://" + (Far(server.address, distance_ms).address if distance_ms else server.address)],
                  config="host: {enabled: false}\n",
                  flags=["--otlp-listen", to, "--otlp-grpc-listen", ""]) as forwarder:
        if probes > 0:
            measure_visible("sent to the server, then opened there", server.address, server.address, probes)
            measure_visible("sent to the agent, then opened at the server", to, server.address, probes)
        measure_rate(server, forwarder, to, rate, seconds)
    return 0


if __name__ == "__main__":
    start(main)
