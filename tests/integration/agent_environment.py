#!/usr/bin/env python3
"""Values of the environment in the agent's file: %{NAME} anywhere, $NAME in external labels."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import agent, find_program, get, scratch, start, wait_until  # noqa: E402

CONFIG = """
global: {external_labels: {zone: "${SONDE_TEST_ZONE}-$SONDE_TEST_UNSET$$1"}}
host: {job: "%{SONDE_TEST_JOB}", interval: 200ms, collectors: [no-all, loadavg]}
remote_write: [{url: "http://127.0.0.1:1/%{SONDE_TEST_JOB}"}]
"""


class Environment(unittest.TestCase):
    def test_values(self):
        os.environ["SONDE_TEST_ZONE"] = "north"
        os.environ["SONDE_TEST_JOB"] = "machines"
        folder = scratch()
        self.addCleanup(folder.cleanup)
        with agent(folder.name, config=CONFIG) as running:
            def jobs():
                targets = get(running.url + "/api/v1/targets").json()["data"]["activeTargets"]
                return sorted(t["labels"]["job"] for t in targets)

            self.assertEqual(wait_until(jobs, 20, "targets"), ["machines", "sonde-agent"])
            self.assertIn('destination="127_0_0_1_1_machines"', get(running.url + "/metrics").text)
            wait_until(lambda: self.queued(folder.name), 20, "samples in the queue")

    def queued(self, folder):
        """The label stands in the queue, under snappy, whose first literals are plain."""
        text = subprocess.run(["grep", "-rac", "north-$1", folder], capture_output=True, text=True, check=False).stdout
        return any(not line.endswith(":0") for line in text.splitlines())


def main():
    find_program("sonde-agent")
    return 0 if unittest.main(argv=[sys.argv[0], "-v"], exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    start(main)
