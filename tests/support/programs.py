"""Programs as they are run: started in a scratch folder on a free port, spoken to over HTTP, stopped.

    with scratch() as folder, server(folder) as s, agent(folder, servers=[s.url]) as a:
        wait_until(lambda: s.query("up"), 30, "the first samples")

A Program is ready when its path answers 2xx; when it ends before that, the end of its log is part of
the Failure. Leaving the context stops it by SIGTERM and wants exit status 0 of our own programs, so that
a sanitizer's verdict fails the test; when an exception passes through, the end of the log is printed.

`start(main)` is the last line of a script: it turns Skip into exit status 77 and Failure into 1.
"""
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SKIPPED = 77
READY_SECONDS = 60  # with a sanitizer on a busy machine; usually a tenth of a second
STOP_SECONDS = 60
LOG_LINES_SHOWN = 30
# Below the kernel's ephemeral range: no outgoing connection takes the port between two starts.
PORTS = (20000, 32000)


class Skip(Exception):
    """Something that is needed is not here."""


class Failure(Exception):
    """The test has failed; the text says how."""


def start(main):
    """Runs main() and exits with what it returns."""
    try:
        status = main()
    except Skip as reason:
        print(reason)
        status = SKIPPED
    except Failure as failure:
        print(f"FAILED {failure}")
        status = 1
    sys.stdout.flush()
    sys.exit(status)


def find_program(name):
    """The path of a program of this tree."""
    path = os.path.abspath(os.path.join(os.environ.get("SONDE_BIN", os.path.join(ROOT, "build/release/bin")), name))
    if not os.access(path, os.X_OK):
        raise Skip(f"{name} is not built: {os.path.relpath(path, ROOT)}")
    return path


def find_peer(*names):
    """The path of a program of others, under any of its names."""
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise Skip(f"{names[0]} is not installed")


def free_port():
    while True:
        port = random.randrange(*PORTS)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def scratch():
    """A context: the path of an empty folder that is gone afterwards."""
    return tempfile.TemporaryDirectory(prefix="sonde-test-")


def write_file(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def wait_until(condition, seconds, what):
    """The first true value of condition(); a refused or broken connection counts as false."""
    deadline = time.monotonic() + seconds
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
        except (OSError, ValueError) as error:
            last = error
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds} s: {what}" + (f" ({last})" if last else ""))
        time.sleep(0.1)


# ---- HTTP ----------------------------------------------------------------------------------------


class Answer:
    """Status, headers and body of one answer."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)


def send(url, body=None, headers=None, method=None, timeout=30):
    """The Answer, whatever its status. Raises OSError when there is none."""
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


def get(url, parameters=None, timeout=30):
    if parameters:
        url += "?" + urllib.parse.urlencode(parameters, doseq=True)
    return send(url, timeout=timeout)


def post(url, parameters=None, timeout=30):
    """A POST with a form as its body, as Grafana and Prometheus' own page send queries."""
    body = urllib.parse.urlencode(parameters or {}, doseq=True).encode()
    return send(url, body, {"Content-Type": "application/x-www-form-urlencoded"}, "POST", timeout)


# ---- Programs ------------------------------------------------------------------------------------


class Program:
    """One process, its port and its log. `ours`: must end with status 0 on SIGTERM."""

    def __init__(self, name, command, port, log_path, ready_path="/-/ready", ours=True):
        self.name = name
        self.command = command
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"
        self.port = port
        self.log_path = log_path
        self.ready_path = ready_path
        self.ours = ours
        self.process = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.kill()
            raise

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.stop()
            self.check_log()
        else:
            self.kill()
            if self.ours and not issubclass(kind, Skip):
                print(f"---- the end of {self.name}'s log\n{self.log_end()}")

    def check_log(self):
        """A process that was killed cannot tell by its status what a sanitizer saw."""
        log = self.log()
        at = log.find("Sanitizer: ")
        if self.ours and at >= 0:
            raise Failure(f"{self.name}: {log[max(0, at - 200):at + 4000]}")

    def launch(self):
        """Starts the process and does not wait for it."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def start(self):
        """Starts the process and waits until it is ready."""
        self.launch()
        return self.wait_ready()

    def wait_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended with {self.process.returncode}:\n{self.log_end()}")
            if time.monotonic() > deadline:
                raise Failure(f"{self.name} was not ready within {READY_SECONDS} s:\n{self.log_end()}")
            time.sleep(0.02)
        return self

    def is_ready(self):
        try:
            return 200 <= get(self.url + self.ready_path, timeout=5).status < 300
        except OSError:
            return False

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """SIGTERM, and SIGKILL for one that does not listen; the exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"{self.name} did not end within {STOP_SECONDS} s of SIGTERM:\n{self.log_end()}")
        self.process = None
        if self.ours and status != 0:
            raise Failure(f"{self.name} ended with {status}:\n{self.log_end()}")
        return status

    def kill(self):
        """kill -9. Nothing when it is not running."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def signal(self, number):
        self.process.send_signal(number)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def log_end(self):
        return "\n".join(self.log().splitlines()[-LOG_LINES_SHOWN:])

    # What every server with Prometheus' HTTP API answers.

    def api(self, path, **parameters):
        """`data` of an answer of the API; a Failure when it is an error."""
        answer = post(f"{self.url}/api/v1/{path}", parameters) if path.startswith("query") \
            else get(f"{self.url}/api/v1/{path}", parameters)
        if answer.status != 200:
            raise Failure(f"{self.name}: {path} {parameters}: {answer.status} {answer.text}")
        return answer.json()["data"]

    def query(self, query, **parameters):
        """The result of an instant query."""
        return self.api("query", query=query, **parameters)["result"]

    def value(self, query, **parameters):
        """The number of the one series, or of the scalar, that the query gives; None for nothing."""
        result = self.query(query, **parameters)
        if result and isinstance(result[0], dict):
            if len(result) > 1:
                raise Failure(f"{query}: {len(result)} series where one was expected")
            return float(result[0]["value"][1])
        return float(result[1]) if result else None


def server(folder, name="server", flags=(), port=None):
    """sonde-server with its data in folder/name."""
    port = port or free_port()
    command = [find_program("sonde-server"), "--data", os.path.join(folder, name),
               "--listen", f"127.0.0.1:{port}", *flags]
    return Program("sonde-server", command, port, os.path.join(folder, name + ".log"))


def agent(folder, name="agent", config=None, servers=(), flags=()):
    """sonde-agent with its queue in folder/name; `config` is the text of its file."""
    port = free_port()
    command = [find_program("sonde-agent"), "--data", os.path.join(folder, name),
               "--listen", f"127.0.0.1:{port}", *flags]
    for url in servers:
        command += ["--server", url]
    if config is not None:
        command += ["--config", write_file(os.path.join(folder, name + ".yaml"), config)]
    return Program("sonde-agent", command, port, os.path.join(folder, name + ".log"))


def prometheus(folder, name="prometheus", flags=()):
    """Prometheus that scrapes nothing and takes remote write."""
    port = free_port()
    config = write_file(os.path.join(folder, name + ".yaml"), "global: {}\n")
    command = [find_peer("prometheus"), f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}",
               f"--storage.tsdb.path={os.path.join(folder, name)}", "--web.enable-remote-write-receiver",
               "--log.level=warn", *flags]
    return Program("prometheus", command, port, os.path.join(folder, name + ".log"), ours=False)


def node_exporter(folder, name="node_exporter"):
    port = free_port()
    command = [find_peer("prometheus-node-exporter", "node_exporter"),
               f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    return Program("node_exporter", command, port, os.path.join(folder, name + ".log"),
                   ready_path="/metrics", ours=False)
