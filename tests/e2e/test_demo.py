"""What a stranger does first: `./dev demo`, and a browser on the URL that it prints."""

import json
import os
import signal
import subprocess
from urllib.parse import urlsplit

import pytest

import http_raw
from browser import browse, needs_chromium
from programs import BIN, ROOT, Program, free_port


@pytest.fixture
def demo(tmp_path):
    """start(*arguments): a running ./dev demo and the URL it printed."""
    programs = []
    ports = {f"{name}_PORT": str(free_port()) for name in ("PUBLIC", "AGENT", "ADMIN", "APP")}

    def start(*arguments):
        env = {**ports, "TTF_BIN": str(BIN), "DEMO_DIR": str(tmp_path / "demo"), "TTF_INSPECT": "127.0.0.1:0"}
        program = Program([ROOT / "dev", "demo", *arguments], env=env, cwd=ROOT)
        programs.append(program)
        program.url = program.wait_line(r"(http://[a-z0-9]{12}\.localhost:\d+)", 60)[1]
        program.wait_line(r"Ctrl-C", 60)
        program.address = ("127.0.0.1", urlsplit(program.url).port)
        program.host = urlsplit(program.url).netloc
        return program

    yield start
    for program in programs:
        program.finish()


def test_demo(demo):
    program = demo()
    todos = http_raw.request(program.address, target="/todos", host=program.host).json()
    assert len(todos) == 7
    inspector = program.wait_line(r"Each request in full.*: (http://127\.0\.0\.1:\d+)/#\w{24}$", 60)[1]
    assert b"<title>" in http_raw.request(("127.0.0.1", urlsplit(inspector).port), host=urlsplit(inspector).netloc).body
    made = http_raw.request(
        program.address, "POST", "/todos", program.host, [("Content-Type", "application/json")], json.dumps({"title": "Eight"})
    )
    assert made.status == 201, made
    path = f"/todos/{made.json()['id']}"
    done = http_raw.request(
        program.address, "PUT", path, program.host, [("Content-Type", "application/json")],
        json.dumps({"title": "Eight", "completed": True}),
    )  # fmt: skip
    assert done.json()["completed"] is True
    assert http_raw.request(program.address, target=path, host=program.host).json()["title"] == "Eight"
    assert http_raw.request(program.address, "DELETE", path, program.host).status == 204
    assert http_raw.request(program.address, target=path, host=program.host).status == 404
    assert http_raw.request(program.address, target="/docs", host=program.host).status == 200
    children = subprocess.run(["pgrep", "-P", str(program.pid)], capture_output=True, text=True).stdout.split()
    assert len(children) >= 3
    assert program.stop(signal.SIGINT) == 0
    assert not [child for child in children if os.path.exists(f"/proc/{child}")]
    with pytest.raises(OSError):
        http_raw.request(program.address, host=program.host)


def test_demo_keeps_its_url(demo):
    first = demo()
    assert first.stop(signal.SIGINT) == 0
    assert demo().url == first.url


def test_demo_of_a_service_that_runs_already(demo, start):
    service = start.service()
    service.answer("/", body="my own service")
    program = demo("--port", str(service.port))
    assert http_raw.request(program.address, host=program.host).body == b"my own service"


@needs_chromium
def test_browser_sees_the_page(demo, tmp_path):
    program = demo()
    page = browse(program.url + "/", tmp_path / "browser", "--dump-dom")
    for todo in http_raw.request(program.address, target="/todos", host=program.host).json():
        assert todo["title"] in page, page
    assert page.count('class="todo') >= 7, page


@needs_chromium
def test_browser_sees_the_page_in_path_mode(demo, tmp_path):
    program = demo()
    tunnel = program.host.partition(".")[0]
    page = browse(f"http://localhost:{program.address[1]}/{tunnel}/", tmp_path / "browser", "--dump-dom")
    assert page.count('class="todo') >= 7, page


@needs_chromium
def test_browser_sees_an_error_page(stack, tmp_path):
    page = browse(f"http://aaaaaaaaaaaa.localhost:{stack.gateway.address[1]}/", tmp_path / "browser", "--dump-dom")
    assert "There is no tunnel at this address" in page, page
