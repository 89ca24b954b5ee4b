"""What gateway and ttf give up once they have started (--sandbox), seen on the running programs; and that all they do goes on."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

import http_raw
from programs import BIN, SLOW

pytestmark = pytest.mark.skipif(SLOW > 1, reason="with sanitizers nothing is given up")

def status(program, name):
    for line in Path(f"/proc/{program.pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split()[1]
    return None


def is_confined(program):
    return (status(program, "NoNewPrivs"), status(program, "Seccomp")) == ("1", "2")


def is_free(program):
    """As the tests themselves are, which may run in a container."""
    own = Path("/proc/self/status").read_text()
    return all(f"{name}:\t{status(program, name)}\n" in own for name in ("NoNewPrivs", "Seccomp"))


def said(program):
    """What the program said that it gave up; a machine may lack a part of it."""
    return program.wait_err(r"sandbox: (.*)")[1]


def test_a_gateway(start):
    gateway = start.gateway()
    ttf = start.forwarder(gateway, start.service())
    text = said(gateway)
    if "system calls" in text:
        assert is_confined(gateway)
    assert http_raw.request(gateway.address, host=ttf.host).status == 200
    assert http_raw.request(gateway.admin, target="/metrics").status == 200


def test_a_gateway_without(start):
    gateway = start.gateway("--sandbox", "off")
    assert is_free(gateway)
    assert not any("sandbox:" in line for line in gateway.err)


def wait_for(true, seconds=60):
    end = time.monotonic() + seconds * SLOW
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def log_of(folder):
    folder.mkdir()
    return folder / "access.log"


def test_a_gateway_writes_nothing_elsewhere(start, tmp_path):
    """The file of the log is moved away, as logrotate does, and a link stands in its place: what it leads to is not written."""
    log, elsewhere = log_of(tmp_path / "log"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    gateway = start.gateway("--access-log", log, "--access-log-format", "json")
    if "writing files" not in said(gateway):
        pytest.skip("no Landlock here")
    ttf = start.forwarder(gateway, start.service())
    assert http_raw.request(gateway.address, target="/one", host=ttf.host).status == 200
    program = getattr(gateway, "front", gateway)
    wait_for(lambda: "/one" in log.read_text())
    log.rename(log.with_suffix(".1"))
    log.symlink_to(elsewhere / "file")
    program.process.send_signal(signal.SIGHUP)
    for number in range(20):
        assert http_raw.request(gateway.address, target=f"/{number}", host=ttf.host).status == 200
    assert list(elsewhere.iterdir()) == []
    log.unlink()
    program.process.send_signal(signal.SIGHUP)  # and a plain new one is
    wait_for(lambda: log.exists() or http_raw.request(gateway.address, host=ttf.host).status != 200)


@pytest.mark.parametrize("is_there", [True, False], ids=["is there", "is not yet there"])
def test_a_log_behind_a_link(start, tmp_path, is_there):
    """One that stands there from the beginning is meant: what it leads to is written, also anew."""
    link, log = log_of(tmp_path / "link"), log_of(tmp_path / "elsewhere")
    link.symlink_to(log)
    if is_there:
        log.write_text("")
    gateway = start.gateway("--access-log", link, "--access-log-format", "json")
    ttf = start.forwarder(gateway, start.service())
    assert http_raw.request(gateway.address, target="/one", host=ttf.host).status == 200
    wait_for(lambda: "/one" in log.read_text())
    log.rename(log.with_suffix(".1"))
    getattr(gateway, "front", gateway).process.send_signal(signal.SIGHUP)
    wait_for(lambda: log.exists() or http_raw.request(gateway.address, host=ttf.host).status != 200)


def test_a_log_on_an_output_that_is_a_file(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        program = subprocess.Popen([BIN / "ttf-gateway", "--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--admin-listen",
                                    "127.0.0.1:0", "--state-dir", tmp_path / "state", "--access-log", "/dev/stdout", "--access-log-format", "json"],
                                   stdout=log, stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            wait_for(lambda: program.poll() is not None or b"Ready" in (tmp_path / "log").read_bytes())
            assert program.poll() is None
        finally:
            program.kill()
            program.wait()


@pytest.mark.parametrize("bad", ["on", "AUTO", "auto,off"])
@pytest.mark.parametrize("program", ["ttf", "ttf-gateway"])
def test_words_that_are_none(tmp_path, program, bad):
    done = subprocess.run([BIN / program, "--sandbox", bad], capture_output=True, cwd=tmp_path, env={"HOME": str(tmp_path)}, timeout=90)
    assert done.returncode == 2 and b"auto or off" in done.stderr, done


# ---- ttf ----


def test_ttf(start):
    gateway = start.gateway()
    ttf = start.forwarder(gateway, start.service(), "--verbose")
    if "system calls" in said(ttf):
        assert is_confined(ttf)
    assert http_raw.request(gateway.address, host=ttf.host).status == 200


def test_ttf_serves_a_folder(start, tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "file.txt").write_text("hello")
    gateway = start.gateway()
    ttf = start.forwarder(gateway, f"{tmp_path / 'served'}", "--verbose")
    assert http_raw.request(gateway.address, target="/file.txt", host=ttf.host).body == b"hello"


def test_ttf_remembers_its_tunnel(start, tmp_path):
    """In its own folder, which is made before the rest of the disk is given up."""
    gateway, service = start.gateway(), start.service()
    home = tmp_path / "new" / "state"
    url = start.forwarder(gateway, service, state_home=home.parent, env={"XDG_STATE_HOME": str(home)}, cwd=tmp_path)
    assert url.stop() == 0
    assert list(home.rglob("*")), "nothing is remembered"
    again = start.forwarder(gateway, service, state_home=home.parent, env={"XDG_STATE_HOME": str(home)}, cwd=tmp_path)
    assert again.url == url.url


def test_ttf_without(start):
    gateway = start.gateway()
    ttf = start.forwarder(gateway, start.service(), "--verbose", "--sandbox", "off")
    assert is_free(ttf)


def test_ttf_that_starts_programs_keeps_what_they_need(start, tmp_path):
    """A token command may be anything: it gets none of this from ttf."""
    trace = tmp_path / "status"
    gateway = start.gateway()
    ttf = start.forwarder(gateway, start.service(), "--verbose", "--token-command", f"cat /proc/self/status > {trace}; echo token")
    assert said(ttf) == "given up: core dumps"
    assert is_free(ttf)
    own = Path("/proc/self/status").read_text()
    line = next(line for line in own.splitlines() if line.startswith("Seccomp:"))
    assert line in trace.read_text()


def test_ttf_that_is_to_start_a_browser_later(start, tmp_path):
    """What was given up does not come back: ttf says what to do."""
    gateway, port = start.gateway(), start.service().port
    file = tmp_path / "ttf.yaml"
    file.write_text(f"endpoint: {gateway.endpoint}\ntunnels:\n  one: {port}\n")
    ttf = start.program(BIN / "ttf", "--verbose", env={"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}, cwd=tmp_path)
    ttf.wait_line("one: Tunnel established")
    if "system calls" not in said(ttf):
        pytest.skip("no libseccomp here")
    file.write_text(f"endpoint: {gateway.endpoint}\ntunnels:\n  one: {port}\n  two: {{service: {port}, open: true}}\n")
    ttf.wait_line("two: Tunnel established")
    ttf.wait_err("the URL is not opened: a browser cannot be started any more: start ttf anew, or with --sandbox off")
