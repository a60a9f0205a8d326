#!/usr/bin/env python3
"""The closing lines of a test run, from the JUnit file that ctest wrote.

Names what failed, why something was skipped (the last line the test printed before it ended with
77), and ends with the line "N passed, N failed, N skipped". Exit status 1 when anything failed or
nothing was run.
"""

import sys
import xml.etree.ElementTree as xml


def verdict(case):
    """passed, failed or skipped, and for the latter two the reason."""
    if case.get("status") == "run":
        return "passed", ""
    output = (case.findtext("system-out") or "").strip()
    last_line = output.splitlines()[-1] if output else "no output: a crash or the time limit"
    skipped = case.find("skipped")
    if skipped is not None and skipped.get("message", "").startswith("SKIP_"):
        return "skipped", last_line
    return "failed", last_line


def main(path):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        cases = list(xml.parse(path).getroot().iter("testcase"))
    except (OSError, xml.ParseError) as error:
        print(f"no test report: {error}")
        cases = []
    for case in sorted(cases, key=lambda c: c.get("name")):
        kind, reason = verdict(case)
        counts[kind] += 1
        if kind != "passed":
            print(f"{kind}: {case.get('name')}: {reason}")
    if not cases:
        counts["failed"] = 1
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
