#!/usr/bin/env python3
"""The web page with real data: server, agent, a minute of this host and of a shop's traces, and then run.mjs with a browser.

    web_page.py [--seconds N] [--shots DIR]

Skipped without node, without Chromium or playwright-core, and when the server was built without the page.
"""
import argparse
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from programs import (SKIPPED, Skip, agent, find_peer, free_port, get, scratch, send, server, start,  # noqa: E402
                      wait_until)
from spans import request, span  # noqa: E402

# The page is one script and its style; without them it is a paragraph that says so.
PAGE_MARK = "<script"


SEND_EVERY = 2


def order(number):
    """One trace: a shop asks its database, and each fifth order fails. Two services send it."""
    begin = time.time_ns() - 500 * 10**6
    failed = "error" if number % 5 == 0 else "unset"
    ask = span(number, 2, "SELECT items", begin + 30 * 10**6, 120, kind="client", parent=1, db__system="postgresql")
    return request(
        ("shop", [span(number, 1, "POST /order", begin, 200 + number % 7 * 20, status=failed, order__id=number), ask]),
        ("stock", [span(number, 3, "reserve", begin + 40 * 10**6, 80, parent=2)]))


def send_orders(url, seconds):
    number = int(time.time()) * 1000
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        number += 1
        send(url + "/v1/traces", order(number), {"Content-Type": "application/json"}, "POST")
        time.sleep(SEND_EVERY)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="of samples before the browser looks at them")
    parser.add_argument("--shots", help="folder for pictures of the steps")
    arguments = parser.parse_args()
    node = find_peer("node", "nodejs")
    find_peer("chromium", "chromium-browser", "google-chrome")
    with scratch() as folder, server(folder) as store:
        if PAGE_MARK not in get(store.url + "/").text:
            raise Skip("the server was built without the web page (SONDE_UI=OFF)")
        receiver = f"127.0.0.1:{free_port()}"
        flags = ["--otlp-listen", receiver, "--otlp-grpc-listen", ""]
        with agent(folder, config="host: {interval: 1s}\n", servers=[store.url], flags=flags):
            wait_until(lambda: store.value("count(up)"), 30, "the first samples")
            send_orders("http://" + receiver, arguments.seconds)
            wait_until(lambda: store.value("count(traces_spanmetrics_latency)"), 60, "metrics of spans")
            command = [node, os.path.join(HERE, "run.mjs"), store.url]
            command += ["--shots", arguments.shots] if arguments.shots else []
            done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=300, check=False)
    return done.returncode if done.returncode in (0, SKIPPED) else 1


if __name__ == "__main__":
    start(main)
