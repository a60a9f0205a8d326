#!/usr/bin/env python3
"""The test of the test: small trees with one breach each must be refused, a clean one accepted."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_includes

ARROWS = """
base = include/base
tsdb = include/tsdb
include/base :
include/tsdb : include/base
base/base : include/base
tsdb/row  : base tsdb
tsdb/db   : base tsdb tsdb/row
agent     : base
<uv.h>    : base/base/loop.c
<zstd.h>  : tsdb/*/*
open stdio.h
"""

CLEAN = {
    "include/base/mem.h": "",
    "include/base/loop.h": "",
    "include/tsdb/querier.h": '#include "base/mem.h"\n',
    "base/base/mem.c": '#include "base/mem.h"\nvoid *mem_alloc(void) { return malloc(1); }\n',
    "base/base/loop.c": '#include "base/loop.h"\n#include <uv.h>\n',
    "tsdb/row/codec.h": "",
    "tsdb/row/codec.c": '#include "codec.h"\n#include <stdio.h>\n#include <zstd.h>\n',
    "tsdb/db/plan.c": '#include "row/codec.h"\n#include "tsdb/querier.h"\n',
    "agent/agent.c": '#include "base/mem.h"\n/* malloc(1) */ char *s = "free(s)"; // "free(1)\n',
    "tests/unit/test_plan.c": '#include "../../tsdb/db/plan.c"\n#include <cmocka.h>\n',
    "tsdb/db/CMakeLists.txt": "sonde_room(db SOURCES plan.c DEPENDS row base)\n",
}

# What is added to the clean tree, and a part of the sentence it must raise.
BREACHES = [
    ("agent/ship.c", '#include "tsdb/querier.h"\n', "agent must not know include/tsdb"),
    ("agent/ship.c", '#include "../tsdb/db/plan.h"\n', "is no file of the tree"),
    ("agent/ship.c", "#include <base/mem.h>\n", "write it in quotes"),
    ("tsdb/row/trial.c", '#include "../db/plan.c"\n', "tsdb/row must not know tsdb/db"),
    ("tsdb/row/trial.c", '#include "../../base/base/loop.c"\n', "tsdb/row must not know base/base"),
    ("base/base/str.c", '#include "../../tests/unit/test_plan.c"\n', "must not know tests"),
    ("query/api/api.c", '#include "base/mem.h"\n', "no row in arrows.txt"),
    ("tsdb/db/part.c", "#include <uv.h>\n", "belongs to base/base/loop.c"),
    ("tsdb/db/part.c", "#include <zstd.h>\n", "is known to"),
    ("tsdb/db/part.c", "#include <lz4.h>\n", "a new library needs an owner"),
    ("tsdb/row/mem.h", "", "the name is taken by"),
    ("tsdb/db/part.c", "void f(void *p) { free(p); }\n", "free: memory comes from base/mem.h"),
    ("tsdb/row/CMakeLists.txt", "sonde_room(row DEPENDS base db)\n", "tsdb/row must not link tsdb/db"),
    ("agent/CMakeLists.txt", "sonde_program(a SOURCES agent.c DEPENDS db)\n",
     "agent must not link tsdb/db"),
]

CIRCLES = [
    {"tsdb/row/codec.h": '#include "trial.h"\n', "tsdb/row/trial.h": "",
     "tsdb/row/trial.c": '#include "codec.h"\n'},
    {"tsdb/db/a.c": '#include "b.h"\n', "tsdb/db/b.h": '#include "c.h"\n',
     "tsdb/db/c.h": "", "tsdb/db/a.h": "", "tsdb/db/c.c": '#include "a.h"\n'},
]


def breaches_of(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as handle:
                handle.write(text)
        table = os.path.join(root, "arrows.txt")
        with open(table, "w", encoding="utf-8") as handle:
            handle.write(ARROWS)
        return list(check_includes.check_tree(root, check_includes.read_arrows(table)))


class CheckIncludes(unittest.TestCase):
    def test_clean_tree(self):
        self.assertEqual(breaches_of(CLEAN), [])

    def test_breaches(self):
        for path, text, sentence in BREACHES:
            with self.subTest(path=path, sentence=sentence):
                found = breaches_of({**CLEAN, path: text})
                self.assertEqual(len(found), 1, found)
                self.assertIn(sentence, found[0])
                self.assertTrue(found[0].startswith((path + ":", "tsdb/row/")), found[0])

    def test_circles(self):
        for files in CIRCLES:
            with self.subTest(files=sorted(files)):
                found = breaches_of({**CLEAN, **files})
                self.assertEqual(len(found), 1, found)
                self.assertIn("circle of modules", found[0])

    def test_part_may_use_the_types_of_its_module(self):
        part = {"tsdb/row/codec_trial.h": '#include "codec.h"\n', "tsdb/row/codec_trial.c": "",
                "tsdb/row/codec.c": '#include "codec_trial.h"\n'}
        self.assertEqual(breaches_of({**CLEAN, **part}), [])

    def test_line_numbers(self):
        text = "/* two\n * lines */\n\n#include <lz4.h>\n"
        self.assertIn("tsdb/db/x.c:4:", breaches_of({**CLEAN, "tsdb/db/x.c": text})[0])


if __name__ == "__main__":
    unittest.main()
