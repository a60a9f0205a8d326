#!/usr/bin/env python3
"""Discovery by the running agent: targets that files and a web server name come and go while it runs. The
sources and the expositions are servers of the test's own."""
import http.server
import json
import os
import socketserver
import sys
import threading
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import agent, find_program, get, scratch, start, wait_until, write_file  # noqa: E402

HEAD = """
global: {scrape_interval: 200ms}
host: {enabled: false}
scrape_configs:
"""


class Pages(http.server.ThreadingHTTPServer):
    """Answers each path with what `pages` says: (status, content type, body) or a function of the handler."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages = {"/metrics": (200, "text/plain; version=0.0.4", "kept 1\n")}
        self.seen = []
        self.port = self.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class SocketPages(socketserver.ThreadingUnixStreamServer):
    """The same on a unix socket."""

    daemon_threads = True

    def __init__(self, path):
        super().__init__(path, Handler)
        self.pages, self.seen = {}, []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        page = self.server.pages.get(self.path, self.server.pages.get(self.path.split("?")[0]))
        status, kind, body = page(self) if callable(page) else page or (404, "text/plain", "no")
        if status is None:
            return  # the function has answered
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def replace_file(path, text):
    """As configuration tools do it: written beside, then moved."""
    os.rename(write_file(path + ".new", text), path)


def targets(running, pool):
    data = get(running.url + "/api/v1/targets").json()["data"]
    return {t["labels"]["instance"]: t for t in data["activeTargets"] if t["scrapePool"] == pool}


def wait_targets(running, pool, *instances):
    return wait_until(lambda: (lambda now: set(now) == set(instances) and (now or {"none": True}))(
        targets(running, pool)), 20, f"{pool} to have {instances}")


def metric(running, name, kind):
    for line in get(running.url + "/metrics").text.splitlines():
        if line.startswith(f'{name}{{kind="{kind}"}}'):
            return float(line.split()[-1])
    raise AssertionError(f"no {name} of {kind}")


class Discovery(unittest.TestCase):
    def setUp(self):
        folder = scratch()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.server = Pages()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def test_files(self):
        one, two = os.path.join(self.folder, "one.json"), os.path.join(self.folder, "two.yml")
        here = self.server.address
        write_file(one, json.dumps([{"targets": [here], "labels": {"env": "prod", "__meta_zone": "z1"}}]))
        config = HEAD + f"""
  - job_name: files
    file_sd_configs: [{{files: ["{self.folder}/*.json", "{two}"], refresh_interval: 1h}}]
    relabel_configs:
      - {{source_labels: [__meta_zone], target_label: zone}}
      - {{source_labels: [__meta_filepath], regex: '.*/', replacement: '', target_label: none}}
"""
        with agent(self.folder, config=config) as running:
            found = wait_targets(running, "files", here)[here]
            self.assertEqual(found["labels"], {"job": "files", "instance": here, "env": "prod", "zone": "z1"})
            self.assertEqual(found["discoveredLabels"]["__meta_filepath"], one)
            wait_until(lambda: targets(running, "files")[here]["health"] == "up", 20, "a scrape")

            # Another file: the refresh interval is an hour, so it is the notice that does it.
            write_file(two, "- targets: ['127.0.0.1:1', 'a/b']\n")
            wait_targets(running, "files", here, "127.0.0.1:1")
            page = get(running.url + "/metrics").text
            self.assertIn("agent_discovery_refused_targets 1", page)

            # A broken one keeps what it said, and says so.
            replace_file(one, "[{")
            wait_until(lambda: metric(running, "agent_discovery_failing", "file") == 1, 20, "the failure")
            wait_targets(running, "files", here, "127.0.0.1:1")

            # Good again: the target that stays is the one it was, whatever is known of it besides.
            replace_file(one, json.dumps([{"targets": [here], "labels": {
                "env": "prod", "__meta_zone": "z1", "__meta_more": "1"}}]))
            wait_until(lambda: "__meta_more" in targets(running, "files")[here]["discoveredLabels"], 20, "news")
            self.assertEqual(targets(running, "files")[here]["health"], "up")
            self.assertEqual(metric(running, "agent_discovery_failing", "file"), 0)

            os.remove(one)
            wait_targets(running, "files", "127.0.0.1:1")
            os.remove(two)
            wait_targets(running, "files")

    def test_http(self):
        here = self.server.address
        groups = [{"targets": [here], "labels": {"__meta_datacenter": "west", "team": "a"}}]
        self.server.pages["/list"] = (200, "application/json; charset=utf-8", json.dumps(groups))
        entry = f"""
    http_sd_configs:
      - {{url: "http://{here}/list", refresh_interval: 200ms, authorization: {{credentials: secret}}}}
"""
        config = HEAD + f"  - job_name: web\n{entry}\n  - job_name: again\n{entry}"
        with agent(self.folder, config=config) as running:
            found = wait_targets(running, "web", here)[here]
            self.assertEqual(found["labels"], {"job": "web", "instance": here, "team": "a"})
            self.assertEqual(found["discoveredLabels"]["__meta_url"], f"http://{here}/list")
            wait_targets(running, "again", here)
            self.assertEqual(metric(running, "agent_discovery_entries", "http"), 1)
            headers = [h for path, h in self.server.seen if path == "/list"][0]
            self.assertEqual(headers["X-Prometheus-Refresh-Interval-Seconds"], "0.2")
            self.assertEqual(headers["Authorization"], "Bearer secret")

            for page in ((500, "application/json", "[]"), (200, "text/html", "[]"), (200, "application/json", "{}")):
                before = metric(running, "agent_discovery_failures_total", "http")
                self.server.pages["/list"] = page
                wait_until(lambda: metric(running, "agent_discovery_failures_total", "http") > before + 1, 20,
                           f"failures by {page}")
                self.assertEqual(set(targets(running, "web")), {here}, page)

            self.server.pages["/list"] = (200, "application/json", "[]")
            wait_targets(running, "web")


    def test_docker(self):
        path = os.path.join(self.folder, "docker.sock")
        engine = SocketPages(path)
        self.addCleanup(engine.server_close)
        self.addCleanup(engine.shutdown)
        containers = [{
            "Id": "c1", "Names": ["/web"], "Labels": {"scrape": "yes"}, "HostConfig": {"NetworkMode": "bridge"},
            "Ports": [{"PrivatePort": self.server.port, "Type": "tcp"}],
            "NetworkSettings": {"Networks": {"bridge": {"NetworkID": "n1", "IPAddress": "127.0.0.1"}}}}]
        engine.pages["/containers/json"] = (200, "application/json", json.dumps(containers))
        engine.pages["/networks"] = (200, "application/json", json.dumps([{"Id": "n1", "Name": "bridge"}]))
        config = HEAD + f"""
  - job_name: containers
    docker_sd_configs:
      - {{host: "unix://{path}", refresh_interval: 200ms, filters: [{{name: status, values: [running]}}]}}
    relabel_configs:
      - {{source_labels: [__meta_docker_container_name], target_label: container}}
      - {{source_labels: [__meta_docker_network_name], target_label: network}}
"""
        with agent(self.folder, config=config) as running:
            here = self.server.address
            found = wait_targets(running, "containers", here)[here]
            self.assertEqual(found["labels"], {
                "job": "containers", "instance": here, "container": "/web", "network": "bridge"})
            asked = urllib.parse.urlsplit(engine.seen[0][0])
            self.assertEqual(json.loads(urllib.parse.parse_qs(asked.query)["filters"][0]), {"status": ["running"]})
            wait_until(lambda: targets(running, "containers")[here]["health"] == "up", 20, "a scrape")

            # One of the two answers is not good: nothing changes.
            engine.pages["/containers/json"] = (200, "application/json", "[]")
            engine.pages["/networks"] = (500, "text/plain", "no")
            wait_until(lambda: metric(running, "agent_discovery_failing", "docker") == 1, 20, "the failure")
            wait_targets(running, "containers", here)
            engine.pages["/networks"] = (200, "application/json", "[]")
            wait_targets(running, "containers")


def main():
    find_program("sonde-agent")
    return 0 if unittest.main(verbosity=1, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
