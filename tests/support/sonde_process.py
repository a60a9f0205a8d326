"""sonde-server for test cases of unittest: a Program with a data folder of its own that outlives kills and
restarts, and answers as (status, body, headers).

    class Cases(unittest.TestCase): ...  with Server("--retention", "3d") as server: ...
    start(run_cases)
"""

import http.client
import json
import os
import shutil
import tempfile
import unittest
import urllib.parse

from programs import Program, find_program, free_port


def run_cases():
    """All cases of the script, once it is known that there is a server to test."""
    find_program("sonde-server")
    return 0 if unittest.main(verbosity=1, exit=False).result.wasSuccessful() else 1


class Server(Program):
    """One data folder; the process may be started and stopped on it many times."""

    def __init__(self, *flags, prefix=""):
        self.folder = tempfile.mkdtemp(prefix="sonde-test-")
        self.data = os.path.join(self.folder, "data")
        port = free_port()
        command = [find_program("sonde-server"), "--data", self.data, "--listen", f"127.0.0.1:{port}", *flags]
        super().__init__("sonde-server", command, port, os.path.join(self.folder, "log"), prefix + "/-/ready")

    def __exit__(self, kind, error, trace):
        try:
            super().__exit__(kind, error, trace)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

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
