#!/usr/bin/env python3
"""The web page with real data: server, agent, a minute of this host, and then run.mjs with a browser.

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
from programs import SKIPPED, Skip, agent, find_peer, get, scratch, server, start, wait_until  # noqa: E402

# The page is one script and its style; without them it is a paragraph that says so.
PAGE_MARK = "<script"


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
        with agent(folder, config="host: {interval: 1s}\n", servers=[store.url]):
            wait_until(lambda: store.value("count(up)"), 30, "the first samples")
            time.sleep(arguments.seconds)
            command = [node, os.path.join(HERE, "run.mjs"), store.url]
            command += ["--shots", arguments.shots] if arguments.shots else []
            done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=300, check=False)
    return done.returncode if done.returncode in (0, SKIPPED) else 1


if __name__ == "__main__":
    start(main)
