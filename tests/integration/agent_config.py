#!/usr/bin/env python3
"""The agent's configuration file as people meet it: `sonde check config` on files of the agent and the server,
`sonde check relabel` on files and against a running agent."""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import agent, find_program, get, scratch, send, start, wait_until, write_file  # noqa: E402

JOB = """
global: {scrape_interval: 15s}
host: {enabled: false}
scrape_configs:
  - job_name: web
    static_configs: [{targets: ['10.0.0.1:8080', '10.0.0.2:80'], labels: {zone: z1, drop_me: x}}]
    relabel_configs:
      - {source_labels: [zone], target_label: region, replacement: 'eu-$1'}
      - {action: labeldrop, regex: drop_.*}
      - {source_labels: [__address__], regex: '.*:80', action: drop}
      - {source_labels: [zone], regex: '(.).*', target_label: zone}
    metric_relabel_configs:
      - {source_labels: [__name__], regex: 'go_.*', action: drop}
      - {source_labels: [le], regex: 1, target_label: le, replacement: '1.0'}
remote_write: [{url: 'http://127.0.0.1:9/'}]
"""

START = ('__metrics_path__="/metrics", __scheme__="http", __scrape_interval__="15s", __scrape_timeout__="10s"')

STATIC = """job web, target 10.0.0.1:8080
  discovered  {__address__="10.0.0.1:8080", %(start)s, drop_me="x", job="web", zone="z1"}
  relabel_configs
    1 replace [zone] -> region = "eu-$1"
        + region="eu-z1"
    2 labeldrop =~ "drop_.*"
        - drop_me="x"
    3 drop [__address__] =~ ".*:80"
    4 replace [zone] =~ "(.).*" -> zone
        ~ zone="z", was "z1"
  labels      {instance="10.0.0.1:8080", job="web", region="eu-z1", zone="z"}
  scraped     http://10.0.0.1:8080/metrics every 15s

job web, target 10.0.0.2:80
  discovered  {__address__="10.0.0.2:80", %(start)s, drop_me="x", job="web", zone="z1"}
  relabel_configs
    1 replace [zone] -> region = "eu-$1"
        + region="eu-z1"
    2 labeldrop =~ "drop_.*"
        - drop_me="x"
    3 drop [__address__] =~ ".*:80"
        dropped here
  dropped
""" % {"start": START}

SERIES = """job web, target a:1
  discovered  {__address__="a:1", __meta_x="y", %(start)s, job="web"}
  relabel_configs
    1 replace [zone] -> region = "eu-$1"
        + region="eu-"
    2 labeldrop =~ "drop_.*"
    3 drop [__address__] =~ ".*:80"
    4 replace [zone] =~ "(.).*" -> zone
  labels      {instance="a:1", job="web", region="eu-"}
  scraped     http://a:1/metrics every 15s
  series      rpc_bucket{exported_job="j", instance="a:1", job="web", le="1", region="eu-"}
  metric_relabel_configs
    1 drop [__name__] =~ "go_.*"
    2 replace [le] =~ "1" -> le = "1.0"
        ~ le="1.0", was "1"
  sent        rpc_bucket{exported_job="j", instance="a:1", job="web", le="1.0", region="eu-"}
""" % {"start": START}


# A server's file of Prometheus: what an agent has no use for is accepted and told.
PROMETHEUS = """
global:
  scrape_interval: 15s
  evaluation_interval: 15s
  scrape_timeout: 10s
  query_log_file: /var/log/queries.log
  sample_limit: 50000
  external_labels: {monitor: main, replica: a}
rule_files:
  - rules/*.yml
alerting:
  alertmanagers:
    - static_configs: [{targets: ['alertmanager:9093']}]
storage:
  tsdb: {out_of_order_time_window: 30m}
tracing: {endpoint: 'localhost:4317', sampling_fraction: 0.1}
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ['localhost:9090']}]
  - job_name: node
    scrape_protocols: [PrometheusProto, OpenMetricsText1.0.0, PrometheusText0.0.4]
    enable_http2: false
    enable_compression: true
    file_sd_configs: [{files: ['targets/*.json', 'targets/*.yml'], refresh_interval: 5m}]
    relabel_configs:
      - source_labels: [__address__]
        regex: '([^:]+)(:.*)?'
        target_label: instance
        replacement: '$1'
  - job_name: kubernetes-pods
    kubernetes_sd_configs: [{role: pod}]
    relabel_configs:
      - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], action: keep, regex: true}
      - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path], action: replace,
         target_label: __metrics_path__, regex: (.+)}
      - {source_labels: [__address__, __meta_kubernetes_pod_annotation_prometheus_io_port], action: replace,
         regex: '([^:]+)(?::\\d+)?;(\\d+)', replacement: '$1:$2', target_label: __address__}
      - {action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}
  - job_name: kubernetes-nodes
    scheme: https
    tls_config: {ca_file: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt}
    authorization: {credentials_file: /var/run/secrets/kubernetes.io/serviceaccount/token}
    kubernetes_sd_configs: [{role: node}]
  - job_name: consul
    consul_sd_configs: [{server: 'localhost:8500', tags: [metrics]}]
  - job_name: blackbox
    metrics_path: /probe
    params: {module: [http_2xx]}
    static_configs: [{targets: ['http://prometheus.io', 'https://example.org']}]
    relabel_configs:
      - {source_labels: [__address__], target_label: __param_target}
      - {source_labels: [__param_target], target_label: instance}
      - {target_label: __address__, replacement: '127.0.0.1:9115'}
remote_write:
  - url: https://receiver.example/api/v1/push
    name: main
    remote_timeout: 30s
    headers: {X-Scope-OrgID: team}
    basic_auth: {username: u, password: p}
    queue_config: {capacity: 10000, max_shards: 50, max_samples_per_send: 2000, batch_send_deadline: 5s}
    metadata_config: {send: true, send_interval: 1m}
    write_relabel_configs: [{source_labels: [__name__], regex: 'go_.*', action: drop}]
    tls_config: {min_version: TLS12, max_version: TLS13}
    proxy_url: http://proxy.example:3128
    no_proxy: localhost,10.0.0.0/8
    round_robin_dns: true
remote_read: [{url: 'http://reader.example/read'}]
otlp:
  translation_strategy: NoTranslation
  promote_resource_attributes: [service.name]
"""

# What of it has no effect.
PROMETHEUS_IGNORED = ["evaluation_interval", "query_log_file", "rule_files", "alerting", "storage", "tracing",
                      "enable_http2", "enable_compression", "capacity", "max_shards", "batch_send_deadline",
                      "send_interval", "round_robin_dns", "remote_read"]

# A file of vmagent's.
VMAGENT = """
global:
  scrape_interval: 10s
  external_labels: {datacenter: dc1}
scrape_configs:
  - job_name: apps
    stream_parse: true
    relabel_debug: true
    max_scrape_size: 32MB
    scrape_offset: 2s
    series_limit: 2000
    no_stale_markers: true
    sample_limit: 10000
    honor_timestamps: false
    http_sd_configs: [{url: 'http://sd.example/targets'}]
    relabel_configs:
      - {action: hashmod, source_labels: [__address__], modulus: 4, target_label: __tmp_shard}
      - {action: keep, source_labels: [__tmp_shard], regex: "2"}
  - job_name: docker
    docker_sd_configs: [{host: 'unix:///var/run/docker.sock'}]
  - job_name: dns
    dns_sd_configs: [{names: [db.example], type: A, port: 9100}]
"""

VMAGENT_IGNORED = ["stream_parse", "relabel_debug", "scrape_offset", "series_limit", "no_stale_markers"]

# What a file of others may hold and this one cannot, and what the sentence says to write: (text, sentence).
REFUSED = (
    ("scrape_configs: [{job_name: a, ec2_sd_configs: [{region: eu}]}]",
     ":1:32: ec2_sd_configs: not among the kinds of discovery here (consul, dns, docker, file, http, kubernetes); let a "
     "program that knows these targets list them for file_sd_configs or http_sd_configs"),
    ("scrape_configs: [{job_name: a, headers: ['X-A: b']}]", ":1:32: headers: write http_headers: {NAME: {values: [VALUE]}}"),
    ("scrape_configs: [{job_name: a, proxy_basic_auth: {}}]", ":1:32: proxy_basic_auth: write name and password into proxy_url"),
    ("global: {metric_relabel_configs: []}", ":1:10: metric_relabel_configs: write the rules into the jobs"),
    ("remote_write: [{url: 'http://x/', sigv4: {region: eu}}]", ":1:35: sigv4: requests are not signed for AWS"),
    ("remote_write: [{url: 'http://x/', azuread: {}}]", ":1:35: azuread: write oauth2 with the token_url"),
    ("scrape_configs: [{job_name: a, tls_config: {ca: x}}]", ":1:45: ca: certificates and keys are files; write ca_file"),
    ("scrape_configs: [{job_name: a, tls_config: {min_version: TLS9}}]",
     ':1:18: job "a": tls_config.min_version "TLS9"; accepted: TLS10, TLS11, TLS12, TLS13'),
    ("scrape_configs: [{job_name: a, tls_config: {min_version: TLS13, max_version: TLS12}}]",
     ':1:18: job "a": tls_config.min_version is newer than max_version'),
    ("scrape_configs: [{job_name: a, no_proxy: b}]", ':1:18: job "a": no_proxy needs a proxy_url'),
    ("scrape_configs: [{job_name: a, proxy_url: 'http://b:1', proxy_from_environment: true}]",
     ':1:18: job "a": proxy_from_environment takes the place of proxy_url and no_proxy'),
    ("scrape_configs: [{job_name: a, proxy_connect_header: {A: [b]}}]", ":1:32: proxy_connect_header: a proxy gets no headers"),
    ("otlp: {translation_strategy: x}", 'translation_strategy "x": expected UnderscoreEscapingWithSuffixes'),
    ("otlp: {colour: x}", ':1:8: unknown key "colour"; accepted here: '),
)


def places(path, text, keys):
    """"path:line:column: key:" of each key, where it stands first."""
    for key in keys:
        before = text[:text.index(key + ":")]
        yield f"{path}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}: {key}:"


def sonde(*words):
    """(exit status, standard output, standard error)"""
    done = subprocess.run([find_program("sonde"), *words], text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stdout, done.stderr


class Files(unittest.TestCase):
    def setUp(self):
        folder = scratch()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, text, name="agent.yml"):
        return write_file(os.path.join(self.folder, name), text)

    def test_check_config(self):
        # (text, flags, exit status, what is said)
        for text, flags, status, said in (
                (JOB, [], 0, "FILE: good; 1 jobs, 2 targets, 1 destinations\n"),
                (JOB, ["--agent"], 0, "FILE: good; "),
                (JOB, ["--server"], 1, 'FILE:2:1: unknown key "global"'),
                ("storage: {retention: 3d}\n", [], 0, "# FILE is good."),
                ("storage: {retention: 3d}\n", ["--server"], 0, "# FILE is good."),
                ("", [], 0, "# FILE is good."),
                ("", ["--agent"], 0, "FILE: good; 0 jobs, 2 targets, 1 destinations\n"),
                ("scrape_configs:\n  - job_name: a\n    static_configs: [{target: []}]\n", [], 1,
                 'FILE:3:23: unknown key "target"; accepted here: targets, labels'),
                ("scrape_configs:\n  - job_name: a\n    relabel_configs: [{action: kepp}]\n", [], 1,
                 'FILE:3:23: relabel_configs: relabel rule 1: action "kepp"'),
                ("scrape_configs:\n  - job_name: a\n    kubernetes_sd_configs: [{role: x}]\n", [], 1,
                 'FILE:2:5: job "a": kubernetes_sd_configs: role "x"; accepted: pod'),
                ("scrape_configs: [{job_name: a, dns_sd_configs: [{names: [b]}], consul_sd_configs: [{}]}]\n", [], 0,
                 "FILE: good; 1 jobs, 2 targets and what 2 entries discover, 1 destinations\n"),
                ("a: [", [], 1, "FILE:2:1: ")):
            with self.subTest(text=text, flags=flags):
                path = self.write(text)
                got, out, error = sonde("check", "config", path, *flags)
                self.assertEqual(got, status, out + error)
                self.assertIn(said.replace("FILE", path), out if status == 0 else error)

    def test_files_of_others(self):
        path = self.write(PROMETHEUS)
        status, out, error = sonde("check", "config", path)
        self.assertEqual((status, error), (0, ""))
        good, *notes = out.splitlines()
        # The agent itself, its host, and five static targets: two of them probed through one address.
        self.assertEqual(good, f"{path}: good; 6 jobs, 5 targets and what 4 entries discover, 1 destinations")
        self.assertEqual([note.split(" accepted")[0] for note in notes],
                         list(places(path, PROMETHEUS, PROMETHEUS_IGNORED)))
        path = self.write(VMAGENT)
        status, out, error = sonde("check", "config", path)
        self.assertEqual((status, error), (0, ""))
        self.assertEqual([note.split(" accepted")[0] for note in out.splitlines()[1:]],
                         list(places(path, VMAGENT, VMAGENT_IGNORED)))
        status, _, error = sonde("check", "config", self.write(PROMETHEUS.replace("rule_files", "rule_filse")))
        self.assertEqual(status, 1)
        self.assertIn(':9:1: unknown key "rule_filse"; accepted here: rule_files, global,', error)

    def test_what_others_have_and_this_has_not(self):
        for text, sentence in REFUSED:
            with self.subTest(text=text):
                path = self.write(text + "\n")
                status, _, error = sonde("check", "config", path, "--agent")
                self.assertEqual(status, 1)
                self.assertIn(sentence, error)

    def test_jobs_in_files(self):
        os.mkdir(os.path.join(self.folder, "jobs"))
        self.write("scrape_configs:\n  - {job_name: b, static_configs: [{targets: ['b:1']}]}\n", "jobs/b.yml")
        self.write("- {job_name: c, static_configs: [{targets: ['c:1']}]}\n", "jobs/c.yml")
        self.write("", "jobs/empty.yml")
        text = ("host: {enabled: false}\nscrape_configs: [{job_name: a, static_configs: [{targets: ['a:1']}]}]\n"
                "scrape_config_files: ['jobs/*.yml', 'none/*.yml']\n")
        with agent(self.folder, config=text) as running:
            def jobs():
                found = get(running.url + "/api/v1/targets").json()["data"]["activeTargets"]
                return [t["scrapePool"] for t in found]
            self.assertEqual(jobs(), ["sonde-agent", "a", "b", "c"])
            self.write("- {job_name: d, static_configs: [{targets: ['d:1']}]}\n", "jobs/c.yml")
            self.assertEqual(send(running.url + "/-/reload", b"", method="POST").status, 200)
            self.assertEqual(jobs(), ["sonde-agent", "a", "b", "d"])
        # (what a part holds, what is said; PART and FILE stand for their paths)
        for part, said in (("- {job_name: x, scheme: ftp}\n", 'PART:1:25: job "x": scheme "ftp"; accepted: http, https'),
                           ("scrape_configs: []\nglobal: {}\n", 'PART:2:1: unknown key "global"; accepted here: scrape'),
                           ("- {job_name: a}\n", 'PART:1:14: job_name "a" is here twice, first in FILE on line 2'),
                           ("- {job_name: x, static_configs: [{targets: ['a/b']}]}\n", "PART:1:3: job x: target a/b: no"),
                           ("a: [", "PART:2:1: ")):
            path, broken = self.write(text), self.write(part, "jobs/c.yml")
            status, _, error = sonde("check", "config", path)
            self.assertEqual(status, 1)
            self.assertIn(said.replace("PART", broken).replace("FILE", path), error)
        status, _, error = sonde("check", "config", self.write("scrape_config_files: [absent.yml]\n"))
        self.assertEqual(status, 1)
        self.assertIn("/absent.yml: cannot be read: not found", error)

    def test_duplicates(self):
        """The same labels at the same address after the rules: one target. Other labels, or another job: two."""
        text = """
global: {scrape_interval: 200ms}
host: {enabled: false}
scrape_configs:
  - job_name: twice
    static_configs:
      - {targets: ['ADDRESS', 'ADDRESS'], labels: {zone: a}}
      - {targets: ['ADDRESS'], labels: {zone: b}}
      - {targets: ['ADDRESS'], labels: {zone: a, gone: x}}
    relabel_configs: [{action: labeldrop, regex: gone}]
  - {job_name: other, static_configs: [{targets: ['ADDRESS']}]}
"""
        with agent(self.folder, name="target", config="host: {enabled: false}\n") as target:
            text = text.replace("ADDRESS", target.address)
            with agent(self.folder, config=text) as running:
                found = get(running.url + "/api/v1/targets").json()["data"]["activeTargets"]
                self.assertEqual([(t["labels"]["job"], t["labels"].get("zone")) for t in found],
                                 [("sonde-agent", None), ("twice", "a"), ("twice", "b"), ("other", None)])
                self.assertIn("targets that are there twice are scraped once", running.log())
                self.assertIn(f"job twice: http://{target.address}/metrics", running.log())
                said = running.log().count("are there twice")
                self.assertEqual(send(running.url + "/-/reload", b"", method="POST").status, 200)
                self.assertEqual(running.log().count("are there twice"), said)  # it is no news
            path = self.write(text)
            status, out, _ = sonde("check", "config", path)
            self.assertEqual(status, 0)
            self.assertIn(f"{path}: targets that are there twice are scraped once: 2, the first of job twice: ", out)

    def test_global_limits(self):
        """What global says holds for jobs that say nothing."""
        text = """
global: {scrape_interval: 200ms, label_limit: 3, body_size_limit: 1KiB}
host: {enabled: false}
scrape_configs:
  - {job_name: own, label_limit: 30, body_size_limit: 1MiB, static_configs: [{targets: ['ADDRESS']}]}
  - {job_name: global, static_configs: [{targets: ['ADDRESS']}]}
"""
        with agent(self.folder, name="target", config="host: {enabled: false}\n") as target, \
                agent(self.folder, config=text.replace("ADDRESS", target.address)) as running:
            def health():
                found = get(running.url + "/api/v1/targets").json()["data"]["activeTargets"]
                return {t["scrapePool"]: (t["health"], t["lastError"]) for t in found}
            wait_until(lambda: health()["own"][0] == "up" and health()["global"][0] == "down", 30, "both scrapes")
            self.assertIn("larger than", health()["global"][1])

    def test_dry_run(self):
        path = self.write(JOB)
        self.assertEqual(sonde("check", "relabel", path), (0, STATIC, ""))
        self.assertEqual(sonde("check", "relabel", path, "--job", "web", "--labels", '{__address__="a:1",__meta_x="y"}',
                               "--series", 'rpc_bucket{le="1",job="j"}'), (0, SERIES, ""))
        for words, said in ((["--job", "nobody"], "there is no job nobody in the file"),
                            (["--labels", '{a=~"b"}'], "flag --labels: labels have values: a="),
                            (["--labels", "{"], "flag --labels: "),
                            (["--labels", '{a="b"}', "--agent", "http://x"], "--labels and --agent exclude"),
                            (["--agent", "http://127.0.0.1:1"], "127.0.0.1:1")):
            status, out, error = sonde("check", "relabel", path, *words)
            self.assertEqual((status, out), (1, ""))
            self.assertIn(said, error)

    def test_running_agent(self):
        """With what an agent has discovered, a rule that is not in force yet is tried out."""
        path = self.write(json.dumps([{"targets": ["10.0.0.1:1", "10.0.0.2:2"], "labels": {"tier": "x"}}]), "sd.json")
        text = f"""
global: {{scrape_interval: 1h}}
host: {{enabled: false}}
scrape_configs:
  - job_name: files
    file_sd_configs: [{{files: ['{path}']}}]
    relabel_configs: [{{source_labels: [__address__], regex: '.*:2', action: drop}}]
"""
        with agent(self.folder, config=text) as running:
            wait_until(lambda: len(get(running.url + "/api/v1/targets").json()["data"]["droppedTargets"]) == 1,
                       30, "the targets")
            planned = self.write(text.replace("action: drop", "target_label: two"))
            status, out, error = sonde("check", "relabel", planned, "--agent", running.url)
            self.assertEqual((status, error), (0, ""))
            self.assertIn(f'{{__address__="10.0.0.1:1", __meta_filepath="{path}", ', out)
            self.assertIn('1 replace [__address__] =~ ".*:2" -> two = "$1"\n'.replace(' = "$1"', ''), out)
            self.assertIn('{instance="10.0.0.2:2", job="files", tier="x"}', out)
            self.assertEqual(out.count("job files, target"), 2)  # the agent itself is no job


def main():
    find_program("sonde-agent")
    find_program("sonde")
    return 0 if unittest.main(verbosity=1, exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
