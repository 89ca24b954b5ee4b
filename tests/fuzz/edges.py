#!/usr/bin/env python3
"""How much of each parser the targets reach: edges (each side of each branch, and each function's entry), counted by
llvm-cov in a build of its own, over the inputs of the repository and those that earlier runs of `./dev fuzz` have kept.

    edges.py [FILE...]  of these files of tests/fuzz/parsers.txt, with each edge that is left; of all

What no target can reach, or need not, is named in tests/fuzz/unreached.txt, with the reason, and does not count: a function, or
one side of a condition in it. Nor do the branches within macros, which are not the parser's.
Less than 90 % of a file that has a target is said, and is a failure. `./dev fuzz --coverage` builds what this runs.
"""

import functools
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import fuzz

TREE = fuzz.ROOT / "build/fuzz-edges"
WANTED = 90  # per cent
SHOWN = 6  # functions of a file that has less


def parsers() -> dict[str, list[str]]:
    """Of the table, files with their targets."""
    table = {}
    for line in (fuzz.HERE / "parsers.txt").read_text().splitlines():
        file, _, targets = line.partition(" ")
        if file and not file.startswith("#") and not targets.strip().startswith("-"):
            table[file] = targets.split()
    return table


# "FILE FUNCTION REASON", or "FILE FUNCTION true|false `CONDITION` REASON".
ROW = re.compile(r"(\S+) (\S+) (?:(true|false) `(.+)` )?([^`]+)")


def unreached() -> dict[tuple[str, ...], str]:
    """By file and function, or by file, function, side and condition: why no target reaches it."""
    named = {}
    for line in (fuzz.HERE / "unreached.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            *place, reason = ROW.fullmatch(line).groups()
            named[tuple(word for word in place if word)] = reason
    return named


# ---- measuring ----


def profile(target: str) -> Path:
    """What the target reaches, with each of its inputs once."""
    out = TREE / f"profile/{target}.profraw"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    kept = fuzz.BUILD / "corpus" / f"fuzz_{target}"
    folders = [folder for folder in [kept, *fuzz.seeds(target)] if folder.is_dir()]
    run = [*fuzz.command(target, TREE), "-runs=0", f"-max_len={fuzz.INPUT_BYTES}", *folders]
    with (TREE / f"log-{target}.txt").open("wb") as log:
        subprocess.run(run, stdout=log, stderr=log, check=False, env={**os.environ, "LLVM_PROFILE_FILE": str(out)})
    if not out.exists():
        raise RuntimeError(f"fuzz_{target} left no profile: {log.name}")
    return out


def functions(targets: list[str]) -> list[dict]:
    """What llvm-cov says of each function of these targets, all profiles together."""
    with ThreadPoolExecutor(fuzz.LANES) as pool:
        profiles = list(pool.map(profile, targets))
    merged = TREE / "profile/all.profdata"
    subprocess.run(["llvm-profdata", "merge", "-sparse", "-o", str(merged), *map(str, profiles)], check=True)
    programs = [str(TREE / "bin" / f"fuzz_{target}") for target in targets]
    objects = [word for program in programs[1:] for word in ("-object", program)]
    said = subprocess.run(["llvm-cov", "export", "-instr-profile", str(merged), programs[0], *objects], capture_output=True,
                          text=True, check=True).stdout
    return json.loads(said)["data"][0]["functions"]


@functools.lru_cache(maxsize=None)
def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines() if path.exists() else []


def condition(path: Path, branch: list[int]) -> str:
    """The text of a condition, on one line. Columns are bytes."""
    first, begin, last, end = branch[:4]
    lines = lines_of(path)[first - 1 : last]
    if lines:
        lines[-1] = lines[-1][: end - 1]
        lines[0] = lines[0][begin - 1 :]
    return " ".join(b" ".join(lines).decode(errors="replace").split())


@dataclass(frozen=True)
class Edge:
    line: int
    column: int
    side: str  # true, false; "": the function's entry
    condition: str


def edges_of(function: dict, path: Path) -> Iterator[tuple[Edge, bool]]:
    yield Edge(0, 0, "", ""), function["count"] > 0
    for branch in function["branches"]:
        if branch[6] == 0:  # otherwise of a macro
            for side, taken in (("true", branch[4]), ("false", branch[5])):
                yield Edge(branch[0], branch[1], side, condition(path, branch)), taken > 0


Counted = dict[str, dict[str, dict[Edge, bool]]]


def count(found: list[dict], without: Collection[tuple[str, ...]] = (), root: Path = fuzz.ROOT) -> Counted:
    """By file and function: which edges there are, and whether each is taken. A function of several programs counts once."""
    files: Counted = defaultdict(lambda: defaultdict(dict))
    for function in found:
        path = Path(os.path.normpath(function["filenames"][0]))
        if not path.is_relative_to(root):
            continue
        file, name = str(path.relative_to(root)), function["name"].rpartition(":")[2]
        if (file, name) in without:
            continue
        for edge, taken in edges_of(function, path):
            if (file, name, edge.side, edge.condition) not in without:
                files[file][name][edge] = files[file][name].get(edge, False) or taken
    return files


def stale(found: list[dict], named: Collection[tuple[str, ...]], files: Collection[str], root: Path = fuzz.ROOT) -> list[str]:
    """Of what is named for these files: what is there no more."""
    counted = count(found, root=root)
    there = {(file, name) for file, functions in counted.items() for name in functions}
    there |= {(file, name, edge.side, edge.condition) for file, functions in counted.items() for name, edges in functions.items()
              for edge in edges}
    return [" ".join(place) for place in named if place[0] in files and place not in there]


# ---- saying it ----


def of_file(named: dict[str, dict[Edge, bool]]) -> tuple[int, int]:
    return sum(sum(edges.values()) for edges in named.values()), sum(map(len, named.values()))


def worst(named: dict[str, dict[Edge, bool]]) -> str:
    """The functions with most edges that nothing has taken."""
    left = sorted(((list(edges.values()).count(False), name) for name, edges in named.items()), reverse=True)
    return ", ".join(f"{name} {missing}" for missing, name in left[:SHOWN] if missing)


def left_of(file: str, named: dict[str, dict[Edge, bool]]) -> Iterator[str]:
    """A line for each edge that nothing has taken, as unreached.txt would name it."""
    for name, edges in named.items():
        for edge in sorted((edge for edge, taken in edges.items() if not taken), key=lambda edge: (edge.line, edge.column, edge.side)):
            yield f"{file} {name} {edge.side} `{edge.condition}` line {edge.line}" if edge.side else f"{file} {name} is never entered"


def report(table: dict[str, list[str]], counted: Counted) -> int:
    low = total = reached = 0
    for file in sorted(table):
        taken, edges = of_file(counted.get(file, {}))
        share = 100 * taken // edges if edges else 0
        low += share < WANTED
        reached, total = reached + taken, total + edges
        more = "" if share >= WANTED else f"   not taken: {worst(counted.get(file, {})) or 'all of it'}"
        print(f"{file:46} {taken:5} of {edges:5} ({share:3} %){more}")
    print(f"{len(table)} files, {reached} of {total} edges ({100 * reached // max(total, 1)} %), {low} below {WANTED} %")
    return 1 if low else 0


def main(arguments: list[str]) -> int:
    table = {file: targets for file, targets in parsers().items() if not arguments or file in arguments}
    if not table:
        print("edges.py: no such file in tests/fuzz/parsers.txt", file=sys.stderr)
        return 2
    targets = sorted({target for targets in table.values() for target in targets})
    found, named = functions(targets), unreached().keys()
    counted = count(found, named)
    for file in table if arguments else ():
        print(*left_of(file, counted.get(file, {})), sep="\n")
    for place in stale(found, named, table):
        print(f"tests/fuzz/unreached.txt names what is there no more: {place}")
    return report(table, counted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
