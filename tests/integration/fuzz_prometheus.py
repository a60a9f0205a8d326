#!/usr/bin/env python3
"""Random expressions, asked of sonde-server and of Prometheus over the same samples.

    fuzz_prometheus.py [--count N] [--long] [--seed N] [--depth N] [--only TEXT]

The samples are those of compare_prometheus.py's history. Each expression is asked once at a time and once
over a range; answers are compared value by value as there. One that differs is made smaller for as long
as the smaller one differs too, and printed; the seed is printed in any case and SONDE_SEED sets it.

What differs by design between Prometheus' releases is named in BY_DESIGN, each with the construct that
shows it and nothing more; what could be avoided, random_promql.py does not make. Sums in another order
differ in the last digits: where an expression can cancel most of them, the tolerance is wider (TOLERANCES).
"""
import argparse
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import compare_prometheus as compare  # noqa: E402
from programs import post, prometheus, scratch, server, start  # noqa: E402
from random_promql import Grammar  # noqa: E402

COUNT, COUNT_LONG = 300, 5000
DEPTH = 4
SHRINKS_MAX = 400

# (pattern of the text, relative, absolute): the first that fits. Deviations and slopes of values of 10^6
# lose twelve digits of a square.
TOLERANCES = [
    (r"std(dev|var)|deriv|predict_linear", 1e-5, 1e-3),
    (r"rate|increase|delta|sum|avg|[-+]", 1e-9, 1e-7),
    (r"", 1e-9, 0.0),
]


def is_filtered_join(text, ours, theirs):
    """Two series of a one-to-one comparison with one signature, of which the comparison drops one."""
    return (re.search(r"(==|!=|[<>]=?)(?! bool)", text) is not None and theirs.status == 200 and
            ours.status == 422 and "multiple matches for labels" in ours.json()["error"])


def is_hyperbolic_edge(text, ours, theirs):
    """Go takes half of exp(x), which is infinite from 709.8 on, where cosh and sinh are finite up to 710.4."""
    return (re.search(r"\b(cosh|sinh)\(", text) is not None and ours.status == 200 and theirs.status == 200 and
            "Inf" in theirs.text and re.search(r"e\+30[78]", ours.text) is not None)


NEVER = (1000, 0)
# (what shows it, Prometheus version from which it agrees, why)
BY_DESIGN = [
    (is_filtered_join, (3, 10), "matches are counted before a comparison drops them, since fill modifiers came"),
    (is_hyperbolic_edge, NEVER, "finite values just below the end of the range"),
]


class Fuzz:
    def __init__(self, ours, theirs, history_end):
        self.ours, self.theirs = ours, theirs
        self.end = history_end
        version = theirs.api("status/buildinfo")["version"]
        self.version = tuple(int(part) for part in version.split("+")[0].split(".")[:2])
        self.refused = self.empty = self.values = self.excluded = 0

    def differences(self, text, count=False):
        """What differs between the answers, as sentences."""
        tolerance = next(rest for pattern, *rest in TOLERANCES if re.search(pattern, text))
        text = text.replace("<at>", f"{self.end - 2000:.3f}")
        found = []
        for path, parameters in (
                ("query", {"time": f"{self.end - 1260:.3f}"}),
                ("query_range", {"start": f"{self.end - 3000:.3f}", "end": f"{self.end + 200:.3f}", "step": "80"})):
            answers = [post(f"{s.url}/api/v1/{path}", dict(parameters, query=text)) for s in (self.ours, self.theirs)]
            a, b = answers
            if any(self.version < below and shows(text, a, b) for shows, below, _ in BY_DESIGN):
                self.excluded += count
                continue
            if a.status != 200 or b.status != 200:
                self.refused += count
                differing = list(compare.compare_errors(a, b))
            else:
                ours, theirs = a.json()["data"], b.json()["data"]
                differing = list(compare.compare_results(ours, theirs, False, *tolerance))
                if count:
                    size = sum(len(compare.samples_of(s)) for s in theirs["result"])
                    self.values += size
                    self.empty += size == 0
            found += [f"{path}: {line}" for line in differing]
        return found

    def shrink(self, expression):
        """The smallest expression found that still differs."""
        tries = 0
        while True:
            for smaller in expression.shrunk():
                tries += 1
                if tries > SHRINKS_MAX:
                    return expression
                if self.differences(str(smaller)):
                    expression = smaller
                    break
            else:
                return expression


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=0, help=f"expressions (default {COUNT})")
    parser.add_argument("--long", action="store_true", help=f"{COUNT_LONG} expressions")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--depth", type=int, default=DEPTH)
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else int(os.environ.get("SONDE_SEED") or
                                                                 random.randrange(1 << 32))
    print(f"seed {seed}", flush=True)
    count = arguments.count or (COUNT_LONG if arguments.long else COUNT)
    chance = random.Random(seed)
    grammar = Grammar(chance)
    failures = 0
    with scratch() as folder, server(folder) as ours, prometheus(folder) as theirs:
        # Samples lie at whole seconds and 217 ms, questions at 500 ms: no range begins on a sample.
        end = int(time.time()) - 120 + 0.5
        compare.send_history([ours, theirs], compare.made_up_series(chance, int(end) * 1000 + 217))
        fuzz = Fuzz(ours, theirs, end)
        asked = 0
        while asked < count and failures < arguments.failures:
            expression = grammar.vector(1 + chance.randrange(arguments.depth))
            asked += 1
            if not fuzz.differences(str(expression), count=True):
                continue
            failures += 1
            smallest = fuzz.shrink(expression)
            print(f"DIFFERS {smallest}\n    from {expression}")
            for line in fuzz.differences(str(smallest))[:6]:
                print(f"    {line}")
            sys.stdout.flush()
    print(f"seed {seed}: {asked} expressions, {fuzz.values} values compared, {fuzz.empty} answers empty, "
          f"{fuzz.refused} refused by both, {fuzz.excluded} differ by design, {failures} otherwise")
    return 1 if failures else 0


if __name__ == "__main__":
    start(main)
