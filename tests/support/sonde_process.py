"""The real sonde-server in a test: started on a free loopback port with a folder of its own, spoken to,
stopped by its process id."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

SKIP = 77
READY_SECONDS = 60


def program(name):
    """The path of a program; ends the test as skipped when it is not built."""
    path = os.path.join(os.path.abspath(os.environ.get("SONDE_BIN", "build/dev/bin")), name)
    if not os.access(path, os.X_OK):
        print(f"skipped: {path} is not built")
        sys.exit(SKIP)
    return path


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """One data folder; the process may be started and stopped on it many times."""

    def __init__(self, *flags, prefix=""):
        self.prefix = prefix
        self.folder = tempfile.mkdtemp(prefix="sonde-test-")
        self.data = os.path.join(self.folder, "data")
        self.log = os.path.join(self.folder, "log")
        self.address = f"127.0.0.1:{free_port()}"
        self.flags = list(flags)
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.stop()
        if exception[0] is not None:
            print(f"--- log of the server\n{self.read_log()}")
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        command = [program("sonde-server"), "--data", self.data, "--listen", self.address, *self.flags]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log)
        self.wait_ready()

    def wait_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.read_log()}")
            try:
                if self.get(self.prefix + "/-/ready")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.01)
        raise AssertionError(f"not ready within {READY_SECONDS} s:\n{self.read_log()}")

    def stop(self):
        """SIGTERM; returns the exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=120)
        self.process = None
        return status

    def kill(self):
        """SIGKILL: what a crash leaves behind."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def read_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    # --- HTTP ---

    def request(self, method, target, body=None, headers=None):
        """(status, bytes, headers with lower-case names)"""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, answer.read(), named
        finally:
            connection.close()

    def get(self, target):
        status, body, headers = self.request("GET", target)
        return status, body.decode(), headers

    def post(self, target, form):
        """A form: pairs, so that names may come twice."""
        status, body, headers = self.request(
            "POST", target, urllib.parse.urlencode(form),
            {"Content-Type": "application/x-www-form-urlencoded"})
        return status, body.decode(), headers

    def query(self, expression, at=None):
        """The result of an instant query, in label order."""
        form = [("query", expression)] + ([("time", at)] if at is not None else [])
        status, body, _ = self.post("/api/v1/query", form)
        assert status == 200, body
        data = json.loads(body)["data"]
        if data["resultType"] != "vector":
            return data["result"]
        return sorted(data["result"], key=lambda element: sorted(element["metric"].items()))
