#!/usr/bin/env python3
"""kubernetes_sd_configs by the running agent, against a small API server of the test's own: what is listed and
watched becomes a target and stops being one, through broken connections, forgotten versions, expired tokens
and reloads."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from kubernetes_api import (  # noqa: E402
    KubernetesApi, endpoints, endpointslice, ingress, node, pod, service)
from programs import agent, find_program, get, post, scratch, start, wait_until, write_file  # noqa: E402

HEAD = """
global: {scrape_interval: 1s}
host: {enabled: false}
scrape_configs:
"""
META = "__meta_kubernetes_"


def job(name, settings, rules=""):
    return f"  - job_name: {name}\n    kubernetes_sd_configs: [{json.dumps(settings)}]\n{rules}"


def targets(running, pool):
    data = get(running.url + "/api/v1/targets").json()["data"]
    return {t["discoveredLabels"].get("__address__"): t for t in data["activeTargets"] if t["scrapePool"] == pool}


def wait_targets(running, pool, *addresses):
    return wait_until(lambda: (lambda now: set(now) == set(addresses) and (now or {"none": True}))(
        targets(running, pool)), 30, f"{pool} to have {addresses}; it has {list(targets(running, pool))}")


def metric(running, name):
    for line in get(running.url + "/metrics").text.splitlines():
        if line.startswith(f'{name}{{kind="kubernetes"}}'):
            return float(line.split()[-1])
    raise AssertionError(f"no {name}")


class Kubernetes(unittest.TestCase):
    def setUp(self):
        folder = scratch()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.api = KubernetesApi()
        self.addCleanup(self.api.close)

    def test_pods(self):
        api = self.api
        api.page = 2  # the list comes in pages
        for i in range(5):
            api.put("pods", pod("shop", f"web-{i}", f"127.0.0.{i + 1}", 9, {"app": "web"}))
        api.put("pods", pod("shop", "other", "127.0.0.99", 9, {"app": "other"}))
        config = HEAD + job(
            "pods", {"role": "pod", "api_server": api.url, "selectors": [{"role": "pod", "label": "app=web"}]}, """
    relabel_configs:
      - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
      - {action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}
""")
        first = [f"127.0.0.{i + 1}:9" for i in range(5)]
        with agent(self.folder, config=config) as running:
            found = wait_targets(running, "pods", *first)["127.0.0.1:9"]
            self.assertEqual(found["labels"], {
                "job": "pods", "instance": "127.0.0.1:9", "pod": "web-0", "app": "web"})
            self.assertEqual({k[len(META):]: v for k, v in found["discoveredLabels"].items() if k.startswith(META)}, {
                "namespace": "shop", "pod_name": "web-0", "pod_uid": "uid-web-0", "pod_ip": "127.0.0.1",
                "pod_host_ip": "192.0.2.1", "pod_phase": "Running", "pod_ready": "true", "pod_node_name": "n1",
                "pod_label_app": "web", "pod_labelpresent_app": "true", "pod_container_name": "app",
                "pod_container_image": "app:1", "pod_container_init": "false", "pod_container_port_name": "http",
                "pod_container_port_number": "9", "pod_container_port_protocol": "TCP"})
            self.assertGreaterEqual(api.list_count(), 3)

            # Events; then the same after each way in which a watch may end.
            lists = api.list_count()
            for number, ending in enumerate((None, "cut", "close", "cut")):
                if ending:
                    watches = api.watch_count()
                    api.end_watches(ending)
                    wait_until(lambda: api.watch_count() > watches, 30, "another watch")
                api.put("pods", pod("shop", f"new-{number}", f"127.0.1.{number + 1}", 9, {"app": "web"}))
                api.remove("pods", "shop", f"web-{number}")
                first[number] = f"127.0.1.{number + 1}:9"
                wait_targets(running, "pods", *first)
            self.assertEqual(api.list_count(), lists)  # a watch that ends is no reason to list anew

            # A version that is forgotten is one: what nobody told is seen then.
            api.remove("pods", "shop", "web-4", silently=True)
            api.end_watches("gone")
            wait_targets(running, "pods", *first[:4])
            self.assertGreater(api.list_count(), lists)
            self.assertEqual(metric(running, "agent_discovery_failing"), 0)
            self.assertEqual(metric(running, "agent_discovery_targets"), 4)

    def test_server_away(self):
        api = self.api
        api.put("pods", pod("shop", "web", "127.0.0.1", 9))
        with agent(self.folder, config=HEAD + job("pods", {"role": "pod", "api_server": api.url})) as running:
            wait_targets(running, "pods", "127.0.0.1:9")
            api.tokens = {"nobody's"}
            api.end_watches("close")
            wait_until(lambda: metric(running, "agent_discovery_failing") == 1, 30, "the failure")
            api.put("pods", pod("shop", "more", "127.0.0.2", 9))
            wait_targets(running, "pods", "127.0.0.1:9")  # what is known stays
            api.tokens = None
            wait_targets(running, "pods", "127.0.0.1:9", "127.0.0.2:9")
            self.assertEqual(metric(running, "agent_discovery_failing"), 0)

    def test_token_file(self):
        """A token that is replaced is read again, by itself, for each request."""
        api = self.api
        api.tokens = {"first"}
        api.put("nodes", node("n1", "127.0.0.1", 9, {"zone": "z"}))
        token = write_file(os.path.join(self.folder, "token"), "first\n")
        config = HEAD + job("nodes", {
            "role": "node", "api_server": api.url, "authorization": {"credentials_file": token}})
        with agent(self.folder, config=config) as running:
            found = wait_targets(running, "nodes", "127.0.0.1:9")["127.0.0.1:9"]
            self.assertEqual(found["labels"]["instance"], "n1")
            self.assertEqual(found["discoveredLabels"][META + "node_label_zone"], "z")
            write_file(token, "second\n")
            api.tokens = {"second"}
            api.end_watches("cut")
            api.put("nodes", node("n2", "127.0.0.2", 9))
            wait_targets(running, "nodes", "127.0.0.1:9", "127.0.0.2:9")

    def test_kubeconfig(self):
        api = self.api
        api.tokens = {"of-the-file"}
        api.put("services", service("shop", "web", {"tier": "front"}))
        path = write_file(os.path.join(self.folder, "kubeconfig"), json.dumps({
            "current-context": "test", "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": api.url + "/"}}],
            "users": [{"name": "u", "user": {"token": "of-the-file"}}]}))
        config = HEAD + job("services", {"role": "service", "kubeconfig_file": path,
                                         "namespaces": {"names": ["shop", "empty"]}})
        with agent(self.folder, config=config) as running:
            found = wait_targets(running, "services", "web.shop.svc:80")["web.shop.svc:80"]
            self.assertEqual(found["discoveredLabels"][META + "service_label_tier"], "front")
            self.assertEqual(found["discoveredLabels"][META + "service_cluster_ip"], "192.0.2.10")
            paths = {path for path, _, _ in api.requests}
            self.assertEqual(paths, {"/api/v1/namespaces/shop/services", "/api/v1/namespaces/empty/services"})

    def test_joins(self):
        api = self.api
        api.put("pods", pod("shop", "web-1", "127.0.0.1", 9, {"app": "web"}))
        api.put("services", service("shop", "web", {"tier": "front"}))
        api.put("nodes", node("n1", "127.0.0.8", 9, {"zone": "z1"}))
        api.put("endpoints", endpoints("shop", "web", "127.0.0.1", 9, "web-1"))
        api.put("endpointslices", endpointslice("shop", "web-x", "web", "127.0.0.1", 9, "web-1"))
        api.put("ingresses", ingress("shop", "front", "shop.example"))
        common = {"api_server": api.url, "attach_metadata": {"node": True}}
        config = HEAD + "".join(job(role, {"role": role, **common})
                                for role in ("endpoints", "endpointslice", "ingress"))
        with agent(self.folder, config=config) as running:
            for role in ("endpoints", "endpointslice"):
                labels = wait_targets(running, role, "127.0.0.1:9")["127.0.0.1:9"]["discoveredLabels"]
                self.assertEqual(labels[META + "pod_label_app"], "web")
                self.assertEqual(labels[META + "pod_container_port_name"], "http")
                self.assertEqual(labels[META + "service_label_tier"], "front")
                self.assertEqual(labels[META + "node_label_zone"], "z1")
                self.assertEqual(labels[META + role + "_name"], "web" if role == "endpoints" else "web-x")
            labels = wait_targets(running, "ingress", "shop.example")["shop.example"]["discoveredLabels"]
            self.assertEqual((labels[META + "ingress_scheme"], labels[META + "ingress_path"]), ("https", "/shop"))

            # A neighbour changes: the target's labels follow.
            api.put("pods", pod("shop", "web-1", "127.0.0.1", 9, {"app": "renamed"}))
            api.put("nodes", node("n1", "127.0.0.8", 9, {"zone": "z2"}))
            for role in ("endpoints", "endpointslice"):
                wait_until(lambda: [targets(running, role)["127.0.0.1:9"]["discoveredLabels"].get(META + name)
                                    for name in ("pod_label_app", "node_label_zone")] == ["renamed", "z2"],
                           30, f"{role} to follow")

    def test_reload(self):
        """An entry that stays goes on over a reload: it neither lists nor watches anew."""
        api = self.api
        api.put("pods", pod("shop", "web", "127.0.0.1", 9))
        config = HEAD + job("pods", {"role": "pod", "api_server": api.url})
        with agent(self.folder, config=config) as running:
            wait_targets(running, "pods", "127.0.0.1:9")
            asked = len(api.requests)
            write_file(os.path.join(self.folder, "agent.yaml"),
                       config + job("more", {"role": "pod", "api_server": api.url, "namespaces": {"names": ["x"]}}))
            self.assertEqual(post(running.url + "/-/reload").status, 200)
            wait_until(lambda: len(api.requests) > asked, 30, "the new entry")
            self.assertEqual(set(targets(running, "pods")), {"127.0.0.1:9"})
            api.put("pods", pod("x", "more", "127.0.0.3", 9))
            wait_targets(running, "more", "127.0.0.3:9")
            self.assertEqual({path for path, _, _ in api.requests[asked:]}, {"/api/v1/namespaces/x/pods"})
            # Both go: so do their connections.
            write_file(os.path.join(self.folder, "agent.yaml"), HEAD + "  []\n")
            self.assertEqual(post(running.url + "/-/reload").status, 200)
            wait_until(lambda: metric(running, "agent_discovery_entries") == 0, 30, "no entries")

    def test_large_list(self):
        """Tens of megabytes of objects pass through without staying in memory."""
        api = self.api
        ballast = {f"note-{i}": "x" * 1000 for i in range(20)}
        for i in range(1000):
            item = pod("shop", f"p{i}", "127.0.0.1", 9)
            item["spec"]["volumes"] = [ballast]  # nothing that a target needs
            api.put("pods", item)
        config = HEAD + job("pods", {"role": "pod", "api_server": api.url}, """
    relabel_configs: [{action: drop, regex: '.*', source_labels: [job]}]
""")
        with agent(self.folder, config=HEAD + "  []\n") as running:
            before = resident(running)
            write_file(os.path.join(self.folder, "agent.yaml"), config)
            self.assertEqual(post(running.url + "/-/reload").status, 200)
            wait_until(lambda: metric(running, "agent_discovery_targets") == 1000, 60, "all pods")
            grown = highest(running) - before
            self.assertTrue(grown < 12 << 20 or is_sanitized(), f"{grown} bytes more for a list of 20 MB")


def status_bytes(running, key):
    with open(f"/proc/{running.process.pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    raise AssertionError(key)


def resident(running):
    return status_bytes(running, "VmRSS")


def highest(running):
    return status_bytes(running, "VmHWM")


def is_sanitized():
    """Whose shadow memory says nothing of the program."""
    return any(name in find_program("sonde-agent") for name in ("/asan/", "/tsan/"))


def main():
    find_program("sonde-agent")
    return 0 if unittest.main(verbosity=1, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
