#!/usr/bin/env python3
"""OTLP over gRPC at the server, asked by grpc-js: what is stored, and the status of each fault. Statuses are those
of https://opentelemetry.io/docs/specs/otlp/#failures-1; messages are made by hand."""

import json
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from otel_shop import Caller, install  # noqa: E402
from programs import find_peer, free_port, start, write_file  # noqa: E402
from remote_write import field, varint  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402
from traces import fixed, message, span, text_attribute  # noqa: E402

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
NOW = int(time.time())
(OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, UNAVAILABLE, UNAUTHENTICATED) = (0, 3, 8, 12, 14, 16)


def gauge(name, value):
    point = fixed(3, NOW * 10**9) + varint(6 << 3 | 1) + value.to_bytes(8, "little", signed=True)
    metric = field(1, name.encode()) + field(5, field(1, point))
    resource = field(1, text_attribute(1, "service.name", "shop"))
    return field(1, field(1, resource) + field(2, field(2, metric)))


class Grpc(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        install()
        cls.address = f"127.0.0.1:{free_port()}"
        cls.config = write_file("/tmp/otlp_grpc.%d.yml" % os.getpid(), "web: {max_body: 1MiB}\n")
        cls.server = Server("--otlp-grpc-listen", cls.address, "--config", cls.config)
        cls.server.__enter__()
        cls.call = Caller(cls.address)

    @classmethod
    def tearDownClass(cls):
        cls.call.__exit__(None, None, None)
        cls.server.__exit__(None, None, None)
        os.unlink(cls.config)

    def check(self, answer, code, details="", retry=None):
        self.assertEqual((answer["code"], answer["details"], answer["retry"]), (code, details, retry))

    def test_traces(self):
        for gzip in (False, True):
            trace = 0x100 + gzip
            answer = self.call(TRACES, message("web", span(trace, 1, "GET /", 5, 20)), gzip)
            self.check(answer, OK)
            self.assertEqual(answer["message"], b"")
            status, body, _ = self.server.get(f"/jaeger/api/traces/{trace:032x}")
            self.assertEqual((status, [s["operationName"] for s in json.loads(body)["data"][0]["spans"]]),
                             (200, ["GET /"]))

    def test_partial_success(self):
        answer = self.call(TRACES, message("web", span(0, 1, "no trace", 5, 20), span(0x200, 2, "good", 5, 20)))
        self.check(answer, OK)
        why = b"1 spans: trace id is not 16 bytes, or zero; all others are stored"
        self.assertTrue(answer["message"].startswith(field(1, b"")[:1]), answer)
        self.assertIn(varint(1 << 3) + varint(1), answer["message"])
        self.assertIn(b"all others are stored", answer["message"], why)
        self.assertEqual(self.server.get(f"/jaeger/api/traces/{0x200:032x}")[0], 200)

    def test_metrics(self):
        self.check(self.call(METRICS, gauge("temperature", 21), True), OK)
        self.assertEqual(self.server.query("temperature", NOW)[0]["value"][1], "21")

    def test_faults(self):
        answer = self.call(TRACES, b"\x0a\x05")
        self.assertEqual((answer["code"], answer["retry"]), (INVALID_ARGUMENT, None))
        self.assertIn("malformed", answer["details"])
        self.assertEqual(self.call(METRICS, b"\x0a\x05")["code"], INVALID_ARGUMENT)
        self.check(self.call(LOGS, b""), UNIMPLEMENTED, f"there is no method {LOGS}")
        large = "the message is larger than 1048576 bytes"
        self.check(self.call(TRACES, bytes(2 << 20)), RESOURCE_EXHAUSTED, large)
        self.check(self.call(TRACES, bytes(2 << 20), True), RESOURCE_EXHAUSTED, large)
        # And the connection goes on.
        self.check(self.call(TRACES, b""), OK)

    def test_many(self):
        answers = self.call.many(TRACES, message("web", span(0x300, 1, "same", 5, 20)), 300)
        self.assertEqual({answer["code"] for answer in answers}, {OK})

    def test_counted(self):
        before = self.server.get("/metrics")[1]
        self.check(self.call(LOGS, b""), UNIMPLEMENTED, f"there is no method {LOGS}")
        after = self.server.get("/metrics")[1]
        line = 'sonde_grpc_calls_total{code="UNIMPLEMENTED"} '

        def value(text):
            return int(text.split(line)[1].split("\n")[0])
        self.assertEqual(value(after), value(before) + 1)

    def test_wrong_door(self):
        answer = subprocess.run([find_peer("curl"), "-s", "-w", "%{http_code}", f"http://{self.address}/v1/traces"],
                                capture_output=True, text=True, check=False).stdout
        self.assertEqual(answer, "This port speaks gRPC, over HTTP/2. What speaks HTTP/1.1 has a port of its own.\n400")


class TlsAndPasswords(unittest.TestCase):
    def test_both(self):
        openssl = find_peer("openssl")
        address = f"localhost:{free_port()}"
        server = Server("--otlp-grpc-listen", address, "--web.config.file", "/tmp/otlp_grpc.%d.web" % os.getpid())
        cert, key = (os.path.join(server.folder, name) for name in ("cert.pem", "key.pem"))
        subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        # alice:secret
        web = write_file("/tmp/otlp_grpc.%d.web" % os.getpid(), f"""\
tls_server_config: {{cert_file: {cert}, key_file: {key}}}
basic_auth_users:
  alice: $2b$04$BvKXlx2C2N8ZTnsPbWxGuO.A6hqZ5b0z5PEXcD.spRzM/EAAji/W2
""")
        good = {"authorization": "Basic YWxpY2U6c2VjcmV0"}
        wrong = {"authorization": "Basic YWxpY2U6d3Jvbmc="}
        process = subprocess.Popen([*server.command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with Caller(address, cert) as call:
                deadline = time.monotonic() + 30
                while (answer := call(TRACES, b"", headers=good))["code"] == UNAVAILABLE:
                    self.assertLess(time.monotonic(), deadline, answer)
                self.assertEqual(answer["code"], OK, answer)
                self.assertEqual(call(TRACES, b"", headers=wrong)["code"], UNAUTHENTICATED)
                self.assertEqual(call(TRACES, b"")["code"], UNAUTHENTICATED)
                self.assertEqual(call(TRACES, b"", True, headers=good)["code"], OK)
            with Caller(address) as call:  # without TLS
                self.assertEqual(call(TRACES, b"", headers=good)["code"], UNAVAILABLE)
        finally:
            process.terminate()
            self.assertEqual(process.wait(60), 0)
            os.unlink(web)


if __name__ == "__main__":
    start(run_cases)
