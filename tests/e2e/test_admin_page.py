"""The page that shows how the gateways are: `/` of the admin port, and what it asks."""

import json
import os
import socket
import threading
from pathlib import Path

import pytest

import admin_api
import backends
import http_raw
from admin_api import ask
from browser import Page, needs_chromium
from programs import ROOT
from test_admin import OPEN, front
from test_redis import eventually

pytestmark = pytest.mark.skipif(backends.STACK == "aws", reason="of ttf-gateway")


@pytest.fixture
def gateway(start):
    return start.gateway(env=OPEN)


def url(gateway):
    return "http://{}:{}/".format(*front(gateway).admin)


def evil_agent(start, gateway):
    """Its user chose what is shown as its software."""
    return start.agent_v2(gateway, headers={"x-tunnel-name": "evil", "User-Agent": "<img src=x onerror=document.title='ran'>"})


def watch(gateway):
    """A connection on which the events come."""
    connection = socket.create_connection(front(gateway).admin, 20)
    connection.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {admin_api.TOKEN}\r\n\r\n".encode())
    return connection


def test_the_page_holds_nothing_by_itself(gateway):
    pages = [http_raw.request(gateway.admin, "GET", "/", "localhost") for _ in range(2)]
    policies = [page.header("content-security-policy") for page in pages]
    assert pages[0].status == 200 and pages[0].header("content-type") == "text/html; charset=utf-8"
    assert policies[0] != policies[1] and "unsafe" not in policies[0] and "default-src 'none'" in policies[0]
    assert b"@NONCE@" not in pages[0].body
    assert http_raw.request(gateway.admin, "GET", "/", "evil.example").status == 421


def test_events(gateway, start):
    start.forwarder(gateway, start.service(), "--name", "shop")
    assert ask(gateway, "events", shown=None).status == 401
    with watch(gateway) as connection, connection.makefile("rb") as stream:
        while not (line := stream.readline()).startswith(b"data: "):
            assert line
        now = json.loads(line[6:])
    assert [tunnel["tunnel"] for tunnel in now["tunnels"]] == ["shop"] and now["silent"] == []
    assert len(now["gateways"]) == (2 if backends.STACK == "redis2" else 1)


def test_who_watches_stops_nothing(gateway, start):
    """Those who do not read, those who leave, and one too many."""
    watchers = [watch(gateway) for _ in range(16)]
    eventually(lambda: ask(front(gateway), "events").status == 503)
    assert ask(gateway, "tunnels").status == 200
    for connection in watchers:
        connection.close()
    eventually(lambda: _takes_another(gateway), 30)


def _takes_another(gateway):
    with watch(gateway) as connection:
        return connection.recv(64).startswith(b"HTTP/1.1 200")


def test_a_watcher_does_not_hold_the_gateway(gateway):
    with watch(gateway):
        assert gateway.stop() == 0


def test_the_description_of_the_api(gateway):
    document = ask(gateway, "openapi.json", shown=None).json
    assert document["openapi"].startswith("3.")
    source = (ROOT / "gateway/admin/api.c").read_text()
    routes = {(line.split('"')[1].lower(), line.split('"')[3]) for line in source.splitlines() if line.startswith('    {"') and "PREFIX" in line}
    described = {
        (method, path.removeprefix("/api/v1/").replace("{name}", "*")) for path, item in document["paths"].items() for method in item
    }
    assert routes == described and len(routes) > 10


@needs_chromium
@pytest.mark.parametrize("width, scheme", [(360, "light"), (360, "dark"), (1200, "light"), (1200, "dark")])
def test_in_a_browser(gateway, start, tmp_path, width, scheme):
    evil_agent(start, gateway)
    ttf = start.forwarder(gateway, start.service(), "--name", "a-tunnel-with-quite-a-long-name")
    with Page(tmp_path / "browser") as page:
        page.watch()
        page.screen(width, 800, is_phone=width < 500, scheme=scheme)
        page.open(url(gateway))
        page.wait("!document.getElementById('door').hidden")
        page.evaluate("document.getElementById('token').value = 'wrong'; document.querySelector('button').click()")
        page.wait("document.getElementById('state').textContent.includes('not the admin token')")
        page.evaluate(f"document.getElementById('token').value = '{admin_api.TOKEN}'; document.querySelector('button').click()")
        page.wait("document.getElementById('state').textContent === 'live'")
        page.wait("document.getElementById('tunnels').textContent.includes('a-tunnel-with')")
        for _ in range(5):
            http_raw.request(gateway.address, host=ttf.host)
        page.wait("[...document.querySelectorAll('#tunnels tbody tr')].some((row) => row.textContent.includes('a-tunnel') && +row.cells[7].textContent > 0)")
        assert page.evaluate("document.title") == "Gateways"  # what an agent says is text
        assert page.evaluate("document.querySelectorAll('img').length") == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [problem for problem in page.problems() if "401" not in problem] == []
        if folder := os.environ.get("TTF_SHOTS"):
            page.screenshot(Path(folder) / f"status-{width}-{scheme}.png")
        page.command("Page.reload")  # the token is known in this tab
        page.wait("document.getElementById('state').textContent === 'live'")


@needs_chromium
@pytest.mark.parametrize("width, scheme", [(360, "dark"), (1200, "light")])
def test_a_closed_page_says_how_it_is_opened(start, tmp_path, width, scheme):
    """Without a token in the settings there is nothing to type; what is open to everybody is linked."""
    gateway = start.gateway()
    with Page(tmp_path / "browser") as page:
        page.watch()
        page.screen(width, 800, is_phone=width < 500, scheme=scheme)
        page.open(url(gateway))
        page.wait("!document.getElementById('closed').hidden")
        assert page.evaluate("document.getElementById('state').textContent") == "closed"
        assert page.evaluate("document.getElementById('door').hidden && document.getElementById('all').hidden")
        assert "--admin-token-file" in page.evaluate("document.getElementById('closed').textContent")
        ask = "Promise.all([...document.querySelectorAll('#closed a')].map(async (a) => (await fetch(a.href)).status)).then(String)"
        links = page.command("Runtime.evaluate", expression=ask, awaitPromise=True, returnByValue=True)["result"]["value"]
        assert links == "200,200,200"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [problem for problem in page.problems() if "403" not in problem] == []


def test_busy_with_many_watchers(gateway, start):
    """Pictures for several at once are whole."""
    start.forwarder(gateway, start.service(), "--name", "shop")
    whole = []

    def look():
        with watch(gateway) as connection, connection.makefile("rb") as stream:
            for _ in range(3):
                while not (line := stream.readline()).startswith(b"data: "):
                    assert line
                whole.append(json.loads(line[6:]))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(whole) == 24
