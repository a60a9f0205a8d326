#!/usr/bin/env python3
"""TLS, passwords and headers of server and agent, from a web configuration in Prometheus' format: with the real curl
and certificates of the real openssl. What is changed on disk counts without a restart."""
import crypt
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import ROOT, Failure, Skip, find_peer, find_program, free_port, scratch, start, wait_until, write_file  # noqa: E402

HASHES = {"alice": crypt.crypt("open sesame", "$2b$04$abcdefghijklmnopqrstuu"),
          "bob": crypt.crypt("hunter2", "$2b$10$abcdefghijklmnopqrstuu")}
USERS = "basic_auth_users:\n" + "".join(f"  {name}: {value}\n" for name, value in HASHES.items())


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


class Keys:
    """An authority, and what it signs, in a folder."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.pem"), "-subj", f"/CN={name}")

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *arguments):
        done = run(find_peer("openssl"), *arguments)
        if done.returncode != 0:
            raise Failure(done.stderr)

    def sign(self, name, purpose, serial):
        """NAME.pem and NAME.key; for loopback."""
        request, extensions = self.path("request"), self.path("extensions")
        write_file(extensions, f"subjectAltName=IP:127.0.0.1\nextendedKeyUsage={purpose}\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                     "-keyout", self.path(f"{name}.key.new"), "-out", request)
        self.openssl("x509", "-req", "-in", request, "-days", "2", "-extfile", extensions, "-set_serial", str(serial),
                     "-CA", self.path(f"{self.name}.pem"), "-CAkey", self.path(f"{self.name}.key"),
                     "-out", self.path(f"{name}.pem.new"))
        for kind in ("key", "pem"):
            os.replace(self.path(f"{name}.{kind}.new"), self.path(f"{name}.{kind}"))


class Running:
    """A program with a web configuration; it is up when its log says so."""

    def __init__(self, folder, web, program="sonde-server", flags=()):
        self.folder, self.port = folder, free_port()
        self.web = write_file(os.path.join(folder, "web.yml"), web)
        self.log = os.path.join(folder, "log")
        self.command = [find_program(program), "--data", os.path.join(folder, "data"),
                        "--listen", f"127.0.0.1:{self.port}", "--web.config.file", self.web, *flags]

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        wait_until(lambda: re.search('msg="(server: ready|agent: (ready|started)).*"', self.text()) or
                   self.process.poll() is not None, 60, "the start")
        if self.process.poll() is not None:
            raise Failure(self.text())
        return self

    def __exit__(self, *_):
        self.process.terminate()
        if self.process.wait(60) != 0:
            raise Failure(self.text())

    def text(self):
        with open(self.log, encoding="utf-8") as log:
            return log.read()

    def change(self, web):
        write_file(self.web + ".new", web)
        os.replace(self.web + ".new", self.web)

    def curl(self, *arguments, scheme="https", path="/-/healthy"):
        """(exit status, HTTP status, text with headers)"""
        done = run(find_peer("curl"), "-sS", "-i", "--max-time", "20", "-w", "\n%{http_code}", *arguments,
                   f"{scheme}://127.0.0.1:{self.port}{path}")
        text, _, code = done.stdout.rpartition("\n")
        return done.returncode, int(code or 0), text + done.stderr


class WebConfig(unittest.TestCase):
    def test_passwords_and_headers(self):
        web = USERS + "http_server_config:\n  headers:\n    X-Frame-Options: deny\n"
        with scratch() as folder, Running(folder, web) as server:
            def ask(*arguments, path="/api/v1/status/buildinfo"):
                return server.curl(*arguments, scheme="http", path=path)
            status, code, text = ask()
            self.assertEqual((status, code), (0, 401))
            self.assertIn("WWW-Authenticate: Basic", text)
            self.assertIn("X-Frame-Options: deny", text)
            for user in ("alice:open sesame", "bob:hunter2", "bob:hunter2"):
                status, code, text = ask("-u", user)
                self.assertEqual((status, code), (0, 200), user)
                self.assertIn("X-Frame-Options: deny", text)
            for user in ("alice:hunter2", "alice:", "eve:hunter2", ":", "alice:open sesame "):
                self.assertEqual(ask("-u", user)[:2], (0, 401), user)
            for header in ("Basic", "Basic !", "Basic YWxpY2U=", "Bearer x", "basic " + "A" * 2000):
                self.assertEqual(ask("-H", f"Authorization: {header}")[:2], (0, 401), header)
            for path in ("/", "/-/ready", "/metrics", "/nowhere"):  # every path, and nobody learns which there are
                self.assertEqual(ask(path=path)[1], 401, path)
            # With a body, which waits for the password: small, large, and announced.
            body = write_file(os.path.join(folder, "body"), "up 1\n" * 200000)
            for more in ([], ["-H", "Expect: 100-continue"]):
                self.assertEqual(ask("-u", "bob:wrong", "--data-binary", f"@{body}", *more,
                                     path="/api/v1/import/prometheus")[1], 401)
                server.change(USERS + f"# {more}\n")  # forgotten nothing: the same hashes
                self.assertEqual(ask("-u", "bob:hunter2", "--data-binary", f"@{body}", *more,
                                     path="/api/v1/import/prometheus")[1], 204)
            # A changed password counts soon; the old one no more. A broken file changes nothing.
            server.change(USERS.replace(HASHES["alice"], crypt.crypt("new", "$2b$05$abcdefghijklmnopqrstuu")))
            wait_until(lambda: ask("-u", "alice:new")[1] == 200, 20, "the new password")
            self.assertEqual(ask("-u", "alice:open sesame")[1], 401)
            server.change("basic_auth_users: {alice: plain}\n")
            wait_until(lambda: ask("-u", "alice:new")[1] == 200 and "refused, the old one stays" in server.text(), 20,
                       "the complaint")
            self.assertIn("needs a bcrypt hash", server.text())
            self.assertNotIn("open sesame", server.text())

    def test_crowd_of_wrong_passwords(self):
        """They take one thread; whoever is known gets in."""
        with scratch() as folder, Running(folder, USERS) as server:
            self.assertEqual(server.curl("-u", "bob:hunter2", scheme="http")[1], 200)
            crowd = [subprocess.Popen([find_peer("curl"), "-s", "-o", os.devnull, "-w", "%{http_code}\n", "-u",
                                       f"bob:wrong{i}", f"http://127.0.0.1:{server.port}/metrics"],
                                      stdout=subprocess.PIPE, text=True) for i in range(40)]
            self.assertEqual(server.curl("-u", "bob:hunter2", scheme="http")[1], 200)
            codes = {one.communicate(timeout=60)[0].strip() for one in crowd}
            self.assertTrue(codes <= {"401", "503"}, codes)
            self.assertIn("401", codes)

    def test_tls(self):
        with scratch() as folder:
            keys = Keys(folder)
            keys.sign("server", "serverAuth", 1)
            web = "tls_server_config: {cert_file: server.pem, key_file: server.key, min_version: TLS13}\n" + USERS
            with Running(folder, web) as server:
                trust = ["--cacert", keys.path("ca.pem")]
                self.assertEqual(server.curl(*trust, "-u", "alice:open sesame")[:2], (0, 200))
                self.assertEqual(server.curl(*trust)[1], 401)
                self.assertEqual(server.curl("-u", "alice:open sesame")[0], 60)  # nobody vouches for it
                self.assertEqual(server.curl(*trust, "--tls-max", "1.2")[0], 35)
                self.assertNotEqual(server.curl(scheme="http")[0], 0)
                status, code, text = server.curl(*trust, "-u", "alice:open sesame", path="/metrics")
                self.assertEqual((status, code), (0, 200))
                self.assertIn("sonde_http_responses_total", text)
                # Large both ways, compressed, and in pieces.
                lines = "".join(f"big{{at=\"{i}\"}} {i} {int(time.time())}000\n" for i in range(40000))
                body = write_file(os.path.join(folder, "body"), lines)
                self.assertEqual(server.curl(*trust, "-u", "alice:open sesame", "--data-binary", f"@{body}",
                                             path="/api/v1/import/prometheus")[1], 204)
                status, code, text = server.curl(*trust, "-u", "alice:open sesame", "--compressed", "-g",
                                                 path="/api/v1/export?match[]=big")
                self.assertEqual((status, code, text.count('"__name__":"big"')), (0, 200, 40000))
                # A renewed certificate is shown to the next that come.
                keys.sign("server", "serverAuth", 2)
                wait_until(lambda: self.serial(server) == "02", 20, "the renewed certificate")
                self.assertEqual(server.curl(*trust, "-u", "alice:open sesame")[:2], (0, 200))
                server.change(USERS)  # without TLS: not while it runs
                wait_until(lambda: server.curl(*trust)[1] == 401 and "TLS is turned on or off" in server.text(), 20,
                           "the complaint")
                # The tool of others: a peer that scrapes over it.
                self.assertEqual(server.curl(*trust, "-u", "alice:open sesame", path="/-/ready")[1], 200)

    @staticmethod
    def serial(server):
        done = subprocess.run([find_peer("openssl"), "s_client", "-connect", f"127.0.0.1:{server.port}"],
                              input="", capture_output=True, text=True, check=False)
        done = subprocess.run([find_peer("openssl"), "x509", "-noout", "-serial"], input=done.stdout,
                              capture_output=True, text=True, check=False)
        return done.stdout.strip().partition("=")[2]

    def test_client_certificates(self):
        with scratch() as folder:
            keys = Keys(folder)
            keys.sign("server", "serverAuth", 1)
            keys.sign("client", "clientAuth", 2)
            other = Keys(folder, "other")
            other.sign("stranger", "clientAuth", 3)
            trust = ["--cacert", keys.path("ca.pem")]
            client, stranger, wrong = (["--cert", keys.path(f"{name}.pem"), "--key", keys.path(f"{name}.key")]
                                       for name in ("client", "stranger", "server"))
            web = "tls_server_config: {cert_file: server.pem, key_file: server.key, client_auth_type: %s%s}\n"
            ca = ", client_ca_file: ca.pem"
            for kind, more, nobody_in, stranger_in in (
                    ("RequireAndVerifyClientCert", ca, False, False), ("VerifyClientCertIfGiven", ca, True, False),
                    ("RequireAnyClientCert", "", False, True), ("RequestClientCert", "", True, True)):
                with Running(folder, web % (kind, more)) as server:
                    self.assertEqual(server.curl(*trust, *client)[1], 200, kind)
                    self.assertEqual(server.curl(*trust)[1] == 200, nobody_in, kind)
                    self.assertEqual(server.curl(*trust, *stranger)[1] == 200, stranger_in, kind)
                    self.assertEqual(server.curl(*trust, *wrong)[1] == 200, stranger_in, kind)

    def test_agent(self):
        with scratch() as folder:
            keys = Keys(folder)
            keys.sign("server", "serverAuth", 1)
            web = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n" + USERS
            with Running(folder, web, "sonde-agent") as agent:
                trust = ["--cacert", keys.path("ca.pem")]
                self.assertEqual(agent.curl(*trust, path="/metrics")[1], 401)
                for _ in range(2):
                    status, code, text = agent.curl(*trust, "-u", "bob:hunter2", path="/metrics")
                    self.assertEqual((status, code), (0, 200))
                    self.assertIn("node_", text)

    def test_check(self):
        tool = find_program("sonde")
        with scratch() as folder:
            keys = Keys(folder)
            keys.sign("server", "serverAuth", 1)
            cases = (
                (USERS, 0, "is good"),
                ("", 0, "is good"),
                ("tls_server_config: {cert_file: server.pem, key_file: server.key}\n", 0, "is good"),
                ("tls_server_config: {cert_file: server.pem}\n", 1, "needs one of cert_file and cert"),
                ("tls_server_config: {cert_file: server.pem, key_file: ca.key}\n", 1, "certificate and key:"),
                ("tls_server_config: {cert_file: nowhere.pem, key_file: server.key}\n", 1, "nowhere.pem"),
                ("tls_server_config: {cert_file: server.pem, key_file: server.key, min_version: SSL3}\n", 1, "TLS10"),
                ("tls_server_config: {cert_file: server.pem, key_file: server.key, client_auth_type: Maybe}\n", 1,
                 "NoClientCert"),
                ("tls_server_config: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem}\n", 1,
                 "client_auth_type that verifies"),
                ("tls_server_config: {cert_file: server.pem, key_file: server.key, cipher_suites: [x]}\n", 1,
                 "cipher_suites"),
                ("basic_auth_users: {eve: secret}\n", 1, "bcrypt"),
                (f"basic_auth_users: {{eve: {HASHES['bob'].replace('$10$', '$20$')}}}\n", 1, "cost 20"),
                ("http_server_config: {headers: {Server: x}}\n", 1, "cannot be set"),
                ("basic_auth: {}\n", 1, "basic_auth_users"),
            )
            for text, status, says in cases:
                path = write_file(os.path.join(folder, "web.yml"), text)
                done = run(tool, "check", "web-config", path)
                self.assertEqual(done.returncode, status, (text, done.stdout, done.stderr))
                self.assertIn(says, done.stdout + done.stderr, text)


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers a query with the Authorization it was asked with."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"status": "success", "data": {"resultType": "string", "result": [
            0, self.headers.get("Authorization", "nobody")]}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Tool(unittest.TestCase):
    """The tool `sonde` against a server that wants to know who asks."""

    def ask(self, server, *words, scheme="https", identity=()):
        done = run(find_program("sonde"), *words, "--server", f"{scheme}://127.0.0.1:{server.port}", *identity)
        return done.returncode, done.stdout + done.stderr

    def test_every_command(self):
        with scratch() as folder:
            keys = Keys(folder)
            keys.sign("server", "serverAuth", 1)
            keys.sign("client", "clientAuth", 2)
            password = write_file(os.path.join(folder, "password"), "open sesame\n")
            wrong = write_file(os.path.join(folder, "wrong"), "guess\n")
            config = write_file(os.path.join(folder, "client.yml"), f"""\
basic_auth: {{username: alice, password_file: {password}}}
tls_config: {{ca_file: {keys.path("ca.pem")}, cert_file: {keys.path("client.pem")}, key_file: {keys.path("client.key")}}}
""")
            web = ("tls_server_config: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem, "
                   "client_auth_type: RequireAndVerifyClientCert}\n" + USERS)
            certificate = ["--ca-file", keys.path("ca.pem"), "--cert-file", keys.path("client.pem"),
                           "--key-file", keys.path("client.key")]
            user = ["--user", "alice", "--password-file"]
            ways = (["--http.config.file", config], certificate + user + [password],
                    ["--http.config.file", config, "--user", "alice", "--password-file", password])
            with Running(folder, web, flags=["--retention", "100y"]) as server:
                server_data = os.path.join(folder, "data")
                blocks = os.path.join(ROOT, "tests/golden/prometheus_block")
                for way in ways:
                    for words, says in ((["query", "1 + 1"], "2"), (["alerts", "deliveries"], ""),
                                        (["slo", "budget"], ""), (["slo", "forecast"], ""),
                                        (["trace", "search", "{}"], ""),
                                        (["tsdb", "import", blocks], "Imported")):
                        status, text = self.ask(server, *words, identity=way)
                        self.assertEqual(status, 0, (words, way, text))
                        self.assertIn(says, text)
                    # Let in, and then told what is not so.
                    status, text = self.ask(server, "backup", os.path.join(folder, "copy"), "--data", server_data,
                                            identity=way)
                    self.assertIn("--web.enable-admin-api", text)
                    self.assertIn("answers 404", self.ask(server, "slo", "backtest", "none", identity=way)[1])
                for identity, says in (
                        (certificate, "wants to know who asks: --user"), (certificate + user + [wrong], "--user"),
                        (user + [password], "no answer from"), (certificate[:2] + user + [password], "no answer from"),
                        (["--user", "alice", "--password-file", os.path.join(folder, "none")], "none")):
                    for words in (["query", "1"], ["alerts", "deliveries"], ["slo", "budget"],
                                  ["trace", "get", "1"], ["trace", "search", "{}"], ["trace", "tail", "{}"],
                                  ["tsdb", "import", blocks], ["backup", os.path.join(folder, "copy")]):
                        status, text = self.ask(server, *words, identity=identity)
                        self.assertEqual(status, 1, (words, identity, text))
                        self.assertIn(says, text, words)
                        self.assertNotIn("open sesame", text)

    def test_token(self):
        """A token in a file, which may change."""
        with scratch() as folder, http.server.HTTPServer(("127.0.0.1", 0), Echo) as echo:
            echo.port = echo.server_port
            threading.Thread(target=echo.serve_forever, daemon=True).start()
            for token in ("first", "second"):
                path = write_file(os.path.join(folder, "token"), token + "\n")
                file = write_file(os.path.join(folder, "client.yml"), f"authorization: {{credentials_file: {path}}}\n")
                for way in (["--token-file", path], ["--http.config.file", file]):
                    status, text = self.ask(echo, "query", "1", scheme="http", identity=way)
                    self.assertEqual(status, 0, text)
                    self.assertIn(f"Bearer {token}", text)
            self.assertIn("nobody", self.ask(echo, "query", "1", scheme="http")[1])
            echo.shutdown()


def main():
    for peer in ("curl", "openssl"):
        find_peer(peer)
    find_program("sonde-server")
    if not HASHES["bob"]:
        raise Skip("crypt(3) of this Python knows no bcrypt")
    return 0 if unittest.main(verbosity=1, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
