#!/usr/bin/env python3
"""Documents that stay true: links resolve, folders introduce themselves, commands exist.

  links     every relative link of every *.md leads to a file or folder of the tree, and its #part to a
            heading of that document
  folders   every folder that holds sources has a README.md; the small folders of include/ and tests/
            may be named in the map of a README.md above instead (`base/`, `unit/*/`)
  commands  every line of a ```sh block in the top README.md begins with a program of the tree that
            exists, a sub-command that ./dev help lists, or a common tool

usage: check_docs.py ROOT. Prints one line per breach; exit status 1 when there is any.
"""

import os
import re
import subprocess
import sys
from fnmatch import fnmatch

from check_includes import read, walk

SOURCE_SUFFIXES = (".c", ".h", ".cc", ".py", ".ts", ".tsx")
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
PROGRAMS = {"sonde-server", "sonde-agent", "sonde"}
COMMON_TOOLS = {"cd", "curl", "git", "kill", "ls", "sudo", "apt-get", "systemctl", "docker"}


def anchors(text):
    """The #parts that headings of a document answer to, as GitHub makes them."""
    for heading in re.findall(r"^#+\s+(.*?)\s*$", FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        yield plain.replace(" ", "-")


def check_links(root, path, text):
    for match in LINK.finditer(FENCE.sub("", text)):
        link = match[1] or match[2]
        if re.match(r"[a-z]+:", link):
            continue
        target, _, part = link.partition("#")
        file = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
        if not os.path.exists(os.path.join(root, file)):
            yield f"{path}: the link {link} leads nowhere"
        elif part and file.endswith(".md") and part not in anchors(read(root, file)):
            yield f"{path}: the link {link} names no heading of {file}"


# Where a README may speak for the folders below it.
MAPPED_FOLDERS = ("include/", "tests/", "dashboards/")


def check_folders(root, paths):
    folders = {os.path.dirname(p) for p in paths if p.endswith(SOURCE_SUFFIXES)} - {""}
    known = set(paths)
    for folder in sorted(folders):
        if not any(introduces(root, known, folder, above) for above in ancestors(folder)):
            yield f"{folder}: has no README.md"


def ancestors(folder):
    while folder:
        yield folder
        folder = os.path.dirname(folder)


def introduces(root, known, folder, above):
    """Whether the README of `above` speaks for `folder`: its own, or one whose map names it."""
    readme = os.path.join(above, "README.md")
    if readme not in known:
        return False
    named = re.findall(r"`([^`\s]+)/`", read(root, readme))
    if above == folder or not folder.startswith(MAPPED_FOLDERS):
        return above == folder
    return any(fnmatch(os.path.relpath(folder, above), name) for name in named)


def dev_commands(root):
    """The sub-commands that ./dev help lists."""
    said = subprocess.run([os.path.join(root, "dev"), "help"], text=True, stdout=subprocess.PIPE, check=True)
    return set(re.findall(r"^  ([a-z]+) ", said.stdout, re.MULTILINE))


def check_commands(root, path, text):
    listed = dev_commands(root)
    for language, block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines() if language == "sh" else ():
            words = re.sub(r"(^|\s)#.*", "", line).split()
            if not words:
                continue
            program = words[0]
            if program == "./dev" and len(words) > 1 and words[1] not in listed:
                yield f"{path}: ./dev has no command {words[1]}"
            elif program.startswith(("./", ".ci/")):
                if not os.path.exists(os.path.join(root, program)):
                    yield f"{path}: there is no {program}"
            elif program.startswith("build/"):
                if os.path.basename(program) not in PROGRAMS:
                    yield f"{path}: the build makes no {program}"
            elif program not in COMMON_TOOLS | PROGRAMS:
                yield f"{path}: {program} is no program of this tree"


def check_tree(root):
    paths = list(walk(root))
    for path in paths:
        if path.endswith(".md"):
            yield from check_links(root, path, read(root, path))
    yield from check_folders(root, paths)
    yield from check_commands(root, "README.md", read(root, "README.md"))


def main(root):
    breaches = list(check_tree(root))
    print("\n".join(breaches) if breaches else "the documents hold")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
