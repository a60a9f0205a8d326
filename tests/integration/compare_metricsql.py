#!/usr/bin/env python3
"""Asks sonde-server, with the feature metricsql, and VictoriaMetrics the same questions of MetricsQL about the
same samples, value by value.

    compare_metricsql.py [--verbose]

Ranges and selectors mean what they mean in Prometheus here, and a little else in VictoriaMetrics: a sample
counts until the next but one step, not for five minutes; windows reach back to the sample before them. So
samples lie on every step, and windows cover whole steps. Names of metrics stay after some functions there and
go here, as in Prometheus: names are left out of the comparison. What VictoriaMetrics 1.79 does not have or has
mended since (sum_gt_over_time, range_normalize, range_stddev, range_trim_spikes, keep_metric_names behind operators, the ends of interpolate) is in
tests/promql/metricsql.test; which series limit_offset chooses is a matter of its hash there.
"""
import argparse
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import compare_prometheus as compare  # noqa: E402
import remote_write  # noqa: E402
from programs import Failure, Program, find_peer, free_port, post, scratch, server, start, wait_until  # noqa: E402

STEP = 15
STEPS = 60

QUESTIONS = [
    # Gaps
    'gappy default 5',
    'gappy default other',
    'gappy default sum(full)',
    'nothing default 7',
    'full default 1',
    'gappy default other default 3',
    'gappy if other > 0',
    'full ifnot gappy',
    'full if gappy ifnot (gappy > 50)',
    'keep_last_value(gappy)',
    'keep_next_value(gappy)',
    # All steps
    'range_avg(full)',
    'range_sum(gappy)',
    'range_min(full)',
    'range_max(full)',
    'range_first(gappy)',
    'range_last(gappy)',
    'range_median(full)',
    'range_min(gappy)',
    'range_median(gappy)',
    'range_quantile(0.9, gappy)',
    'running_sum(gappy)',
    'running_max(gappy)',
    'range_quantile(0.3, full)',
    'running_sum(full)',
    'running_avg(full)',
    'running_min(full)',
    'running_max(full)',
    'smooth_exponential(full, 0.3)',
    'smooth_exponential(gappy, 0.3)',
    'remove_resets(counter)',
    # Labels and series
    'label_set(full, "new", "a$1b", "odd", "")',
    'label_del(full, "odd", "nothing")',
    'label_copy(full, "i", "copy", "nothing", "copy2")',
    'alias(full, "renamed")',
    'label_move(full, "i", "moved", "nothing", "odd")',
    'label_keep(full, "i", "nothing")',
    'label_lowercase(label_set(full, "odd", "Abc-D"), "odd", "nothing")',
    'label_uppercase(label_set(full, "odd", "Abc-D"), "odd")',
    'label_map(full, "i", "1", "2", "2", "1", "7", "x")',
    'label_map(full, "nothing", "", "something")',
    'label_match(full, "i", "1|3")',
    'label_match(full, "nothing", "")',
    'label_mismatch(full, "i", "1|3")',
    'label_transform(full, "i", "[0-2]", "<$0>")',
    'label_transform(label_set(full, "odd", "a-b-c"), "odd", "-(.)", "+$1$1")',
    'label_value(full, "i")',
    'label_value(gappy, "i")',
    'label_value(full, "nothing")',
    'union(full{i="1"}, gappy, full{i="3"})',
    'count(union(full, gappy, other, full)) by (i)',
    'union(sum(full), sum(gappy))',
    '(sum(full), sum(other) by (odd), full)',
    # Numbers
    'bitmap_and(other, 5)',
    'bitmap_or(other, 8)',
    'bitmap_xor(full, 3)',
    # Buckets
    'histogram_share(0.3, buckets)',
    'histogram_share(1, buckets)',
    'histogram_share(100, buckets)',
    'histogram_share(0.05, sum(buckets) by (le))',
    'buckets_limit(4, buckets)',
    'buckets_limit(1, buckets)',
    'buckets_limit(100, buckets)',
    'sum(buckets_limit(5, sum(buckets) by (le))) by (le)',
    'prometheus_buckets(ranges)',
    'prometheus_buckets(buckets)',
    'buckets_limit(3, ranges)',
    'histogram_quantile(0.9, prometheus_buckets(ranges))',
    'count(limit_offset(2, 1, full))',
    'count(limit_offset(2, 3, full))',
    # Windows
    'aggr_over_time(("min_over_time", "max_over_time", "distinct_over_time"), full[1m])',
    'aggr_over_time("sum_over_time", gappy[1m])',
    'default_rollup(gappy[1m])',
    'median_over_time(full[1m]) keep_metric_names',
    'share_gt_over_time(full[1m], 50)',
    'share_le_over_time(full[1m], 50)',
    'count_gt_over_time(full[1m], 50)',
    'count_le_over_time(full[1m], 50)',
    'count_eq_over_time(full[2m], 8)',
    'count_ne_over_time(full[2m], 8)',
    'distinct_over_time(full[2m])',
    'quantiles_over_time("phi", 0.1, 0.5, full[1m]) keep_metric_names',
    'rate_over_sum(full[1m])',
    'geomean_over_time(full[1m] offset 15s)',
    'range_over_time(full[1m])',
    'sum2_over_time(full[1m])',
    'zscore_over_time(full[1m])',
    'lag(full[1m])',
    'scrape_interval(full[1m])',
    'rollup(full[1m])',
    'tfirst_over_time(full[1m])',
    'tlast_over_time(full[1m])',
    # There the sample before the window counts, too, or the one behind it.
    ('ascent_over_time(full[75s])', 'ascent_over_time(full[1m])'),
    ('descent_over_time(full[75s])', 'descent_over_time(full[1m])'),
    ('increases_over_time(full[75s])', 'increases_over_time(full[1m])'),
    ('decreases_over_time(full[75s])', 'decreases_over_time(full[1m])'),
    ('lifetime(full[75s])', 'lifetime(full[1m])'),
    ('integrate(full[75s])', 'integrate(full[1m])'),
    ('rollup_rate(counter[75s] offset -15s)', 'rollup_rate(counter[1m])'),
    ('rollup_increase(counter[75s] offset -15s)', 'rollup_increase(counter[1m])'),
    ('rollup_delta(full[75s] offset -15s)', 'rollup_delta(full[1m])'),
    ('rollup_deriv(full[75s] offset -15s)', 'rollup_deriv(full[1m])'),
    ('rollup_scrape_interval(full[75s])', 'rollup_scrape_interval(full[1m])'),
    ('rollup_candlestick(full[1m])', 'rollup_candlestick(full[1m])'),
    # Aggregates
    'median(full)',
    'median(full) by (odd)',
    'quantiles("phi", 0.25, 0.75, full)',
    'quantiles("phi", 0.25, 0.75, full) by (odd)',
    'topk_avg(2, full)',
    'topk_avg(1, full) by (odd)',
    'bottomk_avg(2, full)',
    'topk_median(2, full)',
    'bottomk_median(1, gappy)',
    'topk_last(2, full)',
    'bottomk_last(2, full)',
    'topk_max(1, full * 1000 + gappy)',
    'bottomk_max(1, full * 1000 + gappy)',
    'topk_min(1, full * 1000 + gappy)',
    'bottomk_min(1, full * 1000 + gappy)',
    'count(any(full) by (odd))',
    'distinct(full > bool 50)',
    'distinct(full > bool 50) by (odd)',
    'distinct(full > bool 50) without (i)',
    'geomean(full + 1) by (odd)',
    'mad(full) by (odd)',
    'mad(full) without (i)',
    'mad(full)',
    'count(sum(full) by (i) limit 3)',
    'sum2(full) by (odd)',
    'sum2(full - 50)',
    'zscore(full)',
    'zscore(full) by (odd)',
    # Templates
    'WITH (one = {i="1"}, f(a, b) = a{one} + b{one}) f(full, other)',
    'WITH (w = 1m, s(m) = sum(max_over_time(m)) by (odd)) s(full[1m]) / s(full{i!="1"}[1m])',
    'WITH (x = 2, y = x + 1) full * y - x',
    'WITH (v = "1") full{i=v} + on () group_left () count(full)',
    # Names
    'abs(full) keep_metric_names',
]


def victoria(folder):
    port = free_port()
    command = [find_peer("victoria-metrics"), f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=100y",
               f"-storageDataPath={os.path.join(folder, 'victoria')}", "-loggerLevel=ERROR",
               "-search.latencyOffset=0s", "-search.disableCache"]
    return Program("victoria-metrics", command, port, os.path.join(folder, "victoria.log"),
                   ready_path="/health", ours=False)


def made_up_series(chance, times):
    def add(name, values, **labels):
        labels["__name__"] = name
        return labels, [(t, float(v)) for t, v in zip(times, values) if v is not None]

    all_series = []
    for i in range(4):
        # No two series share a value, a mean or a median: which of equals is chosen would be anyone's guess.
        values = [4 * chance.randrange(25) + i / 1024 for _ in times]
        gaps = [None if 10 < k < 22 or k > 52 or k % 17 == i else v for k, v in enumerate(values)]
        labels = {"i": str(i), "odd": str(i % 2)}
        all_series += [add("full", values, **labels), add("gappy", gaps, **labels)]
        count = chance.randrange(1000)
        counter = [count := chance.randrange(3) if chance.random() < 0.1 else count + 100 + chance.randrange(99)
                   for _ in times]
        all_series.append(add("counter", counter, **labels))
        if i != 2:
            all_series.append(add("other", [chance.randrange(9) for _ in times], **labels))
        for k, le in enumerate(("0.1", "0.2", "0.5", "1", "2", "5", "10", "+Inf")):
            total = [chance.randrange(40) + 50 * k * (i + 1) for _ in times]
            all_series.append(add("buckets", total, le=le, **labels))
        for begin, end in (("0", "1.0e-01"), ("1.0e-01", "1.5e-01"), ("3.0e-01", "4.0e-01"), ("4.0e-01", "7.0e-01")):
            all_series.append(add("ranges", [chance.randrange(9) for _ in times], vmrange=f"{begin}...{end}", **labels))
    return all_series


def named_less(data):
    """Without metric names: both keep or drop them by rules of their own."""
    for series in data["result"]:
        series["metric"].pop("__name__", None)
    return data


def without_step(data, t):
    """Nothing lies behind the last step there."""
    for series in data["result"]:
        series["values"] = [v for v in series["values"] if v[0] != t]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verbose", action="store_true", help="print each question and the number of its values")
    arguments = parser.parse_args()
    seed = int(os.environ.get("SONDE_SEED") or random.randrange(1 << 32))
    print(f"seed {seed}")
    failed = values = 0
    with scratch() as folder, victoria(folder) as theirs, server(
            folder, flags=("--enable-feature", "metricsql", "--query.lookback-delta", f"{STEP}s")) as ours:
        end = int(time.time()) // STEP * STEP - 600
        begin = end - (STEPS - 1) * STEP
        samples = made_up_series(random.Random(seed), range(begin * 1000, end * 1000 + 1, STEP * 1000))
        for store in (ours, theirs):
            status, text, _ = remote_write.write(store.address, samples)
            if status // 100 != 2:
                raise Failure(f"{store.name} refuses the samples: {status} {text}")
        wait_until(lambda: theirs.query("count(full)", time=end), 30, "samples in VictoriaMetrics")
        for question in QUESTIONS:
            form = {"start": begin + 20 * STEP, "end": end, "step": f"{STEP}s", "nocache": "1",
                    "max_lookback": f"{STEP}s"}
            asked = question if isinstance(question, tuple) else (question, question)
            a, b = (post(f"{s.url}/api/v1/query_range", dict(form, query=query))
                    for s, query in zip((ours, theirs), asked))
            if a.status != 200 or b.status != 200:
                differences = [f"{a.status} {a.text[:200]}, VictoriaMetrics {b.status} {b.text[:200]}"]
            else:
                a, b = (named_less(x.json()["data"]) for x in (a, b))
                if asked[0] != asked[1]:
                    without_step(a, end), without_step(b, end)
                differences = list(compare.compare_results(a, b, False, 1e-9, 1e-12))
                values += sum(len(s["values"]) for s in b["result"])
                if arguments.verbose:
                    print(f"{sum(len(s['values']) for s in b['result']):5} {question}")
            if differences:
                failed += 1
                print(f"DIFFERS {question}")
                for line in differences[:6]:
                    print(f"    {line.replace('Prometheus', 'VictoriaMetrics')}")
    print(f"{len(QUESTIONS)} questions, {values} values compared, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    start(main)
