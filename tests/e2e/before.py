"""The gateway as it was before this version, for tests of fleets in which both run: built once, from the commit below, into
build/before. TTF_BEFORE names a folder that has it already.

    before.py   builds it: no test's time runs meanwhile
"""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from programs import ROOT

COMMIT = "21b510b"  # the last that was landed; the next one when this version is


def _run(*words, **more):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    assert done.returncode == 0, f"{words[0]} failed:\n{done.stdout.decode('utf-8', 'replace')[-4000:]}"


def _is_known():
    """A copy of the tree without its history cannot be asked."""
    words = ["git", "-C", ROOT, "cat-file", "-e", f"{COMMIT}^{{commit}}"]
    try:
        return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError:
        return False


def _build(folder):
    tree, build = folder / "tree", folder / "build"
    tree.mkdir(parents=True, exist_ok=True)
    archive = subprocess.Popen(["git", "-C", ROOT, "archive", COMMIT], stdout=subprocess.PIPE)
    _run("tar", "-x", "-C", tree, stdin=archive.stdout)
    assert archive.wait() == 0
    _run("cmake", "-S", tree, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo")
    _run("cmake", "--build", build, "--target", "ttf-gateway", "-j", "2")
    (folder / "built").touch()


def _built():
    """The program. Who wants it at once builds it once."""
    folder = ROOT / "build" / "before" / COMMIT
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "built").exists():
            _build(folder)
    return folder / "build" / "bin" / "ttf-gateway"


def gateway_before():
    """The program."""
    if os.environ.get("TTF_BEFORE"):
        return Path(os.environ["TTF_BEFORE"]).resolve() / "ttf-gateway"
    if not _is_known():
        pytest.skip(f"the commit {COMMIT} is not in this repository")
    return _built()


if __name__ == "__main__" and _is_known():
    print(_built())
