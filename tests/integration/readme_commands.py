#!/usr/bin/env python3
"""Every command of the README at the top and of docs/ is tried or checked.

    readme_commands.py [--verbose]

Commands are the lines of ```sh blocks, and pieces of `code` in the text that begin with a program. Server
and agent are started with this host's samples, and then

  curl ...            is run; the addresses of the documents lead to the programs started here. It must
                      succeed, and an answer of the API must have data
  sonde query ...     is run, and must print something
  sonde ..., sonde-server ..., sonde-agent ...
                      their flags and sub-commands must be in the --help
  ./dev ...           its sub-command, and its flags, must be in ./dev help
  cmake, ctest        the preset must exist
  others              the files of the tree that they name must exist

A document that has none of these is no failure; a tree of which nothing was tried is one.
"""
import argparse
import glob
import json
import os
import re
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from programs import ROOT, Skip, agent, find_peer, find_program, scratch, server, start, wait_until  # noqa: E402

FENCE = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
PROGRAMS = ("sonde", "sonde-server", "sonde-agent")
TRIED = PROGRAMS + ("curl", "./dev", "cmake", "ctest")
# Words that stand for something: NAME, <name>, $HOME, [more], ...
PLACEHOLDER = re.compile(r"[<>\[\]…$]|^[A-Z_]{2,}$|\.\.\.")
SERVER_ADDRESS, AGENT_ADDRESS = "127.0.0.1:9095", "127.0.0.1:9096"
# Folders whose files a document may name.
FOLDERS = ("dashboards/", "docs/", "tests/", "cmake/")


def documents():
    yield os.path.join(ROOT, "README.md")
    yield from sorted(glob.glob(os.path.join(ROOT, "docs/*.md")))


def logical_lines(block, number):
    """(line number, line) with lines that end in a backslash joined to the next."""
    joined, began = "", number
    for line in block.split("\n"):
        if line.endswith("\\"):
            joined += line[:-1]
        else:
            yield began, joined + line
            joined, began = "", number + 1
        number += 1


def split(line):
    """The commands of a line of shell, each as its words."""
    commands, command = [], []
    for word in shlex.split(line, comments=True) + [";"]:
        if word in ("&&", "||", "|", ";", "&"):
            commands += [command] if command else []
            command = []
        else:
            command.append(word)
    return commands


def commands_of(path):
    """(line number, words) of the commands in a document."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    found = []
    for match in FENCE.finditer(text):
        if match[1] == "sh":
            for number, line in logical_lines(match[2], text.count("\n", 0, match.start(2)) + 1):
                found += [(number, words) for words in split(line)]
    prose = FENCE.sub(lambda match: "\n" * match[0].count("\n"), text)
    for match in CODE.finditer(prose):
        first, _, rest = match[1].partition(" ")
        if first == "./dev" or (rest and os.path.basename(first) in TRIED):
            found += [(prose.count("\n", 0, match.start()) + 1, words) for words in split(match[1])]
    return sorted(found, key=lambda pair: pair[0])


def run(command, **options):
    return subprocess.run(command, text=True, timeout=60, check=False, cwd=ROOT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


class Checker:
    """One function for each program; each gives a sentence when something is wrong, else None."""

    def __init__(self, store, shipper):
        self.store = store
        self.shipper = shipper
        self.ran = 0

    def check(self, words):
        program = os.path.basename(words[0])
        if words[0] == "./dev":
            return self.check_dev(words)
        if program == "curl":
            return self.run_curl(words)
        if program in PROGRAMS:
            return self.check_program(program, words)
        if program in ("cmake", "ctest"):
            return self.check_preset(words)
        return self.check_files(words)

    def here(self, word):
        return word.replace(SERVER_ADDRESS, self.store.address).replace(AGENT_ADDRESS, self.shipper.address)

    def run_curl(self, words):
        if any(PLACEHOLDER.search(word) for word in words[1:] if "://" in word):
            return None
        find_peer("curl")
        done = run(["curl", "-sS", "--fail-with-body", "--max-time", "30"] + [self.here(w) for w in words[1:]])
        self.ran += 1
        if done.returncode != 0:
            return f"curl ends with {done.returncode}: {done.stdout[:300]}"
        if any("/api/v1/query" in word for word in words):
            data = json.loads(done.stdout)["data"]
            return None if data.get("result") else f"the answer is empty: {done.stdout[:300]}"
        return None

    def check_program(self, program, words):
        path = find_program(program)
        placeholders = [w for w in words[1:] if PLACEHOLDER.search(w)]
        if program == "sonde" and words[1:2] == ["query"] and not placeholders:
            done = run([path] + words[1:] + ["--server", self.store.url])
            self.ran += 1
            good = done.returncode == 0 and done.stdout.strip()
            return None if good else f"ends with {done.returncode} and prints {done.stdout[:300]!r}"
        help_words = [path]
        if program == "sonde":
            listed = re.findall(r"^  ([a-z-]+(?: [a-z-]+)*)", run([path, "--help"]).stdout, re.M)
            named = [c.split() for c in listed if words[1:len(c.split()) + 1] == c.split()]
            if words[1:] and not named and not words[1].startswith("-"):
                return f"there is no such command; there are {', '.join(listed)}"
            help_words += max(named, key=len, default=[])
        return self.check_flags(words, run(help_words + ["--help"]).stdout)

    def check_dev(self, words):
        said = run(["./dev", "help"]).stdout
        if words[1:] and not PLACEHOLDER.search(words[1]) and not re.search(rf"^  {re.escape(words[1])} ", said, re.M):
            return f"./dev has no command {words[1]}"
        return self.check_flags(words, said)

    @staticmethod
    def check_flags(words, help_text):
        for word in words[1:]:
            flag = word.split("=")[0]
            if flag.startswith("-") and not re.search(rf"(^|[\s\[|]){re.escape(flag)}\b", help_text):
                return f"there is no flag {flag}"
        return None

    @staticmethod
    def check_preset(words):
        with open(os.path.join(ROOT, "CMakePresets.json"), encoding="utf-8") as file:
            presets = {p["name"] for p in json.load(file)["configurePresets"] if not p.get("hidden")}
        for flag, value in zip(words, words[1:]):
            if flag == "--preset" and value not in presets and not PLACEHOLDER.search(value):
                return f"there is no preset {value}"
        return None

    @staticmethod
    def check_files(words):
        for word in words[1:]:
            path = word.replace("$PWD/", "").split(":")[0]
            if path.startswith(FOLDERS) and not glob.glob(os.path.join(ROOT, path)):
                return f"there is no {path}"
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verbose", action="store_true", help="print each command")
    verbose = parser.parse_args().verbose
    find_program("sonde")
    wrong = count = skipped = 0
    with scratch() as folder, server(folder) as store, \
            agent(folder, config="host: {interval: 1s}\n", servers=[store.url]) as shipper:
        checker = Checker(store, shipper)
        wait_until(lambda: store.query("rate(node_cpu_seconds_total[1m])"), 30, "rates of this host")
        for path in documents():
            for line, words in commands_of(path):
                where = f"{os.path.relpath(path, ROOT)}:{line}: {shlex.join(words)}"
                count += 1
                if verbose:
                    print(where)
                try:
                    sentence = checker.check(words)
                except Skip as reason:
                    print(f"{where}: not tried: {reason}")
                    skipped += 1
                    continue
                if sentence:
                    print(f"WRONG {where}: {sentence}")
                    wrong += 1
    print(f"{count} commands, {checker.ran} of them run, {skipped} not tried, {wrong} wrong")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    start(main)
