#!/usr/bin/env python3
"""The test of the test: each false document must be refused, a true one accepted."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_docs

DEV = "#!/bin/sh\nprintf '  run     starts it\\n  help    prints this\\n'\n"
CLEAN = {
    "dev": DEV,
    "README.md": "# Top\n\n[a](docs/a.md#one-two) [b](https://x.y/z) [c](#top)\n"
                 "```sh\n./dev run   # starts\ncurl http://x \\\n    -d y\nbuild/release/bin/sonde query up\n```\n",
    "docs/a.md": "# One: Two\n\n```\n[no link](nowhere)\n```\n[up](../README.md)\n",
    "tests/README.md": "| `unit/*/` | one folder per room |\n",
    "tests/unit/base/b.c": "",
    "base/README.md": "| `room/` | one room |\n",
    "base/a.c": "",
}
BREACHES = [
    ("docs/b.md", "[x](missing.md)\n", "leads nowhere"),
    ("docs/b.md", "![x](missing.png)\n", "leads nowhere"),
    ("docs/b.md", "[x](a.md#three)\n", "names no heading"),
    ("tsdb/c.c", "", "tsdb: has no README.md"),
    ("base/room/c.c", "", "base/room: has no README.md"),
    ("tests/other/c.c", "", "tests/other: has no README.md"),
    ("README.md", "```sh\n./dev walk\n```\n", "./dev has no command walk"),
    ("README.md", "```sh\n./devil run\n```\n", "there is no ./devil"),
    ("README.md", "```sh\nbuild/release/bin/sonar\n```\n", "the build makes no"),
    ("README.md", "```sh\nprometheus --help\n```\n", "is no program of this tree"),
]


def breaches_of(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as handle:
                handle.write(text)
        os.chmod(os.path.join(root, "dev"), 0o755)
        return list(check_docs.check_tree(root))


class CheckDocs(unittest.TestCase):
    def test_clean_tree(self):
        self.assertEqual(breaches_of(CLEAN), [])

    def test_breaches(self):
        for path, text, sentence in BREACHES:
            with self.subTest(path=path, sentence=sentence):
                found = breaches_of({**CLEAN, path: text})
                self.assertEqual(len(found), 1, found)
                self.assertIn(sentence, found[0])


if __name__ == "__main__":
    unittest.main()
