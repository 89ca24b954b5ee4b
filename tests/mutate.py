#!/usr/bin/env python3
"""Puts small faults into the C code, one at a time, and lists those that no unit test sees.

A fault negates a condition, deletes a statement, changes a constant by one, or swaps a comparison. Each is built in a
copy of the tree (build/mutate) and given to the nearest unit tests: those that include the file's header, or else what
includes it. What does not compile is not counted. tests/mutate_equivalent.txt names faults that change nothing.
"""

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPY, TREE = ROOT / "build/mutate/source", ROOT / "build/mutate/tree"
ROOMS = ("common", "gateway", "forwarder", "aws-adapter")
PROGRAMS = "tests/unit", "tests/conformance"
SWAPS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&"}
NEAREST = 6  # test programs for a file, at most
TEST_SECONDS = 60  # a fault that makes a test hang is seen
SEPARATOR = " @@ "


@dataclass(frozen=True)
class Mutant:
    file: str  # from the root
    line: int
    start: int  # bytes of the file that are replaced
    end: int
    new: str
    change: str  # in words
    code: str  # the line, stripped: what tests/mutate_equivalent.txt names, as numbers of lines move

    def key(self) -> tuple[str, str, str]:
        return self.file, self.code, self.change


# ---- faults ----


def find_mutants(file: str, arguments: list[str]) -> list[Mutant]:
    import clang.cindex as clang

    path = COPY / file
    unit = clang.Index.create().parse(str(path), args=arguments)
    errors = [str(d) for d in unit.diagnostics if d.severity >= clang.Diagnostic.Error]
    if errors:
        sys.exit(f"mutate: {file}: {errors[0]}")
    source = path.read_bytes()
    found: dict[tuple[int, int, str], Mutant] = {}

    def add(start: int, end: int, new: str, change: str) -> None:
        line = source.count(b"\n", 0, start) + 1
        code = source.splitlines()[line - 1].decode().strip()
        found[(start, end, new)] = Mutant(file, line, start, end, new, " ".join(change.split()), code)

    def text(start: int, end: int) -> str:
        return source[start:end].decode()

    def visit(cursor, within_function: bool) -> None:
        if cursor.location.file and cursor.location.file.name != str(path):
            return
        kind, children = cursor.kind, list(cursor.get_children())
        within_function = within_function or kind == clang.CursorKind.COMPOUND_STMT
        if within_function:
            mutate_cursor(clang.CursorKind, cursor, kind, children, text, add)
        for child in children:
            visit(child, within_function)

    for cursor in unit.cursor.get_children():
        visit(cursor, False)
    return sorted(found.values(), key=lambda mutant: (mutant.start, mutant.new))


def span(cursor) -> tuple[int, int]:
    return cursor.extent.start.offset, cursor.extent.end.offset


def mutate_cursor(kinds, cursor, kind, children, text, add) -> None:
    if kind in (kinds.IF_STMT, kinds.WHILE_STMT, kinds.CONDITIONAL_OPERATOR) and children:
        start, end = span(children[0])
        if kind != kinds.WHILE_STMT or text(start, end) not in ("1", "true"):
            add(start, end, f"!({text(start, end)})", f"({text(start, end)}) is negated")
    elif kind == kinds.BINARY_OPERATOR and len(children) == 2:
        start, end = span(children[0])[1], span(children[1])[0]
        operator = text(start, end) if start < end else ""
        match = re.fullmatch(r"\s*(<=|>=|==|!=|<|>|&&|\|\|)\s*", operator)
        if match:
            new = SWAPS[match[1]]
            at = start + operator.index(match[1])
            add(at, at + len(match[1]), new, f"{match[1]} becomes {new} before {text(*span(children[1]))}")
    elif kind == kinds.INTEGER_LITERAL:
        start, end = span(cursor)
        literal = text(start, end)
        if re.fullmatch(r"(0[xX][0-9a-fA-F]+|[0-9]+)[uUlL]*", literal):
            add(start, end, f"({literal} + 1)", f"{literal} becomes one more")
    if kind in (kinds.COMPOUND_STMT, kinds.IF_STMT, kinds.WHILE_STMT, kinds.FOR_STMT):
        for child in children if kind == kinds.COMPOUND_STMT else children[1:]:
            start, end = span(child)
            deletable = (kinds.CALL_EXPR, kinds.BINARY_OPERATOR, kinds.COMPOUND_ASSIGNMENT_OPERATOR, kinds.UNARY_OPERATOR)
            if child.kind in deletable and (kind != kinds.FOR_STMT or child == children[-1]):
                add(start, end, "(void)0", f"{text(start, end)} is deleted")


# ---- the nearest tests ----


def included(path: Path) -> list[Path]:
    """The headers of ours that it includes, as files."""
    found = []
    for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.M):
        places = [path.parent, *(ROOT / room for room in ROOMS), *(ROOT / folder for folder in PROGRAMS)]
        found += [place / name for place in places if (place / name).is_file()][:1]
    return found


def nearest_tests(file: str) -> list[str]:
    """The tests with the shortest way of #include lines to the file's header; a header leads on to the source beside it."""
    wanted = (ROOT / file).with_suffix(".h").resolve()
    distances: dict[str, int] = {}
    for test in sorted(path for folder in PROGRAMS for path in (ROOT / folder).glob("test_*.c")):
        seen, edge, distance = {test}, [test], 0
        while edge and wanted not in seen and distance < 6:
            distance += 1
            following = set()
            for path in edge:
                body = path.with_suffix(".c")
                for each in {path, body} if body.is_file() else {path}:
                    following |= {header.resolve() for header in included(each)} - seen
            seen |= following
            edge = sorted(following)
        if wanted in seen:
            distances[test.stem] = distance
    order = sorted(distances, key=lambda name: (distances[name], name))
    return [name for name in order if distances[name] <= distances[order[0]] + 1][:NEAREST]


# ---- building and running ----


def copy_tree() -> None:
    """The tree as it is now; files that are the same keep their time, so that little is built again."""
    for name in ("CMakeLists.txt", "tests", *ROOMS):
        paths = [ROOT / name] if (ROOT / name).is_file() else [path for path in (ROOT / name).rglob("*") if path.is_file()]
        for path in paths:
            to = COPY / path.relative_to(ROOT)
            if not to.is_file() or to.read_bytes() != path.read_bytes():
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)


def quiet(command: list[str], seconds: float | None = None) -> bool:
    """Whether it went well; in a group of its own, so that what hangs can be ended with all that it has started."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=seconds, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def build(tests: list[str]) -> bool:
    return quiet(["cmake", "--build", str(TREE), "--target", *tests])


def run_tests(tests: list[str]) -> bool:
    return quiet(["ctest", "--test-dir", str(TREE), "--stop-on-failure", "--no-tests=error", "--timeout", str(TEST_SECONDS),
                  "-R", f"^({'|'.join(tests)})$"])


def try_mutant(mutant: Mutant, tests: list[str]) -> str:
    path = COPY / mutant.file
    source = path.read_bytes()
    try:
        path.write_bytes(source[: mutant.start] + mutant.new.encode() + source[mutant.end :])
        if not build(tests):
            return "invalid"
        return "survived" if run_tests(tests) else "killed"
    finally:
        path.write_bytes(source)


def read_equivalents(path: Path) -> dict[tuple[str, str, str], str]:
    """File, line and change, and the reason, a line each; lines that begin with # are for people."""
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            parts = line.split(SEPARATOR)
            if len(parts) != 4 or not parts[3].strip():
                sys.exit(f"mutate: {path.name}:{number}: expected FILE{SEPARATOR}LINE{SEPARATOR}CHANGE{SEPARATOR}REASON")
            found[(parts[0], parts[1], parts[2])] = parts[3]
    return found


def compile_arguments() -> dict[str, list[str]]:
    found = {}
    for entry in json.loads((TREE / "compile_commands.json").read_text()):
        path = Path(entry["file"])
        words = [word.replace("\\", "") for word in entry["command"].split()]
        if path.is_relative_to(COPY):
            found[str(path.relative_to(COPY))] = [word for word in words if re.match(r"-([DI]|isystem|std)", word)]
    return found


def chosen(mutants: list[Mutant], sample: int, seed: int) -> list[Mutant]:
    if sample and sample < len(mutants):
        mutants = random.Random(seed).sample(mutants, sample)
    return sorted(mutants, key=lambda mutant: (mutant.file, mutant.start, mutant.new))


def measure(mutants: list[Mutant], equivalents: dict, until: float) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    ready: dict[str, list[str]] = {}
    for mutant in mutants:
        folder = str(Path(mutant.file).parent)
        if mutant.key() in equivalents:
            counts[folder]["equivalent"] += 1
            continue
        if time.monotonic() > until:
            counts[folder]["left out"] += 1
            continue
        if mutant.file not in ready:
            tests = nearest_tests(mutant.file)
            if tests and not (build(tests) and run_tests(tests)):
                sys.exit(f"mutate: {', '.join(tests)}: built and run without a fault, and failed")
            print(f"{mutant.file}: {', '.join(tests) or 'no unit test comes near it'}", flush=True)
            ready[mutant.file] = tests
        outcome = try_mutant(mutant, ready[mutant.file]) if ready[mutant.file] else "survived"
        counts[folder][outcome] += 1
        if outcome == "survived":
            print(f"  survived: {mutant.file}:{mutant.line}: {mutant.change}\n            {mutant.code}", flush=True)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev mutate", description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", metavar="FILE", help="C files or folders (common/http common/handler)")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="only so many faults, chosen by chance")
    parser.add_argument("--seed", type=int, default=1, help="of that chance (1)")
    parser.add_argument("--time", type=float, default=0, metavar="SECONDS", help="begin no fault after so long")
    options = parser.parse_args()
    started = time.monotonic()

    copy_tree()
    if not quiet(["cmake", "-G", "Ninja", "-S", str(COPY), "-B", str(TREE), "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS=-w -O0"]):
        return print("mutate: cmake failed", file=sys.stderr) or 2
    arguments = compile_arguments()
    files = []
    for name in options.files or ["common/http", "common/handler"]:
        path = (ROOT / name).resolve()
        files += sorted(path.rglob("*.c")) if path.is_dir() else [path]
    names = [str(path.relative_to(ROOT)) for path in files]
    if unknown := [name for name in names if name not in arguments]:
        return print(f"mutate: {unknown[0]} is not a source of the programs", file=sys.stderr) or 2

    mutants = [mutant for name in names for mutant in find_mutants(name, arguments[name])]
    equivalents = read_equivalents(ROOT / "tests/mutate_equivalent.txt")
    counts = measure(chosen(mutants, options.sample, options.seed), equivalents,
                     started + options.time if options.time else float("inf"))
    survived = 0
    for folder, count in sorted(counts.items()):
        real = count["killed"] + count["survived"]
        survived += count["survived"]
        print(f"{folder}: {count['killed']} of {real} killed ({100 * count['killed'] // max(real, 1)} %), {count['equivalent']} "
              f"equivalent, {count['invalid']} did not compile, {count['left out']} left out")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
