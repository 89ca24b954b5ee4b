#!/usr/bin/env python3
"""Runs the tests of this repository and counts them by their reports; `./dev test` builds first and then starts this.

    run.py                    all stages, in turn
    run.py unit [ctest args]  only the unit tests of the release build; a single word is a pattern for `ctest -R`
    run.py e2e [pytest args]  only the end-to-end tests on the release build
    run.py packages           makes the packages of ttf and ttf-gateway, and tries them
    run.py infra              only those of the program for AWS

A stage that cannot run here says so and counts as skipped; with CI in the environment it counts as failed.
TTF_TEST_JOBS is how many end-to-end tests run side by side (4). TTF_TEST_LANES is how many stages do (1); a stage that
measures time runs when nothing else does. TTF_TEST_MINUTES is how long all of it may take (no bound); what a stage starts may
take half an hour at most. What takes longer is ended, and has failed.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
SHOWN_CASES = 20  # failed tests whose text is shown
SHOWN_LINES = 60  # lines of each
REASON_LINES = 6  # and before them, of what pytest calls the error
SKIPPED = 77  # what a program says that cannot run here
TIMED_OUT = 124
COMMAND_SECONDS = 1800
LAST_WORDS_SECONDS = 20  # for who is told to end, until it is ended; for what it has said, until nobody waits for it any more
DEV = [str(ROOT / "dev")]


def in_ci() -> bool:
    return bool(os.environ.get("CI"))


@dataclass
class Tally:
    """What became of a stage, and what there is to say about it."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    lines: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.lines += other.lines

    def words(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


@dataclass
class Stage:
    title: str
    run: Callable[[], Tally]
    alone: bool = False


def cannot_run(why: str) -> Tally:
    if in_ci():
        return Tally(failed=1, lines=[f"FAILED: cannot run here, and must under CI: {why}"])
    return Tally(skipped=1, lines=[f"skipped: {why}"])


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def last_lines(text: str, count: int) -> list[str]:
    lines = text.rstrip("\n").splitlines()
    left_out = len(lines) - count
    return lines if left_out <= 0 else [f"… {left_out} lines before these", *lines[-count:]]


def reasons(text: str) -> list[str]:
    """What pytest marks as the error itself: it stands first, for whoever sees the beginning only."""
    return ["    " + line for line in text.splitlines() if line.startswith("E  ")][:REASON_LINES]


# ---- programs that are started ----

running: set[subprocess.Popen] = set()
last_end: float | None = None  # of all of them, by the monotonic clock


def seconds_left() -> float:
    return COMMAND_SECONDS if last_end is None else min(COMMAND_SECONDS, max(last_end - time.monotonic(), 0))


def signal_group(process: subprocess.Popen, number: int) -> None:
    """Whatever it has started and is of its session; what is another user's by now stays, as what has ended does."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def ends_within(process: subprocess.Popen, seconds: float) -> bool:
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        return False


def status_within(process: subprocess.Popen, seconds: float) -> int:
    """Its exit code, or TIMED_OUT; none of its session is there afterwards."""
    in_time = ends_within(process, seconds)
    if not in_time:
        signal_group(process, signal.SIGINT)  # pytest makes its report then
        ends_within(process, LAST_WORDS_SECONDS)
    signal_group(process, signal.SIGKILL)
    return process.wait() if in_time else TIMED_OUT


def copy_output(process: subprocess.Popen, log: Path, echo: bool) -> None:
    with log.open("wb") as out:
        while block := process.stdout.read1(65536):
            out.write(block)
            out.flush()
            if echo:
                sys.stdout.buffer.write(block)
                sys.stdout.flush()


def run_logged(command: list[str], log: Path, environment: dict[str, str] | None = None, echo: bool = False) -> int:
    """Its exit code; all that it says goes to `log`, and with `echo` to the terminal, too."""
    log.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    running.add(process)
    copying = threading.Thread(target=copy_output, args=(process, log, echo), daemon=True)
    copying.start()
    seconds = seconds_left()
    status = status_within(process, seconds)
    running.discard(process)
    copying.join(LAST_WORDS_SECONDS)  # a daemon that it has left behind may have its output, and never ends
    if status == TIMED_OUT:
        with log.open("a") as out:
            out.write(f"\nIt was ended: it took longer than the {seconds:.0f} s that there were\n")
    return status


def end_all(number: int, _frame: object) -> None:
    for process in list(running):
        signal_group(process, signal.SIGKILL)
    os._exit(128 + number)


# ---- reports ----


def read_report(path: Path) -> dict[str, tuple[str, str]]:
    """By test: passed, failed or skipped, and the text that says why. A test that is named twice (it failed, and then
    its fixtures did) counts once, by the worst."""
    cases: dict[str, tuple[str, str]] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        outcome, text = case_outcome(case)
        name = "::".join(part for part in (case.get("classname"), case.get("name")) if part)
        before = cases.get(name, ("skipped", ""))
        worst = next(word for word in ("failed", "passed", "skipped") if word in (before[0], outcome))
        cases[name] = (worst, "\n".join(part for part in (before[1], text) if part))
    return cases


def case_outcome(case: ElementTree.Element) -> tuple[str, str]:
    outcome, texts = "passed", []
    for child in case:
        if child.tag in ("failure", "error"):
            outcome = "failed"
        elif child.tag == "skipped" and outcome == "passed":
            outcome = "skipped"
        if child.tag in ("failure", "error", "skipped", "system-out", "system-err"):
            texts.append(child.text or child.get("message") or "")
    return outcome, "\n".join(text for text in texts if text)


def tally_report(report: Path, log: Path, status: int, quiet: bool = False) -> Tally:
    """Never better than the exit code: a run that failed without a failed test, or that ran none, is one failure.
    With `quiet` the text of failures is left out: it has been seen."""
    try:
        cases = read_report(report)
    except (OSError, ElementTree.ParseError):
        cases = {}
    tally = Tally()
    for outcome, _ in cases.values():
        setattr(tally, outcome, getattr(tally, outcome) + 1)
    failed = [(name, text) for name, (outcome, text) in cases.items() if outcome == "failed"]
    for name, text in [] if quiet else failed[:SHOWN_CASES]:
        tally.lines += [f"FAILED: {name}", *reasons(text), *("    " + line for line in last_lines(text, SHOWN_LINES))]
    if len(failed) > SHOWN_CASES and not quiet:
        tally.lines += [f"FAILED: {name}" for name, _ in failed[SHOWN_CASES:]]
    if status == TIMED_OUT or (not failed and (status != 0 or tally.passed == 0)):
        tally.failed += 1
        said = [] if quiet else last_lines(log.read_text(errors="replace"), SHOWN_LINES)
        tally.lines += [*said, f"FAILED: {len(failed) or 'no'} failed test{'s' * (len(failed) > 1)}, {tally.passed} passed ones and exit code {status}"]
    for name, (outcome, text) in cases.items():
        if outcome == "skipped":
            tally.lines.append(f"skipped: {name}: {' '.join(text.split())[:200]}")
    if tally.failed:
        tally.lines.append(f"all of it is in {shown(log)}")
    return tally


# ---- kinds of stages ----


def check(what: str, name: str, command: list[str]) -> Tally:
    log = BUILD / f"log-check-{name}.txt"
    status = run_logged(command, log)
    if status == 0:
        return Tally(passed=1, lines=[f"ok: {what}"])
    said = last_lines(log.read_text(errors="replace"), SHOWN_LINES)
    return Tally(failed=1, lines=[*said, f"FAILED: {what}"])


def ctest(name: str, build: Path, arguments: list[str] = (), quiet: bool = False) -> Tally:
    log, report = BUILD / f"log-unit-{name}.txt", BUILD / f"report-unit-{name}.xml"
    report.unlink(missing_ok=True)
    status = run_logged(["ctest", "--test-dir", str(build), "--output-on-failure", "--no-tests=error", "-j",
                         str(os.cpu_count() or 2), "--output-junit", str(report), *arguments], log)
    return tally_report(report, log, status, quiet)


def pytest(folder: Path, name: str, programs: Path, arguments: list[str] = (), environment: dict[str, str] | None = None,
           jobs: str | None = None, echo: bool = False) -> Tally:
    log, report = BUILD / f"log-{folder.name}-{name}.txt", BUILD / f"report-{folder.name}-{name}.xml"
    report.unlink(missing_ok=True)
    jobs = jobs or os.environ.get("TTF_TEST_JOBS") or "4"
    within = [] if any(argument.startswith(shown(folder) + "/") for argument in arguments) else [str(folder)]
    status = run_logged([sys.executable, "-m", "pytest", "-q", "-n", jobs, "--rootdir", str(folder), "-c",
                         str(folder / "pytest.ini"), f"--junitxml={report}", *within, *arguments], log,
                        {"TTF_BIN": str(programs), **(environment or {})}, echo)
    return tally_report(report, log, status, quiet=echo)


def stack() -> Tally:
    log, report = BUILD / "log-stack.txt", BUILD / "report-stack.xml"
    report.unlink(missing_ok=True)
    status = run_logged([*DEV, "stack", "--test", f"--junitxml={report}"], log)
    if status == SKIPPED:
        return cannot_run(log.read_text(errors="replace").rstrip().rpartition("\n")[2].removeprefix("skipped: "))
    return tally_report(report, log, status)


def infra() -> Tally:
    """The program for AWS (TypeScript); vitest writes the report."""
    if not shutil.which("npm"):
        return cannot_run("the program for AWS (npm is not installed)")
    log, report = BUILD / "log-infra.txt", BUILD / "report-infra.xml"
    report.unlink(missing_ok=True)
    status = run_logged([str(ROOT / "infra/test"), "--reporter=default", "--reporter=junit", f"--outputFile.junit={report}"], log)
    return tally_report(report, log, status)


def apps_stage(title: str, name: str, which: str, words: list[str], echo: bool = False, environment: dict[str, str] | None = None) -> Stage:
    """Alone, since containers that come and go change the network, and a browser then drops what it loads."""
    return Stage(title, lambda: pytest(ROOT / "tests/e2e", name, BUILD / "bin", words, {"TTF_APPS": which, **(environment or {})}, "2", echo), alone=True)


def apps(which: str, arguments: list[str] = (), echo: bool = False) -> list[Stage]:
    """Applications from npm and PyPI behind a tunnel: `which` is 1, or all for the heavy ones too."""
    on_aws = "tests/e2e/test_apps_stage.py"
    files = [shown(file) for file in sorted((ROOT / "tests/e2e").glob("test_apps_*.py")) if shown(file) != on_aws] + ["tests/e2e/test_frameworks.py"]
    return [
        apps_stage("Applications", "apps", which, [*files, *arguments], echo),
        apps_stage("Applications on AWS", "apps-aws", which, [on_aws, *arguments], echo, {"TTF_STACK": "aws"}),
    ]


# ---- the stages ----


def checks() -> Tally:
    tally = Tally()
    includes = [sys.executable, str(ROOT / "tests/check_includes.py")]
    tally.add(check("tests/check_includes.py checks itself", "includes-self", [*includes, "--self-test"]))
    tally.add(check("every #include goes the right way", "includes", includes))
    tally.add(check("sizeof and constants are written one way", "style", [sys.executable, str(ROOT / "tests/check_style.py")]))
    hardening = [sys.executable, str(ROOT / "tests/check_hardening.py")]
    tally.add(check("tests/check_hardening.py checks itself", "hardening-self", [*hardening, "--self-test"]))
    tally.add(check("the programs are hardened", "hardening", [*hardening, str(BUILD / "bin")]))
    if shutil.which("clang-format-14"):
        tally.add(check("the C code is formatted", "fmt", [*DEV, "fmt", "--check"]))
    else:
        tally.add(cannot_run("the format (clang-format-14 is not to be had here)"))
    if in_ci():
        tally.add(check("clang-tidy finds nothing", "tidy", [*DEV, "tidy"]))
    return tally


def packages() -> Tally:
    """What goes to AWS."""
    if "ID=debian" not in Path("/etc/os-release").read_text().splitlines():
        return cannot_run("the packages for AWS (they are made from Debian's)")
    tally = check("bootstrap is packaged for x86_64 and arm64", "package", [*DEV, "package-lambda"])
    machine = os.uname().machine.replace("aarch64", "arm64")
    tally.add(pytest(ROOT / "tests/lambda", "package", BUILD / "lambda" / machine / "build/bin",
                     ["-k", "test_package or test_function"]))
    return tally


def packages_of_programs(echo: bool = False) -> Tally:
    """The Debian packages, and ttf as one static program."""
    if "ID=debian" not in Path("/etc/os-release").read_text().splitlines():
        return cannot_run("the packages of ttf and ttf-gateway (they are made from Debian's)")
    tally = check("ttf and ttf-gateway are packaged, and lintian finds nothing", "packages", [*DEV, "package"])
    tally.add(check("no program is linked of a library that is known to be vulnerable", "sbom", [*DEV, "sbom"]))
    made = [system for system in ("macos", "windows") if list((BUILD / "packages").glob(f"ttf-{system}-*"))]  # ./dev package macos, windows
    by_hand = [f"--ignore=tests/packages/test_{system}.py" for system in ("macos", "windows") if system not in made]
    tally.add(pytest(ROOT / "tests/packages", "release", BUILD / "bin", by_hand, jobs="0", echo=echo))
    return tally


def all_stages() -> list[Stage]:
    release, asan = BUILD / "bin", BUILD / "asan/bin"
    slow = {"TTF_SLOW": "1"}

    def e2e(name: str, programs: Path, arguments: list[str] = (), environment: dict[str, str] | None = None, alone=False):
        return Stage(f"End-to-end tests ({name})", lambda: pytest(ROOT / "tests/e2e", name, programs, arguments, environment,
                                                                  "0" if alone else None), alone)

    def function(name: str, programs: Path):
        return Stage(f"Tests of the Lambda ({name})", lambda: pytest(ROOT / "tests/lambda", name, programs,
                                                                     ["--ignore=tests/lambda/test_package.py"]))

    def files(names: str) -> list[str]:
        return [f"tests/e2e/test_{name}.py" for name in names.split()]

    stored = "agents errors failures resume"  # what the store has a say in
    return [
        Stage("Checks", checks),
        Stage("Tests of the tests", lambda: pytest(ROOT / "tests/self", "release", release, jobs="0")),
        Stage("Unit tests (release)", lambda: ctest("release", BUILD)),
        Stage("Unit tests (asan)", lambda: ctest("asan", BUILD / "asan")),
        e2e("release", release, ["-m", "not alone"]),
        e2e("alone", release, ["-m", "alone"], alone=True),
        e2e("asan-alone", asan, ["-m", "alone"], slow, alone=True),
        e2e("redis2-alone", release, [*files("streams upgrade"), "-m", "alone"], {"TTF_STACK": "redis2"}, alone=True),
        e2e("asan", asan, ["-m", "not alone"], slow),
        # again on Redis: with one gateway, and with two of which the visitor comes to the other
        e2e("redis", release, files(stored + " drain takeover"), {"TTF_STACK": "redis"}),
        e2e("redis2", release, [*files(stored + " smuggling hostile_services hostile_agents http streams upgrade rate path_mode stray_urls visitor_policy metrics takeover"), "-m", "not alone"], {"TTF_STACK": "redis2"}),
        e2e("redis2-asan", asan, files(stored), {**slow, "TTF_STACK": "redis2"}),
        # and the Lambda behind the stand-in for API Gateway (tests/e2e/aws.py says what it cannot do)
        e2e("aws", release, files(stored + " http routing chunks jwks rate path_mode path_mode_browser stray_urls visitor_policy"), {"TTF_STACK": "aws"}),
        e2e("aws-direct", release, files("http chunks failures"), {"TTF_STACK": "aws", "WAIT_MODE": "direct"}),
        function("release", release),
        function("asan", asan),
        Stage("Packages for AWS", packages),
        Stage("Packages of the programs", packages_of_programs),
        Stage("The program for AWS", infra),
    ] + ([
        Stage("Fuzz targets", lambda: check("the fuzz targets find nothing", "fuzz", [*DEV, "fuzz", "9", "--seed", "1"])),
        Stage("What other parsers take for a request", lambda: check("h11 and nginx take the same for one request", "differential",
                                                                     [*DEV, "fuzz", "--differential", "15", "--seed", "1"])),
        Stage("A day in a minute", lambda: check("the soak, in short", "soak", [*DEV, "bench", "--soak", "60", "--tunnels", "100"]), alone=True),
        Stage("Everybody at once", lambda: check("a good visitor is served", "starve", [
            *DEV, "bench", "--starve", "--seconds", "12", "--slow", "600", "--idle", "1500", "--agents", "300"]), alone=True),
        Stage("The container stack", stack),
        *apps("1"),
    ] if in_ci() else [])


# ---- running them ----


def run_stage(stage: Stage, out: Callable[[str], None]) -> Tally:
    start = time.monotonic()
    try:
        tally = stage.run()
    except Exception as error:  # a driver that breaks is a failure, never fewer tests
        tally = Tally(failed=1, lines=[f"FAILED: {type(error).__name__}: {error}"])
    for line in tally.lines:
        out(line)
    out(f"{tally.words()}, in {time.monotonic() - start:.1f} s")
    return tally


def run_stages(stages: list[Stage], lanes: int = 1) -> Tally:
    """Stages in turn, or `lanes` at once; one that is `alone` waits for those before it, and those after it wait for it."""
    total = Tally()
    while stages:
        beside = next((i for i, stage in enumerate(stages) if stage.alone), len(stages)) or 1
        if lanes == 1 or beside == 1:
            print(f"\n==> {stages[0].title}", flush=True)
            total.add(run_stage(stages[0], lambda line: print(line, flush=True)))
            stages = stages[1:]
            continue
        with ThreadPoolExecutor(lanes) as pool:
            for tally in pool.map(run_beside, stages[:beside]):
                total.add(tally)
        stages = stages[beside:]
    return total


def run_beside(stage: Stage) -> Tally:
    said = [f"\n==> {stage.title}"]
    tally = run_stage(stage, said.append)
    print("\n".join(said), flush=True)
    return tally


def some_stages(arguments: list[str]) -> list[Stage]:
    kind, rest = arguments[0], arguments[1:]
    if kind == "unit":
        if len(rest) == 1 and not rest[0].startswith("-"):
            rest = ["-R", *rest]
        return [Stage("Unit tests (release)", lambda: ctest("release", BUILD, rest))]
    if kind == "infra":
        return [Stage("The program for AWS", infra)]
    if kind == "packages":
        return [Stage("Packages of the programs", lambda: packages_of_programs(echo=True))]
    if kind == "apps":
        heavy = "--all" in rest
        return apps("all" if heavy else "1", [argument for argument in rest if argument != "--all"], echo=True)
    if kind == "e2e":
        return [Stage("End-to-end tests (release)", lambda: pytest(ROOT / "tests/e2e", "release", BUILD / "bin", rest, echo=True))]
    sys.exit(f"run.py: {kind}: there are unit, e2e, apps, packages and infra")


def number_from(variable: str, default: int | None) -> int | None:
    said = os.environ.get(variable)
    if not said:
        return default
    if not said.isascii() or not said.isdigit() or int(said) < 1:
        sys.exit(f"run.py: {variable}: expected a number from 1 on")
    return int(said)


def main(arguments: list[str]) -> int:
    global last_end
    lanes, minutes = number_from("TTF_TEST_LANES", 1), number_from("TTF_TEST_MINUTES", None)
    last_end = minutes and time.monotonic() + 60 * minutes
    total = run_stages(some_stages(arguments) if arguments else all_stages(), lanes)
    print(f"\n==> All in all\n{total.words()}")
    return 1 if total.failed else 0


if __name__ == "__main__":
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end_all)
    sys.exit(main(sys.argv[1:]))
