#!/usr/bin/env python3
"""Starts the agent on files that somebody has damaged: a byte of one of them is another one, or its tail is cut off.

    agent_damaged_files.py [--trials N]        40 unless said

One agent fills its queues and writes down its places in a log while its receiver is away. Each trial takes a copy of
what it left, damages one file of it (a segment, a cursor, the places), and starts an agent on it: it is ready, sends
every record that was not touched, counts the bytes it stepped over, and scrapes on. test_queue_damage does the same to
the queue alone, ten thousand times. SONDE_SEED repeats the decisions."""
import argparse
import http.server
import os
import random
import shutil
import socketserver
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from agent_account import read_page, total  # noqa: E402
from programs import Failure, agent, find_program, free_port, scratch, send, start, wait_until, write_file  # noqa: E402
import remote_write_reader  # noqa: E402

SCRAPES = 60
MAGIC, HEADER = b"SDQ1", 40  # of a record of the queue: agent/ship/queue_segment.h

CONFIG = """
global: {{scrape_interval: 100ms, scrape_timeout: 100ms}}
host: {{enabled: false}}
scrape_configs: [{{job_name: trial, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
access_logs: [{{job: web, service_name: web, files: ["{folder}/access.log"], format: combined, from_beginning: true}}]
remote_write: [{{name: store, url: "http://127.0.0.1:{port}/write", queue_config: {{max_backoff: 200ms}}}}]
"""


class Peer(http.server.BaseHTTPRequestHandler):
    """Target and receiver."""
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    scrapes = 0
    away = True
    arrived = set()

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
        self.answer(200, f"mark {number}\n".encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if Peer.away:
            self.answer(503)
            return
        with Peer.lock:
            Peer.arrived |= marks_of(body)
        self.answer(204)

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """An agent that ends breaks its connections."""


def marks_of(body):
    return {round(value) for labels, samples in remote_write_reader.series(body, b"mark")
            if labels["__name__"] == "mark" for _, value in samples if value == value}


def records(data):
    """(begin, end, payload) of each record of an intact segment."""
    at = 0
    while at < len(data):
        assert data[at:at + 4] == MAGIC, f"no record at {at}"
        length = struct.unpack_from("<I", data, at + 8)[0]
        yield at, at + HEADER + length, data[at + HEADER:at + HEADER + length]
        at += HEADER + length


def fill(folder, port):
    """What an agent leaves whose receiver was away; its folder."""
    write_file(os.path.join(folder, "access.log"), '1.2.3.4 - - [01/Jan/2030:00:00:00 +0000] "GET / HTTP/1.1" 200 1\n' * 9)
    config = CONFIG.format(port=port, folder=folder)
    listen = f"127.0.0.1:{free_port()}"
    with agent(folder, "first", config=config, flags=["--otlp-listen", listen, "--otlp-grpc-listen", ""]) as running:
        wait_until(lambda: Peer.scrapes >= SCRAPES, 60, "scrapes")
        span = ('{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%032x","spanId":"%016x","name":"x",'
                '"startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}')
        for n in range(1, 6):
            send(f"http://{listen}/v1/traces", (span % (n, n)).encode(), {"Content-Type": "application/json"}, "POST")
        read_page(running)
    return os.path.join(folder, "first")


def damage(path, decisions):
    """(sentence, first byte that is wrong, behind the last one)."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    at = decisions.randrange(len(data))
    if decisions.randrange(2):
        data, end, what = data[:at], len(data), f"{path} cut off at {at} of {len(data)}"
    else:
        bit = 1 << decisions.randrange(8)
        data[at] ^= bit
        end, what = at + 1, f"{path} with bit {bit} of byte {at} flipped"
    with open(path, "wb") as file:
        file.write(data)
    return what, at, end


def touched_marks(path, begin, end):
    """Marks in the records of an intact segment that lie between two bytes, and whether a cut leaves part of one."""
    with open(path, "rb") as file:
        hit = [record for record in records(file.read()) if record[0] < end and record[1] > begin]
    return set().union(*(marks_of(payload) for _, _, payload in hit)), bool(hit) and hit[0][0] < begin


def trial(folder, left, config, decisions):
    data = os.path.join(folder, "trial")
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(left, data)
    files = sorted(os.path.join(at, name) for at, _, names in os.walk(data) for name in names if name != "LOCK")
    path = decisions.choice([f for f in files if os.path.getsize(f) > 0])
    what, begin, end = damage(path, decisions)
    touched, partly = set(), False
    if path.startswith(os.path.join(data, "queue")) and path.endswith(".queue"):
        touched, partly = touched_marks(path.replace(data, left), begin, end)
    Peer.arrived.clear()
    first = Peer.scrapes + 1
    with agent(folder, "trial", config=config, flags=["--otlp-listen", "", "--otlp-grpc-listen", ""]) as running:
        wait_until(lambda: Peer.arrived and max(Peer.arrived) >= first, 60, f"what is scraped now arrives: {what}")
        page = read_page(running)
    missing = set(range(1, Trial.newest + 1)) - Peer.arrived - touched
    if missing:
        raise Failure(f"{what}: scrapes {sorted(missing)[:20]} are lost though nobody touched them")
    if partly and total(page, "agent_queue_corrupt_bytes_total") == 0:
        raise Failure(f"{what}: nobody says so")
    return os.path.basename(path), len(touched - Peer.arrived)


class Trial:
    newest = 0  # the last scrape that the first agent put into its queue


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=40)
    trials = parser.parse_args().trials
    find_program("sonde-agent")
    decisions = random.Random(int(os.environ.get("SONDE_SEED", "1")))
    server = Server(("127.0.0.1", 0), Peer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kinds, lost = {}, 0
    with scratch() as folder:
        port = server.server_address[1]
        left = fill(folder, port)
        queue = os.path.join(left, "queue")
        for name in sorted(os.listdir(queue)):
            if name.endswith(".queue"):
                with open(os.path.join(queue, name), "rb") as file:
                    for _, _, payload in records(file.read()):
                        Trial.newest = max([Trial.newest, *marks_of(payload)])
        if Trial.newest < SCRAPES - 1:
            raise Failure(f"{Trial.newest} scrapes are in the queue")
        Peer.away = False
        for _ in range(trials):
            name, count = trial(folder, left, CONFIG.format(port=port, folder=folder), decisions)
            kind = name.split(".")[-1]
            kinds[kind] = kinds.get(kind, 0) + 1
            lost += count
    print(f"{trials} starts on damaged files ({', '.join(f'{n} {k}' for k, n in sorted(kinds.items()))}): each is ready and "
          f"sends what nobody touched; {lost} scrapes of touched records lost")
    return 0


if __name__ == "__main__":
    start(main)
