"""ttf service: a unit of the user's systemd, which a stand-in for systemctl is told of."""

import shutil
import subprocess

import pytest

from programs import BIN
from test_agent_file import home  # noqa: F401  (a fixture)


@pytest.fixture
def systemd(home, tmp_path):  # noqa: F811
    """Runs ttf service; what systemctl was asked stands in `asked`."""

    class Systemd:
        unit = tmp_path / "home" / ".config" / "systemd" / "user" / "ttf.service"
        path = tmp_path / "bin"

        def be(self, code=0):
            self.path.mkdir(exist_ok=True)
            (self.path / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nexit {code}\n')
            (self.path / "systemctl").chmod(0o755)

        def ttf(self, *words):
            return subprocess.run([BIN / "ttf", "service", *words], env={**home.env, "PATH": str(self.path)}, cwd=home.work,
                                  capture_output=True, text=True, timeout=90)  # fmt: skip

        @property
        def asked(self):
            return (tmp_path / "asked").read_text().splitlines()

    return Systemd()


def test_install_and_uninstall(home, systemd):  # noqa: F811
    systemd.be()
    odd = home.work / 'my 100% "file" $HOME.yaml'
    odd.write_text("tunnels: {web: 3000}\n")
    done = systemd.ttf("install", "--config", odd.name)
    assert done.returncode == 0, done
    assert systemd.asked == ["--user daemon-reload", "--user enable ttf.service", "--user restart ttf.service"]
    unit = systemd.unit.read_text()
    escaped = str(odd).replace("%", "%%").replace('"', '\\"').replace("$", "$$")
    assert f'ExecStart="{BIN / "ttf"}" start --log plain --config "{escaped}"\n' in unit
    if shutil.which("systemd-analyze"):
        checked = subprocess.run(["systemd-analyze", "verify", "--user", systemd.unit], capture_output=True, text=True)
        assert "ttf.service:" not in checked.stderr, checked
    assert systemd.ttf("status").returncode == 0
    assert systemd.ttf("uninstall").returncode == 0
    assert not systemd.unit.exists()
    assert systemd.asked[3:] == ["--user status --no-pager ttf.service", "--user disable --now ttf.service", "--user daemon-reload"]


def test_nothing_is_half_done(home, systemd):  # noqa: F811
    (home.config / "ttf.yaml").write_text("tunnels: {web: 3000}\n")
    done = systemd.ttf("install")
    assert done.returncode == 1 and done.stderr == "ttf: there is no systemctl here: this machine's services are not systemd's\n"
    assert not systemd.unit.exists()
    systemd.be(5)
    done = systemd.ttf("install")
    assert done.returncode == 1 and "systemctl --user ends with 5" in done.stderr
    assert not systemd.unit.exists()


def test_installed_again(home, systemd):  # noqa: F811
    """With another file: what runs is begun anew, for it has the old one. And where that fails, the unit is not taken away."""
    systemd.be()
    for name in ("one.yaml", "other.yaml"):
        (home.work / name).write_text("tunnels: {web: 3000}\n")
        assert systemd.ttf("install", "--config", name).returncode == 0
    assert "other.yaml" in systemd.unit.read_text()
    assert systemd.asked[-1] == "--user restart ttf.service"
    systemd.be(5)
    assert systemd.ttf("install", "--config", "one.yaml").returncode == 1
    assert systemd.unit.exists()
    assert not any("disable" in line for line in systemd.asked)


@pytest.mark.parametrize(
    "words, text, says",
    [
        ([], None, "wants install, uninstall or status"),
        (["instal"], None, "wants install, uninstall or status"),
        (["install"], None, "ttf.yaml: No such file or directory (name the file of the tunnels with --config)"),
        (["install"], "endpoint: ws://x\n", "names no tunnels"),
        (["install"], "tunnels: {web: 0}\n", "ttf.yaml:1: service '0'"),
        (["uninstall"], None, "ttf.service: No such file or directory"),
    ],
)
def test_bad_services(home, systemd, words, text, says):  # noqa: F811
    systemd.be()
    if text:
        (home.config / "ttf.yaml").write_text(text)
    done = systemd.ttf(*words)
    assert done.returncode in (1, 2) and says in done.stderr and done.stderr.count("\n") == 1
    assert not systemd.unit.exists()
