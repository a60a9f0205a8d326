#!/usr/bin/env python3
"""sonde test rules beside promtool test rules: the same files, good and failing ones, must get the same verdict, for
the same alerts and expressions. What the installed promtool is too old for has its verdict written beside it."""

import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import Skip, find_peer, find_program, scratch, start, write_file  # noqa: E402
from sonde_process import run_cases  # noqa: E402

RULES = """
groups:
- name: second
  rules:
  - {record: 'job:load:twice', expr: 'job:load:sum * 2'}
- name: first
  rules:
  - {record: 'job:load:sum', expr: 'sum by (job) (load)'}
  - {record: 'load:rate', expr: 'rate(load[2m])', labels: {kind: rate}}
- name: alerts
  interval: 7m
  rules:
  - alert: Down
    expr: up == 0
    for: 5m
    labels: {severity: '{{ if eq $labels.job "api" }}page{{ else }}ticket{{ end }}'}
    annotations:
      summary: '{{ $labels.instance }} of {{ $labels.job }} has {{ $value }}'
      where: '{{ $externalLabels.region }} {{ $externalURL }}'
  - {alert: Kept, expr: up == 0, keep_firing_for: 3m}
  - {alert: Counted, expr: 'count(ALERTS{alertname="Down", alertstate="firing"}) > 1'}
  - {alert: Gone, expr: 'absent(up{job="web"})'}
"""
BROKEN = """
groups:
- {name: broken, rules: [{record: 'twins', expr: 'load', labels: {instance: same, job: same}}]}
"""
TEMPLATE = """
groups:
- {name: broken, rules: [{alert: A, expr: load, annotations: {a: '{{ $labels.x'}}]}
"""
EXPRESSION = "groups: [{name: broken, rules: [{record: a, expr: 'sum('}]}]"

INPUT = """
  input_series:
  - {series: 'up{job="api",instance="a"}', values: '1 1 0x10 1x10'}
  - {series: 'up{job="db",instance="b"}', values: '1x5 _x5 stale 0x20'}
  - {series: 'load{job="api",instance="a"}', values: '0+10x30'}
  - {series: 'load{job="api",instance="b"}', values: '100-2.5x30'}
  - {series: 'load{job="db",instance="b"}', values: '-1 0.5 1e3 Inf NaN 7 8'}
"""


def case(tests, rules="rules.yml", head="evaluation_interval: 1m"):
    return f"rule_files: [{rules}]\n{head}\ntests:\n{tests}"


def one(checks, interval="1m", more=""):
    return f"- interval: {interval}\n{more}{INPUT}{checks}\n"


def alert(time, name, *expected):
    return f"  alert_rule_test: [{{eval_time: {time}, alertname: {name}, exp_alerts: [{', '.join(expected)}]}}]"


def ask(time, expr, *expected):
    samples = ", ".join(f"{{labels: '{labels}', value: {value}}}" for labels, value in expected)
    return f"  promql_expr_test: [{{eval_time: {time}, expr: '{expr}', exp_samples: [{samples}]}}]"


DOWN = ("{exp_labels: {severity: page, job: api, instance: a}, exp_annotations: "
        "{summary: 'a of api has 0', where: '%s'}}")
EXTERNAL = '  external_labels: {region: north}\n  external_url: "http://host:1/p"\n'

# Name, file, whether promtool passes it.
CASES = [
    ("alert fires", case(one(alert("7m", "Down", DOWN % "north http://host:1/p"), more=EXTERNAL)), True),
    ("alert without the world outside", case(one(alert("7m", "Down", DOWN % " "))), True),
    ("alert is still pending", case(one(alert("6m", "Down", DOWN % " "))), False),
    ("nothing fires yet", case(one(alert("6m59s", "Down"))), True),
    ("another annotation", case(one(alert("7m", "Down", DOWN % "elsewhere"))), False),
    ("another label", case(one(alert("7m", "Down", (DOWN % " ").replace("page", "ticket")))), False),
    ("one alert too many", case(one(alert("7m", "Down", DOWN % " ", DOWN % " "))), False),
    ("alerts where none are expected", case(one(alert("8m", "Down"))), False),
    ("kept firing", case(one(alert("14m", "Kept", "{exp_labels: {job: api, instance: a}}",
                                   "{exp_labels: {job: db, instance: b}}"))), True),
    ("a name that no rule has", case(one(alert("8m", "Nobody"))), True),
    ("a name that no rule has, expected", case(one(alert("8m", "Nobody", "{exp_labels: {a: b}}"))), False),
    ("alert upon alerts", case(one(alert("20m", "Counted"))), True),
    ("absent", case(one(alert("1m", "Gone", "{exp_labels: {job: web}}"))), True),
    ("no name", case(one("  alert_rule_test: [{eval_time: 5m}]")), False),
    ("alerts as series", case(one(ask("4m", 'ALERTS{job="api",alertname="Down"}', (
        'ALERTS{alertname="Down",alertstate="pending",instance="a",job="api",severity="page"}', 1)))), True),
    ("since when", case(one(ask("4m", 'ALERTS_FOR_STATE{job="api",alertname="Down"}', (
        'ALERTS_FOR_STATE{alertname="Down",instance="a",job="api",severity="page"}', 120)))), True),
    ("recorded", case(one(ask("4m", 'job:load:sum{job="api"}', ('job:load:sum{job="api"}', 130)))), True),
    ("recorded, another value", case(one(ask("4m", 'job:load:sum{job="api"}', ('job:load:sum{job="api"}', 131)))), False),
    ("groups out of order", case(one(ask("4m", 'job:load:twice{job="api"}', ('job:load:twice{job="api"}', 260))),
                                 head="group_eval_order: [alerts, first, second]"), True),
    ("groups in the wrong order", case(one(ask("4m", 'job:load:twice{job="api"}', ('job:load:twice{job="api"}', 260))),
                                       head="group_eval_order: [alerts, second, first]"), False),
    ("an order that names a group twice", case(one(""), head="group_eval_order: [first, first]"), False),
    ("rates", case(one(ask("4m", 'load:rate{instance="a"}', ('load:rate{job="api",instance="a",kind="rate"}',
                                                             "0.16666666666666666")))), True),
    ("a value is missing", case(one(ask("4m", "load"))), False),
    ("stale", case(one(ask("11m", 'up{job="db"}'))), True),
    ("infinite", case(one(ask("3m", 'load{job="db"}', ('load{job="db",instance="b"}', ".inf")))), True),
    ("between two evaluations", case(one(ask("90s", 'load{job="api"}', ('load{job="api",instance="a"}', 20),
                                             ('load{job="api",instance="b"}', 95)), interval="30s")), True),
    ("what is loaded after the last evaluation", case(one(ask("90s", 'load{instance="a"}', (
        'load{job="api",instance="a"}', 30)), interval="30s")), False),
    ("what is to come", case(one(ask("2m", 'load{instance="a"} offset -2m', ('load{job="api",instance="a"}', 40)))), False),
    ("scalar", case(one(ask("2m", "1 + 2", ("{}", 3)))), True),
    ("range", case(one(ask("2m", "up[1m]"))), False),
    ("no expression", case(one(ask("2m", "sum("))), False),
    ("subquery", case(one(ask("5m30s", 'count_over_time(up{job="api"}[4m:])', ('{job="api",instance="a"}', 4)))), True),
    ("subquery at the interval of evaluation", case(one(
        ask("6m30s", 'count_over_time(up{job="api"}[5m:])', ('{job="api",instance="a"}', 3))),
        head="evaluation_interval: 2m"), True),
    ("a rule that fails", case(one(ask("2m", "1", ("{}", 1))), rules="broken.yml"), False),
    ("a template that does not parse", case(one(""), rules="template.yml"), False),
    ("an expression that does not parse", case(one(""), rules="expression.yml"), False),
    ("a file that is not there", case(one(ask("2m", "1", ("{}", 1))), rules="nowhere.yml"), True),
    ("patterns", case(one(ask("4m", "job:load:sum > 1", ('job:load:sum{job="api"}', 130))), rules="'rul*.yml'"), None),
    ("no file of rules", "tests:\n" + one(ask("2m", "2", ("{}", 2))), True),
    ("an unknown field", case(one(ask("2m", "1", ("{}", 1)), more="  expects: nothing\n")), False),
    ("bad values", "tests:\n- {interval: 1m, input_series: [{series: a, values: '1 2 3x'}]}", False),
    ("bad gaps", "tests:\n- {interval: 1m, input_series: [{series: a, values: '1 _x 3'}]}", False),
    ("bad series", "tests:\n- {interval: 1m, input_series: [{series: 'a{', values: '1'}]}", False),
    ("bad labels", "tests:\n- {interval: 1m, promql_expr_test: [{expr: '1', exp_samples: [{labels: 'a{', value: 1}]}]}", False),
    ("two tests, the second fails", "tests:\n" + one(ask("2m", "1", ("{}", 1))) + one(ask("2m", "1", ("{}", 2))), False),
    ("stores are apart", "tests:\n- {interval: 1m, input_series: [{series: a, values: '1'}]}\n"
     "- {interval: 1m, promql_expr_test: [{expr: a}]}", True),
    ("nothing", "", True),
    ("no YAML", "tests: [", False),
]

# What came after the installed promtool.
HISTOGRAM = """
tests:
- interval: 1m
  input_series: [{series: h, values: '{{schema:0 count:4 sum:5 buckets:[1 2 1]}}+{{schema:0 count:1 sum:1 buckets:[0 1]}}x3'}]
  promql_expr_test:
  - {expr: h, eval_time: 2m, exp_samples: [{labels: h, histogram: '%s'}]}
"""
FUZZY = """
fuzzy_compare: %s
tests: [{promql_expr_test: [{expr: '0.1 + 0.2', exp_samples: [{value: 0.3}]}]}]
"""
START = """
tests:
- start_timestamp: %s
  input_series: [{series: a, values: '1 2 3'}]
  promql_expr_test:
  - {expr: 'time() + a', eval_time: 2m, exp_samples: [{labels: '{}', value: %d}]}
"""
NEWER = [
    ("histogram", HISTOGRAM % "{{schema:0 count:6 sum:7 buckets:[1 4 1]}}", True),
    ("histogram, a bucket differs", HISTOGRAM % "{{schema:0 count:6 sum:7 buckets:[1 3 2]}}", False),
    ("histogram, another sum", HISTOGRAM % "{{schema:0 count:6 sum:8 buckets:[1 4 1]}}", False),
    ("histogram, a float is expected", HISTOGRAM % "", False),
    ("fuzzy", FUZZY % "true", True),
    ("not fuzzy", FUZZY % "false", False),
    ("start in seconds", START % (1700000000, 1700000123), True),
    ("start as a date", START % ("2023-11-14T22:13:20Z", 1700000123), True),
    ("another start", START % (1700000060, 1700000123), False),
    ("a start that is no time", START % ("soon", 1), False),
]


def run(program, path):
    done = subprocess.run([find_program("sonde") if program == "sonde" else find_peer(program), "test", "rules", path],
                          text=True, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr


def findings(text):
    """What differs: of which alert or expression, at which time."""
    return sorted(re.findall(r"(?:alertname|expr|rule): (.*?), time: ([0-9hms]+?)(?:0s)?[, ]", text.replace("m0s", "m")))


class RuleTests(unittest.TestCase):
    def verdicts(self, cases, check):
        with scratch() as folder:
            for name, text in (("rules.yml", RULES), ("broken.yml", BROKEN), ("template.yml", TEMPLATE),
                               ("expression.yml", EXPRESSION)):
                write_file(os.path.join(folder, name), text)
            for name, text, passes in cases:
                with self.subTest(name):
                    check(write_file(os.path.join(folder, "test.yml"), text), passes)

    def test_as_promtool(self):
        try:
            find_peer("promtool")
        except Skip as e:
            self.skipTest(str(e))

        def check(path, passes):
            expected, got = run("promtool", path), run("sonde", path)
            if passes is not None:
                self.assertEqual(expected[0], 0 if passes else 1, expected)
            self.assertEqual(got[0], expected[0], (expected, got))
            self.assertEqual(findings(got[2]), findings(expected[2]), (expected, got))
            self.assertEqual(got[1].rstrip(), expected[1].rstrip())

        self.verdicts(CASES, check)

    def test_newer(self):
        def check(path, passes):
            got = run("sonde", path)
            self.assertEqual(got[0], 0 if passes else 1, got)
            self.assertEqual("SUCCESS" in got[1], passes)
            self.assertEqual("FAILED" in got[2], not passes)

        self.verdicts(NEWER, check)

    def test_several_files(self):
        with scratch() as folder:
            good = write_file(os.path.join(folder, "good.yml"), "tests: []\n")
            bad = write_file(os.path.join(folder, "bad.yml"), FUZZY % "false")
            done = subprocess.run([find_program("sonde"), "test", "rules", good, bad, good], text=True, timeout=60,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": folder})
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stdout.count("SUCCESS"), 2)
            self.assertIn("exp: {} 0.3\n        got: {} 0.30000000000000004\n", done.stderr)
            self.assertEqual(sorted(os.listdir(folder)), ["bad.yml", "good.yml"])  # stores are gone
            done = subprocess.run([find_program("sonde"), "test", "rules"], timeout=60, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    start(run_cases)
