#!/usr/bin/env python3
"""Evaluates the same 1000 alerting rules over the same 100 000 series in Prometheus and in Sonde, beside each
other, and prints the time of one evaluation of the group in both, and the ratio.

    SONDE_BIN=build/release/bin python3 tests/bench/bench_rules.py [--rules N] [--series N]

Both tell the time themselves, at /metrics; the median of the evaluations of half a minute counts. A third
of the rules compare a value, a third a rate, a third a sum of rates; one in fifty fires.
"""

import argparse
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import get, prometheus, scratch, server, start, wait_until, write_file  # noqa: E402

INTERVAL = 5
SAMPLES = 9  # of each series, 15 seconds apart
PIECE = 5000  # series of one message
EVALUATIONS = 6


def rule(i):
    selector = f'requests_total{{job="job-{i}"}}'
    limit = 0 if i % 50 == 0 else 1e12
    expr = [f"{selector} > {limit}", f"rate({selector}[1m]) > {limit}",
            f"sum by (job) (rate({selector}[1m])) > {limit}"][i % 3]
    return (f"  - alert: Rule{i}\n    expr: {expr}\n    for: 1m\n    labels: {{severity: page}}\n"
            "    annotations: {summary: '{{ $labels.job }} has {{ $value }}'}\n")


def rule_file(folder, rules):
    text = f"groups:\n- name: bench\n  interval: {INTERVAL}s\n  rules:\n" + "".join(map(rule, range(rules)))
    return write_file(os.path.join(folder, "rules.yml"), text)


def load(programs, rules, series):
    now = int(time.time() * 1000)
    times = [now - 15000 * k for k in reversed(range(SAMPLES))]
    batch = []
    for n in range(series):
        labels = {"__name__": "requests_total", "job": f"job-{n % rules}", "instance": f"host-{n // rules}:9100",
                  "code": "200"}
        batch.append((labels, [(t, n + k * 7.0) for k, t in enumerate(times)]))
        if len(batch) == PIECE or n == series - 1:
            for program in programs:
                answer = remote_write.write(program.url.split("//")[1], batch)
                assert answer[0] in (200, 204), answer
            batch = []


def evaluation(program, prefix):
    """(when, how long) of the last evaluation."""
    found = {}
    for line in get(program.url + "/metrics").text.splitlines():
        for name in ("last_evaluation_timestamp_seconds", "last_duration_seconds"):
            if line.startswith(f"{prefix}_rule_group_{name}{{"):
                found[name] = float(line.split()[-1])
    return found["last_evaluation_timestamp_seconds"], found["last_duration_seconds"]


def measure(programs):
    """The durations of evaluations that begin from now on, by program."""
    seen = {prefix: {evaluation(program, prefix)[0]: None} for program, prefix in programs}
    while any(len(times) <= EVALUATIONS + 1 for times in seen.values()):
        time.sleep(0.3)
        for program, prefix in programs:
            when, took = evaluation(program, prefix)
            seen[prefix].setdefault(when, took)
    # The first is the one that was there, the second may still have met the load.
    return [list(times.values())[2:] for times in seen.values()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, default=1000)
    parser.add_argument("--series", type=int, default=100000)
    options = parser.parse_args()
    with scratch() as folder:
        path = rule_file(folder, options.rules)
        ours = server(folder, flags=["--rules", path])
        theirs = prometheus(folder)
        write_file(os.path.join(folder, "prometheus.yaml"), f"global: {{}}\nrule_files: ['{path}']\n")
        with theirs, ours:
            load([ours, theirs], options.rules, options.series)
            alerts = lambda program: len(program.api("alerts")["alerts"])
            wait_until(lambda: alerts(ours) == alerts(theirs) > 0, 60, "the same alerts in both")
            mine, other = (statistics.median(times)
                           for times in measure([(ours, "sonde"), (theirs, "prometheus")]))
            print(f"{options.rules} alerting rules over {options.series} series, {alerts(ours)} alerts: "
                  f"Sonde {mine * 1000:.1f} ms, Prometheus {other * 1000:.1f} ms, ratio {mine / other:.3f}")
    return 0


if __name__ == "__main__":
    start(main)
