#!/usr/bin/env python3
"""consul_sd_configs by the running agent, against a small Consul of the test's own: blocking queries that wait,
services and instances that come and go, an index that goes backwards, a Consul that restarts."""
import http.server
import json
import os
import sys
import threading
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import agent, find_program, get, scratch, start, wait_until  # noqa: E402


class Consul(http.server.ThreadingHTTPServer):
    """Catalog and health; an answer to a question with an index waits until there is a higher one."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        self.changed = threading.Condition()
        self.index = 10
        self.services = {}  # name -> list of instances
        self.requests = []
        self.broken = False
        self.stopped = False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # questions are given up by who asks them

    def close(self):
        with self.changed:
            self.stopped = True
            self.changed.notify_all()
        self.shutdown()
        self.server_close()

    def set(self, name, *instances, index=None):
        with self.changed:
            if instances:
                self.services[name] = list(instances)
            else:
                self.services.pop(name)
            self.index = index or self.index + 1
            self.changed.notify_all()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        consul = self.server
        split = urllib.parse.urlsplit(self.path)
        parameters = urllib.parse.parse_qs(split.query, keep_blank_values=True)
        asked = int(parameters.get("index", ["0"])[0])
        with consul.changed:
            consul.requests.append((split.path, parameters, dict(self.headers)))
            if asked:
                consul.changed.wait_for(lambda: consul.stopped or consul.broken or consul.index != asked, 30)
            index = consul.index
            if split.path == "/v1/agent/self":
                value = {"Config": {"Datacenter": "east"}}
            elif split.path == "/v1/catalog/services":
                value = {name: sorted({t for i in found for t in i["Service"]["Tags"]})
                         for name, found in consul.services.items()}
            else:
                value = consul.services.get(split.path.rsplit("/", 1)[1], [])
            status = 500 if consul.broken else 200
            body = json.dumps(value).encode()
        if consul.stopped:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Consul-Index", str(index))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def instance(name, address, port, tags=(), status="passing"):
    return {"Node": {"Node": "n1", "Address": "192.0.2.1", "Meta": {"rack": "7"}, "TaggedAddresses": {"lan": address}},
            "Service": {"ID": f"{name}-{address}", "Service": name, "Tags": list(tags), "Address": address,
                        "Port": port, "Meta": {"version": "2"}},
            "Checks": [{"CheckID": "c", "Status": status}]}


def targets(running, pool):
    data = get(running.url + "/api/v1/targets").json()["data"]
    return {t["discoveredLabels"]["__address__"]: t for t in data["activeTargets"] if t["scrapePool"] == pool}


def wait_targets(running, pool, *addresses):
    return wait_until(lambda: (lambda now: set(now) == set(addresses) and (now or {"none": True}))(
        targets(running, pool)), 40, f"{pool} to have {addresses}; it has {list(targets(running, pool))}")


def metric(running, name):
    for line in get(running.url + "/metrics").text.splitlines():
        if line.startswith(f'{name}{{kind="consul"}}'):
            return float(line.split()[-1])
    raise AssertionError(f"no {name}")


class ConsulDiscovery(unittest.TestCase):
    def setUp(self):
        folder = scratch()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.consul = Consul()
        self.addCleanup(self.consul.close)

    def config(self, **settings):
        settings = {"server": f"127.0.0.1:{self.consul.port}", "refresh_interval": "200ms", **settings}
        return ("global: {scrape_interval: 1s}\nhost: {enabled: false}\nscrape_configs:\n"
                f"  - {{job_name: consul, consul_sd_configs: [{json.dumps(settings)}]}}\n")

    def test_catalog(self):
        consul = self.consul
        consul.set("web", instance("web", "127.0.0.1", 9, ["a", "b"]))
        consul.set("db", instance("db", "127.0.0.2", 9, ["b"], "critical"))
        with agent(self.folder, config=self.config(token="secret", tags=["b"])) as running:
            found = wait_targets(running, "consul", "127.0.0.1:9", "127.0.0.2:9")
            labels = found["127.0.0.1:9"]["discoveredLabels"]
            self.assertEqual(
                {k[len("__meta_consul_"):]: v for k, v in labels.items() if k.startswith("__meta_consul_")},
                {"address": "192.0.2.1", "dc": "east", "health": "passing", "metadata_rack": "7", "node": "n1",
                 "service": "web", "service_address": "127.0.0.1", "service_id": "web-127.0.0.1",
                 "service_metadata_version": "2", "service_port": "9", "tagged_address_lan": "127.0.0.1",
                 "tags": ",a,b,"})
            self.assertEqual(found["127.0.0.2:9"]["discoveredLabels"]["__meta_consul_health"], "critical")
            self.assertTrue(all(headers["X-Consul-Token"] == "secret" for _, _, headers in consul.requests))

            # Instances and services come and go.
            consul.set("web", instance("web", "127.0.0.1", 9, ["b"]), instance("web", "127.0.0.3", 9, ["b"]))
            wait_targets(running, "consul", "127.0.0.1:9", "127.0.0.2:9", "127.0.0.3:9")
            consul.set("new", instance("new", "127.0.0.4", 9, ["b"]))
            consul.set("db")
            wait_targets(running, "consul", "127.0.0.1:9", "127.0.0.3:9", "127.0.0.4:9")

            # Questions wait at Consul: none come while nothing changes.
            wait_until(lambda: self.all_wait(), 20, "all questions to wait")

            # The index goes backwards, as after a restore: what is new is seen all the same.
            consul.set("web", instance("web", "127.0.0.5", 9, ["b"]), index=3)
            wait_targets(running, "consul", "127.0.0.4:9", "127.0.0.5:9")

            # Consul fails for a while.
            with consul.changed:
                consul.broken = True
                consul.changed.notify_all()
            wait_until(lambda: metric(running, "agent_discovery_failing") == 1, 20, "the failure")
            wait_targets(running, "consul", "127.0.0.4:9", "127.0.0.5:9")
            consul.broken = False
            consul.set("new")
            wait_targets(running, "consul", "127.0.0.5:9")

    def all_wait(self):
        """Whether the last question to each path named the index of now."""
        with self.consul.changed:
            last = {path: parameters for path, parameters, _ in self.consul.requests if path != "/v1/agent/self"}
            return all(p.get("index") == [str(self.consul.index)] for path, p in last.items()
                       if path.rsplit("/", 1)[1] in (*self.consul.services, "services"))

    def test_named_services(self):
        """Services that are all named need no catalog."""
        consul = self.consul
        consul.set("web", instance("web", "127.0.0.1", 9))
        consul.set("other", instance("other", "127.0.0.2", 9))
        with agent(self.folder, config=self.config(services=["web", "absent"], datacenter="west")) as running:
            labels = wait_targets(running, "consul", "127.0.0.1:9")["127.0.0.1:9"]["discoveredLabels"]
            self.assertEqual(labels["__meta_consul_dc"], "west")
            self.assertEqual({path for path, _, _ in consul.requests},
                             {"/v1/health/service/web", "/v1/health/service/absent"})
            self.assertTrue(all(p["dc"] == ["west"] and "stale" in p for _, p, _ in consul.requests))


def main():
    find_program("sonde-agent")
    return 0 if unittest.main(verbosity=1, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
