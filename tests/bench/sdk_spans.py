#!/usr/bin/env python3
"""Spans of a real service on disk: the shop of tests/integration/otel_shop, with OpenTelemetry's own SDK for Node.js and
its auto-instrumentations, sends to a server, which cuts a block of them after five minutes. Printed: bytes a span,
and where they are.

usage: SONDE_BIN=build/release/bin sdk_spans.py [visits [shops]]        each visit is four or five spans"""
import concurrent.futures
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from otel_shop import Shop, install  # noqa: E402
from programs import send, start, wait_until  # noqa: E402
from sonde_process import Server  # noqa: E402

BLOCK_AGE_SECONDS = 300


def figure(server, name):
    text = send(server.url + "/metrics").text
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " "))


def main():
    visits = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    shops = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    install()
    with Server("--otlp-grpc-listen", "") as server:
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(shops) as pool:
            list(pool.map(lambda _: Shop("http/protobuf", server.url).visit(visits // shops), range(shops)))
        spans = figure(server, "sonde_spans_appended_total")
        print(f"{spans:.0f} spans of {visits} visits of {shops} shops in {time.monotonic() - began:.0f} s", flush=True)
        wait_until(lambda: figure(server, "sonde_spans_block_spans") >= spans, BLOCK_AGE_SECONDS + 60, "all spans in a block")
        held, size = figure(server, "sonde_spans_block_spans"), figure(server, "sonde_spans_block_bytes")
        print(f"{held:.0f} spans in blocks, {size:.0f} bytes: {size / held:.1f} B each")
    return 0


if __name__ == "__main__":
    start(main)
