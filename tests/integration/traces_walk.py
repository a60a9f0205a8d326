#!/usr/bin/env python3
"""The ways that a person goes between metrics and traces, with what a real service sends: OpenTelemetry's SDK for Node.js
through an agent, and the data sources as they are provisioned for Grafana. Exemplar to trace, span to the figures of its
service, service map, dependencies; each place that is reached knows the same calls."""

import json
import os
import re
import sys
import tempfile
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from otel_shop import Shop, install  # noqa: E402
from programs import agent, free_port, start, wait_until, write_file  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402
from traces_links import source  # noqa: E402

VISITS = 3  # to each of three paths
CALLS = 3 * VISITS


class Walk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        install()
        cls.folder = tempfile.TemporaryDirectory(prefix="sonde-test-")
        http = f"127.0.0.1:{free_port()}"
        config = write_file(os.path.join(cls.folder.name, "server.yaml"),
                            "traces: {service_graph: {interval: 500ms, wait: 2s}}\n")
        cls.server = Server("--otlp-grpc-listen", "", "--config", config).__enter__()
        cls.agent = agent(cls.folder.name, servers=[f"http://{cls.server.address}"],
                          config="host: {enabled: false}\ntraces: {metrics: {interval: 500ms}}\n",
                          flags=["--otlp-listen", http, "--otlp-grpc-listen", ""]).__enter__()
        cls.visits = [visit for _ in range(VISITS) for visit in Shop("http/protobuf", f"http://{http}").visit()]
        wait_until(lambda: cls.value('sum(traces_spanmetrics_calls_total{service="shop",span_kind="SPAN_KIND_SERVER"})')
                   == CALLS and cls.value(
                       'sum(traces_service_graph_request_total{client="visitor",server="shop"})') == CALLS,
                   60, "all calls in span metrics and service graph")

    @classmethod
    def tearDownClass(cls):
        cls.agent.__exit__(None, None, None)
        cls.server.__exit__(None, None, None)
        cls.folder.cleanup()

    @classmethod
    def value(cls, query):
        found = cls.server.query(query)
        return float(found[0]["value"][1]) if found else None

    def get(self, path, **params):
        status, body, _ = self.server.get(path + ("?" + urllib.parse.urlencode(params, doseq=True) if params else ""))
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def trace(self, identity):
        """{span id: (service, span)} by the address of the provisioned source."""
        path = re.search(r"url: http://[^/]+(\S*)", source("traces.yaml")).group(1)
        found = {}
        for group in self.get(f"{path}/api/v2/traces/{identity}")["trace"]["resourceSpans"]:
            attributes = {a["key"]: a["value"].get("stringValue") for a in group["resource"]["attributes"]}
            for scope in group["scopeSpans"]:
                found.update({s["spanId"]: (attributes["service.name"], s) for s in scope["spans"]})
        return found

    def test_exemplar_to_trace(self):
        label = re.search(r"exemplarTraceIdDestinations:\s+- name: (\S+)", source("sonde.yaml")).group(1)
        now = time.time()
        series = self.get("/api/v1/query_exemplars", start=now - 600, end=now + 10, query=(
            'histogram_quantile(0.95, sum by (span_name) (rate(traces_spanmetrics_latency{service="shop",'
            'span_kind="SPAN_KIND_SERVER"}[5m])))'))["data"]
        exemplars = [e for s in series for e in s["exemplars"]]
        self.assertTrue(exemplars)
        visited = {v["trace"] for v in self.visits}
        for exemplar in exemplars:
            self.assertIn(exemplar["labels"][label], visited)
            service, span = self.trace(exemplar["labels"][label])[exemplar["labels"]["span_id"]]
            self.assertEqual(service, "shop")
            took = (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e9
            self.assertAlmostEqual(float(exemplar["value"]), took, places=6)

    def test_span_to_metrics(self):
        """The queries of a span's link, over the time that the link is shifted by."""
        text = source("traces.yaml")
        key, label = re.search(r"- key: (\S+)\s+value: (\S+)", text).groups()
        _, span = next((s for s in self.trace(self.visits[0]["trace"]).values() if s[0] == "shop"))
        self.assertEqual(key, "service.name")
        at = int(span["startTimeUnixNano"]) / 1e9
        for query in re.findall(r"query: (.*)", text):
            query = query.replace("$$__tags", f'{label}="shop"')
            result = self.get("/api/v1/query_range", query=query, start=at - 300, end=at + 300, step=1)["data"]["result"]
            self.assertEqual(len(result), 1, query)
            self.assertTrue(any(float(v) > 0 for _, v in result[0]["values"]), query)
        failed = 'sum(traces_spanmetrics_calls_total{service="shop",span_kind="SPAN_KIND_SERVER",' \
                 'status_code="STATUS_CODE_ERROR"})'
        self.assertEqual(self.value(failed), VISITS)  # /missing

    def test_service_map(self):
        """The edges by Grafana's own queries; Jaeger and Zipkin draw the same ones."""
        edges = {(e["metric"]["client"], e["metric"]["server"]): e["metric"].get("connection_type", "")
                 for e in self.server.query(
                     "sum by (client, server, connection_type) (traces_service_graph_request_total) > 0")}
        self.assertEqual(edges[("visitor", "shop")], "")
        databases = {server for (client, server), kind in edges.items() if client == "shop" and kind == "database"}
        self.assertEqual(len(databases), 1, edges)
        now = int(time.time() * 1000)
        for path in ("/jaeger/api/dependencies", "/api/v2/dependencies"):
            links = self.get(path, endTs=now, lookback=600000)
            links = links["data"] if isinstance(links, dict) else links
            self.assertIn(("visitor", "shop"), {(x["parent"], x["child"]) for x in links})
        failed = self.value('sum(traces_service_graph_request_failed_total{client="visitor",server="shop"})')
        self.assertGreaterEqual(failed, VISITS)
        # What is behind the shop, as Zipkin's search offers it, finds traces.
        remotes = self.get("/api/v2/remoteServices", serviceName="shop")
        self.assertTrue(remotes)
        for remote in remotes:
            self.assertTrue(self.get("/api/v2/traces", serviceName="shop", remoteServiceName=remote), remote)

    def test_search_to_trace(self):
        """From a service to its failed requests with TraceQL, and from each to its cause."""
        found = self.get("/tempo/api/search", limit=50, q=(
            '{ resource.service.name = "shop" && kind = server && status = error } >> '
            '{ kind = client && parent.service.name = "shop" }'))["traces"]
        missing = {v["trace"] for v in self.visits if v["path"] == "/missing"}
        self.assertEqual({t["traceID"] for t in found}, missing)
        for hit in found:
            self.assertEqual(hit["rootServiceName"], "visitor")
            span = hit["spanSets"][0]["spans"][0]
            service, whole = self.trace(hit["traceID"])[span["spanID"]]
            self.assertEqual((service, whole["name"]), ("shop", span["name"]))


if __name__ == "__main__":
    start(run_cases)
