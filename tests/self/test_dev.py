"""Stages of one run build the same preset at the same time: the second waits until the first is done, for two ninjas in one
folder take each other's files away."""

import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60
CMAKE = """#!/bin/sh
mkdir "$FOLDER/busy" || exit 1 # another one is at work
echo >>"$FOLDER/begun"
until [ -e "$FOLDER/go" ]; do sleep 0.01; done
rmdir "$FOLDER/busy"
"""


def program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def wait_for(condition) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def waits_for_its_turn(dev: subprocess.Popen) -> bool:
    try:
        children = Path(f"/proc/{dev.pid}/task/{dev.pid}/children").read_text().split()
        return any(Path(f"/proc/{child}/comm").read_text() == "flock\n" for child in children)
    except OSError:  # one of them has just ended
        return False


def test_two_builds_of_one_preset_take_turns(tmp_path):
    shutil.copy(ROOT / "dev", tmp_path / "dev")
    program(tmp_path / "bin/cmake", CMAKE)
    program(tmp_path / "bin/dpkg-query", "#!/bin/sh\necho installed\n")
    around = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "FOLDER": str(tmp_path)}

    def build() -> subprocess.Popen:
        return subprocess.Popen([tmp_path / "dev", "build", "fuzz"], env=around, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    first = build()
    wait_for((tmp_path / "begun").exists)
    second = build()
    wait_for(lambda: waits_for_its_turn(second) or second.poll() is not None)
    (tmp_path / "go").touch()
    assert [first.wait(DEADLINE_S), second.wait(DEADLINE_S)] == [0, 0], first.stdout.read() + second.stdout.read()
    assert (tmp_path / "begun").read_text() == "\n" * 4  # of each: cmake --preset, cmake --build
