#!/usr/bin/env python3
"""Puts small faults into the C code and lists those that no unit test sees.

The files' copies (build/mutate) get all faults at once, each behind a switch (tests/mutants.py), and the unit tests are
built from them once, with sanitizers. A run without a fault shows which test reaches which fault; then each fault is
switched on for the tests that reach it, the quickest first, until one fails. tests/mutate_equivalent.txt names faults
that change nothing.
"""

import argparse
import json
import os
import random
import re
import resource
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mutants import RUNTIME, Mutant, compiling, find_mutants

ROOT = Path(__file__).resolve().parents[1]
COPY, TREE = ROOT / "build/mutate/source", ROOT / "build/mutate/tree"
ROOMS = ("common", "gateway", "forwarder", "aws-adapter")
FOLDERS = ("common/handler", "common/http", "common/link", "common/auth", "gateway/public", "forwarder/local")
AT_ONCE = 2
SPLIT_SECONDS = 0.3  # of the processor: a program that takes longer is run by single tests
SURE_SECONDS = 1.0  # a failure after so long may come from a busy machine, and is asked for twice
BUDGET_CPU_SECONDS = 4.0
SKIPPED = 77
WITHOUT = {"test_store_dynamodb"}  # cannot be started by itself
SEPARATOR = " @@ "
ORDER, ANSWER = struct.Struct("ii120s"), struct.Struct("i")  # of tests/mutant_runtime.c
FOLDER = tempfile.TemporaryDirectory(prefix="mutate-")  # where tests run
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:symbolize=0:malloc_context_size=3:quarantine_size_mb=16:allocator_may_return_null=1",
              "UBSAN_OPTIONS": "halt_on_error=1:symbolize=0"}


# ---- running tests ----


@dataclass(frozen=True, eq=False)
class Run:
    program: str
    test: str  # of the program, or all of them: *
    seconds: float
    cpu_seconds: float
    reached: frozenset[int]
    tests: tuple[str, ...]  # that it has run


def lower_ourselves() -> None:
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def start(program: str, folder: str, environment: dict[str, str], **streams) -> subprocess.Popen:
    return subprocess.Popen([str(TREE / "bin" / program)], cwd=folder, stderr=subprocess.DEVNULL, start_new_session=True,
                            env={**os.environ, **SANITIZERS, "TMPDIR": folder, **environment}, preexec_fn=lower_ourselves, **streams)


def observe(program: str, test: str = "*") -> Run | None:
    """The run without a fault: how long it takes, and what it reaches. None: it cannot run here, or has no file with faults."""
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        reached = Path(folder) / "reached"
        for _ in range(3):  # a machine that is very busy is no fault
            started = time.monotonic()
            process = start(program, folder, {"MUTANT_TESTS": test, "MUTANT_REACHED": str(reached)}, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE)
            said = process.stdout.read().decode(errors="replace")
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            process.stdout.close()
            if process.returncode == SKIPPED or process.returncode == 0 and not reached.is_file():
                return None
            if process.returncode == 0:
                seen = frozenset(i for i, byte in enumerate(reached.read_bytes()) if byte)
                tests = tuple(re.findall(r"^\[ RUN +\] (\w+)", said, re.M))
                return Run(program, test, time.monotonic() - started, usage.ru_utime + usage.ru_stime, seen, tests)
    sys.exit(f"mutate: {program} ({test}): run without a fault, and failed")


def observe_all(programs: list[str]) -> list[Run]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        whole = [run for run in pool.map(observe, programs) if run and run.reached]
        slow = [run for run in whole if run.cpu_seconds > SPLIT_SECONDS and run.tests]
        single = [(run.program, test) for run in slow for test in run.tests]
        parts = [run for run in pool.map(lambda pair: observe(*pair), single) if run and run.reached]
    return sorted([run for run in whole if run not in slow] + parts, key=lambda run: run.seconds)


class Servers(threading.local):
    """A copy of each program that waits for orders (tests/mutant_runtime.c), for each thread."""

    def __init__(self):
        self.processes: dict[str, subprocess.Popen] = {}

    def run(self, run: Run, number: int, seconds: float) -> int:
        if run.program not in self.processes:
            self.processes[run.program] = start(run.program, FOLDER.name, {"MUTANT_SERVE": "1"}, stdin=subprocess.PIPE,
                                                stdout=subprocess.PIPE)
        process = self.processes[run.program]
        process.stdin.write(ORDER.pack(number, int(seconds * 1000), run.test.encode()))
        process.stdin.flush()
        return os.waitstatus_to_exitcode(ANSWER.unpack(process.stdout.read(ANSWER.size))[0])


    def close(self) -> None:
        for process in self.processes.values():
            process.stdin.close()
            process.stdout.close()
            process.wait()


class Search:
    """For the test that sees a fault: first the one that saw the last fault of that file, then the quickest and nearest
    ones, as many as take BUDGET_CPU_SECONDS. A test is the nearer, the larger the file's share in what it reaches."""

    def __init__(self, runs: list[Run], mutants: dict[int, Mutant]):
        self.runs, self.servers = runs, Servers()
        self.last: dict[str, Run] = {}
        self.sizes: dict[str, dict[Run, int]] = defaultdict(lambda: defaultdict(int))
        for run in runs:
            for number in run.reached & mutants.keys():
                self.sizes[mutants[number].file][run] += 1

    def sees(self, run: Run, number: int) -> bool:
        times = 2 if run.seconds > SURE_SECONDS else 1
        return all(self.servers.run(run, number, 5 * run.seconds + 1) not in (0, SKIPPED) for _ in range(times))

    def order(self, number: int, file: str) -> list[Run]:
        sizes = self.sizes[file]
        runs = sorted((run for run in self.runs if number in run.reached),
                      key=lambda run: (run is not self.last.get(file), run.cpu_seconds * len(run.reached) / sizes[run]))
        spent, kept = 0.0, []
        for run in runs:
            if spent < BUDGET_CPU_SECONDS:
                kept.append(run)
            spent += run.cpu_seconds
        return kept

    def find(self, number: int, mutant: Mutant) -> Run | None:
        for run in self.order(number, mutant.file):
            if self.sees(run, number):
                self.last[mutant.file] = run
                return run
        return None


# ---- building ----


def copy_tree(but: set[Path]) -> None:
    """The tree as it is now; files that are the same keep their time, so that little is built again. `but` are those
    whose copies are about to get faults."""
    for name in ("CMakeLists.txt", "tests", "infra/schema", *ROOMS):
        paths = [ROOT / name] if (ROOT / name).is_file() else [path for path in (ROOT / name).rglob("*") if path.is_file()]
        for path in paths:
            to = COPY / path.relative_to(ROOT)
            if path not in but or not to.is_file():
                write(to, path.read_bytes())
    for path in COPY.rglob("*.[ch]"):
        if not (ROOT / path.relative_to(COPY)).is_file() and path.name != "mutant_runtime.c":
            path.unlink()


def write(path: Path, content: bytes) -> None:
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_runtime(count: int) -> None:
    write(COPY / "common/base/mutant_runtime.c", f"#define MUTANT_COUNT {count}\n".encode() + RUNTIME.read_bytes())


def build(programs: list[str]) -> None:
    log = TREE.parent / "log.txt"
    with log.open("wb") as out:
        status = subprocess.run(["nice", "-n", "5", "cmake", "--build", str(TREE), "-j", str(AT_ONCE), "--target", *programs],
                                stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False).returncode
    if status != 0:
        print(log.read_text()[-2000:], file=sys.stderr)
        sys.exit(f"mutate: the build failed; all of it is in {log.relative_to(ROOT)}")


def configure() -> None:
    write_runtime(1)
    if subprocess.run(["cmake", "-G", "Ninja", "-S", str(COPY), "-B", str(TREE), "-DCMAKE_BUILD_TYPE=Debug", "-DTTF_SANITIZE=ON",
                       "-DCMAKE_C_FLAGS=-w -O1 -g0"], **QUIET, check=False).returncode != 0:
        sys.exit("mutate: cmake failed")


def compile_commands() -> dict[str, list[str]]:
    """By file, as named from the root."""
    found = {}
    for entry in json.loads((TREE / "compile_commands.json").read_text()):
        path = Path(entry["file"])
        words = [word.replace("\\", "") for word in entry["command"].split()]
        if path.is_relative_to(COPY):
            found[str(path.relative_to(COPY))] = [word for word in words if re.match(r"-([DI]|isystem|std)", word)]
    return found


def insert_faults(files: list[str], commands: dict[str, list[str]]) -> dict[int, Mutant]:
    """Writes them into the copies, each behind the switch of its number."""
    found, numbered = [], {}
    for file in files:
        arguments = [word.replace(str(COPY), str(ROOT)) for word in commands[file]]
        mutants = find_mutants(ROOT, file, arguments)
        numbered[file] = list(enumerate(mutants, len(found)))
        found += mutants

    def insert(file: str) -> list[tuple[int, Mutant]]:
        path = COPY / file
        before = path.read_bytes() if path.is_file() else b""
        times = path.stat().st_mtime_ns if path.is_file() else 0
        kept = compiling((ROOT / file).read_bytes(), numbered[file], path, ["gcc", *commands[file]])
        if path.read_bytes() == before:
            os.utime(path, ns=(times, times))
        return kept

    with ThreadPoolExecutor(AT_ONCE) as pool:
        switched = {number for pairs in pool.map(insert, files) for number, _ in pairs}
    write_runtime(len(found) or 1)
    return {number: mutant for number, mutant in enumerate(found) if number in switched}


# ---- which faults, and what became of them ----


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


def chosen(numbers: list[int], sample: int, seed: int) -> list[int]:
    if sample and sample < len(numbers):
        numbers = random.Random(seed).sample(numbers, sample)
    return sorted(numbers)


def measure(mutants: dict[int, Mutant], runs: list[Run], verbose: bool) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    reached, search = {number for run in runs for number in run.reached}, Search(runs, mutants)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for (number, mutant), run in zip(mutants.items(), pool.map(lambda item: search.find(*item), mutants.items())):
            counts[str(Path(mutant.file).parent)]["killed" if run else "survived"] += 1
            if verbose and run:
                print(f"  killed by {run.program} {run.test}: {mutant.file}:{mutant.line}: {mutant.change}", flush=True)
            if not run:
                word = "survived" if number in reached else "unreached"
                print(f"  {word}: {mutant.file}:{mutant.line}: {mutant.change}\n             {mutant.code}", flush=True)
    return counts


def changed_files() -> list[str]:
    """Those that differ from the main branch's, committed or not."""
    base = subprocess.run(["git", "-C", str(ROOT), "merge-base", "main", "HEAD"], capture_output=True, text=True, check=True).stdout
    names = subprocess.run(["git", "-C", str(ROOT), "diff", "--name-only", base.strip()], capture_output=True, text=True, check=True)
    return [name for name in names.stdout.split() if name.endswith(".c") and name.startswith(ROOMS) and (ROOT / name).is_file()]


def sources(names: list[str], known: dict[str, list[str]]) -> list[str]:
    files = []
    for name in names:
        path = (ROOT / name).resolve()
        files += sorted(path.rglob("*.c")) if path.is_dir() else [path]
    files = [str(path.relative_to(ROOT)) for path in files]
    if unknown := [name for name in files if name not in known]:
        sys.exit(f"mutate: {unknown[0]} is not a source of the programs")
    return files


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev mutate", description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", metavar="FILE", help=f"C files or folders ({' '.join(FOLDERS)})")
    parser.add_argument("--changed", action="store_true", help="the C files that differ from the main branch's")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="only so many faults, chosen by chance")
    parser.add_argument("--seed", type=int, default=1, help="of that chance (1)")
    parser.add_argument("--tests", default="", metavar="PATTERN", help="only the unit tests whose names have it (test_gate|test_head)")
    parser.add_argument("--verbose", action="store_true", help="also says which test sees a fault")
    options = parser.parse_args()

    names = changed_files() if options.changed else options.files or list(FOLDERS)
    if not names:
        return print("mutate: no C file has changed") or 0
    copy_tree({path for name in names for path in [ROOT / name, *(ROOT / name).rglob("*.c")]})
    configure()
    commands = compile_commands()
    mutants = insert_faults(sources(names, commands), commands)
    programs = sorted(Path(file).stem for file in commands if re.search(r"/test_\w+\.c$", file) and Path(file).stem not in WITHOUT
                      and re.search(options.tests, Path(file).stem))
    print(f"{len(mutants)} faults; building the unit tests", flush=True)
    build(programs)
    runs = observe_all(programs)

    equivalents = read_equivalents(ROOT / "tests/mutate_equivalent.txt")
    numbers = chosen([number for number, mutant in mutants.items() if mutant.key() not in equivalents], options.sample, options.seed)
    counts = measure({number: mutants[number] for number in numbers}, runs, options.verbose)
    for mutant in mutants.values():
        counts[str(Path(mutant.file).parent)]["equivalent"] += mutant.key() in equivalents
    for folder, count in sorted(counts.items()):
        total = count["killed"] + count["survived"]
        print(f"{folder}: {count['killed']} of {total} killed ({100 * count['killed'] / max(total, 1):.1f} %), "
              f"{count['equivalent']} equivalent")
    return 1 if any(count["survived"] for count in counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
