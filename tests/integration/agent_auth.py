#!/usr/bin/env python3
"""How the agent presents itself to targets and receivers: passwords and tokens, from the configuration and
from files that change; certificates of its own and of others; and that no page of the agent shows a secret."""
import base64
import http.server
import os
import shutil
import ssl
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import (Skip, agent, find_program, get, scratch, send, start, wait_until,  # noqa: E402
                      write_file)

BASIC = "Basic " + base64.b64encode(b"jo:open sesame").decode()
CONFIG = """
global: {scrape_interval: 3s}
host: {enabled: false}
remote_write:
  - url: https://127.0.0.1:PORT/write
    bearer_token_file: FOLDER/token
    tls_config: {ca_file: FOLDER/ca.pem, server_name: store.test}
scrape_configs:
  - job_name: basic
    scheme: https
    metrics_path: /basic
    basic_auth: {username: jo, password_file: FOLDER/password}
    tls_config: {ca_file: FOLDER/ca.pem, server_name: store.test, cert_file: FOLDER/ca.pem, key_file: FOLDER/key.pem}
    static_configs: [{targets: ["127.0.0.1:PORT"]}]
  - job_name: bearer
    scheme: https
    metrics_path: /bearer
    authorization: {credentials: s3cret}
    tls_config: {insecure_skip_verify: true}
    static_configs: [{targets: ["127.0.0.1:PORT"]}]
  - job_name: wrong_name
    scheme: https
    metrics_path: /any
    tls_config: {ca_file: FOLDER/ca.pem}
    static_configs: [{targets: ["127.0.0.1:PORT"]}]
  - job_name: nobody
    scheme: https
    metrics_path: /basic
    tls_config: {insecure_skip_verify: true}
    static_configs: [{targets: ["127.0.0.1:PORT"]}]
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    accepted = {"/basic": BASIC, "/bearer": "Bearer s3cret", "/any": None}
    seen = set()
    tokens = []

    def reply(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        Handler.seen.add((self.path, self.headers.get("Host")))
        good = self.headers.get("Authorization") == Handler.accepted[self.path]
        self.reply(200 if good else 401, b"x 1\n" if good else b"")

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Handler.tokens.append(self.headers.get("Authorization"))
        self.reply(204)

    def log_message(self, *arguments):
        pass


def make_certificate(folder):
    if shutil.which("openssl") is None:
        raise Skip("openssl is not installed")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=store.test", "-addext", "subjectAltName=DNS:store.test",
                    "-keyout", os.path.join(folder, "key.pem"), "-out", os.path.join(folder, "ca.pem")],
                   check=True, capture_output=True)


class Auth(unittest.TestCase):
    def test_all(self):
        place = scratch()
        self.addCleanup(place.cleanup)
        folder = place.name
        make_certificate(folder)
        write_file(os.path.join(folder, "password"), "open sesame\n")
        write_file(os.path.join(folder, "token"), "first\n")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(folder, "ca.pem"), os.path.join(folder, "key.pem"))
        # Each handshake on its request's thread: a slow one must not hold up the others' scrapes.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        port = str(server.server_address[1])
        data = scratch()
        self.addCleanup(data.cleanup)
        with agent(data.name,
                   config=CONFIG.replace("PORT", port).replace("FOLDER", folder)) as running:

            def targets():
                found = get(running.url + "/api/v1/targets").json()["data"]["activeTargets"]
                mine = {t["scrapePool"]: t for t in found if t["scrapeUrl"]}
                answered = all(mine[job]["health"] == "up" for job in ("basic", "bearer"))
                asked = mine["wrong_name"]["health"] != "unknown" and "401" in mine["nobody"]["lastError"]
                return mine if answered and asked else None

            mine = wait_until(targets, 60, "the targets to answer")
            self.assertEqual({job: t["health"] for job, t in mine.items()},
                             {"basic": "up", "bearer": "up", "wrong_name": "down", "nobody": "down"}, mine)
            self.assertIn(("/basic", "127.0.0.1:" + port), Handler.seen)
            self.assertNotIn("/any", {path for path, _ in Handler.seen})
            wait_until(lambda: "Bearer first" in Handler.tokens, 30, "a request with the token")
            write_file(os.path.join(folder, "token"), "t0ken-two\n")
            wait_until(lambda: "Bearer t0ken-two" in Handler.tokens, 30, "a request with the new token")
            for path in ("/metrics", "/api/v1/targets"):
                text = get(running.url + path).text
                for secret in ("sesame", "s3cret", "t0ken"):
                    self.assertNotIn(secret, text, path)

    def test_no_address_shows_its_password(self):
        """Names and passwords in addresses: not in logs, pages, labels or names of files."""
        place = scratch()
        self.addCleanup(place.cleanup)
        port = self.serve(Plain)
        config = ("global: {scrape_interval: 1s}\nhost: {enabled: false}\n"
                  f"remote_write: [{{url: 'http://jo:hush1@127.0.0.1:{port}/x'}}]\n"
                  "scrape_configs:\n  - job_name: a\n"
                  f"    http_sd_configs: [{{url: 'http://jo:hush2@127.0.0.1:{port}/sd', refresh_interval: 1s}}]\n"
                  f"    proxy_url: 'http://jo:hush3@127.0.0.1:{port}'\n"
                  f"    static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n")
        with agent(place.name, config=config) as running:
            wait_until(lambda: "wanted 200 and application/json" in running.log() and
                       "ship: " in running.log(), 30, "failures of both")
            for bad in ("remote_write: [{url: 'http://jo:hush4@/', queue_config: {min_backoff: 2s, max_backoff: 1s}}]\n",
                        "remote_write: [{url: 'http://jo:hush5@x/', traces_url: 'ftp://jo:hush6@x'}]\n"):
                write_file(os.path.join(place.name, "agent.yaml"), config.split("remote_write")[0] + bad)
                answer = send(running.url + "/-/reload", b"", method="POST")
                self.assertEqual(answer.status, 500)
                self.assertNotIn("hush", answer.text)
            pages = [get(running.url + path).text for path in ("/metrics", "/api/v1/targets", "/targets")]
            self.assertIn('destination="127_0_0_1_', pages[0])
            for text in [running.log(), *pages, *os.listdir(os.path.join(place.name, "agent/queue"))]:
                self.assertNotIn("hush", text)

    def serve(self, handler, tls=None):
        """The port of a server, with TLS when there is a context."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_address[1]

    def healths(self, running, wanted):
        """Health by job, once all of them were asked."""
        def all_asked():
            found = get(running.url + "/api/v1/targets").json()["data"]["activeTargets"]
            by_job = {t["scrapePool"]: t["health"] for t in found if t["scrapePool"] in wanted}
            return by_job if set(by_job.values()) <= {"up", "down"} and by_job.keys() == wanted.keys() else None
        self.assertEqual(wait_until(all_asked, 60, "all targets to be asked"), wanted)

    def test_versions_of_tls(self):
        place = scratch()
        self.addCleanup(place.cleanup)
        make_certificate(place.name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(place.name, "ca.pem"), os.path.join(place.name, "key.pem"))
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        port = self.serve(Plain, context)
        jobs = {"any": ("{}", "up"), "twelve": ("{min_version: TLS12, max_version: TLS12}", "up"),
                "from13": ("{min_version: TLS13}", "down"), "to11": ("{min_version: TLS10, max_version: TLS11}", "down")}
        config = "global: {scrape_interval: 1s}\nhost: {enabled: false}\nscrape_configs:\n"
        for job, (tls, _) in jobs.items():
            tls = tls.replace("{", "{insecure_skip_verify: true, ").replace(", }", "}")
            config += (f"  - {{job_name: {job}, scheme: https, tls_config: {tls}, "
                       f"static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n")
        with agent(place.name, config=config) as running:
            self.healths(running, {job: health for job, (_, health) in jobs.items()})

    def test_proxies(self):
        place = scratch()
        self.addCleanup(place.cleanup)
        Plain.paths.clear()
        proxy, target = self.serve(Plain), self.serve(Plain)
        ways = {"straight": "", "through": f"proxy_url: 'http://127.0.0.1:{proxy}'",
                "except": f"proxy_url: 'http://127.0.0.1:{proxy}', no_proxy: 'example.org,127.0.0.0/8'",
                "environment": "proxy_from_environment: true", "excepted": "proxy_from_environment: true"}
        config = "global: {scrape_interval: 1s}\nhost: {enabled: false}\nscrape_configs:\n"
        for job, way in ways.items():
            host = "localhost" if job == "excepted" else "127.0.0.1"
            config += (f"  - {{job_name: {job}, metrics_path: /{job}, {way + ', ' if way else ''}"
                       f"static_configs: [{{targets: ['{host}:{target}']}}]}}\n")
        variables = {"HTTP_PROXY": f"http://127.0.0.1:{proxy}", "NO_PROXY": "localhost", "http_proxy": "", "no_proxy": ""}
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            with agent(place.name, config=config) as running:
                self.healths(running, {job: "up" for job in ways})
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        through = f"http://127.0.0.1:{target}"
        self.assertEqual(Plain.paths, {"/straight", through + "/through", "/except", through + "/environment", "/excepted"})


class Plain(http.server.BaseHTTPRequestHandler):
    """A target, and a proxy that answers in place of every target; whole addresses are asked of a proxy."""
    protocol_version = "HTTP/1.1"
    paths = set()

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        Plain.paths.add(self.path)
        body = b"x 1\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def main():
    find_program("sonde-agent")
    return 0 if unittest.main(verbosity=1, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
