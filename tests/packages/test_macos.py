"""ttf for macOS: read as a file, for it cannot be run here. Made by `./dev package macos` alone."""

import struct

import pytest

from conftest import PACKAGES, ROOT

ARCHITECTURES = {"arm64": 0x0100000C, "x86_64": 0x01000007}
LC_LOAD_DYLIB, LC_CODE_SIGNATURE, LC_BUILD_VERSION = 0xC, 0x1D, 0x32
MOST_BYTES = 5_000_000


@pytest.fixture(params=ARCHITECTURES)
def program(request):
    path = PACKAGES / f"ttf-macos-{request.param}"
    if not path.exists():
        pytest.skip("there is no ttf for macOS: ./dev package macos")
    return request.param, path.read_bytes()


def commands(data):
    """(number, bytes) of each load command of a Mach-O file of 64 bits."""
    count, at = struct.unpack_from("<I", data, 16)[0], 32
    for _ in range(count):
        number, size = struct.unpack_from("<II", data, at)
        yield number & 0x7FFFFFFF, data[at : at + size]
        at += size


def test_it_is_a_program_for_that_machine(program):
    architecture, data = program
    magic, machine, _, kind = struct.unpack_from("<IIII", data)
    assert (magic, machine, kind) == (0xFEEDFACF, ARCHITECTURES[architecture], 2)
    assert len(data) <= MOST_BYTES
    platform, oldest = next(struct.unpack_from("<II", command, 8) for number, command in commands(data) if number == LC_BUILD_VERSION)
    assert platform == 1 and oldest == 12 << 16  # macOS 12


def test_it_needs_nothing_but_the_system(program):
    architecture, data = program
    held = list(commands(data))
    libraries = {command[24:].split(b"\0")[0].decode() for number, command in held if number == LC_LOAD_DYLIB}
    assert libraries == {"/usr/lib/libSystem.B.dylib"}
    if architecture == "arm64":  # where nothing runs that is not signed
        assert any(number == LC_CODE_SIGNATURE for number, _ in held)


def test_its_unit_tests_are_linked(program):
    """For that machine, too; run they are on Linux alone."""
    linked = list((ROOT / "build/macos" / program[0] / "build/bin").glob("test_*"))
    assert len(linked) > 50
    for path in linked:
        assert struct.unpack_from("<IIII", path.read_bytes())[:2] == (0xFEEDFACF, ARCHITECTURES[program[0]]), path


def test_it_speaks_to_people(program):
    assert b"Usage: ttf [OPTIONS] [SERVICE]" in program[1] and b"xdg-open" not in program[1]
