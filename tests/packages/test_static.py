"""ttf as one static program: where there is nothing else."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import http_raw
from conftest import PACKAGES, cannot, run
from programs import Gateway, Program
from service import Service

PROGRAMS = {"amd64": "x86_64", "arm64": "aarch64"}
MOST_BYTES = 5_000_000


@pytest.fixture(params=PROGRAMS)
def program(request):
    """The program, and the words that run it."""
    path = PACKAGES / f"ttf-linux-{request.param}"
    if not path.exists():
        cannot("there is no static ttf: ./dev package")
    machine = PROGRAMS[request.param]
    if run("uname", "-m").strip() == machine:
        return path, ["{}"]
    if not shutil.which(f"qemu-{machine}"):
        cannot(f"no qemu-{machine}")
    return path, [f"qemu-{machine}", "{}"]


def test_small_and_static(program):
    path, _ = program
    assert path.stat().st_size <= MOST_BYTES
    assert "INTERP" not in run("readelf", "-lW", path)


def test_it_has_the_libraries_that_ttf_can_do_without(program):
    path, words = program
    assert re.search(r", libseccomp 2\.\S+, libqrencode \S+\n$", run(*(path if word == "{}" else word for word in words), "--version"))


def status(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def test_it_gives_up_what_it_does_not_need(program, tmp_path):
    path, words = program
    if words != ["{}"]:
        pytest.skip("qemu has no seccomp")
    service, gateway = Service(), Gateway(tmp_path / "gateway")
    ttf = Program([path, "-e", f"ws://127.0.0.1:{gateway.agents[1]}", str(service.port), "-n", "demo", "--verbose"],
                  env={"HOME": str(tmp_path)}, cwd=tmp_path)  # fmt: skip
    try:
        assert "system calls it does not need" in ttf.wait_err(r"sandbox: (.*)")[1]
        ttf.wait_line(r"Tunnel established: ")
        assert (status(ttf.pid)["NoNewPrivs"], status(ttf.pid)["Seccomp"]) == ("1", "2")
        assert http_raw.request(gateway.address, target="/here", host=f"demo.localhost:{gateway.address[1]}").status == 200
    finally:
        for one in (ttf, gateway):
            if one.process.poll() is None:
                one.stop()
        service.stop()


def test_in_an_empty_root(program, tmp_path):
    path, words = program
    empty = tmp_path / "empty"
    empty.mkdir()
    copy = Path(shutil.copy(path, empty / "ttf"))
    if words == ["{}"] and run("id", "-u").strip() == "0":
        words = ["chroot", empty, "/ttf"]
    else:
        words = [str(copy) if word == "{}" else word for word in words]
    assert subprocess.run([*words, "--version"], capture_output=True, text=True).stdout.startswith("ttf ")
    service = Service()
    gateway = Gateway(tmp_path / "gateway")
    ttf = Program([*words, "-e", f"ws://127.0.0.1:{gateway.agents[1]}", f"127.0.0.1:{service.port}", "-n", "demo"],
                  env={"HOME": "/" if words[0] == "chroot" else str(tmp_path)}, cwd=empty)  # fmt: skip
    try:
        ttf.wait_line(r"Tunnel established: ")
        assert http_raw.request(gateway.address, target="/here", host=f"demo.localhost:{gateway.address[1]}").status == 200
        assert service.seen("/here")
        assert ttf.stop() == 0
    finally:
        for one in (ttf, gateway):
            if one.process.poll() is None:
                one.stop()
        service.stop()
