#!/usr/bin/env python3
"""What a reader would find too long: files over 800 lines and functions over 80 are named, files over
1000 lines fail.

A function is a body that opens with `{` and closes with `}` in column 0, which clang-format makes true
of every function here and of nothing else.

usage: check_sizes.py ROOT
"""

import os
import statistics
import sys

from check_includes import SOURCE_SUFFIXES, read, walk

FILE_LINES_NAMED = 800
FILE_LINES_MAX = 1000
FUNCTION_LINES_NAMED = 80


def functions(text):
    """(line of the opening brace, lines of the body) of every function."""
    opened = 0
    for number, line in enumerate(text.split("\n"), 1):
        if line == "{":
            opened = number
        elif line == "}" and opened:
            yield opened, number - opened + 1
            opened = 0


def main(root):
    too_long, lengths = False, []
    for path in walk(root):
        if not path.endswith(SOURCE_SUFFIXES + (".py",)):
            continue
        text = read(root, path)
        lines = text.count("\n")
        if lines > FILE_LINES_NAMED:
            print(f"{path}: {lines} lines")
        too_long |= lines > FILE_LINES_MAX
        for opened, length in functions(text):
            lengths.append(length)
            if length > FUNCTION_LINES_NAMED:
                print(f"{path}:{opened}: a function of {length} lines")
    if len(lengths) > 1:
        deciles = statistics.quantiles(lengths, n=10)
        print(f"{len(lengths)} functions, median {deciles[4]:.0f} lines, nine in ten within {deciles[8]:.0f}")
    if too_long:
        print(f"a file is over {FILE_LINES_MAX} lines: split it by idea")
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
