"""ttf --qr: what it draws is read by a real reader of QR codes."""

import re
import shutil
import subprocess
import time

import pytest

import backends
from programs import BIN, SLOW
from test_display import run_ttf, terminal  # noqa: F401

pytestmark = pytest.mark.skipif(not shutil.which("zbarimg"), reason="no zbarimg (zbar-tools)")

UTF8 = {"LC_ALL": "C.UTF-8"}
HALVES = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}


def rows_of(lines):
    """The lines that are nothing but a code's cells, as many as follow each other."""
    best, now = [], []
    for line in [*lines, "end"]:
        if line and len(line) > 20 and set(line) <= set(HALVES):
            now.append(line)
            continue
        if len(now) > len(best):
            best = now
        now = []
    return best


def whole(draw, seconds=60):
    """The rows that draw() finds once they are as many as are wide: a code is a square."""
    end = time.monotonic() + seconds * SLOW
    while not (rows := draw()) or 2 * len(rows) < len(rows[0]):
        assert time.monotonic() < end, rows
        time.sleep(0.02)
    return rows


def read(rows, folder, ink_is_dark):
    """What zbarimg reads of it, each module 8 pixels; where the picture ends there is grey, as around a terminal."""
    width = max(map(len, rows))
    bits = [[HALVES[c][half] for c in row.ljust(width)] for row in rows for half in (0, 1)]
    shades = [[0 if bit == ink_is_dark else 255 for bit in row] for row in bits]
    scaled = [bytes(shade for shade in row for _ in range(8)) for row in shades for _ in range(8)]
    (folder / "code.pgm").write_bytes(b"P5 %d %d 255\n" % (width * 8, len(scaled)) + b"".join(scaled))
    done = subprocess.run(["zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", folder / "code.pgm"], capture_output=True, text=True)
    return done.stdout.strip()


def test_it_is_read(start, tmp_path):
    """Into a pipe: without colours, for a dark terminal."""
    gateway = start.gateway()
    ttf = start.forwarder(gateway, start.service(), "--qr", env=UTF8)
    rows = whole(lambda: rows_of(ttf.out))
    assert read(rows, tmp_path, ink_is_dark=0) == ttf.url
    assert rows[0] == rows[1] == "█" * len(rows[0]) and all(row.startswith("████") for row in rows), "a quiet zone"


def test_a_link_that_is_shared_is_what_it_says(start, tmp_path):
    gateway = start.gateway()
    ttf = start.forwarder(gateway, start.service(), "--qr", "--share", "1h", env=UTF8)
    shared = ttf.wait_line(r"Share this link.*: (http\S+)")[1]
    assert read(whole(lambda: rows_of(ttf.out)), tmp_path, ink_is_dark=0) == shared


def test_it_is_drawn_once(start, tmp_path):
    """Not again when the connection comes back."""
    gateway = start.gateway()
    relay = start.relay(gateway.agents)
    ttf = start.forwarder(f"ws://127.0.0.1:{relay.port}", start.service(), "--qr", env=UTF8)
    whole(lambda: rows_of(ttf.out))
    before = len(ttf.out)
    relay.cut()
    ttf.wait_established(after=before)
    gateway.stop()  # what is said of that is behind what would be drawn
    ttf.wait_line("Connection (lost|failed)", after=len(ttf.out) - 1)
    drawn = [line for line in ttf.out if set(line) <= set(HALVES) and "█" in line]
    assert len(drawn) == len(rows_of(ttf.out)) > 10


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "", "LC_CTYPE": "", "LANG": ""}])
def test_a_terminal_without_utf8_is_told_so(start, locale):
    ttf = start.forwarder(start.gateway(), start.service(), "--qr", env=locale)
    ttf.wait_err("no QR code: it takes a terminal that shows UTF-8")
    assert not any("█" in line for line in ttf.out)


def test_objects_are_no_pictures(start, tmp_path):
    program = start.program(BIN / "ttf", "3000", "--qr", "--log", "json", env={"HOME": str(tmp_path)}, expect_killed=True)
    assert program.wait_exit() == 2
    assert "--qr draws" in program.err[0]


# ---- on a terminal ----

needs_tmux = pytest.mark.skipif(not shutil.which("tmux") or backends.STACK == "aws", reason="no tmux, or as elsewhere")


def black_on_white(screen):
    """The characters of each line that are so, whatever the terminal's own colours are. tmux says what changes alone."""
    ink, paper, lines = None, None, []
    for line in screen.splitlines():
        kept = ""
        for codes, text in re.findall(r"\x1b\[([0-9;]*)m|([^\x1b]+)", line):
            for code in map(int, filter(None, codes.split(";"))):
                ink = None if code in (0, 39) else code if code // 10 in (3, 9) else ink
                paper = None if code in (0, 49) else code if code // 10 in (4, 10) else paper
            kept += text if ink == 30 and paper in (47, 107) else ""
        lines.append(kept)
    return lines


def code_on(terminal, folder):
    rows = rows_of(black_on_white(terminal.screen("-e")))
    return read(rows, folder, ink_is_dark=1) if rows else ""


def wait_code(terminal, folder, url, seconds=60):
    """Until the code there is that of this URL: a screen may be seen while it is drawn."""
    end = time.monotonic() + seconds * SLOW
    while code_on(terminal, folder) != url:
        assert time.monotonic() < end, terminal.screen("-e")
        time.sleep(0.05)


@needs_tmux
@pytest.mark.parametrize("size", [(100, 50), (80, 24), (40, 24)])
def test_in_the_display(start, terminal, tmp_path, size):
    gateway, service = start.gateway(), start.service()
    shell = terminal(*size)
    run_ttf(shell, gateway, service, "--qr")
    shell.wait("█.*█")
    url = shell.wait(r"http://demo\.localhost:\d+")[0]
    wait_code(shell, tmp_path, url)
    service.answer("/x", body="x")
    shell.key("C-c")
    shell.wait(r"ended 0")


@needs_tmux
def test_a_terminal_that_is_too_small_is_told_so(start, terminal, tmp_path):
    gateway, service = start.gateway(), start.service()
    shell = terminal(80, 15)
    run_ttf(shell, gateway, service, "--qr")
    shell.wait(r"The QR code needs \d+ x \d+")
    shell.resize(80, 40)
    shell.wait("█.*█")
    wait_code(shell, tmp_path, shell.wait(r"http://demo\.localhost:\d+")[0])
    shell.resize(26, 40)
    shell.wait(r"The QR code needs \d+ x \d+")
    shell.key("C-c")


@needs_tmux
def test_lines_on_a_terminal(start, terminal, tmp_path):
    gateway, service = start.gateway(), start.service()
    shell = terminal(100, 50)
    shell.type(f"clear; {BIN / 'ttf'} -e {gateway.endpoint} -n demo {service.port} --qr --log plain; echo ended $?")
    shell.wait("█.*█")
    url = shell.wait(r"http://demo\.localhost:\d+")[0]
    wait_code(shell, tmp_path, url)
    shell.key("C-c")
    shell.wait(r"ended 0")
