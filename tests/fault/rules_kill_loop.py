#!/usr/bin/env python3
"""kill -9 at random moments while rules are evaluated each second, beside a twin that nobody kills.

Both read the same files from the same path, so that their evaluations are due at the same times. Each round
the samples change, and at a random moment after that one is killed and started again. What it showed before
the kill it must show after it, active since the same time; and when both have evaluated what there is, their
alerts must be the same.

    rules_kill_loop.py [--kills N] [--seed S]
"""

import argparse
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import Failure, scratch, server, start, wait_until, write_file  # noqa: E402

RULES = """
groups:
- name: g
  interval: 1s
  rules:
  - {record: 'load:twice', expr: 'load * 2'}
  - {alert: AtOnce, expr: 'load:twice > 10'}
  - {alert: Waits, expr: 'load > 5', for: 2s}
  - {alert: WaitsLong, expr: 'load > 5', for: 1h}
  - {alert: Kept, expr: 'load > 5', keep_firing_for: 1h}
  - {alert: WaitsAndKept, expr: 'load > 5', for: 1s, keep_firing_for: 1h, annotations: {v: '{{ $value }}'}}
"""
INSTANCES = 8
RANK = {"pending": 1, "firing": 2}


def alerts(program):
    """By labels: (state, active since, kept since)."""
    return {json.dumps(alert["labels"], sort_keys=True):
            (alert["state"], alert["activeAt"], alert.get("keepFiringSince"))
            for alert in program.api("alerts")["alerts"]}


def write(programs, values):
    now = int(time.time() * 1000)
    series = [({"__name__": "load", "instance": f"i{n}"}, [(now, float(value))]) for n, value in enumerate(values)]
    for program in programs:
        status = remote_write.write(program.url.split("//")[1], series)[0]
        if status != 204:
            raise Failure(f"{program.name} answered {status}")


def check_restart(before, after, steady):
    """Alerts whose samples did not change go on; others may have made the step that was under way."""
    for labels, (state, since, kept) in before.items():
        if json.loads(labels)["instance"] not in steady:
            continue
        now = after.get(labels)
        if now is None:
            raise Failure(f"lost: {labels} {state} since {since}")
        if now[1] != since or RANK[now[0]] < RANK[state] or (kept and now[2] != kept):
            raise Failure(f"changed: {labels} was {(state, since, kept)}, is {now}")


def evaluated_since(program, second):
    """Has an evaluation begun in a second after this one?"""
    return program.api("rules")["groups"][0]["lastEvaluation"][:19] > second


def settled(victim, twin, second):
    """Both have evaluated what was written in that second, and show the same alerts in the same states. Since
    when may differ only where the evaluation was missed in which an alert began."""
    if not (evaluated_since(victim, second) and evaluated_since(twin, second)):
        return False
    mine, other = alerts(victim), alerts(twin)
    return {labels: value[0] for labels, value in mine.items()} == \
        {labels: value[0] for labels, value in other.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    chance = random.Random(options.seed)
    with scratch() as folder:
        path = write_file(os.path.join(folder, "rules.yml"), RULES)
        victim, twin = (server(folder, name, flags=["--rules", path]) for name in ("victim", "twin"))
        with twin, victim:
            values, compared = [1] * INSTANCES, 0
            for _ in range(options.kills):
                changed = chance.sample(range(INSTANCES), chance.randrange(4))
                for n in changed:
                    values[n] = 11 - values[n]
                write([victim, twin], [value if value == 10 else 1 for value in values])
                written = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
                time.sleep(chance.random() * 2.5)
                before = alerts(victim)
                victim.kill()
                victim.start()
                after = alerts(victim)
                steady = {f"i{n}" for n in range(INSTANCES) if n not in changed}
                check_restart(before, after, steady)
                wait_until(lambda: settled(victim, twin, written), 20, "the twin's alerts")
                compared += len(after)
            print(f"{options.kills} kills, {compared} alerts compared")
    return 0


if __name__ == "__main__":
    start(main)
