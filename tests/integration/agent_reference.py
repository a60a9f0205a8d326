#!/usr/bin/env python3
"""Holds docs/agent.md to what the program prints of itself: settings, collectors and flags."""
import os
import subprocess
import sys


def main():
    program = os.path.join(os.environ.get("SONDE_BIN", "build/dev/bin"), "sonde-agent")
    if not os.path.exists(program):
        print(f"skipped: {program} is not built")
        return 77
    with open("docs/agent.md", encoding="utf-8") as file:
        document = file.read()
    failed = 0
    for flag in ("--print-reference", "--print-collectors", "--help"):
        printed = subprocess.run([program, flag], capture_output=True, text=True, check=True).stdout
        if printed not in document:
            print(f"docs/agent.md does not hold what sonde-agent {flag} prints:\n{printed}")
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
