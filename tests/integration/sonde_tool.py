#!/usr/bin/env python3
"""The tool `sonde` against a running server, a store on disk, and mistakes."""

import collections
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import remote_write  # noqa: E402
from programs import find_program, start  # noqa: E402
from sonde_process import Server, run_cases  # noqa: E402
from prometheus_api import NOW, START, STEP, load  # noqa: E402


def sonde(*words):
    """(exit status, standard output, standard error)"""
    done = subprocess.run([find_program("sonde"), *words], text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr


class Tool(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sonde-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def test_help(self):
        status, text, _ = sonde("help")
        self.assertEqual(status, 0)
        for command in ("query", "check config", "backup", "restore", "tsdb verify", "tsdb dump", "tsdb stats",
                        "tsdb import", "tsdb export",
                        "version"):
            self.assertIn(f"  {command}", text)
        self.assertEqual(sonde("--help"), (status, text, ""))
        self.assertEqual(sonde()[0], 2)
        self.assertIn("usage: sonde query", sonde("query", "--help")[1])
        self.assertEqual(sonde("version")[:2], sonde("--version")[:2])

    def test_help_of_a_group(self):
        status, text, error = sonde("help", "trace")
        self.assertEqual((status, error), (0, ""))
        self.assertEqual(re.findall(r"^  (\w+ \w+) ", text, re.M), ["trace get", "trace search", "trace tail"])
        self.assertEqual(sonde("trace", "--help"), (0, text, ""))
        self.assertEqual(sonde("trace"), (2, text, ""))
        for words in (("help", "traces"), ("traces", "--help"), ("traces",)):
            status, text, error = sonde(*words)
            self.assertEqual((status, text), (2, ""), words)
            self.assertIn("sonde: there is no command \"traces", error)

    def test_mistakes(self):
        status, _, error = sonde("querry", "up")
        self.assertEqual((status, error), (2, 'sonde: there is no command "querry up"; sonde help lists them\n'))
        self.assertEqual(sonde("query")[0], 2)
        self.assertEqual(sonde("query", "up", "--end", "1")[0], 2)
        self.assertEqual(sonde("query", "up", "--output", "xml")[0], 2)
        self.assertIn("did you mean --server?", sonde("query", "up", "--sever", "x")[2])
        status, _, error = sonde("query", "up", "--server", "http://127.0.0.1:1")
        self.assertEqual(status, 1)
        self.assertIn("no answer from http://127.0.0.1:1", error)

    def test_transfer_mistakes(self):
        out, data = os.path.join(self.folder, "out"), os.path.join(self.folder, "data")
        status, _, error = sonde("tsdb", "export", out, "--data", "/nowhere")
        self.assertEqual((status, error), (1, "sonde: cannot read /nowhere: not found\n"))
        self.assertIn("is not the folder of a store", sonde("tsdb", "export", out, "--data", self.folder)[2])
        self.assertIn("neither blocks nor a write-ahead log", sonde("tsdb", "import", self.folder, "--data", data)[2])
        for words, sentence in ((("--match", "up{"), "flag --match: 1:4: parse error"),
                                (("--min-time", "noon"), "flag --min-time:"),
                                (("--range", "3h"), "flag --range: blocks have 2h or 24h"),
                                (("--external-label", "a"), 'flag --external-label: "a" is not NAME=VALUE')):
            status, _, error = sonde("tsdb", "export", out, "--data", data, *words)
            self.assertEqual(status, 1)
            self.assertIn(sentence, error)
        with Server() as server:
            for words in (("tsdb", "export", out), ("tsdb", "import", self.folder)):
                status, _, error = sonde(*words, "--data", server.data)
                self.assertEqual(status, 1)
                self.assertIn("in use by", error)

    def test_backup_mistakes(self):
        to = os.path.join(self.folder, "backup")
        with Server() as server:
            url = f"http://{server.address}"
            self.assertEqual(remote_write.write(server.address, load())[0], 204)
            self.assertIn("in use by a server", sonde("backup", to, "--data", server.data)[2])
            status, _, error = sonde("backup", to, "--data", server.data, "--server", url)
            self.assertEqual(status, 1)
            self.assertIn("--web.enable-admin-api", error)
            self.assertFalse(os.path.exists(to))
        with Server("--web.enable-admin-api") as server:
            url = f"http://{server.address}"
            self.assertEqual(remote_write.write(server.address, load())[0], 204)
            status, _, error = sonde("backup", to, "--data", "/nowhere", "--server", url)
            self.assertEqual(status, 1)
            self.assertIn("the server's snapshot is not in /nowhere: name its data folder with --data", error)
            self.assertEqual(sonde("backup", to, "--data", server.data, "--server", url)[0], 0)
            self.assertIn("is not empty", sonde("restore", to, "--data", server.data)[2])
            self.assertIn("is not empty", sonde("backup", to, "--data", server.data, "--server", url)[2])
        status, _, error = sonde("backup", to + "2", "--data", self.folder)
        self.assertIn("is not the folder of a store", error)

    def test_query(self):
        with Server() as server:
            url = f"http://{server.address}"
            self.assertEqual(remote_write.write(server.address, load())[0], 204)
            self.assertEqual(sonde("query", "1+1", "--time", "4", "--server", url), (0, "2 @[4]\n", ""))
            self.assertEqual(
                sonde("query", "temperature", "--time", str(NOW), "--server", url + "/"),
                (0, f'temperature{{"http.status"="ok", job="room"}} => 20.5 @[{NOW}]\n', ""))
            status, text, _ = sonde("query", 'requests_total{code="200"}', "--start", str(START), "--end",
                                    str(START + 2 * STEP), "--step", "15s", "--server", url)
            self.assertEqual(status, 0)
            self.assertEqual(text, 'requests_total{code="200", instance="a:1", job="api"} =>\n'
                             f"0 @[{START}]\n30 @[{START + STEP}]\n60 @[{START + 2 * STEP}]\n")
            status, text, _ = sonde("query", "temperature", "--start", str(NOW - 60), "--server", url)
            self.assertIn(f"20.5 @[{NOW}]", text)
            status, text, _ = sonde("query", "1", "--output", "json", "--server", url)
            self.assertEqual(json.loads(text)["data"]["resultType"], "scalar")
            status, text, _ = sonde("query", "sum(temperature) + 1", "--time", str(NOW), "--explain",
                                    "--server", url)
            steps = [line[59:] for line in text.splitlines()[1:4]]
            self.assertEqual(steps, ["sum(temperature) + 1", "  sum(temperature)", "    temperature"])
            self.assertIn("samples decoded from", text)
            self.assertEqual(sonde("query", "nothing", "--server", url), (0, "", ""))
            status, text, error = sonde("query", "sum(", "--server", url)
            self.assertEqual((status, text), (1, ""))
            self.assertEqual(
                error, 'sonde: bad_data: invalid parameter "query": 1:5: parse error: unclosed left '
                       'parenthesis\n')

    def test_check_config(self):
        path = os.path.join(self.folder, "a.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("storage: {retention: 3d}\n")
        status, text, _ = sonde("check", "config", path)
        self.assertEqual(status, 0)
        self.assertIn("\n  retention: 3d\n", text)
        with open(path, "w", encoding="utf-8") as file:
            file.write("storage: {retention: 3 days}\n")
        status, _, error = sonde("check", "config", path)
        self.assertEqual(status, 1)
        self.assertIn(f"{path}:1:22: retention: expected a duration", error)

    def check_stats(self, data, parts):
        """Bytes add up to those of the files, series and samples to those that were sent."""
        status, text, error = sonde("tsdb", "stats", data)
        self.assertEqual((status, error), (0, ""))
        total = next(line.split() for line in text.splitlines() if line.startswith("all raw parts"))
        self.assertEqual(int(total[3]), sum(os.path.getsize(p) for p in parts))
        names = collections.Counter(dict(labels)["__name__"] for labels, _ in load())
        samples = collections.Counter()
        for labels, values in load():
            samples[dict(labels)["__name__"]] += len(values)
        self.assertEqual(int(total[5]), sum(samples.values()))
        shown = {line.split()[-1]: (int(line.split()[0]), int(line.split()[2]))
                 for line in text.splitlines() if " series " in line and " samples  " in line}
        self.assertEqual(shown, {name: (names[name], samples[name]) for name in names})
        self.assertEqual(sonde("tsdb", "stats", "/nowhere")[0], 1)

    def test_store(self):
        server = Server()
        with server:
            self.assertEqual(remote_write.write(server.address, load())[0], 204)
            self.assertEqual(server.stop(), 0)
            self.assertEqual(sonde("tsdb", "verify", server.data), (0, f"{server.data} is sound.\n", ""))
            status, text, _ = sonde("tsdb", "dump", server.data)
            self.assertEqual(status, 0)
            self.assertNotEqual(text, "")
            parts = [p for p in glob.glob(server.data + "/**", recursive=True)
                     if os.path.isfile(p) and os.path.basename(p).startswith("p-")]
            self.assertTrue(parts)
            self.check_stats(server.data, parts)
            with open(parts[0], "r+b") as part:
                part.seek(100)
                byte = part.read(1)
                part.seek(100)
                part.write(bytes([byte[0] ^ 0x55]))
            status, text, _ = sonde("tsdb", "verify", server.data)
            self.assertEqual(status, 1, text)
            self.assertIn("problem", text)
            self.assertEqual(sonde("tsdb", "verify", "/nowhere")[0], 1)


if __name__ == "__main__":
    start(run_cases)
