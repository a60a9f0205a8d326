"""A small API server of Kubernetes for tests: lists in pages, watches with bookmarks, 410 for versions it has
forgotten, bearer tokens. Objects are put and removed by the test; every request is remembered.

    api = KubernetesApi()
    api.put("pods", pod("shop", "web-1", "127.0.0.1", 8080))
    ... http://127.0.0.1:{api.port} ...
    api.close()
"""
import http.server
import json
import threading
import urllib.parse

GROUPS = {"endpointslices": "/apis/discovery.k8s.io/v1", "ingresses": "/apis/networking.k8s.io/v1"}


class KubernetesApi(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.changed = threading.Condition()
        self.version = 100
        self.oldest = 100  # watches from before this version are answered 410
        self.objects = {}  # (plural, namespace, name) -> object
        self.events = []  # (version, plural, type, object)
        self.requests = []  # (path, parameters, headers)
        self.tokens = None  # those that are good; None: any
        self.epoch = 0  # open watches end when it changes
        self.ending = "cut"  # how: cut, close or gone
        self.page = None  # objects a page; None: all in one, as a cache answers that knows no limits
        self.stopped = False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # watches are given up by who asks them

    def close(self):
        with self.changed:
            self.stopped = True
            self.changed.notify_all()
        self.shutdown()
        self.server_close()

    def put(self, plural, item):
        metadata = item["metadata"]
        key = (plural, metadata.get("namespace", ""), metadata["name"])
        with self.changed:
            self.version += 1
            metadata["resourceVersion"] = str(self.version)
            kind = "MODIFIED" if key in self.objects else "ADDED"
            self.objects[key] = item
            self.events.append((self.version, plural, kind, item))
            self.changed.notify_all()

    def remove(self, plural, namespace, name, silently=False):
        """`silently`: no watch is told, as if the event had been forgotten."""
        with self.changed:
            self.version += 1
            item = self.objects.pop((plural, namespace, name))
            item["metadata"]["resourceVersion"] = str(self.version)
            if not silently:
                self.events.append((self.version, plural, "DELETED", item))
            self.changed.notify_all()

    def end_watches(self, how):
        """cut: the connection breaks; close: the answer ends; gone: an event says 410."""
        with self.changed:
            self.ending = how
            self.epoch += 1
            if how == "gone":
                self.version += 1
                self.oldest = self.version
            self.changed.notify_all()

    def watch_count(self):
        with self.changed:
            return sum(1 for _, parameters, _ in self.requests if "watch" in parameters)

    def list_count(self):
        with self.changed:
            return sum(1 for _, parameters, _ in self.requests if "watch" not in parameters)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, code, message):
        self.reply(code, {"kind": "Status", "status": "Failure", "message": message, "code": code})

    def do_GET(self):
        api = self.server
        split = urllib.parse.urlsplit(self.path)
        parameters = {k: v[0] for k, v in urllib.parse.parse_qs(split.query, keep_blank_values=True).items()}
        with api.changed:
            api.requests.append((split.path, parameters, dict(self.headers)))
            good = api.tokens is None or self.headers.get("Authorization", "")[len("Bearer "):] in api.tokens
        parts = split.path.strip("/").split("/")
        plural = parts[-1]
        namespace = parts[-2] if "namespaces" in parts[:-1] else None
        if not good:
            self.refuse(401, "Unauthorized")
        elif not split.path.startswith(GROUPS.get(plural, "/api/v1")):
            self.refuse(404, "the server could not find the requested resource")
        elif "watch" in parameters:
            self.watch(plural, namespace, parameters)
        else:
            self.list(plural, namespace, parameters)

    def wanted(self, item, namespace, parameters):
        metadata, spec = item["metadata"], item.get("spec", {})
        label = parameters.get("labelSelector", "")
        field = parameters.get("fieldSelector", "")
        return (namespace in (None, metadata.get("namespace"))
                and (not label or metadata.get("labels", {}).get(label.split("=")[0]) == label.split("=")[1])
                and (not field or field == "spec.nodeName=" + spec.get("nodeName", "")))

    def list(self, plural, namespace, parameters):
        api = self.server
        with api.changed:
            items = [item for key, item in sorted(api.objects.items())
                     if key[0] == plural and self.wanted(item, namespace, parameters)]
            at = int(parameters.get("continue", 0))
            size = min(api.page, int(parameters.get("limit", 500))) if api.page else len(items)
            metadata = {"resourceVersion": str(api.version)}
            if at + size < len(items):
                metadata["continue"] = str(at + size)
            answer = json.loads(json.dumps(
                {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items[at:at + size]}))
        self.reply(200, answer)

    def chunk(self, text):
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def event(self, kind, item):
        text = json.dumps({"type": kind, "object": item}) + "\n"
        half = len(text) // 2  # no watch may count on whole events in a packet
        self.chunk(text[:half])
        self.chunk(text[half:])

    def watch(self, plural, namespace, parameters):
        api = self.server
        since = int(parameters["resourceVersion"])
        with api.changed:
            epoch, gone = api.epoch, since < api.oldest
        if gone:
            self.refuse(410, f"too old resource version: {since}")
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            with api.changed:
                api.changed.wait_for(lambda: api.stopped or api.epoch != epoch or api.version > since, 5)
                news = [(v, kind, json.loads(json.dumps(item))) for v, p, kind, item in api.events
                        if v > since and p == plural and self.wanted(item, namespace, parameters)]
                ended, how, version = api.epoch != epoch, api.ending, api.version
                if api.stopped:
                    self.close_connection = True
                    return
            for _, kind, item in news:
                self.event(kind, item)
            if ended:
                break
            since = version
            self.event("BOOKMARK", {"kind": "Any", "metadata": {"resourceVersion": str(since)}})
        if how == "gone":
            self.event("ERROR", {"kind": "Status", "code": 410, "message": "too old resource version"})
        if how == "close" or how == "gone":
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True


# ---- Objects ----


def pod(namespace, name, ip, port, labels=None, node="n1", annotations=None):
    return {"metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "labels": labels or {},
                         "annotations": annotations or {}, "managedFields": [{"manager": "kubelet"}]},
            "spec": {"nodeName": node, "containers": [
                {"name": "app", "image": "app:1", "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}]}]},
            "status": {"phase": "Running", "podIP": ip, "hostIP": "192.0.2.1",
                       "conditions": [{"type": "Ready", "status": "True"}]}}


def service(namespace, name, labels=None):
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
            "spec": {"type": "ClusterIP", "clusterIP": "192.0.2.10", "ports": [{"port": 80, "protocol": "TCP"}]}}


def node(name, ip, port, labels=None):
    return {"metadata": {"name": name, "labels": labels or {}},
            "status": {"addresses": [{"type": "InternalIP", "address": ip}],
                       "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}}


def endpoints(namespace, name, ip, port, pod_name):
    return {"metadata": {"name": name, "namespace": namespace, "labels": {}},
            "subsets": [{"ports": [{"name": "web", "port": port, "protocol": "TCP"}], "addresses": [
                {"ip": ip, "nodeName": "n1",
                 "targetRef": {"kind": "Pod", "namespace": namespace, "name": pod_name}}]}]}


def endpointslice(namespace, name, service_name, ip, port, pod_name):
    return {"metadata": {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": service_name}},
            "addressType": "IPv4", "ports": [{"name": "web", "port": port, "protocol": "TCP"}],
            "endpoints": [{"addresses": [ip], "nodeName": "n1", "conditions": {"ready": True},
                           "targetRef": {"kind": "Pod", "namespace": namespace, "name": pod_name}}]}


def ingress(namespace, name, host):
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {
        "ingressClassName": "nginx", "tls": [{"hosts": [host]}],
        "rules": [{"host": host, "http": {"paths": [{"path": "/shop"}]}}]}}
