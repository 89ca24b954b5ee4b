"""What one sees of ttf in a terminal: a real one, of tmux."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time

import pytest

import http_raw
from fake_gateway import FakeGateway
from programs import BIN, SLOW, free_port
from test_streams import settled

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="no tmux")


class Terminal:
    """A shell in a terminal of tmux, of that size."""

    def __init__(self, folder, columns=80, rows=24, env=None):
        self.socket = folder / "tmux"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("TTF_", "XDG_", "TMUX", "LC_", "NO_COLOR"))}
        self.env |= {"HOME": str(folder), "XDG_STATE_HOME": str(folder), "LANG": "C.UTF-8", "PS1": "$ ", "TERM": "screen-256color", "TTF_INSPECT": "off"}
        self.env |= env or {}
        self.columns, self.rows = columns, rows
        self.tmux("-f", "/dev/null", "-u", "new-session", "-d", "-x", columns, "-y", rows, "bash --norc --noprofile")

    def tmux(self, *words):
        done = subprocess.run(["tmux", "-S", self.socket, *map(str, words)], env=self.env, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def type(self, line):
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def key(self, name):
        self.tmux("send-keys", name)

    def screen(self, *options):
        return self.tmux("capture-pane", "-p", *options).rstrip("\n")

    def wait(self, pattern, seconds=60, options=()):
        end = time.monotonic() + seconds * SLOW
        while not (found := re.search(pattern, text := self.screen(*options), re.M)):
            assert time.monotonic() < end, f"no {pattern!r} on the screen:\n{text}"
            time.sleep(0.05)
        return found

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.tmux("resize-window", "-x", columns, "-y", rows)

    def stop(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], env=self.env, capture_output=True, timeout=90)


@pytest.fixture
def terminal(tmp_path):
    made = []

    def make(*size, **more):
        made.append(Terminal(tmp_path, *size, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def other_end():
    made = []

    def make(**more):
        made.append(FakeGateway(**more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def run_ttf(terminal, gateway, service, *options):
    words = [BIN / "ttf", "-e", gateway.endpoint, "-n", "demo", service.port, *options]
    terminal.type("clear; " + shlex.join(map(str, words)) + "; echo ended $?")
    terminal.wait(r"online")


def normal(text):
    """A screen with what differs between runs replaced."""
    for pattern, replacement in (
        (r"^ttf \S+ +", "ttf VERSION  "),
        (r"\d\d:\d\d:\d\d", "12:30:01"),
        (r"online, (< )?\d+ ms", "online, N ms"),
        (r"(p50|p95) \d+ ms", r"\1 N ms"),
        (r" {1,5}\d+ ms", "    N ms"),
        (r"(localhost:|127\.0\.0\.1:)\d+", r"\1PORT"),
    ):
        text = re.sub(pattern, replacement, text, flags=re.M)
    return text


PAGE = {"sec-fetch-dest": "document"}
SCRIPT = {"sec-fetch-dest": "script"}


def get(gateway, path, headers=()):
    return http_raw.request(gateway.address, "GET", path, f"demo.localhost:{gateway.address[1]}", headers=list(dict(headers).items()))


USUAL = """\
ttf VERSION  Ctrl-C ends it

Status     online, N ms to 127.0.0.1:PORT
URL        http://demo.localhost:PORT
or         http://localhost:PORT/demo
Service    localhost:PORT
Requests   6, 1 failed, p50 N ms, p95 N ms

TIME     METHOD        TOOK    SIZE  TARGET
12:30:01 GET     200    N ms  4.9 KB  /todos
                                     + 3 more, 293 KB
12:30:01 GET     404    N ms     5 B  /missing?token=***
12:30:01 GET     500    N ms     4 B  /%1b[2J/文"""


def test_the_usual_terminal(start, terminal):
    service, gateway, shell = start.service(), start.gateway(), terminal()
    service.answer("/todos", body="x" * 5000)
    service.answer("/app.js", body="x" * 100000)
    service.answer("/missing", status=404, body="x" * 5)
    service.answer("/%1b[2J/%E6%96%87", status=500, body="oops")
    run_ttf(shell, gateway, service)
    get(gateway, "/todos", PAGE)
    for _ in range(3):
        get(gateway, "/app.js", SCRIPT)
    get(gateway, "/missing?token=secret")
    get(gateway, "/%1b[2J/%E6%96%87")
    shell.wait(r" 500 ")
    assert normal(shell.screen()) == USUAL, shell.screen()


def test_several_tunnels(start, terminal, tmp_path):
    service, gateway, shell = start.service(), start.gateway(), terminal()
    tunnels = "".join(f"  {name}: {{service: {service.port}, name: {public}}}\n" for name, public in (("web", "demo"), ("api", "other")))
    (tmp_path / "two.yaml").write_text(f"endpoint: {gateway.endpoint}\ntunnels:\n{tunnels}")
    shell.type(f"clear; {BIN}/ttf --config {tmp_path / 'two.yaml'}")
    shell.wait(r"^Status +2 of 2 online, .* to 127\.0\.0\.1:\d+$")
    shell.wait(r"^\+ web: http://demo\.localhost:\d+  localhost:\d+$")
    get(gateway, "/here")
    shell.wait(r" GET .* web: /here$")
    shell.key("C-c")
    shell.wait(r"^1 request, 0 failed$")


def test_it_is_given_back(start, terminal):
    service, gateway, shell = start.service(), start.gateway(), terminal()
    run_ttf(shell, gateway, service)
    get(gateway, "/")
    shell.wait(r" 404 | 200 ")
    shell.key("C-c")
    shell.wait(r"^ended 0$")
    text = shell.screen()
    assert "Tunnel established: http://demo.localhost" in text, "what stood there before is there again"
    assert re.search(r"^1 request, 0 failed$", text, re.M), text
    assert "Requests   " not in text, text
    shell.type("echo typed; stty -a | grep -o '.\\becho\\b'")
    shell.wait(r"^typed$")
    shell.wait(r"^ echo$")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGSEGV])
def test_signals_give_it_back(start, terminal, number):
    service, gateway, shell = start.service(), start.gateway(), terminal()
    if SLOW > 1 and number == signal.SIGSEGV:
        pytest.skip("the sanitizer's own handler is there")
    shell.type("ulimit -c 0; echo began")
    run_ttf(shell, gateway, service)
    pid = int(subprocess.run(["pgrep", "-f", f"ttf -e {gateway.endpoint}"], capture_output=True, text=True).stdout.split()[0])
    os.kill(pid, number)
    shell.wait(r"^ended \d+$")
    assert "Tunnel established:" in shell.screen()
    shell.type("stty -a | grep -o '.\\becho\\b'")
    shell.wait(r"^ echo$")


def test_suspended_and_resumed(start, terminal):
    service, gateway, shell = start.service(), start.gateway(), terminal()
    shell.type(f"{BIN}/ttf -e {gateway.endpoint} -n demo {service.port}")
    shell.wait(r"^Status +online")
    shell.key("C-z")
    shell.wait(r"Stopped")
    assert "Status " not in shell.screen()
    shell.type("fg")
    shell.wait(r"^Status +online")
    get(gateway, "/after")
    shell.wait(r"/after")
    shell.key("C-c")
    shell.wait(r"^1 request, 0 failed")


def test_resized(start, terminal):
    service, gateway, shell = start.service(), start.gateway(), terminal()
    run_ttf(shell, gateway, service)
    get(gateway, "/here")
    shell.wait(r"^TIME ")
    shell.resize(40, 10)
    shell.wait(r"^http://demo\.localhost:\d+$")
    assert "TIME" not in shell.screen()
    shell.wait(r"^GET .*/here$")
    shell.resize(200, 50)
    shell.wait(r"Ctrl-C ends it$")
    assert any(len(line) > 190 for line in shell.screen().splitlines())
    get(gateway, "/again")
    shell.wait(r"/again$")


def test_nothing_is_written_where_nothing_changes(start, terminal):
    service, gateway, shell = start.service(), start.gateway(), terminal()
    run_ttf(shell, gateway, service)
    record = shell.socket.with_name("written")
    record.touch()
    shell.tmux("pipe-pane", f"cat >>{record}")
    settled(lambda: record.stat().st_size, quiet=1.5)  # now and then a ping takes longer than the last one, and that is shown
    began = time.monotonic()
    for i in range(200):
        get(gateway, f"/many/{i}")
    shell.wait(r"/many/199")
    frames = record.read_bytes().count(b"\x1b[?2026h")
    assert 0 < frames <= 10 * (time.monotonic() - began) + 2, frames


def test_the_service_goes_and_comes_back(start, terminal):
    service, gateway, shell = start.service(), start.gateway(), terminal()
    port = service.port
    run_ttf(shell, gateway, service)
    service.go_away()
    for _ in range(3):
        assert get(gateway, "/").status == 503
    shell.wait(r"^Service .* does not answer$")
    assert len(re.findall(r"The local service \S+ does not answer", shell.screen().replace("\n", " "))) == 1
    start.service(port=port)
    get(gateway, "/")
    shell.wait(r"answers now")
    shell.wait(r"^Service +\S+$")


@pytest.mark.protocols("v1", "v2")
def test_a_health_check(start):
    service, gateway = start.service(), start.gateway()
    service.answer("/healthz", status=500)
    ttf = start.forwarder(gateway, service, "-n", "demo", "--health-check", "/healthz")
    ttf.wait_line(r"^The local service \S+ does not answer \(GET /healthz: 500\)$")
    answer = get(gateway, "/todos")
    assert answer.status == 503 and answer.header("x-tunnel-error") == "local_service_unavailable"
    assert http_raw.request(gateway.address, "POST", "/todos", ttf.host, body=b"x" * 100000).status == 503
    assert not service.seen("/todos")
    service.answer("/healthz", status=204)
    ttf.wait_line(r"^The local service \S+ answers now$")
    assert get(gateway, "/todos").status == 200
    lines = len(ttf.out)
    service.go_away()
    ttf.wait_line(r"^The local service \S+ does not answer", after=lines)
    assert get(gateway, "/todos").status == 503
    lines = len(ttf.out)
    start.service(port=service.port)
    ttf.wait_line(r"^The local service \S+ answers now$", after=lines)
    assert get(gateway, "/todos").status == 200


def test_the_latency_is_that_of_now(start, terminal, other_end):
    """A ping on the way tells it anew, of a link that has been up for long."""
    gateway, service, shell = other_end(greets=False), start.service(), terminal()
    gateway.pong_after = 2
    shell.type(f"clear; {BIN}/ttf -e {gateway.endpoint} {service.port}")
    gateway.next_link().establish(heartbeat_seconds=5)
    shell.wait(r"^Status +online, .* to 127\.0\.0\.1:\d+$")
    shell.wait(r"^Status +online, [2-9]\.\d s to 127\.0\.0\.1:\d+$", seconds=30)
    gateway.pong_after = 0
    shell.wait(r"^Status +online, .*\b\d+ ms to 127\.0\.0\.1:\d+$", seconds=30)
    shell.key("C-c")


def test_no_colour(start, terminal):
    service, gateway, shell = start.service(), start.gateway(), terminal(env={"NO_COLOR": "1"})
    service.answer("/fails", status=500)
    run_ttf(shell, gateway, service)
    get(gateway, "/fails")
    shell.wait(r"/fails")
    assert "\x1b[3" not in shell.screen("-e")
    shell.key("C-c")


def test_plain_on_a_terminal(start, terminal):
    service, gateway, shell = start.service(), start.gateway(), terminal()
    words = f"{BIN}/ttf -e {gateway.endpoint} -n demo {service.port} --log plain"
    shell.type(words)
    shell.wait(r"^Tunnel established: ")
    get(gateway, "/plain")
    shell.wait(r"^\d\d:\d\d:\d\d GET /plain \d+ \d+ ms \d+ B$")
    shell.key("C-c")


# ---- the other forms, without a terminal ----


def events(program):
    return [json.loads(line) for line in program.out]


def test_objects_of_json(start):
    service, gateway = start.service(), start.gateway()
    ttf = start.forwarder(gateway, service, "--log", "json", "-n", "demo", wait=False)
    ttf.wait_line(r'"state":"online"')
    service.answer("/\x7fé", status=500)
    get(gateway, "/todos?password=x", PAGE)
    get(gateway, "/app.js", SCRIPT)
    ttf.wait_line(r"app\.js")
    ttf.stop()
    found = events(ttf)
    assert all(one["time"].endswith("Z") for one in found)
    online = next(one for one in found if one["event"] == "tunnel" and one["state"] == "online")
    assert online["url"] == f"http://demo.localhost:{gateway.address[1]}"
    assert online["path_url"] == f"http://localhost:{gateway.address[1]}/demo"
    page, asset = [one for one in found if one["event"] == "request"]
    assert (page["method"], page["target"], page["kind"]) == ("GET", "/todos?password=***", "page")
    assert asset["kind"] == "asset" and asset["bytes"] > 0 and asset["ms"] >= 0


def test_streams_open_and_end(start):
    gateway = start.gateway()
    service = start.service()

    def stream(exchange):
        exchange.head(200, ("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked"))
        exchange.chunk(b"data: 1\n\n")
        exchange.end()

    service.stream("/events", stream)
    ttf = start.forwarder(gateway, service, "--log", "json", "-n", "demo", wait=False)
    ttf.wait_line(r'"state":"online"')
    get(gateway, "/events")
    ttf.wait_line(r'"event":"request"')
    kinds = [(one["event"], one["kind"]) for one in events(ttf) if "kind" in one]
    assert kinds == [("open", "events"), ("request", "events")]


def test_pages_in_lines(start):
    service, gateway = start.service(), start.gateway()
    ttf = start.forwarder(gateway, service, "--log", "plain,pages", "-n", "demo")
    get(gateway, "/page", PAGE)
    for _ in range(3):
        get(gateway, "/app.js", SCRIPT)
    ttf.wait_line(r"^\d\d:\d\d:\d\d \+ 3 more, ")
    assert not any("app.js" in line for line in ttf.out)


def test_errors_in_lines(start):
    service, gateway = start.service(), start.gateway()
    service.answer("/fails", status=500)
    ttf = start.forwarder(gateway, service, "--log", "errors", "-n", "demo")
    get(gateway, "/fine")
    get(gateway, "/fails")
    ttf.wait_line(r"/fails 500")
    assert not any("/fine" in line for line in ttf.out)


def test_the_browser_is_opened_once(start, tmp_path):
    service, gateway = start.service(), start.gateway()
    opener, opened = tmp_path / "bin" / "xdg-open", tmp_path / "opened"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\nprintf "%s\\n" "$#" "$1" >>{opened}\n')
    opener.chmod(0o755)
    path = {"PATH": f"{opener.parent}:{os.environ['PATH']}"}
    ttf = start.forwarder(gateway, service, "--open", env=path)
    end = time.monotonic() + 60 * SLOW
    while not opened.exists() or opened.read_text().count("\n") < 2:
        assert time.monotonic() < end
        time.sleep(0.02)
    ttf.stop()
    assert opened.read_text() == f"1\n{ttf.url}\n"


def test_no_browser(start, tmp_path):
    service, gateway = start.service(), start.gateway()
    ttf = start.forwarder(gateway, service, "--open", env={"PATH": str(tmp_path)})
    ttf.wait_err(r"^ttf: the URL is not opened: there is no xdg-open$")


@pytest.mark.parametrize("words", ["", "x", "plain,json", "pages,errors", "plain,"])
def test_bad_words(start, words):
    program = start.program(BIN / "ttf", "--log", words)
    program.expect_killed = True
    assert program.wait_exit() == 2
    assert len(program.err) == 1 and "--log" in program.err[0]


def test_the_inspector_is_named_above(start, terminal):
    service, gateway, screen = start.service(), start.gateway(), terminal()
    run_ttf(screen, gateway, service, "--inspect", free_port())
    screen.wait(r"^ *Inspector +http://127\.0\.0\.1:\d+/#[a-z0-9]{24}$")
