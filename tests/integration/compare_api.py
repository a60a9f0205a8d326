#!/usr/bin/env python3
"""The rest of the HTTP API beside a real Prometheus: the same requests about the same samples, compared by
status, errorType, and the shape of what is answered (keys and kinds of values), and by value where both must
say the same.
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import Failure, prometheus, scratch, send, server, start  # noqa: E402

NOW = int(time.time())
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# (method, path, form): answers must be equal but for times.
SAME = [
    ("GET", "query?query=1%2B1&time=4", None),
    ("POST", "query", "query=up&time={now}"),
    ("GET", "query?query=up&time={now}&timeout=5s", None),
    ("GET", "query_range?query=up&start={then}&end={now}&step=15", None),
    ("GET", "query_range?query=up&start={then}&end={now}&step=15s", None),
    ("GET", "series?match[]=up&start={then}&end={now}", None),
    ("POST", "series", "match[]=up&match[]=load&start={then}&end={now}"),
    ("GET", "labels", None),
    ("POST", "labels", "match[]=load&start={then}&end={now}"),
    ("GET", "label/job/values", None),
    ("GET", "label/job/values?match[]=load", None),
    ("GET", "label/none/values", None),
    ("GET", "format_query?query=sum(rate(up[5m]))by(job)", None),
    ("POST", "format_query", "query=a%2Bb"),
    ("GET", "query_exemplars?query=up&start={then}&end={now}", None),
    ("GET", "rules", None),
    ("GET", "rules?type=alert", None),
    ("GET", "alerts", None),
    ("GET", "alertmanagers", None),
    ("GET", "targets?state=active", None),
    ("GET", "targets/metadata", None),
    ("GET", "metadata?metric=nothing", None),
    ("GET", "metadata?limit=0", None),
    ("GET", "scrape_pools", None),
    ("GET", "rules?type=record", None),
    # Of a parameter in form and target the form's counts; of match[] both do.
    ("POST", "query?query=up&time={now}", "query=load"),
    ("POST", "series?match[]=up&start={then}", "match[]=load"),
    ("GET", "query?query=load&query=up&time={now}", None),
    # Nothing was between the end and a later start.
    ("GET", "labels?start=9&end=1", None),
    ("GET", "label/job/values?start=9&end=1", None),
    ("GET", "series?match[]=up&start=9&end=1", None),
    ("GET", "query?query=up&time=2020-01-01T00:00:00Z", None),
    ("GET", "query?query=up&time=-5", None),
    ("GET", "query?query=load&lookback_delta=1ms&time={now}", None),
    ("GET", "query_range?query=load&start={then}&end={now}&step=60&lookback_delta=1s", None),
    ("GET", "query_range?query=1&start=0&end=10.5&step=0.5", None),
    ("GET", "query_range?query=1&start=1&end=1&step=1", None),
    ("GET", "query_range?query=1&start=0&end=10&step=1e-1", None),
    ("GET", "query?query=up&time={now}&timeout=9223372036", None),
    ("GET", "query_range?query=1&start=0&end=10&step=9223372036", None),
    ("GET", "query_range?query=1&start=0&end=0.01&step=0.0015", None),
]

# What both refuse: status and errorType must be equal.
REFUSED = [
    ("GET", "query?query=", None),
    ("GET", "query?query=sum(", None),
    ("GET", "query?query=up&time=x", None),
    ("GET", "query?query=up&timeout=x", None),
    ("GET", "query_range?query=up&start=1&end=0&step=1", None),
    ("GET", "query_range?query=up&start=0&end=1&step=0", None),
    ("GET", "query_range?query=up&start=0&end=100000&step=1", None),
    ("GET", "query_range?query=up&start=0&end=1", None),
    ("GET", "query_range?query=up[5m]&start=0&end=1&step=1", None),
    ("GET", "query?query=up%2Bon(nothing)up&time={now}", None),
    ("GET", "series", None),
    ("GET", "series?match[]={{", None),
    ("GET", "series?match[]=up&start=x", None),
    ("GET", "labels?match[]={{", None),
    ("GET", "label/job/values?match[]={{", None),
    ("GET", "format_query?query=(", None),
    ("GET", "query_exemplars?query=(", None),
    ("GET", "metadata?limit=x", None),
    ("GET", "query", None),
    ("GET", "query?time={now}", None),
    ("GET", "query_range", None),
    ("GET", "query_exemplars", None),
    ("GET", "format_query", None),
    ("GET", "query?query=1&timeout=-1s", None),
    ("GET", "query_range?query=1&start=0&end=10&step=-1", None),
    ("GET", "query_range?query=1&start=0&end=10&step=x", None),
    ("GET", "query_range?query=1&start=x&end=10&step=1", None),
    ("GET", "query_range?query=1&start=0&end=x&step=1", None),
    ("GET", 'query_range?query="a"&start=0&end=10&step=1', None),
    ("GET", "query_exemplars?query=up&start=5&end=1", None),
    ("GET", "query_exemplars?query=up&start=x", None),
    ("GET", "series?match[]={{}}", None),
    ("GET", "series?match[]=", None),
    ("GET", "series?match[]=up[5m]", None),
    ("GET", "label/job/values?start=x", None),
    ("GET", "labels?match[]=", None),
    ("GET", "query?query=up;up", None),
    ("GET", "query?query=up%00", None),
    ("GET", "query?query=%FF", None),
    ("GET", "targets/metadata?limit=x", None),
    ("GET", "targets/metadata?match_target={{", None),
    ("POST", "query", "query=%zz"),
    # No time at all is over at once, but not before the query is read.
    ("GET", "query?query=up&timeout=0", None),
    ("GET", "query?query=up&timeout=0s", None),
    ("GET", "query?query=up&timeout=-1", None),
    ("GET", "query?query=up&timeout=1e-10", None),
    ("GET", "query_range?query=up&start=0&end=10&step=5&timeout=0", None),
    ("GET", "query?query=(&timeout=0", None),
    ("GET", "query?query=up&timeout=9223372037", None),
]

# (method, path): the status alone. Nothing of ours but HEAD is answered where they refuse.
STATUSES = [(method, path) for method in ("PUT", "DELETE", "PATCH", "OPTIONS")
            for path in ("query", "query_range", "labels", "label/job/values", "metadata", "rules", "targets",
                         "status/config", "write", "read", "nothing", "status/nothing", "label/a/b")]
STATUSES += [("POST", path) for path in ("label/job/values", "metadata", "rules", "alerts", "targets", "status/config",
                                         "nothing")]
STATUSES += [("GET", path) for path in ("write", "read", "admin/tsdb/snapshot", "nothing", "status/nothing")]

# Keys that both must have, of `data`; values are each program's own.
SHAPES = {
    "status/buildinfo": ["version", "revision", "branch", "buildUser", "buildDate", "goVersion"],
    "status/runtimeinfo": ["startTime", "CWD", "reloadConfigSuccess", "lastConfigTime", "corruptionCount",
                           "goroutineCount", "GOMAXPROCS", "GOGC", "GODEBUG", "storageRetention"],
    "status/config": ["yaml"],
    "status/walreplay": ["min", "max", "current"],
    "status/tsdb": ["headStats", "seriesCountByMetricName", "labelValueCountByLabelName",
                    "memoryInBytesByLabelName", "seriesCountByLabelValuePair"],
}


def load():
    times = [(NOW - 600 + 15 * i) * 1000 for i in range(41)]
    return [({"__name__": "up", "job": "node", "instance": "a"}, [(t, 1.0) for t in times]),
            ({"__name__": "up", "job": "db", "instance": "b"}, [(t, 0.0) for t in times]),
            ({"__name__": "load", "job": "node"}, [(t, 0.25) for t in times])]


def ask(program, method, path, form):
    path = path.format(now=NOW, then=NOW - 300)
    body = form.format(now=NOW, then=NOW - 300).encode() if form is not None else None
    answer = send(f"{program.url}/api/v1/{path}", body, FORM if body else {}, method)
    return answer.status, json.loads(answer.text)


def in_order(value):
    """Vectors have no order of their own."""
    result = value.get("data", {}).get("result") if isinstance(value.get("data"), dict) else None
    if isinstance(result, list) and result and isinstance(result[0], dict):
        result.sort(key=lambda one: sorted(one["metric"].items()))
    return value


def compare(ours, theirs):
    wrong = []
    for request in SAME:
        one, two = ask(ours, *request), ask(theirs, *request)
        one[1].pop("infos", None)  # Prometheus 2 has none
        # Prometheus 3 counts dropped targets by pool; the key is newer than 2.42.
        if isinstance(one[1].get("data"), dict) and "droppedTargetCounts" in one[1]["data"]:
            one[1]["data"].pop("droppedTargetCounts")
            two[1]["data"].pop("droppedTargetCounts", None)
        if (one[0], in_order(one[1])) != (two[0], in_order(two[1])):
            wrong.append(f"{request}:\n  ours   {one}\n  theirs {two}")
    for request in REFUSED:
        one, two = ask(ours, *request), ask(theirs, *request)
        if (one[0], one[1].get("errorType")) != (two[0], two[1].get("errorType")):
            wrong.append(f"{request}:\n  ours   {one}\n  theirs {two}")
    for method, path in STATUSES:
        one, two = (send(f"{program.url}/api/v1/{path}", None, {}, method).status for program in (ours, theirs))
        if one != two:
            wrong.append(f"{method} {path}: ours {one}, theirs {two}")
    for path, keys in SHAPES.items():
        for program in (ours, theirs):
            status, answer = ask(program, "GET", path, None)
            missing = [key for key in keys if key not in answer["data"]]
            kinds = {key: type(answer["data"].get(key)).__name__ for key in keys}
            if program is ours:
                own = kinds
            if status != 200 or missing:
                wrong.append(f"{program.name} {path}: {status}, without {missing}")
        if own != kinds:
            wrong.append(f"{path}: kinds of values\n  ours   {own}\n  theirs {kinds}")
    return wrong


def main():
    with scratch() as folder, server(folder) as ours, prometheus(folder) as theirs:
        for program in (ours, theirs):
            status, text, _ = remote_write.write(program.address, load())
            if status // 100 != 2:
                raise Failure(f"{program.name}: {status} {text}")
        wrong = compare(ours, theirs)
        if wrong:
            raise Failure("\n".join(wrong))
        print(f"{len(SAME)} answers, {len(REFUSED)} refusals, {len(STATUSES)} statuses and {len(SHAPES)} shapes are the same")
    return 0


if __name__ == "__main__":
    start(main)
