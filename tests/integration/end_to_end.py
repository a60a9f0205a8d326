#!/usr/bin/env python3
"""The main job, with real programs: node_exporter -> sonde-agent -> sonde-server -> a query.

    end_to_end.py [--prometheus]     with --prometheus it takes the server's place: what is asked here
                                     is nothing that Prometheus does not give

The agent scrapes node_exporter, its host and itself every two seconds. One step after the other, on the
same processes and data:

  first query        an answer to the CPU query within 30 s; up is 1 everywhere; metadata is there
  server killed      kill -9 in the middle of writes: everything that was answered before is still there
  agent killed       kill -9 while samples wait in its queue: they arrive, nothing but the open batch lost
  server away        20 s without a server: the agent catches up, series have no gap
  target stopped     its series are gone from instant queries within seconds, up is 0
  restart            SIGTERM ends both with status 0; what was stored is still there
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import (Failure, agent, get, node_exporter, prometheus,  # noqa: E402
                      scratch, server, start, wait_until)

INTERVAL = 2.0
# The agent hands a batch to its queue when it is a second old; what was in it dies with the process.
OPEN_BATCH = 1.0
AWAY_SECONDS = 20
CPU_QUERY = '100*(1-avg(rate(node_cpu_seconds_total{mode="idle"}[1m])))'
# One counter of each way in: scraped over HTTP, read from the host, the agent's own.
COUNTERS = [
    'node_cpu_seconds_total{job="exporter",cpu="0",mode="idle"}',
    'node_cpu_seconds_total{job="node",cpu="0",mode="idle"}',
    'agent_intake_samples_total{source="scrape"}',
]
CONFIG = """\
global:
  scrape_interval: {interval}s
host:
  interval: {interval}s
  instance: here
scrape_configs:
  - job_name: exporter
    static_configs:
      - targets: ["127.0.0.1:{port}"]
        labels: {{rack: r1}}
"""


def check(condition, sentence):
    if not condition:
        raise Failure(sentence)


def say(step, began, text=""):
    print(f"{step}: {time.monotonic() - began:.1f} s {text}".rstrip(), flush=True)


# ---- What is stored ------------------------------------------------------------------------------


def raw(store, selector, begin, end):
    """{labels: {time: value}} of the samples in (begin, end), as text so that nothing is rounded."""
    seconds = int(end - begin) + 1
    found = {}
    for series in store.query(f"{selector}[{seconds}s]", time=f"{end:.3f}"):
        key = tuple(sorted(series["metric"].items()))
        found[key] = {t: v for t, v in series["values"] if begin < t < end}
    return found


def times(store, selector, begin, end):
    series = [samples for samples in raw(store, selector, begin, end).values() if samples]
    check(len(series) == 1, f"{selector}: {len(series)} series in [{begin}, {end}], expected 1")
    return sorted(series[0])


def check_no_gap(store, selector, begin, end, longest):
    """No two neighbouring samples, and no edge, further apart than `longest` seconds."""
    at = [begin] + times(store, selector, begin, end) + [end]
    gap, where = max((b - a, a) for a, b in zip(at, at[1:]))
    check(gap <= longest, f"{selector}: a gap of {gap:.2f} s after {where:.3f}, at most {longest:.2f} s "
                          f"expected; samples at {['%.2f' % t for t in at]}")
    return gap


def newest(store):
    """The least of the newest sample times of the three counters; 0 while one has none."""
    found = [store.value(f"max(timestamp({selector}))") for selector in COUNTERS]
    return min(t or 0 for t in found)


def wait_current(store, seconds):
    """Until the store has, of each counter, a sample taken from now on."""
    now = time.time()
    wait_until(lambda: newest(store) > now, seconds, "samples of the present in the store")


def queued(shipper):
    """Samples that wait in the agent's queue, by its own /metrics."""
    for line in get(shipper.url + "/metrics").text.splitlines():
        if line.startswith("agent_queue_samples "):
            return float(line.split()[1])
    raise Failure("the agent's /metrics has no agent_queue_samples")


# ---- Steps ---------------------------------------------------------------------------------------


def first_query(exporter, store, shipper):
    began = time.monotonic()
    percent = wait_until(lambda: store.value(CPU_QUERY), 30, CPU_QUERY)
    check(0 <= percent <= 100, f"{CPU_QUERY} gives {percent}")
    seconds = time.monotonic() - began
    wait_until(lambda: len(store.query("up == 1")) == 3, 30, "three targets up")
    expected = {("sonde-agent", "here"), ("node", "here"), ("exporter", f"127.0.0.1:{exporter.port}")}
    up = {(s["metric"]["job"], s["metric"]["instance"]) for s in store.query("up == 1")}
    check(up == expected, f"up is 1 for {sorted(up)}, expected {sorted(expected)}")
    check(store.value('up{job="exporter"}') == 1 and store.query('up{rack="r1"}'), "a label of the target is lost")

    targets = get(shipper.url + "/api/v1/targets").json()["data"]["activeTargets"]
    health = {t["labels"]["job"]: (t["health"], t["lastError"]) for t in targets}
    check(health == {job: ("up", "") for job, _ in expected}, f"the agent says of its targets: {health}")

    # Prometheus keeps no metadata that comes by remote write.
    entries = [{"type": "counter", "help": "-"}] if store.name == "prometheus" else wait_until(lambda: store.api("metadata", metric="node_cpu_seconds_total").get("node_cpu_seconds_total"),
                         90, "metadata of node_cpu_seconds_total")
    check(entries[0]["type"] == "counter" and entries[0]["help"], f"metadata: {entries}")
    say("first query", began, f"({CPU_QUERY} = {percent:.1f} after {seconds:.1f} s)")


def server_killed(store):
    began = time.monotonic()
    wait_current(store, 30)
    begin, end = time.time() - 60, time.time()
    before = raw(store, '{__name__=~".+"}', begin, end)
    store.kill()
    store.start()
    after = raw(store, '{__name__=~".+"}', begin, end)
    lost = [(key, t) for key, samples in before.items() for t, v in samples.items()
            if after.get(key, {}).get(t) != v]
    check(not lost, f"{len(lost)} samples lost or changed by kill -9, the first {lost[:1]}")
    count = sum(len(samples) for samples in before.values())
    wait_current(store, 30)
    say("server killed", began, f"({len(before)} series, {count} samples, none lost)")


def agent_killed(store, shipper):
    began = time.monotonic()
    wait_current(store, 30)
    begin = time.time()
    store.kill()
    time.sleep(4 * INTERVAL)
    waiting = queued(shipper)
    check(waiting > 0, "nothing waits in the agent's queue while the server is away")
    killed = time.time()
    shipper.kill()
    store.start()
    shipper.start()
    started = time.time()
    time.sleep(3 * INTERVAL)
    wait_current(store, 60)
    end = time.time() - INTERVAL
    for selector in COUNTERS:
        last = max(t for t in times(store, selector, begin - INTERVAL, killed))
        check(killed - last <= INTERVAL + OPEN_BATCH + 1,
              f"{selector}: the last sample from before the kill is {killed - last:.2f} s older than it")
        check_no_gap(store, selector, begin, killed - (INTERVAL + OPEN_BATCH), 2 * INTERVAL - 0.1)
        check_no_gap(store, selector, started + INTERVAL, end, 2 * INTERVAL - 0.1)
    say("agent killed", began, f"({waiting:.0f} samples were waiting in its queue)")


def server_away(store, shipper):
    began = time.monotonic()
    wait_current(store, 30)
    begin = time.time() - INTERVAL
    store.kill()
    time.sleep(AWAY_SECONDS)
    check(queued(shipper) > 0, "nothing waits in the agent's queue while the server is away")
    store.start()
    back = time.monotonic()
    wait_current(store, 60)
    caught_up = time.monotonic() - back
    wait_until(lambda: queued(shipper) == 0, 30, "the agent's queue is empty")
    end = time.time() - INTERVAL
    gaps = [check_no_gap(store, selector, begin, end, 2 * INTERVAL - 0.1) for selector in COUNTERS]
    falls = store.value(f"resets({COUNTERS[0]}[{AWAY_SECONDS * 2}s])")
    check(falls == 0, f"the counter falls {falls} times")
    dropped = store.value("sum(agent_remote_dropped_samples_total)")
    check(dropped == 0, f"the agent dropped {dropped} samples")
    say("server away", began, f"(caught up {caught_up:.1f} s after it was back, longest gap {max(gaps):.2f} s)")


def target_stopped(exporter, store):
    began = time.monotonic()
    selector = 'count({job="exporter",__name__=~"node_.+"})'
    check(store.value(selector), f"{selector} gives nothing before the target is stopped")
    exporter.stop()
    stopped = time.monotonic()
    wait_until(lambda: store.value(selector) is None, 5 * INTERVAL + 10, "the stopped target's series end")
    check(store.value('up{job="exporter"}') == 0, "up of the stopped target is not 0")
    check(store.query(f"{COUNTERS[0]}[5m]"), "the past of the stopped target is gone as well")
    check(store.value(f"count({COUNTERS[1]})") == 1, "series of another target ended as well")
    say("target stopped", began, f"(its series ended after {time.monotonic() - stopped:.1f} s)")


def restart(store, shipper):
    began = time.monotonic()
    wait_current_of_host(store)
    shipper.stop()
    begin, end = time.time() - 300, time.time()
    before = raw(store, COUNTERS[1], begin, end)
    store.stop()
    store.start()
    after = raw(store, COUNTERS[1], begin, end)
    check(before and before == after, "the answer changed over an orderly restart: "
          f"{sum(map(len, before.values()))} samples before, {sum(map(len, after.values()))} after")
    say("restart", began)


def wait_current_of_host(store):
    now = time.time()
    wait_until(lambda: (store.value(f"timestamp({COUNTERS[1]})") or 0) > now, 30, "samples of the host")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prometheus", action="store_true", help="instead of sonde-server")
    make_store = prometheus if parser.parse_args().prometheus else server
    with scratch() as folder, node_exporter(folder) as exporter, make_store(folder) as store:
        config = CONFIG.format(interval=int(INTERVAL), port=exporter.port)
        with agent(folder, config=config, servers=[store.url]) as shipper:
            first_query(exporter, store, shipper)
            server_killed(store)
            agent_killed(store, shipper)
            server_away(store, shipper)
            target_stopped(exporter, store)
            restart(store, shipper)
    return 0


if __name__ == "__main__":
    start(main)
