#!/usr/bin/env python3
"""What Grafana's Prometheus data source and other clients send to a running server, as a black box."""

import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import start  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

NOW = int(time.time())
STEP = 15
SAMPLES = 40
START = NOW - STEP * (SAMPLES - 1)


def load():
    """Two counters and a gauge, a sample each 15 s up to now, and a label that needs escaping."""
    times = [(START + STEP * i) * 1000 for i in range(SAMPLES)]
    return [
        ({"__name__": "requests_total", "job": "api", "instance": "a:1", "code": "200"},
         [(t, 30.0 * i) for i, t in enumerate(times)]),
        ({"__name__": "requests_total", "job": "api", "instance": "b:1", "code": "500"},
         [(t, 3.0 * i) for i, t in enumerate(times)]),
        ({"__name__": "temperature", "job": "room", "http.status": "ok"},
         [(t, 20.5) for t in times]),
    ]


class PrometheusApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.__enter__()
        status, text, headers = remote_write.write(cls.server.address, load())
        assert status == 204, text
        assert headers["X-Prometheus-Remote-Write-Samples-Written"] == str(3 * SAMPLES), headers

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def data(self, method, target, form=None, status=200):
        """The decoded answer; checks status and type."""
        got, body, headers = (self.server.post(target, form) if method == "POST"
                              else self.server.get(target))
        self.assertEqual(got, status, body)
        self.assertEqual(headers["content-type"], "application/json")
        return json.loads(body)

    def test_health(self):
        status, body, _ = self.server.post("/api/v1/query", [("query", "1+1"), ("time", "4")])
        self.assertEqual(status, 200)
        self.assertEqual(
            body, '{"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}')

    def test_parse_error(self):
        answer = self.data("POST", "/api/v1/query", [("query", "sum(")], 400)
        self.assertEqual(answer["errorType"], "bad_data")
        self.assertEqual(
            answer["error"], 'invalid parameter "query": 1:5: parse error: unclosed left parenthesis')

    def test_execution_error(self):
        answer = self.data(
            "POST", "/api/v1/query", [("query", "requests_total / on(job) requests_total")], 422)
        self.assertEqual(answer["errorType"], "execution")

    def test_rate(self):
        """30 a step of 15 s is 2 a second; 3 is 0.2."""
        answer = self.data("POST", "/api/v1/query", [
            ("query", "sum by (code) (rate(requests_total[5m]))"), ("time", str(NOW))])
        rates = {r["metric"]["code"]: float(r["value"][1]) for r in answer["data"]["result"]}
        self.assertAlmostEqual(rates["200"], 2.0, places=9)
        self.assertAlmostEqual(rates["500"], 0.2, places=9)

    def test_step_float(self):
        for step in ("0.5", "15", "15s"):
            answer = self.data("POST", "/api/v1/query_range", [
                ("query", "temperature"), ("start", str(START)), ("end", str(START + 30)),
                ("step", step)])
            self.assertEqual(answer["data"]["resultType"], "matrix")
        self.assertEqual([v for _, v in answer["data"]["result"][0]["values"]], ["20.5"] * 3)

    def test_too_many_points(self):
        answer = self.data("POST", "/api/v1/query_range", [
            ("query", "temperature"), ("start", "0"), ("end", "31536000"), ("step", "1")], 400)
        self.assertIn("exceeded maximum resolution of 11,000 points per timeseries", answer["error"])

    def test_exemplar_probe(self):
        answer = self.data("POST", "/api/v1/query_exemplars", [
            ("query", "test"), ("start", "1700000000000"), ("end", "1700001800000")])
        self.assertEqual(answer["data"], [])

    def test_labels(self):
        answer = self.data("GET", "/api/v1/labels")
        self.assertEqual(answer["data"], ["__name__", "code", "http.status", "instance", "job"])
        answer = self.data("GET", "/api/v1/labels?limit=1")
        self.assertEqual(answer["data"], ["__name__"])
        self.assertEqual(answer["warnings"], ["results truncated due to limit"])

    def test_labels_union(self):
        answer = self.data("POST", "/api/v1/labels", [
            ("match[]", "temperature"), ("match[]", 'requests_total{code="200"}'),
            ("start", str(START)), ("end", str(NOW))])
        self.assertEqual(answer["data"], ["__name__", "code", "http.status", "instance", "job"])

    def test_label_values(self):
        self.assertEqual(self.data("GET", "/api/v1/label/U__http_2e_status/values")["data"], ["ok"])
        self.assertEqual(
            self.data("GET", "/api/v1/label/__name__/values")["data"],
            ["requests_total", "temperature"])
        self.assertEqual(
            self.data("GET", "/api/v1/label/job/values?match[]=temperature")["data"], ["room"])

    def test_series(self):
        answer = self.data("POST", "/api/v1/series", [("match[]", '{job="api"}')])
        self.assertEqual(answer["data"], [
            {"__name__": "requests_total", "code": "200", "instance": "a:1", "job": "api"},
            {"__name__": "requests_total", "code": "500", "instance": "b:1", "job": "api"}])

    def test_metadata(self):
        message = remote_write.metadata(1, "requests_total", "Requests.", "")
        status, text, _ = remote_write.post(self.server.address, remote_write.snappy(message))
        self.assertEqual(status, 204, text)
        self.assertEqual(self.data("GET", "/api/v1/metadata?metric=requests_total")["data"], {
            "requests_total": [{"type": "counter", "help": "Requests.", "unit": ""}]})

    def test_remote_write_2(self):
        """The same samples in the other message change nothing; others are added."""
        before = self.server.query("sum_over_time(requests_total[20m])", NOW)
        status, text, headers = remote_write.write2(self.server.address, load()[:2])
        self.assertEqual(status, 204, text)
        self.assertEqual(headers["X-Prometheus-Remote-Write-Samples-Written"], str(2 * SAMPLES))
        self.assertEqual(self.server.query("sum_over_time(requests_total[20m])", NOW), before)
        later = [({"__name__": "requests_total", "job": "api", "instance": "a:1", "code": "200"},
                  [((NOW + 1) * 1000, 7.0)])]
        self.assertEqual(remote_write.write2(self.server.address, later)[0], 204)
        newest = self.server.query('requests_total{code="200"}', NOW + 1)
        self.assertEqual(newest[0]["value"], [NOW + 1, "7"])

    def test_order(self):
        """resultType before result: clients read the stream."""
        _, body, _ = self.server.post("/api/v1/query_range", [
            ("query", "temperature"), ("start", str(START)), ("end", str(NOW)), ("step", "60")])
        self.assertLess(body.index('"resultType"'), body.index('"result":'))

    def test_buildinfo(self):
        data = self.data("GET", "/api/v1/status/buildinfo")["data"]
        features = data.pop("features")
        self.assertTrue(all(isinstance(value, str) for value in data.values()))
        # Not empty: Grafana then lets people edit rules. It reads words only.
        self.assertTrue(features and all(isinstance(value, str) for value in features.values()))

    def test_what_clients_ask_at_start(self):
        self.assertEqual(self.data("GET", "/api/v1/rules")["data"], {"groups": []})
        self.assertEqual(self.data("GET", "/api/v1/alerts")["data"], {"alerts": []})
        self.assertIn("yaml", self.data("GET", "/api/v1/status/config")["data"])
        self.assertEqual(self.data("GET", "/api/v1/status/walreplay")["data"]["state"], "done")
        counts = self.data("GET", "/api/v1/status/tsdb")["data"]["seriesCountByMetricName"]
        self.assertEqual(counts[0], {"name": "requests_total", "value": 2})

    def test_methods(self):
        status, _, _ = self.server.request("PUT", "/api/v1/query")
        self.assertEqual(status, 405)
        status, _, headers = self.server.request("OPTIONS", "/api/v1/query")
        self.assertEqual(status, 204)
        self.assertIn("POST", headers["allow"])

    def test_encoding(self):
        status, _, headers = self.server.request(
            "GET", "/api/v1/labels", headers={"Accept-Encoding": "zstd, br"})
        self.assertEqual(status, 200)
        self.assertNotIn("content-encoding", headers)

    def test_unknown_headers_and_parameters(self):
        status, body, _ = self.server.request(
            "GET", "/api/v1/query?query=1&time=1&dedup=true&partial_response=false",
            headers={"X-Grafana-Org-Id": "1", "X-Dashboard-Uid": "a", "FromAlert": "true",
                     "Authorization": "Bearer x"})
        self.assertEqual(status, 200, body)

    def test_long_selector(self):
        """64 KiB in the request line."""
        selector = 'temperature{job=~"' + "|".join(f"job{i:07}" for i in range(5400)) + '|room"}'
        self.assertGreater(len(selector), 59000)
        quoted = selector.replace('"', "%22")
        answer = self.data("GET", f"/api/v1/label/job/values?match[]={quoted}")
        self.assertEqual(answer["data"], ["room"])

    def test_page_and_metrics(self):
        status, _, headers = self.server.request("GET", "/")
        self.assertEqual(status, 200)
        self.assertTrue(headers["content-security-policy"].startswith("default-src 'none'"))
        status, body, _ = self.server.get("/metrics")
        self.assertEqual(status, 200)
        self.assertIn("\nsonde_ingested_samples_total ", body)
        self.assertIn("\nsonde_tsdb_series 3\n", body)
        self.assertIn("\nprocess_resident_memory_bytes ", body)

    def test_compact_keeps_answers(self):
        before = self.server.query("sum_over_time(requests_total[20m])", NOW)
        status, _, _ = self.server.request("POST", "/api/v1/admin/tsdb/compact")
        self.assertEqual(status, 204)
        self.assertEqual(self.server.query("sum_over_time(requests_total[20m])", NOW), before)


class Lifecycle(unittest.TestCase):
    def test_restart_keeps_everything(self):
        with Server() as server:
            status, text, _ = remote_write.write(server.address, load())
            self.assertEqual(status, 204, text)
            before = server.query("count_over_time({job=~'.+'}[1h])", NOW)
            self.assertEqual(len(before), 3)
            self.assertEqual(server.stop(), 0)
            server.start()
            self.assertEqual(server.query("count_over_time({job=~'.+'}[1h])", NOW), before)

    def test_exemplars(self):
        """Sent with unsorted labels, read after a kill, a seal and a restart."""
        at = int(NOW * 1000)
        own = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "7"}
        message = remote_write.series_with_exemplars(
            {"__name__": "requests_bucket", "job": "api", "le": "1"}, [(at, 3)], [(own, 0.25, at)])
        wanted = [{"seriesLabels": {"__name__": "requests_bucket", "job": "api", "le": "1"},
                   "exemplars": [{"labels": own, "value": "0.25", "timestamp": at / 1000}]}]
        with Server("--retention", "0") as server:
            status, text, headers = remote_write.post(
                server.address, remote_write.snappy(message), "/api/v1/write?ack=durable")
            self.assertEqual(status, 204, text)
            self.assertEqual(headers["X-Prometheus-Remote-Write-Exemplars-Written"], "1")

            def read():
                status, text, _ = server.get(
                    f"/api/v1/query_exemplars?query=rate(requests_bucket[5m])&start={NOW - 60}&end={NOW + 60}")
                self.assertEqual(status, 200, text)
                return json.loads(text)["data"]

            self.assertEqual(read(), wanted)
            server.kill()
            server.start()
            self.assertEqual(read(), wanted)
            self.assertEqual(server.request("POST", "/api/v1/admin/tsdb/compact")[0], 204)
            self.assertEqual(read(), wanted)
            self.assertEqual(server.stop(), 0)
            server.start()
            self.assertEqual(read(), wanted)

    def test_route_prefix(self):
        with Server("--web.route-prefix", "/sonde", prefix="/sonde") as server:
            self.assertEqual(server.get("/sonde/api/v1/query?query=1&time=1")[0], 200)
            self.assertEqual(server.get("/api/v1/query?query=1&time=1")[0], 404)


if __name__ == "__main__":
    start(run_cases)
