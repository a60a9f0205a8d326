#!/usr/bin/env python3
"""A file system that never answers (FUSE without anybody behind it) is mounted under a running agent: everything
else of the host arrives on time, the mount is told of as what does not answer, one thread waits, and the agent ends
when it is told to.

Mounting needs privileges and /dev/fuse; without them the test is skipped (test_statfs_pool lets calls hang in any
case)."""
import ctypes
import http.server
import os
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from agent_account import read_page  # noqa: E402
from programs import Failure, Skip, agent, find_program, get, scratch, start, wait_until  # noqa: E402
import remote_write_reader  # noqa: E402

SECONDS = 10
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
host: {{interval: 1s}}
remote_write: [{{name: store, url: "http://127.0.0.1:{port}/write"}}]
"""


class HungMount:
    """A directory on which every call waits, for the length of a with statement. Closing the descriptor ends it."""

    def __enter__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.path = tempfile.mkdtemp(prefix="sonde-hung-")
        try:
            self.fd = os.open("/dev/fuse", os.O_RDWR)
        except OSError as reason:
            os.rmdir(self.path)
            raise Skip(f"no FUSE here: {reason}") from None
        options = f"fd={self.fd},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
        if self.libc.mount(b"hung", self.path.encode(), b"fuse", 0, options.encode()) != 0:
            os.close(self.fd)
            os.rmdir(self.path)
            raise Skip("no file system can be mounted here: " + os.strerror(ctypes.get_errno()))
        return self

    def __exit__(self, kind, error, trace):
        os.close(self.fd)
        self.libc.umount2(self.path.encode(), 2)  # MNT_DETACH
        os.rmdir(self.path)


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    times = {}  # name -> times of its samples

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for name in ("node_load1", "node_filesystem_device_error", "node_scrape_collector_success"):
            for labels, samples in remote_write_reader.series(body, name.encode()):
                key = (labels["__name__"], labels.get("mountpoint", labels.get("collector", "")))
                Receiver.times.setdefault(key, []).extend(samples)
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


def waiting_threads(pid):
    """Threads of the process that wait for FUSE."""
    count = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/wchan", encoding="utf-8") as file:
            count += "fuse" in file.read()
    return count


def trial(running, mount):
    wait_until(lambda: len(Receiver.times.get(("node_load1", ""), [])) > 2, 30, "the host's metrics")
    wait_until(lambda: any(v == 1 for _, v in Receiver.times.get(("node_filesystem_device_error", mount.path), [])),
               60, "the mount that does not answer is told of")
    begin = time.time()
    threads = 0
    while time.time() < begin + SECONDS:
        read_page(running)
        threads = max(threads, waiting_threads(running.process.pid))
        time.sleep(0.2)
    took = time.monotonic()
    page = get(running.url + "/metrics").text
    took = time.monotonic() - took
    if "node_load1 " not in page or 'mountpoint="/"' not in page:
        raise Failure("the page has lost the rest of the host")
    times = sorted(t for t, _ in Receiver.times[("node_load1", "")] if t >= begin * 1000)
    longest = max(b - a for a, b in zip(times, times[1:])) / 1000
    if len(times) < SECONDS - 3 or longest > 2.5:
        raise Failure(f"{len(times)} scrapes of the host in {SECONDS} s, {longest:.1f} s apart at most")
    if threads > 1:
        raise Failure(f"{threads} threads wait for the mount")
    print(f"{len(times)} scrapes of the host in {SECONDS} s beside a mount that never answers, at most {longest:.2f} s "
          f"apart; {threads} thread waits; /metrics took {took:.2f} s")


def main():
    find_program("sonde-agent")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with HungMount() as mount, scratch() as folder:
        with agent(folder, config=CONFIG.format(port=server.server_address[1])) as running:
            trial(running, mount)
    return 0


if __name__ == "__main__":
    start(main)
