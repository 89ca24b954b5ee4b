"""The Debian packages: installed, run, upgraded and purged in a Debian of their own."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import run
from programs import Program

MADE_BY_THE_SYSTEM = re.compile(
    r"/(etc/(passwd|group|shadow|gshadow|subuid|subgid)-?|etc/ld\.so\.cache|var/(lib/(dpkg|systemd)|cache|log)(/.*)?|run(/.*)?|tmp(/.*)?)$"
)


def files(root):
    found = set()
    for folder, folders, names in os.walk(root):
        inside = folder[len(str(root)) :]
        found |= {f"{inside}/{name}" for name in folders + names}
    return {name for name in found if not MADE_BY_THE_SYSTEM.match(name)}


def inside(system, *words):
    return run("chroot", system, *words, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"})


def install(system, *debs):
    for deb in debs:
        shutil.copy(deb, system / "tmp")
    return inside(system, "dpkg", "--install", *(f"/tmp/{deb.name}" for deb in debs))


def newer(deb, folder):
    """The same package, of a version that follows."""
    work = folder / f"newer-{deb.stem}"
    run("dpkg-deb", "-R", deb, work)
    control = work / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*", "Version: 99.0", control.read_text(), flags=re.M))
    run("dpkg-deb", "--root-owner-group", "-b", work, folder)
    return next(folder.glob(f"{deb.name.partition('_')[0]}_99.0_*.deb"))


def test_installed_upgraded_purged(debs, system, tmp_path):
    before = files(system)
    install(system, *debs.values())
    for program in ("ttf", "ttf-gateway"):
        assert "not found" not in inside(system, "ldd", f"/usr/bin/{program}")
        assert inside(system, program, "--help")
    assert re.search(r"^ttf-gateway:.*:/var/lib/ttf-gateway:/usr/sbin/nologin$", (system / "etc/passwd").read_text(), re.M)
    config = system / "etc/ttf-gateway/config.yaml"
    config.write_text(config.read_text() + "# mine\n")
    state = system / "var/lib/ttf-gateway"
    state.mkdir()
    (state / "secret").write_text("x")

    install(system, *(newer(deb, tmp_path) for deb in debs.values()))
    assert "Version: 99.0" in inside(system, "dpkg", "--status", "ttf-gateway")
    assert config.read_text().endswith("# mine\n"), "what the user wrote stays"

    inside(system, "dpkg", "--remove", "ttf", "ttf-gateway")
    assert config.exists() and (state / "secret").exists() and not (system / "usr/bin/ttf").exists()
    inside(system, "dpkg", "--purge", "ttf", "ttf-gateway")
    assert files(system) - before == set()


def test_pages_and_completions_are_in_it(debs):
    for name, pages in {"ttf": ("man1/ttf.1.gz", "man5/ttf.yaml.5.gz"), "ttf-gateway": ("man8/ttf-gateway.8.gz",)}.items():
        held = {line.split()[5][1:] for line in run("dpkg-deb", "-c", debs[name]).splitlines()}
        assert {f"/usr/share/man/{page}" for page in pages} <= held
        assert f"/usr/share/bash-completion/completions/{name}" in held
        assert f"/usr/share/zsh/vendor-completions/_{name}" in held
        assert f"/usr/share/fish/vendor_completions.d/{name}.fish" in held


def test_it_serves_as_its_user(debs, system, tmp_path):
    install(system, *debs.values())
    for folder in ("/var/lib/ttf-gateway", "/run/ttf-gateway"):  # as systemd does by StateDirectory and RuntimeDirectory
        run("chroot", system, "install", "-d", "-o", "ttf-gateway", "-m", "700", folder)
    anywhere = [word for name in ("public", "agent", "admin") for word in (f"--{name}-listen", "127.0.0.1:0")]
    user = run("chroot", system, "id", "-u", "ttf-gateway").strip()
    gateway = Program(["chroot", f"--userspec={user}:{user}", system, "ttf-gateway", "--config", "/etc/ttf-gateway/config.yaml", *anywhere],
                      env={"STATE_DIRECTORY": "/var/lib/ttf-gateway"})  # fmt: skip
    agent = None
    try:
        gateway.wait_line(r"^Ready")
        endpoint = gateway.wait_line(r"^Agents: +(ws://\S+)")[1]
        agent = Program(["chroot", system, "ttf", "-e", endpoint, "1"], env={"HOME": "/root"})
        agent.wait_line(r"^Tunnel established: ")
        assert " online " in inside(system, "ttf-gateway", "admin", "tunnels")  # by the socket that the settings name
        assert agent.stop() == 0
    finally:
        for program in (agent, gateway):
            if program and program.process.poll() is None:
                program.stop()
    assert (system / "var/lib/ttf-gateway").stat().st_uid == int(user)
    assert any((system / "var/lib/ttf-gateway").iterdir())


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_the_unit_is_a_sandbox(debs, tmp_path):
    run("dpkg-deb", "-x", debs["ttf-gateway"], tmp_path / "files")
    unit = next((tmp_path / "files").rglob("ttf-gateway.service"))
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", unit], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
