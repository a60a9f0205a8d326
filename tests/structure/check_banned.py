#!/usr/bin/env python3
"""The build forces include/base/banned.h into every C file, and every function it poisons fails to compile.

usage: check_banned.py ROOT COMPILE_COMMANDS
"""

import json
import os
import re
import shlex
import subprocess
import sys


def compile_commands(root, path):
    """The words of each command that compiles a C file of ours (generated ones live in the build)."""
    build = os.path.dirname(path) + os.sep
    with open(path, encoding="utf-8") as handle:
        for entry in json.load(handle):
            source = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
            if source.endswith(".c") and source.startswith(root + os.sep) and not source.startswith(build):
                yield source, shlex.split(entry["command"])


def poisoned_words(header):
    with open(header, encoding="utf-8") as handle:
        for pragma in re.findall(r"#pragma GCC poison (.*)", handle.read()):
            yield from pragma.split()


def compiles(command, code):
    """Whether the compiler of a real command, with its options, accepts `code`; and what it said."""
    options = command[:command.index("-o")] if "-o" in command else command
    options = [word for word in options if word not in ("-MD", "-c") and not word.endswith("ccache")]
    for flag in ("-MT", "-MF"):
        if flag in options:
            del options[options.index(flag):options.index(flag) + 2]
    run = subprocess.run(options + ["-fsyntax-only", "-x", "c", "-"], input=code, text=True,
                         stderr=subprocess.PIPE, check=False)
    return run.returncode == 0, run.stderr


def main(root, commands_path):
    header = os.path.join(root, "include/base/banned.h")
    complaints, sample = [], None
    for source, command in compile_commands(root, commands_path):
        sample = command
        if "-include" not in command or command[command.index("-include") + 1] != header:
            complaints.append(f"{source} is compiled without {header}")
    accepted, said = compiles(sample, "int nothing_banned;\n")
    if not accepted:
        complaints.append("an innocent file does not compile: " + said)
    words = list(poisoned_words(header))
    for word in words:
        accepted, said = compiles(sample, f"void use(void);\nvoid use(void)\n{{\n    (void){word};\n}}\n")
        if accepted or "poisoned" not in said:
            complaints.append(f"{word} is not refused: {said}")
    print("\n".join(complaints) or f"{len(words)} functions are refused everywhere")
    return 1 if complaints or not words else 0


if __name__ == "__main__":
    sys.exit(main(os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2])))
