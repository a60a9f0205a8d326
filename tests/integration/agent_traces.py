#!/usr/bin/env python3
"""Spans sent to a running agent, and what a real sonde-server has of them afterwards."""
import os
import re
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import (agent, find_program, free_port, get, send, server, start, wait_until,  # noqa: E402
                      write_file)
from spans import request, span  # noqa: E402

NOW = time.time_ns()
QUIET = "host: {enabled: false}\n"
COUNTED = QUIET + "traces: {metrics: {interval: 500ms, dimensions: [http.route]}}\n"


class Agent:
    """An agent with a listener of its own for spans."""

    def __init__(self, folder, servers, name="agent", config=QUIET):
        self.port = free_port()
        self.program = agent(folder, name, config=config, servers=servers,
                             flags=["--otlp-listen", f"127.0.0.1:{self.port}"])

    def __enter__(self):
        self.program.__enter__()
        return self

    def __exit__(self, *exception):
        return self.program.__exit__(*exception)

    def send(self, *services):
        return send(f"http://127.0.0.1:{self.port}/v1/traces", request(*services),
                    {"Content-Type": "application/json"}, method="POST")

    def figure(self, name):
        """The sum of a metric of the agent's own over all its labels, as far as the name has none."""
        total = 0
        for line in get(self.program.url + "/metrics").text.splitlines():
            match = re.fullmatch(r"(\w+)(\{.*\})? (\S+)", line)
            if match and name in (match[1], match[1] + (match[2] or "")):
                total += float(match[3])
        return total


class Traces(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sonde-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def spans_of(self, store, trace):
        """Names of the spans of a trace that the server has."""
        answer = get(f"{store.url}/jaeger/api/traces/{trace:032x}")
        if answer.status == 404:
            return []
        self.assertEqual(answer.status, 200, answer.text)
        return sorted(s["operationName"] for s in answer.json()["data"][0]["spans"])

    def test_spans_arrive_as_they_came(self):
        with server(self.folder) as store, Agent(self.folder, [store.url]) as sender:
            answer = sender.send(("shop", [span(0xa1, 1, "GET /", NOW, 20),
                                           span(0xa1, 2, "query", NOW, 5, "client", parent=1, db__system="redis")]))
            self.assertEqual((answer.status, answer.text), (200, "{}"))
            wait_until(lambda: self.spans_of(store, 0xa1) == ["GET /", "query"], 30, "the trace at the server")
            answer = sender.send(("shop", [span(0xa2, 3, "good", NOW, 1), span(0xa2, 0, "no id", NOW, 1)]))
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.json()["partialSuccess"]["rejectedSpans"], "1")
            wait_until(lambda: self.spans_of(store, 0xa2) == ["good"], 30, "the good span at the server")
            wait_until(lambda: sender.figure("agent_remote_sent_spans_total") == 3, 30, "the account")
            self.assertEqual(sender.figure("agent_spans_received_total"), 3)
            self.assertEqual(sender.figure('agent_spans_refused_total{protocol="otlp_http",reason="span_id"}'), 1)
            self.assertEqual(sender.send(("shop", [])).status, 200)

    def test_spans_are_counted(self):
        with server(self.folder) as store, Agent(self.folder, [store.url], config=COUNTED) as sender:
            for number in range(1, 41):
                status = "error" if number % 10 == 0 else "ok"
                # Every fourth one came through a sampler that kept one in four.
                state = "ot=th:c" if number % 4 == 0 else ""
                sender.send(("shop", [span(number, number, "GET /cart", NOW, 100, status=status, state=state,
                                           http__route="/cart")]))
            calls = 'traces_spanmetrics_calls_total{service="shop",span_name="GET /cart",http_route="/cart"}'
            wait_until(lambda: store.value(f"sum({calls})") == 30 + 10 * 4, 30, "all calls at the server")
            errors = f'sum({calls[:-1]},status_code="STATUS_CODE_ERROR"}})'
            self.assertEqual(store.value(errors), 2 + 2 * 4)
            self.assertEqual(store.value('sum(histogram_count(traces_spanmetrics_latency{service="shop"}))'), 70)
            seconds = store.value('histogram_quantile(0.5, sum(traces_spanmetrics_latency{service="shop"}))')
            self.assertAlmostEqual(seconds, 0.1, delta=0.01)
            exemplars = store.api("query_exemplars", query='traces_spanmetrics_latency{service="shop"}',
                                  start=NOW // 10**9 - 60, end=NOW // 10**9 + 60)
            traces = {int(e["labels"]["trace_id"], 16) for series in exemplars for e in series["exemplars"]}
            self.assertTrue(traces and traces <= set(range(1, 41)), traces)

    def test_a_relay_counts_nothing_twice(self):
        """Service to agent to agent to server: span metrics and the service graph are those of one agent, whatever
        the relay does with spans. What comes to the relay from a service of its own is counted there."""
        config = write_file(os.path.join(self.folder, "server.yaml"),
                            "traces: {service_graph: {interval: 500ms, wait: 2s}}\n")
        relays = {"counting": COUNTED, "silent": QUIET + "traces: {metrics: {enabled: false}, "
                  "service_graph: {enabled: false}}\n"}
        with server(self.folder, flags=["--config", config]) as store:
            for number, (name, own) in enumerate(relays.items()):
                with Agent(self.folder, [store.url], "relay " + name, own) as relay:
                    extra = f"    traces_url: http://127.0.0.1:{relay.port}/v1/traces\n"
                    first = COUNTED + f"remote_write:\n  - url: {store.url}/api/v1/write\n{extra}"
                    with Agent(self.folder, [], "first " + name, first) as sender:
                        shop, cart = f"shop {name}", f"cart {name}"
                        for call in range(1, 31):
                            trace = (number + 1) << 80 | call
                            self.assertEqual(sender.send(
                                (shop, [span(trace, 1, "GET /", NOW, 50), span(trace, 2, "load", NOW, 40, "client", parent=1)]),
                                (cart, [span(trace, 3, "load", NOW, 30, parent=2)])).status, 200)
                        wait_until(lambda: len(self.spans_of(store, (number + 1) << 80 | 30)) == 3, 30, "the last trace")
                        calls = f'sum(traces_spanmetrics_calls_total{{service=~"{shop}|{cart}"}})'
                        edge = f'sum(traces_service_graph_request_total{{client="{shop}",server="{cart}"}})'
                        wait_until(lambda: store.value(calls) == 90 and store.value(edge) == 30, 30, "all calls")
                        if name == "counting":
                            own_call = f'sum(traces_spanmetrics_calls_total{{service="own"}})'
                            relay.send(("own", [span(0xf00d, 9, "work", NOW, 5)]))
                            wait_until(lambda: store.value(own_call) == 1, 30, "the relay's own service")
                        self.assertEqual((store.value(calls), store.value(edge)), (90, 30))

    def test_two_agents_see_a_call(self):
        """Each agent knows one side; the server knows both."""
        config = write_file(os.path.join(self.folder, "server.yaml"),
                            "traces: {service_graph: {interval: 500ms, wait: 2s}}\n")
        with server(self.folder, flags=["--config", config]) as store, \
                Agent(self.folder, [store.url], "one") as one, Agent(self.folder, [store.url], "two") as two:
            for number in range(1, 21):
                trace = number << 64 | number
                one.send(("front", [span(trace, 1, "GET /", NOW, 300),
                                    span(trace, 2, "call", NOW, 200, "client", parent=1)]))
                two.send(("back", [span(trace, 3, "work", NOW, 150, parent=2, status="error" if number == 7 else "ok"),
                                   span(trace, 4, "select", NOW, 5, "client", parent=3, db__system="postgresql",
                                        db__name="orders")]))
            graph = "traces_service_graph_request"

            def edges(metric):
                found = store.query(metric)
                return {(e["metric"]["client"], e["metric"]["server"], e["metric"].get("connection_type", "")):
                        float(e["value"][1]) for e in found}
            wanted = {("user", "front", "virtual_node"): 20, ("front", "back", ""): 20,
                      ("back", "orders", "database"): 20}
            wait_until(lambda: edges(f"{graph}_total") == wanted, 30, "the graph")
            self.assertEqual(edges(f"{graph}_failed_total")["front", "back", ""], 1)
            self.assertAlmostEqual(edges(f"{graph}_server_seconds_sum")["front", "back", ""], 20 * 0.15)
            self.assertAlmostEqual(edges(f"{graph}_client_seconds_sum")["front", "back", ""], 20 * 0.2)
            buckets = store.query(f'{graph}_client_seconds_bucket{{client="front",server="back"}}')
            self.assertEqual({b["metric"]["le"]: float(b["value"][1]) for b in buckets}["0.1"], 0)
            self.assertEqual({b["metric"]["le"]: float(b["value"][1]) for b in buckets}["0.2"], 20)
            self.assertEqual(one.figure("agent_span_halves_total") + two.figure("agent_span_halves_total"), 80)
            self.assertEqual(one.figure("agent_spans_received_total"), 40)

    def test_sampling(self):
        """What is dropped is absent at the server and counted all the same; late spans follow."""
        config = QUIET + """
traces:
  metrics: {interval: 500ms}
  sampling:
    wait: 1s
    wait_after_root: 500ms
    policies:
      - {name: errors, error: true}
      - {name: slow, latency: 1s}
      - {name: half, attributes: {tier: gold}, percent: 50}
"""
        with server(self.folder) as store, Agent(self.folder, [store.url], config=config) as sender:
            for number in range(1, 101):
                status = "error" if number % 20 == 0 else "ok"
                trace = number << 64 | number
                sender.send(("shop", [span(trace, number, "GET /", NOW, 2000 if number == 7 else 20, status=status)]))
                # Chance is the low 56 bits of the id, of which half the range is kept: from 64 << 49 on.
                sender.send(("shop", [span(number << 64 | number << 49, number, "gold", NOW, 20, tier="gold")]))
            kept = {n for n in range(1, 101) if n % 20 == 0 or n == 7}
            gold = set(range(64, 101))
            wait_until(lambda: sender.figure("agent_sampling_waiting_spans") == 0, 30, "all decisions")
            self.assertEqual(sender.figure('agent_sampling_traces_total{policy="errors"}'), 5)
            self.assertEqual(sender.figure('agent_sampling_traces_total{policy="slow"}'), 1)
            self.assertEqual(sender.figure('agent_sampling_traces_total{policy="half"}'), len(gold))
            self.assertEqual(sender.figure("agent_sampling_dropped_spans_total"), 200 - 6 - len(gold))
            wait_until(lambda: sender.figure("agent_remote_sent_spans_total") == 6 + len(gold), 30, "what was kept")
            for number in range(1, 101):
                names = self.spans_of(store, number << 64 | number)
                self.assertEqual(names, ["GET /"] if number in kept else [], number)
                names = self.spans_of(store, number << 64 | number << 49)
                self.assertEqual(names, ["gold"] if number in gold else [], number)
            sender.send(("shop", [span(7 << 64 | 7, 1007, "late", NOW, 1, parent=7),
                                  span(8 << 64 | 8, 1008, "late", NOW, 1, parent=8)]))
            wait_until(lambda: self.spans_of(store, 7 << 64 | 7) == ["GET /", "late"], 30, "the late span")
            self.assertEqual(self.spans_of(store, 8 << 64 | 8), [])
            calls = 'sum(traces_spanmetrics_calls_total{service="shop",span_name="GET /"})'
            wait_until(lambda: store.value(calls) == 100, 30, "all calls, kept or not")

    def test_overload_is_answered_busy(self):
        """An agent whose memory is used up says so in the protocol's own way, and takes nothing."""
        config = QUIET + "memory_max: 1MiB\n"
        with server(self.folder) as store, Agent(self.folder, [store.url], config=config) as sender:
            def refused():
                answer = sender.send(("shop", [span(1, 1, "work", NOW, 1)]))
                return answer if answer.status != 200 else None
            answer = wait_until(refused, 30, "the first look at memory")
            self.assertEqual(answer.status, 429)
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
            self.assertGreaterEqual(
                sender.figure('agent_span_requests_refused_total{protocol="otlp_http",reason="busy"}'), 1)

    def test_kills_lose_no_span_that_was_taken(self):
        """The server is away, the agent is killed again and again."""
        port = free_port()
        store = server(self.folder, port=port)
        traces = []
        for life in range(4):
            with Agent(self.folder, [store.url]) as sender:
                for number in range(1, 6):
                    trace = (life + 1) << 64 | number
                    self.assertEqual(sender.send(("shop", [span(trace, number, "work", NOW, 1)])).status, 200)
                    traces.append(trace)
                self.assertEqual(sender.figure("agent_remote_pending_spans"), len(traces))
                sender.program.kill()
        with store, Agent(self.folder, [store.url]):
            for trace in traces:
                wait_until(lambda t=trace: self.spans_of(store, t) == ["work"], 30, f"trace {trace:x}")


def main():
    find_program("sonde-agent")
    find_program("sonde-server")
    return 0 if unittest.main(argv=[sys.argv[0], "-v"], exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
