#!/usr/bin/env python3
"""Traces in the words of Jaeger (versions 1 and 3) and Zipkin, of random spans whose answers a model in Python knows."""

import datetime
import json
import os
import random
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import start  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402
from span_model import KINDS, NAMES, SERVICES, draw_traces, group_traces, newest, otlp_json  # noqa: E402

NOW_NS = int(time.time()) * 10**9
NOW_S = NOW_NS // 10**9


def rfc3339(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat()  # ends in +00:00


class Views(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.__enter__()
        for path, empty in (("/api/v3/services", {"services": []}), ("/api/v2/services", []), ("/api/v2/traces", []),
                            ("/api/dependencies", None)):
            status, body, _ = cls.server.get(path)
            assert status == 200 and (empty is None or json.loads(body) == empty), (path, body)
        cls.spans = draw_traces(random.Random(int(os.environ.get("SONDE_SEED", "5"))), NOW_NS, 60)
        cls.traces = group_traces(cls.spans)
        status, body, _ = cls.server.request(
            "POST", "/v1/traces", otlp_json(cls.spans), {"Content-Type": "application/json"})
        assert status == 200, body

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def get(self, target, expected=200):
        status, body, headers = self.server.get(target)
        self.assertEqual((status, headers["content-type"]), (expected, "application/json"), body)
        return json.loads(body)

    def ask(self, path, expected=200, **params):
        return self.get(path + "?" + urllib.parse.urlencode(params), expected)

    def hits(self, holds, since_s=7200):
        found = newest(self.traces, lambda t: [s for s in t if holds(s)], NOW_NS - since_s * 10**9, NOW_NS + 10**10)
        return [trace for _, trace, _ in found]

    def calls(self):
        pairs = {}
        for trace in self.traces.values():
            by_id = {s.identity: s for s in trace}
            for s in trace:
                parent = by_id.get(s.parent)
                if parent and parent.service != s.service:
                    count, errors = pairs.get((parent.service, s.service), (0, 0))
                    pairs[parent.service, s.service] = count + 1, errors + (s.status == 2)
        return pairs

    # --- Jaeger, version 1 ---

    def test_jaeger_tags(self):
        def ids(**tags):
            answer = self.ask("/api/traces", tags=json.dumps(tags), limit=1000, start=(NOW_S - 7200) * 10**6,
                              end=(NOW_S + 10) * 10**6)
            return [int(t["traceID"], 16) for t in answer["data"]]
        self.assertEqual(ids(code="404"), self.hits(lambda s: s.attributes.get("code") == 404))
        self.assertEqual(ids(ratio="2"), self.hits(lambda s: s.attributes.get("ratio") == 2.0))
        self.assertEqual(ids(ok="true"), self.hits(lambda s: s.attributes.get("ok") is True))
        self.assertEqual(ids(mixed="1"), self.hits(  # 1, "1" and 1.0 read alike
            lambda s: s.attributes.get("mixed") is not True and "mixed" in s.attributes))
        self.assertEqual(ids(attempt="2"), self.hits(lambda s: any(of.get("attempt") == 2 for _, _, of in s.events)))
        self.assertEqual(ids(event="retry"), self.hits(lambda s: any(name == "retry" for name, _, _ in s.events)))
        self.assertEqual(ids(route='/a"b\\c', error="true"),
                         self.hits(lambda s: s.attributes.get("route") == '/a"b\\c' and s.status == 2))
        self.assertEqual(ids(**{"host.name": "node-1"}),
                         self.hits(lambda s: "node-1" in (s.attributes.get("host.name"), s.resource.get("host.name"))))

    def test_jaeger_dependencies(self):
        for prefix in ("", "/jaeger"):
            answer = self.ask(prefix + "/api/dependencies", endTs=NOW_S * 1000 + 10**4, lookback=2 * 3600 * 1000)
            self.assertIsNone(answer["errors"])
            self.assertEqual({(x["parent"], x["child"]): x["callCount"] for x in answer["data"]},
                             {pair: count for pair, (count, _) in self.calls().items()})
        self.assertEqual(self.ask("/api/dependencies", endTs=NOW_S * 1000 - 10**9, lookback=1000)["data"], [])
        self.assertEqual(self.ask("/api/dependencies", 400, endTs="now")["errors"][0]["code"], 400)

    def test_dependencies_of_series(self):
        """What agents have counted is believed before what spans say."""
        with Server() as server:
            lines = "".join(f'traces_service_graph_request_total{{client="a",server="b"}} {value} {at}\n'
                            f'traces_service_graph_request_failed_total{{client="a",server="b"}} {value // 10} {at}\n'
                            for value, at in ((100, NOW_S * 1000 - 120000), (200, NOW_S * 1000)))
            status, body, _ = server.request("POST", "/api/v1/import/prometheus", lines)
            self.assertLess(status, 300, body)
            body = server.get(f"/api/v2/dependencies?endTs={NOW_S * 1000}&lookback=120001")[1]
            link, = json.loads(body)
            self.assertEqual((link["parent"], link["child"]), ("a", "b"))
            self.assertAlmostEqual(link["callCount"], 100, delta=2)
            self.assertAlmostEqual(link["errorCount"], 10, delta=1)

    def test_jaeger_archive(self):
        status, body, _ = self.server.request("POST", "/api/archive/1", b"")
        self.assertEqual((status, json.loads(body)["errors"][0]["code"]), (501, 501))

    # --- Jaeger, version 3 ---

    def test_v3_names(self):
        self.assertEqual(self.get("/api/v3/services"), {"services": sorted(SERVICES)})
        expected = sorted({(s.name, KINDS[s.kind]) for s in self.spans if s.service == "pay/eu"})
        answer = self.ask("/api/v3/operations", service="pay/eu")["operations"]
        self.assertEqual(sorted((o["name"], o["spanKind"] or "unspecified") for o in answer), expected)
        answer = self.ask("/api/v3/operations", service="pay/eu", spanKind="server")["operations"]
        self.assertEqual(sorted(o["name"] for o in answer), [name for name, kind in expected if kind == "server"])

    def test_v3_traces(self):
        times = {"query.startTimeMin": rfc3339(NOW_S - 7200), "query.startTimeMax": rfc3339(NOW_S + 10)}
        for names in ("query.serviceName", "query.service_name"):
            answer = self.ask("/api/v3/traces", **times, **{names: "cart", "query.searchDepth": 1000})
            spans = [s for r in answer["result"]["resourceSpans"] for scope in r["scopeSpans"] for s in scope["spans"]]
            expected = [s for t in self.hits(lambda s: s.service == "cart") for s in self.traces[t]]
            self.assertEqual(sorted(int(s["spanId"], 16) for s in spans), sorted(s.identity for s in expected))
        # The plus of an offset as Grafana sends it
        raw = "&".join(f"{name.replace('Time', '_time').replace('Min', '_min').replace('Max', '_max')}={value}"
                       for name, value in times.items())
        answer = self.get(f"/api/v3/trace-summaries?{raw}&query.num_traces=5")
        self.assertEqual([int(s["traceId"], 16) for s in answer["summaries"]], self.hits(lambda s: True)[:5])
        for summary in answer["summaries"]:
            trace = self.traces[int(summary["traceId"], 16)]
            self.assertEqual(summary["spanCount"], len(trace))
            self.assertEqual(summary["errorSpanCount"], sum(s.status == 2 for s in trace))
            self.assertEqual(summary["minStartTimeUnixNano"], str(min(s.start for s in trace)))
            self.assertEqual(summary["maxEndTimeUnixNano"], str(max(s.start + s.duration for s in trace)))
            self.assertEqual({s["name"]: s["spanCount"] for s in summary["services"]},
                             {name: sum(s.service == name for s in trace) for name in {s.service for s in trace}})
        found = self.ask("/api/v3/trace-summaries", **times, **{
            "query.attributes": '{"code":"500"}', "query.durationMin": "1ms", "query.operationName": "SELECT"})
        self.assertEqual([int(s["traceId"], 16) for s in found["summaries"]], self.hits(
            lambda s: s.attributes.get("code") == 500 and s.duration >= 10**6 and s.name == "SELECT"))

    def test_v3_errors(self):
        answer = self.get("/api/v3/traces?query.serviceName=cart", 400)  # v3-required
        self.assertEqual(answer["error"]["httpCode"], 400)
        self.assertIn("startTimeMin", answer["error"]["message"])
        times = {"query.startTimeMin": rfc3339(NOW_S - 7200), "query.startTimeMax": rfc3339(NOW_S + 10)}
        nothing = {"error": {"httpCode": 404, "message": "No traces found"}}
        self.assertEqual(self.ask("/api/v3/traces", 404, **times, **{"query.serviceName": "nobody"}), nothing)
        self.assertEqual(self.get("/api/v3/traces/abcdef", 404)["error"]["httpCode"], 404)
        self.assertEqual(self.get("/api/v3/traces/xyz", 400)["error"]["httpCode"], 400)
        self.assertEqual(self.ask("/api/v3/traces", 400, **times, **{"query.attributes": "[]"})["error"]["httpCode"], 400)
        one = self.get("/api/v3/traces/1")["result"]["resourceSpans"]
        self.assertEqual(sum(len(scope["spans"]) for r in one for scope in r["scopeSpans"]), len(self.traces[1]))

    # --- Zipkin ---

    def test_zipkin_names(self):
        self.assertEqual(self.get("/api/v2/services"), sorted(SERVICES))
        self.assertEqual(self.ask("/api/v2/spans", serviceName="pay/eu"),
                         sorted({s.name for s in self.spans if s.service == "pay/eu"}))
        for path in ("remoteServices?serviceName=cart", "autocompleteKeys", "autocompleteValues?key=x"):
            self.assertEqual(self.get("/api/v2/" + path), [])

    def test_zipkin_trace(self):
        for trace, spans in list(self.traces.items())[:20]:
            answer = self.get("/api/v2/trace/%x" % trace)
            self.assertEqual(len(answer), len(spans))
            model = {s.identity: s for s in spans}
            for s in answer:
                of = model[int(s["id"], 16)]
                self.assertEqual((s["traceId"], s["name"]), ("%016x" % trace, of.name))
                self.assertEqual(int(s.get("parentId", "0"), 16), of.parent)
                kinds = {2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}
                self.assertEqual(s.get("kind"), kinds.get(of.kind))
                self.assertEqual(s["timestamp"], of.start // 1000)
                self.assertEqual(s.get("duration", 0), max(of.duration // 1000, of.duration > 0))
                self.assertEqual(s["localEndpoint"], {"serviceName": of.service})
                self.assertEqual([a["value"] for a in s.get("annotations", [])], [name for name, _, _ in of.events])
                self.assertEqual(s["tags"].get("error"), (of.message or "true") if of.status == 2 else None)
                if "code" in of.attributes:
                    self.assertEqual(s["tags"]["code"], str(of.attributes["code"]))
        self.assertEqual(self.get("/api/v2/trace/77777", 404)["status"], "error")
        many = self.get("/api/v2/traceMany?traceIds=1,2,77777")
        self.assertEqual([int(t[0]["traceId"], 16) for t in many], [1, 2])

    def test_zipkin_search(self):
        def ids(**params):
            params = {"limit": 1000, "endTs": NOW_S * 1000 + 10**4, "lookback": 7200 * 1000, **params}
            return [int(t[0]["traceId"], 16) for t in self.ask("/api/v2/traces", **params)]
        self.assertEqual(ids(), self.hits(lambda s: True))
        self.assertEqual(ids(limit=3), self.hits(lambda s: True)[:3])
        self.assertEqual(ids(serviceName="cart", spanName=NAMES[1]),
                         self.hits(lambda s: s.service == "cart" and s.name == NAMES[1]))
        self.assertEqual(ids(annotationQuery="code=500 and error"),
                         self.hits(lambda s: s.attributes.get("code") == 500 and s.status == 2))
        self.assertEqual(ids(annotationQuery="retry"), self.hits(lambda s: any(n == "retry" for n, _, _ in s.events)))
        self.assertEqual(ids(minDuration=1000, maxDuration=25000, spanName="all"),
                         self.hits(lambda s: 10**6 <= s.duration <= 25 * 10**6))
        self.assertEqual(ids(lookback=600 * 1000), self.hits(lambda s: True, since_s=590))
        self.ask("/api/v2/traces", 400, limit="many")

    def test_zipkin_dependencies(self):
        answer = self.ask("/api/v2/dependencies", endTs=NOW_S * 1000 + 10**4, lookback=2 * 3600 * 1000)
        self.assertEqual({(x["parent"], x["child"]): (x["callCount"], x["errorCount"]) for x in answer}, self.calls())


if __name__ == "__main__":
    start(run_cases)
