"""A stock Vite dev server behind a tunnel of a real host name, in a real browser: hot reload goes through it."""

import os
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from browser import Page, needs_chromium
from programs import free_port

DOMAIN = "t.example.test"
PAGE = """<!doctype html><title>page</title><link rel="stylesheet" href="/style.css"><h1 id="title"></h1><script type="module" src="/main.js"></script>"""
MAIN = """
import { title } from './title.js'
const show = text => document.querySelector('#title').textContent = text
show(title)
import.meta.hot.accept('./title.js', changed => show(changed.title))
"""

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(not shutil.which("npm") and not os.environ.get("CI"), reason="no npm here"),
]


@pytest.fixture(scope="session")
def vite(tmp_path_factory):
    """A folder in which Vite is installed: the newest that this Node runs."""
    folder = tmp_path_factory.mktemp("vite")
    major = int(subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout[1:].split(".")[0])
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", f"vite@{'latest' if major >= 20 else '5'}"],
        cwd=folder, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def project(vite, start, tmp_path):
    """make(*ttf_options): the dev server as `npm create vite` leaves it, with a tunnel and a browser page."""
    pages = []

    def make(*ttf_options):
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "node_modules").symlink_to(vite / "node_modules")
        for name, text in {"package.json": '{"type": "module"}', "index.html": PAGE, "main.js": MAIN, "style.css": "h1 { color: red }"}.items():
            (folder / name).write_text(text)
        (folder / "title.js").write_text("export const title = 'one'")
        port = free_port()
        server = start.program(
            "node", "node_modules/vite/bin/vite.js", "--port", port, "--strictPort", "--host", "127.0.0.1",
            cwd=folder, env={"NO_COLOR": "1", "FORCE_COLOR": "0"}, expect_killed=True,
        )  # fmt: skip
        server.wait_line(r"Local: ", 60)
        gateway = start.gateway("--domain", DOMAIN)
        ttf = start.forwarder(gateway, port, *ttf_options)
        page = Page(tmp_path / "browser", f"--host-resolver-rules=MAP *.{DOMAIN} 127.0.0.1")
        pages.append(page)
        page.start().open(f"http://{ttf.host}/")
        return SimpleNamespace(folder=folder, ttf=ttf, page=page)

    yield make
    for page in pages:
        page.__exit__()


def test_hot_reload(project):
    """Two edits reach the page by its WebSocket; it is the same page afterwards, not a new one."""
    vite = project("--host-header", "rewrite")
    assert vite.ttf.host.partition(":")[0].endswith(f".{DOMAIN}")
    page = vite.page
    page.wait("document.querySelector('#title')?.textContent === 'one'")
    page.evaluate("window.stillHere = true")
    (vite.folder / "title.js").write_text("export const title = 'two'")
    page.wait("document.querySelector('#title').textContent === 'two'")
    (vite.folder / "style.css").write_text("h1 { color: rgb(1, 2, 3) }")
    page.wait("getComputedStyle(document.querySelector('#title')).color === 'rgb(1, 2, 3)'")
    assert page.evaluate("window.stillHere") is True, "the page was loaded anew"


def test_hint_without_the_option(project):
    """Vite refuses a host that it does not know; ttf says what helps."""
    vite = project()
    vite.page.wait("document.body?.innerText.includes('Blocked request')")
    vite.ttf.wait_line(r"--host-header rewrite")
