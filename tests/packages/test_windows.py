"""ttf for Windows: read as a file, and run by wine where that is. Made by `./dev package windows` alone."""

import os
import re
import shutil
import struct
import subprocess
import time
import zipfile

import pytest

import http_raw
from conftest import PACKAGES, ROOT
from programs import Gateway, Program
from service import Service

PACKAGE = PACKAGES / "ttf-windows-x86_64.zip"
MOST_BYTES = 6_000_000
# What every Windows 10 has.
SYSTEM = {"advapi32", "bcrypt", "crypt32", "dbghelp", "iphlpapi", "kernel32", "ole32", "psapi", "secur32", "shell32", "user32", "userenv",
          "ws2_32"}  # fmt: skip
SECONDS = 180  # wine is slow to start
UNIT_TESTS = sorted((ROOT / "build/windows/x86_64/build/bin").glob("test_*.exe"))


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if not PACKAGE.exists():
        pytest.skip("there is no ttf for Windows: ./dev package windows")
    folder = tmp_path_factory.mktemp("windows")
    with zipfile.ZipFile(PACKAGE) as package:
        assert {"ttf.exe", "LICENSE.txt"} == set(package.namelist())
        package.extractall(folder)
    return folder / "ttf.exe"


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    """The words that run a program, and their environment."""
    found = shutil.which("wine64") or shutil.which("wine") or shutil.which("wine64", path="/usr/lib/wine")
    if not found:
        pytest.skip("there is no wine")
    folder = tmp_path_factory.mktemp("wine")
    environment = {"HOME": str(folder), "WINEPREFIX": str(folder / "prefix"), "WINEDEBUG": "-all", "DISPLAY": ""}
    yield found, environment
    server = shutil.which("wineserver") or shutil.which("wineserver", path="/usr/lib/wine")
    subprocess.run([server, "-k"], env=os.environ | environment, check=False, timeout=SECONDS)


class Image:
    """A file of PE32+ (Microsoft's PE format)."""

    def __init__(self, data):
        self.data = data
        start = struct.unpack_from("<I", data, 0x3C)[0]
        assert data[:2] == b"MZ" and data[start : start + 4] == b"PE\0\0"
        self.machine, sections, _, _, _, optional = struct.unpack_from("<HHIIIH", data, start + 4)
        self.optional = start + 24
        self.magic, self.subsystem = struct.unpack_from("<H", data, self.optional)[0], struct.unpack_from("<H", data, self.optional + 68)[0]
        self.traits = struct.unpack_from("<H", data, self.optional + 70)[0]
        self.sections = [struct.unpack_from("<IIII", data, self.optional + optional + 40 * i + 8) for i in range(sections)]

    def at(self, address):
        """Where in the file what is loaded there stands."""
        return next(address - loaded + raw for _, loaded, size, raw in self.sections if loaded <= address < loaded + size)

    def libraries(self):
        entry = self.at(struct.unpack_from("<I", self.data, self.optional + 120)[0])
        while name := struct.unpack_from("<5I", self.data, entry)[3]:
            text = self.data[self.at(name) :]
            yield text[: text.index(b"\0")].decode().lower().removesuffix(".dll")
            entry += 20


def test_it_is_a_program_for_that_system(program):
    image = Image(program.read_bytes())
    assert (image.machine, image.magic, image.subsystem) == (0x8664, 0x20B, 3)  # x86_64, PE32+, a console's
    assert image.traits & 0x140 == 0x140  # placed anew at each start; no data is run
    assert len(image.data) <= MOST_BYTES


def test_it_needs_nothing_but_the_system(program):
    libraries = set(Image(program.read_bytes()).libraries())
    assert "kernel32" in libraries
    assert {name for name in libraries if not name.startswith("api-ms-win-crt-")} <= SYSTEM


def run(program, wine, *words):
    command, environment = wine
    done = subprocess.run([command, program, *words], env=os.environ | environment, capture_output=True, text=True, timeout=SECONDS)
    return done.returncode, done.stdout, done.stderr


def test_its_unit_tests_are_linked(program):
    assert len(UNIT_TESTS) > 75
    for path in UNIT_TESTS:
        image = Image(path.read_bytes())
        assert (image.machine, image.magic) == (0x8664, 0x20B), path


@pytest.mark.parametrize("path", UNIT_TESTS, ids=[path.stem for path in UNIT_TESTS])
def test_of_units(program, wine, path, tmp_path):
    """A folder of Linux's is the current one: what is said of paths is of its drive."""
    command, environment = wine
    done = subprocess.run([command, path], env=os.environ | environment, capture_output=True, text=True, errors="replace",
                          timeout=SECONDS, cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0 and "[  PASSED  ]" in done.stdout + done.stderr, done.stdout + done.stderr


def test_it_speaks_to_people(program, wine):
    code, out, _ = run(program, wine, "--help")
    assert code == 0 and out.startswith("Usage: ttf [OPTIONS] [SERVICE]") and "explorer" in out
    code, out, _ = run(program, wine, "--version")
    assert code == 0 and out.startswith("ttf ") and "OpenSSL 3." in out


@pytest.mark.parametrize(
    ("words", "said"),
    [(["."], "on Linux and macOS alone"), (["service", "status"], "Task Scheduler"), (["99999999"], "99999999")],
)
def test_what_is_not_there_is_said_in_one_line(program, wine, words, said):
    code, _, err = run(program, wine, *words)
    lines = [line for line in err.splitlines() if not line.startswith("wine: ")]  # of services that start beside it
    assert code != 0 and len(lines) == 1 and lines[0].startswith("ttf: ") and said in lines[0]


def test_the_inspector(program, wine, tmp_path):
    command, environment = wine
    gateway = Gateway(tmp_path / "gateway")
    ttf = Program([command, program, "-e", f"ws://127.0.0.1:{gateway.agents[1]}", "127.0.0.1:9", "--inspect", "127.0.0.1:0"],
                  env=environment, cwd=tmp_path)  # fmt: skip
    try:
        port = int(ttf.wait_line(r"Inspector: http://127\.0\.0\.1:(\d+)/", seconds=SECONDS)[1])
        answer = http_raw.request(("127.0.0.1", port), target="/api/requests/http", host=f"127.0.0.1:{port}")
        assert answer.status == 200 and answer.body.startswith(b"{")
        page = http_raw.request(("127.0.0.1", port), target="/metrics", host=f"127.0.0.1:{port}").body.decode()
        values = dict(re.findall(r"^(process_\w+) ([0-9.e+]+)$", page, re.MULTILINE))
        assert float(values["process_resident_memory_bytes"]) > 1_000_000
        assert 0 <= time.time() - float(values["process_start_time_seconds"]) < 2 * SECONDS
    finally:
        ttf.kill()
        gateway.stop()


def test_a_tunnel(program, wine, tmp_path):
    command, environment = wine
    assert run(program, wine, "--health")[0] == 1
    service, gateway = Service(), Gateway(tmp_path / "gateway")
    ttf = Program([command, program, "-e", f"ws://127.0.0.1:{gateway.agents[1]}", f"127.0.0.1:{service.port}", "-n", "demo"],
                  env=environment, cwd=tmp_path)  # fmt: skip
    try:
        ttf.wait_line(r"Tunnel established: ", seconds=SECONDS)
        assert run(program, wine, "--health")[0] == 0  # by a lock that the other one holds
        host = f"demo.localhost:{gateway.address[1]}"
        assert http_raw.request(gateway.address, target="/here", host=host).status == 200
        assert service.seen("/here")
        large = bytes(range(256)) * 4096
        service.answer("/large", body=large)
        assert http_raw.request(gateway.address, target="/large", host=host).body == large
        assert http_raw.request(gateway.address, "POST", "/posted", host=host, body=large).status == 200
        assert service.seen("/posted")[0].body == large
        ttf.wait_line(r"POST /posted 200 ", seconds=SECONDS)
        service.stop()
        assert http_raw.request(gateway.address, target="/down", host=host).status == 503
        ttf.wait_line(r"does not answer \(.*connection refused\)", seconds=SECONDS)
    finally:
        ttf.kill()
        gateway.stop()
