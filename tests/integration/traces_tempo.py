#!/usr/bin/env python3
"""Tempo's API as Grafana's plugin calls it: TraceQL against a model of it in Python, series, tags and values, and the
shapes that the plugin decodes strictly."""

import json
import math
import os
import random
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import start  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402
from span_model import (SERVICES, Span, any_value, draw_query, draw_traces, group_traces, newest,  # noqa: E402
                        otlp_json)

SEED = int(os.environ.get("SONDE_SEED", "7"))
NOW_NS = int(time.time()) * 10**9
QUERIES = 300

# What Tempo's messages have (pkg/tempopb/tempo.proto): the plugin refuses anything else.
TRACE_KEYS = {"traceID", "rootServiceName", "rootTraceName", "startTimeUnixNano", "durationMs", "spanSets",
              "serviceStats"}
SET_KEYS = {"spans", "matched", "attributes"}
SPAN_KEYS = {"spanID", "name", "startTimeUnixNano", "durationNanos", "attributes"}


class WithServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    @classmethod
    def send(cls, spans):
        status, body, _ = cls.server.request(
            "POST", "/v1/traces", otlp_json(spans), {"Content-Type": "application/json"})
        assert status == 200, body

    def ask(self, path, **params):
        status, body, headers = self.server.get(path + "?" + urllib.parse.urlencode(params))
        self.assertEqual(status, 200, f"{params}: {body}")
        self.assertEqual(headers["content-type"], "application/json")
        return json.loads(body)


class Tempo(WithServer):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.random = random.Random(SEED)
        cls.spans = draw_traces(cls.random, NOW_NS, 150)
        cls.traces = group_traces(cls.spans)
        mixed = list(cls.spans)
        cls.random.shuffle(mixed)  # spans of a trace arrive in many requests
        for i in range(0, len(mixed), 100):
            cls.send(mixed[i:i + 100])

    def test_random_queries(self):
        chosen = 0
        for number in range(QUERIES):
            text, find = draw_query(self.random)
            late = NOW_NS - self.random.randrange(1800) * 10**9
            times = {} if number % 2 else {"start": NOW_NS // 10**9 - 3000, "end": late // 10**9}
            expected = newest(self.traces, find, times.get("start", 0) * 10**9,
                              times["end"] * 10**9 if times else math.inf)
            limit = self.random.choice([1, 5, 20, 1000])
            traces = self.ask("/api/search", q=text, limit=limit, spss=100, **times)["traces"]
            self.assertEqual([int(t["traceID"], 16) for t in traces], [t for _, t, _ in expected[:limit]], text)
            for answer, (_, trace, found) in zip(traces, expected):
                shown = [int(s["spanID"], 16) for group in answer["spanSets"] for s in group["spans"]]
                self.assertEqual(sorted(shown), sorted(s.identity for s in found), f"{text}: trace {trace}")
            chosen += 0 < len(expected) < len(self.traces)
        self.assertGreater(chosen, QUERIES // 3)

    def test_shape(self):
        q = '{ status = error && span.code != nil } | select(span.route, resource.host.name) | avg(duration) > 0ns'
        answer = self.ask("/tempo/api/search", q=q, limit=50, spss=2)
        self.assertLessEqual(set(answer), {"traces", "metrics"})
        self.assertGreater(len(answer["traces"]), 5)
        for trace in answer["traces"]:
            self.assertEqual(set(trace), TRACE_KEYS)
            spans = self.traces[int(trace["traceID"], 16)]
            self.assertEqual(trace["startTimeUnixNano"], str(min(s.start for s in spans)))
            length = max(s.start + s.duration for s in spans) - min(s.start for s in spans)
            self.assertEqual(trace["durationMs"], length // 10**6)
            services = {s.service for s in spans}
            self.assertEqual({name: of["spanCount"] for name, of in trace["serviceStats"].items()},
                             {name: sum(s.service == name for s in spans) for name in services})
            self.assertEqual({name: of.get("errorCount", 0) for name, of in trace["serviceStats"].items()},
                             {name: sum(s.service == name and s.status == 2 for s in spans) for name in services})
            roots = sorted((s.start, s.identity, s) for s in spans if s.parent == 0)
            expected = (roots[0][2].service, roots[0][2].name) if roots else ("<root span not yet received>",) * 2
            self.assertEqual((trace["rootServiceName"], trace["rootTraceName"]), expected)
            group, = trace["spanSets"]
            self.assertLessEqual(set(group), SET_KEYS)
            self.assertEqual(group["matched"], sum(s.status == 2 and "code" in s.attributes for s in spans))
            self.assertEqual(len(group["spans"]), min(2, group["matched"]))
            self.assertEqual([a["key"] for a in group["attributes"]], ["avg(duration)"])
            keys = {tuple(a["key"] for a in s["attributes"]) for s in group["spans"]}
            self.assertEqual(len(keys), 1)  # all spans the same
            for s in group["spans"]:
                self.assertEqual(set(s), SPAN_KEYS)
                model = next(x for x in spans if x.identity == int(s["spanID"], 16))
                self.assertEqual((s["name"], s["startTimeUnixNano"], s["durationNanos"]),
                                 (model.name, str(model.start), str(model.duration)))
                shown = {a["key"]: a["value"] for a in s["attributes"]}
                self.assertEqual(shown["code"], any_value(model.attributes["code"]))
                self.assertEqual(shown["status"], {"stringValue": "error"})
                if "route" in model.attributes:
                    self.assertEqual(shown["route"], {"stringValue": model.attributes["route"]})

    def test_older_form(self):
        def ids(**params):
            return [int(t["traceID"], 16) for t in self.ask("/api/search", limit=1000, **params)["traces"]]

        def of(holds):
            return [t for _, t, _ in newest(self.traces, lambda t: [s for s in t if holds(s)], 0, math.inf)]
        self.assertEqual(ids(tags="code=500"), of(lambda s: s.attributes.get("code") == 500))
        self.assertEqual(ids(tags='service.name="pay/eu" name=SELECT', minDuration="1ms"),
                         of(lambda s: s.service == "pay/eu" and s.name == "SELECT" and s.duration >= 10**6))
        self.assertEqual(ids(tags="error=true", maxDuration="20ms"),
                         of(lambda s: s.status == 2 and s.duration <= 20 * 10**6))
        self.assertEqual(len(ids()), len(self.traces))

    def test_refusals(self):
        for path, says, params in (
                ("/api/search", "character 3", {"q": "{ nonsense }"}),
                ("/api/search", "query_range", {"q": "{} | rate()"}),
                ("/api/search", "limit", {"limit": "none"}),
                ("/api/search", "minDuration", {"minDuration": "5"}),
                ("/api/search", "start", {"start": "yesterday"}),
                ("/api/metrics/query_range", "rate()", {"q": "{}"}),
                ("/api/metrics/query_range", "step", {"q": "{} | rate()", "step": "0"}),
                ("/api/metrics/query_range", "11000", {"q": "{} | rate()", "step": "1ms"}),
                ("/api/metrics/query", "before", {"q": "{} | rate()", "start": 20, "end": 10}),
                ("/api/v2/search/tags", "scope", {"scope": "moon"})):
            status, body, headers = self.server.get(path + "?" + urllib.parse.urlencode(params))
            self.assertEqual((status, headers["content-type"]), (400, "application/json"), params)
            self.assertIn(says, json.loads(body)["error"])

    def test_tags_and_values(self):
        scopes = {s["name"]: s["tags"] for s in self.ask("/api/v2/search/tags")["scopes"]}
        self.assertEqual(scopes["resource"], ["host.name", "service.name"])
        self.assertEqual(scopes["span"], sorted({k for s in self.spans for k in s.attributes}))
        self.assertEqual(scopes["event"], ["attempt"])
        self.assertIn("duration", scopes["intrinsic"])
        only, = self.ask("/api/v2/search/tags", scope="event")["scopes"]
        self.assertEqual(only, {"name": "event", "tags": ["attempt"]})
        self.assertEqual(self.ask("/api/search/tags")["tagNames"],
                         sorted({k for s in self.spans for k in s.attributes} |
                                {"host.name", "service.name", "attempt"}))
        for tag, kind, expected in (
                ("resource.service.name", "string", sorted(SERVICES)), (".service.name", "string", sorted(SERVICES)),
                ("service.name", "string", sorted(SERVICES)), ("span.code", "int", ["200", "404", "500"]),
                ("span.ok", "bool", ["false", "true"]), ("span.ratio", "float", ["0.5", "1.5", "2"]),
                ("status", "keyword", ["unset", "ok", "error"]), ("event:name", "string", ["exception", "retry"]),
                ("span.absent", "string", [])):
            values = self.ask(f"/api/v2/search/tag/{tag}/values")["tagValues"]
            self.assertEqual([v["value"] for v in values], expected, tag)
            self.assertTrue(all(v["type"] == kind for v in values), tag)
        self.assertEqual(self.ask("/api/search/tag/service.name/values")["tagValues"], sorted(SERVICES))
        self.assertEqual(len(self.ask("/api/v2/search/tag/span.code/values", limit=2)["tagValues"]), 2)
        own = self.ask("/api/v2/search/tag/.host.name/values", q='{ resource.service.name = "cart" }')["tagValues"]
        self.assertEqual([v["value"] for v in own], sorted({
            s.attributes.get("host.name", s.resource.get("host.name")) for s in self.spans
            if s.service == "cart"} - {None}))
        broken = self.ask("/api/v2/search/tag/span.code/values", q='{ resource.service.name = "ca')["tagValues"]
        self.assertEqual(len(broken), 3)

    # --- Series ---

    def series(self, q, step, **params):
        """{labels as text: {time in ms: value}}, with the aligned steps (from, to] of the model."""
        answer = self.ask("/api/metrics/query_range", q=q, step=f"{step}s", **params)
        self.assertEqual(set(answer), {"series", "metrics"})
        return {tuple((label["key"], *label["value"].values()) for label in s["labels"]):
                {int(x["timestampMs"]): x["value"] for x in s["samples"]} for s in answer["series"]}

    def steps(self, step):
        """(start, end) in seconds to ask for, and the times of the samples in ms."""
        start, end = NOW_NS // 10**9 - 3600, NOW_NS // 10**9
        first = start - start % step
        last = -(-end // step) * step
        return start, end, range(first * 1000, last * 1000 + 1, step * 1000)

    def test_counts(self):
        step = 300
        start, end, times = self.steps(step)
        found = self.series("{ status = error } | count_over_time() by (resource.service.name, kind)", step,
                            start=start, end=end)
        expected = {}
        kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"]
        for s in self.spans:
            if s.status == 2 and s.start > (times[0] - step * 1000) * 10**6:
                labels = (("resource.service.name", s.service), ("kind", kinds[s.kind]))
                at = -(-s.start // (step * 10**9)) * step * 1000
                expected.setdefault(labels, dict.fromkeys(times, 0))[at] += 1
        self.assertEqual(found, expected)
        rates = self.series("{ status = error } | rate() by (resource.service.name, kind)", step, start=start, end=end)
        self.assertEqual(set(rates), set(expected))
        for labels, samples in rates.items():
            for at, value in samples.items():
                self.assertAlmostEqual(value, expected[labels][at] / step)
        one = self.series("{ } >> { kind = client } | count_over_time()", step, start=start, end=end)
        self.assertEqual(list(one), [(("__name__", "count_over_time"),)])
        clients = [s for t in self.traces.values() for s in t if s.kind == 3 and
                   any(x.identity == s.parent for x in t)]
        self.assertEqual(sum(one[(("__name__", "count_over_time"),)].values()), len(clients))

    def test_measures(self):
        step = 600
        start, end, _ = self.steps(step)
        for function, combine in (("min", min), ("max", max), ("sum", sum), ("avg", lambda v: sum(v) / len(v))):
            found = self.series(f"{{ }} | {function}_over_time(span.code) by (name)", step, start=start, end=end)
            groups = {}
            for s in self.spans:
                if "code" in s.attributes:
                    at = -(-s.start // (step * 10**9)) * step * 1000
                    groups.setdefault((("name", s.name),), {}).setdefault(at, []).append(s.attributes["code"])
            expected = {k: {at: combine(v) for at, v in by_time.items()} for k, by_time in groups.items()}
            self.assertEqual(found.keys(), expected.keys())
            for labels in found:
                self.assertEqual(found[labels].keys(), expected[labels].keys())
                for at in found[labels]:
                    self.assertAlmostEqual(found[labels][at], expected[labels][at])
        longest = self.series("{ } | max_over_time(duration)", step, start=start, end=end)
        self.assertAlmostEqual(max(longest[(("__name__", "max_over_time"),)].values()),
                               max(s.duration for s in self.spans) / 1e9)

    def test_quantiles_and_histograms(self):
        """Buckets of powers of two: the true quantile lies in the bucket of the answer."""
        start, end = NOW_NS // 10**9 - 3700, NOW_NS // 10**9 + 60
        q = "{ duration > 1us } | quantile_over_time(duration, 0.5, 0.95)"
        answer = self.ask("/api/metrics/query", q=q, start=start, end=end)
        durations = sorted(s.duration for s in self.spans if s.duration > 1000)
        self.assertEqual([s["labels"][0]["value"]["doubleValue"] for s in answer["series"]], [0.5, 0.95])
        for s, share in zip(answer["series"], (0.5, 0.95)):
            true = durations[math.ceil(share * len(durations)) - 1] / 1e9
            self.assertLess(abs(math.log2(s["value"] / true)), 1)
        q = "{ duration > 1us } | histogram_over_time(duration)"
        answer = self.ask("/api/metrics/query", q=q, start=start, end=end)
        found = {s["labels"][0]["value"]["doubleValue"]: s["value"] for s in answer["series"]}
        expected = {}
        for d in durations:
            bound = 2 ** math.ceil(math.log2(d)) / 1e9
            expected[bound] = expected.get(bound, 0) + 1
        self.assertEqual(found, expected)

    def test_compare(self):
        """Each value of each attribute, of spans that failed and of all others; by spans, and by whole traces."""
        kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"]
        expected = {}

        def plain(value):
            (kind, of), = value.items()
            return kind, json.dumps(of) if isinstance(of, dict) else of
        for s in self.spans:
            side = "selection" if s.status == 2 else "baseline"
            values = {"name": s.name, "status": ["unset", "ok", "error"][s.status], "kind": kinds[s.kind],
                      "resource.service.name": s.service, **({"statusMessage": s.message} if s.message else {}),
                      **{"resource." + key: value for key, value in s.resource.items()},
                      **{"span." + key: value for key, value in s.attributes.items()}}
            for key, value in values.items():
                for label in ((side, key, plain(any_value(value))), (side + "_total", key, plain(any_value("nil")))):
                    expected[label] = expected.get(label, 0) + 1
        for q in ("{ } | compare({ status = error }, 100)", "{ } | compare({ status = error && traceDuration >= 0s }, 100)",
                  "{ trace:duration >= 0s } | compare({ status = error }, 100)"):
            answer = self.ask("/api/metrics/query", q=q, start=NOW_NS // 10**9 - 4000, end=NOW_NS // 10**9 + 60)
            found = {}
            for s in answer["series"]:
                (meta, key) = s["labels"]
                self.assertEqual(meta["key"], "__meta_type")  # no attribute has more than a hundred
                found[meta["value"]["stringValue"], key["key"], plain(key["value"])] = s["value"]
            self.assertEqual(found, expected, q)

    def test_top_and_exemplars(self):
        step = 900
        start, end, _ = self.steps(step)
        everything = self.series("{ } | count_over_time() by (name)", step, start=start, end=end)
        top = self.series("{ } | count_over_time() by (name) | topk(1)", step, start=start, end=end)
        for at in next(iter(everything.values())):
            here = [samples[at] for samples in top.values() if at in samples]
            self.assertEqual(here, [max(samples[at] for samples in everything.values())])
        answer = self.ask("/api/metrics/query_range", q="{ } | rate()", step="900s", start=start, end=end, exemplars=3)
        exemplars = answer["series"][0]["exemplars"]
        self.assertTrue(0 < len(exemplars) <= 3)
        for x in exemplars:
            trace = int(next(a["value"]["stringValue"] for a in x["labels"] if a["key"] == "trace:id"), 16)
            self.assertIn(int(x["timestampMs"]), [s.start // 10**6 for s in self.traces[trace]])


class Growing(WithServer):
    """Traces that grow while they are looked at, and such as nobody should send."""

    def test_a_trace_that_still_arrives(self):
        identity = 0xfeed0001
        child = Span(identity, 2, 1, name="child", service="late", start=NOW_NS, duration=5)
        self.send([child])
        q = {"q": '{ resource.service.name = "late" }'}
        trace, = self.ask("/api/search", **q)["traces"]
        self.assertEqual(trace["rootTraceName"], "<root span not yet received>")
        self.assertEqual(self.ask("/api/search", q='{ rootName = "parent" }')["traces"], [])
        self.send([Span(identity, 1, 0, name="parent", service="late", start=NOW_NS - 10, duration=50)])
        trace, = self.ask("/api/search", **q)["traces"]
        self.assertEqual((trace["rootTraceName"], trace["spanSets"][0]["matched"]), ("parent", 2))
        trace, = self.ask("/api/search", q='{ rootName = "parent" } > { name = "child" }')["traces"]
        self.assertEqual(trace["spanSets"][0]["matched"], 1)
        spans = self.ask("/api/v2/traces/%x" % identity)["trace"]["resourceSpans"]
        self.assertEqual(sum(len(scope["spans"]) for r in spans for scope in r["scopeSpans"]), 2)
        self.send([child])  # again
        trace, = self.ask("/api/search", **q)["traces"]
        self.assertEqual(trace["spanSets"][0]["matched"], 2)

    def test_circles(self):
        identity = 0xfeed0002
        self.send([Span(identity, i, i % 3 + 1, name="circle", service="round", start=NOW_NS + i, duration=1)
                   for i in (1, 2, 3)] + [Span(identity, 7, 7, name="self", service="round", start=NOW_NS, duration=1)])
        trace, = self.ask("/api/search", q='{ name = "circle" } >> { name = "circle" }')["traces"]
        self.assertEqual(trace["spanSets"][0]["matched"], 2)  # one stands at the top
        self.assertEqual(self.server.get("/api/traces/%x" % identity)[0], 200)

    def test_buildinfo_and_echo(self):
        for prefix in ("", "/tempo"):
            self.assertEqual(self.server.get(prefix + "/api/echo")[:2], (200, "echo"))
            self.assertTrue(self.ask(prefix + "/api/status/buildinfo")["version"])


if __name__ == "__main__":
    start(run_cases)
