#!/usr/bin/env python3
"""Reads the tree against the arrows of the design (arrows.txt) and names every line that breaks one.

  arrows    an #include line goes where the row of its room does not point; a private header is used
            across a folder border; a DEPENDS in a CMakeLists.txt links what the row does not know
  circles   modules that include each other, directly or around a corner. A module is a file pair:
            files of one stem (labels.c, labels.h) count as one, in whatever folder they live. A part
            of a module carries its name (regex_hints is a part of regex) and may use its types
  owners    an outside library's header in a file that does not own the library
  names     two source files of the same name
  memory    malloc and friends outside base/base/mem.c and the C++ shims

usage: check_includes.py ROOT. Prints one line per breach; exit status 1 when there is any.
"""

import fnmatch
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import PurePosixPath

SOURCE_SUFFIXES = (".c", ".h", ".cc")
NAMED_SUFFIXES = SOURCE_SUFFIXES + (".py", ".proto")
# Not part of the tree: what is built, stored or downloaded.
SKIPPED_FOLDERS = {"build", "data", "dist", "node_modules", "fixtures", "corpus", "__pycache__"}
GENERATED = ("*.pb-c.h",)
ALLOCATOR_FILES = {"base/base/mem.c"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
ALLOCATION = re.compile(
    r"(?<![\w.>])(malloc|calloc|realloc|reallocarray|free|strdup|strndup|aligned_alloc"
    r"|posix_memalign|asprintf|vasprintf)[ \t\n]*\(")
LINKS = re.compile(r"sonde_(?:room|program)\(\s*(\S+)(.*?)\)", re.DOTALL)
KEYWORDS = {"SOURCES", "DEPENDS", "PRIVATE"}


@dataclass
class Arrows:
    """The table, as read."""

    folders: dict = field(default_factory=dict)  # folder -> its rooms under include/
    rooms: dict = field(default_factory=dict)  # room -> rooms it may include from
    owners: dict = field(default_factory=dict)  # outside header pattern -> file patterns
    open: list = field(default_factory=list)  # outside headers for everybody


@dataclass
class Include:
    source: str  # path of the including file, from the root
    line: int
    quoted: bool
    name: str
    target: str = ""  # path of the included file, if it is one of ours


def read_arrows(path):
    arrows = Arrows()
    with open(path, encoding="utf-8") as table:
        for text in table:
            text = text.split("#")[0].strip()
            if not text:
                continue
            if text.startswith("open "):
                arrows.open += text.split()[1:]
            elif "=" in text:
                folder, rooms = text.split("=")
                arrows.folders[folder.strip()] = set(rooms.split())
            elif text.startswith("<"):
                header, files = text.split(":")
                arrows.owners[header.strip()[1:-1]] = files.split()
            else:
                room, known = text.split(":")
                arrows.rooms[room.strip()] = expand(known.split(), arrows.folders)
    return arrows


def expand(words, folders):
    rooms = set()
    for word in words:
        rooms |= folders.get(word, {word})
    return rooms


def walk(root):
    """All files of the tree, as paths from the root."""
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(d for d in subfolders if d not in SKIPPED_FOLDERS and d[0] != ".")
        for name in sorted(files):
            yield os.path.relpath(os.path.join(folder, name), root)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as handle:
        return handle.read()


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def resolve(root, source, name):
    """The file of the tree that `#include "name"` in `source` means, or ''."""
    folder = PurePosixPath(source).parts[0]
    for base in (os.path.dirname(source), "include", folder, "", "tests"):
        path = os.path.normpath(os.path.join(base, name))
        if os.path.isfile(os.path.join(root, path)):
            return path
    return ""


def find_includes(root, source, text):
    for match in INCLUDE.finditer(text):
        found = Include(source, line_of(text, match.start()), match[1] == '"', match[2])
        found.target = resolve(root, source, found.name)
        yield found


def room_of(path, arrows):
    """The longest row that is a folder above the file; tests are one room; None if unknown."""
    folder = os.path.dirname(path)
    while folder:
        if folder in arrows.rooms or folder == "tests":
            return folder
        folder = os.path.dirname(folder)
    return None


def check_arrow(include, arrows):
    """A sentence about the breach, or None."""
    source_room = room_of(include.source, arrows)
    if source_room == "tests":
        return None
    if source_room is None:
        return "this folder has no row in arrows.txt"
    if not include.target:
        if include.quoted and not any(fnmatch.fnmatch(include.name, g) for g in GENERATED):
            return f'"{include.name}" is no file of the tree'
        return None
    if not include.quoted:
        return f'<{include.name}> is ours: write it in quotes'
    target_room = room_of(include.target, arrows)
    if target_room == source_room or target_room in arrows.rooms[source_room]:
        return None
    return f"{source_room} must not know {target_room or include.target} ({include.name})"


def check_owner(include, arrows, users):
    """Outside headers; `users` remembers which file took which pattern. A sentence or None."""
    if include.quoted or include.target or room_of(include.source, arrows) == "tests":
        return None
    if any(fnmatch.fnmatch(include.name, pattern) for pattern in arrows.open):
        return None
    for header, patterns in arrows.owners.items():
        if not fnmatch.fnmatch(include.name, header):
            continue
        for pattern in patterns:
            if fnmatch.fnmatch(include.source, pattern):
                user = users.setdefault((header, pattern), include.source)
                if user == include.source:
                    return None
                return f"<{include.name}> is known to {user} already; one file wraps a library"
        return f"<{include.name}> belongs to {' and '.join(patterns)}"
    return f"<{include.name}> has no row in arrows.txt: a new library needs an owner"


def module_of(path):
    return PurePosixPath(path).name.split(".")[0]


def module_graph(includes, arrows):
    """module -> {module it includes: the include line that says so}"""
    graph = {}
    for include in includes:
        if include.target and room_of(include.source, arrows) != "tests":
            user, used = module_of(include.source), module_of(include.target)
            if user != used and not user.startswith(used + "_"):
                graph.setdefault(user, {}).setdefault(used, include)
    return graph


def find_circle(graph):
    """A shortest circle of modules [a, b, …, a], or []."""
    for start in sorted(graph):
        paths, seen = [[start]], set()
        for path in paths:
            for used in sorted(graph.get(path[-1], ())):
                if used == start:
                    return path + [start]
                if used not in seen:
                    seen.add(used)
                    paths.append(path + [used])
    return []


def check_circles(includes, arrows):
    """One breach per circle: each is cut where it was found and the rest is searched again."""
    graph = module_graph(includes, arrows)
    while circle := find_circle(graph):
        steps = [graph[user][used] for user, used in zip(circle, circle[1:])]
        where = ", ".join(f"{step.source}:{step.line}" for step in steps)
        graph[circle[-2]].pop(circle[-1])
        yield f"{steps[-1].source}:{steps[-1].line}: circle of modules: {' -> '.join(circle)} ({where})"


def check_memory(path, text):
    if not path.endswith(".c") or path in ALLOCATOR_FILES or path.startswith("tests/"):
        return
    code = NOT_CODE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    for match in ALLOCATION.finditer(code):
        yield f"{path}:{line_of(code, match.start())}: {match[1]}: memory comes from base/mem.h"


def check_names(paths):
    owners = {}
    for path in paths:
        name = os.path.basename(path)
        if name.endswith(NAMED_SUFFIXES):
            first = owners.setdefault(name, path)
            if first != path:
                yield f"{path}: the name is taken by {first}; file names are unique in the tree"


def check_links(path, text, arrows):
    """DEPENDS of sonde_room and sonde_program: a room of the same folder needs an arrow to it, a
    room of another folder an arrow to that folder's public headers."""
    room = room_of(path, arrows)
    if room is None or room == "tests":
        return
    rooms = {os.path.basename(r): r for r in arrows.rooms if not r.startswith("include/")}
    for match in LINKS.finditer(re.sub(r"#[^\n]*", "", text)):
        keyword = None
        for word in match[2].split():
            if word in KEYWORDS:
                keyword = word
            elif keyword == "DEPENDS" and word in rooms:
                below = rooms[word]
                folder = below.split("/")[0]
                wanted = {below} if folder == room.split("/")[0] else arrows.folders.get(folder, set())
                if below != room and not wanted & arrows.rooms[room]:
                    yield f"{path}: {room} must not link {below}"


def check_tree(root, arrows):
    """Every breach of the tree, sorted as the tree is walked."""
    paths, includes, users = list(walk(root)), [], {}
    yield from check_names(paths)
    for path in paths:
        if os.path.basename(path) == "CMakeLists.txt":
            yield from check_links(path, read(root, path), arrows)
        if not path.endswith(SOURCE_SUFFIXES):
            continue
        text = read(root, path)
        for include in find_includes(root, path, text):
            includes.append(include)
            breach = check_arrow(include, arrows) or check_owner(include, arrows, users)
            if breach:
                yield f"{path}:{include.line}: {breach}"
        yield from check_memory(path, text)
    yield from check_circles(includes, arrows)


def main(root):
    arrows = read_arrows(os.path.join(root, "tests/structure/arrows.txt"))
    breaches = list(check_tree(root, arrows))
    print("\n".join(breaches) if breaches else "the tree follows the arrows")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
