#!/usr/bin/env python3
"""A service and its visitor with OpenTelemetry's own SDK for Node.js and its auto-instrumentations, exporting in
each of their ways to the server and to an agent in front of it. Asked for by id, the traces must have the shape
that the instrumentations' documentation promises: services, parents, kinds, errors, the database call."""

import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from otel_shop import Shop, install  # noqa: E402
from programs import agent, free_port, start, wait_until  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402


class Span:
    """One span of a trace in Jaeger's JSON."""

    def __init__(self, trace, span):
        self.trace = trace
        self.id = span["spanID"]
        self.name = span["operationName"]
        self.parent = next((r["spanID"] for r in span["references"] if r["refType"] == "CHILD_OF"), None)
        self.service = trace["processes"][span["processID"]]["serviceName"]
        self.tags = {tag["key"]: tag["value"] for tag in span["tags"]}
        self.events = [{f["key"]: f["value"] for f in log["fields"]} for log in span["logs"]]

    def __repr__(self):
        return f"{self.service} {self.tags.get('span.kind')} {self.name!r} {self.tags}"


class Sdk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        install()
        cls.folder = tempfile.TemporaryDirectory(prefix="sonde-test-")
        cls.grpc, cls.agent_http, cls.agent_grpc = (f"127.0.0.1:{free_port()}" for _ in range(3))
        cls.server = Server("--otlp-grpc-listen", cls.grpc).__enter__()
        cls.agent = agent(cls.folder.name, servers=[f"http://{cls.server.address}"],
                          flags=["--otlp-listen", cls.agent_http, "--otlp-grpc-listen", cls.agent_grpc]).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.agent.__exit__(None, None, None)
        cls.server.__exit__(None, None, None)
        cls.folder.cleanup()

    def spans(self, trace, count):
        """The spans of a trace, once there are so many."""
        def ask():
            status, body, _ = self.server.get(f"/jaeger/api/traces/{trace}")
            found = json.loads(body)["data"] if status == 200 else []
            return found[0] if found and len(found[0]["spans"]) >= count else None
        found = wait_until(ask, 30, f"{count} spans of trace {trace}")
        return [Span(found, s) for s in found["spans"]]

    def one(self, spans, service, kind, **tags):
        found = [s for s in spans if s.service == service and s.tags.get("span.kind") == kind and
                 all(s.tags.get(k) == v for k, v in tags.items())]
        self.assertEqual(len(found), 1, (service, kind, tags, spans))
        return found[0]

    def check_chain(self, spans, path):
        """visitor: the visit -> its request; shop: the request's other side."""
        visit = next(s for s in spans if s.name == f"visit {path}")
        request = self.one(spans, "visitor", "client")
        served = self.one(spans, "shop", "server")
        self.assertIsNone(visit.parent)
        self.assertEqual((visit.service, request.parent, served.parent), ("visitor", visit.id, request.id))
        return request, served

    def check_order(self, trace):
        spans = self.spans(trace, 5)
        _, served = self.check_chain(spans, "/orders/7")
        query = next(s for s in spans if "query" in s.name)
        self.assertEqual((query.service, query.parent, query.tags["span.kind"]), ("shop", served.id, "client"))
        statement = query.tags.get("db.query.text", query.tags.get("db.statement"))
        self.assertEqual(statement, "SELECT name FROM orders WHERE id = 7")
        self.assertEqual(query.tags.get("db.system.name", query.tags.get("db.system")), "postgresql")
        self.assertEqual(served.tags["shop.item"], "a pair of shoes")
        self.assertEqual(str(served.tags["shop.weight"]), "0.75")
        self.assertEqual(int(served.tags.get("http.response.status_code", served.tags.get("http.status_code"))), 200)
        self.assertNotIn("error", served.tags)
        return served

    def check_missing(self, trace):
        spans = self.spans(trace, 5)
        _, served = self.check_chain(spans, "/missing")
        query = next(s for s in spans if "query" in s.name)
        for span in (served, query):
            self.assertEqual(str(span.tags.get("error")).lower(), "true", span)
        return served

    def check_nowhere(self, trace):
        request, served = self.check_chain(self.spans(trace, 3), "/nowhere")
        self.assertNotIn("error", served.tags)  # the client's fault is no error of the server
        self.assertEqual(str(request.tags.get("error")).lower(), "true")

    def visit(self, way, address):
        visits = Shop(way, address).visit()
        self.assertEqual([(v["path"], v["status"]) for v in visits],
                         [("/orders/7", 200), ("/missing", 500), ("/nowhere", 404)])
        order, missing, nowhere = (v["trace"] for v in visits)
        served = self.check_order(order)
        failed = self.check_missing(missing)
        self.check_nowhere(nowhere)
        return served, failed

    def check_otlp(self, way, address):
        """What only OTLP carries as it was: types and events."""
        served, failed = self.visit(way, address)
        self.assertEqual((served.tags["shop.weight"], served.tags["shop.paid"]), (0.75, True))
        self.assertEqual(json.loads(served.tags["shop.sizes"]), [38, 39])
        self.assertEqual([e for e in served.events if e.get("event") == "found"], [{"event": "found", "shop.shelf": 12}])
        exception = next(e for e in failed.events if e["event"] == "exception")
        self.assertEqual(exception["exception.message"], 'relation "missing" does not exist')
        self.assertIn("shop.js", exception["exception.stacktrace"])

    def test_server_protobuf(self):
        self.check_otlp("http/protobuf", f"http://{self.server.address}")

    def test_server_json(self):
        self.check_otlp("http/json", f"http://{self.server.address}")

    def test_server_grpc(self):
        self.check_otlp("grpc", f"http://{self.grpc}")

    def test_agent_protobuf(self):
        self.check_otlp("http/protobuf", f"http://{self.agent_http}")

    def test_agent_json(self):
        self.check_otlp("http/json", f"http://{self.agent_http}")

    def test_agent_grpc(self):
        self.check_otlp("grpc", f"http://{self.agent_grpc}")


if __name__ == "__main__":
    start(run_cases)
