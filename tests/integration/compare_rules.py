#!/usr/bin/env python3
"""The same rule files over the same samples in Prometheus and in Sonde: recorded series, alerts with labels,
annotations and values, ALERTS and rules as the API shows them must be the same.

Both evaluate by their own clocks, so samples stand still in each phase until both have seen them.
"""

import json
import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import Failure, prometheus, scratch, server, start, wait_until, write_file  # noqa: E402

RULES = """
groups:
- name: record
  interval: 1s
  rules:
  - {record: 'job:up:sum', expr: 'sum by (job) (up)'}
  - {record: 'job:up:share', expr: 'job:up:sum / count by (job) (up)', labels: {team: shop, zone: ''}}
  - {record: 'all:load:quantile', expr: 'quantile(0.9, load)', labels: {instance: all}}
  - {record: 'load:plain', expr: 'load * 2', labels: {zone: ''}}
  - {record: 'bad:twins', expr: 'load', labels: {instance: same, zone: ''}}
  - {record: 'one', expr: '1'}
- name: limited
  interval: 1s
  limit: 2
  rules:
  - {record: 'limited:load', expr: 'load'}
  - {record: 'limited:sum', expr: 'sum(load)'}
- name: alert
  interval: 1s
  rules:
  - alert: Down
    expr: up == 0
    labels: {severity: '{{ if eq $labels.job "api" }}page{{ else }}ticket{{ end }}', fixed: text}
    annotations:
      summary: '{{ $labels.instance }} of {{ .Labels.job | title }} is {{ $value }}'
      broken: '{{ template "nothing" }}'
      query: '{{ with query "sum(load)" }}{{ . | first | value | humanize }}{{ end }}'
      link: '{{ "up == 0" | graphLink }} {{ externalURL }}'
      external: '{{ $externalLabels.region }}{{ range $name, $value := $labels }} {{ $name }}={{ $value }}{{ end }}'
  - {alert: Waiting, expr: 'load > 5', for: 1h}
  - {alert: Kept, expr: 'load > 7', keep_firing_for: 1h, annotations: {value: '{{ $value | printf "%.3f" }}'}}
  - {alert: Counted, expr: 'count(ALERTS{alertname="Down"}) > 1'}
"""

PHASES = [
    {("api", "a"): (1, 3.25), ("api", "b"): (1, 6.5), ("db", "a"): (1, 9)},
    {("api", "a"): (0, 3.25), ("api", "b"): (0, 8), ("db", "a"): (1, 1e9)},
    {("api", "a"): (0, 1), ("api", "b"): (1, 2), ("db", "a"): (0, -7.125)},
    {("api", "a"): (1, 1), ("db", "a"): (1, 2)},
]


def samples(phase, now):
    out = []
    for (job, instance), (up, load) in phase.items():
        labels = {"job": job, "instance": instance, "zone": "eu"}
        out.append(({"__name__": "up", **labels}, [(now, up)]))
        out.append(({"__name__": "load", **labels}, [(now, load)]))
    return out


def ends(before, phase, now):
    """Stale markers of what a phase has no more."""
    stale = struct.unpack("<d", (0x7FF0000000000002).to_bytes(8, "little"))[0]
    gone = {key: value for key, value in before.items() if key not in phase}
    return [(labels, [(now, stale)]) for labels, _ in samples(gone, now)]


def alerts_of(program):
    found = []
    for alert in program.api("alerts")["alerts"]:
        found.append({key: alert[key] for key in ("labels", "annotations", "state", "value")})
    return sorted(found, key=json.dumps)


def rules_of(program):
    found = []
    for group in program.api("rules")["groups"]:
        for rule in group["rules"]:
            shown = {key: rule.get(key) for key in ("name", "query", "labels", "annotations", "type", "duration",
                                                    "health", "state", "lastError")}
            shown["labels"] = shown["labels"] or {}  # Prometheus 2 leaves it out when there are none
            if shown["state"] == "unknown":
                shown["state"] = "inactive"  # Prometheus 2 has no word for it
            found.append((group["name"], group["interval"], group["limit"], shown))
    return sorted(found, key=json.dumps)


def series_of(program):
    names = "job:up:.*|all:.*|load:.*|bad:.*|one|limited:.*|ALERTS"
    result = program.api("query", query='{__name__=~"' + names + '"}')["result"]
    return sorted(((element["metric"], element["value"][1]) for element in result), key=json.dumps)


def with_url(program, found):
    """Links lead to each program's own address."""
    return json.loads(json.dumps(found).replace(program.url, "http://server"))


def compare(ours, theirs, what):
    """Waits until both say the same, and the same twice, since one may be an evaluation ahead."""
    last = {}

    def same():
        last["ours"], last["theirs"] = (with_url(p, what(p)) for p in (ours, theirs))
        return last["ours"] == last["theirs"]

    try:
        wait_until(same, 20, what.__name__)
    except Failure:
        mine = [item for item in last["ours"] if item not in last["theirs"]]
        other = [item for item in last["theirs"] if item not in last["ours"]]
        raise Failure(f"{what.__name__}\n  only ours:   {mine}\n  only theirs: {other}") from None
    return len(last["ours"])


def main():
    with scratch() as folder:
        path = write_file(os.path.join(folder, "rules.yml"), RULES)
        mine = write_file(os.path.join(folder, "our.yaml"), "evaluation: {external_labels: {region: north}}\n"
                          f"rules: ['{path}']\n")
        ours = server(folder, flags=["--config", mine])
        theirs = prometheus(folder)
        write_file(os.path.join(folder, "prometheus.yaml"),
                   "global: {external_labels: {region: north}}\n" f"rule_files: ['{path}']\n")
        ours.command += ["--web.external-url", ours.url]
        theirs.command += ["--web.external-url", theirs.url]
        with theirs, ours:
            before, counted = {}, 0
            for phase in PHASES:
                now = int(time.time() * 1000)
                for program in (ours, theirs):
                    status = remote_write.write(program.url.split("//")[1],
                                                samples(phase, now) + ends(before, phase, now))[0]
                    if status not in (200, 204):
                        raise Failure(f"{program.name} answered {status}")
                time.sleep(2.2)  # two evaluations: rules of one group read what another records
                for what in (alerts_of, series_of, rules_of):
                    counted += compare(ours, theirs, what)
                before = phase
            print(f"{counted} alerts, series and rules in {len(PHASES)} phases are the same")
    return 0


if __name__ == "__main__":
    start(main)
