#!/usr/bin/env python3
"""Runs the fuzz targets that `./dev fuzz` has built, two at a time, and says at the end which found something, and what.

    fuzz.py [SECONDS] [--seed N] [TARGET...]  each for so long (30); TARGET is a name without `fuzz_`

What a target finds is kept in build/fuzz/found. A slow input counts by the processor's time, not by the clock's: on a busy
machine anything is slow.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/fuzz"
HERE = ROOT / "tests/fuzz"
LANES = 2
INPUT_BYTES = 8192
SLOW_S = 10  # of the processor, for one input
SLOW_CLOCK_S = 60
MEMORY_MB = 2048
BY_CHANCE = 0  # as libFuzzer takes it
GOLDEN = {"v1": ["ok", "bad"], "event": ["lambda/ok", "lambda/bad"]}  # further inputs, which other tests read, too

# How libFuzzer and the sanitizers call what they found.
KINDS = (
    (r"ERROR: libFuzzer: timeout", "slow"),
    (r"ERROR: libFuzzer: out-of-memory", "out of memory"),
    (r"ERROR: LeakSanitizer", "memory that is not given back"),
    (r"ERROR: AddressSanitizer: ([\w-]+)", "{}"),
    (r"runtime error: (.+)", "undefined: {}"),
    (r"Assertion `(.+)' failed", "assertion: {}"),
    (r"ERROR: libFuzzer: deadly signal", "a promise that was not kept"),
)


@dataclass
class Result:
    target: str
    inputs: int
    found: str  # what; "": nothing
    log: Path


def all_targets() -> list[str]:
    return sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.c"))


def seeds(target: str) -> list[Path]:
    return [HERE / "corpus" / target] + [ROOT / "tests/golden" / folder for folder in GOLDEN.get(target, [])]


def what_was_found(log: str, status: int) -> str:
    """"" when nothing was; the first of its words that say something otherwise."""
    if status == 0:
        return ""
    for pattern, kind in KINDS:
        if said := re.search(pattern, log):
            return kind.format(*said.groups())
    return f"exit code {status}"


def where(log: str) -> str:
    """The innermost frame of ours."""
    frames = re.findall(r"^ +#\d+ 0x\w+ in (\w+) \S*/(?:common|gateway|forwarder|aws-adapter|tests)/(\S+)", log, re.M)
    return next((f"{name} ({Path(place).name})" for name, place in frames if "/fuzz.h:" not in place), "")


def command(target: str, build: Path | None = None) -> list[str]:
    return [str((build or BUILD) / "bin" / f"fuzz_{target}"), f"-rss_limit_mb={MEMORY_MB}"]


def is_really_slow(target: str, log: str) -> bool:
    """Alone, once more, by the processor's time. True as well when the input cannot be found."""
    kept = re.search(r"Test unit written to (\S+)", log)
    if not kept:
        return True
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    try:
        subprocess.run([*command(target), kept[1]], capture_output=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return True
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before >= SLOW_S


def run_target(target: str, seconds: int, seed: int) -> Result:
    corpus, found = BUILD / "corpus" / f"fuzz_{target}", BUILD / "found"
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    path = BUILD / f"log-fuzz_{target}.txt"
    options = [f"-seed={seed}", f"-max_total_time={seconds}", f"-max_len={INPUT_BYTES}", f"-timeout={SLOW_CLOCK_S}",
               "-print_final_stats=1", f"-artifact_prefix={found}/fuzz_{target}-"]
    if not Path(command(target)[0]).exists():
        path.write_text("")
        return Result(target, 0, "it is not built", path)
    with path.open("wb") as out:
        status = subprocess.run([*command(target), *options, corpus, *seeds(target)], stdout=out, stderr=out,
                                check=False).returncode
    log = path.read_text(errors="replace")
    inputs = re.search(r"stat::number_of_executed_units: *(\d+)", log)
    return Result(target, int(inputs[1]) if inputs else 0, what_was_found(log, status), path)


SHOWN_LINES = 25  # of what a find says


def details(result: Result) -> list[str]:
    said = [line for line in result.log.read_text(errors="replace").splitlines()
            if re.search(r"ERROR|SUMMARY|runtime error|Assertion|^ +#\d+ |Test unit written", line)
            and not re.search(r" in (?:fuzzer::|main |__libc_start|__interceptor)", line)]
    return [f"{result.target}:", *("    " + line for line in said[:SHOWN_LINES])]


def summary(results: list[Result]) -> list[str]:
    """The lines that the last of a long log are."""
    bad = [result for result in results if result.found]
    lines = [line for result in bad for line in details(result)]
    lines += [f"FOUND by {result.target}: {result.found} in {where(result.log.read_text(errors='replace')) or '?'}; "
             f"all that was said is in {os.path.relpath(result.log, ROOT)}" for result in bad]
    inputs = sum(result.inputs for result in results)
    return [*lines, f"{len(results)} targets, {inputs} inputs, {len(bad)} found something"]


def fuzz(targets: list[str], seconds: int, seed: int = BY_CHANCE) -> int:
    def one(target: str) -> Result:
        result = run_target(target, seconds, seed)
        said = f"FOUND something: {result.found}" if result.found else "nothing found"
        print(f"{target}: {result.inputs} inputs, {said}", flush=True)
        return result

    with ThreadPoolExecutor(LANES) as pool:
        results = list(pool.map(one, targets))
    for result in results:  # alone, now that no other runs
        if result.found == "slow" and not is_really_slow(result.target, result.log.read_text(errors="replace")):
            print(f"{result.target}: not slow by the processor's time; the machine was busy")
            result.found = ""
    print("\n".join(summary(results)))
    return 1 if any(result.found for result in results) else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", metavar="SECONDS|TARGET", help="for each target (30); names without fuzz_ (all)")
    parser.add_argument("--seed", type=int, default=BY_CHANCE, help="of chance: the same inputs again")
    chosen = parser.parse_intermixed_args(arguments)
    seconds = [int(word) for word in chosen.what if word.isdecimal()]
    targets = [word for word in chosen.what if not word.isdecimal()]
    if unknown := set(targets) - set(all_targets()):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if len(seconds) > 1 or 0 in seconds:
        parser.error("one number of seconds, from 1 on")
    return fuzz(targets or all_targets(), *seconds or [30], chosen.seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
