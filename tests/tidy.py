#!/usr/bin/env python3
"""The rules of the house that a compiler does not know: fails on each line that breaks one, and says what to do.

    tests/tidy.py [ROOT]      ROOT: the tree to read, by default the one this script lies in

docs/architecture.md says why each rule is there. A new rule is a function that takes the files and yields problems, listed in RULES,
with an example that breaks it in tests/tidy_test.py.
"""

import os
import re
import sys
from typing import Iterator, NamedTuple

EVERYTHING = {"core", "platform", "router", "queue", "sources", "handlers", "state", "reporters", "executor", "daemon"}

# Who may include whom: folder -> folders, or single headers.
MAY_INCLUDE = {
    "core": {"core"},
    "platform": {"platform", "core"},
    "launch": {"platform/launch_protocol.h"},
    "router": {"router", "core"},
    "queue": {"queue", "core"},
    "sources": {"sources", "core", "platform"},
    "handlers": {"handlers", "core", "platform"},
    "state": {"state", "core", "platform"},
    "reporters": {"reporters", "core", "platform"},
    "executor": {"executor", "core", "platform", "queue", "handlers", "state/journal.h"},
    "daemon": EVERYTHING,
    "cli": {"cli", "core", "platform", "daemon", "state/journal.h"},
}

# Libraries met in one .cpp each: what an #include of them begins with -> its name. The first that fits counts.
ONE_FILE_LIBRARIES = {
    "sqlite3": "SQLite",
    "git2/": "libgit2's remotes",
    "git2": "libgit2",
    "httplib": "cpp-httplib",
    "toml++/": "toml++",
    "openssl/ssl": "OpenSSL's libssl",
    "openssl/err": "OpenSSL's libssl",
    "openssl/x509": "OpenSSL's libssl",
    "openssl/": "OpenSSL's libcrypto",
    "hiredis": "hiredis",
    "valijson/": "valijson",
}

# Hashes, keys and connections are three things of one library.
MAY_MEET = {("platform/signing_key.cpp", "OpenSSL's libcrypto"), ("platform/signing_key.cpp", "OpenSSL's libssl")}

DRAWERS = {"util", "utils", "common", "helper", "helpers", "misc"}

CLOCKS = re.compile(r"\w+::now\s*\(\s*\)|\btime\s*\(\s*(?:nullptr|NULL|0)\s*\)|\bgettimeofday\s*\(|\bclock_gettime\s*\(")
# The one place that may: it waits, for tests, for what another process brings about and nothing tells.
MAY_SLEEP = {"tests/support/eventually.h"}
SLEEPS = re.compile(r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?P<sign>[<"])(?P<path>[^>"]+)[>"]')
# In this order: what opens first wins, so a quote in a comment opens nothing, and neither does a slash in a string.
COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)
MARKDOWN_LINK = re.compile(r"!?\[[^\]]*\]\(\s*(?:<(?P<angled>[^>\n]+)>|(?P<inline>[^)\s]+))[^)]*\)|^ {0,3}\[[^\]]+\]:\s*<?(?P<reference>[^>\s]+)",
                           re.M)
MARKDOWN_CODE = re.compile(r"^ {0,3}(?P<fence>```+|~~~+).*?(?:^ {0,3}(?P=fence)|\Z)|(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)", re.S | re.M)


class Problem(NamedTuple):
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


class File:
    def __init__(self, root: str, path: str):
        self.path = path  # from the root, with slashes
        self.folder = path.split("/")[0] if "/" in path else ""
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            self.text = file.read()

    def is_cpp(self) -> bool:
        return self.path.endswith((".h", ".cpp"))

    def code(self) -> str:
        """The text with comments and the insides of literals blanked; lines stay where they are."""
        return COMMENT_OR_LITERAL.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), self.text)

    def includes(self) -> Iterator[tuple[int, str, str]]:
        commented = re.sub(r"/\*.*?\*/", lambda match: re.sub(r"[^\n]", " ", match.group()), self.text, flags=re.S)
        for number, line in enumerate(commented.splitlines(), 1):
            if match := INCLUDE.match(line):
                yield number, match["sign"], match["path"]


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def matches(file: File, pattern: re.Pattern, text: str) -> Iterator[Problem]:
    code = file.code()
    for match in pattern.finditer(code):
        yield Problem(file.path, line_of(code, match.start()), f"`{match.group()}` {text}")


def layering(root: str, files: list[File]) -> Iterator[Problem]:
    for file in files:
        if not file.is_cpp():
            continue
        for line, sign, path in file.includes():
            if sign != '"':
                continue
            target = path.split("/")[0]
            if path.startswith(".") or not os.path.exists(os.path.join(root, path)):
                yield Problem(file.path, line, f'"{path}" is no file of this tree: write includes from the top ("core/event.h"), '
                                               "a library's with <>")
            elif file.folder in MAY_INCLUDE and not {target, path} & MAY_INCLUDE[file.folder]:
                allowed = ", ".join(sorted(MAY_INCLUDE[file.folder]))
                yield Problem(file.path, line, f"{file.folder} may not include {path} (only {allowed}): move what both need into core, or let "
                                               "daemon, which knows all, hand it in")


def clocks(_root: str, files: list[File]) -> Iterator[Problem]:
    for file in files:
        if file.is_cpp() and file.folder in MAY_INCLUDE.keys() - {"platform", "cli"}:
            yield from matches(file, CLOCKS, "reads a clock, which only platform does: take a Now as an argument, or ask the Clock you are given")


def one_file_libraries(_root: str, files: list[File]) -> Iterator[Problem]:
    met: dict[str, str] = {}
    for file in files:
        if not file.is_cpp() or file.folder not in MAY_INCLUDE:
            continue
        for line, _, path in file.includes():
            name = next((name for start, name in ONE_FILE_LIBRARIES.items() if path.startswith(start)), None)
            if name is None or (file.path, name) in MAY_MEET:
                continue
            if file.path.endswith(".h"):
                yield Problem(file.path, line, f"{name} in a header: include <{path}> in one .cpp and show the rest of hark a type of its own")
            elif met.setdefault(name, file.path) != file.path:
                yield Problem(file.path, line, f"{name} is met in {met[name]} already: add there what is needed here")


def sleeps(_root: str, files: list[File]) -> Iterator[Problem]:
    for file in files:
        if file.is_cpp() and file.folder == "tests" and file.path not in MAY_SLEEP:
            yield from matches(file, SLEEPS, "in a test: step a fake clock, or wait for a condition with a generous deadline "
                                             "(tests/support/eventually.h)")


def links(root: str, files: list[File]) -> Iterator[Problem]:
    for file in files:
        if not file.path.endswith(".md"):
            continue
        text = MARKDOWN_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), file.text)
        for match in MARKDOWN_LINK.finditer(text):
            target = match["angled"] or match["inline"] or match["reference"]
            place = target.split("#")[0].split("?")[0]
            if not place or re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//", target):
                continue
            start = "" if place.startswith("/") else os.path.dirname(file.path)
            if not os.path.exists(os.path.join(root, start, place.lstrip("/"))):
                yield Problem(file.path, line_of(text, match.start()), f"the link to {target} leads nowhere: correct it, or take it out")


def drawers(_root: str, files: list[File]) -> Iterator[Problem]:
    for file in files:
        for part in file.path.split("/"):
            if part.split(".")[0].lower() in DRAWERS:
                yield Problem(file.path, 1, f"«{part}» names a drawer: name the file after the one idea it holds")


RULES = [layering, clocks, one_file_libraries, sleeps, links, drawers]


def read_tree(root: str) -> list[File]:
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "build", "cmake-build")) and name != "node_modules")
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
            if name.endswith((".h", ".cpp", ".md", ".py", ".cmake")) or name.split(".")[0].lower() in DRAWERS:
                found.append(File(root, path))
    return found


def problems(root: str) -> list[Problem]:
    files = read_tree(root)
    return sorted({problem for rule in RULES for problem in rule(root, files)})


def main() -> int:
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = problems(root)
    for problem in found:
        print(problem)
    print(f"{len(found)} problem{'' if len(found) == 1 else 's'}" if found else "tidy", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
