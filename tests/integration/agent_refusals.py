#!/usr/bin/env python3
"""What the agent says to mistakes: one sentence on standard error that names the place and what would be
accepted, and exit status 1; over HTTP a status; and that a running agent goes on as it was."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import (agent, find_program, free_port, get, send, start,  # noqa: E402
                      wait_until, write_file)

# (what the file holds, what the sentence says; FILE stands for its path)
BAD_FILES = [
    ("global:\n  scrape_intervall: 3s\n",
     'FILE:2:3: unknown key "scrape_intervall"; accepted here: scrape_interval, scrape_timeout, evaluation_interval, external_labels'),
    ("host: {intervals: 5s}\n", 'FILE:1:8: unknown key "intervals"; accepted here: interval, enabled,'),
    ("scrape_configs:\n  - job_name: a\n    static_configs:\n      - target: [b]\n",
     'FILE:4:9: unknown key "target"; accepted here: targets, labels'),
    ("host: {interval: 1ms}\n", "FILE:1:18: interval: 1ms is outside its limits, 100ms to 1d"),
    ("host: {interval: often}\n", 'FILE:1:18: interval: expected a duration'),
    ("host: {enabled: perhaps}\n", 'FILE:1:17: enabled: expected true or false, found "perhaps"'),
    ("host: [a]\n", "FILE:1:7: expected a mapping of keys to values, found a list"),
    ("host:\n  job: %{SONDE_TEST_UNSET}\n", 'FILE:2:8: there is no environment variable "SONDE_TEST_UNSET"'),
    ("host: {job: '%{a b}'}\n", 'FILE:1:14: expected %{NAME}, found "%{a b}'),
    ("host: [a\n", "FILE:2:1: "),
    ("host: {job: a}\nhost: {job: b}\n", 'FILE:2:1: key "host" is here twice, first on line 1'),
    ("scrape_configs: [{static_configs: []}]\n", "FILE:1:18: job_name is required"),
    ("scrape_configs: [{job_name: a, scrape_interval: 1s, scrape_timeout: 2s}]\n",
     'FILE:1:69: job "a": scrape_timeout is longer than scrape_interval'),
    ("scrape_configs: [{job_name: a, scheme: ftp}]\n", 'FILE:1:40: job "a": scheme "ftp"; accepted: http, https'),
    ("scrape_configs: [{job_name: a, metrics_path: metrics}]\n", 'FILE:1:46: job "a": metrics_path must begin with /'),
    ("scrape_configs: [{job_name: a, static_configs: [{targets: ['http://b:1/c']}]}]\n",
     'FILE:1:18: job a: target http://b:1/c: no address; accepted: HOST:PORT'),
    ("scrape_configs: [{job_name: a, relabel_configs: [{action: keeep}]}]\n",
     'FILE:1:50: relabel_configs: relabel rule 1: action "keeep"; accepted: replace, keep,'),
    ("scrape_configs: [{job_name: a, metric_relabel_configs: [{regex: '('}]}]\n",
     "FILE:1:57: metric_relabel_configs: relabel rule 1: action replace needs a target_label"),
    ("scrape_configs: [{job_name: a, static_configs: [{targets: ['b:1']}], "
     "relabel_configs: [{target_label: __scheme__, replacement: ftp}]}]\n",
     "FILE:1:18: job a: target b:1: __scheme__ is neither http nor https"),
    ("scrape_configs: [{job_name: a, params: {x: y}}]\n", "FILE:1:44: params.x must be a list of values"),
    ("scrape_configs: [{job_name: a, static_configs: [{targets: ['b:1'], labels: {c-d: e}}]}]\n",
     '"c-d" is no label name; accepted: letters, digits and _'),
    ("host: {collectors: [cpuu]}\n", 'unknown collector "cpuu"; there are arp, '),
    ("host: {collectors: [no-everything]}\n", 'unknown collector "everything"'),
    ("host: {settings: {textfile.folder: /x}}\n",
     'host.settings: unknown setting "textfile.folder"; accepted: diskstats.device-exclude, '),
    ("host: {settings: {netdev.device-exclude: '('}}\n", "netdev.device-exclude"),
    ("remote_write: [{url: 'localhost:9095'}]\n",
     'FILE:1:22: "localhost:9095" is no address to send to; accepted: http://HOST:PORT'),
    ("remote_write: [{url: 'http://a/b', protobuf_message: v3}]\n",
     'FILE:1:54: http://a/b: protobuf_message "v3"; accepted: prometheus.WriteRequest, io.prometheus.write.v2.Request'),
    ("remote_write: [{url: 'http://a/b', write_relabel_configs: [{action: keeep}]}]\n",
     'FILE:1:60: write_relabel_configs: relabel rule 1: action "keeep"'),
    ("remote_write: [{url: 'http://a/b', queue_config: {min_backoff: 2s, max_backoff: 1s}}]\n",
     "FILE:1:50: http://a/b: min_backoff is longer than max_backoff"),
    ("otlp: [{url: 'localhost:4318'}]\n", 'FILE:1:14: "localhost:4318" is no address to send to'),
    ("remote_write: [{url: 'http://a/b'}, {url: 'http://a/b'}]\n", "FILE:1:37: two destinations in remote_write are named"),
]

# (flags, what the sentence says)
BAD_FLAGS = [
    (["--liste", "x"], "unknown flag --liste; did you mean --listen?"),
    (["--frobnicate"], "unknown flag --frobnicate; --help lists the flags"),
    (["--listen"], "flag --listen needs a value: --listen ADDRESS:PORT"),
    (["--log-level", "loud"], '--log-level: "loud"; accepted: debug, info, warn, error'),
    (["start"], 'unexpected argument "start"'),
    (["--config", "none.yaml"], "none.yaml: cannot be read: not found"),
    (["--listen", "nonsense"], '"nonsense" is not an address to listen on; write 127.0.0.1:9095'),
    (["--listen", "192.0.2.1:80"], "192.0.2.1:80 is not an address of this machine"),
    (["--server", "x:1"], 'no address to send to; accepted: http://HOST:PORT'),
]

GOOD_FILE = "host: {interval: 1s}\nscrape_configs: [{job_name: one, static_configs: [{targets: ['127.0.0.1:1']}]}]\n"
OTHER_FILE = GOOD_FILE.replace("one", "two")


class Refusals(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sonde-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.data = os.path.join(self.folder, "data")

    def refused(self, *flags):
        """Runs the agent, which must end by itself with status 1; the one sentence it wrote."""
        command = [find_program("sonde-agent"), "--data", self.data, "--listen", f"127.0.0.1:{free_port()}", *flags]
        done = subprocess.run(command, text=True, timeout=60, check=False, cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1, done.stderr)
        lines = [line for line in done.stderr.splitlines() if not line.startswith("ts=")]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("sonde-agent: "), lines[0])
        return lines[0][len("sonde-agent: "):]

    def test_files(self):
        path = os.path.join(self.folder, "agent.yaml")
        for text, sentence in BAD_FILES:
            with self.subTest(text=text):
                write_file(path, text)
                self.assertIn(sentence.replace("FILE", path), self.refused("--config", path))
                self.assertIn(sentence.replace("FILE", path), self.refused("--config", path, "--check-config"))

    def test_good_file(self):
        path = write_file(os.path.join(self.folder, "agent.yaml"), GOOD_FILE)
        done = subprocess.run([find_program("sonde-agent"), "--config", path, "--check-config"],
                              text=True, stdout=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual(done.returncode, 0)
        self.assertIn(f"{path}: good; 1 jobs, 3 targets, 1 destinations", done.stdout)

    def test_flags(self):
        for flags, sentence in BAD_FLAGS:
            with self.subTest(flags=flags):
                self.assertIn(sentence, self.refused(*flags))

    def test_in_use(self):
        with agent(self.folder, "first") as first:
            self.assertIn(f"{first.address} is in use", self.refused("--listen", first.address))
            first_data = os.path.join(self.folder, "first")
            self.assertIn("is used by another agent", self.refused("--data", first_data))
            self.assertTrue(first.is_ready())

    def test_folder_is_a_file(self):
        path = write_file(os.path.join(self.folder, "file"), "keep me")
        self.assertIn(path, self.refused("--data", path))
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "keep me")

    def test_http(self):
        with agent(self.folder) as running:
            self.assertEqual(get(running.url + "/nothing").status, 404)
            self.assertEqual(send(running.url + "/metrics", b"x", method="POST").status, 405)
            self.assertEqual(send(running.url + "/-/reload", method="GET").status, 405)
            self.assertEqual(send(running.url + "/-/reload", b"x" * (2 << 20), method="POST").status, 413)
            self.assertTrue(running.is_ready())


class Reload(unittest.TestCase):
    def jobs(self, running):
        targets = get(running.url + "/api/v1/targets").json()["data"]["activeTargets"]
        return sorted(t["labels"]["job"] for t in targets)

    def metric(self, running, name):
        lines = get(running.url + "/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))

    def test_reload(self):
        successful = "agent_config_last_reload_successful"
        folder = tempfile.mkdtemp(prefix="sonde-test-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        with agent(folder, config=GOOD_FILE) as running:
            path = os.path.join(folder, "agent.yaml")
            self.assertEqual(self.jobs(running), ["node", "one", "sonde-agent"])
            for text, _ in BAD_FILES:
                with self.subTest(text=text):
                    write_file(path, text)
                    answer = send(running.url + "/-/reload", b"", method="POST")
                    self.assertEqual(answer.status, 500, answer.text)
                    self.assertIn("failed to reload config: ", answer.text)
                    self.assertEqual(self.metric(running, successful), 0)
                    self.assertEqual(self.jobs(running), ["node", "one", "sonde-agent"])
            write_file(path, OTHER_FILE)
            self.assertEqual(send(running.url + "/-/reload", b"", method="POST").status, 200)
            self.assertEqual(self.metric(running, successful), 1)
            self.assertEqual(self.jobs(running), ["node", "sonde-agent", "two"])
            write_file(path, GOOD_FILE)
            running.signal(signal.SIGHUP)
            wait_until(lambda: self.jobs(running) == ["node", "one", "sonde-agent"], 30, "the reload by SIGHUP")
            write_file(path, "host: [\n")
            running.signal(signal.SIGHUP)
            wait_until(lambda: self.metric(running, successful) == 0, 30, "the failed reload by SIGHUP")
            self.assertEqual(self.jobs(running), ["node", "one", "sonde-agent"])


def main():
    find_program("sonde-agent")
    return 0 if unittest.main(verbosity=1, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
