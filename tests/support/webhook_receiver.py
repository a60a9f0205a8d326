#!/usr/bin/env python3
"""A webhook receiver that fails as it is told to: a process of its own, so that resets and hangs are real.

usage: webhook_receiver.py PORT LOG PLAN

PLAN is a list of words with commas between, one for each request; the last one holds for all that follow:
  200, 503, 410 …   that status            429:7   that status with Retry-After: 7
  hang              no answer              reset   the connection is reset
  301:URL           a redirect
Each request is a line of JSON in LOG: time, headers, body, the word it met. A request that met 200 was accepted.
"""

import http.server
import json
import socket
import struct
import sys
import threading
import time


def main(port, log_path, plan):
    words = plan.split(",")
    lock = threading.Lock()
    log = open(log_path, "a", encoding="utf-8", buffering=1)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            with lock:
                word = words.pop(0) if len(words) > 1 else words[0]
                log.write(json.dumps({"time": time.time(), "word": word, "body": body, "path": self.path,
                                      "headers": {k.lower(): v for k, v in self.headers.items()}}) + "\n")
            self.answer(word)

        def answer(self, word):
            if word == "hang":
                time.sleep(3600)
            if word == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            status, _, rest = word.partition(":")
            text = ("said " + word).encode()
            self.send_response(int(status))
            if status == "429":
                self.send_header("Retry-After", rest)
            if status in ("301", "302", "307"):
                self.send_header("Location", rest)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer.daemon_threads = True
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
