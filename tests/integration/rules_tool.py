#!/usr/bin/env python3
"""sonde check rules and sonde rules backfill, as people call them. What backfilling finds is worked out by hand."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import find_program, scratch, start, write_file  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402

BEGIN = 1700000040  # a whole minute
RULES = """
groups:
- name: past
  interval: 1m
  rules:
  - {record: 'load:twice', expr: 'load * 2'}
  - alert: High
    expr: load:twice > 10
    for: 2m
    keep_firing_for: 3m
    annotations: {summary: '{{ $value }}'}
"""
# Minute by minute.
LOAD = [1, 6, 6, 6, 6, 1, 1, 6, 1, 1, 1, 1, 1, 6, 1, 1]


def sonde(*arguments):
    done = subprocess.run([find_program("sonde"), *arguments], text=True, timeout=60, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr


class RulesTool(unittest.TestCase):
    def test_check(self):
        with scratch() as folder:
            good = write_file(os.path.join(folder, "good.yml"), RULES)
            self.assertEqual(sonde("check", "rules", good), (0, f"{good}: good, 2 rules\n", ""))
            twins = write_file(os.path.join(folder, "twins.yml"),
                               "groups:\n- name: g\n  rules:\n  - {record: a, expr: x}\n  - {record: a, expr: y}\n")
            status, text, _ = sonde("check", "rules", good, twins)
            self.assertEqual(status, 0)
            self.assertIn(f'{twins}:5: warning: "a" is there twice in group "g"', text)
            bad = write_file(os.path.join(folder, "bad.yml"),
                             "groups:\n- name: g\n  rules:\n  - {record: a, expr: '('}\n  - {alert: b}\n")
            status, text, _ = sonde("check", "rules", bad, good)
            self.assertEqual(status, 1)
            self.assertIn(f"{bad}:4:23: could not parse expression", text)
            self.assertIn(f"{bad}:5:5: field 'expr' must be set", text)
            self.assertIn(f"{good}: good", text)
            texts = write_file(os.path.join(folder, "texts.yml"), "groups:\n- name: g\n  rules:\n"
                               "  - alert: A\n    expr: x\n    labels: {team: '{{ $labels.team'}\n"
                               "  - alert: B\n    expr: x\n    annotations:\n      good: '{{ $value }}'\n"
                               "      bad: '{{ nothing 1 }}'\n"
                               "  - {record: c, expr: x, labels: {plain: '{{ kept'}}\n")
            status, text, _ = sonde("check", "rules", texts)
            self.assertEqual(status, 1)
            self.assertIn(f'{texts}:6:20: labels "team": could not parse template: template: __alert_A:1', text)
            self.assertIn(f'{texts}:11:12: annotations "bad": could not parse template', text)
            self.assertIn('function "nothing" not defined', text)
            self.assertEqual(text.count("could not parse"), 2)
            self.assertEqual(sonde("check", "rules", "/nowhere.yml")[0], 1)
            self.assertEqual(sonde("check", "rules")[0], 2)

    def replay(self, server, path, *flags):
        status, text, error = sonde("rules", "backfill", "--data", server.data, "--start", str(BEGIN),
                                    "--end", str(BEGIN + 60 * len(LOAD)), *flags, path)
        self.assertEqual((status, error), (0, ""))
        return text.splitlines()

    def test_backfill(self):
        """Whatever the second of the group's evaluations, each sees the sample of its minute: a for of two
        minutes fires at the third minute above, 3 (of 0 to 15); true last at 7, since the miss at 5 was kept;
        missed from 8 on, so it ends with the first evaluation three minutes later, 11; above once more at 13 is
        not long enough."""
        with Server("--retention", "0") as server:
            path = write_file(os.path.join(server.folder, "rules.yml"), RULES)
            samples = [((BEGIN + 60 * minute) * 1000, float(value)) for minute, value in enumerate(LOAD)]
            self.assertEqual(remote_write.write(server.address, [({"__name__": "load"}, samples)])[0], 204)
            self.assertEqual(server.stop(), 0)
            dry = self.replay(server, path, "--dry-run")
            self.assertIn("nothing was written", dry[-1])
            found = self.replay(server, path)
            self.assertEqual(found[:-1], dry[:-1])
            self.assertEqual([line.split()[1:] for line in found[:-1]],
                             [["firing", '{alertname="High"}'], ["resolved", '{alertname="High"}']])
            minutes = [int(line[14:16]) for line in found[:-1]]
            begin_minute = BEGIN // 60 % 60
            self.assertEqual([(minute - begin_minute) % 60 for minute in minutes], [3, 11])
            server.start()
            at = BEGIN + 60 * 5 - 1
            firing = server.query('ALERTS{alertstate="firing"}', at)
            self.assertEqual([element["metric"]["alertname"] for element in firing], ["High"])
            self.assertEqual([e["value"][1] for e in server.query("load:twice", at)], ["12"])
            self.assertEqual(server.query("ALERTS", BEGIN + 60 * 13 - 1), [])


if __name__ == "__main__":
    start(run_cases)
