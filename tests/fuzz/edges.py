#!/usr/bin/env python3
"""How much of each parser the targets reach: edges (each side of each branch, and each function's entry), counted by
llvm-cov in a build of its own, over the inputs of the repository and those that earlier runs of `./dev fuzz` have kept.

    edges.py [FILE...]  of these files of tests/fuzz/parsers.txt; all

Functions that no target can reach, or need not, are named in tests/fuzz/unreached.txt, with the reason, and do not count.
Less than 90 % of a file that has a target is said, and is a failure. `./dev fuzz --coverage` builds what this runs.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
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


def unreached() -> dict[tuple[str, str], str]:
    """By file and function: why no target reaches it."""
    named = {}
    for line in (fuzz.HERE / "unreached.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            file, function, reason = line.split(maxsplit=2)
            named[file, function] = reason
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


def count(found: list[dict], root: Path = fuzz.ROOT) -> dict[str, dict[str, tuple[int, int]]]:
    """By file and function: edges taken, and all. A function of several programs counts once."""
    taken: dict[tuple[str, str], dict[tuple, bool]] = defaultdict(dict)
    for function in found:
        path = Path(os.path.normpath(function["filenames"][0]))
        if not path.is_relative_to(root):
            continue
        edges = taken[str(path.relative_to(root)), function["name"].rpartition(":")[2]]
        edges["entry"] = edges.get("entry", False) or function["count"] > 0
        for branch in function["branches"]:
            for side in (4, 5):
                edges[(*branch[:4], side)] = edges.get((*branch[:4], side), False) or branch[side] > 0
    files: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for (file, name), edges in taken.items():
        files[file][name] = (sum(edges.values()), len(edges))
    return files


# ---- saying it ----


def of_file(named: dict[str, tuple[int, int]], without: set[str]) -> tuple[int, int]:
    parts = [part for name, part in named.items() if name not in without]
    return sum(taken for taken, _ in parts), sum(edges for _, edges in parts)


def worst(named: dict[str, tuple[int, int]], without: set[str]) -> str:
    """The functions with most edges that nothing has taken."""
    left = sorted(((edges - taken, name) for name, (taken, edges) in named.items() if name not in without and taken < edges), reverse=True)
    return ", ".join(f"{name} {missing}" for missing, name in left[:SHOWN])


def report(table: dict[str, list[str]], counted: dict[str, dict[str, tuple[int, int]]], excluded: dict[tuple[str, str], str]) -> int:
    low = total = reached = 0
    for file in sorted(table):
        without = {function for other, function in excluded if other == file}
        taken, edges = of_file(counted.get(file, {}), without)
        share = 100 * taken // edges if edges else 0
        low += share < WANTED
        reached, total = reached + taken, total + edges
        more = "" if share >= WANTED else f"   not taken: {worst(counted.get(file, {}), without) or 'all of it'}"
        print(f"{file:46} {taken:5} of {edges:5} ({share:3} %){more}")
    print(f"{len(table)} files, {reached} of {total} edges ({100 * reached // max(total, 1)} %), {low} below {WANTED} %")
    return 1 if low else 0


def main(arguments: list[str]) -> int:
    table = {file: targets for file, targets in parsers().items() if not arguments or file in arguments}
    if not table:
        print("edges.py: no such file in tests/fuzz/parsers.txt", file=sys.stderr)
        return 2
    targets = sorted({target for targets in table.values() for target in targets})
    return report(table, count(functions(targets)), unreached())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
