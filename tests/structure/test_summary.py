#!/usr/bin/env python3
"""The closing lines of a test run: what ctest's JUnit file says comes out as counts and reasons."""

import contextlib
import io
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import summary

# Status, extra elements and output of a case as ctest 3.25 writes them, and the line expected.
CASES = [
    ("run", "", "fine", None),
    ("fail", '<failure message=""/>', "one\nlast words\n", "failed: case1: last words"),
    ("fail", '<failure message=""/>', "", "failed: case2: no output: a crash or the time limit"),
    ("notrun", '<skipped message="SKIP_RETURN_CODE=77"/>', "no corpus\n", "skipped: case3: no corpus"),
    ("notrun", '<skipped message="Unable to find executable"/>', "Unable to find executable: x",
     "failed: case4: Unable to find executable: x"),
]


def summarize(report):
    """Exit status and printed lines for the text of a report, or for none at all."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as printed:
        path = os.path.join(folder, "tests.xml")
        if report is not None:
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(report)
        return summary.main(path), printed.getvalue().splitlines()


def report_of(cases):
    return "<testsuite>" + "".join(
        f'<testcase name="case{i}" status="{status}">{extra}<system-out>{output}</system-out></testcase>'
        for i, (status, extra, output, _) in enumerate(cases)) + "</testsuite>"


class Summary(unittest.TestCase):
    def test_counts_and_reasons(self):
        status, lines = summarize(report_of(CASES))
        self.assertEqual(lines, [c[3] for c in CASES if c[3]] + ["1 passed, 3 failed, 1 skipped"])
        self.assertEqual(status, 1)

    def test_passed_run(self):
        self.assertEqual(summarize(report_of(CASES[:1])), (0, ["1 passed, 0 failed, 0 skipped"]))

    def test_no_run_is_a_failure(self):
        for report in (None, "<testsuite>", "<testsuite/>"):
            status, lines = summarize(report)
            self.assertEqual((status, lines[-1]), (1, "0 passed, 1 failed, 0 skipped"))


if __name__ == "__main__":
    unittest.main()
