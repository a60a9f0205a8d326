#!/usr/bin/env python3
"""What others send to a running agent, and what a real sonde-server has of it afterwards. Messages are made by
hand, independent of the C decoders."""
import gzip
import json
import os
import shutil
import socket
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import (agent, find_program, free_port, get, send, server, start,  # noqa: E402
                      wait_until)
from remote_write import request2, series, snappy  # noqa: E402

NOW = int(time.time())
JSON = "application/json"


def gauge(name, value):
    return json.dumps({"resourceMetrics": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeMetrics": [{"metrics": [{"name": name, "unit": "s", "gauge": {"dataPoints": [
            {"timeUnixNano": str(NOW * 10**9), "asDouble": value}]}}]}]}]}).encode()


class Receive(unittest.TestCase):
    config = """
host: {enabled: false}
global: {external_labels: {zone: z1}}
receive:
  statsd: {listen: "127.0.0.1:UDP", socket: "FOLDER/statsd.sock", interval: 200ms}
  graphite: {listen: "127.0.0.1:TCP"}
"""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="sonde-test-")
        cls.store = server(cls.folder).__enter__()
        cls.port = free_port()
        cls.udp, cls.tcp = free_port(), free_port()
        cls.config = cls.config.replace("FOLDER", cls.folder).replace("UDP", str(cls.udp)).replace("TCP", str(cls.tcp))
        cls.agent = agent(cls.folder, config=cls.config, servers=[cls.store.url],
                          flags=["--otlp-listen", f"127.0.0.1:{cls.port}"]).__enter__()
        cls.url = f"http://127.0.0.1:{cls.port}"

    @classmethod
    def tearDownClass(cls):
        cls.agent.__exit__(None, None, None)
        cls.store.__exit__(None, None, None)
        shutil.rmtree(cls.folder, ignore_errors=True)

    def post(self, path, body, kind, **headers):
        names = {"Content-Type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return send(self.url + path, body, names, method="POST")

    def arrives(self, query, value):
        """The one series of the query has the value at the server, sooner or later."""
        def found():
            result = get(self.store.url + "/api/v1/query", {"query": query, "time": NOW + 30}).json()["data"]["result"]
            return result or None
        result = wait_until(found, 30, query)
        self.assertEqual(len(result), 1, result)
        self.assertEqual(float(result[0]["value"][1]), value)
        return result[0]["metric"]

    def metric(self, name):
        lines = get(self.agent.url + "/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))

    def test_otlp(self):
        answer = self.post("/v1/metrics", gauge("wait", 2.5), JSON)
        self.assertEqual((answer.status, answer.text), (200, "{}"))
        labels = self.arrives("wait_seconds", 2.5)
        self.assertEqual((labels["job"], labels["zone"]), ("shop", "z1"))
        answer = self.post("/v1/metrics", gzip.compress(gauge("packed", 4)), JSON, Content_Encoding="gzip")
        self.assertEqual(answer.status, 200)
        self.arrives("packed_seconds", 4)

    def test_otlp_refusals(self):
        protobuf = "application/x-protobuf"
        self.assertEqual(self.post("/v1/metrics", b"\x0a\x7f", protobuf).status, 400)
        self.assertEqual(self.post("/v1/metrics", b"{", JSON).status, 400)
        self.assertEqual(self.post("/v1/metrics", b"", protobuf).status, 200)
        self.assertEqual(self.post("/v1/metrics", b"{}", "text/plain").status, 415)
        self.assertEqual(self.post("/v1/metrics", b"{}", JSON, Content_Encoding="br").status, 415)
        # A bomb: 70 MB of zeros in a few kilobytes.
        self.assertEqual(
            self.post("/v1/metrics", gzip.compress(bytes(70 << 20)), protobuf, Content_Encoding="gzip").status, 413)
        self.assertGreaterEqual(self.metric('agent_receive_refused_invalid_total{source="otlp"}'), 5)
        self.assertTrue(self.agent.is_ready())


    def test_remote_write(self):
        body = snappy(series({"__name__": "relayed", "job": "a"}, [(NOW * 1000, 7)]))
        answer = self.post("/api/v1/write", body, "application/x-protobuf", Content_Encoding="snappy")
        self.assertEqual(answer.status, 204, answer.text)
        labels = self.arrives("relayed", 7)
        self.assertEqual(labels["zone"], "z1")
        answer = self.post("/api/v1/write", snappy(request2([({"__name__": "relayed2"}, [(NOW * 1000, 8)])])),
                           "application/x-protobuf;proto=io.prometheus.write.v2.Request")
        self.assertEqual(answer.status, 204, answer.text)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        self.assertEqual(headers["x-prometheus-remote-write-samples-written"], "1")
        self.arrives("relayed2", 8)

    def test_remote_write_refusals(self):
        path, kind = "/api/v1/write", "application/x-protobuf"
        self.assertEqual(self.post(path, b"junk", kind).status, 400)
        self.assertEqual(self.post(path, snappy(b"\x0a\x7f"), kind).status, 400)
        self.assertEqual(self.post(path, b"", "application/json").status, 415)
        self.assertEqual(self.post(path, b"", kind, Content_Encoding="gzip").status, 415)
        self.assertEqual(self.post(path, b"", kind + ";proto=io.prometheus.write.v3.Request").status, 415)
        # A length of 2^31 before the first byte.
        self.assertEqual(self.post(path, b"\x80\x80\x80\x80\x08", kind).status, 413)

    def test_statsd(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.sendto(b"shop.orders:2|c|#region:eu\nshop.orders:1|c|@0.5|#region:eu\nbroken\n",
                       ("127.0.0.1", self.udp))
            udp.sendto(b"shop.wait:250:750|ms", ("127.0.0.1", self.udp))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local:
            local.sendto(b"shop.level:12|g", os.path.join(self.folder, "statsd.sock"))
        labels = self.arrives("shop_orders", 4)
        self.assertEqual((labels["region"], labels["zone"]), ("eu", "z1"))
        self.arrives("shop_level", 12)
        self.arrives("histogram_count(shop_wait)", 2)
        self.arrives("histogram_sum(shop_wait)", 1)
        self.assertEqual(self.metric('agent_receive_refused_invalid_total{source="statsd"}'), 1)

    def test_graphite(self):
        with socket.create_connection(("127.0.0.1", self.tcp)) as connection:
            connection.sendall(f"disk.used;host=a 42.5 {NOW}\nbroken\ndisk.fr".encode())
            connection.sendall(b"ee 7\n")
        labels = self.arrives("disk_used", 42.5)
        self.assertEqual((labels["host"], labels["zone"]), ("a", "z1"))
        self.arrives("disk_free", 7)
        self.assertEqual(self.metric('agent_receive_refused_invalid_total{source="graphite"}'), 1)
        # A line without an end: the connection is closed, the agent goes on.
        with socket.create_connection(("127.0.0.1", self.tcp)) as connection:
            try:
                connection.sendall(b"x" * 100000)
                self.assertEqual(connection.recv(1), b"")
            except OSError:
                pass
        self.assertTrue(self.agent.is_ready())

    def test_influx(self):
        body = f"cpu,host=a\\ b,dc=x busy=0.5,ok=t,who=\"me, you\" {NOW}\nbroken\n".encode()
        answer = self.post("/write?precision=s", body, "text/plain")
        self.assertEqual(answer.status, 400)
        self.assertIn("line 2", answer.json()["error"])
        self.assertEqual(self.arrives("cpu_busy", 0.5)["host"], "a b")
        self.arrives("cpu_ok", 1)
        answer = self.post("/api/v2/write", gzip.compress(b"mem used=12i"), "text/plain", Content_Encoding="gzip")
        self.assertEqual(answer.status, 204)
        self.arrives("mem_used", 12)
        self.assertEqual(self.post("/write?precision=year", b"mem used=1", "text/plain").status, 400)
        for method in ("GET", "HEAD"):
            ping = send(f"{self.url}/ping", method=method)
            self.assertEqual((ping.status, ping.headers["X-Influxdb-Version"]), (204, "sonde"))


class Limits(unittest.TestCase):
    """Bodies are bounded one by one, and all together."""

    def open_agent(self, folder, more):
        port = free_port()
        return port, agent(folder, config="host: {enabled: false}\nreceive: {" + more + "}\n",
                           flags=["--otlp-listen", f"127.0.0.1:{port}"])

    def test_one_body(self):
        folder = tempfile.mkdtemp(prefix="sonde-test-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        line, kind = b"# a comment that nobody counts\n", {"Content-Type": "text/plain"}
        for more, bytes_max in (("", 64 << 20), ("max_body_size: 1MiB", 1 << 20)):
            port, program = self.open_agent(folder, more)
            with program:
                url = f"http://127.0.0.1:{port}/write"
                body = (line * (bytes_max // len(line) + 1))[:bytes_max - 1] + b"\n"
                self.assertEqual(send(url, body, kind).status, 204)
                self.assertEqual(send(url, body + b"\n", kind).status, 413)
                self.assertTrue(program.is_ready())

    def test_all_together(self):
        folder = tempfile.mkdtemp(prefix="sonde-test-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        port, program = self.open_agent(folder, "max_body_size: 16MiB}\nmemory_max: 400MiB\nqueue: {")
        with program:
            # Nine requests of 12.5 MB, all but their last byte: eight fit into a quarter of 400 MiB.
            connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(9)]
            for c in connections:
                self.addCleanup(c.close)
                c.sendall(b"POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 12500000\r\n\r\n" + b"#" * 12499999)
            answers = []
            for c in connections:
                c.settimeout(20)
                c.sendall(b"\n")
                answers.append(c.recv(100).split(b" ")[1])
            self.assertEqual(sorted(set(answers)), [b"204", b"503"], answers)
            self.assertEqual(answers.count(b"503"), 1)


class Addresses(unittest.TestCase):
    def test_an_address_that_was_asked_for_must_be_free(self):
        folder = tempfile.mkdtemp(prefix="sonde-test-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        address = f"127.0.0.1:{free_port()}"
        with agent(folder, "first", flags=["--otlp-listen", address]):
            second = agent(folder, "second", flags=["--otlp-listen", address])
            with self.assertRaises(Exception):
                with second:
                    pass
            with open(os.path.join(folder, "second.log"), encoding="utf-8") as file:
                self.assertIn(f"{address} is in use", file.read())

    def test_nowhere(self):
        folder = tempfile.mkdtemp(prefix="sonde-test-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        with agent(folder, flags=["--otlp-listen", ""]) as running:
            self.assertTrue(running.is_ready())


def main():
    find_program("sonde-agent")
    find_program("sonde-server")
    return 0 if unittest.main(verbosity=1, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
