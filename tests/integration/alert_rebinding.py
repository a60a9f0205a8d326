#!/usr/bin/env python3
"""Names that lead inside, live: a resolver whose answers change, and addresses that a hole would really reach.

Runs in a network of its own (unshare: user, network and mount namespaces), where loopback has a public address,
this host's, a private one and two that clouds answer metadata requests from. One receiver listens on all of them
and notes on which address each request came. The resolver answers as it is told to; a webhook to a name it knows
must arrive on the public address or nowhere."""

import http.server
import json
import os
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import start, wait_until  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

INSIDE = "SONDE_TEST_NAMESPACE"
PUBLIC = "93.184.215.14"
FORBIDDEN = ["127.0.0.1", "169.254.169.254", "100.100.100.200", "10.0.0.7"]
PORT = 8080


def enter_namespace():
    """Runs this script again in a network of its own; 77 where the kernel does not give one."""
    words = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
    if shutil.which("unshare") is None or shutil.which("ip") is None or subprocess.run(
            [*words, "true"], check=False, capture_output=True).returncode != 0:
        print("skipped: no network namespace can be made here")
        sys.exit(77)
    os.environ[INSIDE] = "1"
    os.execvp(words[0], [*words, sys.executable, "-B", *sys.argv])


def build_network(folder):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in (PUBLIC, *FORBIDDEN[1:]):
        subprocess.run(["ip", "address", "add", address + "/32", "dev", "lo"], check=True)
    for name, text in (("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n"),
                       ("nsswitch.conf", "hosts: files dns\n")):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        subprocess.run(["mount", "--bind", path, "/etc/" + name], check=True)


class Resolver(socketserver.BaseRequestHandler):
    """Answers of each name, one list after the other; the last one stays. Without a time to live."""
    answers, asked, lock = {}, {}, threading.Lock()

    @classmethod
    def tell(cls, name, *lists):
        with cls.lock:
            cls.answers[name], cls.asked[name] = list(lists), 0

    def handle(self):
        data, out = self.request
        at, words = 12, []
        while data[at]:
            words.append(data[at + 1:at + 1 + data[at]].decode())
            at += 1 + data[at]
        kind, question = struct.unpack(">H", data[at + 1:at + 3])[0], data[12:at + 5]
        name, addresses = ".".join(words).lower(), []
        with self.lock:
            lists = self.answers.get(name, [])
            if kind == 1 and lists:
                addresses = lists[min(self.asked[name], len(lists) - 1)]
                self.asked[name] += 1
        records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(a) for a in addresses)
        header = data[:2] + struct.pack(">HHHHH", 0x8180, 1, len(addresses), 0, 0)
        out.sendto(header + question + records, self.client_address)


class Receiver(http.server.BaseHTTPRequestHandler):
    arrived = []

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.arrived.append((self.connection.getsockname()[0], self.path))
        moved = self.path == "/moved"
        self.send_response(302 if moved else 200)
        if moved:
            self.send_header("Location", f"http://{FORBIDDEN[1]}:{PORT}/latest")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_):
        pass


class Rebinding(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for service in (socketserver.ThreadingUDPServer(("127.0.0.1", 53), Resolver),
                        http.server.ThreadingHTTPServer(("", PORT), Receiver)):
            threading.Thread(target=service.serve_forever, daemon=True).start()
        cls.server = Server()
        cls.config = os.path.join(cls.server.folder, "alertmanager.yml")
        with open(cls.config, "w", encoding="utf-8") as file:
            json.dump({"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}, file)
        cls.server.command += ["--alerting", cls.config]
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.__exit__, None, None, None)

    def tell(self, name, count, path="/hook", wanted=0):
        """So many messages to the name; its deliveries when so many (`wanted`, or all of these) are over."""
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump({"route": {"receiver": "nobody", "group_by": ["alertname"], "group_wait": "0s",
                                 "group_interval": "1h", "routes": [{"receiver": name, "matchers": ["to=" + name]}]},
                       "receivers": [{"name": "nobody"}, {"name": name, "webhook_configs": [{"url": f"http://{name}:{PORT}{path}"}]}],
                       "sonde": {"retry_pause": "10ms"}}, file)
        self.assertEqual(self.server.post("/-/reload", [])[0], 200)
        alerts = [{"labels": {"alertname": f"{i} at {time.time()}", "to": name}} for i in range(count)]
        self.assertEqual(self.server.request("POST", "/api/v2/alerts", json.dumps(alerts))[0], 200)

        def over():
            text = self.server.get(f"/api/v1/deliveries?receiver={name}")[1]
            found = [d for d in json.loads(text)["data"] if d["state"] in ("delivered", "dead")]
            return found if len(found) >= max(count, wanted) else None
        return wait_until(over, 60, f"messages to {name}")

    def tearDown(self):
        wrong = [a for a in Receiver.arrived if a[0] != PUBLIC]
        self.assertEqual(wrong, [])

    def test_a_public_name(self):
        Resolver.tell("good.example", [PUBLIC])
        self.assertEqual({d["state"] for d in self.tell("good.example", 2)}, {"delivered"})
        self.assertIn((PUBLIC, "/hook"), Receiver.arrived)

    def test_names_that_lead_inside(self):
        for i, address in enumerate(FORBIDDEN):
            Resolver.tell(f"inside{i}.example", [address])
            dead = self.tell(f"inside{i}.example", 1)
            self.assertEqual([d["state"] for d in dead], ["dead"])
            self.assertIn("not on the public internet", dead[0]["attempts"][0]["error"])

    def test_the_answer_changes(self):
        """Good when it is looked at, bad when it is used: whatever of each pair somebody sees."""
        for i, bad in enumerate(FORBIDDEN):
            name = f"flips{i}.example"
            Resolver.tell(name, *[[PUBLIC], [bad]] * 50)
            self.tell(name, 10)
            name = f"flops{i}.example"
            Resolver.tell(name, *[[bad], [PUBLIC]] * 50)
            self.tell(name, 10)

    def test_the_answer_changes_between_processes(self):
        """What a process remembers of a name is not what the next one is led by."""
        Resolver.tell("later.example", [PUBLIC])
        self.assertEqual({d["state"] for d in self.tell("later.example", 1)}, {"delivered"})
        Resolver.tell("later.example", [FORBIDDEN[1]])
        self.server.kill()
        self.server.start()
        self.assertEqual(sorted(d["state"] for d in self.tell("later.example", 1, wanted=2)), ["dead", "delivered"])

    def test_several_addresses(self):
        """One of them is good: the others are not tried in its place."""
        for i, bad in enumerate(FORBIDDEN):
            Resolver.tell(f"both{i}.example", [bad, PUBLIC])
            self.tell(f"both{i}.example", 2)
            Resolver.tell(f"closed{i}.example", ["93.184.215.99", bad])  # nobody answers at the first
            self.tell(f"closed{i}.example", 1)

    def test_redirect(self):
        Resolver.tell("moved.example", [PUBLIC])
        dead = self.tell("moved.example", 1, "/moved")
        self.assertEqual([d["state"] for d in dead], ["dead"])
        self.assertIn("redirects are not followed", dead[0]["attempts"][0]["error"])


def main():
    if INSIDE not in os.environ:
        enter_namespace()
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        build_network(folder)
        run_cases()


if __name__ == "__main__":
    start(main)
