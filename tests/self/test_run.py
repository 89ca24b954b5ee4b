"""tests/run.py: whatever fails is counted, and fails the run."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
import run
from conftest import ROOT

PYTEST_INI = "[pytest]\naddopts = -p no:cacheprovider\n"
SUITE = """
import pytest

def test_good():
    pass

def test_bad():
    assert 1 == 2, "one is not two"

@pytest.mark.skip(reason="no time")
def test_left_out():
    pass

@pytest.fixture
def broken():
    yield
    raise OSError("the end of it broke")

def test_good_with_a_bad_end(broken):
    pass
"""


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    """A build folder of its own, outside CI."""
    monkeypatch.setattr(run, "BUILD", tmp_path / "build")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("TTF_TEST_LANES", raising=False)
    monkeypatch.delenv("TTF_TEST_MINUTES", raising=False)
    monkeypatch.setattr(run, "last_end", None)
    return tmp_path / "build"


def suite(tmp_path, text):
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "pytest.ini").write_text(PYTEST_INI)
    (folder / "test_it.py").write_text(text)
    return folder


def counts(tally):
    return tally.passed, tally.failed, tally.skipped


def tally_of(tmp_path, text, arguments=()):
    return run.pytest(suite(tmp_path, text), "self", tmp_path, list(arguments), jobs="0")


def run_main(monkeypatch, capsys, *stages):
    monkeypatch.setattr(run, "all_stages", lambda: list(stages))
    status = run.main([])
    return status, capsys.readouterr().out


def test_failures_are_counted_and_shown(tmp_path):
    tally = tally_of(tmp_path, SUITE)
    assert counts(tally) == (1, 2, 1)
    said = "\n".join(tally.lines)
    assert "one is not two" in said and "the end of it broke" in said and "no time" in said


def test_no_test_fails(tmp_path):
    assert counts(tally_of(tmp_path, SUITE, ["-k", "nothing_has_this_name"])) == (0, 1, 0)


def test_a_suite_that_cannot_be_read_fails(tmp_path):
    assert tally_of(tmp_path, "import there_is_no_such_module\n").failed == 1


def test_a_runner_that_dies_fails(tmp_path):
    tally = tally_of(tmp_path, "import os\n\ndef test_it():\n    os._exit(0)\n")
    assert counts(tally) == (0, 1, 0)


def test_a_failed_exit_outweighs_a_good_report(tmp_path):
    (tmp_path / "report").write_text('<testsuite><testcase name="a"/></testsuite>')
    (tmp_path / "log").write_text("something else broke\n")
    tally = run.tally_report(tmp_path / "report", tmp_path / "log", 3)
    assert counts(tally) == (1, 1, 0)
    assert "something else broke" in tally.lines


def test_what_is_shown_is_bounded(tmp_path):
    text = "x\n" * 5000
    cases = "".join(f'<testcase name="t{i}"><failure>{text}</failure></testcase>' for i in range(50))
    (tmp_path / "report").write_text(f"<testsuite>{cases}</testsuite>")
    tally = run.tally_report(tmp_path / "report", tmp_path / "log", 1)
    assert tally.failed == 50
    assert len(tally.lines) < run.SHOWN_CASES * (run.SHOWN_LINES + 2) + 40
    assert "FAILED: t49" in tally.lines


def test_the_error_itself_comes_first(tmp_path):
    tally = tally_of(tmp_path, "def test_it():\n    assert 1 == 2, 'this is why'\n")
    assert tally.lines[0].startswith("FAILED: ") and "this is why" in tally.lines[1]


def time_is_over_with(monkeypatch, file):
    """What is run has no time left as soon as that file is there."""
    ends_within = run.ends_within

    def waits_for_the_file(process, _seconds):
        monkeypatch.setattr(run, "ends_within", ends_within)
        while not file.exists():
            assert process.poll() is None
            time.sleep(0.01)
        return False

    monkeypatch.setattr(run, "ends_within", waits_for_the_file)


def test_what_takes_too_long_is_ended(tmp_path, monkeypatch):
    """With what it has started, and what it has said until then is shown."""
    monkeypatch.setattr(run, "LAST_WORDS_SECONDS", 0.1)
    time_is_over_with(monkeypatch, tmp_path / "begun")
    script = f"trap '' INT; sleep 3600 & echo $! >{tmp_path}/pid; echo it has begun; touch {tmp_path}/begun; wait; wait"
    tally = run.check("it ends", "self", ["bash", "-c", script])
    said = "\n".join(tally.lines)
    assert counts(tally) == (0, 1, 0)
    assert "it has begun" in said and f"it took longer than the {run.COMMAND_SECONDS} s" in said
    stat = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_what_was_tested_before_time_ran_out_is_counted(tmp_path, monkeypatch):
    time_is_over_with(monkeypatch, tmp_path / "begun")
    tally = tally_of(tmp_path, "import pathlib, time\n\ndef test_bad():\n    assert 1 == 2\n\ndef test_endless():\n"
                               f"    pathlib.Path({str(tmp_path / 'begun')!r}).touch()\n    time.sleep(3600)\n")
    assert tally.failed == 2
    assert "FAILED: test_it::test_bad" in tally.lines
    assert any("it took longer than the" in line for line in tally.lines)


def test_a_daemon_that_a_stage_leaves_behind_holds_nothing_up(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "LAST_WORDS_SECONDS", 1)
    try:
        tally = run.check("it ends", "self", ["bash", "-c", f"setsid sleep 3600 & echo $! >{tmp_path}/pid"])
        assert counts(tally) == (1, 0, 0)
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


@pytest.mark.parametrize("error", [ProcessLookupError, PermissionError])
def test_a_session_that_takes_no_signal_fails_nothing(tmp_path, monkeypatch, error):
    """It has ended, or what is left of it is another user's."""
    def killpg(_group, _number):
        raise error

    monkeypatch.setattr(os, "killpg", killpg)
    assert counts(run.check("it ends", "self", ["true"])) == (1, 0, 0)


def test_no_stage_begins_when_all_the_time_is_over(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TTF_TEST_MINUTES", "1")

    def takes_all_of_it():
        run.last_end -= 60
        return run.Tally(passed=1)

    status, said = run_main(monkeypatch, capsys, run.Stage("Long", takes_all_of_it),
                            run.Stage("Late", lambda: run.check("it ran", "self", ["sleep", "60"])))
    assert status == 1
    assert "==> Late" in said and "FAILED: it ran" in said and said.endswith("1 passed, 1 failed\n")


@pytest.mark.parametrize("variable", ["TTF_TEST_LANES", "TTF_TEST_MINUTES"])
@pytest.mark.parametrize("said", ["0", "-1", "x", "1.5", "\u0663"])
def test_bad_numbers(monkeypatch, variable, said):
    monkeypatch.setenv(variable, said)
    with pytest.raises(SystemExit, match=f"{variable}: expected a number from 1 on"):
        run.main([])


@pytest.mark.parametrize("program, expected", [("true", (1, 0, 0)), ("false", (0, 1, 0)), ("exit 77", (0, 1, 1))])
def test_ctest(tmp_path, program, expected):
    """A program that fails is a failure; one that cannot run is skipped, and nothing but that is no run."""
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "CTestTestfile.cmake").write_text(
        f'add_test(it sh -c "{program}")\nset_tests_properties(it PROPERTIES SKIP_RETURN_CODE 77)\n')
    assert counts(run.ctest("self", folder)) == expected


def test_ctest_without_a_match_fails(tmp_path):
    (tmp_path / "CTestTestfile.cmake").write_text('add_test(it "true")\n')
    assert run.ctest("self", tmp_path, ["-R", "nothing"]).failed == 1


def test_the_run_fails_with_a_stage(monkeypatch, capsys, tmp_path):
    folder = suite(tmp_path, SUITE)
    status, said = run_main(monkeypatch, capsys, run.Stage("Good", lambda: run.Tally(passed=3)),
                            run.Stage("Bad", lambda: run.pytest(folder, "self", tmp_path, jobs="0")))
    assert status == 1
    assert said.endswith("4 passed, 2 failed, 1 skipped\n")


def test_a_good_run(monkeypatch, capsys):
    status, said = run_main(monkeypatch, capsys, run.Stage("Good", lambda: run.Tally(passed=3)))
    assert status == 0
    assert said.endswith("3 passed, 0 failed\n")
    assert " s\n" in said


def test_a_stage_that_breaks_is_a_failure(monkeypatch, capsys):
    def broken():
        raise OSError("no such program")

    status, said = run_main(monkeypatch, capsys, run.Stage("Broken", broken))
    assert status == 1 and "no such program" in said


def test_what_cannot_run_is_skipped_but_under_ci(monkeypatch):
    assert counts(run.cannot_run("no engine")) == (0, 0, 1)
    monkeypatch.setenv("CI", "1")
    assert counts(run.cannot_run("no engine")) == (0, 1, 0)


def test_lanes_run_beside_each_other_but_for_those_alone(monkeypatch, capsys):
    monkeypatch.setenv("TTF_TEST_LANES", "2")
    both, running, most = threading.Barrier(2, timeout=30), [], []

    def meet():
        running.append(1)
        both.wait()
        running.pop()
        return run.Tally(passed=1)

    def alone():
        most.append(len(running))
        return run.Tally(passed=1)

    stages = [run.Stage("1", meet), run.Stage("2", meet), run.Stage("3", alone, alone=True), run.Stage("4", meet), run.Stage("5", meet)]
    status, said = run_main(monkeypatch, capsys, *stages)
    assert status == 0 and said.endswith("5 passed, 0 failed\n")
    assert most == [0]


def test_a_test_that_failed_is_not_run_again():
    for name in ("dev", "tests/run.py", "CONTRIBUTING.md"):
        assert "UNSTABLE" not in (ROOT / name).read_text()


def test_every_stage_is_there(monkeypatch):
    titles = [stage.title for stage in run.all_stages()]
    for name in ("release", "alone", "asan-alone", "redis2-alone", "asan", "redis", "redis2", "redis2-asan", "aws", "aws-direct"):
        assert f"End-to-end tests ({name})" in titles
    assert [stage.title for stage in run.all_stages() if stage.alone] == [f"End-to-end tests ({name})" for name in ("alone", "asan-alone", "redis2-alone")]
    monkeypatch.setenv("CI", "1")
    assert [stage.title for stage in run.all_stages()][-7:] == [
        "Fuzz targets", "What other parsers take for a request", "A day in a minute", "Everybody at once", "The container stack",
        "Applications", "Applications on AWS"
    ]  # fmt: skip
