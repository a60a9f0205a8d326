#!/usr/bin/env python3
"""Runs an outside corpus of PromQL test scripts against sonde-server.

The corpus is a folder with a runner, promqltest.py, and its scripts in promqltest/. It is not part of
this tree: the environment variable SONDE_CONFORMANCE names it, else ../shared/conformance beside the
checkout is taken. Without it, or without the server, the test is skipped (77).

  known_failures.txt   cases that fail today, one `file:line: query` each; any other failure fails here
  passing.txt          how many cases passed when it was recorded; fewer fail here

docs/compatibility.md lists the cases that are skipped, by script and line; it must list just those.

usage: conformance.py [--record]    with --record both files are written anew from this run
"""

import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
KNOWN_FAILURES = os.path.join(HERE, "known_failures.txt")
COMPATIBILITY = os.path.join(ROOT, "docs/compatibility.md")
PASSING = os.path.join(HERE, "passing.txt")
SKIP = 77


def skip(reason):
    print(reason)
    sys.exit(SKIP)


def find_corpus():
    folder = os.environ.get("SONDE_CONFORMANCE") or os.path.join(ROOT, "../shared/conformance")
    if not os.path.isfile(os.path.join(folder, "promqltest.py")):
        skip("no PromQL corpus: set SONDE_CONFORMANCE to a folder with promqltest.py and promqltest/")
    return folder


def find_server():
    server = os.path.join(os.environ.get("SONDE_BIN", os.path.join(ROOT, "build/release/bin")), "sonde-server")
    if not os.access(server, os.X_OK):
        skip(f"no server yet: {os.path.relpath(server, ROOT)}")
    return server


def run_corpus(corpus, server):
    """The runner's report: totals, and every eval with its status."""
    command = f"{server} --data {{dir}} --listen 127.0.0.1:{{port}} --enable-feature all --retention 200y"
    with tempfile.TemporaryDirectory(prefix="sonde-conformance-") as folder:
        report = os.path.join(folder, "report.json")
        subprocess.run([sys.executable, "-B", os.path.join(corpus, "promqltest.py"), "--server", command,
                        "--work-dir", folder, "--json", report, os.path.join(corpus, "promqltest")],
                       check=False, stdin=subprocess.DEVNULL)
        if not os.path.exists(report):
            print("the runner wrote no report")
            sys.exit(1)
        with open(report, encoding="utf-8") as handle:
            return json.load(handle)


def name_of(case):
    return " ".join(f"{case['file']}:{case['line']}: {case['eval']}".split())


def read_lines(path):
    """The lines of a small text file that are not remarks."""
    with open(path, encoding="utf-8") as handle:
        return [line.strip() for line in handle if line.strip() and line[0] != "#"]


def documented_skips():
    """{(script, line)} of the table in docs/compatibility.md."""
    with open(COMPATIBILITY, encoding="utf-8") as handle:
        rows = [line.split("|") for line in handle if re.match(r"\| *\S+\.test *\|", line)]
    return {(row[1].strip(), int(number)) for row in rows for number in row[2].split(",")}


def record(failures, passed):
    for path, lines in ((KNOWN_FAILURES, sorted(failures)), (PASSING, [str(passed)])):
        with open(path, encoding="utf-8") as handle:
            remarks = [line for line in handle if line[0] == "#"]
        with open(path, "w", encoding="utf-8") as handle:
            handle.writelines(remarks + [line + "\n" for line in lines])


def main(options):
    report = run_corpus(find_corpus(), find_server())
    failures = {name_of(c): c.get("reason", "") for c in report["evals"] if c["status"] == "failed"}
    passed = report["totals"]["passed"]
    if "--record" in options:
        record(failures, passed)
        return 0
    known, floor = set(read_lines(KNOWN_FAILURES)), int(read_lines(PASSING)[0])
    fresh = sorted(set(failures) - known)
    for name in fresh:
        print(f"new failure: {name}\n    {failures[name]}")
    for name in sorted(known - set(failures)):
        print(f"passes now, take it out of known_failures.txt: {name}")
    for problem in report["server_problems"]:
        print(f"server problem: {problem}")
    skipped = {(c["file"], c["line"]) for c in report["evals"] if c["status"] == "skipped"}
    documented = documented_skips()
    for script, line in sorted(skipped ^ documented):
        print(f"{script}:{line}: " + ("is skipped and not in docs/compatibility.md" if (script, line) in skipped
                                      else "is in docs/compatibility.md and not skipped"))
    if passed < floor:
        print(f"{passed} cases pass; {floor} did when passing.txt was written")
    return 1 if fresh or passed < floor or skipped != documented or report["server_problems"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
