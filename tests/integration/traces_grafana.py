#!/usr/bin/env python3
"""What Grafana's data sources for Tempo, Jaeger and Zipkin send, request by request: with its headers, with parameters
that nobody asked for, below a prefix, with or without protobuf. Three traces whose answers are known by heart."""

import gzip
import json
import os
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import start  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402
from span_model import Span, otlp_json  # noqa: E402
from traces import fields  # noqa: E402

NOW = int(time.time())
PREFIX = "/sonde"
GRAFANA = {"User-Agent": "Grafana/12.1.0", "X-Grafana-Org-Id": "1", "X-Dashboard-Uid": "abc", "X-Panel-Id": "4",
           "X-Datasource-Uid": "traces", "X-Grafana-User": "admin", "FromAlert": "true", "X-Rule-Name": "r",
           "Accept-Encoding": "gzip, deflate, br, zstd"}
PROTOBUF = {"Accept": "application/protobuf"}

MS = 10**6


def story():
    """GET / of shop calls load of cart, which asks a database; a job that failed; one in the day before."""
    at = (NOW - 100) * 10**9
    return [
        Span(0xa1, 1, 0, name="GET /", kind=2, service="shop", start=at, duration=300 * MS,
             attributes={"http.status_code": 200}),
        Span(0xa1, 2, 1, name="load", kind=3, service="shop", start=at + 10 * MS, duration=200 * MS,
             attributes={"peer.service": "cart", "server.address": "10.0.0.1"}),
        Span(0xa1, 3, 2, name="load", kind=2, service="cart", start=at + 20 * MS, duration=150 * MS),
        Span(0xa1, 4, 3, name="SELECT", kind=3, service="cart", start=at + 30 * MS, duration=100 * MS,
             attributes={"db.name": "orders", "db.system": "postgresql"}),
        Span(0xa2 << 64, 5, 0, name="job", kind=1, service="cart", start=at + 10**9, duration=5 * MS, status=2,
             message="no space", attributes={"server.address": "disk"}),
        Span(0xa3, 6, 0, name="old", kind=2, service="shop", start=at - 86400 * 10**9, duration=MS),
    ]


class Grafana(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--web.route-prefix", PREFIX, prefix=PREFIX)
        cls.server.__enter__()
        status, body, _ = cls.server.request(
            "POST", PREFIX + "/v1/traces", otlp_json(story()), {"Content-Type": "application/json"})
        assert status == 200, body

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def ask(self, path, expected=200, headers=None, **params):
        """The body, unpacked; it is JSON unless protobuf is accepted."""
        params["dedup"] = "true"  # as custom query parameters are appended
        status, body, answered = self.server.request(
            "GET", PREFIX + path + "?" + urllib.parse.urlencode(params), None, {**GRAFANA, **(headers or {})})
        packing = answered.get("content-encoding")
        self.assertIn(packing, (None, "gzip"), path)
        body = gzip.decompress(body) if packing else body
        self.assertEqual(status, expected, f"{path} {params}: {body}")
        self.last = answered
        if headers == PROTOBUF and status == 200:
            self.assertEqual(answered["content-type"], "application/protobuf")
            return body
        self.assertEqual(answered["content-type"], "application/json", path)
        return json.loads(body)

    # --- Tempo ---

    def test_tempo_trace(self):
        for hints in ({}, {"start": NOW - 3600, "end": NOW}, {"start": NOW - 7200, "end": NOW - 3600}):
            whole = self.ask("/tempo/api/v2/traces/a1", headers=PROTOBUF, **hints)
            bare = self.ask("/tempo/api/traces/a1", headers=PROTOBUF, **hints)
            self.assertEqual(fields(whole), [(1, bare)])  # neither status nor message: it is whole
            spans = [s for number, group in fields(bare) for kind, scope in fields(group) if kind == 2
                     for kind, s in fields(scope) if kind == 2]
            self.assertEqual(len(spans), 4)
        # A 404 of the first makes the plugin try the second.
        self.ask("/tempo/api/v2/traces/ff", 404, PROTOBUF)
        self.ask("/tempo/api/traces/ff", 404, PROTOBUF)
        for hints in ({"start": "now"}, {"end": "soon"}, {"start": 10, "end": 5}):
            self.assertIn("error", self.ask("/tempo/api/v2/traces/a1", 400, **hints))

    def test_tempo_search(self):
        times = {"start": NOW - 3600, "end": NOW}
        found = self.ask("/tempo/api/search", q='{resource.service.name="shop"}', limit=20, spss=3, **times)
        hit, = found["traces"]
        self.assertEqual((hit["traceID"], hit["rootServiceName"], hit["rootTraceName"], hit["durationMs"]),
                         ("%032x" % 0xa1, "shop", "GET /", 300))
        self.assertEqual(hit["serviceStats"], {"shop": {"spanCount": 2}, "cart": {"spanCount": 2}})
        for q, traces in (("{}", 2), ("{status=error}", 1), ('{name=~"GET.*"} >> {kind=client && duration>=100ms}', 1),
                          ('{resource.service.name="shop"} | select(span.http.status_code)', 1),
                          ("{ } | rate()", None)):
            answer = self.ask("/tempo/api/search", 400 if traces is None else 200, q=q, **times)
            self.assertEqual(len(answer.get("traces", [])), traces or 0, q)

    def test_tempo_tags(self):
        """The editor asks for all scopes, and for one; the old list has no scopes."""
        times = {"start": NOW - 3600, "end": NOW}
        scopes = {s["name"]: s["tags"] for s in self.ask("/tempo/api/v2/search/tags", limit=5000, **times)["scopes"]}
        self.assertEqual(scopes["resource"], ["service.name"])
        self.assertEqual(scopes["span"], ["db.name", "db.system", "http.status_code", "peer.service",
                                          "server.address"])
        for scope in ("span", "resource", "intrinsic", "event", "link", "instrumentation"):
            only, = self.ask("/tempo/api/v2/search/tags", scope=scope, **times)["scopes"]
            self.assertEqual(only, {"name": scope, "tags": scopes[scope]})
        self.assertIn("db.name", self.ask("/tempo/api/search/tags", **times)["tagNames"])

    def test_tempo_tags_while_typing(self):
        """Of the spans that are described so far, whether the query is whole or not."""
        for q, span in (('{ resource.service.name = "shop" }', ["http.status_code", "peer.service", "server.address"]),
                        ('{ resource.service.name = "shop" && name = "load" && span.', ["peer.service", "server.address"]),
                        ('{ kind = client && span.db.name = ', ["db.name", "db.system", "peer.service", "server.address"]),
                        ('{ kind = client || span.', None), ('{ name = "none" && ', []), ("{", None), ("", None)):
            scopes = {s["name"]: s["tags"] for s in self.ask("/tempo/api/v2/search/tags", q=q)["scopes"]}
            everything = ["db.name", "db.system", "http.status_code", "peer.service", "server.address"]
            self.assertEqual(scopes["span"], everything if span is None else span, q)
            self.assertEqual(scopes["resource"], [] if span == [] else ["service.name"], q)
        two, = self.ask("/tempo/api/v2/search/tags", scope="span", limit=2)["scopes"]
        self.assertEqual(two["tags"], ["db.name", "db.system"])
        self.assertIn("list is cut", self.last["warning"])
        self.assertEqual(self.ask("/tempo/api/search/tags", limit=1)["tagNames"], ["db.name"])
        self.assertIn("list is cut", self.last["warning"])

        def values(q):
            found = self.ask("/tempo/api/v2/search/tag/span.server.address/values", q=q)["tagValues"]
            return [v["value"] for v in found]
        self.assertEqual(values('{ resource.service.name = "cart" && span.server.address = }'), ["disk"])
        self.assertEqual(values('{ resource.service.name = "shop" && span.server.address = "10'), ["10.0.0.1"])
        self.assertEqual(values("{ span.server.address = "), ["10.0.0.1", "disk"])

    def test_tempo_values(self):
        def values(tag, **params):
            found = self.ask(f"/tempo/api/v2/search/tag/{urllib.parse.quote(tag)}/values", **params)
            return [v["value"] for v in found["tagValues"]]
        self.assertEqual(values("resource.service.name"), ["cart", "shop"])
        self.assertEqual(values("name", q='{resource.service.name="cart"}'), ["SELECT", "job", "load"])
        self.assertEqual(values("status"), ["unset", "error"])
        self.assertEqual(values("span.http.status_code", q="{}"), ["200"])
        self.assertEqual(self.ask("/tempo/api/search/tag/service.name/values")["tagValues"], ["cart", "shop"])
        self.assertEqual(len(values("resource.service.name", limit=1)), 1)
        self.assertIn("list is cut", self.last["warning"])  # by the limit, which no field of the answer tells
        self.assertEqual(values("resource.service.name", limit=2), ["cart", "shop"])
        self.assertNotIn("warning", self.last)

    def test_tempo_metrics(self):
        times = {"start": NOW - 3600, "end": NOW}
        found = self.ask("/tempo/api/metrics/query_range", q="{} | count_over_time() by (resource.service.name)",
                         step="15s", exemplars=100, **times)
        counts = {s["labels"][0]["value"]["stringValue"]: sum(x["value"] for x in s["samples"])
                  for s in found["series"]}
        self.assertEqual(counts, {"shop": 2, "cart": 3})
        self.assertEqual(self.ask("/tempo/api/metrics/query", q="{status=error} | count_over_time()",
                                  **times)["series"][0]["value"], 1)
        # Newer versions send nanoseconds.
        found = self.ask("/tempo/api/metrics/query", q="{} | count_over_time()", start=(NOW - 3600) * 10**9,
                         end=NOW * 10**9)
        self.assertEqual(found["series"][0]["value"], 5)

    def instant(self, q):
        """{labels as text: value} of the last hour."""
        found = self.ask("/tempo/api/metrics/query", q=q, start=NOW - 3600, end=NOW)
        return {tuple((of["key"], *of["value"].values()) for of in s["labels"]): s["value"] for s in found["series"]}

    def test_tempo_thresholds(self):
        by = "{} | count_over_time() by (resource.service.name)"
        shop, cart = ((("resource.service.name", name),) for name in ("shop", "cart"))
        self.assertEqual(self.instant(by + " > 2"), {cart: 3})
        self.assertEqual(self.instant(by + " <= 2"), {shop: 2})
        self.assertEqual(self.instant(by + " != 3 | topk(1)"), {shop: 2})
        self.assertEqual(self.instant(by + " | topk(1) != 3"), {})
        longest = "{} | max_over_time(duration) by (resource.service.name)"
        self.assertEqual(self.instant(longest), {shop: 0.3, cart: 0.15})
        self.assertEqual(self.instant(longest + " > 200ms"), {shop: 0.3})

    def test_tempo_compare(self):
        """Two spans of shop against three of cart: one value of each attribute is told."""
        found = self.instant('{} | compare({ resource.service.name = "cart" }, 1)')

        def of(meta, key):
            return {labels[1][1]: value for labels, value in found.items()
                    if labels[0] == ("__meta_type", meta) and labels[1][0] == key}
        self.assertEqual(of("baseline", "resource.service.name"), {"shop": 2})
        self.assertEqual(of("selection", "resource.service.name"), {"cart": 3})
        self.assertEqual(of("baseline", "name"), {"GET /": 1})  # as often as load, which comes behind it
        self.assertEqual(of("selection", "name"), {"SELECT": 1})
        self.assertEqual(of("baseline_total", "name"), {"nil": 2})
        self.assertEqual(of("selection_total", "name"), {"nil": 3})
        self.assertEqual(of("selection", "status"), {"unset": 2})
        self.assertEqual(of("selection", "statusMessage"), {"no space": 1})
        self.assertEqual(of("selection_total", "statusMessage"), {"nil": 1})
        self.assertEqual(of("selection_total", "span.http.status_code"), {})  # only shop has it
        self.assertEqual(of("baseline", "span.http.status_code"), {"200": 1})
        self.assertEqual({labels[1][0] for labels in found if labels[0] == ("__meta_error", "__too_many_values__")},
                         {"name", "kind", "status"})
        # Within times a selection may be a part: only the job is young enough.
        young = (NOW - 100) * 10**9 + 5 * 10**8
        found = self.instant(f"{{}} | compare({{ true }}, 5, {young}, {NOW * 10**9})")
        self.assertEqual(of("selection", "name"), {"job": 1})
        self.assertEqual(of("baseline_total", "name"), {"nil": 4})

    def test_tempo_health(self):
        """Save & test; and the door of streaming, which is not there, so that the plugin's switch must stay off."""
        status, body, _ = self.server.request("GET", PREFIX + "/tempo/api/echo", None, GRAFANA)
        self.assertEqual((status, body), (200, b"echo"))
        self.assertTrue(self.ask("/tempo/api/status/buildinfo")["version"])
        status, _, _ = self.server.request("POST", PREFIX + "/tempopb.StreamingQuerier/Search", b"",
                                           {"Content-Type": "application/grpc"})
        self.assertEqual(status, 404)

    # --- Jaeger ---

    def test_jaeger_search(self):
        times = {"start": (NOW - 3600) * 10**6, "end": NOW * 10**6}
        for params, ids in (({"service": "cart"}, [0xa2 << 64, 0xa1]), ({"service": "shop", "operation": "load"}, [0xa1]),
                            ({"service": "cart", "tags": '{"error":"true"}'}, [0xa2 << 64]),
                            ({"service": "shop", "minDuration": "250ms", "maxDuration": "1s"}, [0xa1]),
                            ({"service": "cart", "limit": 1}, [0xa2 << 64])):
            found = self.ask("/jaeger/api/traces", **times, **params)
            self.assertEqual([int(t["traceID"], 16) for t in found["data"]], ids, params)
            self.assertEqual({key: found[key] for key in ("total", "limit", "offset", "errors")},
                             {"total": 0, "limit": 0, "offset": 0, "errors": None})

    def test_jaeger_trace(self):
        """Times are hints, in microseconds, from Grafana in milliseconds: wrong ones lose nothing."""
        for hints in ({}, {"start": (NOW - 3600) * 10**6, "end": NOW * 10**6},
                      {"start": (NOW - 3600) * 1000, "end": NOW * 1000}, {"start": 1, "end": 2}):
            trace, = self.ask("/jaeger/api/traces/a1", **hints)["data"]
            self.assertEqual([s["operationName"] for s in trace["spans"]], ["GET /", "load", "load", "SELECT"])
            self.assertIsNone(trace["warnings"])
        self.assertEqual(self.ask("/jaeger/api/traces/a1", 400, start="soon")["errors"][0]["code"], 400)
        self.assertEqual(self.ask("/jaeger/api/traces/ff", 404)["errors"][0]["code"], 404)
        self.ask("/jaeger/api/v3/traces/a1", startTime="2026-01-01T00:00:00Z", endTime="2026-01-01T00:00:00+00:00")
        self.assertEqual(self.ask("/jaeger/api/v3/traces/a1", 400, startTime="5")["error"]["httpCode"], 400)

    def test_jaeger_health(self):
        self.assertEqual(self.ask("/jaeger/api/services"), {
            "data": ["cart", "shop"], "total": 2, "limit": 0, "offset": 0, "errors": None})
        self.assertEqual(self.ask("/jaeger/api/services/cart/operations")["data"], ["SELECT", "job", "load"])
        links = self.ask("/jaeger/api/dependencies", endTs=NOW * 1000, lookback=3600 * 1000)["data"]
        self.assertEqual(links, [{"parent": "shop", "child": "cart", "callCount": 1}])

    # --- Zipkin ---

    def test_zipkin(self):
        self.assertEqual(self.ask("/api/v2/services"), ["cart", "shop"])
        self.assertEqual(self.ask("/api/v2/spans", serviceName="shop"), ["GET /", "load", "old"])
        found = self.ask("/api/v2/traces", serviceName="shop", spanName="all")
        self.assertEqual([t[0]["traceId"] for t in found], ["%016x" % 0xa1])
        spans = self.ask("/api/v2/trace/%016x" % 0xa1)
        self.assertEqual([s.get("remoteEndpoint", {}).get("serviceName") for s in spans],
                         [None, "cart", None, "orders"])
        self.ask("/api/v2/trace/ff", 404)
        self.assertEqual(self.ask("/api/v2/dependencies", endTs=NOW * 1000, lookback=3600 * 1000),
                         [{"parent": "shop", "child": "cart", "callCount": 1, "errorCount": 0}])

    def test_zipkin_remote_services(self):
        """As the spans show them: peer.service speaks before server.address."""
        for service, remotes in (("shop", ["cart"]), ("cart", ["disk", "orders"]), ("nobody", [])):
            self.assertEqual(self.ask("/api/v2/remoteServices", serviceName=service), remotes)
        for remote, ids in (("cart", [0xa1]), ("orders", [0xa1]), ("disk", [0xa2 << 64]), ("10.0.0.1", [])):
            found = self.ask("/api/v2/traces", remoteServiceName=remote)
            self.assertEqual([int(t[0]["traceId"], 16) for t in found], ids, remote)


if __name__ == "__main__":
    start(run_cases)
