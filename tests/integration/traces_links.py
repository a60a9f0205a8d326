#!/usr/bin/env python3
"""The ways between metrics and traces that the provisioned data sources set up: an exemplar leads to its trace, a span to
the RED metrics of its service, and the service map to its edges."""

import json
import os
import re
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import start  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402
from span_model import Span, otlp_json  # noqa: E402

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../dashboards/provisioning/datasources")
NOW = int(time.time())
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def source(name):
    with open(os.path.join(SOURCES, name), encoding="utf-8") as f:
        return f.read()


def page():
    """Two scrapes of what an agent derives from spans, a minute apart, as OpenMetrics."""
    series = 'service="shop",span_name="GET /",span_kind="SPAN_KIND_SERVER"'
    lines = ["# TYPE traces_spanmetrics_latency histogram"]
    for at, count in ((NOW - 60, 0), (NOW, 60)):
        exemplar = f' # {{trace_id="{TRACE}"}} 0.4 {NOW - 5}' if count else ""
        lines += [f'traces_spanmetrics_latency_bucket{{{series},le="0.5"}} {count} {at}{exemplar}',
                  f'traces_spanmetrics_latency_bucket{{{series},le="+Inf"}} {count} {at}',
                  f'traces_spanmetrics_latency_count{{{series}}} {count} {at}',
                  f'traces_spanmetrics_latency_sum{{{series}}} {count * 0.4} {at}']
    lines.append("# TYPE traces_spanmetrics_calls counter")
    for code, factor in (("STATUS_CODE_UNSET", 1), ("STATUS_CODE_ERROR", 2)):
        lines += [f'traces_spanmetrics_calls_total{{{series},status_code="{code}"}} {count * factor} {at}'
                  for at, count in ((NOW - 60, 0), (NOW, 60))]
    lines.append("# TYPE traces_service_graph_request counter")
    lines += [f'traces_service_graph_request_total{{client="shop",server="cart"}} {count} {at}'
              for at, count in ((NOW - 60, 0), (NOW, 60))]
    return "\n".join(lines) + "\n# EOF\n"


class Links(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.__enter__()
        status, body, _ = cls.server.request("POST", "/api/v1/import/prometheus", page(), {
            "Content-Type": "application/openmetrics-text; version=1.0.0"})
        assert status < 300, body
        status, body, _ = cls.server.request("POST", "/v1/traces", otlp_json([
            Span(int(TRACE, 16), 1, 0, name="GET /", kind=2, service="shop", start=NOW * 10**9, duration=4 * 10**8)]),
            {"Content-Type": "application/json"})
        assert status == 200, body

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def get(self, path, **params):
        status, body, _ = self.server.get(path + "?" + urllib.parse.urlencode(params))
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def test_an_exemplar_leads_to_its_trace(self):
        label = re.search(r"exemplarTraceIdDestinations:\s+- name: (\S+)", source("sonde.yaml")).group(1)
        found = self.get("/api/v1/query_exemplars", start=NOW - 300, end=NOW + 10,
                         query="histogram_quantile(0.9, sum by (le) (rate(traces_spanmetrics_latency_bucket[5m])))")
        exemplar, = found["data"][0]["exemplars"]
        trace = exemplar["labels"][label]
        path = re.search(r"url: http://[^/]+(\S*)", source("traces.yaml")).group(1)
        spans = self.get(f"{path}/api/v2/traces/{trace}")["trace"]["resourceSpans"][0]["scopeSpans"][0]["spans"]
        self.assertEqual((spans[0]["traceId"], spans[0]["name"]), (TRACE, "GET /"))
        self.assertEqual(float(exemplar["value"]), 0.4)

    def test_a_span_leads_to_metrics(self):
        text = source("traces.yaml")
        key, label = re.search(r"- key: (\S+)\s+value: (\S+)", text).groups()
        self.assertEqual(key, "service.name")
        queries = re.findall(r"query: (.*)", text)
        values = []
        for query in queries:
            self.assertIn("$$__tags", query)  # $$ is a $ once Grafana has read the file
            query = query.replace("$$__tags", f'{label}="shop"')
            values.append(float(self.server.query(query, at=NOW)[0]["value"][1]))
        self.assertAlmostEqual(values[0], 3 * values[1] / 2, places=6)  # 60 + 120 calls, 120 of them failed
        self.assertTrue(0 < values[2] <= 0.5)

    def test_the_service_map(self):
        """Grafana's own queries, by the names that it has built in."""
        edge, = self.server.query(
            "sum by (client, server) (rate(traces_service_graph_request_total[61s])) > 0", at=NOW)
        self.assertEqual(edge["metric"], {"client": "shop", "server": "cart"})
        link, = self.get("/jaeger/api/dependencies", endTs=NOW * 1000, lookback=61000)["data"]
        self.assertEqual((link["parent"], link["child"]), ("shop", "cart"))


if __name__ == "__main__":
    start(run_cases)
