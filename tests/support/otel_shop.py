"""Real clients of OpenTelemetry and gRPC (tests/integration/otel_shop): installed once, run as often as wanted.

    shop = Shop("grpc", "http://127.0.0.1:4317")      a service and its visitor, sending there
    visits = shop.visit()                             [{"path": "/orders/7", "status": 200, "trace": hex}, …]
    visits = shop.visit(1000)                         and a thousand more

    with Caller("127.0.0.1:4317") as call:            one connection
        call("/package.Service/Method", b"…")         {"code": 0, "details": "", "message": b"…", "retry": None}
"""
import base64
import fcntl
import json
import os
import shutil
import subprocess

from programs import ROOT, Failure, Skip, find_peer

SOURCES = os.path.join(ROOT, "tests/integration/otel_shop")
FOLDER = os.path.join(ROOT, "build/otel_shop")
INSTALL_SECONDS = 300


def install():
    """The folder with the programs and their packages; raises Skip where there are none to be had."""
    find_peer("node")
    npm = find_peer("npm")
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(os.path.join(SOURCES, "package-lock.json"), encoding="utf-8") as file:
            wanted = file.read()
        mark = os.path.join(FOLDER, ".installed")
        for name in os.listdir(SOURCES):
            shutil.copy(os.path.join(SOURCES, name), FOLDER)
        if os.path.exists(mark):
            with open(mark, encoding="utf-8") as file:
                if file.read() == wanted:
                    return FOLDER
        try:
            done = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER,
                                  capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
            problem = done.stderr if done.returncode else ""
        except subprocess.TimeoutExpired:
            problem = f"not within {INSTALL_SECONDS} s"
        if problem:
            raise Skip(f"npm cannot install the packages of otel_shop: {' '.join(problem.split())[:200]}")
        with open(mark, "w", encoding="utf-8") as file:
            file.write(wanted)
        return FOLDER


class Shop:
    """One way of exporting: otlp by http/protobuf, http/json or grpc; zipkin; jaeger."""

    def __init__(self, way, address):
        self.folder = install()
        self.settings = {
            "OTEL_NODE_ENABLED_INSTRUMENTATIONS": "http,pg",
            "OTEL_NODE_RESOURCE_DETECTORS": "env",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_BSP_MAX_QUEUE_SIZE": "65536",  # of many visits none is to be lost
        }
        if way == "zipkin":
            self.settings.update(OTEL_TRACES_EXPORTER="zipkin", OTEL_EXPORTER_ZIPKIN_ENDPOINT=address)
        elif way == "jaeger":
            self.settings.update(SHOP_JAEGER=address)
        else:
            self.settings.update(OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_PROTOCOL=way,
                                 OTEL_EXPORTER_OTLP_ENDPOINT=address)

    def _start(self, service, *arguments):
        return subprocess.Popen(["node", "--require", "./tracing.js", "shop.js", *arguments], cwd=self.folder,
                                env={**os.environ, **self.settings, "OTEL_SERVICE_NAME": service},
                                stdout=subprocess.PIPE, text=True)

    def visit(self, times=0):
        """Starts the service, visits it thrice and `times` more, and stops both when everything is sent."""
        with self._start("shop", "serve") as service:
            try:
                address = service.stdout.readline().strip()
                if not address.startswith("http://"):
                    raise Failure("the shop did not start")
                with self._start("visitor", "visit", address, str(times)) as visitor:
                    lines = visitor.stdout.read().splitlines()
            finally:
                service.terminate()
        if visitor.returncode or service.returncode:
            raise Failure(f"the visitor ended with {visitor.returncode}, the shop with {service.returncode}")
        return [json.loads(line) for line in lines if line.startswith("{")]


class Caller:
    """A gRPC client: grpc-js in a process of its own."""

    def __init__(self, address, authority=None):
        command = ["node", "call.js", address] + ([authority] if authority else [])
        self.process = subprocess.Popen(command, cwd=install(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()

    def __call__(self, path, message, gzip=False, headers=None):
        return self.many(path, message, 1, gzip, headers)[0]

    def many(self, path, message, times, gzip=False, headers=None):
        """The same call, so many times at once."""
        order = {"path": path, "message": base64.b64encode(message).decode(), "gzip": gzip,
                 "headers": headers or {}, "times": times}
        print(json.dumps(order), file=self.process.stdin, flush=True)
        answers = [json.loads(self.process.stdout.readline()) for _ in range(times)]
        for answer in answers:
            answer["message"] = base64.b64decode(answer["message"])
        return answers
