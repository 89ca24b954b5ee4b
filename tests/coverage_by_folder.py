#!/usr/bin/env python3
"""What the unit tests run through: lines and branches by folder, counted by gcov in a build of its own (build/coverage).

    coverage_by_folder.py [PATTERN]  of the tests that `ctest -R PATTERN` chooses
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TREE = ROOT / "build/coverage"
ROOMS = ("common", "gateway", "forwarder", "aws-adapter")


def gcov(data: list[Path]) -> list[dict]:
    """What gcov says of each object: a JSON document a line."""
    said = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout", *map(str, data)], cwd=TREE,
                          capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def count(documents: list[dict], root: Path = ROOT) -> dict[str, dict[str, list[int]]]:
    """By folder: lines and branches, each as those taken and all. A line of several objects counts once."""
    lines: dict[tuple[str, int], int] = defaultdict(int)
    branches: dict[tuple[str, int, int], int] = defaultdict(int)
    for document in documents:
        for file in document["files"]:
            path = Path(os.path.normpath(Path(document.get("current_working_directory", "/"), file["file"])))  # a cache names it by ..
            if not path.is_relative_to(root) or path.relative_to(root).parts[0] not in ROOMS:
                continue
            name = str(path.relative_to(root))
            for line in file["lines"]:
                lines[name, line["line_number"]] += line["count"]
                for number, branch in enumerate(line.get("branches", [])):
                    branches[name, line["line_number"], number] += branch["count"]
    folders: dict[str, dict[str, list[int]]] = defaultdict(lambda: {"lines": [0, 0], "branches": [0, 0]})
    for kind, counts in (("lines", lines), ("branches", branches)):
        for key, taken in counts.items():
            of = folders[str(Path(key[0]).parent)][kind]
            of[0] += taken > 0
            of[1] += 1
    return folders


def part(of: list[int]) -> str:
    return f"{of[0]:6} of {of[1]:6} ({100 * of[0] // max(of[1], 1):3} %)"


def main(arguments: list[str]) -> int:
    for old in TREE.rglob("*.gcda"):
        old.unlink()
    tests = ["ctest", "--test-dir", str(TREE), "--no-tests=error", *(["-R", arguments[0]] if arguments else [])]
    status = subprocess.run(tests, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode
    # also what no test has run: its .gcno alone counts as lines never taken
    notes = [path for path in TREE.glob("CMakeFiles/*.dir/**/*.gcno")]
    folders = count(gcov(notes)) if notes else {}
    for folder, counts in sorted(folders.items()):
        print(f"{folder:24} lines {part(counts['lines'])}   branches {part(counts['branches'])}")
    if status:
        print("coverage: some tests failed (./dev test unit says which)", file=sys.stderr)
    return 1 if status or not folders else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
